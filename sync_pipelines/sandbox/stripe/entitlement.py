"""Features, the products that carry them, and what a customer is entitled to by its subscriptions."""

from __future__ import annotations

from typing import Any

from sync_pipelines.sandbox.store import Document
from sync_pipelines.sandbox.stripe.account import Account
from sync_pipelines.sandbox.stripe.catalog import retrieving
from sync_pipelines.sandbox.stripe.customer import require_customer
from sync_pipelines.sandbox.stripe.identifier import identifier
from sync_pipelines.sandbox.stripe.listing import PAGING, Filter, Listing, equal, paged
from sync_pipelines.sandbox.stripe.parameter import Flag, Kind, Metadata, Text, merged
from sync_pipelines.sandbox.stripe.refusal import Refusal, missing
from sync_pipelines.sandbox.stripe.route import Call, Route
from sync_pipelines.sandbox.stripe.shape import complete
from sync_pipelines.sandbox.stripe.view import shown

_FEATURE = "entitlements.feature"
_FEATURES = "/v1/entitlements/features"
_ACTIVE = "/v1/entitlements/active_entitlements"
_ENTITLING = ("active", "trialing", "past_due")
_UPDATE: dict[str, Kind] = {"active": Flag(), "metadata": Metadata(), "name": Text(80)}


def _create(call: Call) -> dict[str, Any]:
    account, given = call.account, call.given
    if account.store.find(_FEATURE, "lookup_key", given["lookup_key"]):
        raise Refusal(
            f"A feature with the lookup key `{given['lookup_key']}` already exists.",
            code="resource_already_exists",
            param="lookup_key",
        )
    metadata = merged({}, given.get("metadata", {}))
    fields = {"lookup_key": given["lookup_key"], "metadata": metadata, "name": given["name"]}
    return shown(account, account.add(_FEATURE, fields))


def _update(call: Call) -> dict[str, Any]:
    account, feature = call.account, call.account.fetch(_FEATURE, call.ids["id"])
    fields = {name: value for name, value in call.given.items() if name in ("active", "name")}
    if not feature["active"] and fields.get("active"):
        raise Refusal("A feature that has been deactivated cannot be activated again.", param="active")
    if "metadata" in call.given:
        fields["metadata"] = merged(feature["metadata"], call.given["metadata"])
    return shown(account, account.change(feature, fields))


def _attach(call: Call) -> dict[str, Any]:
    account, product = call.account, call.account.fetch("product", call.ids["product"])
    feature = account.fetch(_FEATURE, call.given["entitlement_feature"], "entitlement_feature")
    held = account.store.find("product_feature", "_product", product["id"])
    if any(each["_feature"] == feature["id"] for each in held):
        raise Refusal(
            "This feature is already attached to this product.",
            code="resource_already_exists",
            param="entitlement_feature",
        )
    return _attached(account, account.add("product_feature", {"_product": product["id"], "_feature": feature["id"]}))


def _attached(account: Account, link: Document) -> dict[str, Any]:
    feature = shown(account, account.fetch(_FEATURE, link["_feature"]))
    return complete("product_feature", {"id": link["id"], "entitlement_feature": feature})


def _attached_list(call: Call) -> dict[str, Any]:
    account, product = call.account, call.account.fetch("product", call.ids["product"])
    held = account.store.find("product_feature", "_product", product["id"])
    url = f"/v1/products/{product['id']}/features"
    return paged([_attached(account, each) for each in reversed(held)], call, url=url, kind="product_feature")


def _link(call: Call) -> Document:
    link = call.account.fetch("product_feature", call.ids["id"])
    if link["_product"] != call.ids["product"]:
        raise missing("product_feature", call.ids["id"])
    return link


def active_entitlements(account: Account, customer: str) -> list[dict[str, Any]]:
    """What a customer is entitled to now: the features of what its live subscriptions contain."""
    subscriptions = account.store.find("subscription", "customer", customer)
    products = {
        item["price"]["product"]
        for subscription in subscriptions
        if subscription["status"] in _ENTITLING
        for item in subscription["items"]["data"]
    }
    held = [link for link in account.store.all("product_feature") if link["_product"] in products]
    features = {link["_feature"]: account.fetch(_FEATURE, link["_feature"]) for link in held}
    return [
        complete(
            "entitlements.active_entitlement",
            {
                "id": identifier("entitlements.active_entitlement", customer, feature["id"]),
                "feature": feature["id"],
                "lookup_key": feature["lookup_key"],
            },
        )
        for feature in features.values()
    ]


def _active(call: Call) -> dict[str, Any]:
    customer = require_customer(call.account, call.given["customer"])
    entitled = active_entitlements(call.account, customer["id"])
    return paged(entitled, call, url=_ACTIVE, kind="entitlements.active_entitlement")


_ATTACHED = "/v1/products/<product>/features"

ROUTES = (
    Route("POST", _FEATURES, _create, {"lookup_key": Text(80), **_UPDATE}, ("lookup_key", "name")),
    retrieving(_FEATURE, f"{_FEATURES}/<id>"),
    Route("POST", f"{_FEATURES}/<id>", _update, _UPDATE),
    Listing(
        _FEATURE,
        _FEATURES,
        {
            "archived": Filter(Flag(), lambda feature, archived: bool(feature["active"] != archived)),
            "lookup_key": equal("lookup_key", indexed=True),
        },
    ).route(),
    Route("POST", _ATTACHED, _attach, {"entitlement_feature": Text()}, ("entitlement_feature",)),
    Route("GET", _ATTACHED, _attached_list, PAGING),
    Route("GET", f"{_ATTACHED}/<id>", lambda call: _attached(call.account, _link(call))),
    Route("DELETE", f"{_ATTACHED}/<id>", lambda call: call.account.remove(_link(call))),
    Route("GET", _ACTIVE, _active, {**PAGING, "customer": Text()}, ("customer",)),
)
