"""How a run reads the systems: what may have changed, and from time to time everything."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from sync_pipelines import mappings
from sync_pipelines.domains import DOMAINS
from sync_pipelines.engine import extract as extracting
from sync_pipelines.engine import period
from sync_pipelines.engine.outcome import Extraction
from sync_pipelines.engine.port import System
from sync_pipelines.lake import Lake
from sync_pipelines.reach import Reach


@dataclass
class Reading:
    """What one run reads into the record log; a full run has every extraction proven."""

    reach: Reach
    lake: Lake
    is_full: bool
    _changed: dict[str, dict[str, bool]] = field(default_factory=dict)
    """By system: whether a look of this run found an object changed."""

    def extract(self, system: str, object: str) -> Extraction:
        """Read one object's changes; an incremental run only where a look at the system finds that there may be any."""
        if not self.is_full and self._is_unchanged(system, object):
            shape = mappings.objects(system)[object]
            return extracting.unchanged(self.lake, self.reach.systems[system], object=object, shape=shape)
        whole = self.is_full and self._is_due_again(system, object)
        extracted = self._extract(system, object, prove=self.is_full, whole=whole)
        if extracted.is_whole:
            self.reach.ledger.note_whole_read(system, object)
        return extracted

    def again(self, system: str, object: str) -> None:
        """Read what has changed since this run read the object."""
        self._extract(system, object, prove=False)

    def written(self, system: str) -> None:
        """This run is about to write to a system, so that what a look found no longer holds."""
        self._changed.pop(system, None)

    def show(self, system: str) -> None:
        """Make what was read of a system visible to its mappings."""
        self.lake.show(system, mappings.objects(system))

    def keep_periods(self, domain: str, target: str) -> None:
        """Bring the periods of a target's books up to date, where a domain's documents are posted in them."""
        if DOMAINS[domain].ledger:
            sql, entities = mappings.period_sql(target), self.reach.topology.legal_entities
            period.keep(self.lake, target, sql=sql, legal_entities=entities)

    def _extract(self, system: str, object: str, *, prove: bool, whole: bool = False) -> Extraction:
        with self._asked(system) as opened:
            began_at = self.reach.clock.now()
            extracted = extracting.extract(
                self.lake,
                opened,
                object=object,
                shape=mappings.objects(system)[object],
                run_id=self.reach.run_id,
                clock=self.reach.clock,
                prove=prove,
                whole=whole,
                certain=partial(self.reach.make_certain, system),
            )
        if opened.passport.looks_at > 1:
            self.reach.ledger.note_read(system, object, began_at)
        return extracted

    def _asked(self, system: str) -> AbstractContextManager[System]:
        """A system to read: it is made certain who answers, and only where answers tell that, it is asked before."""
        return self.reach.asked(system, meet=not self.reach.systems[system].passport.tells_identity)

    def _is_due_again(self, system: str, object: str) -> bool:
        """Whether an object was last read from its beginning so long ago that a full run does it again."""
        days, read_at = self.reach.topology.systems[system].reread_days, self.reach.ledger.whole_read_at(system, object)
        return bool(days) and read_at is not None and self.reach.clock.now() - read_at >= timedelta(days=days)

    def _is_unchanged(self, system: str, object: str) -> bool:
        """Whether a look finds an object as it was; one look tells of this one and of those that may be asked next.

        A look sees only what is past the cursor. So it is trusted where a read that found nothing began so long after
        the last news that whatever carries a time up to the cursor was visible to it.
        """
        looks_at, found = self.reach.systems[system].passport.looks_at, self._changed.setdefault(system, {})
        if object not in found and looks_at > 1:
            named = [name for name in self._at_rest(system) if name not in found]
            # A look at a single object costs as much as its read.
            if len(named) > 1 and (object in named or not found):
                self._look(system, sorted(named, key=lambda name: name != object)[:looks_at])
        return not found.get(object, True)

    def _at_rest(self, system: str) -> list[str]:
        """The objects of which nothing can come late any more that has a time before the cursor."""
        late = timedelta(seconds=self.reach.systems[system].passport.overlap_seconds)
        begun, news = self.reach.ledger.reads_begun(system), self.lake.news_at(system)
        names = [name for name in mappings.objects(system) if name in begun]
        return [name for name in names if name not in news or begun[name] - news[name] >= late]

    def _look(self, system: str, names: Sequence[str]) -> None:
        with self._asked(system) as opened:
            changed = opened.changed({name: self.lake.cursor(system, name) for name in names})
            self.reach.make_certain(system)
        self._changed[system] |= {name: name in changed for name in names}
