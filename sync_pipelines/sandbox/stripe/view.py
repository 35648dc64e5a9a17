"""Objects as an answer shows them: nested lists cut to their first page, references expanded on request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from sync_pipelines.sandbox.store import Document
from sync_pipelines.sandbox.stripe.refusal import Refusal
from sync_pipelines.sandbox.stripe.shape import enclosed

NESTED = 10
"""How many elements of a nested list an answer carries."""
_DEEPEST = 4


class Objects(Protocol):
    """What a view needs to see of the account."""

    def find(self, kind: str, id: str) -> Document | None: ...

    def stub(self, kind: str, id: str) -> Document | None: ...


def shown(objects: Objects, document: Document) -> dict[str, Any]:
    """The object as Stripe returns it, nothing expanded."""
    match document["object"]:
        case "subscription":
            items = document["items"]
            first = [shown(objects, item) for item in items["data"][:NESTED]]
            return {**document, "items": _first_page(items, first)}
        case "subscription_item":
            return _with_price(objects, document)
        case "invoice" | "credit_note":
            lines = document["lines"]
            first = [_public(line) for line in lines["data"][:NESTED]]
            return {**document, "lines": _first_page(lines, first)}
        case "line_item" | "product_feature":
            return _public(document)
        case "invoiceitem" | "entitlements.feature":
            return {name: value for name, value in document.items() if name != "created"}
    return dict(document)


def _first_page(whole: Mapping[str, Any], first: list[Any]) -> dict[str, Any]:
    return enclosed(first, whole["url"], has_more=len(whole["data"]) > len(first))


def _public(line: Document) -> dict[str, Any]:
    return {name: value for name, value in line.items() if name[0] != "_"}


def _with_price(objects: Objects, item: Document) -> dict[str, Any]:
    price = objects.find("price", item["price"]["id"]) or item["price"]
    return {**item, "plan": _plan(price), "price": price}


def _plan(price: Document) -> dict[str, Any]:
    recurring = price["recurring"] or {}
    return {
        "id": price["id"],
        "object": "plan",
        "active": price["active"],
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "billing_scheme": price["billing_scheme"],
        "created": price["created"],
        "currency": price["currency"],
        "interval": recurring.get("interval"),
        "interval_count": recurring.get("interval_count"),
        "livemode": False,
        "metadata": price["metadata"],
        "meter": None,
        "nickname": price["nickname"],
        "product": price["product"],
        "tiers_mode": None,
        "transform_usage": None,
        "trial_period_days": None,
        "usage_type": recurring.get("usage_type", "licensed"),
    }


def _require_countable(answer: Mapping[str, Any]) -> None:
    """Only search counts; lists stopped doing so with version 2025-03-31.basil."""
    if answer["object"] != "search_result":
        raise Refusal(
            "You can't expand `total_count` on lists with this API version.",
            code="property_forbidden",
            param="expand",
        )


_REFERENCES: dict[tuple[str, str], str] = {
    ("customer", "default_source"): "source",
    ("customer", "invoice_settings.default_payment_method"): "payment_method",
    ("product", "default_price"): "price",
    ("price", "product"): "product",
    ("plan", "product"): "product",
    ("subscription", "customer"): "customer",
    ("subscription", "default_payment_method"): "payment_method",
    ("subscription", "latest_invoice"): "invoice",
    ("subscription", "pending_setup_intent"): "setup_intent",
    ("subscription", "schedule"): "subscription_schedule",
    ("invoice", "customer"): "customer",
    ("invoice", "default_payment_method"): "payment_method",
    ("invoice", "latest_revision"): "invoice",
    ("invoice", "parent.subscription_details.subscription"): "subscription",
    ("line_item", "pricing.price_details.price"): "price",
    ("line_item", "subscription"): "subscription",
    ("invoiceitem", "customer"): "customer",
    ("invoiceitem", "invoice"): "invoice",
    ("invoiceitem", "pricing.price_details.price"): "price",
    ("credit_note", "customer"): "customer",
    ("credit_note", "customer_balance_transaction"): "customer_balance_transaction",
    ("credit_note", "invoice"): "invoice",
    ("credit_note", "refunds.refund"): "refund",
    ("invoice_payment", "invoice"): "invoice",
    ("invoice_payment", "payment.payment_intent"): "payment_intent",
    ("entitlements.active_entitlement", "feature"): "entitlements.feature",
}
"""Fields that hold an id and can hold the object instead."""

Include = Callable[[Document], Any]
"""Builds a field that answers don't carry unless it is asked for."""


class Expansion:
    """Replaces ids by objects along `expand[]` paths."""

    def __init__(self, objects: Objects, *, includes: Mapping[tuple[str, str], Include]) -> None:
        self._objects = objects
        self._includes = includes

    def expand(self, answer: dict[str, Any], paths: Sequence[str]) -> dict[str, Any]:
        for path in paths:
            if path == "total_count":
                _require_countable(answer)
                continue
            steps = path.split(".")
            if len(steps) > _DEEPEST:
                raise Refusal(
                    f"You cannot expand more than {_DEEPEST} levels of a property. Property: {path}",
                    code="property_expansion_max_depth",
                    param="expand",
                )
            answer = self._node(answer, steps, at=(answer["object"], ""))
        return answer

    def _node(self, node: Mapping[str, Any], steps: Sequence[str], *, at: tuple[str, str]) -> dict[str, Any]:
        kind, before = (node["object"], "") if "object" in node else at
        field = f"{before}{steps[0]}"
        value = self._value(node, steps[0], kind=kind, field=field)
        if len(steps) > 1:
            value = self._deeper(value, steps[1:], at=(kind, f"{field}."))
        return {**node, steps[0]: value}

    def _value(self, node: Mapping[str, Any], name: str, *, kind: str, field: str) -> Any:
        include = self._includes.get((kind, field))
        if include is not None:
            return include(node)
        value = node.get(name)
        target = _REFERENCES.get((kind, field))
        if target is not None:
            return self._object(target, value) if isinstance(value, str) else value
        if isinstance(value, dict | list) or (value is None and self._leads_on(kind, field)):
            return value
        raise Refusal(f"This property cannot be expanded ({name}).", param="expand")

    def _deeper(self, value: Any, steps: Sequence[str], *, at: tuple[str, str]) -> Any:
        if isinstance(value, list):
            return [self._node(element, steps, at=at) if isinstance(element, dict) else element for element in value]
        return self._node(value, steps, at=at) if isinstance(value, dict) else value

    def _leads_on(self, kind: str, field: str) -> bool:
        """Whether an empty field would lead to something expandable if it weren't."""
        return any(owner == kind and path.startswith(f"{field}.") for owner, path in _REFERENCES)

    def _object(self, kind: str, id: str) -> Any:
        document = self._objects.find(kind, id)
        if document is not None:
            return shown(self._objects, document)
        return self._objects.stub(kind, id) or id
