"""Stripe conforms, its passport is true, and lies in it are found."""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from typing import Any

import pytest
from stand_in_stripe import StripeFacts

from sync_pipelines.engine.port import ANY, Counting, Locking, Merges, Passport, Rate
from sync_pipelines.testing.conformance import Conformance, lies


class TestStripe(Conformance):
    new = StripeFacts


LIES = [
    ("looks_at", 7),
    ("tells_identity", True),
    ("page_max", 10),
    ("page_max", 250),
    ("counting", Counting.EXACT),
    ("late_seconds", 0),
    ("merges", Merges.IN_PAGES),
    ("batch_atomic", True),
    ("is_ordered", True),
    ("idempotency_seconds", 10 * 86_400),
    ("locking", Locking.NATIVE),
    ("settling_seconds", 30),
    ("keys", {ANY: "metadata.other_id"}),
    ("api_version", "1"),
    ("retires_on", date(2099, 1, 1)),
    ("zone", "Asia/Tokyo"),
    ("rate", Rate(1, 1, "HTTP 418")),
]
NO_LIE = {
    "deletes": "the feed tells deletes of the last 30 days, and a sweep finds them all: both claims are borne out",
    "batch_max": "the adapter sends one call a record, and takes a batch of any size",
    "grain_seconds": "versions are of the whole record, and the overlap for what is late is longer",
}
"""Claims that say no less than what is true, whatever they say, and why."""


@pytest.mark.parametrize(("claim", "lie"), LIES)
def test_a_lie_in_stripes_passport_is_noticed(claim: str, lie: Any) -> None:
    assert lies(lambda: StripeFacts(**{claim: lie}), claims=[claim])


def test_every_claim_of_stripes_passport_is_turned_into_a_lie() -> None:
    assert {claim for claim, _ in LIES} ^ NO_LIE.keys() == {field.name for field in fields(Passport)}
