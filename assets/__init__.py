"""What exists: the assets of every system, of every domain, and the report."""

from __future__ import annotations

import dagster as dg

from assets import contract, customer, entitlement, factory, invoice, order, pricing, product
from sync_pipelines.engine.topology import Topology

DOMAINS = {
    "customer": customer,
    "product": product,
    "pricing": pricing,
    "contract": contract,
    "order": order,
    "invoice": invoice,
    "entitlement": entitlement,
}
"""The module of each domain, where what is special to it in the graph is said."""


def build(topology: Topology) -> list[dg.AssetsDefinition]:
    """Every asset that a topology asks for."""
    objects = [asset for system in topology.systems for asset in factory.objects(topology, system)]
    steps = [asset for name in topology.domains for asset in DOMAINS[name].assets(topology)]
    return [*objects, *steps, factory.report(topology)]
