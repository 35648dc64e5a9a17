"""A stand-in for Stripe's v1 API: billing objects, their state machines, search, events, webhooks.

It answers as API version 2026-06-24.dahlia does. Not modelled: payments themselves, coupons, tiers,
metered usage, Stripe Tax, schedules, and anything that happens by the mere passing of time.
"""

from __future__ import annotations

from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.faults import FaultPlan
from sync_pipelines.sandbox.store import Store
from sync_pipelines.sandbox.stripe import catalog, customer
from sync_pipelines.sandbox.stripe.account import Account
from sync_pipelines.sandbox.stripe.api import StripeApi


def open_vendor(store: Store, *, clock: VirtualClock, faults: FaultPlan) -> StripeApi:
    """The stand-in over what the store holds."""
    account = Account(store, clock=clock)
    routes = (*customer.ROUTES, *catalog.ROUTES)
    return StripeApi(account, routes=routes, includes={}, actions={}, faults=faults)
