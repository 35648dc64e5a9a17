"""What the engine's outcomes look like in the Dagster UI: counts, amounts, schemas, column lineage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from sync_pipelines import mappings
from sync_pipelines.domains import DOMAINS, Field
from sync_pipelines.domains.money import spell
from sync_pipelines.engine.outcome import Applied, Conformed, Extraction, Matched, Planned, Reconciled
from sync_pipelines.engine.port import Shape

Facts = dict[str, Any]


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
        "dagster/column_lineage": column_lineage(outcome.lineage),
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
        "plan": outcome.plan_id,
        "snapshot": outcome.snapshot,
        **_amounts(outcome.amounts),
    }


def applied(outcome: Applied) -> Facts:
    return {
        "dagster/row_count": sum(outcome.states.values()),
        "plan": outcome.plan_id,
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


def column_lineage(lineage: Mapping[str, Sequence[str]]) -> dg.TableColumnLineage:
    """The engine's "<system>/<object>.<field>" as dependencies on columns of the raw objects' assets."""
    return dg.TableColumnLineage({column: [_dependency(each) for each in fields] for column, fields in lineage.items()})


def _dependency(field: str) -> dg.TableColumnDep:
    system, rest = field.split("/", 1)
    known = [name for name in mappings.objects(system) if rest == name or rest.startswith(f"{name}.")]
    name = max(known, key=len)
    return dg.TableColumnDep(asset_key=[system, name], column_name=rest[len(name) + 1 :])


def raw_schema(shape: Shape) -> dg.TableSchema:
    """An object's fields, those inside structs by their path, as lineage names them."""
    return dg.TableSchema([dg.TableColumn(n, k) for n, k in _flat({**mappings.RECORD_COLUMNS, **shape})])


def _flat(shape: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, kind in shape.items():
        inner = kind[0] if isinstance(kind, list) else kind
        if isinstance(inner, Mapping):
            yield from _flat(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", f"{inner}[]" if isinstance(kind, list) else str(inner)


def canonical_schema(system: str, domain: str) -> dg.TableSchema:
    """The columns that a system holds of a domain, with what the domain demands of them."""
    fields = {field.name: field for field in DOMAINS[domain].fields}
    columns = mappings.columns(system, domain)
    return dg.TableSchema([_column(name, fields.get(name)) for name in columns])


def _column(name: str, field: Field | None) -> dg.TableColumn:
    if field is None:
        return dg.TableColumn(name, "record")
    says = [f"one of {', '.join(field.choices)}"] if field.choices else []
    says += [f"a record of the {field.refers_to} domain"] if field.refers_to else []
    constraints = dg.TableColumnConstraints(nullable=not field.required, other=says)
    return dg.TableColumn(name, str(field.kind), constraints=constraints)


def _amounts(amounts: Mapping[str, int]) -> Facts:
    return {f"amount_{currency}": spell(minor, currency) for currency, minor in sorted(amounts.items())}
