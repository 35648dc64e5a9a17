"""What Salesforce itself works out when a record is saved: totals, states, end dates, names."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sync_pipelines.sandbox.salesforce.schema import Schema
from sync_pipelines.sandbox.store import Document

Values = dict[str, Any]
_CENT = Decimal("0.01")


def end_date(start: str, months: int) -> str:
    """The last day of a term that starts on a day.

    >>> end_date("2026-01-31", 1), end_date("2026-03-01", 12)
    ('2026-02-27', '2027-02-28')
    """
    first = date.fromisoformat(start)
    years, month = divmod(first.month - 1 + months, 12)
    year, month = first.year + years, month + 1
    last = monthrange(year, month)[1]
    return (date(year, month, min(first.day, last)) - timedelta(days=1)).isoformat()


def line_total(row: Document) -> float:
    """Quantity times price less discount, to the cent."""
    quantity, price, discount = (Decimal(str(row.get(name) or 0)) for name in ("Quantity", "UnitPrice", "Discount"))
    return float((quantity * price * (100 - discount) / 100).quantize(_CENT, ROUND_HALF_UP))


def amount(lines: Iterable[Document]) -> float:
    """What an opportunity with lines is worth."""
    return float(sum((Decimal(str(line["TotalPrice"])) for line in lines), Decimal(0)))


def derive(schema: Schema, name: str, row: Values, *, sent: frozenset[str], today: str) -> None:
    """Fill in what follows from the row itself; `sent` are the fields that the caller gave."""
    work_out = _RULES.get(name)
    if work_out:
        work_out(schema, row, sent, today)


def _opportunity(schema: Schema, row: Values, sent: frozenset[str], today: str) -> None:
    probability, category = schema.behaviour.stages.get(row.get("StageName") or "", (None, None))
    row["IsClosed"] = category in ("Closed", "Omitted")
    row["IsWon"] = category == "Closed"
    row.setdefault("HasOpportunityLineItem", False)
    if "StageName" in sent and probability is not None:
        if "Probability" not in sent:
            row["Probability"] = float(probability)
        if "ForecastCategoryName" not in sent:
            row["ForecastCategoryName"] = category


def _line(schema: Schema, row: Values, sent: frozenset[str], today: str) -> None:
    if "TotalPrice" in sent and "UnitPrice" not in sent:
        quantity = Decimal(str(row["Quantity"]))
        price = Decimal(str(row["TotalPrice"])) / quantity if quantity else Decimal(0)
        row["UnitPrice"] = float(price.quantize(_CENT, ROUND_HALF_UP))
    else:
        row["TotalPrice"] = line_total(row)


def _contract(schema: Schema, row: Values, sent: frozenset[str], today: str) -> None:
    row["StatusCode"] = row.get("Status")
    start, months = row.get("StartDate"), row.get("ContractTerm")
    row["EndDate"] = end_date(start, int(months)) if start and months else None


def _contact(schema: Schema, row: Values, sent: frozenset[str], today: str) -> None:
    row["Name"] = " ".join(part for part in (row.get("FirstName"), row.get("LastName")) if part)


def _entitlement(schema: Schema, row: Values, sent: frozenset[str], today: str) -> None:
    start, end = row.get("StartDate"), row.get("EndDate")
    ended, begun = end is not None and end < today, start is None or start <= today
    row["Status"] = "Expired" if ended else "Active" if begun else "Inactive"


_RULES: dict[str, Callable[[Schema, Values, frozenset[str], str], None]] = {
    "Opportunity": _opportunity,
    "OpportunityLineItem": _line,
    "Contract": _contract,
    "Contact": _contact,
    "Entitlement": _entitlement,
}
