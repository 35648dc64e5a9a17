"""The product catalog 2.0: item families, items, and item prices, which are what is sold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sync_pipelines.sandbox.chargebee.filter import ENUM, NUMBER, STRING, TIMESTAMP
from sync_pipelines.sandbox.chargebee.listing import Listing
from sync_pipelines.sandbox.chargebee.parameter import Choice, Decimal, Flag, Group, Json, Kind, Text, Whole
from sync_pipelines.sandbox.chargebee.refusal import blank, duplicate, unfit, wrong
from sync_pipelines.sandbox.chargebee.route import BASE, Call, Given, Route, retrieving
from sync_pipelines.sandbox.chargebee.site import Settings, Site, is_deleted
from sync_pipelines.sandbox.store import Document

_STATUS = Choice(("active", "archived"))
_PERIODS = ("day", "week", "month", "year")


def _families(settings: Settings) -> dict[str, Kind]:
    return {"name": Text(settings.lengths.item_name), "description": Text(settings.lengths.description)}


def _items(settings: Settings) -> dict[str, Kind]:
    return {
        **_families(settings),
        "enabled_for_checkout": Flag(),
        "enabled_in_portal": Flag(),
        "external_name": Text(settings.lengths.item_name),
        "is_shippable": Flag(),
        "item_family_id": Text(settings.lengths.id),
        "metadata": Json(),
        "unit": Text(30),
    }


def _prices(settings: Settings) -> dict[str, Kind]:
    codes = ("sku", "accounting_code", *(f"accounting_category{number}" for number in range(1, 5)))
    return {
        **_families(settings),
        "accounting_detail": Group(dict.fromkeys(codes, Text(100))),
        "billing_cycles": Whole(1),
        "currency_code": Text(3),
        "external_name": Text(settings.lengths.item_name),
        "free_quantity": Whole(),
        "is_taxable": Flag(),
        "metadata": Json(),
        "period": Whole(1),
        "period_unit": Choice(_PERIODS),
        "price": Whole(),
        "price_in_decimal": Decimal(),
        "pricing_model": Choice(("flat_fee", "per_unit", "tiered", "volume", "stairstep")),
    }


def _create_family(call: Call) -> dict[str, Any]:
    family = {"status": "active", "deleted": False, **call.given}
    return {"item_family": call.site.add("item_family", family, event="item_family_created")}


def _update_family(call: Call) -> dict[str, Any]:
    family = call.site.live("item_family", call.ids["id"])
    return {"item_family": call.site.change(family, call.given, event="item_family_updated")}


def _create_item(call: Call) -> dict[str, Any]:
    site, given = call.site, call.given
    _check_item(site, given, None)
    item = {
        "status": "active",
        "is_shippable": False,
        "is_giftable": False,
        "enabled_for_checkout": True,
        "enabled_in_portal": True,
        "item_applicability": "all",
        "metered": False,
        "channel": "web",
        "deleted": False,
        **given,
    }
    return {"item": site.add("item", item, event="item_created")}


def _update_item(call: Call) -> dict[str, Any]:
    item = call.site.live("item", call.ids["id"])
    _check_item(call.site, call.given, item)
    return {"item": call.site.change(item, _archived(call, item), event="item_updated")}


def _archived(call: Call, held: Document) -> dict[str, Any]:
    status = call.given.get("status")
    if status is None or status == held["status"]:
        return dict(call.given)
    return {**call.given, "archived_at": call.site.now() if status == "archived" else None}


def _check_item(site: Site, given: Given, held: Document | None) -> None:
    if given.get("item_family_id"):
        site.live("item_family", given["item_family_id"], "item_family_id")
    _check_name(site, "item", given, held)


def _check_name(site: Site, kind: str, given: Given, held: Document | None) -> None:
    """Names are unique among what is not deleted."""
    if "name" not in given:
        return
    if given["name"] is None:
        raise blank("name")
    others = site.store.find(kind, "name", given["name"])
    if any(each["id"] != (held or {}).get("id") and not is_deleted(each) for each in others):
        raise duplicate("name", given["name"])


def _create_price(call: Call) -> dict[str, Any]:
    site, given = call.site, call.given
    item = site.live("item", given["item_id"], "item_id")
    price = {
        "status": "active",
        "pricing_model": "flat_fee",
        "currency_code": site.settings.currencies[0],
        "free_quantity": 0,
        "is_taxable": True,
        "item_type": item["type"],
        "item_family_id": item["item_family_id"],
        "channel": "web",
        "created_at": site.now(),
        "deleted": False,
        **given,
    }
    _check_price(site, price, given, None)
    return {"item_price": site.add("item_price", price, event="item_price_created")}


def _update_price(call: Call) -> dict[str, Any]:
    site, given = call.site, call.given
    price = site.live("item_price", call.ids["id"])
    fixed = [
        name
        for name in ("currency_code", "period", "period_unit")
        if given.get(name, price.get(name)) != price.get(name)
    ]
    if fixed and _is_used(site, price):
        raise unfit(f"{fixed[0]} cannot be changed: the item price is used by a subscription.", fixed[0])
    fields = _archived(call, price)
    if "accounting_detail" in given:
        details = {**price.get("accounting_detail", {}), **given["accounting_detail"]}
        fields["accounting_detail"] = {name: value for name, value in details.items() if value is not None}
    _check_price(site, {**price, **fields}, given, price)
    return {"item_price": site.change(price, fields, event="item_price_updated")}


def _check_price(site: Site, price: Document, given: Given, held: Document | None) -> None:
    _check_name(site, "item_price", given, held)
    if price["currency_code"] not in site.settings.currencies:
        raise wrong("currency_code", "is not a currency of this site")
    if price["pricing_model"] in ("flat_fee", "per_unit") and price.get("price", price.get("price_in_decimal")) is None:
        raise blank("price")
    if price["item_type"] == "charge" and price.get("period"):
        raise wrong("period", "cannot be given for a charge")
    if price["item_type"] != "charge" and not (price.get("period") and price.get("period_unit")):
        raise blank("period" if not price.get("period") else "period_unit")
    same = ("currency_code", "period", "period_unit")
    for other in site.store.find("item_price", "item_id", price["item_id"]):
        if other["id"] != price.get("id") and not is_deleted(other) and all(other.get(n) == price.get(n) for n in same):
            raise duplicate("currency_code", f"{price['currency_code']} for this item and period")


def _is_used(site: Site, price: Document) -> bool:
    return any(
        item["item_price_id"] == price["id"]
        for subscription in site.store.all("subscription")
        for item in subscription["subscription_items"]
    )


def _deleting(kind: str) -> Callable[[Call], dict[str, Any]]:
    def run(call: Call) -> dict[str, Any]:
        return {kind: call.site.remove(call.site.live(kind, call.ids["id"]), event=f"{kind}_deleted")}

    return run


def _delete_price(call: Call) -> dict[str, Any]:
    """A price in use can only be archived."""
    price = call.site.live("item_price", call.ids["id"])
    if _is_used(call.site, price):
        fields = {"status": "archived", "archived_at": call.site.now()}
        return {"item_price": call.site.change(price, fields, event="item_price_updated")}
    return _deleting("item_price")(call)


def _own_id(
    fields: Callable[[Settings], dict[str, Kind]], name: str, **more: Kind
) -> Callable[[Settings], dict[str, Kind]]:
    return lambda settings: {**fields(settings), "id": Text(getattr(settings.lengths, name)), **more}


def _status(fields: Callable[[Settings], dict[str, Kind]]) -> Callable[[Settings], dict[str, Kind]]:
    return lambda settings: {**fields(settings), "status": _STATUS}


_TYPE = Choice(("plan", "addon", "charge"))
_ITEM, _PRICE, _FAMILY = f"{BASE}/items", f"{BASE}/item_prices", f"{BASE}/item_families"
_SHARED = {**dict.fromkeys(("id", "name"), STRING), "updated_at": TIMESTAMP}

ROUTES = (
    Route("POST", _FAMILY, _create_family, _own_id(_families, "id"), ("id", "name")),
    Listing("item_family", "item_families", _SHARED, default_sort="updated_at").route(),
    retrieving("item_family", "item_families"),
    Route("POST", f"{_FAMILY}/<id>", _update_family, _families),
    Route("POST", f"{_FAMILY}/<id>/delete", _deleting("item_family")),
    Route("POST", _ITEM, _create_item, _own_id(_items, "id", type=_TYPE), ("id", "name", "type", "item_family_id")),
    Listing(
        "item",
        "items",
        {**_SHARED, "item_family_id": STRING, **dict.fromkeys(("type", "status"), ENUM)},
        sorts=("name", "id", "updated_at"),
        default_sort="updated_at",
    ).route(),
    retrieving("item", "items"),
    Route("POST", f"{_ITEM}/<id>", _update_item, _status(_items)),
    Route("POST", f"{_ITEM}/<id>/delete", _deleting("item")),
    Route(
        "POST",
        _PRICE,
        _create_price,
        _own_id(_prices, "item_price_id", item_id=Text()),
        ("id", "name", "item_id"),
    ),
    Listing(
        "item_price",
        "item_prices",
        {
            **_SHARED,
            **dict.fromkeys(("item_id", "item_family_id", "currency_code"), STRING),
            **dict.fromkeys(("pricing_model", "item_type", "status", "period_unit"), ENUM),
            "period": NUMBER,
        },
        sorts=("name", "id", "updated_at"),
    ).route(),
    retrieving("item_price", "item_prices"),
    Route("POST", f"{_PRICE}/<id>", _update_price, _status(_prices)),
    Route("POST", f"{_PRICE}/<id>/delete", _delete_price),
)
