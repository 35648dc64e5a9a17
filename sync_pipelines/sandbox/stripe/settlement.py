"""What happens to an invoice after its draft: finalized, paid, sent, voided or written off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync_pipelines.sandbox.store import Document
from sync_pipelines.sandbox.stripe.account import Account
from sync_pipelines.sandbox.stripe.catalog import retrieving
from sync_pipelines.sandbox.stripe.customer import default_payment_method
from sync_pipelines.sandbox.stripe.invoice import snapshot
from sync_pipelines.sandbox.stripe.listing import Listing, choice, reference
from sync_pipelines.sandbox.stripe.parameter import Flag, Text
from sync_pipelines.sandbox.stripe.refusal import Refusal
from sync_pipelines.sandbox.stripe.route import Call, Given, Route, kept
from sync_pipelines.sandbox.stripe.shape import enclosed
from sync_pipelines.sandbox.stripe.view import shown


def _finalize(call: Call) -> dict[str, Any]:
    account, invoice = call.account, call.account.fetch("invoice", call.ids["id"])
    fields = kept(call.given, "auto_advance")
    return shown(account, finalize(account, invoice, fields))


def finalize(account: Account, invoice: Document, fields: Mapping[str, Any] | None = None) -> Document:
    """Make a draft final: it gets its number, its amounts freeze; one of nothing is paid at once."""
    if invoice["status"] != "draft":
        raise Refusal("This invoice is already finalized, you can't re-finalize a non-draft invoice.")
    if not invoice["lines"]["data"]:
        raise Refusal("An invoice cannot be finalized without line items.", code="invoice_no_customer_line_items")
    now = account.now()
    customer = account.find("customer", invoice["customer"])
    after = {
        **(fields or {}),
        **(snapshot(customer) if customer else {}),
        "status": "open",
        "number": invoice["number"] or _next_number(account, customer),
        "effective_at": invoice["effective_at"] or now,
        "ending_balance": 0,
        "hosted_invoice_url": f"https://invoice.stripe.com/i/{account.settings.account}/{invoice['id']}",
        "invoice_pdf": f"https://pay.stripe.com/invoice/{account.settings.account}/{invoice['id']}/pdf",
        "status_transitions": {**invoice["status_transitions"], "finalized_at": now},
    }
    invoice = account.change(invoice, after, event="invoice.updated")
    account.emit("invoice.finalized", invoice)
    return settle(account, invoice) if invoice["amount_due"] == 0 else invoice


def _next_number(account: Account, customer: Document | None) -> str:
    """The customer's next invoice number that nobody took."""
    if customer is None:
        raise Refusal("This invoice's customer has been deleted; it cannot be finalized.", param="customer")
    sequence = customer["next_invoice_sequence"]
    prefix = customer["invoice_prefix"] or account.invoice_prefix(customer["id"])
    while account.store.find("invoice", "number", f"{prefix}-{sequence:04d}"):
        sequence += 1
    account.change(customer, {"invoice_prefix": prefix, "next_invoice_sequence": sequence + 1})
    return f"{prefix}-{sequence:04d}"


def settle(account: Account, invoice: Document, *, payment: Mapping[str, str] | None = None) -> Document:
    """Turn an invoice to paid; `payment` says by what, None where nothing was due."""
    now, due = account.now(), invoice["amount_remaining"]
    if payment is not None:
        fields = {
            "amount_paid": due,
            "amount_requested": due,
            "currency": invoice["currency"],
            "invoice": invoice["id"],
            "payment": payment,
            "status": "paid",
            "status_transitions": {"canceled_at": None, "paid_at": now},
        }
        account.add("invoice_payment", fields, event="invoice_payment.paid")
    after = {
        "amount_paid": invoice["amount_paid"] + due,
        "amount_remaining": 0,
        "attempted": invoice["attempted"] or payment is not None,
        "attempt_count": invoice["attempt_count"] + (payment is not None),
        "status": "paid",
        "status_transitions": {**invoice["status_transitions"], "paid_at": now},
    }
    invoice = account.change(invoice, after, event="invoice.updated")
    account.emit("invoice.paid", invoice)
    account.emit("invoice.payment_succeeded", invoice)
    return invoice


def _pay(call: Call) -> dict[str, Any]:
    account, given = call.account, call.given
    invoice = account.fetch("invoice", call.ids["id"])
    if invoice["status"] == "draft":
        invoice = finalize(account, invoice)
    if invoice["status"] == "paid":
        raise Refusal("Invoice is already paid", code="invoice_already_paid")
    _require_status(invoice, "pay", "open", "uncollectible")
    if given.get("paid_out_of_band"):
        payment = {"payment_record": account.new_id("payment_record"), "type": "payment_record"}
    elif _method(account, invoice, given):
        payment = {"payment_intent": account.new_id("payment_intent"), "type": "payment_intent"}
    else:
        raise Refusal(
            "There is no `default_payment_method` set on this Customer or Invoice. Please set either prior "
            "to attempting payment.",
            code="invoice_payment_intent_requires_action",
        )
    return shown(account, settle(account, invoice, payment=payment))


def _method(account: Account, invoice: Document, given: Given) -> str | None:
    customer = account.find("customer", invoice["customer"])
    fallback = default_payment_method(customer) if customer else None
    return given.get("payment_method") or invoice["default_payment_method"] or fallback


def _require_status(invoice: Document, verb: str, *allowed: str) -> None:
    if invoice["status"] not in allowed:
        raise Refusal(
            f"You can only {verb} an invoice that is {' or '.join(allowed)}; this one is {invoice['status']}."
        )


def _void(call: Call) -> dict[str, Any]:
    invoice = call.account.fetch("invoice", call.ids["id"])
    _require_status(invoice, "void", "open", "uncollectible")
    return _move(call.account, invoice, "void", stamp="voided_at", event="invoice.voided")


def _write_off(call: Call) -> dict[str, Any]:
    invoice = call.account.fetch("invoice", call.ids["id"])
    _require_status(invoice, "mark as uncollectible", "open")
    event = "invoice.marked_uncollectible"
    return _move(call.account, invoice, "uncollectible", stamp="marked_uncollectible_at", event=event)


def _move(account: Account, invoice: Document, status: str, *, stamp: str, event: str) -> dict[str, Any]:
    transitions = {**invoice["status_transitions"], stamp: account.now()}
    fields = {"status": status, "status_transitions": transitions}
    after = account.change(invoice, fields, event="invoice.updated")
    account.emit(event, after)
    return shown(account, after)


def _send(call: Call) -> dict[str, Any]:
    account, invoice = call.account, call.account.fetch("invoice", call.ids["id"])
    if invoice["status"] == "draft":
        invoice = finalize(account, invoice)
    _require_status(invoice, "send", "open", "uncollectible", "paid")
    account.emit("invoice.sent", invoice)
    return shown(account, invoice)


def payments_of(account: Account, invoice: Document) -> dict[str, Any]:
    """The invoice's payments, as the includable field shows them."""
    found = account.store.find("invoice_payment", "invoice", invoice["id"])
    return enclosed([shown(account, each) for each in found], f"/v1/invoices/{invoice['id']}/payments")


_RULE = "/v1/invoices/<id>"

ROUTES = (
    Route("POST", f"{_RULE}/finalize", _finalize, {"auto_advance": Flag()}),
    Route("POST", f"{_RULE}/pay", _pay, {"paid_out_of_band": Flag(), "payment_method": Text()}),
    Route("POST", f"{_RULE}/send", _send),
    Route("POST", f"{_RULE}/void", _void),
    Route("POST", f"{_RULE}/mark_uncollectible", _write_off),
    retrieving("invoice_payment", "/v1/invoice_payments/<id>"),
    Listing(
        "invoice_payment",
        "/v1/invoice_payments",
        {"invoice": reference("invoice"), "status": choice("status", "canceled", "open", "paid")},
    ).route(),
)
