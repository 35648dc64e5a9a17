"""The company as marketing tells it: complete rows by object, for the HubSpot stand-in.

Most customers came over from the CRM with their numbers, some were known before from a web form and carry none. A few
are missing, some say what was so long ago, and the sales team's deals are mirrored with their lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any

from sync_pipelines.domains.money import major
from sync_pipelines.sandbox.company import defects as kind
from sync_pipelines.sandbox.company import spelling
from sync_pipelines.sandbox.company.ids import Ids
from sync_pipelines.sandbox.company.model import Customer, Facts, Line, Profile
from sync_pipelines.sandbox.company.moments import TODAY, during, touched
from sync_pipelines.sandbox.company.registry import Registry
from sync_pipelines.sandbox.company.salesforce import LEGAL_ENTITY
from sync_pipelines.sandbox.company.words import BY_CODE
from sync_pipelines.sandbox.hubspot.value import stamp

Row = dict[str, Any]

_FIRST_ID = 20_000_000_000
_COMPANY, _CONTACT, _DEAL, _LINE, _LEAD = range(5)
_MISSING, _UNNUMBERED, _STALE, _BEHIND, _UNWON = 0.1, 0.25, 0.12, 0.1, 0.05
"""Shares: of customers that are missing, without their number, with old values, and in an earlier stage; of won deals
that nobody has closed here."""
_UNCLEAR = (kind.DUPLICATE_ACCOUNT, kind.MERGED, kind.MERGED_TWICE, kind.AMBIGUOUS_NAME)
"""Customers that only their number tells apart."""
_LEADS = ("subscriber", "lead", "lead", "marketingqualifiedlead", "salesqualifiedlead")


def rows(facts: Facts) -> dict[str, list[Row]]:
    """Every object with its rows."""
    rng = Random(f"{facts.seed}|hubspot")
    accounts = [each for each in facts.customers if each.account_id and not each.is_deleted]
    known = {each.account_id: each for each in accounts if rng.random() >= _MISSING}
    ids = {account: _id(facts, _COMPANY, place) for place, account in enumerate(known)}
    companies = [_company(each, ids[each.account_id], rng) for each in known.values()]
    companies += _leads(facts, rng)
    sold = [each for each in _sold(facts, rng) if each.customer.account_id in known]
    deals = [
        _deal(each, _id(facts, _DEAL, place), ids[each.customer.account_id], rng) for place, each in enumerate(sold)
    ]
    return {
        "companies": companies,
        "contacts": list(_contacts(facts, list(known.values()), ids, rng)),
        "deals": deals,
        "line_items": [row for each, deal in zip(sold, deals, strict=True) for row in _lines(facts, each, deal)],
    }


def _id(facts: Facts, kind: int, place: int) -> str:
    """Rising numbers with gaps, other ones for another company and another kind of record."""
    return str(_FIRST_ID + facts.seed % 1000 * 10_000_000 + kind * 2_000_000 + 3 * place)


def _company(customer: Customer, record_id: str, rng: Random) -> Row:
    profile, is_unclear = customer.profile, customer.defect in _UNCLEAR
    if rng.random() < _STALE:
        profile = _grown_old(profile, rng)
    if rng.random() < _UNNUMBERED and not is_unclear:
        profile = replace(profile, number=None, tax_id=rng.choice((None, profile.tax_id)))
    stage = "customer" if profile.is_active else "other"
    if profile.is_active and rng.random() < _BEHIND:
        stage = rng.choice(("opportunity", "evangelist"))
    return _row(record_id, touched(rng), rng, {**_told(profile), "lifecyclestage": stage})


def _grown_old(profile: Profile, rng: Random) -> Profile:
    """What was true once: the name before it was put right, or no telephone yet."""
    if rng.random() < 0.5:
        return replace(profile, name=spelling.other_form(profile.name, rng))
    return replace(profile, phone=None)


def _told(profile: Profile) -> dict[str, str | None]:
    street, _, rest = (profile.street or "").partition("\n")
    return {
        "name": profile.name,
        "customer_number": profile.number,
        "tax_id": profile.tax_id,
        "billing_email": profile.email,
        "phone": profile.phone,
        "website": profile.website,
        "domain": (profile.email or "").partition("@")[2] or None,
        "address": street or None,
        "address2": rest or None,
        "city": profile.city,
        "zip": profile.postal_code,
        "country": profile.country,
    }


def _leads(facts: Facts, rng: Random) -> Iterator[Row]:
    """Companies that have bought nothing, and that no other system knows."""
    registry = Registry(Random(f"{facts.seed}|hubspot leads"), Ids(facts.seed))
    for place in range(len(facts.customers) // 4):
        profile = replace(registry.found(coined=True), number=None, tax_id=None)
        told = {**_told(profile), "lifecyclestage": rng.choice(_LEADS)}
        yield _row(_id(facts, _LEAD, place), touched(rng), rng, told)


def _contacts(facts: Facts, customers: Sequence[Customer], ids: dict[str, str], rng: Random) -> Iterator[Row]:
    for place, customer in enumerate(customers):
        words = BY_CODE[customer.profile.country]
        domain = (customer.profile.email or "").partition("@")[2] or "mail.example"
        told = {
            "email": f"contact{place}@{domain}",
            "firstname": rng.choice(words.first_names),
            "lastname": rng.choice(words.last_names),
            "lifecyclestage": "customer" if customer.profile.is_active else "other",
        }
        links = {"companies": [ids[customer.account_id]]}
        yield _row(_id(facts, _CONTACT, place), touched(rng), rng, told, links)


@dataclass(frozen=True, slots=True)
class _Sold:
    """What the sales team has as a deal, won or not."""

    customer: Customer
    lines: tuple[Line, ...]
    closed_on: date
    stage: str
    number: str | None = None


def _sold(facts: Facts, rng: Random) -> Iterator[_Sold]:
    for deal in facts.deals:
        stage = "contractsent" if rng.random() < _UNWON else "closedwon"
        number = None if deal.fate.order is kind.BAD_ORDER else deal.number
        yield _Sold(deal.customer, deal.lines, deal.closed_on, stage, number)
    for pursuit in facts.pursuits:
        stage = "closedlost" if pursuit.is_closed else "presentationscheduled"
        yield _Sold(pursuit.customer, pursuit.lines, pursuit.close_on, stage)


def _deal(sold: _Sold, record_id: str, company_id: str, rng: Random) -> Row:
    currency, closed_at = sold.customer.currency, during(sold.closed_on, rng)
    net_minor = sum(line.amount_minor for line in sold.lines)
    told = {
        "dealname": f"{sold.customer.profile.name} - {sold.lines[0].product.name}"[:120],
        "pipeline": "default",
        "dealstage": sold.stage,
        "amount": str(major(net_minor, currency)),
        "deal_currency_code": currency,
        "closedate": stamp(closed_at),
        "order_number": sold.number,
        "legal_entity": LEGAL_ENTITY,
    }
    saved = min(closed_at, datetime.combine(TODAY, time(), UTC))
    return _row(record_id, saved, rng, told, {"companies": [company_id]})


def _lines(facts: Facts, sold: _Sold, deal: Row) -> Iterator[Row]:
    """Lines carry the stamps of their deal: they were saved with it."""
    stamps = {"createdAt": deal["createdAt"], "updatedAt": deal["updatedAt"]}
    for place, line in enumerate(sold.lines):
        properties = _line(line, sold.customer.currency, place)
        links = {"deals": [deal["id"]]}
        yield {"id": _id(facts, _LINE, line.number), **stamps, "properties": properties, "associations": links}


def _line(line: Line, currency: str, place: int) -> dict[str, str]:
    return {
        "name": line.product.name,
        "hs_sku": line.product.code,
        "price": str(major(line.unit_minor, currency)),
        "quantity": str(line.quantity),
        "hs_line_item_currency_code": currency,
        "hs_position_on_quote": str(place),
    }


def _row(
    record_id: str,
    saved: datetime,
    rng: Random,
    told: Mapping[str, str | None],
    links: Mapping[str, list[str]] | None = None,
) -> Row:
    created = saved - timedelta(days=rng.randint(30, 700))
    stamps = {"createdAt": stamp(created), "updatedAt": stamp(saved)}
    properties = {name: value for name, value in told.items() if value is not None}
    return {"id": record_id, **stamps, "properties": properties, "associations": links or {}}
