"""When the ERP posts what lies there: its declared batch windows, on its own wall clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.errors import FixConfiguration


@dataclass(frozen=True, slots=True)
class Windows:
    """Times of day at which the batch job runs.

    >>> from datetime import UTC
    >>> windows = Windows((time(2), time(22)), ZoneInfo("Europe/Berlin"))
    >>> windows.told(datetime(2026, 11, 23, 18, tzinfo=UTC))
    'its next window is at 2026-11-23 22:00 Europe/Berlin'
    """

    opens: Sequence[time]
    zone: ZoneInfo

    def local(self, at: datetime) -> datetime:
        return at.astimezone(self.zone)

    def stamp(self, at: datetime) -> str:
        """An instant as file names have it."""
        return self.local(at).strftime("%Y%m%d_%H%M%S")

    def told(self, at: datetime) -> str:
        """When the job runs next; on a night whose clock is turned it may run twice, or later."""
        now = self.local(at)
        days = (now.date() + timedelta(days=ahead) for ahead in (0, 1))
        runs = (datetime.combine(day, opens, self.zone) for day in days for opens in sorted(self.opens))
        following = next(run for run in runs if run > now)
        return f"its next window is at {following:%Y-%m-%d %H:%M} {self.zone}"


def windows_of(settings: SystemSettings) -> Windows:
    """From the options `windows` ("22:00 02:00") and `zone`."""
    try:
        opens = [time.fromisoformat(each) for each in settings.option("windows").replace(",", " ").split()]
        zone = ZoneInfo(settings.option("zone"))
    except (ValueError, ZoneInfoNotFoundError):
        opens = []
    if not opens:
        raise FixConfiguration(
            f"[systems.{settings.name}] needs windows like '22:00 02:00', and a zone like 'Europe/Berlin'"
        )
    return Windows(tuple(opens), zone)
