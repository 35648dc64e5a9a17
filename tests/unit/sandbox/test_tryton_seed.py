"""The Tryton stand-in's own seed enters what the real server's seed enters over the API."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from sync_pipelines.sandbox import erp
from sync_pipelines.sandbox.company import generate
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.server import serve
from sync_pipelines.sandbox.store import Store
from sync_pipelines.sandbox.tryton import seed

AT = datetime(2026, 11, 20, tzinfo=UTC)
PARTY = {"tax_id": "", "email": "", "phone": "", "website": "", "city": "Troy", "postal_code": "1", "active": True}
ROWS: dict[str, list[dict[str, Any]]] = {
    "parties": [
        {**PARTY, "code": "C-1", "name": "Acme", "street": "1 Main St", "country": "US", "email": "ap@acme.example"},
        {**PARTY, "code": "C-2", "name": "Söhne", "street": None, "country": "DE", "tax_id": "DE 1"},
        {**PARTY, "code": "P0003", "name": "Gone KK", "street": "x", "country": None, "active": False},
    ],
    "products": [
        {"code": "SKU-1", "name": "Seat", "description": "One user", "list_price": "30.50", "active": True},
        {"code": "SKU-2", "name": "Fax", "description": None, "list_price": Decimal("500.00"), "active": False},
    ],
    "sales": [{"reference": "D-1", "party_code": "C-2", "date": date(2026, 2, 3), "currency": "EUR"}],
    "invoices": [
        {"reference": "IN-1", "party_code": "C-2", "date": date(2026, 2, 3), "currency": "EUR", "taxed": True},
        {"reference": "CN-1", "party_code": "P0003", "date": date(2026, 5, 6), "currency": "JPY", "taxed": False},
    ],
}
ROWS["sales"][0]["lines"] = ROWS["invoices"][0]["lines"] = [
    {"product_code": "SKU-1", "quantity": 3, "unit_price": Decimal("30.50")},
    {"product_code": "SKU-2", "quantity": 1, "unit_price": Decimal("9.00")},
]
ROWS["invoices"][1]["lines"] = [{"product_code": "SKU-2", "quantity": -2, "unit_price": Decimal(1500)}]
STAMPS = ("create_date", "write_date", "quotation_date", "post_date")


def contents(store: Store) -> dict[str, list[Mapping[str, Any]]]:
    """Every record without its times."""
    return {
        name: [{key: value for key, value in row.items() if key not in STAMPS} for row in store.all(name)]
        for name in store.tables()
        if name != "res.user.warning"
    }


def test_both_seeds_leave_the_same_records():
    direct, called = Store(None), Store(None)
    with serve(open_sandbox("tryton", called)) as running:
        url = f"{running.url}/erp"
        erp.seed(url, erp.ErpSeed(**ROWS))
        erp.close_periods(url)

    assert seed(direct, ROWS, at=AT) == {"parties": 3, "products": 2, "sales": 1, "invoices": 2}
    assert contents(direct) == contents(called)


def test_documents_are_posted_and_processed_before_the_first_quarter_closes():
    store = Store(None)
    seed(store, ROWS, at=AT)

    assert [(row["number"], row["state"], row["total_amount_cache"]) for row in store.all("account.invoice")] == [
        ("IN-1", "posted", "120.60"),
        ("CN-1", "posted", "-3000"),
    ]
    assert [row["state"] for row in store.all("sale.sale")] == ["processing"]
    closed = [row["name"] for row in store.all("account.period") if row["state"] == "closed"]
    assert closed == ["2026-01", "2026-02", "2026-03"]


def test_the_books_balance():
    store = Store(None)
    seed(store, ROWS, at=AT)

    for move in store.all("account.move"):
        lines = store.find("account.move.line", "move", move["id"])
        assert sum(Decimal(line["debit"]) - Decimal(line["credit"]) for line in lines) == 0, move["number"]


def test_the_simulated_company_fits_the_books_to_the_cent():
    made = generate(7, 1).erp
    store = Store(None)
    told = seed(store, made, at=AT)

    expected = {
        row["reference"]: sum(line["quantity"] * Decimal(line["unit_price"]) for line in row["lines"])
        for row in made["invoices"]
    }
    assert {name: len(rows) for name, rows in made.items()} == told
    assert {row["number"]: Decimal(row["untaxed_amount_cache"]) for row in store.all("account.invoice")} == expected


def test_a_row_that_refers_to_nothing_is_no_seed():
    lost = {**ROWS["sales"][0], "party_code": "C-9"}

    with pytest.raises(LookupError, match="C-9"):
        seed(Store(None), {**ROWS, "sales": [lost]}, at=AT)
