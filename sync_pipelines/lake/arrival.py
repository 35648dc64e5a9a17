"""A page on its way into the record log: an Arrow table with one row a record, or no table at all."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from contextlib import suppress
from itertools import accumulate

import msgspec
import pyarrow as pa
import xxhash

from sync_pipelines.engine.port import Page
from sync_pipelines.errors import MalformedPage

_JSON = msgspec.json.Decoder(msgspec.Raw)
"""Reads a value from end to end without making anything of it."""


def table(system: str, object: str, page: Page) -> pa.Table:
    """The last entry of each record of a page, with its place and the hash of its payload.

    `MalformedPage` when a record has no id, or a payload that is not JSON in UTF-8 from end to end.
    """
    if (broken := _broken(page)) is not None:
        raise MalformedPage(f"{system} sent a page of {object} in which record {broken!r} is not whole")
    try:
        last = page if len(set(page.record_ids)) == len(page.record_ids) else _last_entries(page)
        return pa.table(
            {
                "place": _column(pa.int64(), array("q", range(len(last.record_ids)))),
                "record_id": _texts(last.record_ids),
                "version": _texts(last.versions),
                "payload": _utf8(last.payloads),
                "payload_hash": _texts(list(map(xxhash.xxh3_128_hexdigest, last.payloads))),
                "is_deleted": _column(pa.int8(), array("b", last.deleted)).cast(pa.bool_()),
            }
        )
    except (pa.ArrowException, ValueError) as error:
        raise MalformedPage(f"{system} sent a page of {object} that can't be read whole: {error}") from error


def _broken(page: Page) -> str | None:
    """The first id that is empty or has anything but JSON. All are read in one go, a line each, which costs less."""
    payloads = [payload for payload in page.payloads if payload]
    with suppress(msgspec.DecodeError):
        if all(page.record_ids) and len(_JSON.decode_lines(b"\n".join(payloads))) == len(payloads):
            return None
    for record_id, payload in zip(page.record_ids, page.payloads, strict=False):
        try:
            if payload:
                _JSON.decode(payload)
        except msgspec.DecodeError:
            return record_id
        if not record_id:
            return record_id
    return None


def _last_entries(page: Page) -> Page:
    """One entry a record, the last; a payload that is empty leaves the one before."""
    last: dict[str, tuple[str, bytes, bool]] = {}
    for record_id, version, payload, deleted in zip(
        page.record_ids, page.versions, page.payloads, page.deleted, strict=True
    ):
        last[record_id] = (version, payload or last.get(record_id, ("", b"", True))[1], deleted)
    versions, payloads, deleted_ones = zip(*last.values(), strict=True)
    return Page(list(last), versions, payloads, deleted_ones, page.cursor)


def _texts(values: Sequence[str]) -> pa.Array:
    """Encoded all at once where each letter is a byte."""
    joined = "".join(values)
    return _strings(values, joined.encode()) if joined.isascii() else _utf8([value.encode() for value in values])


def _utf8(values: Sequence[bytes]) -> pa.Array:
    """What is not UTF-8 is refused."""
    return _strings(values, b"".join(values))


def _strings(values: Sequence[str | bytes], joined: bytes) -> pa.Array:
    """All in one buffer, which Arrow takes twice as long to make of a list."""
    ends = array("i", accumulate(map(len, values), initial=0))
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(joined)]
    return pa.Array.from_buffers(pa.binary(), len(values), buffers).cast(pa.string())


def _column(kind: pa.DataType, values: array[int]) -> pa.Array:
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values)])
