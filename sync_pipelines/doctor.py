"""The doctor: looks at everything a run needs, without changing anything, and says how to mend what is ill."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sync_pipelines import config, mappings, planes
from sync_pipelines.clock import SystemClock
from sync_pipelines.engine.retirement import notice
from sync_pipelines.engine.topology import Topology
from sync_pipelines.errors import SyncError
from sync_pipelines.ledger import guard
from sync_pipelines.systems.registry import SelfDescribing, Systems


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that was looked at; `told` says how it is, or what is wrong and what to do."""

    subject: str
    well: bool
    told: str


def examine(path: Path) -> Iterator[Complaint]:
    """Look at the topology, the mappings, the planes and every system; each gets its own answer."""
    try:
        topology = config.load(path)
    except SyncError as error:
        yield Complaint("topology", False, str(error))
        return
    yield Complaint("topology", True, f"{len(topology.systems)} systems, {len(topology.domains)} domains")
    yield from _mappings(topology)
    yield from _planes(topology)
    yield from _systems(topology)


def _mappings(topology: Topology) -> Iterator[Complaint]:
    for domain, settings in topology.domains.items():
        try:
            for system in settings.systems:
                mappings.lineage(system, domain)
            missing = [target for target in settings.targets if mappings.write_sql(target, domain) is None]
        except SyncError as error:
            yield Complaint(f"mappings of {domain}", False, str(error))
            continue
        files = ", ".join(f"mappings/{target}/{domain}.write.sql" for target in missing)
        told = f"add {files}, or take them out of create and update" if missing else ", ".join(settings.systems)
        yield Complaint(f"mappings of {domain}", not missing, told)


def _planes(topology: Topology) -> Iterator[Complaint]:
    try:
        with planes.server(topology), planes.open_planes(topology) as (lake, ledger):
            yield Complaint("planes", True, f"ledger and lake answer, snapshot {lake.snapshot()}")
            yield _trail(ledger.guarded)
    except SyncError as error:
        yield Complaint("planes", False, str(error))


def _trail(guarded: bool) -> Complaint:
    if guarded:
        return Complaint("audit trail", True, f"written as {guard.ROLE}, a role that can't change or remove entries")
    told = (
        "only triggers protect it, for the ledger's user may not make roles: let an administrator run "
        f"CREATE ROLE {guard.ROLE}; GRANT {guard.ROLE} TO that user; {'; '.join(guard.RIGHTS)}"
    )
    return Complaint("audit trail", False, told)


def _systems(topology: Topology) -> Iterator[Complaint]:
    clock = SystemClock()
    systems = Systems(topology.systems, clock=clock)
    for name in systems:
        try:
            system = systems[name]
            identity = system.identity()
            if isinstance(system, SelfDescribing):
                system.check_shapes(mappings.objects(name))
            counted = {each: system.count(each) for each in mappings.objects(name)}
        except SyncError as error:
            yield Complaint(name, False, str(error))
            continue
        told = ", ".join(f"{each} {count}" for each, count in counted.items() if count is not None)
        ending = notice(system.passport, on=clock.now().date())
        yield Complaint(name, True, f"{identity} answers, API {system.passport.api_version}; {told}")
        if ending:
            yield Complaint(f"version of {name}", False, ending)
