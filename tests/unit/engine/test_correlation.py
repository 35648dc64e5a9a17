"""The correlation id: one business transaction has one, whatever names the documents go by."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from scene import Row, Scene, relation, settings

from sync_pipelines.domains import DOMAINS
from sync_pipelines.engine import correlation
from sync_pipelines.engine.port import Operation
from sync_pipelines.lake import Lake

DEAL = "006A"
SETTINGS = {
    "order": settings("order", systems=["crm", "erp"]),
    "contract": settings("contract", systems=["crm", "billing"]),
    "invoice": settings("invoice", systems=["billing", "erp"], create=["erp"]),
}
ORDER: Row = {"record_id": DEAL, "number": "D-1", "correlation_id": DEAL, "currency": "EUR"}
WHOLE_ORDER: Row = {
    **ORDER,
    "legal_entity": "DE01",
    "customer": "001",
    "ordered_on": date(2026, 11, 1),
    "status": "confirmed",
    "net_minor": 100,
    "lines": "[]",
}
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


# What is undone last


@pytest.fixture
def cancelled(scene: Callable[..., Scene], lake: Lake) -> Callable[..., list[Operation]]:
    """Plans for the ERP after a deal was cancelled, of which the ERP holds the order and some invoices."""

    def planned(*invoices: Row, told: Row | None = None) -> list[Operation]:
        orders = scene("order", systems=["crm", "erp"], void=["erp"])
        orders.link("customer-1", domain="customer", crm="001", billing="cus_1", erp="3")
        orders.hold("crm", {**WHOLE_ORDER, "status": "cancelled"})
        orders.hold("erp", {**WHOLE_ORDER, "record_id": "5", "customer": "3", "correlation_id": None})
        orders.match()
        papers = scene("invoice", systems=["billing", "erp"])
        papers.hold("billing", *({**INVOICE, **each, **(told or {})} for each in invoices))
        papers.hold("erp", *({**INVOICE, **each, "customer": "3", "correlation_id": None} for each in invoices))
        papers.links = orders.links
        papers.match()
        orders.links = papers.links
        with orders.linking():
            standing = correlation.standing(lake, orders.domain, SETTINGS, target="erp")
        writes = orders.plan("erp", numbers=correlation.numbers(lake, SETTINGS), standing=standing)
        planned.held = list(orders.waiting("erp").values())
        return [w.request.operation for w in writes]

    return planned


def test_an_order_is_voided_after_the_invoices_of_its_deal(cancelled: Callable[..., list[Operation]]) -> None:
    assert cancelled(INVOICE, {**INVOICE, "record_id": "in_2", "number": "IN-2", "status": "void"}) == []
    assert cancelled.held == ["its invoice IN-1 still counts in erp, and is voided or credited first"]

    assert cancelled({**INVOICE, "status": "void"}) == [Operation.VOID]


def test_a_draft_of_an_invoice_is_cancelled_before_its_order_too(cancelled: Callable[..., list[Operation]]) -> None:
    assert cancelled({**INVOICE, "status": "draft"}) == []


def test_an_order_is_voided_once_its_invoices_are_credited(cancelled: Callable[..., list[Operation]]) -> None:
    credit = {"record_id": "cn_1", "number": "CN-1", "kind": "credit"}
    part = {**INVOICE, **credit, "net_minor": -50, "tax_minor": 0, "total_minor": -50}
    whole = {**INVOICE, **credit, "net_minor": -100, "tax_minor": -19, "total_minor": -119}

    assert cancelled(INVOICE, part) == []
    assert cancelled(INVOICE, whole) == [Operation.VOID]


@pytest.mark.parametrize("named", ["D-404", None])
def test_an_invoice_that_belongs_to_another_deal_or_none_holds_no_order_back(
    cancelled: Callable[..., list[Operation]], named: str | None
) -> None:
    assert cancelled(INVOICE, told={"correlation_id": named}) == [Operation.VOID]


def test_where_invoices_are_not_synchronised_nothing_holds_an_order_back(books: Scene, lake: Lake) -> None:
    books.hold("erp", {**INVOICE, "record_id": "7"})

    with books.linking():
        alone = correlation.standing(lake, DOMAINS["order"], {"order": SETTINGS["order"]}, target="erp")
        assert lake.rows(alone) == []
        assert lake.rows(correlation.standing(lake, DOMAINS["order"], SETTINGS, target="elsewhere")) == []
