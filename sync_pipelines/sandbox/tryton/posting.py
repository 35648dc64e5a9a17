"""What the buttons of an invoice do. Posting numbers it, warns, finds the period, and enters a move."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from sync_pipelines.sandbox.store import Document
from sync_pipelines.sandbox.tryton import amount, derived, rule
from sync_pipelines.sandbox.tryton.database import ADMINISTRATOR, Database
from sync_pipelines.sandbox.tryton.fault import UserError, Warned
from sync_pipelines.sandbox.tryton.invoice_tax import update_taxes
from sync_pipelines.sandbox.tryton.move import enter

INVOICE = "account.invoice"
LINE = "account.invoice.line"
WARNING = "res.user.warning"
STATES = {
    "post": ("draft", "validated"),
    "validate_invoice": ("draft",),
    "cancel": ("draft", "validated"),
    "process": ("posted", "paid"),
    "draft": ("draft", "validated", "posted", "paid", "cancelled"),
}
"""In which states each button can be called."""


def press(database: Database, button: str, ids: Sequence[int], employee: int | None) -> None:
    """Change the state of invoices together: one that is refused keeps all from it."""
    invoices = [database.get(INVOICE, record_id) for record_id in ids]
    for invoice in invoices:
        if invoice["state"] not in STATES[button]:
            name = derived.rec_name(database, INVOICE, invoice)
            raise UserError(f'You can not call "{button}" on "{name}" of "Account Invoice".')
    match button:
        case "post":
            post(database, ids, employee)
        case "validate_invoice":
            _change_all(database, ids, {"state": "validated", "validated_by": employee})
        case "cancel":
            for invoice in invoices:
                totals = derived.fresh_totals(database, INVOICE, invoice)
                database.change(INVOICE, invoice["id"], {"state": "cancelled", **amount.kept(totals)})
        case "draft":
            _change_all(database, [i["id"] for i in invoices if _can_be_redrawn(i)], {"state": "draft", **_NO_TOTALS})
    for record_id in ids:
        rule.validate(database, database.model(INVOICE), database.get(INVOICE, record_id))


def warning_name(records: Sequence[int], warning: str) -> str:
    """The name under which a user notes a warning about some invoices as read."""
    key = "|".join(f"{INVOICE},{record_id}" for record_id in records)
    return f"{hashlib.md5(key.encode()).hexdigest()}.{warning}"


_NO_TOTALS = dict.fromkeys(("untaxed_amount_cache", "tax_amount_cache", "total_amount_cache"))


def _change_all(database: Database, ids: Sequence[int], values: dict[str, Any]) -> None:
    for record_id in ids:
        database.change(INVOICE, record_id, values)


def _can_be_redrawn(invoice: Document) -> bool:
    return invoice["state"] == "validated" or (invoice["state"] == "cancelled" and not invoice["cancel_move"])


def post(database: Database, ids: Sequence[int], employee: int | None, *, questions: bool = True) -> None:
    """Number draft invoices and enter them into the books; without questions nothing is warned of."""
    read: set[str] | None = set() if questions else None
    if read is not None:
        _warn_of_the_future(database, ids, read)
        for record_id in ids:
            _warn_of_taxes(database, database.get(INVOICE, record_id), read)
    for record_id in sorted(ids, key=lambda i: database.get(INVOICE, i)["invoice_date"] or database.today()):
        _number(database, database.get(INVOICE, record_id))
    for record_id in ids:
        _enter(database, record_id, employee, read)
    for name in read or ():
        for noted in database.store.find(WARNING, "name", name):
            if not noted["always"]:
                database.remove(WARNING, noted["id"])


def _enter(database: Database, record_id: int, employee: int | None, read: set[str] | None) -> None:
    if update_taxes(database, record_id):
        name = derived.rec_name(database, INVOICE, database.get(INVOICE, record_id))
        raise UserError(
            f'The taxes on invoice "{name}" are not valid, you must save it again to force them to be recalculated.'
        )
    invoice = database.get(INVOICE, record_id)
    due = _due(database, invoice)
    if read is not None:
        _warn_of_the_past(database, invoice, due, read)
    day = invoice["accounting_date"] or invoice["invoice_date"] or database.today()
    period = open_period(database, day)
    totals = derived.fresh_totals(database, INVOICE, invoice)
    move = enter(database, invoice, totals, day=day, period=period, due=due)
    posted = {"state": "posted", "posted_by": employee, "move": move, **amount.kept(totals)}
    database.change(INVOICE, record_id, posted)


def open_period(database: Database, day: str) -> int:
    """The period of a day; `UserError` where there is none or it is closed."""
    found = [p for p in database.store.all("account.period") if p["start_date"] <= day <= p["end_date"]]
    company = database.store.all("company.company")[0]
    name = derived.rec_name(database, "company.company", company)
    if not found:
        raise UserError(
            f'To continue, you must create a period for the date "{database.american(day)}" and company "{name}".'
        )
    if found[0]["state"] != "open":
        raise UserError(
            f'To continue, you must reopen the period "{found[0]["name"]}" of company "{name}"'
            f' for the date "{database.american(day)}".'
        )
    return int(found[0]["id"])


def _number(database: Database, invoice: Document) -> None:
    """One that brought its own number keeps it; the others are numbered in the order of their dates."""
    if invoice["number"]:
        return
    day = invoice["invoice_date"] or database.today()
    open_period(database, day)
    after = [
        other
        for other in database.referring(INVOICE, "sequence", 1)
        if other["invoice_date"] and other["invoice_date"] > day
    ]
    if after:
        name, latest = (derived.rec_name(database, INVOICE, one) for one in (invoice, after[-1]))
        raise UserError(
            f'To number the invoice "{name}", you must set an invoice date after "{database.american(day)}"'
            f' because the sequence "Invoice 2026" has already been used for invoice "{latest}".'
        )
    number = str(database.next_gapless("sequence account.invoice"))
    totals = derived.fresh_totals(database, INVOICE, invoice)
    kind = "credit_note" if totals.total < 0 else "invoice"
    given = {"number": number, "invoice_date": day, "sequence": 1, "sequence_type_cache": kind}
    numbers = {"number_alnum": number, "number_digit": int(number)}
    database.change(INVOICE, invoice["id"], {**given, **numbers})


def _due(database: Database, invoice: Document) -> str:
    """The day on which the payment term, if there is one, asks for the whole."""
    today = database.today()
    term = database.find("account.invoice.payment_term", invoice["payment_term"])
    if term is None:
        return str(invoice["payment_term_date"] or today)
    start = date.fromisoformat(invoice["payment_term_date"] or invoice["invoice_date"] or today)
    return (start + timedelta(days=term["days"])).isoformat()


def _warn(database: Database, records: Sequence[int], warning: str, message: str, read: set[str]) -> None:
    name = warning_name(database.known_as(INVOICE, records), warning)
    if name in read:
        return
    if not any(noted["user"] == ADMINISTRATOR for noted in database.store.find(WARNING, "name", name)):
        raise Warned(name, message)
    read.add(name)


def _warn_of_the_future(database: Database, ids: Sequence[int], read: set[str]) -> None:
    today = database.today()
    ahead = [i for i in ids if (database.get(INVOICE, i)["invoice_date"] or "") > today]
    if ahead:
        names = ", ".join(derived.rec_name(database, INVOICE, database.get(INVOICE, i)) for i in ahead[:5])
        names += "..." if len(ahead) > 5 else ""
        message = f'The invoices "{names}" have an invoice date in the future.'
        _warn(database, ahead, "invoice_date_future", message, read)


def _warn_of_the_past(database: Database, invoice: Document, due: str, read: set[str]) -> None:
    if invoice["type"] == "out" and due < database.today():
        name = derived.rec_name(database, INVOICE, invoice)
        message = f'The invoice "{name}" generates a payment date "{database.american(due)}" in the past.'
        _warn(database, [invoice["id"]], "invoice_payment_term", message, read)


def _warn_of_taxes(database: Database, invoice: Document, read: set[str]) -> None:
    """Lines whose taxes are not those that the product and the customer's rule would give."""
    different = [
        line
        for line in database.referring(LINE, "invoice", invoice["id"])
        if line["product"] is not None and set(line["taxes"]) != _expected(database, invoice, line)
    ]
    if different:
        names = ", ".join(derived.rec_name(database, LINE, line) for line in different[:5])
        names += "..." if len(different) > 5 else ""
        name = derived.rec_name(database, INVOICE, invoice)
        message = f'The invoice "{name}" does not have the default taxes for {names}.'
        _warn(database, [invoice["id"]], "invoice_taxes", message, read)


def _expected(database: Database, invoice: Document, line: Document) -> set[int]:
    product = database.get("product.product", line["product"])
    category_id = derived.value(database, "product.product", product, "account_category")
    category = database.find("product.category", category_id)
    taxes = set(category["customer_taxes"]) if category else set()
    rule_id = database.get("party.party", invoice["party"])["customer_tax_rule"]
    if rule_id is None:
        return taxes
    lines = database.referring("account.tax.rule.line", "rule", rule_id)
    replaced = {line["origin_tax"]: line["tax"] for line in reversed(lines)}
    found = {replaced.get(tax, tax) for tax in taxes}
    return {tax for tax in found if tax is not None}
