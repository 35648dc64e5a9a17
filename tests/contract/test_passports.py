"""The passports of Salesforce, Stripe and Tryton against their stand-ins: true as they are, found out when they lie."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from stand_in import SALESFORCE, STRIPE, TRYTON, Kind, StandIn

from sync_pipelines.engine.outcome import Result
from sync_pipelines.engine.port import Counting, Deletes, Locking
from sync_pipelines.testing.passport import lies, probe


def standing(kind: Kind, **claims: Any) -> Callable[[], Any]:
    return lambda: StandIn(kind, claims)


@pytest.mark.parametrize(
    ("kind", "unchecked"),
    [(SALESFORCE, set()), (STRIPE, {"late_seconds"}), (TRYTON, set())],
    ids=["salesforce", "stripe", "tryton"],
)
def test_the_shipped_passports_are_true(kind: Kind, unchecked: set[str]) -> None:
    probed = probe(standing(kind))

    assert [each for each in probed if each.result is Result.FAILED] == []
    assert {each.claim for each in probed if each.result is Result.NOT_CHECKED} == unchecked


@pytest.mark.parametrize(
    ("kind", "claim", "lie"),
    [
        (SALESFORCE, "page_max", 100),
        (SALESFORCE, "batch_max", 201),
        (SALESFORCE, "batch_atomic", True),
        (SALESFORCE, "counting", Counting.NONE),
        (SALESFORCE, "late_seconds", 60),
        (SALESFORCE, "grain_seconds", 0.0),
        (SALESFORCE, "locking", Locking.NATIVE),
        (SALESFORCE, "settling_seconds", 60),
        (STRIPE, "page_max", 10),
        (STRIPE, "batch_atomic", True),
        (STRIPE, "is_ordered", True),
        (STRIPE, "idempotency_seconds", 10 * 86_400),
        (STRIPE, "locking", Locking.NATIVE),
        (STRIPE, "settling_seconds", 30),
        (TRYTON, "page_max", 20),
        (TRYTON, "batch_atomic", False),
        (TRYTON, "counting", Counting.NONE),
        (TRYTON, "deletes", Deletes.IN_PAGES),
        (TRYTON, "late_seconds", 30),
        (TRYTON, "settling_seconds", 10),
    ],
)
def test_a_lie_in_a_shipped_passport_is_noticed(kind: Kind, claim: str, lie: Any) -> None:
    (found,) = lies(standing(kind, **{claim: lie}), only=(claim,))

    assert found.claim == claim
    assert found.told
