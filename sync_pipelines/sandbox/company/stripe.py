"""The company as its Stripe account tells it: complete objects by kind."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from random import Random

from sync_pipelines.sandbox.company import defects as kind
from sync_pipelines.sandbox.company.catalog import CURRENCIES
from sync_pipelines.sandbox.company.ids import Ids
from sync_pipelines.sandbox.company.model import (
    Contract,
    Customer,
    Deal,
    Facts,
    Line,
    Product,
    tax_minor,
)
from sync_pipelines.sandbox.company.moments import TODAY, during, epoch, midnight, months_after
from sync_pipelines.sandbox.company.salesforce import LEGAL_ENTITY, UNSUBSCRIBED
from sync_pipelines.sandbox.company.stripe_document import (
    Object,
    address,
    credit_note,
    draft,
    invoice,
    payment,
    tax_rate_id,
)
from sync_pipelines.sandbox.stripe.shape import complete, enclosed

_FOUNDED = int(datetime(2025, 2, 3, 9, tzinfo=UTC).timestamp())
"""When the catalogue was set up."""


def rows(facts: Facts) -> dict[str, list[Object]]:
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
        "invoice": [invoice(deal, deal.invoice, ids) for deal in deals if deal.invoice],
        "credit_note": [credit_note(d, d.invoice, d.credit, ids) for d in deals if d.invoice and d.credit],
        "invoice_payment": [payment(d, d.invoice, ids) for d in deals if d.invoice and d.invoice.paid_at],
    }
    made["invoice"] += [draft(deal, ids, rng) for deal in deals if deal.is_drafted]
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


def _customer(customer: Customer, invoices: int, ids: Ids, rng: Random) -> Object:
    profile = customer.stripe
    assert profile is not None
    fields = {
        "id": customer.stripe_id,
        "address": address(profile),
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
