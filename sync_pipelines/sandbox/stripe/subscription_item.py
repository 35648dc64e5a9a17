"""The items of subscriptions: a price, a quantity and the period that is being served."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sync_pipelines.sandbox.store import Document
from sync_pipelines.sandbox.stripe.account import Account
from sync_pipelines.sandbox.stripe.line import rates, require_usable
from sync_pipelines.sandbox.stripe.listing import PAGING, paged
from sync_pipelines.sandbox.stripe.parameter import Clearable, Flag, Items, Kind, Metadata, Text, Whole, merged
from sync_pipelines.sandbox.stripe.refusal import Refusal, missing
from sync_pipelines.sandbox.stripe.route import Call, Given, Route
from sync_pipelines.sandbox.stripe.shape import complete
from sync_pipelines.sandbox.stripe.view import shown

MOST_ITEMS = 20
ITEM: dict[str, Kind] = {
    "metadata": Metadata(),
    "price": Text(),
    "quantity": Whole(0),
    "tax_rates": Clearable(Items(Text(), 20), []),
}
_OWNERS = "_subscription_item"


def require_alive(subscription: Document) -> None:
    if subscription["status"] in ("canceled", "incomplete_expired"):
        raise Refusal("A canceled subscription can only update its cancellation_details and metadata.")


def new_items(account: Account, given: Iterable[Given], *, subscription: str, start: int) -> list[dict[str, Any]]:
    """The items of a new subscription."""
    items = [
        new_item(account, each, subscription=subscription, start=start, path=f"items[{place}]")
        for place, each in enumerate(given)
    ]
    _agree(account, items)
    return items


def new_item(account: Account, given: Given, *, subscription: str, start: int, path: str = "") -> dict[str, Any]:
    price = recurring_price(account, given.get("price", ""), param=f"{path}[price]" if path else "price")
    item_id = account.new_id("subscription_item")
    own_item(account, item_id, subscription)
    return complete(
        "subscription_item",
        {
            "id": item_id,
            "created": account.now(),
            "current_period_end": period_end(start, price["recurring"]),
            "current_period_start": start,
            "metadata": merged({}, given.get("metadata", {})),
            "price": dict(price),
            "quantity": given.get("quantity", 1),
            "subscription": subscription,
            "tax_rates": rates(account, given.get("tax_rates"), param="tax_rates"),
        },
    )


def own_item(account: Account, item: str, subscription: str) -> None:
    """Remember which subscription an item belongs to."""
    account.store.put(_OWNERS, item, {"subscription": subscription})


def recurring_price(account: Account, id: str, *, param: str) -> Document:
    price = account.fetch("price", id, param)
    require_usable(account, price, one_time=False)
    if price["type"] != "recurring":
        raise Refusal(
            "The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`.",
            param=param,
        )
    return price


def _agree(account: Account, items: list[dict[str, Any]]) -> None:
    """All items of a subscription have one currency, one interval, and different prices."""
    if not items:
        raise Refusal("A subscription must have at least one active price.", param="items")
    if len(items) > MOST_ITEMS:
        raise Refusal(f"A subscription can have at most {MOST_ITEMS} items.", param="items")
    prices = [account.find("price", item["price"]["id"]) or item["price"] for item in items]
    if len({price["currency"] for price in prices}) > 1:
        raise Refusal("All prices on a subscription must have the same currency.", param="items")
    if len({(price["recurring"]["interval"], price["recurring"]["interval_count"]) for price in prices}) > 1:
        raise Refusal(
            "All prices on a subscription must have the same `recurring.interval` and `recurring.interval_count`.",
            param="items",
        )
    if len({price["id"] for price in prices}) < len(prices):
        raise Refusal("A subscription cannot have the same price in two items.", param="items")


def period_end(start: int, recurring: Mapping[str, Any]) -> int:
    """When a period that begins at `start` is over; the last day of a short month stands in for a later one.

    >>> period_end(1769817600, {"interval": "month", "interval_count": 1})  # 2026-01-31
    1772236800
    """
    begin = datetime.fromtimestamp(start, UTC)
    count: int = recurring["interval_count"]
    if recurring["interval"] in ("day", "week"):
        return start + count * (1 if recurring["interval"] == "day" else 7) * 86_400
    months = begin.month - 1 + count * (1 if recurring["interval"] == "month" else 12)
    first = begin.replace(year=begin.year + months // 12, month=months % 12 + 1, day=1)
    last_day: int = ((first + timedelta(days=31)).replace(day=1) - timedelta(days=1)).day
    return int(first.replace(day=min(begin.day, last_day)).timestamp())


def changed_items(account: Account, subscription: Document, given: Iterable[Given]) -> list[dict[str, Any]]:
    """Items after an update: named ones change or go, others are new, the rest stays."""
    items = {item["id"]: dict(item) for item in subscription["items"]["data"]}
    for place, each in enumerate(given):
        path = f"items[{place}]"
        if "id" not in each:
            added = new_item(
                account, each, subscription=subscription["id"], start=_period_start(subscription), path=path
            )
            items[added["id"]] = added
        elif each["id"] not in items:
            raise missing("subscription_item", each["id"], param=f"{path}[id]")
        elif each.get("deleted"):
            del items[each["id"]]
            account.store.delete(_OWNERS, each["id"])
        else:
            items[each["id"]] = _changed(account, items[each["id"]], each, path=path)
    _agree(account, list(items.values()))
    return list(items.values())


def _period_start(subscription: Document) -> int:
    return int(subscription["items"]["data"][0]["current_period_start"])


def _changed(account: Account, item: dict[str, Any], given: Given, *, path: str) -> dict[str, Any]:
    after = dict(item)
    if "price" in given:
        after["price"] = dict(recurring_price(account, given["price"], param=f"{path}[price]" if path else "price"))
    if "quantity" in given:
        after["quantity"] = given["quantity"]
    if "metadata" in given:
        after["metadata"] = merged(item["metadata"], given["metadata"])
    if "tax_rates" in given:
        after["tax_rates"] = rates(account, given["tax_rates"], param="tax_rates")
    return after


def _owned(call: Call) -> tuple[Document, Document]:
    """The subscription and the item that the path names."""
    asked = call.ids["id"]
    owner = call.account.store.get(_OWNERS, asked)
    if owner is None:
        raise missing("subscription_item", asked)
    subscription = call.account.fetch("subscription", owner["subscription"])
    for item in subscription["items"]["data"]:
        if item["id"] == asked:
            return subscription, item
    raise missing("subscription_item", asked)


def _save(call: Call, subscription: Document, changes: list[Given]) -> Document:
    require_alive(subscription)
    data = changed_items(call.account, subscription, changes)
    fields = {"items": {**subscription["items"], "data": data}}
    return call.account.change(subscription, fields, event="customer.subscription.updated")


def _create(call: Call) -> dict[str, Any]:
    subscription = call.account.fetch("subscription", call.given["subscription"], "subscription")
    given = {name: value for name, value in call.given.items() if name in ITEM}
    after = _save(call, subscription, [given])
    return shown(call.account, after["items"]["data"][-1])


def _retrieve(call: Call) -> dict[str, Any]:
    return shown(call.account, _owned(call)[1])


def _update(call: Call) -> dict[str, Any]:
    subscription, item = _owned(call)
    given = {name: value for name, value in call.given.items() if name in ITEM}
    _save(call, subscription, [{**given, "id": item["id"]}])
    return shown(call.account, _owned(call)[1])


def _delete(call: Call) -> dict[str, Any]:
    subscription, item = _owned(call)
    _save(call, subscription, [{"id": item["id"], "deleted": True}])
    return {"id": item["id"], "object": "subscription_item", "deleted": True}


def _list(call: Call) -> dict[str, Any]:
    subscription = call.account.fetch("subscription", call.given["subscription"], "subscription")
    url = "/v1/subscription_items"
    return paged(subscription["items"]["data"], call, url=url, kind="subscription_item")


_RULE = "/v1/subscription_items/<id>"
_BEHAVIOR: dict[str, Kind] = {"proration_behavior": Text(), "payment_behavior": Text()}

ROUTES = (
    Route(
        "POST",
        "/v1/subscription_items",
        _create,
        {**ITEM, **_BEHAVIOR, "subscription": Text()},
        ("subscription", "price"),
    ),
    Route("GET", "/v1/subscription_items", _list, {**PAGING, "subscription": Text()}, ("subscription",)),
    Route("GET", _RULE, _retrieve),
    Route("POST", _RULE, _update, {**ITEM, **_BEHAVIOR}),
    Route("DELETE", _RULE, _delete, {"clear_usage": Flag(), "proration_behavior": Text()}),
)
