"""Gainsight conforms, its passport is true, and lies in it are found."""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from typing import Any

import pytest
from stand_in_gainsight import ByList, GainsightFacts

from sync_pipelines.engine.port import Counting, Deletes, Locking, Merges, Passport, Rate
from sync_pipelines.testing.conformance import Conformance, lies


class TestGainsight(Conformance):
    new = GainsightFacts


class TestByListAndAccessKey(Conformance):
    new = ByList


LIES = [
    ("looks_at", 2),
    ("page_max", 1000),
    ("page_max", 10_000),
    ("batch_max", 51),
    ("batch_atomic", False),
    ("counting", Counting.EXACT),
    ("grain_seconds", 0.0),
    ("late_seconds", 0),
    ("is_ordered", False),
    ("deletes", Deletes.IN_PAGES),
    ("merges", Merges.IN_PAGES),
    ("idempotency_seconds", 3600),
    ("locking", Locking.NATIVE),
    ("settling_seconds", 60),
    ("keys", {"Company": "Name"}),
    ("api_version", "v3"),
    ("retires_on", date(2099, 1, 1)),
    ("zone", "Asia/Tokyo"),
    ("rate", Rate(1, 1, "HTTP 418")),
]
NO_LIE = {"tells_identity": "to ask for it in a call of its own says less than is true"}


@pytest.mark.parametrize(("claim", "lie"), LIES)
def test_a_lie_in_gainsights_passport_is_noticed(claim: str, lie: Any) -> None:
    assert lies(lambda: GainsightFacts(**{claim: lie}), claims=[claim])
    assert not lies(GainsightFacts, claims=[claim])


def test_every_claim_of_gainsights_passport_is_turned_into_a_lie() -> None:
    assert {claim for claim, _ in LIES} ^ NO_LIE.keys() == {field.name for field in fields(Passport)}
