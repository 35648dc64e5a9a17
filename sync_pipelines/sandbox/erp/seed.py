"""Fills the ERP from plain rows over its own API, in batches: a posted invoice takes about 0.15 s."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sync_pipelines.clock import SystemClock
from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.sandbox.erp import books
from sync_pipelines.sandbox.erp.server import PASSWORD, USER
from sync_pipelines.systems.tryton.session import Server
from sync_pipelines.systems.tryton.warning import warning_name

Row = Mapping[str, Any]
Progress = Callable[[str, int, int], None]
"""Called with what is being entered, how many are done, and of how many."""

BATCH = 50
CLOSED_BEFORE = date(2026, 4, 1)
_WARNINGS = ("invoice_payment_term", "invoice_taxes")


@dataclass(frozen=True, slots=True)
class ErpSeed:
    """What the ERP holds before the first run.

    parties: code, name, tax_id, email, phone, website, street, city, postal_code, country, active;
    products: code, name, description, list_price, active; sales: reference, party_code, date, currency,
    lines of product_code, quantity, unit_price, which end processed; invoices: the same and taxed,
    which end posted. Amounts are exact decimals or their text.
    """

    parties: Sequence[Row] = ()
    products: Sequence[Row] = ()
    sales: Sequence[Row] = ()
    invoices: Sequence[Row] = ()


def seed(url: str, rows: ErpSeed, *, progress: Progress = lambda what, done, total: None) -> None:
    """Enter everything; `ValueError` names each row that refers to nothing, before anything is entered."""
    server = open_server(url)
    clerk = _Clerk(server, progress)
    problems = list(_problems(rows, clerk))
    if problems:
        raise ValueError("these rows can't be entered:\n" + "\n".join(f"  - {p}" for p in problems))
    clerk.parties(rows.parties)
    clerk.products(rows.products)
    clerk.sales(rows.sales)
    clerk.invoices(rows.invoices)
    clerk.archive(rows)


def close_periods(url: str, *, before: date = CLOSED_BEFORE) -> None:
    """Close the periods that end before a day; what is to be posted there has been posted."""
    server = open_server(url)
    domain = [["end_date", "<", before], ["state", "=", "open"]]
    periods = Server.result(server.ask("account.period", "search", domain, 0, None, None))
    if periods:
        server.tell("account.period", "close", periods)


def open_server(url: str) -> Server:
    """The ERP as its administrator sees it."""
    options = {"user": USER, "password": PASSWORD}
    settings = SystemSettings("erp", "tryton", url, calls_per_second=1000, options=options)
    return Server(settings, clock=SystemClock())


class _Clerk:
    """Enters rows, and remembers the ids of what it entered."""

    def __init__(self, server: Server, progress: Progress) -> None:
        self._server = server
        self._progress = progress
        self.countries = self._ids("country.country", "code")
        self.currencies = self._ids("currency.currency", "code")
        self._rules = self._ids("account.tax.rule", "name")
        self._accounts = self._ids("account.account", "code")
        self._tax = self._ids("account.tax", "name")[books.TAX]
        self._unit = self._ids("product.uom", "symbol")["u"]
        self._category = self._ids("product.category", "name")[books.CATEGORY]
        self._journal = self._ids("account.journal", "code")["REV"]
        self._term = self._ids("account.invoice.payment_term", "name")[books.PAYMENT_TERM]
        self._company = server.context()["company"]
        self._parties: dict[str, int] = {}
        self._addresses: dict[str, int] = {}
        self._products: dict[str, int] = {}
        self._templates: dict[str, int] = {}

    def parties(self, rows: Sequence[Row]) -> None:
        for batch in self._batches("parties", rows):
            ids = self._server.tell("party.party", "create", [self._party(row) for row in batch])
            self._parties.update(zip((row["code"] for row in batch), ids, strict=True))
        addresses = self._map("party.address", "party", list(self._parties.values()))
        self._addresses = {code: addresses[party] for code, party in self._parties.items()}

    def products(self, rows: Sequence[Row]) -> None:
        for batch in self._batches("products", rows):
            ids = self._server.tell("product.template", "create", [self._template(row) for row in batch])
            self._templates.update(zip((row["code"] for row in batch), ids, strict=True))
        variants = self._map("product.product", "template", list(self._templates.values()))
        self._products = {code: variants[template] for code, template in self._templates.items()}

    def sales(self, rows: Sequence[Row]) -> None:
        for batch in self._batches("sales", rows):
            ids = self._server.tell("sale.sale", "create", [self._sale(row) for row in batch])
            for button in ("quote", "confirm", "process"):
                self._server.tell("sale.sale", button, ids)

    def invoices(self, rows: Sequence[Row]) -> None:
        for batch in self._batches("invoices", rows):
            ids = self._server.tell("account.invoice", "create", [self._invoice(row) for row in batch])
            known = [warning_name("account.invoice", record, warning) for warning in _WARNINGS for record in ids]
            user = self._server.user_id()
            self._server.tell("res.user.warning", "create", [{"user": user, "name": name} for name in known])
            self._server.tell("account.invoice", "post", ids)

    def archive(self, rows: ErpSeed) -> None:
        """What is no longer active can only be archived after the documents that refer to it."""
        retired = [row["code"] for row in rows.products if not row["active"]]
        self._archive("product.product", [self._products[code] for code in retired])
        self._archive("product.template", [self._templates[code] for code in retired])
        self._archive("party.party", [self._parties[row["code"]] for row in rows.parties if not row["active"]])

    def _archive(self, object: str, ids: list[int]) -> None:
        if ids:
            self._server.tell(object, "write", ids, {"active": False})

    def _party(self, row: Row) -> dict[str, Any]:
        mechanisms = [{"type": kind, "value": row[kind]} for kind in ("email", "phone", "website") if row[kind]]
        address = {part: row[part] for part in ("street", "city", "postal_code")}
        address["country"] = self.countries[row["country"]] if row["country"] else None
        rule = books.WITH_TAX if row["country"] in books.VAT_COUNTRIES else books.WITHOUT_TAX
        return {
            "code": row["code"],
            "name": row["name"],
            "customer_tax_rule": self._rules[rule],
            "addresses": [("create", [address])],
            "identifiers": [("create", [{"type": None, "code": row["tax_id"]}])] if row["tax_id"] else [],
            "contact_mechanisms": [("create", mechanisms)] if mechanisms else [],
        }

    def _template(self, row: Row) -> dict[str, Any]:
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

    def _sale(self, row: Row) -> dict[str, Any]:
        address = self._addresses[row["party_code"]]
        return {
            **self._document(row),
            "sale_date": str(row["date"]),
            "shipment_address": address,
            "invoice_method": "manual",
            "shipment_method": "manual",
            "lines": [("create", [self._line(line) for line in row["lines"]])],
        }

    def _invoice(self, row: Row) -> dict[str, Any]:
        more = {
            "company": self._company,
            "currency": self.currencies[row["currency"]],
            "account": self._accounts[books.ACCOUNTS["revenue"]],
            "taxes": [("add", [self._tax])] if row["taxed"] else [],
        }
        return {
            **self._document(row),
            "type": "out",
            "number": row["reference"],
            "invoice_date": str(row["date"]),
            "journal": self._journal,
            "account": self._accounts[books.ACCOUNTS["receivable"]],
            "lines": [("create", [{**self._line(line), **more} for line in row["lines"]])],
        }

    def _document(self, row: Row) -> dict[str, Any]:
        return {
            "reference": row["reference"],
            "company": self._company,
            "party": self._parties[row["party_code"]],
            "invoice_address": self._addresses[row["party_code"]],
            "currency": self.currencies[row["currency"]],
            "payment_term": self._term,
        }

    def _line(self, line: Row) -> dict[str, Any]:
        return {
            "type": "line",
            "product": self._products[line["product_code"]],
            "quantity": str(line["quantity"]),
            "unit": self._unit,
            "unit_price": str(line["unit_price"]),
        }

    def _batches(self, what: str, rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
        for start in range(0, len(rows), BATCH):
            yield rows[start : start + BATCH]
            self._progress(what, min(start + BATCH, len(rows)), len(rows))

    def _ids(self, object: str, field: str) -> dict[str, int]:
        body = self._server.ask(object, "search_read", [], 0, None, None, [field])
        return {row[field]: row["id"] for row in Server.result(body)}

    def _map(self, object: str, parent: str, ids: list[int]) -> dict[int, int]:
        body = self._server.ask(object, "search_read", [[parent, "in", ids]], 0, None, [["id", "DESC"]], [parent])
        return {row[parent]: row["id"] for row in Server.result(body)}


def _problems(rows: ErpSeed, clerk: _Clerk) -> Iterator[str]:
    """Every reference that leads nowhere."""
    parties = {row["code"] for row in rows.parties}
    products = {row["code"] for row in rows.products}
    for row in rows.parties:
        if row["country"] and row["country"] not in clerk.countries:
            yield f"party {row['code']} is in {row['country']!r}, a country that the ERP does not know"
    for kind, documents in (("sale", rows.sales), ("invoice", rows.invoices)):
        for row in documents:
            what = f"{kind} {row['reference']}"
            if row["party_code"] not in parties:
                yield f"{what} names the party {row['party_code']!r}, which is not among the parties"
            if row["currency"] not in clerk.currencies:
                yield f"{what} is in {row['currency']!r}, a currency that the ERP does not know"
            unknown = {line["product_code"] for line in row["lines"]} - products
            for code in sorted(unknown):
                yield f"{what} sells {code!r}, which is not among the products"
