"""The schedules: the whole loop every night, and each domain's proof at the domain's own time."""

from __future__ import annotations

import dagster as dg

from sensors import jobs
from sync_pipelines.engine.topology import Topology

NIGHTLY_CRON = "0 1 * * *"
"""Before the domains' own times, so that what they prove is what the night has left behind."""


def build(topology: Topology) -> list[dg.ScheduleDefinition]:
    zones = [settings.schedule.zone for settings in topology.domains.values()]
    nightly = dg.ScheduleDefinition(
        name="nightly",
        job_name=jobs.FULL,
        cron_schedule=NIGHTLY_CRON,
        execution_timezone=zones[0] if zones else "UTC",
        description="The whole loop, with every extraction counted.",
    )
    return [nightly, *(_proof(topology, name) for name in topology.domains)]


def _proof(topology: Topology, domain: str) -> dg.ScheduleDefinition:
    schedule = topology.domains[domain].schedule
    return dg.ScheduleDefinition(
        name=f"{domain}_nightly",
        job_name=jobs.proof_of(domain),
        cron_schedule=schedule.cron,
        execution_timezone=schedule.zone,
        description=f"Proves the {domain} domain on its own, writing nothing.",
    )
