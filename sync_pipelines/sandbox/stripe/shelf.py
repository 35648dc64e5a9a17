"""Documents in the order of their creation, so that a page costs what it shows, not what there is."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sync_pipelines.sandbox.store import Document, Store, Table

Key = tuple[int, int, str]
"""Created, order of arrival, id: unique, and strictly growing also within one second."""


@dataclass(frozen=True, slots=True)
class Window:
    """Which part of the order is asked for; `newer_than` reads upwards, as `ending_before` does."""

    low: int | None = None
    high: int | None = None
    older_than: Key | None = None
    newer_than: Key | None = None


class Shelf:
    """The order of one table; it follows what it is told and rebuilds itself where it wasn't."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._keys: list[Key] = []
        self._version = -1

    def keys(self) -> Sequence[Key]:
        """Every key, oldest first."""
        if self._version != self._table.version:
            self._keys = sorted(map(self.key, self._table.rows))
            self._version = self._table.version
        return self._keys

    def key(self, id: str) -> Key:
        return int(self._table.rows[id]["created"]), self._table.seq[id], id

    def follow(self, known: int, *, added: Key | None = None, removed: Key | None = None) -> None:
        """Take one change over, where the order was right at the version `known`."""
        if self._version != known or self._table.version != known + 1:
            return
        if added is not None:
            insort(self._keys, added)
        if removed is not None:
            del self._keys[bisect_left(self._keys, removed)]
        self._version = self._table.version


class Shelves:
    """The tables of a store with their orders; all changes to ordered tables go through here."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._shelves: dict[str, Shelf] = {}

    def of(self, kind: str) -> Shelf:
        if kind not in self._shelves:
            self._shelves[kind] = Shelf(self._store.table(kind))
        return self._shelves[kind]

    def put(self, kind: str, id: str, document: Document) -> None:
        table, shelf = self._store.table(kind), self.of(kind)
        known, new = table.version, id not in table.rows
        self._store.put(kind, id, document)
        shelf.follow(known, added=shelf.key(id) if new else None)

    def delete(self, kind: str, id: str) -> Key:
        table, shelf = self._store.table(kind), self.of(kind)
        known, key = table.version, shelf.key(id)
        self._store.delete(kind, id)
        shelf.follow(known, removed=key)
        return key


def walk(keys: Sequence[Key], window: Window) -> Iterator[Key]:
    """The keys of the window: newest first, or upwards from `newer_than`."""
    low = 0 if window.low is None else bisect_left(keys, (window.low, 0, ""))
    high = len(keys) if window.high is None else bisect_left(keys, (window.high + 1, 0, ""))
    if window.older_than is not None:
        high = min(high, bisect_left(keys, window.older_than))
    if window.newer_than is not None:
        low = max(low, bisect_right(keys, window.newer_than))
        return (keys[place] for place in range(low, high))
    return (keys[place] for place in range(high - 1, low - 1, -1))


def page(
    found: Iterator[Key], get: Callable[[str], Document], *, limit: int, accept: Callable[[Document], bool]
) -> tuple[list[Document], bool]:
    """The first `limit` accepted documents, and whether there are more."""
    shown: list[Document] = []
    for _, _, key in found:
        document = get(key)
        if accept(document):
            if len(shown) == limit:
                return shown, True
            shown.append(document)
    return shown, False
