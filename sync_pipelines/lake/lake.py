"""The lake as the engine uses it: an append-only record log, typed views of it, and tables made from them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from sync_pipelines.engine.port import Cursor, Page, Shape
from sync_pipelines.engine.topology import LegalEntity
from sync_pipelines.engine.values import quoted, text
from sync_pipelines.errors import FixConfiguration
from sync_pipelines.lake import arrival
from sync_pipelines.lake.session import open_session
from sync_pipelines.lake.tables import CURRENT

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SOME = 100
"""Records in which declared fields are looked for first: mostly they carry them all, and the others need no look."""


class Lake:
    """A session on the lake. Close it, or use it as a context manager; sessions of any number may be open.

    The DuckLake catalog is attached as `lake`; session-local views and tables live in memory.
    """

    def __init__(self, db: duckdb.DuckDBPyConnection) -> None:
        self.db = db
        self._known: dict[tuple[str, str], str] = {}
        self._cursors: dict[tuple[str, str], Cursor | None] = {}
        self._shown: dict[tuple[str, str], Shape] = {}
        self._columns: dict[str, set[str]] | None = None
        """Of tables that were asked for in the transaction that is under way: nobody else can change them."""
        self._numbers = count(1)
        self._at_hand: dict[str, str] = {}
        """By query, the session's tables that hold its rows for the transaction that is under way."""

    @classmethod
    def open(cls, *, catalog: str, data: str | Path, memory_limit: str = "", threads: int = 0) -> Lake:
        """Attach the lake, and make it where there is none.

        `catalog` is a libpq string of its PostgreSQL database, `data` a folder or an s3:// path. Without
        limits the session takes what DuckDB finds fit for the machine. `FixConfiguration` says what is wrong.
        """
        return cls(open_session(catalog, data, memory_limit=memory_limit, threads=threads))

    def close(self) -> None:
        self.db.close()

    def __enter__(self) -> Lake:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Reading

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self.db.execute(sql, list(parameters)).fetchall()

    def row(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[Any, ...]:
        """The one row of a query that always has one."""
        row: tuple[Any, ...] = self.rows(sql, parameters)[0]
        return row

    def arrow(self, sql: str) -> pa.Table:
        return self.db.execute(sql).to_arrow_table()

    @contextmanager
    def running(self, mapping: str) -> Iterator[None]:
        """What a mapping's SQL gets wrong while the block runs is for a person to mend, without any value told."""
        try:
            yield
        except (duckdb.DataError, duckdb.InvalidInputException) as error:
            kind = type(error).__name__
            raise FixConfiguration(f"{mapping} stumbles over a value ({kind}): use TRY_CAST or CASE there") from None
        except (duckdb.ProgrammingError, duckdb.NotSupportedError) as error:
            raise FixConfiguration(f"{mapping} can't be run: {error}") from error

    def columns(self, table: str) -> set[str]:
        """The columns of a table; none where there is no such table."""
        if self._columns is None:
            return {name for name, _ in self._described(table)}
        if table not in self._columns:
            self._columns[table] = {name for name, _ in self._described(table)}
        return self._columns[table]

    def at_hand(self, query: str) -> str:
        """A query's rows as a relation to select from, kept in the session while the transaction under way lasts.

        Each mention of a lake's table in a statement asks the catalog for it anew, and costs ten times what the rows of
        a small one do. Outside of a transaction it is the query itself.
        """
        if self._columns is None:
            return f"({query})"
        if query not in self._at_hand:
            name = quoted(f"at hand {next(self._numbers)}")
            self.db.execute(f"CREATE TEMP TABLE {name} AS {query}")
            self._at_hand[query] = name
        return self._at_hand[query]

    def snapshot(self) -> int:
        """The lake's newest snapshot: what a plan was made from."""
        return int(self.row("SELECT max(snapshot_id) FROM ducklake_snapshots('lake')")[0])

    @contextmanager
    def relation(self, name: str, table: pa.Table, *, copied: bool = False) -> Iterator[None]:
        """An Arrow table that queries may name while the block runs.

        Each mention of one in a query costs half a millisecond more than one of a table of the session's own: what
        many queries mention is better `copied` into such a table.
        """
        given = f"given {name}" if copied else name
        self.db.register(given, table)
        try:
            if copied:
                self.db.execute(f"CREATE OR REPLACE TEMP TABLE {quoted(name)} AS SELECT * FROM {quoted(given)}")
            yield
        finally:
            self.db.unregister(given)
            if copied:
                self.db.execute(f"DROP TABLE IF EXISTS {quoted(name)}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything in the block is committed, or nothing."""
        self.db.execute("BEGIN")
        self._columns = {}
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK")
            self._shown.clear()
            raise
        finally:
            self._columns = None
            left, self._at_hand = list(self._at_hand.values()), {}
        self.db.execute("".join(f"DROP TABLE {name};" for name in left) + "COMMIT")

    @contextmanager
    def single_threaded(self) -> Iterator[None]:
        """What is too small to be shared out, as pages are, costs twice as much where a second thread waits for it."""
        (threads,) = self.row("SELECT current_setting('threads')")
        self.db.execute("SET threads = 1")
        try:
            yield
        finally:
            self.db.execute(f"SET threads = {threads}")

    # The record log

    def cursor(self, system: str, object: str) -> Cursor | None:
        """How far an object has been read. Asking begins a new look at what the log holds of it."""
        self._known.pop((system, object), None)
        self._cursors.pop((system, object), None)
        return self._newest_cursor(system, object)

    def news_at(self, system: str) -> dict[str, datetime]:
        """When each object of a system last had news; those that never had any are not in it."""
        newest = "SELECT object, epoch_us(max(read_at)) FROM lake.cursor_log WHERE system = ? GROUP BY object"
        return {name: EPOCH + timedelta(microseconds=at) for name, at in self.rows(newest, (system,))}

    def append_page(self, system: str, object: str, page: Page, *, run_id: str, at: datetime) -> int:
        """Append a page and its cursor in one transaction; returns how many records were news.

        A record that equals what the log already holds is not appended again; a tombstone without a
        payload keeps the last one. `MalformedPage` when the page can't be kept whole: then nothing of it is.
        """
        known = self._known_records(system, object)
        news = self._news(known, arrival.table(system, object, page))
        with self.relation("news", news):
            self._commit(system, object, page.cursor, news, run_id=run_id, at=at)
            if pc.any(news["is_known"]).as_py():
                self.db.execute(f"DELETE FROM {known} WHERE record_id IN (SELECT record_id FROM news WHERE is_known)")
            self.db.execute(f"INSERT INTO {known} SELECT record_id, version, payload_hash, is_deleted FROM news")
        return len(news)

    def _news(self, known: str, arrived: pa.Table) -> pa.Table:
        """What has arrived without its equal in a table of what is known; `is_known`: it has an older one there."""
        with self.relation("arrived", arrived):
            news = self.arrow(f"""
                SELECT p.place, k.record_id IS NOT NULL AS is_known
                FROM arrived p LEFT JOIN {known} k USING (record_id)
                WHERE k.record_id IS NULL OR k.is_deleted <> p.is_deleted
                   OR (NOT p.is_deleted AND (k.payload_hash <> p.payload_hash OR k.version <> p.version))
                ORDER BY p.place
            """)
        taken = arrived if len(news) == len(arrived) else arrived.take(news["place"])
        return taken.append_column("is_known", news["is_known"])

    def _commit(self, system: str, object: str, cursor: Cursor, news: pa.Table, *, run_id: str, at: datetime) -> None:
        told = json.dumps(dict(cursor), sort_keys=True)
        if not len(news) and self._newest_cursor(system, object) == json.loads(told):
            return
        is_bare = "" in news.filter(news["is_deleted"])["payload"].to_pylist()
        source = _with_last_payloads(system, object) if is_bare else "news"
        with self.transaction():
            if len(news):
                self.db.execute(
                    "INSERT INTO lake.record_log"
                    " SELECT ?, ?, record_id, version, is_deleted, payload, payload_hash, ?, ?"
                    f" FROM {source}",
                    [system, object, at, run_id],
                )
            self.db.execute("INSERT INTO lake.cursor_log VALUES (?, ?, ?, ?, ?)", [system, object, told, at, run_id])
        self._cursors[(system, object)] = json.loads(told)

    def _newest_cursor(self, system: str, object: str) -> Cursor | None:
        if (system, object) not in self._cursors:
            newest = "SELECT arg_max(cursor, rowid) FROM lake.cursor_log WHERE system = ? AND object = ?"
            (told,) = self.row(newest, (system, object))
            self._cursors[(system, object)] = json.loads(told) if told else None
        return self._cursors[(system, object)]

    def append_tombstones(
        self, system: str, object: str, record_ids: Sequence[str], *, run_id: str, at: datetime
    ) -> None:
        """Note that records are gone; their last payload stays with the tombstone."""
        if not record_ids:
            return
        cursor = self._newest_cursor(system, object) or {}
        size = len(record_ids)
        page = Page(list(record_ids), [""] * size, [b""] * size, [True] * size, cursor)
        self.append_page(system, object, page, run_id=run_id, at=at)

    def _known_records(self, system: str, object: str) -> str:
        """A session table of what the log holds of an object: its ids, and hashes of their payloads."""
        if (system, object) not in self._known:
            name = quoted(f"known {system} {object}")
            self.db.execute(f"""
                CREATE OR REPLACE TEMP TABLE {name} AS
                SELECT record_id, version, payload_hash, is_deleted FROM ({_current(system, object)})
            """)
            self._known[(system, object)] = name
        return self._known[(system, object)]

    def held(self, system: str, object: str) -> int:
        """How many live records of an object the log holds."""
        known = self._known_records(system, object)
        return int(self.row(f"SELECT count(*) FROM {known} WHERE NOT is_deleted")[0])

    def live_ids(self, system: str, object: str) -> list[str]:
        known = self._known_records(system, object)
        return [record_id for (record_id,) in self.rows(f"SELECT record_id FROM {known} WHERE NOT is_deleted")]

    def carried_fields(self, system: str, object: str, sought: Collection[str]) -> set[str]:
        """Of these fields, those that at least one live record of an object carries."""
        known = self._known_records(system, object)
        some = self.rows(f"SELECT record_id FROM {known} WHERE NOT is_deleted LIMIT {_SOME}")
        if not some:
            return set()
        listed = ", ".join(text(record_id) for (record_id,) in some)
        carried = self._carried_by(system, object, f"record_id IN ({listed})").intersection(sought)
        if len(some) == _SOME and len(carried) < len(set(sought)):
            carried = self._carried_by(system, object, "true").intersection(sought)
        return carried

    def _carried_by(self, system: str, object: str, condition: str) -> set[str]:
        names = self.rows(
            f"SELECT DISTINCT unnest(json_keys(payload)) FROM ({_current(system, object)})"
            f" WHERE NOT is_deleted AND {condition}"
        )
        return {name for (name,) in names}

    def fields_once_carried(self, system: str, object: str) -> set[str]:
        """The fields that any version of any record of an object has carried."""
        names = self.rows(
            "SELECT DISTINCT unnest(json_keys(payload)) FROM lake.record_log WHERE system = ? AND object = ?",
            (system, object),
        )
        return {name for (name,) in names}

    def fields_of_all(self, system: str, object: str) -> set[str]:
        """The fields that every live record of an object carries, be it with a null."""
        live = f"SELECT json_keys(payload) AS names FROM ({_current(system, object)}) WHERE NOT is_deleted"
        each = self.rows(f"""
            WITH live AS ({live})
            SELECT name FROM (SELECT unnest(names) AS name FROM live)
            GROUP BY name HAVING count(*) = (SELECT count(*) FROM live)""")
        return {name for (name,) in each}

    # Views and tables

    def show(self, system: str, objects: Mapping[str, Shape]) -> None:
        """Make a system's current records visible to mappings as `<system>.<object>`, typed by their shapes.

        What this session has shown already is left alone.
        """
        news = {name: shape for name, shape in objects.items() if self._shown.get((system, name)) != shape}
        if news:
            self.db.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(system)}")
        for name, shape in news.items():
            typed = f"unnest(from_json(payload, {text(json.dumps(shape))}))"
            self.db.execute(f"""
                CREATE OR REPLACE VIEW {quoted(system)}.{quoted(name)} AS
                SELECT record_id, version, is_deleted, extracted_at, {typed} FROM ({_current(system, name)})
            """)
            self._shown[(system, name)] = shape

    def declare(self, legal_entities: Mapping[str, LegalEntity]) -> None:
        """Fill the session's table `legal_entity` (code, name, zone, currency)."""
        self.db.execute(
            "CREATE OR REPLACE TABLE legal_entity (code VARCHAR, name VARCHAR, zone VARCHAR, currency VARCHAR)"
        )
        for code, entity in legal_entities.items():
            self.db.execute(
                "INSERT INTO legal_entity VALUES (?, ?, ?, ?)", [code, entity.name, entity.zone, entity.currency]
            )

    def replace(self, table: str, sql: str) -> bool:
        """Make a table hold exactly a query's rows; an unchanged table is left alone, and False comes back.

        Its rows are exchanged where its columns are the same: a table made anew has every session read the whole
        catalog again. What was at hand of it before no longer is.
        """
        self.db.execute(f"CREATE OR REPLACE TEMP TABLE fresh AS {sql}")
        same_columns = self._described("fresh") == self._described(table)
        changed = not same_columns or self._fingerprint("fresh") != self._fingerprint(table)
        if changed and same_columns:
            with self.transaction() if self._columns is None else nullcontext():
                self.db.execute(f"DELETE FROM {table}; INSERT INTO {table} SELECT * FROM fresh")
        elif changed:
            self.db.execute(f"CREATE OR REPLACE TABLE {table} AS SELECT * FROM fresh")
        if changed:
            self._forget(table)
        self.db.execute("DROP TABLE fresh")
        return changed

    def _forget(self, table: str) -> None:
        """What the transaction under way knows of a table holds no longer."""
        if self._columns is not None:
            self._columns.pop(table, None)
        for query in [each for each in self._at_hand if table in each]:
            self.db.execute(f"DROP TABLE {self._at_hand.pop(query)}")

    def keep_findings(self, run_id: str, domain: str) -> None:
        """Append the session's `found` to the findings; those of a step that is repeated in a run replace its own."""
        mine = f"run_id = {text(run_id)} AND domain = {text(domain)}"
        with self.transaction():
            # Only a repeated step deletes: steps of other domains that append at the same time don't conflict.
            if self.row(f"SELECT count(*) FROM lake.findings WHERE {mine}")[0]:
                self.db.execute(f"DELETE FROM lake.findings WHERE {mine}")
            self.db.execute(
                "INSERT INTO lake.findings BY NAME SELECT ? AS run_id, ? AS domain, "
                "COLUMNS(c -> c NOT IN ('written_to', 'write_id', 'code')) FROM found ORDER BY ALL",
                [run_id, domain],
            )

    def findings(self, run_id: str) -> list[dict[str, Any]]:
        """A run's findings, as rows."""
        found: list[dict[str, Any]] = self.arrow(f"""
            SELECT * EXCLUDE (run_id, link_id, is_primary) FROM lake.findings WHERE run_id = {text(run_id)}
            ORDER BY domain, kind, label, system_a, system_b, field
        """).to_pylist()
        return found

    def _described(self, table: str) -> list[tuple[str, str]]:
        try:
            return [(name, kind) for name, kind, *_ in self.rows(f"DESCRIBE {table}")]
        except duckdb.CatalogException:
            return []

    def _fingerprint(self, table: str) -> tuple[Any, ...]:
        return self.row(f"SELECT count(*), bit_xor(hash(t)), sum(CAST(hash(t) AS UHUGEINT)) FROM {table} t")

    def maintain(self, *, before: datetime, pinned: Collection[int] = ()) -> None:
        """Merge the small files that small commits leave, and forget snapshots older than an instant.

        `pinned` are snapshots that plans were made from; they stay. Files that no snapshot needs are removed.
        Where another session is at work on the same tables, merging is left to a later call.
        """
        with suppress(duckdb.TransactionException):
            self.db.execute("CALL ducklake_merge_adjacent_files('lake')")
        old = self.rows("SELECT snapshot_id FROM ducklake_snapshots('lake') WHERE snapshot_time < ?", (before,))
        unpinned = [each for (each,) in old if each not in pinned and each != self.snapshot()]
        if unpinned:
            self.db.execute(f"CALL ducklake_expire_snapshots('lake', versions => {unpinned})")
            self.db.execute("CALL ducklake_cleanup_old_files('lake', cleanup_all => true)")


def _current(system: str, object: str) -> str:
    return CURRENT.format(system=text(system), object=text(object))


def _with_last_payloads(system: str, object: str) -> str:
    """The news, with tombstones that came without a payload given the last one that the log holds."""
    return f"""(
        SELECT news.* REPLACE (coalesce(nullif(news.payload, ''), held.payload, '{{}}') AS payload)
        FROM news LEFT JOIN ({_current(system, object)}) held USING (record_id)
    )"""
