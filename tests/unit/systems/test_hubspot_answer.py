"""What each kind of answer of HubSpot calls for."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from sync_pipelines.errors import FixConfiguration, RetryLater, SetAside
from sync_pipelines.systems.hubspot.answer import classify, usage_of


def answered(status: int, body: Any = None, **headers: str) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response._content = json.dumps(body or {}).encode()
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return response


@pytest.mark.parametrize("status", [200, 201, 204, 207, 401, 500, 502, 524])
def test_success_old_credentials_and_unexplained_failures_are_left_to_the_wire(status: int) -> None:
    assert classify(answered(status)) is None


@pytest.mark.parametrize(
    ("status", "body", "headers", "after"),
    [
        (429, {"policyName": "SECONDLY"}, {}, 1.0),
        (429, {"policyName": "TEN_SECONDLY_ROLLING"}, {}, 10.0),
        (429, {"policyName": "DAILY"}, {}, 3600.0),
        (429, {}, {}, None),
        (429, {"policyName": "DAILY"}, {"Retry_After": "7"}, 7.0),
        (423, {}, {}, 2.0),
        (477, {}, {"Retry_After": "86400"}, 86400.0),
        (477, {}, {}, 600.0),
    ],
)
def test_a_throttled_call_waits_as_long_as_its_policy_asks(
    status: int, body: Any, headers: dict[str, str], after: float | None
) -> None:
    error = classify(answered(status, body, **headers))

    assert isinstance(error, RetryLater)
    assert error.after == after


@pytest.mark.parametrize(
    ("status", "body", "kind", "told"),
    [
        (403, {"category": "MISSING_SCOPES"}, FixConfiguration, "lacks a scope"),
        (404, {}, FixConfiguration, "version 2026-09 may be retired"),
        (410, {"category": "UNSUPPORTED_VERSION"}, FixConfiguration, "version 2026-09 may be retired"),
        (404, {"category": "OBJECT_NOT_FOUND"}, SetAside, "does not exist"),
        (409, {"category": "CONFLICT", "message": "Existing ID: 51"}, SetAside, "same unique value"),
        (400, {"category": "VALIDATION_ERROR", "message": "jo@acme.example is wrong"}, SetAside, "does not fit"),
        (
            400,
            {"category": "VALIDATION_ERROR", "message": "The maximum number of inputs supported is 100"},
            FixConfiguration,
            "the call itself",
        ),
        (
            400,
            {
                "category": "VALIDATION_ERROR",
                "errors": [{"message": "x", "code": "READ_ONLY_VALUE", "context": {"propertyName": ["createdate"]}}],
            },
            FixConfiguration,
            "[createdate]",
        ),
        (415, {}, FixConfiguration, "the call itself"),
    ],
)
def test_a_refusal_says_whose_work_it_is_and_quotes_no_value(
    status: int, body: Any, kind: type[Exception], told: str
) -> None:
    error = classify(answered(status, body))

    assert isinstance(error, kind)
    assert told in str(error)
    assert "acme" not in str(error)
    assert "51" not in str(error)


def test_the_calls_of_the_day_are_told_by_headers_that_not_every_answer_has() -> None:
    told = answered(200, X_HubSpot_RateLimit_Daily="650000", X_HubSpot_RateLimit_Daily_Remaining="649990")
    usage = usage_of(told)

    assert usage is not None
    assert (usage.used, usage.limit) == (10, 650_000)
    assert usage_of(answered(200)) is None
