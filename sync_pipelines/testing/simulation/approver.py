"""People who decide about what waits for a word, as the command line has them do it; some of them must be refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from sync_pipelines import approval
from sync_pipelines.approval import Assessed, Opinion
from sync_pipelines.errors import SyncError
from sync_pipelines.ledger import Ledger, SavedWrite
from sync_pipelines.testing.simulation import staff
from sync_pipelines.testing.simulation.staff import APPROVED, AUTHOR, EDITOR, MEMBER, REJECTED, STRANGER, WRITTEN_BY
from sync_pipelines.testing.simulation.world import Said, World

_WHY = "the company's own people have looked at it"


def decide(world: World, *, everything: bool = False) -> int:
    """Look through the open plans once: of what waits some is approved, some rejected, and some left for later.

    With `everything` nothing is left. Returns how many writes were decided about.
    """
    with Ledger.connect(world.planes.url, clock=world.clock) as ledger:
        sitting = _Sitting(world, ledger, world.approver, everything)
        found = approval.open_plans(ledger, world.topology, now=world.clock.now())
        return sum(sitting.decide(assessed) for assessed in found if assessed.waiting)


@dataclass(frozen=True)
class _Sitting:
    """One look of people at what waits."""

    world: World
    ledger: Ledger
    rng: Random
    everything: bool

    def decide(self, assessed: Assessed) -> int:
        if self.rng.random() < 0.5:
            self._try_without_a_say(assessed)
        waiting, drawn = list(assessed.waiting), self.rng.random()
        if drawn < 0.15 and not self.everything:
            return 0
        if drawn < 0.3:
            return self._says(self.rng.choice((AUTHOR, MEMBER)), REJECTED, assessed, waiting)
        some = self.rng.sample(waiting, len(waiting) // 2) if drawn < 0.5 and len(waiting) > 1 else waiting
        decided = self._says(self.rng.choice(_approvers(assessed)), APPROVED, assessed, some)
        rest = [each for each in waiting if each not in some]
        return decided + (self._says(MEMBER, REJECTED, assessed, rest) if rest and self.everything else 0)

    def _try_without_a_say(self, assessed: Assessed) -> None:
        """Somebody who belongs to no team, or had a hand in it, wants to decide."""
        tries = [(STRANGER, APPROVED), (STRANGER, REJECTED), (AUTHOR, APPROVED), (WRITTEN_BY, APPROVED)]
        if EDITOR not in _approvers(assessed):
            tries.append((EDITOR, APPROVED))
        by, decision = self.rng.choice(tries)
        if self._says(by, decision, assessed, assessed.waiting, is_allowed=False):
            self.world.usurped.append(f"{by} had no say in {assessed.plan.plan_id}, and it was {decision}")

    def _says(
        self, by: str, decision: str, assessed: Assessed, writes: Sequence[SavedWrite], *, is_allowed: bool = True
    ) -> int:
        """What the product makes of a person's word about some of the writes that wait in a plan."""
        plan_id, opinion = assessed.plan.plan_id, Opinion(by, _WHY, self.world.clock.now())
        ids = [each.write.request.write_id for each in writes]
        try:
            if decision == APPROVED:
                named = ids if len(ids) < len(assessed.waiting) else ()
                approval.approve(self.ledger, self.world.topology, plan_id, opinion, write_ids=named)
            else:
                for what in ids if len(ids) < len(assessed.waiting) else [plan_id]:
                    approval.reject(self.ledger, self.world.topology, what, opinion)
        except SyncError as refused:
            self.world.tell(f"{by} is refused: {refused}")
            if is_allowed:
                self.world.usurped.append(f"{by} has a say in {plan_id}, and was refused: {refused}")
            return 0
        self.world.said += [Said(len(self.world.traffic.log), by, decision, each.write) for each in writes]
        labels = ", ".join(f"{each.write.request.operation} of {each.write.label}" for each in writes)
        self.world.tell(f"{by} has {decision} the {labels}")
        return len(ids)


def _approvers(assessed: Assessed) -> tuple[str, ...]:
    corrected_by = {each.write.corrected_by for each in assessed.waiting}
    return staff.approvers(assessed.plan.origin.domain, corrected_by)
