"""Reads an object of the data API in the order of its changes, though its pages are told by offset alone.

A record that changes meanwhile moves to the end, and every record behind its place one forward. So a page begins anew
at the second in which the last one ended, with the record that came last: where that is not the first of the page,
something has moved, and the second is read from its beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sync_pipelines.errors import MalformedPage, RetryLater
from sync_pipelines.systems.gainsight.record import ID, MODIFIED, Record

PAGE_MAX = 5000
IN_MAX = 1000
"""Values of one condition; the vendor names no limit."""
TURNS = 20
"""How often a second is begun anew before somebody else's work is waited for."""

Ask = Callable[[Mapping[str, Any]], Sequence[Record]]
"""Sends one query and gives the records of its answer."""


class Query:
    """One object, and what is selected of it."""

    def __init__(self, ask: Ask, select: Sequence[str]) -> None:
        self._ask = ask
        self._select = sorted({*select, ID, MODIFIED})

    def since(self, at: int | None) -> Iterator[Sequence[Record]]:
        """What changed at or after a time, oldest change first; nothing twice, but for what changed meanwhile."""
        low, offset, turns = None if at is None else at // 1000, 0, TURNS
        last: tuple[str, int] | None = None
        given: set[tuple[str, int]] = set()
        while True:
            rows = self._page(low, offset)
            if offset and (not rows or rows[0].key != last):
                if not turns:
                    raise RetryLater("Gainsight gives records in another order each time: no read of them is whole")
                offset, turns = 0, turns - 1
                continue
            if fresh := [row for row in rows if row.key not in given]:
                yield fresh
            if len(rows) < PAGE_MAX:
                return
            last, second = rows[-1].key, rows[-1].at // 1000
            same = [row for row in rows if row.at // 1000 == second]
            if low is not None and second < low:
                raise MalformedPage("Gainsight gives records that changed before the time that was asked for")
            if second == low:
                given |= {row.key for row in same}
                offset += len(rows) - 1
            else:
                given, turns = {row.key for row in same}, TURNS
                low, offset = second, len(same) - 1

    def newest(self) -> Record | None:
        """The record that changed last."""
        rows = self._ask({"select": self._select, "orderBy": {MODIFIED: "desc"}, "limit": 1, "offset": 0})
        return rows[0] if rows else None

    def where(self, field: str, values: Sequence[str], *, order: str = MODIFIED) -> Iterator[Record]:
        """The records in which a field has one of these values."""
        for start in range(0, len(values), IN_MAX):
            some = condition(field, "IN", *values[start : start + IN_MAX])
            yield from self._ask({"select": self._select, "where": some, "orderBy": {order: "asc"}, **_FIRST_PAGE})

    def between(self, low: int, high: int) -> Sequence[Record]:
        """A page of what changed from one second to another."""
        some = condition(MODIFIED, "BTW", text(low), text(high))
        return self._ask({"select": self._select, "where": some, "orderBy": {MODIFIED: "desc"}, **_FIRST_PAGE})

    def _page(self, low: int | None, offset: int) -> Sequence[Record]:
        since = {} if low is None else {"where": condition(MODIFIED, "GTE", text(low))}
        paged = {"orderBy": {MODIFIED: "asc"}, "limit": PAGE_MAX, "offset": offset}
        return self._ask({"select": self._select, **since, **paged})


_FIRST_PAGE = {"limit": PAGE_MAX, "offset": 0}


def condition(field: str, operator: str, *values: str) -> dict[str, Any]:
    """A `where` of one condition."""
    one = {"name": field, "alias": "A", "operator": operator, "value": list(values)}
    return {"conditions": [one], "expression": "A"}


def text(second: int) -> str:
    """A Unix second as a condition names it.

    >>> text(1793606400)
    '2026-11-02 08:00:00'
    """
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%d %H:%M:%S}"
