"""What a system may be asked: pace, concurrency, the vendor's own count of use, and a budget for retries."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sync_pipelines.clock import Clock
from sync_pipelines.errors import RetryLater

PROBE_SECONDS = 60.0
"""How long a system that reported its limit as used up is left alone before one call asks again."""

LEASED_SECONDS = 0.5
"""How long a stretch of turns one process takes at once from those that all processes share."""


@dataclass(frozen=True, slots=True)
class Usage:
    """The vendor's own count of calls in its window, ours and everybody else's."""

    used: int
    limit: int

    @property
    def exhausted(self) -> bool:
        return self.used >= self.limit > 0


Turns = Callable[[int, timedelta, datetime], datetime]
"""Takes so many turns in a row, each an interval after the one before, and tells when the first is: not before now."""


class OwnTurns:
    """The turns of a process that shares them with no other."""

    def __init__(self) -> None:
        self._free_at: datetime | None = None

    def __call__(self, count: int, every: timedelta, now: datetime) -> datetime:
        first = max(self._free_at or now, now)
        self._free_at = first + every * count
        return first


class Budget:
    """Pace and concurrency for one system, shared by all threads that call it.

    Up to one second's worth of calls may go at once; after that they are spaced evenly. Where the pace is shared
    with other processes, a short stretch of turns is leased at a time, so that few calls cost a round trip: each may
    then be late by as much as the stretch is long, and early by so much less. What is not used by then lapses.
    """

    def __init__(self, name: str, calls_per_second: float, concurrency: int, *, clock: Clock) -> None:
        self.usage: Usage | None = None
        self._name = name
        self._interval = timedelta(seconds=1 / calls_per_second)
        self._burst = max(timedelta(0), timedelta(seconds=1) - self._interval)
        self._clock = clock
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(max(1, concurrency))
        self._turns: Turns = OwnTurns()
        self._stretch = 1
        self._late = timedelta(0)
        self._next: datetime | None = None
        self._left = 0
        self._usage_at: datetime | None = None

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Wait for a turn and hold one of the concurrent slots; `RetryLater` when the limit is used up."""
        with self._slots:
            wait = self._take_turn()
            if wait > 0:
                self._clock.sleep(wait)
            yield

    def share(self, turns: Turns) -> None:
        """Take turns from where other processes take theirs too."""
        with self._lock:
            self._turns, self._left = turns, 0
            self._stretch = max(1, int(LEASED_SECONDS / self._interval.total_seconds()))
            self._late = self._interval * self._stretch if self._stretch > 1 else timedelta(0)

    def observe(self, usage: Usage | None) -> None:
        """Remember what the vendor said about use of its limit (None: this answer said nothing)."""
        if usage is not None:
            with self._lock:
                self.usage, self._usage_at = usage, self._clock.now()

    def _take_turn(self) -> float:
        with self._lock:
            now = self._clock.now()
            self._refuse_when_exhausted(now)
            turn = self._leased(now) or self._turns(self._stretch, self._interval, now)
            if self._left == 0:
                self._left = self._stretch
            self._left -= 1
            self._next = turn + self._interval
            return (turn - (self._burst - self._late) - now).total_seconds()

    def _leased(self, now: datetime) -> datetime | None:
        """The next of the turns that were leased, if one is left that has not lapsed."""
        if self._left and self._next is not None and now <= self._next + self._late:
            return self._next
        self._left = 0
        return None

    def _refuse_when_exhausted(self, now: datetime) -> None:
        if self.usage is None or self._usage_at is None or not self.usage.exhausted:
            return
        rest = PROBE_SECONDS - (now - self._usage_at).total_seconds()
        if rest > 0:
            used = f"{self.usage.used} of {self.usage.limit} calls"
            raise RetryLater(f"{self._name} reports its limit as used up ({used})", after=rest)
        self._usage_at = now


class RetryBudget:
    """Retries are paid from successes, so that a system that is down is not stormed.

    A call that succeeds earns a tenth of a retry; at most `capacity` can be saved, and it starts full.
    """

    def __init__(self, capacity: float = 20.0, earned: float = 0.1) -> None:
        self._capacity = capacity
        self._earned = earned
        self._saved = capacity
        self._lock = threading.Lock()

    def earn(self) -> None:
        with self._lock:
            self._saved = min(self._capacity, self._saved + self._earned)

    def spend(self) -> bool:
        """Take one retry; False when none is left."""
        with self._lock:
            if self._saved < 1:
                return False
            self._saved -= 1
            return True
