"""The invoice domain in the graph."""

from __future__ import annotations

import dagster as dg

from assets import factory
from sync_pipelines.engine.topology import Topology

ABOUT = "Invoices and credit notes with their lines and taxes, to the cent."


def assets(topology: Topology) -> list[dg.AssetsDefinition]:
    return factory.domain(topology, "invoice", ABOUT)
