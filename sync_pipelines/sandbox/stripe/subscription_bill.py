"""The first invoice of a subscription; later periods are not billed by the stand-in."""

from __future__ import annotations

from typing import Any

from sync_pipelines.sandbox.store import Document
from sync_pipelines.sandbox.stripe.account import Account
from sync_pipelines.sandbox.stripe.invoice import new_draft
from sync_pipelines.sandbox.stripe.invoiceitem import with_lines
from sync_pipelines.sandbox.stripe.line import priced
from sync_pipelines.sandbox.stripe.settlement import finalize, settle
from sync_pipelines.sandbox.stripe.shape import complete


def first_bill(account: Account, customer: Document, subscription: Document) -> Document:
    """Bill the first period: a draft to send, or an invoice that is paid at once or stays open.

    Nothing is billed on trial.
    """
    if subscription["status"] == "trialing":
        return subscription
    invoice = _draft(account, customer, subscription)
    lines = [_line(account, item, invoice) for item in reversed(subscription["items"]["data"])]
    invoice = account.change(invoice, with_lines(invoice, lines))
    account.emit("invoice.created", invoice)
    if subscription["collection_method"] == "charge_automatically":
        invoice = finalize(account, invoice)
    if subscription["status"] == "active" and invoice["status"] == "open":
        settle(
            account,
            invoice,
            payment={"payment_intent": account.new_id("payment_intent"), "type": "payment_intent"},
        )
    return account.change(subscription, {"latest_invoice": invoice["id"]})


def _draft(account: Account, customer: Document, subscription: Document) -> Document:
    return new_draft(
        account,
        customer,
        {
            "auto_advance": True,
            "billing_reason": "subscription_create",
            "collection_method": subscription["collection_method"],
            "currency": subscription["currency"],
            "default_tax_rates": subscription["default_tax_rates"],
            "due_date": _due(account, subscription),
            "parent": {
                "quote_details": None,
                "subscription_details": {
                    "metadata": subscription["metadata"],
                    "subscription": subscription["id"],
                },
                "type": "subscription_details",
            },
        },
    )


def _due(account: Account, subscription: Document) -> int | None:
    days = subscription["days_until_due"]
    return None if days is None else account.now() + days * 86_400


def _line(account: Account, item: Document, invoice: Document) -> dict[str, Any]:
    price = priced(account, item["price"], item["quantity"])
    details = {
        "invoice_item": None,
        "proration": False,
        "proration_details": {"credited_items": None},
        "subscription": item["subscription"],
        "subscription_item": item["id"],
    }
    return complete(
        "line_item",
        {
            "id": account.new_id("line_item"),
            "amount": price.amount,
            "currency": invoice["currency"],
            "description": f"{price.quantity} × {price.description}",
            "invoice": invoice["id"],
            "metadata": item["metadata"],
            "parent": {
                "invoice_item_details": None,
                "subscription_item_details": details,
                "type": "subscription_item_details",
            },
            "period": {"end": item["current_period_end"], "start": item["current_period_start"]},
            "pricing": price.pricing,
            "quantity": price.quantity,
            "quantity_decimal": str(price.quantity),
            "subscription": item["subscription"],
            "subtotal": price.amount,
            "_tax_rates": item["tax_rates"],
        },
    )
