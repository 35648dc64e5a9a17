"""The pricing domain in the graph."""

from __future__ import annotations

import dagster as dg

from assets import factory
from sync_pipelines.engine.topology import Topology

ABOUT = "The list price of each product in each currency, and how often it is billed."


def assets(topology: Topology) -> list[dg.AssetsDefinition]:
    return factory.domain(topology, "pricing", ABOUT)
