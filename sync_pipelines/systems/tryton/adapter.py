"""Tryton behind the port: JSON-RPC, read by keyset on the time of change, one transaction a call.

A parent record does not change when its children do: addresses, identifiers, contact mechanisms and
document lines are objects of their own, each read by its own changes, and mappings join them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

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
from sync_pipelines.errors import FixConfiguration
from sync_pipelines.systems.budget import Turns
from sync_pipelines.systems.pagination import Keyset
from sync_pipelines.systems.passport import configured
from sync_pipelines.systems.splitting import Split, Splitter
from sync_pipelines.systems.tryton.answer import LOOK
from sync_pipelines.systems.tryton.session import Server
from sync_pipelines.systems.tryton.value import instant
from sync_pipelines.systems.tryton.write import BATCH_MAX, KEYS, Writer, carried
from sync_pipelines.systems.tryton_module.key import Key, past

PAGE_MAX = 1000
VERSION = "_timestamp"
"""Tryton's own word for a record's version: the time of its last change, as it is sent back to lock it."""

LOOKS_AT = 23
"""As many objects as the mappings read; our module answers about any number."""

PASSPORT = Passport(
    api_version="8.0",
    retires_on=date(2031, 4, 30),
    page_max=PAGE_MAX,
    late_seconds=600,
    grain_seconds=0.000001,
    is_ordered=True,
    deletes=Deletes.SWEEP,
    counting=Counting.EXACT,
    batch_max=BATCH_MAX,
    batch_atomic=True,
    locking=Locking.NATIVE,
    keys=KEYS,
    settling_seconds=60,
)
"""trytond 8.0, `model/modelsql.py`: one call is one transaction, changes carry the time of its start in microseconds,
and `_timestamp` in the context locks. A series x.0 is supported for five years. How long a transaction lasts, and
goes on after its caller has left, is the installation's own: estimates."""


class _Instant(msgspec.Struct):
    year: int
    month: int
    day: int
    hour: int
    minute: int
    second: int
    microsecond: int


def open_system(
    settings: SystemSettings,
    *,
    clock: Clock,
    session: requests.Session | None = None,
    rng: random.Random | None = None,
) -> Tryton:
    """A Tryton database; nothing is sent until the first call.

    `settings` needs `url` (it ends with the database's name), `user` and `password`. With `module = true` it is asked
    what changed by our module, which its database has to have activated.
    """
    server = Server(settings, clock=clock, session=session, rng=rng)
    has_module = settings.flag("module")
    passport = replace(PASSPORT, looks_at=LOOKS_AT) if has_module else PASSPORT
    return Tryton(server, passport=configured(passport, settings), has_module=has_module)


class Tryton:
    """One database. Deletes leave no trace, so only a sweep of all ids finds them."""

    def __init__(self, server: Server, *, passport: Passport = PASSPORT, has_module: bool = False) -> None:
        self.name = server.name
        self.passport = passport
        self.calls = server.wire.calls
        self._server = server
        self._has_module = has_module
        self._writer = Writer(server)
        self._splitter = Splitter(("result",), {"id": int, VERSION: str, "last_modified_at": _Instant})

    def share_pace(self, turns: Turns) -> None:
        self._server.wire.budget.share(turns)

    def identity(self) -> str:
        """The company behind the user, when it was created, and the database: Tryton gives itself no id."""
        company = self._server.company()
        created = instant(company["create_date"]).strftime("%Y%m%d%H%M%S%f")
        return f"{self._server.database}/{company['party.']['code']}@{created}"

    def check_shapes(self, shapes: Mapping[str, Shape]) -> None:
        """Where our module is to be asked, that it answers, about every object. A field is missed by the first read."""
        if self._has_module:
            self.changed(dict.fromkeys(shapes))

    def read(self, object: str, shape: Shape, since: Cursor | None) -> Iterator[Page]:
        """Records by (last_modified_at, id), from `overlap_seconds` before the cursor: Tryton dates a change by
        the start of its transaction, so a slow one becomes visible behind what was already read."""
        done = _key(since)
        start = (done[0] - timedelta(seconds=self.passport.overlap_seconds), 0) if done else None
        while True:
            page = self._search(object, shape, past(start), [["last_modified_at", "ASC"], ["id", "ASC"]])
            if not page.payloads:
                return
            start = max(_keys(page))
            done = max(done or start, start)
            yield Page(
                record_ids=[str(record_id) for record_id in page.columns["id"]],
                versions=page.columns[VERSION],
                payloads=page.payloads,
                deleted=[False] * len(page),
                cursor={"at": done[0].isoformat(), "id": done[1]},
            )
            if len(page) < PAGE_MAX:
                return

    def count(self, object: str) -> int:
        """Records, archived ones too, counted by the server."""
        return int(Server.result(self._server.ask(object, "search_count", [])))

    def ids(self, object: str) -> Iterator[Sequence[str]]:
        """Every id, by keyset."""

        def fetch(after: int | None) -> list[int]:
            domain = [] if after is None else [["id", ">", after]]
            body = self._server.ask(object, "search", domain, 0, PAGE_MAX, [["id", "ASC"]])
            return list(Server.result(body))

        pages = Keyset(fetch, lambda page: page[-1] if len(page) == PAGE_MAX else None).pages(None)
        return ([str(record_id) for record_id in page] for page in pages)

    def changed(self, cursors: Mapping[str, Cursor | None]) -> set[str]:
        """One call to our module, else one count an object, for a call of Tryton's own is about one model.

        A count stops at the first record past the cursor.
        """
        if self._has_module:
            keys = {name: _key(since) for name, since in cursors.items()}
            return set(Server.result(self._server.ask(LOOK, "changed", keys)))
        counts = {
            name: Server.result(self._server.ask(name, "search_count", past(_key(since)), 0, 1))
            for name, since in cursors.items()
        }
        return {name for name, count in counts.items() if int(count) > 0}

    def fetch(self, object: str, shape: Shape, record_ids: Sequence[str]) -> Mapping[str, Found]:
        found: dict[str, Found] = {}
        for chunk in _chunks([int(record_id) for record_id in record_ids]):
            page = self._search(object, shape, [["id", "in", chunk]], [["id", "ASC"]])
            rows = zip(page.columns["id"], page.columns[VERSION], page.payloads, strict=True)
            found.update({str(row[0]): Found(str(row[0]), row[1], row[2]) for row in rows})
        return found

    def find(self, object: str, external_ids: Sequence[str]) -> Mapping[str, Found]:
        """Records that this user made, by the business key that carries the external id; of several the oldest."""
        key = carried(object)
        if key is None:
            raise FixConfiguration(f"{self.name} has no field in {object} that could carry an external id")
        ours = ["create_uid", "=", self._server.user_id()]
        return {
            row[key.name]: Found(
                str(row["id"]), row[VERSION], msgspec.json.encode(row), key.is_finished(row.get("state"))
            )
            for chunk in _chunks(external_ids)
            for row in reversed(self._rows(object, [*key.domain(chunk), ours], [*key.fields, VERSION]))
        }

    def write(self, requests: Sequence[Request]) -> Sequence[Outcome]:
        """Store the bodies in one transaction, then make the state changes of `then`.

        `SetAside` when the transaction was refused: nothing of the batch is stored.
        """
        return self._writer.write(requests)

    def _search(self, object: str, shape: Shape, domain: list[Any], order: list[list[str]]) -> Split:
        fields = list(dict.fromkeys([*shape, VERSION, "last_modified_at"]))
        return self._splitter.split(self._server.ask(object, "search_read", domain, 0, PAGE_MAX, order, fields))

    def _rows(self, object: str, domain: list[Any], fields: list[str]) -> list[dict[str, Any]]:
        body = self._server.ask(object, "search_read", domain, 0, None, [["id", "ASC"]], fields)
        return list(Server.result(body))


def _key(cursor: Cursor | None) -> Key | None:
    return (datetime.fromisoformat(cursor["at"]), int(cursor["id"])) if cursor else None


def _keys(page: Split) -> list[Key]:
    stamps = [instant(msgspec.structs.asdict(stamp)) for stamp in page.columns["last_modified_at"]]
    return list(zip(stamps, page.columns["id"], strict=True))


def _chunks(values: Sequence[Any]) -> Iterator[list[Any]]:
    return (list(values[start : start + PAGE_MAX]) for start in range(0, len(values), PAGE_MAX))
