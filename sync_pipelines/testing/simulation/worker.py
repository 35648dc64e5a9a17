"""People who work the queue of exceptions, by the steps that the commands of `sync-pipelines exceptions` make."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from sync_pipelines import mappings
from sync_pipelines.engine.correction import Correction, body_hash, edits, paths
from sync_pipelines.engine.port import State
from sync_pipelines.ledger import Ledger, SavedWrite, WorkItem
from sync_pipelines.testing.simulation import staff
from sync_pipelines.testing.simulation.staff import ASSIGNED, DISCARDED, EDITED, RELEASED, REOPENED
from sync_pipelines.testing.simulation.world import Worked, World

_WHY = "seen to by the company's own people"
_SAFE: Mapping[str, tuple[str, str]] = {
    "account.invoice": ("lines.0.1.0.description", "As agreed"),
    "sale.sale": ("lines.0.1.0.description", "As agreed"),
    "Entitlement": ("Name", "Seats"),
}
"""By object what may be corrected in what is sent without making it other business: a path and a value."""
_ENDED = (State.REFUSED, State.FAILED)


def work(world: World) -> None:
    """Go through the open exceptions once: some are sent again, edited, accepted or passed on, and others left."""
    with Ledger.connect(world.planes.url, clock=world.clock) as ledger:
        desk = _Desk(world, ledger, world.worker)
        for item in ledger.open_work_items():
            desk.see_to(item)
        desk.reconsider()


@dataclass(frozen=True)
class _Desk:
    """One sitting over the queue."""

    world: World
    ledger: Ledger
    rng: Random

    def see_to(self, item: WorkItem) -> None:
        saved = self.ledger.find_writes([item.write_id])[0] if item.write_id else None
        if saved is None or saved.code == DISCARDED or self.rng.random() < 0.3:
            return
        match self.rng.choices((RELEASED, DISCARDED, EDITED, ASSIGNED), (4, 3, 3, 1))[0]:
            case "released":
                self._release(item, saved)
            case "discarded":
                ids = [saved.write.request.write_id]
                done = self.ledger.discard_writes(ids, by=staff.WORKER, reason=_WHY)
                self._note(DISCARDED, [saved], item, done=done, among=_ENDED)
            case "edited":
                self._edit(item, saved)
            case "assigned":
                self.ledger.assign(item.item_id, staff.TEAM, by=staff.WORKER, reason=_WHY)
                self._note(ASSIGNED, [saved], item)

    def reconsider(self) -> None:
        """Now and then somebody takes a discard back."""
        discarded = [each for each in self.world.worked if each.act == DISCARDED]
        if not discarded or self.rng.random() < 0.7:
            return
        chosen = self.rng.choice(discarded)
        if self.ledger.reopen_work_item(chosen.item.item_id, by=staff.WORKER, reason=_WHY):
            self._note(REOPENED, self.ledger.find_writes([chosen.write.request.write_id]), chosen.item)

    def _release(self, item: WorkItem, saved: SavedWrite) -> None:
        """One write is sent again, or all that were refused in its domain."""
        letters = self.ledger.refused_letters(domain=item.domain) if self.rng.random() < 0.5 else []
        ids = [each.write_id for each in letters] or [saved.write.request.write_id]
        before = self.ledger.find_writes(ids)
        done = self.ledger.release_writes(ids, by=staff.WORKER, reason=_WHY)
        self._note(RELEASED, before, item, done=done, among=(State.REFUSED,))

    def _edit(self, item: WorkItem, saved: SavedWrite) -> None:
        request = saved.write.request
        path, value = _SAFE.get(request.object, ("", ""))
        if saved.state not in _ENDED or path not in set(paths(request.body)):
            return
        patch = edits(request.body, mappings.objects(saved.write.target).get(request.object, {}), [f"{path}={value}"])
        made = Correction(saved.write.link_id, body_hash(request.body), patch, staff.EDITOR, _WHY)
        self.ledger.correct(saved, made)
        self._note(EDITED, [saved], item)

    def _note(
        self, act: str, writes: Sequence[SavedWrite], item: WorkItem, *, done: int = 1, among: Collection[State] = ()
    ) -> None:
        """Keep what was decided, and whether it was heard where it could be and nowhere else."""
        chosen = [each for each in writes if not among or each.state in among]
        if among and done != len(chosen):
            self.world.usurped.append(f"{len(chosen)} of {len(writes)} could be {act}, and {done} were")
        at = self.world.clock.now()
        self.world.worked += [Worked(at, act, item, each.write) for each in chosen]
        for each in chosen:
            told = f"{item.kind} {each.code or each.state}"
            self.world.tell(f"{each.write.request.operation} of {each.write.label}, {told}, is {act}")
