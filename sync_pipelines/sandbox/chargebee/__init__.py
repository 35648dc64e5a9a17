"""A stand-in for Chargebee's API v2 with Product Catalog 2.0: customers, catalog, subscriptions and documents.

Not modelled: payments themselves, coupons, tiers, usage, Chargebee's Entitlements, webhooks, several sites, and
anything that happens by the mere passing of time. What is known from memory alone is in `Settings`.
"""

from __future__ import annotations

from typing import Any

from sync_pipelines.sandbox.chargebee import catalog, credit_note, customer, event, invoice, subscription
from sync_pipelines.sandbox.chargebee.api import ChargebeeApi
from sync_pipelines.sandbox.chargebee.refusal import LIMITED
from sync_pipelines.sandbox.chargebee.seed import seed
from sync_pipelines.sandbox.chargebee.site import Settings, Site
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.faults import FaultPlan, Rule
from sync_pipelines.sandbox.store import Store

__all__ = ["Settings", "limited", "open_vendor", "seed"]

_MODULES = (catalog, credit_note, customer, event, invoice, subscription)


def open_vendor(store: Store, *, clock: VirtualClock, faults: FaultPlan) -> ChargebeeApi:
    """The stand-in over what the store holds.

    Administrators can `settings` (see `Settings`), `seed` (rows by kind) and `save_late` (kind, fields, seconds).
    """
    site = Site(store, clock=clock)
    return ChargebeeApi(
        site,
        routes=tuple(route for module in _MODULES for route in module.ROUTES),
        actions={
            "seed": lambda rows: {"seeded": seed(store, rows)},
            "save_late": lambda given: {"id": site.add_late(**given)["id"]},
        },
        faults=faults,
    )


def limited(route: str, *, wait: int = 41, **when: Any) -> Rule:
    """A fault: the rate limiter answers 429 before anything is done."""
    headers = {"Retry-After": str(wait)}
    return Rule(route=route, kind="status", status=429, body=LIMITED.body(), headers=headers, **when)
