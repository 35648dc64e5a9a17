"""The ledger's face: each method is one transaction that has committed when the method returns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, create_engine, func, select
from sqlalchemy.exc import OperationalError

from sync_pipelines.clock import Clock, SystemClock
from sync_pipelines.engine.circuit import Circuit
from sync_pipelines.engine.correction import Correction
from sync_pipelines.engine.doubt import Attempted
from sync_pipelines.engine.outcome import Check, Total
from sync_pipelines.engine.plan import Write
from sync_pipelines.engine.policy import Size
from sync_pipelines.engine.port import Outcome, State
from sync_pipelines.errors import FixConfiguration
from sync_pipelines.ledger import (
    address,
    approvals,
    audit,
    circuits,
    corrections,
    dead_letters,
    directory,
    guard,
    links,
    paces,
    plans,
    relation,
    runs,
    steps,
    story,
    versions,
    work_items,
    writes,
)
from sync_pipelines.ledger.approvals import Word
from sync_pipelines.ledger.audit import AuditEntry, Head, Verdict
from sync_pipelines.ledger.change import Change, changing
from sync_pipelines.ledger.circuits import Pause
from sync_pipelines.ledger.dead_letters import Letter
from sync_pipelines.ledger.migrations import migrate
from sync_pipelines.ledger.plans import Origin, Plan
from sync_pipelines.ledger.runs import Run
from sync_pipelines.ledger.story import Story
from sync_pipelines.ledger.work_items import Assigned, Synced, WorkItem
from sync_pipelines.ledger.writes import Attempt, SavedWrite

if TYPE_CHECKING:
    import pyarrow as pa

    from sync_pipelines.engine.directory import Entries


@dataclass(frozen=True, slots=True)
class Ledger:
    """The control plane. Close it, or use it as a context manager.

    Any number of processes may have it open. `actor` is who the audit trail names for what is changed
    through it.
    """

    engine: Engine
    clock: Clock = field(default_factory=SystemClock)
    actor: str = "sync-pipelines"
    guarded: bool = False
    """Whether the ledger is worked on as a role that may only add to the audit trail; otherwise triggers guard it."""

    @classmethod
    def open(cls, url: str, *, clock: Clock | None = None, actor: str = "sync-pipelines") -> Ledger:
        """Connect, and bring the database to the newest schema; `FixConfiguration` when there is none."""
        owner = _engine(url)
        try:
            guarded = migrate(owner)
        except OperationalError as error:
            place = owner.url.render_as_string(hide_password=True)
            raise FixConfiguration(f"the ledger at {place} can't be opened: {error.orig}") from error
        finally:
            owner.dispose()
        return cls.connect(url, clock=clock, actor=actor, guarded=guarded)

    @classmethod
    def connect(
        cls, url: str, *, clock: Clock | None = None, actor: str = "sync-pipelines", guarded: bool = False
    ) -> Ledger:
        """A ledger whose database has the newest schema already; nothing is sent until the first call."""
        return cls(_engine(url, role=guard.ROLE if guarded else ""), clock or SystemClock(), actor, guarded)

    def close(self) -> None:
        self.engine.dispose()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def exclusive(self, name: str, *, waiting: Callable[[str], None] = lambda _: None) -> Iterator[None]:
        """Hold a name while the block runs; others wait, and `waiting` is told so. A crash lets go."""
        lock = func.hashtextextended(name, 0)
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            if not connection.scalar(select(func.pg_try_advisory_lock(lock))):
                waiting(f"another run is at work on {name}: waiting for it to end")
                connection.scalar(select(func.pg_advisory_lock(lock)))
            try:
                yield
            finally:
                connection.scalar(select(func.pg_advisory_unlock(lock)))

    # Runs

    def start_run(self, run_id: str, mode: str) -> None:
        with self._change() as change:
            runs.start_run(change, run_id, mode)

    def end_run(self, run_id: str, *, state: str, summary: Mapping[str, Any]) -> None:
        with self._change() as change:
            runs.end_run(change, run_id, state=state, summary=summary)

    def run(self, run_id: str) -> Run | None:
        with self._look() as connection:
            return runs.run(connection, run_id)

    def latest_runs(self, *, most: int = 1) -> list[Run]:
        with self._look() as connection:
            return runs.latest_runs(connection, most=most)

    def save_step(self, run_id: str, subject: str, result: Mapping[str, Any], checks: Sequence[Check] = ()) -> None:
        """Keep what a step told together with its checks; a repeated step replaces itself."""
        with self._change() as change:
            steps.save_step(change, run_id, subject, result)
            steps.save_checks(change, run_id, checks)

    def steps(self, run_id: str) -> dict[str, Any]:
        with self._look() as connection:
            return steps.steps(connection, run_id)

    def note_whole_read(self, system: str, object: str) -> None:
        with self._change() as change:
            steps.note_whole_read(change, system, object)

    def whole_read_at(self, system: str, object: str) -> datetime | None:
        """When an object was last read from its beginning; None where that was never."""
        with self._look() as connection:
            return steps.whole_read_at(connection, system, object)

    def note_read(self, system: str, object: str, began_at: datetime) -> None:
        with self._change() as change:
            steps.note_read(change, system, object, began_at)

    def reads_begun(self, system: str) -> dict[str, datetime]:
        """When the latest read of each object of a system began, of those that came to their end."""
        with self._look() as connection:
            return steps.reads_begun(connection, system)

    def save_checks(self, run_id: str, checks: Sequence[Check]) -> None:
        with self._change() as change:
            steps.save_checks(change, run_id, checks)

    def checks(self, run_id: str) -> list[Check]:
        with self._look() as connection:
            return steps.checks_of(connection, run_id)

    def checks_by_result(self, run_id: str) -> dict[str, int]:
        with self._look() as connection:
            return steps.checks_by_result(connection, run_id)

    def save_totals(self, run_id: str, domain: str, totals: Sequence[Total]) -> None:
        with self._change() as change:
            steps.save_totals(change, run_id, domain, totals)

    def totals(self, run_id: str) -> list[Total]:
        with self._look() as connection:
            return steps.totals_of(connection, run_id)

    def check_identity(self, system: str, identity: str) -> None:
        """`Stop` when another organisation than before answers behind a system's credentials."""
        with self._change() as change:
            runs.check_identity(change, system, identity)

    def note_versions(self, found: Mapping[str, str], *, author: Callable[[str], str]) -> None:
        """Say in the audit trail which topology, policies and mappings are other ones than the last time.

        `author` is asked, by subject, who wrote those that are.
        """
        with self._change() as change:
            versions.note_versions(change, found, author=author)

    def confirm_identity(self, system: str, identity: str, *, by: str, reason: str) -> str | None:
        """Take a person's word for who is behind a system's credentials; returns who it was, None where unmet."""
        with self._change() as change:
            return runs.confirm_identity(change, system, identity, by=by, reason=reason)

    # Which systems are left alone

    def admit(self, system: str, *, at: datetime) -> Circuit:
        """Whether a system may be asked now: open when not, half open when the caller is the one to find out."""
        with self._change() as change:
            return circuits.admit(change, system, at=at)

    def circuit_failed(self, system: str, *, at: datetime, reason: str, after: float | None = None) -> Circuit:
        with self._change() as change:
            return circuits.fail(change, system, at=at, reason=reason, after=after)

    def circuit_succeeded(self, system: str, *, at: datetime) -> Circuit:
        with self._change() as change:
            return circuits.succeed(change, system, at=at)

    def systems_down(self) -> list[Circuit]:
        with self._look() as connection:
            return circuits.down(connection)

    def pause(self, system: str, *, until: datetime | None, by: str, reason: str) -> None:
        """Have nothing written to a system until then, or until somebody resumes it."""
        with self._change() as change:
            circuits.pause(change, system, until=until, by=by, reason=reason)

    def resume(self, system: str, *, by: str, reason: str) -> bool:
        """End a pause, and have a system that is left alone asked at once; whether there was any of both."""
        with self._change() as change:
            return circuits.resume(change, system, by=by, reason=reason)

    def pauses(self) -> dict[str, Pause]:
        """The pauses that people declared, by system; one whose time is over may still be among them."""
        with self._look() as connection:
            return circuits.pauses_of(connection)

    # Links

    def open_links(self, domain: str = "") -> pa.Table:
        """The memberships that hold now: domain, link_id, system, record_id, rule, evidence."""
        with self._look() as connection:
            return links.open_links(connection, domain)

    def holders(self, domain: str, system: str, record_ids: Sequence[str]) -> dict[str, str]:
        """The links that hold some of a system's records, by record id."""
        with self._look() as connection:
            return links.holders(connection, domain, system, record_ids)

    def former_links(self) -> pa.Table:
        """What each record belonged to last by its own evidence, where that has ended: as above, and reason."""
        with self._look() as connection:
            return links.former_links(connection)

    def change_links(
        self,
        domain: str,
        *,
        added: pa.Table,
        ended: pa.Table,
        run_id: str,
        correlations: Mapping[str, str] | None = None,
    ) -> None:
        """End memberships (link_id, system, record_id, reason), then add others (…, rule, evidence).

        `correlations` are the deals that links belong to, by link id.
        """
        with self._change() as change:
            links.change_links(change, domain, added=added, ended=ended, run_id=run_id, correlations=correlations or {})

    def linked_by_domain(self) -> dict[str, int]:
        with self._look() as connection:
            return links.linked_by_domain(connection)

    # Plans and writes

    def save_plan(self, origin: Origin, planned: Sequence[Write]) -> Plan:
        """Save a plan; its `held` are the writes that are not planned again, with what became of them."""
        with self._change() as change:
            return plans.save_plan(change, origin, planned)

    def latest_plan(self, domain: str, target: str, *, run_id: str = "") -> Plan | None:
        with self._look() as connection:
            return plans.latest_plan(connection, domain, target, run_id=run_id)

    def plan(self, plan_id: str) -> Plan | None:
        with self._look() as connection:
            return plans.plan(connection, plan_id)

    def plans(self, run_id: str) -> list[Plan]:
        with self._look() as connection:
            return plans.plans_of(connection, run_id)

    def open_plans(self, domain: str = "") -> list[Plan]:
        """Plans that are not carried out yet."""
        with self._look() as connection:
            return plans.open_plans(connection, domain)

    def keep_waits(self, plan_id: str, waits: str) -> None:
        with self._change() as change:
            plans.keep_waits(change, plan_id, waits)

    def pinned_snapshots(self) -> set[int]:
        """The lake's snapshots that plans were made from."""
        with self._look() as connection:
            return plans.pinned_snapshots(connection)

    def verified_writes(self, plan_id: str) -> list[SavedWrite]:
        """The writes to apply; `Stop` when the plan was edited or superseded."""
        with self._look() as connection:
            return plans.verified_writes(connection, plan_id)

    def close_plan(self, plan_id: str) -> None:
        with self._change() as change:
            plans.close_plan(change, plan_id)

    def writes(self, plan_id: str, states: Collection[State] = ()) -> list[SavedWrite]:
        with self._look() as connection:
            return writes.writes_of(connection, plan_id, states)

    def find_writes(self, write_ids: Collection[str]) -> list[SavedWrite]:
        with self._look() as connection:
            return writes.find(connection, write_ids)

    def attempts(self, write_ids: Sequence[str]) -> list[Attempt]:
        """Every call that was about to leave for some writes, in order."""
        with self._look() as connection:
            return writes.attempts_of(connection, write_ids)

    def in_doubt(self, target: str, *, domain: str = "") -> list[SavedWrite]:
        """Writes of any plan whose call left, and of which nobody knows whether it was committed."""
        with self._look() as connection:
            return writes.in_doubt(connection, target, domain=domain)

    def dead_letters(self, domain: str) -> pa.Table:
        """Writes that came to nothing: target, link_id, write_id, kind, code, message, fields."""
        with self._look() as connection:
            return dead_letters.dead_letters(connection, domain)

    def moved_writes(self, domain: str) -> pa.Table:
        """Where a plan had the books take a document on another day: target, link_id, posting_on, plan_id."""
        with self._look() as connection:
            return writes.moved_writes(connection, domain)

    def record_intents(self, write_ids: Sequence[str]) -> None:
        """Say that a call is about to leave; durable when this returns."""
        with self._change() as change:
            writes.record_intents(change, write_ids)

    def record_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        with self._change() as change:
            writes.record_outcomes(change, outcomes)

    def attempted(self, write_ids: Sequence[str]) -> dict[str, Attempted]:
        """When calls left with these writes; one that never left is absent."""
        with self._look() as connection:
            return writes.attempted(connection, write_ids)

    def writes_by_state(self, run_id: str) -> dict[str, int]:
        with self._look() as connection:
            return writes.states_of_run(connection, run_id)

    def lease_turns(self, system: str, count: int, every: timedelta, now: datetime) -> datetime:
        """Take so many turns in a row at a system that all processes share; returns the time of the first."""
        with self._change() as change:
            return paces.lease(change.connection, system, count, every, now)

    # Approvals

    def granted(self, origin: Origin) -> set[tuple[str, str]]:
        """The approvals (write id, team) that hold for a plan of this origin."""
        with self._look() as connection:
            return approvals.granted(connection, origin)

    def sent(self, domain: str, target: str, *, since: datetime, team: str) -> Size:
        """What left for a target since an instant without a team's word."""
        with self._look() as connection:
            return approvals.sent(connection, domain, target, since=since, team=team)

    def approve(self, word: Word, given_for: Sequence[tuple[str, str]]) -> None:
        """Keep a person's approval of writes: (write id, team that she speaks for)."""
        with self._change() as change:
            approvals.approve(change, word, given_for)

    def reject(self, word: Word, given_for: Sequence[tuple[str, str]]) -> int:
        """Refuse unsent writes on a person's word; returns how many."""
        with self._change() as change:
            return approvals.reject(change, word, given_for)

    def author(self, subject: str, version: str) -> str | None:
        """Who wrote a version of a mapping or of settings; None where no run has met it."""
        with self._look() as connection:
            return versions.author(connection, subject, version)

    # The directory

    def directory_kept(self, domain: str, system: str) -> str | None:
        """The fingerprint of what the directory holds of a domain and system; None where that is nothing yet."""
        with self._look() as connection:
            return directory.kept(connection, domain, system)

    def keep_directory(self, entries: Entries) -> None:
        """Bring the directory up to date with the canonical records of one domain and system."""
        with self._change() as change:
            directory.keep(change.connection, entries)

    def keep_held_back(self, domain: str, target: str, reasons: Sequence[tuple[str, str]]) -> None:
        """Say what the last plan held back, by link id and reason."""
        with self._change() as change:
            directory.keep_held_back(change.connection, domain, target, reasons)

    # Exceptions

    def sync_work_items(self, domain: str, found: Iterable[Assigned], *, run_id: str) -> Synced:
        """Open what is new among a domain's exceptions, resolve what is gone, keep the rest."""
        with self._change() as change:
            return work_items.sync_work_items(change, domain, found, run_id=run_id)

    def open_work_items(self, *, domain: str = "", owner: str = "", kind: str = "") -> list[WorkItem]:
        with self._look() as connection:
            return work_items.open_work_items(connection, domain=domain, owner=owner, kind=kind)

    def work_item(self, item_id: int) -> WorkItem | None:
        with self._look() as connection:
            return work_items.work_item(connection, item_id)

    def assign(self, item_id: int, owner: str, *, by: str, reason: str) -> None:
        """Give an exception to a team."""
        with self._change() as change:
            work_items.assign(change, item_id, owner, by=by, reason=reason)

    def refused_letters(self, *, domain: str = "", kind: str = "", code: str = "", owner: str = "") -> list[Letter]:
        """Open exceptions whose write was refused and is not released yet, in the order of their numbers."""
        with self._look() as connection:
            return dead_letters.refused_letters(connection, domain=domain, kind=kind, code=code, owner=owner)

    def release_writes(self, write_ids: Sequence[str], *, by: str, reason: str) -> int:
        """Let refused writes be planned again; returns how many."""
        with self._change() as change:
            return dead_letters.release(change, write_ids, by=by, reason=reason)

    def open_corrections(self, domain: str, target: str) -> list[Correction]:
        with self._look() as connection:
            return corrections.open_corrections(connection, domain, target)

    def correct(self, saved: SavedWrite, made: Correction) -> None:
        """Have the next plan send a person's values in place of those that were planned."""
        with self._change() as change:
            corrections.correct(change, saved, made)

    def end_corrections(self, domain: str, target: str, ended: Sequence[Correction], *, why: str) -> None:
        with self._change() as change:
            corrections.end(change, domain, target, ended, why=why)

    def discard_writes(self, write_ids: Sequence[str], *, by: str, reason: str) -> int:
        """Accept the differences that refused or failed writes were to mend; returns how many."""
        with self._change() as change:
            return dead_letters.discard(change, write_ids, by=by, reason=reason)

    def settle_write(self, write_id: str, *, record_id: str | None, by: str, reason: str) -> bool:
        """End a doubt that only a person can: stored as that record, or not at all; False where there is none."""
        with self._change() as change:
            return dead_letters.settle(change, write_id, record_id=record_id, by=by, reason=reason)

    def reopen_work_item(self, item_id: int, *, by: str, reason: str) -> bool:
        """Take a discard back; False where there is none."""
        with self._change() as change:
            return dead_letters.reopen(change, item_id, by=by, reason=reason)

    def exceptions_by_owner(self) -> dict[str, int]:
        with self._look() as connection:
            return work_items.open_by_owner(connection)

    # Looking back

    def audit_head(self) -> Head:
        """The newest entry of the audit trail, for keeping elsewhere."""
        with self._look() as connection:
            return audit.head(connection)

    def verify_audit(self) -> int | None:
        """The first audit entry that was edited, removed or reordered; None when the trail is whole."""
        return self.audit_verdict().broken

    def audit_verdict(self, *, expected: Head | None = None) -> Verdict:
        """A walk along the whole trail; `expected` is a head that was kept elsewhere."""
        with self.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            return audit.verify(connection, expected=expected)

    def audit_of(self, subject: str) -> list[AuditEntry]:
        """The entries that tell of a subject or a business transaction, oldest first."""
        with self._look() as connection:
            return audit.about(connection, [subject])

    def story(self, word: str, leaders: Mapping[str, str] = MappingProxyType({})) -> Story:
        """All that is known of the records that a word names: by a number, a label or an id in any system.

        With `leaders`, the leading systems by domain, it is the story of their deals; without, their own.
        """
        with self._look() as connection:
            return story.story(connection, word, leaders)

    def _look(self) -> AbstractContextManager[Connection]:
        return self.engine.connect()

    def _change(self) -> AbstractContextManager[Change]:
        return changing(self.engine, at=self.clock.now(), actor=self.actor)


def _engine(url: str, *, role: str = "") -> Engine:
    options = "-c timezone=UTC" + (f" -c role={role}" if role else "")
    return create_engine(
        address.psycopg_url(url),
        json_serializer=relation.dumps,
        json_deserializer=relation.loads,
        connect_args={"options": options},
        pool_pre_ping=True,
    )
