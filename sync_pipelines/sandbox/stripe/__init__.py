"""A stand-in for Stripe's v1 API: billing objects, their state machines, search, events, webhooks.

It answers as API version 2026-06-24.dahlia does. Not modelled: payments themselves, coupons, tiers,
metered usage, Stripe Tax, schedules, and anything that happens by the mere passing of time.
"""

from __future__ import annotations

from typing import Any

import requests

from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.faults import FaultPlan, Rule
from sync_pipelines.sandbox.store import Document, Store
from sync_pipelines.sandbox.stripe import (
    catalog,
    credit_note,
    customer,
    entitlement,
    invoice,
    invoiceitem,
    profile,
    search,
    settlement,
    subscription,
    subscription_item,
    webhook,
)
from sync_pipelines.sandbox.stripe.account import API_VERSION, Account, Settings
from sync_pipelines.sandbox.stripe.api import StripeApi
from sync_pipelines.sandbox.stripe.refusal import LOCK_TIMEOUT, RATE_LIMITED
from sync_pipelines.sandbox.stripe.seed import seed
from sync_pipelines.sandbox.stripe.shape import enclosed
from sync_pipelines.sandbox.stripe.view import Include
from sync_pipelines.sandbox.stripe.webhook import Deliveries, sign

__all__ = ["API_VERSION", "Settings", "limited", "locked", "open_vendor", "seed", "sign"]

_FAULT = {"Request-Id": "req_SandboxFault00"}
_ROUTES = (
    *catalog.ROUTES,
    *credit_note.ROUTES,
    *customer.ROUTES,
    *entitlement.ROUTES,
    *invoice.ROUTES,
    *invoiceitem.ROUTES,
    *profile.ROUTES,
    *search.ROUTES,
    *settlement.ROUTES,
    *subscription.ROUTES,
    *subscription_item.ROUTES,
    *webhook.ROUTES,
)


def open_vendor(store: Store, *, clock: VirtualClock, faults: FaultPlan) -> StripeApi:
    """The stand-in over what the store holds.

    Administrators can `settings` (see `Settings`), `seed` (rows by kind) and `deliver` pending webhooks.
    """
    account = Account(store, clock=clock)
    deliveries = Deliveries(account, faults=faults, session=requests.Session())
    return StripeApi(
        account,
        routes=_ROUTES,
        includes=_includes(account),
        actions={
            "deliver": lambda body: deliveries.deliver(**(body or {})),
            "seed": lambda rows: {"seeded": seed(store, rows)},
        },
        faults=faults,
    )


def limited(route: str, **when: Any) -> Rule:
    """A fault: the rate limiter answers 429 before anything is done."""
    headers = {**_FAULT, "Stripe-Rate-Limited-Reason": "global-rate"}
    return Rule(route=route, kind="status", status=429, body=RATE_LIMITED, headers=headers, **when)


def locked(route: str, **when: Any) -> Rule:
    """A fault: another request holds the object, 429 before anything is done."""
    headers = {
        **_FAULT,
        "Stripe-Rate-Limited-Reason": "resource-specific",
        "Stripe-Should-Retry": "true",
    }
    return Rule(route=route, kind="status", status=429, body=LOCK_TIMEOUT, headers=headers, **when)


def _includes(account: Account) -> dict[tuple[str, str], Include]:
    def empty(path: str) -> Include:
        return lambda document: enclosed([], f"/v1/customers/{document['id']}/{path}")

    def payments(document: Document) -> Any:
        return settlement.payments_of(account, document)

    def subscriptions(document: Document) -> Any:
        return subscription.of_customer(account, document)

    return {
        ("customer", "sources"): empty("sources"),
        ("customer", "subscriptions"): subscriptions,
        ("customer", "tax_ids"): empty("tax_ids"),
        ("invoice", "payments"): payments,
        ("price", "currency_options"): lambda price: {},
        ("price", "tiers"): lambda price: None,
    }
