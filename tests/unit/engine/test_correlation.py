"""The correlation id: one business transaction has one, whatever names the documents go by."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from scene import Row, Scene, relation, settings

from sync_pipelines.engine import correlation
from sync_pipelines.lake import Lake

DEAL = "006A"
SETTINGS = {
    "order": settings("order", systems=["crm", "erp"]),
    "contract": settings("contract", systems=["crm", "billing"]),
    "invoice": settings("invoice", systems=["billing", "erp"], create=["erp"]),
}
ORDER: Row = {"record_id": DEAL, "number": "D-1", "correlation_id": DEAL, "currency": "EUR"}
CONTRACT: Row = {"record_id": "800A", "number": "100", "correlation_id": DEAL, "currency": "EUR"}
INVOICE: Row = {
    "record_id": "in_1",
    "number": "IN-1",
    "correlation_id": "d-1",
    "kind": "invoice",
    "legal_entity": "DE01",
    "customer": "cus_1",
    "issued_on": date(2026, 11, 2),
    "status": "posted",
    "currency": "EUR",
    "net_minor": 100,
    "tax_minor": 19,
    "total_minor": 119,
    "lines": "[]",
}


@pytest.fixture
def books(scene: Callable[..., Scene], lake: Lake) -> Scene:
    """A deal's order and contract in the CRM, and the invoices scene that follows from them."""
    for domain, row in (("order", ORDER), ("contract", CONTRACT)):
        made = scene(domain, systems=SETTINGS[domain].systems)
        made.hold("crm", row)
    invoices = scene("invoice", systems=["billing", "erp"], create=["erp"])
    invoices.link("customer-1", domain="customer", billing="cus_1", erp="3")
    return invoices


def _numbers(lake: Lake) -> dict[str, str]:
    return dict(lake.rows(correlation.numbers(lake, SETTINGS)))


def test_order_and_contract_numbers_tell_the_deal(books: Scene, lake: Lake) -> None:
    assert _numbers(lake) == {"D-1": DEAL, "100": DEAL}


def test_a_number_that_two_deals_share_tells_nothing(books: Scene, lake: Lake, scene: Callable[..., Scene]) -> None:
    twin = {**ORDER, "record_id": "006B", "correlation_id": "006B"}
    scene("order", systems=["crm", "erp"]).hold("crm", ORDER, twin)

    assert _numbers(lake) == {"100": DEAL}


@pytest.mark.parametrize(
    ("named", "told"), [("d-1", DEAL), ("100", DEAL), (DEAL, DEAL), ("D-404", "D-404"), (None, None)]
)
def test_a_write_carries_the_deal_that_its_record_names(
    books: Scene, lake: Lake, named: str | None, told: str | None
) -> None:
    books.hold("billing", {**INVOICE, "correlation_id": named})
    books.hold("erp", fields=["number"])
    books.match()

    (write,) = books.plan("erp", numbers=correlation.numbers(lake, SETTINGS))

    assert write.request.correlation_id == (told or write.link_id)


def test_another_correlation_id_leaves_the_idempotency_key_as_it_is(books: Scene, lake: Lake) -> None:
    books.hold("erp", fields=["number"])
    keys = set()
    for named in ("d-1", "elsewhere", None):
        books.hold("billing", {**INVOICE, "correlation_id": named})
        books.match()
        (write,) = books.plan("erp", numbers=correlation.numbers(lake, SETTINGS))
        keys.add((write.request.write_id, write.request.idempotency_key))

    assert len(keys) == 1


def test_the_leading_record_speaks_for_those_that_are_linked_with_it(books: Scene, lake: Lake) -> None:
    books.hold("billing", INVOICE)
    books.hold("erp", {**INVOICE, "record_id": "7", "correlation_id": "a typing error"}, {**INVOICE, "record_id": "8"})
    members = relation(
        [{"link_id": "l1", "system": s, "record_id": r} for s, r in (("billing", "in_1"), ("erp", "7"))],
        ("link_id", "system", "record_id"),
    )

    with lake.relation("members_of_links", members):
        found = correlation.of_records(
            lake,
            "invoice",
            SETTINGS,
            records=[("billing", "in_1"), ("erp", "7"), ("erp", "8"), ("erp", "404")],
            members="members_of_links",
        )

    assert found == {("billing", "in_1"): DEAL, ("erp", "7"): DEAL, ("erp", "8"): DEAL}
