"""Money on documents: what an item costs, the taxes of a line, the totals of an invoice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sync_pipelines.sandbox.store import Document
from sync_pipelines.sandbox.stripe.account import Account
from sync_pipelines.sandbox.stripe.catalog import add_product, unit_amount
from sync_pipelines.sandbox.stripe.currency import check_amount, plain, rounded
from sync_pipelines.sandbox.stripe.parameter import (
    MOMENT,
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
)
from sync_pipelines.sandbox.stripe.refusal import Refusal
from sync_pipelines.sandbox.stripe.route import Given

PRICE_DATA = Group(
    {
        "currency": Currency(),
        "product": Text(),
        "product_data": Group({"name": Text(), "metadata": Metadata()}, ("name",)),
        "tax_behavior": Choice(("exclusive", "inclusive", "unspecified")),
        "unit_amount": Whole(),
        "unit_amount_decimal": Exact(),
    },
    ("currency",),
)
ITEM: dict[str, Kind] = {
    "amount": Whole(),
    "description": Clearable(Text()),
    "discountable": Flag(),
    "metadata": Metadata(),
    "period": Group({"start": MOMENT, "end": MOMENT}, ("start", "end")),
    "price_data": PRICE_DATA,
    "pricing": Group({"price": Text()}),
    "quantity": Whole(0),
    "tax_rates": Clearable(Items(Text(), 20), []),
}


@dataclass(frozen=True, slots=True)
class Cost:
    """What an item costs; `pricing` is None where only an amount was named."""

    amount: int
    quantity: int
    pricing: Mapping[str, Any] | None
    description: str | None


def cost(account: Account, given: Given, currency: str, *, path: str = "") -> Cost:
    """The cost of an item from its amount, its price, or a price made on the spot."""
    inside = f"{path}[{{}}]" if path else "{}"
    which = exclusive(given, "amount", "pricing", "price_data", required=True)
    if which == "amount":
        if given.get("quantity") is not None:
            raise Refusal(
                "You may only specify one of these parameters: amount, quantity.",
                code="parameters_exclusive",
                param=inside.format("quantity"),
            )
        return Cost(check_amount(given["amount"], currency, inside.format("amount")), 1, None, None)
    if which == "pricing":
        price = account.fetch("price", given["pricing"].get("price", ""), inside.format("pricing][price"))
        require_usable(account, price, one_time=True)
    else:
        price = _inline_price(account, given["price_data"], path=inside.format("price_data"))
    if price["currency"] != currency:
        raise Refusal(
            f"The price specified uses the currency {price['currency']}, but the document is in {currency}.",
            param=inside.format("pricing"),
        )
    return priced(account, price, given.get("quantity", 1))


def priced(account: Account, price: Document, quantity: int) -> Cost:
    product = account.find("product", price["product"])
    unit = Decimal(price["unit_amount_decimal"])
    details = {"price": price["id"], "product": price["product"]}
    pricing = {"price_details": details, "type": "price_details", "unit_amount_decimal": plain(unit)}
    return Cost(rounded(unit * quantity, price["currency"]), quantity, pricing, product["name"] if product else None)


def require_usable(account: Account, price: Document, *, one_time: bool) -> None:
    """Refuse a price, or the product of a price, that has been retired or recurs where it mustn't."""
    if not price["active"]:
        raise Refusal(
            f"The price specified is inactive. This field only accepts active prices. ({price['id']})",
            param="price",
        )
    product = account.find("product", price["product"])
    if product is None or not product["active"]:
        raise Refusal(
            f"This price is not available because its product ({price['product']}) is not active.",
            code="product_inactive",
            param="price",
        )
    if one_time and price["type"] == "recurring":
        raise Refusal(
            "The price specified is set to `type=recurring` but this field only accepts prices with `type=one_time`.",
            param="price",
        )


def _inline_price(account: Account, given: Mapping[str, Any], *, path: str) -> Document:
    amount, exact = unit_amount(given, given["currency"], path=path)
    if exclusive(given, "product", "product_data", required=True) == "product_data":
        product = add_product(account, given["product_data"])
    else:
        product = account.fetch("product", given["product"], f"{path}[product]")
    fields = {
        "active": False,
        "currency": given["currency"],
        "product": product["id"],
        "unit_amount": amount,
        "unit_amount_decimal": exact,
    }
    return account.add("price", fields)


def rates(account: Account, ids: Iterable[str] | None, *, param: str) -> list[Document]:
    """The tax rates that a parameter names; a retired one is refused."""
    found = [account.fetch("tax_rate", each, param) for each in ids or ()]
    for rate in found:
        if not rate["active"]:
            raise Refusal(f"The tax rate {rate['id']} is inactive.", param=param)
    return found


def taxes(amount: int, currency: str, applied: Sequence[Document]) -> list[dict[str, Any]]:
    """The taxes of one line: each rate on the line's amount, rounded on the line."""
    inclusive = sum((_share(rate) for rate in applied if rate["inclusive"]), Decimal(0))
    net = Decimal(amount) / (1 + inclusive)
    return [
        {
            "amount": rounded(net * _share(rate), currency),
            "tax_behavior": "inclusive" if rate["inclusive"] else "exclusive",
            "tax_rate_details": {"tax_rate": rate["id"]},
            "taxability_reason": "not_available",
            "taxable_amount": rounded(net, currency),
            "type": "tax_rate_details",
        }
        for rate in applied
    ]


def _share(rate: Document) -> Decimal:
    return Decimal(str(rate["percentage"])) / 100


def summed(lines: Iterable[Document]) -> list[dict[str, Any]]:
    """Taxes of several lines as one entry a rate."""
    total: dict[tuple[str, str], dict[str, Any]] = {}
    for tax in (tax for line in lines for tax in line["taxes"] or ()):
        key = tax["tax_rate_details"]["tax_rate"], tax["tax_behavior"]
        held = total.get(key)
        total[key] = (
            dict(tax)
            if held is None
            else {
                **held,
                "amount": held["amount"] + tax["amount"],
                "taxable_amount": held["taxable_amount"] + tax["taxable_amount"],
            }
        )
    return list(total.values())


def totals(lines: Sequence[Document]) -> dict[str, Any]:
    """The amounts of a document that has these lines."""
    collected = summed(lines)
    inclusive = sum(tax["amount"] for tax in collected if tax["tax_behavior"] == "inclusive")
    exclusive_ = sum(tax["amount"] for tax in collected if tax["tax_behavior"] == "exclusive")
    subtotal = sum(line["amount"] for line in lines)
    return {
        "subtotal": subtotal,
        "subtotal_excluding_tax": subtotal - inclusive,
        "total": subtotal + exclusive_,
        "total_excluding_tax": subtotal - inclusive,
        "total_taxes": collected,
    }
