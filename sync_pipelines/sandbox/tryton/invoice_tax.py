"""The tax records of a draft invoice, kept in step with its lines."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sync_pipelines.sandbox.tryton import amount
from sync_pipelines.sandbox.tryton.database import ADMINISTRATOR, Database

MODEL = "account.invoice.tax"


def update_taxes(database: Database, invoice: int) -> bool:
    """Make, change and delete tax records until they are what the lines owe; whether anything changed.

    Those that somebody entered by hand stay.
    """
    row = database.get("account.invoice", invoice)
    currency = database.get("currency.currency", row["currency"])
    lines = database.referring("account.invoice.line", "invoice", invoice)
    owed = {tax.key: tax for tax in amount.taxes(database, lines, currency)}
    changed = False
    for held in database.referring(MODEL, "invoice", invoice):
        key = (held["account"], held["tax"], Decimal(held["base"]) >= 0)
        if held["manual"]:
            continue
        tax = owed.pop(key, None)
        if tax is None:
            database.remove(MODEL, held["id"])
            changed = True
        elif tax.base != Decimal(held["base"]):
            database.change(MODEL, held["id"], {"base": str(tax.base), "amount": str(tax.amount)})
            changed = True
    for tax in owed.values():
        database.put(MODEL, _record(database, invoice, tax))
    return changed or bool(owed)


def _record(database: Database, invoice: int, tax: amount.Tax) -> dict[str, Any]:
    return {
        "id": database.next_id(MODEL),
        "create_uid": ADMINISTRATOR,
        "create_date": database.began,
        "write_uid": None,
        "write_date": None,
        "invoice": invoice,
        "sequence": None,
        "description": database.get("account.tax", tax.tax)["description"],
        "legal_notice": None,
        "manual": False,
        "account": tax.account,
        "tax": tax.tax,
        "base": str(tax.base),
        "amount": str(tax.amount),
    }
