"""The account's records as the tables of SuiteQL: names in lower case, times in the account's zone, lines signed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from sync_pipelines.sandbox.store import Document

Row = dict[str, Any]

_ID, _TEXT, _DAY, _NUMBER = pa.int64(), pa.string(), pa.date32(), pa.decimal128(24, 6)
_TIME = pa.timestamp("s")
_STAMPS = {"externalid": _TEXT, "lastmodifieddate": _TIME}


@dataclass(frozen=True, slots=True)
class Table:
    """One table: the documents that it shows, their rows, and the types of its columns."""

    source: str
    rows: Callable[[Document, ZoneInfo], Iterator[Row]]
    columns: Mapping[str, pa.DataType]

    def arrow(self, documents: list[Document], zone: ZoneInfo) -> pa.Table:
        rows = [row for document in documents for row in self.rows(document, zone)]
        return pa.table(
            {name: pa.array([row.get(name) for row in rows], type=kind) for name, kind in self.columns.items()}
        )


def _flag(value: object) -> str:
    return "T" if value else "F"


def _int(value: str | None) -> int | None:
    return None if value is None else int(value)


def _number(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def _day(value: str | None) -> date | None:
    return None if value is None else date.fromisoformat(value)


def local(stamp: str, zone: ZoneInfo) -> datetime:
    """An instant as the account's clock shows it."""
    return datetime.fromisoformat(stamp).astimezone(zone).replace(tzinfo=None, microsecond=0)


def _stamped(row: Document, zone: ZoneInfo) -> Row:
    return {
        "id": int(row["id"]),
        "externalid": row.get("externalId"),
        "lastmodifieddate": local(row["lastModifiedDate"], zone),
    }


def _customer(row: Document, zone: ZoneInfo) -> Iterator[Row]:
    yield {
        **_stamped(row, zone),
        "entityid": row["entityId"],
        "companyname": row["companyName"],
        "isperson": _flag(row.get("isPerson")),
        "isinactive": _flag(row.get("isInactive")),
        "email": row.get("email"),
        "phone": row.get("phone"),
        "url": row.get("url"),
        "currency": _int(row.get("currency")),
        "terms": _int(row.get("terms")),
        "custentity_sync_tax_id": row.get("custentity_sync_tax_id"),
    }


def _address_key(row: Document, line: Mapping[str, Any]) -> int:
    return int(row["id"]) * 100 + int(line["id"])


def _address_book(row: Document, zone: ZoneInfo) -> Iterator[Row]:
    for line in row.get("addressBook", ()):
        flags = {name.lower(): _flag(line.get(name)) for name in ("defaultBilling", "defaultShipping")}
        key = {"entity": int(row["id"]), "internalid": int(line["id"]), "addressbookaddress": _address_key(row, line)}
        yield {**key, **flags, "label": line.get("label")}


def _addresses(row: Document, zone: ZoneInfo) -> Iterator[Row]:
    for line in row.get("addressBook", ()):
        held = line.get("addressBookAddress", {})
        names = ("addressee", "addr1", "addr2", "city", "state", "zip", "country")
        yield {"nkey": _address_key(row, line), **{name: held.get(name) for name in names}}


def _relation(row: Document, zone: ZoneInfo) -> Iterator[Row]:
    yield {"entity": int(row["id"]), "subsidiary": int(row["subsidiary"]), "isprimarysub": "T"}


def _item(row: Document, zone: ZoneInfo) -> Iterator[Row]:
    yield {
        **_stamped(row, zone),
        "itemid": row["itemId"],
        "displayname": row.get("displayName"),
        "description": row.get("salesDescription"),
        "isinactive": _flag(row.get("isInactive")),
        "itemtype": "Service",
        "subtype": "Sale",
        "incomeaccount": _int(row.get("incomeAccount")),
    }


def _pricing(row: Document, zone: ZoneInfo) -> Iterator[Row]:
    for price in row.get("price", ()):
        if price.get("price") is not None:
            yield {
                "item": int(row["id"]),
                "pricelevel": int(price["priceLevel"]),
                "currency": int(price["currencyPage"]),
                "quantity": _number(price.get("quantity", "0")),
                "unitprice": _number(price["price"]),
            }


def sign(row: Document) -> int:
    """What a transaction does to what the customer owes."""
    return -1 if row["type"] in ("CustCred", "CustPymt") else 1


def _transaction(row: Document, zone: ZoneInfo) -> Iterator[Row]:
    yield {
        **_stamped(row, zone),
        "type": row["type"],
        "tranid": row.get("tranId"),
        "trandate": _day(row["tranDate"]),
        "duedate": _day(row.get("dueDate")),
        "entity": int(row["entity"]),
        "currency": int(row["currency"]),
        "postingperiod": _int(row.get("postingPeriod")),
        "status": row["status"],
        "otherrefnum": row.get("otherRefNum"),
        "memo": row.get("memo"),
        "foreigntotal": Decimal(row["total"]) * sign(row),
        "foreignamountunpaid": Decimal(row["total"]) - Decimal(row.get("amountPaid", "0")),
        "lastmodifiedby": _int(row.get("lastModifiedBy")),
    }


def _lines(row: Document, zone: ZoneInfo) -> Iterator[Row]:
    """The main line shows the whole; lines of items and taxes have the opposite sign, and so has their quantity."""
    number, way = int(row["id"]) * 1000, -sign(row)
    whole = {"transaction": int(row["id"]), "subsidiary": int(row["subsidiary"])}
    yield {
        **whole,
        "uniquekey": number,
        "id": 0,
        "linesequencenumber": 0,
        "mainline": "T",
        "taxline": "F",
        "createdfrom": _int(row.get("createdFrom")),
        "foreignamount": -way * Decimal(row["total"]),
    }
    for place, line in enumerate(row.get("item", ()), start=1):
        yield {
            **whole,
            "uniquekey": number + line["line"],
            "id": line["line"],
            "linesequencenumber": place,
            "mainline": "F",
            "taxline": "F",
            "item": int(line["item"]),
            "memo": line.get("description"),
            "quantity": way * Decimal(line["quantity"]),
            "rate": _number(line.get("rate")),
            "foreignamount": way * Decimal(line["amount"]),
            "isclosed": _flag(line.get("isClosed")),
        }
    for place, tax in enumerate(row.get("taxDetails", ()), start=1):
        amount = way * Decimal(tax["taxAmount"])
        marks = {"mainline": "F", "taxline": "T", "isclosed": "F"}
        yield {**whole, **marks, "uniquekey": number + 500 + place, "id": 500 + place, "foreignamount": amount}


def _named(**kinds: str) -> Callable[[Document, ZoneInfo], Iterator[Row]]:
    """Rows of a list: column = field, with flags, numbers and dates as their field's first letter after `:` says."""
    read: Mapping[str, Callable[[Any], Any]] = {"f": _flag, "i": _int, "d": _day, "n": _number, "t": lambda text: text}

    def rows(row: Document, zone: ZoneInfo) -> Iterator[Row]:
        told = {"id": int(row["id"]), "externalid": row.get("externalId")}
        for name, spelled in kinds.items():
            field, _, kind = spelled.partition(":")
            told[name] = read[kind or "t"](row.get(field))
        yield told

    return rows


def _list(source: str, **kinds: str) -> Table:
    types = {"f": _TEXT, "i": _ID, "d": _DAY, "n": _NUMBER, "": _TEXT}
    columns = {name: types[spelled.partition(":")[2]] for name, spelled in kinds.items()}
    return Table(source, _named(**kinds), {"id": _ID, "externalid": _TEXT, **columns})


def _texts(*names: str) -> dict[str, pa.DataType]:
    return dict.fromkeys(names, _TEXT)


def _ids(*names: str) -> dict[str, pa.DataType]:
    return dict.fromkeys(names, _ID)


def _gone(row: Document, zone: ZoneInfo) -> Iterator[Row]:
    yield {"recordid": int(row["recordId"]), "type": row["type"], "deleteddate": local(row["deletedDate"], zone)}


TABLES: Mapping[str, Table] = {
    "customer": Table(
        "customer",
        _customer,
        {
            **_ids("id", "currency", "terms"),
            **_STAMPS,
            **_texts("entityid", "companyname", "isperson", "isinactive", "email", "phone", "url"),
            **_texts("custentity_sync_tax_id"),
        },
    ),
    "entityaddressbook": Table(
        "customer",
        _address_book,
        {**_ids("entity", "internalid", "addressbookaddress"), **_texts("defaultbilling", "defaultshipping", "label")},
    ),
    "entityaddress": Table(
        "customer",
        _addresses,
        {"nkey": _ID, **_texts("addressee", "addr1", "addr2", "city", "state", "zip", "country")},
    ),
    "customersubsidiaryrelationship": Table(
        "customer", _relation, {**_ids("entity", "subsidiary"), **_texts("isprimarysub")}
    ),
    "item": Table(
        "item",
        _item,
        {
            **_ids("id", "incomeaccount"),
            **_STAMPS,
            **_texts("itemid", "displayname", "description", "isinactive", "itemtype", "subtype"),
        },
    ),
    "pricing": Table(
        "item",
        _pricing,
        {**_ids("item", "pricelevel", "currency"), "quantity": _NUMBER, "unitprice": _NUMBER},
    ),
    "transaction": Table(
        "transaction",
        _transaction,
        {
            **_ids("id", "entity", "currency", "postingperiod", "lastmodifiedby"),
            **_STAMPS,
            **_texts("type", "tranid", "status", "otherrefnum", "memo"),
            "trandate": _DAY,
            "duedate": _DAY,
            "foreigntotal": _NUMBER,
            "foreignamountunpaid": _NUMBER,
        },
    ),
    "transactionline": Table(
        "transaction",
        _lines,
        {
            **_ids("uniquekey", "transaction", "id", "linesequencenumber", "subsidiary", "createdfrom", "item"),
            **_texts("mainline", "taxline", "memo", "isclosed"),
            "quantity": _NUMBER,
            "rate": _NUMBER,
            "foreignamount": _NUMBER,
        },
    ),
    "deletedrecord": Table("_deleted", _gone, {"recordid": _ID, "type": _TEXT, "deleteddate": _TIME}),
    "subsidiary": _list("subsidiary", name="name", parent="parent:i", currency="currency:i", isinactive="isInactive:f"),
    "currency": _list("currency", name="name", symbol="symbol", isinactive="isInactive:f"),
    "pricelevel": _list("priceLevel", name="name", isinactive="isInactive:f"),
    "account": _list("account", acctnumber="acctNumber", accountsearchdisplayname="acctName", accttype="acctType"),
    "term": _list("term", name="name"),
    "taxtype": _list("taxType", name="name"),
    "salestaxitem": _list("salesTaxItem", itemid="itemId", taxtype="taxType:i", rate="rate:n"),
    "accountingperiod": _list(
        "accountingPeriod",
        periodname="periodName",
        startdate="startDate:d",
        enddate="endDate:d",
        isquarter="isQuarter:f",
        isyear="isYear:f",
        isadjust="isAdjust:f",
        closed="closed:f",
        arlocked="arLocked:f",
        aplocked="apLocked:f",
        alllocked="allLocked:f",
    ),
}
