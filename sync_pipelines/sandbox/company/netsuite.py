"""The company as its NetSuite account tells it: the same books as the ERP's, kept with other ids.

Customers and documents are those that the ERP has, with what is wrong there; of the customers without documents some
are missing here, and some have an old phone number. Items are all there: they come with their prices, which nobody
else writes here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from sync_pipelines.domains.money import major
from sync_pipelines.sandbox.company.erp import NOT_IN_ERP, Priced, credited, has_invoice, invoiced, ordered
from sync_pipelines.sandbox.company.model import Customer, Facts, Product, Profile, tax_minor
from sync_pipelines.sandbox.company.moments import FIRST_OPEN_DAY, during, touched
from sync_pipelines.sandbox.netsuite.seed import BASE_PRICE, CURRENCIES, CUSTOM_PRICE, periods

Row = dict[str, Any]
FIRST_ID = 101
_SUBSIDIARY = "1"
_CURRENCY_IDS = {symbol: str(number) for number, (symbol, _) in enumerate(CURRENCIES, start=1)}
_STAMP = "%Y-%m-%dT%H:%M:%SZ"


def rows(facts: Facts) -> dict[str, list[Row]]:
    """Complete rows by record type, as the account keeps them."""
    rng = Random(f"{facts.seed}|netsuite")
    missing, stale = _astray(facts, rng)
    known = [each for each in facts.customers if each.party_code and each.party_code not in missing]
    customers = {
        each.party_code: _customer(each, FIRST_ID + n, rng, is_stale=each.party_code in stale)
        for n, each in enumerate(known)
    }
    items = {product.code: _item(product, FIRST_ID + n, rng) for n, product in enumerate(facts.products)}
    written = _Documents(
        {code: row["id"] for code, row in customers.items()}, {c: r["id"] for c, r in items.items()}, rng
    )
    papers = sorted(_papers(facts), key=lambda paper: (paper[0], paper[1], paper[2]))
    return {
        "customer": list(customers.values()),
        "serviceSaleItem": list(items.values()),
        **written.all(papers),
        "accountingPeriod": [
            {**row, "closed": True} for row in _months() if row["endDate"] < FIRST_OPEN_DAY.isoformat()
        ],
    }


_Paper = tuple[date, str, str, Customer, list[Priced]]
"""Date, record type, number, customer and lines of a document."""


def _papers(facts: Facts) -> Iterator[_Paper]:
    for deal in facts.deals:
        if deal.fate.order not in NOT_IN_ERP:
            yield deal.closed_on, "salesOrder", deal.number, deal.customer, ordered(deal)
        if deal.invoice and has_invoice(deal.fate.invoice):
            yield deal.invoice.issued_on, "invoice", deal.invoice.number, deal.customer, invoiced(deal)
        if deal.credit and has_invoice(deal.credit.defect):
            yield deal.credit.issued_on, "creditMemo", deal.credit.number, deal.customer, credited(deal.credit)
    for paper in facts.papers:
        lines = [(paper.product, paper.quantity, paper.unit_minor)]
        yield paper.issued_on, "invoice", paper.reference, paper.customer, lines


def _astray(facts: Facts, rng: Random) -> tuple[set[str], set[str]]:
    """Codes of customers that are missing here, and of those whose phone number is old; none of them has documents."""
    used = {document[3].party_code for document in _papers(facts)}
    idle = [each.party_code for each in facts.customers if each.party_code and each.party_code not in used]
    drawn = rng.sample(idle, min(len(idle), 6))
    return set(drawn[:3]), set(drawn[3:])


def _customer(customer: Customer, number: int, rng: Random, *, is_stale: bool) -> Row:
    profile = customer.party
    assert profile is not None
    if is_stale:
        profile = replace(profile, phone="+1 555 0100")
    return {
        "id": str(number),
        "entityId": customer.party_code,
        "companyName": profile.name,
        "isPerson": False,
        "isInactive": not profile.is_active,
        "email": profile.email,
        "phone": profile.phone,
        "url": profile.website,
        "custentity_sync_tax_id": profile.tax_id,
        "subsidiary": _SUBSIDIARY,
        "currency": _CURRENCY_IDS[customer.currency],
        "currencyList": [{"currency": identity} for identity in _CURRENCY_IDS.values()],
        "addressBook": [{"id": "1", "defaultBilling": True, "addressBookAddress": _address(profile)}],
        "lastModifiedDate": touched(rng).strftime(_STAMP),
    }


def _address(profile: Profile) -> Row:
    first, _, rest = (profile.street or "").partition("\n")
    told = {"addr1": first, "addr2": rest, "city": profile.city, "zip": profile.postal_code, "country": profile.country}
    return {name: value for name, value in told.items() if value}


def _item(product: Product, number: int, rng: Random) -> Row:
    prices = [
        {
            "priceLevel": BASE_PRICE,
            "currencyPage": _CURRENCY_IDS[currency],
            "quantity": "0",
            "price": str(major(amount, currency)),
        }
        for currency, amount in product.prices.items()
    ]
    return {
        "id": str(number),
        "itemId": product.code,
        "displayName": product.name,
        "salesDescription": product.description,
        "isInactive": not product.is_active,
        "incomeAccount": "54",
        "subsidiary": [_SUBSIDIARY],
        "includeChildren": True,
        "price": prices,
        "lastModifiedDate": touched(rng).strftime(_STAMP),
    }


class _Documents:
    """Transactions in the order of their dates."""

    def __init__(self, customers: dict[str, str], items: dict[str, str], rng: Random) -> None:
        self._customers = customers
        self._items = items
        self._rng = rng
        self._periods = [(row["startDate"], row["endDate"], str(row["id"])) for row in _months()]

    def all(self, papers: Iterable[_Paper]) -> dict[str, list[Row]]:
        made: dict[str, list[Row]] = {"salesOrder": [], "invoice": [], "creditMemo": []}
        for number, paper in enumerate(papers, start=FIRST_ID):
            made[paper[1]].append(self._document(paper, str(number)))
        return made

    def _document(self, paper: _Paper, identity: str) -> Row:
        day, record, number, customer, priced = paper
        way = -1 if record == "creditMemo" else 1
        lines = [self._line(place, each, customer.currency, way) for place, each in enumerate(priced, start=1)]
        net = way * sum(quantity * unit for _, quantity, unit in priced)
        tax = 0 if record == "salesOrder" else tax_minor(net, customer.profile.country)
        codes = {"salesOrder": "SalesOrd", "invoice": "CustInvc", "creditMemo": "CustCred"}
        own = {"otherRefNum": number, "tranId": f"SO{identity}"} if record == "salesOrder" else {"tranId": number}
        return {
            "id": identity,
            "type": codes[record],
            **own,
            **self._taxes(tax, customer.currency),
            "entity": self._customers[customer.party_code],
            "subsidiary": _SUBSIDIARY,
            "currency": _CURRENCY_IDS[customer.currency],
            "tranDate": day.isoformat(),
            "postingPeriod": None if record == "salesOrder" else self._period(day),
            "status": "B" if record == "salesOrder" else "A",
            "item": lines,
            "subtotal": str(major(net, customer.currency)),
            "taxTotal": str(major(tax, customer.currency)),
            "total": str(major(net + tax, customer.currency)),
            "amountPaid": "0",
            "lastModifiedDate": (during(day, self._rng) + timedelta(days=1)).strftime(_STAMP),
        }

    def _line(self, place: int, priced: Priced, currency: str, way: int) -> Row:
        product, quantity, unit = priced
        return {
            "line": place,
            "item": self._items[product.code],
            "quantity": str(Decimal(way * quantity)),
            "price": CUSTOM_PRICE,
            "rate": str(major(unit, currency)),
            "amount": str(major(way * quantity * unit, currency)),
            "taxDetailsReference": "1",
        }

    def _taxes(self, tax: int, currency: str) -> Row:
        if not tax:
            return {}
        detail = {"taxDetailsReference": "1", "taxType": "1", "taxCode": "5", "taxRate": "20"}
        return {"taxDetailsOverride": True, "taxDetails": [{**detail, "taxAmount": str(major(tax, currency))}]}

    def _period(self, day: date) -> str:
        return next(identity for start, end, identity in self._periods if start <= day.isoformat() <= end)


def _months() -> list[Row]:
    return [row for row in periods() if not row["isYear"] and not row["isQuarter"]]
