"""Work items: exceptions that wait for a person, opened and resolved by what is found each time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, TableValuedAlias, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from sync_pipelines.ledger.change import Change
from sync_pipelines.ledger.relation import counted, given
from sync_pipelines.ledger.tables import work_items

_GONE = "the difference is gone"
_MOVING = ("owner", "label", "reason", "amount_minor", "currency", "evidence")
"""What may change about an item while it is open."""


@dataclass(frozen=True, slots=True)
class WorkItem:
    """Work for a person: what is wrong with one record, in words, what it is worth, and whose it is.

    `fingerprint` says which disagreement it is; at most one item of a fingerprint is open at a time.
    """

    fingerprint: str
    domain: str
    kind: str
    system: str
    record_id: str
    label: str
    reason: str
    amount_minor: int | None
    currency: str | None
    owner: str
    opened_at: datetime
    due_at: datetime
    evidence: Mapping[str, Any] = field(default_factory=dict)
    resolved_at: datetime | None = None
    resolution: str | None = None


_COLUMNS = (*(name for name in WorkItem.__slots__ if name not in ("resolved_at", "resolution")), "run_id")


def sync_work_items(change: Change, domain: str, found: Iterable[WorkItem], *, run_id: str) -> tuple[int, int]:
    """Open what is new, resolve what is gone, keep the rest with today's words; returns (opened, resolved)."""
    rows = {each.fingerprint: {**asdict(each), "domain": domain, "run_id": run_id} for each in found}
    relation = given(rows.values(), *[work_items.c[name] for name in _COLUMNS])
    gone = _resolve(change, domain, relation)
    moved = _refresh(change, relation)
    opened = _open(change, relation)
    for kind, fingerprints in (("resolved", gone), ("changed", moved), ("opened", opened)):
        for fingerprint in fingerprints:
            row = rows.get(fingerprint, {})
            told = {name: row[name] for name in ("kind", "owner", "amount_minor", "currency") if name in row}
            change.tell(f"exception.{kind}", fingerprint, domain=domain, run_id=run_id, **told)
    return len(opened), len(gone)


def open_work_items(connection: Connection, *, domain: str = "", owner: str = "") -> list[WorkItem]:
    """What waits for a person, the most urgent first."""
    wanted = {name: value for name, value in (("domain", domain), ("owner", owner)) if value}
    query = select(work_items).where(work_items.c.resolved_at.is_(None)).filter_by(**wanted)
    return _items(connection, query.order_by(work_items.c.due_at, work_items.c.item_id))


def about(connection: Connection, words: Iterable[str]) -> list[WorkItem]:
    """Exceptions of records, open and resolved, by their ids or labels."""
    named = list(words)
    matches = or_(work_items.c.record_id.in_(named), work_items.c.label.in_(named))
    return _items(connection, select(work_items).where(matches).order_by(work_items.c.item_id))


def open_by_owner(connection: Connection) -> dict[str, int]:
    query = select(work_items.c.owner, func.count()).where(work_items.c.resolved_at.is_(None))
    return counted(connection, query.group_by(work_items.c.owner).order_by(work_items.c.owner))


def _resolve(change: Change, domain: str, relation: TableValuedAlias) -> Sequence[str]:
    query = (
        update(work_items)
        .where(work_items.c.domain == domain, work_items.c.resolved_at.is_(None))
        .where(work_items.c.fingerprint.not_in(select(relation.c.fingerprint)))
        .values(resolved_at=change.at, resolution=_GONE)
    )
    return change.connection.execute(query.returning(work_items.c.fingerprint)).scalars().all()


def _refresh(change: Change, relation: TableValuedAlias) -> Sequence[str]:
    differs = or_(*(work_items.c[name].is_distinct_from(relation.c[name]) for name in _MOVING))
    query = (
        update(work_items)
        .where(work_items.c.fingerprint == relation.c.fingerprint, work_items.c.resolved_at.is_(None), differs)
        .values({name: relation.c[name] for name in _MOVING})
    )
    return change.connection.execute(query.returning(work_items.c.fingerprint)).scalars().all()


def _open(change: Change, relation: TableValuedAlias) -> Sequence[str]:
    query = (
        insert(work_items)
        .from_select(_COLUMNS, select(*[relation.c[name] for name in _COLUMNS]))
        .on_conflict_do_nothing(
            index_elements=[work_items.c.fingerprint], index_where=work_items.c.resolved_at.is_(None)
        )
    )
    return change.connection.execute(query.returning(work_items.c.fingerprint)).scalars().all()


def _items(connection: Connection, query: Select[Any]) -> list[WorkItem]:
    own = query.with_only_columns(*[work_items.c[name] for name in WorkItem.__slots__])
    return [WorkItem(**row._mapping) for row in connection.execute(own)]
