"""Salesforce conforms, its passport is true, and lies in it are found."""

from __future__ import annotations

from typing import Any

import pytest
from stand_in_salesforce import SalesforceFacts

from sync_pipelines.engine.port import Counting, Locking, Merges
from sync_pipelines.testing.conformance import Conformance, lies


class TestSalesforce(Conformance):
    new = SalesforceFacts


@pytest.mark.parametrize(
    ("claim", "lie"),
    [
        ("page_max", 100),
        ("batch_max", 201),
        ("batch_atomic", True),
        ("counting", Counting.NONE),
        ("late_seconds", 60),
        ("grain_seconds", 0.0),
        ("is_ordered", False),
        ("merges", Merges.UNSEEN),
        ("locking", Locking.NATIVE),
        ("settling_seconds", 60),
    ],
)
def test_a_lie_in_salesforces_passport_is_noticed(claim: str, lie: Any) -> None:
    assert lies(lambda: SalesforceFacts(**{claim: lie}), claims=[claim])
