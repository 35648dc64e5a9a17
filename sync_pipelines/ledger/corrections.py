"""Corrections in the ledger: one is open for a target's link at a time; those that ended stay on record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import ColumnElement, Connection, insert, select, update

from sync_pipelines.engine.correction import Correction, body_hash
from sync_pipelines.ledger.change import Change
from sync_pipelines.ledger.relation import given
from sync_pipelines.ledger.tables import corrections, writes
from sync_pipelines.ledger.writes import SavedWrite


def open_corrections(connection: Connection, domain: str, target: str) -> list[Correction]:
    """Those that the next plan for a target takes into account."""
    names = [corrections.c[name] for name in Correction.__slots__]
    query = select(*names).where(*_open(domain, target)).order_by(corrections.c.correction_id)
    return [Correction(**row._mapping) for row in connection.execute(query)]


def correct(change: Change, saved: SavedWrite, made: Correction) -> None:
    """Keep a correction of a write; one that it had already goes on in the new one."""
    domain, target = saved.write.domain, saved.write.target
    known = {each.link_id: each for each in open_corrections(change.connection, domain, target)}
    if (before := known.get(made.link_id)) is not None:
        end(change, domain, target, [before], why="corrected again")
        if saved.write.corrected_by is not None or before.body_hash == body_hash(saved.write.request.body):
            made = replace(made, body_hash=before.body_hash, patch={**before.patch, **made.patch})
    values = {name: getattr(made, name) for name in Correction.__slots__}
    change.connection.execute(insert(corrections).values(domain=domain, target=target, made_at=change.at, **values))
    told = {"domain": domain, "target": target, "paths": sorted(made.patch), "by": made.made_by, "reason": made.reason}
    change.tell("correction.made", made.link_id, correlation_id=saved.write.request.correlation_id, **told)


def end(change: Change, domain: str, target: str, ended: Sequence[Correction], *, why: str) -> None:
    """Corrections that hold no longer."""
    if not ended:
        return
    relation = given([{"link_id": each.link_id} for each in ended], corrections.c.link_id)
    query = update(corrections).where(*_open(domain, target), corrections.c.link_id == relation.c.link_id)
    for link_id in change.connection.scalars(query.values(ended_at=change.at).returning(corrections.c.link_id)):
        change.tell("correction.ended", link_id, domain=domain, target=target, reason=why)


def end_beside(change: Change, write_ids: Sequence[str], *, why: str) -> None:
    """End the corrections that would have something else sent in the place of some writes, which are as planned."""
    as_planned = (writes.c.write_id.in_(write_ids), writes.c.corrected_by.is_(None))
    query = select(writes.c.domain, writes.c.target, writes.c.link_id).where(*as_planned).distinct()
    for domain, target, link_id in change.connection.execute(query).all():
        known = [each for each in open_corrections(change.connection, domain, target) if each.link_id == link_id]
        end(change, domain, target, known, why=why)


def _open(domain: str, target: str) -> tuple[ColumnElement[bool], ...]:
    return corrections.c.domain == domain, corrections.c.target == target, corrections.c.ended_at.is_(None)
