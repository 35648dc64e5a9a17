"""What each verb of the loop hands back: typed values for the graph, the terminal and the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Result(StrEnum):
    """The three outcomes of a check; a check that could not run is never a pass."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_CHECKED = "not_checked"


@dataclass(frozen=True, slots=True)
class Check:
    """A claim about records, and whether it holds.

    `subject` is the asset key ("invoice/reconciliation"). `count` is the number of records that break
    the claim, `amounts` what they are worth in minor units by currency, `sample` a few of them without
    personal data. A `blocking` check that fails keeps the next step from running.
    """

    name: str
    subject: str
    claim: str
    result: Result
    count: int = 0
    amounts: Mapping[str, int] = field(default_factory=dict)
    sample: tuple[Mapping[str, Any], ...] = ()
    reason: str = ""
    blocking: bool = False


@dataclass(frozen=True, slots=True)
class Extraction:
    """One object read from one system."""

    system: str
    object: str
    read: int
    appended: int
    deleted: int
    calls: int
    held: int
    counted: int | None
    checks: tuple[Check, ...] = ()
    is_whole: bool = False
    """Whether every record was read, and not only what changed."""


@dataclass(frozen=True, slots=True)
class Conformed:
    """One domain of one system in canonical form."""

    domain: str
    system: str
    records: int
    quarantined: int
    lineage: Mapping[str, tuple[str, ...]]
    """Canonical column → the "<system>/<object>.<field>" it was computed from."""
    changed: bool = True
    """Whether any record differs from the last time."""
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True)
class Matched:
    """The links of one domain after a match."""

    domain: str
    links: int
    added: int
    removed: int
    ambiguous: int
    duplicates: int
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True)
class Planned:
    """A saved plan, counted. The writes themselves are in the ledger under `plan_id`."""

    domain: str
    target: str
    plan_id: str
    snapshot: int
    creates: int
    updates: int
    held: int
    amounts: Mapping[str, int] = field(default_factory=dict)
    still_wanted: tuple[str, ...] = ()
    """Writes of earlier plans whose fate is not known, and which this plan would make again: their ids."""
    checks: tuple[Check, ...] = ()
    waiting: int = 0
    """Writes that need a person's word before they are sent."""
    waits: str = ""
    """Why the plan as a whole waits: it is past a limit."""

    @property
    def writes(self) -> int:
        return self.creates + self.updates


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a plan, by state of its writes."""

    domain: str
    target: str
    plan_id: str
    states: Mapping[str, int]
    checks: tuple[Check, ...] = ()
    queued: str = ""
    """Why writes are still planned, and until when: the system is in maintenance or paused."""
    waiting: int = 0
    """Writes that were left planned, because they need a person's word."""
    waits: str = ""
    """Why the plan as a whole was left: it is past a limit."""


@dataclass(frozen=True, slots=True)
class Total:
    """A control total: one system's count and sum for one period, legal entity and currency."""

    domain: str
    system: str
    legal_entity: str
    period: str
    currency: str
    count: int
    sum_minor: int


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Where the systems of a domain agree and where they don't."""

    domain: str
    compared: int
    agreeing: int
    findings: Mapping[str, int]
    amounts: Mapping[str, int]
    exceptions_opened: int
    exceptions_resolved: int
    checks: tuple[Check, ...] = ()
