"""Chargebee behind the port: lists by time of change to read, keyed form posts to write."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence

import msgspec
import requests

from sync_pipelines.clock import Clock
from sync_pipelines.engine.port import (
    Counting,
    Cursor,
    Deletes,
    Found,
    Locking,
    Outcome,
    Page,
    Passport,
    Rate,
    Request,
    Shape,
)
from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.errors import MalformedPage
from sync_pipelines.systems.auth import Basic
from sync_pipelines.systems.budget import Turns
from sync_pipelines.systems.chargebee.answer import API_VERSION, classify
from sync_pipelines.systems.chargebee.feed import Feed, Polled
from sync_pipelines.systems.chargebee.record import BASE, KINDS, PAGE_MAX, Record, Records, get
from sync_pipelines.systems.chargebee.write import CREATED, Writer
from sync_pipelines.systems.http import Wire, pooled_session
from sync_pipelines.systems.passport import configured
from sync_pipelines.systems.served import served
from sync_pipelines.systems.single import BATCH_MAX, each, outcomes

DAY = 86_400

PASSPORT = Passport(
    api_version=API_VERSION,
    page_max=PAGE_MAX,
    late_seconds=600,
    grain_seconds=1,
    is_ordered=True,
    deletes=Deletes.IN_PAGES,
    counting=Counting.NONE,
    looks_at=len(KINDS),
    batch_max=BATCH_MAX,
    batch_atomic=False,
    idempotency_seconds=DAY,
    locking=Locking.REREAD,
    keys=dict.fromkeys(CREATED, "id"),
    settling_seconds=120,
    rate=Rate(150, 60, "HTTP 429, api_request_limit_exceeded"),
)
"""API reference and the vendor's SDKs: 100 records a page, `updated_at` in whole seconds, ids of one's own choice,
nothing can be counted or locked, an idempotency header, 150 calls a minute on a test site (live ones have more), and
80 seconds of patience with a call. That a key is kept for a day, that changes and their events come at most ten minutes
late, and that a call which was given up ends within two, are estimates. v2 has no announced end."""


class Position(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a cursor says.

    Everything that changed up to the second `at` is stored. Of the feed, events up to `polled` are done with, and of
    the overlap before it those in `seen`. The list was last read whole at `listed_at` (our clock); while it is being
    read the position is `partial`.
    """

    at: int = 0
    polled: int = 0
    seen: tuple[str, ...] = ()
    listed_at: int = 0
    partial: bool = False


def open_system(
    settings: SystemSettings,
    *,
    clock: Clock,
    session: requests.Session | None = None,
    rng: random.Random | None = None,
) -> Chargebee:
    """A Chargebee site with Product Catalog 2.0; nothing is sent until the first call.

    `settings` needs `url` (https://SITE.chargebee.com) and `api_key`, one with full access where something is written.
    """
    session = session or pooled_session(settings.concurrency)
    auth = Basic(settings.name, settings.option("api_key"))
    wire = Wire(settings, clock=clock, auth=auth, classify=classify, session=session, rng=rng)
    passport = configured(PASSPORT, settings)
    return Chargebee(wire, clock=clock, concurrency=settings.concurrency, passport=passport)


class Chargebee:
    """One site. A record's version is its `resource_version`; deleted records come in pages."""

    def __init__(self, wire: Wire, *, clock: Clock, concurrency: int = 1, passport: Passport = PASSPORT) -> None:
        self.name = wire.name
        self.passport = passport
        self.calls = wire.calls
        self._wire = wire
        self._clock = clock
        self._concurrency = concurrency
        self._records = Records(wire)
        self._feed = Feed(wire, clock=clock)
        self._writer = Writer(wire)

    def share_pace(self, turns: Turns) -> None:
        self._wire.budget.share(turns)

    def identity(self) -> str:
        """The site's name; a test site has another one than the live site."""
        body = get(self._wire, f"{BASE}/configurations", route="GET /configurations")
        try:
            return msgspec.json.decode(body, type=_Configurations).configurations[0].domain
        except (msgspec.MsgspecError, IndexError):
            raise MalformedPage("Chargebee does not say which site this is") from None

    def read(self, object: str, shape: Shape, since: Cursor | None) -> Iterator[Page]:
        """Records by time of change from `overlap_seconds` before the cursor, deleted ones too.

        Where the feed of events names no change of the object, its list is not asked, for a day at most.
        """
        served(KINDS, object, vendor="Chargebee")
        position = _position(since)
        if position is None or position.partial:
            started = self._now()
            yield from self._list(object, position or Position(), Position(polled=started, listed_at=started))
            return
        polled = self._feed.since(self._start(position))
        if not self._is_news(object, position, polled):
            reached = self._reached(object, position, polled)
            if reached != position:
                yield _page([], reached)
            return
        reached = msgspec.structs.replace(self._reached(object, position, polled), listed_at=self._now())
        yield from self._list(object, position, reached)

    def count(self, object: str) -> int | None:
        """None: Chargebee counts nothing."""
        return None

    def ids(self, object: str) -> Iterator[Sequence[str]]:
        """Every id that is not deleted, in Chargebee's own order."""
        return ([record.record_id for record in records] for records in self._records.live(object))

    def changed(self, cursors: Mapping[str, Cursor | None]) -> set[str]:
        """Those of which the feed names a change: one call for all. Once a day each is, so that its list is read."""
        positions = {name: _position(since) for name, since in cursors.items()}
        whole = {name: each for name, each in positions.items() if each is not None and not each.partial}
        if whole:
            self._feed.look(min(self._start(each) for each in whole.values()))
        return {
            name
            for name in positions
            if name not in whole or self._is_news(name, whole[name], self._feed.since(self._start(whole[name])))
        }

    def fetch(self, object: str, shape: Shape, record_ids: Sequence[str]) -> Mapping[str, Found]:
        return {
            record.record_id: Found(record.record_id, str(record.version), record.payload)
            for records in self._records.live(object, record_ids)
            for record in records
        }

    def find(self, object: str, external_ids: Sequence[str]) -> Mapping[str, Found]:
        """What we created has the external id as its id, and lists show a write at once."""
        return self.fetch(object, {}, external_ids)

    def write(self, requests: Sequence[Request]) -> Sequence[Outcome]:
        """One call or two a request; raises only where not one of them was sent, so that no outcome is lost."""
        results = each(self._writer.send, requests, concurrency=self._concurrency)
        self._feed.forget()
        return outcomes(requests, results)

    def _list(self, object: str, position: Position, reached: Position) -> Iterator[Page]:
        """What changed since the position, whose time every page moves on; with the last page it is `reached`."""
        started, at = self._now(), position.at
        after = position.at - self.passport.overlap_seconds - 1
        for records, is_last in self._in_order(object, after):
            newest = max((record.at for record in records), default=0)
            at = max(at, newest if KINDS[object].is_ordered else min(newest, started))
            done = reached if is_last else msgspec.structs.replace(position, partial=True)
            yield _page(records, msgspec.structs.replace(done, at=at))

    def _in_order(self, object: str, after: int) -> Iterator[tuple[list[Record], bool]]:
        """Pages with the oldest change first; where the list can't be sorted so, it is read whole before."""
        pages = self._records.changed(object, after)
        if KINDS[object].is_ordered:
            yield from pages
            return
        records = sorted((record for page, _ in pages for record in page), key=lambda record: record.version)
        starts = range(0, max(len(records), 1), PAGE_MAX)
        for start in starts:
            yield records[start : start + PAGE_MAX], start == starts[-1]

    def _is_news(self, object: str, position: Position, polled: Polled | None) -> bool:
        if polled is None or self._now() - position.listed_at > DAY:
            return True
        return any(event.event_id not in position.seen for event in polled.of(object, self._start(position)))

    def _reached(self, object: str, position: Position, polled: Polled | None) -> Position:
        """The position in the feed after a poll."""
        if polled is None:
            return msgspec.structs.replace(position, polled=self._now(), seen=())
        moved = msgspec.structs.replace(position, polled=max(position.polled, polled.newest))
        seen = tuple(event.event_id for event in polled.of(object, self._start(moved)))
        return msgspec.structs.replace(moved, seen=seen)

    def _start(self, position: Position) -> int:
        return max(position.polled - self.passport.overlap_seconds, 0)

    def _now(self) -> int:
        return int(self._clock.now().timestamp())


class _Configuration(msgspec.Struct):
    domain: str


class _Configurations(msgspec.Struct):
    configurations: list[_Configuration]


def _position(since: Cursor | None) -> Position | None:
    return None if since is None else msgspec.convert(dict(since), Position)


def _page(records: Sequence[Record], position: Position) -> Page:
    return Page(
        record_ids=[record.record_id for record in records],
        versions=[str(record.version) for record in records],
        payloads=[record.payload for record in records],
        deleted=[record.deleted for record in records],
        cursor=msgspec.to_builtins(position),
    )
