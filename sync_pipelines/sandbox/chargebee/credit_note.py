"""Credit notes over lines of an invoice: they adjust what is due, or give back what was paid."""

from __future__ import annotations

from typing import Any

from sync_pipelines.sandbox.chargebee.document import FILTERS, Line, shown, tax_pct, taxed, totals
from sync_pipelines.sandbox.chargebee.filter import ENUM, NUMBER, STRING
from sync_pipelines.sandbox.chargebee.listing import Listing
from sync_pipelines.sandbox.chargebee.parameter import Choice, Columns, Kind, Text, Whole
from sync_pipelines.sandbox.chargebee.refusal import unfit, wrong
from sync_pipelines.sandbox.chargebee.route import BASE, Call, Route
from sync_pipelines.sandbox.chargebee.site import Settings, Site
from sync_pipelines.sandbox.store import Document

_RULE = f"{BASE}/credit_notes/<id>"
_REASONS = (
    "write_off", "subscription_change", "subscription_cancellation", "chargeback", "product_unsatisfactory",
    "service_unsatisfactory", "order_change", "order_cancellation", "waiver", "other", "fraudulent",
)  # fmt: skip


def _creation(settings: Settings) -> dict[str, Kind]:
    line: dict[str, Kind] = {
        "amount": Whole(1),
        "description": Text(250),
        "quantity": Whole(1),
        "reference_line_item_id": Text(),
    }
    return {
        "create_reason_code": Text(100),
        "customer_notes": Text(),
        "date": Whole(),
        "line_items": Columns(line, ("reference_line_item_id",)),
        "reason_code": Choice(_REASONS),
        "reference_invoice_id": Text(),
        "type": Choice(("adjustment", "refundable")),
    }


def _create(call: Call) -> dict[str, Any]:
    site, given = call.site, call.given
    invoice = site.live("invoice", given["reference_invoice_id"], "reference_invoice_id")
    customer = site.fetch("customer", invoice["customer_id"])
    pct = tax_pct(site, customer)
    lines = taxed([_line(site, invoice, row) for row in given["line_items"]], pct)
    whole = totals(lines, pct)
    _check(invoice, given["type"], whole["total"])
    adjusts = given["type"] == "adjustment"
    note = {
        "id": f"CN-{site.number('credit_note', 1)}",
        "customer_id": customer["id"],
        "business_entity_id": invoice.get("business_entity_id"),
        "reference_invoice_id": invoice["id"],
        "subscription_id": invoice.get("subscription_id"),
        "type": given["type"],
        "reason_code": given.get("reason_code") or "other",
        "create_reason_code": given.get("create_reason_code"),
        "status": "adjusted" if adjusts else "refund_due",
        "date": given.get("date") or site.now(),
        "currency_code": invoice["currency_code"],
        **whole,
        "amount_allocated": whole["total"] if adjusts else 0,
        "amount_refunded": 0,
        "amount_available": 0 if adjusts else whole["total"],
        "allocations": [{"invoice_id": invoice["id"], "allocated_amount": whole["total"]}] if adjusts else [],
        "generated_at": site.now(),
        "channel": "web",
        "deleted": False,
    }
    made = site.add("credit_note", note, event="credit_note_created")
    return {"credit_note": shown(site, made), "invoice": shown(site, _credited(site, invoice, made))}


def _line(site: Site, invoice: Document, row: dict[str, Any]) -> Line:
    """A part of an invoice's line: so many pieces of it, or an amount."""
    param = "line_items[reference_line_item_id]"
    line = next((each for each in invoice["line_items"] if each["id"] == row["reference_line_item_id"]), None)
    if line is None:
        raise wrong(param, f"{row['reference_line_item_id']} not found")
    quantity = row.get("quantity") or line["quantity"]
    amount = row.get("amount") or line["unit_amount"] * quantity
    if amount > line["amount"]:
        raise wrong("line_items[amount]", "should be at most the amount of the line")
    return {
        **line,
        "id": f"li_{site.new_id('line')}",
        "reference_line_item_id": line["id"],
        "quantity": quantity,
        "amount": amount,
        "description": row.get("description") or line["description"],
    }


def _check(invoice: Document, kind: str, total: int) -> None:
    if invoice["status"] in ("voided", "pending"):
        raise unfit(f"The invoice is {invoice['status']} and cannot be credited.")
    room = invoice["amount_due"] if kind == "adjustment" else invoice["amount_paid"]
    if total > room:
        raise unfit(f"The total of the credit note is more than what is {'due' if kind == 'adjustment' else 'paid'}.")


def _credited(site: Site, invoice: Document, note: Document) -> Document:
    name = "adjustment_credit_notes" if note["type"] == "adjustment" else "issued_credit_notes"
    fields: dict[str, Any] = {name: [*invoice[name], {"cn_id": note["id"], "cn_total": note["total"]}]}
    if note["type"] == "adjustment":
        left = invoice["amount_due"] - note["total"]
        fields |= {"amount_due": left, "amount_adjusted": invoice["amount_adjusted"] + note["total"]}
        fields |= {} if left else {"status": "paid", "paid_at": site.now()}
    return site.change(invoice, fields, event="invoice_updated")


def _retrieve(call: Call) -> dict[str, Any]:
    offset = call.given.get("line_items_offset") or "0"
    if not offset.isdecimal():
        raise wrong("line_items_offset", "is not the line_items_next_offset of a credit note")
    note = call.site.fetch("credit_note", call.ids["id"])
    return {"credit_note": shown(call.site, note, start=int(offset), limit=call.given.get("line_items_limit"))}


def _void(call: Call) -> dict[str, Any]:
    site, note = call.site, call.site.live("credit_note", call.ids["id"])
    if note["status"] in ("voided", "refunded", "adjusted"):
        raise unfit(f"The credit note is {note['status']} and cannot be voided.")
    fields = {"status": "voided", "voided_at": site.now(), "amount_available": 0}
    return {"credit_note": shown(site, site.change(note, fields, event="credit_note_updated"))}


def _delete(call: Call) -> dict[str, Any]:
    note = call.site.live("credit_note", call.ids["id"])
    return {"credit_note": shown(call.site, call.site.remove(note, event="credit_note_deleted"))}


ROUTES = (
    Route("POST", f"{BASE}/credit_notes", _create, _creation, ("reference_invoice_id", "type", "line_items")),
    Listing(
        "credit_note",
        "credit_notes",
        {
            **FILTERS,
            "reference_invoice_id": STRING,
            "type": ENUM,
            "reason_code": ENUM,
            **dict.fromkeys(("amount_allocated", "amount_refunded", "amount_available"), NUMBER),
        },
        sorts=("date",),
        default_sort="date",
        shown=lambda site, note: {"credit_note": shown(site, note)},
    ).route(),
    Route("GET", _RULE, _retrieve, lambda settings: {"line_items_limit": Whole(1), "line_items_offset": Text()}),
    Route("POST", f"{_RULE}/void", _void, lambda settings: {"comment": Text(300)}),
    Route("POST", f"{_RULE}/delete", _delete, lambda settings: {"comment": Text(300)}),
)
