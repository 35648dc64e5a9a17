"""The correlation id: which business transaction a record belongs to, from the deal that began it.

A mapping's column `correlation_id` says it: the deal's own id where the system holds the deal, elsewhere the
number by which a record names its order or contract. A record that says nothing has its link's id instead.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

import pyarrow as pa

from sync_pipelines.domains import DOMAINS, Domain
from sync_pipelines.engine.conform import records, table
from sync_pipelines.engine.lake import Lake
from sync_pipelines.engine.values import quoted, text

COLUMN = "correlation_id"
BORN_WITH_THE_DEAL = ("order", "contract")
"""The domains whose leading records carry the deal's id, and whose numbers later documents name."""
NUMBERS = "SELECT CAST(NULL AS VARCHAR) AS number, CAST(NULL AS VARCHAR) AS deal WHERE false"
NOTHING_STANDS = "SELECT CAST(NULL AS VARCHAR) AS deal, CAST(NULL AS VARCHAR) AS reason WHERE false"


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
        f"SELECT t.record_id, coalesce(n.deal, t.{COLUMN}) AS deal FROM {records(lake, domain, system)} t"
        f" LEFT JOIN {lake.at_hand(known)} n ON n.number = upper(t.{COLUMN}) WHERE t.{COLUMN} IS NOT NULL"
    )


def standing(lake: Lake, domain: Domain, domains: Mapping[str, Held], *, target: str) -> str:
    """A SELECT of the deals of which a target holds documents that keep a record of a domain from being voided.

    They do for as long as those in force do not balance each other; `reason` names one of them. Reads the registered
    relation `links`.
    """
    known = numbers(lake, domains)
    held = [name for name in domain.voided_after if name in domains and lake.columns(table(name, target))]
    each = [_standing(lake, DOMAINS[name], domains[name].systems[0], target=target, known=known) for name in held]
    return " UNION ALL ".join(each) or NOTHING_STANDS


def _standing(lake: Lake, domain: Domain, leader: str, *, target: str, known: str) -> str:
    """The deals of a target's documents of one domain: what leads them says it, or else they themselves."""
    which = f"its {domain.name} ' || coalesce(min(t.label), min(t.record_id)) || ' still counts in {target}"
    return f"""
        SELECT coalesce(lead.deal, own.deal) AS deal, '{which}, and is voided or credited first' AS reason
        FROM {records(lake, domain.name, target)} t
        LEFT JOIN ({told(lake, domain.name, target, known)}) own ON own.record_id = t.record_id
        LEFT JOIN links o ON o.domain = {text(domain.name)} AND o.system = {text(target)} AND o.record_id = t.record_id
        LEFT JOIN links l ON l.domain = o.domain AND l.link_id = o.link_id AND l.system = {text(leader)}
        LEFT JOIN ({told(lake, domain.name, leader, known)}) lead ON lead.record_id = l.record_id
        WHERE NOT t.is_deleted AND coalesce({domain.open_when}, true)
        GROUP BY 1, t.currency HAVING sum({quoted(domain.amount)}) IS DISTINCT FROM 0"""


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
