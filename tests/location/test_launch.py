"""A launch runs a job in its own process and tells each step's end as one JSON line."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
from typing import Any

import dagster as dg
import pytest

from sensors import launch
from sync_pipelines.engine.outcome import Check, Result
from sync_pipelines.errors import FixConfiguration, RetryLater


@pytest.fixture
def lines(rehearsal: dg.Definitions, loop: Any, instance: dg.DagsterInstance) -> Any:
    """Launches a job with the fake loop; answers the exit code and the lines."""

    def run(job: str = "customer_reconcile") -> tuple[int, list[dict[str, Any]]]:
        out = io.StringIO()
        code = launch.execute(rehearsal, instance, job=job, mode="full", out=out)
        return code, [json.loads(line) for line in out.getvalue().splitlines()]

    return run


def test_every_step_is_told_once_between_start_and_end(lines: Any, defs: dg.Definitions) -> None:
    code, told = lines("full")

    count = len(defs.resolve_asset_graph().get_all_asset_keys())
    assert code == 0
    assert told[0] == {"run": told[0]["run"], "job": "full", "steps": count}
    assert told[-1] == {"run": told[0]["run"], "success": True, "error": ""}
    assert len({each["step"] for each in told[1:-1]}) == count
    assert {each["state"] for each in told[1:-1]} == {"done"}


def test_a_step_tells_its_counts_and_the_checks_that_did_not_pass(lines: Any, loop: Any) -> None:
    loop.says["customer/stripe"] = [Check("fits_schema", "customer/stripe", "It fits.", Result.FAILED, count=1)]
    loop.says["stripe/customers"] = [Check("complete", "stripe/customers", "All.", Result.NOT_CHECKED)]

    _, told = lines()

    by_step = {each.get("step"): each for each in told}
    assert by_step["customer/stripe"]["failed_checks"] == ["fits_schema"]
    assert by_step["customer/stripe"]["counts"] == {"records": 40, "quarantined": 0}
    assert by_step["stripe/customers"]["not_checked"] == ["complete"]
    assert by_step["stripe/customers"]["failed_checks"] == []


def test_a_step_that_fails_tells_why_in_the_engine_s_words(lines: Any, loop: Any) -> None:
    loop.breaks["stripe/customers"] = RetryLater("stripe is in maintenance")

    code, told = lines()

    by_step = {each.get("step"): each for each in told}
    assert code == 1
    assert told[-1]["success"] is False
    assert by_step["stripe/customers"]["error"] == "stripe is in maintenance"
    assert by_step["customer/stripe"]["state"] == "skipped"


def test_a_step_that_is_interrupted_says_so(lines: Any, loop: Any, stage: Any) -> None:
    loop.breaks["customer/stripe"] = dg.DagsterExecutionInterruptedError()

    code, told = lines()

    by_step = {each.get("step"): each for each in told}
    assert code == 1
    assert by_step["customer/stripe"]["error"].startswith("interrupted: nothing is lost")
    assert stage.ends == ["failed"]


def test_a_run_that_can_not_open_the_loop_tells_why(lines: Any, stage: Any) -> None:
    stage.refusal = FixConfiguration("environment variable STRIPE_URL is not set")

    code, told = lines()

    assert code == 1
    assert told[-1]["error"] == "environment variable STRIPE_URL is not set"
    assert {each["state"] for each in told[1:-1]} == {"skipped"}


def test_a_run_is_on_record_with_its_mode_and_process(lines: Any, instance: dg.DagsterInstance) -> None:
    _, told = lines()

    record = instance.get_run_by_id(told[0]["run"])
    assert record is not None
    assert record.tags["sync/mode"] == "full"
    assert record.tags[".dagster/repository"] == "__repository__@sync-pipelines"
    assert record.tags["sync/process"] == str(os.getpid())


def test_a_run_whose_process_was_killed_is_ended_by_the_next_launch(instance: dg.DagsterInstance) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for run_id, process in (("killed", dead.pid), ("alive", os.getpid())):
        tags = {launch.HOST: socket.gethostname(), launch.PROCESS: str(process)}
        instance.add_run(dg.DagsterRun(job_name="full", run_id=run_id, tags=tags, status=dg.DagsterRunStatus.STARTED))

    buried = launch.bury(instance)

    assert buried == ["killed"]
    assert instance.get_run_by_id("killed").status is dg.DagsterRunStatus.FAILURE  # type: ignore[union-attr]
    assert instance.get_run_by_id("alive").status is dg.DagsterRunStatus.STARTED  # type: ignore[union-attr]
