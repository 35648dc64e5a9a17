"""A system that lives in memory behind the port: real enough to lose replies, drift and refuse."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sync_pipelines.engine.port import (
    Calls,
    Counting,
    Cursor,
    Deletes,
    Found,
    Operation,
    Outcome,
    Page,
    Passport,
    Request,
    Shape,
    State,
)
from sync_pipelines.errors import InDoubt, SyncError

PASSPORT = Passport(
    api_version="1",
    page_max=2,
    batch_max=3,
    batch_atomic=False,
    overlap_seconds=0,
    deletes=Deletes.IN_PAGES,
    counting=Counting.EXACT,
    native_idempotency=False,
)


@dataclass
class Stored:
    """One record: its fields, the revision of its last change, and whether it is gone."""

    fields: dict[str, Any]
    external_id: str
    revision: int
    is_deleted: bool = False
    finished: bool = True


@dataclass
class MemorySystem:
    """A system whose records are in `records`, by object and record id.

    `before` and `after` are called around each write with its requests; what they raise stands for a refused
    call, or for a reply that was lost after the commit. `refuse` names what is wrong with a request, or nothing.
    """

    name: str = "memory"
    passport: Passport = PASSPORT
    calls: Calls = field(default_factory=Calls)
    records: dict[str, dict[str, Stored]] = field(default_factory=dict)
    before: Callable[[Sequence[Request]], None] = lambda requests: None
    after: Callable[[Sequence[Request]], None] = lambda requests: None
    refuse: Callable[[Request], str] = lambda request: ""
    revision: int = 0
    sent: list[str] = field(default_factory=list)
    """The write ids that arrived, in order, each as often as it did."""

    def identity(self) -> str:
        return f"memory:{self.name}"

    def put(self, object: str, record_id: str, fields: Mapping[str, Any], *, external_id: str = "") -> None:
        """Store a record as somebody else would: it gets a new version."""
        self.revision += 1
        held = self.records.setdefault(object, {})
        known = held[record_id].external_id if record_id in held else ""
        held[record_id] = Stored(dict(fields), external_id or known, self.revision)

    def remove(self, object: str, record_id: str) -> None:
        self.revision += 1
        stored = self.records[object][record_id]
        stored.is_deleted, stored.revision = True, self.revision

    def read(self, object: str, shape: Shape, since: Cursor | None) -> Iterator[Page]:
        seen = int(since["revision"]) if since else 0
        changed = sorted(
            ((r.revision, i, r) for i, r in self.records.get(object, {}).items() if r.revision > seen),
            key=lambda each: each[:2],
        )
        for start in range(0, len(changed), self.passport.page_max):
            self.calls.count(f"read {object}")
            part = changed[start : start + self.passport.page_max]
            yield Page(
                record_ids=[i for _, i, _ in part],
                versions=[str(n) for n, _, _ in part],
                payloads=[_payload(i, r) for _, i, r in part],
                deleted=[r.is_deleted for _, _, r in part],
                cursor={"revision": part[-1][0]},
            )

    def count(self, object: str) -> int | None:
        self.calls.count(f"count {object}")
        return sum(not r.is_deleted for r in self.records.get(object, {}).values())

    def ids(self, object: str) -> Iterator[Sequence[str]]:
        self.calls.count(f"ids {object}")
        yield [i for i, r in self.records.get(object, {}).items() if not r.is_deleted]

    def changed(self, object: str, since: Cursor | None) -> bool:
        self.calls.count(f"changed {object}")
        seen = int(since["revision"]) if since else 0
        return any(r.revision > seen for r in self.records.get(object, {}).values())

    def fetch(self, object: str, shape: Shape, record_ids: Sequence[str]) -> Mapping[str, Found]:
        self.calls.count(f"fetch {object}")
        held = self.records.get(object, {})
        return {i: _found(i, held[i]) for i in record_ids if i in held and not held[i].is_deleted}

    def find(self, object: str, external_ids: Sequence[str]) -> Mapping[str, Found]:
        self.calls.count(f"find {object}")
        wanted = set(external_ids)
        return {
            r.external_id: _found(i, r)
            for i, r in self.records.get(object, {}).items()
            if r.external_id in wanted and not r.is_deleted
        }

    def write(self, requests: Sequence[Request]) -> Sequence[Outcome]:
        self.calls.count("write")
        self.sent += [request.write_id for request in requests]
        self.before(requests)
        outcomes = [self._write(request) for request in requests]
        try:
            self.after(requests)
        except SyncError:
            raise
        except ConnectionError as lost:
            raise InDoubt(f"{self.name} did not answer: {lost}") from lost
        return outcomes

    def _write(self, request: Request) -> Outcome:
        if reason := self.refuse(request):
            return Outcome(request.write_id, State.REFUSED, request.record_id, "refused", reason)
        record_id = request.record_id or f"{request.object}-{len(self.records.get(request.object, {})) + 1}"
        held = self.records.setdefault(request.object, {})
        before = held[record_id].fields if request.operation is Operation.UPDATE and record_id in held else {}
        self.put(request.object, record_id, {**before, **request.body}, external_id=request.external_id)
        return Outcome(request.write_id, State.CONFIRMED, record_id)


def _payload(record_id: str, stored: Stored) -> bytes:
    return json.dumps({"id": record_id, "external_id": stored.external_id, **stored.fields}, default=str).encode()


def _found(record_id: str, stored: Stored) -> Found:
    return Found(record_id, str(stored.revision), _payload(record_id, stored), stored.finished)
