"""The calendar of the simulated company: business dates in New York, instants in UTC, vendors' stamps."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from random import Random
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("America/New_York")
"""The zone of the legal entity US01, in which its business dates are told."""

TODAY = date(2026, 11, 23)
FIRST_DAY, LAST_DAY = date(2026, 1, 5), date(2026, 11, 15)
"""Documents are dated between these."""

FIRST_OPEN_DAY = date(2026, 4, 1)
"""January to March 2026 are closed in the ERP."""

IMPORTS = tuple(
    datetime(2026, month, day, hour, minute, second, tzinfo=UTC)
    for month, day, hour, minute, second in ((1, 12, 7, 0, 0), (3, 2, 6, 30, 12), (6, 15, 5, 45, 30))
)
"""Bulk imports into Salesforce: many records carry exactly these stamps."""


@lru_cache(maxsize=4096)
def midnight(day: date) -> int:
    """The Unix second at which a business day begins."""
    return int(datetime.combine(day, time(), ZONE).timestamp())


def during(day: date, rng: Random) -> datetime:
    """An instant of a business day; every fifth is so late that in UTC it is already the next day."""
    hour = rng.randint(20, 23) if rng.random() < 0.2 else rng.randint(7, 19)
    return datetime.combine(day, time(hour, rng.randrange(60), rng.randrange(60)), ZONE).astimezone(UTC)


def epoch(moment: datetime) -> int:
    return int(moment.timestamp())


def stamp(moment: datetime) -> str:
    """A moment as Salesforce writes it.

    >>> stamp(datetime(2026, 11, 2, 8, tzinfo=UTC))
    '2026-11-02T08:00:00.000+0000'
    """
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def touched(rng: Random) -> datetime:
    """When a record was last saved in 2026: for a third of them, by a bulk import."""
    if rng.random() < 0.35:
        return rng.choice(IMPORTS)
    first, last = datetime(2026, 1, 5, 12, tzinfo=UTC), datetime(2026, 11, 22, 12, tzinfo=UTC)
    return first + timedelta(seconds=rng.randint(0, int((last - first).total_seconds())))


def months_after(day: date, months: int) -> date:
    """The same day of a later month; days after the 28th are not asked for.

    >>> months_after(date(2026, 11, 15), 14)
    datetime.date(2028, 1, 15)
    """
    years, month = divmod(day.month - 1 + months, 12)
    return date(day.year + years, month + 1, day.day)


def between(rng: Random, first: date, last: date) -> date:
    """A date from a span, both ends included, never after the 28th of a month."""
    day = first + timedelta(days=rng.randint(0, max((last - first).days, 0)))
    return day if day.day <= 28 else day.replace(day=28)
