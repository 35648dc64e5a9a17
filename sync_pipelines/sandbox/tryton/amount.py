"""Amounts of documents as the ERP computes them: currency rounding, lines, taxes by document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from sync_pipelines.sandbox.store import Document
from sync_pipelines.sandbox.tryton.database import Database

ZERO = Decimal(0)
ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class Tax:
    """What a document owes by one tax on one side: charges and credits of a document are kept apart."""

    tax: int
    account: int | None
    base: Decimal
    amount: Decimal

    @property
    def key(self) -> tuple[int | None, int, bool]:
        return self.account, self.tax, self.base >= 0


@dataclass(frozen=True, slots=True)
class Totals:
    untaxed: Decimal
    tax: Decimal

    @property
    def total(self) -> Decimal:
        return self.untaxed + self.tax


def rounded(amount: Decimal, currency: Document) -> Decimal:
    """To a multiple of the currency's rounding, half to even."""
    factor = Decimal(currency["rounding"])
    return (amount / factor).quantize(ONE, rounding=ROUND_HALF_EVEN) * factor


def line_amount(line: Document, currency: Document) -> Decimal:
    """A line's net amount; lines that are no products have none."""
    if line["type"] != "line":
        return ZERO
    return rounded(_price(line), currency)


def converted(database: Database, amount: Decimal, source: Document, target: Document) -> Decimal:
    """An amount in another currency, by today's only rate."""
    if source["id"] == target["id"]:
        return rounded(amount, target)
    return rounded(amount * Decimal(target["rate"]) / Decimal(source["rate"]), target)


def taxes(database: Database, lines: Iterable[Document], currency: Document) -> list[Tax]:
    """The document's taxes: bases are rounded by line, amounts once for all lines that are taxed alike."""
    groups: dict[tuple[tuple[int, ...], bool], dict[tuple[int | None, int, bool], Tax]] = {}
    for line in lines:
        if line["type"] != "line":
            continue
        price = _price(line)
        group = groups.setdefault((tuple(line["taxes"]), price >= 0), {})
        for tax in (_tax(database, tax_id, price, currency) for tax_id in line["taxes"]):
            _add(group, tax)
    found: dict[tuple[int | None, int, bool], Tax] = {}
    for group in groups.values():
        for tax in group.values():
            _add(found, Tax(tax.tax, tax.account, tax.base, rounded(tax.amount, currency)))
    return list(found.values())


def totals(lines: Sequence[Document], owed: Iterable[Decimal], currency: Document) -> Totals:
    untaxed = sum((line_amount(line, currency) for line in lines), rounded(ZERO, currency))
    return Totals(untaxed, sum(owed, rounded(ZERO, currency)))


def cached(row: Document) -> Totals | None:
    """The totals that a document has kept since it was confirmed or posted."""
    if row["total_amount_cache"] is None:
        return None
    return Totals(Decimal(row["untaxed_amount_cache"]), Decimal(row["tax_amount_cache"]))


def kept(found: Totals) -> Mapping[str, str]:
    """Totals as a document keeps them."""
    return {
        "untaxed_amount_cache": str(found.untaxed),
        "tax_amount_cache": str(found.tax),
        "total_amount_cache": str(found.total),
    }


def _price(line: Document) -> Decimal:
    return Decimal(str(line["quantity"] or 0)) * Decimal(line["unit_price"] or 0)


def _tax(database: Database, tax_id: int, price: Decimal, currency: Document) -> Tax:
    tax = database.get("account.tax", tax_id)
    owed = price * Decimal(tax["rate"] or 0) if tax["type"] == "percentage" else ZERO
    base = rounded(price, currency)
    return Tax(tax_id, tax["invoice_account" if base >= 0 else "credit_note_account"], base, owed)


def _add(group: dict[tuple[int | None, int, bool], Tax], tax: Tax) -> None:
    before = group.get(tax.key)
    if before is not None:
        tax = Tax(tax.tax, tax.account, before.base + tax.base, before.amount + tax.amount)
    group[tax.key] = tax
