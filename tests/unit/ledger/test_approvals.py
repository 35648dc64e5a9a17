"""Approvals are of writes, by a team, under the settings of their time; rejections stand until somebody lifts them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from sync_pipelines.clock import Clock
from sync_pipelines.engine.plan import Write
from sync_pipelines.engine.policy import DAY, Size
from sync_pipelines.engine.port import Outcome, State
from sync_pipelines.ledger import Ledger, Origin
from sync_pipelines.ledger.approvals import Word

Maker = Callable[..., Write]
Origins = Callable[..., Origin]


def said(plan_id: str) -> Word:
    return Word(plan_id, "ann", "it is right")


def test_an_approval_holds_for_the_same_write_in_later_plans_and_for_no_other(
    ledger: Ledger, write: Maker, origin: Origins
) -> None:
    first = ledger.save_plan(origin("run-1"), [write("1"), write("2")])
    ledger.approve(said(first.plan_id), [("write-1", "controller")])

    ledger.save_plan(origin("run-2"), [write("1"), write("2")])

    assert ledger.granted(origin("run-2")) == {("write-1", "controller")}
    assert ledger.granted(origin("run-2", target="tryton")) == set()


def test_an_approval_does_not_hold_under_other_settings(ledger: Ledger, write: Maker, origin: Origins) -> None:
    first = ledger.save_plan(origin(), [write("1")])
    ledger.approve(said(first.plan_id), [("write-1", "controller")])

    stricter = replace(origin("run-2"), ownership_version="o2")

    assert ledger.granted(stricter) == set()
    assert ledger.granted(replace(origin("run-2"), mapping_version="m2")) == {("write-1", "controller")}


def test_the_newest_decision_of_a_team_counts(ledger: Ledger, write: Maker, origin: Origins) -> None:
    plan_id = ledger.save_plan(origin(), [write("1")]).plan_id
    ledger.approve(said(plan_id), [("write-1", "controller"), ("write-1", "finance")])
    ledger.reject(said(plan_id), [("write-1", "controller")])

    assert ledger.granted(origin()) == {("write-1", "finance")}


def test_a_rejected_write_is_refused_with_its_reason_and_not_planned_again(
    ledger: Ledger, write: Maker, origin: Origins
) -> None:
    plan_id = ledger.save_plan(origin(), [write("1"), write("2")]).plan_id

    count = ledger.reject(Word(plan_id, "ann", "wrong customer"), [("write-1", "controller")])
    second = ledger.save_plan(origin("run-2"), [write("1"), write("2")])

    assert count == 1
    assert [(each.write.label, each.state, each.code) for each in second.held] == [
        ("C-1", State.REFUSED, "rejected"),
    ]
    assert ledger.dead_letters("customer").to_pylist()[0]["message"] == "rejected: wrong customer"


def test_what_was_sent_can_no_longer_be_rejected(ledger: Ledger, write: Maker, origin: Origins) -> None:
    plan_id = ledger.save_plan(origin(), [write("1")]).plan_id
    ledger.record_intents(["write-1"])

    assert ledger.reject(said(plan_id), [("write-1", "controller")]) == 0
    assert ledger.writes(plan_id)[0].state is State.INTENT


def test_a_rejection_that_is_lifted_has_to_be_approved_like_any_other(
    ledger: Ledger, write: Maker, origin: Origins
) -> None:
    plan_id = ledger.save_plan(origin(), [write("1")]).plan_id
    ledger.approve(said(plan_id), [("write-1", "controller")])
    ledger.reject(said(plan_id), [("write-1", "controller")])

    ledger.release_writes(["write-1"], by="bob", reason="it was right after all")
    again = ledger.save_plan(origin("run-2"), [write("1")])

    assert len(ledger.verified_writes(again.plan_id)) == 1
    assert ledger.granted(origin("run-2")) == set()


def test_every_decision_is_on_the_trail_with_who_and_why(ledger: Ledger, write: Maker, origin: Origins) -> None:
    plan_id = ledger.save_plan(origin(), [write("1")]).plan_id
    ledger.approve(said(plan_id), [("write-1", "controller")])

    entry = ledger.audit_of("deal-1")[-1]

    assert (entry.kind, entry.subject) == ("write.approved", "write-1")
    told = {"plan_id": plan_id, "team": "controller", "by": "ann", "reason": "it is right"}
    assert entry.detail == told


def test_why_a_plan_waits_is_kept_and_told_once(ledger: Ledger, write: Maker, origin: Origins) -> None:
    plan_id = ledger.save_plan(origin(), [write("1")]).plan_id

    for waits in ("past a limit", "past a limit", ""):
        ledger.keep_waits(plan_id, waits)

    told = [entry.kind for entry in ledger.audit_of(plan_id) if "waits" in entry.kind]
    assert told == ["plan.waits", "plan.waits_no_more"]
    assert [plan.plan_id for plan in ledger.open_plans("customer")] == [plan_id]
    assert ledger.open_plans("order") == []


@pytest.mark.parametrize(
    ("state", "counts"),
    [
        (State.CONFIRMED, True),
        (State.IN_DOUBT, True),
        (State.INTENT, True),
        (State.REFUSED, False),
        (State.FAILED, False),
    ],
)
def test_what_may_have_been_committed_counts_as_sent(
    ledger: Ledger, write: Maker, origin: Origins, state: State, counts: bool
) -> None:
    ledger.save_plan(origin(), [write("1"), write("2")])
    ledger.record_intents(["write-1"])
    ledger.record_outcomes([Outcome("write-1", state)])

    sent = ledger.sent("customer", "stripe", since=ledger.clock.now() - DAY, team="controller")

    assert sent == (Size(records=1, amount={"EUR": 1250}) if counts else Size())


def test_sent_counts_documents_deletes_and_amounts_without_their_sign(
    ledger: Ledger, write: Maker, origin: Origins
) -> None:
    credit = write("2", domain="invoice", amount_minor=-300)
    planned = [write("1", domain="invoice"), credit]
    ledger.save_plan(origin(domain="invoice"), planned)
    ledger.record_intents(["write-1", "write-2"])

    sent = ledger.sent("invoice", "stripe", since=ledger.clock.now() - DAY, team="controller")

    assert sent == Size(records=2, documents=2, amount={"EUR": 1550})


def test_what_the_team_approved_and_what_was_sent_before_do_not_count(
    ledger: Ledger, write: Maker, origin: Origins, clock: Clock
) -> None:
    plan_id = ledger.save_plan(origin(), [write("1"), write("2"), write("3")]).plan_id
    ledger.record_intents(["write-1"])
    began = clock.now()
    clock.sleep(1)
    ledger.approve(said(plan_id), [("write-2", "controller")])
    ledger.record_intents(["write-2", "write-3"])

    assert ledger.sent("customer", "stripe", since=began, team="controller").records == 1
    assert ledger.sent("customer", "stripe", since=began, team="finance").records == 2
    assert ledger.sent("order", "stripe", since=began, team="finance") == Size()


def test_a_write_keeps_the_moment_at_which_it_was_first_planned(
    ledger: Ledger, write: Maker, origin: Origins, clock: Clock
) -> None:
    ledger.save_plan(origin("run-1"), [write("1")])
    first = clock.now()
    clock.sleep(3600)
    second = ledger.save_plan(origin("run-2"), [write("1", approved_by_team="controller")])

    (saved,) = ledger.writes(second.plan_id)

    assert (saved.planned_at, saved.write.approved_by_team) == (first, "controller")


def test_a_plan_under_other_settings_is_another_plan(ledger: Ledger, write: Maker, origin: Origins) -> None:
    first = ledger.save_plan(origin(), [write("1")])
    second = ledger.save_plan(replace(origin(), ownership_version="o2"), [write("1")])

    assert first.plan_id != second.plan_id
    assert [plan.plan_id for plan in ledger.open_plans()] == [second.plan_id]
