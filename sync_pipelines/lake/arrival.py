"""A page on its way into the record log: an Arrow table with one row a record, or no table at all."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from hashlib import sha256
from itertools import accumulate

import msgspec
import pyarrow as pa

from sync_pipelines.engine.port import Page
from sync_pipelines.errors import MalformedPage

_JSON = msgspec.json.Decoder(msgspec.Raw)
"""Reads a value from end to end without making anything of it."""


def table(system: str, object: str, page: Page) -> pa.Table:
    """The last entry of each record of a page, with its place and the hash of its payload.

    `MalformedPage` when a record has no id, or a payload that is not JSON in UTF-8 from end to end.
    """
    for record_id, payload in zip(page.record_ids, page.payloads, strict=False):
        try:
            whole = bool(record_id)
            if payload:
                _JSON.decode(payload)
        except msgspec.DecodeError:
            whole = False
        if not whole:
            raise MalformedPage(f"{system} sent a page of {object} in which record {record_id!r} is not whole")
    try:
        last = page if len(set(page.record_ids)) == len(page.record_ids) else _last_entries(page)
        return pa.table(
            {
                "place": pa.array(range(len(last.record_ids)), pa.int64()),
                "record_id": pa.array(last.record_ids, pa.string()),
                "version": pa.array(last.versions, pa.string()),
                "payload": _texts(last.payloads),
                "payload_hash": pa.array([sha256(payload).hexdigest()[:32] for payload in last.payloads], pa.string()),
                "is_deleted": pa.array(last.deleted, pa.bool_()),
            }
        )
    except (pa.ArrowException, ValueError) as error:
        raise MalformedPage(f"{system} sent a page of {object} that can't be read whole: {error}") from error


def _last_entries(page: Page) -> Page:
    """One entry a record, the last; a payload that is empty leaves the one before."""
    last: dict[str, tuple[str, bytes, bool]] = {}
    for record_id, version, payload, deleted in zip(
        page.record_ids, page.versions, page.payloads, page.deleted, strict=True
    ):
        last[record_id] = (version, payload or last.get(record_id, ("", b"", True))[1], deleted)
    versions, payloads, deleted_ones = zip(*last.values(), strict=True)
    return Page(list(last), versions, payloads, deleted_ones, page.cursor)


def _texts(values: Sequence[bytes]) -> pa.Array:
    """All in one buffer, which Arrow takes twice as long to make of a list; what is not UTF-8 it refuses."""
    ends = array("i", accumulate(map(len, values), initial=0))
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(b"".join(values))]
    return pa.Array.from_buffers(pa.binary(), len(values), buffers).cast(pa.string())
