"""A plan on its way: what of it may still be sent, what became of that, and which records it links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from sync_pipelines import mappings
from sync_pipelines.domains import DOMAINS
from sync_pipelines.engine import apply as applying
from sync_pipelines.engine import match as matching
from sync_pipelines.engine import period
from sync_pipelines.engine.plan import Write
from sync_pipelines.engine.port import OPEN, Operation, Outcome, State
from sync_pipelines.ledger import Ledger
from sync_pipelines.ledger.plans import Plan
from sync_pipelines.ledger.writes import SavedWrite
from sync_pipelines.reach import Reach
from sync_pipelines.reading import Reading

UNSETTLED = (State.PLANNED, *OPEN)


@dataclass(frozen=True, slots=True)
class Dispatch:
    """One apply of a plan; the writes that it is given may be those of earlier plans of the same target, too."""

    plan: Plan
    reading: Reading

    @property
    def domain(self) -> str:
        return self.plan.origin.domain

    @property
    def target(self) -> str:
        return self.plan.origin.target

    @property
    def _reach(self) -> Reach:
        return self.reading.reach

    @property
    def _ledger(self) -> Ledger:
        return self.reading.reach.ledger

    def barred(self, saved: Sequence[SavedWrite]) -> dict[str, Outcome]:
        """The unsent writes whose period has closed since the plan was made, after one more look at the periods."""
        dated = [each.write for each in saved if each.state is State.PLANNED and each.write.posting_on]
        if not dated or self._reach.hold(self.target):
            return {}
        for owner, name in mappings.period_sources(self.target)[:1]:
            self.reading.again(owner, name)
        self.reading.show(self.target)
        self.reading.keep_periods(self.domain, self.target)
        periods = period.read(self.reading.lake, self.target, ledger=DOMAINS[self.domain].ledger)
        barred = applying.barred(dated, periods)
        if barred:
            self._ledger.record_outcomes(barred)
        return {outcome.write_id: outcome for outcome in barred}

    def carry_out(self, saved: Sequence[SavedWrite]) -> dict[str, Outcome]:
        """Bring every write that is not settled to an end, as far as the target allows; what became of each."""
        unsettled = [each for each in saved if each.state in UNSETTLED]
        if not unsettled:
            return {}
        shapes = mappings.objects(self.target)
        states = {each.write.request.write_id: each.state for each in unsettled}
        wanted = self._wanted(unsettled)
        self.reading.written(self.target)
        with self._reach.asked(self.target) as system:
            on = applying.Application(
                system,
                self._ledger,
                lambda name: shapes[name],
                self._reach.clock,
                holders=partial(self._ledger.holders, self.domain, self.target),
                may_write=lambda: self._reach.hold(self.target) is None,
                concurrency=self._reach.topology.systems[self.target].concurrency,
            )
            ended = applying.apply(on, [each.write for each in unsettled], states, wanted=wanted)
        if any(each.code in (applying.NOT_SENT, applying.UNREAD) for each in ended.values()):
            self._reach.suspect(self.target)
        return ended

    def link(self, writes: Sequence[Write], ended: Mapping[str, Outcome]) -> None:
        """What was created is linked at once; a successor takes the place of what it replaced."""
        confirmed = [
            (write, ended[write.request.write_id].record_id)
            for write in writes
            if write.request.operation not in {Operation.UPDATE, Operation.VOID}
            and ended[write.request.write_id].state is State.CONFIRMED
        ]
        written = {"system": self.target, "rule": "written", "evidence": "written by a plan"}
        added = [{"link_id": w.link_id, "record_id": r, **written} for w, r in confirmed]
        replaced = [w for w, r in confirmed if w.request.record_id and w.request.record_id != r]
        gone = [(w.link_id, w.request.record_id, "replaced") for w in replaced]
        gone += [(link_id, record_id, "withdrawn") for link_id, record_id in self._withdrawn(writes, ended)]
        self._ledger.change_links(
            self.domain,
            added=pa.Table.from_pylist(added, schema=matching.ADDED),
            ended=pa.Table.from_pylist(
                [{"link_id": a, "system": self.target, "record_id": b, "reason": why} for a, b, why in gone],
                schema=matching.ENDED,
            ),
            run_id=self._reach.run_id,
            correlations={write.link_id: write.request.correlation_id for write in writes},
        )

    def _wanted(self, saved: Sequence[SavedWrite]) -> set[str]:
        """The writes that may be sent: those of the plan, and of earlier ones those that it would make again."""
        told = self._ledger.steps(self._reach.run_id).get(f"{self.domain}/plan/{self.target}", {})
        own = {each.write.request.write_id for each in saved if each.plan_id == self.plan.plan_id}
        return own | set(told.get("still_wanted", ()))

    def _withdrawn(self, writes: Sequence[Write], ended: Mapping[str, Outcome]) -> list[tuple[str, str]]:
        """Links to records that an interrupted run had begun: what follows was refused, and they are gone again."""
        refused = {w.link_id: ended[w.request.write_id] for w in writes if w.request.operation is Operation.CREATE}
        gone = {link for link, end in refused.items() if end.state is State.REFUSED and end.record_id is None}
        links = self._ledger.open_links(self.domain).to_pylist() if gone else []
        ours = [link for link in links if link["system"] == self.target and link["link_id"] in gone]
        return [(link["link_id"], link["record_id"]) for link in ours]
