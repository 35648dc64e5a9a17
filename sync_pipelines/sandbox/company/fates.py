"""What befalls the deals: which of their records are missing or wrong, and where."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random

from sync_pipelines.sandbox.company import defects as kind
from sync_pipelines.sandbox.company.catalog import rounded
from sync_pipelines.sandbox.company.defects import Kind
from sync_pipelines.sandbox.company.ids import Ids
from sync_pipelines.sandbox.company.model import Credit, Customer, Deal, Fate, Line, Paper, Product
from sync_pipelines.sandbox.company.moments import (
    FIRST_OPEN_DAY,
    LAST_DAY,
    TODAY,
    between,
    during,
    months_after,
)

CREDITS = 10
ENTITLEMENTS_MISSING = 0.4

Deals = list[Deal]


@dataclass
class Lot:
    """Draws deals for defects; a customer is drawn once, so that one family has one defect."""

    deals: Deals
    scale: int
    rng: Random
    drawn: set[str] = field(default_factory=set)

    def draw(self, what: Kind, fits: Callable[[Deal], bool]) -> list[int]:
        """Places of as many fitting deals as a kind asks for."""
        chosen: list[int] = []
        for place in self.rng.sample(range(len(self.deals)), len(self.deals)):
            deal = self.deals[place]
            if len(chosen) < what.count * self.scale and self._is_free(deal.customer) and fits(deal):
                chosen.append(place)
                self.drawn.add(deal.customer.account_id)
        return chosen

    def befall(self, what: Kind, fits: Callable[[Deal], bool]) -> None:
        """Let a kind befall the record of its own domain in the deals that are drawn for it."""
        for place in self.draw(what, fits):
            self.mark(place, what)

    def mark(self, place: int, what: Kind) -> None:
        deal = self.deals[place]
        match what.domain:
            case "order":
                fate = replace(deal.fate, order=what)
            case "contract":
                fate = replace(deal.fate, contract=what)
            case _:
                fate = replace(deal.fate, invoice=what)
        self.deals[place] = replace(deal, fate=fate)

    def _is_free(self, customer: Customer) -> bool:
        return customer.defect in (None, kind.CUSTOMER_MISSING) and customer.account_id not in self.drawn


def befallen(deals: Deals, scale: int, ids: Ids) -> Deals:
    """The same deals after everything that goes wrong in real life."""
    lot = Lot(list(deals), scale, Random(f"{ids.seed}|fates"))
    _spoil_invoices(lot)
    _spoil_orders(lot)
    _spoil_contracts(lot)
    _lose_orders(lot)
    _lose_invoices(lot)
    _credit(lot, ids)
    return [_entitled(deal, lot.rng) for deal in lot.deals]


def _in_erp(deal: Deal) -> bool:
    return bool(deal.customer.party_code)


def _invoiced_in_open_period(deal: Deal) -> bool:
    return deal.invoice is not None and deal.invoice.issued_on >= FIRST_OPEN_DAY


def _spoil_invoices(lot: Lot) -> None:
    lot.befall(kind.CLOSED_PERIOD, lambda deal: deal.invoice is not None and not _invoiced_in_open_period(deal))
    lot.befall(
        kind.CENT_OFF,
        lambda deal: _in_erp(deal) and bool(deal.invoice) and any(line.quantity == 1 for line in deal.lines),
    )


def _spoil_orders(lot: Lot) -> None:
    lot.befall(kind.ORDER_AMOUNT_DIFFERS, _in_erp)
    for place in lot.draw(kind.BAD_ORDER, lambda deal: deal.invoice is None and not deal.is_drafted):
        lot.deals[place] = replace(lot.deals[place], contract=None)
        lot.mark(place, kind.BAD_ORDER)


def _spoil_contracts(lot: Lot) -> None:
    for place in lot.draw(kind.CONTRACT_STATUS_DIFFERS, _could_have_ended):
        lot.deals[place] = _ended_early(lot.deals[place])
        lot.mark(place, kind.CONTRACT_STATUS_DIFFERS)
    for what in (kind.BAD_CONTRACT, kind.CONTRACT_WITHOUT_SUBSCRIPTION, kind.CONTRACT_END_DIFFERS):
        lot.befall(what, _runs)
    for place in lot.draw(kind.ENTITLEMENT_QUANTITY_DIFFERS, _runs):
        deal = lot.deals[place]
        kinds = (kind.ENTITLEMENT_QUANTITY_DIFFERS, *[None] * (len(deal.recurring) - 1))
        lot.deals[place] = replace(deal, fate=replace(deal.fate, entitlements=kinds))


def _runs(deal: Deal) -> bool:
    return deal.contract is not None and not deal.contract.has_ended


def _could_have_ended(deal: Deal) -> bool:
    """Sold by the month, and more than half a year old."""
    if deal.contract is None or deal.recurring[0].product.interval != "month":
        return False
    return months_after(deal.contract.start_on, 6) <= TODAY


def _ended_early(deal: Deal) -> Deal:
    """The deal with a contract of half a year."""
    assert deal.contract is not None
    end = months_after(deal.contract.start_on, 6) - timedelta(days=1)
    return replace(deal, contract=replace(deal.contract, term_months=6, end_on=end, has_ended=end < TODAY))


def _lose_orders(lot: Lot) -> None:
    """Sales that the ERP doesn't have: all of the customers it doesn't know, and some others."""
    for place in _losers(lot, kind.ORDER_MISSING, lambda deal: deal.fate.order is None):
        lot.mark(place, kind.ORDER_MISSING)


def _lose_invoices(lot: Lot) -> None:
    lose = _losers(lot, kind.INVOICE_MISSING, lambda deal: deal.fate.invoice is None and _invoiced_in_open_period(deal))
    for place in lose:
        lot.mark(place, kind.INVOICE_MISSING)


def _losers(lot: Lot, what: Kind, fits: Callable[[Deal], bool]) -> list[int]:
    fitting = [place for place, deal in enumerate(lot.deals) if fits(deal)]
    must = [place for place in fitting if not _in_erp(lot.deals[place])]
    can = [place for place in fitting if _in_erp(lot.deals[place])]
    extra = max(what.count * lot.scale - len(must), 0)
    return must + lot.rng.sample(can, min(extra, len(can)))


def _credit(lot: Lot, ids: Ids) -> None:
    """Credit notes for some invoices that nothing else is wrong with but that they may be missing."""
    can = [
        place
        for place, deal in enumerate(lot.deals)
        if deal.invoice and deal.fate.invoice in (None, kind.INVOICE_MISSING)
    ]
    for place in lot.rng.sample(can, min(CREDITS * lot.scale, len(can))):
        deal = lot.deals[place]
        lot.deals[place] = replace(deal, credit=_credit_note(deal, ids, lot.rng))


def _credit_note(deal: Deal, ids: Ids, rng: Random) -> Credit:
    assert deal.invoice is not None
    day = deal.invoice.issued_on
    day = min(between(rng, day + timedelta(days=3), day + timedelta(days=45)), LAST_DAY)
    may_be_missing = day >= FIRST_OPEN_DAY and rng.random() < 0.3
    is_missing = deal.fate.invoice is kind.INVOICE_MISSING or may_be_missing
    number = f"{deal.invoice.number}-CN-01"
    issued_at = max(during(day, rng), deal.invoice.issued_at + timedelta(minutes=5))
    line = rng.choice(deal.lines)
    return Credit(
        number=number,
        credit_id=ids.stripe("credit_note", number),
        issued_at=issued_at,
        issued_on=day,
        lines=((line, _credited(line, rng)),),
        defect=kind.INVOICE_MISSING if is_missing else None,
    )


def _credited(line: Line, rng: Random) -> int:
    """All of a line, or some of it."""
    return line.quantity if rng.random() < 0.5 else rng.randint(1, line.quantity)


def _entitled(deal: Deal, rng: Random) -> Deal:
    """Salesforce lacks some entitlements of running contracts that nothing else is wrong with."""
    if not deal.contract or deal.fate.entitlements:
        return deal
    lossy = _runs(deal) and deal.fate.contract is None
    kinds = tuple(
        kind.ENTITLEMENT_MISSING if lossy and rng.random() < ENTITLEMENTS_MISSING else None for _ in deal.recurring
    )
    return replace(deal, fate=replace(deal.fate, entitlements=kinds))


def papers(deals: Sequence[Deal], products: Sequence[Product], scale: int, ids: Ids) -> list[Paper]:
    """Invoices that somebody wrote in the ERP by hand, for customers with whom all else is well."""
    rng = Random(f"{ids.seed}|papers")
    services = [p for p in products if not p.is_recurring and p.is_active and p.in_erp]
    spoiled = {deal.customer.account_id for deal in deals if not _lacks_at_most(deal.fate)}
    customers = {deal.customer.account_id: deal.customer for deal in deals}
    free = [c for key, c in customers.items() if key not in spoiled and c.party_code and not c.defect]
    chosen = rng.sample(free, min(kind.INVOICE_UNKNOWN.count * scale, len(free)))
    return [_paper(n, customer, rng.choice(services), rng) for n, customer in enumerate(chosen, 1)]


def _lacks_at_most(fate: Fate) -> bool:
    """Whether nothing is wrong with a deal's records but that some are missing."""
    lacks = (None, kind.ORDER_MISSING, kind.INVOICE_MISSING, kind.ENTITLEMENT_MISSING)
    return all(what in lacks for what in (fate.order, fate.contract, fate.invoice, *fate.entitlements))


def _paper(n: int, customer: Customer, product: Product, rng: Random) -> Paper:
    return Paper(
        reference=f"MAN-2026-{n:03d}",
        customer=customer,
        issued_on=between(rng, FIRST_OPEN_DAY, LAST_DAY),
        product=product,
        quantity=rng.randint(1, 3),
        unit_minor=rounded(product.prices[customer.currency] * rng.choice((40, 55, 65)) // 100),
    )
