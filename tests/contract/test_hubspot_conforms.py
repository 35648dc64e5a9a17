"""HubSpot conforms, its passport is true, and lies in it are found."""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from typing import Any

import pytest
from stand_in_hubspot import Behind, HubSpotFacts, Journaled, RefusingWhole, Unseen

from sync_pipelines.engine.port import Counting, Deletes, Locking, Merges, Passport, Rate
from sync_pipelines.testing.conformance import Conformance, lies


class TestHubSpot(Conformance):
    new = HubSpotFacts


class TestPortalWithAJournal(Conformance):
    new = Journaled


class TestPortalThatRefusesWholeBatches(Conformance):
    new = RefusingWhole


class TestPortalWhoseSearchIsBehind(Conformance):
    new = Behind


LIES = [
    (HubSpotFacts, "looks_at", 2),
    (Journaled, "looks_at", 5),
    (HubSpotFacts, "tells_identity", True),
    (HubSpotFacts, "page_max", 100),
    (HubSpotFacts, "page_max", 2000),
    (HubSpotFacts, "late_seconds", 60),
    (HubSpotFacts, "grain_seconds", 0.0),
    (HubSpotFacts, "is_ordered", True),
    (HubSpotFacts, "deletes", Deletes.IN_PAGES),
    (HubSpotFacts, "merges", Merges.UNSEEN),
    (HubSpotFacts, "counting", Counting.NONE),
    (Unseen, "counting", Counting.EXACT),
    (HubSpotFacts, "batch_max", 101),
    (HubSpotFacts, "batch_atomic", True),
    (HubSpotFacts, "locking", Locking.NATIVE),
    (HubSpotFacts, "settling_seconds", 60),
    (HubSpotFacts, "keys", {"companies": "domain"}),
    (HubSpotFacts, "api_version", "v3"),
    (HubSpotFacts, "retires_on", date(2099, 1, 1)),
    (HubSpotFacts, "zone", "US/Eastern"),
    (HubSpotFacts, "rate", Rate(1, 1, "HTTP 418")),
]
NO_LIE = {
    "idempotency_seconds": "a create is an upsert on a unique property: a repeat makes nothing, whatever its key",
}
"""Claims that say no less than what is true, whatever they say, and why."""


@pytest.mark.parametrize(("new", "claim", "lie"), LIES)
def test_a_lie_in_hubspots_passport_is_noticed(new: type[HubSpotFacts], claim: str, lie: Any) -> None:
    assert lies(lambda: new(**{claim: lie}), claims=[claim])
    assert not lies(new, claims=[claim])


def test_every_claim_of_hubspots_passport_is_turned_into_a_lie() -> None:
    assert {claim for _, claim, _ in LIES} ^ NO_LIE.keys() == {field.name for field in fields(Passport)}
