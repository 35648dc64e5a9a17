"""Plans are saved whole, known by content, and applied only as they were saved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from sync_pipelines.engine.plan import Write
from sync_pipelines.engine.port import Operation, Outcome, State
from sync_pipelines.errors import Stop
from sync_pipelines.ledger import Ledger, Origin

Maker = Callable[..., Write]
Origins = Callable[..., Origin]


def _state(ledger: Ledger, plan_id: str) -> str:
    plan = ledger.plan(plan_id)
    assert plan is not None
    return plan.state


def test_a_saved_plan_comes_back_as_it_was(ledger: Ledger, write: Maker, origin: Origins) -> None:
    planned = [write("1"), write("2", expected_version="v9", amount_minor=None, currency=None)]

    saved = ledger.save_plan(origin(), planned)

    assert [each.write for each in ledger.verified_writes(saved.plan_id)] == planned
    assert ledger.plan(saved.plan_id) == saved
    assert (saved.counts, saved.amounts, saved.held) == ({"create": 2}, {"EUR": 1250}, ())


def test_saving_the_same_writes_in_the_same_run_gives_the_same_plan(
    ledger: Ledger, write: Maker, origin: Origins
) -> None:
    first = ledger.save_plan(origin(), [write("1"), write("2")])
    again = ledger.save_plan(origin(), [write("2"), write("1")])

    assert again == first
    assert len(ledger.plans("run-1")) == 1


def test_a_later_plan_supersedes_the_one_before_and_takes_over_what_was_not_sent(
    ledger: Ledger, write: Maker, origin: Origins
) -> None:
    first = ledger.save_plan(origin("run-1"), [write("1"), write("2")])
    second = ledger.save_plan(origin("run-2"), [write("2"), write("3")])

    assert (_state(ledger, first.plan_id), _state(ledger, second.plan_id)) == ("superseded", "open")
    assert [each.write.label for each in ledger.verified_writes(second.plan_id)] == ["C-2", "C-3"]
    with pytest.raises(Stop, match="superseded"):
        ledger.verified_writes(first.plan_id)


def test_a_superseded_plan_that_is_saved_again_is_the_open_one(ledger: Ledger, write: Maker, origin: Origins) -> None:
    first = ledger.save_plan(origin("run-1"), [write("1")])
    second = ledger.save_plan(origin("run-2"), [write("1")])
    ledger.save_plan(origin("run-1"), [write("1")])

    assert (_state(ledger, first.plan_id), _state(ledger, second.plan_id)) == ("open", "superseded")
    assert len(ledger.verified_writes(first.plan_id)) == 1


def test_plans_for_other_targets_do_not_supersede(ledger: Ledger, write: Maker, origin: Origins) -> None:
    first = ledger.save_plan(origin(target="stripe"), [write("1")])
    ledger.save_plan(origin(target="tryton"), [write("2", target="tryton")])

    assert _state(ledger, first.plan_id) == "open"
    latest = ledger.latest_plan("customer", "stripe", run_id="run-1")
    assert latest == first
    assert ledger.latest_plan("customer", "stripe", run_id="run-9") is None


@pytest.mark.parametrize("state", [State.CONFIRMED, State.REFUSED, State.IN_DOUBT])
def test_what_was_sent_is_held_and_not_planned_again(
    ledger: Ledger, write: Maker, origin: Origins, state: State
) -> None:
    ledger.save_plan(origin("run-1"), [write("1")])
    ledger.record_intents(["write-1"])
    ledger.record_outcomes([Outcome("write-1", state, code="why")])

    second = ledger.save_plan(origin("run-2"), [write("1"), write("2")])

    assert [each.write.label for each in ledger.verified_writes(second.plan_id)] == ["C-2"]
    assert [(each.write.label, each.state, each.code) for each in second.held] == [("C-1", state, "why")]


def test_what_failed_without_being_sent_is_planned_again(ledger: Ledger, write: Maker, origin: Origins) -> None:
    ledger.save_plan(origin("run-1"), [write("1")])
    ledger.record_intents(["write-1"])
    ledger.record_outcomes([Outcome("write-1", State.FAILED, code="not_sent")])

    second = ledger.save_plan(origin("run-2"), [write("1")])

    assert second.held == ()
    assert [each.state for each in ledger.verified_writes(second.plan_id)] == [State.PLANNED]


def test_a_released_refusal_is_planned_again_and_the_trail_says_by_whom(
    ledger: Ledger, write: Maker, origin: Origins
) -> None:
    ledger.save_plan(origin("run-1"), [write("1"), write("2")])
    ledger.record_outcomes([Outcome("write-1", State.REFUSED), Outcome("write-2", State.CONFIRMED)])

    released = ledger.release_writes(["write-1", "write-2"], by="ann", reason="the period is open again")
    second = ledger.save_plan(origin("run-2"), [write("1"), write("2")])

    assert released == 1
    assert [each.write.label for each in ledger.verified_writes(second.plan_id)] == ["C-1"]
    assert ledger.story("C-1").audit[-2].detail == {"by": "ann", "reason": "the period is open again"}


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE ledger.writes SET body = jsonb_set(body, '{balance}', '99') WHERE write_id = 'write-1'",
        "UPDATE ledger.writes SET expected_version = 'v2' WHERE write_id = 'write-1'",
        "UPDATE ledger.writes SET amount_minor = 1 WHERE write_id = 'write-1'",
        "DELETE FROM ledger.writes WHERE write_id = 'write-1'",
    ],
)
def test_a_plan_that_was_edited_is_not_applied(ledger: Ledger, write: Maker, origin: Origins, edit: str) -> None:
    saved = ledger.save_plan(origin(), [write("1"), write("2")])
    with ledger.engine.begin() as connection:
        connection.execute(text(edit))

    with pytest.raises(Stop, match="was changed after it was saved"):
        ledger.verified_writes(saved.plan_id)


def test_an_unknown_plan_is_not_applied(ledger: Ledger) -> None:
    with pytest.raises(Stop, match="no plan plan-0"):
        ledger.verified_writes("plan-0")


def test_an_empty_plan_is_saved_and_closed_like_any_other(ledger: Ledger, origin: Origins) -> None:
    saved = ledger.save_plan(origin(), [])
    ledger.close_plan(saved.plan_id)
    ledger.close_plan(saved.plan_id)

    assert ledger.verified_writes(saved.plan_id) == []
    assert _state(ledger, saved.plan_id) == "applied"
    assert ledger.save_plan(origin(), []).plan_id == saved.plan_id


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.dictionaries(st.text("abc\\\"'u0", min_size=1), _JSON, max_size=4), run=st.uuids())
def test_whatever_a_write_says_is_kept_but_for_characters_that_no_database_keeps(
    ledger: Ledger, write: Maker, origin: Origins, body: dict[str, object], run: object
) -> None:
    planned = write(str(run))
    planned = replace(planned, request=replace(planned.request, body=body, operation=Operation.UPDATE))

    saved = ledger.save_plan(origin(str(run)), [planned])

    kept = ledger.verified_writes(saved.plan_id)[0].write.request.body
    assert kept == _without_nul(body)


def _without_nul(value: object) -> object:
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, list):
        return [_without_nul(each) for each in value]
    if isinstance(value, dict):
        return {key: _without_nul(each) for key, each in value.items()}
    return value


def test_an_update_that_somebody_took_back_is_planned_again_as_a_write_of_its_own(
    ledger: Ledger, write: Maker, origin: Origins
) -> None:
    made = write("1", expected_version="v1")
    update = replace(made, request=replace(made.request, operation=Operation.UPDATE, record_id="cus_1"))
    sent = set()

    for run in ("run-1", "run-2", "run-3"):
        plan = ledger.save_plan(origin(run), [update])
        (planned,) = ledger.verified_writes(plan.plan_id)
        key = planned.write.request.write_id
        ledger.record_intents([key])
        ledger.record_outcomes([Outcome(key, State.CONFIRMED, "cus_1")])
        ledger.close_plan(plan.plan_id)
        sent.add(key)

    assert len(sent) == 3


def test_a_create_that_was_confirmed_is_never_planned_again(ledger: Ledger, write: Maker, origin: Origins) -> None:
    ledger.save_plan(origin("run-1"), [write("1")])
    ledger.record_intents(["write-1"])
    ledger.record_outcomes([Outcome("write-1", State.CONFIRMED, "cus_1")])

    again = ledger.save_plan(origin("run-2"), [write("1")])

    assert ledger.verified_writes(again.plan_id) == []
    assert [each.state for each in again.held] == [State.CONFIRMED]
