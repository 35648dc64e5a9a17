"""Fields that are computed when they are read: names of records, totals, what a child takes from its parent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from sync_pipelines.sandbox.store import Document
from sync_pipelines.sandbox.tryton import amount
from sync_pipelines.sandbox.tryton.database import Database

Derived = Callable[[Database, Document], Any]


def value(database: Database, model: str, row: Document, field: str) -> Any:
    """A derived field as a document would keep it."""
    if field == "last_modified_at":
        return row["write_date"] or row["create_date"]
    if field == "rec_name":
        return rec_name(database, model, row)
    if field == "xml_id":
        return None
    return _FIELDS[model][field](database, row)


def rec_name(database: Database, model: str, row: Document) -> str:
    """What people see of a record in messages and references."""
    named = _NAMES.get(model)
    if named is not None:
        return named(database, row)
    return str(row.get("name") or f"({row['id']})")


def totals(database: Database, model: str, row: Document) -> amount.Totals:
    """A sale's or an invoice's totals: those it keeps, or those of its lines."""
    kept = amount.cached(row)
    return kept if kept is not None else fresh_totals(database, model, row)


def fresh_totals(database: Database, model: str, row: Document) -> amount.Totals:
    """The totals of a document's lines; a sale's taxes are computed, an invoice's are records."""
    currency = database.get("currency.currency", row["currency"])
    if model == "sale.sale":
        lines = database.referring("sale.line", "sale", row["id"])
        return amount.totals(lines, (tax.amount for tax in amount.taxes(database, lines, currency)), currency)
    owed = (Decimal(tax["amount"]) for tax in database.referring("account.invoice.tax", "invoice", row["id"]))
    return amount.totals(database.referring("account.invoice.line", "invoice", row["id"]), owed, currency)


def _mechanism(kind: str) -> Derived:
    def first(database: Database, row: Document) -> str:
        found = database.referring("party.contact_mechanism", "party", row["id"])
        ordered = sorted(found, key=lambda m: (m["sequence"] is not None, m["sequence"] or 0, m["id"]))
        return next((str(m["value"]) for m in ordered if m["type"] == kind and m["active"]), "")

    return first


def _of(parent: str, model: str, field: str) -> Derived:
    """A field of the record that `parent` points to."""

    def taken(database: Database, row: Document) -> Any:
        above = database.find(model, row[parent])
        return None if above is None else above[field]

    return taken


def _total(model: str, part: str) -> Derived:
    return lambda database, row: str(getattr(totals(database, model, row), part))


def _line_amount(parent: str, model: str) -> Derived:
    def amounted(database: Database, row: Document) -> str:
        above = database.find(model, row[parent]) or row
        return str(amount.line_amount(row, database.get("currency.currency", above["currency"])))

    return amounted


def _to_pay(database: Database, row: Document) -> str:
    if row["state"] != "posted":
        return "0"
    return str(totals(database, "account.invoice", row).total)


def _currency_date(database: Database, row: Document) -> str:
    return row["invoice_date"] or database.today()


def _company_currency(database: Database, row: Document) -> Any:
    move = database.get("account.move", row["move"])
    return database.get("company.company", move["company"])["currency"]


def _document_name(database: Database, row: Document) -> str:
    words = [row["number"]] if row["number"] else []
    words += [f"[{row['reference']}]"] if row["reference"] else []
    return " ".join(words) or f"({row['id']})"


def _line_name(parent: str, model: str) -> Callable[[Database, Document], str]:
    def named(database: Database, row: Document) -> str:
        product = database.find("product.product", row["product"])
        words = f"({row['id']})"
        if product is not None:
            unit = database.find("product.uom", row["unit"]) or {"symbol": "", "digits": 0}
            count = f"{row['quantity'] or 0:,.{unit['digits']}f}"
            words = f"{count}\u00a0{unit['symbol']} {rec_name(database, 'product.product', product)}"
        above = database.find(model, row[parent])
        return words if above is None else f"{words} @ {_document_name(database, above)}"

    return named


def _product_name(database: Database, row: Document) -> str:
    template = row if "template" not in row else database.get("product.template", row["template"])
    return f"[{row['code']}] {template['name']}" if row["code"] else str(template["name"])


def _address_name(database: Database, row: Document) -> str:
    party = database.find("party.party", row["party"]) or {}
    country = database.find("country.country", row["country"]) or {}
    street = (row["street"] or "").replace("\n", " ")
    words = (row["party_name"] or party.get("name"), street, row["postal_code"], row["city"], country.get("code"))
    return ", ".join(str(word) for word in words if word)


def _mechanism_name(database: Database, row: Document) -> str:
    party = database.find("party.party", row["party"])
    name = row["name"] or (rec_name(database, "party.party", party) if party else "")
    return f"{name} <{row['value']}>"


def _by_party(database: Database, row: Document) -> str:
    return rec_name(database, "party.party", database.get("party.party", row["party"]))


def _account_name(database: Database, row: Document) -> str:
    return f"{row['code']} - {row['name']}" if row["code"] else str(row["name"])


def _move_name(database: Database, row: Document) -> str:
    return str(row["number"] or f"({row['id']})")


_NAMES: Mapping[str, Callable[[Database, Document], str]] = {
    "party.address": _address_name,
    "party.identifier": lambda database, row: str(row["code"]),
    "party.contact_mechanism": _mechanism_name,
    "company.company": _by_party,
    "company.employee": _by_party,
    "product.template": _product_name,
    "product.product": _product_name,
    "account.account": _account_name,
    "account.move": _move_name,
    "account.invoice.tax": lambda database, row: str(row["description"]),
    "sale.sale": _document_name,
    "sale.line": _line_name("sale", "sale.sale"),
    "account.invoice": _document_name,
    "account.invoice.line": _line_name("invoice", "account.invoice"),
}
_OF_TEMPLATE = ("name", "type", "consumable", "salable", "default_uom", "sale_uom", "account_category")
_FIELDS: Mapping[str, Mapping[str, Derived]] = {
    "party.party": {
        **{kind: _mechanism(kind) for kind in ("email", "phone", "mobile", "fax", "website")},
        "full_name": lambda database, row: row["name"],
        "tax_identifier": lambda database, row: None,
    },
    "product.product": {
        **{name: _of("template", "product.template", name) for name in _OF_TEMPLATE},
        "list_price_used": lambda database, row: (
            row["list_price"] or database.get("product.template", row["template"])["list_price"]
        ),
    },
    "account.period": {"company": _of("fiscalyear", "account.fiscalyear", "company")},
    "account.move.line": {
        **{name: _of("move", "account.move", name) for name in ("company", "period", "journal", "date")},
        "currency": _company_currency,
    },
    "sale.sale": {
        "untaxed_amount": _total("sale.sale", "untaxed"),
        "tax_amount": _total("sale.sale", "tax"),
        "total_amount": _total("sale.sale", "total"),
    },
    "sale.line": {
        "amount": _line_amount("sale", "sale.sale"),
        "company": _of("sale", "sale.sale", "company"),
        "currency": _of("sale", "sale.sale", "currency"),
        "customer": _of("sale", "sale.sale", "party"),
        "sale_date": _of("sale", "sale.sale", "sale_date"),
        "sale_state": _of("sale", "sale.sale", "state"),
    },
    "account.invoice": {
        "untaxed_amount": _total("account.invoice", "untaxed"),
        "tax_amount": _total("account.invoice", "tax"),
        "total_amount": _total("account.invoice", "total"),
        "amount_to_pay": _to_pay,
        "has_account_move": lambda database, row: row["move"] is not None,
        "company_party": _of("company", "company.company", "party"),
        "currency_date": _currency_date,
    },
    "account.invoice.line": {
        "amount": _line_amount("invoice", "account.invoice"),
        "invoice_party": _of("invoice", "account.invoice", "party"),
        "invoice_state": _of("invoice", "account.invoice", "state"),
    },
    "account.invoice.tax": {
        "currency": _of("invoice", "account.invoice", "currency"),
        "invoice_state": _of("invoice", "account.invoice", "state"),
    },
}
