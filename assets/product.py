"""The product domain in the graph."""

from __future__ import annotations

import dagster as dg

from assets import factory
from sync_pipelines.engine.topology import Topology

ABOUT = "What is sold: one SKU in every system."


def assets(topology: Topology) -> list[dg.AssetsDefinition]:
    return factory.domain(topology, "product", ABOUT)
