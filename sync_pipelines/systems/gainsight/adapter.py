"""Gainsight CS behind the port: queries and lists to read, batches of companies to write."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

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
from sync_pipelines.errors import FixConfiguration, SetAside
from sync_pipelines.systems.auth import ApiKey, Auth, ClientCredentials
from sync_pipelines.systems.budget import Turns
from sync_pipelines.systems.gainsight.answer import API_VERSION, DECLARED_IN, NO_MATCH, classify
from sync_pipelines.systems.gainsight.listing import PATHS, Listing
from sync_pipelines.systems.gainsight.query import PAGE_MAX, Query
from sync_pipelines.systems.gainsight.record import ID, Record, page, records
from sync_pipelines.systems.gainsight.write import BATCH_MAX, EXTERNAL_ID, OBJECT, write
from sync_pipelines.systems.http import Patience, Wire, pooled_session
from sync_pipelines.systems.passport import configured

OBJECTS = f"/{API_VERSION}/data/objects"
_DAY = 86_400
_LOOKS = 3

PASSPORT = Passport(
    api_version=API_VERSION,
    page_max=PAGE_MAX,
    late_seconds=600,
    grain_seconds=0.001,
    is_ordered=True,
    deletes=Deletes.SWEEP,
    counting=Counting.NONE,
    tells_identity=True,
    batch_max=BATCH_MAX,
    batch_atomic=True,
    locking=Locking.REREAD,
    keys={OBJECT: EXTERNAL_ID},
    settling_seconds=300,
    rate=Rate(100, 60, "HTTP 429"),
)
"""support.gainsight.com: a query gives 5,000 rows, lists a thousand; a batch holds fifty records, and a fault in one
refuses all; nothing counts, nothing guards against a concurrent edit, and there is no idempotency key; a hundred calls
a minute for all that act for the tenant. Deletes are in a log for fifteen days only, so absence tells; of a merge the
loser is deleted, and nothing names the survivor. Estimates: that a change is visible after ten minutes at most, and
that a call which was given up has ended after five. No version or its end is announced."""


def open_system(
    settings: SystemSettings,
    *,
    clock: Clock,
    session: requests.Session | None = None,
    rng: random.Random | None = None,
) -> Gainsight:
    """A Gainsight tenant; nothing is sent until the first call.

    `settings` needs `url` (https://TENANT.gainsightcloud.com), and either `access_key`, or `client_id` and
    `client_secret` of an OAuth client of the tenant.
    """
    session = session or pooled_session(settings.concurrency)
    auth = _auth(settings, session=session, clock=clock)
    patience = Patience(attempts=settings.attempts, most_seconds=60.0)
    wire = Wire(settings, clock=clock, auth=auth, classify=classify, session=session, rng=rng, patience=patience)
    host = urlsplit(settings.url).hostname or settings.url
    return Gainsight(wire, host, clock=clock, passport=configured(PASSPORT, settings))


class Gainsight:
    """One tenant. A record's version is its `ModifiedDate` in milliseconds, which the tenant's own rules move too."""

    def __init__(self, wire: Wire, host: str, *, clock: Clock, passport: Passport = PASSPORT) -> None:
        self.name = wire.name
        self.passport = passport
        self.calls = wire.calls
        self._wire = wire
        self._host = host
        self._clock = clock
        self._misses_none = False
        """Whether a read by time has found what must be there: in a zone that hides changes it would not."""

    def share_pace(self, turns: Turns) -> None:
        self._wire.budget.share(turns)

    def identity(self) -> str:
        """The host, as no answer names the tenant: each has its own, and a key is good for one tenant only.

        A read that finds what it must find, or else two calls, show the credentials to be good and also whether times
        of conditions are taken as UTC.
        """
        if self._misses_none:
            return self._host
        query = Query(partial(self._query, OBJECT), [])
        for _ in range(_LOOKS):
            newest = query.newest()
            if newest is None:
                return self._host
            second = newest.at // 1000
            if any(second <= row.at // 1000 <= second + 1 for row in query.between(second, second + 1)):
                return self._host
        raise FixConfiguration(
            f"{self.name} does not find a company by the time of its change: it takes the times of conditions for "
            "those of another zone than UTC, and changes would be missed; ask Gainsight for an account with UTC"
        )

    def read(self, object: str, shape: Shape, since: Cursor | None) -> Iterator[Page]:
        """What changed since the cursor, less the overlap, oldest change first."""
        newest = done = 0 if since is None else int(since["at"])
        at = None if since is None else done - self.passport.overlap_seconds * 1000
        for rows in self._since(object, list(shape), at):
            if object == OBJECT and at is not None:
                self._misses_none |= at <= rows[0].at <= done
            newest = max(newest, rows[-1].at)
            yield page(rows, {"at": newest})

    def count(self, object: str) -> None:
        """No API of the tenant counts."""

    def ids(self, object: str) -> Iterator[Sequence[str]]:
        """Every live id, by a read that selects nothing else."""
        return ([row.record_id for row in rows] for rows in self._since(object, [], None))

    def changed(self, cursors: Mapping[str, Cursor | None]) -> set[str]:
        """One call an object, for none is about several."""
        return {name for name, since in cursors.items() if self._is_past(name, since)}

    def _is_past(self, object: str, since: Cursor | None) -> bool:
        """Asks for the company that changed last, or for what a list has from the second of the cursor on."""
        if since is None:
            return True
        at = int(since["at"])
        if object in PATHS:
            return self._listing(object, []).any_past(at, until=self._tomorrow())
        newest = Query(partial(self._query, object), []).newest()
        return newest is not None and newest.at > at

    def fetch(self, object: str, shape: Shape, record_ids: Sequence[str]) -> Mapping[str, Found]:
        """By id."""
        wanted = list(dict.fromkeys(record_ids))
        if object in PATHS:
            rows = self._listing(object, list(shape)).by_id(wanted)
        else:
            rows = Query(partial(self._query, object), list(shape)).where(ID, wanted)
        return {row.record_id: row.found() for row in rows}

    def find(self, object: str, external_ids: Sequence[str]) -> Mapping[str, Found]:
        """Companies by the custom field; of several that carry one value, the one that was made first."""
        if object != OBJECT:
            return {}
        found: dict[str, Found] = {}
        query = Query(partial(self._query, object), [EXTERNAL_ID])
        for row in query.where(EXTERNAL_ID, list(external_ids), order="CreatedDate"):
            found.setdefault(msgspec.json.decode(row.payload, type=_Carries).Sync_Id__gc, row.found())
        return found

    def write(self, requests: Sequence[Request]) -> Sequence[Outcome]:
        """One call for up to fifty companies, all of them or none."""
        return write(self._send, requests) if requests else []

    def check_shapes(self, shapes: Mapping[str, Shape]) -> None:
        """`FixConfiguration` names every declared field that the tenant does not have under this very name."""
        problems = [problem for name in sorted(shapes) for problem in self._amiss(name, shapes[name])]
        if problems:
            raise FixConfiguration.of(f"{DECLARED_IN} does not fit this tenant", problems)

    def _amiss(self, object: str, shape: Shape) -> list[str]:
        """Lists are not described: they are asked for a record with all that is declared."""
        if object in PATHS:
            try:
                self._listing(object, list(shape)).one()
            except FixConfiguration as error:
                return [f"[{object}] {error}"]
            return []
        path = f"/{API_VERSION}/meta/services/objects/describe"
        body = self._ask(path, "POST /objects/describe", {"objectNames": [object]})
        described = msgspec.json.decode(body, type=_Described).data
        names = {field.fieldName for thing in described for field in thing.fields}
        spelt = {name.lower(): name for name in names}
        missing = sorted(set(shape) - names)
        return [f"[{object}] there is no field {each!r}{_but(spelt.get(each.lower()))}" for each in missing]

    def _since(self, object: str, select: Sequence[str], at: int | None) -> Iterator[Sequence[Record]]:
        if object in PATHS:
            return self._listing(object, select).since(at, until=self._tomorrow())
        return Query(partial(self._query, object), select).since(at)

    def _tomorrow(self) -> int:
        """A second past every change there can be, however the clocks differ."""
        now: datetime = self._clock.now()
        return int(now.timestamp()) + _DAY

    def _listing(self, object: str, select: Sequence[str]) -> Listing:
        ask: Callable[[Mapping[str, Any]], Sequence[Record]] = partial(self._records, PATHS[object], f"POST {object}s")
        return Listing(ask, select)

    def _query(self, object: str, body: Mapping[str, Any]) -> Sequence[Record]:
        return self._records(f"{OBJECTS}/query/{object}", "POST /objects/query/{T}", body)

    def _records(self, path: str, route: str, body: Mapping[str, Any]) -> Sequence[Record]:
        """The records of an answer, none where it says in its own way that there are none."""
        try:
            return records(self._ask(path, route, body))
        except SetAside as error:
            if error.code == NO_MATCH:
                return []
            raise FixConfiguration(f"{self.name} can't answer {route}: {error}; mend {DECLARED_IN}") from None

    def _ask(self, path: str, route: str, body: Mapping[str, Any]) -> bytes:
        return self._wire.call("POST", path, route=route, safe=True, json=body).content

    def _send(self, method: str, object: str, rows: Sequence[Mapping[str, Any]]) -> bytes:
        params = {"keys": ID} if method == "PUT" else None
        path, route = f"{OBJECTS}/{object}", f"{method} /objects/{{T}}"
        return self._wire.call(method, path, route=route, safe=False, params=params, json={"records": rows}).content


class _Carries(msgspec.Struct):
    Sync_Id__gc: str = ""


class _Field(msgspec.Struct):
    fieldName: str  # noqa: N815 (the vendor's name)


class _Object(msgspec.Struct):
    fields: list[_Field] = []


class _Described(msgspec.Struct):
    data: list[_Object] = []


def _but(spelt: str | None) -> str:
    return f", but there is {spelt!r}" if spelt else ""


def _auth(settings: SystemSettings, *, session: requests.Session, clock: Clock) -> Auth:
    key = settings.options.get("access_key", "")
    if key:
        return ApiKey(settings.name, key, setting="access_key", header="accesskey")
    return ClientCredentials(
        settings.name,
        f"{settings.url.rstrip('/')}/v1/users/m2m/oauth/token",
        settings.option("client_id"),
        settings.option("client_secret"),
        session=session,
        clock=clock,
        as_basic=True,
    )
