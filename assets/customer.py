"""The customer domain in the graph."""

from __future__ import annotations

import dagster as dg

from assets import factory
from sync_pipelines.engine.topology import Topology

ABOUT = "Companies that buy: accounts, customers and parties with their addresses and tax ids."


def assets(topology: Topology) -> list[dg.AssetsDefinition]:
    return factory.domain(topology, "customer", ABOUT)
