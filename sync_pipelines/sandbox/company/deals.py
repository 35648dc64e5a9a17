"""What was sold: won deals with contracts, invoices and credit notes, and pursuits that came to nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random

from sync_pipelines.sandbox.company.catalog import is_sold, rounded
from sync_pipelines.sandbox.company.defects import BAD_ORDER
from sync_pipelines.sandbox.company.ids import Ids
from sync_pipelines.sandbox.company.model import Contract, Customer, Deal, Invoice, Line, Product, Pursuit
from sync_pipelines.sandbox.company.moments import (
    FIRST_DAY,
    FIRST_OPEN_DAY,
    LAST_DAY,
    TODAY,
    between,
    during,
    months_after,
)

DEALS, PURSUITS = 150, 40
NOT_INVOICED, DRAFTED = 20, 3
"""The latest deals at scale 1 have no invoice yet; of some, a draft."""

_SEATS = (5, 10, 10, 15, 20, 25, 25, 40, 50, 75, 100, 150)
_OPEN_STAGES = ("Prospecting", "Qualification", "Proposal/Price Quote", "Negotiation/Review")


@dataclass
class Pen:
    """Writes lines; counts them over all deals, for each needs ids of its own."""

    rng: Random
    ids: Ids
    products: Sequence[Product]
    written: int = 0

    def lines(self, currency: str, *, in_erp: bool) -> tuple[Line, ...]:
        """One to five lines: mostly subscriptions of one interval, sometimes with services."""
        sold = [p for p in self.products if is_sold(p, currency, in_erp=in_erp)]
        count, interval = self.rng.choices((1, 2, 3, 4, 5), (20, 30, 25, 15, 10))[0], self._interval()
        services = [p for p in sold if not p.is_recurring]
        if interval == "once":
            chosen = self.rng.sample(services, min(count, len(services), 3))
        else:
            extra = self.rng.random() < 0.4 and count > 1
            plans = [p for p in sold if p.interval == interval]
            chosen = self.rng.sample(plans, min(count - extra, len(plans)))
            chosen += self.rng.sample(services, 1) if extra else []
        return tuple(self._line(product, currency) for product in chosen)

    def _interval(self) -> str:
        return self.rng.choices(("month", "year", "once"), (45, 38, 17))[0]

    def _line(self, product: Product, currency: str) -> Line:
        self.written += 1
        price = product.prices[currency]
        if self.rng.random() < 0.2:
            price = rounded(price * self.rng.choice((75, 80, 85, 88, 90, 93, 95)) // 100)
        negotiated = price != product.stripe_prices.get(currency)
        names = ("deal", self.written) if negotiated else (product.code, currency)
        return Line(
            number=self.written,
            product=product,
            quantity=self._quantity(product),
            unit_minor=price,
            price_id=self.ids.stripe("price", *names),
            is_negotiated=negotiated,
            item_id=self.ids.stripe("subscription_item", self.written) if product.is_recurring else "",
        )

    def _quantity(self, product: Product) -> int:
        if not product.per_seat:
            return 1
        return self.rng.choice(_SEATS if product.is_recurring else (1, 2, 3, 5))


def won(scale: int, ids: Ids, customers: Sequence[Customer], products: Sequence[Product]) -> list[Deal]:
    """The won deals in order of their date, with contract and invoice and without any defect yet."""
    rng = Random(f"{ids.seed}|deals")
    pen = Pen(rng, ids, products)
    signed = sorted(_signed((DEALS + BAD_ORDER.count) * scale, customers, rng), key=lambda pair: pair[0])
    deals = [
        Deal(
            number=f"D-{n:05d}",
            opportunity_id=ids.salesforce("006", n),
            customer=customer,
            closed_on=day,
            lines=pen.lines(customer.currency, in_erp=bool(customer.party_code)),
        )
        for n, (day, customer) in enumerate(signed, 1)
    ]
    return _invoiced(_contracted(deals, ids, rng), scale, ids, rng)


def _signed(count: int, customers: Sequence[Customer], rng: Random) -> Iterator[tuple[date, Customer]]:
    """Every buyer once, then whom chance picks. Who is not in the ERP yet came after its closed months."""
    buyers = [customer for customer in customers if customer.buys]
    drawn = [*buyers, *rng.choices(buyers, k=max(count - len(buyers), 0))][:count]
    for customer in drawn:
        first = FIRST_DAY if customer.party_code else FIRST_OPEN_DAY
        yield between(rng, first, LAST_DAY - timedelta(days=3)), customer


def _contracted(deals: list[Deal], ids: Ids, rng: Random) -> list[Deal]:
    """A contract for each deal that sells a subscription."""
    number, made = 100, []
    for deal in deals:
        if deal.recurring:
            number += 1
            deal = replace(deal, contract=_contract(f"{number:08d}", deal, ids, rng))
        made.append(deal)
    return made


def _contract(number: str, deal: Deal, ids: Ids, rng: Random) -> Contract:
    start = min(between(rng, deal.closed_on, deal.closed_on + timedelta(days=10)), LAST_DAY)
    yearly = deal.recurring[0].product.interval == "year"
    term = rng.choices((6, 12, 24, 36), (0, 70, 20, 10) if yearly else (25, 60, 15, 0))[0]
    end = months_after(start, term) - timedelta(days=1)
    return Contract(
        number=number,
        contract_id=ids.salesforce("800", int(number)),
        subscription_id=ids.stripe("subscription", number),
        start_on=start,
        term_months=term,
        end_on=end,
        has_ended=end < TODAY,
    )


def _invoiced(deals: list[Deal], scale: int, ids: Ids, rng: Random) -> list[Deal]:
    """An invoice for all but the latest deals, numbered by customer in order of issue."""
    kept = deals[: -NOT_INVOICED * scale]
    issued = sorted((_issued_on(deal, rng), place) for place, deal in enumerate(kept))
    sequence: dict[str, int] = {}
    for day, place in issued:
        deal = kept[place]
        prefix = ids.invoice_prefix(deal.customer.stripe_id)
        sequence[prefix] = sequence.get(prefix, 0) + 1
        kept[place] = replace(deal, invoice=_invoice(f"{prefix}-{sequence[prefix]:04d}", day, ids, rng))
    drafted = set(rng.sample(range(NOT_INVOICED * scale), DRAFTED * scale))
    latest = [replace(deal, is_drafted=place in drafted) for place, deal in enumerate(deals[-NOT_INVOICED * scale :])]
    return kept + latest


def _issued_on(deal: Deal, rng: Random) -> date:
    if deal.contract:
        return deal.contract.start_on
    return min(between(rng, deal.closed_on, deal.closed_on + timedelta(days=12)), LAST_DAY)


def _invoice(number: str, day: date, ids: Ids, rng: Random) -> Invoice:
    issued_at = during(day, rng)
    age = (TODAY - day).days
    paid_at = issued_at + timedelta(days=rng.randint(1, 40), seconds=rng.randint(0, 9000))
    is_paid = rng.random() < (0.92 if age > 45 else 0.5) and (paid_at.date() < TODAY)
    return Invoice(
        number=number,
        invoice_id=ids.stripe("invoice", number),
        issued_at=issued_at,
        issued_on=day,
        paid_at=paid_at if is_paid else None,
    )


def pursued(scale: int, ids: Ids, customers: Sequence[Customer], products: Sequence[Product]) -> list[Pursuit]:
    """Open and lost opportunities, which must never become orders."""
    rng = Random(f"{ids.seed}|pursuits")
    pen = Pen(rng, ids, products, written=1_000_000 * scale)
    buyers = [customer for customer in customers if customer.buys]
    return [_pursuit(n, rng.choice(buyers), pen, DEALS * scale) for n in range(1, PURSUITS * scale + 1)]


def _pursuit(n: int, customer: Customer, pen: Pen, after: int) -> Pursuit:
    is_lost = pen.rng.random() < 0.5
    return Pursuit(
        opportunity_id=pen.ids.salesforce("006", after * 2 + n),
        customer=customer,
        stage="Closed Lost" if is_lost else pen.rng.choice(_OPEN_STAGES),
        is_closed=is_lost,
        close_on=between(pen.rng, FIRST_DAY, LAST_DAY) if is_lost else between(pen.rng, TODAY, date(2027, 3, 31)),
        lines=pen.lines(customer.currency, in_erp=True),
    )
