"""What the account says about itself: its identity, its balance, and its events of the last 30 days."""

from __future__ import annotations

from typing import Any

from sync_pipelines.sandbox.store import Document
from sync_pipelines.sandbox.stripe.event import is_kept, is_named
from sync_pipelines.sandbox.stripe.listing import Filter, Listing
from sync_pipelines.sandbox.stripe.parameter import Flag, Items, Text, exclusive
from sync_pipelines.sandbox.stripe.refusal import missing
from sync_pipelines.sandbox.stripe.route import Call, Route
from sync_pipelines.sandbox.stripe.shape import enclosed


def _account(call: Call) -> dict[str, Any]:
    settings = call.account.settings
    return {
        "id": settings.account,
        "object": "account",
        "business_profile": {"mcc": None, "name": settings.name, "support_email": None, "url": None},
        "business_type": "company",
        "capabilities": {"card_payments": "active", "transfers": "active"},
        "charges_enabled": True,
        "controller": {"type": "account"},
        "country": settings.country,
        "created": 1_700_000_000,
        "default_currency": settings.currency,
        "details_submitted": True,
        "email": None,
        "external_accounts": enclosed([], f"/v1/accounts/{settings.account}/external_accounts"),
        "metadata": {},
        "payouts_enabled": True,
        "settings": {
            "branding": {"icon": None, "logo": None, "primary_color": None, "secondary_color": None},
            "dashboard": {"display_name": settings.name, "timezone": "America/New_York"},
        },
        "type": "standard",
    }


def _named_account(call: Call) -> dict[str, Any]:
    if call.ids["id"] != call.account.settings.account:
        raise missing("account", call.ids["id"])
    return _account(call)


def _balance(call: Call) -> dict[str, Any]:
    """What came in by payments, by currency, as if nothing was ever paid out."""
    received: dict[str, int] = {}
    for payment in call.account.store.all("invoice_payment"):
        if payment["status"] == "paid" and payment["payment"]["type"] == "payment_intent":
            received[payment["currency"]] = received.get(payment["currency"], 0) + payment["amount_paid"]
    available = [
        {"amount": amount, "currency": currency, "source_types": {"card": amount}}
        for currency, amount in sorted(received.items())
    ]
    return {"object": "balance", "available": available, "livemode": False, "pending": []}


def _event(call: Call) -> dict[str, Any]:
    event = call.account.store.get("_event", call.ids["id"])
    if event is None or not is_kept(event, call.account.now()):
        raise missing("event", call.ids["id"])
    return dict(event)


def _events(call: Call) -> dict[str, Any]:
    exclusive(call.given, "type", "types")
    since = call.account.now() - 30 * 86_400 + 1
    given = dict(call.given)
    bounds = dict(given.get("created", {}))
    given["created"] = {**bounds, "gte": max(since, bounds.get("gte", since))}
    return _EVENTS.run(Call(call.account, call.ids, given))


def _delivered(event: Document, wanted: bool) -> bool:
    return bool((event["pending_webhooks"] == 0) == wanted)


_EVENTS = Listing(
    "event",
    "/v1/events",
    {
        "delivery_success": Filter(Flag(), _delivered),
        "type": Filter(Text(), lambda event, pattern: is_named(event, [pattern])),
        "types": Filter(Items(Text(), 20), is_named),
    },
    table="_event",
)

ROUTES = (
    Route("GET", "/v1/account", _account),
    Route("GET", "/v1/accounts/<id>", _named_account),
    Route("GET", "/v1/balance", _balance),
    Route("GET", "/v1/events", _events, _EVENTS.route().fields),
    Route("GET", "/v1/events/<id>", _event),
)
