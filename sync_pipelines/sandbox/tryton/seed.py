"""Fills the ERP from the plain rows that the real one is filled from, and closes the first quarter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.erp import books
from sync_pipelines.sandbox.faults import FaultPlan
from sync_pipelines.sandbox.store import Store
from sync_pipelines.sandbox.tryton import posting, sale
from sync_pipelines.sandbox.tryton.database import COMPANY, Database
from sync_pipelines.sandbox.tryton.founding import OPEN_FROM, found
from sync_pipelines.sandbox.tryton.saving import Writer

Row = Mapping[str, Any]

BATCH = 50
"""Rows in one transaction: they carry one instant."""
EMPLOYEE = 1
_REVENUE, _RECEIVABLE = books.ACCOUNTS["revenue"], books.ACCOUNTS["receivable"]


def seed(store: Store, rows: Mapping[str, Sequence[Row]], *, at: datetime | None = None) -> dict[str, int]:
    """Enter `parties`, `products`, `sales` (processed) and `invoices` (posted); how many of each.

    The rows are those of the real server's seed; `at` dates the entries, without it they are dated now. Periods
    that end before April are closed afterwards. A row that refers to nothing is a `LookupError`.
    """
    found(store)
    clerk = _Clerk(Database(store, clock=VirtualClock(at), faults=FaultPlan()))
    clerk.parties(rows.get("parties", ()))
    clerk.products(rows.get("products", ()))
    clerk.sales(rows.get("sales", ()))
    clerk.invoices(rows.get("invoices", ()))
    clerk.archive(rows)
    clerk.close_periods()
    return {name: len(given) for name, given in rows.items()}


class _Clerk:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._writer = Writer(database, company=COMPANY)
        self._countries = self._ids("country.country", "code")
        self._currencies = self._ids("currency.currency", "code")
        self._rules = self._ids("account.tax.rule", "name")
        self._accounts = self._ids("account.account", "code")
        self._tax = self._ids("account.tax", "name")[books.TAX]
        self._unit = self._ids("product.uom", "symbol")["u"]
        self._category = self._ids("product.category", "name")[books.CATEGORY]
        self._journal = self._ids("account.journal", "code")["REV"]
        self._term = self._ids("account.invoice.payment_term", "name")[books.PAYMENT_TERM]
        self._parties: dict[str, int] = {}
        self._products: dict[str, int] = {}

    def parties(self, rows: Sequence[Row]) -> None:
        for batch in self._batches(rows):
            ids = self._create("party.party", [self._party(row) for row in batch])
            self._parties |= zip((row["code"] for row in batch), ids, strict=True)

    def products(self, rows: Sequence[Row]) -> None:
        for batch in self._batches(rows):
            ids = self._create("product.template", [self._template(row) for row in batch])
            self._products |= zip((row["code"] for row in batch), ids, strict=True)

    def sales(self, rows: Sequence[Row]) -> None:
        for batch in self._batches(rows):
            ids = self._create("sale.sale", [self._sale(row) for row in batch])
            for button in ("quote", "confirm", "process"):
                sale.press(self._database, button, ids, EMPLOYEE)

    def invoices(self, rows: Sequence[Row]) -> None:
        for batch in self._batches(rows):
            ids = self._create("account.invoice", [self._invoice(row) for row in batch])
            posting.post(self._database, ids, EMPLOYEE, questions=False)

    def archive(self, rows: Mapping[str, Sequence[Row]]) -> None:
        retired = [self._products[row["code"]] for row in rows.get("products", ()) if not row["active"]]
        gone = [self._parties[row["code"]] for row in rows.get("parties", ()) if not row["active"]]
        for model, ids in (
            ("product.product", [self._variant(template) for template in retired]),
            ("product.template", retired),
            ("party.party", gone),
        ):
            with self._database.transaction():
                self._writer.write(self._database.model(model), [(ids, {"active": False})])

    def close_periods(self) -> None:
        with self._database.transaction():
            for period in self._database.store.all("account.period"):
                if period["end_date"] < OPEN_FROM.isoformat() and period["state"] == "open":
                    self._database.change("account.period", period["id"], {"state": "closed"})

    def _create(self, model: str, values: Sequence[Row]) -> list[int]:
        return self._writer.create(self._database.model(model), values)

    def _party(self, row: Row) -> Row:
        mechanisms = [{"type": kind, "value": row[kind]} for kind in ("email", "phone", "website") if row[kind]]
        address = {part: row[part] for part in ("street", "city", "postal_code")}
        address["country"] = self._countries[row["country"]] if row["country"] else None
        rule = books.WITH_TAX if row["country"] in books.VAT_COUNTRIES else books.WITHOUT_TAX
        return {
            "code": row["code"],
            "name": row["name"],
            "customer_tax_rule": self._rules[rule],
            "addresses": [("create", [address])],
            "identifiers": [("create", [{"code": row["tax_id"]}])] if row["tax_id"] else [],
            "contact_mechanisms": [("create", mechanisms)] if mechanisms else [],
        }

    def _template(self, row: Row) -> Row:
        return {
            "code": row["code"],
            "name": row["name"],
            "type": "service",
            "salable": True,
            "default_uom": self._unit,
            "sale_uom": self._unit,
            "list_price": str(row["list_price"]),
            "account_category": self._category,
            "products": [("create", [{"description": row["description"]}])],
        }

    def _sale(self, row: Row) -> Row:
        document = self._document(row)
        return {
            **document,
            "sale_date": str(row["date"]),
            "shipment_address": document["invoice_address"],
            "invoice_method": "manual",
            "shipment_method": "manual",
            "lines": [("create", [self._line(line) for line in row["lines"]])],
        }

    def _invoice(self, row: Row) -> Row:
        more = {
            "company": COMPANY,
            "currency": self._currencies[row["currency"]],
            "account": self._accounts[_REVENUE],
            "taxes": [("add", [self._tax])] if row["taxed"] else [],
        }
        return {
            **self._document(row),
            "type": "out",
            "number": row["reference"],
            "invoice_date": str(row["date"]),
            "journal": self._journal,
            "account": self._accounts[_RECEIVABLE],
            "lines": [("create", [{**self._line(line), **more} for line in row["lines"]])],
        }

    def _document(self, row: Row) -> dict[str, Any]:
        party = self._parties[row["party_code"]]
        return {
            "reference": row["reference"],
            "company": COMPANY,
            "party": party,
            "invoice_address": self._database.referring("party.address", "party", party)[0]["id"],
            "currency": self._currencies[row["currency"]],
            "payment_term": self._term,
        }

    def _line(self, line: Row) -> Row:
        return {
            "type": "line",
            "product": self._variant(self._products[line["product_code"]]),
            "quantity": str(line["quantity"]),
            "unit": self._unit,
            "unit_price": str(line["unit_price"]),
        }

    def _variant(self, template: int) -> int:
        return int(self._database.referring("product.product", "template", template)[0]["id"])

    def _ids(self, model: str, field: str) -> dict[str, int]:
        return {row[field]: row["id"] for row in self._database.store.all(model)}

    def _batches(self, rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
        for start in range(0, len(rows), BATCH):
            with self._database.transaction():
                yield rows[start : start + BATCH]
