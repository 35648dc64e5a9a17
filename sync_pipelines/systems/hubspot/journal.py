"""The Webhooks Journal: one call tells of several objects whether anything happened to them.

HubSpot writes what an app has subscribed to into files, one after another, and keeps them for three days. Where an app
has subscribed to all of an object, no entry means that nothing happened to it. What the journal can't tell, or tells in
a way that is not understood, counts as a change: then searches are asked, which need no journal.

Facts: developers.hubspot.com, "Webhooks journal", and HubSpot's OpenAPI document of it, version 2026-09.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import msgspec
import requests

from sync_pipelines.clock import Clock
from sync_pipelines.engine.port import Shape
from sync_pipelines.errors import MalformedPage, RetryLater, SyncError
from sync_pipelines.systems.auth import as_is
from sync_pipelines.systems.http import Wire
from sync_pipelines.systems.hubspot import answer
from sync_pipelines.systems.hubspot.answer import API_VERSION
from sync_pipelines.systems.hubspot.record import ASSOCIATIONS

SCOPES = "developer.webhooks_journal.read developer.webhooks_journal.subscriptions.read"
TYPES: Mapping[str, str] = {"contacts": "0-1", "companies": "0-2", "deals": "0-3", "line_items": "0-8"}
"""The ids by which events and subscriptions name objects; one that is not here is looked at by search."""
ACTIONS = frozenset({"CREATE", "UPDATE", "DELETE", "MERGE", "RESTORE"})
LINKED = frozenset({"ASSOCIATION_ADDED", "ASSOCIATION_REMOVED"})
ENTRIES_MAX = 20
"""How many files one look reads; where there are more, all objects count as changed."""
EMPTY = ""
"""The offset of a journal without an entry."""
EMPTY_FOR = 2 * 86_400_000
"""Milliseconds for which an empty journal is a place to go by: what it told later it still has (three days)."""
FILE_TIMEOUT = (5.0, 60.0)
_TYPE = re.compile(r"\d+-\d+")


class Place(msgspec.Struct, frozen=True):
    """How far an object is read by the journal's count: `offset` was its last entry at `since` (milliseconds), if any.

    What happened before that may have been shown by searches only later. So what follows the entry is all there is
    when a read that began late enough after it found nothing; who looks has to see to that.
    """

    offset: str
    since: int


class _Entry(msgspec.Struct):
    url: str
    currentOffset: str  # noqa: N815 (the vendor's name)


class _Entries(msgspec.Struct):
    results: list[_Entry]


class _Event(msgspec.Struct):
    portalId: int | None = None  # noqa: N815
    objectTypeId: str | None = None  # noqa: N815
    fromObjectTypeId: str | None = None  # noqa: N815
    toObjectTypeId: str | None = None  # noqa: N815

    def types(self) -> set[str]:
        """The types that it is about: one, or the two ends of an association."""
        return {each for each in (self.objectTypeId, self.fromObjectTypeId, self.toObjectTypeId) if each}


class _File(msgspec.Struct):
    journalEvents: list[_Event]  # noqa: N815


class _Subscription(msgspec.Struct):
    subscriptionType: str  # noqa: N815
    actions: frozenset[str]
    objectTypeId: str | None = None  # noqa: N815
    portalId: int | None = None  # noqa: N815
    properties: list[str] | None = None
    objectIds: list[int] | None = None  # noqa: N815
    associatedObjectTypeIds: list[str] | None = None  # noqa: N815
    deletedAt: str | None = None  # noqa: N815


class _Subscriptions(msgspec.Struct):
    results: list[_Subscription]


class Journal:
    """What one app's journal tells of one portal, for the length of a run; `portal` gives the portal's id."""

    def __init__(self, wire: Wire, portal: Callable[[], str], *, clock: Clock, scheme: str = "https") -> None:
        self._wire = wire
        self._portal = portal
        self._clock = clock
        self._schemes = {"https", scheme}
        self._subscribed: list[_Subscription] | None = None
        self._end: Place | None = None
        """Where the journal ends, as far as this run knows."""
        self._is_mute = False
        """Whether it does not tell where it ends."""
        self._quiet: dict[str, Place] = {}
        self._news: set[str] = set()
        """Where the last look found objects to which nothing happened, and those to which anything may have."""

    def changed(self, places: Mapping[str, Place]) -> set[str]:
        """Those of the objects to which anything may have happened past their places; all where that can't be told.

        One that others have left behind is among them too, to be `moved` on: else the same entries were read again.
        """
        self._quiet, self._news = {}, set(places)
        if not places:
            return set()
        asked_at, start = self._now(), min(places.values(), key=lambda place: place.since)
        is_old = start.offset == EMPTY and asked_at - start.since > EMPTY_FOR
        entries = None if is_old else self._after(start.offset)
        if entries is None or len(entries) >= ENTRIES_MAX:
            return set(places)
        offsets = [start.offset, *(each.currentOffset for each in entries)]
        told = [self._types(each) for each in entries]
        self._end = Place(offsets[-1], asked_at)
        self._quiet = {name: each for name, each in places.items() if not _is_news(name, each, offsets, told)}
        self._news -= self._quiet.keys()
        return {name for name, each in places.items() if name in self._news or each.offset != self._end.offset}

    def moved(self, object: str, place: Place | None) -> Place | None:
        """The journal's end, where the last look found that nothing happened to the object on the way there."""
        return self._end if place is not None and self._quiet.pop(object, None) == place else None

    def reached(self, object: str, shape: Shape, place: Place | None) -> Place | None:
        """The place of an object of which a read begins now; None where the journal can't be gone by."""
        if place is not None and object not in self._news:
            return place
        self._news.discard(object)
        with suppress(RetryLater, MalformedPage):
            return self._last() if not self.missing(object, shape) else None
        return None

    def forget(self) -> None:
        """This run is about to write: what a look found no longer holds."""
        self._quiet.clear()

    def missing(self, object: str, shape: Shape) -> list[str]:
        """What the app would have to subscribe to, for its journal to tell every change of an object."""
        type_id = TYPES.get(object)
        if type_id is None:
            return [f"[{object}] the journal does not know it"]
        fields = [name for name in shape if name not in (ASSOCIATIONS, "hs_object_id")]
        mine = [each for each in self._subscriptions() if each.objectTypeId == type_id and not each.objectIds]
        whole = [each for each in mine if each.subscriptionType == "OBJECT" and each.actions >= ACTIONS]
        missing = []
        if not any(set(fields) <= set(each.properties or ()) for each in whole):
            missing.append(f"[{object}] OBJECT of {type_id}: {', '.join(sorted(ACTIONS))}; {', '.join(fields)}")
        linked = [each for each in mine if each.subscriptionType == "ASSOCIATION" and each.actions >= LINKED]
        for target in shape.get(ASSOCIATIONS, {}):
            to = TYPES.get(target)
            if not any(to in (each.associatedObjectTypeIds or ()) for each in linked):
                missing.append(f"[{object}] ASSOCIATION of {type_id} with {to}: {', '.join(sorted(LINKED))}")
        return missing

    def _after(self, offset: str) -> list[_Entry] | None:
        """The entries behind an offset, as many as a look reads; None where HubSpot no longer knows it."""
        if offset == EMPTY:
            body = self._ask(f"batch/earliest/{ENTRIES_MAX}", route="GET /webhooks-journal/batch/earliest/{count}")
        else:
            path = f"batch/{offset}/next/{ENTRIES_MAX}"
            body = self._ask(path, route="GET /webhooks-journal/batch/{offset}/next/{count}")
        try:
            return None if body is None else msgspec.json.decode(body, type=_Entries).results if body else []
        except msgspec.MsgspecError:
            return None

    def _last(self) -> Place | None:
        """Where the journal ends; None where it does not tell, which is asked once."""
        if self._end is None and not self._is_mute:
            asked_at, body = self._now(), self._ask("latest", route="GET /webhooks-journal/latest")
            with suppress(msgspec.MsgspecError):
                offset = msgspec.json.decode(body, type=_Entry).currentOffset if body else EMPTY
                self._end = None if body is None else Place(offset, asked_at)
            self._is_mute = self._end is None
        return self._end

    def _types(self, entry: _Entry) -> set[str] | None:
        """The types that an entry's file is about; None where that can't be told.

        The file lies elsewhere, under an address that lets anybody in for a while: no credentials go there.
        """
        if urlsplit(entry.url).scheme not in self._schemes:
            return None
        self._wire.calls.count("GET file of the journal")
        try:
            file = self._wire.session.get(entry.url, timeout=FILE_TIMEOUT, allow_redirects=False, auth=as_is)
            events = msgspec.json.decode(file.content, type=_File).journalEvents if file.ok else None
        except (requests.RequestException, msgspec.MsgspecError):
            return None
        here = (None, int(self._portal()))
        ours = [each.types() for each in events or () if each.portalId in here]
        is_clear = events is not None and all(types and all(map(_TYPE.fullmatch, types)) for types in ours)
        return set().union(*ours) if is_clear else None

    def _subscriptions(self) -> list[_Subscription]:
        """What the app has subscribed to in this portal."""
        if self._subscribed is None:
            path = f"/webhooks-journal/subscriptions/{API_VERSION}"
            response = self._wire.call("GET", path, route="GET /webhooks-journal/subscriptions", safe=True)
            try:
                every = msgspec.json.decode(response.content, type=_Subscriptions).results
            except msgspec.MsgspecError:
                every = []
            self._subscribed = [each for each in every if str(each.portalId) == self._portal() and not each.deletedAt]
        return self._subscribed

    def _ask(self, path: str, *, route: str) -> bytes | None:
        """The answer to a question to the journal, empty where there is nothing; None where there is none."""
        where = f"/webhooks-journal/journal-local/{API_VERSION}/{path}"
        params = {"installPortalId": self._portal()}
        try:
            response = self._wire.call("GET", where, route=route, safe=True, params=params)
        except (RetryLater, MalformedPage):
            return None
        return response.content if response.ok else None

    def _now(self) -> int:
        return round(self._clock.now().timestamp() * 1000)


def _is_news(object: str, place: Place, offsets: Sequence[str], told: Sequence[set[str] | None]) -> bool:
    """Whether an entry behind the place is about the object, or can't be read; `told` are the types of each."""
    if place.offset not in offsets:
        return True
    return any(types is None or TYPES.get(object) in types for types in told[offsets.index(place.offset) :])


def classify(response: requests.Response) -> SyncError | None:
    """As everywhere at HubSpot, but that an offset may be gone (404) after three days."""
    return None if response.status_code == 404 else answer.classify(response)


def place_in(cursor: Mapping[str, Any] | None) -> Place | None:
    """The place that a cursor carries."""
    return msgspec.convert(cursor["journal"], Place) if cursor and cursor.get("journal") else None
