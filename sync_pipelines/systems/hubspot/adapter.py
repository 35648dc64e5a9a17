"""HubSpot's CRM behind the port: searches to read, batches with a unique property to write."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from itertools import chain, islice
from typing import Any
from urllib.parse import urlsplit

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
    Merges,
    Outcome,
    Page,
    Passport,
    Rate,
    Request,
    Shape,
)
from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.errors import FixConfiguration, MalformedPage, SetAside
from sync_pipelines.systems.auth import ApiKey, Auth, ClientCredentials
from sync_pipelines.systems.budget import Budget, Turns
from sync_pipelines.systems.http import Wire, pooled_session
from sync_pipelines.systems.hubspot import answer
from sync_pipelines.systems.hubspot.answer import API_VERSION
from sync_pipelines.systems.hubspot.association import READ_MAX, joined
from sync_pipelines.systems.hubspot.journal import SCOPES, TYPES, Journal, classify, place_in
from sync_pipelines.systems.hubspot.record import (
    ASSOCIATIONS,
    Record,
    milliseconds,
    properties,
    records,
    split,
    tombstones,
)
from sync_pipelines.systems.hubspot.search import PAGE_MAX, Searched, Searches
from sync_pipelines.systems.hubspot.write import BATCH_MAX, EXTERNAL_ID, Writer
from sync_pipelines.systems.pagination import NextLink
from sync_pipelines.systems.passport import configured
from sync_pipelines.systems.recent import Recent

OBJECTS = f"/crm/objects/{API_VERSION}"
LIST_MAX = 100
SEARCHES_PER_SECOND = 2.5
"""Of the five that an account has for all its apps: as some may go at once, no second sees more than four."""

PASSPORT = Passport(
    api_version=API_VERSION,
    retires_on=date(2028, 3, 8),
    page_max=PAGE_MAX,
    late_seconds=600,
    grain_seconds=0.001,
    is_ordered=False,
    deletes=Deletes.SWEEP,
    merges=Merges.IN_PAGES,
    counting=Counting.LAGGING,
    batch_max=BATCH_MAX,
    batch_atomic=False,
    locking=Locking.REREAD,
    keys={ANY: EXTERNAL_ID},
    settling_seconds=300,
    rate=Rate(190, 10, "HTTP 429, RATE_LIMITS"),
)
"""developers.hubspot.com: a version of September 2026 is supported for eighteen months; a search gives 200 rows and
sees a change only "after a few moments", lists and reads by id at once; a batch holds a hundred inputs, and each stands
for itself; nothing guards against a concurrent edit. The calls of ten seconds are those of a Professional account. An
archived record is in no search, so absence tells; a survivor lists the ids that were merged into it. Estimates: that
the index is ten minutes behind at most, and that a call which was given up has ended after five."""


def open_system(
    settings: SystemSettings,
    *,
    clock: Clock,
    session: requests.Session | None = None,
    rng: random.Random | None = None,
) -> HubSpot:
    """A HubSpot portal; nothing is sent until the first call.

    `settings` needs `url` (https://api.hubapi.com) and either `service_key`, or `client_id`, `client_secret` and
    `refresh_token` of an app that the portal has installed. With `journal = true` the journal of the app with
    `client_id` and `client_secret` tells what changed.
    """
    session = session or pooled_session(settings.concurrency)
    wire_of = partial(Wire, settings, clock=clock, session=session, rng=rng)
    auth = _auth(settings, session=session, clock=clock)
    wire = wire_of(auth=auth, classify=answer.classify, usage_of=answer.usage_of)
    searches = Budget(f"{settings.name} search", SEARCHES_PER_SECOND, settings.concurrency, clock=clock)
    system = HubSpot(wire, clock=clock, searches=searches, passport=configured(PASSPORT, settings))
    if settings.flag("journal"):
        app = _app(settings, session=session, clock=clock, is_installed=False)
        system.follow(wire_of(auth=app, classify=classify, calls=wire.calls), scheme=urlsplit(settings.url).scheme)
    return system


class HubSpot:
    """One portal. A record's version is its `updatedAt`, its payload its properties."""

    def __init__(self, wire: Wire, *, clock: Clock, searches: Budget, passport: Passport = PASSPORT) -> None:
        self.name = wire.name
        self.passport = passport
        self.calls = wire.calls
        self._wire = wire
        self._searches = searches
        self._clock = clock
        self._journal: Journal | None = None
        self._portal_id = ""
        self._recent = Recent(passport.late_seconds, clock=clock)
        self._writer = Writer(self._send, self._recent.note)

    def follow(self, wire: Wire, *, scheme: str) -> None:
        """Go by the journal that a wire leads to, whose files lie behind https or this scheme."""
        self._journal = Journal(wire, self._portal, clock=self._clock, scheme=scheme)
        self.passport = replace(self.passport, looks_at=len(TYPES))

    def share_pace(self, turns: Turns) -> None:
        self._wire.budget.share(turns)

    def identity(self) -> str:
        """The portal's id, which a sandbox account does not share with production."""
        body = self._ask("GET", f"/account-info/{API_VERSION}/details", route="GET /account-info/details")
        try:
            self._portal_id = str(msgspec.json.decode(body, type=_Details).portalId)
        except msgspec.MsgspecError:
            raise MalformedPage("HubSpot does not say which portal this is") from None
        return self._portal_id

    def _portal(self) -> str:
        """The portal's id, as it was told last."""
        return self._portal_id or self.identity()

    def read(self, object: str, shape: Shape, since: Cursor | None) -> Iterator[Page]:
        """What searches show since the cursor, less the overlap, then records of ours that they do not show yet."""
        if self._journal is None:
            yield from self._read(object, shape, since)
            return
        was = place_in(since)
        cursor: Cursor = {name: value for name, value in (since or {"at": 0}).items() if name != "journal"}
        moved = self._journal.moved(object, was)
        place = moved or self._journal.reached(object, shape, was)
        told = {"journal": msgspec.to_builtins(place)} if place else {}
        is_told = place == was
        for page in () if moved else self._read(object, shape, None if since is None else cursor):
            is_told = True
            yield replace(page, cursor={**page.cursor, **told})
        if not is_told:
            yield _page([], {**cursor, **told})

    def _read(self, object: str, shape: Shape, since: Cursor | None) -> Iterator[Page]:
        searches = Searches(self._search, object, properties(object, shape))
        own, shown = self._recent.versions(object), dict[str, str]()
        cursor = since
        for page in self._joined(object, shape, searches.since(since, overlap=self.passport.overlap_seconds * 1000)):
            cursor = page.cursor
            shown |= {each.record_id: each.version for each in page.records if each.record_id in own}
            yield _page(page.records, cursor)
        self._recent.forget(object, [each for each in shown if _is_shown(own[each], shown[each])])
        for batch in self._by_id(object, shape, list(self._recent.versions(object))):
            unseen = [each for each in batch if each.version != shown.get(each.record_id)]
            self._recent.forget(object, {each.record_id for each in batch} - {each.record_id for each in unseen})
            if unseen:
                yield _page(unseen, cursor or {"at": 0})

    def count(self, object: str) -> int:
        """The live records that the search index knows; a list, which is never behind, does not count."""
        return Searches(self._search, object, ()).total()

    def ids(self, object: str) -> Iterator[Sequence[str]]:
        """Every live id, by list."""

        def fetch(after: str) -> _Listed:
            params = {"limit": LIST_MAX, "properties": "hs_object_id", "archived": "false"}
            params |= {} if after == "0" else {"after": after}
            body = self._ask("GET", f"{OBJECTS}/{object}", route="GET /objects/{T}", params=params)
            try:
                return msgspec.json.decode(body, type=_Listed)
            except msgspec.MsgspecError as error:
                raise MalformedPage(f"a list of {object} could not be read ({error})") from None

        pages = NextLink(fetch, _following)
        return ([each.id for each in page.results] for page in pages.pages("0"))

    def changed(self, cursors: Mapping[str, Cursor | None]) -> set[str]:
        """One search an object, for none is about several: for one row past its cursor. A journal tells of all at once.

        Where it tells that nothing happened to an object, but much to others, the object's read costs nothing.
        """
        whole = {name: since for name, since in cursors.items() if self._journal and "below" not in (since or {})}
        followed = {name: place for name, since in whole.items() if (place := place_in(since)) is not None}
        told = self._journal.changed(followed) if self._journal else set()
        return told | {name for name in cursors.keys() - followed.keys() if self._is_past(name, cursors[name])}

    def _is_past(self, object: str, since: Cursor | None) -> bool:
        """Whether anything is past the cursor; of a window that was not read to its end that is not even asked."""
        if since is not None and "below" in since:
            return True
        at = None if since is None else int(since["at"])
        return Searches(self._search, object, ()).is_any_past(at)

    def fetch(self, object: str, shape: Shape, record_ids: Sequence[str]) -> Mapping[str, Found]:
        """By id; where a record that was merged away answers with its survivor, it counts as gone."""
        wanted = set(record_ids)
        batches = self._by_id(object, shape, list(dict.fromkeys(record_ids)))
        return {each.record_id: each.found() for batch in batches for each in batch if each.record_id in wanted}

    def find(self, object: str, external_ids: Sequence[str]) -> Mapping[str, Found]:
        """By the unique property, which no index stands before; its values are told apart without case."""
        wanted = {each.lower(): each for each in external_ids}
        found: dict[str, Found] = {}
        for batch in self._batches(object, list(wanted.values()), [EXTERNAL_ID], key=EXTERNAL_ID):
            for each in batch:
                carried = (msgspec.json.decode(each.payload, type=_Carries).sync_id or "").lower()
                if carried in wanted:
                    found[wanted[carried]] = each.found()
        self._recent.note(object, {each.record_id: each.version for each in found.values()})
        return found

    def write(self, requests: Sequence[Request]) -> Sequence[Outcome]:
        """One batch call, one more for each step that follows, and for halves where a batch is refused as a whole."""
        if self._journal:
            self._journal.forget()
        for request in requests:
            self._recent.note(request.object, {request.record_id: ""} if request.record_id else {})
        return self._writer.write(requests)

    def check_shapes(self, shapes: Mapping[str, Shape]) -> None:
        """Compare declared properties with the portal's own; `FixConfiguration` names all that are not as they must be.

        A property that does not exist is passed over by every read without a word.
        """
        problems = [problem for name in sorted(shapes) for problem in self._amiss(name, shapes[name])]
        if problems:
            raise FixConfiguration.of(f"{answer.DECLARED_IN} does not fit this portal", problems)
        if self._journal is None:
            return
        untold = [each for name in sorted(shapes) for each in self._journal.missing(name, shapes[name])]
        if untold:
            raise FixConfiguration.of(f"the app of [systems.{self.name}] lacks subscriptions to its journal", untold)

    def _amiss(self, object: str, shape: Shape) -> list[str]:
        body = self._ask("GET", f"/crm/properties/{API_VERSION}/{object}", route="GET /properties/{T}")
        known = {each.name: each.hasUniqueValue for each in msgspec.json.decode(body, type=_Properties).results}
        wanted = properties(object, shape)
        missing = [f"[{object}] there is no property {each!r}" for each in wanted if each not in known]
        if EXTERNAL_ID in shape and known.get(EXTERNAL_ID) is False:
            missing.append(f"[{object}] property {EXTERNAL_ID!r} has to be one with unique values")
        return missing

    def _joined(self, object: str, shape: Shape, pages: Iterator[Searched]) -> Iterator[Searched]:
        """With the associations that a shape asks for; as many pages are gathered as one call for them takes."""
        targets = list(shape.get(ASSOCIATIONS, {}))
        if not targets:
            yield from pages
            return
        while gathered := list(islice(pages, READ_MAX // PAGE_MAX)):
            every = joined(self._associations, object, targets, [each for page in gathered for each in page.records])
            rest = iter(every)
            for page in gathered:
                yield Searched(list(islice(rest, len(page.records))), page.cursor)

    def _by_id(self, object: str, shape: Shape, record_ids: Sequence[str]) -> Iterator[Sequence[Record]]:
        read = self._batches(object, record_ids, properties(object, shape))
        targets = list(shape.get(ASSOCIATIONS, {}))
        if not targets or not record_ids:
            return read
        return iter([joined(self._associations, object, targets, list(chain.from_iterable(read)))])

    def _batches(
        self, object: str, values: Sequence[str], asked: Sequence[str], *, key: str = ""
    ) -> Iterator[list[Record]]:
        """Records by ids, or by the values of a unique property, as they are now."""
        always = {"properties": list(asked), "propertiesWithHistory": []} | ({"idProperty": key} if key else {})
        for start in range(0, len(values), BATCH_MAX):
            inputs = [{"id": each} for each in values[start : start + BATCH_MAX]]
            path = f"{OBJECTS}/{object}/batch/read"
            body = self._ask("POST", path, route="POST /objects/{T}/batch/read", json={"inputs": inputs, **always})
            yield list(records(split(body)))

    def _search(self, object: str, query: Mapping[str, Any]) -> bytes:
        with self._searches.slot():
            return self._ask("POST", f"{OBJECTS}/{object}/search", route="POST /objects/{T}/search", json=query)

    def _associations(self, source: str, target: str, inputs: Sequence[Mapping[str, str]]) -> bytes:
        path = f"/crm/associations/{API_VERSION}/{source}/{target}/batch/read"
        return self._ask("POST", path, route="POST /associations/{T}/{U}/batch/read", json={"inputs": list(inputs)})

    def _send(self, object: str, verb: str, inputs: Sequence[Mapping[str, Any]]) -> bytes:
        path, route = f"{OBJECTS}/{object}/batch/{verb}", f"POST /objects/{{T}}/batch/{verb}"
        return self._wire.call("POST", path, route=route, safe=False, json={"inputs": list(inputs)}).content

    def _ask(self, method: str, path: str, *, route: str, **options: Any) -> bytes:
        try:
            return self._wire.call(method, path, route=route, safe=True, **options).content
        except SetAside as error:
            raise FixConfiguration(f"{self.name} can't answer {route}: {error}; mend {answer.DECLARED_IN}") from None


class _Details(msgspec.Struct):
    portalId: int  # noqa: N815 (the vendor's name)


class _Id(msgspec.Struct):
    id: str


class _Next(msgspec.Struct):
    after: str


class _Paging(msgspec.Struct):
    next: _Next | None = None


class _Listed(msgspec.Struct):
    results: list[_Id]
    paging: _Paging | None = None


class _Property(msgspec.Struct):
    name: str
    hasUniqueValue: bool = False  # noqa: N815 (the vendor's name)


class _Properties(msgspec.Struct):
    results: list[_Property]


class _Carries(msgspec.Struct):
    sync_id: str | None = None


def _is_shown(written: str, shown: str) -> bool:
    """Whether a version that was written, if it is known, is in what a search shows."""
    return bool(written) and milliseconds(written) <= milliseconds(shown)


def _following(page: _Listed) -> str | None:
    return page.paging.next.after if page.paging and page.paging.next else None


def _auth(settings: SystemSettings, *, session: requests.Session, clock: Clock) -> Auth:
    key = settings.options.get("service_key", "")
    if key:
        return ApiKey(settings.name, key, setting="service_key")
    return _app(settings, session=session, clock=clock, is_installed=True)


def _app(settings: SystemSettings, *, session: requests.Session, clock: Clock, is_installed: bool) -> Auth:
    """The app in the portal that has installed it, or the app itself, which may read its journal."""
    url = f"{settings.url.rstrip('/')}/oauth/{API_VERSION}/token"
    client_id, client_secret = settings.option("client_id"), settings.option("client_secret")
    refresh_token = settings.option("refresh_token") if is_installed else ""
    return ClientCredentials(
        settings.name,
        url,
        client_id,
        client_secret,
        session=session,
        scope="" if is_installed else SCOPES,
        refresh_token=refresh_token,
        clock=clock,
    )


def _page(kept: Sequence[Record], cursor: Cursor) -> Page:
    """Live records, then those that were merged into one of them."""
    merged = list(tombstones(kept))
    return Page(
        record_ids=[each.record_id for each in kept] + [loser for loser, _, _ in merged],
        versions=[each.version for each in kept] + [version for _, version, _ in merged],
        payloads=[each.payload for each in kept] + [payload for _, _, payload in merged],
        deleted=[False] * len(kept) + [True] * len(merged),
        cursor=cursor,
    )
