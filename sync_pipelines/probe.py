"""The probe: which objects of a system changed since they were last read. Reads nothing into the lake."""

from __future__ import annotations

from sync_pipelines import mappings, planes
from sync_pipelines.clock import Clock, SystemClock
from sync_pipelines.engine.port import Cursor
from sync_pipelines.engine.topology import Topology
from sync_pipelines.reach import Reach
from sync_pipelines.systems.registry import Systems

PROBE = "probe"
"""What stands in the place of a run in what a probe tells."""


def changed_objects(topology: Topology, system: str, *, clock: Clock | None = None) -> dict[str, Cursor | None]:
    """The changed objects of a system, each with the cursor it was compared with (None: never read).

    Costs as few calls as the vendor allows, at most one an object, and none while the system is left alone. Raises
    what the system raises when it can't be asked.
    """
    clock = clock or SystemClock()
    with planes.open_planes(topology, clock=clock) as (lake, ledger):
        systems = Systems(topology.systems, clock=clock, lease=ledger.lease_turns)
        cursors = {name: lake.cursor(system, name) for name in mappings.objects(system)}
        reach = Reach(topology, systems, ledger, clock, PROBE)
        with reach.asked(system, meet=False) as opened:
            changed = opened.changed(cursors)
        return {name: cursor for name, cursor in cursors.items() if name in changed}
