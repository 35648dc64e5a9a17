"""List routes: filters, sorting, and pages that go on from an opaque offset."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from sync_pipelines.sandbox.chargebee.filter import Accept, Read, Test, accept
from sync_pipelines.sandbox.chargebee.refusal import wrong
from sync_pipelines.sandbox.chargebee.route import BASE, Call, Route
from sync_pipelines.sandbox.chargebee.site import HIDES_DELETED, Key, Site
from sync_pipelines.sandbox.store import Document

Operators = Mapping[str, tuple[Read, Test]]


class _Raw:
    """Parameters of a list are read by the list itself."""

    def read(self, value: Any, path: str) -> Any:
        return value


@dataclass(frozen=True, slots=True)
class Listing:
    """The list of one kind of resource; `shown` is one entry of it, `sorts` what it can be sorted by."""

    kind: str
    plural: str
    filters: Mapping[str, Operators]
    sorts: tuple[str, ...] = ()
    default_sort: str = "created_at"
    shown: Callable[[Site, Document], dict[str, Any]] | None = None
    table: str = ""
    implied: Callable[[Site], Accept] | None = None

    def route(self) -> Route:
        names = [*self.filters, "limit", "offset"]
        names += ["sort_by"] if self.sorts else []
        names += ["include_deleted"] if self.kind in HIDES_DELETED else []
        return Route("GET", f"{BASE}/{self.plural}", self.run, lambda settings: dict.fromkeys(names, _Raw()))

    def run(self, call: Call) -> dict[str, Any]:
        site, given = call.site, call.given
        attribute, descends = self._order(given.get("sort_by"))
        limit, tests = _limit(site, given.get("limit")), list(self._tests(site, given))
        found: list[Document] = []
        last: Key | None = None
        for key, document in self._walk(site, attribute, descends=descends, offset=given.get("offset")):
            if all(test(document) for test in tests):
                if len(found) == limit:
                    return {"list": self._entries(site, found), "next_offset": _spelled(last)}
                found.append(document)
                last = key
        return {"list": self._entries(site, found)}

    def _entries(self, site: Site, found: list[Document]) -> list[dict[str, Any]]:
        return [self.shown(site, each) if self.shown else {self.kind: each} for each in found]

    def _order(self, sort_by: Any) -> tuple[str, bool]:
        if sort_by is None:
            return self.default_sort, True
        if not isinstance(sort_by, Mapping) or len(sort_by) != 1 or not sort_by.keys() <= {"asc", "desc"}:
            raise wrong("sort_by", "should be sort_by[asc] or sort_by[desc]")
        ((direction, attribute),) = sort_by.items()
        if attribute not in self.sorts:
            raise wrong(f"sort_by[{direction}]", f"should be one of {', '.join(self.sorts)}")
        return str(attribute), direction == "desc"

    def _tests(self, site: Site, given: Mapping[str, Any]) -> Iterator[Accept]:
        if self.implied:
            yield self.implied(site)
        if self.kind in HIDES_DELETED and given.get("include_deleted") != "true":
            yield lambda document: not document.get("deleted")
        for name, operators in self.filters.items():
            if name in given:
                yield accept(name, operators, given[name])

    def _walk(
        self, site: Site, attribute: str, *, descends: bool, offset: str | None
    ) -> Iterator[tuple[Key, Document]]:
        table = self.table or self.kind
        keys, ids = site.ordered(table, attribute)
        rows = site.store.table(table).rows
        if descends:
            start = len(keys) if offset is None else bisect_left(keys, _read(offset, attribute))
            places = range(start - 1, -1, -1)
        else:
            places = range(0 if offset is None else bisect_right(keys, _read(offset, attribute)), len(keys))
        return ((keys[place], rows[ids[place]]) for place in places)


def _limit(site: Site, given: Any) -> int:
    settings = site.settings
    if given is None:
        return settings.page_default
    if not str(given).isdecimal() or not 1 <= int(given) <= settings.page_max:
        raise wrong("limit", f"should be between 1 and {settings.page_max}")
    return int(given)


def _spelled(key: Key | None) -> str:
    """An offset as it looks on the wire: an array of texts."""
    assert key is not None
    return msgspec.json.encode([str(part) for part in key]).decode()


def _read(offset: Any, attribute: str) -> Key:
    try:
        value, seq = msgspec.json.decode(offset, type=tuple[str, str])
        return (int(value) if attribute.endswith(("_at", "date")) else value), int(seq)
    except (msgspec.MsgspecError, ValueError, TypeError):
        raise wrong("offset", "is not the next_offset of a list") from None
