"""Stripe's feed of events, read as hints of what to look at: payloads of events are never trusted.

Stripe's objects carry no modification stamp, so the feed is the only way to see late changes. It reaches
back 30 days, and renders objects in the API version of their time (API reference, "Events").
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

import msgspec

from sync_pipelines.clock import Clock
from sync_pipelines.systems.http import Wire
from sync_pipelines.systems.splitting import Split, Splitter
from sync_pipelines.systems.stripe.record import PAGE_MAX, get, walk

ROUTE = "GET /v1/events"
FRESH = timedelta(seconds=60)
"""How long an answer of the feed serves further objects of the same run."""
MARGIN = 3600
"""Seconds that an answer reaches back further than asked, for the objects that were read a little earlier."""

TYPES: Mapping[str, tuple[str, ...]] = {
    "customers": ("customer.created", "customer.updated", "customer.deleted"),
    "products": ("product.created", "product.updated", "product.deleted"),
    "prices": ("price.created", "price.updated", "price.deleted"),
    "subscriptions": (
        "customer.subscription.created",
        "customer.subscription.updated",
        "customer.subscription.deleted",
        "customer.subscription.paused",
        "customer.subscription.resumed",
        "customer.subscription.pending_update_applied",
        "customer.subscription.pending_update_expired",
    ),
    "invoices": (
        "invoice.created",
        "invoice.updated",
        "invoice.deleted",
        "invoice.finalized",
        "invoice.finalization_failed",
        "invoice.marked_uncollectible",
        "invoice.overdue",
        "invoice.paid",
        "invoice.payment_failed",
        "invoice.payment_succeeded",
        "invoice.sent",
        "invoice.voided",
    ),
    "credit_notes": ("credit_note.created", "credit_note.updated", "credit_note.voided"),
}
"""Events after which an object may look different."""

GROUPS: Sequence[tuple[str, ...]] = (
    ("customers", "products", "prices", "subscriptions"),
    ("invoices", "credit_notes"),
)
"""Objects that are polled in one call, which takes at most 20 types."""


class _Object(msgspec.Struct):
    id: str


class _Data(msgspec.Struct):
    object: _Object


_SPLITTER = Splitter(("data",), {"id": str, "type": str, "created": int, "data": _Data})


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened to an object; `created` is in Unix seconds of Stripe's clock."""

    event_id: str
    type: str
    created: int
    record_id: str


@dataclass(frozen=True, slots=True)
class Polled:
    """The feed of a group from `start` on, as it was at `at`; events are newest first."""

    start: int
    at: datetime
    events: Sequence[Event]

    @property
    def newest(self) -> int:
        """When the newest event was created; 0 when there is none."""
        return max((event.created for event in self.events), default=0)

    def of(self, object: str, start: int) -> list[Event]:
        types = TYPES[object]
        return [event for event in self.events if event.type in types and event.created >= start]


class Feed:
    """Polls the feed once for all objects of a group, and again when the answer is stale or too short."""

    def __init__(self, wire: Wire, *, clock: Clock) -> None:
        self._wire = wire
        self._clock = clock
        self._polled: dict[tuple[str, ...], Polled] = {}
        self._lock = threading.Lock()

    def since(self, object: str, start: int) -> Polled:
        """Everything the feed holds from `start` on for the group of an object."""
        group = next(group for group in GROUPS if object in group)
        with self._lock:
            held = self._polled.get(group)
            if held is None or held.start > start or self._clock.now() - held.at > FRESH:
                held = self._polled[group] = self._poll(group, start)
            return held

    def newest(self, object: str) -> int:
        """When the newest event of an object's group was created; 0 when the feed is empty."""
        group = next(group for group in GROUPS if object in group)
        with self._lock:
            held = self._polled.get(group)
            if held is None or self._clock.now() - held.at > FRESH:
                at, latest = self._clock.now(), self._first(_types(group))
                start = max((event.created for event in latest), default=0) + 1
                held = self._polled[group] = Polled(start, at, latest)
            return held.newest

    def look(self, start: int) -> None:
        """Ask for one page of events of every type: where all since `start` fit on it, it serves every group."""
        with self._lock:
            at, start = self._clock.now(), max(start - MARGIN, 0)
            query = urlencode([("created[gte]", str(start)), ("limit", str(PAGE_MAX))])
            page = _SPLITTER.split(get(self._wire, f"/v1/events?{query}", route=ROUTE))
            is_whole = not page.value("has_more", bool)
            self._polled = dict.fromkeys(GROUPS, Polled(start, at, _events(page))) if is_whole else {}

    def forget(self) -> None:
        """What was polled is out of date, because we wrote."""
        with self._lock:
            self._polled.clear()

    def _first(self, where: Sequence[tuple[str, str]]) -> list[Event]:
        query = urlencode([*where, ("limit", "1")])
        return _events(_SPLITTER.split(get(self._wire, f"/v1/events?{query}", route=ROUTE)))

    def _poll(self, group: tuple[str, ...], start: int) -> Polled:
        """Events since `start`, and what the last page tells from before it."""
        at, reached, seen = self._clock.now(), max(start - MARGIN, 0), dict[str, Event]()
        where = [*_types(group), ("created[gte]", str(reached))]
        for page in walk(self._wire, "/v1/events", where, route=ROUTE, splitter=_SPLITTER):
            events = _events(page)
            seen |= {event.event_id: event for event in events}
            if page.value("has_more", bool) and events[-1].created < start:
                reached = events[-1].created + 1
                break
        return Polled(reached, at, list(seen.values()))


def _types(group: tuple[str, ...]) -> list[tuple[str, str]]:
    return [("types[]", name) for member in group for name in TYPES[member]]


def _events(page: Split) -> list[Event]:
    columns = page.columns
    rows = zip(columns["id"], columns["type"], columns["created"], columns["data"], strict=True)
    return [Event(event_id, kind, created, data.object.id) for event_id, kind, created, data in rows]
