"""How a run reaches the systems: which may be asked, which may be written, and whether each is the one it was."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from sync_pipelines.clock import Clock
from sync_pipelines.engine.circuit import Circuit, Phase
from sync_pipelines.engine.port import System
from sync_pipelines.engine.reconcile import Item
from sync_pipelines.engine.retirement import version_is_supported
from sync_pipelines.engine.topology import Topology
from sync_pipelines.engine.window import held_until
from sync_pipelines.errors import RetryLater
from sync_pipelines.ledger import Ledger
from sync_pipelines.ledger.work_items import Assigned
from sync_pipelines.systems.registry import Systems

OUTAGES = "system"
"""What stands in the place of a domain in the exception that a system is down."""

UNREACHABLE = "unreachable"
"""The kind of that exception."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Why nothing is written to a system now, and until when; None where only a person can say."""

    reason: str
    until: datetime | None

    def __str__(self) -> str:
        return f"queued until {_shown(self.until) if self.until else 'somebody resumes it'}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Reach:
    """The way to the systems that the steps of one run share."""

    topology: Topology
    systems: Systems
    ledger: Ledger
    clock: Clock
    run_id: str
    met: set[str] = field(default_factory=set)
    """The systems of which this run knows that they are who they were."""
    dated: set[str] = field(default_factory=set)
    """The systems of which this run has told how long their version is still answered."""

    @contextmanager
    def asked(self, name: str, *, meet: bool = True) -> Iterator[System]:
        """A system, for one step. `RetryLater` while it is left alone; what the step runs into is remembered.

        A system that was down gets one call, and the step only when that is answered. Without `meet` it is left to
        the step to make certain whom it has asked, before anything of the answers is kept.
        """
        self._keep_window(name)
        circuit = self.ledger.admit(name, at=self.clock.now())
        if circuit.state is Phase.OPEN:
            raise RetryLater(_left_alone(circuit), after=self._seconds_to(circuit.retry_at))
        try:
            if circuit.state is Phase.HALF_OPEN:
                self._recognise(name, self.systems.ask_once(name))
            if meet:
                self.make_certain(name)
            yield self.systems[name]
        except RetryLater as later:
            self.lost(name, later)
            raise
        if circuit.state is Phase.HALF_OPEN:
            self.ledger.circuit_succeeded(name, at=self.clock.now())
            self.tell_outages()

    def make_certain(self, name: str) -> None:
        """Make sure, once a run, that the same organisation as ever is behind a system's credentials; else `Stop`.

        Costs no call where the answers so far have told it: so a step that only reads asks first.
        """
        if name not in self.met:
            self._recognise(name, self.systems[name].identity())
        if name not in self.dated:
            passport, today = self.systems[name].passport, self.clock.now().date()
            self.ledger.save_checks(self.run_id, version_is_supported(name, passport, on=today))
            self.dated.add(name)

    def lost(self, name: str, later: RetryLater) -> None:
        """A system asked for patience that no retry may take: leave it alone, and tell a person since when."""
        self.ledger.circuit_failed(name, at=self.clock.now(), reason=str(later), after=later.after)
        self.tell_outages()

    def suspect(self, name: str) -> None:
        """A write could not be sent: one call tells whether the system is down, or a record was only locked."""
        try:
            self.systems.ask_once(name)
        except RetryLater as later:
            self.lost(name, later)

    def hold(self, name: str) -> Hold | None:
        """What keeps a system from being written now: a maintenance window, or a person's word."""
        now = self.clock.now()
        pause = self.ledger.pauses().get(name)
        if pause is not None and (pause.until is None or now < pause.until):
            return Hold(f"paused by {pause.paused_by}, {pause.reason}", pause.until)
        until = held_until(self.topology.systems[name].maintenance, now)
        return Hold("maintenance", until) if until else None

    def tell_outages(self) -> None:
        """Open an exception for each system that is down, and resolve those of the systems that are back."""
        down = [each for each in self.ledger.systems_down() if self._has_owner(each.system)]
        self.ledger.sync_work_items(OUTAGES, [self._exception(each) for each in down], run_id=self.run_id)

    def _has_owner(self, name: str) -> bool:
        return name in self.topology.systems and self.topology.owner_of_outages(name) in self.topology.people

    def _keep_window(self, name: str) -> None:
        closed = [window for window in self.topology.systems[name].maintenance if not window.reads]
        until = held_until(closed, self.clock.now())
        if until is not None:
            raise RetryLater(
                f"{name} is in maintenance and not to be read until {_shown(until)}", after=self._seconds_to(until)
            )

    def _recognise(self, name: str, identity: str) -> None:
        self.ledger.check_identity(name, identity)
        self.met.add(name)

    def _seconds_to(self, at: datetime | None) -> float | None:
        return None if at is None else max(0.0, (at - self.clock.now()).total_seconds())

    def _exception(self, circuit: Circuit) -> Assigned:
        owner = self.topology.owner_of_outages(circuit.system)
        since = f"down since {_shown(circuit.opened_at)}: " if circuit.opened_at else ""
        item = Item(
            fingerprint=hashlib.sha256(f"{OUTAGES}/{UNREACHABLE}/{circuit.system}".encode()).hexdigest()[:32],
            domain=OUTAGES,
            kind=UNREACHABLE,
            system=circuit.system,
            record_id="",
            label=circuit.system,
            reason=f"{since}{circuit.reason}",
            amount_minor=None,
            currency=None,
        )
        return Assigned(item, owner, self.topology.people[owner].due_hours)


def _left_alone(circuit: Circuit) -> str:
    when = f", and asked again at {_shown(circuit.retry_at)}" if circuit.retry_at else ""
    since = f"since {_shown(circuit.opened_at)}" if circuit.opened_at else "now"
    return f"{circuit.system} is left alone, for it is down {since}{when}: {circuit.reason}"


def _shown(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
