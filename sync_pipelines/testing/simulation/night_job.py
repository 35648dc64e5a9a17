"""The other side of an interface by files: a batch job that runs in its windows as the clock passes them.

What befalls it is handed to it beforehand; nobody looks at its folder between two of our own steps, so that it may do
what was due in between when the next of them comes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from sync_pipelines.sandbox.app import Sandbox
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.ecc import Ecc
from sync_pipelines.systems.ecc.window import Windows

POSTED = "53"
"""The status of an IDoc whose document is in the books."""
IDOCS = "_idoc"
Note = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Mishap:
    """What goes wrong in one window: it lets the job work, and says what it spoilt, or None where nothing was."""

    name: str
    befall: Callable[[NightJob, Random], str | None]
    seed: int


@dataclass(frozen=True, slots=True)
class Slip:
    """How the next operation of a kind on the folder fails: "before" it is done, "half" done, or "after" it was."""

    verb: str
    how: str


@dataclass
class NightJob:
    """The ERP behind the folder, at the times of its windows and at no other."""

    box: Sandbox
    windows: Windows
    clock: VirtualClock
    tell: Callable[[str], None]
    note: Note
    rng: Random
    """How long the company lets pass between two runs; it shifts nothing else."""
    done_until: datetime
    mishaps: list[Mishap] = field(default_factory=list)
    """What befalls the next windows, one each."""
    slips: list[Slip] = field(default_factory=list)
    """What befalls our own next operations on the folder."""
    repairs: list[tuple[int, Callable[[], object]]] = field(default_factory=list)
    """What people mend of it, and how many windows later."""
    forgotten: set[str] = field(default_factory=set)
    """Files that were taken, and of which the ERP knows nothing any more."""

    @property
    def vendor(self) -> Ecc:
        assert isinstance(self.box.vendor, Ecc)
        return self.box.vendor

    @property
    def folder(self) -> Path:
        return self.vendor.folder

    def catch_up(self) -> None:
        """Run each window that the clock has passed."""
        for at in self._due(self.done_until, self.clock.now()):
            self.done_until = at
            self.box.clock.set(at)
            self._mend()
            self._befallen(self.mishaps[0]) if self.mishaps else self.work()

    def work(self) -> None:
        """What the job does in a window: post, take, extract."""
        told = self.vendor.admin("window", None)
        self.tell(f"window: {told}")

    def pass_windows(self, number: int) -> None:
        """Let the clock go on until so many windows are over."""
        for _ in range(number):
            following = next(self._due(self.clock.now(), self.clock.now() + timedelta(days=2)))
            self.clock.advance((following - self.clock.now()).total_seconds() + 60)
        self.catch_up()

    def linger(self) -> None:
        """Between two runs of the company some windows pass, more often than not."""
        self.pass_windows(self.rng.choice((0, 1, 2, 2, 3)))

    def slip(self, verb: str) -> Slip | None:
        """What befalls this operation, if anything does."""
        found = next((each for each in self.slips if each.verb in ("", verb)), None)
        if found is not None:
            self.slips.remove(found)
        return found

    def calm(self) -> None:
        """Nothing goes wrong any more, and whatever people mend is mended."""
        self.mishaps.clear()
        self.slips.clear()
        self.repairs = [(0, mend) for _, mend in self.repairs]
        self._mend()

    def idocs(self) -> list[Mapping[str, Any]]:
        """What the ERP has taken of ours, with its status."""
        return self.box.store.all(IDOCS)

    def _befallen(self, mishap: Mishap) -> None:
        """The job works under a mishap; one that found nothing to spoil waits for the next window."""
        spoilt = mishap.befall(self, Random(mishap.seed))
        if spoilt is not None:
            self.mishaps.remove(mishap)
            self.note(mishap.name, spoilt)

    def _mend(self) -> None:
        now = [mend for left, mend in self.repairs if left <= 0]
        self.repairs = [(left - 1, mend) for left, mend in self.repairs if left > 0]
        for mend in now:
            mend()

    def _due(self, after: datetime, until: datetime) -> Iterator[datetime]:
        zone, day = self.windows.zone, self.windows.local(after).date()
        while day <= self.windows.local(until).date():
            for opens in sorted(self.windows.opens):
                at = datetime.combine(day, opens, zone).astimezone(after.tzinfo)
                if after < at <= until:
                    yield at
            day += timedelta(days=1)
