"""What the conformance suite needs done behind an adapter's back, and how a system in memory does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol

from sync_pipelines.clock import Clock
from sync_pipelines.engine.port import Shape, System
from sync_pipelines.testing.memory import MemorySystem


class NotChecked(Exception):
    """This can't be asked of this system, and the text says why: it is skipped, which is no pass."""


class Fault(StrEnum):
    """What can go wrong with a call, whatever the system; how it throttles is its own, see `Facts.throttles`."""

    REPLY_LOST = "reply_lost"
    """The system acts, and the connection breaks before its reply."""
    NEVER_ARRIVED = "never_arrived"
    """The connection breaks before the call has arrived."""
    SERVER_ERROR = "server_error"
    """HTTP 500, and nothing was done."""
    PAGE_FOR_PEOPLE = "page_for_people"
    """The HTML page that a vendor shows during maintenance."""
    BODY_CUT_OFF = "body_cut_off"
    """The first half of the reply."""
    TOKEN_EXPIRED = "token_expired"
    """Every token that was handed out before is refused from now on."""
    VERSION_RETIRED = "version_retired"
    """The vendor no longer answers the version that is spoken."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """An object of the system that carries an amount of money, and how."""

    object: str
    shape: Shape
    body: Callable[[Decimal, str], Mapping[str, Any]]
    """What a create says for an amount in major units and a currency."""
    told: Callable[[Mapping[str, Any]], tuple[Decimal, str]]
    """The amount in major units and the currency that a payload tells; its numbers are parsed as `Decimal`."""
    currencies: Sequence[str]
    """Currencies that the system takes: one each with 0, 2 and 3 decimals, as far as it knows any."""
    smallest: Mapping[int, Decimal] = field(
        default_factory=lambda: {0: Decimal(1), 2: Decimal("0.01"), 3: Decimal("0.001")}
    )
    """The smallest amount of a currency that the system tells from nothing, by the currency's decimals."""


class Facts(Protocol):
    """A fresh system behind its adapter, and what others do to one of its objects; names are made up by the suite.

    Derive from it. What is left out raises `NotChecked`, and the tests that rest on it are skipped with that reason.
    """

    system: System
    clock: Clock
    """The clock of the system and of its adapter: it moves when somebody sleeps, and never by itself."""
    object: str
    shape: Shape
    beside: Mapping[str, Shape] = {}
    """Further objects of the system, so many that one look can tell of as many as the passport claims."""
    beside_pages: int = 0
    """Calls that a read needs beside its pages, such as one for the feed that names what changed; at most 1."""

    def body(self, name: str) -> Mapping[str, Any]:
        """What a create of ours says."""
        ...

    def renamed(self, name: str) -> Mapping[str, Any]:
        """What an update says that only gives a record another name."""
        return self.body(name)

    def put(self, *names: str) -> list[str]:
        """Somebody else makes records; their ids."""
        ...

    def change(self, record_id: str, name: str) -> None:
        """Somebody else gives a record another name."""
        ...

    def delete(self, record_id: str) -> None: ...

    def held(self, external_id: str) -> int:
        """How many records carry this external id."""
        ...

    def merge(self, loser: str, survivor: str) -> None:
        raise NotChecked("no way is given to merge two records")

    def put_late(self, name: str) -> tuple[str, float]:
        """A record with the time of now that is visible as late as this system may be; its id and the seconds."""
        raise NotChecked("no way is given to make a record that becomes visible late")

    def refused(self, name: str) -> Mapping[str, Any]:
        """A body that the system refuses for what it says; the record "good" is there already, or comes with it."""
        raise NotChecked("no body is given that the system refuses")

    def lose(self) -> None:
        """The next writes are given up at once, and carried out as late as this system may be."""
        raise NotChecked("no way is given to let a write arrive late")

    def strike(self, fault: str, *, times: int | None = None, writes: bool = False) -> None:
        """The adapter's next so many calls for data meet a `Fault` or a form of throttling; None: all, until `calm`.

        With `writes` only those that create a record do.
        """
        raise NotChecked("no way is given to let calls go wrong")

    def calm(self) -> None:
        """Nothing goes wrong any more."""

    def secrets(self) -> Sequence[str]:
        """What the adapter was given to prove who it is, and must never tell."""
        raise NotChecked("no secrets are named")

    def throttles(self) -> Sequence[str]:
        """The forms in which this system asks for patience, each a name that `strike` knows."""
        raise NotChecked("no form of throttling is named")

    def arrived(self) -> int:
        """How many calls have arrived at the system so far, by its own log."""
        raise NotChecked("the system keeps no log of the calls that arrive")

    def text_max(self) -> int:
        """How many characters a name may have."""
        raise NotChecked("no limit to the length of a name is known")

    def amounts(self) -> Amounts:
        raise NotChecked("no object with an amount of money is named")

    def published(self) -> Mapping[str, Any]:
        """The vendor's word on claims that nothing can bring about: api_version, retires_on, zone, rate."""
        raise NotChecked("what the vendor publishes is not given")


@dataclass
class MemoryFacts(Facts):
    """The hooks of a system in memory, which is as late as its truth allows."""

    system: MemorySystem = field(default_factory=MemorySystem)
    object: str = "account"
    shape: Shape = field(default_factory=lambda: {"name": "VARCHAR"})
    beside: Mapping[str, Shape] = field(default_factory=lambda: {"contact": {"name": "VARCHAR"}})

    def __post_init__(self) -> None:
        self.clock = self.system.clock
        self.system.objects = {self.object, *self.beside}
        self.system.refuse = lambda request: "no such country" if request.body.get("country") == "XX" else ""

    def body(self, name: str) -> Mapping[str, Any]:
        return {"name": name}

    def put(self, *names: str) -> list[str]:
        for name in names:
            self.system.put(self.object, name, {"name": name})
        return list(names)

    def change(self, record_id: str, name: str) -> None:
        self.system.put(self.object, record_id, {"name": name})

    def delete(self, record_id: str) -> None:
        self.system.remove(self.object, record_id)

    def merge(self, loser: str, survivor: str) -> None:
        self.system.merge(self.object, loser, survivor)

    def put_late(self, name: str) -> tuple[str, float]:
        seconds = float(self.system.does.late_seconds)
        self.system.put(self.object, name, {"name": name}, visible_in=seconds)
        return name, seconds

    def refused(self, name: str) -> Mapping[str, Any]:
        return {"name": name, "country": "XX"}

    def lose(self) -> None:
        self.system.late = lambda request: float(self.system.does.settling_seconds)

    def calm(self) -> None:
        self.system.late = lambda request: 0.0

    def published(self) -> Mapping[str, Any]:
        truth = self.system.does
        return {claim: getattr(truth, claim) for claim in ("api_version", "retires_on", "zone", "rate")}

    def held(self, external_id: str) -> int:
        self.system.catch_up()
        stored = self.system.records.get(self.object, {}).values()
        return sum(record.external_id == external_id and not record.is_deleted for record in stored)

    def arrived(self) -> int:
        return self.system.calls.total
