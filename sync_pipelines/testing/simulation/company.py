"""A company small enough for thousands of lives: a few families cut out of the simulated company."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from random import Random

from sync_pipelines.sandbox import company
from sync_pipelines.sandbox.company import erp, salesforce, stripe
from sync_pipelines.sandbox.company.model import Deal, Facts

FAMILIES = 7
"""How many companies of different seeds there are to cut from."""

Rows = dict[str, dict[str, list[dict[str, object]]]]
"""What each stand-in is seeded with, by its name."""


def cut(rng: Random) -> Facts:
    """Three to six customers with one or two deals each, and the products that those sell."""
    whole = _whole(rng.randrange(FAMILIES))
    sold: dict[str, list[Deal]] = {}
    for deal in whole.deals:
        sold.setdefault(deal.customer.account_id, []).append(deal)
    buyers = [c for c in whole.customers if c.account_id in sold and not c.is_deleted]
    chosen = rng.sample(buyers, rng.randint(3, 6))
    deals = [deal for customer in chosen for deal in sold[customer.account_id][: rng.randint(1, 2)]]
    names = {line.product.code for deal in deals for line in deal.lines}
    others = [product for product in whole.products if product.code not in names]
    names |= {product.code for product in rng.sample(others, 2)}
    return replace(
        whole,
        customers=tuple(chosen),
        products=tuple(product for product in whole.products if product.code in names),
        deals=tuple(sorted(deals, key=lambda deal: deal.number)),
        pursuits=(),
        papers=(),
    )


def rows(facts: Facts) -> Rows:
    """What every system knows of the company at first."""
    return {"salesforce": salesforce.rows(facts), "stripe": stripe.objects(facts), "tryton": erp.rows(facts)}


@cache
def _whole(number: int) -> Facts:
    return company.imagine(number, scale=1)
