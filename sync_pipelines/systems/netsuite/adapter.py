"""NetSuite behind the port: SuiteQL reads a thousand rows a call by keyset, records are written alone or as a batch."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from urllib.parse import urlsplit
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
from sync_pipelines.errors import FixConfiguration, MalformedPage, SetAside
from sync_pipelines.systems.budget import Turns
from sync_pipelines.systems.http import Wire, pooled_session
from sync_pipelines.systems.netsuite import answer
from sync_pipelines.systems.netsuite.auth import auth_of
from sync_pipelines.systems.netsuite.source import (
    KEYS,
    SOURCES,
    VERSION,
    Key,
    Source,
    behind,
    in_lists,
    source_of,
    text,
)
from sync_pipelines.systems.netsuite.write import BATCH_MAX, Writer
from sync_pipelines.systems.pagination import Keyset
from sync_pipelines.systems.passport import configured
from sync_pipelines.systems.splitting import Split, Splitter

PAGE_MAX = 1000
QUERY = "/services/rest/query/v1/suiteql"

PASSPORT = Passport(
    api_version="v1",
    retires_on=None,
    page_max=PAGE_MAX,
    late_seconds=900,
    grain_seconds=1,
    is_ordered=True,
    deletes=Deletes.SWEEP,
    counting=Counting.EXACT,
    looks_at=len(SOURCES),
    batch_max=BATCH_MAX,
    batch_atomic=False,
    locking=Locking.REREAD,
    keys=KEYS,
    settling_seconds=1800,
)
"""SuiteTalk REST Web Services guide, release 2026.1: 1,000 rows a page, 100 records a batch, each with a result of its
own, 15 minutes until a call is cut off, external ids, and no precondition of a write. SuiteQL tells times in seconds.
There is no rate: the limit is on calls under way (`concurrency`), 5 in the smallest tier, and HTTP 429 tells its end.
That a change is seen as late as a call may last, and that a job is over after half an hour, are estimates."""


def open_system(
    settings: SystemSettings,
    *,
    clock: Clock,
    session: requests.Session | None = None,
    rng: random.Random | None = None,
) -> NetSuite:
    """A NetSuite account; nothing is sent until the first call.

    `settings` needs `url` (the account's own SuiteTalk address), `zone` (of its preferences) and credentials:
    `client_id`, `certificate_id` and `private_key`, or `account`, `consumer_key`, `consumer_secret`, `token_id` and
    `token_secret`.
    """
    session, rng = session or pooled_session(settings.concurrency), rng or random.Random()
    auth = auth_of(settings, clock=clock, session=session, rng=rng)
    wire = Wire(settings, clock=clock, auth=auth, classify=answer.classify, session=session, rng=rng)
    return NetSuite(wire, clock=clock, zone=_zone(settings), passport=configured(PASSPORT, settings))


def _zone(settings: SystemSettings) -> ZoneInfo:
    try:
        return ZoneInfo(settings.option("zone"))
    except (ZoneInfoNotFoundError, ValueError):
        raise FixConfiguration(f"zone of [systems.{settings.name}] is no time zone like America/New_York") from None


class NetSuite:
    """One account. A record's version is the time of its last change; deletes are found by a sweep of all ids."""

    def __init__(self, wire: Wire, *, clock: Clock, zone: ZoneInfo, passport: Passport = PASSPORT) -> None:
        self.name = wire.name
        self.passport = replace(passport, zone=str(zone))
        self.calls = wire.calls
        self._wire = wire
        self._zone = zone
        self._asks_alone = False
        """The role may not see all that is asked for together."""
        self._writer = Writer(wire, clock=clock, query=self._rows)
        self._splitter = Splitter(("items",), {"id": str, VERSION: str | None})

    def share_pace(self, turns: Turns) -> None:
        self._wire.budget.share(turns)

    def identity(self) -> str:
        """The account's id, as its own links name it ("1234567_SB1"): a refreshed sandbox shares all but this."""
        page = self._page("SELECT id FROM subsidiary WHERE parent IS NULL", limit=1)
        links = page.value("links", list[dict[str, str]]) or []
        host = next((urlsplit(link.get("href", "")).hostname or "" for link in links), "")
        account = host.partition(".")[0].replace("-", "_").upper()
        if not account:
            raise MalformedPage("NetSuite does not say which account this is")
        return account

    def read(self, object: str, shape: Shape, since: Cursor | None) -> Iterator[Page]:
        """Rows by time of change and id, from `overlap_seconds` before the cursor: a change carries the time of its
        save, and is visible when its transaction has ended. Lists without such a time are read whole."""
        source = source_of(object)
        return self._read_changes(source, shape, since) if source.modified else self._read_whole(source, shape, since)

    def count(self, object: str) -> int:
        """Rows, counted by the server."""
        source = source_of(object)
        (row,) = self._rows(f"SELECT COUNT(*) AS held FROM {source.tables}{source.filter(())}")
        return int(row["held"])

    def ids(self, object: str) -> Iterator[Sequence[str]]:
        """Every id, by keyset."""
        source = source_of(object)
        pages = Keyset(lambda after: self._page(source.ids(after)), _last_id).pages(None)
        return (page.columns["id"] for page in pages)

    def changed(self, cursors: Mapping[str, Cursor | None]) -> set[str]:
        """One call, whose union tells the last change of each object, and of a list without times its summary."""
        newest = self._newest(list(cursors))
        return {name for name, row in newest.items() if self._is_past(source_of(name), row, cursors[name])}

    def fetch(self, object: str, shape: Shape, record_ids: Sequence[str]) -> Mapping[str, Found]:
        source, found = source_of(object), dict[str, Found]()
        for clause in in_lists(source.key, [str(int(each)) for each in record_ids]):
            page = self._records(source, shape, [clause])
            rows = zip(page.columns["id"], _versions(page), page.payloads, strict=True)
            found.update({row[0]: Found(*row) for row in rows})
        return found

    def find(self, object: str, external_ids: Sequence[str]) -> Mapping[str, Found]:
        """Records by the external id that they carry; NetSuite compares it without case."""
        source, found = source_of(object), dict[str, Found]()
        wanted = {source.external_id(each).upper(): each for each in external_ids}
        for clause in in_lists(f"UPPER({source.table}.externalid)", [text(each) for each in wanted]):
            page = self._records(source, {"externalid": "VARCHAR"}, [clause])
            for row in zip(page.columns["id"], _versions(page), page.payloads, strict=True):
                carried = msgspec.json.decode(row[2])["externalid"]
                found[wanted[carried.upper()]] = Found(*row)
        return found

    def write(self, requests: Sequence[Request]) -> Sequence[Outcome]:
        """One call for one request, else a job whose records succeed or fail by themselves.

        A create is an upsert on the external id, so that it can't happen twice.
        """
        return self._writer.write(requests)

    def check_shapes(self, shapes: Mapping[str, Shape]) -> None:
        """Ask for a row of each declared object; `FixConfiguration` names what of them the role can't see."""
        problems = []
        for name in sorted(shapes):
            try:
                self._records(source_of(name), shapes[name], [], limit=1)
            except FixConfiguration as error:
                problems.append(f"[{name}] {error}")
        if problems:
            raise FixConfiguration.of(f"{answer.DECLARED_IN} names what this account does not show", problems)

    def _newest(self, names: Sequence[str]) -> dict[str, Mapping[str, str]]:
        """What tells of each object whether it is as it was, nothing where it is empty; one call for each object where
        the role may not see them all together."""
        queries = [source_of(name).newest(name) for name in names]
        if not self._asks_alone:
            try:
                return {row["object"]: row for row in self._rows(" UNION ALL ".join(queries))}
            except FixConfiguration:
                self._asks_alone = True
        return {row["object"]: row for query in queries for row in self._rows(query)}

    def _is_past(self, source: Source, row: Mapping[str, str], since: Cursor | None) -> bool:
        if since is None:
            return True
        if not source.modified:
            return row[VERSION] != since.get("summary")
        return (row[VERSION], int(row["id"])) > behind(_key(since), 0, self._zone)

    def _read_changes(self, source: Source, shape: Shape, since: Cursor | None) -> Iterator[Page]:
        done = _key(since) if since else None
        start = behind(done, self.passport.overlap_seconds, self._zone) if done else None

        def fetch(after: Key | None) -> Split:
            return self._records(source, shape, [source.past(after)] if after else [])

        for page in Keyset(fetch, lambda page: _last_key(page) if _is_followed(page) else None).pages(start):
            if page.payloads:
                done = max(done or _last_key(page), _last_key(page))
                yield _page(page, {"at": done[0], "id": str(done[1])})

    def _read_whole(self, source: Source, shape: Shape, since: Cursor | None) -> Iterator[Page]:
        """All rows, unless they are what the cursor has seen: it is a digest of them."""

        def fetch(after: int | None) -> Split:
            return self._records(source, shape, [] if after is None else [f"{source.key} > {after}"])

        pages = list(Keyset(fetch, _last_id).pages(None))
        seen = hashlib.sha256(b"".join(payload for page in pages for payload in page.payloads)).hexdigest()
        cursor = {"seen": seen, "summary": source.summary([each for page in pages for each in page.payloads])}
        return iter(()) if since == cursor else (_page(page, cursor) for page in pages if page.payloads)

    def _rows(self, query: str) -> list[dict[str, str]]:
        page = self._asked(query, PAGE_MAX, Splitter(("items",), {}))
        return [msgspec.json.decode(payload) for payload in page.payloads]

    def _records(self, source: Source, shape: Shape, where: Sequence[str], *, limit: int = PAGE_MAX) -> Split:
        """Rows with all their declared fields: SuiteQL leaves out what is null."""
        page = self._page(source.select(shape, where), limit=limit)
        marks = [(f'"{name}"'.encode(), f',"{name}":null}}'.encode()) for name in shape]
        return replace(page, payloads=[_whole(payload, marks) for payload in page.payloads])

    def _page(self, query: str, *, limit: int = PAGE_MAX) -> Split:
        return self._asked(query, limit, self._splitter)

    def _asked(self, query: str, limit: int, splitter: Splitter) -> Split:
        try:
            response = self._wire.call(
                "POST",
                QUERY,
                route="POST /suiteql",
                safe=True,
                params={"limit": limit, "offset": 0},
                json={"q": query},
                headers={"Prefer": "transient"},
            )
        except SetAside as error:
            raise FixConfiguration(f"{self.name} can't answer a query: {error}") from None
        return splitter.split(response.content)


def _page(page: Split, cursor: Cursor) -> Page:
    return Page(
        record_ids=page.columns["id"],
        versions=_versions(page),
        payloads=page.payloads,
        deleted=[False] * len(page),
        cursor=cursor,
    )


def _whole(payload: bytes, marks: Sequence[tuple[bytes, bytes]]) -> bytes:
    """A row with a null for every field that it lacks: inside of a text no quote stands by itself."""
    for mark, null in marks:
        if mark not in payload:
            payload = payload[:-1] + null
    return payload


def _versions(page: Split) -> list[str]:
    """When each row was changed; of a row that does not tell, a digest."""
    stamps = zip(page.columns[VERSION], page.payloads, strict=True)
    return [stamp or hashlib.sha256(payload).hexdigest()[:16] for stamp, payload in stamps]


def _key(cursor: Cursor) -> Key:
    return str(cursor["at"]), int(cursor["id"])


def _last_key(page: Split) -> Key:
    return str(page.columns[VERSION][-1]), int(page.columns["id"][-1])


def _last_id(page: Split) -> int | None:
    return int(page.columns["id"][-1]) if _is_followed(page) else None


def _is_followed(page: Split) -> bool:
    return bool(page.payloads) and bool(page.value("hasMore", bool))
