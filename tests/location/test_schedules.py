"""On the days that change the clock every schedule fires, and fires once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._utils.schedules import schedule_execution_time_iterator
from msgspec.structs import replace as changed

from sensors import schedules
from sync_pipelines.engine.topology import Topology

CLOCK_CHANGES = {
    "America/New_York": [(2026, 3, 8), (2026, 11, 1)],
    "Europe/Berlin": [(2026, 3, 29), (2026, 10, 25)],
    "Australia/Sydney": [(2026, 10, 4), (2026, 4, 5)],
}
DAYS = [(zone, day) for zone, days in CLOCK_CHANGES.items() for day in days]


def built(topology: Topology, zone: str) -> list[dg.ScheduleDefinition]:
    """The schedules of the topology, had it been written in another zone."""
    domains = {
        name: changed(domain, schedule=changed(domain.schedule, zone=zone)) for name, domain in topology.domains.items()
    }
    return schedules.build(changed(topology, domains=domains))


def ticks(schedule: dg.ScheduleDefinition, day: datetime) -> Iterator[datetime]:
    """When Dagster's daemon starts a run on a day, as the wall clock has it."""
    following = schedule_execution_time_iterator(
        day.timestamp(), str(schedule.cron_schedule), schedule.execution_timezone, ascending=True
    )
    end = datetime.combine(day.date() + timedelta(days=1), day.timetz())
    return takewhile(lambda at: at.timestamp() < end.timestamp(), following)


@pytest.mark.parametrize(("zone", "day"), DAYS)
def test_every_schedule_fires_once_and_only_once(topology: Topology, zone: str, day: tuple[int, int, int]) -> None:
    midnight = datetime(*day, tzinfo=ZoneInfo(zone))

    fired = {schedule.name: len(list(ticks(schedule, midnight))) for schedule in built(topology, zone)}

    assert len(fired) == len(topology.domains) + 1
    assert set(fired.values()) == {1}


@pytest.mark.parametrize(("zone", "day"), DAYS)
def test_the_night_runs_before_what_proves_it(topology: Topology, zone: str, day: tuple[int, int, int]) -> None:
    midnight = datetime(*day, tzinfo=ZoneInfo(zone))

    nightly, *proofs = [next(ticks(schedule, midnight)).timestamp() for schedule in built(topology, zone)]

    assert nightly < min(proofs)


@pytest.mark.parametrize(("zone", "day"), DAYS)
def test_these_days_do_change_the_clock(zone: str, day: tuple[int, int, int]) -> None:
    midnight = datetime(*day, tzinfo=ZoneInfo(zone))
    next_midnight = datetime.combine(midnight.date() + timedelta(days=1), midnight.timetz())

    assert next_midnight.timestamp() - midnight.timestamp() in (23 * 3600, 25 * 3600)
