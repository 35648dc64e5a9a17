"""The loop: six verbs over the two planes and the systems, one method each.

This is the engine's face. The graph calls it asset by asset, the command line from end to end; both get the
same steps. Each method may be called again at any time: it looks at what is, and does what is left to do.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from functools import cached_property, wraps
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, cast
from zoneinfo import ZoneInfo

import pyarrow as pa

from sync_pipelines import approval, mappings, planes
from sync_pipelines.clock import Clock, SystemClock
from sync_pipelines.conclusion import NOT_RUN, Conclusion
from sync_pipelines.dispatch import Dispatch
from sync_pipelines.domains import DOMAINS
from sync_pipelines.engine import apply as applying
from sync_pipelines.engine import claim, clearing, correlation, directory, policy, proof
from sync_pipelines.engine import conform as conforming
from sync_pipelines.engine import correction as correcting
from sync_pipelines.engine import match as matching
from sync_pipelines.engine import plan as planning
from sync_pipelines.engine import reconcile as reconciling
from sync_pipelines.engine.doubt import AWAITED, LEFT_TO_PEOPLE
from sync_pipelines.engine.outcome import Applied, Conformed, Extraction, Matched, Planned, Reconciled
from sync_pipelines.engine.plan import Write
from sync_pipelines.engine.port import OPEN, Operation, State
from sync_pipelines.engine.topology import Topology
from sync_pipelines.engine.values import text
from sync_pipelines.errors import FixConfiguration, Stop
from sync_pipelines.lake import Lake
from sync_pipelines.ledger import Ledger
from sync_pipelines.ledger.plans import Origin, Plan
from sync_pipelines.ledger.writes import SavedWrite
from sync_pipelines.reach import Reach
from sync_pipelines.reading import Reading
from sync_pipelines.systems import registry
from sync_pipelines.systems.registry import Connect, Systems

Mode = Literal["full", "incremental"]
KEPT = timedelta(days=30)
"""How long the lake's past can be read; what plans were made from is kept for good."""
Told = TypeVar("Told", Extraction, Conformed, Matched, Planned, Applied, Reconciled)


class OpenPlanes(Protocol):
    """Opens the two planes of a topology; see `planes.open_planes`."""

    def __call__(self, topology: Topology, *, clock: Clock) -> AbstractContextManager[tuple[Lake, Ledger]]: ...


Step = TypeVar("Step", bound=Callable[..., Any])


def _alone(step: Step) -> Step:
    """Of several runs at once, one at a time makes this step of a domain: its tables have one writer."""

    @wraps(step)
    def waiting(loop: Loop, domain: str, *rest: str) -> Any:
        with loop.ledger.exclusive(f"tables of {domain}"):
            return step(loop, domain, *rest)

    return cast("Step", waiting)


@dataclass
class Loop:
    """One run of the loop; open it with `Loop.open`.

    In mode "full" every extraction is proven by an independent count and looks for deletes.
    """

    topology: Topology
    lake: Lake
    ledger: Ledger
    systems: Systems
    run_id: str
    mode: Mode = "full"
    clock: Clock = field(default_factory=SystemClock)
    _planned: set[str] = field(default_factory=set)

    @classmethod
    @contextmanager
    def open(
        cls,
        topology: Topology,
        *,
        run_id: str,
        mode: Mode = "full",
        clock: Clock | None = None,
        open_planes: OpenPlanes = planes.open_planes,
        connect: Connect = registry.connect,
        shares_pace: bool = True,
    ) -> Iterator[Loop]:
        """Open both planes and note the run; the systems are opened when they are first asked.

        Their pace is kept together with all other processes on this ledger, unless `shares_pace` is false.
        """
        clock = clock or SystemClock()
        with open_planes(topology, clock=clock) as (lake, ledger):
            ledger.start_run(run_id, mode)
            approval.note_versions(ledger, topology)
            lease = ledger.lease_turns if shares_pace else None
            systems = Systems(topology.systems, clock=clock, connect=connect, lease=lease)
            loop = cls(topology, lake, ledger, systems, run_id, mode, clock)
            try:
                yield loop
            except BaseException:
                loop._end("failed")
                raise
            loop._end("finished")

    @cached_property
    def reach(self) -> Reach:
        """The way to this run's systems."""
        return Reach(self.topology, self.systems, self.ledger, self.clock, self.run_id)

    @cached_property
    def reading(self) -> Reading:
        """What this run reads of them."""
        return Reading(self.reach, self.lake, is_full=self.mode == "full")

    def objects(self, system: str) -> list[str]:
        """The objects of a system that its mappings declare."""
        return list(mappings.objects(system))

    def objects_of(self, domain: str, system: str) -> list[str]:
        """The objects that a domain's mapping reads."""
        return [name for owner, name in mappings.sources(system, domain) if owner == system]

    def objects_for_writing(self, domain: str, target: str) -> list[str]:
        """The objects that planning a domain for a target reads beside its records, where it may be written."""
        if target not in self.topology.domains[domain].targets:
            return []
        return [name for owner, name in mappings.plan_sources(target, domain) if owner == target]

    def extract(self, system: str, object: str) -> Extraction:
        """Read one object's changes into the record log.

        In mode "incremental" only where a look at the system finds that there may be any.
        """
        return self._kept(f"{system}/{object}", self.reading.extract(system, object))

    @_alone
    def conform(self, domain: str, system: str) -> Conformed:
        """Turn a system's raw records into canonical records of a domain."""
        self.reading.show(system)
        with self.lake.transaction():
            directory.remember(self.lake, DOMAINS[domain], system)
            conformed = conforming.conform(
                self.lake,
                DOMAINS[domain],
                system=system,
                sql=mappings.read_sql(system, domain),
                lineage=mappings.lineage(system, domain),
                limit_deletes=self.topology.domains[domain].limit_deletes,
            )
        kept = self.ledger.directory_kept(domain, system)
        if entries := directory.changes(self.lake, DOMAINS[domain], system, kept=kept):
            self.ledger.keep_directory(entries)
        return self._kept(f"{domain}/{system}", conformed)

    @_alone
    def match(self, domain: str) -> Matched:
        """Decide which record here is which record there, and keep it as links."""
        with self._links():
            verdict = matching.match(self.lake, DOMAINS[domain], self.topology.domains[domain])
            moved = [*verdict.added.to_pylist(), *verdict.ended.to_pylist()]
            deals = self._deals(domain, [(each["system"], each["record_id"]) for each in moved], members="members")
        told = {each["link_id"]: deals.get((each["system"], each["record_id"]), each["link_id"]) for each in moved}
        for added, ended in verdict.changes:
            self.ledger.change_links(domain, added=added, ended=ended, run_id=self.run_id, correlations=told)
        return self._kept(
            f"{domain}/links",
            Matched(
                domain=domain,
                links=self.ledger.linked_by_domain().get(domain, 0),
                added=len(verdict.added),
                removed=len(verdict.ended),
                ambiguous=verdict.ambiguous,
                duplicates=verdict.duplicates,
                checks=matching.checks(self.lake, DOMAINS[domain]),
            ),
        )

    @_alone
    def plan(self, domain: str, target: str) -> Planned:
        """Compute and save the writes that a target needs; it writes to no system."""
        settings, clears = self.topology.domains[domain], self._clearing(domain)
        self.reading.show(target)
        self.reading.keep_periods(domain, target)
        with self._links():
            writes, waiting = planning.plan(
                self.lake,
                DOMAINS[domain],
                settings,
                target=target,
                write_sql=self._write_sql(domain, target),
                numbers=correlation.numbers(self.lake, self.topology.domains),
                standing=correlation.standing(self.lake, DOMAINS[domain], self.topology.domains, target=target),
                can_move=mappings.keeps_posting_date(target, domain),
                today=self._today(),
                clearing=clears,
            )
        writes = policy.with_corrected(settings, self._corrected(domain, target, writes))
        origin = Origin(
            run_id=self.run_id,
            domain=domain,
            target=target,
            snapshot=self.lake.snapshot(),
            mapping_version=mappings.versions(settings.systems, domain),
            ownership_version=settings.version,
        )
        approval.note_versions(self.ledger, self.topology)
        saved = self.ledger.save_plan(origin, writes)
        self.ledger.keep_held_back(domain, target, self._held_back(domain, target))
        self._planned.add(saved.plan_id)
        assessed = self._assessed(saved, self.ledger.writes(saved.plan_id))
        creates = saved.counts.get(Operation.CREATE, 0)
        return self._kept(
            f"{domain}/plan/{target}",
            Planned(
                domain=domain,
                target=target,
                plan_id=saved.plan_id,
                snapshot=saved.origin.snapshot,
                creates=creates,
                updates=sum(saved.counts.values()) - creates,
                held=waiting + len(saved.held),
                still_wanted=tuple(w.write.request.write_id for w in saved.held if w.state in OPEN),
                amounts=saved.amounts,
                checks=(
                    policy.within_limits(domain, target, waits=assessed.past),
                    *clearing.checks(domain, target, settings, clears),
                ),
                waiting=len(assessed.waiting),
                waits=assessed.past,
            ),
        )

    def apply(self, domain: str, target: str) -> Applied:
        """Carry out the target's plan of this run, and first whatever an interrupted run left open.

        What needs a person's word and has not got it stays planned; of a plan past a limit nothing is sent.
        """
        with self.ledger.exclusive(f"{domain}/{target}"):
            plan = self.ledger.latest_plan(domain, target, run_id=self.run_id)
            if plan is None:
                raise Stop(f"this run has no plan of {domain} for {target}: plan first")
            if plan.state == "superseded" and plan.plan_id in self._planned:
                return self._kept(f"{domain}/writes/{target}", applying.overtaken(domain, target, plan.plan_id))
            approval.hold_to_settings(self.topology.domains[domain], plan)
            assessed = self._assessed(plan, self.ledger.verified_writes(plan.plan_id))
            unsettled = (*self.ledger.in_doubt(target, domain=domain), *assessed.ready)
            open_ones = {each.write.request.write_id: each for each in unsettled}
            dispatch = Dispatch(plan, self.reading)
            barred = dispatch.barred(list(open_ones.values()))
            unbarred = [w for key, w in open_ones.items() if key not in barred]
            hold = self.reach.hold(target)
            ended = barred | ({} if hold else dispatch.carry_out(unbarred))
            dispatch.link([open_ones[key].write for key in ended], ended)
            hold = hold or self.reach.hold(target)
            if hold is None and not assessed.waiting:
                self.ledger.close_plan(plan.plan_id)
        told = [(each.state, each.code) for each in self.ledger.writes(plan.plan_id)]
        told += [(o.state, o.code) for key, o in ended.items() if open_ones[key].plan_id != plan.plan_id]
        states = Counter(state for state, _ in told)
        counted = {state.value: count for state, count in states.items() if count}
        waiting = len(assessed.waiting)
        sent = Counter(counted) - Counter({State.PLANNED.value: waiting})
        queued = str(hold) if hold and sent[State.PLANNED.value] else ""
        awaited = told.count((State.IN_DOUBT, AWAITED))
        left = sum(told.count((State.IN_DOUBT, code)) for code in LEFT_TO_PEOPLE)
        checks = applying.checks(domain, target, sent, queued=queued, awaited=awaited, left=left)
        applied = Applied(domain, target, plan.plan_id, counted, checks, queued, waiting, assessed.past)
        return self._kept(f"{domain}/writes/{target}", applied)

    def reconcile(self, domain: str) -> Reconciled:
        """Read what was written, then compare both sides of every pair and account for every difference."""
        self._reread(domain)
        settings, pairs = self.topology.domains[domain], self.topology.pairs(domain)
        assessed = approval.open_plans(self.ledger, self.topology, now=self.clock.now(), domain=domain)
        rows = [*approval.waiting_rows(assessed, self.topology), *self._awaited_rows(domain)]
        waiting = pa.Table.from_pylist(rows, schema=reconciling.WAITING)
        with (
            self.lake.relation("dead_letters", self.ledger.dead_letters(domain)),
            self.lake.relation("moved_writes", self.ledger.moved_writes(domain)),
            self.lake.relation("waiting_writes", waiting),
            self._links(),
        ):
            clears = self._clearing(domain)
            compared = reconciling.reconcile(self.lake, DOMAINS[domain], settings, pairs=pairs, clearing=clears)
            totals = proof.totals(self.lake, DOMAINS[domain], settings.systems)
            found = reconciling.items(self.lake, DOMAINS[domain])
            links = f"(SELECT * FROM links WHERE domain = {text(domain)})"
            deals = self._deals(domain, [(item.system, item.record_id) for item in found], members=links)
            items = approval.exceptions(assessed, found, self.topology, deals=deals)
            checks = proof.checks(self.lake, DOMAINS[domain], pairs, totals, cut_over=settings.cut_over)
            disagreeing, kinds, amounts = reconciling.counted(self.lake)
        self.lake.keep_findings(self.run_id, domain)
        self.ledger.save_totals(self.run_id, domain, totals)
        synced = self.ledger.sync_work_items(domain, items, run_id=self.run_id)
        return self._kept(
            f"{domain}/reconciliation",
            Reconciled(
                domain=domain,
                compared=compared,
                agreeing=compared - disagreeing,
                findings=kinds,
                amounts=amounts,
                exceptions_opened=synced.opened,
                exceptions_resolved=synced.resolved,
                checks=checks,
            ),
        )

    def leave_out(self, subject: str, reason: str) -> None:
        """Note that a step of this run was not made, and that nothing it claims is checked."""
        unclaimed = claim.not_checked(claim.claims(self.topology, subject), subject, f"not run: {reason}")
        self.ledger.save_step(self.run_id, subject, {NOT_RUN: reason}, unclaimed)

    def leave_out_rest(self, subjects: Collection[str], reason: str) -> None:
        """Note of the steps that a run was to make which of them it has not made."""
        made = self.ledger.steps(self.run_id)
        for subject in subjects:
            if subject not in made and claim.claims(self.topology, subject):
                self.leave_out(subject, reason)

    def report(self) -> Path:
        """Write the finance check report of this run, and say where it is."""
        return self._conclusion.report()

    def summary(self) -> dict[str, Any]:
        """What this run came to so far, for machines."""
        return self._conclusion.summary()

    # What the verbs share

    @property
    def _conclusion(self) -> Conclusion:
        return Conclusion(self.topology, self.lake, self.ledger, self.run_id, self.mode, self.clock)

    def _end(self, state: str) -> None:
        """Keep what the run came to, in the ledger and for machines in summary.json."""
        if self.mode == "full" and state == "finished":
            self.lake.maintain(before=self.clock.now() - KEPT, pinned=self.ledger.pinned_snapshots())
        summary = self.summary()
        self.ledger.end_run(self.run_id, state=state, summary=summary)
        self.topology.state.mkdir(parents=True, exist_ok=True)
        (self.topology.state / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")

    def _deals(self, domain: str, records: Collection[tuple[str, str]], *, members: str) -> dict[tuple[str, str], str]:
        """The deals that some records of a domain belong to, by system and record id."""
        return correlation.of_records(self.lake, domain, self.topology.domains, records=records, members=members)

    def _clearing(self, domain: str) -> frozenset[str]:
        """The fields that an owner who has emptied them clears in the targets."""
        settings = self.topology.domains[domain]
        lineages = {s: mappings.lineage(s, domain) for s in settings.systems} if settings.clears else {}
        return clearing.believed(self.lake, settings, lineages)

    def _held_back(self, domain: str, target: str) -> list[tuple[str, str]]:
        """What the last plan of a domain for a target did not plan, by link id, and why."""
        return [
            (each, why)
            for each, why in self.lake.rows(f"SELECT link_id, reason FROM {planning.held_back(domain, target)}")
        ]

    def _corrected(self, domain: str, target: str, writes: list[Write]) -> list[Write]:
        """What was planned, with people's corrections in it; those that hold no longer are ended."""
        made = self.ledger.open_corrections(domain, target)
        if not made:
            return writes
        held = {link_id for link_id, _ in self._held_back(domain, target)}
        kept, ended = correcting.corrected(writes, made, held=held)
        self.ledger.end_corrections(domain, target, ended, why="what is to be sent is something else now, or nothing")
        return kept

    def _assessed(self, plan: Plan, saved: Sequence[SavedWrite]) -> approval.Assessed:
        """A plan under its domain's policy; why it waits as a whole is kept with it."""
        settings = self.topology.domains[plan.origin.domain]
        assessed = approval.assess(self.ledger, settings, plan, saved, now=self.clock.now())
        self.ledger.keep_waits(plan.plan_id, assessed.past)
        return assessed

    def _today(self) -> dict[str, date]:
        """The business date of each legal entity, in its zone."""
        now, entities = self.clock.now(), self.topology.legal_entities
        return {code: now.astimezone(ZoneInfo(entity.zone)).date() for code, entity in entities.items()}

    def _awaited_rows(self, domain: str) -> Iterator[dict[str, Any]]:
        """Writes that a system has and tells of in a later window, as what they wait for."""
        targets = self.topology.domains[domain].targets
        for each in (found for target in targets for found in self.ledger.in_doubt(target, domain=domain)):
            if each.code == AWAITED:
                fields = [change.field for change in each.write.changes]
                target, link_id = each.write.target, each.write.link_id
                yield {"target": target, "link_id": link_id, "message": each.message, "fields": fields}

    def _reread(self, domain: str) -> None:
        """Bring the canonical records of every system that this run wrote to up to date."""
        for target in self.topology.domains[domain].targets:
            told = self.ledger.steps(self.run_id).get(f"{domain}/writes/{target}", {})
            if any(told.get("states", {}).values()):
                for name in self.objects_of(domain, target):
                    self.reading.again(target, name)
                self.conform(domain, target)

    def _write_sql(self, domain: str, target: str) -> str:
        sql = mappings.write_sql(target, domain)
        if sql is None:
            raise FixConfiguration(
                f"[domains.{domain}] lets {target} be written: add mappings/{target}/{domain}.write.sql, "
                f"or take {target} out of create and update"
            )
        return sql

    @contextmanager
    def _links(self) -> Iterator[None]:
        """The links, and what they were, as relations, over one unchanging snapshot of the lake."""
        with (
            self.lake.relation("links", self.ledger.open_links(), copied=True),
            self.lake.relation("former_links", self.ledger.former_links(), copied=True),
            self.lake.transaction(),
        ):
            yield

    def _kept(self, subject: str, told: Told) -> Told:
        """Keep what a step told, with its checks, for the summary and the report."""
        self.ledger.save_step(self.run_id, subject, asdict(told), told.checks)
        return told
