"""The company as its Chargebee site tells it: most customers and the catalog have moved there, and history with them.

What was billed elsewhere was imported under its own numbers. A few customers, products and documents were left behind,
and some of what came along is what it was before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from sync_pipelines.sandbox.company.catalog import CURRENCIES, rounded
from sync_pipelines.sandbox.company.model import (
    Contract,
    Credit,
    Customer,
    Deal,
    Facts,
    Invoice,
    Line,
    Product,
    tax_minor,
)
from sync_pipelines.sandbox.company.moments import during, epoch, midnight
from sync_pipelines.sandbox.company.salesforce import LEGAL_ENTITY, UNSUBSCRIBED
from sync_pipelines.sandbox.letters import letters

Row = dict[str, Any]
_MOVED = epoch(datetime(2026, 6, 15, 5, 45, 30, tzinfo=UTC))
"""The second of the great import."""
_TERMS = 30
_VAT_PCT = 20
_TYPES: Mapping[str, str] = {"Platform": "plan", "Services": "charge"}
"""The type of item by family; everything else is an addon."""


def rows(facts: Facts) -> dict[str, list[Row]]:
    """Every kind of resource with its rows, each in the order of its last change."""
    rng = Random(f"{facts.seed}|chargebee")
    held = {customer.account_id: customer for customer in _kept(facts, rng)}
    deals = [deal for deal in facts.deals if deal.customer.account_id in held and rng.random() < 0.96]
    sold = {line.product.code for deal in deals for line in deal.lines}
    products = [product for product in facts.products if product.code in sold or rng.random() < 0.8]
    made = {
        "customer": [_customer(customer, facts.seed, rng) for customer in held.values()],
        "item_family": [_family(name) for name in sorted({product.family for product in products})],
        "item": [_item(product, rng) for product in products],
        "item_price": list(_prices(products, rng)),
        "subscription": [
            _subscription(deal, deal.contract, facts.seed)
            for deal in deals
            if deal.contract and deal.fate.contract not in UNSUBSCRIBED
        ],
        "invoice": [_invoice(deal, deal.invoice, facts.seed) for deal in deals if deal.invoice],
        "credit_note": [_credit(d, d.invoice, d.credit, facts.seed) for d in deals if d.invoice and d.credit],
    }
    return {kind: sorted(found, key=lambda row: int(row["updated_at"])) for kind, found in made.items()}


def _kept(facts: Facts, rng: Random) -> Iterator[Customer]:
    for customer in facts.customers:
        if customer.account_id and not customer.is_deleted and rng.random() < 0.92:
            yield customer


def customer_id(customer: Customer, seed: int) -> str:
    return letters(16, "chargebee", seed, "customer", customer.account_id)


def _customer(customer: Customer, seed: int, rng: Random) -> Row:
    """Known by its number, or by the account it came from alone; some still have a phone number of before."""
    profile, hint = customer.profile, rng.random()
    phone = profile.phone if hint > 0.08 else _old_phone(profile.phone, rng)
    known = {"customer_number": profile.number} if hint < 0.75 else {"crm_id": customer.account_id}
    address = {
        "line1": profile.street,
        "city": profile.city,
        "zip": profile.postal_code,
        "country": profile.country,
        "validation_status": "not_validated",
        "object": "billing_address",
    }
    return {
        "id": customer_id(customer, seed),
        "company": profile.name,
        "email": profile.email,
        "phone": phone,
        "vat_number": profile.tax_id,
        "billing_address": {name: part for name, part in address.items() if part},
        "meta_data": {name: value for name, value in {**known, "website": profile.website}.items() if value},
        "preferred_currency_code": customer.currency,
        "auto_collection": "off",
        "net_term_days": _TERMS,
        "taxability": "taxable",
        "business_entity_id": LEGAL_ENTITY,
        "channel": "web",
        "updated_at": _touched(rng),
    }


def _old_phone(phone: str | None, rng: Random) -> str | None:
    return phone and phone[:-4] + "".join(rng.choice("0123456789") for _ in range(4))


def _touched(rng: Random) -> int:
    """For two thirds the great import, for the others some moment since."""
    return _MOVED if rng.random() < 0.67 else _MOVED + rng.randint(3600, 150 * 86_400)


def slug(text: str) -> str:
    """An id as people choose it.

    >>> slug("Meridian Core Public Sector")
    'meridian-core-public-sector'
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _family(name: str) -> Row:
    return {"id": slug(name), "name": name, "status": "active", "updated_at": _MOVED}


def _item(product: Product, rng: Random) -> Row:
    """Some still have the description of before."""
    return {
        "id": slug(product.name),
        "name": product.name,
        "description": product.description if rng.random() > 0.07 else f"{product.name}.",
        "type": _TYPES.get(product.family, "addon"),
        "item_family_id": slug(product.family),
        "status": "active" if product.is_active else "archived",
        "metered": False,
        "metadata": {"sku": product.code},
        "channel": "web",
        "updated_at": _touched(rng),
    }


def price_id(product: Product, currency: str) -> str:
    return f"{slug(product.name)}-{currency}"


def _prices(products: list[Product], rng: Random) -> Iterator[Row]:
    """A price each currency; one in thirty is last year's."""
    for product in products:
        for currency in CURRENCIES:
            amount = product.prices[currency]
            yield {
                "id": price_id(product, currency),
                "name": f"{product.name} {currency}",
                "item_id": slug(product.name),
                "item_family_id": slug(product.family),
                "item_type": _TYPES.get(product.family, "addon"),
                "status": "active",
                "currency_code": currency,
                "pricing_model": "per_unit",
                "price": amount if rng.random() > 1 / 30 else rounded(amount * 9 // 10),
                "period": 1 if product.is_recurring else None,
                "period_unit": product.interval if product.is_recurring else None,
                "is_taxable": True,
                "channel": "web",
                "updated_at": _touched(rng),
            }


def _subscription(deal: Deal, contract: Contract, seed: int) -> Row:
    started = epoch(deal.invoice.issued_at) if deal.invoice else epoch(_during(contract))
    ends = midnight(contract.end_on + timedelta(days=1))
    return {
        "id": letters(16, "chargebee", seed, "subscription", contract.number),
        "customer_id": customer_id(deal.customer, seed),
        "business_entity_id": LEGAL_ENTITY,
        "currency_code": deal.currency,
        "status": "cancelled" if contract.has_ended else "non_renewing",
        "start_date": started,
        "created_at": started,
        "started_at": started,
        "activated_at": started,
        "current_term_start": started,
        "current_term_end": ends,
        "cancelled_at": ends,
        "billing_period": 1,
        "billing_period_unit": deal.recurring[0].product.interval,
        "po_number": deal.number,
        "subscription_items": [_subscribed(line, deal.currency) for line in deal.recurring],
        "meta_data": {"contract_number": contract.number, "legal_entity": LEGAL_ENTITY},
        "channel": "web",
        "updated_at": max(started, _MOVED),
    }


def _during(contract: Contract) -> datetime:
    return during(contract.start_on, Random(contract.subscription_id))


def _subscribed(line: Line, currency: str) -> Row:
    return {
        "object": "subscription_item",
        "item_price_id": price_id(line.product, currency),
        "item_type": _TYPES.get(line.product.family, "addon"),
        "quantity": line.quantity,
        "unit_price": line.unit_minor,
        "amount": line.amount_minor,
    }


def _invoice(deal: Deal, invoice: Invoice, seed: int) -> Row:
    at, lines = epoch(invoice.issued_at), [(line, line.quantity) for line in deal.lines]
    made, credit = _document(deal, lines, seed, at=at), deal.credit
    total = made["total"]
    early = credit is not None and _is_adjustment(invoice, credit)
    adjusted = _total(credit.net_minor, deal) if credit and early else 0
    paid = total - adjusted if invoice.paid_at else 0
    due = total - adjusted - paid
    told = {"cn_id": credit.number, "cn_total": _total(credit.net_minor, deal)} if credit else {}
    changed = max(at, epoch(invoice.paid_at) if invoice.paid_at else 0, epoch(credit.issued_at) if credit else 0)
    return {
        **made,
        "id": invoice.number,
        "status": "posted" if due else "paid",
        "recurring": bool(deal.recurring),
        "po_number": deal.number,
        "net_term_days": _TERMS,
        "due_date": at + _TERMS * 86_400,
        "paid_at": epoch(invoice.paid_at) if invoice.paid_at else None,
        "tax": total - made["sub_total"],
        "amount_due": due,
        "amount_paid": paid,
        "amount_adjusted": adjusted,
        "credits_applied": 0,
        "write_off_amount": 0,
        "adjustment_credit_notes": [told] if credit and early else [],
        "issued_credit_notes": [told] if credit and not early else [],
        "updated_at": max(changed, _MOVED),
    }


def _credit(deal: Deal, invoice: Invoice, credit: Credit, seed: int) -> Row:
    at, adjusts = epoch(credit.issued_at), _is_adjustment(invoice, credit)
    made = _document(deal, list(credit.lines), seed, at=at)
    return {
        **made,
        "id": credit.number,
        "reference_invoice_id": invoice.number,
        "type": "adjustment" if adjusts else "refundable",
        "reason_code": "order_change",
        "status": "adjusted" if adjusts else "refunded",
        "amount_allocated": made["total"] if adjusts else 0,
        "amount_refunded": 0 if adjusts else made["total"],
        "amount_available": 0,
        "updated_at": max(at, _MOVED),
    }


def _is_adjustment(invoice: Invoice, credit: Credit) -> bool:
    """What is credited before it was paid reduces what is due."""
    return invoice.paid_at is None or credit.issued_at < invoice.paid_at


def _total(net_minor: int, deal: Deal) -> int:
    return net_minor + tax_minor(net_minor, deal.customer.profile.country)


def _document(deal: Deal, lines: list[tuple[Line, int]], seed: int, *, at: int) -> Row:
    """What invoices and credit notes have in common."""
    net = sum(line.unit_minor * quantity for line, quantity in lines)
    tax = _total(net, deal) - net
    return {
        "customer_id": customer_id(deal.customer, seed),
        "business_entity_id": LEGAL_ENTITY,
        "currency_code": deal.currency,
        "price_type": "tax_exclusive",
        "date": at,
        "generated_at": at,
        "sub_total": net,
        "total": net + tax,
        "taxes": [{"object": "tax", "name": "VAT", "amount": tax}] if tax else None,
        "line_items": [_line_item(line, quantity, deal, seed, at=at) for line, quantity in lines],
        "channel": "web",
    }


def _line_item(line: Line, quantity: int, deal: Deal, seed: int, *, at: int) -> Row:
    amount = line.unit_minor * quantity
    tax = _total(amount, deal) - amount
    return {
        "object": "line_item",
        "id": f"li_{letters(16, 'chargebee', seed, 'line', line.number, at)}",
        "date_from": at,
        "date_to": at,
        "unit_amount": line.unit_minor,
        "quantity": quantity,
        "amount": amount,
        "discount_amount": 0,
        "item_level_discount_amount": 0,
        "pricing_model": "per_unit",
        "is_taxed": tax > 0,
        "tax_amount": tax,
        "tax_rate": _VAT_PCT if tax else 0,
        "description": line.product.name,
        "entity_type": f"{_TYPES.get(line.product.family, 'addon')}_item_price",
        "entity_id": price_id(line.product, deal.currency),
        "customer_id": customer_id(deal.customer, seed),
    }
