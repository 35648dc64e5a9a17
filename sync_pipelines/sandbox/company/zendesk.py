"""The company as its service desk tells it: complete rows by kind, for the Zendesk stand-in.

The desk learnt of most customers by an import from the CRM, which left the account's id behind, and knows a few only by
their name. Some are missing, some are spelt the old way, and what they are entitled to was typed in by hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from sync_pipelines.sandbox.company import spelling
from sync_pipelines.sandbox.company.model import Customer, Deal, Facts, Line, Product
from sync_pipelines.sandbox.company.moments import FIRST_DAY, touched
from sync_pipelines.sandbox.company.salesforce import UNSUBSCRIBED, granted
from sync_pipelines.systems.zendesk.slot import SLOTS

Row = dict[str, Any]

_FIRST_ID = 360_000_000_000
_SLOT: Mapping[str, str] = {
    "number": "text",
    "product": "text",
    "quantity": "decimal",
    "start_on": "date",
    "end_on": "date",
}
_FIELDS: Mapping[str, str] = {
    "customer_number": "text",
    "customer_country": "text",
    "is_active_customer": "checkbox",
    **{f"entitlement_{slot}_{name}": kind for slot in range(1, SLOTS + 1) for name, kind in _SLOT.items()},
}
_SUBJECTS = (
    "Can't sign in since this morning",
    "Export ends after 10,000 rows",
    "Which seats are in use?",
    "Invoice address has changed",
    "Webhook signature does not verify",
    "How do we add a workspace?",
)
_STATUSES = ("new", "open", "open", "pending", "hold", "solved", "closed", "closed", "closed")
_MISSING, _STALE, _BY_NAME, _UNGRANTED, _WRONG = 0.12, 0.08, 0.2, 0.15, 0.05
"""Shares: of customers that are missing, spelt otherwise and without an import; of entitlements missing and wrong."""


def rows(facts: Facts) -> dict[str, list[Row]]:
    """Every kind with its rows: the definitions of fields, organizations, tickets."""
    rng = Random(f"{facts.seed}|zendesk")
    known = [customer for customer in facts.customers if _is_known(customer) and rng.random() >= _MISSING]
    deals: dict[str, list[Deal]] = {}
    for deal in facts.deals:
        deals.setdefault(deal.customer.account_id, []).append(deal)
    ids = {customer.account_id: _id(facts, 1000 + place) for place, customer in enumerate(known)}
    organizations = [_organization(each, ids, deals.get(each.account_id, []), rng) for each in known]
    return {
        "organization_field": [_field(facts, place, key) for place, key in enumerate(_FIELDS)],
        "ticket_field": [_subject(facts), _products(facts)],
        "organization": organizations,
        "ticket": list(_tickets(facts, organizations, rng)),
    }


def _id(facts: Facts, place: int) -> int:
    """Rising numbers with gaps, other ones for another company."""
    return _FIRST_ID + facts.seed % 1000 * 10_000_000 + 7 * place


def _is_known(customer: Customer) -> bool:
    """An account of the CRM that is there, and has a number."""
    return bool(customer.account_id) and not customer.is_deleted and bool(customer.profile.number)


def _field(facts: Facts, place: int, key: str) -> Row:
    title = key.replace("_", " ").capitalize()
    return {"id": _id(facts, place), "key": key, "title": title, "type": _FIELDS[key], "position": place}


def _subject(facts: Facts) -> Row:
    return {"id": _id(facts, 200), "title": "Subject", "type": "subject", "system": True, "required": True}


def _products(facts: Facts) -> Row:
    """The dropdown by which agents say what a ticket is about; what is no longer sold was taken out of it."""
    options = [_option(facts, place, each) for place, each in enumerate(facts.products) if each.is_active]
    return {"id": _id(facts, 201), "title": "Product", "type": "tagger", "custom_field_options": options}


def _option(facts: Facts, place: int, product: Product) -> Row:
    return {"id": _id(facts, 300 + place), "name": product.name, "value": tag(product)}


def tag(product: Product) -> str:
    """Tags have small letters only."""
    return product.code.lower()


def _organization(customer: Customer, ids: Mapping[str, int], deals: list[Deal], rng: Random) -> Row:
    profile, saved = customer.profile, touched(rng)
    name = rng.choice(spelling.MILD)(profile.name, rng) if rng.random() < _STALE else profile.name
    imported = rng.random() >= _BY_NAME
    about = {
        "customer_number": profile.number,
        "customer_country": profile.country if imported else None,
        "is_active_customer": profile.is_active,
    }
    return {
        "id": ids[customer.account_id],
        "name": name,
        "external_id": customer.account_id if imported else None,
        "domain_names": [profile.email.split("@")[1]] if profile.email else [],
        "organization_fields": {**about, **_slots(deals, rng)},
        "created_at": _stamp(saved - timedelta(days=rng.randint(30, 400))),
        "updated_at": _stamp(saved),
    }


def _slots(deals: list[Deal], rng: Random) -> Row:
    """What somebody entered of what runs, one slot after the other."""
    fields: Row = {}
    place = 0
    for deal, line in _running(deals):
        if rng.random() < _UNGRANTED or place == SLOTS:
            continue
        place += 1
        wrong = rng.random() < _WRONG
        contract = deal.contract
        assert contract is not None
        said = {
            "number": line.item_id,
            "product": tag(line.product),
            "quantity": granted(line) if wrong else line.quantity,
            "start_on": f"{contract.start_on}T00:00:00+00:00",
            "end_on": f"{contract.end_on}T00:00:00+00:00",
        }
        fields |= {f"entitlement_{place}_{name}": value for name, value in said.items()}
    return fields


def _running(deals: list[Deal]) -> Iterator[tuple[Deal, Line]]:
    for deal in deals:
        if deal.contract is not None and not deal.contract.has_ended and deal.fate.contract not in UNSUBSCRIBED:
            yield from ((deal, line) for line in deal.recurring)


def _tickets(facts: Facts, organizations: list[Row], rng: Random) -> Iterator[Row]:
    number = 0
    for organization in organizations:
        for _ in range(rng.randint(0, 4)):
            number += 1
            opened = datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, 9, tzinfo=UTC)
            opened += timedelta(minutes=rng.randint(0, 450_000))
            subject = rng.choice(_SUBJECTS)
            yield {
                "id": number,
                "subject": subject,
                "raw_subject": subject,
                "description": subject,
                "type": rng.choice(("question", "incident", "problem")),
                "priority": rng.choice(("urgent", "high", "normal", "low", None)),
                "status": rng.choice(_STATUSES),
                "organization_id": organization["id"],
                "via": {"channel": "email", "source": {"from": {}, "to": {}, "rel": None}},
                "created_at": _stamp(opened),
                "updated_at": _stamp(opened + timedelta(minutes=rng.randint(5, 6000))),
            }


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
