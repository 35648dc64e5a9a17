"""Customers: whom invoices and subscriptions are for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sync_pipelines.sandbox.store import Document
from sync_pipelines.sandbox.stripe.account import Account
from sync_pipelines.sandbox.stripe.listing import Listing, equal
from sync_pipelines.sandbox.stripe.parameter import (
    Choice,
    Clearable,
    Group,
    Items,
    Kind,
    Metadata,
    Text,
    Whole,
    merged,
)
from sync_pipelines.sandbox.stripe.refusal import Refusal, missing
from sync_pipelines.sandbox.stripe.route import Call, Given, Route
from sync_pipelines.sandbox.stripe.view import shown

_ADDRESS_FIELDS = ("city", "country", "line1", "line2", "postal_code", "state")
ADDRESS = Group(dict.fromkeys(_ADDRESS_FIELDS, Clearable(Text())))
_FIELDS: dict[str, Kind] = {
    "address": Clearable(ADDRESS),
    "balance": Whole(),
    "business_name": Clearable(Text(150)),
    "description": Clearable(Text()),
    "email": Clearable(Text(512)),
    "individual_name": Clearable(Text(150)),
    "invoice_prefix": Text(),
    "invoice_settings": Group(
        {
            "custom_fields": Clearable(Items(Group({"name": Text(40), "value": Text(140)}, ("name", "value")), 4)),
            "default_payment_method": Clearable(Text()),
            "footer": Clearable(Text()),
        }
    ),
    "metadata": Metadata(),
    "name": Clearable(Text(256)),
    "next_invoice_sequence": Whole(1),
    "phone": Clearable(Text(20)),
    "preferred_locales": Items(Text()),
    "shipping": Clearable(Group({"address": ADDRESS, "name": Text(), "phone": Clearable(Text())}, ("address", "name"))),
    "tax_exempt": Clearable(Choice(("none", "exempt", "reverse")), "none"),
}
_PREFIX = re.compile(r"[A-Z0-9]{3,12}\Z")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.?[^@\s]*\Z")


def _create(call: Call) -> dict[str, Any]:
    account, fields = call.account, _checked(call.given)
    fields["metadata"] = merged({}, fields.get("metadata", {}))
    customer_id = account.new_id("customer")
    prefix = fields.get("invoice_prefix") or account.invoice_prefix(customer_id)
    fields.update(id=customer_id, invoice_prefix=prefix)
    fields["invoice_settings"] = _settings(None, call.given)
    return shown(account, account.add("customer", fields, event="customer.created"))


def _update(call: Call) -> dict[str, Any]:
    account = call.account
    customer, fields = _existing(call), _checked(call.given)
    if "metadata" in fields:
        fields["metadata"] = merged(customer["metadata"], fields["metadata"])
    fields["invoice_settings"] = _settings(customer, call.given)
    return shown(account, account.change(customer, fields, event="customer.updated"))


def _existing(call: Call) -> Document:
    return call.account.fetch("customer", call.ids["id"])


def _checked(given: Given) -> dict[str, Any]:
    """The fields to store; an address or shipping replaces the held one as a whole."""
    fields = {name: value for name, value in given.items() if name != "expand"}
    if fields.get("email") and not _EMAIL.match(fields["email"]):
        raise Refusal(f"Invalid email address: {fields['email']}", code="email_invalid", param="email")
    if fields.get("invoice_prefix") and not _PREFIX.match(fields["invoice_prefix"]):
        raise Refusal("Invoice prefix must be 3–12 uppercase letters or numbers.", param="invoice_prefix")
    if fields.get("address") is not None:
        fields["address"] = _whole_address(fields["address"])
    if fields.get("shipping") is not None:
        shipping = fields["shipping"]
        fields["shipping"] = {"phone": None, **shipping, "address": _whole_address(shipping["address"])}
    return fields


def _whole_address(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: given.get(name) for name in _ADDRESS_FIELDS}


def _settings(customer: Document | None, given: Given) -> dict[str, Any]:
    held = {"custom_fields": None, "default_payment_method": None, "footer": None, "rendering_options": None}
    return {**held, **(customer["invoice_settings"] if customer else {}), **given.get("invoice_settings", {})}


def _retrieve(call: Call) -> dict[str, Any]:
    account, asked = call.account, call.ids["id"]
    stub = account.stub("customer", asked)
    return dict(stub) if stub else shown(account, account.fetch("customer", asked))


def _delete(call: Call) -> dict[str, Any]:
    """Deleting ends the customer's subscriptions; invoices stay."""
    account, customer = call.account, _existing(call)
    for subscription in account.store.find("subscription", "customer", customer["id"]):
        if subscription["status"] not in ("canceled", "incomplete_expired"):
            now = account.now()
            ended = {"status": "canceled", "canceled_at": now, "ended_at": now}
            account.change(subscription, ended, event="customer.subscription.deleted")
    return account.remove(customer, event="customer.deleted", leaves_stub=True)


def billing_currency(account: Account, customer: Document, currency: str) -> None:
    """Bind the customer to the currency of its first document; another one is refused from then on."""
    if customer["currency"] is None:
        account.change(customer, {"currency": currency}, event="customer.updated")
    elif customer["currency"] != currency:
        raise Refusal(
            "You cannot combine currencies on a single customer. This customer has an active subscription, "
            "subscription schedule, discount, quote, invoice, or invoice item with currency "
            f"{customer['currency']}",
            param="currency",
        )


def default_payment_method(customer: Document) -> str | None:
    """What an automatic payment would be taken from."""
    method = customer["invoice_settings"]["default_payment_method"] or customer["default_source"]
    return str(method) if method else None


def require_customer(account: Account, id: str) -> Document:
    """The customer that a parameter names; a deleted one is as good as none."""
    customer = account.find("customer", id)
    if customer is None:
        raise missing("customer", id, param="customer")
    return customer


ROUTES = (
    Route("POST", "/v1/customers", _create, _FIELDS),
    Route("GET", "/v1/customers/<id>", _retrieve),
    Route("POST", "/v1/customers/<id>", _update, _FIELDS),
    Route("DELETE", "/v1/customers/<id>", _delete),
    Listing("customer", "/v1/customers", {"email": equal("email", indexed=True)}).route(),
)
