"""Customers: created under an id of one's choice, changed in two parts, deleted but remembered."""

from __future__ import annotations

from typing import Any

from sync_pipelines.sandbox.chargebee.filter import ENUM, STRING, TIMESTAMP
from sync_pipelines.sandbox.chargebee.listing import Listing
from sync_pipelines.sandbox.chargebee.parameter import Choice, Flag, Group, Json, Kind, Text, Whole
from sync_pipelines.sandbox.chargebee.refusal import Refusal, wrong
from sync_pipelines.sandbox.chargebee.route import BASE, Call, Route, retrieving
from sync_pipelines.sandbox.chargebee.site import Settings, Site
from sync_pipelines.sandbox.store import Document

_RULE = f"{BASE}/customers/<id>"
_NOT_EMAIL = "should be a valid email address"


def _address(settings: Settings) -> Group:
    lengths = settings.lengths
    line, name = Text(lengths.address_line), Text(lengths.name)
    fields: dict[str, Kind] = {
        **dict.fromkeys(("line1", "line2", "line3"), line),
        **dict.fromkeys(("first_name", "last_name"), name),
        **dict.fromkeys(("city", "state", "state_code"), Text(lengths.city)),
        "company": Text(lengths.company),
        "country": Text(2),
        "email": Text(lengths.email),
        "phone": Text(lengths.phone),
        "validation_status": Choice(("not_validated", "valid", "partially_valid", "invalid")),
        "zip": Text(lengths.zip),
    }
    return Group(fields)


def _profile(settings: Settings) -> dict[str, Kind]:
    """What the plain update takes."""
    lengths = settings.lengths
    return {
        "auto_collection": Choice(("on", "off")),
        "company": Text(lengths.company),
        "email": Text(lengths.email),
        "entity_code": Text(1),
        "exempt_number": Text(100),
        "first_name": Text(lengths.name),
        "last_name": Text(lengths.name),
        "locale": Text(50),
        "meta_data": Json(),
        "net_term_days": Whole(),
        "phone": Text(lengths.phone),
        "preferred_currency_code": Text(3),
        "taxability": Choice(("taxable", "exempt")),
    }


def _billing(settings: Settings) -> dict[str, Kind]:
    """What only the update of billing information takes."""
    return {
        "billing_address": _address(settings),
        "vat_number": Text(settings.lengths.vat_number),
        "vat_number_prefix": Text(10),
        "registered_for_gst": Flag(),
    }


def _creation(settings: Settings) -> dict[str, Kind]:
    own = {"business_entity_id": Text(50), "id": Text(settings.lengths.id)}
    return {**_profile(settings), **_billing(settings), **own}


def _create(call: Call) -> dict[str, Any]:
    site, given = call.site, call.given
    _check(site, given)
    fields = {
        "auto_collection": "on",
        "net_term_days": 0,
        "allow_direct_debit": False,
        "taxability": "taxable",
        "created_at": site.now(),
        "pii_cleared": "active",
        "channel": "web",
        "deleted": False,
        "promotional_credits": 0,
        "refundable_credits": 0,
        "excess_payments": 0,
        "unbilled_charges": 0,
        **_stored(None, given),
    }
    return {"customer": site.add("customer", fields, event="customer_created")}


def _update(call: Call) -> dict[str, Any]:
    customer = call.site.live("customer", call.ids["id"])
    _check(call.site, call.given)
    changed = call.site.change(customer, _stored(customer, call.given), event="customer_changed")
    return {"customer": changed}


def _delete(call: Call) -> dict[str, Any]:
    customer = call.site.live("customer", call.ids["id"])
    for subscription in call.site.store.find("subscription", "customer_id", customer["id"]):
        if subscription["status"] != "cancelled" and not subscription["deleted"]:
            raise Refusal(
                "The customer has subscriptions that are not cancelled.", code="invalid_state_for_request", status=409
            )
    return {"customer": call.site.remove(customer, event="customer_deleted")}


def _check(site: Site, given: Any) -> None:
    email, currency = given.get("email"), given.get("preferred_currency_code")
    if email and ("@" not in email or " " in email):
        raise wrong("email", _NOT_EMAIL)
    if currency and currency not in site.settings.currencies:
        raise wrong("preferred_currency_code", "is not a currency of this site")
    country = (given.get("billing_address") or {}).get("country")
    if country and not (len(country) == 2 and country.isalpha() and country.isupper()):
        raise wrong("billing_address[country]", "should be an ISO 3166 code of two letters")


def _stored(customer: Document | None, given: Any) -> dict[str, Any]:
    """An address keeps the parts that were not given."""
    fields = dict(given)
    if "billing_address" in given:
        held = customer.get("billing_address", {}) if customer else {}
        parts = {**held, "validation_status": "not_validated", **given["billing_address"]}
        fields["billing_address"] = {
            **{name: part for name, part in parts.items() if part is not None},
            "object": "billing_address",
        }
    if given.get("vat_number"):
        fields["vat_number_status"] = "not_validated"
    return fields


LIST = Listing(
    "customer",
    "customers",
    {
        **dict.fromkeys(("id", "first_name", "last_name", "email", "company", "phone", "business_entity_id"), STRING),
        **dict.fromkeys(("auto_collection", "taxability", "channel"), ENUM),
        **dict.fromkeys(("created_at", "updated_at"), TIMESTAMP),
    },
    sorts=("created_at", "updated_at"),
)

ROUTES = (
    Route("POST", f"{BASE}/customers", _create, _creation),
    LIST.route(),
    retrieving("customer", "customers"),
    Route("POST", _RULE, _update, _profile),
    Route("POST", f"{_RULE}/update_billing_info", _update, _billing),
    Route("POST", f"{_RULE}/delete", _delete),
)
