"""The suite finds what is wrong: every claim of a system in memory is turned into a lie, one at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import date
from typing import Any

import pytest

from sync_pipelines.engine.outcome import Result
from sync_pipelines.engine.port import ANY, Counting, Deletes, Locking, Merges, Passport, Rate
from sync_pipelines.testing.conformance import QUESTIONS, Conformance, ask_all, lies
from sync_pipelines.testing.facts import MemoryFacts, NotChecked
from sync_pipelines.testing.memory import PASSPORT, MemorySystem

PLAIN = replace(PASSPORT, late_seconds=30, settling_seconds=20, grain_seconds=1)
RICH = replace(
    PLAIN,
    batch_atomic=True,
    idempotency_seconds=86_400,
    locking=Locking.NATIVE,
    deletes=Deletes.SWEEP,
    merges=Merges.UNSEEN,
    counting=Counting.LAGGING,
    is_ordered=False,
)
MUTE = replace(PLAIN, counting=Counting.NONE, keys={}, locking=Locking.NONE)


def claiming(truth: Passport, **claims: Any) -> Callable[[], MemoryFacts]:
    """A system that is as `truth` says, and claims something else."""
    return lambda: MemoryFacts(MemorySystem(passport=replace(truth, **claims), truth=truth))


class TestMemory(Conformance):
    new = MemoryFacts


@pytest.mark.parametrize("truth", [PASSPORT, PLAIN, RICH, MUTE], ids=["default", "plain", "rich", "mute"])
def test_a_true_passport_has_no_lies(truth: Passport) -> None:
    assert lies(claiming(truth)) == []


LIES = [
    (PLAIN, {"page_max": 1}),
    (PLAIN, {"page_max": 10}),
    (PLAIN, {"late_seconds": 5}),
    (PLAIN, {"grain_seconds": 0.1}),
    (RICH, {"is_ordered": True}),
    (RICH, {"deletes": Deletes.IN_PAGES}),
    (RICH, {"merges": Merges.IN_PAGES}),
    (RICH, {"counting": Counting.EXACT}),
    (MUTE, {"counting": Counting.LAGGING}),
    (PLAIN, {"counting": Counting.NONE}),
    (replace(PLAIN, looks_at=1), {"looks_at": 2}),
    (PLAIN, {"looks_at": 3}),
    (PLAIN, {"tells_identity": True}),
    (PLAIN, {"batch_max": 4}),
    (PLAIN, {"batch_atomic": True}),
    (RICH, {"batch_atomic": False}),
    (PLAIN, {"idempotency_seconds": 3600}),
    (RICH, {"idempotency_seconds": 2 * 86_400}),
    (PLAIN, {"locking": Locking.NATIVE}),
    (PLAIN, {"settling_seconds": 5}),
    (PLAIN, {"keys": {ANY: "another_field"}}),
    (PLAIN, {"api_version": "2"}),
    (PLAIN, {"retires_on": date(2099, 1, 1)}),
    (PLAIN, {"zone": "Asia/Tokyo"}),
    (PLAIN, {"rate": Rate(10, 1, "HTTP 429")}),
]


@pytest.mark.parametrize(("truth", "lie"), LIES, ids=[f"{next(iter(lie.items()))}" for _, lie in LIES])
def test_each_lie_is_noticed_and_named(truth: Passport, lie: dict[str, Any]) -> None:
    found = lies(claiming(truth, **lie))

    assert {claim for each in found for claim in each.claims} == set(lie)
    assert all(each.told for each in found)


KEYLESS = (MUTE, {"keys": {ANY: "external_id"}})
"""A lie that more than its claim suffers from: nothing is found."""


def test_every_claim_is_turned_into_a_lie() -> None:
    assert {claim for _, lie in LIES for claim in lie} == {field.name for field in fields(Passport)}


def test_every_test_that_rests_on_a_claim_fails_for_a_lie() -> None:
    failed = {answer.question for truth, lie in [*LIES, KEYLESS] for answer in lies(claiming(truth, **lie))}

    assert {question.name for question in QUESTIONS if question.claims} - failed == set()


def test_a_key_that_nothing_is_found_by_is_noticed() -> None:
    class Forgetful(MemorySystem):
        def find(self, object: str, external_ids: Any) -> Any:
            return {}

    found = lies(lambda: MemoryFacts(Forgetful(passport=replace(PASSPORT, keys={ANY: "external_id"}))))

    assert {claim for each in found for claim in each.claims} == {"keys", "settling_seconds"}


def test_a_claim_that_cannot_be_brought_about_is_not_checked_and_no_pass() -> None:
    class Whole(MemoryFacts):
        def put_late(self, name: str) -> tuple[str, float]:
            raise NotChecked("nothing is late here")

    (answer,) = ask_all(Whole, claims=["late_seconds"])

    assert (answer.result, answer.told) == (Result.NOT_CHECKED, "nothing is late here")


def test_a_claim_that_has_to_be_shown_is_a_lie_where_it_cannot_be() -> None:
    class Unmerged(MemoryFacts):
        def merge(self, loser: str, survivor: str) -> None:
            raise NotChecked("nothing merges here")

    (found,) = lies(Unmerged, claims=["merges"])

    assert found.told == "merges are claimed, but nothing merges here"
