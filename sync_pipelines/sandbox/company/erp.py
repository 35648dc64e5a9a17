"""The company as its ERP tells it: plain rows to be entered through the ERP's own forms."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Any

from sync_pipelines.domains.money import major
from sync_pipelines.sandbox.company import defects as kind
from sync_pipelines.sandbox.company.catalog import rounded
from sync_pipelines.sandbox.company.defects import Kind
from sync_pipelines.sandbox.company.model import Credit, Customer, Deal, Facts, Paper, Product
from sync_pipelines.sandbox.erp.books import VAT_COUNTRIES

Row = dict[str, Any]
Priced = tuple[Product, int, int]
"""Product, quantity, unit price in minor units."""

NOT_IN_ERP = (kind.ORDER_MISSING, kind.BAD_ORDER, kind.INVOICE_MISSING, kind.CLOSED_PERIOD)


def rows(facts: Facts) -> dict[str, list[Row]]:
    """Parties, products, sales and invoices; amounts are exact decimals, credits have negative quantities.

    Invoices come in order of their dates. Those of January to March are posted before these months close.
    """
    invoices = [row for deal in facts.deals for row in _invoices(deal)]
    invoices += [_paper(paper) for paper in facts.papers]
    return {
        "parties": [_party(customer) for customer in facts.customers if customer.party_code],
        "products": [_product(product) for product in facts.products if product.in_erp],
        "sales": [_sale(deal) for deal in facts.deals if deal.fate.order not in NOT_IN_ERP],
        "invoices": sorted(invoices, key=lambda row: (row["date"], row["reference"])),
    }


def _party(customer: Customer) -> Row:
    profile = customer.party
    assert profile is not None
    row = asdict(profile)
    del row["number"]
    return {"code": customer.party_code, **row, "active": row.pop("is_active")}


def _product(product: Product) -> Row:
    return {
        "code": product.code,
        "name": product.name,
        "description": product.description,
        "list_price": major(product.erp_price, "USD"),
        "active": product.is_active,
    }


def priced(deal: Deal) -> list[Priced]:
    return [(line.product, line.quantity, line.unit_minor) for line in deal.lines]


def ordered(deal: Deal) -> list[Priced]:
    """The lines of the ERP's sale; where its amount differs, somebody raised the first price."""
    (product, quantity, unit), *rest = priced(deal)
    if deal.fate.order is kind.ORDER_AMOUNT_DIFFERS:
        unit += max(rounded(unit // 10), 5)
    return [(product, quantity, unit), *rest]


def invoiced(deal: Deal) -> list[Priced]:
    """The lines of the ERP's invoice; where it is a cent off, a line of one piece is."""
    lines = priced(deal)
    if deal.fate.invoice is kind.CENT_OFF:
        place = next(place for place, (_, quantity, _) in enumerate(lines) if quantity == 1)
        product, quantity, unit = lines[place]
        lines[place] = (product, quantity, unit + 1)
    return lines


def credited(credit: Credit) -> list[Priced]:
    return [(line.product, -quantity, line.unit_minor) for line, quantity in credit.lines]


def net(lines: list[Priced]) -> int:
    return sum(quantity * unit for _, quantity, unit in lines)


def _sale(deal: Deal) -> Row:
    return _document(deal.number, deal.customer, deal.closed_on, ordered(deal))


def has_invoice(fate: Kind | None) -> bool:
    return fate not in NOT_IN_ERP


def _invoices(deal: Deal) -> list[Row]:
    made = []
    if deal.invoice and has_invoice(deal.fate.invoice):
        made.append(_invoice(deal.invoice.number, deal.customer, deal.invoice.issued_on, invoiced(deal)))
    if deal.credit and has_invoice(deal.credit.defect):
        made.append(_invoice(deal.credit.number, deal.customer, deal.credit.issued_on, credited(deal.credit)))
    return made


def _paper(paper: Paper) -> Row:
    lines = [(paper.product, paper.quantity, paper.unit_minor)]
    return _invoice(paper.reference, paper.customer, paper.issued_on, lines)


def _invoice(reference: str, customer: Customer, day: date, lines: list[Priced]) -> Row:
    row = _document(reference, customer, day, lines)
    return {**row, "taxed": customer.profile.country in VAT_COUNTRIES}


def _document(reference: str, customer: Customer, day: date, lines: list[Priced]) -> Row:
    return {
        "reference": reference,
        "party_code": customer.party_code,
        "date": day,
        "currency": customer.currency,
        "lines": [
            {"product_code": product.code, "quantity": quantity, "unit_price": major(unit, customer.currency)}
            for product, quantity, unit in lines
        ],
    }
