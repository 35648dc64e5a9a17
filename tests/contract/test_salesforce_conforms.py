"""Salesforce conforms, its passport is true, and lies in it are found."""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from typing import Any

import pytest
from stand_in_salesforce import SalesforceFacts

from sync_pipelines.engine.port import ANY, Counting, Locking, Merges, Passport, Rate
from sync_pipelines.testing.conformance import Conformance, lies


class TestSalesforce(Conformance):
    new = SalesforceFacts


LIES = [
    ("looks_at", 6),
    ("page_max", 100),
    ("page_max", 5000),
    ("batch_max", 201),
    ("batch_atomic", True),
    ("counting", Counting.NONE),
    ("late_seconds", 60),
    ("grain_seconds", 0.0),
    ("is_ordered", False),
    ("merges", Merges.UNSEEN),
    ("locking", Locking.NATIVE),
    ("settling_seconds", 60),
    ("keys", {ANY: "Name"}),
    ("api_version", "1"),
    ("retires_on", date(2099, 1, 1)),
    ("zone", "Asia/Tokyo"),
    ("rate", Rate(1, 1, "HTTP 418")),
]
NO_LIE = {
    "tells_identity": "the login tells it before anything is asked",
    "deletes": "IN_PAGES is the most that can be claimed",
    "idempotency_seconds": "a create is an upsert on our external id: a repeat makes nothing, with or without a key",
}
"""Claims that say no less than what is true, whatever they say, and why."""


@pytest.mark.parametrize(("claim", "lie"), LIES)
def test_a_lie_in_salesforces_passport_is_noticed(claim: str, lie: Any) -> None:
    assert lies(lambda: SalesforceFacts(**{claim: lie}), claims=[claim])


def test_every_claim_of_salesforces_passport_is_turned_into_a_lie() -> None:
    assert {claim for claim, _ in LIES} ^ NO_LIE.keys() == {field.name for field in fields(Passport)}
