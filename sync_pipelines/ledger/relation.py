"""Rows in Python as a relation in SQL: one statement and one parameter, however many rows there are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from sqlalchemy import Column, Connection, Select, Table, TableValuedAlias, column, func, insert, literal, select
from sqlalchemy.dialects.postgresql import JSONB

_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def dumps(value: Any) -> str:
    """JSON with instants in ISO 8601; without NUL, which a vendor may send and PostgreSQL can't keep.

    >>> dumps({"said": "a" + chr(0) + "b"})
    '{"said":"ab"}'
    """
    return _NUL.sub(r"\1", msgspec.json.encode(value).decode())


def loads(value: str | bytes) -> Any:
    return msgspec.json.decode(value)


def given(rows: Iterable[Mapping[str, Any]], *columns: Column[Any]) -> TableValuedAlias:
    """The relation `given`, with the names and types of these columns; what a row lacks is null."""
    return (
        func.jsonb_to_recordset(literal(list(rows), JSONB))
        .table_valued(*[column(c.name, c.type) for c in columns], name="given")
        .render_derived(name="given", with_types=True)
    )


def counted(connection: Connection, query: Select[Any]) -> dict[str, Any]:
    """A query of two columns as a mapping."""
    return {row[0]: row[1] for row in connection.execute(query)}


def add(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> None:
    """Insert rows that all name the same columns."""
    if rows:
        columns = [table.c[name] for name in rows[0]]
        relation = given(rows, *columns)
        connection.execute(insert(table).from_select(columns, select(*[relation.c[c.name] for c in columns])))
