"""SuiteQL over the account's tables: Oracle's SQL, read by sqlglot and answered by DuckDB, every value a text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from sync_pipelines.sandbox.netsuite.refusal import Refusal
from sync_pipelines.sandbox.netsuite.table import TABLES
from sync_pipelines.sandbox.store import Store

_SEARCH = "Invalid search query. Detailed unprocessed description follows. "
_UNKNOWN = re.compile(r'column named "(\w+)"|[Rr]eferenced column "(\w+)" not found')
_FORMATS = (("YYYY", "%Y"), ("MM", "%m"), ("DD", "%d"), ("HH24", "%H"), ("MI", "%M"), ("SS", "%S"))


class SuiteQl:
    """Answers queries; a table is filled again when its records have changed."""

    def __init__(self, store: Store, zone: ZoneInfo) -> None:
        self._store = store
        self._zone = zone
        self._db = duckdb.connect()
        self._filled: dict[str, int] = {}

    def run(self, query: str, params: Sequence[Any] = ()) -> list[dict[str, str]]:
        """Every row; columns that are null are left out."""
        tree = self._parsed(query)
        for name in {table.name.lower() for table in tree.find_all(exp.Table)} - self._own_names(tree):
            self._fill(name)
        try:
            found = self._db.execute(tree.transform(_translated).sql("duckdb"), list(params))
            names = [column[0].lower() for column in found.description or ()]
            rows = found.fetchall()
        except duckdb.Error as error:
            raise _refused(f"Invalid or unsupported search. {_problem(error)}") from None
        return [
            {name: _text(value) for name, value in zip(names, row, strict=True) if value is not None} for row in rows
        ]

    def _parsed(self, query: str) -> exp.Query:
        try:
            tree = sqlglot.parse_one(query, dialect="oracle")
        except SqlglotError as error:
            raise _refused(f"Invalid or unsupported search: {str(error).splitlines()[0]}") from None
        if not isinstance(tree, exp.Query):
            raise _refused("Only SELECT is supported.")
        return tree

    def _own_names(self, tree: exp.Query) -> set[str]:
        return {cte.alias_or_name.lower() for cte in tree.find_all(exp.CTE)}

    def _fill(self, name: str) -> None:
        table = TABLES.get(name)
        if table is None:
            raise _refused(f"Search error occurred: Record '{name}' was not found.")
        version = self._store.table(table.source).version
        if self._filled.get(name) != version:
            self._db.register(name, table.arrow(self._store.all(table.source), self._zone))
            self._filled[name] = version


def _problem(error: duckdb.Error) -> str:
    match = _UNKNOWN.search(str(error))
    return f"Unknown identifier '{match[1] or match[2]}'." if match else str(error).splitlines()[0]


def _translated(node: exp.Expr) -> exp.Expr:
    """`TO_CHAR` of a time, which DuckDB calls otherwise."""
    if isinstance(node, exp.ToChar) and node.args.get("format") is not None:
        pattern = node.args["format"].name
        for oracle, ours in _FORMATS:
            pattern = pattern.replace(oracle, ours)
        return exp.Anonymous(this="strftime", expressions=[node.this, exp.Literal.string(pattern)])
    return node


def _text(value: object) -> str:
    match value:
        case datetime() | date():
            return f"{value.month}/{value.day}/{value.year}"
        case Decimal():
            return format(value.normalize(), "f")
    return str(value)


def _refused(detail: str) -> Refusal:
    return Refusal("INVALID_PARAMETER", f"{_SEARCH}{detail}", place=("QueryParam", "q"))


def page(rows: Sequence[Mapping[str, Any]], *, limit: int, offset: int, url: str) -> dict[str, Any]:
    """A page of a collection with its links."""
    links = [{"rel": "self", "href": f"{url}?limit={limit}&offset={offset}"}]
    if offset + limit < len(rows):
        links.append({"rel": "next", "href": f"{url}?limit={limit}&offset={offset + limit}"})
    if offset:
        links.append({"rel": "prev", "href": f"{url}?limit={limit}&offset={max(0, offset - limit)}"})
    shown = rows[offset : offset + limit]
    return {
        "links": links,
        "count": len(shown),
        "hasMore": offset + limit < len(rows),
        "items": list(shown),
        "offset": offset,
        "totalResults": len(rows),
    }
