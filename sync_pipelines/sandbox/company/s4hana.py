"""The company as its S/4HANA system tells it: the same books as the ERP's, kept with other numbers.

Customers and documents are those that the ERP has, with what is wrong there; of the customers without documents some
are missing here, and some have an old phone number. Every product is a material, for no domain makes any here.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import Any

from sync_pipelines.domains.money import major
from sync_pipelines.sandbox.company.erp import NOT_IN_ERP, Priced, credited, has_invoice, invoiced, net, ordered
from sync_pipelines.sandbox.company.model import Customer, Facts, tax_minor
from sync_pipelines.sandbox.company.moments import ZONE, during, touched
from sync_pipelines.sandbox.s4hana.value import stamp

Row = dict[str, Any]
COMPANY_CODE = "US01"
"""Company code and sales organization of the legal entity."""
_FIRST_PARTNER, _FIRST_ORDER, _FIRST_BILL = 10_000_101, 20_000_101, 90_000_101
_CATEGORIES = {"F2": "M", "G2": "O"}


def rows(facts: Facts) -> dict[str, list[Row]]:
    """Complete rows by entity set, as the system keeps them."""
    rng = Random(f"{facts.seed}|s4hana")
    bills = sorted(_bills(facts), key=lambda bill: (bill[0], bill[2]))
    missing, stale = _astray(facts, rng)
    known = [each for each in facts.customers if each.party_code and each.party_code not in missing]
    numbers = {each.party_code: str(_FIRST_PARTNER + place) for place, each in enumerate(known)}
    made: dict[str, list[Row]] = {"material": [{"Material": product.code} for product in facts.products]}
    for customer in known:
        phone = "+1 555 0100" if customer.party_code in stale else None
        for name, row in _partner(customer, numbers[customer.party_code], phone, rng):
            made.setdefault(name, []).append(row)
    deals = sorted(facts.deals, key=lambda deal: (deal.closed_on, deal.number))
    sales = [deal for deal in deals if deal.fate.order not in NOT_IN_ERP]
    for place, deal in enumerate(sales):
        told = (deal.closed_on, deal.number, deal.customer, ordered(deal))
        for name, row in _order(told, str(_FIRST_ORDER + place), numbers, rng):
            made.setdefault(name, []).append(row)
    for place, bill in enumerate(bills):
        for name, row in _bill(bill, str(_FIRST_BILL + place), numbers, rng):
            made.setdefault(name, []).append(row)
    return made


_Bill = tuple[date, str, str, Customer, list[Priced]]
"""Date, type, billing's number, customer and lines of a billing document."""


def _bills(facts: Facts) -> Iterator[_Bill]:
    for deal in facts.deals:
        if deal.invoice and has_invoice(deal.fate.invoice):
            yield deal.invoice.issued_on, "F2", deal.invoice.number, deal.customer, invoiced(deal)
        if deal.credit and has_invoice(deal.credit.defect):
            yield deal.credit.issued_on, "G2", deal.credit.number, deal.customer, credited(deal.credit)
    for paper in facts.papers:
        lines = [(paper.product, paper.quantity, paper.unit_minor)]
        yield paper.issued_on, "F2", paper.reference, paper.customer, lines


def _astray(facts: Facts, rng: Random) -> tuple[set[str], set[str]]:
    """Codes of customers that are missing here, and of those whose phone number is old; none of them has documents."""
    used = {bill[3].party_code for bill in _bills(facts)} | {deal.customer.party_code for deal in facts.deals}
    idle = [each.party_code for each in facts.customers if each.party_code and each.party_code not in used]
    drawn = rng.sample(idle, min(len(idle), 6))
    return set(drawn[:3]), set(drawn[3:])


def _partner(customer: Customer, number: str, phone: str | None, rng: Random) -> Iterator[tuple[str, Row]]:
    profile, key = customer.party, {"BusinessPartner": number}
    assert profile is not None
    saved = touched(rng).astimezone(ZONE)
    first, second = _broken(profile.name)
    street, _, rest = (profile.street or "").partition("\n")
    yield (
        "A_BusinessPartner",
        {
            **key,
            "Customer": number,
            "BusinessPartnerCategory": "2",
            "OrganizationBPName1": first,
            "OrganizationBPName2": second,
            "BusinessPartnerFullName": profile.name,
            "BusinessPartnerIsBlocked": not profile.is_active,
            "BusinessPartnerIDByExtSystem": customer.party_code,
            "CreationDate": f"{saved:%Y-%m-%dT00:00:00}",
            "CreationTime": f"{saved:PT%HH%MM%SS}",
            "ETag": f"{'SYNC':0>12}{saved:%Y%m%d%H%M%S}",
        },
    )
    where = {"CityName": profile.city, "PostalCode": profile.postal_code, "Country": profile.country}
    address = {"AddressID": number, "StreetName": street, "StreetSuffixName": rest}
    yield "A_BusinessPartnerAddress", {**key, **address, **{name: text or "" for name, text in where.items()}}
    entry = {"AddressID": number, "Person": "", "OrdinalNumber": "1"}
    if profile.email:
        yield "A_AddressEmailAddress", {**entry, "EmailAddress": profile.email}
    if phone or profile.phone:
        yield "A_AddressPhoneNumber", {**entry, "PhoneNumber": phone or profile.phone}
    if profile.tax_id:
        kind = f"{profile.country}0"
        yield "A_BusinessPartnerTaxNumber", {**key, "BPTaxType": kind, "BPTaxNumber": profile.tax_id}
    for role in ("FLCU00", "FLCU01"):
        yield "A_BusinessPartnerRole", {**key, "BusinessPartnerRole": role}
    yield "A_Customer", {"Customer": number}
    area = {"SalesOrganization": COMPANY_CODE, "DistributionChannel": "10", "Division": "00"}
    yield "A_CustomerSalesArea", {"Customer": number, **area, "Currency": customer.currency}


def _broken(name: str) -> tuple[str, str]:
    """A name on two lines of 40 letters."""
    if len(name) <= 40:
        return name, ""
    first, _, _ = name[:41].rpartition(" ")
    return first, name[len(first) + 1 :]


def _order(
    told: tuple[date, str, Customer, list[Priced]], number: str, partners: dict[str, str], rng: Random
) -> Iterator[tuple[str, Row]]:
    day, reference, customer, priced = told
    yield (
        "A_SalesOrder",
        {
            "SalesOrder": number,
            "SalesOrderType": "OR",
            "SalesOrganization": COMPANY_CODE,
            "DistributionChannel": "10",
            "OrganizationDivision": "00",
            "SoldToParty": partners[customer.party_code],
            "PurchaseOrderByCustomer": reference,
            "SalesOrderDate": f"{day}T00:00:00",
            "CreationDate": f"{day}T00:00:00",
            "LastChangeDateTime": stamp(during(day, rng) + timedelta(days=1)),
            "TransactionCurrency": customer.currency,
            "TotalNetAmount": str(major(net(priced), customer.currency)),
            "OverallSDProcessStatus": "A",
            "OverallSDDocumentRejectionSts": "A",
        },
    )
    for place, (product, quantity, unit) in enumerate(priced, start=1):
        key = {"SalesOrder": number, "SalesOrderItem": str(10 * place)}
        amounts = {
            "RequestedQuantity": str(quantity),
            "NetAmount": str(major(quantity * unit, customer.currency)),
            "TransactionCurrency": customer.currency,
        }
        yield "A_SalesOrderItem", {**key, "Material": product.code, **amounts}
        price = {"ConditionType": "PPR0", "ConditionRateValue": str(major(unit, customer.currency))}
        step = {"PricingProcedureStep": "10", "PricingProcedureCounter": "1"}
        yield "A_SalesOrderItemPrElement", {**key, **step, **price, "ConditionCurrency": customer.currency}


def _bill(bill: _Bill, number: str, partners: dict[str, str], rng: Random) -> Iterator[tuple[str, Row]]:
    """A document of accounting; a credit memo's amounts and quantities have no sign."""
    day, kind, reference, customer, priced = bill
    sign = -1 if kind == "G2" else 1
    amount = sign * net(priced)
    tax = tax_minor(amount, customer.profile.country)
    yield (
        "A_BillingDocument",
        {
            "BillingDocument": number,
            "SDDocumentCategory": _CATEGORIES[kind],
            "BillingDocumentType": kind,
            "BillingDocumentDate": f"{day}T00:00:00",
            "CreationDate": f"{day}T00:00:00",
            "LastChangeDateTime": stamp(during(day, rng) + timedelta(days=1)),
            "SalesOrganization": COMPANY_CODE,
            "CompanyCode": COMPANY_CODE,
            "SoldToParty": partners[customer.party_code],
            "AccountingTransferStatus": "C",
            "TotalNetAmount": str(major(amount, customer.currency)),
            "TaxAmount": str(major(tax, customer.currency)),
            "TotalGrossAmount": str(major(amount + tax, customer.currency)),
            "TransactionCurrency": customer.currency,
            "PaymentReference": reference,
        },
    )
    for place, (product, quantity, unit) in enumerate(priced, start=1):
        yield (
            "A_BillingDocumentItem",
            {
                "BillingDocument": number,
                "BillingDocumentItem": str(10 * place),
                "Material": product.code,
                "BillingQuantity": str(sign * quantity),
                "NetAmount": str(major(sign * quantity * unit, customer.currency)),
                "TransactionCurrency": customer.currency,
            },
        )
