"""What a stand-in remembers: tables of JSON documents in memory, written through to one SQLite file."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

Document = Mapping[str, Any]
"""A stored document. It is a value: put a new one instead of changing it in place."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS document (
    tbl TEXT NOT NULL, id TEXT NOT NULL, seq INTEGER NOT NULL, doc BLOB NOT NULL, PRIMARY KEY (tbl, id)
) WITHOUT ROWID;
"""
_META = "_meta"


class Table:
    """Documents by id in the order of their first `put`, with hash indexes made on first use."""

    def __init__(self) -> None:
        self.rows: dict[str, Document] = {}
        self.seq: dict[str, int] = {}
        self.indexes: dict[tuple[str, bool], dict[Any, dict[str, None]]] = {}
        self.version = 0

    def replace(self, id: str, document: Document | None, seq: int) -> None:
        before = self.rows.get(id)
        for (field, fold), index in self.indexes.items():
            if before is not None:
                index.get(_index_key(before.get(field), fold), {}).pop(id, None)
            if document is not None:
                index.setdefault(_index_key(document.get(field), fold), {})[id] = None
        if document is None:
            self.rows.pop(id, None)
            self.seq.pop(id, None)
        else:
            self.rows[id] = document
            self.seq[id] = seq
        self.version += 1

    def find(self, field: str, value: object, *, fold: bool = False) -> list[Document]:
        index = self.indexes.get((field, fold))
        if index is None:
            index = self.indexes[field, fold] = {}
            for key, document in self.rows.items():
                index.setdefault(_index_key(document.get(field), fold), {})[key] = None
        found = index.get(_index_key(value, fold), ())
        return [self.rows[key] for key in sorted(found, key=self.seq.__getitem__)]

    def restore_order(self) -> None:
        self.rows = {key: self.rows[key] for key in sorted(self.rows, key=self.seq.__getitem__)}


def _index_key(value: Any, fold: bool) -> Any:
    return value.lower() if fold and isinstance(value, str) else value


class Store:
    """Tables of JSON documents; with a file, everything committed survives a kill of the process.

    Outside of `transaction()` every call commits by itself. `lock` is held during a transaction and
    may be held for longer by whoever wants several reads to see one state.

    >>> store = Store(None)
    >>> store.put("customer", "c1", {"name": "Acme"})
    >>> store.get("customer", "c1")
    {'name': 'Acme'}
    """

    def __init__(self, path: Path | None) -> None:
        self.lock = threading.RLock()
        self.writes = 0
        """Documents put or deleted since the store was opened, without bulk loads and "_" tables."""
        self._tables: dict[str, Table] = {}
        self._seq = count(1)
        self._depth = 0
        self._undo: list[tuple[str, str, Document | None, int]] = []
        self._file = self._open(path) if path else None

    def put(self, table: str, id: str, document: Document) -> None:
        self._change(table, id, document)

    def delete(self, table: str, id: str) -> bool:
        """Whether there was such a document."""
        with self.lock:
            if self.get(table, id) is None:
                return False
            self._change(table, id, None)
            return True

    def get(self, table: str, id: str) -> Document | None:
        return self.table(table).rows.get(id)

    def all(self, table: str) -> list[Document]:
        """Every document, in the order of first `put`."""
        with self.lock:
            return list(self.table(table).rows.values())

    def find(self, table: str, field: str, value: str | int | bool | None, *, fold: bool = False) -> list[Document]:
        """Documents whose top-level field has the value, by an index that is made on first use.

        `fold` ignores the case of letters.
        """
        with self.lock:
            return self.table(table).find(field, value, fold=fold)

    def count(self, table: str) -> int:
        return len(self.table(table).rows)

    def tables(self) -> list[str]:
        """Names of tables that hold something; those that begin with "_" are a vendor's own business."""
        return sorted(name for name, table in self._tables.items() if table.rows and name[0] != "_")

    def table(self, name: str) -> Table:
        """The table itself, for reading: its `version` grows with every change."""
        table = self._tables.get(name)
        if table is None:
            table = self._tables[name] = Table()
        return table

    def meta(self, key: str, default: Any = None) -> Any:
        document = self.get(_META, key)
        return default if document is None else document["value"]

    def set_meta(self, key: str, value: Any) -> None:
        """Remember a JSON value beside the tables (counters, settings)."""
        self._change(_META, key, {"value": value})

    def load(self, table: str, rows: Mapping[str, Document] | Iterable[tuple[str, Document]]) -> int:
        """Put many documents at once: no undo, one commit. Existing ids are replaced."""
        pairs = list(rows.items() if isinstance(rows, Mapping) else rows)
        with self.lock:
            held = self.table(table)
            held.indexes.clear()
            for key, document in pairs:
                held.rows[key] = document
                held.seq.setdefault(key, next(self._seq))
            held.version += 1
            self._save((table, key) for key, _ in pairs)
        return len(pairs)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is kept, or nothing. Nested ones roll back to where they began."""
        with self.lock:
            mark, counted = len(self._undo), self.writes
            self._depth += 1
            try:
                yield
            except BaseException:
                self._roll_back(mark)
                self.writes = counted
                raise
            finally:
                self._depth -= 1
            if self._depth == 0:
                self._commit()

    def close(self) -> None:
        with self.lock:
            if self._file:
                self._file.close()
                self._file = None

    def _change(self, table: str, id: str, document: Document | None) -> None:
        with self.transaction():
            held = self.table(table)
            seq = held.seq.get(id) or next(self._seq)
            self._undo.append((table, id, held.rows.get(id), seq))
            held.replace(id, document, seq)
            self.writes += not table.startswith("_")

    def _commit(self) -> None:
        self._save(dict.fromkeys((table, key) for table, key, _, _ in self._undo))
        self._undo.clear()

    def _roll_back(self, mark: int) -> None:
        unordered = set()
        while len(self._undo) > mark:
            table, key, before, seq = self._undo.pop()
            held = self.table(table)
            if before is not None and key not in held.rows:
                unordered.add(table)
            held.replace(key, before, seq)
        for table in unordered:
            self.table(table).restore_order()

    def _save(self, changed: Iterable[tuple[str, str]]) -> None:
        if self._file is None:
            return
        gone, kept = [], []
        for name, key in changed:
            table = self.table(name)
            document = table.rows.get(key)
            if document is None:
                gone.append((name, key))
            else:
                kept.append((name, key, table.seq[key], msgspec.json.encode(document)))
        with self._file:
            self._file.executemany("DELETE FROM document WHERE tbl = ? AND id = ?", gone)
            self._file.executemany("INSERT OR REPLACE INTO document VALUES (?, ?, ?, ?)", kept)

    def _open(self, path: Path) -> sqlite3.Connection:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = sqlite3.connect(path, check_same_thread=False)
        file.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;" + _SCHEMA)
        decode = msgspec.json.decode
        last = 0
        for name, key, seq, document in file.execute("SELECT tbl, id, seq, doc FROM document ORDER BY seq"):
            held = self.table(name)
            held.rows[key], held.seq[key], last = decode(document), seq, seq
        self._seq = count(last + 1)
        return file
