"""The company as customer success tells it: complete rows by object, for the Gainsight stand-in.

Most companies came with the connector to the CRM, which leaves the account's id behind; some were made by hand and are
known by their number or their name. A few are missing, some are spelt the old way or still count as active. Who has
bought has a plan with its steps, and what is known of the next renewal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any

from sync_pipelines.domains.money import major
from sync_pipelines.sandbox.company import spelling
from sync_pipelines.sandbox.company.model import Customer, Deal, Facts
from sync_pipelines.sandbox.company.moments import TODAY, touched
from sync_pipelines.sandbox.gainsight.tenant import CALL_TO_ACTION, COMPANY, SUCCESS_PLAN, gsid, milliseconds

Row = dict[str, Any]

_KINDS: Mapping[str, str] = {COMPANY: "1P02", CALL_TO_ACTION: "1S01", SUCCESS_PLAN: "1V01"}
_MISSING, _STALE, _BY_HAND, _UNSAID, _STILL_ACTIVE = 0.12, 0.08, 0.2, 0.1, 0.3
"""Shares: of companies that are missing, spelt otherwise, made by hand, without a country; of former customers that
still count as active."""
_STEPS = (("Kick-off", 7), ("Data is moved", 21), ("Users are trained", 35), ("Go-live", 45))
"""The milestones of a plan, and how many days after the contract begins they are due."""


def rows(facts: Facts) -> dict[str, list[Row]]:
    """Every object with its rows."""
    rng = Random(f"{facts.seed}|gainsight")
    known = [customer for customer in facts.customers if _is_known(customer) and rng.random() >= _MISSING]
    deals: dict[str, list[Deal]] = {}
    for deal in facts.deals:
        deals.setdefault(deal.customer.account_id, []).append(deal)
    companies = [_company(facts, place, each, deals.get(each.account_id, []), rng) for place, each in enumerate(known)]
    begun = [
        (row["Gsid"], first)
        for row, each in zip(companies, known, strict=True)
        if (first := _first_day(deals.get(each.account_id, [])))
    ]
    plans = [_plan(facts, place, company_id, on, rng) for place, (company_id, on) in enumerate(begun)]
    return {COMPANY: companies, SUCCESS_PLAN: plans, CALL_TO_ACTION: list(_steps(facts, begun, rng))}


def _is_known(customer: Customer) -> bool:
    """An account of the CRM that is there, and has a number."""
    return bool(customer.account_id) and not customer.is_deleted and bool(customer.profile.number)


def _company(facts: Facts, place: int, customer: Customer, deals: Sequence[Deal], rng: Random) -> Row:
    profile, saved = customer.profile, touched(rng)
    name = rng.choice(spelling.MILD)(profile.name, rng) if rng.random() < _STALE else profile.name
    by_hand = rng.random() < _BY_HAND
    return {
        **_row(facts, COMPANY, place, saved, rng),
        "Name": name,
        "SfdcAccountId": None if by_hand else customer.account_id,
        "Customer_Number__gc": profile.number,
        "Country__gc": None if rng.random() < _UNSAID else profile.country,
        "Is_Active_Customer__gc": profile.is_active or rng.random() < _STILL_ACTIVE,
        "Health_Score__gc": rng.randint(20, 100) if deals else None,
        **_renewal(customer, deals),
    }


def _renewal(customer: Customer, deals: Sequence[Deal]) -> Row:
    """What recurs under running contracts, and when the first of them ends."""
    running = [deal for deal in deals if deal.contract is not None and not deal.contract.has_ended]
    recurring = sum(line.amount_minor for deal in running for line in deal.recurring)
    ends = [deal.contract.end_on for deal in running if deal.contract is not None]
    return {
        "ARR": float(major(recurring, customer.currency)) if running else None,
        "CurrencyIsoCode": customer.currency,
        "RenewalDate": _day(min(ends)) if ends else None,
    }


def _first_day(deals: Sequence[Deal]) -> date | None:
    return min((deal.contract.start_on for deal in deals if deal.contract is not None), default=None)


def _plan(facts: Facts, place: int, company_id: str, on: date, rng: Random) -> Row:
    due = on + timedelta(days=_STEPS[-1][1])
    return {
        **_row(facts, SUCCESS_PLAN, place, touched(rng), rng),
        "Name": "Onboarding",
        "CompanyId": company_id,
        "TypeId__gr.Name": "Onboarding",
        "StatusId__gr.Name": "Completed" if due < TODAY else "Active",
        "DueDate": _day(due),
    }


def _steps(facts: Facts, begun: Sequence[tuple[str, date]], rng: Random) -> Iterator[Row]:
    place = 0
    for company_id, on in begun:
        for name, days in _STEPS:
            due = on + timedelta(days=days)
            is_closed = due < TODAY and rng.random() < 0.9
            yield {
                **_row(facts, CALL_TO_ACTION, place, touched(rng), rng),
                "Name": name,
                "CompanyId": company_id,
                "TypeId__gr.Name": "Objective",
                "StatusId__gr.Name": "Closed Success" if is_closed else "Work In Progress",
                "PriorityId__gr.Name": rng.choice(("High", "Medium", "Low")),
                "DueDate": _day(due),
                "IsClosed": is_closed,
                "ClosedDate": _day(due) if is_closed else None,
            }
            place += 1


def _row(facts: Facts, kind: str, place: int, saved: datetime, rng: Random) -> Row:
    """An id that no other company's record has, and its times."""
    made = saved - timedelta(days=rng.randint(30, 400))
    record_id = gsid(_KINDS[kind], facts.seed * 1_000_000 + place)
    return {"Gsid": record_id, "CreatedDate": milliseconds(made), "ModifiedDate": milliseconds(saved)}


def _day(on: date) -> int:
    """A date as Gainsight keeps it: milliseconds of its midnight in UTC."""
    return milliseconds(datetime.combine(on, time(), UTC))
