"""Circuits and pauses in the ledger: one truth for every process."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from sync_pipelines.engine.circuit import FIRST, PROBE, Phase
from sync_pipelines.ledger import Ledger
from tests.conftest import StandingClock


def told(ledger: Ledger, system: str) -> list[str]:
    return [entry.kind for entry in ledger.audit_of(system)]


def test_a_system_that_never_failed_is_admitted_without_a_trace(ledger: Ledger, clock: StandingClock) -> None:
    assert ledger.admit("erp", at=clock.now()).state is Phase.CLOSED
    assert ledger.systems_down() == []
    assert told(ledger, "erp") == []


def test_what_one_process_runs_into_is_known_to_the_others(
    ledger: Ledger, clock: StandingClock, database_url: str
) -> None:
    ledger.circuit_failed("erp", at=clock.now(), reason="connection refused")

    with Ledger.open(database_url, clock=clock) as other:
        found = other.admit("erp", at=clock.now() + timedelta(seconds=30))

    assert (found.state, found.opened_at, found.reason) == (Phase.OPEN, clock.now(), "connection refused")
    assert found.retry_at == clock.now() + FIRST


def test_of_many_callers_exactly_one_finds_out(ledger: Ledger, clock: StandingClock) -> None:
    ledger.circuit_failed("erp", at=clock.now(), reason="down")
    at = clock.now() + FIRST

    with ThreadPoolExecutor(8) as callers:
        states = list(callers.map(lambda _: ledger.admit("erp", at=at).state, range(8)))

    assert sorted(states) == [Phase.HALF_OPEN, *[Phase.OPEN] * 7]


def test_a_caller_that_died_while_finding_out_is_replaced(ledger: Ledger, clock: StandingClock) -> None:
    ledger.circuit_failed("erp", at=clock.now(), reason="down")
    ledger.admit("erp", at=clock.now() + FIRST)

    assert ledger.admit("erp", at=clock.now() + FIRST + PROBE).state is Phase.HALF_OPEN
    assert told(ledger, "erp") == ["circuit.open", "circuit.half_open", "circuit.half_open"]


def test_the_life_of_an_outage_is_on_the_audit_trail(ledger: Ledger, clock: StandingClock) -> None:
    ledger.circuit_failed("erp", at=clock.now(), reason="down")
    ledger.circuit_failed("erp", at=clock.now(), reason="down, says another")
    ledger.admit("erp", at=clock.now() + FIRST)
    ledger.circuit_succeeded("erp", at=clock.now() + FIRST)

    assert told(ledger, "erp") == ["circuit.open", "circuit.half_open", "circuit.closed"]
    assert ledger.systems_down() == []
    assert ledger.verify_audit() is None


def test_a_pause_lasts_until_somebody_says_otherwise_and_both_words_are_kept(
    ledger: Ledger, clock: StandingClock
) -> None:
    until = clock.now() + timedelta(hours=2)
    ledger.pause("erp", until=None, by="ann", reason="year-end close")
    ledger.pause("erp", until=until, by="bob", reason="still closing")

    assert {name: (each.until, each.paused_by) for name, each in ledger.pauses().items()} == {"erp": (until, "bob")}
    assert ledger.resume("erp", by="ann", reason="closed")
    assert not ledger.resume("erp", by="ann", reason="again")
    assert ledger.pauses() == {}
    assert told(ledger, "erp") == ["system.paused", "system.paused", "system.resumed"]


def test_resuming_a_system_that_is_left_alone_has_it_asked_at_once(ledger: Ledger, clock: StandingClock) -> None:
    ledger.circuit_failed("erp", at=clock.now(), reason="down", after=7200.0)

    assert ledger.resume("erp", by="ann", reason="it is back")

    assert ledger.admit("erp", at=clock.now()).state is Phase.HALF_OPEN
    assert told(ledger, "erp") == ["circuit.open", "circuit.resumed", "circuit.half_open"]
