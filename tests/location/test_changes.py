"""A sensor starts one run for what changed, does not start it twice, and takes an outage calmly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg
import pytest

from sensors import changes, jobs
from sync_pipelines.engine.port import Cursor
from sync_pipelines.engine.topology import Topology
from sync_pipelines.errors import FixConfiguration, RetryLater

CHANGED = {"customers": {"after": "2026-11-20"}}


@pytest.fixture
def sensor(topology: Topology) -> dg.SensorDefinition:
    return next(each for each in changes.build(topology) if each.name == "stripe_changes")


def evaluated(sensor: dg.SensorDefinition, instance: dg.DagsterInstance, probe: Any) -> Any:
    with dg.build_sensor_context(instance=instance, resources={"probe": probe}) as context:
        return sensor(context)


def finish(instance: dg.DagsterInstance, request: dg.RunRequest, status: dg.DagsterRunStatus) -> None:
    instance.add_run(
        dg.DagsterRun(job_name="changes", run_id=str(request.run_key), tags=dict(request.tags), status=status)
    )


def probe(changed: Mapping[str, Cursor | None] = CHANGED) -> Any:
    return lambda system: dict(changed)


def test_every_system_has_a_sensor_with_its_interval(defs: dg.Definitions, topology: Topology) -> None:
    intervals = {each.name: each.minimum_interval_seconds for each in defs.sensors or []}

    for system, settings in topology.systems.items():
        assert intervals[f"{system}_changes"] == settings.every_seconds


def test_nothing_changed_starts_nothing(sensor: dg.SensorDefinition, instance: dg.DagsterInstance) -> None:
    answer = evaluated(sensor, instance, probe({}))

    assert answer == dg.SkipReason("nothing changed in stripe")


def test_a_change_starts_one_run_of_its_objects_and_domains(
    sensor: dg.SensorDefinition, instance: dg.DagsterInstance, defs: dg.Definitions
) -> None:
    request = evaluated(sensor, instance, probe())

    selected = {key.to_user_string() for key in request.asset_selection}
    assert {"stripe/customers", "customer/stripe", "customer/salesforce", "customer/writes/tryton"} <= selected
    assert "report/finance" in selected
    assert "product/links" not in selected
    assert "salesforce/Account" not in selected
    assert set(request.asset_selection) <= defs.resolve_asset_graph().get_all_asset_keys()
    assert defs.resolve_job_def(jobs.CHANGES).tags["sync/mode"] == "incremental"


def test_a_change_starts_again_only_once_the_cursor_has_moved() -> None:
    first = changes.name_of("stripe", CHANGED)

    assert changes.name_of("stripe", {"customers": {"after": "2026-11-20"}}) == first
    assert changes.name_of("stripe", {"customers": {"after": "2026-11-21"}}) != first
    assert changes.name_of("stripe", {"customers": None}) != first


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.SUCCESS])
def test_a_change_that_is_being_read_or_was_read_starts_no_second_run(
    sensor: dg.SensorDefinition, instance: dg.DagsterInstance, status: dg.DagsterRunStatus
) -> None:
    finish(instance, evaluated(sensor, instance, probe()), status)

    assert isinstance(evaluated(sensor, instance, probe()), dg.SkipReason)


def test_a_change_whose_run_failed_starts_again_until_its_budget_is_spent(
    sensor: dg.SensorDefinition, instance: dg.DagsterInstance
) -> None:
    run_keys = []
    for _ in range(changes.ATTEMPTS):
        request = evaluated(sensor, instance, probe())
        run_keys.append(request.run_key)
        finish(instance, request, dg.DagsterRunStatus.FAILURE)

    given_up = evaluated(sensor, instance, probe())

    assert len(set(run_keys)) == changes.ATTEMPTS
    assert given_up == dg.SkipReason("3 runs for this change failed; the nightly run tries again")


@pytest.mark.parametrize("error", [RetryLater("stripe is in maintenance"), FixConfiguration("STRIPE_URL is not set")])
def test_a_system_that_can_not_be_asked_is_skipped_with_the_reason(
    sensor: dg.SensorDefinition, instance: dg.DagsterInstance, error: Exception
) -> None:
    def fails(system: str) -> Any:
        raise error

    answer = evaluated(sensor, instance, fails)

    assert answer == dg.SkipReason(f"stripe could not be asked: {error}")
