"""The company as its Salesforce org tells it: complete rows by object."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

from sync_pipelines.domains.money import major
from sync_pipelines.sandbox.company import defects as kind
from sync_pipelines.sandbox.company.catalog import CURRENCIES
from sync_pipelines.sandbox.company.ids import Ids
from sync_pipelines.sandbox.company.model import Customer, Deal, Facts, Line, Product, Pursuit
from sync_pipelines.sandbox.company.moments import IMPORTS, during, stamp, touched
from sync_pipelines.sandbox.company.words import BY_CODE
from sync_pipelines.sandbox.erp.books import COMPANY

Row = dict[str, Any]
LEGAL_ENTITY = COMPANY[0]


def rows(facts: Facts) -> dict[str, list[Row]]:
    """Every object with its rows."""
    ids, rng = Ids(facts.seed), Random(f"{facts.seed}|salesforce")
    accounts = [customer for customer in facts.customers if customer.account_id]
    opportunities = [_won(deal, ids, rng) for deal in facts.deals]
    opportunities += [_pursued(pursuit, ids, rng) for pursuit in facts.pursuits]
    stamps = {row["Id"]: row["SystemModstamp"] for row in opportunities}
    return {
        "Account": [_account(customer, rng) for customer in accounts],
        "Contact": list(_contacts(accounts, ids, rng)),
        "Product2": [_product(product) for product in facts.products],
        "Pricebook2": [_book(name, place, ids) for place, name in enumerate(BOOKS)],
        "PricebookEntry": [row for product in facts.products for row in _entries(product, ids)],
        "Opportunity": opportunities,
        "OpportunityLineItem": list(_line_items(facts, ids, stamps)),
        "Contract": [_contract(deal, rng) for deal in facts.deals if deal.contract],
        "Entitlement": list(_entitlements(facts, ids, rng)),
    }


BOOKS = ("Standard Price Book", *(f"List {currency}" for currency in CURRENCIES))


def book_id(ids: Ids, name: str) -> str:
    return ids.salesforce("01s", BOOKS.index(name))


def entry_id(ids: Ids, product: Product, currency: str, *, standard: bool = False) -> str:
    """The price book entry of a product in a currency, in its list book or in the standard one."""
    place = int(product.code.removeprefix("SKU-")) * 2 * len(CURRENCIES) + CURRENCIES.index(currency) * 2
    return ids.salesforce("01u", place + standard)


def entitlement_id(ids: Ids, line: Line) -> str:
    return ids.salesforce("550", line.number)


def _system(created: datetime, saved: datetime, *, is_deleted: bool = False) -> Row:
    moment = stamp(max(created, saved))
    return {
        "CreatedDate": stamp(created),
        "LastModifiedDate": moment,
        "SystemModstamp": moment,
        "IsDeleted": is_deleted,
        "Sync_Id__c": None,
    }


def _number(amount_minor: int, currency: str) -> float:
    """An amount as Salesforce's JSON writes it: a double with two decimals, exact at these sizes."""
    return float(major(amount_minor, currency))


def _account(customer: Customer, rng: Random) -> Row:
    profile, saved = customer.profile, customer.stamped_at
    assert saved is not None
    return {
        "Id": customer.account_id,
        "Name": profile.name,
        "AccountNumber": profile.number,
        "Website": profile.website,
        "Phone": profile.phone,
        "BillingStreet": profile.street,
        "BillingCity": profile.city,
        "BillingPostalCode": profile.postal_code,
        "BillingCountry": profile.country,
        "CurrencyIsoCode": customer.currency,
        "MasterRecordId": customer.master_id or None,
        "Tax_Id__c": profile.tax_id,
        "Billing_Email__c": profile.email,
        "Active__c": profile.is_active,
        **_system(saved - timedelta(days=rng.randint(330, 900)), saved, is_deleted=customer.is_deleted),
    }


def _contacts(accounts: list[Customer], ids: Ids, rng: Random) -> Iterator[Row]:
    number = 0
    for customer in accounts:
        if customer.is_deleted:
            continue
        words = BY_CODE[customer.profile.country]
        people = {(rng.choice(words.first_names), rng.choice(words.last_names)): None for _ in range(rng.randint(1, 3))}
        for first, last in people:
            number += 1
            saved = touched(rng)
            yield {
                "Id": ids.salesforce("003", number),
                "Name": f"{first} {last}",
                "FirstName": first,
                "LastName": last,
                "Email": f"{_ascii(first)}.{_ascii(last)}@{(customer.profile.email or '').split('@')[1]}",
                "AccountId": customer.account_id,
                **_system(saved - timedelta(days=rng.randint(300, 700)), saved),
            }


def _ascii(name: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", name.lower()) if c.isascii() and c.isalnum())


def _product(product: Product) -> Row:
    return {
        "Id": product.salesforce_id,
        "Name": product.name,
        "ProductCode": product.code,
        "Description": product.description,
        "Family": product.family,
        "IsActive": product.is_active,
        "Billing_Interval__c": product.interval,
        "CurrencyIsoCode": "USD",
        **_system(IMPORTS[0] - timedelta(days=500), IMPORTS[0]),
    }


def _book(name: str, place: int, ids: Ids) -> Row:
    return {
        "Id": book_id(ids, name),
        "Name": name,
        "IsActive": True,
        "IsStandard": place == 0,
        **_system(IMPORTS[0] - timedelta(days=500), IMPORTS[0]),
    }


def _entries(product: Product, ids: Ids) -> Iterator[Row]:
    """In the standard book first, then in the list of each currency."""
    for standard in (True, False):
        for currency in CURRENCIES:
            yield {
                "Id": entry_id(ids, product, currency, standard=standard),
                "Pricebook2Id": book_id(ids, BOOKS[0] if standard else f"List {currency}"),
                "Product2Id": product.salesforce_id,
                "UnitPrice": _number(product.prices[currency], currency),
                "CurrencyIsoCode": currency,
                "IsActive": True,
                "UseStandardPrice": False,
                **_system(IMPORTS[0] - timedelta(days=400), IMPORTS[1 if standard else 2]),
            }


def _won(deal: Deal, ids: Ids, rng: Random) -> Row:
    row = _opportunity(deal, deal.closed_on, ids, rng)
    number = None if deal.fate.order is kind.BAD_ORDER else deal.number
    return {**row, "StageName": "Closed Won", "IsWon": True, "IsClosed": True, "Order_Number__c": number}


def _pursued(pursuit: Pursuit, ids: Ids, rng: Random) -> Row:
    row = _opportunity(pursuit, pursuit.close_on, ids, rng)
    stage = {"StageName": pursuit.stage, "IsWon": False, "IsClosed": pursuit.is_closed}
    return {**row, **stage, "Order_Number__c": None}


def _opportunity(deal: Deal | Pursuit, close_on: date, ids: Ids, rng: Random) -> Row:
    customer, family = deal.customer, deal.lines[0].product.name
    saved = during(min(close_on, date(2026, 11, 20)), rng)
    later = rng.choice(IMPORTS)
    return {
        "Id": deal.opportunity_id,
        "Name": f"{customer.profile.name} - {family}"[:120],
        "AccountId": customer.account_id,
        "CloseDate": close_on.isoformat(),
        "Amount": _number(sum(line.amount_minor for line in deal.lines), customer.currency),
        "CurrencyIsoCode": customer.currency,
        "Pricebook2Id": book_id(ids, f"List {customer.currency}"),
        "Legal_Entity__c": LEGAL_ENTITY,
        **_system(saved - timedelta(days=rng.randint(15, 90)), max(saved, later)),
    }


def _line_items(facts: Facts, ids: Ids, stamps: dict[str, str]) -> Iterator[Row]:
    """Lines carry the stamp of their opportunity: they were saved with it."""
    sold: list[Deal | Pursuit] = [*facts.deals, *facts.pursuits]
    for deal in sold:
        moment = stamps[deal.opportunity_id]
        for place, line in enumerate(deal.lines, 1):
            yield {
                "Id": ids.salesforce("00k", line.number),
                "OpportunityId": deal.opportunity_id,
                "PricebookEntryId": entry_id(ids, line.product, deal.customer.currency),
                "Product2Id": line.product.salesforce_id,
                "ProductCode": line.product.code,
                "Quantity": float(line.quantity),
                "UnitPrice": _number(line.unit_minor, deal.customer.currency),
                "TotalPrice": _number(line.amount_minor, deal.customer.currency),
                "SortOrder": place,
                "CreatedDate": moment,
                "LastModifiedDate": moment,
                "SystemModstamp": moment,
                "IsDeleted": False,
                "Sync_Id__c": None,
            }


def _contract(deal: Deal, rng: Random) -> Row:
    contract, fate = deal.contract, deal.fate.contract
    assert contract is not None
    undated = fate is kind.BAD_CONTRACT
    expired = contract.has_ended and fate is not kind.CONTRACT_STATUS_DIFFERS
    status = "Draft" if undated else "Expired" if expired else "Activated"
    saved = during(contract.start_on, rng)
    return {
        "Id": contract.contract_id,
        "AccountId": deal.customer.account_id,
        "ContractNumber": contract.number,
        "Status": status,
        "StatusCode": status,
        "StartDate": None if undated else contract.start_on.isoformat(),
        "EndDate": None if undated else contract.end_on.isoformat(),
        "ContractTerm": contract.term_months,
        "CurrencyIsoCode": deal.currency,
        "Legal_Entity__c": LEGAL_ENTITY,
        "Opportunity__c": deal.opportunity_id,
        **_system(saved, saved + timedelta(seconds=rng.randint(60, 86_000))),
    }


def _entitlements(facts: Facts, ids: Ids, rng: Random) -> Iterator[Row]:
    """What Salesforce grants under running contracts; numbered by the subscription item behind it."""
    for deal in facts.deals:
        contract = deal.contract
        if contract is None or contract.has_ended or deal.fate.contract in UNSUBSCRIBED:
            continue
        saved = during(contract.start_on, rng) + timedelta(days=1)
        saved = IMPORTS[2] if saved < IMPORTS[2] else saved
        for line, fate in zip(deal.recurring, deal.fate.entitlements, strict=True):
            if fate is kind.ENTITLEMENT_MISSING:
                continue
            wrong = fate is kind.ENTITLEMENT_QUANTITY_DIFFERS
            yield {
                "Id": entitlement_id(ids, line),
                "Name": f"{line.product.name} for {deal.customer.profile.name}"[:255],
                "AccountId": deal.customer.account_id,
                "Product__c": line.product.salesforce_id,
                "Quantity__c": float(granted(line) if wrong else line.quantity),
                "StartDate": contract.start_on.isoformat(),
                "EndDate": contract.end_on.isoformat(),
                "Entitlement_Number__c": line.item_id,
                **_system(saved, saved),
            }


def granted(line: Line) -> int:
    """The wrong quantity of a planted defect."""
    return line.quantity + (5 if line.quantity > 5 else 1)


UNSUBSCRIBED = (kind.BAD_CONTRACT, kind.CONTRACT_WITHOUT_SUBSCRIPTION)
"""Contracts for which there is no subscription in Stripe."""
