"""Products, their prices, and tax rates."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sync_pipelines.sandbox.store import Document
from sync_pipelines.sandbox.stripe.account import Account
from sync_pipelines.sandbox.stripe.currency import check_amount, plain
from sync_pipelines.sandbox.stripe.listing import Accept, Filter, Listing, choice, equal, flag, reference
from sync_pipelines.sandbox.stripe.parameter import (
    Choice,
    Clearable,
    Currency,
    Exact,
    Flag,
    Group,
    Items,
    Kind,
    Metadata,
    Text,
    Whole,
    exclusive,
    merged,
)
from sync_pipelines.sandbox.stripe.refusal import Refusal
from sync_pipelines.sandbox.stripe.route import Call, Given, Route, kept
from sync_pipelines.sandbox.stripe.view import shown

_PRODUCT: dict[str, Kind] = {
    "active": Flag(),
    "description": Clearable(Text()),
    "images": Clearable(Items(Text(), 8), []),
    "marketing_features": Clearable(Items(Group({"name": Text(80)}, ("name",)), 15), []),
    "metadata": Metadata(),
    "name": Text(),
    "shippable": Flag(),
    "statement_descriptor": Clearable(Text(22)),
    "tax_code": Clearable(Text()),
    "unit_label": Clearable(Text(12)),
    "url": Clearable(Text()),
}
_RECURRING = Group(
    {
        "interval": Choice(("day", "month", "week", "year")),
        "interval_count": Whole(1, 1095),
        "meter": Text(),
        "trial_period_days": Whole(0),
        "usage_type": Choice(("licensed", "metered")),
    },
    ("interval",),
)
_TAX_BEHAVIOR = Choice(("exclusive", "inclusive", "unspecified"))
_PRICE_UPDATE: dict[str, Kind] = {
    "active": Flag(),
    "lookup_key": Clearable(Text(200)),
    "metadata": Metadata(),
    "nickname": Clearable(Text()),
    "tax_behavior": _TAX_BEHAVIOR,
    "transfer_lookup_key": Flag(),
}
_PRICE_CREATE: dict[str, Kind] = {
    **_PRICE_UPDATE,
    "billing_scheme": Choice(("per_unit",)),
    "currency": Currency(),
    "product": Text(),
    "product_data": Group({"id": Text(), "name": Text(), "metadata": Metadata()}, ("name",)),
    "recurring": _RECURRING,
    "unit_amount": Whole(0),
    "unit_amount_decimal": Exact(low=Decimal(0)),
}
_TAX_RATE_UPDATE: dict[str, Kind] = {
    "active": Flag(),
    "country": Text(2),
    "description": Text(),
    "display_name": Text(50),
    "jurisdiction": Text(),
    "metadata": Metadata(),
    "state": Text(3),
    "tax_type": Choice(("amusement_tax", "gst", "hst", "jct", "pst", "qst", "rst", "sales_tax", "vat")),
}
_TAX_RATE_CREATE: dict[str, Kind] = {
    **_TAX_RATE_UPDATE,
    "inclusive": Flag(),
    "percentage": Exact(4, Decimal(0), Decimal(100)),
}


def _create_product(call: Call) -> dict[str, Any]:
    fields = {name: value for name, value in call.given.items() if name != "expand"}
    return shown(call.account, add_product(call.account, fields))


def add_product(account: Account, fields: Mapping[str, Any]) -> Document:
    chosen = fields.get("id")
    if chosen and (account.find("product", chosen) or account.stub("product", chosen)):
        raise Refusal("Product already exists.", code="resource_already_exists", param="id")
    metadata = merged({}, fields.get("metadata", {}))
    together = {**fields, "metadata": metadata, "updated": account.now()}
    return account.add("product", together, event="product.created")


def _update_product(call: Call) -> dict[str, Any]:
    account, product = call.account, call.account.fetch("product", call.ids["id"])
    fields = _updated(product, call.given)
    if fields.get("default_price"):
        price = account.fetch("price", fields["default_price"], "default_price")
        if price["product"] != product["id"]:
            raise Refusal("The price specified belongs to another product.", param="default_price")
    return shown(account, account.change(product, fields, event="product.updated"))


def _delete_product(call: Call) -> dict[str, Any]:
    account, product = call.account, call.account.fetch("product", call.ids["id"])
    if account.store.find("price", "product", product["id"]):
        raise Refusal("This product cannot be deleted because it has one or more user-created prices.")
    return account.remove(product, event="product.deleted")


def _updated(held: Document, given: Given) -> dict[str, Any]:
    fields = {name: value for name, value in given.items() if name != "expand"}
    if "metadata" in fields:
        fields["metadata"] = merged(held["metadata"], fields["metadata"])
    return fields


def _create_price(call: Call) -> dict[str, Any]:
    account, given = call.account, call.given
    amount, exact = unit_amount(given, given["currency"])
    product = _product_of(call)
    _claim_lookup_key(account, given, None)
    recurring = given.get("recurring")
    fields = {
        **kept(given, "active", "billing_scheme", "lookup_key", "nickname", "tax_behavior"),
        "currency": given["currency"],
        "metadata": merged({}, given.get("metadata", {})),
        "product": product,
        "recurring": recurring and _recurring(recurring),
        "type": "recurring" if recurring else "one_time",
        "unit_amount": amount,
        "unit_amount_decimal": exact,
    }
    return shown(account, account.add("price", fields, event="price.created"))


def _recurring(given: Mapping[str, Any]) -> dict[str, Any]:
    unset = {"interval_count": 1, "meter": None, "trial_period_days": None, "usage_type": "licensed"}
    return {**unset, **given}


def unit_amount(given: Given, currency: str, *, path: str = "", required: bool = True) -> tuple[int | None, str]:
    """The amount of one unit, as an integer where it is whole and as a decimal string."""
    name = exclusive(given, "unit_amount", "unit_amount_decimal", required=required)
    param = f"{path}[{name}]" if path else str(name)
    if name == "unit_amount":
        amount = check_amount(given["unit_amount"], currency, param)
        return amount, str(amount)
    exact: Decimal = given["unit_amount_decimal"]
    whole = int(exact) if exact == exact.to_integral_value() else None
    if whole is not None:
        check_amount(whole, currency, param)
    return whole, plain(exact)


def _product_of(call: Call) -> str:
    account, given = call.account, call.given
    if exclusive(given, "product", "product_data", required=True) == "product_data":
        return str(add_product(account, given["product_data"])["id"])
    return str(account.fetch("product", given["product"], "product")["id"])


def _claim_lookup_key(account: Account, given: Given, own: str | None) -> None:
    """Make sure that no other price holds the lookup key, taking it away where that was asked for."""
    key = given.get("lookup_key")
    for holder in account.store.find("price", "lookup_key", key) if key else []:
        if holder["id"] == own:
            continue
        if not given.get("transfer_lookup_key"):
            raise Refusal(
                f"A price (`{holder['id']}`) already uses that lookup key.",
                code="resource_already_exists",
                param="lookup_key",
            )
        account.change(holder, {"lookup_key": None}, event="price.updated")


def _update_price(call: Call) -> dict[str, Any]:
    account, price = call.account, call.account.fetch("price", call.ids["id"])
    _claim_lookup_key(account, call.given, price["id"])
    fields = {name: value for name, value in _updated(price, call.given).items() if name != "transfer_lookup_key"}
    if "tax_behavior" in fields and price["tax_behavior"] not in ("unspecified", fields["tax_behavior"]):
        raise Refusal("You cannot change the tax behavior of a price once it is set.", param="tax_behavior")
    return shown(account, account.change(price, fields, event="price.updated"))


def _active_prices(given: Given) -> Accept:
    """Without a word about `active`, only active ones are listed."""
    if "active" in given:
        return lambda price: True
    return lambda price: bool(price["active"])


def _recurs(price: Document, wanted: Mapping[str, Any]) -> bool:
    return price["recurring"] is not None and all(price["recurring"][key] == wanted[key] for key in wanted)


def _create_tax_rate(call: Call) -> dict[str, Any]:
    account = call.account
    fields = {name: value for name, value in call.given.items() if name != "expand"}
    fields["metadata"] = merged({}, fields.get("metadata", {}))
    percentage: Decimal = fields["percentage"]
    fields["percentage"] = int(percentage) if percentage == int(percentage) else float(percentage)
    return shown(account, account.add("tax_rate", fields, event="tax_rate.created"))


def _update_tax_rate(call: Call) -> dict[str, Any]:
    account, rate = call.account, call.account.fetch("tax_rate", call.ids["id"])
    return shown(account, account.change(rate, _updated(rate, call.given), event="tax_rate.updated"))


def retrieving(kind: str, rule: str) -> Route:
    """`GET` of one object by its id."""
    return Route("GET", rule, lambda call: shown(call.account, call.account.fetch(kind, call.ids["id"])))


ROUTES = (
    Route("POST", "/v1/products", _create_product, {**_PRODUCT, "id": Text(), "type": Text()}, ("name",)),
    retrieving("product", "/v1/products/<id>"),
    Route("POST", "/v1/products/<id>", _update_product, {**_PRODUCT, "default_price": Clearable(Text())}),
    Route("DELETE", "/v1/products/<id>", _delete_product),
    Listing(
        "product",
        "/v1/products",
        {
            "active": flag("active"),
            "ids": Filter(Items(Text()), lambda product, ids: product["id"] in ids),
            "shippable": flag("shippable"),
            "type": equal("type"),
            "url": equal("url"),
        },
    ).route(),
    Route("POST", "/v1/prices", _create_price, _PRICE_CREATE, ("currency",)),
    retrieving("price", "/v1/prices/<id>"),
    Route("POST", "/v1/prices/<id>", _update_price, _PRICE_UPDATE),
    Listing(
        "price",
        "/v1/prices",
        {
            "active": flag("active"),
            "currency": equal("currency", Currency()),
            "lookup_keys": Filter(Items(Text(), 10), lambda price, keys: price["lookup_key"] in keys),
            "product": reference("product"),
            "recurring": Filter(
                Group(
                    {
                        "interval": Choice(("day", "month", "week", "year")),
                        "usage_type": Choice(("licensed", "metered")),
                    }
                ),
                _recurs,
            ),
            "type": choice("type", "one_time", "recurring"),
        },
        implied=_active_prices,
    ).route(),
    Route(
        "POST",
        "/v1/tax_rates",
        _create_tax_rate,
        _TAX_RATE_CREATE,
        ("display_name", "inclusive", "percentage"),
    ),
    retrieving("tax_rate", "/v1/tax_rates/<id>"),
    Route("POST", "/v1/tax_rates/<id>", _update_tax_rate, _TAX_RATE_UPDATE),
    Listing("tax_rate", "/v1/tax_rates", {"active": flag("active"), "inclusive": flag("inclusive")}).route(),
)
