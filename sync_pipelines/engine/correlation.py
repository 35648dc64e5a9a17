"""The correlation id: which business transaction a record belongs to, from the deal that began it.

A mapping's column `correlation_id` says it: the deal's own id where the system holds the deal, elsewhere the
number by which a record names its order or contract. A record that says nothing has its link's id instead.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

import pyarrow as pa

from sync_pipelines.engine.conform import table
from sync_pipelines.engine.lake import Lake
from sync_pipelines.engine.values import text

COLUMN = "correlation_id"
BORN_WITH_THE_DEAL = ("order", "contract")
"""The domains whose leading records carry the deal's id, and whose numbers later documents name."""
NUMBERS = "SELECT CAST(NULL AS VARCHAR) AS number, CAST(NULL AS VARCHAR) AS deal WHERE false"


class Held(Protocol):
    """Where a domain lives, the leading system first."""

    @property
    def systems(self) -> list[str]: ...


def numbers(lake: Lake, domains: Mapping[str, Held]) -> str:
    """A SELECT of order and contract numbers, each with the deal it belongs to; a number of two deals is left out."""
    places = [table(name, domains[name].systems[0]) for name in BORN_WITH_THE_DEAL if name in domains]
    told = [place for place in places if {"number", COLUMN} <= lake.columns(place)]
    if not told:
        return NUMBERS
    each = " UNION ALL ".join(f"SELECT upper(number) AS number, {COLUMN} FROM {place}" for place in told)
    return (
        f"SELECT number, min({COLUMN}) AS deal FROM ({each}) WHERE number IS NOT NULL"
        f" GROUP BY number HAVING count(DISTINCT {COLUMN}) = 1"
    )


def told(lake: Lake, domain: str, system: str, known: str = NUMBERS) -> str:
    """A SELECT of record_id and deal: what a system's records say about where they belong."""
    place = table(domain, system)
    if COLUMN not in lake.columns(place):
        return "SELECT CAST(NULL AS VARCHAR) AS record_id, CAST(NULL AS VARCHAR) AS deal WHERE false"
    return (
        f"SELECT t.record_id, coalesce(n.deal, t.{COLUMN}) AS deal FROM {place} t"
        f" LEFT JOIN ({known}) n ON n.number = upper(t.{COLUMN}) WHERE t.{COLUMN} IS NOT NULL"
    )


def of_records(
    lake: Lake, domain: str, domains: Mapping[str, Held], *, records: Collection[tuple[str, str]], members: str
) -> dict[tuple[str, str], str]:
    """The deals of some records, by system and record id; what belongs to none is absent.

    `members` is a relation of link_id, system and record_id. The leading record's word counts before a
    record's own.
    """
    if not records:
        return {}
    leader, known = domains[domain].systems[0], numbers(lake, domains)
    each = [f"SELECT {text(s)} AS system, * FROM ({told(lake, domain, s, known)})" for s in domains[domain].systems]
    systems, ids = zip(*sorted(set(records)), strict=True)
    asked = pa.table({"system": pa.array(systems, pa.string()), "record_id": pa.array(ids, pa.string())})
    with lake.relation("asked", asked):
        found = lake.rows(f"""
            WITH own AS ({" UNION ALL ".join(each)}), m AS (SELECT link_id, system, record_id FROM {members})
            SELECT asked.system, asked.record_id, coalesce(min(lead.deal), min(own.deal))
            FROM asked
            LEFT JOIN own ON own.system = asked.system AND own.record_id = asked.record_id
            LEFT JOIN m ON m.system = asked.system AND m.record_id = asked.record_id
            LEFT JOIN m l ON l.link_id = m.link_id AND l.system = {text(leader)}
            LEFT JOIN own lead ON lead.system = l.system AND lead.record_id = l.record_id
            GROUP BY ALL HAVING coalesce(min(lead.deal), min(own.deal)) IS NOT NULL
        """)
    return {(system, record_id): deal for system, record_id, deal in found}
