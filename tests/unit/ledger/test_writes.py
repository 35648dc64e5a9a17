"""Of every write it is known whether its call left and what became of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import create_engine, text

from sync_pipelines.engine.apply import DRIFTED
from sync_pipelines.engine.doubt import UNSETTLED, Attempted
from sync_pipelines.engine.plan import Write
from sync_pipelines.engine.port import Outcome, State
from sync_pipelines.errors import Stop
from sync_pipelines.ledger import Ledger, Origin
from tests.conftest import StandingClock

Maker = Callable[..., Write]
Origins = Callable[..., Origin]


def _states(ledger: Ledger, plan_id: str) -> dict[str, State]:
    return {each.write.label: each.state for each in ledger.writes(plan_id)}


def test_an_intent_is_committed_before_the_method_returns(ledger: Ledger, write: Maker, origin: Origins) -> None:
    ledger.save_plan(origin(), [write("1"), write("2")])

    ledger.record_intents(["write-1"])

    somebody_else = create_engine(ledger.engine.url)
    with somebody_else.connect() as connection:
        found = connection.execute(text("SELECT write_id, number, state, ended_at FROM ledger.attempts")).all()
    somebody_else.dispose()
    assert found == [("write-1", 1, "intent", None)]


def test_an_outcome_ends_the_attempt_and_says_what_the_target_made(
    ledger: Ledger, write: Maker, origin: Origins, clock: StandingClock
) -> None:
    plan = ledger.save_plan(origin(), [write("1")])
    ledger.record_intents(["write-1"])
    clock.sleep(2)
    ledger.record_outcomes([Outcome("write-1", State.CONFIRMED, "cus_9", "created", "it is there")])

    (saved,) = ledger.writes(plan.plan_id)
    (attempt,) = ledger.story("C-1").attempts

    assert (saved.state, saved.record_id_after, saved.code) == (State.CONFIRMED, "cus_9", "created")
    assert attempt.ended_at is not None
    assert (attempt.ended_at - attempt.started_at).total_seconds() == 2
    assert (attempt.state, attempt.message) == (State.CONFIRMED, "it is there")


def test_attempts_are_counted_for_each_write(ledger: Ledger, write: Maker, origin: Origins) -> None:
    ledger.save_plan(origin(), [write("1"), write("2")])
    ledger.record_intents(["write-1", "write-2"])
    ledger.record_outcomes([Outcome("write-1", State.IN_DOUBT)])
    ledger.record_intents(["write-1"])

    assert [(a.number, a.state) for a in ledger.story("C-1").attempts] == [(1, State.IN_DOUBT), (2, State.INTENT)]
    assert [a.number for a in ledger.story("C-2").attempts] == [1]


def test_a_later_doubt_keeps_the_record_id_that_is_known(ledger: Ledger, write: Maker, origin: Origins) -> None:
    plan = ledger.save_plan(origin(), [write("1")])
    ledger.record_outcomes([Outcome("write-1", State.IN_DOUBT, "cus_9")])
    ledger.record_outcomes([Outcome("write-1", State.CONFIRMED)])

    assert ledger.writes(plan.plan_id)[0].record_id_after == "cus_9"


@pytest.mark.parametrize("state", [State.CONFIRMED, State.REFUSED])
def test_what_is_settled_is_never_sent_again(ledger: Ledger, write: Maker, origin: Origins, state: State) -> None:
    plan = ledger.save_plan(origin(), [write("1"), write("2")])
    ledger.record_outcomes([Outcome("write-1", state)])

    with pytest.raises(Stop, match="settled"):
        ledger.record_intents(["write-2", "write-1"])

    assert _states(ledger, plan.plan_id) == {"C-1": state, "C-2": State.PLANNED}


def test_planning_anew_does_not_touch_what_another_run_has_just_sent(
    ledger: Ledger, write: Maker, origin: Origins
) -> None:
    plan = ledger.save_plan(origin("run-1"), [write("1")])
    ledger.record_intents(["write-1"])

    ledger.save_plan(origin("run-2"), [write("1")])

    assert _states(ledger, plan.plan_id) == {"C-1": State.INTENT}


def test_doubts_of_any_run_are_found_by_target(ledger: Ledger, write: Maker, origin: Origins) -> None:
    planned = [write("1"), write("2"), write("3"), write("4", target="tryton")]
    ledger.save_plan(origin(), planned)
    ledger.record_intents([each.request.write_id for each in planned])
    ledger.record_outcomes([Outcome("write-1", State.IN_DOUBT), Outcome("write-2", State.CONFIRMED)])

    assert {each.write.label for each in ledger.in_doubt("stripe")} == {"C-1", "C-3"}
    assert ledger.in_doubt("stripe", domain="product") == []


def test_a_run_knows_its_writes_by_state(ledger: Ledger, write: Maker, origin: Origins) -> None:
    ledger.save_plan(origin("run-1"), [write("1"), write("2")])
    ledger.save_plan(origin("run-1", target="tryton"), [write("3", target="tryton")])
    ledger.record_outcomes([Outcome("write-3", State.CONFIRMED)])

    assert ledger.writes_by_state("run-1") == {"planned": 2, "confirmed": 1}
    assert ledger.writes_by_state("run-2") == {}


def test_ten_thousand_writes_go_through_in_a_handful_of_statements(
    ledger: Ledger, write: Maker, origin: Origins
) -> None:
    planned = [write(f"{n:05}") for n in range(10_000)]
    plan = ledger.save_plan(origin(), planned)
    ids = [each.request.write_id for each in planned]

    ledger.record_intents(ids)
    ledger.record_outcomes([Outcome(each, State.CONFIRMED, each) for each in ids])

    assert plan.counts == {"create": 10_000}
    assert ledger.writes_by_state("run-1") == {"confirmed": 10_000}
    assert ledger.verify_audit() is None


def test_what_is_known_of_attempts_is_the_first_start_and_the_latest_end(
    ledger: Ledger, write: Maker, origin: Origins, clock: StandingClock
) -> None:
    ledger.save_plan(origin(), [write("1"), write("2"), write("3")])
    first_at = clock.now()
    ledger.record_intents(["write-1"])
    clock.sleep(5)
    ledger.record_outcomes([Outcome("write-1", State.IN_DOUBT, code=UNSETTLED)])
    ledger.record_intents(["write-1", "write-2"])
    second_at = clock.now()

    known = ledger.attempted(["write-1", "write-2", "write-3"])

    assert known == {
        "write-1": Attempted(first_at, second_at, None, was_read=False),
        "write-2": Attempted(second_at, second_at, None, was_read=False),
    }
    clock.sleep(5)
    ledger.record_outcomes([Outcome("write-1", State.IN_DOUBT, code=UNSETTLED)])
    assert ledger.attempted(["write-1"]) == {"write-1": Attempted(first_at, second_at, clock.now(), was_read=True)}


def test_a_write_that_was_refused_because_its_target_had_changed_is_planned_anew(
    ledger: Ledger, write: Maker, origin: Origins
) -> None:
    ledger.save_plan(origin("run-1"), [write("1"), write("2")])
    ledger.record_intents(["write-1", "write-2"])
    refused = [Outcome("write-1", State.REFUSED, code=DRIFTED), Outcome("write-2", State.REFUSED, code="bad")]
    ledger.record_outcomes(refused)

    again = ledger.save_plan(origin("run-2"), [write("1"), write("2")])

    assert _states(ledger, again.plan_id) == {"C-1": State.PLANNED}
    assert [held.write.label for held in again.held] == ["C-2"]
