"""The end of an API version is told ahead, and where none is known nothing is claimed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from sync_pipelines.engine.outcome import Result
from sync_pipelines.engine.retirement import notice, version_is_supported
from sync_pipelines.testing.memory import PASSPORT

ENDING = replace(PASSPORT, api_version="67.0", retires_on=date(2029, 6, 15))


@pytest.mark.parametrize(
    ("today", "result", "told"),
    [
        (date(2029, 3, 16), Result.PASSED, ""),
        (date(2029, 3, 17), Result.FAILED, "in 90 days, on 2029-06-15"),
        (date(2029, 6, 15), Result.FAILED, "since 2029-06-15"),
    ],
)
def test_a_version_that_ends_within_ninety_days_fails_its_check(today: date, result: Result, told: str) -> None:
    (check,) = version_is_supported("crm", ENDING, on=today)

    assert (check.subject, check.result) == ("crm", result)
    assert told in check.reason


def test_a_version_without_a_known_end_is_never_warned_of() -> None:
    assert notice(PASSPORT, on=date(2999, 1, 1)) == ""
    assert version_is_supported("crm", PASSPORT, on=date(2999, 1, 1)) == ()
