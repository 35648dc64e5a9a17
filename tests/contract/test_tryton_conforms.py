"""Tryton conforms, its passport is true, and lies in it are found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import date
from typing import Any

import pytest
from stand_in_tryton import TrytonFacts

from sync_pipelines.engine.port import Counting, Deletes, Merges, Passport, Rate
from sync_pipelines.testing.conformance import Conformance, lies


class TestTryton(Conformance):
    new = TrytonFacts


class WithModule(TrytonFacts):
    """A database that has activated our module, and a topology that says so."""

    options: Mapping[str, str] = {**TrytonFacts.options, "module": "true"}


def test_one_call_tells_of_all_objects_where_there_is_our_module() -> None:
    claimed = WithModule().system.passport.looks_at

    assert lies(WithModule, claims=["looks_at"]) == []
    assert lies(lambda: WithModule(looks_at=claimed + 1), claims=["looks_at"])


LIES = [
    ("looks_at", 2),
    ("tells_identity", True),
    ("page_max", 20),
    ("merges", Merges.IN_PAGES),
    ("batch_atomic", False),
    ("is_ordered", False),
    ("counting", Counting.NONE),
    ("deletes", Deletes.IN_PAGES),
    ("late_seconds", 30),
    ("settling_seconds", 10),
    ("keys", {"party.party": "name"}),
    ("api_version", "1"),
    ("retires_on", date(2099, 1, 1)),
    ("zone", "Asia/Tokyo"),
    ("rate", Rate(1, 1, "HTTP 418")),
]
NO_LIE = {
    "batch_max": "the cap is the adapter's own",
    "grain_seconds": "two transactions never carry one time",
    "locking": "NATIVE is the most that can be claimed",
    "idempotency_seconds": "the adapter looks for its keys before it creates: a repeat makes nothing",
}
"""Claims that say no less than what is true, whatever they say, and why."""


@pytest.mark.parametrize(("claim", "lie"), LIES)
def test_a_lie_in_trytons_passport_is_noticed(claim: str, lie: Any) -> None:
    assert lies(lambda: TrytonFacts(**{claim: lie}), claims=[claim])


def test_every_claim_of_trytons_passport_is_turned_into_a_lie() -> None:
    assert {claim for claim, _ in LIES} ^ NO_LIE.keys() == {field.name for field in fields(Passport)}
