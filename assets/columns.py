"""Columns in the Dagster UI: what a table holds, who owns a field, and where it was computed from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from sync_pipelines import mappings
from sync_pipelines.domains import DOMAINS, Field
from sync_pipelines.engine.port import Shape
from sync_pipelines.engine.topology import Topology

RECORD = {
    "record_id": "The system's own id of the record.",
    "version": "The system's own version of the record.",
    "is_deleted": "Whether the system has deleted it.",
    "merged_into": "The record that absorbed this one.",
    "external_id": "The id of our link, as the record carries it.",
    "counterpart_id": "The id of the same thing elsewhere, as the record carries it.",
    "label": "What a person calls the record.",
    "posting_on": "The day on which the books took it, where it isn't the record's own.",
}
"""The columns that every canonical record has beside its domain's fields."""


def raw(shape: Shape) -> dg.TableSchema:
    """An object's fields, those inside structs by their path, as lineage names them."""
    return dg.TableSchema([dg.TableColumn(n, k) for n, k in _flat({**mappings.RECORD_COLUMNS, **shape})])


def canonical(topology: Topology, system: str, domain: str, sources: Mapping[str, Sequence[str]]) -> dg.TableSchema:
    """What a system holds of a domain: each field with its owner and its sources."""
    fields = {field.name: field for field in DOMAINS[domain].fields}
    owners = topology.domains[domain].owners
    return dg.TableSchema(
        [
            _column(name, fields.get(name), owners.get(name, ""), sources.get(name, ()))
            for name in mappings.columns(system, domain)
        ]
    )


def lineage(lineage: Mapping[str, Sequence[str]]) -> dg.TableColumnLineage:
    """The engine's "<system>/<object>.<field>" as dependencies on columns of the raw objects' assets."""
    return dg.TableColumnLineage({column: [_dependency(each) for each in fields] for column, fields in lineage.items()})


def _dependency(field: str) -> dg.TableColumnDep:
    system, rest = field.split("/", 1)
    known = [name for name in mappings.objects(system) if rest == name or rest.startswith(f"{name}.")]
    name = max(known, key=len)
    return dg.TableColumnDep(asset_key=[system, name], column_name=rest[len(name) + 1 :])


def _flat(shape: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, kind in shape.items():
        inner = kind[0] if isinstance(kind, list) else kind
        if isinstance(inner, Mapping):
            yield from _flat(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", f"{inner}[]" if isinstance(kind, list) else str(inner)


def _column(name: str, field: Field | None, owner: str, sources: Sequence[str]) -> dg.TableColumn:
    origin = f" From {', '.join(sources)}." if sources else ""
    if field is None:
        return dg.TableColumn(name, "flag" if name.startswith("is_") else "text", RECORD.get(name, "") + origin)
    says = [f"one of {', '.join(field.choices)}"] if field.choices else []
    says += [f"a record of the {field.refers_to} domain"] if field.refers_to else []
    constraints = dg.TableColumnConstraints(nullable=not field.required, other=says)
    return dg.TableColumn(name, str(field.kind), f"Owned by {owner}.{origin}", constraints=constraints)
