from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
import requests

from sync_pipelines.errors import FixConfiguration, InDoubt, RetryLater, SetAside
from sync_pipelines.systems.form import form
from sync_pipelines.systems.stripe.answer import Gone, classify


def answer(status: int, *, method: str = "POST", headers: dict[str, str] | None = None, **error: Any) -> Any:
    response = requests.Response()
    response.status_code = status
    response.headers.update(headers or {})
    response._content = json.dumps({"error": error}).encode() if error else b"gone fishing"
    response.request = requests.Request(method, "http://pay.test/v1/customers").prepare()
    return classify(response)


def test_a_success_is_fine_and_a_401_is_left_to_the_credentials():
    assert answer(200) is None
    assert answer(401, type="invalid_request_error") is None


@pytest.mark.parametrize(
    ("status", "code"), [(429, "rate_limit"), (429, "lock_timeout"), (409, "idempotency_key_in_use"), (429, "")]
)
def test_a_throttle_a_lock_and_a_key_in_use_ask_for_patience(status, code):
    error = answer(status, type="invalid_request_error", code=code)

    assert isinstance(error, RetryLater)
    assert error.after is None


def test_a_wait_that_a_proxy_names_is_kept():
    assert answer(429, headers={"Retry-After": "7"}, code="rate_limit").after == 7


@pytest.mark.parametrize("error", [{}, {"type": "api_error"}])
def test_an_outage_is_unexplained(error):
    assert answer(500, **error) is None


@pytest.mark.parametrize("headers", [{"Idempotent-Replayed": "true"}, {"Stripe-Should-Retry": "false"}])
def test_a_failed_write_that_would_fail_the_same_way_again_is_in_doubt_and_a_read_is_not(headers):
    assert isinstance(answer(500, headers=headers, type="api_error"), InDoubt)
    assert answer(500, method="GET", headers=headers, type="api_error") is None


def test_stripe_can_ask_for_a_retry_of_anything():
    assert isinstance(answer(400, headers={"Stripe-Should-Retry": "true"}, type="api_error"), RetryLater)


@pytest.mark.parametrize(
    ("status", "error", "code", "fields"),
    [
        (400, {"code": "parameter_unknown", "param": "color"}, "parameter_unknown", ("color",)),
        (400, {"code": "resource_missing", "param": "customer"}, "resource_missing", ("customer",)),
        (400, {"type": "idempotency_error"}, "idempotency_error", ()),
        (402, {"type": "card_error", "code": "card_declined"}, "card_declined", ()),
        (404, {"code": "resource_missing", "param": "id"}, "resource_missing", ("id",)),
        (400, {"type": "invalid_request_error"}, "invalid_request_error", ()),
        (400, {}, "unknown", ()),
    ],
)
def test_a_write_that_is_refused_is_set_aside_with_stripes_word_for_it(status, error, code, fields):
    refusal = answer(status, **error)

    assert isinstance(refusal, SetAside)
    assert (refusal.code, refusal.fields) == (code, fields)


def test_no_text_of_stripe_reaches_a_message_for_it_may_quote_a_person():
    message = "Invalid email address: jane@doe.test"

    texts = [str(answer(400, method=method, message=message, code="email_invalid")) for method in ("GET", "POST")]

    assert all("jane" not in text and "email_invalid" in text for text in texts)


def test_what_is_not_there_is_gone_for_a_read():
    assert isinstance(answer(404, method="GET", code="resource_missing", param="id"), Gone)


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (403, {"type": "invalid_request_error"}, "right"),
        (400, {"message": "Invalid Stripe API version: 2020-01-01"}, "newer release"),
        (410, {}, "newer release"),
        (400, {"code": "livemode_mismatch"}, "live mode"),
    ],
)
def test_what_a_person_has_to_mend_is_a_configuration(status, error, words):
    for method in ("GET", "POST"):
        failure = answer(status, method=method, **error)

        assert isinstance(failure, FixConfiguration)
        assert words in str(failure)


def test_a_read_that_is_refused_is_our_own_mistake():
    failure = answer(400, method="GET", code="parameter_unknown", param="colour")

    assert isinstance(failure, FixConfiguration)
    assert "parameter_unknown" in str(failure)
    assert "colour" in str(failure)


def test_a_body_becomes_nested_pairs_without_nulls_and_keeps_an_empty_text():
    body = {"items": [{"price": "p", "quantity": 2}], "rate": Decimal("1.50"), "line2": "", "phone": None, "on": False}

    assert list(form(body)) == [
        ("items[0][price]", "p"),
        ("items[0][quantity]", "2"),
        ("rate", "1.50"),
        ("line2", ""),
        ("on", "false"),
    ]


def test_a_binary_fraction_is_never_sent():
    with pytest.raises(FixConfiguration, match="unit_amount"):
        list(form({"unit_amount": 10.5}))
