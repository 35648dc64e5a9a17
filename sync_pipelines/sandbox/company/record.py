"""Every business record with where it is at the start, and what all systems should show in the end."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sync_pipelines.sandbox.company import defects as kind
from sync_pipelines.sandbox.company import erp, stripe
from sync_pipelines.sandbox.company.catalog import CURRENCIES
from sync_pipelines.sandbox.company.defects import Kind
from sync_pipelines.sandbox.company.ids import Ids
from sync_pipelines.sandbox.company.model import (
    Contract,
    Credit,
    Customer,
    Deal,
    Facts,
    Invoice,
    Paper,
    Product,
    Profile,
    tax_minor,
)
from sync_pipelines.sandbox.company.moments import midnight
from sync_pipelines.sandbox.company.salesforce import LEGAL_ENTITY, UNSUBSCRIBED, entitlement_id, entry_id


@dataclass(frozen=True, slots=True)
class Record:
    """One business record of a domain; `values` are what every system should say in the end.

    The ids say where it is at the start; `tryton_key` is a party's code, a SKU or a reference.
    `differs` names systems that lack it, and fields ("stripe.name") that say something else or nothing.
    `tryton_minor` is the amount in the ERP where that stays another one.
    """

    domain: str
    key: str
    salesforce_id: str | None
    stripe_id: str | None
    tryton_key: str | None
    values: Mapping[str, Any]
    differs: tuple[str, ...] = ()
    defect: Kind | None = None
    stake_minor: int | None = None
    tryton_minor: int | None = None
    also: tuple[str, ...] = ()
    """Other records that belong to the defect."""

    @property
    def expected(self) -> str:
        if self.defect and not self.defect.mendable:
            return "exception"
        return "mended" if self.differs else "agrees"


def records(facts: Facts) -> dict[str, list[Record]]:
    """All records by domain, exceptions too."""
    ids = Ids(facts.seed)
    lost = {c.master_id: f"salesforce/{c.account_id}" for c in facts.customers if c.is_lost}
    return {
        "customer": [_customer(c, lost) for c in facts.customers if not c.is_lost],
        "product": [_product(product) for product in facts.products],
        "pricing": [_price(p, currency, ids) for p in facts.products for currency in CURRENCIES],
        "contract": [_contract(deal, deal.contract) for deal in facts.deals if deal.contract],
        "order": [_order(deal) for deal in facts.deals],
        "invoice": [*_invoices(facts), *map(_paper, facts.papers)],
        "entitlement": [r for deal in facts.deals if deal.contract for r in _entitlements(deal, deal.contract, ids)],
    }


def _customer(customer: Customer, lost: Mapping[str, str]) -> Record:
    profile = customer.profile
    gone = ("salesforce",) if customer.is_deleted or not customer.account_id else ()
    differs = (*gone, *_apart("stripe", profile, customer.stripe), *_apart("tryton", profile, customer.party))
    return Record(
        domain="customer",
        key=(customer.account_id and profile.number) or customer.party_code,
        salesforce_id=customer.account_id or None,
        stripe_id=customer.stripe_id or None,
        tryton_key=customer.party_code or None,
        values=asdict(profile),
        differs=differs,
        defect=customer.defect,
        also=(lost[customer.account_id],) if customer.account_id in lost else (),
    )


def _apart(system: str, wanted: Profile, seen: Profile | None) -> tuple[str, ...]:
    """The fields in which a system's profile is not the wanted one; what nobody knows is not missed."""
    if seen is None:
        return (system,)
    other = asdict(seen)
    return tuple(
        f"{system}.{name}"
        for name, value in asdict(wanted).items()
        if value is not None and _plain(name, value) != _plain(name, other[name])
    )


def _plain(name: str, value: Any) -> Any:
    return "".join(c for c in value if c.isdigit()) if name == "phone" and value else value


def _product(product: Product) -> Record:
    differs = ("stripe",) * (not product.stripe_id) + ("tryton",) * (not product.in_erp)
    return Record(
        domain="product",
        key=product.code,
        salesforce_id=product.salesforce_id,
        stripe_id=product.stripe_id or None,
        tryton_key=product.code if product.in_erp else None,
        values={
            "code": product.code,
            "name": product.name,
            "description": product.description,
            "family": product.family,
            "is_active": product.is_active,
        },
        differs=differs,
        defect=kind.PRODUCT_MISSING if differs else None,
    )


def _price(product: Product, currency: str, ids: Ids) -> Record:
    wanted, billed = product.prices[currency], product.stripe_prices.get(currency)
    booked = product.erp_price if currency == "USD" and product.in_erp else None
    lacking = ("stripe",) * (billed is None) + ("tryton",) * (currency == "USD" and not product.in_erp)
    wrong = ("stripe.amount_minor",) * (billed not in (None, wanted))
    wrong += ("tryton.amount_minor",) * (booked not in (None, wanted))
    of_product = not product.stripe_id or not product.in_erp
    missing = kind.PRODUCT_MISSING if of_product else kind.PRICE_MISSING
    stake = max(abs(wanted - (billed or wanted)), abs(wanted - (booked or wanted)))
    return Record(
        domain="pricing",
        key=f"{product.code}/{currency}",
        salesforce_id=entry_id(ids, product, currency),
        stripe_id=None if billed is None else ids.stripe("price", product.code, currency),
        tryton_key=product.code if booked is not None else None,
        values={
            "product": product.code,
            "currency": currency,
            "billing_interval": product.interval,
            "amount_minor": wanted,
        },
        differs=lacking + wrong,
        defect=kind.PRICE_DISAGREES if wrong else missing if lacking else None,
        stake_minor=stake or wanted,
    )


def _contract(deal: Deal, contract: Contract) -> Record:
    fate = deal.fate.contract
    undated, subscribed = fate is kind.BAD_CONTRACT, fate not in UNSUBSCRIBED
    differs: tuple[str, ...] = () if subscribed else ("stripe",)
    if fate is kind.CONTRACT_STATUS_DIFFERS:
        differs = ("salesforce.status",)
    if subscribed and stripe.cancel_at(deal, contract) != midnight(contract.end_on + timedelta(days=1)):
        differs = ("stripe.end_on",)
    return Record(
        domain="contract",
        key=contract.number,
        salesforce_id=contract.contract_id,
        stripe_id=contract.subscription_id if subscribed else None,
        tryton_key=None,
        values={
            "number": contract.number,
            "legal_entity": LEGAL_ENTITY,
            "customer": deal.customer.profile.number,
            "start_on": None if undated else contract.start_on,
            "end_on": None if undated else contract.end_on,
            "status": "draft" if undated else "ended" if contract.has_ended else "active",
            "currency": deal.currency,
        },
        differs=differs,
        defect=fate,
    )


def _order(deal: Deal) -> Record:
    fate, net, booked = deal.fate.order, deal.net_minor, erp.net(erp.ordered(deal))
    unnumbered, absent = fate is kind.BAD_ORDER, fate in erp.NOT_IN_ERP
    wrong = ("tryton.net_minor", "tryton.lines") if booked != net else ()
    return Record(
        domain="order",
        key=deal.opportunity_id if unnumbered else deal.number,
        salesforce_id=deal.opportunity_id,
        stripe_id=None,
        tryton_key=None if absent else deal.number,
        values={
            "number": None if unnumbered else deal.number,
            "legal_entity": LEGAL_ENTITY,
            "customer": deal.customer.profile.number,
            "ordered_on": deal.closed_on,
            "status": "confirmed",
            "currency": deal.currency,
            "net_minor": net,
            "lines": canonical(erp.priced(deal)),
        },
        differs=("tryton",) if absent else wrong,
        defect=fate,
        stake_minor=abs(booked - net) or net,
        tryton_minor=booked if wrong else None,
    )


def _invoices(facts: Facts) -> Iterator[Record]:
    for deal in facts.deals:
        if deal.invoice:
            yield _invoice(deal, deal.invoice)
            if deal.credit:
                yield _credit(deal, deal.credit)


def _invoice(deal: Deal, invoice: Invoice) -> Record:
    fate, net, booked = deal.fate.invoice, deal.net_minor, erp.net(erp.invoiced(deal))
    present = erp.has_invoice(fate)
    values = _money(net, deal.customer) | {
        "number": invoice.number,
        "kind": "invoice",
        "issued_on": invoice.issued_on,
        "lines": canonical(erp.priced(deal)),
    }
    off = ("tryton.net_minor", "tryton.total_minor", "tryton.lines") if booked != net else ()
    return Record(
        domain="invoice",
        key=invoice.number,
        salesforce_id=None,
        stripe_id=invoice.invoice_id,
        tryton_key=invoice.number if present else None,
        values=values,
        differs=off if present else ("tryton",),
        defect=fate,
        stake_minor=abs(booked - net) or values["total_minor"],
        tryton_minor=values["total_minor"] + booked - net if off else None,
    )


def _credit(deal: Deal, credit: Credit) -> Record:
    present = erp.has_invoice(credit.defect)
    values = _money(-credit.net_minor, deal.customer) | {
        "number": credit.number,
        "kind": "credit",
        "issued_on": credit.issued_on,
        "lines": canonical(erp.credited(credit)),
    }
    return Record(
        domain="invoice",
        key=credit.number,
        salesforce_id=None,
        stripe_id=credit.credit_id,
        tryton_key=credit.number if present else None,
        values=values,
        differs=() if present else ("tryton",),
        defect=credit.defect,
        stake_minor=-values["total_minor"],
    )


def _paper(paper: Paper) -> Record:
    values = _money(paper.net_minor, paper.customer) | {
        "number": paper.reference,
        "kind": "invoice",
        "issued_on": paper.issued_on,
        "lines": canonical([(paper.product, paper.quantity, paper.unit_minor)]),
    }
    return Record(
        domain="invoice",
        key=paper.reference,
        salesforce_id=None,
        stripe_id=None,
        tryton_key=paper.reference,
        values=values,
        differs=("stripe",),
        defect=kind.INVOICE_UNKNOWN,
        stake_minor=values["total_minor"],
    )


def _money(net: int, customer: Customer) -> dict[str, Any]:
    """The fields that invoices and credits share; a credit's amounts are negative."""
    tax = tax_minor(net, customer.profile.country)
    return {
        "legal_entity": LEGAL_ENTITY,
        "customer": customer.profile.number,
        "status": "posted",
        "currency": customer.currency,
        "net_minor": net,
        "tax_minor": tax,
        "total_minor": net + tax,
    }


def _entitlements(deal: Deal, contract: Contract, ids: Ids) -> Iterator[Record]:
    if contract.has_ended or deal.fate.contract in UNSUBSCRIBED:
        return
    for line, fate in zip(deal.recurring, deal.fate.entitlements, strict=True):
        absent, other = fate is kind.ENTITLEMENT_MISSING, fate is kind.ENTITLEMENT_QUANTITY_DIFFERS
        yield Record(
            domain="entitlement",
            key=line.item_id,
            salesforce_id=None if absent else entitlement_id(ids, line),
            stripe_id=line.item_id,
            tryton_key=None,
            values={
                "number": line.item_id,
                "customer": deal.customer.profile.number,
                "product": line.product.code,
                "quantity": Decimal(line.quantity),
                "start_on": contract.start_on,
                "end_on": contract.end_on,
            },
            differs=("salesforce",) if absent else ("salesforce.quantity",) if other else (),
            defect=fate,
        )


def canonical(lines: list[erp.Priced]) -> str:
    """A document's lines in canonical form: amounts net and in minor units."""
    return json.dumps(
        [
            {"product": product.code, "quantity": str(quantity), "amount_minor": quantity * unit}
            for product, quantity, unit in lines
        ],
        separators=(",", ":"),
    )
