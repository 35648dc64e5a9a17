"""Zendesk conforms, its passport is true, and lies in it are found."""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from typing import Any

import pytest
from stand_in_zendesk import ShownAtOnce, WithoutDeleted, ZendeskFacts

from sync_pipelines.engine.port import Counting, Deletes, Locking, Merges, Passport, Rate
from sync_pipelines.testing.conformance import Conformance, lies


class TestZendesk(Conformance):
    new = ZendeskFacts


class TestWithoutDeletedInTheExport(Conformance):
    new = WithoutDeleted


LIES = [
    (ZendeskFacts, "looks_at", 2),
    (ZendeskFacts, "page_max", 100),
    (ZendeskFacts, "page_max", 5000),
    (ZendeskFacts, "batch_max", 101),
    (ZendeskFacts, "batch_atomic", True),
    (ZendeskFacts, "counting", Counting.NONE),
    (ShownAtOnce, "grain_seconds", 0.0),
    (ZendeskFacts, "is_ordered", False),
    (WithoutDeleted, "deletes", Deletes.IN_PAGES),
    (ZendeskFacts, "merges", Merges.IN_PAGES),
    (ZendeskFacts, "locking", Locking.NATIVE),
    (ZendeskFacts, "settling_seconds", 60),
    (ZendeskFacts, "keys", {"organizations": "name"}),
    (ZendeskFacts, "api_version", "v1"),
    (ZendeskFacts, "retires_on", date(2099, 1, 1)),
    (ZendeskFacts, "zone", "Asia/Tokyo"),
    (ZendeskFacts, "rate", Rate(1, 1, "HTTP 418")),
]
NO_LIE = {
    "tells_identity": "to ask for it in a call of its own says less than is true",
    "late_seconds": "the export holds the last minute back and gives the rest in order, so that no overlap is needed",
    "idempotency_seconds": "names and external ids are unique: a repeat makes nothing, with or without a key",
}
"""Claims that say no less than what is true, whatever they say, and why."""


@pytest.mark.parametrize(("new", "claim", "lie"), LIES)
def test_a_lie_in_zendesks_passport_is_noticed(new: type[ZendeskFacts], claim: str, lie: Any) -> None:
    assert lies(lambda: new(**{claim: lie}), claims=[claim])
    assert not lies(new, claims=[claim])


def test_every_claim_of_zendesks_passport_is_turned_into_a_lie() -> None:
    assert {claim for _, claim, _ in LIES} ^ NO_LIE.keys() == {field.name for field in fields(Passport)}
