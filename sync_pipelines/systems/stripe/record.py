"""Stripe's lists and objects as records: walked page by page, completed where Stripe cut a nested list."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from sync_pipelines.engine.port import Shape
from sync_pipelines.errors import MalformedPage
from sync_pipelines.systems.http import Wire
from sync_pipelines.systems.pagination import NextLink
from sync_pipelines.systems.splitting import Split, Splitter
from sync_pipelines.systems.stripe.answer import API_VERSION, Gone

PAGE_MAX = 100
VERSION_HEADER: Mapping[str, str] = {"Stripe-Version": API_VERSION}
Filter = Sequence[tuple[str, str]]

NESTED: Mapping[str, str] = {"subscriptions": "items", "invoices": "lines", "credit_notes": "lines"}
"""Lists inside objects, of which Stripe embeds only the first page."""

_NESTED_ROUTES = {
    "subscriptions": "GET /v1/subscription_items",
    "invoices": "GET /v1/invoices/{id}/lines",
    "credit_notes": "GET /v1/credit_notes/{id}/lines",
}


class _Part(msgspec.Struct):
    """What stands around the elements of a nested list."""

    has_more: bool = False
    url: str = ""


_IDS = Splitter(("data",), {"id": str})
_PLAIN = Splitter(
    ("data",),
    {"id": str, "deleted": bool | None, "active": bool | None, "metadata": dict[str, str] | None},
)
_WITH_NESTED = {
    name: Splitter(("data",), {"id": str, "metadata": dict[str, str] | None, nested: _Part | None})
    for name, nested in NESTED.items()
}

VersionOf = Callable[[bytes], str]


def version_of(shape: Shape | None) -> VersionOf:
    """How to tell the version of a payload, for Stripe's objects carry none: a hash of their declared fields.

    What Stripe moves by itself and no mapping reads (a customer's invoice sequence, a price inside of a
    subscription) is no change then. Without a shape the whole payload counts.

    >>> version = version_of({"name": "VARCHAR"})
    >>> version(b'{"name": "Acme", "balance": 0}') == version(b'{"balance": 5, "name": "Acme"}')
    True
    """
    decoder = msgspec.json.Decoder(_declared(shape) if shape is not None else msgspec.Raw)

    def version(payload: bytes) -> str:
        try:
            declared = msgspec.json.encode(decoder.decode(payload))
        except msgspec.ValidationError as error:
            raise MalformedPage(f"an object does not have the declared shape ({error})") from None
        return hashlib.blake2b(declared, digest_size=8).hexdigest()

    return version


def _declared(kind: Any) -> Any:
    """The type that decodes declared fields only; what is declared as a plain type stays the bytes it came as."""
    if isinstance(kind, Mapping):
        names = {f"field_{position}": name for position, name in enumerate(kind)}
        fields = [
            (own, _declared(kind[name]), msgspec.Raw(b"null") if isinstance(kind[name], str) else None)
            for own, name in names.items()
        ]
        return msgspec.defstruct("Declared", fields, rename=names) | None
    if isinstance(kind, list):
        return list[_declared(kind[0])] | None  # type: ignore[misc]
    return msgspec.Raw


@dataclass(frozen=True, slots=True)
class Record:
    """One Stripe object; `payload` is compact JSON with all nested elements, empty for a deleted one."""

    record_id: str
    version: str
    payload: bytes
    metadata: Mapping[str, str]
    active: bool = True

    @property
    def deleted(self) -> bool:
        return not self.payload


def tombstone(record_id: str) -> Record:
    """The record of an object that is gone."""
    return Record(record_id, "deleted", b"", {}, active=False)


class Records:
    """Reads Stripe objects by list and by id, under the pinned API version."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def pages(
        self, object: str, version: VersionOf, *, where: Filter = (), after: str = ""
    ) -> Iterator[tuple[list[Record], bool]]:
        """Pages of records, newest first, each with whether it is the last; `after` is an id to go on from.

        `Gone` when `after`, or a record at the end of a page, was deleted meanwhile.
        """
        route, splitter = f"GET /v1/{object}", _WITH_NESTED.get(object, _PLAIN)
        for page in walk(self._wire, f"/v1/{object}", where, route=route, splitter=splitter, after=after):
            yield self._records(object, page, version), not page.value("has_more", bool)

    def ids(self, object: str, where: Filter = ()) -> Iterator[Sequence[str]]:
        for page in walk(self._wire, f"/v1/{object}", where, route=f"GET /v1/{object}", splitter=_IDS):
            yield page.columns["id"]

    def one(self, object: str, version: VersionOf, record_id: str) -> Record | None:
        """The object as it is now; None when it is deleted or unknown."""
        path = f"/v1/{object}/{quote(record_id, safe='')}"
        try:
            body = get(self._wire, path, route=f"GET /v1/{object}/{{id}}")
        except Gone:
            return None
        page = _WITH_NESTED.get(object, _PLAIN).split(b'{"data":[' + body + b"]}")
        if any(page.columns.get("deleted", ())):
            return None
        return next(iter(self._records(object, page, version)), None)

    def _records(self, object: str, page: Split, version: VersionOf) -> list[Record]:
        """The records of a page; one that was deleted before its nested list was read is left out."""
        columns, nested = page.columns, NESTED.get(object, "")
        parts = columns.get(nested) or [None] * len(page)
        active = columns.get("active") or [None] * len(page)
        made = []
        for position, payload in enumerate(page.payloads):
            part = parts[position]
            try:
                whole = self._whole(object, payload, part) if part and part.has_more else payload
            except Gone:
                continue
            compact = msgspec.json.format(whole, indent=-1)
            metadata = columns["metadata"][position] or {}
            lives = active[position] is not False
            made.append(Record(columns["id"][position], version(compact), compact, metadata, lives))
        return made

    def _whole(self, object: str, payload: bytes, part: _Part) -> bytes:
        """The payload with every element of its nested list; the elements stay the bytes they came as."""
        record = msgspec.json.decode(payload, type=dict[str, msgspec.Raw])
        nested: dict[str, Any] = dict(msgspec.json.decode(record[NESTED[object]], type=dict[str, msgspec.Raw]))
        elements = msgspec.json.decode(nested["data"], type=list[msgspec.Raw])
        if not elements or not part.url:
            raise MalformedPage(f"a nested list of {object} has more elements, but does not say where")
        last = msgspec.json.decode(elements[-1], type=_Named).id
        rest = walk(self._wire, part.url, (), route=_NESTED_ROUTES[object], splitter=_IDS, after=last)
        elements += [msgspec.Raw(element) for page in rest for element in page.payloads]
        nested |= {"data": elements, "has_more": False}
        return msgspec.json.encode({**record, NESTED[object]: nested})


class _Named(msgspec.Struct):
    id: str


def walk(wire: Wire, path: str, where: Filter, *, route: str, splitter: Splitter, after: str = "") -> Iterator[Split]:
    """The pages of a list by keyset: each starts after the last id of the one before."""
    first = f"{path}{'&' if '?' in path else '?'}{urlencode([*where, ('limit', str(PAGE_MAX))])}"

    def following(page: Split) -> str | None:
        if not page.value("has_more", bool):
            return None
        if not len(page):
            raise MalformedPage(f"{route} gave an empty page that is not the last")
        return _from(first, page.columns["id"][-1])

    start = _from(first, after) if after else first
    return NextLink(lambda link: splitter.split(get(wire, link, route=route)), following).pages(start)


def get(wire: Wire, path: str, *, route: str) -> bytes:
    """The body of one read under the pinned version."""
    return wire.call("GET", path, route=route, safe=True, headers=VERSION_HEADER).content


def _from(link: str, record_id: str) -> str:
    return f"{link}&starting_after={quote(record_id, safe='')}"
