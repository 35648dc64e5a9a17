"""What the company sells: products with list prices in three currencies, and where those are wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import isqrt
from random import Random

from sync_pipelines.sandbox.company import defects as kind
from sync_pipelines.sandbox.company.ids import Ids
from sync_pipelines.sandbox.company.model import Product

CURRENCIES = ("USD", "EUR", "JPY")
PRICES_OFF_IN_STRIPE = 3

_PRODUCTS: tuple[tuple[str, str, str, int, bool, str], ...] = (
    ("Meridian Core", "Platform", "month", 990, False, "The workspace in which everything else lives"),
    ("Meridian Core Annual", "Platform", "year", 9900, False, "The workspace, paid by the year"),
    ("Meridian Enterprise", "Platform", "year", 28800, False, "The workspace with single tenancy and audit"),
    ("Team Seat", "Add-on", "month", 29, True, "One person with full rights"),
    ("Team Seat Annual", "Add-on", "year", 290, True, "One person with full rights, paid by the year"),
    ("Light Seat", "Add-on", "month", 9, True, "One person who reads and comments"),
    ("Enterprise Seat Annual", "Add-on", "year", 540, True, "One person with single sign-on"),
    ("Insights", "Add-on", "month", 390, False, "Dashboards over live work"),
    ("Insights Annual", "Add-on", "year", 3900, False, "Dashboards over live work, paid by the year"),
    ("Forecasting", "Add-on", "year", 7200, False, "Demand and capacity forecasts"),
    ("Benchmarks", "Add-on", "year", 4800, False, "Comparison with one's peers"),
    ("Data Export", "Add-on", "month", 190, False, "Nightly export to one's own warehouse"),
    ("Workflow Runs", "Add-on", "month", 95, True, "A pack of ten thousand runs"),
    ("Workflow Runs Annual", "Add-on", "year", 950, True, "A pack of ten thousand runs a month"),
    ("Document Capture", "Add-on", "month", 240, False, "Reads invoices and receipts"),
    ("Connector Pack", "Add-on", "year", 2400, True, "Five connectors to other platforms"),
    ("Sandbox Environment", "Platform", "year", 6000, True, "A second workspace for tests"),
    ("Regional Hosting", "Platform", "year", 8400, False, "Everything stored in one region"),
    ("Advanced Security", "Add-on", "year", 5400, False, "Keys of one's own and access reviews"),
    ("Audit Archive", "Add-on", "month", 150, False, "Seven years of audit trail"),
    ("Priority Support", "Support", "month", 490, False, "Answers within an hour"),
    ("Premium Support", "Support", "year", 12000, False, "A named engineer"),
    ("Training Library", "Support", "year", 45, True, "All courses for one person"),
    ("Mobile Field Kit", "Add-on", "month", 14, True, "Offline work for one device"),
    ("Onboarding", "Services", "once", 4500, False, "Two weeks to a running workspace"),
    ("Enterprise Onboarding", "Services", "once", 18000, False, "Eight weeks with a project lead"),
    ("Data Migration", "Services", "once", 7500, False, "From the old system, checked"),
    ("Consulting Day", "Services", "once", 1450, True, "A day with a solution architect"),
    ("Workshop", "Services", "once", 2800, True, "A day for up to twelve people"),
    ("Custom Integration", "Services", "once", 9600, False, "One connector made to measure"),
)
"""Name, family, interval, list price in whole US dollars, priced per seat, description."""

_EDITIONS = ("", "Plus", "Public Sector", "Healthcare", "Finance", "Education", "Nonprofit", "Retail", "Maker", "Lab")


def catalog(scale: int, ids: Ids) -> tuple[Product, ...]:
    """The catalogue with its defects, one a product; it grows with the root of the company's size."""
    size, rng = max(isqrt(scale), 1), Random(f"{ids.seed}|catalog")
    rows = [(row, edition) for edition in range(size) for row in _PRODUCTS]
    made = {i: _product(i, row, edition, ids) for i, (row, edition) in enumerate(rows)}
    free = rng.sample(sorted(made), len(made))

    def spoil(count: int, how: Callable[[Product, Random], Product], *, recurring: bool = True) -> None:
        chosen = [i for i in free if made[i].is_recurring is recurring][: count * size]
        for i in chosen:
            free.remove(i)
            made[i] = how(made[i], rng)

    spoil(PRICES_OFF_IN_STRIPE - 1, _off_in_stripe)
    spoil(1, _off_in_stripe, recurring=False)
    spoil(kind.PRICE_DISAGREES.count - PRICES_OFF_IN_STRIPE, _off_in_erp)
    spoil(kind.PRICE_MISSING.count, _without_a_price)
    spoil(3, lambda product, _: replace(product, in_erp=False))
    spoil(2, lambda product, _: replace(product, stripe_id="", stripe_prices={}))
    spoil(1, lambda product, _: replace(product, is_active=False))
    return tuple(made.values())


def _product(index: int, row: tuple[str, str, str, int, bool, str], edition: int, ids: Ids) -> Product:
    name, family, interval, dollars, per_seat, description = row
    code = f"SKU-{index + 1:04d}"
    prices = {"USD": dollars * 100, "EUR": round(dollars * 0.92) * 100, "JPY": dollars * 150}
    mark = _EDITIONS[edition % len(_EDITIONS)] + (f" {edition // 10 + 1}" if edition >= 10 else "")
    return Product(
        code=code,
        name=f"{name} {mark}".strip(),
        description=f"{description}.",
        family=family,
        interval=interval,
        per_seat=per_seat,
        is_active=True,
        prices=prices,
        salesforce_id=ids.salesforce("01t", index),
        stripe_id=ids.stripe("product", code),
        stripe_prices=prices,
        in_erp=True,
        erp_price=prices["USD"],
    )


def _off_in_stripe(product: Product, rng: Random) -> Product:
    """Last year's price in one currency."""
    currency = rng.choice(CURRENCIES)
    old = rounded(product.prices[currency] * rng.choice((90, 95, 105)) // 100)
    return replace(product, stripe_prices={**product.stripe_prices, currency: old})


def _off_in_erp(product: Product, rng: Random) -> Product:
    return replace(product, erp_price=rounded(product.erp_price * rng.choice((90, 95, 108)) // 100))


def _without_a_price(product: Product, rng: Random) -> Product:
    gone = rng.choice(("EUR", "JPY"))
    return replace(product, stripe_prices={c: p for c, p in product.stripe_prices.items() if c != gone})


def rounded(amount_minor: int) -> int:
    """To a multiple of five minor units, so that 20 % of it is whole.

    >>> rounded(4557)
    4555
    """
    return amount_minor - amount_minor % 5


def is_sold(product: Product, currency: str, *, in_erp: bool) -> bool:
    """Whether deals sell it: active, known to Stripe in that currency, and to the ERP if need be."""
    return product.is_active and currency in product.stripe_prices and (product.in_erp or not in_erp)
