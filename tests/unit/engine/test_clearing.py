"""Clearing: an owner's empty value is believed only while the field behind it arrives."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from scene import settings

from sync_pipelines.engine.clearing import believed, checks
from sync_pipelines.engine.outcome import Result
from sync_pipelines.engine.port import Page
from sync_pipelines.lake import Lake

ARRIVES, EMPTIED, GONE = b'{"Phone": "+49 30 1"}', b'{"Phone": null}', b"{}"
PHONE = {"phone": ("crm/party.contact.Phone",)}


def keep(lake: Lake, *payloads: bytes) -> None:
    ids = [str(n) for n, _ in enumerate(payloads)]
    page = Page(ids, ["v"] * len(ids), list(payloads), [False] * len(ids), {"at": 1})
    lake.append_page("crm", "party.contact", page, run_id="r", at=datetime(2026, 11, 23, tzinfo=UTC))


@pytest.mark.parametrize(
    ("payloads", "lineage", "clears"),
    [
        ([ARRIVES, EMPTIED], PHONE, {"phone"}),
        ([EMPTIED, EMPTIED], PHONE, {"phone"}),
        ([ARRIVES, GONE], PHONE, set()),
        ([GONE, GONE], PHONE, set()),
        ([], PHONE, set()),
        ([ARRIVES], {"phone": (*PHONE["phone"], "crm/party.contact.Kind")}, set()),
        ([ARRIVES], {"phone": ()}, set()),
        ([ARRIVES], {}, set()),
    ],
)
def test_an_empty_value_is_a_statement_only_where_every_record_carries_its_field(
    lake: Lake, payloads: list[bytes], lineage: Mapping[str, tuple[str, ...]], clears: set[str]
) -> None:
    keep(lake, *payloads)

    assert believed(lake, settings("customer", clears=["phone"]), {"crm": lineage}) == clears


def test_nothing_is_asked_where_no_field_may_be_cleared(lake: Lake) -> None:
    assert believed(lake, settings("customer"), {}) == frozenset()


def test_a_field_that_is_not_cleared_because_it_does_not_arrive_is_told() -> None:
    declared = settings("customer", clears=["phone", "website"])

    (lost,), (whole,) = (checks("customer", "erp", declared, each) for each in (["phone"], ["phone", "website"]))

    assert (lost.result, lost.count, lost.reason) == (Result.FAILED, 1, "not cleared: website")
    assert whole.result is Result.PASSED
    assert checks("customer", "erp", settings("customer"), []) == ()
