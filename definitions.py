"""The composition root of the graph: sync.toml becomes assets, resources, jobs, schedules and sensors.

`python definitions.py full` runs a job in this process and prints its progress as JSON lines.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import dagster as dg

import assets
from resources.loop import loop, opening
from resources.probe import probe
from sensors import alerts, changes, jobs, launch, schedules
from sync_pipelines import config
from sync_pipelines.engine.topology import Topology

TOPOLOGY = Path(os.environ.get("SYNC_TOPOLOGY", Path(__file__).parent / "sync.toml"))


def graph(topology: Topology, *, loop: object, probe: object) -> dg.Definitions:
    """Everything a topology asks for, over the given resources."""
    return dg.Definitions(
        assets=assets.build(topology),
        resources={"loop": loop, "probe": probe},
        jobs=jobs.build(topology),
        schedules=schedules.build(topology),
        sensors=[*changes.build(topology), alerts.run_failed()],
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """Loads without a database and without secrets: both are asked for when a run or a sensor needs them."""
    topology = config.load(TOPOLOGY, strict=False)
    return graph(topology, loop=loop(opening(TOPOLOGY)), probe=probe(TOPOLOGY))


if __name__ == "__main__":
    sys.exit(launch.main(defs(), config.load(TOPOLOGY, strict=False), sys.argv[1:]))
