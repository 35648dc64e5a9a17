"""Clearing: where an owner's empty value is believed to be meant. It is not where its field no longer arrives."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sync_pipelines.engine.lake import Lake
from sync_pipelines.engine.outcome import Check, Result
from sync_pipelines.engine.topology import DomainSettings


def believed(
    lake: Lake, settings: DomainSettings, lineages: Mapping[str, Mapping[str, tuple[str, ...]]]
) -> frozenset[str]:
    """Of the fields in `clears` those whose emptiness may be a statement.

    `lineages` says by system what each canonical column is computed from ("salesforce/Account.Phone"). A field that a
    vendor has renamed, hidden or dropped is empty in every record read since: so all live records of the object have
    to carry all that the column comes from, and a column that comes from no field never clears.
    """
    return frozenset(
        name
        for name in settings.clears
        if (origins := lineages[settings.owners[name]].get(name)) and all(_arrives(lake, each) for each in origins)
    )


def checks(domain: str, target: str, settings: DomainSettings, clearing: Collection[str]) -> tuple[Check, ...]:
    """The claim of a plan that each field in `clears` still arrives; none where no field may be cleared."""
    lost = [name for name in settings.clears if name not in clearing]
    check = Check(
        name="cleared_fields_arrive",
        subject=f"{domain}/plan/{target}",
        claim=f"Every {domain} field that its owner may clear in {target} arrives in every record of the owner.",
        result=Result.FAILED if lost else Result.PASSED,
        count=len(lost),
        sample=tuple({"field": name} for name in lost[:5]),
        reason=f"not cleared: {', '.join(lost)}" if lost else "",
    )
    return (check,) if settings.clears else ()


def _arrives(lake: Lake, origin: str) -> bool:
    system, _, path = origin.partition("/")
    known = sorted(_splits(path))
    return any(field in lake.fields_of_all(system, name) for name, field in known)


def _splits(path: str) -> set[tuple[str, str]]:
    """An object's name may have dots itself: each way of reading a path as object and field at its top."""
    parts = path.split(".")
    return {(".".join(parts[:place]), parts[place]) for place in range(1, len(parts))}
