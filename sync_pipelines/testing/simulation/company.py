"""A company small enough for thousands of lives: a few families cut out of the simulated company."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from random import Random

from sync_pipelines.sandbox import company
from sync_pipelines.sandbox.company import defects
from sync_pipelines.sandbox.company.model import Customer, Deal, Facts, Product
from sync_pipelines.sandbox.company.moments import FIRST_OPEN_DAY

FAMILIES = 7
"""How many companies of different seeds there are to cut from."""

SYSTEMS = ("salesforce", "stripe", "tryton")

Rows = dict[str, dict[str, list[dict[str, object]]]]
"""What each stand-in is seeded with, by its name."""


def cut(rng: Random) -> Facts:
    """Three to six customers with one or two deals each, and the products that those sell.

    The ERP knows neither the first customer nor some documents of the others: there is work to do.
    """
    whole = _whole(rng.randrange(FAMILIES))
    sold: dict[str, list[Deal]] = {}
    for deal in whole.deals:
        sold.setdefault(deal.customer.account_id, []).append(deal)
    buyers = [c for c in whole.customers if c.account_id in sold and not c.is_deleted]
    chosen = rng.sample(buyers, rng.randint(3, 6))
    deals = [deal for customer in chosen for deal in sold[customer.account_id][: rng.randint(1, 2)]]
    newcomer = _unknown_to_erp(chosen[0])
    deals = [_unwritten(d, newcomer) if d.customer is chosen[0] or rng.random() < 0.5 else d for d in deals]
    names = {line.product.code for deal in deals for line in deal.lines}
    others = [product for product in whole.products if product.code not in names]
    extra = {product.code for product in rng.sample(others, 2)}
    products = [_missing(product, extra) for product in whole.products if product.code in names | extra]
    return replace(
        whole,
        customers=(newcomer, *chosen[1:]),
        products=tuple(products),
        deals=tuple(sorted(deals, key=lambda deal: deal.number)),
        pursuits=(),
        papers=(),
    )


def rows(facts: Facts, systems: Iterable[str] = SYSTEMS) -> Rows:
    """What every system knows of the company at first."""
    return {system: company.told(facts, system) for system in systems}


def _unknown_to_erp(customer: Customer) -> Customer:
    return replace(customer, party_code="", party=None)


def _unwritten(deal: Deal, newcomer: Customer) -> Deal:
    """The deal without its documents in the ERP, except for invoices of months that are closed there."""
    is_new = deal.customer.account_id == newcomer.account_id
    is_open = deal.invoice is None or deal.invoice.issued_on >= FIRST_OPEN_DAY
    missing = defects.INVOICE_MISSING if is_new or is_open else deal.fate.invoice
    fate = replace(deal.fate, order=defects.ORDER_MISSING, invoice=missing)
    credit = replace(deal.credit, defect=missing) if deal.credit else None
    return replace(deal, customer=newcomer if is_new else deal.customer, fate=fate, credit=credit)


def _missing(product: Product, extra: set[str]) -> Product:
    return replace(product, in_erp=product.in_erp and product.code not in extra)


@cache
def _whole(number: int) -> Facts:
    return company.imagine(number, scale=1)
