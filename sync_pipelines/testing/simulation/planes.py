"""The planes of one simulated life: a lake in memory, and a ledger copied from a template."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import psycopg
from sqlalchemy import event, text

from sync_pipelines.clock import Clock
from sync_pipelines.engine.topology import Topology
from sync_pipelines.lake import Lake
from sync_pipelines.lake.macros import MACROS
from sync_pipelines.lake.tables import TABLES
from sync_pipelines.ledger import Ledger, migrations
from sync_pipelines.ledger.embedded import Embedded
from sync_pipelines.testing.simulation.pulse import Pulse

SETTINGS = ("SET TimeZone = 'UTC'", "SET threads = 1", "PRAGMA disable_optimizer")
"""On tables of a few rows planning a query is what costs; the optimizer can't win that back."""


class MemoryLake(Lake):
    """A lake without files: the tables and what is asked of them are the same, snapshots are only counted."""

    def snapshot(self) -> int:
        return int(self.row("SELECT count(*) FROM lake.cursor_log")[0])

    def maintain(self, *, before: datetime, pinned: Collection[int] = ()) -> None:
        """Nothing to merge."""


class Watched:
    """A DuckDB connection on which a process can die before any statement."""

    def __init__(self, db: duckdb.DuckDBPyConnection, pulse: Pulse) -> None:
        self._db = db
        self._pulse = pulse

    def execute(self, query: str, *parameters: Any) -> Any:
        self._pulse.beat("lake")
        return self._db.execute(query, *parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)


@dataclass
class Ground:
    """What the lives of one process share: a database server, and the ledger that every life begins with."""

    server: Embedded
    name: str = "simulation"

    def prepare(self) -> None:
        self.server.ensure_template(_template(), self._migrated)

    def fresh(self) -> str:
        """The address of a ledger without history, in the place of the one before."""
        self.server.drop(self.name)
        self.server.create_from_template(self.name, _template())
        with psycopg.connect(self.server.libpq(self.name), autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {self.name} SET synchronous_commit = off")
        return self.server.url(self.name)

    def _migrated(self, name: str) -> None:
        Ledger.open(self.server.url(name)).close()


class SimulatedPlanes:
    """Both planes of one life, which outlive the processes that open them."""

    def __init__(self, url: str, *, topology: Topology, clock: Clock, pulse: Pulse) -> None:
        self.url = url
        self.db = _lake()
        self._pulse = pulse
        self._onlooker = Ledger.connect(url, clock=clock)
        MemoryLake(self.db).declare(topology.legal_entities)

    @contextmanager
    def open(self, topology: Topology, *, clock: Clock) -> Iterator[tuple[Lake, Ledger]]:
        """A process' sessions: what it leaves open when it dies is rolled back."""
        session = self.db.cursor()
        for statement in MACROS:
            session.execute(statement)
        with Ledger.connect(self.url, clock=clock) as ledger:
            event.listen(ledger.engine, "before_cursor_execute", lambda *_: self._pulse.beat("ledger"))
            event.listen(ledger.engine, "commit", lambda *_: self._pulse.beat("ledger"))
            try:
                yield MemoryLake(Watched(session, self._pulse)), ledger  # type: ignore[arg-type]
            finally:
                session.close()

    def ledger_rows(self, query: str) -> list[dict[str, Any]]:
        """What a query of the ledger's tables gives, past the ledger's own code."""
        with self._onlooker.engine.connect() as connection:
            return [dict(row._mapping) for row in connection.execute(text(query))]

    def lake_rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.db.execute(query).fetchall()

    def first_broken_entry(self) -> int | None:
        return self._onlooker.verify_audit()

    def close(self) -> None:
        self._onlooker.close()
        self.db.close()


@cache
def _template() -> str:
    """A name that changes with the ledger's schema, for a server may be older than that."""
    steps = sorted(Path(migrations.__file__).parent.rglob("*.py"))
    return f"simulation_{hashlib.sha256(b''.join(step.read_bytes() for step in steps)).hexdigest()[:12]}"


def _lake() -> duckdb.DuckDBPyConnection:
    db = duckdb.connect()
    for statement in (*SETTINGS, "ATTACH ':memory:' AS lake"):
        db.execute(statement)
    for statements in TABLES.values():
        db.execute(statements[0])
    for statement in MACROS:
        db.execute(statement)
    return db
