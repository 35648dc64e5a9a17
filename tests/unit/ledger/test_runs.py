"""Runs, what their steps told, and who they met."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import text

from sync_pipelines.engine.outcome import Check, Result, Total
from sync_pipelines.errors import Stop
from sync_pipelines.ledger import Ledger
from tests.conftest import StandingClock

CHECK = Check(
    "agrees", "order/reconciliation", "Both agree.", Result.FAILED, 2, {"USD": 5}, ({"id": "1"},), "why", True
)
TOTAL = Total("order", "stripe", "US01", "2026-03", "USD", 3, 1500)


def test_a_run_is_started_once_however_many_processes_say_so(ledger: Ledger, clock: StandingClock) -> None:
    ledger.start_run("run-1", "full")
    clock.sleep(5)
    ledger.start_run("run-1", "full")
    ledger.end_run("run-1", state="finished", summary={"read": {"stripe": 1}})

    run = ledger.run("run-1")
    assert run is not None
    assert run.ended_at is not None
    assert (run.ended_at - run.started_at).total_seconds() == 5
    assert (run.state, run.summary) == ("finished", {"read": {"stripe": 1}})
    assert ledger.run("run-2") is None


def test_the_newest_runs_come_first(ledger: Ledger, clock: StandingClock) -> None:
    for name in ("b", "a", "c"):
        ledger.start_run(name, "full")
        clock.sleep(1)

    assert [run.run_id for run in ledger.latest_runs(most=2)] == ["c", "a"]


def test_a_repeated_step_replaces_what_it_told(ledger: Ledger) -> None:
    ledger.save_step("run-1", "order/stripe", {"records": 1})
    ledger.save_step("run-1", "order/links", {"links": 3})
    ledger.save_step("run-1", "order/stripe", {"records": 2})

    assert ledger.steps("run-1") == {"order/stripe": {"records": 2}, "order/links": {"links": 3}}


def test_checks_come_back_as_they_were_and_a_repeated_one_replaces_itself(ledger: Ledger) -> None:
    ledger.save_checks("run-1", [CHECK, replace(CHECK, name="totals", sample=())])
    ledger.save_checks("run-1", [replace(CHECK, result=Result.PASSED, count=0)])

    assert ledger.checks("run-1") == [
        replace(CHECK, result=Result.PASSED, count=0),
        replace(CHECK, name="totals", sample=()),
    ]
    assert ledger.checks_by_result("run-1") == {"passed": 1, "failed": 1, "not_checked": 0}


def test_a_check_that_was_made_is_not_replaced_by_one_that_was_not(ledger: Ledger) -> None:
    ledger.save_checks("run-1", [CHECK])
    ledger.save_checks("run-1", [replace(CHECK, result=Result.NOT_CHECKED)])

    assert ledger.checks("run-1") == [CHECK]


def test_control_totals_replace_those_of_the_same_run_and_domain(ledger: Ledger) -> None:
    invoice = replace(TOTAL, domain="invoice")
    ledger.save_totals("run-1", "order", [TOTAL, replace(TOTAL, currency="EUR")])
    ledger.save_totals("run-1", "invoice", [invoice])
    ledger.save_totals("run-1", "order", [replace(TOTAL, count=4)])
    ledger.save_totals("run-2", "order", [])

    assert ledger.totals("run-1") == [invoice, replace(TOTAL, count=4)]


def test_another_organisation_behind_the_same_credentials_stops_the_run(ledger: Ledger) -> None:
    ledger.check_identity("salesforce", "00D-production")
    ledger.check_identity("salesforce", "00D-production")
    ledger.check_identity("stripe", "acct_1")

    with pytest.raises(Stop, match=r"00D-sandbox.*since 2026-11-23 it was '00D-production'"):
        ledger.check_identity("salesforce", "00D-sandbox")


def test_another_organisation_that_a_person_confirms_is_the_one_from_then_on(ledger: Ledger) -> None:
    ledger.check_identity("salesforce", "00D-before")
    with pytest.raises(Stop, match="sync-pipelines confirm salesforce 00D-after --reason TEXT"):
        ledger.check_identity("salesforce", "00D-after")

    before = ledger.confirm_identity("salesforce", "00D-after", by="ann", reason="the org was moved")

    ledger.check_identity("salesforce", "00D-after")
    with pytest.raises(Stop):
        ledger.check_identity("salesforce", "00D-before")
    said = ledger.audit_of("salesforce")[-1]
    assert before == "00D-before"
    assert (said.kind, said.detail["before"], said.detail["after"]) == ("system.confirmed", "00D-before", "00D-after")


def test_a_system_that_was_never_met_can_not_be_confirmed(ledger: Ledger) -> None:
    assert ledger.confirm_identity("salesforce", "00D", by="ann", reason="first") is None
    ledger.check_identity("salesforce", "whoever comes first")


def test_whoever_comes_second_waits_and_is_told_for_what(ledger: Ledger) -> None:
    told: list[str] = []
    order: list[str] = []

    def second() -> None:
        with ledger.exclusive("invoice/tryton", waiting=told.append):
            order.append("second")

    with ThreadPoolExecutor(1) as pool:
        with ledger.exclusive("invoice/tryton"), ledger.exclusive("invoice/stripe"):
            waiter = pool.submit(second)
            while not told and not waiter.done():
                pass
            order.append("first")
        waiter.result(timeout=30)

    assert order == ["first", "second"]
    assert told == ["another run is at work on invoice/tryton: waiting for it to end"]


def test_a_crash_lets_go_of_what_it_held(ledger: Ledger) -> None:
    told: list[str] = []
    crashed = ledger.engine.connect()
    crashed.execute(text("SELECT pg_advisory_lock(hashtextextended('order/tryton', 0))"))
    crashed.invalidate()
    crashed.close()

    with ledger.exclusive("order/tryton"):
        told.append("in")

    assert told == ["in"]


def test_an_error_inside_lets_go_too(ledger: Ledger) -> None:
    with pytest.raises(ZeroDivisionError), ledger.exclusive("order/tryton"):
        raise ZeroDivisionError
    told: list[str] = []

    with ledger.exclusive("order/tryton", waiting=told.append):
        pass

    assert told == []


def test_the_last_time_that_an_object_was_read_whole_is_kept(ledger: Ledger, clock: StandingClock) -> None:
    never = ledger.whole_read_at("crm", "Account")
    ledger.note_whole_read("crm", "Account")
    clock.sleep(60)
    ledger.note_whole_read("crm", "Account")

    assert never is None
    assert ledger.whole_read_at("crm", "Account") == clock.now()
    assert ledger.whole_read_at("crm", "Contact") is None


def test_when_the_latest_read_of_each_object_began_is_kept(ledger: Ledger, clock: StandingClock) -> None:
    ledger.note_read("crm", "Account", clock.now())
    clock.sleep(60)
    ledger.note_read("crm", "Account", clock.now())
    ledger.note_read("billing", "invoice", clock.now())

    assert ledger.reads_begun("crm") == {"Account": clock.now()}
