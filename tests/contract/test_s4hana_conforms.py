"""S/4HANA conforms, its passport is true, and lies in it are found."""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from typing import Any

import pytest
from stand_in_s4hana import S4hanaFacts

from sync_pipelines.engine.port import Counting, Deletes, Locking, Merges, Passport, Rate
from sync_pipelines.testing.conformance import Conformance, lies


class TestS4hana(Conformance):
    new = S4hanaFacts


LIES = [
    ("looks_at", 2),
    ("page_max", 100),
    ("batch_atomic", True),
    ("is_ordered", True),
    ("counting", Counting.NONE),
    ("deletes", Deletes.IN_PAGES),
    ("merges", Merges.IN_PAGES),
    ("late_seconds", 60),
    ("grain_seconds", 0.0),
    ("settling_seconds", 60),
    ("keys", {"A_BusinessPartner": "OrganizationBPName1"}),
    ("zone", "UTC"),
    ("api_version", "0002"),
    ("retires_on", date(2099, 1, 1)),
    ("rate", Rate(1, 1, "HTTP 418")),
    ("idempotency_seconds", 86400),
]
NO_LIE = {
    "tells_identity": "to ask for it in a call of its own says less than is true",
    "batch_max": "SAP names no limit: a larger batch is only slower",
    "locking": "REREAD and NONE claim less than is true",
}
"""Claims that say no less than what is true, whatever they say, and why."""


@pytest.mark.parametrize(("claim", "lie"), LIES)
def test_a_lie_in_s4hanas_passport_is_noticed(claim: str, lie: Any) -> None:
    assert lies(lambda: S4hanaFacts(**{claim: lie}), claims=[claim])


def test_every_claim_of_s4hanas_passport_is_turned_into_a_lie() -> None:
    assert {claim for claim, _ in LIES} ^ NO_LIE.keys() == {field.name for field in fields(Passport)}
    assert Locking.NATIVE is S4hanaFacts().system.passport.locking
