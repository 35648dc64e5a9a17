"""The company as its Stripe account tells it: complete objects by kind."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from sync_pipelines.sandbox.company import defects as kind
from sync_pipelines.sandbox.company.catalog import CURRENCIES
from sync_pipelines.sandbox.company.ids import Ids
from sync_pipelines.sandbox.company.model import (
    Contract,
    Credit,
    Customer,
    Deal,
    Facts,
    Invoice,
    Line,
    Product,
    Profile,
    tax_minor,
)
from sync_pipelines.sandbox.company.moments import TODAY, during, epoch, midnight, months_after
from sync_pipelines.sandbox.company.salesforce import LEGAL_ENTITY, UNSUBSCRIBED
from sync_pipelines.sandbox.stripe.shape import complete, enclosed

Object = dict[str, Any]
_FOUNDED = int(datetime(2025, 2, 3, 9, tzinfo=UTC).timestamp())
"""When the catalogue was set up."""


def objects(facts: Facts) -> dict[str, list[Object]]:
    """Every object by kind, older ones first."""
    ids, rng = Ids(facts.seed), Random(f"{facts.seed}|stripe")
    prices, counts, deals = _prices(facts, ids), _invoice_counts(facts), facts.deals
    made = {
        "customer": [_customer(c, counts.get(c.stripe_id, 0), ids, rng) for c in facts.customers if c.stripe_id],
        "tax_rate": [_tax_rate(ids)],
        "product": [_product(product, ids) for product in facts.products if product.stripe_id],
        "price": list(prices.values()),
        "subscription": [
            _subscription(deal, deal.contract, prices, ids)
            for deal in deals
            if deal.contract and deal.fate.contract not in UNSUBSCRIBED
        ],
        "invoice": [_invoice(deal, deal.invoice, ids) for deal in deals if deal.invoice],
        "credit_note": [_credit_note(d, d.invoice, d.credit, ids) for d in deals if d.invoice and d.credit],
        "invoice_payment": [_payment(d, d.invoice, ids) for d in deals if d.invoice and d.invoice.paid_at],
    }
    made["invoice"] += [_draft(deal, ids, rng) for deal in deals if deal.is_drafted]
    return {name: sorted(rows, key=lambda row: int(row["created"])) for name, rows in made.items()}


def _invoice_counts(facts: Facts) -> dict[str, int]:
    """How many invoices each customer has had."""
    counts: dict[str, int] = {}
    for deal in facts.deals:
        if deal.invoice:
            counts[deal.customer.stripe_id] = counts.get(deal.customer.stripe_id, 0) + 1
    return counts


def _filled(**values: str | None) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


def _address(profile: Profile) -> Object:
    return {
        "city": profile.city,
        "country": profile.country,
        "line1": profile.street,
        "line2": None,
        "postal_code": profile.postal_code,
        "state": None,
    }


def _customer(customer: Customer, invoices: int, ids: Ids, rng: Random) -> Object:
    profile = customer.stripe
    assert profile is not None
    fields = {
        "id": customer.stripe_id,
        "address": _address(profile),
        "created": _FOUNDED + rng.randint(86_400, 300 * 86_400),
        "currency": customer.currency.lower() if invoices else None,
        "email": profile.email,
        "invoice_prefix": ids.invoice_prefix(customer.stripe_id),
        "metadata": _filled(
            customer_number=profile.number,
            crm_id=customer.crm_id,
            tax_id=profile.tax_id,
            website=profile.website,
        ),
        "name": profile.name,
        "next_invoice_sequence": invoices + 1,
        "phone": profile.phone,
    }
    return complete("customer", fields)


def tax_rate_id(ids: Ids) -> str:
    return ids.stripe("tax_rate", "vat")


def _tax_rate(ids: Ids) -> Object:
    fields = {
        "id": tax_rate_id(ids),
        "created": _FOUNDED,
        "description": "VAT 20%",
        "display_name": "VAT",
        "effective_percentage": 20,
        "jurisdiction": "EU",
        "percentage": 20,
        "tax_type": "vat",
    }
    return complete("tax_rate", fields)


def _product(product: Product, ids: Ids) -> Object:
    fields = {
        "id": product.stripe_id,
        "active": product.is_active,
        "created": _FOUNDED,
        "default_price": ids.stripe("price", product.code, "USD"),
        "description": product.description,
        "metadata": {"sku": product.code, "family": product.family},
        "name": product.name,
        "updated": _FOUNDED,
    }
    return complete("product", fields)


def _prices(facts: Facts, ids: Ids) -> dict[str, Object]:
    """Catalogue prices by id, then those that were made for one deal, which no list shows."""
    made: dict[str, Object] = {}
    for product in facts.products:
        for currency in CURRENCIES:
            if currency in product.stripe_prices:
                price_id, amount = ids.stripe("price", product.code, currency), product.stripe_prices[currency]
                lookup_key = f"{product.code}-{currency}".lower()
                made[price_id] = _price(price_id, product, currency, amount, lookup_key=lookup_key)
    for deal in facts.deals:
        for line in deal.lines:
            if line.is_negotiated:
                made[line.price_id] = _price(line.price_id, line.product, deal.currency, line.unit_minor)
    return made


def _price(id: str, product: Product, currency: str, amount: int, *, lookup_key: str | None = None) -> Object:
    recurring = {
        "interval": product.interval,
        "interval_count": 1,
        "meter": None,
        "trial_period_days": None,
        "usage_type": "licensed",
    }
    fields = {
        "id": id,
        "active": lookup_key is not None,
        "created": _FOUNDED,
        "currency": currency.lower(),
        "lookup_key": lookup_key,
        "product": product.stripe_id,
        "recurring": recurring if product.is_recurring else None,
        "tax_behavior": "exclusive",
        "type": "recurring" if product.is_recurring else "one_time",
        "unit_amount": amount,
        "unit_amount_decimal": str(amount),
    }
    return complete("price", fields)


def cancel_at(deal: Deal, contract: Contract) -> int | None:
    """When the subscription is to end: as the contract does, but for the planted defect."""
    ends = midnight(contract.end_on + timedelta(days=1))
    if deal.fate.contract is not kind.CONTRACT_END_DIFFERS:
        return ends
    early, late = midnight(contract.end_on), midnight(months_after(contract.start_on, contract.term_months + 12))
    return (early, late, None)[int(contract.number) % 3]


def _subscription(deal: Deal, contract: Contract, prices: Mapping[str, Object], ids: Ids) -> Object:
    started = _started(deal, contract)
    ended = cancel_at(deal, contract) if contract.has_ended else None
    period = _period(contract, deal.recurring[0].product.interval, started)
    items = [_item(line, contract, prices, started, period) for line in deal.recurring]
    taxed = tax_minor(deal.net_minor, deal.customer.profile.country) > 0
    fields = {
        "id": contract.subscription_id,
        "billing_cycle_anchor": started,
        "cancel_at": cancel_at(deal, contract),
        "canceled_at": ended or started,
        "cancellation_details": {"comment": None, "feedback": None, "reason": "cancellation_requested"},
        "collection_method": "send_invoice",
        "created": started,
        "currency": deal.currency.lower(),
        "customer": deal.customer.stripe_id,
        "days_until_due": 30,
        "default_tax_rates": [_tax_rate(ids)] if taxed else [],
        "ended_at": ended,
        "items": enclosed(items, f"/v1/subscription_items?subscription={contract.subscription_id}"),
        "latest_invoice": deal.invoice.invoice_id if deal.invoice else None,
        "metadata": {"contract_number": contract.number, "legal_entity": LEGAL_ENTITY},
        "start_date": started,
        "status": "canceled" if contract.has_ended else "active",
    }
    if fields["cancel_at"] is None:
        fields |= {"canceled_at": None, "cancellation_details": complete("subscription", {})["cancellation_details"]}
    return complete("subscription", fields)


def _started(deal: Deal, contract: Contract) -> int:
    """A moment of the contract's first day, where there is an invoice the moment of that."""
    if deal.invoice:
        return epoch(deal.invoice.issued_at)
    return epoch(during(contract.start_on, Random(contract.subscription_id)))


def _period(contract: Contract, interval: str, started: int) -> tuple[int, int]:
    """The period that today lies in, or the last one of a subscription that has ended."""
    step = 12 if interval == "year" else 1
    day, seconds = contract.start_on, started - midnight(contract.start_on)
    last = min(contract.end_on, TODAY)
    passed = (last.year - day.year) * 12 + last.month - day.month - (last.day < day.day)
    begins = passed - passed % step
    edges = (months_after(day, begins), months_after(day, begins + step))
    return midnight(edges[0]) + seconds, midnight(edges[1]) + seconds


def _item(
    line: Line, contract: Contract, prices: Mapping[str, Object], started: int, period: tuple[int, int]
) -> Object:
    fields = {
        "id": line.item_id,
        "created": started,
        "current_period_end": period[1],
        "current_period_start": period[0],
        "price": prices[line.price_id],
        "quantity": line.quantity,
        "subscription": contract.subscription_id,
    }
    return complete("subscription_item", fields)


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
        "customer_address": _address(profile),
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


def _draft(deal: Deal, ids: Ids, rng: Random) -> Object:
    """An invoice that nobody has finalized: no document yet, and without a number."""
    at = epoch(during(TODAY - timedelta(days=rng.randint(1, 5)), rng))
    return complete("invoice", _document(deal, ids.stripe("invoice", "draft", deal.number), at, ids))


def _invoice(deal: Deal, invoice: Invoice, ids: Ids) -> Object:
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


def _credit_note(deal: Deal, invoice: Invoice, credit: Credit, ids: Ids) -> Object:
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


def _payment(deal: Deal, invoice: Invoice, ids: Ids) -> Object:
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
