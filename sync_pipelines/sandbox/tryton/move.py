"""The move that a posted invoice enters into the books: revenue and tax against what the customer owes."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from sync_pipelines.sandbox.store import Document
from sync_pipelines.sandbox.tryton.amount import ZERO, Totals, converted, line_amount
from sync_pipelines.sandbox.tryton.database import ADMINISTRATOR, Database

MOVE = "account.move"
LINE = "account.move.line"
Values = dict[str, Any]


def enter(database: Database, invoice: Document, totals: Totals, *, day: str, period: int, due: str) -> int:
    """A posted move that balances in the company's currency; its id."""
    move = database.next_id(MOVE)
    stamps = {"create_uid": ADMINISTRATOR, "create_date": database.began}
    stamps |= {"write_uid": ADMINISTRATOR, "write_date": database.began}
    database.put(
        MOVE,
        {
            "id": move,
            **stamps,
            "number": str(database.next_gapless(f"sequence {MOVE}")),
            "company": invoice["company"],
            "period": period,
            "journal": invoice["journal"],
            "date": day,
            "post_date": database.today(),
            "description": None,
            "origin": f"account.invoice,{invoice['id']}",
            "state": "posted",
        },
    )
    for line in _lines(database, invoice, totals, due):
        database.put(LINE, {"id": database.next_id(LINE), **stamps, "move": move, "state": "valid", **line})
    return move


def _lines(database: Database, invoice: Document, totals: Totals, due: str) -> Iterator[Values]:
    currency = database.get("currency.currency", invoice["currency"])
    balance = ZERO
    for line in database.referring("account.invoice.line", "invoice", invoice["id"]):
        if line["type"] == "line":
            origin = f"account.invoice.line,{line['id']}"
            entry = _entry(database, invoice, currency, -line_amount(line, currency))
            balance += _signed(entry)
            yield {**entry, "account": line["account"], "origin": origin}
    for tax in database.referring("account.invoice.tax", "invoice", invoice["id"]):
        if Decimal(tax["amount"]):
            origin = f"account.invoice.tax,{tax['id']}"
            entry = _entry(database, invoice, currency, -Decimal(tax["amount"]))
            balance += _signed(entry)
            yield {**entry, "account": tax["account"], "origin": origin, "description": tax["description"]}
    owed = _entry(database, invoice, currency, totals.total)
    balance += _signed(owed)
    yield {**owed, "account": invoice["account"], "party": invoice["party"], "maturity_date": due}
    if balance:
        entry = _entry(database, {**invoice, "currency": _book_currency(database, invoice)["id"]}, currency, -balance)
        yield {**entry, "account": _exchange_account(database)}


def _entry(database: Database, invoice: Document, currency: Document, amount: Decimal) -> Values:
    """An amount to be debited (credited where it is negative), and where it is foreign also as it was."""
    own = _book_currency(database, invoice)
    is_foreign = invoice["currency"] != own["id"]
    booked = converted(database, amount, currency if is_foreign else own, own)
    return {
        "debit": str(max(booked, ZERO)),
        "credit": str(max(-booked, ZERO)),
        "second_currency": currency["id"] if is_foreign else None,
        "amount_second_currency": str(amount) if is_foreign else None,
        "party": None,
        "maturity_date": None,
        "description": None,
        "origin": None,
    }


def _book_currency(database: Database, invoice: Document) -> Document:
    company = database.get("company.company", invoice["company"])
    return database.get("currency.currency", company["currency"])


def _exchange_account(database: Database) -> int:
    return int(next(a["id"] for a in database.store.all("account.account") if a["kind"] == "exchange"))


def _signed(entry: Values) -> Decimal:
    return Decimal(entry["debit"]) - Decimal(entry["credit"])
