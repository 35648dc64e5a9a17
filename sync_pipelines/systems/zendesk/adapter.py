"""Zendesk Support behind the port: incremental exports to read, jobs over organizations to write."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

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
from sync_pipelines.systems.auth import ClientCredentials
from sync_pipelines.systems.budget import Turns
from sync_pipelines.systems.http import Patience, Wire, pooled_session
from sync_pipelines.systems.passport import configured
from sync_pipelines.systems.splitting import Split
from sync_pipelines.systems.zendesk import slot
from sync_pipelines.systems.zendesk.answer import API_VERSION, classify
from sync_pipelines.systems.zendesk.export import EXPORT_MAX, HELD_BACK, Exports, got, host_of, splitter_of
from sync_pipelines.systems.zendesk.job import Jobs
from sync_pipelines.systems.zendesk.write import EXTERNAL_ID, OBJECT, Writer

BATCH_MAX = 100
DELETED = "deleted"
UNSEEN_FOR = timedelta(seconds=2 * HELD_BACK)
"""How long after it was sent a write of ours may not be in the export yet; clocks differ."""

PASSPORT = Passport(
    api_version=API_VERSION,
    page_max=EXPORT_MAX,
    late_seconds=HELD_BACK,
    grain_seconds=1,
    is_ordered=True,
    deletes=Deletes.SWEEP,
    counting=Counting.LAGGING,
    tells_identity=True,
    batch_max=BATCH_MAX,
    batch_atomic=False,
    locking=Locking.REREAD,
    keys={OBJECT: EXTERNAL_ID},
    settling_seconds=600,
    rate=Rate(700, 60, "HTTP 429 with Retry-After"),
)
"""developer.zendesk.com: an export gives a thousand rows in the order of their changes, in whole seconds and without
the last minute; counts are approximate; a batch holds a hundred rows, and each stands for itself. Idempotency keys and
safe updates are for tickets alone, which are not written. There is one version, and no day on which it ends. The calls
of a minute are those of the Enterprise plan. Estimates: that what was held back may be late by as much again, and that
a job whose call was given up has ended after ten minutes. That a deleted organization comes once more in the export is
not documented well enough to rely on, so absence tells; one that was merged into another looks deleted."""


def open_system(
    settings: SystemSettings,
    *,
    clock: Clock,
    session: requests.Session | None = None,
    rng: random.Random | None = None,
) -> Zendesk:
    """A Zendesk account; nothing is sent until the first call.

    `settings` needs `url` (https://SUBDOMAIN.zendesk.com), `client_id` and `client_secret` of a confidential OAuth
    client that acts for an administrator, with the scopes read and write.
    """
    session = session or pooled_session(settings.concurrency)
    auth = ClientCredentials(
        settings.name,
        f"{settings.url.rstrip('/')}/oauth/tokens",
        settings.option("client_id"),
        settings.option("client_secret"),
        session=session,
        scope="read write",
        as_json=True,
    )
    patience = Patience(attempts=settings.attempts, most_seconds=60.0)
    wire = Wire(settings, clock=clock, auth=auth, classify=classify, session=session, rng=rng, patience=patience)
    return Zendesk(wire, clock=clock, passport=configured(PASSPORT, settings))


class Zendesk:
    """One account. A record's version is its `updated_at`, that of an entitlement what its slot says."""

    def __init__(self, wire: Wire, *, clock: Clock, passport: Passport = PASSPORT) -> None:
        self.name = wire.name
        self.passport = passport
        self.calls = wire.calls
        self._wire = wire
        self._clock = clock
        self._exports = Exports(wire, clock=clock)
        self._writer = Writer(
            wire.name,
            Jobs(wire, clock=clock),
            find=self._by_external_ids,
            show=self._organizations,
            fields=self._exports.organization_fields,
        )
        self._lock = threading.Lock()
        self._written: dict[str, datetime] = {}
        """Organizations that we wrote, or found written, a short while ago."""

    def share_pace(self, turns: Turns) -> None:
        self._wire.budget.share(turns)

    def identity(self) -> str:
        """The host in the account's own addresses ("acme.zendesk.com"), of a row or the user; a sandbox has its own."""
        if self._exports.host:
            return self._exports.host
        body = got(self._wire, "users/me", {}).content
        try:
            host = host_of(msgspec.json.decode(body, type=_Me).user.url)
        except msgspec.MsgspecError:
            host = None
        if not host:
            raise MalformedPage("Zendesk does not say which account this is")
        return host

    def read(self, object: str, shape: Shape, since: Cursor | None) -> Iterator[Page]:
        """What an export has since the cursor, then organizations of ours that it does not show yet, by their ids."""
        splitter_of(object)
        if object == "ticket_fields":
            newest = str(since["at"]) if since else ""
            for page in self._exports.listed(object):
                newest = max([newest, *page.columns["updated_at"]])
                yield _page(page, {"at": newest})
            return
        if object == "tickets":
            for each in self._exports.tickets(since, overlap=self.passport.overlap_seconds):
                yield _page(each.page, each.cursor)
            return
        cursor: Cursor = since or {"at": 0}
        for each in self._exports.organizations(max(0, int(cursor["at"]) - self.passport.overlap_seconds)):
            cursor = {"at": max(int(cursor["at"]), int(each.cursor["at"]))}
            yield _page(each.page, cursor)
        for page in self._shown(OBJECT, "ids", self._unseen()):
            yield _page(page, cursor)

    def count(self, object: str) -> int | None:
        """What the account counts, approximately; fields of tickets are not counted."""
        splitter_of(object)
        if object == "ticket_fields":
            return None
        body = got(self._wire, f"{object}/count", {}).content
        try:
            return msgspec.json.decode(body, type=_Counted).count.value
        except msgspec.MsgspecError:
            raise MalformedPage(f"Zendesk does not say how many {object} there are") from None

    def ids(self, object: str) -> Iterator[Sequence[str]]:
        """By list; tickets by their export, which has the archived ones too and ten times as many on a page."""
        if object == "tickets":
            exported = self._exports.tickets(None, overlap=0, live=True)
            return (_ids(each.page) for each in exported)
        return (_ids(page) for page in self._exports.listed(object))

    def changed(self, cursors: Mapping[str, Cursor | None]) -> set[str]:
        """One call an object, for each has an export or a list of its own."""
        return {name for name, since in cursors.items() if self._is_past(name, since)}

    def _is_past(self, object: str, since: Cursor | None) -> bool:
        """Asks for one row past the cursor, or for all fields of tickets, which are few."""
        if since is None:
            return True
        if object == "ticket_fields":
            stamps = [stamp for page in self._exports.listed(object) for stamp in page.columns["updated_at"]]
            return max(stamps, default="") > str(since["at"])
        splitter_of(object)
        return self._exports.anything_since(object, since)

    def fetch(self, object: str, shape: Shape, record_ids: Sequence[str]) -> Mapping[str, Found]:
        """By id, or for entitlements by organization and slot."""
        if object == "ticket_fields":
            every = [each for page in self._exports.listed(object) for each in _found(page)]
            return {each.record_id: each for each in every if each.record_id in set(record_ids)}
        places = [place for each in record_ids if (place := slot.place_of(each)) is not None]
        whole = [each for each in record_ids if slot.place_of(each) is None]
        found = {each.record_id: each for page in self._shown(object, "ids", whole) for each in _found(page)}
        shown = self._organizations({place.organization_id for place in places}) if places else {}
        held = [slot.found(shown[p.organization_id], p) for p in places if p.organization_id in shown]
        return {**found, **{each.record_id: each for each in held if each is not None}}

    def find(self, object: str, external_ids: Sequence[str]) -> Mapping[str, Found]:
        """Organizations by external id, which no index stands before; entitlements by number in their organization."""
        places = {each: place for each in external_ids if (place := slot.place_of(each)) is not None}
        found = dict(self._by_external_ids([each for each in external_ids if each not in places]))
        shown = self._organizations({place.organization_id for place in places.values()}) if places else {}
        for external_id, place in places.items():
            payload = shown.get(place.organization_id)
            own = slot.slot_of(slot.fields_in(payload), place.number) if payload else None
            if payload and own is not None:
                held = slot.found(payload, slot.Place(place.organization_id, own))
                found |= {external_id: held} if held else {}
        self._note(each.record_id for each in found.values())
        return found

    def write(self, requests: Sequence[Request]) -> Sequence[Outcome]:
        """One job for up to a hundred organizations, and the calls that ask how it ended."""
        try:
            outcomes = self._writer.send(requests) if requests else []
        finally:
            self._note(request.record_id or request.external_id for request in requests)
        self._note(outcome.record_id for outcome in outcomes)
        return outcomes

    def _note(self, ids: Iterable[str | None]) -> None:
        """Remember the organizations that ids, also those of slots, are about."""
        now = self._clock.now()
        numbers = [each.split("/")[0] for each in ids if each]
        with self._lock:
            self._written |= {number: now for number in numbers if number.isdecimal()}

    def _unseen(self) -> list[str]:
        """The organizations of ours that no export may show yet; older ones are forgotten."""
        since = self._clock.now() - UNSEEN_FOR
        with self._lock:
            self._written = {number: at for number, at in self._written.items() if at >= since}
            return list(self._written)

    def _organizations(self, ids: Iterable[str]) -> dict[str, bytes]:
        """The payloads of organizations, by their ids."""
        pages = self._shown(OBJECT, "ids", sorted(ids))
        return {number: payload for page in pages for number, payload in zip(_ids(page), page.payloads, strict=True)}

    def _by_external_ids(self, external_ids: Sequence[str]) -> Mapping[str, Found]:
        """The account does not tell small letters from capitals, so answers are told apart without case."""
        wanted = {each.lower(): each for each in external_ids}
        found: dict[str, Found] = {}
        for page in self._shown(OBJECT, "external_ids", external_ids):
            for each in _found(page):
                carried = str(msgspec.json.decode(each.payload, type=_Carries).external_id or "").lower()
                if carried in wanted:
                    found[wanted[carried]] = each
        return found

    def _shown(self, object: str, key: str, values: Sequence[str]) -> Iterator[Split]:
        """Records by ids or external ids, a hundred a call, as they are now."""
        for start in range(0, len(values), BATCH_MAX):
            where = {key: ",".join(values[start : start + BATCH_MAX])}
            page = splitter_of(object).split(got(self._wire, f"{object}/show_many", where).content)
            yield self._exports.noted(page)


class _User(msgspec.Struct):
    url: str


class _Me(msgspec.Struct):
    user: _User


class _Count(msgspec.Struct):
    value: int


class _Counted(msgspec.Struct):
    count: _Count


class _Carries(msgspec.Struct):
    external_id: str | None = None


def _ids(page: Split) -> list[str]:
    return [str(number) for number in page.columns["id"]]


def _page(page: Split, cursor: Cursor) -> Page:
    return Page(
        record_ids=_ids(page),
        versions=page.columns["updated_at"],
        payloads=page.payloads,
        deleted=_are_deleted(page),
        cursor=cursor,
    )


def _are_deleted(page: Split) -> list[bool]:
    """A deleted organization says when, and a deleted ticket so in its status."""
    if "deleted_at" in page.columns:
        return [at is not None for at in page.columns["deleted_at"]]
    return [status == DELETED for status in page.columns.get("status", [None] * len(page))]


def _found(page: Split) -> Iterator[Found]:
    for number, stamp, payload in zip(_ids(page), page.columns["updated_at"], page.payloads, strict=True):
        yield Found(number, stamp, payload)
