"""One transaction on the ledger: what changes, and the audit entries that tell of it, commit together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine

from sync_pipelines.ledger.audit import Entry, append


@dataclass(frozen=True, slots=True)
class Change:
    """A transaction that is under way; what was told becomes audit entries when it commits."""

    connection: Connection
    at: datetime
    told: list[Entry] = field(default_factory=list)

    def tell(self, kind: str, subject: str, *, correlation_id: str = "", **detail: Any) -> None:
        """Say in the audit trail what this transaction does."""
        self.told.append(Entry(kind, subject, correlation_id, detail))


@contextmanager
def changing(engine: Engine, *, at: datetime, actor: str) -> Iterator[Change]:
    """Commit everything, or nothing when the block raises."""
    with engine.begin() as connection:
        change = Change(connection, at)
        yield change
        # Last, for whoever holds the head of the audit trail makes the others wait.
        append(connection, change.told, at=at, actor=actor)
