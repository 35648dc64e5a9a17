"""Reference: which link a record stands for when another record refers to it, also after a merge."""

from __future__ import annotations

from sync_pipelines.domains import Domain
from sync_pipelines.domains.schema import META, sql_type
from sync_pipelines.engine.conform import table
from sync_pipelines.engine.lake import Lake
from sync_pipelines.engine.values import quoted, text

GONE = "(reason LIKE 'no longer in %' OR reason LIKE 'merged %')"
"""Whether a membership was ended because of what became of its record, and not because a person unlinked it."""


def merged(domain: str) -> str:
    """The lake table of links whose leading record was merged away: link_id, survivor_id (a link id too)."""
    return f"lake.{quoted(f'merged_{domain}')}"


def pointing(lake: Lake, domain: str, system: str) -> str:
    """A SELECT of what a system's records stand for: record_id, own_id, link_id, is_open.

    `own_id` is the record's link, or the last one where it has none any more (`is_open` tells); `link_id` is what
    that link was merged into, or itself. Reads the registered relations `links` and `former_links`.
    """
    mine = f"domain = {text(domain)} AND system = {text(system)}"
    known = (
        f"SELECT record_id, link_id, true AS is_open FROM links WHERE {mine} UNION ALL "
        f"SELECT record_id, link_id, false FROM former_links WHERE {mine} AND {GONE}"
        f" AND record_id NOT IN (SELECT record_id FROM links WHERE {mine})"
    )
    if not lake.columns(merged(domain)):
        return f"SELECT record_id, link_id AS own_id, link_id, is_open FROM ({known})"
    survivors = lake.at_hand(f"FROM {merged(domain)}")
    return (
        f"SELECT k.record_id, k.link_id AS own_id, coalesce(m.survivor_id, k.link_id) AS link_id, k.is_open"
        f" FROM ({known}) k LEFT JOIN {survivors} m ON m.link_id = k.link_id"
    )


def resolved(lake: Lake, domain: Domain, system: str) -> str:
    """A relation of a system's canonical records whose references are link ids, so that systems compare.

    Every field of the domain is a column of it; those that the system does not hold are null. Records that
    were set aside are among them, with the reason in `refused`.
    """
    given = lake.columns(table(domain.name, system))
    kinds = {**META, **{field.name: sql_type(field) for field in domain.fields}}
    references = [f for f in domain.references if f.name in given]
    select = {name: f"t.{quoted(name)}" if name in given else f"CAST(NULL AS {kind})" for name, kind in kinds.items()}
    select |= {f.name: f"r_{f.name}.link_id" for f in references}
    joins = "".join(
        f" LEFT JOIN ({pointing(lake, f.refers_to, system)}) r_{f.name} ON r_{f.name}.record_id = t.{quoted(f.name)}"
        for f in references
    )
    columns = ", ".join(f"{value} AS {quoted(name)}" for name, value in select.items())
    return lake.at_hand(f"SELECT {columns}, t.refused FROM {table(domain.name, system)} t{joins}")
