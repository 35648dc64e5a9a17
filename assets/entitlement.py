"""The entitlement domain in the graph."""

from __future__ import annotations

import dagster as dg

from assets import factory
from sync_pipelines.engine.topology import Topology

ABOUT = "What a customer may use because a subscription pays for it."


def assets(topology: Topology) -> list[dg.AssetsDefinition]:
    return factory.domain(topology, "entitlement", ABOUT)
