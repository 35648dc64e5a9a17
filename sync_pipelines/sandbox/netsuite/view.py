"""Records as REST shows them: references with names and links, lists as links unless they are expanded."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sync_pipelines.sandbox.netsuite.books import Books
from sync_pipelines.sandbox.netsuite.schema import Field, Record
from sync_pipelines.sandbox.store import Document

RECORDS = "/services/rest/record/v1"
_NAMES = ("companyName", "itemId", "tranId", "periodName", "name", "acctName")
_DERIVED: Mapping[str, Field] = {
    "externalId": Field("text"),
    "createdDate": Field("text"),
    "lastModifiedDate": Field("text"),
    "createdFrom": Field("reference", to="transaction"),
    "status": Field("choice"),
    "subtotal": Field("number"),
    "taxTotal": Field("number"),
    "total": Field("number"),
    "amountPaid": Field("number"),
    "unapplied": Field("number"),
}


def shown(books: Books, record: Record, row: Document, *, expand: bool, only: frozenset[str]) -> dict[str, Any]:
    """One record; what is null is left out."""
    url = f"{books.schema.account.host}{RECORDS}/{record.name}/{row['id']}"
    body: dict[str, Any] = {"links": [{"rel": "self", "href": url}], "id": row["id"]}
    for name, field in {**_DERIVED, **record.fields}.items():
        if name in row and (not only or name in only):
            body[name] = _shown(books, field, row[name], f"{url}/{name}", expand=expand)
    return body


def schema_of(record: Record) -> dict[str, Any]:
    """The record type as JSON Schema, as the metadata catalog gives it."""
    kinds = {"flag": "boolean", "number": "number", "text": "string", "date": "string"}
    properties = {
        name: {"title": name, "type": kinds.get(field.type, "object")} for name, field in record.fields.items()
    }
    plain = {"id": {"title": "Internal ID", "type": "string"}, "externalId": {"title": "External ID", "type": "string"}}
    return {"type": "object", "properties": {**plain, **properties}}


def _shown(books: Books, field: Field, value: Any, url: str, *, expand: bool) -> Any:
    match field.type:
        case "number":
            return Decimal(value)
        case "choice":
            return {"id": value, "refName": value}
        case "reference":
            return _reference(books, field.to, value)
        case "references":
            return _list([_reference(books, field.to, each) for each in value], url, expand=expand)
        case "subrecord":
            return _line(books, field, value, url)
        case "sublist":
            return _list([_line(books, field, line, url) for line in value], url, expand=expand)
    return value


def _line(books: Books, field: Field, line: Mapping[str, Any], url: str) -> dict[str, Any]:
    keys = {name: line[name] for name in ("line", "id") if name in line}
    told = {name: each for name, each in line.items() if name in field.of and each is not None}
    return {**keys, **{name: _shown(books, field.of[name], each, url, expand=True) for name, each in told.items()}}


def _list(items: list[Any], url: str, *, expand: bool) -> dict[str, Any]:
    links = [{"rel": "self", "href": url}]
    if not expand:
        return {"links": links}
    counts = {"count": len(items), "hasMore": False, "offset": 0, "totalResults": len(items)}
    return {"links": links, "items": items, **counts}


def _reference(books: Books, table: str, identity: str) -> dict[str, Any]:
    row = books.store.get(table, identity) or {}
    href = f"{books.schema.account.host}{RECORDS}/{row.get('recordType', table)}/{identity}"
    name = next((row[name] for name in _NAMES if name in row), identity)
    return {"links": [{"rel": "self", "href": href}], "id": identity, "refName": name}
