"""The circuit: a system that is down is left alone longer each time, and one caller finds it back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_pipelines.engine.circuit import FIRST, MOST, PROBE, STEADY, Circuit, Phase, admitted, failed, succeeded

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def opened(at: datetime = NOON, *, after: float | None = None) -> Circuit:
    return failed(Circuit("erp"), at, reason="connection refused", after=after)


def test_a_system_that_never_failed_is_asked_and_stays_as_it_is() -> None:
    assert admitted(Circuit("erp"), NOON) == Circuit("erp")
    assert succeeded(Circuit("erp"), NOON) == Circuit("erp")


def test_after_a_failure_nobody_is_let_through_until_the_time_has_come() -> None:
    circuit = opened()

    assert (circuit.state, circuit.opened_at, circuit.reason) == (Phase.OPEN, NOON, "connection refused")
    assert admitted(circuit, NOON + FIRST - timedelta(seconds=1)) is None
    assert admitted(circuit, NOON + FIRST) is not None


def test_one_caller_finds_out_and_the_others_wait_until_it_must_be_given_up() -> None:
    probing = admitted(opened(), NOON + FIRST)

    assert probing is not None
    assert probing.state is Phase.HALF_OPEN
    assert admitted(probing, NOON + FIRST + PROBE - timedelta(seconds=1)) is None
    assert admitted(probing, NOON + FIRST + PROBE) is not None


def test_success_closes_and_forgets_since_when_it_was_down() -> None:
    probing = admitted(opened(), NOON + FIRST)
    assert probing is not None

    closed = succeeded(probing, NOON + FIRST)

    assert (closed.state, closed.opened_at, closed.retry_at, closed.reason) == (Phase.CLOSED, None, None, "")
    assert admitted(closed, NOON + FIRST) == closed


def test_a_late_success_does_not_close_what_somebody_else_has_opened() -> None:
    assert succeeded(opened(), NOON + MINUTE) == opened()


def test_one_outage_that_several_callers_meet_counts_once() -> None:
    assert failed(opened(), NOON + timedelta(seconds=3), reason="timed out") == opened()


def test_what_the_system_asks_for_is_the_least_that_it_gets() -> None:
    assert opened(after=5.0).retry_at == NOON + FIRST
    assert opened(after=7200.0).retry_at == NOON + timedelta(hours=2)


def test_each_failed_attempt_doubles_the_wait_and_keeps_since_when() -> None:
    circuit, waits = opened(), []
    for _ in range(8):
        assert circuit.retry_at is not None
        at = circuit.retry_at
        probing = admitted(circuit, at)
        assert probing is not None
        circuit = failed(probing, at, reason="still down")
        assert circuit.retry_at is not None
        waits.append((circuit.retry_at - at) // MINUTE)

    assert waits == [2, 4, 8, 16, 30, 30, 30, 30]
    assert circuit.opened_at == NOON


@pytest.mark.parametrize(("steady", "wait"), [(STEADY - MINUTE, 2), (STEADY, 1)])
def test_a_system_that_flaps_stays_expensive_and_one_that_was_steady_starts_anew(steady: timedelta, wait: int) -> None:
    probing = admitted(opened(), NOON + FIRST)
    assert probing is not None
    closed = succeeded(probing, NOON + FIRST)

    again = failed(closed, NOON + FIRST + steady, reason="down again")

    assert again.retry_at == NOON + FIRST + steady + wait * MINUTE
    assert again.opened_at == NOON + FIRST + steady


@pytest.mark.parametrize(("hours", "probes"), [(1, 5), (6, 15), (24, 51)])
def test_a_run_every_minute_costs_an_outage_a_bounded_number_of_probes(hours: int, probes: int) -> None:
    circuit, asked = opened(), 0
    for minute in range(1, hours * 60):
        at = NOON + minute * MINUTE
        probing = admitted(circuit, at)
        if probing is not None:
            asked, circuit = asked + 1, failed(probing, at, reason="still down")

    assert asked == probes


@given(st.lists(st.tuples(st.integers(1, 40 * 60), st.sampled_from(["ask", "fail", "succeed"])), max_size=40))
def test_whatever_happens_a_system_waits_no_longer_than_the_most_and_is_found_again(
    events: list[tuple[int, str]],
) -> None:
    circuit, at = Circuit("erp"), NOON
    for seconds, event in events:
        at += timedelta(seconds=seconds)
        match event:
            case "ask":
                circuit = admitted(circuit, at) or circuit
            case "fail":
                circuit = failed(circuit, at, reason="down")
            case _:
                circuit = succeeded(circuit, at)
        assert circuit.retry_at is None or circuit.retry_at <= at + MOST
        assert (circuit.state is Phase.CLOSED) == (circuit.opened_at is None)

    probing = admitted(circuit, at + MOST)
    assert probing is not None
    assert succeeded(probing, at + MOST).state is Phase.CLOSED
