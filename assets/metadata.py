"""What the engine's outcomes look like in the Dagster UI: counts, amounts and samples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets import columns
from sync_pipelines.domains import DOMAINS, Kind
from sync_pipelines.domains.money import spell
from sync_pipelines.engine.outcome import Applied, Conformed, Extraction, Matched, Planned, Reconciled
from sync_pipelines.engine.port import Operation

if TYPE_CHECKING:
    from sync_pipelines.engine.plan import Write

Facts = dict[str, Any]

SHOWN, WIDEST = 10, 80
"""How many writes of a plan are shown, and how much of a value."""

SIGNS = {Operation.CREATE: "+", Operation.UPDATE: "~", Operation.REPLACE: "±"}

PERSONAL = {Kind.EMAIL, Kind.PHONE}
"""Kinds of fields that lead to a person: their values stay out of metadata."""


def extraction(outcome: Extraction) -> Facts:
    return {
        "dagster/row_count": outcome.held,
        "read": outcome.read,
        "appended": outcome.appended,
        "deleted": outcome.deleted,
        "calls": outcome.calls,
        "counted_by_the_system": "not provable" if outcome.counted is None else outcome.counted,
    }


def conformed(outcome: Conformed) -> Facts:
    return {
        "dagster/row_count": outcome.records,
        "dagster/column_lineage": columns.lineage(outcome.lineage),
        "records": outcome.records,
        "quarantined": outcome.quarantined,
        "changed_since_last_time": outcome.changed,
    }


def matched(outcome: Matched) -> Facts:
    return {
        "dagster/row_count": outcome.links,
        "links": outcome.links,
        "added": outcome.added,
        "removed": outcome.removed,
        "ambiguous": outcome.ambiguous,
        "duplicates": outcome.duplicates,
    }


def planned(outcome: Planned) -> Facts:
    return {
        "dagster/row_count": outcome.writes,
        "creates": outcome.creates,
        "updates": outcome.updates,
        "held": outcome.held,
        "waiting_for_approval": outcome.waiting,
        **({"past_limit": outcome.waits} if outcome.waits else {}),
        "plan": outcome.plan_id,
        "snapshot": outcome.snapshot,
        **_amounts(outcome.amounts),
    }


def diff(loop: Any, outcome: Planned) -> Facts:
    """The first writes of a plan, field by field; what leads to a person is not shown."""
    if not outcome.writes:
        return {"diff": "Nothing to write: the target already holds what the owners say."}
    writes = [saved.write for saved in loop.ledger.writes(outcome.plan_id)]
    rows = [row for write in writes[:SHOWN] for row in _rows(outcome.domain, write)]
    lines = ["| | Record | Field | Before | After |", "|-|-|-|-|-|", *(f"| {' | '.join(row)} |" for row in rows)]
    if len(writes) > SHOWN:
        lines.append(f"\nand {len(writes) - SHOWN} more")
    return {"diff": dg.MetadataValue.md("\n".join(lines))}


def _rows(domain: str, write: Write) -> Iterator[list[str]]:
    """A line for each field; the record's name stands on its first line alone."""
    sign, label = SIGNS[write.request.operation], write.label
    for change in write.changes:
        values = [_told(domain, change.field, value) for value in (change.before, change.after)]
        yield [_cell(each) for each in (sign, label, change.field, *values)]
        sign = label = ""


def _told(domain: str, field: str, value: str | None) -> str:
    if value is None:
        return ""
    return "(not shown)" if DOMAINS[domain][field].kind in PERSONAL else value


def _cell(text: str) -> str:
    return (text if len(text) <= WIDEST else f"{text[:WIDEST]}…").replace("|", "\\|").replace("\n", " ")


def applied(outcome: Applied) -> Facts:
    return {
        "dagster/row_count": sum(outcome.states.values()),
        "plan": outcome.plan_id,
        **({"queued": outcome.queued} if outcome.queued else {}),
        **{str(state): count for state, count in outcome.states.items()},
    }


def reconciled(outcome: Reconciled) -> Facts:
    return {
        "dagster/row_count": outcome.compared,
        "compared": outcome.compared,
        "agreeing": outcome.agreeing,
        "findings": sum(outcome.findings.values()),
        **{f"findings_{kind}": count for kind, count in sorted(outcome.findings.items())},
        "exceptions_opened": outcome.exceptions_opened,
        "exceptions_resolved": outcome.exceptions_resolved,
        **_amounts(outcome.amounts),
    }


def report(path: Path) -> Facts:
    return {"report": dg.MetadataValue.url(path.absolute().as_uri()), "path": dg.MetadataValue.path(str(path))}


def _amounts(amounts: Mapping[str, int]) -> Facts:
    return {f"amount_{currency}": spell(minor, currency) for currency, minor in sorted(amounts.items())}
