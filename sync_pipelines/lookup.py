"""Finding a business transaction by what people call it: a number, a label, or an id in any system."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sync_pipelines.domains import DOMAINS
from sync_pipelines.engine.conform import table
from sync_pipelines.engine.correlation import BORN_WITH_THE_DEAL, COLUMN
from sync_pipelines.engine.plan import held_back
from sync_pipelines.engine.topology import Topology
from sync_pipelines.engine.values import quoted, text
from sync_pipelines.lake import Lake

Address = tuple[str, str, str]
"""Domain, system and record id."""


@dataclass(frozen=True, slots=True)
class Known:
    """A record that a word names, in one system, as it was read last."""

    domain: str
    system: str
    record_id: str
    label: str
    number: str | None = None
    status: str | None = None
    amount_minor: int | None = None
    currency: str | None = None
    correlation_id: str | None = None
    is_deleted: bool = False
    refused: str | None = None
    """Why the record was set aside, if it was."""

    @property
    def address(self) -> Address:
        return self.domain, self.system, self.record_id


def records(lake: Lake, topology: Topology, word: str) -> list[Known]:
    """The records of every domain and system that a word names, in the order of the domains."""
    conditions = {
        place: " OR ".join(
            [*(f"upper({quoted(n)}) = upper($1)" for n in ("number", "code", "label") if n in held), "record_id = $1"]
        )
        for place, held in _places(lake, topology).items()
    }
    return _found(lake, topology, conditions, [word])


def deal(lake: Lake, topology: Topology, known: Collection[Known]) -> tuple[set[str], list[Known]]:
    """The deals that records belong to, and all records of these deals in any system."""
    names = {each.correlation_id for each in known if each.correlation_id}
    names |= {each.number for each in known if each.number and each.domain in BORN_WITH_THE_DEAL}
    if not names:
        return set(), list(known)
    places = {place: held for place, held in _places(lake, topology).items() if COLUMN in held}
    born = [each for each in places if each[0] in BORN_WITH_THE_DEAL and each[1] == topology.domains[each[0]].leader]
    ids: set[str] = set()
    for _ in range(2):  # an order's number leads to the deal, and the deal to its contract
        listed = _listed(names)
        named = f"upper(number) IN ({listed}) OR upper({COLUMN}) IN ({listed})"
        beginnings = _found(lake, topology, dict.fromkeys(born, named))
        ids = {each.correlation_id for each in beginnings if each.correlation_id}
        names |= ids | {each.number for each in beginnings if each.number}
    family = _found(lake, topology, {place: f"upper({COLUMN}) IN ({_listed(names)})" for place in places})
    return ids, list(dict.fromkeys([*known, *family]))


def at(lake: Lake, topology: Topology, addresses: Collection[Address]) -> list[Known]:
    """The records with these addresses, as far as the lake holds them."""
    wanted: dict[tuple[str, str], set[str]] = {}
    for domain, system, record_id in addresses:
        wanted.setdefault((domain, system), set()).add(record_id)
    places = _places(lake, topology)
    conditions = {
        place: f"record_id IN ({', '.join(text(i) for i in sorted(ids))})"
        for place, ids in wanted.items()
        if place in places
    }
    return _found(lake, topology, conditions)


def held(lake: Lake, topology: Topology, link_ids: Collection[str]) -> list[tuple[str, str, str, str]]:
    """What the last plans did not write for some links: domain, target, link id and the reason."""
    tables = _columns(lake)
    each = [
        f"SELECT {text(domain)}, {text(target)}, link_id, reason FROM {held_back(domain, target)}"
        for domain, settings in topology.domains.items()
        for target in settings.targets
        if f"held_{domain}_{target}" in tables
    ]
    ids = ", ".join(text(i) for i in sorted(link_ids))
    return lake.rows(f"SELECT * FROM ({' UNION ALL '.join(each)}) WHERE link_id IN ({ids})") if each and ids else []


def _columns(lake: Lake) -> Mapping[str, set[str]]:
    """The lake's tables and their columns."""
    found = lake.rows(
        "SELECT table_name, list(column_name) FROM duckdb_columns() WHERE database_name = 'lake' GROUP BY 1"
    )
    return {name: set(columns) for name, columns in found}


def _places(lake: Lake, topology: Topology) -> dict[tuple[str, str], set[str]]:
    """Where canonical records lie: domain and system, and the columns that are held there."""
    tables = _columns(lake)
    return {
        (domain, system): tables[name]
        for domain in DOMAINS
        if domain in topology.domains
        for system in topology.domains[domain].systems
        if (name := f"{domain}_{system}") in tables
    }


def _found(
    lake: Lake, topology: Topology, conditions: Mapping[tuple[str, str], str], parameters: Iterable[Any] = ()
) -> list[Known]:
    """The records that fulfil a condition in each place, with one query over all places."""
    places = _places(lake, topology)
    each = [
        f"SELECT {text(d)}, {text(s)}, {_shown(d, places[d, s])} FROM {table(d, s)} WHERE {condition}"
        for (d, s), condition in conditions.items()
    ]
    rows = lake.rows(" UNION ALL ".join(each), list(parameters)) if each else []
    return sorted((Known(*row) for row in rows), key=lambda k: (list(DOMAINS).index(k.domain), k.system, k.record_id))


def _shown(domain: str, held: set[str]) -> str:
    """The columns of `Known` as a system holds them; what it does not hold is null."""
    values = {"label": "coalesce(label, record_id)", "is_deleted": "coalesce(is_deleted, false)"}
    values["amount_minor"] = quoted(DOMAINS[domain].amount) if DOMAINS[domain].amount in held else "NULL"
    names = Known.__slots__[2:]
    return ", ".join(values.get(name, quoted(name) if name in held else "NULL") for name in names)


def _listed(names: Collection[str]) -> str:
    return ", ".join(text(name.upper()) for name in sorted(names))
