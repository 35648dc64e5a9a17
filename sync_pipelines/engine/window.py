"""Maintenance windows: until when a system is left alone by declaration, on days of 23, 24 and 25 hours alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sync_pipelines.engine.topology import Window

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CHAINED = 8
"""Windows that follow one another without a break and are told as one, at most."""


def held_until(windows: Sequence[Window], at: datetime) -> datetime | None:
    """The moment at which the windows that are open now, and those that follow at once, are over; None outside.

    >>> nightly = Window(opens="22:00", closes="02:00", zone="America/New_York", days=["sat"])
    >>> held_until([nightly], datetime(2026, 11, 1, 6, 30, tzinfo=UTC))  # 01:30 for the second time
    datetime.datetime(2026, 11, 1, 7, 0, tzinfo=datetime.timezone.utc)
    """
    until = at
    for _ in range(_CHAINED):
        later = [end for window in windows for start, end in _spans(window, until) if start <= until < end]
        if not later:
            break
        until = max(later)
    return until if until > at else None


def _spans(window: Window, at: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The window as it was opened yesterday and today, in its own zone."""
    zone = ZoneInfo(window.zone)
    opens, closes = time.fromisoformat(window.opens), time.fromisoformat(window.closes)
    today = at.astimezone(zone).date()
    for day in (today - timedelta(days=1), today):
        if not window.days or DAYS[day.weekday()] in window.days:
            last = day if closes > opens else day + timedelta(days=1)
            yield min(_instants(day, opens, zone)), max(_instants(last, closes, zone))


def _instants(day: date, clock: time, zone: ZoneInfo) -> list[datetime]:
    """The instants that a wall clock may mean: two where it is turned, so that no window gets shorter by that."""
    return [datetime.combine(day, clock.replace(fold=fold), zone).astimezone(UTC) for fold in (0, 1)]
