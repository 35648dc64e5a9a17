"""The order domain in the graph."""

from __future__ import annotations

import dagster as dg

from assets import factory
from sync_pipelines.engine.topology import Topology

ABOUT = "Closed-won deals with their lines, and the sales orders that the books hold for them."


def assets(topology: Topology) -> list[dg.AssetsDefinition]:
    return factory.domain(topology, "order", ABOUT)
