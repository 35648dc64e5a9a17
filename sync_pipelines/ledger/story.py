"""Everything that the ledger knows about one record or business transaction, as rows for people and machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, and_, or_, select, union

from sync_pipelines.ledger import audit, work_items, writes
from sync_pipelines.ledger import tables as t
from sync_pipelines.ledger.runs import latest_runs
from sync_pipelines.ledger.work_items import WorkItem
from sync_pipelines.ledger.writes import SavedWrite

Story = dict[str, list[dict[str, Any]]]
"""Rows by heading; a heading without rows is left out."""


def story(connection: Connection, word: str) -> Story:
    """What happened to a record, found by its number, its id in any system, or its link id."""
    link_ids = _link_ids(connection, word)
    memberships = _memberships(connection, link_ids)
    records = {row["record_id"] for row in memberships}
    found = writes.about(connection, link_ids)
    return _told(
        links=memberships,
        writes=[_write(saved) for saved in found],
        attempts=_attempts(connection, [saved.write.request.write_id for saved in found]),
        exceptions=[_item(item) for item in work_items.about(connection, {word, *records})],
        audit=_audit(connection, link_ids),
    )


def last_run(connection: Connection) -> Story:
    """How the newest run went, and what waits for a person since."""
    run = [
        {"run_id": r.run_id, "mode": r.mode, "state": r.state, "started_at": r.started_at, "ended_at": r.ended_at}
        for r in latest_runs(connection)
    ]
    owners = [{"owner": o, "open": n} for o, n in work_items.open_by_owner(connection).items()]
    return _told(run=run, exceptions=owners) if run else {}


def _told(**rows: list[dict[str, Any]]) -> Story:
    return {heading.capitalize(): found for heading, found in rows.items() if found}


def _link_ids(connection: Connection, word: str) -> list[str]:
    same_record = and_(*(t.links.c[name] == t.work_items.c[name] for name in ("domain", "system", "record_id")))
    names = ("label", "link_id", "record_id", "record_id_after")
    found = union(
        select(t.links.c.link_id).where(or_(t.links.c.record_id == word, t.links.c.link_id == word)),
        select(t.writes.c.link_id).where(or_(*(t.writes.c[name] == word for name in names))),
        select(t.links.c.link_id).join(t.work_items, same_record).where(t.work_items.c.label == word),
    )
    return sorted(connection.execute(found).scalars())


def _memberships(connection: Connection, link_ids: Sequence[str]) -> list[dict[str, Any]]:
    names = ("domain", "link_id", "system", "record_id", "rule", "evidence", "since", "until", "ended_reason")
    query = select(*[t.links.c[name] for name in names]).where(t.links.c.link_id.in_(link_ids))
    return [dict(row._mapping) for row in connection.execute(query.order_by(t.links.c.membership_id))]


def _write(saved: SavedWrite) -> dict[str, Any]:
    write = saved.write
    return {
        "at": saved.updated_at,
        "target": write.target,
        "operation": str(write.request.operation),
        "label": write.label,
        "state": str(saved.state),
        "record_id": saved.record_id_after or write.request.record_id,
        "fields": ", ".join(change.field for change in write.changes),
        "said": saved.message,
        "plan_id": saved.plan_id,
    }


def _attempts(connection: Connection, write_ids: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {"at": a.started_at, "write_id": a.write_id, "number": a.number, "state": str(a.state), "said": a.message}
        for a in writes.attempts_of(connection, write_ids)
    ]


def _item(item: WorkItem) -> dict[str, Any]:
    names = ("kind", "owner", "system", "record_id", "label", "reason", "amount_minor", "currency")
    times = ("opened_at", "due_at", "resolved_at", "resolution")
    return {name: getattr(item, name) for name in (*names, *times)}


def _audit(connection: Connection, subjects: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {"seq": e.seq, "at": e.at, "actor": e.actor, "kind": e.kind, "subject": e.subject}
        for e in audit.about(connection, subjects)
    ]
