from __future__ import annotations

import json
from typing import Any

import pytest

from sync_pipelines.errors import MalformedPage
from sync_pipelines.systems.stripe.answer import classify
from sync_pipelines.systems.stripe.record import Records, version_of

SHAPE = {"name": "VARCHAR", "items": {"data": [{"quantity": "BIGINT", "price": {"product": "VARCHAR"}}]}}
MISSING = (404, b'{"error": {"code": "resource_missing"}}')


def listed(*objects: dict[str, Any], more: bool = False) -> tuple[int, bytes]:
    return 200, json.dumps({"object": "list", "has_more": more, "data": objects}).encode()


def customer(number: int) -> dict[str, Any]:
    return {"id": f"cus_{number}", "name": "Acme", "metadata": {"sync_id": f"l{number}"}}


def lines(first: int, last: int, *, more: bool) -> dict[str, Any]:
    data = [{"id": f"il_{n}", "amount": n} for n in range(first, last + 1)]
    return {"object": "list", "data": data, "has_more": more, "url": "/v1/invoices/in_1/lines"}


@pytest.fixture
def build(scripted):
    def make(*replies):
        wire, far_end = scripted(*replies, classify=classify)
        return Records(wire), far_end

    return make


def test_a_list_is_walked_from_the_last_id_of_each_page(build):
    records, far_end = build(listed(customer(2), more=True), listed(customer(1)))

    pages = list(records.pages("customers", version_of(None)))

    assert [([record.record_id for record in page], last) for page, last in pages] == [
        (["cus_2"], False),
        (["cus_1"], True),
    ]
    assert [request.path_url for request in far_end.sent] == [
        "/v1/customers?limit=100",
        "/v1/customers?limit=100&starting_after=cus_2",
    ]


def test_every_read_names_the_pinned_version(build):
    records, far_end = build((200, json.dumps(customer(1)).encode()))

    records.one("customers", version_of(None), "cus_1")

    assert far_end.sent[0].headers["Stripe-Version"] == "2026-06-24.dahlia"


def test_an_empty_page_that_is_not_the_last_is_malformed(build):
    records, _ = build(listed(more=True))

    with pytest.raises(MalformedPage):
        list(records.pages("customers", version_of(None)))


def test_a_record_is_the_same_whether_listed_or_read_alone_however_it_is_spaced(build):
    spaced = json.dumps({"object": "list", "has_more": False, "data": [customer(1)]}, indent=4).encode()
    records, _ = build((200, spaced), (200, json.dumps(customer(1), indent=2).encode()))

    ((from_list,), _) = next(records.pages("customers", version_of({"name": "VARCHAR"})))
    alone = records.one("customers", version_of({"name": "VARCHAR"}), "cus_1")

    assert from_list == alone
    assert alone.payload == b'{"id":"cus_1","name":"Acme","metadata":{"sync_id":"l1"}}'


@pytest.mark.parametrize(
    ("payload", "same"),
    [
        (b'{"name":"A","balance":5,"items":{"data":[{"quantity":1,"price":{"product":"p","active":false}}]}}', True),
        (b'{"items":{"data":[{"price":{"product":"p"},"quantity":1}]},"name":"A"}', True),
        (b'{"name":"B","items":{"data":[{"quantity":1,"price":{"product":"p"}}]}}', False),
        (b'{"name":"A","items":{"data":[{"quantity":2,"price":{"product":"p"}}]}}', False),
        (b'{"name":"A","items":{"data":[{"quantity":1,"price":{"product":"q"}}]}}', False),
        (b'{"name":"A","items":{"data":[]}}', False),
        (b'{"name":"A","items":null}', False),
        (b'{"name":null}', False),
    ],
)
def test_a_version_changes_with_the_declared_fields_and_with_nothing_else(payload, same):
    version = version_of(SHAPE)
    before = version(b'{"name":"A","items":{"data":[{"quantity":1,"price":{"product":"p","active":true}}]}}')

    assert (version(payload) == before) is same


def test_a_payload_of_another_shape_is_malformed():
    with pytest.raises(MalformedPage, match="shape"):
        version_of(SHAPE)(b'{"items": "none"}')


def test_a_nested_list_that_was_cut_is_completed(build):
    invoice = {"id": "in_1", "lines": lines(1, 10, more=True), "metadata": {}}
    rest = (200, json.dumps(lines(11, 12, more=False)).encode())
    records, far_end = build(listed(invoice), rest)

    ((record,), _) = next(records.pages("invoices", version_of({"lines": {"data": [{"id": "VARCHAR"}]}})))

    whole = json.loads(record.payload)["lines"]
    assert [line["id"] for line in whole["data"]] == [f"il_{n}" for n in range(1, 13)]
    assert whole["has_more"] is False
    assert far_end.sent[1].path_url == "/v1/invoices/in_1/lines?limit=100&starting_after=il_10"


def test_a_record_that_is_deleted_while_its_nested_list_is_read_is_left_out(build):
    invoices = [{"id": f"in_{n}", "lines": lines(1, 10, more=n == 1), "metadata": {}} for n in (1, 2)]
    records, _ = build(listed(*invoices), MISSING)

    ((record,), _) = next(records.pages("invoices", version_of(None)))

    assert record.record_id == "in_2"


@pytest.mark.parametrize(
    "nested", [{"has_more": True, "data": []}, {"has_more": True, "data": [{"id": "il_1"}], "url": ""}]
)
def test_a_nested_list_that_can_not_be_completed_is_malformed(build, nested):
    records, _ = build(listed({"id": "in_1", "lines": nested}))

    with pytest.raises(MalformedPage):
        next(records.pages("invoices", version_of(None)))


@pytest.mark.parametrize("reply", [MISSING, (200, b'{"id": "cus_1", "object": "customer", "deleted": true}')])
def test_a_deleted_or_unknown_object_is_none(build, reply):
    records, _ = build(reply)

    assert records.one("customers", version_of(None), "cus_1") is None
