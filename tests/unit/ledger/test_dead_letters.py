"""Writes that came to nothing are kept, with what people decide about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sync_pipelines.engine.apply import NOT_COMMITTED
from sync_pipelines.engine.correction import Correction, body_hash, corrected
from sync_pipelines.engine.doubt import AWAITED, NO_KEY
from sync_pipelines.engine.plan import Write
from sync_pipelines.engine.port import Outcome, State
from sync_pipelines.engine.reconcile import Item
from sync_pipelines.ledger import Assigned, Ledger, Origin
from tests.conftest import StandingClock

Maker = Callable[..., Write]
Origins = Callable[..., Origin]


def _letters(ledger: Ledger) -> list[tuple[str, str, str, str]]:
    rows = ledger.dead_letters("customer").to_pylist()
    return [(row["link_id"], row["write_id"], row["kind"], row["message"]) for row in rows]


def _raise(ledger: Ledger, *, owner: str = "finance") -> None:
    """What a reconciliation does with dead letters whose differences are still there."""
    found = [
        Assigned(
            Item(f"{row['link_id']}|{row['kind']}", "customer", row["kind"], row["target"], row["link_id"],
                 f"C-{row['link_id']}", row["message"], 1250, "EUR", row["write_id"], row["code"]),
            owner, 8, {"code": row["code"]},
        )
        for row in ledger.dead_letters("customer").to_pylist() if row["kind"] != "discarded"
    ]  # fmt: skip
    ledger.sync_work_items("customer", found, run_id="run-1")


@pytest.fixture
def refused(ledger: Ledger, write: Maker, origin: Origins) -> Ledger:
    """A ledger with one write that the target refused, and its exception."""
    ledger.save_plan(origin("run-1"), [write("1")])
    ledger.record_outcomes([Outcome("write-1", State.REFUSED, code="CLOSED", message="the period is closed")])
    _raise(ledger)
    return ledger


@pytest.mark.parametrize(
    ("state", "kind"),
    [(State.REFUSED, "refused"), (State.FAILED, "failed"), (State.IN_DOUBT, "in_doubt"), (State.INTENT, "in_doubt")],
)
def test_a_write_that_came_to_nothing_is_a_dead_letter_with_its_fields(
    ledger: Ledger, write: Maker, origin: Origins, state: State, kind: str
) -> None:
    ledger.save_plan(origin(), [write("1"), write("2")])
    ledger.record_outcomes([Outcome("write-1", state, message="no reply"), Outcome("write-2", State.CONFIRMED)])

    (row,) = ledger.dead_letters("customer").to_pylist()

    assert (row["target"], row["link_id"], row["write_id"]) == ("stripe", "link-1", "write-1")
    assert (row["kind"], row["fields"]) == (kind, ["name", "email"])


def test_a_refusal_counts_until_something_newer_was_settled_for_the_same_link(
    ledger: Ledger, write: Maker, origin: Origins, clock: StandingClock
) -> None:
    ledger.save_plan(origin(), [write("1"), write("2"), write("3", link_id="link-1")])
    ledger.record_outcomes([Outcome(f"write-{n}", State.REFUSED, code="bad", message="no such code") for n in "12"])
    before = [link for link, *_ in _letters(ledger)]
    clock.sleep(1)
    ledger.record_outcomes([Outcome("write-3", State.CONFIRMED)])

    assert before == ["link-1", "link-2"]
    assert [link for link, *_ in _letters(ledger)] == ["link-2"]


def test_of_two_refused_writes_the_one_that_a_plan_wants_again_counts(
    ledger: Ledger, write: Maker, origin: Origins, clock: StandingClock
) -> None:
    first, second = write("1"), write("2", link_id="link-1")
    for run, planned in (("run-1", first), ("run-2", second)):
        ledger.save_plan(origin(run), [planned])
        ledger.record_outcomes([Outcome(planned.request.write_id, State.REFUSED, message=run)])
        clock.sleep(1)

    ledger.save_plan(origin("run-3"), [first])

    assert _letters(ledger) == [("link-1", "write-1", "refused", "run-1")]


def test_a_released_write_keeps_its_exception_until_it_is_sent(refused: Ledger, write: Maker, origin: Origins) -> None:
    (before,) = refused.open_work_items()

    refused.release_writes(["write-1"], by="ann", reason="March is open again")
    _raise(refused)

    (after,) = refused.open_work_items()
    assert (after.item_id, after.reason) == (before.item_id, "to be sent again: March is open again")
    assert refused.save_plan(origin("run-2"), [write("1")]).held == ()


def test_a_discard_closes_the_exception_and_is_not_planned_again(
    refused: Ledger, write: Maker, origin: Origins
) -> None:
    (item,) = refused.open_work_items()

    discarded = refused.discard_writes(["write-1"], by="ann", reason="written off")
    _raise(refused)

    assert discarded == 1
    assert refused.open_work_items() == []
    closed = refused.work_item(item.item_id)
    assert closed is not None
    assert (closed.resolution, closed.resolved_by) == ("discarded: written off", "ann")
    assert [saved.code for saved in refused.save_plan(origin("run-2"), [write("1")]).held] == ["discarded"]
    assert _letters(refused) == [("link-1", "write-1", "discarded", "accepted by ann: written off")]


def test_a_write_that_awaits_its_acknowledgement_is_no_dead_letter_until_it_is_overdue(
    ledger: Ledger, write: Maker, origin: Origins
) -> None:
    ledger.save_plan(origin(), [write("1")])
    ledger.record_intents(["write-1"])
    ledger.record_outcomes([Outcome("write-1", State.IN_DOUBT, code=AWAITED, message="its window is at 22:00")])

    assert _letters(ledger) == []
    assert ledger.attempted(["write-1"])["write-1"].is_awaited

    ledger.record_outcomes([Outcome("write-1", State.IN_DOUBT, code="overdue", message="no acknowledgement")])
    assert [kind for _, _, kind, _ in _letters(ledger)] == ["in_doubt"]
    assert not ledger.attempted(["write-1"])["write-1"].is_awaited


def test_what_was_discarded_is_not_released_nor_discarded_twice(refused: Ledger) -> None:
    refused.discard_writes(["write-1"], by="ann", reason="written off")

    assert refused.release_writes(["write-1"], by="bob", reason="again") == 0
    assert refused.discard_writes(["write-1"], by="bob", reason="again") == 0


def test_a_doubt_is_not_discarded(ledger: Ledger, write: Maker, origin: Origins) -> None:
    ledger.save_plan(origin(), [write("1")])
    ledger.record_outcomes([Outcome("write-1", State.IN_DOUBT)])
    _raise(ledger)

    assert ledger.discard_writes(["write-1"], by="ann", reason="never mind") == 0
    assert [item.kind for item in ledger.open_work_items()] == ["in_doubt"]


def test_a_discard_that_is_taken_back_leaves_all_as_it_was(refused: Ledger) -> None:
    (before,) = refused.open_work_items()
    letters = refused.dead_letters("customer").to_pylist()
    refused.discard_writes(["write-1"], by="ann", reason="written off")

    assert refused.reopen_work_item(before.item_id, by="bob", reason="not ours to write off")

    assert refused.open_work_items() == [before]
    assert refused.dead_letters("customer").to_pylist() == letters
    assert not refused.reopen_work_item(before.item_id, by="bob", reason="twice")


def test_another_content_after_a_discard_is_another_exception(
    refused: Ledger, write: Maker, origin: Origins, clock: StandingClock
) -> None:
    refused.discard_writes(["write-1"], by="ann", reason="written off")
    clock.sleep(1)

    refused.save_plan(origin("run-2"), [write("2", link_id="link-1")])
    refused.record_outcomes([Outcome("write-2", State.REFUSED, message="the period is closed")])
    _raise(refused)

    assert [(item.kind, item.write_id) for item in refused.open_work_items()] == [("refused", "write-2")]


def test_an_exception_that_becomes_another_kind_says_so(
    refused: Ledger, write: Maker, origin: Origins, clock: StandingClock
) -> None:
    (first,) = refused.open_work_items()
    clock.sleep(1)
    refused.save_plan(origin("run-2"), [write("2", link_id="link-1")])
    refused.record_outcomes([Outcome("write-2", State.FAILED, code="not_sent", message="stripe is down")])
    _raise(refused)

    closed = refused.work_item(first.item_id)
    assert closed is not None
    assert closed.resolution == "another exception about the record took its place"
    assert [item.kind for item in refused.open_work_items()] == ["failed"]


def test_an_exception_that_a_person_assigned_stays_with_that_team(refused: Ledger) -> None:
    (item,) = refused.open_work_items()

    refused.assign(item.item_id, "controller", by="ann", reason="a closed period is theirs")
    _raise(refused)

    (kept,) = refused.open_work_items()
    assert (kept.owner, kept.assigned_by, kept.due_at) == ("controller", "ann", item.due_at)


def test_every_decision_is_on_the_trail_with_who_and_why(refused: Ledger) -> None:
    (item,) = refused.open_work_items()
    refused.assign(item.item_id, "controller", by="ann", reason="theirs")
    refused.discard_writes(["write-1"], by="bob", reason="written off")
    refused.reopen_work_item(item.item_id, by="cleo", reason="not ours")
    refused.release_writes(["write-1"], by="dan", reason="open again")

    told: list[Any] = [*refused.audit_of(item.fingerprint), *refused.audit_of("write-1")]
    who = [(e.kind, e.detail["by"], e.detail["reason"]) for e in told if "by" in e.detail]
    assert who == [
        ("exception.assigned", "ann", "theirs"),
        ("exception.discarded", "bob", "written off"),
        ("exception.reopened", "cleo", "not ours"),
        ("write.discarded", "bob", "written off"),
        ("write.reopened", "cleo", "not ours"),
        ("write.released", "dan", "open again"),
    ]


def test_refused_letters_are_chosen_by_what_they_are_about(ledger: Ledger, write: Maker, origin: Origins) -> None:
    ledger.save_plan(origin(), [write("1"), write("2"), write("3")])
    ledger.record_outcomes(
        [
            Outcome("write-1", State.REFUSED, code="CLOSED"),
            Outcome("write-2", State.REFUSED, code="LOCKED"),
            Outcome("write-3", State.FAILED, code="not_sent"),
        ]
    )
    _raise(ledger)

    def chosen(**by: str) -> list[str]:
        return [letter.write_id for letter in ledger.refused_letters(**by)]

    assert chosen(domain="customer") == chosen(kind="refused") == ["write-1", "write-2"]
    assert chosen(kind="refused", code="LOCKED") == ["write-2"]
    assert chosen(owner="revops") == chosen(kind="failed") == []

    ledger.release_writes(["write-1"], by="ann", reason="open again")
    ledger.discard_writes(["write-2"], by="ann", reason="written off")
    assert chosen() == []


def test_a_correction_is_kept_and_told_until_it_ends(refused: Ledger) -> None:
    (saved,) = refused.find_writes(["write-1"])
    body = body_hash(saved.write.request.body)
    refused.correct(saved, Correction("link-1", body, {"name": "Short"}, "ann", "too long"))
    refused.correct(saved, Correction("link-1", body, {"balance": 1.5}, "bob", "and wrong"))

    (made,) = refused.open_corrections("customer", "stripe")
    refused.end_corrections("customer", "stripe", [made], why="something else is planned")

    assert (made.patch, made.made_by) == ({"name": "Short", "balance": 1.5}, "bob")
    assert refused.open_corrections("customer", "stripe") == []
    assert [(e.kind, e.detail["reason"]) for e in refused.audit_of("link-1") if e.kind.startswith("correction")] == [
        ("correction.made", "too long"),
        ("correction.ended", "corrected again"),
        ("correction.made", "and wrong"),
        ("correction.ended", "something else is planned"),
    ]


def test_a_discard_ends_the_correction_that_would_be_sent_in_its_place(refused: Ledger) -> None:
    (saved,) = refused.find_writes(["write-1"])
    made = Correction("link-1", body_hash(saved.write.request.body), {"name": "Short"}, "ann", "too long")
    refused.correct(saved, made)

    refused.discard_writes(["write-1"], by="bob", reason="written off")

    assert refused.open_corrections("customer", "stripe") == []


def test_a_discard_of_what_was_corrected_keeps_the_correction_so_that_what_was_refused_before_does_not_come_back(
    refused: Ledger, origin: Origins
) -> None:
    (saved,) = refused.find_writes(["write-1"])
    made = Correction("link-1", body_hash(saved.write.request.body), {"name": "Short"}, "ann", "too long")
    refused.correct(saved, made)
    (sent,), _ = corrected([saved.write], [made])
    refused.save_plan(origin("run-2"), [sent])
    refused.record_outcomes([Outcome(sent.request.write_id, State.REFUSED)])

    refused.discard_writes([sent.request.write_id], by="bob", reason="written off")

    assert refused.open_corrections("customer", "stripe") == [made]


def test_an_edit_of_a_corrected_write_goes_on_from_what_was_planned(
    ledger: Ledger, write: Maker, origin: Origins
) -> None:
    planned = write("1")
    made = Correction("link-1", body_hash(planned.request.body), {"name": "Short"}, "ann", "too long")
    ledger.save_plan(origin(), [planned])
    ledger.record_outcomes([Outcome("write-1", State.REFUSED)])
    ledger.correct(ledger.find_writes(["write-1"])[0], made)
    (sent,), _ = corrected([planned], ledger.open_corrections("customer", "stripe"))
    ledger.save_plan(origin("run-2"), [sent])
    ledger.record_outcomes([Outcome(sent.request.write_id, State.REFUSED)])
    (again,) = ledger.find_writes([sent.request.write_id])
    ledger.correct(again, replace(made, body_hash=body_hash(sent.request.body), patch={"balance": 1}))

    (fixed,), ended = corrected([planned], ledger.open_corrections("customer", "stripe"))

    assert ended == []
    assert (fixed.request.body["name"], fixed.request.body["balance"]) == ("Short", 1)
    assert again.write.corrected_by == "ann"


def test_what_a_person_found_out_about_a_doubt_is_told_with_what_follows(
    ledger: Ledger, write: Maker, origin: Origins
) -> None:
    ledger.save_plan(origin(), [write("1"), write("2"), write("3")])
    unknown = [Outcome(f"write-{n}", State.IN_DOUBT, code=NO_KEY) for n in "12"]
    ledger.record_outcomes([*unknown, Outcome("write-3", State.IN_DOUBT)])

    settled = [
        ledger.settle_write(f"write-{n}", record_id=record_id, by="ann", reason="looked")
        for n, record_id in (("1", "cus_1"), ("2", None), ("3", "cus_3"), ("1", "cus_4"))
    ]

    found = {saved.write.request.write_id: saved for saved in ledger.find_writes([f"write-{n}" for n in "123"])}
    assert settled == [True, True, False, False]
    assert (found["write-1"].state, found["write-1"].record_id_after) == (State.CONFIRMED, "cus_1")
    assert (found["write-2"].state, found["write-2"].code) == (State.FAILED, NOT_COMMITTED)
    assert found["write-3"].state is State.IN_DOUBT
    assert [(row["link_id"], row["record_id"]) for row in ledger.open_links().to_pylist()] == [("link-1", "cus_1")]
