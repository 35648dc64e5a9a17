"""The audit trail: a chain of entries in which every hash covers the one before, so that tampering shows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Text, cast, func, or_, select, update

from sync_pipelines.errors import FixConfiguration
from sync_pipelines.ledger.relation import add, dumps
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
        return hashed(self.content())


@dataclass(frozen=True, slots=True)
class Head:
    """The newest entry at some moment. Kept elsewhere, it shows later whether the chain was rewritten since.

    >>> Head.parse("12:ab34")
    Head(seq=12, hash='ab34')
    """

    seq: int
    hash: str

    @classmethod
    def parse(cls, told: str) -> Head:
        seq, _, digest = told.partition(":")
        if not (seq.isdecimal() and digest):
            raise FixConfiguration(f"{told!r} is no head of an audit trail: it looks like 12:ab34…")
        return cls(int(seq), digest)

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a walk along the whole chain found: the first broken entry and why it is, or that there is none."""

    entries: int
    head: Head
    broken: int | None = None
    reason: str = ""


_sorted = msgspec.json.Encoder(order="sorted")
_exact = msgspec.json.Decoder(float_hook=str)
"""PostgreSQL and Python don't spell every float alike, so a detail holds none."""


def hashed(content: Mapping[str, Any]) -> str:
    """SHA-256 of JSON in UTF-8 with sorted keys and no blanks."""
    return hashlib.sha256(_sorted.encode(content)).hexdigest()


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
        detail = _exact.decode(dumps(entry.detail))
        chained = AuditEntry(seq, at, actor, entry.kind, entry.subject, entry.correlation_id, detail, previous)
        previous = chained.computed_hash()
        rows.append({**chained.content(), "hash": previous})
    add(connection, audit_entries, rows)
    connection.execute(update(audit_head).values(seq=head.seq + len(rows), hash=previous))


def head(connection: Connection) -> Head:
    """The newest entry, to be kept elsewhere; `0:` before there is any."""
    return Head(*connection.execute(select(audit_head.c.seq, audit_head.c.hash)).one())


def verify(connection: Connection, *, expected: Head | None = None) -> Verdict:
    """Walk along the chain and stop at the first entry that was edited, removed, inserted or put elsewhere.

    `expected` is a head that was kept elsewhere: a chain that was rewritten from some entry on is whole in
    itself, but no longer holds it. The connection shows one snapshot (REPEATABLE READ) while others append.
    """
    newest = head(connection)
    seq, previous = 0, ""
    for seq, (content, kept) in enumerate(_contents(connection), start=1):
        if reason := _fault(content, kept, seq, previous):
            return Verdict(seq - 1, newest, seq, reason)
        if expected is not None and expected.seq == seq and expected.hash != kept:
            return Verdict(seq - 1, newest, seq, "it is another than the one whose hash was kept")
        previous = kept
    if seq != newest.seq:
        why = "it is missing at the end" if seq < newest.seq else "it was added without moving the head"
        return Verdict(seq, newest, min(seq, newest.seq) + 1, why)
    if previous != newest.hash:
        return Verdict(seq, newest, max(seq, 1), "the head names another hash")
    if expected is not None and expected.seq > seq:
        return Verdict(seq, newest, seq + 1, f"the chain was longer: entry {expected.seq} was kept")
    return Verdict(seq, newest)


def _fault(content: Mapping[str, Any], kept: str, seq: int, previous: str) -> str:
    if content["seq"] != seq:
        return f"it is missing: entry {content['seq']} comes in its place"
    if content["previous_hash"] != previous:
        return "it does not follow the one before"
    return "" if hashed(content) == kept else "it is not what was hashed"


def _contents(connection: Connection) -> Iterator[tuple[dict[str, Any], str]]:
    """Every entry, oldest first: what the hash covers, and the hash that is kept.

    Text all the way: a million entries are read without an object for each value.
    """
    names = ("actor", "kind", "subject", "correlation_id", "previous_hash", "hash")
    query = select(
        audit_entries.c.seq,
        func.to_char(func.timezone("UTC", audit_entries.c.at), _INSTANT),
        cast(audit_entries.c.detail, Text),
        *[audit_entries.c[name] for name in names],
    ).order_by(audit_entries.c.seq)
    with connection.execute(query, execution_options={"yield_per": 10_000}) as rows:
        for seq, at, detail, *texts, kept in rows:
            told = dict(zip(names, texts, strict=False))
            yield {"seq": seq, "at": at, "detail": _exact.decode(detail), **told}, kept


_INSTANT = 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'


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
