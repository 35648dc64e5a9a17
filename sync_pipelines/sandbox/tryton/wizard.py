"""The one wizard that this server has: crediting invoices, with or without cancelling them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from werkzeug.exceptions import Forbidden

from sync_pipelines.sandbox.store import Document
from sync_pipelines.sandbox.tryton import amount, derived
from sync_pipelines.sandbox.tryton.database import Database
from sync_pipelines.sandbox.tryton.fault import UserError, unknown
from sync_pipelines.sandbox.tryton.invoice_tax import MODEL as TAX
from sync_pipelines.sandbox.tryton.posting import INVOICE, LINE, post
from sync_pipelines.sandbox.tryton.saving import Writer

NAME = "account.invoice.credit"
_KEPT = ("company", "party", "invoice_address", "currency", "journal", "account", "payment_term", "type")
_TAX_KEPT = ("description", "sequence", "manual", "account", "tax")
_LINE_KEPT = ("sequence", "type", "company", "currency", "unit_price", "description", "unit", "product", "account")


class Wizards:
    """The sessions of wizards that are open."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._open: set[int] = set()
        self._last = 0

    def call(self, wizard: str, verb: str, given: Sequence[Any], context: Mapping[str, Any]) -> Any:
        if wizard != NAME:
            raise unknown(wizard)
        match verb, given:
            case "create", []:
                self._last += 1
                self._open.add(self._last)
                return [self._last, "start", "end"]
            case "execute", [int(session), dict(data), "credit"] if session in self._open:
                made = self._credit(context["active_ids"], data["start"], context.get("employee", 1))
                return {"actions": [[{"type": "ir.action.act_window", "res_model": INVOICE}, {"res_id": made}]]}
            case "delete", [int(session)]:
                self._open.discard(session)
                return None
        raise Forbidden

    def _credit(self, ids: Sequence[int], start: Mapping[str, Any], employee: int) -> list[int]:
        invoices = [self._database.get(INVOICE, record_id) for record_id in ids]
        made = [self._counterpart(invoice, start.get("invoice_date")) for invoice in invoices]
        if start.get("with_refund"):
            post(self._database, made, employee)
            for invoice, credit in zip(invoices, made, strict=True):
                self._cancel(invoice, credit)
        return made

    def _counterpart(self, invoice: Document, day: Any) -> int:
        """A draft with the same lines, their quantities negated, and the negated taxes that were entered by hand."""
        lines = [self._negated(line) for line in self._database.referring(LINE, "invoice", invoice["id"])]
        entered = [t for t in self._database.referring(TAX, "invoice", invoice["id"]) if t["manual"]]
        values = {name: invoice[name] for name in _KEPT} | {"invoice_date": day, "lines": [["create", lines]]}
        values |= {"taxes": [["create", [_negated_tax(each) for each in entered]]]} if entered else {}
        (made,) = Writer(self._database, company=invoice["company"]).create(self._database.model(INVOICE), [values])
        return made

    def _negated(self, line: Document) -> dict[str, Any]:
        taxes = [["add", line["taxes"]]] if line["taxes"] else []
        kept = {name: line[name] for name in _LINE_KEPT}
        return {**kept, "quantity": -line["quantity"], "taxes": taxes, "origin": f"{LINE},{line['id']}"}

    def _cancel(self, invoice: Document, credit: int) -> None:
        """The invoice is cancelled by the credit note's move, and what it owed is balanced."""
        if invoice["state"] != "posted":
            name = derived.rec_name(self._database, INVOICE, invoice)
            raise UserError(f'You cannot refund invoice "{name}" because it is not posted.')
        totals = derived.fresh_totals(self._database, INVOICE, invoice)
        move = self._database.get(INVOICE, credit)["move"]
        cancelled = {"state": "cancelled", "cancel_move": move, **amount.kept(totals)}
        self._database.change(INVOICE, invoice["id"], cancelled)
        self._database.change(INVOICE, credit, {"state": "paid"})


def _negated_tax(tax: Document) -> dict[str, Any]:
    amounts = {name: str(-Decimal(tax[name])) for name in ("base", "amount")}
    return {name: tax[name] for name in _TAX_KEPT} | amounts
