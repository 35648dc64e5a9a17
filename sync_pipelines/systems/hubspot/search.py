"""Reading by search: the newest records of a window first, then the rest of it by id.

A search gives ten thousand rows and no more, sorts by one property, and its offsets move while records change. So the
first call takes the newest rows of a window, which tells where the window ends; what is older is read by id within it.
Whatever changes meanwhile leaves the window at its end, for the next read. Where that finds only what the overlap shows
again, as the cursor remembers it, there is nothing to give.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sync_pipelines.engine.port import Cursor
from sync_pipelines.systems.hubspot.record import Record, modified, records, split

PAGE_MAX = 200
Ask = Callable[[str, Mapping[str, Any]], bytes]
"""Sends a search in an object, and gives the body of its answer."""
Filter = tuple[str, str, str]
"""Property, operator and value."""


@dataclass(frozen=True, slots=True)
class Searched:
    """A page of records, and the cursor that is true once it is stored."""

    records: Sequence[Record]
    cursor: Cursor


@dataclass(frozen=True, slots=True)
class Searches:
    """Searches in one object for the same properties. Times are milliseconds since 1970."""

    ask: Ask
    object: str
    properties: Sequence[str]

    def since(self, cursor: Cursor | None, *, overlap: int) -> Iterator[Searched]:
        """What changed since a cursor; one that was left in the middle of a window is read to its end first."""
        if cursor is not None and "below" in cursor:
            yield from self._rest(cursor, overlap=overlap, seen=frozenset())
            cursor = {"at": cursor["to"]}
        start = None if cursor is None else int(cursor["at"])
        body = self.ask(self.object, self._query(self._from(start, overlap), newest_first=True))
        page = split(body)
        newest = list(records(page))
        if not newest:
            return
        end = max(start or 0, *(each.changed_at for each in newest))
        if not page.value("paging", dict[str, Any] | None):
            reached = {"at": end, "seen": _digest(each for each in newest if each.changed_at >= end - overlap)}
            if cursor != reached:
                yield Searched(newest, reached)
            return
        below = min(each.changed_at for each in newest)
        middle = {"at": start, "to": end, "below": below, "id": "0"}
        yield Searched(newest, middle)
        seen = frozenset(each.record_id for each in newest if each.changed_at == below)
        yield from self._rest(middle, overlap=overlap, seen=seen)

    def _rest(self, middle: Cursor, *, overlap: int, seen: frozenset[str]) -> Iterator[Searched]:
        """The window's records that changed no later than `below`, by id."""
        start = None if middle["at"] is None else int(middle["at"])
        window = [*self._from(start, overlap), (modified(self.object), "LTE", str(middle["below"]))]
        last: str | None = str(middle["id"])
        while last is not None:
            query = self._query([*window, ("hs_object_id", "GT", last)])
            page = split(self.ask(self.object, query))
            read = list(records(page))
            last = read[-1].record_id if read and page.value("paging", dict[str, Any] | None) else None
            cursor = {"at": int(middle["to"])} if last is None else {**middle, "id": last}
            yield Searched([each for each in read if each.record_id not in seen], cursor)

    def is_any_past(self, at: int | None) -> bool:
        after = [] if at is None else [(modified(self.object), "GT", str(at))]
        return len(split(self.ask(self.object, self._query(after, limit=1)))) > 0

    def total(self) -> int:
        """How many live records the index knows."""
        page = split(self.ask(self.object, self._query([], limit=1)))
        return int(page.value("total", int))

    def _from(self, start: int | None, overlap: int) -> list[Filter]:
        return [] if start is None else [(modified(self.object), "GTE", str(max(0, start - overlap)))]

    def _query(
        self, filters: Sequence[Filter], *, newest_first: bool = False, limit: int = PAGE_MAX
    ) -> Mapping[str, Any]:
        names = ("propertyName", "operator", "value")
        group = [{"filters": [dict(zip(names, each, strict=True)) for each in filters]}] if filters else []
        order = (modified(self.object), "DESCENDING") if newest_first else ("hs_object_id", "ASCENDING")
        return {
            "filterGroups": group,
            "sorts": [dict(zip(("propertyName", "direction"), order, strict=True))],
            "properties": list(self.properties),
            "limit": limit,
            "after": "0",
        }


def _digest(rows: Iterable[Record]) -> str:
    """What records these are, and in which versions."""
    told = sorted(f"{row.record_id} {row.version}" for row in rows)
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]
