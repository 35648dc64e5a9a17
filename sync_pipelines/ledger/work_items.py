"""Work items: exceptions that wait for a person, opened and resolved by what is found."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    TableValuedAlias,
    and_,
    case,
    func,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from sync_pipelines.engine.reconcile import Item
from sync_pipelines.ledger.change import Change
from sync_pipelines.ledger.relation import counted, given
from sync_pipelines.ledger.tables import work_items

_TOLD = ("domain", "kind", "system", "record_id", "label", "reason", "amount_minor", "currency")
_MOVING = ("owner", "label", "reason", "amount_minor", "currency", "evidence", "write_id")
"""What may change about an item while it is open; its owner only where no person gave it to a team."""
_COLUMNS = ("fingerprint", *_TOLD, "owner", "evidence", "opened_at", "due_at", "run_id", "write_id")
_UNWRITTEN = ("differs", "failed", "in_doubt", "missing", "refused")
"""Kinds of which a record has one at a time: what is to be written is not there yet, and why."""
GONE = "the difference is gone"
OVERTAKEN = "another exception about the record took its place"


@dataclass(frozen=True, slots=True)
class Assigned:
    """An exception with the team that is to work it, and the hours that it has."""

    item: Item
    owner: str
    due_hours: int = 24
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WorkItem:
    """An exception as the ledger holds it."""

    item_id: int
    fingerprint: str
    domain: str
    kind: str
    owner: str
    system: str
    record_id: str
    label: str
    reason: str
    amount_minor: int | None
    currency: str | None
    evidence: Mapping[str, Any]
    opened_at: datetime
    due_at: datetime
    resolved_at: datetime | None
    resolution: str | None
    run_id: str
    write_id: str | None
    resolved_by: str | None
    assigned_by: str | None


@dataclass(frozen=True, slots=True)
class Synced:
    """What a look at the present did to the open exceptions of a domain."""

    opened: int
    resolved: int
    kept: int


def sync_work_items(change: Change, domain: str, found: Iterable[Assigned], *, run_id: str) -> Synced:
    """Open what is new, resolve what is gone, keep the rest with today's words and amounts."""
    rows = {each.item.fingerprint: _row(each, domain, change.at, run_id) for each in found}
    relation = given(rows.values(), *[work_items.c[name] for name in _COLUMNS])
    gone = _resolve(change, domain, relation)
    moved = _refresh(change, relation)
    opened = _open(change, relation)
    for became, fingerprints in (("resolved", gone), ("changed", moved), ("opened", opened)):
        for fingerprint in fingerprints:
            row = rows.get(fingerprint, {})
            told = {name: row[name] for name in ("owner", "amount_minor", "currency", "write_id") if name in row}
            deal = row["evidence"].get("correlation_id", "") if row else gone[fingerprint]
            change.tell(f"exception.{became}", fingerprint, correlation_id=deal, domain=domain, run_id=run_id, **told)
    return Synced(len(opened), len(gone), len(rows) - len(opened))


def assign(change: Change, item_id: int, owner: str, *, by: str, reason: str) -> None:
    """Give an open exception to a team, whatever the policy says; its due time stays."""
    given_to = update(work_items).where(work_items.c.item_id == item_id).values(owner=owner, assigned_by=by)
    fingerprint = change.connection.execute(given_to.returning(work_items.c.fingerprint)).scalar_one()
    change.tell("exception.assigned", fingerprint, owner=owner, by=by, reason=reason)


def work_item(connection: Connection, item_id: int) -> WorkItem | None:
    return next(iter(_items(connection, select(work_items).where(work_items.c.item_id == item_id))), None)


def open_work_items(connection: Connection, *, domain: str = "", owner: str = "", kind: str = "") -> list[WorkItem]:
    """What waits for a person, the most urgent first."""
    wanted = {name: value for name, value in (("domain", domain), ("owner", owner), ("kind", kind)) if value}
    query = select(work_items).where(work_items.c.resolved_at.is_(None)).filter_by(**wanted)
    return _items(connection, query.order_by(work_items.c.due_at, work_items.c.item_id))


def about(connection: Connection, label: str, records: Collection[tuple[str, str, str]]) -> list[WorkItem]:
    """Exceptions, open and resolved, by their label or by (domain, system, record id)."""
    address = tuple_(work_items.c.domain, work_items.c.system, work_items.c.record_id)
    ids = [record_id for *_, record_id in records]  # what there is an index of
    named = or_(and_(work_items.c.record_id.in_(ids), address.in_(records)), work_items.c.label == label)
    return _items(connection, select(work_items).where(named).order_by(work_items.c.item_id))


def open_by_owner(connection: Connection) -> dict[str, int]:
    query = select(work_items.c.owner, func.count()).where(work_items.c.resolved_at.is_(None))
    return counted(connection, query.group_by(work_items.c.owner).order_by(work_items.c.owner))


def _row(each: Assigned, domain: str, at: datetime, run_id: str) -> dict[str, Any]:
    return {
        **{name: getattr(each.item, name) for name in ("fingerprint", *_TOLD)},
        "domain": domain,
        "owner": each.owner,
        "evidence": dict(each.evidence),
        "opened_at": at,
        "due_at": at + timedelta(hours=each.due_hours),
        "run_id": run_id,
        "write_id": each.item.write_id,
    }


def _resolve(change: Change, domain: str, relation: TableValuedAlias) -> dict[str, str]:
    """What is resolved, with the deals that it was about."""
    same_record = and_(*(relation.c[name] == work_items.c[name] for name in ("system", "record_id")))
    both_unwritten = and_(work_items.c.kind.in_(_UNWRITTEN), relation.c.kind.in_(_UNWRITTEN))
    overtaken = select(relation.c.fingerprint).where(same_record, both_unwritten).exists()
    query = (
        update(work_items)
        .where(work_items.c.domain == domain, work_items.c.resolved_at.is_(None))
        .where(work_items.c.fingerprint.not_in(select(relation.c.fingerprint)))
        .values(resolved_at=change.at, resolution=case((overtaken, OVERTAKEN), else_=GONE))
    )
    deal = func.coalesce(work_items.c.evidence["correlation_id"].astext, "")
    gone = change.connection.execute(query.returning(work_items.c.fingerprint, deal))
    return {row[0]: row[1] for row in gone}


def _refresh(change: Change, relation: TableValuedAlias) -> Sequence[str]:
    today: dict[str, ColumnElement[Any]] = {name: relation.c[name] for name in _MOVING}
    today["owner"] = case((work_items.c.assigned_by.is_(None), relation.c.owner), else_=work_items.c.owner)
    differs = or_(*(work_items.c[name].is_distinct_from(value) for name, value in today.items()))
    query = (
        update(work_items)
        .where(work_items.c.fingerprint == relation.c.fingerprint, work_items.c.resolved_at.is_(None), differs)
        .values(today)
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
    return [WorkItem(**row._mapping) for row in connection.execute(query)]
