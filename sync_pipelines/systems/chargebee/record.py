"""Chargebee's lists as records: walked page by page, and long documents completed with the rest of their lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote, urlencode

import msgspec

from sync_pipelines.errors import MalformedPage
from sync_pipelines.systems.http import Wire
from sync_pipelines.systems.pagination import NextLink
from sync_pipelines.systems.splitting import Split, Splitter

BASE = "/api/v2"
PAGE_MAX = 100
IDS_MAX = 50
"""Ids in one call, so that its address stays within what proxies let pass."""
LINES_MAX = 300
Filter = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of resource is listed; an empty `sort` leaves the order to Chargebee."""

    resource: str
    sort: str = "updated_at"
    hides_deleted: bool = False
    is_document: bool = False

    @property
    def is_ordered(self) -> bool:
        """Whether its list can be had with the oldest change first."""
        return self.sort == "updated_at"


KINDS: Mapping[str, Kind] = {
    "customers": Kind("customer", hides_deleted=True),
    "item_families": Kind("item_family", sort=""),
    "items": Kind("item"),
    "item_prices": Kind("item_price"),
    "subscriptions": Kind("subscription", hides_deleted=True),
    "invoices": Kind("invoice", hides_deleted=True, is_document=True),
    "credit_notes": Kind("credit_note", sort="date", hides_deleted=True, is_document=True),
}
"""The objects. Credit notes can be sorted by their date alone, and item families not at all."""

_KEYS = {
    "id": str,
    "resource_version": int,
    "updated_at": int | None,
    "deleted": bool | None,
    "status": str | None,
    "line_items_next_offset": str | None,
}
_SPLITTERS = {name: Splitter(("list",), _KEYS, wrapped_in=kind.resource) for name, kind in KINDS.items()}


@dataclass(frozen=True, slots=True)
class Record:
    """One resource; `at` is the second of its last change, `version` its milliseconds."""

    record_id: str
    version: int
    at: int
    payload: bytes
    deleted: bool


class Records:
    """Reads lists, and the lines that a list leaves out."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def changed(self, object: str, after: int) -> Iterator[tuple[list[Record], bool]]:
        """Pages of what changed after a second, deleted ones too, each with whether it is the last."""
        kind = KINDS[object]
        where = [("updated_at[after]", str(after))] if after > 0 else []
        where += [("include_deleted", "true")] if kind.hides_deleted else []
        where += [("sort_by[asc]", kind.sort)] if kind.sort else []
        for page in self._pages(object, where):
            yield self._records(object, page), page.value("next_offset", str | None) is None

    def live(self, object: str, ids: Sequence[str] | None = None) -> Iterator[list[Record]]:
        """Pages of what is not deleted, all of it or what has these ids; documents with all their lines."""
        chunks = [()] if ids is None else [tuple(ids[at : at + IDS_MAX]) for at in range(0, len(ids), IDS_MAX)]
        for chunk in chunks:
            where = [("id[in]", msgspec.json.encode(chunk).decode())] if chunk else []
            for page in self._pages(object, where):
                records = self._records(object, page) if ids is not None else _plain(page)
                yield [record for record in records if not record.deleted]

    def _pages(self, object: str, where: Filter) -> Iterator[Split]:
        first = f"{BASE}/{object}?{urlencode([*where, ('limit', str(PAGE_MAX))])}"
        route, splitter = f"GET /{object}", _SPLITTERS[object]

        def following(page: Split) -> str | None:
            offset = page.value("next_offset", str | None)
            return f"{first}&{urlencode({'offset': offset})}" if offset else None

        return NextLink(lambda link: splitter.split(get(self._wire, link, route=route)), following).pages(first)

    def _records(self, object: str, page: Split) -> list[Record]:
        """The records of a page; a document whose lines broke off is read on."""
        if not KINDS[object].is_document:
            return _plain(page)
        offsets = page.columns["line_items_next_offset"]
        return [
            replace(record, payload=self._whole(object, record, offset)) if offset else record
            for record, offset in zip(_plain(page), offsets, strict=True)
        ]

    def _whole(self, object: str, record: Record, offset: str) -> bytes:
        """The payload with every line; the lines stay the bytes they came as."""
        resource = KINDS[object].resource
        fields = msgspec.json.decode(record.payload, type=dict[str, msgspec.Raw])
        lines = msgspec.json.decode(fields.get("line_items", b"[]"), type=list[msgspec.Raw])
        path, rest = f"{BASE}/{object}/{quote(record.record_id, safe='')}", offset
        while rest:
            query = urlencode({"line_items_limit": str(LINES_MAX), "line_items_offset": rest})
            body = get(self._wire, f"{path}?{query}", route=f"GET /{object}/{{id}}")
            part = _decoded(body)[resource]
            if part.resource_version != record.version or not part.line_items:
                raise MalformedPage(f"a record of {object} changed while its lines were read")
            lines += part.line_items
            rest = part.line_items_next_offset
        fields.pop("line_items_next_offset", None)
        return msgspec.json.encode({**fields, "line_items": lines})


class _Part(msgspec.Struct):
    resource_version: int
    line_items: list[msgspec.Raw] = []
    line_items_next_offset: str = ""


def _decoded(body: bytes) -> dict[str, _Part]:
    try:
        return msgspec.json.decode(body, type=dict[str, _Part])
    except msgspec.MsgspecError as error:
        raise MalformedPage(f"the rest of a document could not be read ({error})") from None


def _plain(page: Split) -> list[Record]:
    columns = page.columns
    rows = zip(
        columns["id"],
        columns["resource_version"],
        columns["updated_at"],
        page.payloads,
        columns["deleted"],
        columns["status"],
        strict=True,
    )
    return [
        Record(record_id, version, at or version // 1000, payload, bool(deleted) or status == "deleted")
        for record_id, version, at, payload, deleted, status in rows
    ]


def get(wire: Wire, path: str, *, route: str) -> bytes:
    return wire.call("GET", path, route=route, safe=True).content
