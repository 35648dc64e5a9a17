"""Which seeds the test run lives through: as many as there are things that can happen, so that each does."""

from __future__ import annotations

from sync_pipelines.testing.simulation import injector
from sync_pipelines.testing.simulation.campaign import Field, Lived, story_of, story_told

SEEDS = range(len(injector.KINDS))


def judged(field: Field, seed: int) -> Lived:
    """What became of a seed; a broken invariant fails the test with its story."""
    lived = field.live(story_of(seed))
    assert not lived.violations, story_told(lived, replayed=False)
    return lived


def first_kind(seed: int) -> str:
    """What is the first thing to happen in a seed's story."""
    return story_of(seed).events[0].name
