"""Fills an account with records at once: the lists that every account has, and what years of business left."""

from __future__ import annotations

from calendar import month_abbr, monthrange
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sync_pipelines.sandbox.store import Document, Store

BORN = "2026-01-01T08:00:00Z"
_TABLES = {
    "customer": "customer",
    "serviceSaleItem": "item",
    "salesOrder": "transaction",
    "invoice": "transaction",
    "creditMemo": "transaction",
    "customerPayment": "transaction",
}
SUBSIDIARY, ACCOUNT, BASE_PRICE, CUSTOM_PRICE, TAX_CODE = "US01", "4000", "1", "-1", "VAT"

CURRENCIES = (("USD", "US Dollar"), ("EUR", "Euro"), ("JPY", "Yen"), ("BHD", "Bahraini Dinar"))
"""Symbol and name; the first has the id 1."""
YEARS = (2025, 2026, 2027)
"""Those whose periods are set up."""


def seed(store: Store, rows: Mapping[str, Iterable[Document]]) -> dict[str, int]:
    """Load complete rows by record type, as they are kept; nothing is validated. Returns their numbers.

    Rows carry `id` and everything that follows from saving them (a transaction's total and status); what
    they pay has to be told on the invoice too (`amountPaid`). Stamps that are left out are those of `BORN`.
    """
    loaded = {}
    for name, given in rows.items():
        table = _TABLES.get(name, name)
        stamps = {"createdDate": BORN, "lastModifiedDate": BORN, "lastModifiedBy": "3"}
        documents = [(row["id"], {"recordType": name, **stamps, **row}) for row in given]
        loaded[name] = store.load(table, documents)
        highest = max((int(identity) for identity, _ in documents), default=0)
        store.set_meta(f"id {table}", max(highest, store.meta(f"id {table}", 0)))
    return loaded


def found(store: Store) -> None:
    """The lists of an account that was set up for one company, unless they are there."""
    if not store.count("subsidiary"):
        seed(store, _lists())


def _lists() -> dict[str, list[dict[str, Any]]]:
    return {
        "subsidiary": [
            {"id": "1", "externalId": SUBSIDIARY, "name": "Meridian Software Inc", "currency": "1", "isInactive": False}
        ],
        "currency": [
            {"id": str(number), "name": name, "symbol": symbol, "isInactive": False}
            for number, (symbol, name) in enumerate(CURRENCIES, start=1)
        ],
        "priceLevel": [
            {"id": BASE_PRICE, "name": "Base Price", "isInactive": False},
            {"id": CUSTOM_PRICE, "name": "Custom", "isInactive": False},
        ],
        "account": [{"id": "54", "acctNumber": ACCOUNT, "acctName": "Subscription revenue", "acctType": "Income"}],
        "term": [{"id": "2", "name": "Net 30"}],
        "taxType": [{"id": "1", "name": "VAT"}],
        "salesTaxItem": [{"id": "5", "itemId": TAX_CODE, "taxType": "1", "rate": "20"}],
        "accountingPeriod": list(periods()),
    }


def periods() -> Iterator[dict[str, Any]]:
    """Years, their quarters and months; all are open."""
    number = 0
    for year in YEARS:
        spans = [("isYear", f"FY {year}", 1, 12)]
        spans += [("isQuarter", f"Q{quarter} {year}", 3 * quarter - 2, 3 * quarter) for quarter in range(1, 5)]
        spans += [("", f"{month_abbr[month]} {year}", month, month) for month in range(1, 13)]
        for kind, name, start, end in spans:
            number += 1
            yield {
                "id": str(number),
                "periodName": name,
                "startDate": f"{year}-{start:02}-01",
                "endDate": f"{year}-{end:02}-{monthrange(year, end)[1]}",
                **dict.fromkeys(
                    ("isYear", "isQuarter", "isAdjust", "closed", "arLocked", "apLocked", "allLocked"), False
                ),
                **({kind: True} if kind else {}),
            }
