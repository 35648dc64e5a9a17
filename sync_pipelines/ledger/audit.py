"""The audit trail: a chain of entries in which every hash covers the one before, so that tampering shows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, or_, select, update

from sync_pipelines.ledger.relation import add, dumps, loads
from sync_pipelines.ledger.tables import audit_entries, audit_head


@dataclass(frozen=True, slots=True)
class Entry:
    """One change of state: what kind, of what, for which business transaction. No personal data."""

    kind: str
    subject: str
    correlation_id: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """An entry in its place in the chain."""

    seq: int
    at: datetime
    actor: str
    kind: str
    subject: str
    correlation_id: str
    detail: Mapping[str, Any]
    previous_hash: str
    hash: str = ""

    def content(self) -> dict[str, Any]:
        """Everything that the hash covers."""
        return {
            "seq": self.seq,
            "at": self.at.astimezone(UTC).isoformat(timespec="microseconds"),
            "actor": self.actor,
            "kind": self.kind,
            "subject": self.subject,
            "correlation_id": self.correlation_id,
            "detail": self.detail,
            "previous_hash": self.previous_hash,
        }

    def computed_hash(self) -> str:
        """What the hash is if nobody has touched the entry."""
        canonical = json.dumps(self.content(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


def append(connection: Connection, entries: Sequence[Entry], *, at: datetime, actor: str) -> None:
    """Add entries to the end of the chain, in the caller's transaction and with one statement.

    The head stays locked until that transaction ends, which keeps the chain one chain.
    """
    if not entries:
        return
    head = connection.execute(select(audit_head.c.seq, audit_head.c.hash).with_for_update()).one()
    rows = []
    previous = head.hash
    for seq, entry in enumerate(entries, start=head.seq + 1):
        detail = loads(dumps(entry.detail))
        chained = AuditEntry(seq, at, actor, entry.kind, entry.subject, entry.correlation_id, detail, previous)
        previous = chained.computed_hash()
        rows.append({**chained.content(), "hash": previous})
    add(connection, audit_entries, rows)
    connection.execute(update(audit_head).values(seq=head.seq + len(rows), hash=previous))


def first_broken(connection: Connection) -> int | None:
    """The first `seq` that was edited, removed or put elsewhere; None when the chain is whole."""
    head = connection.execute(select(audit_head.c.seq, audit_head.c.hash)).one()
    oldest_first = select(audit_entries).where(audit_entries.c.seq <= head.seq).order_by(audit_entries.c.seq)
    seq, previous = 0, ""
    with connection.execute(oldest_first, execution_options={"yield_per": 5_000}) as entries:
        for seq, row in enumerate(entries, start=1):
            entry = _entry(row)
            if entry.seq != seq or entry.previous_hash != previous or entry.hash != entry.computed_hash():
                return seq
            previous = entry.hash
    if seq != head.seq:
        return seq + 1
    return None if previous == head.hash else seq


def about(connection: Connection, subjects: Sequence[str], *, most: int = 1000) -> list[AuditEntry]:
    """What happened to subjects, or within business transactions, oldest first."""
    found = connection.execute(
        select(audit_entries)
        .where(or_(audit_entries.c.subject.in_(subjects), audit_entries.c.correlation_id.in_(subjects)))
        .order_by(audit_entries.c.seq)
        .limit(most)
    )
    return [_entry(row) for row in found]


def _entry(row: Row[Any]) -> AuditEntry:
    return AuditEntry(**row._mapping)
