"""Chargebee conforms, its passport is true, and lies in it are found."""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from typing import Any

import pytest
from stand_in_chargebee import ChargebeeFacts

from sync_pipelines.engine.port import ANY, Counting, Locking, Merges, Passport, Rate
from sync_pipelines.testing.conformance import Conformance, lies


class TestChargebee(Conformance):
    new = ChargebeeFacts


LIES = [
    ("looks_at", 8),
    ("tells_identity", True),
    ("page_max", 10),
    ("page_max", 500),
    ("counting", Counting.EXACT),
    ("late_seconds", 60),
    ("merges", Merges.IN_PAGES),
    ("batch_atomic", True),
    ("is_ordered", False),
    ("locking", Locking.NATIVE),
    ("settling_seconds", 30),
    ("keys", {ANY: "meta_data.other_id"}),
    ("api_version", "v1"),
    ("retires_on", date(2099, 1, 1)),
    ("zone", "Asia/Tokyo"),
    ("rate", Rate(1, 1, "HTTP 418")),
]
NO_LIE = {
    "batch_max": "the adapter sends one call a record, and takes a batch of any size",
    "deletes": "reads tell deletes, and a sweep would find them too: both claims are borne out",
    "grain_seconds": "versions are in milliseconds, and the overlap for what is late is longer",
    "idempotency_seconds": "an id can't be used twice, so that a repeat makes nothing however late it comes",
}
"""Claims that say no less than what is true, whatever they say, and why."""


@pytest.mark.parametrize(("claim", "lie"), LIES)
def test_a_lie_in_chargebees_passport_is_noticed(claim: str, lie: Any) -> None:
    assert lies(lambda: ChargebeeFacts(**{claim: lie}), claims=[claim])


def test_every_claim_of_chargebees_passport_is_turned_into_a_lie() -> None:
    assert {claim for claim, _ in LIES} ^ NO_LIE.keys() == {field.name for field in fields(Passport)}
