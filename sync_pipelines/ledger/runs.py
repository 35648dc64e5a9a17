"""Runs of the loop, and which organisations they met behind the systems' credentials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from sync_pipelines.errors import Stop
from sync_pipelines.ledger.change import Change
from sync_pipelines.ledger.tables import identities, runs


@dataclass(frozen=True, slots=True)
class Run:
    """One pass of the loop. `state` is running, finished or failed; a killed run stays running."""

    run_id: str
    mode: str
    started_at: datetime
    ended_at: datetime | None
    state: str
    summary: Mapping[str, Any]


def start_run(change: Change, run_id: str, mode: str) -> None:
    """Note that a run goes on; every process of one run may say so."""
    fresh = insert(runs).values(run_id=run_id, mode=mode, started_at=change.at, state="running", summary={})
    begun = change.connection.execute(fresh.on_conflict_do_nothing().returning(runs.c.run_id)).scalar()
    if begun:
        change.tell("run.started", run_id, mode=mode)
        return
    ended = (runs.c.run_id == run_id, or_(runs.c.state != "running", runs.c.ended_at.is_not(None)))
    if change.connection.execute(update(runs).where(*ended).values(state="running", ended_at=None)).rowcount:
        change.tell("run.resumed", run_id, mode=mode)


def end_run(change: Change, run_id: str, *, state: str, summary: Mapping[str, Any]) -> None:
    ended = update(runs).where(runs.c.run_id == run_id)
    change.connection.execute(ended.values(state=state, ended_at=change.at, summary=dict(summary)))
    change.tell(f"run.{state}", run_id)


def run(connection: Connection, run_id: str) -> Run | None:
    row = connection.execute(select(runs).where(runs.c.run_id == run_id)).one_or_none()
    return Run(**row._mapping) if row else None


def latest_runs(connection: Connection, *, most: int = 1) -> list[Run]:
    """The runs that started last, newest first."""
    newest = select(runs).order_by(runs.c.started_at.desc(), runs.c.run_id.desc()).limit(most)
    return [Run(**row._mapping) for row in connection.execute(newest)]


def check_identity(change: Change, system: str, identity: str) -> None:
    """`Stop` when another organisation than before answers behind a system's credentials."""
    fresh = insert(identities).values(system=system, identity=identity, first_seen=change.at)
    if change.connection.execute(fresh.on_conflict_do_nothing().returning(identities.c.system)).scalar():
        change.tell("system.met", system, identity=identity)
        return
    known = change.connection.execute(select(identities).where(identities.c.system == system)).one()
    if known.identity != identity:
        raise Stop(
            f"{system} now answers as {identity!r}, but since {known.first_seen:%Y-%m-%d} it was "
            f"{known.identity!r}: nothing is read or written. Mend [systems.{system}] in sync.toml, "
            f"or give the new organisation a ledger of its own. Only if it is meant, and holds the same records: "
            f"sync-pipelines confirm {system} {identity} --reason TEXT"
        )


def confirm_identity(change: Change, system: str, identity: str, *, by: str, reason: str) -> str | None:
    """Put an organisation in the place of the one that a system was; returns that one, None where none was met."""
    met = select(identities.c.identity).where(identities.c.system == system).with_for_update()
    before: str | None = change.connection.scalar(met)
    if before is not None:
        meant = update(identities).where(identities.c.system == system)
        change.connection.execute(meant.values(identity=identity, first_seen=change.at))
        change.tell("system.confirmed", system, before=before, after=identity, by=by, reason=reason)
    return before
