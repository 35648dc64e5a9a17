"""Records as Gainsight sends them: which list of an answer they are in, and when they changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from sync_pipelines.engine.port import Cursor, Found, Page
from sync_pipelines.errors import MalformedPage
from sync_pipelines.systems.splitting import Splitter

ID, MODIFIED = "Gsid", "ModifiedDate"
_KEYS: Mapping[str, Any] = {ID: str, MODIFIED: int | float | str}
_LIST, _OBJECT = Splitter((), _KEYS), Splitter(("records",), _KEYS)


class _Answer(msgspec.Struct):
    data: msgspec.Raw = msgspec.Raw(b"null")


@dataclass(frozen=True, slots=True)
class Record:
    """One record; `at` is when it changed, in milliseconds since 1970."""

    record_id: str
    at: int
    payload: bytes

    @property
    def key(self) -> tuple[str, int]:
        return self.record_id, self.at

    def found(self) -> Found:
        return Found(self.record_id, str(self.at), self.payload)


def records(body: bytes) -> list[Record]:
    """The records of an answer: `data` is their list, or an object that has it."""
    try:
        data = bytes(msgspec.json.decode(body, type=_Answer).data)
    except msgspec.MsgspecError as error:
        raise MalformedPage(f"an answer of Gainsight could not be read ({error}): nothing of it was kept") from None
    if data == b"null":
        return []
    page = (_LIST if data[:1] == b"[" else _OBJECT).split(data)
    rows = zip(page.columns[ID], page.columns[MODIFIED], page.payloads, strict=True)
    return [Record(record_id, _milliseconds(stamp), payload) for record_id, stamp, payload in rows]


def page(rows: Sequence[Record], cursor: Cursor) -> Page:
    """Live records: what was deleted comes with no read."""
    return Page(
        record_ids=[row.record_id for row in rows],
        versions=[str(row.at) for row in rows],
        payloads=[row.payload for row in rows],
        deleted=[False] * len(rows),
        cursor=cursor,
    )


def _milliseconds(stamp: float | str) -> int:
    """From milliseconds, or from ISO 8601, as lists have it."""
    if not isinstance(stamp, str):
        return round(stamp)
    try:
        return round(datetime.fromisoformat(stamp).timestamp() * 1000)
    except ValueError:
        raise MalformedPage("Gainsight does not say when a record was changed") from None
