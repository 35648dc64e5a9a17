"""Records as HubSpot sends them, and as they are kept: their properties alone, which are texts whatever they mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from sync_pipelines.engine.port import Found, Shape
from sync_pipelines.errors import MalformedPage
from sync_pipelines.systems.splitting import Split, Splitter

MODIFIED: Mapping[str, str] = {"contacts": "lastmodifieddate"}
"""The property that tells when a record was changed last, where it is not the usual one."""
ASSOCIATIONS = "associations"
"""The field of a shape that names the objects whose associations are read along."""
_MERGED = "hs_merged_object_ids"


class _Told(msgspec.Struct):
    """What is read of a record's own properties."""

    hs_lastmodifieddate: str | None = None
    lastmodifieddate: str | None = None
    hs_merged_object_ids: str | None = None


_TOLD = msgspec.json.Decoder(_Told)
_SPLITTER = Splitter(("results",), {"id": str, "updatedAt": str, "properties": msgspec.Raw})


@dataclass(frozen=True, slots=True)
class Record:
    """One live record: `changed_at` in milliseconds since 1970, and the ids that were merged into it."""

    record_id: str
    version: str
    payload: bytes
    changed_at: int
    merged_ids: tuple[str, ...]

    def found(self) -> Found:
        return Found(self.record_id, self.version, self.payload)


def modified(object: str) -> str:
    return MODIFIED.get(object, "hs_lastmodifieddate")


def properties(object: str, shape: Shape) -> list[str]:
    """The properties to ask for: those of the shape, and those that every read needs.

    >>> properties("contacts", {"email": "VARCHAR"})
    ['email', 'hs_merged_object_ids', 'hs_object_id', 'lastmodifieddate']
    """
    return sorted({*shape, "hs_object_id", _MERGED, modified(object)} - {ASSOCIATIONS})


def split(body: bytes) -> Split:
    return _SPLITTER.split(body)


def records(page: Split) -> Iterator[Record]:
    """The records of a page; `MalformedPage` when one does not tell when it was changed."""
    for record_id, version, raw in zip(
        page.columns["id"], page.columns["updatedAt"], page.columns["properties"], strict=True
    ):
        payload = bytes(raw)
        try:
            told = _TOLD.decode(payload)
            changed_at = milliseconds(told.lastmodifieddate or told.hs_lastmodifieddate or version)
        except (msgspec.MsgspecError, ValueError):
            raise MalformedPage(f"HubSpot does not say when record {record_id} was changed") from None
        merged = tuple(each for each in (told.hs_merged_object_ids or "").split(";") if each)
        yield Record(record_id, version, payload, changed_at, merged)


def milliseconds(stamp: str) -> int:
    """Milliseconds since 1970, from "2026-11-02T08:00:00.210Z".

    >>> milliseconds("1970-01-01T00:00:01.500Z")
    1500
    """
    return round(datetime.fromisoformat(stamp).timestamp() * 1000)


def tombstones(kept: Sequence[Record]) -> Iterator[tuple[str, str, bytes]]:
    """Id, version and payload of each record that was merged into one of these; its payload names the survivor."""
    for record in kept:
        for loser in record.merged_ids:
            if loser != record.record_id:
                yield loser, record.version, msgspec.json.encode({"hs_object_id": record.record_id})
