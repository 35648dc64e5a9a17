"""The company as its ECC tells it: the same books as the ERP's, in SAP's fields and code page.

Customers and documents are those that the ERP has, with what is wrong there; of the customers without documents some
are missing here, and some have an old phone number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from random import Random
from typing import Any

from sync_pipelines.domains.money import major
from sync_pipelines.sandbox.company.erp import NOT_IN_ERP, Priced, credited, has_invoice, invoiced, ordered
from sync_pipelines.sandbox.company.model import Customer, Facts, tax_minor

Row = dict[str, Any]
LEGAL_ENTITY = "US01"
OLD_PHONE = "+1 555 0100"


@dataclass(frozen=True, slots=True)
class _Paper:
    interface: str
    day: date
    number: str
    customer: Customer
    lines: list[Priced]
    is_credit: bool = False


def rows(facts: Facts) -> dict[str, list[Row]]:
    """Complete rows by interface."""
    papers = sorted(_papers(facts), key=lambda paper: (paper.day, paper.interface, paper.number))
    missing, stale = _astray(facts, papers)
    known = [each for each in facts.customers if each.party_code and each.party_code not in missing]
    return {
        "DEBMAS": [_customer(each, is_stale=each.party_code in stale) for each in known],
        "ORDERS": list(_documents([paper for paper in papers if paper.interface == "ORDERS"], first=4_701)),
        "INVOIC": list(_documents([paper for paper in papers if paper.interface == "INVOIC"], first=90_000_001)),
    }


def _papers(facts: Facts) -> Iterator[_Paper]:
    for deal in facts.deals:
        if deal.fate.order not in NOT_IN_ERP:
            yield _Paper("ORDERS", deal.closed_on, deal.number, deal.customer, ordered(deal))
        if deal.invoice and has_invoice(deal.fate.invoice):
            yield _Paper("INVOIC", deal.invoice.issued_on, deal.invoice.number, deal.customer, invoiced(deal))
        if deal.credit and has_invoice(deal.credit.defect):
            credit = deal.credit
            yield _Paper("INVOIC", credit.issued_on, credit.number, deal.customer, credited(credit), is_credit=True)
    for paper in facts.papers:
        lines = [(paper.product, paper.quantity, paper.unit_minor)]
        yield _Paper("INVOIC", paper.issued_on, paper.reference, paper.customer, lines)


def _astray(facts: Facts, papers: Iterable[_Paper]) -> tuple[set[str], set[str]]:
    """Codes of customers that are missing here, and of those whose phone number is old; none of them has documents."""
    used = {paper.customer.party_code for paper in papers}
    idle = [each.party_code for each in facts.customers if each.party_code and each.party_code not in used]
    drawn = Random(f"{facts.seed}|ecc").sample(idle, min(len(idle), 6))
    return set(drawn[:3]), set(drawn[3:])


def _customer(customer: Customer, *, is_stale: bool) -> Row:
    profile = customer.party
    assert profile is not None
    if is_stale:
        profile = replace(profile, phone=OLD_PHONE)
    first, _, rest = (profile.street or "").partition("\n")
    return {
        "KUNNR": customer.party_code,
        "NAME1": profile.name[:35].rstrip(" "),
        "NAME2": profile.name[35:],
        "STRAS": first,
        "STR_SUPPL1": rest,
        "ORT01": profile.city or "",
        "PSTLZ": profile.postal_code or "",
        "LAND1": profile.country,
        "STCEG": profile.tax_id or "",
        "TELF1": profile.phone or "",
        "SMTP_ADDR": profile.email or "",
        "AUFSD": "" if profile.is_active else "01",
    }


def _documents(papers: Iterable[_Paper], *, first: int) -> Iterator[Row]:
    for number, paper in enumerate(papers, start=first):
        head = {"VBELN": f"{number:010d}", "KUNNR": paper.customer.party_code, "BUKRS": LEGAL_ENTITY}
        yield {**head, "WAERK": paper.customer.currency, **_own(paper), "items": list(_items(paper))}


def _own(paper: _Paper) -> Row:
    day = f"{paper.day:%Y%m%d}"
    if paper.interface == "ORDERS":
        return {"BSTKD": paper.number, "AUDAT": day}
    return {"XBLNR": paper.number, "VBTYP": "O" if paper.is_credit else "M", "FKDAT": day, "BUDAT": day}


def _items(paper: _Paper) -> Iterator[Row]:
    """Items as SAP has them: a credit's are positive, and the tax of a document is that of its first item."""
    way = -1 if paper.is_credit else 1
    currency, counted = paper.customer.currency, "KWMENG" if paper.interface == "ORDERS" else "FKIMG"
    net = way * sum(quantity * unit for _, quantity, unit in paper.lines)
    for place, (product, quantity, unit) in enumerate(paper.lines, start=1):
        tax = tax_minor(net, paper.customer.profile.country) if place == 1 else 0
        told = {"MWSBP": str(major(tax, currency))} if paper.interface == "INVOIC" else {}
        yield {
            "POSNR": f"{place * 10:06d}",
            "MATNR": product.code,
            counted: f"{way * quantity}.000",
            "NETWR": str(major(way * quantity * unit, currency)),
            **told,
        }
