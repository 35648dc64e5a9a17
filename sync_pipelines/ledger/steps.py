"""What the steps of a run told: results, checks and control totals, so that any process can sum the run up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from sync_pipelines.engine.outcome import Check, Result, Total
from sync_pipelines.ledger.change import Change
from sync_pipelines.ledger.relation import add, counted, given
from sync_pipelines.ledger.tables import check_results, control_totals, latest_reads, step_results, whole_reads


def save_step(change: Change, run_id: str, subject: str, result: Mapping[str, Any]) -> None:
    """Keep what a step told; a repeated step replaces itself."""
    values = {"result": dict(result), "at": change.at}
    fresh = insert(step_results).values(run_id=run_id, subject=subject, **values)
    change.connection.execute(fresh.on_conflict_do_update(index_elements=["run_id", "subject"], set_=values))


def steps(connection: Connection, run_id: str) -> dict[str, Any]:
    """What each step of a run told, by subject, in the order in which they ended."""
    query = select(step_results.c.subject, step_results.c.result).where(step_results.c.run_id == run_id)
    return counted(connection, query.order_by(step_results.c.at, step_results.c.subject))


def note_whole_read(change: Change, system: str, object: str) -> None:
    """Keep that an object was just read from its beginning."""
    fresh = insert(whole_reads).values(system=system, object=object, at=change.at)
    change.connection.execute(
        fresh.on_conflict_do_update(index_elements=["system", "object"], set_={"at": fresh.excluded["at"]})
    )


def whole_read_at(connection: Connection, system: str, object: str) -> datetime | None:
    """When an object was last read from its beginning."""
    of_object = (whole_reads.c.system == system, whole_reads.c.object == object)
    read_at: datetime | None = connection.scalar(select(whole_reads.c.at).where(*of_object))
    return read_at


def note_read(change: Change, system: str, object: str, began_at: datetime) -> None:
    """Keep that a read of an object has come to its end, and when it began."""
    fresh = insert(latest_reads).values(system=system, object=object, began_at=began_at)
    change.connection.execute(
        fresh.on_conflict_do_update(index_elements=["system", "object"], set_={"began_at": fresh.excluded.began_at})
    )


def reads_begun(connection: Connection, system: str) -> dict[str, datetime]:
    """When the latest read of each object of a system began."""
    query = select(latest_reads.c.object, latest_reads.c.began_at)
    return counted(connection, query.where(latest_reads.c.system == system))


def save_checks(change: Change, run_id: str, checks: Sequence[Check]) -> None:
    """Keep the outcomes of checks. One that is made again replaces itself, but "not checked" replaces nothing."""
    rows = {(c.subject, c.name): {**asdict(c), "run_id": run_id, "at": change.at} for c in checks}
    if not rows:
        return
    relation = given(rows.values(), *check_results.c)
    names = [column.name for column in check_results.c]
    fresh = insert(check_results).from_select(names, select(*[relation.c[name] for name in names]))
    key = ("run_id", "subject", "name")
    upsert = fresh.on_conflict_do_update(
        index_elements=key,
        set_={name: fresh.excluded[name] for name in names if name not in key},
        where=fresh.excluded.result != Result.NOT_CHECKED,
    )
    change.connection.execute(upsert)


def checks_of(connection: Connection, run_id: str) -> list[Check]:
    query = select(*[check_results.c[name] for name in Check.__slots__]).where(check_results.c.run_id == run_id)
    found = connection.execute(query.order_by(check_results.c.at, check_results.c.subject, check_results.c.name))
    return [Check(**{**row._mapping, "result": Result(row.result), "sample": tuple(row.sample)}) for row in found]


def checks_by_result(connection: Connection, run_id: str) -> dict[str, int]:
    """How many checks of a run passed, failed, and could not be made."""
    query = select(check_results.c.result, func.count("*")).where(check_results.c.run_id == run_id)
    found = counted(connection, query.group_by(check_results.c.result))
    return {result.value: found.get(result.value, 0) for result in Result}


def save_totals(change: Change, run_id: str, domain: str, totals: Sequence[Total]) -> None:
    """Keep a domain's control totals in the place of those that the run had before."""
    mine = (control_totals.c.run_id == run_id, control_totals.c.domain == domain)
    change.connection.execute(delete(control_totals).where(*mine))
    add(change.connection, control_totals, [{"run_id": run_id, **asdict(total)} for total in totals])


def totals_of(connection: Connection, run_id: str) -> list[Total]:
    columns = [control_totals.c[name] for name in Total.__slots__]
    found = connection.execute(select(*columns).where(control_totals.c.run_id == run_id).order_by(*columns))
    return [Total(**row._mapping) for row in found]
