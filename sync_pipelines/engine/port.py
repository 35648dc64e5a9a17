"""The one port behind which every system lives: what an adapter offers and what travels through it.

An adapter is a class with these methods, no base class. It speaks to one system and decides nothing
about agreement: no linking, no planning, no retry of a write whose fate is unknown.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any, Protocol

ADAPTERS = "sync_pipelines.systems"
"""The entry point group under which a package offers `open_system(settings, *, clock)`."""

Shape = Mapping[str, Any]
"""The fields of an object and their DuckDB types, as `mappings/<system>/objects.toml` declares them.

A value is a type name ("VARCHAR", "BIGINT"), a nested mapping, or a one-element list of either.
"""

Cursor = Mapping[str, Any]
"""How far an object has been read. Opaque to the engine, JSON-serialisable, made by the adapter."""


class Deletes(StrEnum):
    """Where the deletes of an object can be seen."""

    IN_PAGES = "in_pages"
    """`read` returns deleted records among the others."""
    SWEEP = "sweep"
    """Only absence tells: the engine compares all ids with those it holds."""


class Counting(StrEnum):
    """What an independent count by the system is worth as proof."""

    EXACT = "exact"
    LAGGING = "lagging"
    """Equality proves completeness; a difference proves nothing."""
    NONE = "none"


class Merges(StrEnum):
    """How it can be seen that two records of a system became one."""

    IN_PAGES = "in_pages"
    """`read` returns the loser as deleted, with the survivor's id in its payload."""
    UNSEEN = "unseen"
    """The loser is gone like any deleted record, or the system merges nothing."""


class Locking(StrEnum):
    """How a write is kept from overwriting a change that it does not know of."""

    NATIVE = "native"
    """A body goes with the version it was made from, and the system itself refuses it when stale."""
    REREAD = "reread"
    """Only a read just before the write tells; a change between the two is overwritten."""
    NONE = "none"
    """A record's version can't be had before a write."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What a system allows: `calls` in a window of seconds, and how it tells that it is too much."""

    calls: int
    window_seconds: int
    told_by: str


ANY = "*"
"""Stands for every object that `Passport.keys` does not name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passport:
    """What a system can do; the engine's strategy follows from this, never from a system's name.

    What a vendor does not promise in writing is an estimate here, and `[systems.NAME]` of sync.toml may
    set it right (see `CONFIGURABLE`). `sync_pipelines.testing.conformance` finds the claims that are not true.
    """

    api_version: str
    retires_on: date | None = None
    """The day from which the vendor no longer answers this version; None where it has named none."""

    page_max: int
    late_seconds: int
    """How long after the time it carries a change may still become visible; 0: a cursor is exact."""
    grain_seconds: float
    """Changes closer to each other than this may carry the same time."""
    zone: str = "UTC"
    """The zone of the times that a cursor is compared with."""
    is_ordered: bool
    """`read` gives the oldest change first."""
    deletes: Deletes
    merges: Merges = Merges.UNSEEN
    counting: Counting
    looks_at: int = 1
    """Of how many objects one call of `changed` tells; 1: a look at an object costs as much as a read of its news."""

    tells_identity: bool = False
    """Whether the answer to a read from a cursor tells whose it is, so that `identity` costs no call after it."""

    batch_max: int
    """Records in one write call."""
    batch_atomic: bool
    """True: one bad record refuses the whole call, so the engine splits the batch to find it."""
    idempotency_seconds: int = 0
    """How long the system itself recognises a repeated idempotency key; 0: never."""
    locking: Locking
    keys: Mapping[str, str]
    """The field in which an object carries our external id; an object without one can't be found again."""
    settling_seconds: int
    """How long after a call was given up its effect may still appear: only later does absence prove anything."""

    rate: Rate | None = None
    """None where the system itself sets no limit."""

    @property
    def overlap_seconds(self) -> int:
        """How far behind the cursor a read starts again: for what is late, and what shares the cursor's own time."""
        return max(self.late_seconds, math.ceil(self.grain_seconds))

    def key_of(self, object: str) -> str | None:
        """The field in which an object carries our external id."""
        return self.keys.get(object) or self.keys.get(ANY)

    def retires_within(self, days: int, *, of: date) -> bool:
        """Whether the vendor stops answering this version in so many days from a date, or already has."""
        return self.retires_on is not None and (self.retires_on - of).days <= days


CONFIGURABLE = ("late_seconds", "settling_seconds", "idempotency_seconds", "retires_on")
"""Claims that rest on experience rather than on a vendor's word: a topology may set them."""


@dataclass(frozen=True, slots=True)
class Page:
    """Records as columns of equal length, and the cursor that is true once this page is stored.

    `payloads` are the records' own JSON bytes, not parsed. `deleted` marks tombstones; a tombstone's
    payload may be empty, the engine then keeps the last payload it had.
    """

    record_ids: Sequence[str]
    versions: Sequence[str]
    payloads: Sequence[bytes]
    deleted: Sequence[bool]
    cursor: Cursor


class Operation(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    """Create a successor and retire `record_id`: for records whose fields are immutable (a price)."""
    VOID = "void"
    """Make `record_id` count no more: it is cancelled, or balanced by its accounting counterpart."""


@dataclass(frozen=True, slots=True)
class Request:
    """One write as the target understands it, made from a planned write by `<domain>.write.sql`."""

    write_id: str
    object: str
    operation: Operation
    record_id: str | None
    """The target's own id; None for a create."""
    external_id: str
    """What the record carries in the target, so that it can be found again."""
    body: Mapping[str, Any]
    then: tuple[str, ...] = ()
    """State changes to perform after the body is stored, in order (Tryton buttons, Stripe verbs)."""
    idempotency_key: str = ""
    correlation_id: str = ""
    expected_version: str | None = None
    """The version that the body was made from: where locking is native, the write's precondition."""


class State(StrEnum):
    """States of a write."""

    PLANNED = "planned"
    INTENT = "intent"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    IN_DOUBT = "in_doubt"
    FAILED = "failed"


OPEN = (State.INTENT, State.IN_DOUBT)
"""States of a write of which it is not known whether it was committed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one request. `message` is fit for people and free of personal data."""

    write_id: str
    state: State
    record_id: str | None = None
    code: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """A record as `fetch` or `find` saw it just now."""

    record_id: str
    version: str
    payload: bytes
    finished: bool = True
    """False when the record exists but not all of `then` has happened to it."""


@dataclass
class Calls:
    """What was asked of a system since it was opened: the scarce resource, counted."""

    total: int = 0
    by_route: dict[str, int] = field(default_factory=dict)

    def count(self, route: str) -> None:
        self.total += 1
        self.by_route[route] = self.by_route.get(route, 0) + 1


class System(Protocol):
    """A platform where records live.

    Every method may raise `FixConfiguration`, `RetryLater` or `Stop`. Reads may raise
    `MalformedPage`. `write` raises `InDoubt` when a whole call got no clear reply; after
    whatever else it raises, nothing of the call is stored.
    """

    name: str
    passport: Passport
    calls: Calls

    def identity(self) -> str:
        """The organisation behind the credentials, stable over time ("00D…", "acct_…", a database id).

        It is asked once a run before anything else, or where `passport.tells_identity` after the first answer.
        """
        ...

    def read(self, object: str, shape: Shape, since: Cursor | None) -> Iterator[Page]:
        """Pages of what changed since the cursor (None: everything), oldest change first where possible."""
        ...

    def count(self, object: str) -> int | None:
        """Live records, by another query path than `read`; None where the system can't say."""
        ...

    def ids(self, object: str) -> Iterator[Sequence[str]]:
        """Every live id, in pages: the sweep that finds deletes."""
        ...

    def changed(self, cursors: Mapping[str, Cursor | None]) -> set[str]:
        """Those of the objects in which anything changed past their cursors (None: nothing has been read so far).

        Costs as few calls as the vendor allows: one for each `passport.looks_at` objects. What becomes visible only
        later, with a time from before the cursor, is no change here: so it is asked only where a read that found
        nothing began `passport.overlap_seconds` or more after the cursor moved. An object may be named that did not
        change, where its read then costs no call.
        """
        ...

    def fetch(self, object: str, shape: Shape, record_ids: Sequence[str]) -> Mapping[str, Found]:
        """The named records as they are now; a deleted or unknown one is absent from the answer."""
        ...

    def find(self, object: str, external_ids: Sequence[str]) -> Mapping[str, Found]:
        """Records by the external id they carry, read past any lagging index."""
        ...

    def write(self, requests: Sequence[Request]) -> Sequence[Outcome]:
        """Send at most `passport.batch_max` requests of one object and operation; one outcome each.

        Several threads may do this at once, as many as the system's `concurrency` says.
        """
        ...
