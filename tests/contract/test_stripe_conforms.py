"""Stripe conforms, its passport is true, and lies in it are found."""

from __future__ import annotations

from typing import Any

import pytest
from stand_in_stripe import StripeFacts

from sync_pipelines.engine.port import Locking
from sync_pipelines.testing.conformance import Conformance, lies


class TestStripe(Conformance):
    new = StripeFacts


@pytest.mark.parametrize(
    ("claim", "lie"),
    [
        ("page_max", 10),
        ("batch_atomic", True),
        ("is_ordered", True),
        ("idempotency_seconds", 10 * 86_400),
        ("locking", Locking.NATIVE),
        ("settling_seconds", 30),
    ],
)
def test_a_lie_in_stripes_passport_is_noticed(claim: str, lie: Any) -> None:
    assert lies(lambda: StripeFacts(**{claim: lie}), claims=[claim])
