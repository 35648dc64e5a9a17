"""SOQL as text: select lists, keyset conditions, literals, and IN lists that fit a URI.

Facts are from the SOQL and SOSL Reference: date-time literals carry a zone and no quotes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from urllib.parse import quote_plus

from sync_pipelines.engine.port import Shape
from sync_pipelines.errors import MalformedPage

SYSTEM_FIELDS = ("Id", "SystemModstamp", "IsDeleted")
BYTES_MAX = 12_000
"""Encoded length of a query, well under the 16,384 bytes that a URI and its headers may take."""

Key = tuple[datetime, str]
"""Where a read stands: stamp and Id of the last row; an empty Id stands before the rows of that instant."""


def select_list(shape: Shape) -> list[str]:
    """The select list of a shape, with what every read needs; a nested mapping is a parent's fields.

    >>> select_list({"Name": "VARCHAR", "Account": {"Name": "VARCHAR"}})
    ['Id', 'SystemModstamp', 'IsDeleted', 'Name', 'Account.Name']
    """
    return list(dict.fromkeys([*SYSTEM_FIELDS, *_paths(shape, "")]))


def _paths(shape: Shape, prefix: str) -> Iterator[str]:
    for name, kind in shape.items():
        if isinstance(kind, Mapping):
            yield from _paths(kind, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def past(key: Key) -> str:
    """Rows after a key; equal stamps at a page's edge are told apart by Id."""
    stamp, record_id = literal(key[0]), key[1]
    if not record_id:
        return f"SystemModstamp >= {stamp}"
    return f"(SystemModstamp > {stamp} OR (SystemModstamp = {stamp} AND Id > {text(record_id)}))"


def at(stamp: str) -> datetime:
    """An instant from "2026-11-02T08:00:00.000+0000" or from a cursor."""
    try:
        return datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%S.%f%z").astimezone(UTC)
    except ValueError:
        raise MalformedPage(f"{stamp!r} is not a Salesforce time") from None


def literal(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%S}.{instant.microsecond // 1000:03d}Z"


def text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def in_chunks(select: str, values: Iterable[str], *, rows_max: int) -> Iterator[str]:
    """Queries `select (v, w, …)` that stay under the length of a URI and under `rows_max` values.

    >>> list(in_chunks("SELECT Id FROM Account WHERE Id IN ", ["a", "b", "a", "c"], rows_max=2))
    ["SELECT Id FROM Account WHERE Id IN ('a','b')", "SELECT Id FROM Account WHERE Id IN ('c')"]
    """
    room = BYTES_MAX - len(quote_plus(select))
    chunk: list[str] = []
    used = 0
    for value in dict.fromkeys(values):
        size = len(quote_plus(text(value))) + len("%2C")
        if chunk and (used + size > room or len(chunk) == rows_max):
            yield f"{select}({','.join(chunk)})"
            chunk, used = [], 0
        chunk.append(text(value))
        used += size
    if chunk:
        yield f"{select}({','.join(chunk)})"
