"""The contract domain in the graph."""

from __future__ import annotations

import dagster as dg

from assets import factory
from sync_pipelines.engine.topology import Topology

ABOUT = "Who has agreed to what from when until when: contracts and the subscriptions that bill them."


def assets(topology: Topology) -> list[dg.AssetsDefinition]:
    return factory.domain(topology, "contract", ABOUT)
