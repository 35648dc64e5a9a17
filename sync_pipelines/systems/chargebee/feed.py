"""Chargebee's events, read as hints of which lists have news: what an event says is never trusted.

One poll serves all objects. Source: API reference, "Events".
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

import msgspec

from sync_pipelines.clock import Clock
from sync_pipelines.systems.chargebee.record import BASE, KINDS, PAGE_MAX, get
from sync_pipelines.systems.http import Wire
from sync_pipelines.systems.splitting import Splitter

ROUTE = "GET /events"
FRESH = timedelta(seconds=60)
"""How long an answer of the feed serves further objects of the same run."""
MARGIN = 3600
"""Seconds that a poll reaches back further than asked, for the objects that were read a little earlier."""

_SPLITTER = Splitter(
    ("list",), {"id": str, "occurred_at": int, "content": Mapping[str, msgspec.Raw]}, wrapped_in="event"
)


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened to these resources ("customer"); the time is in seconds of Chargebee's clock."""

    event_id: str
    occurred_at: int
    resources: frozenset[str]


@dataclass(frozen=True, slots=True)
class Polled:
    """The newest events as they were at `at`, asked for since a second; all since `start` are among them."""

    asked: int
    start: int
    at: datetime
    events: tuple[Event, ...]

    @property
    def newest(self) -> int:
        return max((event.occurred_at for event in self.events), default=0)

    def of(self, object: str, start: int) -> list[Event]:
        resource = KINDS[object].resource
        return [event for event in self.events if resource in event.resources and event.occurred_at >= start]


class Feed:
    """Polls once for all objects, and again when the answer is stale or does not reach back far enough."""

    def __init__(self, wire: Wire, *, clock: Clock) -> None:
        self._wire = wire
        self._clock = clock
        self._polled: Polled | None = None
        self._lock = threading.Lock()

    def since(self, start: int) -> Polled | None:
        """Events since a second; None where there are more than a page of them: then anything may have changed."""
        with self._lock:
            held = self._polled
            if held is None or held.asked > start or self._clock.now() - held.at > FRESH:
                held = self._polled = self._poll(start)
            return held if held.start <= start else None

    def look(self, start: int) -> None:
        """Ask anew for the events since a second."""
        with self._lock:
            self._polled = self._poll(start)

    def forget(self) -> None:
        """What was polled is out of date, because we wrote."""
        with self._lock:
            self._polled = None

    def _poll(self, start: int) -> Polled:
        at, asked = self._clock.now(), max(start - MARGIN, 0)
        where = {"occurred_at[after]": str(asked - 1)} if asked else {}
        query = urlencode({**where, "sort_by[desc]": "occurred_at", "limit": str(PAGE_MAX)})
        page = _SPLITTER.split(get(self._wire, f"{BASE}/events?{query}", route=ROUTE))
        columns = page.columns
        events = tuple(
            Event(event_id, occurred_at, frozenset(content))
            for event_id, occurred_at, content in zip(
                columns["id"], columns["occurred_at"], columns["content"], strict=True
            )
        )
        is_whole = page.value("next_offset", str | None) is None
        reached = asked if is_whole else min(event.occurred_at for event in events) + 1
        return Polled(asked, reached, at, events)
