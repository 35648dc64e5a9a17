"""What Chargebee's answers mean, and which calls a write takes."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from sync_pipelines.engine.port import Operation, Request
from sync_pipelines.errors import FixConfiguration, RetryLater, SetAside
from sync_pipelines.systems.auth import Basic
from sync_pipelines.systems.chargebee.answer import REFUSALS, classify
from sync_pipelines.systems.chargebee.write import Post, posts


def answer(status: int, body: Any = None, *, method: str = "POST", **headers: str) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response._content = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
    response.headers.update(headers)
    response.request = requests.Request(method, "http://cb.test").prepare()
    return response


def problem(code: str, **more: Any) -> dict[str, Any]:
    return {"message": "Acme GmbH is not a valid value", "type": "invalid_request", "api_error_code": code, **more}


def request(object: str, body: dict[str, Any], operation: Operation = Operation.UPDATE, **more: Any) -> Request:
    record_id = "r-1" if operation is Operation.UPDATE else None
    return Request("w1", object, operation, record_id, "link-1", body, correlation_id="deal-7", **more)


@pytest.mark.parametrize("status", [200, 401, 500, 503, 504])
def test_what_is_fine_or_unexplained_is_left_to_the_wire(status: int) -> None:
    assert classify(answer(status, b"<html>" if status > 500 else None)) is None


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (429, "api_request_limit_exceeded"),
        (429, "anything"),
        (503, "site_read_only_mode"),
        (503, "site_not_ready"),
        (409, "request_blocked"),
    ],
)
def test_what_was_not_begun_is_tried_later(status: int, code: str) -> None:
    found = classify(answer(status, problem(code), **{"Retry-After": "41"}))

    assert isinstance(found, RetryLater)
    assert found.after == 41


def test_a_failure_without_a_promise_is_not_called_undone() -> None:
    assert classify(answer(503, problem("internal_temporary_error"))) is None


@pytest.mark.parametrize(("status", "words"), [(403, "right"), (410, "version")])
def test_a_missing_right_and_a_retired_version_are_for_a_person(status: int, words: str) -> None:
    found = classify(answer(status, problem("api_authorization_failed")))

    assert isinstance(found, FixConfiguration)
    assert words in str(found)


def test_a_refused_read_is_a_configuration_and_a_refused_write_a_record_to_set_aside() -> None:
    body = problem("param_wrong_value", param="billing_address[country]")
    read, write = classify(answer(400, body, method="GET")), classify(answer(400, body))

    assert isinstance(read, FixConfiguration)
    assert isinstance(write, SetAside)
    assert (write.code, write.fields) == ("param_wrong_value", ("billing_address[country]",))
    assert "Acme" not in f"{read}{write}"


@pytest.mark.parametrize("code", [*REFUSALS, "unheard_of"])
def test_every_refusal_is_told_in_words_with_its_code(code: str) -> None:
    found = classify(answer(400, problem(code)))

    assert isinstance(found, SetAside)
    assert found.code == code
    assert f"({code})" in str(found)


def test_a_refusal_that_is_no_json_is_one_all_the_same() -> None:
    found = classify(answer(400, b"Bad Request"))

    assert isinstance(found, SetAside)
    assert found.code == "unknown"


def test_a_key_that_went_with_another_request_has_a_code_of_its_own() -> None:
    found = classify(answer(400, problem("invalid_request", param="chargebee-idempotency-key")))

    assert isinstance(found, SetAside)
    assert found.code == "idempotency_key_reused"


@pytest.mark.parametrize(
    ("object", "body", "calls"),
    [
        ("customers", {"company": "A"}, [Post("", {"company": "A"})]),
        ("customers", {"vat_number": "1", "vat_number_prefix": ""}, ["update_billing_info"]),
        ("customers", {"phone": "1", "billing_address": {"zip": "1"}}, ["", "update_billing_info"]),
        ("customers", {"meta_data": {"website": ""}}, [Post("", {"meta_data": "{}"})]),
        ("items", {"status": "archived"}, [Post("", {"status": "archived"})]),
        (
            "subscriptions",
            {"cancelled_at": 7},
            [Post("cancel_for_items", {"cancel_option": "specific_date", "cancel_at": 7})],
        ),
        ("subscriptions", {"cancelled_at": ""}, [Post("remove_scheduled_cancellation", {})]),
        (
            "subscriptions",
            {"cancelled_at": None, "meta_data": {"a": 1}},
            ["update_for_items", "remove_scheduled_cancellation"],
        ),
    ],
)
def test_an_update_takes_the_operations_that_its_fields_belong_to(
    object: str, body: dict[str, Any], calls: list[Any]
) -> None:
    made = posts(request(object, body))

    assert [post if isinstance(call, Post) else post.operation for post, call in zip(made, calls, strict=True)] == calls


def test_a_create_says_its_id_and_where_it_came_from() -> None:
    (post,) = posts(request("item_prices", {"name": "Seat", "price": 7}, Operation.CREATE))

    assert post == Post("", {"id": "link-1", "name": "Seat", "price": 7, "metadata": '{"correlation_id":"deal-7"}'})


def test_a_step_after_a_write_is_a_mapping_to_mend() -> None:
    with pytest.raises(FixConfiguration, match="then"):
        posts(request("customers", {"company": "A"}, then=("close",)))


def test_basic_authentication_has_the_key_as_user_and_shows_it_to_nobody() -> None:
    auth = Basic("chargebee", "test_key")

    assert auth.headers(requests.Session()) == {"Authorization": "Basic dGVzdF9rZXk6"}
    assert "dGVzdF9rZXk6" not in repr(auth)
    with pytest.raises(FixConfiguration, match=r"'api_key' of \[systems.chargebee\]") as refused:
        auth.renew()
    assert "test_key" not in str(refused.value)
