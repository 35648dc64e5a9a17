"""Which seeds the test run lives through: as many as there are things that can happen, so that each comes up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from sync_pipelines.testing.simulation import injector
from sync_pipelines.testing.simulation.campaign import Field, story_of, story_told

SEEDS = range(sum(not kind.share for kind in injector.KINDS.values()))


@dataclass
class Seen:
    """What was to happen in the seeds of a file, and what did."""

    wanted: set[str] = field(default_factory=set)
    injected: Counter[str] = field(default_factory=Counter)

    def judge(self, field: Field, seed: int) -> None:
        """Live a seed; a broken invariant fails the test with its story."""
        self.wanted.add(story_of(seed).events[0].fault)
        lived = field.live(story_of(seed))
        self.injected.update(lived.injected)
        assert not lived.violations, story_told(lived, replayed=False)


def seen() -> Iterator[Seen]:
    """At the end of a file every kind of fault that was to happen has happened."""
    so_far = Seen()
    yield so_far
    assert so_far.wanted - set(so_far.injected) == set()


def name_of(seed: int) -> str:
    return f"{seed}-{story_of(seed).events[0].name}"
