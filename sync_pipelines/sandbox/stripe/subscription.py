"""Subscriptions: what they are made of, how they change, how they end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sync_pipelines.sandbox.store import Document
from sync_pipelines.sandbox.stripe.account import Account
from sync_pipelines.sandbox.stripe.catalog import retrieving
from sync_pipelines.sandbox.stripe.customer import billing_currency, default_payment_method, require_customer
from sync_pipelines.sandbox.stripe.invoice import COLLECTION_METHOD
from sync_pipelines.sandbox.stripe.line import rates
from sync_pipelines.sandbox.stripe.listing import Accept, Filter, Listing, equal, inside, reference
from sync_pipelines.sandbox.stripe.parameter import (
    MOMENT,
    Choice,
    Clearable,
    Currency,
    Flag,
    Group,
    Items,
    Kind,
    Metadata,
    Range,
    Text,
    Whole,
    merged,
)
from sync_pipelines.sandbox.stripe.refusal import Refusal, missing
from sync_pipelines.sandbox.stripe.route import Call, Given, Route, kept
from sync_pipelines.sandbox.stripe.shape import enclosed
from sync_pipelines.sandbox.stripe.subscription_bill import first_bill
from sync_pipelines.sandbox.stripe.subscription_item import (
    ITEM,
    changed_items,
    new_items,
)
from sync_pipelines.sandbox.stripe.view import shown

STATUSES = (
    "active", "all", "canceled", "ended", "incomplete", "incomplete_expired", "past_due", "paused", "trialing",
    "unpaid",
)  # fmt: skip
_ENDED = ("canceled", "incomplete_expired")
_DETAILS = Group(
    {
        "comment": Clearable(Text()),
        "feedback": Clearable(
            Choice(
                (
                    "customer_service",
                    "low_quality",
                    "missing_features",
                    "other",
                    "switched_service",
                    "too_complex",
                    "too_expensive",
                    "unused",
                )
            )
        ),
    }
)
_COMMON: dict[str, Kind] = {
    "cancel_at": Clearable(MOMENT),
    "cancel_at_period_end": Flag(),
    "collection_method": COLLECTION_METHOD,
    "days_until_due": Whole(0),
    "default_payment_method": Clearable(Text()),
    "default_tax_rates": Clearable(Items(Text(), 20), []),
    "description": Clearable(Text(500)),
    "metadata": Metadata(),
    "off_session": Flag(),
    "payment_behavior": Choice(
        ("allow_incomplete", "default_incomplete", "error_if_incomplete", "pending_if_incomplete")
    ),
    "proration_behavior": Choice(("always_invoice", "create_prorations", "none")),
    "trial_end": MOMENT,
}
_CREATE: dict[str, Kind] = {
    **_COMMON,
    "backdate_start_date": MOMENT,
    "billing_cycle_anchor": MOMENT,
    "currency": Currency(),
    "customer": Text(),
    "items": Items(Group(ITEM, ("price",)), 20),
    "trial_period_days": Whole(1),
}
_UPDATE: dict[str, Kind] = {
    **_COMMON,
    "cancellation_details": _DETAILS,
    "items": Items(Group({**ITEM, "id": Text(), "deleted": Flag()}), 20),
}
_AFTER_END = frozenset(("metadata", "cancellation_details", "expand"))


def _create(call: Call) -> dict[str, Any]:
    account, given = call.account, call.given
    customer = require_customer(account, given["customer"])
    _check(given, given.get("collection_method", "charge_automatically"))
    subscription_id, start = account.new_id("subscription"), given.get("backdate_start_date", account.now())
    items = new_items(account, given["items"], subscription=subscription_id, start=start)
    currency = items[0]["price"]["currency"]
    if given.get("currency", currency) != currency:
        raise Refusal(f"The prices given are in {currency}, not {given['currency']}.", param="currency")
    billing_currency(account, customer, currency)
    trial_end = given.get("trial_end") or _trial(account, given)
    fields = {
        **_fields(account, None, given),
        "id": subscription_id,
        "billing_cycle_anchor": given.get("billing_cycle_anchor", trial_end or start),
        "currency": currency,
        "customer": customer["id"],
        "items": enclosed(items, f"/v1/subscription_items?subscription={subscription_id}"),
        "start_date": start,
        "status": _first_status(account, customer, given, items=items, trial_end=trial_end),
        "trial_end": trial_end,
        "trial_start": account.now() if trial_end else None,
    }
    fields.update(_ending(account, fields, given))
    subscription = account.add("subscription", fields, event="customer.subscription.created")
    return shown(account, first_bill(account, customer, subscription))


def _trial(account: Account, given: Given) -> int | None:
    days = given.get("trial_period_days")
    return account.now() + days * 86_400 if days else None


def _first_status(
    account: Account, customer: Document, given: Given, *, items: list[dict[str, Any]], trial_end: int | None
) -> str:
    """What the subscription starts as; without a way to be paid it is refused or incomplete."""
    if trial_end is not None and trial_end > account.now():
        return "trialing"
    method = given.get("default_payment_method") or default_payment_method(customer)
    free = not any((item["price"]["unit_amount_decimal"] or "0") != "0" for item in items)
    if given.get("collection_method") == "send_invoice" or method or free:
        return "active"
    if given.get("payment_behavior") == "default_incomplete":
        return "incomplete"
    raise Refusal(
        "This customer has no attached payment source or default payment method. Please consider adding a "
        "default payment method. For more information, visit "
        "https://stripe.com/docs/billing/subscriptions/payment-methods-setting#payment-method-priority.",
        code="resource_missing",
    )


def _check(given: Given, method: str) -> None:
    if "days_until_due" in given and method != "send_invoice":
        raise Refusal(
            "You can only specify `days_until_due` if `collection_method` is `send_invoice`.",
            param="days_until_due",
        )
    if method == "send_invoice" and given.get("collection_method") and "days_until_due" not in given:
        raise Refusal(
            "You must specify `days_until_due` when `collection_method` is `send_invoice`.",
            code="parameter_missing",
            param="days_until_due",
        )
    if given.get("cancel_at") is not None and given.get("cancel_at_period_end"):
        raise Refusal(
            "You may only specify one of these parameters: cancel_at, cancel_at_period_end.",
            code="parameters_exclusive",
            param="cancel_at",
        )


def _fields(account: Account, held: Document | None, given: Given) -> dict[str, Any]:
    fields = kept(given, "collection_method", "days_until_due", "default_payment_method", "description", "trial_end")
    if "metadata" in given:
        fields["metadata"] = merged(held["metadata"] if held else {}, given["metadata"])
    if "default_tax_rates" in given:
        fields["default_tax_rates"] = rates(account, given["default_tax_rates"], param="default_tax_rates")
    if held and "cancellation_details" in given:
        fields["cancellation_details"] = {**held["cancellation_details"], **given["cancellation_details"]}
    return fields


def _ending(account: Account, held: Mapping[str, Any], given: Given) -> dict[str, Any]:
    """The fields that say when a subscription will end."""
    details = held.get("cancellation_details") or {"comment": None, "feedback": None, "reason": None}
    asked = {
        "canceled_at": account.now(),
        "cancellation_details": {**details, "reason": "cancellation_requested"},
    }
    never = {
        "cancel_at": None,
        "cancel_at_period_end": False,
        "canceled_at": None,
        "cancellation_details": {**details, "reason": None},
    }
    if given.get("cancel_at") is not None:
        if given["cancel_at"] <= account.now():
            raise Refusal("`cancel_at` must be a timestamp in the future.", param="cancel_at")
        return {**asked, "cancel_at": given["cancel_at"], "cancel_at_period_end": False}
    if given.get("cancel_at_period_end"):
        end = min(item["current_period_end"] for item in held["items"]["data"])
        return {**asked, "cancel_at": end, "cancel_at_period_end": True}
    if "cancel_at" in given or ("cancel_at_period_end" in given and held.get("cancel_at_period_end")):
        return never
    return {}


def _update(call: Call) -> dict[str, Any]:
    account, given = call.account, call.given
    held = account.fetch("subscription", call.ids["id"])
    if held["status"] in _ENDED and not _AFTER_END.issuperset(given):
        raise Refusal("A canceled subscription can only update its cancellation_details and metadata.")
    _check({**given}, given.get("collection_method", held["collection_method"]))
    fields = _fields(account, held, given)
    if "items" in given:
        fields["items"] = {**held["items"], "data": changed_items(account, held, given["items"])}
    fields.update(_ending(account, {**held, **fields}, given))
    return shown(account, account.change(held, fields, event="customer.subscription.updated"))


def _cancel(call: Call) -> dict[str, Any]:
    account, held = call.account, call.account.fetch("subscription", call.ids["id"])
    if held["status"] in _ENDED:
        raise missing("subscription", held["id"])
    now = account.now()
    details = {**held["cancellation_details"], **call.given.get("cancellation_details", {})}
    fields = {
        "cancel_at_period_end": False,
        "canceled_at": now,
        "cancellation_details": {**details, "reason": "cancellation_requested"},
        "ended_at": now,
        "status": "canceled",
    }
    return shown(account, account.change(held, fields, event="customer.subscription.deleted"))


def _visible(given: Given) -> Accept:
    """Without a word about `status`, canceled subscriptions are left out."""
    if "status" in given:
        return lambda subscription: True
    return lambda subscription: subscription["status"] != "canceled"


def _has_status(subscription: Document, wanted: str) -> bool:
    if wanted == "ended":
        return subscription["status"] in _ENDED
    return wanted == "all" or bool(subscription["status"] == wanted)


def _has_price(subscription: Document, price: str) -> bool:
    return any(item["price"]["id"] == price for item in subscription["items"]["data"])


def _period(name: str) -> Callable[[Document, Any], bool]:
    return lambda subscription, bounds: any(inside(item[name], bounds) for item in subscription["items"]["data"])


def of_customer(account: Account, customer: Document) -> dict[str, Any]:
    """The customer's live subscriptions, as the includable field shows them."""
    found = account.store.find("subscription", "customer", customer["id"])
    alive = [shown(account, each) for each in found if each["status"] not in _ENDED]
    url = f"/v1/customers/{customer['id']}/subscriptions"
    return enclosed(alive[-10:][::-1], url, has_more=len(alive) > 10)


_RULE = "/v1/subscriptions/<id>"

ROUTES = (
    Route("POST", "/v1/subscriptions", _create, _CREATE, ("customer", "items")),
    retrieving("subscription", _RULE),
    Route("POST", _RULE, _update, _UPDATE),
    Route("DELETE", _RULE, _cancel, {"cancellation_details": _DETAILS, "invoice_now": Flag(), "prorate": Flag()}),
    Listing(
        "subscription",
        "/v1/subscriptions",
        {
            "collection_method": equal("collection_method", COLLECTION_METHOD),
            "current_period_end": Filter(Range(), _period("current_period_end")),
            "current_period_start": Filter(Range(), _period("current_period_start")),
            "customer": reference("customer"),
            "price": Filter(Text(), _has_price),
            "status": Filter(Choice(STATUSES), _has_status),
        },
        implied=_visible,
    ).route(),
)
