"""One sensor a system: asks cheaply whether anything changed, and starts one run for all that did."""
# Dagster reads the type of `context` at run time, so annotations stay evaluated here.

import hashlib
import json
from collections.abc import Mapping, Sequence

import dagster as dg

from resources.probe import Probe
from sensors import jobs
from sync_pipelines.engine.port import Cursor
from sync_pipelines.engine.topology import Topology
from sync_pipelines.errors import SyncError

CHANGE = "sync/change"
"""The run tag that names a change: the system, its changed objects and how far each had been read."""

ATTEMPTS = 3
"""How often one change may start a run that fails; after that the nightly run or a person takes over."""


def build(topology: Topology) -> list[dg.SensorDefinition]:
    return [_changes(topology, system) for system in topology.systems]


def _changes(topology: Topology, system: str) -> dg.SensorDefinition:
    @dg.sensor(
        name=f"{system}_changes",
        job_name=jobs.CHANGES,
        minimum_interval_seconds=topology.systems[system].every_seconds,
        description=f"Asks {system} with as few calls as it allows whether anything changed since it was last read.",
    )
    def evaluate(context: dg.SensorEvaluationContext, probe: dg.ResourceParam[Probe]) -> dg.RunRequest | dg.SkipReason:
        try:
            changed = probe(system)
        except SyncError as error:
            return dg.SkipReason(f"{system} could not be asked: {error}")
        if not changed:
            return dg.SkipReason(f"nothing changed in {system}")
        change = name_of(system, changed)
        started = context.instance.get_runs(dg.RunsFilter(tags={CHANGE: change}))
        return refusal(started) or _request(topology, system, changed, key=f"{change}-{len(started)}")

    return evaluate


def name_of(system: str, changed: Mapping[str, Cursor | None]) -> str:
    """The same for as long as the cursors stand still, so that one change starts one run."""
    cursors = json.dumps(dict(changed), sort_keys=True, default=str)
    return f"{system}-{hashlib.sha256(cursors.encode()).hexdigest()[:16]}"


def refusal(started: Sequence[dg.DagsterRun]) -> dg.SkipReason | None:
    """Why a change does not start a run (again), or None when it may."""
    for run in started:
        if not run.is_finished:
            return dg.SkipReason(f"run {run.run_id} is reading this change")
        if run.is_success:
            return dg.SkipReason(f"run {run.run_id} has read this change and found nothing new")
    if len(started) >= ATTEMPTS:
        return dg.SkipReason(f"{len(started)} runs for this change failed; the nightly run tries again")
    return None


def _request(topology: Topology, system: str, changed: Mapping[str, Cursor | None], *, key: str) -> dg.RunRequest:
    objects = [(system, name) for name in changed]
    return dg.RunRequest(
        run_key=key,
        asset_selection=[dg.AssetKey(each) for each in jobs.touched(topology, objects)],
        tags={CHANGE: key.rpartition("-")[0], "sync/system": system},
    )
