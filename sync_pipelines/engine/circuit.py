"""A circuit for each system: one that is down is left alone, longer each time, until a single call finds it back.

Pure: a circuit, what happened and when give the next circuit. The ledger keeps it, so that all runs share it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

FIRST, MOST = timedelta(minutes=1), timedelta(minutes=30)
"""How long a system is left alone after the first failure; each failure doubles it, up to the most."""

PROBE = timedelta(minutes=5)
"""How long one caller may take to find out, before another is let through in its place."""

STEADY = timedelta(minutes=10)
"""How long a system has to answer until its next failure counts as the first: one that flaps stays expensive."""


class Phase(StrEnum):
    """Closed: calls go through. Open: none does. Half open: one caller is finding out."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class Circuit:
    """Whether a system may be asked. `opened_at` is since when it is down, `retry_at` when it is asked again."""

    system: str
    state: Phase = Phase.CLOSED
    failures: int = 0
    opened_at: datetime | None = None
    retry_at: datetime | None = None
    closed_at: datetime | None = None
    reason: str = ""


def admitted(circuit: Circuit, at: datetime) -> Circuit | None:
    """The circuit once a caller has been let through; None when the caller has to come back at `retry_at`."""
    if circuit.state is Phase.CLOSED:
        return circuit
    if circuit.retry_at is not None and at < circuit.retry_at:
        return None
    return replace(circuit, state=Phase.HALF_OPEN, retry_at=at + PROBE)


def failed(circuit: Circuit, at: datetime, *, reason: str, after: float | None = None) -> Circuit:
    """The circuit after a call that retries could not save; `after` are the seconds that the system asked for.

    One outage met by several callers at once counts as one failure.
    """
    if circuit.state is Phase.OPEN:
        return circuit
    steady = circuit.closed_at is not None and at - circuit.closed_at >= STEADY
    failures = 1 if circuit.state is Phase.CLOSED and steady else circuit.failures + 1
    return replace(
        circuit,
        state=Phase.OPEN,
        failures=failures,
        opened_at=circuit.opened_at or at,
        retry_at=at + max(_left_alone(failures), timedelta(seconds=after or 0)),
        reason=reason,
    )


def succeeded(circuit: Circuit, at: datetime) -> Circuit:
    """The circuit after a step that the system saw through; one that somebody else has opened since stays open."""
    if circuit.state is not Phase.HALF_OPEN:
        return circuit
    return replace(circuit, state=Phase.CLOSED, opened_at=None, retry_at=None, closed_at=at, reason="")


def _left_alone(failures: int) -> timedelta:
    """
    >>> [_left_alone(n) // FIRST for n in (1, 2, 5, 6, 900)]
    [1, 2, 16, 30, 30]
    """
    return min(MOST, FIRST * (1 << min(failures - 1, 10)))
