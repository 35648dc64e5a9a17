"""What the steps of a run told: outcomes, checks and control totals, so that any process can sum the run up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from sync_pipelines.engine.outcome import (
    Applied,
    Check,
    Conformed,
    Extraction,
    Matched,
    Planned,
    Reconciled,
    Result,
    Total,
)
from sync_pipelines.ledger import work_items, writes
from sync_pipelines.ledger.change import Change
from sync_pipelines.ledger.relation import add, counted, given
from sync_pipelines.ledger.tables import check_results, control_totals, step_results

Told = Extraction | Conformed | Matched | Planned | Applied | Reconciled
"""What one of the six verbs hands back."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What a run came to."""

    read: Mapping[str, int]
    """Records by system."""
    writes: Mapping[str, int]
    """By state."""
    findings: Mapping[str, Mapping[str, int]]
    """By domain and kind."""
    exceptions: Mapping[str, int]
    """Open ones by owner, of this and earlier runs."""
    checks: Mapping[str, int]
    """By result."""


def subject(told: Told) -> str:
    """The address of the step that told this."""
    match told:
        case Extraction():
            return f"{told.system}/{told.object}"
        case Conformed():
            return f"{told.domain}/{told.system}"
        case Matched():
            return f"{told.domain}/links"
        case Planned():
            return f"{told.domain}/plan/{told.target}"
        case Applied():
            return f"{told.domain}/writes/{told.target}"
        case Reconciled():
            return f"{told.domain}/reconciliation"


def keep(change: Change, run_id: str, told: Told) -> None:
    """Keep what a step told, and its checks. A repeated step replaces itself; what was read adds up."""
    result = {name: value for name, value in asdict(told).items() if name != "checks"}
    key = {"run_id": run_id, "subject": subject(told)}
    if isinstance(told, Extraction):
        result = _added_up(result, steps(change.connection, run_id, subject(told)).get(subject(told), {}))
    values = {"result": result, "at": change.at}
    fresh = insert(step_results).values(**key, verb=type(told).__name__.lower(), **values)
    change.connection.execute(fresh.on_conflict_do_update(index_elements=list(key), set_=values))
    save_checks(change, run_id, told.checks)


def steps(connection: Connection, run_id: str, subject: str = "") -> dict[str, Any]:
    """What each step of a run told, by subject, in the order in which they ended."""
    query = select(step_results.c.subject, step_results.c.result).where(step_results.c.run_id == run_id)
    query = query.where(step_results.c.subject == subject) if subject else query
    return counted(connection, query.order_by(step_results.c.at, step_results.c.subject))


def extractions(connection: Connection, run_id: str) -> list[Extraction]:
    """What a run read, by system and object."""
    return [Extraction(**result) for result in _results(connection, run_id, "extraction")]


def counts(connection: Connection, run_id: str) -> Counts:
    """Sum a run up from what its steps told."""
    read: Counter[str] = Counter()
    for extraction in extractions(connection, run_id):
        read[extraction.system] += extraction.read
    compared = _results(connection, run_id, "reconciled")
    return Counts(
        read=dict(read),
        writes=writes.states_of_run(connection, run_id),
        findings={each["domain"]: each["findings"] for each in compared if each["findings"]},
        exceptions=work_items.open_by_owner(connection),
        checks=checks_by_result(connection, run_id),
    )


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
    return counted(connection, query.group_by(check_results.c.result))


def save_totals(change: Change, run_id: str, totals: Sequence[Total]) -> None:
    """Keep control totals in the place of those that the run had for the same domains."""
    domains = {total.domain for total in totals}
    mine = (control_totals.c.run_id == run_id, control_totals.c.domain.in_(domains))
    change.connection.execute(delete(control_totals).where(*mine))
    add(change.connection, control_totals, [{"run_id": run_id, **asdict(total)} for total in totals])


def totals_of(connection: Connection, run_id: str) -> list[Total]:
    columns = [control_totals.c[name] for name in Total.__slots__]
    found = connection.execute(select(*columns).where(control_totals.c.run_id == run_id).order_by(*columns))
    return [Total(**row._mapping) for row in found]


def _results(connection: Connection, run_id: str, verb: str) -> list[dict[str, Any]]:
    mine = (step_results.c.run_id == run_id, step_results.c.verb == verb)
    query = select(step_results.c.result).where(*mine).order_by(step_results.c.subject)
    return list(connection.execute(query).scalars())


def _added_up(result: dict[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    sums = {name: result[name] + before.get(name, 0) for name in ("read", "appended", "deleted", "calls")}
    counted = before.get("counted") if result["counted"] is None else result["counted"]
    return {**result, **sums, "counted": counted}
