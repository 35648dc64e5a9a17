"""ECC conforms as far as files can be asked, and lies in its passport are found."""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from typing import Any

import pytest
from stand_in_ecc import EccFacts

from sync_pipelines.engine.port import Counting, Deletes, Merges, Passport, Rate
from sync_pipelines.testing.conformance import Conformance, lies


class TestEcc(Conformance):
    new = EccFacts


LIES = [
    ("looks_at", 4),
    ("tells_identity", True),
    ("page_max", 2),
    ("counting", Counting.NONE),
    ("is_ordered", True),
    ("merges", Merges.IN_PAGES),
    ("api_version", "2"),
    ("retires_on", date(2099, 1, 1)),
    ("zone", "Asia/Tokyo"),
    ("rate", Rate(1, 1, "HTTP 418")),
]
NO_LIE = {
    "late_seconds": "files have numbers without gaps, so that no overlap is needed",
    "grain_seconds": "a version is a digest: any two contents have versions of their own, however close",
    "deletes": "a delete comes in pages, and a sweep finds it as well",
}
LATER = {"batch_max", "batch_atomic", "idempotency_seconds", "locking", "keys", "settling_seconds"}
"""Claims about writes: what becomes of one is told in a later window, so that test_ecc_adapter tests them."""


@pytest.mark.parametrize(("claim", "lie"), LIES)
def test_a_lie_in_the_passport_is_noticed(claim: str, lie: Any) -> None:
    assert lies(lambda: EccFacts(**{claim: lie}), claims=[claim])
    assert not lies(EccFacts, claims=[claim])


def test_every_claim_is_turned_into_a_lie_or_says_why_not() -> None:
    assert {claim for claim, _ in LIES} ^ NO_LIE.keys() ^ LATER == {field.name for field in fields(Passport)}
    assert EccFacts().system.passport.deletes is Deletes.IN_PAGES
