"""Invoices: made of charges, then only paid, voided, credited or deleted."""

from __future__ import annotations

from typing import Any

from sync_pipelines.sandbox.chargebee.document import (
    INVOICE_FILTERS,
    Line,
    adhoc,
    priced,
    shown,
    tax_pct,
    taxed,
    totals,
)
from sync_pipelines.sandbox.chargebee.listing import Listing
from sync_pipelines.sandbox.chargebee.parameter import Choice, Columns, Flag, Group, Kind, Text, Whole
from sync_pipelines.sandbox.chargebee.refusal import blank, unfit, wrong
from sync_pipelines.sandbox.chargebee.route import BASE, Call, Route
from sync_pipelines.sandbox.chargebee.site import Settings, Site
from sync_pipelines.sandbox.store import Document

_RULE = f"{BASE}/invoices/<id>"
_DAY = 86_400
LISTS = ("linked_payments", "applied_credits", "adjustment_credit_notes", "issued_credit_notes")
"""What later documents and payments are told in."""
_METHODS = ("cash", "check", "bank_transfer", "other", "custom")


def _charging(settings: Settings) -> dict[str, Kind]:
    return {
        "charges": Columns({"amount": Whole(), "description": Text(250), "taxable": Flag()}, ("amount", "description")),
        "create_pending_invoice": Flag(),
        "currency_code": Text(3),
        "customer_id": Text(),
        "invoice_date": Whole(),
        "item_prices": Columns(
            {"item_price_id": Text(), "quantity": Whole(1), "unit_price": Whole()}, ("item_price_id",)
        ),
        "po_number": Text(settings.lengths.po_number),
    }


def _charge(call: Call) -> dict[str, Any]:
    site, given = call.site, call.given
    customer = site.live("customer", given["customer_id"], "customer_id")
    currency = given.get("currency_code") or customer.get("preferred_currency_code") or site.settings.currencies[0]
    if currency not in site.settings.currencies:
        raise wrong("currency_code", "is not a currency of this site")
    at = given.get("invoice_date") or site.now()
    lines = [_sold(site, row, currency, at=at) for row in given.get("item_prices", ())]
    lines += [
        adhoc(site, row["amount"], row.get("description"), taxable=row.get("taxable") is not False, at=at)
        for row in given.get("charges", ())
    ]
    if not lines:
        raise blank("charges")
    fields: dict[str, Any] = {"date": at, "po_number": given.get("po_number"), "recurring": False}
    if given.get("create_pending_invoice"):
        fields["status"] = "pending"
    return {"invoice": shown(site, bill(site, customer, currency, lines, fields))}


def _sold(site: Site, row: dict[str, Any], currency: str, *, at: int) -> Line:
    price = site.live("item_price", row["item_price_id"], "item_prices[item_price_id]")
    if price["item_type"] != "charge":
        raise wrong("item_prices[item_price_id]", "should be the price of a charge")
    if price["status"] != "active":
        raise unfit("The item price is archived.", "item_prices[item_price_id]")
    if price["currency_code"] != currency:
        raise wrong("item_prices[item_price_id]", f"should be in {currency}")
    return priced(site, price, row.get("quantity") or 1, row.get("unit_price"), at=at)


def bill(site: Site, customer: Document, currency: str, lines: list[Line], fields: dict[str, Any]) -> Document:
    """A new invoice over the lines; it has the next number of the site's sequence."""
    pct, terms = tax_pct(site, customer), customer.get("net_term_days", 0)
    whole = totals(taxed([{**line, "customer_id": customer["id"]} for line in lines], pct), pct)
    due, tax = whole["total"], whole["total"] - whole["sub_total"]
    invoice = {
        "id": f"INV-{site.number('invoice', 1)}",
        "customer_id": customer["id"],
        "business_entity_id": customer.get("business_entity_id"),
        "currency_code": currency,
        "status": "paid" if not due else "posted" if terms else "payment_due",
        "paid_at": None if due else site.now(),
        "due_date": fields["date"] + terms * _DAY,
        "net_term_days": terms,
        "exchange_rate": 1.0,
        "tax": tax,
        **whole,
        "amount_due": due,
        **dict.fromkeys(("amount_paid", "amount_adjusted", "credits_applied", "write_off_amount"), 0),
        **{name: [] for name in LISTS},
        "billing_address": customer.get("billing_address"),
        "generated_at": site.now(),
        "first_invoice": not site.store.find("invoice", "customer_id", customer["id"]),
        "term_finalized": True,
        "channel": "web",
        "deleted": False,
        **fields,
    }
    return site.add("invoice", invoice, event="invoice_generated")


def _retrieve(call: Call) -> dict[str, Any]:
    """A long invoice is read on with the offset at which its lines broke off."""
    offset = call.given.get("line_items_offset") or "0"
    if not offset.isdecimal():
        raise wrong("line_items_offset", "is not the line_items_next_offset of an invoice")
    invoice = call.site.fetch("invoice", call.ids["id"])
    return {"invoice": shown(call.site, invoice, start=int(offset), limit=call.given.get("line_items_limit"))}


def _pay(call: Call) -> dict[str, Any]:
    site, invoice = call.site, call.site.live("invoice", call.ids["id"])
    if invoice["status"] not in ("posted", "payment_due", "not_paid"):
        raise unfit(f"The invoice is {invoice['status']} and cannot be paid.")
    amount = call.given["transaction"].get("amount") or invoice["amount_due"]
    if amount > invoice["amount_due"]:
        raise wrong("transaction[amount]", "should be at most the amount due")
    left, payment = invoice["amount_due"] - amount, _payment(call, invoice, amount)
    fields = {
        "amount_due": left,
        "amount_paid": invoice["amount_paid"] + amount,
        "linked_payments": [
            *invoice["linked_payments"],
            {"txn_id": payment["id"], "applied_amount": amount, "txn_status": "success"},
        ],
    }
    if not left:
        fields |= {"status": "paid", "paid_at": payment["date"]}
    changed = site.change(invoice, fields, event="invoice_updated")
    return {"invoice": shown(site, changed), "transaction": payment}


def _payment(call: Call, invoice: Document, amount: int) -> dict[str, Any]:
    """What was paid, as a transaction; the stand-in keeps none."""
    given = call.given["transaction"]
    return {
        "id": f"txn_{call.site.new_id('txn')}",
        "object": "transaction",
        "type": "payment",
        "status": "success",
        "customer_id": invoice["customer_id"],
        "amount": amount,
        "currency_code": invoice["currency_code"],
        "payment_method": given["payment_method"],
        "reference_number": given.get("reference_number"),
        "date": given.get("date") or call.site.now(),
    }


def _void(call: Call) -> dict[str, Any]:
    site, invoice = call.site, call.site.live("invoice", call.ids["id"])
    if invoice["status"] == "paid" or invoice["amount_paid"]:
        raise unfit("The invoice has payments. Refund them before it is voided.")
    if invoice["status"] == "voided" or invoice["issued_credit_notes"] or invoice["adjustment_credit_notes"]:
        raise unfit("The invoice cannot be voided: it is voided already or has credit notes.")
    fields = {
        "status": "voided",
        "voided_at": site.now(),
        "void_reason_code": call.given.get("void_reason_code"),
        "amount_due": 0,
    }
    return {"invoice": shown(site, site.change(invoice, fields, event="invoice_updated"))}


def _delete(call: Call) -> dict[str, Any]:
    site, invoice = call.site, call.site.live("invoice", call.ids["id"])
    if invoice["status"] == "paid" or invoice.get("dunning_status") == "in_progress":
        raise unfit("The invoice cannot be deleted: it is paid, or payment is being collected.")
    return {"invoice": shown(site, site.remove(invoice, event="invoice_deleted"))}


ROUTES = (
    Route("POST", f"{BASE}/invoices/create_for_charge_items_and_charges", _charge, _charging, ("customer_id",)),
    Listing(
        "invoice",
        "invoices",
        INVOICE_FILTERS,
        sorts=("date", "updated_at"),
        default_sort="date",
        shown=lambda site, invoice: {"invoice": shown(site, invoice)},
    ).route(),
    Route("GET", _RULE, _retrieve, lambda settings: {"line_items_limit": Whole(1), "line_items_offset": Text()}),
    Route(
        "POST",
        f"{_RULE}/record_payment",
        _pay,
        lambda settings: {
            "comment": Text(300),
            "transaction": Group(
                {
                    "amount": Whole(1),
                    "date": Whole(),
                    "payment_method": Choice(_METHODS),
                    "reference_number": Text(100),
                },
                ("payment_method",),
            ),
        },
        ("transaction",),
    ),
    Route("POST", f"{_RULE}/void", _void, lambda settings: {"comment": Text(300), "void_reason_code": Text(100)}),
    Route("POST", f"{_RULE}/delete", _delete, lambda settings: {"comment": Text(300)}),
)
