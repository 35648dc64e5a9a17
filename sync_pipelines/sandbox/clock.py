"""Time inside a stand-in: the machine's own until somebody sets or advances it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


class VirtualClock:
    """A clock that tells real time, or stands still at an instant and moves only when told.

    `start` None means real time. `set` and `advance` make it stand still; `sleep` then advances it
    instead of waiting. `skew` shifts what it tells in either mode, as a server with a wrong clock does.

    >>> clock = VirtualClock(datetime(2026, 11, 23, tzinfo=UTC))
    >>> clock.sleep(90)
    >>> clock.now().isoformat()
    '2026-11-23T00:01:30+00:00'
    """

    def __init__(self, start: datetime | None = None) -> None:
        self._instant = _aware(start) if start else None
        self._skew = timedelta()

    @property
    def virtual(self) -> bool:
        return self._instant is not None

    def now(self) -> datetime:
        return (self._instant or datetime.now(UTC)) + self._skew

    def sleep(self, seconds: float) -> None:
        if self.virtual:
            self.advance(seconds)
        else:
            time.sleep(seconds)

    def set(self, instant: datetime | None) -> None:
        """Stand still at an instant; None goes back to real time."""
        self._instant = _aware(instant) if instant else None

    def advance(self, seconds: float) -> None:
        self._instant = (self._instant or datetime.now(UTC)) + timedelta(seconds=seconds)

    def skew(self, seconds: float) -> None:
        self._skew = timedelta(seconds=seconds)


def _aware(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError(f"{instant} has no time zone: give an aware instant")
    return instant.astimezone(UTC)
