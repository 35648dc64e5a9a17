"""NetSuite conforms, by certificate and by token, its passport is true, and lies in it are found."""

from __future__ import annotations

from typing import Any

import pytest
from stand_in_netsuite import ByToken, NetSuiteFacts

from sync_pipelines.engine.port import Counting, Deletes, Locking
from sync_pipelines.testing.conformance import Conformance, lies


class TestNetSuite(Conformance):
    new = NetSuiteFacts


class TestNetSuiteByToken(Conformance):
    new = ByToken


@pytest.mark.parametrize(
    ("claim", "lie"),
    [
        ("page_max", 100),
        ("looks_at", 14),
        ("tells_identity", True),
        ("batch_max", 101),
        ("batch_atomic", True),
        ("is_ordered", False),
        ("counting", Counting.NONE),
        ("deletes", Deletes.IN_PAGES),
        ("late_seconds", 60),
        ("grain_seconds", 0.0),
        ("locking", Locking.NATIVE),
        ("settling_seconds", 60),
        ("keys", {"customer": "companyname"}),
        ("zone", "UTC"),
        ("api_version", "v2"),
    ],
)
def test_a_lie_in_netsuites_passport_is_noticed(claim: str, lie: Any) -> None:
    assert lies(lambda: NetSuiteFacts(**{claim: lie}), claims=[claim])
