"""Associations, which no search tells: read for up to a thousand records a call, and put into their payloads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from sync_pipelines.errors import MalformedPage
from sync_pipelines.systems.hubspot.record import ASSOCIATIONS, Record

READ_MAX = 1000
"""Records whose associations one call tells."""
Ask = Callable[[str, str, Sequence[Mapping[str, str]]], bytes]
"""Reads the associations of inputs from one object to another, and gives the body of its answer."""


class _Type(msgspec.Struct):
    typeId: int  # noqa: N815 (the vendor's name)


class _To(msgspec.Struct):
    toObjectId: str | int  # noqa: N815 (the vendor's name)
    associationTypes: list[_Type]  # noqa: N815 (the vendor's name)


class _Id(msgspec.Struct):
    id: str


class _Next(msgspec.Struct):
    after: str


class _Paging(msgspec.Struct):
    next: _Next | None = None


class _Result(msgspec.Struct, rename={"source": "from"}):
    source: _Id
    to: list[_To]
    paging: _Paging | None = None


class _Answer(msgspec.Struct):
    results: list[_Result]


def joined(ask: Ask, source: str, targets: Sequence[str], kept: Sequence[Record]) -> list[Record]:
    """Records with an `associations` field: by object, the ids that each is associated with and the types."""
    ids = [each.record_id for each in kept]
    told = {target: _read(ask, source, target, ids) for target in targets}
    return [_with(record, {target: told[target].get(record.record_id, []) for target in targets}) for record in kept]


def _read(ask: Ask, source: str, target: str, ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """A record without any is named among the errors, which is no error here; long lists come in pages."""
    links: dict[str, list[dict[str, Any]]] = {}
    waiting = [{"id": each} for each in ids]
    while waiting:
        asked, waiting = waiting[:READ_MAX], waiting[READ_MAX:]
        for result in _results(ask(source, target, asked)):
            told = [
                {"id": str(to.toObjectId), "types": sorted(t.typeId for t in to.associationTypes)} for to in result.to
            ]
            links.setdefault(result.source.id, []).extend(told)
            if result.paging is not None and result.paging.next is not None:
                waiting.append({"id": result.source.id, "after": result.paging.next.after})
    return links


def _results(body: bytes) -> Iterator[_Result]:
    try:
        yield from msgspec.json.decode(body, type=_Answer).results
    except msgspec.MsgspecError as error:
        raise MalformedPage(f"HubSpot's associations could not be read ({error})") from None


def _with(record: Record, links: Mapping[str, Any]) -> Record:
    told = msgspec.json.encode({ASSOCIATIONS: links})
    separator = b"," if len(record.payload) > 2 else b""
    return replace(record, payload=record.payload[:-1] + separator + told[1:])
