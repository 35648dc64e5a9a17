"""A system that lives in memory behind the port: real enough to lose replies, commit late, drift and refuse."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sync_pipelines.clock import Clock
from sync_pipelines.engine.port import (
    ANY,
    Calls,
    Counting,
    Cursor,
    Deletes,
    Found,
    Locking,
    Merges,
    Operation,
    Outcome,
    Page,
    Passport,
    Request,
    Shape,
    State,
)
from sync_pipelines.errors import FixConfiguration, InDoubt, SetAside

DRIFTED, NOT_SENT = "drifted", "not_sent"
PASSPORT = Passport(
    api_version="1",
    page_max=2,
    late_seconds=0,
    grain_seconds=0,
    is_ordered=True,
    deletes=Deletes.IN_PAGES,
    merges=Merges.IN_PAGES,
    counting=Counting.EXACT,
    looks_at=2,
    batch_max=3,
    batch_atomic=False,
    locking=Locking.REREAD,
    keys={ANY: "external_id"},
    settling_seconds=0,
)
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class StandingClock:
    """A clock that moves only when somebody sleeps."""

    instant: datetime = BEGINNING

    def now(self) -> datetime:
        return self.instant

    def sleep(self, seconds: float) -> None:
        self.instant += timedelta(seconds=seconds)


@dataclass
class Stored:
    """One record: its fields, the revision and the time of its last change, and whether it is gone."""

    fields: dict[str, Any]
    external_id: str
    revision: int
    is_deleted: bool = False
    finished: bool = True
    at: datetime = BEGINNING
    visible_at: datetime = BEGINNING


@dataclass(frozen=True)
class _Coming:
    """A request that was given up by its caller, and that the system will carry out all the same."""

    due: datetime
    request: Request


@dataclass
class MemorySystem:
    """A system whose records are in `records`, by object and record id.

    `before` and `after` are called around each write with its requests; what they raise stands for a refused
    call, or for a reply that was lost after the commit. `refuse` names what is wrong with a request, or nothing.
    `late` gives the seconds after which a request is carried out that its caller has given up by then (0: at once).
    The system behaves as `truth` says, whatever `passport` claims; they are the same unless told otherwise.
    """

    name: str = "memory"
    passport: Passport = PASSPORT
    calls: Calls = field(default_factory=Calls)
    records: dict[str, dict[str, Stored]] = field(default_factory=dict)
    objects: Collection[str] = ()
    """The objects that there are; none named: any."""
    before: Callable[[Sequence[Request]], None] = lambda requests: None
    after: Callable[[Sequence[Request]], None] = lambda requests: None
    refuse: Callable[[Request], str] = lambda request: ""
    late: Callable[[Request], float] = lambda request: 0.0
    revision: int = 0
    sent: list[str] = field(default_factory=list)
    """The write ids that arrived, in order, each as often as it did."""
    clock: Clock = field(default_factory=StandingClock)
    truth: Passport | None = None
    _coming: list[_Coming] = field(default_factory=list)
    _keys: dict[str, tuple[datetime, Outcome | None]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def does(self) -> Passport:
        """How the system behaves."""
        return self.truth or self.passport

    def identity(self) -> str:
        if not self.does.tells_identity:
            self.calls.count("identity")
        return f"memory:{self.name}"

    def put(
        self,
        object: str,
        record_id: str,
        fields: Mapping[str, Any],
        *,
        external_id: str = "",
        visible_in: float = 0.0,
    ) -> None:
        """Store a record as somebody else would: it gets a new version, and may be seen only some seconds later."""
        self.revision += 1
        held = self.records.setdefault(object, {})
        known = held[record_id].external_id if record_id in held else ""
        now = self.clock.now()
        visible_at = now + timedelta(seconds=visible_in)
        held[record_id] = Stored(dict(fields), external_id or known, self.revision, at=now, visible_at=visible_at)

    def remove(self, object: str, record_id: str) -> None:
        self.revision += 1
        stored = self.records[object][record_id]
        stored.is_deleted, stored.revision, stored.at = True, self.revision, self.clock.now()

    def merge(self, object: str, loser: str, survivor: str) -> None:
        """One record takes the place of another."""
        self.records[object][loser].fields["merged_into"] = survivor
        self.remove(object, loser)

    def read(self, object: str, shape: Shape, since: Cursor | None) -> Iterator[Page]:
        """By revision; what is late has an older one, and is found in the overlap before the cursor."""
        if self.objects and object not in self.objects:
            raise FixConfiguration(f"{self.name} has no {object}")
        changed = sorted(
            self._changed(object, since), key=lambda each: each[1].revision, reverse=not self.does.is_ordered
        )
        reached = since or {"revision": 0, "at": BEGINNING.isoformat()}
        for start in range(0, len(changed), self.does.page_max):
            self.calls.count(f"read {object}")
            part = changed[start : start + self.does.page_max]
            newest = max((r for _, r in part), key=lambda r: r.revision)
            if newest.revision > reached["revision"]:
                reached = {"revision": newest.revision, "at": newest.at.isoformat()}
            yield Page(
                record_ids=[i for i, _ in part],
                versions=[self._version(r) for _, r in part],
                payloads=[_payload(i, r) for i, r in part],
                deleted=[r.is_deleted for _, r in part],
                cursor=reached,
            )

    def count(self, object: str) -> int | None:
        self.calls.count(f"count {object}")
        if self.does.counting is Counting.NONE:
            return None
        now, lags = self.clock.now(), self.does.counting is Counting.LAGGING
        return sum(not r.is_deleted and not (lags and r.at == now) for r in self._visible(object).values())

    def ids(self, object: str) -> Iterator[Sequence[str]]:
        self.calls.count(f"ids {object}")
        yield [i for i, r in self._visible(object).items() if not r.is_deleted]

    def changed(self, cursors: Mapping[str, Cursor | None]) -> set[str]:
        for _ in range(0, len(cursors), self.does.looks_at):
            self.calls.count("changed")
        seen = {name: int(since["revision"]) if since else 0 for name, since in cursors.items()}
        return {name for name, known in seen.items() if any(r.revision > known for r in self._visible(name).values())}

    def fetch(self, object: str, shape: Shape, record_ids: Sequence[str]) -> Mapping[str, Found]:
        self.calls.count(f"fetch {object}")
        held = self._visible(object)
        return {i: self._found(i, held[i]) for i in record_ids if i in held and not held[i].is_deleted}

    def find(self, object: str, external_ids: Sequence[str]) -> Mapping[str, Found]:
        self.calls.count(f"find {object}")
        if self.does.key_of(object) is None:
            raise FixConfiguration(f"{self.name} has no field in {object} that could carry an external id")
        wanted = set(external_ids)
        return {
            r.external_id: self._found(i, r)
            for i, r in self._visible(object).items()
            if r.external_id in wanted and not r.is_deleted
        }

    def write(self, requests: Sequence[Request]) -> Sequence[Outcome]:
        self.catch_up()
        self.calls.count("write")
        if len(requests) > self.does.batch_max:
            raise FixConfiguration(f"{self.name} takes {self.does.batch_max} records in one call")
        self.sent += [request.write_id for request in requests]
        self.before(requests)
        self._refuse_whole(requests)
        with self._lock:
            outcomes = [self._write(request) for request in requests]
        try:
            self.after(requests)
        except ConnectionError as lost:
            raise InDoubt(f"{self.name} did not answer: {lost}") from lost
        return outcomes

    def _refuse_whole(self, requests: Sequence[Request]) -> None:
        for request in requests if self.does.batch_atomic else ():
            if reason := self.refuse(request):
                raise SetAside(reason, code="refused")
            if self._is_stale(request):
                raise SetAside("the record was changed in the meantime", code=DRIFTED)

    def _write(self, request: Request) -> Outcome:
        if reason := self.refuse(request):
            return Outcome(request.write_id, State.REFUSED, request.record_id, "refused", reason)
        if self._is_stale(request):
            return Outcome(request.write_id, State.REFUSED, request.record_id, DRIFTED, "changed in the meantime")
        if (known := self._known(request)) is not None:
            return known
        seconds = self.late(request)
        if seconds > 0:
            self._coming.append(_Coming(self.clock.now() + timedelta(seconds=seconds), request))
            self._remember(request, None)
            return Outcome(request.write_id, State.IN_DOUBT, request.record_id, message=f"{self.name} did not answer")
        return self._commit(request)

    def _commit(self, request: Request) -> Outcome:
        record_id = request.record_id or f"{request.object}-{len(self.records.get(request.object, {})) + 1}"
        held = self.records.setdefault(request.object, {})
        before = held[record_id].fields if request.operation is Operation.UPDATE and record_id in held else {}
        self.put(request.object, record_id, {**before, **request.body}, external_id=request.external_id)
        outcome = Outcome(request.write_id, State.CONFIRMED, record_id)
        self._remember(request, outcome)
        return outcome

    def _is_stale(self, request: Request) -> bool:
        if self.does.locking is not Locking.NATIVE or request.expected_version is None:
            return False
        stored = self.records.get(request.object, {}).get(request.record_id or "")
        return stored is None or self._version(stored) != request.expected_version

    def _known(self, request: Request) -> Outcome | None:
        """What became of the same key before; nothing is done while the first call with it is still under way."""
        at, outcome = self._keys.get(request.idempotency_key, (BEGINNING, None))
        lives = timedelta(seconds=self.does.idempotency_seconds)
        if request.idempotency_key not in self._keys or self.clock.now() - at >= lives:
            return None
        if outcome is None:
            message = f"{self.name} is still at work on the first call with this key"
            return Outcome(request.write_id, State.FAILED, request.record_id, NOT_SENT, message)
        return replace(outcome, write_id=request.write_id)

    def _remember(self, request: Request, outcome: Outcome | None) -> None:
        if request.idempotency_key:
            at, _ = self._keys.get(request.idempotency_key, (self.clock.now(), None))
            self._keys[request.idempotency_key] = (at, outcome)

    def catch_up(self) -> None:
        """Carry out what was given up by its caller and is due by now."""
        due = [coming for coming in self._coming if coming.due <= self.clock.now()]
        self._coming = [coming for coming in self._coming if coming not in due]
        for coming in due:
            if not self._is_stale(coming.request):
                self._commit(coming.request)

    def _visible(self, object: str) -> dict[str, Stored]:
        self.catch_up()
        now = self.clock.now()
        return {i: r for i, r in self.records.get(object, {}).items() if r.visible_at <= now}

    def _changed(self, object: str, since: Cursor | None) -> list[tuple[str, Stored]]:
        seen = int(since["revision"]) if since else 0
        overlap = timedelta(seconds=self.passport.overlap_seconds)
        behind = datetime.fromisoformat(since["at"]) - overlap if since and overlap else None
        return [
            (i, r)
            for i, r in self._visible(object).items()
            if (r.revision > seen or (behind is not None and r.at >= behind))
            and not (r.is_deleted and self.does.deletes is Deletes.SWEEP)
            and not (r.fields.get("merged_into") and self.does.merges is Merges.UNSEEN)
        ]

    def _version(self, stored: Stored) -> str:
        """The revision, or where times are coarse the time that a change shares with its neighbours."""
        grain = self.does.grain_seconds
        return str(int((stored.at - BEGINNING).total_seconds() // grain) if grain else stored.revision)

    def _found(self, record_id: str, stored: Stored) -> Found:
        return Found(record_id, self._version(stored), _payload(record_id, stored), stored.finished)


def _payload(record_id: str, stored: Stored) -> bytes:
    return json.dumps({"id": record_id, "external_id": stored.external_id, **stored.fields}, default=str).encode()
