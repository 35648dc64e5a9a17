"""Runs, and what their steps told: results, checks, control totals, and which organisations they met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from sync_pipelines.engine.outcome import Check, Result, Total
from sync_pipelines.errors import Stop
from sync_pipelines.ledger.change import Change
from sync_pipelines.ledger.relation import add, counted, given
from sync_pipelines.ledger.tables import check_results, control_totals, identities, runs, step_results


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
    else:
        change.connection.execute(update(runs).where(runs.c.run_id == run_id).values(state="running", ended_at=None))


def end_run(change: Change, run_id: str, *, state: str, summary: Mapping[str, Any]) -> None:
    change.connection.execute(
        update(runs).where(runs.c.run_id == run_id).values(state=state, ended_at=change.at, summary=dict(summary))
    )
    change.tell(f"run.{state}", run_id)


def latest_runs(connection: Connection, *, most: int = 1) -> list[Run]:
    """The runs that started last, newest first."""
    found = connection.execute(select(runs).order_by(runs.c.started_at.desc(), runs.c.run_id.desc()).limit(most))
    return [_run(row) for row in found]


def run(connection: Connection, run_id: str) -> Run | None:
    row = connection.execute(select(runs).where(runs.c.run_id == run_id)).one_or_none()
    return _run(row) if row else None


def save_step(change: Change, run_id: str, subject: str, result: Mapping[str, Any]) -> None:
    """Keep what a step told, so that another process can sum the run up; a repeated step replaces it."""
    values = {"result": dict(result), "at": change.at}
    fresh = insert(step_results).values(run_id=run_id, subject=subject, **values)
    change.connection.execute(fresh.on_conflict_do_update(index_elements=["run_id", "subject"], set_=values))


def steps(connection: Connection, run_id: str) -> dict[str, Any]:
    """What each step of a run told, by subject, in the order in which they ended."""
    query = select(step_results.c.subject, step_results.c.result).where(step_results.c.run_id == run_id)
    return counted(connection, query.order_by(step_results.c.at))


def save_checks(change: Change, run_id: str, checks: Sequence[Check]) -> None:
    """Keep the outcomes of checks; a check that is made again in a run replaces itself."""
    rows = {(c.subject, c.name): {**asdict(c), "run_id": run_id, "at": change.at} for c in checks}
    if not rows:
        return
    relation = given(rows.values(), *check_results.c)
    names = [column.name for column in check_results.c]
    fresh = insert(check_results).from_select(names, select(*[relation.c[name] for name in names]))
    key = ("run_id", "subject", "name")
    replaced = {name: fresh.excluded[name] for name in names if name not in key}
    change.connection.execute(fresh.on_conflict_do_update(index_elements=key, set_=replaced))


def checks_of(connection: Connection, run_id: str) -> list[Check]:
    query = select(*[check_results.c[name] for name in Check.__slots__]).where(check_results.c.run_id == run_id)
    found = connection.execute(query.order_by(check_results.c.at, check_results.c.subject, check_results.c.name))
    return [Check(**{**row._mapping, "result": Result(row.result), "sample": tuple(row.sample)}) for row in found]


def checks_by_result(connection: Connection, run_id: str) -> dict[str, int]:
    """How many checks of a run passed, failed, and could not be made."""
    query = select(check_results.c.result, func.count("*")).where(check_results.c.run_id == run_id)
    found = counted(connection, query.group_by(check_results.c.result))
    return {str(result): found.get(result, 0) for result in Result}


def save_totals(change: Change, run_id: str, domain: str, totals: Sequence[Total]) -> None:
    """Keep a domain's control totals in the place of those that the run had before."""
    mine = (control_totals.c.run_id == run_id, control_totals.c.domain == domain)
    change.connection.execute(delete(control_totals).where(*mine))
    add(change.connection, control_totals, [{"run_id": run_id, **asdict(total)} for total in totals])


def totals_of(connection: Connection, run_id: str) -> list[Total]:
    columns = [control_totals.c[name] for name in Total.__slots__]
    found = connection.execute(select(*columns).where(control_totals.c.run_id == run_id).order_by(*columns))
    return [Total(**row._mapping) for row in found]


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
            f"or give the new organisation a ledger of its own"
        )


def _run(row: Row[Any]) -> Run:
    return Run(**row._mapping)
