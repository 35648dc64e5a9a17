"""The one port behind which every system lives: what an adapter offers and what travels through it.

An adapter is a class with these methods, no base class. It speaks to one system and decides nothing
about agreement: no linking, no planning, no retry of a write whose fate is unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

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


@dataclass(frozen=True, slots=True)
class Passport:
    """What a system can do; the engine's strategy follows from this, never from a system's name."""

    api_version: str
    page_max: int
    batch_max: int
    """Records in one write call."""
    batch_atomic: bool
    """True: one bad record refuses the whole call, so the engine splits the batch to find it."""
    overlap_seconds: int
    """How far behind the cursor a read starts again, because records may become visible late."""
    deletes: Deletes
    counting: Counting
    native_idempotency: bool
    """The system itself recognises a repeated idempotency key."""


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


class State(StrEnum):
    """States of a write."""

    PLANNED = "planned"
    INTENT = "intent"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    IN_DOUBT = "in_doubt"
    FAILED = "failed"


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
    `MalformedPage`. `write` raises `InDoubt` when a whole call got no clear reply.
    """

    name: str
    passport: Passport
    calls: Calls

    def identity(self) -> str:
        """The organisation behind the credentials, stable over time ("00D…", "acct_…", a database id)."""
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

    def changed(self, object: str, since: Cursor | None) -> bool:
        """Whether anything changed since the cursor, for at most one cheap call."""
        ...

    def fetch(self, object: str, shape: Shape, record_ids: Sequence[str]) -> Mapping[str, Found]:
        """The named records as they are now; a deleted or unknown one is absent from the answer."""
        ...

    def find(self, object: str, external_ids: Sequence[str]) -> Mapping[str, Found]:
        """Records by the external id they carry, read past any lagging index."""
        ...

    def write(self, requests: Sequence[Request]) -> Sequence[Outcome]:
        """Send at most `passport.batch_max` requests of one object and operation; one outcome each."""
        ...
