"""Stripe's documents: invoices, credit notes and payments of the simulated company, complete and to the cent."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

from sync_pipelines.sandbox.company.ids import Ids
from sync_pipelines.sandbox.company.model import Credit, Deal, Invoice, Line, Profile, tax_minor
from sync_pipelines.sandbox.company.moments import TODAY, during, epoch
from sync_pipelines.sandbox.company.salesforce import LEGAL_ENTITY, UNSUBSCRIBED
from sync_pipelines.sandbox.stripe.shape import complete, enclosed

Object = dict[str, Any]


def address(profile: Profile) -> Object:
    return {
        "city": profile.city,
        "country": profile.country,
        "line1": profile.street,
        "line2": None,
        "postal_code": profile.postal_code,
        "state": None,
    }


def tax_rate_id(ids: Ids) -> str:
    return ids.stripe("tax_rate", "vat")


def _taxes(net_minor: int, country: str, ids: Ids) -> list[Object]:
    tax = tax_minor(net_minor, country)
    if not tax:
        return []
    return [
        {
            "amount": tax,
            "tax_behavior": "exclusive",
            "tax_rate_details": {"tax_rate": tax_rate_id(ids)},
            "taxability_reason": "standard_rated",
            "taxable_amount": net_minor,
            "type": "tax_rate_details",
        }
    ]


def line_id(ids: Ids, line: Line) -> str:
    return ids.stripe("line_item", line.number)


def _line_item(line: Line, deal: Deal, invoice_id: str, at: int, ids: Ids) -> Object:
    country, subscription = deal.customer.profile.country, _subscription_id(deal)
    recurring = subscription if line.product.is_recurring else None
    fields = {
        "id": line_id(ids, line),
        "amount": line.amount_minor,
        "currency": deal.currency.lower(),
        "description": f"{line.quantity} × {line.product.name}",
        "discountable": False,
        "invoice": invoice_id,
        "parent": _line_parent(line, recurring, ids),
        "period": {"end": at, "start": at},
        "pricing": {
            "price_details": {"price": line.price_id, "product": line.product.stripe_id},
            "type": "price_details",
            "unit_amount_decimal": str(line.unit_minor),
        },
        "quantity": line.quantity,
        "quantity_decimal": str(line.quantity),
        "subscription": recurring,
        "subtotal": line.amount_minor,
        "taxes": _taxes(line.amount_minor, country, ids),
    }
    return complete("line_item", fields)


def _subscription_id(deal: Deal) -> str | None:
    has_one = deal.contract is not None and deal.fate.contract not in UNSUBSCRIBED
    return deal.contract.subscription_id if deal.contract and has_one else None


def _line_parent(line: Line, subscription: str | None, ids: Ids) -> Object:
    together = {"proration": False, "proration_details": {"credited_items": None}, "subscription": subscription}
    if subscription:
        return {
            "invoice_item_details": None,
            "subscription_item_details": {**together, "invoice_item": None, "subscription_item": line.item_id},
            "type": "subscription_item_details",
        }
    return {
        "invoice_item_details": {**together, "invoice_item": ids.stripe("invoiceitem", line.number)},
        "subscription_item_details": None,
        "type": "invoice_item_details",
    }


def _document(deal: Deal, invoice_id: str, at: int, ids: Ids) -> Object:
    """What drafts and finalized invoices have in common."""
    customer, subscription = deal.customer, _subscription_id(deal)
    profile = customer.stripe
    assert profile is not None
    net = deal.net_minor
    tax = tax_minor(net, customer.profile.country)
    lines = [_line_item(line, deal, invoice_id, at, ids) for line in deal.lines]
    about = {"order_number": deal.number, "legal_entity": LEGAL_ENTITY}
    parent = {
        "quote_details": None,
        "subscription_details": {"metadata": about, "subscription": subscription},
        "type": "subscription_details",
    }
    return {
        "id": invoice_id,
        "account_name": "Meridian Software Inc",
        "amount_due": net + tax,
        "amount_remaining": net + tax,
        "billing_reason": "subscription_create" if subscription else "manual",
        "collection_method": "send_invoice",
        "created": at,
        "currency": deal.currency.lower(),
        "customer": customer.stripe_id,
        "customer_address": address(profile),
        "customer_email": profile.email,
        "customer_name": profile.name,
        "customer_phone": profile.phone,
        "due_date": at + 30 * 86_400,
        "lines": enclosed(lines, f"/v1/invoices/{invoice_id}/lines"),
        "metadata": about,
        "parent": parent if subscription else None,
        "period_end": at,
        "period_start": at,
        "subtotal": net,
        "subtotal_excluding_tax": net,
        "total": net + tax,
        "total_excluding_tax": net,
        "total_taxes": _taxes(net, customer.profile.country, ids),
    }


def draft(deal: Deal, ids: Ids, rng: Random) -> Object:
    """An invoice that nobody has finalized: no document yet, and without a number."""
    at = epoch(during(TODAY - timedelta(days=rng.randint(1, 5)), rng))
    return complete("invoice", _document(deal, ids.stripe("invoice", "draft", deal.number), at, ids))


def invoice(deal: Deal, invoice: Invoice, ids: Ids) -> Object:
    at, paid_at = epoch(invoice.issued_at), invoice.paid_at
    fields = _document(deal, invoice.invoice_id, at, ids)
    before, after = _credited(deal)
    due = fields["total"] - before
    fields |= {
        "amount_due": due,
        "amount_paid": due if paid_at else 0,
        "amount_remaining": 0 if paid_at else due,
        "attempted": paid_at is not None,
        "effective_at": at,
        "ending_balance": 0,
        "number": invoice.number,
        "post_payment_credit_notes_amount": after,
        "pre_payment_credit_notes_amount": before,
        "status": "paid" if paid_at or due == 0 else "open",
        "status_transitions": {
            "finalized_at": at,
            "marked_uncollectible_at": None,
            "paid_at": epoch(paid_at) if paid_at else _credited_at(deal) if due == 0 else None,
            "voided_at": None,
        },
        "webhooks_delivered_at": at,
    }
    return complete("invoice", fields)


def _is_before_payment(deal: Deal) -> bool:
    paid_at = deal.invoice.paid_at if deal.invoice else None
    return deal.credit is not None and (paid_at is None or deal.credit.issued_at < paid_at)


def _credited(deal: Deal) -> tuple[int, int]:
    """What was credited before payment, and after."""
    if deal.credit is None:
        return 0, 0
    total = deal.credit.net_minor + tax_minor(deal.credit.net_minor, deal.customer.profile.country)
    return (total, 0) if _is_before_payment(deal) else (0, total)


def _credited_at(deal: Deal) -> int | None:
    return epoch(deal.credit.issued_at) if deal.credit else None


def credit_note(deal: Deal, invoice: Invoice, credit: Credit, ids: Ids) -> Object:
    at, net, country = epoch(credit.issued_at), credit.net_minor, deal.customer.profile.country
    total, early = net + tax_minor(net, country), _is_before_payment(deal)
    refund = {
        "amount_refunded": total,
        "payment_record_refund": None,
        "refund": ids.stripe("refund", credit.number),
        "type": "refund",
    }
    fields = {
        "id": credit.credit_id,
        "amount": total,
        "created": at,
        "currency": deal.currency.lower(),
        "customer": deal.customer.stripe_id,
        "effective_at": at,
        "invoice": invoice.invoice_id,
        "lines": enclosed(_credit_lines(credit, country, ids), f"/v1/credit_notes/{credit.credit_id}/lines"),
        "metadata": {"order_number": deal.number, "legal_entity": LEGAL_ENTITY},
        "number": credit.number,
        "post_payment_amount": 0 if early else total,
        "pre_payment_amount": total if early else 0,
        "reason": "order_change",
        "refunds": [] if early else [refund],
        "subtotal": net,
        "subtotal_excluding_tax": net,
        "total": total,
        "total_excluding_tax": net,
        "total_taxes": _taxes(net, country, ids),
        "type": "pre_payment" if early else "post_payment",
    }
    return complete("credit_note", fields)


def _credit_lines(credit: Credit, country: str, ids: Ids) -> list[Object]:
    return [
        complete(
            "credit_note_line_item",
            {
                "id": ids.stripe("credit_note_line_item", credit.number, line.number),
                "amount": line.unit_minor * quantity,
                "description": f"{quantity} × {line.product.name}",
                "invoice_line_item": line_id(ids, line),
                "quantity": quantity,
                "taxes": _taxes(line.unit_minor * quantity, country, ids),
                "unit_amount": line.unit_minor,
                "unit_amount_decimal": str(line.unit_minor),
            },
        )
        for line, quantity in credit.lines
    ]


def payment(deal: Deal, invoice: Invoice, ids: Ids) -> Object:
    assert invoice.paid_at is not None
    at = epoch(invoice.paid_at)
    total = deal.net_minor + tax_minor(deal.net_minor, deal.customer.profile.country) - _credited(deal)[0]
    fields = {
        "id": ids.stripe("invoice_payment", invoice.number),
        "amount_paid": total,
        "amount_requested": total,
        "created": epoch(invoice.issued_at),
        "currency": deal.currency.lower(),
        "invoice": invoice.invoice_id,
        "payment": {"payment_intent": ids.stripe("payment_intent", invoice.number), "type": "payment_intent"},
        "status": "paid",
        "status_transitions": {"canceled_at": None, "paid_at": at},
    }
    return complete("invoice_payment", fields)
