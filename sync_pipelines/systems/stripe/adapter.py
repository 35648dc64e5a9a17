"""Stripe behind the port: lists and the event feed to read, keyed form posts to write."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from urllib.parse import urlencode

import msgspec
import requests

from sync_pipelines.clock import Clock
from sync_pipelines.engine.port import (
    ANY,
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
from sync_pipelines.errors import FixConfiguration
from sync_pipelines.systems.auth import ApiKey
from sync_pipelines.systems.budget import Turns
from sync_pipelines.systems.http import Wire, pooled_session
from sync_pipelines.systems.passport import configured
from sync_pipelines.systems.served import served
from sync_pipelines.systems.single import BATCH_MAX, each, outcomes
from sync_pipelines.systems.splitting import Splitter
from sync_pipelines.systems.stripe.answer import API_VERSION, Gone, classify
from sync_pipelines.systems.stripe.feed import Event, Feed
from sync_pipelines.systems.stripe.record import (
    PAGE_MAX,
    Filter,
    Record,
    Records,
    VersionOf,
    get,
    tombstone,
    version_of,
)
from sync_pipelines.systems.stripe.write import EXTERNAL_ID, REPLACES, Writer, product_id

DAY = 86_400
FEED_SECONDS = 29 * DAY
"""How old a cursor may be: the feed of events reaches back 30 days, and clocks differ."""
FIND_SECONDS = 30 * DAY
COUNTED_MAX = 10_000
"""From here on Stripe's `total_count` is no longer accurate."""
IDS_MAX = 50
"""Ids in one call, so that its address stays within what proxies let pass."""

LISTS: Mapping[str, Sequence[Filter]] = {
    "customers": ((),),
    "products": ((),),
    "prices": ((("active", "true"),), (("active", "false"),)),
    "subscriptions": ((("status", "all"),),),
    "invoices": ((),),
    "credit_notes": ((),),
}
"""The objects, and the filters of the lists that together show all of them: defaults hide the inactive."""

SEARCHES: Mapping[str, str] = {
    "customers": "created>0",
    "products": 'active:"true" OR active:"false"',
    "prices": 'active:"true" OR active:"false"',
    "subscriptions": "created>0",
    "invoices": "created>0",
}
"""Queries that find everything; credit notes can't be searched, products and prices not by time."""

PASSPORT = Passport(
    api_version=API_VERSION,
    page_max=PAGE_MAX,
    late_seconds=600,
    grain_seconds=1,
    is_ordered=False,
    deletes=Deletes.SWEEP,
    counting=Counting.LAGGING,
    looks_at=len(LISTS),
    batch_max=BATCH_MAX,
    batch_atomic=False,
    idempotency_seconds=DAY,
    locking=Locking.REREAD,
    keys={"products": "id", ANY: f"metadata.{EXTERNAL_ID}"},
    settling_seconds=120,
    rate=Rate(25, 1, "HTTP 429, rate_limit"),
)
"""API reference: a key is kept for 24 hours at least, times are whole seconds, lists give the newest first, nothing
can be locked, an endpoint takes 25 calls a second, and versions are not retired. That events come at most ten minutes
late, and that a call which was given up ends within two, are estimates."""


class Position(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a cursor says.

    Everything up to `event_created` (Stripe's clock) is stored, and of the overlap before it what the events
    in `seen` named. `full_at` (our clock) and `size` are of the last whole read; `resume` is the list and the
    id after which an unfinished one goes on.
    """

    event_created: int = 0
    full_at: int = 0
    size: int = 0
    seen: tuple[str, ...] = ()
    resume: tuple[int, str] | None = None

    def overlap_start(self, passport: Passport) -> int:
        return max(self.event_created - passport.overlap_seconds, 0)

    def read(self, records: int, resume: tuple[int, str] | None) -> Position:
        """The position after one more page of a whole read."""
        return msgspec.structs.replace(self, size=self.size + records, resume=resume)


def open_system(
    settings: SystemSettings,
    *,
    clock: Clock,
    session: requests.Session | None = None,
    rng: random.Random | None = None,
) -> Stripe:
    """A Stripe account; nothing is sent until the first call.

    `settings` needs `url` (https://api.stripe.com) and `api_key`, a secret key or a restricted one that may
    read events and all declared objects, and write those that the topology lets it write.
    """
    session = session or pooled_session(settings.concurrency)
    auth = ApiKey(settings.name, settings.option("api_key"))
    wire = Wire(settings, clock=clock, auth=auth, classify=classify, session=session, rng=rng)
    passport = configured(PASSPORT, settings)
    return Stripe(wire, clock=clock, concurrency=settings.concurrency, passport=passport)


class Stripe:
    """One account. Deletes come with the feed of events, which reaches back 30 days; a sweep finds older ones."""

    def __init__(self, wire: Wire, *, clock: Clock, concurrency: int = 1, passport: Passport = PASSPORT) -> None:
        self.name = wire.name
        self.passport = passport
        self.calls = wire.calls
        self._wire = wire
        self._clock = clock
        self._concurrency = concurrency
        self._records = Records(wire)
        self._feed = Feed(wire, clock=clock)
        self._writer = Writer(wire, self._records)

    def share_pace(self, turns: Turns) -> None:
        self._wire.budget.share(turns)

    def identity(self) -> str:
        """The account id ("acct_…"); a sandbox has another one than the live account."""
        account = _ONE.split(b'{"data":[' + get(self._wire, "/v1/account", route="GET /v1/account") + b"]}")
        return str(account.columns["id"][0])

    def read(self, object: str, shape: Shape, since: Cursor | None) -> Iterator[Page]:
        """All objects by list at first, later those that the feed of events names, each read by id again.

        Where the feed names more objects than there are pages in the list, the list is read instead.
        """
        served(LISTS, object, vendor="Stripe")
        position, version = _position(since), version_of(shape)
        if position is None or self._now() - max(position.event_created, position.full_at) > FEED_SECONDS:
            position = self._beginning(object)
        if position.resume is None:
            yield from self._changes(object, version, position)
            return
        try:
            yield from self._everything(object, version, position)
        except Gone:
            yield from self._everything(object, version, self._beginning(object))

    def count(self, object: str) -> int | None:
        """The total of a search, whose index lags behind; None for credit notes, which can't be searched."""
        if object not in SEARCHES:
            return None
        query = urlencode({"query": SEARCHES[object], "limit": "1", "expand[]": "total_count"})
        body = get(self._wire, f"/v1/{object}/search?{query}", route=f"GET /v1/{object}/search")
        total = _ONE.split(body).value("total_count", int | None)
        return None if total is None or total >= COUNTED_MAX else int(total)

    def ids(self, object: str) -> Iterator[Sequence[str]]:
        for where in LISTS[object]:
            yield from self._records.ids(object, where)

    def changed(self, cursors: Mapping[str, Cursor | None]) -> set[str]:
        """One page of the feed for all objects: an event is news if the last read did not see it.

        Where the page does not reach back to every cursor, the feed is read for each group of objects.
        """
        positions = {name: _position(since) for name, since in cursors.items()}
        whole = {name: each for name, each in positions.items() if each is not None and each.resume is None}
        if whole:
            self._feed.look(min(each.overlap_start(self.passport) for each in whole.values()))
        return {name for name in positions if name not in whole or self._news(name, whole[name])}

    def fetch(self, object: str, shape: Shape, record_ids: Sequence[str]) -> Mapping[str, Found]:
        records = self._by_ids(object, version_of(shape), record_ids)
        return {record.record_id: _found(record) for record in records}

    def find(self, object: str, external_ids: Sequence[str]) -> Mapping[str, Found]:
        """Products by the id that was chosen for them; others among those created in the last 30 days.

        Search lags behind writes, so lists are read instead, newest first, until all are found. A record
        that is older is in the record log, with the external id that it carries. Versions are of the
        whole payload here, not to be compared with those of `fetch`.
        """
        if object == "products":
            wanted = {product_id(external_id): external_id for external_id in external_ids}
            records = self._by_ids(object, version_of(None), list(wanted))
            return {wanted[record.record_id]: _found(record) for record in records}
        missing, found = set(external_ids), dict[str, Record]()
        for record in self._recent(object):
            external_id = record.metadata.get(EXTERNAL_ID, "")
            if external_id in missing:
                found[external_id] = record
                missing.remove(external_id)
            if not missing:
                break
        return {external_id: self._as_finished(object, record) for external_id, record in found.items()}

    def write(self, requests: Sequence[Request]) -> Sequence[Outcome]:
        """One call a request; raises only where not one of them was sent, so that no outcome is lost."""
        results = each(self._writer.send, requests, concurrency=self._concurrency)
        self._feed.forget()
        return outcomes(requests, results)

    def check_shapes(self, shapes: Mapping[str, Shape]) -> None:
        """Reads one of everything that runs will read, for the key may lack a right; Stripe describes no fields."""
        refused = [told for name in ("events", *shapes) if (told := self._refused(name))]
        if refused:
            raise FixConfiguration.of(f"{self.name} can't be read", refused)

    def _refused(self, name: str) -> str:
        try:
            if name != "events":
                served(LISTS, name, vendor="Stripe")
            get(self._wire, f"/v1/{name}?limit=1", route=f"GET /v1/{name}")
        except FixConfiguration as error:
            return f"{name}: {error}"
        return ""

    def _beginning(self, object: str) -> Position:
        """Where a whole read starts; what changes while it runs comes after `event_created`."""
        return Position(event_created=self._feed.newest(object), full_at=self._now(), resume=(0, ""))

    def _everything(self, object: str, version: VersionOf, position: Position) -> Iterator[Page]:
        """The lists of an object from where the position says; every page's cursor says how to go on."""
        number, after = position.resume or (0, "")
        for place, where in enumerate(LISTS[object][number:], start=number):
            is_last_list = place + 1 == len(LISTS[object])
            for records, is_last_page in self._records.pages(object, version, where=where, after=after):
                if not is_last_page:
                    position = position.read(len(records), (place, records[-1].record_id))
                else:
                    position = position.read(len(records), None if is_last_list else (place + 1, ""))
                yield _page(records, position)
            after = ""

    def _changes(self, object: str, version: VersionOf, position: Position) -> Iterator[Page]:
        """What the feed names since the position, oldest change first, and the position thus reached."""
        polled, events = self._feed.since(object, position.overlap_start(self.passport)), self._news(object, position)
        newest = max(polled.newest, position.event_created)
        reached = msgspec.structs.replace(position, event_created=newest)
        seen = tuple(event.event_id for event in polled.of(object, reached.overlap_start(self.passport)))
        reached = msgspec.structs.replace(reached, seen=seen)
        touched = list(dict.fromkeys(event.record_id for event in reversed(events)))
        if len(touched) > position.size // PAGE_MAX + len(LISTS[object]):
            for page in self._listed(object, version, position):
                yield page
                listed = set(page.record_ids)
                touched = [record_id for record_id in touched if record_id not in listed]
        while len(touched) > PAGE_MAX:
            yield _page(self._now_as(object, version, touched[:PAGE_MAX]), position)
            touched = touched[PAGE_MAX:]
        if touched or reached != position:
            yield _page(self._now_as(object, version, touched), reached)

    def _news(self, object: str, position: Position) -> list[Event]:
        """The events of an object that the last read did not see."""
        start = position.overlap_start(self.passport)
        told = self._feed.since(object, start).of(object, start)
        return [event for event in told if event.event_id not in position.seen]

    def _listed(self, object: str, version: VersionOf, position: Position) -> Iterator[Page]:
        """Everything, where that takes fewer calls than what changed; it leaves the position where it is."""
        for where in LISTS[object]:
            for records, _ in self._records.pages(object, version, where=where):
                yield _page(records, position)

    def _now_as(self, object: str, version: VersionOf, record_ids: Sequence[str]) -> list[Record]:
        """The records as they are now, and tombstones for those that are gone."""
        records = {record.record_id: record for record in self._by_ids(object, version, record_ids)}
        return [records.get(record_id) or tombstone(record_id) for record_id in record_ids]

    def _by_ids(self, object: str, version: VersionOf, record_ids: Sequence[str]) -> list[Record]:
        """Those of the records that exist; only products can be asked for by many ids in one call."""
        if object != "products":
            one = partial(self._records.one, object, version)
            found = each(one, record_ids, concurrency=self._concurrency)
            return [record for record in found if record is not None]
        chunks = [record_ids[at : at + IDS_MAX] for at in range(0, len(record_ids), IDS_MAX)]
        filters = [[("ids[]", record_id) for record_id in chunk] for chunk in chunks]
        pages = [page for where in filters for page, _ in self._records.pages(object, version, where=where)]
        return [record for page in pages for record in page]

    def _recent(self, object: str) -> Iterator[Record]:
        created = ("created[gte]", str(self._now() - FIND_SECONDS))
        for where in LISTS[object]:
            for records, _ in self._records.pages(object, version_of(None), where=(*where, created)):
                yield from records

    def _as_finished(self, object: str, record: Record) -> Found:
        """A new price is finished when the one that it replaced is no longer active."""
        replaced = record.metadata.get(REPLACES, "") if object == "prices" else ""
        before = self._records.one(object, version_of(None), replaced) if replaced else None
        return _found(record, finished=before is None or not before.active)

    def _now(self) -> int:
        return int(self._clock.now().timestamp())


_ONE = Splitter(("data",), {"id": str})


def _position(since: Cursor | None) -> Position | None:
    return None if since is None else msgspec.convert(dict(since), Position)


def _page(records: Sequence[Record], position: Position) -> Page:
    return Page(
        record_ids=[record.record_id for record in records],
        versions=[record.version for record in records],
        payloads=[record.payload for record in records],
        deleted=[record.deleted for record in records],
        cursor=msgspec.to_builtins(position),
    )


def _found(record: Record, *, finished: bool = True) -> Found:
    return Found(record.record_id, record.version, record.payload, finished)
