"""Where a process can die: before every statement, commit and call it makes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


class Died(BaseException):
    """The process is gone: nobody may handle it, and nothing that would be tidied up is."""


@dataclass
class Pulse:
    """Counts what a process does to each plane, and lets it die at a chosen count.

    >>> pulse = Pulse()
    >>> pulse.begin({"lake": 2})
    >>> pulse.beat("lake"), pulse.is_dead
    (None, False)
    """

    beats: Counter[str] = field(default_factory=Counter)
    dies_at: dict[str, int] = field(default_factory=dict)
    is_dead: bool = False

    def begin(self, dies_at: dict[str, int] | None = None) -> None:
        """A new process starts, and will die at these counts if it gets there."""
        self.beats.clear()
        self.dies_at = dict(dies_at or {})
        self.is_dead = False

    def beat(self, plane: str) -> None:
        """One more thing is about to be done; once dead, nothing is done any more."""
        if not self.is_dead:
            self.beats[plane] += 1
            self.is_dead = self.dies_at.get(plane) == self.beats[plane]
        if self.is_dead:
            raise Died
