"""Subscriptions: started for a customer, changed, and ended now, at the term's end or on a day.

Nothing happens by the mere passing of time: no renewal, and a scheduled cancellation stays scheduled.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sync_pipelines.sandbox.chargebee.document import priced, shown
from sync_pipelines.sandbox.chargebee.filter import ENUM, FLAG, STRING, TIMESTAMP
from sync_pipelines.sandbox.chargebee.invoice import bill
from sync_pipelines.sandbox.chargebee.listing import Listing
from sync_pipelines.sandbox.chargebee.parameter import Choice, Columns, Flag, Json, Kind, Text, Whole
from sync_pipelines.sandbox.chargebee.refusal import blank, unfit, wrong
from sync_pipelines.sandbox.chargebee.route import BASE, Call, Route
from sync_pipelines.sandbox.chargebee.site import Settings, Site
from sync_pipelines.sandbox.store import Document

_RULE = f"{BASE}/subscriptions/<id>"
_ITEM_PRICE = "subscription_items[item_price_id]"
_DAYS = {"day": 1, "week": 7}
_MONTHS = {"month": 1, "year": 12}


def _changeable(settings: Settings) -> dict[str, Kind]:
    return {
        "auto_collection": Choice(("on", "off")),
        "invoice_immediately": Flag(),
        "meta_data": Json(),
        "net_term_days": Whole(),
        "po_number": Text(settings.lengths.po_number),
        "start_date": Whole(),
        "subscription_items": Columns(
            {"item_price_id": Text(), "quantity": Whole(1), "unit_price": Whole()}, ("item_price_id",)
        ),
        "trial_end": Whole(),
    }


def _creation(settings: Settings) -> dict[str, Kind]:
    own = {"business_entity_id": Text(50), "id": Text(settings.lengths.id)}
    return {**_changeable(settings), **own}


def _create(call: Call) -> dict[str, Any]:
    site, given = call.site, call.given
    customer = site.live("customer", call.ids["customer"])
    now = site.now()
    start, trial_end = given.get("start_date") or now, given.get("trial_end") or 0
    prices, items = _items(site, given["subscription_items"], trial_end=trial_end)
    plan = _plan(prices)
    status = "future" if start > now else "in_trial" if trial_end > now else "active"
    fields = {
        **{name: value for name, value in given.items() if name != "invoice_immediately"},
        "customer_id": customer["id"],
        "business_entity_id": given.get("business_entity_id") or customer.get("business_entity_id"),
        "currency_code": plan["currency_code"],
        "status": status,
        "billing_period": plan["period"],
        "billing_period_unit": plan["period_unit"],
        "start_date": start,
        "trial_start": now if status == "in_trial" else None,
        "current_term_start": start,
        "current_term_end": trial_end if status == "in_trial" else _after(start, plan),
        "created_at": now,
        "started_at": None if status == "future" else now,
        "activated_at": now if status == "active" else None,
        "subscription_items": items,
        "has_scheduled_changes": False,
        "due_invoices_count": 0,
        "deleted": False,
        "channel": "web",
    }
    fields["next_billing_at"] = fields["current_term_end"]
    subscription = site.add("subscription", fields, event="subscription_created")
    answer = {"subscription": subscription, "customer": customer}
    return answer if status != "active" else {**answer, "invoice": _first_bill(site, customer, subscription, prices)}


def _items(
    site: Site, rows: list[dict[str, Any]], *, trial_end: int = 0
) -> tuple[list[Document], list[dict[str, Any]]]:
    prices, items = [], []
    for row in rows:
        price = site.live("item_price", row["item_price_id"], _ITEM_PRICE)
        if price["status"] != "active":
            raise unfit("The item price is archived and cannot be added.", _ITEM_PRICE)
        flat, unit = price["pricing_model"] == "flat_fee", row.get("unit_price")
        unit = price.get("price", 0) if unit is None else unit
        quantity = row.get("quantity") or 1
        item = {
            "object": "subscription_item",
            "item_price_id": price["id"],
            "item_type": price["item_type"],
            "quantity": None if flat else quantity,
            "unit_price": unit,
            "amount": unit if flat else unit * quantity,
            "free_quantity": 0,
            "trial_end": trial_end or None,
        }
        prices.append(price)
        items.append({name: value for name, value in item.items() if value is not None})
    return prices, items


def _plan(prices: list[Document]) -> Document:
    """The one plan of a subscription; everything else has its currency."""
    plans = [price for price in prices if price["item_type"] == "plan"]
    if len(plans) != 1:
        raise wrong("subscription_items", "should have exactly one plan")
    if any(price["currency_code"] != plans[0]["currency_code"] for price in prices):
        raise wrong(_ITEM_PRICE, f"should be in {plans[0]['currency_code']}")
    return plans[0]


def _first_bill(site: Site, customer: Document, subscription: Document, prices: list[Document]) -> dict[str, Any]:
    at = subscription["start_date"]
    lines = [
        {
            **priced(site, price, item.get("quantity", 1), item["unit_price"], at=at),
            "date_to": subscription["current_term_end"],
            "subscription_id": subscription["id"],
        }
        for price, item in zip(prices, subscription["subscription_items"], strict=True)
    ]
    fields = {
        "date": at,
        "recurring": True,
        "subscription_id": subscription["id"],
        "po_number": subscription.get("po_number"),
        "business_entity_id": subscription.get("business_entity_id"),
    }
    return shown(site, bill(site, customer, subscription["currency_code"], lines, fields))


def _update(call: Call) -> dict[str, Any]:
    site, given = call.site, dict(call.given)
    held = site.live("subscription", call.ids["id"])
    if held["status"] == "cancelled":
        raise unfit("The subscription is cancelled and cannot be changed.")
    if "start_date" in given and held["status"] != "future":
        raise unfit("The start date can be changed only before the subscription starts.", "start_date")
    replaces = given.pop("replace_items_list", False)
    rows = given.pop("subscription_items", None)
    if rows is not None:
        kept = [] if replaces else [each for each in held["subscription_items"] if not _is_among(each, rows)]
        prices, items = _items(site, [*kept, *rows])
        _plan(prices)
        given["subscription_items"] = items
    given.pop("invoice_immediately", None)
    return _answer(site, site.change(held, given, event="subscription_changed"))


def _is_among(item: dict[str, Any], rows: list[dict[str, Any]]) -> bool:
    return any(row["item_price_id"] == item["item_price_id"] for row in rows)


def _cancel(call: Call) -> dict[str, Any]:
    site, given = call.site, call.given
    held = site.live("subscription", call.ids["id"])
    if held["status"] == "cancelled":
        raise unfit("The subscription is cancelled already.")
    option = given.get("cancel_option") or ("end_of_term" if given.get("end_of_term") else "immediately")
    at = {"immediately": site.now(), "end_of_term": held["current_term_end"]}.get(option, given.get("cancel_at"))
    if at is None:
        raise blank("cancel_at")
    if at < held["start_date"]:
        raise wrong("cancel_at", "should be after the start of the subscription")
    ends = at <= site.now()
    fields = {
        "status": "cancelled" if ends else "non_renewing",
        "cancelled_at": at,
        "cancel_reason_code": given.get("cancel_reason_code"),
        "cancel_schedule_created_at": None if ends else site.now(),
        "next_billing_at": None,
    }
    event = "subscription_cancelled" if ends else "subscription_cancellation_scheduled"
    return _answer(site, site.change(held, fields, event=event))


def _keep(call: Call) -> dict[str, Any]:
    site, held = call.site, call.site.live("subscription", call.ids["id"])
    if held["status"] != "non_renewing":
        raise unfit("The subscription has no scheduled cancellation.")
    fields = {
        "status": "active",
        "cancelled_at": None,
        "cancel_schedule_created_at": None,
        "next_billing_at": held["current_term_end"],
    }
    return _answer(site, site.change(held, fields, event="subscription_scheduled_cancellation_removed"))


def _delete(call: Call) -> dict[str, Any]:
    site, held = call.site, call.site.live("subscription", call.ids["id"])
    return _answer(site, site.remove(held, event="subscription_deleted"))


def _answer(site: Site, subscription: Document) -> dict[str, Any]:
    return {"subscription": subscription, "customer": site.fetch("customer", subscription["customer_id"])}


def _after(start: int, plan: Document) -> int:
    """The end of the first term; a term of months ends on the same day, or the month's last."""
    moment, period, unit = datetime.fromtimestamp(start, UTC), plan["period"], plan["period_unit"]
    if unit in _DAYS:
        return int((moment + timedelta(days=period * _DAYS[unit])).timestamp())
    years, month = divmod(moment.month - 1 + period * _MONTHS[unit], 12)
    first = moment.replace(day=1, year=moment.year + years, month=month + 1)
    following = (first + timedelta(days=31)).replace(day=1)
    day = min(moment.day, (following - timedelta(days=1)).day)
    return int(first.replace(day=day).timestamp())


ROUTES = (
    Route("POST", f"{BASE}/customers/<customer>/subscription_for_items", _create, _creation, ("subscription_items",)),
    Listing(
        "subscription",
        "subscriptions",
        {
            **dict.fromkeys(("id", "customer_id", "business_entity_id"), STRING),
            **dict.fromkeys(("status", "cancel_reason", "channel"), ENUM),
            **dict.fromkeys(("created_at", "activated_at", "next_billing_at", "cancelled_at", "updated_at"), TIMESTAMP),
            "has_scheduled_changes": FLAG,
        },
        sorts=("created_at", "updated_at"),
        shown=_answer,
    ).route(),
    Route("GET", _RULE, lambda call: _answer(call.site, call.site.fetch("subscription", call.ids["id"]))),
    Route(
        "POST",
        f"{_RULE}/update_for_items",
        _update,
        lambda settings: {**_changeable(settings), "replace_items_list": Flag()},
    ),
    Route(
        "POST",
        f"{_RULE}/cancel_for_items",
        _cancel,
        lambda settings: {
            "cancel_at": Whole(),
            "cancel_option": Choice(("immediately", "end_of_term", "specific_date")),
            "cancel_reason_code": Text(100),
            "end_of_term": Flag(),
        },
    ),
    Route("POST", f"{_RULE}/remove_scheduled_cancellation", _keep),
    Route("POST", f"{_RULE}/delete", _delete),
)
