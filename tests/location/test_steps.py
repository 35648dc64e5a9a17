"""Steps call the loop, show what it says, and stop what is downstream of damage."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest

from assets import checks
from sync_pipelines.engine.outcome import Check, Result
from sync_pipelines.engine.plan import Change, Write
from sync_pipelines.engine.port import Operation, Request
from sync_pipelines.errors import FixConfiguration, RetryLater

CUSTOMER = (
    "stripe/customers",
    *(f"customer/{system}" for system in ("salesforce", "stripe", "tryton")),
    "customer/links",
    *(f"customer/{step}/{target}" for step in ("plan", "writes") for target in ("stripe", "tryton")),
    "customer/reconciliation",
)
"""The loop of one domain; with a domain that refers to it, one that does not, and the report:"""
AROUND = (*CUSTOMER, "invoice/stripe", "product/reconciliation", "report/finance")


def evaluations(result: dg.ExecuteInProcessResult, key: str) -> dict[str, dg.AssetCheckEvaluation]:
    asset = dg.AssetKey.from_user_string(key)
    return {each.check_name: each for each in result.get_asset_check_evaluations() if each.asset_key == asset}


def check(name: str, key: str, result: Result, **more: Any) -> Check:
    return Check(name, key, "It holds.", result, **more)


def test_a_full_run_does_every_step_of_every_domain_in_order(run: Any, loop: Any, defs: dg.Definitions) -> None:
    result = run()

    assert result.success
    assert len(loop.done) == len(defs.resolve_asset_graph().get_all_asset_keys())
    assert loop.done.index("customer/reconciliation") < loop.done.index("invoice/stripe")
    assert loop.done[-1] == "report/finance"


def test_counts_amounts_and_lineage_are_shown(run: Any) -> None:
    result = run("full", "customer/salesforce", "customer/plan/tryton", "report/finance")

    shown = _materialized(result)
    lineage = shown["customer/salesforce"]["dagster/column_lineage"].value
    assert shown["customer/salesforce"]["dagster/row_count"].value == 40
    assert lineage.deps_by_column["record_id"] == [
        dg.TableColumnDep(asset_key=["salesforce", "Account"], column_name="Id")
    ]
    assert shown["customer/plan/tryton"]["amount_USD"].value == "USD 1,234.56"
    assert shown["report/finance"]["report"].value == "file:///reports/finance.html"


def _materialized(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    made = [event.step_materialization_data.materialization for event in result.get_asset_materialization_events()]
    return {each.asset_key.to_user_string(): each.metadata for each in made if each.asset_key}


def test_a_plan_shows_its_first_writes_without_what_leads_to_a_person(run: Any, loop: Any) -> None:
    changes = (Change("name", "Acme|Inc", "Acme Inc"), Change("email", "ann@acme.example", "bob@acme.example"))
    loop.writes = [write(f"Customer {n}", changes) for n in range(12)]

    shown = _materialized(run("full", "customer/plan/stripe"))["customer/plan/stripe"]["diff"].value

    lines = shown.splitlines()
    assert lines[2] == r"| ~ | Customer 0 | name | Acme\|Inc | Acme Inc |"
    assert lines[3] == "|  |  | email | (not shown) | (not shown) |"
    assert lines[-1] == "and 2 more"
    assert "acme.example" not in shown


def write(label: str, changes: tuple[Change, ...]) -> Write:
    request = Request("w", "customers", Operation.UPDATE, "cus_1", "link", {})
    return Write(request, "customer", "stripe", "link", label, changes, "1")


@pytest.mark.parametrize(
    ("key", "name", "stopped"),
    [
        ("customer/stripe", "some_records_survive", "customer/links"),
        ("customer/writes/stripe", "nothing_in_doubt", "customer/reconciliation"),
    ],
)
def test_a_failing_blocking_check_stops_what_is_downstream(
    run: Any, loop: Any, key: str, name: str, stopped: str
) -> None:
    loop.says[key] = [check(name, key, Result.FAILED, count=3)]

    result = run("full", *AROUND)

    assert not result.success
    assert key in loop.done
    assert stopped not in loop.done
    assert "invoice/stripe" not in loop.done
    assert "product/reconciliation" in loop.done


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("customer/stripe", "fits_schema"),
        ("customer/plan/stripe", "within_limits"),
        ("customer/writes/stripe", "all_confirmed"),
        ("stripe/customers", "complete"),
    ],
)
def test_any_other_failing_check_lets_the_loop_go_on(run: Any, loop: Any, key: str, name: str) -> None:
    loop.says[key] = [check(name, key, Result.FAILED, count=3)]

    result = run("full", *AROUND)

    assert result.success
    assert not evaluations(result, key)[name].passed
    assert loop.done[-1] == "report/finance"


def test_a_check_that_could_not_run_is_no_pass_and_blocks_nothing(run: Any, loop: Any) -> None:
    key = "customer/writes/stripe"
    loop.says[key] = [check("nothing_in_doubt", key, Result.NOT_CHECKED, reason="stripe is down")]

    result = run("full", *AROUND)

    shown = evaluations(result, key)["nothing_in_doubt"]
    assert result.success
    assert not shown.passed
    assert shown.severity is dg.AssetCheckSeverity.WARN
    assert shown.metadata["outcome"].value == "not checked"
    assert shown.metadata["reason"].value == "stripe is down"


def test_an_incomplete_extraction_warns_and_a_lost_field_is_an_error(run: Any, loop: Any) -> None:
    key = "salesforce/Account"
    loop.says[key] = [check(name, key, Result.FAILED) for name in ("complete", "fits_declared_shape")]

    shown = evaluations(run("full", key), key)

    assert shown["complete"].severity is dg.AssetCheckSeverity.WARN
    assert shown["fits_declared_shape"].severity is dg.AssetCheckSeverity.ERROR


def test_a_failing_check_shows_count_amounts_and_sample(run: Any, loop: Any) -> None:
    key = "invoice/reconciliation"
    failed = check(
        "agrees_stripe_tryton",
        key,
        Result.FAILED,
        count=2,
        amounts={"EUR": 1, "JPY": 500},
        sample=({"number": "INV-1", "difference_minor": 1}, {"number": "INV-2", "note": "?"}),
    )
    loop.says[key] = [failed]

    shown = evaluations(run("full", key), key)["agrees_stripe_tryton"].metadata

    assert shown["records"].value == 2
    assert shown["amount_EUR"].value == "EUR 0.01"
    assert shown["amount_JPY"].value == "JPY 500"
    assert [dict(record.data) for record in shown["sample"].records] == [
        {"number": "INV-1", "difference_minor": "1", "note": ""},
        {"number": "INV-2", "difference_minor": "", "note": "?"},
    ]


def test_a_claim_that_nobody_reports_on_is_not_checked() -> None:
    key = dg.AssetKey(["customer", "links"])

    shown = list(checks.results(key, checks.MATCH, [check("no_duplicates", "customer/links", Result.PASSED)]))

    assert {each.check_name: each.passed for each in shown} == {"no_ambiguous_match": False, "no_duplicates": True}


def test_a_report_on_something_that_is_not_claimed_is_refused() -> None:
    key = dg.AssetKey(["customer", "links"])

    with pytest.raises(ValueError, match="reports on agrees, which it does not claim"):
        list(checks.results(key, checks.MATCH, [check("agrees", "customer/links", Result.PASSED)]))


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (RetryLater("stripe is in maintenance"), "Nothing was committed."),
        (FixConfiguration("stripe refuses the key"), "Mend what the message names"),
    ],
)
def test_an_error_of_the_engine_says_what_to_do_next(run: Any, loop: Any, error: Exception, advice: str) -> None:
    loop.breaks["stripe/customers"] = error

    result = run("full", "stripe/customers", "salesforce/Account")

    failure = next(event for event in result.all_events if event.is_step_failure).step_failure_data
    assert loop.done.count("stripe/customers") == 1
    assert failure.user_failure_data.description == str(error)
    assert failure.user_failure_data.metadata["next"].value.startswith(advice)
    assert "salesforce/Account" in loop.done


def test_a_run_that_fails_ends_its_loop_as_failed_and_is_reported_all_the_same(run: Any, loop: Any, stage: Any) -> None:
    loop.breaks["customer/stripe"] = RetryLater("stripe is in maintenance")

    result = run("full", *AROUND)

    assert not result.success
    assert "customer/reconciliation" not in loop.done
    assert loop.done[-1] == "report/finance"
    assert "customer/reconciliation" in loop.left_out <= set(AROUND)
    assert stage.ends == ["failed"]


def test_a_run_that_succeeds_ends_its_loop_as_finished(run: Any, loop: Any, stage: Any) -> None:
    run("full", *AROUND)

    assert loop.done.count("report/finance") == 1
    assert stage.ends == ["finished"]
