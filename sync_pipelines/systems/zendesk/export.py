"""Incremental exports: by time for organizations, by cursor for tickets, at the pace that their headers tell.

Source: developer.zendesk.com, "Incremental Exports". An export leaves out the last minute, so what a cursor has passed
is complete. By time the rows of the last second come again on the next page; where more than a page of them share one
second the export would go round in circles, and the list is read instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests

from sync_pipelines.clock import Clock
from sync_pipelines.errors import FixConfiguration, MalformedPage, SetAside
from sync_pipelines.systems.http import Wire
from sync_pipelines.systems.pagination import NextLink
from sync_pipelines.systems.served import served
from sync_pipelines.systems.splitting import Split, Splitter

EXPORT_MAX = 1000
LIST_MAX = 100
HELD_BACK = 60
"""Seconds before now that no export shows, and in which none may start."""
CLOCKS_DIFFER = HELD_BACK + 300
"""Seconds before our now in which an export may not start, if the server's clock is late."""
_KEYS = {"id": int, "updated_at": str, "url": str | None}
_SPLITTERS = {
    "organizations": Splitter(("organizations",), {**_KEYS, "deleted_at": str | None}),
    "tickets": Splitter(("tickets",), {**_KEYS, "status": str | None, "generated_timestamp": int | None}),
    "ticket_fields": Splitter(("ticket_fields",), _KEYS),
}
_FIELDS = Splitter(("organization_fields",), {"key": str, "active": bool | None})


@dataclass(frozen=True, slots=True)
class Exported:
    """A page, and the cursor that is true once it is stored."""

    page: Split
    cursor: Mapping[str, Any]


class Exports:
    """What changed in an account, in order."""

    def __init__(self, wire: Wire, *, clock: Clock) -> None:
        self._wire = wire
        self._clock = clock
        self._resumes_at: float = 0.0
        self.host: str | None = None
        """That of the account, as the last row that came named its own address."""

    def organizations(self, start: int) -> Iterator[Exported]:
        """From a Unix second on; where a second holds more than a page, everything by list, and on after it."""
        while True:
            page = self._by_time(start, EXPORT_MAX)
            end = page.value("end_time", int | None)
            if end is None or not len(page):
                return
            yield Exported(page, {"at": end})
            ended = page.value("end_of_stream", bool | None)
            if ended if ended is not None else len(page) < EXPORT_MAX:
                return
            if end > start:
                start = end
                continue
            for listed in self.listed("organizations"):
                yield Exported(listed, {"at": end})
            start = end + 1

    def tickets(self, since: Mapping[str, Any] | None, *, overlap: int, live: bool = False) -> Iterator[Exported]:
        """From a cursor on; one that the server no longer knows is left for the second that it stood for."""
        at = int(since["at"]) if since else 0
        where: dict[str, Any] = {"cursor": since["cursor"]} if since else {"start_time": 0}
        while True:
            try:
                page = self._by_cursor({**where, "per_page": EXPORT_MAX}, live=live)
            except SetAside as error:
                if "cursor" not in where:
                    raise FixConfiguration(f"{self._wire.name} gives no export of tickets: {error}") from None
                where = {"start_time": max(0, at - overlap)}
                continue
            cursor = page.value("after_cursor", str | None)
            at = max([at, *(stamp or 0 for stamp in page.columns["generated_timestamp"])])
            if cursor is None:
                raise MalformedPage("an export of tickets does not say where it goes on")
            if len(page):
                yield Exported(page, {"cursor": cursor, "at": at})
            if page.value("end_of_stream", bool | None):
                return
            if where.get("cursor") == cursor:
                raise MalformedPage("an export of tickets goes round in circles")
            where = {"cursor": cursor}

    def anything_since(self, object: str, since: Mapping[str, Any]) -> bool:
        """Whether an export has at least one row past a cursor: one call for one row."""
        if object == "tickets":
            try:
                return len(self._by_cursor({"cursor": since["cursor"], "per_page": 1})) > 0
            except SetAside:
                return True
        start = int(since["at"]) + 1
        is_held_back = start > self._clock.now().timestamp() - HELD_BACK
        return not is_held_back and len(self._by_time(start, 1)) > 0

    def listed(self, object: str) -> Iterator[Split]:
        """Everything that is there, ordered by id, a hundred at a time; nothing is held back."""
        return self._list(object, splitter_of(object))

    def organization_fields(self) -> set[str]:
        """The keys of the custom fields that organizations have."""
        columns = [page.columns for page in self._list("organization_fields", _FIELDS)]
        return {key for each in columns for key, on in zip(each["key"], each["active"], strict=True) if on is not False}

    def _list(self, path: str, splitter: Splitter) -> Iterator[Split]:
        def fetch(after: str) -> Split:
            where = {"page[size]": LIST_MAX, **({"page[after]": after} if after != _FIRST else {})}
            return self.noted(splitter.split(got(self._wire, path, where).content))

        return NextLink(fetch, _following).pages(_FIRST)

    def _by_time(self, start: int, size: int) -> Split:
        """An empty page where the start is so near to now that the server's clock may find it too recent."""
        try:
            response = self._paced("incremental/organizations", {"start_time": start, "per_page": size})
        except SetAside as error:
            if start < self._clock.now().timestamp() - CLOCKS_DIFFER:
                raise FixConfiguration(f"{self._wire.name} gives no export of organizations: {error}") from None
            return splitter_of("organizations").split(b'{"organizations": []}')
        return self.noted(splitter_of("organizations").split(response.content))

    def _by_cursor(self, where: Mapping[str, Any], *, live: bool = False) -> Split:
        wanted = {**where, "exclude_deleted": "true"} if live else where
        return self.noted(splitter_of("tickets").split(self._paced("incremental/tickets/cursor", wanted).content))

    def noted(self, page: Split) -> Split:
        """A page that has come, with the account noted that it is of."""
        self.host = next((host_of(url) for url in reversed(page.columns.get("url", [])) if url), self.host)
        return page

    def _paced(self, path: str, where: Mapping[str, Any]) -> requests.Response:
        """An export, after the wait that the headers of the last one asked for: exports have a limit of their own."""
        wait = self._resumes_at - self._clock.now().timestamp()
        if wait > 0:
            self._clock.sleep(wait)
        response = _sent(self._wire, path, where)
        remaining, reset = (response.headers.get(f"ratelimit-{name}", "") for name in ("remaining", "reset"))
        if remaining == "0" and reset.isdecimal():
            self._resumes_at = self._clock.now().timestamp() + int(reset)
        return response


def got(wire: Wire, path: str, where: Mapping[str, Any]) -> requests.Response:
    """An answer to a read that no value in it can spoil: what is refused is for a person."""
    try:
        return _sent(wire, path, where)
    except SetAside as error:
        raise FixConfiguration(f"{wire.name} can't answer GET /{path}: {error}") from None


def _sent(wire: Wire, path: str, where: Mapping[str, Any]) -> requests.Response:
    return wire.call("GET", f"/api/v2/{path}", route=f"GET /{path}", safe=True, params=where)


_FIRST = "the first page"


def host_of(url: str) -> str | None:
    """The host that an account's own addresses name ("acme.zendesk.com")."""
    return urlsplit(url).hostname


def splitter_of(object: str) -> Splitter:
    return served(_SPLITTERS, object, vendor="Zendesk")


def _following(page: Split) -> str | None:
    meta = page.value("meta", dict[str, Any] | None) or {}
    if meta.get("has_more") and not meta.get("after_cursor"):
        raise MalformedPage("a page of a list is not the last and does not name the next")
    return meta["after_cursor"] if meta.get("has_more") else None
