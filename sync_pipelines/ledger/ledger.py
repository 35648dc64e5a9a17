"""The ledger's face: each method is one transaction that has committed when the method returns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, Engine, create_engine, func, select
from sqlalchemy.exc import OperationalError

from sync_pipelines.clock import Clock, SystemClock
from sync_pipelines.engine.outcome import Check, Extraction, Planned, Total
from sync_pipelines.engine.plan import Write
from sync_pipelines.engine.port import Outcome, State
from sync_pipelines.errors import FixConfiguration
from sync_pipelines.ledger import address, audit, links, plans, relation, runs, steps, story, work_items, writes
from sync_pipelines.ledger.change import Change, changing
from sync_pipelines.ledger.migrations import migrate
from sync_pipelines.ledger.plans import Origin, Plan
from sync_pipelines.ledger.runs import Run
from sync_pipelines.ledger.steps import Counts, Told
from sync_pipelines.ledger.story import Story
from sync_pipelines.ledger.work_items import WorkItem
from sync_pipelines.ledger.writes import SavedWrite


@dataclass(frozen=True, slots=True)
class Ledger:
    """The control plane. Close it, or use it as a context manager.

    Any number of processes may have it open. `actor` is who the audit trail names for what is changed
    through it.
    """

    engine: Engine
    clock: Clock = field(default_factory=SystemClock)
    actor: str = "sync-pipelines"

    @classmethod
    def open(cls, url: str, *, clock: Clock | None = None, actor: str = "sync-pipelines") -> Ledger:
        """Connect, and bring the database to the newest schema; `FixConfiguration` when there is none."""
        engine = create_engine(
            address.psycopg_url(url),
            json_serializer=relation.dumps,
            json_deserializer=relation.loads,
            connect_args={"options": "-c timezone=UTC"},
            pool_pre_ping=True,
        )
        try:
            migrate(engine)
        except OperationalError as error:
            engine.dispose()
            place = engine.url.render_as_string(hide_password=True)
            raise FixConfiguration(f"the ledger at {place} can't be opened: {error.orig}") from error
        return cls(engine, clock or SystemClock(), actor)

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

    def check_identity(self, system: str, identity: str) -> None:
        """`Stop` when another organisation than before answers behind a system's credentials."""
        with self._change() as change:
            runs.check_identity(change, system, identity)

    # What the steps of a run told

    def keep(self, run_id: str, told: Told) -> None:
        """Keep what a step told and its checks; a repeated step replaces itself."""
        with self._change() as change:
            steps.keep(change, run_id, told)

    def save_checks(self, run_id: str, checks: Sequence[Check]) -> None:
        """Keep checks. One that is made again replaces itself, but "not checked" replaces nothing."""
        with self._change() as change:
            steps.save_checks(change, run_id, checks)

    def save_totals(self, run_id: str, totals: Sequence[Total]) -> None:
        with self._change() as change:
            steps.save_totals(change, run_id, totals)

    def extractions(self, run_id: str) -> list[Extraction]:
        with self._look() as connection:
            return steps.extractions(connection, run_id)

    def checks(self, run_id: str) -> list[Check]:
        with self._look() as connection:
            return steps.checks_of(connection, run_id)

    def totals(self, run_id: str) -> list[Total]:
        with self._look() as connection:
            return steps.totals_of(connection, run_id)

    def summary(self, run_id: str) -> Counts:
        """What a run came to, whichever processes made its steps."""
        with self._look() as connection:
            return steps.counts(connection, run_id)

    # Links

    def open_links(self, domain: str = "") -> pa.Table:
        """The memberships that hold now: domain, link_id, system, record_id, rule, evidence."""
        with self._look() as connection:
            return links.open_links(connection, domain)

    def change_links(self, domain: str, *, added: pa.Table, ended: pa.Table, run_id: str) -> None:
        """End memberships (link_id, system, record_id, reason), then add others (…, rule, evidence)."""
        with self._change() as change:
            links.change_links(change, domain, added=added, ended=ended, run_id=run_id)

    def count_links(self, domain: str) -> int:
        """How many links of a domain join records of at least two systems."""
        with self._look() as connection:
            return links.count_links(connection, domain)

    # Plans and writes

    def save_plan(
        self,
        domain: str,
        target: str,
        writes: Sequence[Write],
        *,
        run_id: str,
        snapshot: int,
        mapping_version: str,
        ownership_version: str,
    ) -> Planned:
        """Save a plan; `held` counts the writes left out because the very same was sent before."""
        origin = Origin(run_id, domain, target, snapshot, mapping_version, ownership_version)
        with self._change() as change:
            return plans.save_plan(change, origin, writes)

    def plan(self, plan_id: str) -> Plan | None:
        with self._look() as connection:
            return plans.plan(connection, plan_id)

    def plans(self, run_id: str) -> list[Plan]:
        with self._look() as connection:
            return plans.plans_of(connection, run_id)

    def newest_planned_run(self) -> str:
        """The run whose plans wait to be applied; `FixConfiguration` where there is none."""
        with self._look() as connection:
            return plans.newest_open_run(connection)

    def open_writes(self, domain: str, target: str, run_id: str) -> tuple[list[Write], dict[str, State]]:
        """A run's latest plan and what earlier runs left in doubt; `Stop` when the plan was edited or superseded."""
        with self._look() as connection:
            return plans.open_writes(connection, domain, target, run_id)

    def plan_states(self, domain: str, target: str, run_id: str) -> tuple[str, dict[str, int]]:
        """The id of a run's latest plan, and its writes by state."""
        with self._look() as connection:
            return writes.states_of_plan(connection, domain, target, run_id)

    def wrote(self, domain: str, target: str, run_id: str) -> bool:
        """Whether a run has sent anything of a domain to a target."""
        with self._look() as connection:
            return writes.wrote(connection, domain, target, run_id)

    def writes_of(self, plan_id: str) -> list[Write]:
        return [saved.write for saved in self.saved_writes(plan_id)]

    def saved_writes(self, plan_id: str, states: Collection[State] = ()) -> list[SavedWrite]:
        """A plan's writes with what became of them, all or those in some states."""
        with self._look() as connection:
            return writes.writes_of(connection, plan_id, states)

    def in_doubt(self, target: str, *, domain: str = "") -> list[SavedWrite]:
        """Writes of any plan whose call left, and of which nobody knows whether it was committed."""
        with self._look() as connection:
            return writes.in_doubt(connection, target, domain=domain)

    def refused_writes(self, domain: str) -> pa.Table:
        """What targets refused and nothing has put right since: target, link_id, message, code."""
        with self._look() as connection:
            return writes.refused_writes(connection, domain)

    def record_intents(self, write_ids: Sequence[str]) -> None:
        """Say that a call is about to leave; durable when this returns."""
        with self._change() as change:
            writes.record_intents(change, write_ids)

    def record_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        with self._change() as change:
            writes.record_outcomes(change, outcomes)

    def release_writes(self, write_ids: Sequence[str], *, by: str, reason: str) -> int:
        """Let refused writes be planned again; returns how many."""
        with self._change() as change:
            return writes.release(change, write_ids, by=by, reason=reason)

    # Exceptions

    def sync_work_items(self, domain: str, found: Iterable[WorkItem], *, run_id: str) -> tuple[int, int]:
        """Open what is new among a domain's exceptions, resolve what is gone; returns (opened, resolved)."""
        with self._change() as change:
            return work_items.sync_work_items(change, domain, found, run_id=run_id)

    def open_work_items(self, *, domain: str = "", owner: str = "") -> list[WorkItem]:
        with self._look() as connection:
            return work_items.open_work_items(connection, domain=domain, owner=owner)

    # Looking back

    def verify_audit(self) -> int | None:
        """The first audit entry that was edited, removed or reordered; None when the trail is whole."""
        with self._look() as connection:
            return audit.first_broken(connection)

    def story(self, word: str) -> Story:
        """What happened to a record, by its number, its id in any system, or its link id; empty when unknown."""
        with self._look() as connection:
            return story.story(connection, word)

    def last_run(self) -> Story:
        """How the newest run went; empty when there was none."""
        with self._look() as connection:
            return story.last_run(connection)

    def _look(self) -> AbstractContextManager[Connection]:
        return self.engine.connect()

    def _change(self) -> AbstractContextManager[Change]:
        return changing(self.engine, at=self.clock.now(), actor=self.actor)
