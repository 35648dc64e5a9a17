"""The systems that a life may have beside the three: which, and what they hold in the end.

Things go wrong on every line; people change records in the three alone, so what is new in another is ours, unless it
is noted as made by hand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace as changed

from sync_pipelines.engine.topology import Topology
from sync_pipelines.testing.simulation.company import SYSTEMS
from sync_pipelines.testing.simulation.story import Story, may_have_files

if TYPE_CHECKING:
    from sync_pipelines.testing.simulation.world import World

SHARE = 0.4
"""Of the lives that have a system beside the three."""
_LISTS = ("systems", "create", "update", "void", "recreate")
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Held:
    """Where a system keeps what we may create: a table, which rows count, and a row's business number."""

    domain: str
    table: str
    lives: Callable[[Row], bool]
    number: Callable[[Row], str | None]
    name: Callable[[Row], str | None] = lambda row: None
    key: str = "id"

    def rows(self, world: World, system: str) -> list[Row]:
        return [row for row in world.boxes[system].store.all(self.table) if self.lives(row)]


FILES = "ecc"
"""The system without a wire: it is reached by files, and what goes wrong with those is in `file_fault`."""

HELD: Mapping[str, tuple[Held, ...]] = {
    "chargebee": (
        Held(
            "customer",
            "customer",
            lambda row: not row["deleted"],
            lambda row: (row.get("meta_data") or {}).get("customer_number"),
            lambda row: row.get("company"),
        ),
    ),
    "hubspot": (
        Held(
            "customer",
            "companies",
            lambda row: not row["archived"],
            lambda row: row["properties"].get("customer_number"),
            lambda row: row["properties"].get("name"),
        ),
    ),
    "gainsight": (
        Held(
            "customer",
            "Company",
            lambda row: True,
            lambda row: row["Customer_Number__gc"],
            lambda row: row["Name"],
            key="Gsid",
        ),
    ),
    "s4hana": (
        Held(
            "customer",
            "A_BusinessPartner",
            lambda row: not row["IsMarkedForArchiving"],
            lambda row: row["BusinessPartnerIDByExtSystem"] or None,
            lambda row: f"{row['OrganizationBPName1']} {row['OrganizationBPName2']}".strip(),
            key="BusinessPartner",
        ),
        Held(
            "order",
            "A_SalesOrder",
            lambda row: True,
            lambda row: row["PurchaseOrderByCustomer"] or None,
            key="SalesOrder",
        ),
    ),
    FILES: (
        Held(
            "customer",
            "DEBMAS",
            lambda row: True,
            lambda row: row["KUNNR"],
            lambda row: f"{row['NAME1']}{' ' * (bool(row['NAME2']) and len(row['NAME1']) < 35)}{row['NAME2']}",
            key="KUNNR",
        ),
        Held("order", "ORDERS", lambda row: not row["ABGRU"], lambda row: row["BSTKD"], key="VBELN"),
        Held("invoice", "INVOIC", lambda row: not row["FKSTO"], lambda row: row["XBLNR"], key="VBELN"),
    ),
    "zendesk": (
        Held(
            "customer",
            "organization",
            lambda row: row.get("deleted_at") is None,
            lambda row: row["organization_fields"].get("customer_number"),
            lambda row: row["name"],
        ),
    ),
    "netsuite": (
        Held("customer", "customer", lambda row: True, lambda row: row["entityId"], lambda row: row["companyName"]),
        Held("order", "transaction", lambda row: row["recordType"] == "salesOrder", lambda row: row["otherRefNum"]),
        Held("invoice", "transaction", lambda row: row["recordType"] == "invoice", lambda row: row["tranId"]),
        Held("invoice", "transaction", lambda row: row["recordType"] == "creditMemo", lambda row: row["tranId"]),
    ),
}


def beside(story: Story, topology: Topology) -> tuple[str, ...]:
    """The system that a life has beside the three, where it has one: drawn apart, so that it shifts nothing else."""
    rng = Random(f"{story.seed}|beside")
    holders = {name for domain in story.domains for name in topology.domains[domain].systems}
    fitting = sorted(holders & HELD.keys() - {*SYSTEMS, FILES})
    if fitting and (chosen := rng.choice(fitting)) and rng.random() < SHARE:
        return (chosen,)
    return (FILES,) if FILES in holders and may_have_files(story.seed) else ()


def narrowed(topology: Topology, kept: Collection[str]) -> Topology:
    """The topology without the other systems."""
    domains = {
        name: changed(
            domain,
            **{each: [system for system in getattr(domain, each) if system in kept] for each in _LISTS},
            scope={system: when for system, when in domain.scope.items() if system in kept},
        )
        for name, domain in topology.domains.items()
    }
    systems = {name: settings for name, settings in topology.systems.items() if name in kept}
    return changed(topology, systems=systems, domains=domains)


def held(world: World, system: str, domain: str) -> Iterator[tuple[Held, Row]]:
    """The rows of a domain that a system holds and that count."""
    for each in HELD.get(system, ()):
        if each.domain == domain:
            yield from ((each, row) for row in each.rows(world, system))


def twice(world: World) -> Iterator[tuple[str, str, list[str]]]:
    """What we made though a record with its number was there, or made more than once: table, number, ids."""
    for system in world.boxes.keys() - set(SYSTEMS):
        for each in HELD.get(system, ()):
            rows = each.rows(world, system)
            made = Counter(each.number(row) for row in rows if (system, each.table, row[each.key]) not in world.seeded)
            for number in made.keys() - {None}:
                ids = [str(row[each.key]) for row in rows if each.number(row) == number]
                if len(ids) > 1:
                    yield f"{system}.{each.table}", str(number), ids
