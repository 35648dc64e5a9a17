"""The records that the ERP has before anybody enters anything, as the real server's set-up makes them."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from sync_pipelines.sandbox.erp import books
from sync_pipelines.sandbox.store import Store
from sync_pipelines.sandbox.tryton.database import ADMINISTRATOR, COMPANY
from sync_pipelines.sandbox.tryton.schema import load_schema
from sync_pipelines.sandbox.tryton.value import micros

Row = Mapping[str, Any]

LOGIN = "admin"
CLERK = 2
GROUPS = list(range(1, 9))
"""Those of the administrator."""
FOUNDED = micros(datetime(books.YEAR, 1, 1, tzinfo=UTC))
OPEN_FROM = date(books.YEAR, 4, 1)
"""Earlier periods are closed once the books are seeded."""
_ACCOUNTS = (
    ("1.2.1", "Accounts, Notes And Loans Receivable", "receivable"),
    ("2.1.1", "Accounts Payable", "payable"),
    ("4.2.2", "Services", "revenue"),
    ("5.1.1", "Merchandise, Material, Parts And Supplies", "expense"),
    ("6.2.1", "Foreign Currency Transaction Gain (Loss)", "exchange"),
    ("6.3.6", "Non-Deductible VAT (GST)", "tax"),
)
_JOURNALS = (
    ("REV", "Revenue", "revenue"),
    ("EXP", "Expense", "expense"),
    ("CASH", "Cash", "cash"),
    ("MISC", "Miscellaneous", "general"),
)
_TERMS = (("Upon Receipt", 0), ("Net 10 days", 10), ("Net 15 days", 15), ("Net 30 days", 30), ("Net 60 days", 60))


def found(store: Store) -> None:
    """Enter the company and its books, unless they are there."""
    if store.count("company.company"):
        return
    for model, rows in {**_company(), **_ledger()}.items():
        _load(store, model, rows)


def _company() -> Mapping[str, Iterable[Row]]:
    """Whose books these are, and in which world they are kept."""
    code, name = books.COMPANY
    user = {"name": "Administrator", "login": LOGIN, "email": "admin@example.test"}
    return {
        "res.user": [{**user, "company": COMPANY, "employee": 1, "groups": GROUPS}],
        "party.party": [_party(code, name), _party(f"{code}-INT", "Integration")],
        "company.company": [{"party": 1, "currency": 1, "timezone": "America/New_York"}],
        "company.employee": [{"party": CLERK, "company": COMPANY}],
        "country.country": [{"code": code, "name": name} for code, name in books.COUNTRIES.items()],
        "currency.currency": [_currency(*row) for row in books.CURRENCIES],
        "product.uom": [{"name": "Unit", "symbol": "u", "digits": 0, "rounding": 1.0}],
    }


def _ledger() -> Mapping[str, Iterable[Row]]:
    """Accounts, taxes, periods and terms."""
    _, _, revenue, expense, _, tax = range(1, len(_ACCOUNTS) + 1)
    own = {"company": COMPANY}
    year = {"name": str(books.YEAR), "start_date": f"{books.YEAR}-01-01", "end_date": f"{books.YEAR}-12-31"}
    vat = {"name": books.TAX, "description": books.TAX, "rate": "0.20"}
    category = {"name": books.CATEGORY, "accounting": True, "customer_taxes": [1]}
    return {
        "account.account": [_account(*row) for row in _ACCOUNTS],
        "account.journal": [{"code": code, "name": name, "type": kind} for code, name, kind in _JOURNALS],
        "account.tax": [{**vat, "invoice_account": tax, "credit_note_account": tax, **own}],
        "account.tax.rule": [{"name": name, "kind": "sale", **own} for name in (books.WITH_TAX, books.WITHOUT_TAX)],
        "account.tax.rule.line": [{"rule": 1, "origin_tax": 1, "tax": 1}, {"rule": 2, "origin_tax": 1, "tax": None}],
        "account.invoice.payment_term": [{"name": name, "days": days} for name, days in _TERMS],
        "account.fiscalyear": [{**year, **own}],
        "account.period": [_period(month) for month in range(1, 13)],
        "product.category": [{**category, "account_revenue": revenue, "account_expense": expense}],
    }


def _load(store: Store, model: str, rows: Iterable[Row]) -> None:
    blank = load_schema()[model].blank
    stamps = {"create_uid": ADMINISTRATOR, "create_date": FOUNDED, "write_uid": None, "write_date": None}
    numbered = enumerate(rows, 1)
    documents = {str(number): {**blank, **stamps, **row, "id": number} for number, row in numbered}
    store.load(model, documents)


def _party(code: str, name: str) -> Row:
    digits = "".join(letter for letter in code if letter.isdigit())
    return {"code": code, "name": name, "code_alnum": code.replace("-", ""), "code_digit": int(digits)}


def _account(code: str, name: str, kind: str) -> Row:
    settled = {"reconcile": kind == "receivable", "party_required": kind in ("receivable", "payable")}
    return {"code": code, "name": name, "kind": kind, "company": COMPANY, **settled}


def _currency(code: str, name: str, number: str, rounding: str, digits: int, rate: str) -> Row:
    named = {"code": code, "name": name, "numeric_code": number, "symbol": code}
    return {**named, "rounding": rounding, "digits": digits, "rate": rate}


def _period(month: int) -> Row:
    last = date(books.YEAR, month, monthrange(books.YEAR, month)[1])
    name = f"{books.YEAR}-{month:02d}"
    return {"name": name, "start_date": f"{name}-01", "end_date": last.isoformat(), "fiscalyear": 1}
