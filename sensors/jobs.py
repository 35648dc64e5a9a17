"""The jobs: everything, the proof of one domain, and what a change touches."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import dagster as dg

from resources.loop import MODE
from sync_pipelines import mappings
from sync_pipelines.engine.topology import Topology

FULL = "full"
CHANGES = "changes"


def build(topology: Topology) -> list[Any]:
    """Every job. They run in one process: the loop is opened once, and steps cost no start of their own."""
    full = dg.define_asset_job(
        FULL,
        selection=dg.AssetSelection.all(),
        description="The whole loop: read every system, link, plan, write, and prove that they agree.",
        tags={MODE: "full"},
    )
    changes = dg.define_asset_job(
        CHANGES,
        selection=dg.AssetSelection.all(),
        description="What a change touches: its objects and the domains that read them. Started by the sensors.",
        tags={MODE: "incremental"},
    )
    return [full, changes, *(_proof(topology, name) for name in topology.domains)]


def proof_of(domain: str) -> str:
    return f"{domain}_reconcile"


def _proof(topology: Topology, domain: str) -> Any:
    systems = topology.domains[domain].systems
    keys = {*objects_of(topology, domain), *((domain, each) for each in [*systems, "links", "reconciliation"])}
    return dg.define_asset_job(
        proof_of(domain),
        selection=dg.AssetSelection.assets(*(list(key) for key in sorted(keys))),
        description=f"Read both sides of the {domain} domain afresh and compare them; writes nothing to any system.",
        tags={MODE: "full", "sync/domain": domain},
    )


def objects_of(topology: Topology, domain: str) -> set[tuple[str, str]]:
    """The (system, object) pairs that a domain is made from."""
    return {each for system in topology.domains[domain].systems for each in mappings.sources(system, domain)}


def touched(topology: Topology, objects: Iterable[tuple[str, str]]) -> list[tuple[str, ...]]:
    """The keys of what a change of objects touches: these, the domains that read them, and the report."""
    changed = set(objects)
    keys: list[tuple[str, ...]] = sorted(changed)
    for name, settings in topology.domains.items():
        if changed & objects_of(topology, name):
            keys += [(name, each) for each in [*settings.systems, "links", "reconciliation"]]
            keys += [(name, step, target) for target in settings.targets for step in ("plan", "writes")]
    return [*keys, ("report", "finance")]
