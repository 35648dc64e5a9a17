"""S/4HANA behind the port: released OData V2 services are read by key, and written in change sets."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

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
    Request,
    Shape,
)
from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.errors import FixConfiguration, MalformedPage
from sync_pipelines.systems.auth import Basic
from sync_pipelines.systems.budget import Turns
from sync_pipelines.systems.http import Wire, pooled_session
from sync_pipelines.systems.pagination import Keyset
from sync_pipelines.systems.passport import configured
from sync_pipelines.systems.s4hana import answer
from sync_pipelines.systems.s4hana.gateway import Gateway
from sync_pipelines.systems.s4hana.source import KEYS, SOURCES, Source, lists, source_of, text
from sync_pipelines.systems.s4hana.write import BATCH_MAX, write
from sync_pipelines.systems.splitting import Split, Splitter

PAGE_MAX = 1000

PASSPORT = Passport(
    api_version="0001",
    retires_on=None,
    page_max=PAGE_MAX,
    late_seconds=600,
    grain_seconds=1,
    is_ordered=False,
    deletes=Deletes.SWEEP,
    counting=Counting.EXACT,
    tells_identity=True,
    batch_max=BATCH_MAX,
    batch_atomic=False,
    locking=Locking.NATIVE,
    keys=KEYS,
    settling_seconds=900,
)
"""The $metadata of the three services: versions as ETags, the fields that carry external ids, no tombstones. A business
partner's ETag and its time of change tell seconds. Page and batch size are our own: SAP names no limit, and no rate.
That a change is seen ten minutes late at most, as long as a call may last, and is over after fifteen, are estimates."""


class _Meta(msgspec.Struct):
    etag: str = ""


_SPLITTERS = {
    source.name: Splitter(
        ("d", "results"), {source.key: str, "__metadata": _Meta, **dict.fromkeys(source.stamps, str | None)}
    )
    for source in SOURCES.values()
}


def open_system(
    settings: SystemSettings,
    *,
    clock: Clock,
    session: requests.Session | None = None,
    rng: random.Random | None = None,
) -> S4hana:
    """An S/4HANA system; nothing is sent until the first call.

    `settings` needs `url`, `user` and `password` of a communication user, and `zone`, the system's time zone; `client`
    names another client than the server's own choice.
    """
    auth = Basic(settings.name, settings.option("user"), settings.option("password"), setting="password")
    session = session or pooled_session(settings.concurrency)
    wire = Wire(settings, clock=clock, auth=auth, classify=answer.classify, session=session, rng=rng)
    gateway = Gateway(wire, client=settings.options.get("client", ""))
    return S4hana(wire, gateway, zone=_zone(settings), passport=configured(PASSPORT, settings))


def _zone(settings: SystemSettings) -> ZoneInfo:
    try:
        return ZoneInfo(settings.option("zone"))
    except (ZoneInfoNotFoundError, ValueError):
        raise FixConfiguration(f"zone of [systems.{settings.name}] is no time zone like Europe/Berlin") from None


class S4hana:
    """One client of a system. A record's version is its ETag; deletes are found by a sweep of all ids."""

    def __init__(self, wire: Wire, gateway: Gateway, *, zone: ZoneInfo, passport: Passport = PASSPORT) -> None:
        self.name = wire.name
        self.passport = replace(passport, zone=str(zone))
        self.calls = wire.calls
        self._wire = wire
        self._gateway = gateway
        self._zone = zone

    def share_pace(self, turns: Turns) -> None:
        self._wire.budget.share(turns)

    def identity(self) -> str:
        """System and client ("S4H_100"): a copy of a system is given another name."""
        return self._gateway.system()

    def read(self, object: str, shape: Shape, since: Cursor | None) -> Iterator[Page]:
        """What was changed from `overlap_seconds` before the cursor on, by key, so that rows that move are not missed.

        What changes while a read goes on is later than the newest change of its first page: that is where the next
        read begins. A cursor of a page in between says after which key the rest of the same read follows.
        """
        source, since = source_of(object), since or {}
        done, mark = _instant(since.get("at")), _instant(since.get("mark"))
        start = done - timedelta(seconds=self.passport.overlap_seconds) if done else None
        after: str | None = since.get("after")
        while True:
            page = self._page(source, shape, self._where(source, start, after))
            moments = source.moments(page.columns, self._zone)
            mark = mark or max((early for early, _ in moments), default=None)
            is_last = len(page) < PAGE_MAX and page.value("__next") is None
            was_after, after = after, page.columns[source.key][-1] if page.payloads else after
            ended = max(filter(None, (done, mark)), default=None)
            cursor = {"at": _told(ended)} if is_last else {"at": _told(done), "mark": _told(mark), "after": after}
            kept = [place for place, (_, late) in enumerate(moments) if start is None or late >= start]
            if kept or (is_last and was_after is not None):
                yield _page_of(source, page, kept, cursor)
            if is_last:
                return

    def count(self, object: str) -> int:
        """Entities, counted by the server."""
        source = source_of(object)
        told = self._gateway.get(source.service, f"{source.name}/$count", accept="text/plain").text.strip("\ufeff ")
        if not told.isdecimal():
            raise MalformedPage(f"{self.name} answered a count with something else")
        return int(told)

    def ids(self, object: str) -> Iterator[Sequence[str]]:
        """Every id, by key."""
        source = source_of(object)

        def fetch(after: str | None) -> Split:
            return self._page(source, {}, self._where(source, None, after))

        def last(page: Split) -> str | None:
            is_last = len(page) < PAGE_MAX and page.value("__next") is None
            return None if is_last else str(page.columns[source.key][-1])

        return (page.columns[source.key] for page in Keyset(fetch, last).pages(None))

    def changed(self, cursors: Mapping[str, Cursor | None]) -> set[str]:
        """One call an object, for each is in a service of its own, and a batch stays within one service."""
        return {name for name, since in cursors.items() if self._is_past(name, since)}

    def _is_past(self, object: str, since: Cursor | None) -> bool:
        """Whether anything is past the cursor: one entity, or the times of those that were changed on its day."""
        source, done = source_of(object), _instant((since or {}).get("at"))
        if done is None or "after" in (since or {}):
            return True
        start = done + timedelta(milliseconds=1)
        page = self._page(source, {}, self._where(source, start, None), top=1 if source.has_instant else None)
        is_whole = source.has_instant or (len(page) < PAGE_MAX and page.value("__next") is None)
        return not is_whole or any(late >= start for _, late in source.moments(page.columns, self._zone))

    def fetch(self, object: str, shape: Shape, record_ids: Sequence[str]) -> Mapping[str, Found]:
        source, found = source_of(object), dict[str, Found]()
        for clause in lists(source.key, record_ids):
            page = self._page(source, shape, [clause])
            rows = zip(page.columns[source.key], _versions(page), page.payloads, strict=True)
            found.update({row[0]: Found(*row) for row in rows})
        return found

    def find(self, object: str, external_ids: Sequence[str]) -> Mapping[str, Found]:
        """Records by the external id that they carry, in capitals or as it is; the first of several."""
        source, found = source_of(object), dict[str, Found]()
        wanted = {spelt: each for each in external_ids for spelt in (each.upper(), each)}
        for clause in lists(source.carries, list(wanted)):
            page = self._page(source, {source.carries: "VARCHAR"}, [clause])
            for row in zip(page.columns[source.key], _versions(page), page.payloads, strict=True):
                carried = msgspec.json.decode(row[2])[source.carries]
                found.setdefault(wanted.get(carried, carried), Found(*row))
        return found

    def write(self, requests: Sequence[Request]) -> Sequence[Outcome]:
        """One batch: records are stored or refused each for itself, with all that is inside of them."""
        return write(self._gateway, requests)

    def check_shapes(self, shapes: Mapping[str, Shape]) -> None:
        """Ask for one of each declared entity set; `FixConfiguration` names what of them the user can't see."""
        problems = []
        for name in sorted(shapes):
            try:
                self._page(source_of(name), shapes[name], [], top=1)
            except FixConfiguration as error:
                problems.append(f"  - [{name}] {error}")
        if problems:
            listed = "\n".join(problems)
            raise FixConfiguration(f"{answer.DECLARED_IN} names what this system does not show:\n{listed}")

    def _where(self, source: Source, start: datetime | None, after: str | None) -> list[str]:
        since = [source.since(start, self._zone)] if start else []
        return since + ([] if after is None else [f"{source.key} gt {text(after)}"])

    def _page(self, source: Source, shape: Shape, where: Sequence[str], *, top: int | None = None) -> Split:
        query: dict[str, Any] = {**source.query(shape, where), "$top": str(top or PAGE_MAX)}
        return _SPLITTERS[source.name].split(self._gateway.get(source.service, source.name, query).content)


def _page_of(source: Source, page: Split, kept: Sequence[int], cursor: Cursor) -> Page:
    versions = _versions(page)
    return Page(
        record_ids=[page.columns[source.key][place] for place in kept],
        versions=[versions[place] for place in kept],
        payloads=[page.payloads[place] for place in kept],
        deleted=[False] * len(kept),
        cursor=cursor,
    )


def _versions(page: Split) -> list[str]:
    return [meta.etag for meta in page.columns["__metadata"]]


def _instant(told: str | None) -> datetime | None:
    return datetime.fromisoformat(told) if told else None


def _told(moment: datetime | None) -> str:
    return moment.astimezone(UTC).isoformat() if moment else ""
