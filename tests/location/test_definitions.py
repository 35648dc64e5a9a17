"""The graph is complete, ordered and described, and loads from anywhere without a database or a secret."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

import assets
import definitions
from sync_pipelines import mappings
from sync_pipelines.domains import DOMAINS
from sync_pipelines.engine.topology import Topology

ROOT = Path(definitions.__file__).parent


def keys(defs: dg.Definitions) -> set[str]:
    return {key.to_user_string() for key in defs.resolve_asset_graph().get_all_asset_keys()}


def upstream(defs: dg.Definitions, key: str) -> set[str]:
    node = defs.resolve_asset_graph().get(dg.AssetKey.from_user_string(key))
    return {parent.to_user_string() for parent in node.parent_keys}


def ancestors(defs: dg.Definitions, key: str) -> set[str]:
    found: set[str] = set()
    for parent in upstream(defs, key):
        found |= {parent} | ancestors(defs, parent)
    return found


def names_of_checks(defs: dg.Definitions, key: str) -> set[str]:
    asset = dg.AssetKey.from_user_string(key)
    return {check.name for check in defs.resolve_asset_graph().asset_check_keys if check.asset_key == asset}


def test_the_definitions_load_as_a_whole(defs: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(defs)


def test_every_domain_has_its_module_in_the_order_of_the_loop() -> None:
    assert list(assets.DOMAINS) == list(DOMAINS)


def test_every_object_of_every_system_is_an_asset(defs: dg.Definitions, topology: Topology) -> None:
    expected = {f"{system}/{name}" for system in topology.systems for name in mappings.objects(system)}

    assert expected <= keys(defs)


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_domain_has_all_steps_of_its_loop(domain: str, defs: dg.Definitions, topology: Topology) -> None:
    settings = topology.domains[domain]

    found = {key for key in keys(defs) if key.startswith(f"{domain}/")}

    assert found == {
        *(f"{domain}/{system}" for system in settings.systems),
        f"{domain}/links",
        *(f"{domain}/{step}/{target}" for step in ("plan", "writes") for target in settings.targets),
        f"{domain}/reconciliation",
    }


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_steps_of_a_domain_follow_one_another(domain: str, defs: dg.Definitions, topology: Topology) -> None:
    settings = topology.domains[domain]

    for system in settings.systems:
        assert {f"{of}/{name}" for of, name in mappings.sources(system, domain)} <= upstream(defs, f"{domain}/{system}")
    assert upstream(defs, f"{domain}/links") == {f"{domain}/{system}" for system in settings.systems}
    for target in settings.targets:
        looked_up = {f"{of}/{name}" for of, name in mappings.plan_sources(target, domain)}
        assert upstream(defs, f"{domain}/plan/{target}") == {f"{domain}/links", *looked_up}
        assert upstream(defs, f"{domain}/writes/{target}") == {f"{domain}/plan/{target}"}
        assert f"{domain}/writes/{target}" in upstream(defs, f"{domain}/reconciliation")


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_domain_starts_after_those_it_refers_to_and_before_none_that_is_later(
    domain: str, defs: dg.Definitions
) -> None:
    before = {key.split("/")[0] for key in ancestors(defs, f"{domain}/links") if key.endswith("/reconciliation")}

    assert {field.refers_to for field in DOMAINS[domain].references} <= before
    assert before <= set(list(DOMAINS)[: list(DOMAINS).index(domain)])


def test_a_domain_starts_after_those_that_write_what_it_reads(defs: dg.Definitions) -> None:
    assert ("tryton", "product.template") in mappings.sources("tryton", "order")
    assert "product.template" in mappings.written("tryton", "pricing")
    assert "pricing/reconciliation" in upstream(defs, "order/tryton")


def test_the_report_comes_after_every_reconciliation(defs: dg.Definitions) -> None:
    assert upstream(defs, "report/finance") == {f"{domain}/reconciliation" for domain in DOMAINS}


def test_every_step_claims_what_the_engine_reports(defs: dg.Definitions) -> None:
    assert names_of_checks(defs, "salesforce/Account") == {"complete", "fits_declared_shape"}
    assert names_of_checks(defs, "customer/stripe") == {"fits_schema", "some_records_survive", "deletes_plausible"}
    assert names_of_checks(defs, "customer/links") == {"no_ambiguous_match", "no_duplicates"}
    assert names_of_checks(defs, "customer/plan/tryton") == {"within_limits"}
    assert names_of_checks(defs, "customer/writes/tryton") == {"all_confirmed", "nothing_in_doubt"}
    assert names_of_checks(defs, "customer/reconciliation") == {
        "agrees_salesforce_stripe",
        "agrees_salesforce_tryton",
        "agrees_stripe_tryton",
        "no_quarantined_records",
    }
    assert names_of_checks(defs, "invoice/reconciliation") == {
        "agrees_stripe_tryton",
        "control_totals_stripe_tryton",
        "no_quarantined_records",
    }


def test_exactly_these_checks_stop_what_is_downstream(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()

    blocking = {key.name for key in graph.asset_check_keys if graph.get_check_spec(key).blocking}

    assert blocking == {"some_records_survive", "deletes_plausible", "nothing_in_doubt"}


def test_every_asset_says_what_it_is_and_whose_it_is(defs: dg.Definitions, topology: Topology) -> None:
    teams = {f"team:{team}" for team in topology.people}
    for spec in defs.resolve_all_asset_specs():
        key = spec.key.to_user_string()
        owned = key != "report/finance" and "Read by: no domain" not in str(spec.description)
        assert spec.description, key
        assert spec.kinds, key
        assert bool(spec.owners) == owned, key
        assert set(spec.owners) <= teams, key


def test_assets_are_grouped_by_their_domain_or_system(defs: dg.Definitions, topology: Topology) -> None:
    for spec in defs.resolve_all_asset_specs():
        assert spec.group_name == spec.key.path[0]


def test_canonical_assets_show_their_columns_and_the_version_of_their_mapping(defs: dg.Definitions) -> None:
    spec = next(each for each in defs.resolve_all_asset_specs() if each.key == dg.AssetKey(["invoice", "stripe"]))

    columns = {column.name: column for column in spec.metadata["dagster/column_schema"].columns}

    assert columns["total_minor"].type == "money"
    assert columns["number"].description == "Owned by stripe. From stripe/invoices.number, stripe/credit_notes.number."
    assert not columns["number"].constraints.nullable
    assert spec.code_version == mappings.version("stripe", "invoice")


def test_jobs_run_in_one_process(defs: dg.Definitions) -> None:
    executors = {job.name: job.executor_def.name for job in defs.resolve_all_job_defs()}

    assert {"full", "changes", *(f"{domain}_reconcile" for domain in DOMAINS)} <= set(executors)
    assert set(executors.values()) == {"in_process"}


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_proof_of_a_domain_neither_plans_nor_writes(domain: str, defs: dg.Definitions) -> None:
    job = defs.resolve_job_def(f"{domain}_reconcile")

    selected = {key.to_user_string() for key in job.asset_layer.executable_asset_keys}

    assert f"{domain}/reconciliation" in selected
    assert not [key for key in selected if "/plan/" in key or "/writes/" in key]


def test_schedules_have_the_topology_s_times_and_zones(defs: dg.Definitions, topology: Topology) -> None:
    schedules = {each.name: each for each in defs.schedules or []}

    assert set(schedules) == {"nightly", *(f"{domain}_nightly" for domain in DOMAINS)}
    for domain, settings in topology.domains.items():
        assert schedules[f"{domain}_nightly"].cron_schedule == settings.schedule.cron
        assert schedules[f"{domain}_nightly"].execution_timezone == settings.schedule.zone


@pytest.mark.parametrize(
    "command",
    [
        [sys.executable, "-m", "dagster", "definitions", "validate", "-w", str(ROOT / "workspace.yaml")],
        [str(Path(sys.executable).with_name("dg")), "check", "defs", "--target-path", str(ROOT)],
    ],
    ids=["dagster", "dg"],
)
def test_the_location_validates_from_another_folder_without_a_database_or_a_secret(
    command: list[str], tmp_path: Path
) -> None:
    bare = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}

    checked = subprocess.run(
        command,
        cwd=tmp_path,
        env={**bare, "HOME": str(tmp_path), "VIRTUAL_ENV": sys.prefix},
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_loading_the_definitions_imports_no_database_driver() -> None:
    code = (
        "import sys, definitions; definitions.defs();"
        "sys.exit(' '.join({'duckdb', 'pandas', 'psycopg', 'sqlalchemy', 'requests'} & set(sys.modules)) or 0)"
    )

    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)

    assert loaded.returncode == 0, loaded.stderr
