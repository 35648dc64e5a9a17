"""Tryton conforms, its passport is true, and lies in it are found."""

from __future__ import annotations

from typing import Any

import pytest
from stand_in_tryton import TrytonFacts

from sync_pipelines.engine.port import Counting, Deletes
from sync_pipelines.testing.conformance import Conformance, lies


class TestTryton(Conformance):
    new = TrytonFacts


@pytest.mark.parametrize(
    ("claim", "lie"),
    [
        ("page_max", 20),
        ("batch_atomic", False),
        ("is_ordered", False),
        ("counting", Counting.NONE),
        ("deletes", Deletes.IN_PAGES),
        ("late_seconds", 30),
        ("settling_seconds", 10),
    ],
)
def test_a_lie_in_trytons_passport_is_noticed(claim: str, lie: Any) -> None:
    assert lies(lambda: TrytonFacts(**{claim: lie}), claims=[claim])
