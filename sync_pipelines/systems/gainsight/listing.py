"""Reads the lists of calls to action and of success plans, which give pages in no order, by windows of time.

A window that fills a page is parted where half of that page is: what fits into one page can't be torn apart by what
moves meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any

from sync_pipelines.systems.gainsight.record import ID, MODIFIED, Record

LIST_MAX = 1000
PATHS: Mapping[str, str] = {"call_to_action": "/v2/cockpit/cta/list", "success_plan": "/v2/successPlan/list"}
_BEGINNING = int(datetime(2010, 1, 1, tzinfo=UTC).timestamp())

Ask = Callable[[Mapping[str, Any]], Sequence[Record]]
"""Asks for one page of a list and gives its records."""


class Listing:
    """One list, and what is selected of it."""

    def __init__(self, ask: Ask, select: Sequence[str]) -> None:
        self._ask = ask
        self._select = sorted({*select, ID, MODIFIED})

    def since(self, at: int | None, *, until: int) -> Iterator[Sequence[Record]]:
        """What changed at or after a time and before a second, oldest change first."""
        waiting = [(_BEGINNING if at is None else at // 1000, until)]
        while waiting:
            low, high = waiting.pop()
            rows = list(self._page(low, high, 1))
            if len(rows) == LIST_MAX and high - low > 1:
                middle = min(max(low + 1, _median(rows)), high - 1)
                waiting += [(middle, high), (low, middle)]
                continue
            rows += self._rest(low, high, rows)
            if rows:
                yield sorted(rows, key=lambda row: row.at)

    def any_past(self, at: int, *, until: int) -> bool:
        """Whether anything changed after a time; a page that is full of its own second counts as news."""
        rows = self._page(at // 1000, until, 1)
        return len(rows) == LIST_MAX or any(row.at > at for row in rows)

    def by_id(self, record_ids: Sequence[str]) -> Iterator[Record]:
        for start in range(0, len(record_ids), LIST_MAX):
            yield from self._listed([_condition("A", ID, "IN", *record_ids[start : start + LIST_MAX])], 1)

    def one(self) -> Sequence[Record]:
        """Any record, to see whether all that is selected exists."""
        return self._ask({"select": self._select, "pageSize": 1, "pageNumber": 1})

    def _rest(self, low: int, high: int, first: Sequence[Record]) -> Iterator[Record]:
        """The further pages of a single second that fills more than one."""
        page: Sequence[Record] = first
        for number in count(2):
            if len(page) < LIST_MAX:
                return
            page = self._page(low, high, number)
            yield from page

    def _page(self, low: int, high: int, number: int) -> Sequence[Record]:
        window = [_condition("A", MODIFIED, "GTE", _iso(low)), _condition("B", MODIFIED, "LT", _iso(high))]
        return self._listed(window, number)

    def _listed(self, conditions: Sequence[Mapping[str, Any]], number: int) -> Sequence[Record]:
        where = {"conditions": list(conditions), "expression": " AND ".join(each["alias"] for each in conditions)}
        return self._ask({"select": self._select, "where": where, "pageSize": LIST_MAX, "pageNumber": number})


def _median(rows: Sequence[Record]) -> int:
    """The second before which half of these changed."""
    return sorted(row.at for row in rows)[len(rows) // 2] // 1000


def _condition(alias: str, field: str, operator: str, *values: str) -> dict[str, Any]:
    """Lists say `fieldName` where queries say `name`."""
    return {"fieldName": field, "alias": alias, "operator": operator, "value": list(values)}


def _iso(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%SZ}"
