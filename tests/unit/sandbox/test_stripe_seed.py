"""An account is filled in bulk and then behaves as if its objects had been made one by one."""

from pathlib import Path

import pytest
from stripe_desk import TODAY, Desk, open_desk

from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.store import Store
from sync_pipelines.sandbox.stripe import seed

ROWS = {
    "customer": [
        {"id": "cus_a", "created": 100, "name": "A", "currency": "usd"},
        {"id": "cus_b", "created": 100, "name": "B"},
    ],
    "product": [{"id": "seat", "created": 90, "name": "Seat", "updated": 90}],
    "price": [
        {
            "id": "price_m",
            "created": 91,
            "product": "seat",
            "currency": "usd",
            "type": "recurring",
            "recurring": {"interval": "month", "interval_count": 1, "usage_type": "licensed"},
            "unit_amount": 1000,
            "unit_amount_decimal": "1000",
        }
    ],
    "subscription": [
        {
            "id": "sub_1",
            "created": 110,
            "customer": "cus_a",
            "items": [{"id": "si_1", "created": 110, "price": {"id": "price_m"}, "quantity": 2}],
        }
    ],
    "invoice": [
        {
            "id": "in_1",
            "created": 120,
            "customer": "cus_a",
            "status": "open",
            "number": "INV-1",
            "total": 1000,
            "subtotal": 1000,
            "amount_due": 1000,
            "amount_remaining": 1000,
            "lines": [{"id": f"il_{n}", "amount": 50, "quantity": 1} for n in range(20)],
        }
    ],
}


@pytest.fixture
def desk() -> Desk:
    desk = open_desk()
    seed(desk.sandbox.store, ROWS)
    return desk


def test_seeded_objects_are_complete_and_in_order(desk: Desk) -> None:
    customers = desk.get("/v1/customers")["data"]

    assert [each["id"] for each in customers] == ["cus_b", "cus_a"]
    assert customers[0]["tax_exempt"] == "none"
    assert desk.get("/v1/subscriptions/sub_1")["items"]["data"][0]["price"]["unit_amount"] == 1000
    assert len(desk.get("/v1/invoices/in_1")["lines"]["data"]) == 10
    assert len(desk.get("/v1/invoices/in_1/lines", limit=100)["data"]) == 20
    assert desk.events() == []
    assert desk.sandbox.state()["writes"] == 0


def test_seeded_objects_can_be_worked_on(desk: Desk) -> None:
    note = desk.post("/v1/credit_notes", invoice="in_1", amount=300)

    assert desk.post("/v1/subscription_items/si_1", quantity=5)["quantity"] == 5
    assert note["number"] == "INV-1-CN-01"
    assert desk.get("/v1/invoices/in_1")["amount_remaining"] == 700


def test_new_objects_come_before_seeded_ones(desk: Desk) -> None:
    new = desk.post("/v1/customers", name="C")["id"]

    assert [each["id"] for each in desk.get("/v1/customers")["data"]] == [new, "cus_b", "cus_a"]


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(ValueError, match="'charge' is no object of this stand-in"):
        seed(Store(None), {"charge": []})


def test_an_account_survives_the_end_of_its_process(tmp_path: Path) -> None:
    path = tmp_path / "stripe.sqlite"
    first = Store(path)
    sandbox = open_sandbox("stripe", first, clock=VirtualClock(TODAY))
    seed(first, ROWS)
    sandbox.vendor.admin("settings", {"account": "acct_other"})
    first.close()

    second = Store(path)
    again = open_sandbox("stripe", second)

    assert again.vendor.account.settings.account == "acct_other"
    assert second.get("customer", "cus_a")["name"] == "A"
    second.close()


def test_a_page_costs_the_same_whether_there_are_few_or_many(desk: Desk) -> None:
    shelf = desk.sandbox.vendor.account.shelves.of("customer")
    before = shelf.keys()
    desk.post("/v1/customers", name="New")

    # The order grew in place: nothing was sorted again.
    assert shelf.keys() is before
    assert len(before) == 3
