"""The probe as a Dagster resource: asks a system whether anything changed, without starting a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import dagster as dg

from sync_pipelines import config
from sync_pipelines.engine.port import Cursor

Probe = Callable[[str], Mapping[str, Cursor | None]]
"""A system's changed objects, each with the cursor it was compared with (None: never read)."""


def probe(file: Path) -> dg.ResourceDefinition:
    """A probe over the topology in `file`, which is read anew at each tick."""

    @dg.resource(description="Asks a system, with as few calls as it allows, whether anything changed.")
    def opened(_: dg.InitResourceContext) -> Probe:
        # Reading the definitions must not pay the two seconds that importing the engine costs.
        from sync_pipelines.probe import changed_objects

        return lambda system: changed_objects(config.load(file), system)

    return opened
