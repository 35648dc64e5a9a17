"""Campaigns: many seeds over all cores, each lived and judged; a failing one is told as a short story."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from sync_pipelines.ledger.embedded import Embedded
from sync_pipelines.testing.simulation import injector, others
from sync_pipelines.testing.simulation.invariant import Violation, check, names
from sync_pipelines.testing.simulation.life import Unexpected, live
from sync_pipelines.testing.simulation.planes import Ground
from sync_pipelines.testing.simulation.story import Story, draw
from sync_pipelines.testing.simulation.world import World, closing, topology_of


@dataclass(frozen=True, slots=True)
class Lived:
    """What became of one seed."""

    seed: int
    happened: tuple[str, ...]
    injected: Counter[str]
    violations: tuple[Violation, ...]
    log: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
    """The events of the story that was lived, by number."""


@dataclass
class Field:
    """Where seeds are lived: a topology, and a database server with room for one life at a time."""

    ground: Ground
    topology_path: Path
    state: Path

    @classmethod
    def open(cls, folder: Path, *, topology: Path, name: str = "simulation") -> Field:
        """Start the server of a folder where it isn't running; processes of other names may share it."""
        ground = Ground(Embedded.start(folder / "postgres"), name)
        ground.prepare()
        return cls(ground, topology, folder / name)

    def live(self, story: Story) -> Lived:
        """Live one story and judge it."""
        topology = topology_of(self.topology_path, state=self.state)
        url = self.ground.fresh()
        with closing(World.make(story, url, topology=topology, injectors=injector.HAPPENINGS)) as world:
            try:
                violations = check(world, live(world))
            except Unexpected as error:
                violations = [Violation("errors_say_what_to_do", str(error))]
            return Lived(
                seed=story.seed,
                happened=tuple(world.happened),
                injected=world.injected,
                violations=tuple(violations),
                log=tuple(world.log),
                numbers=tuple(event.number for event in story.events),
            )

    def shorten(self, story: Story, lived: Lived) -> tuple[Story, Lived]:
        """Leave out one event after the other, as long as one of the same invariants is still broken."""
        for event in story.events:
            rest = story.only(e.number for e in story.events if e.number != event.number)
            without = self.live(rest)
            if names(without.violations) & names(lived.violations):
                story, lived = rest, without
        return story, lived


@dataclass
class Tally:
    """What a campaign came to."""

    seeds: int = 0
    injected: Counter[str] = field(default_factory=Counter)
    failed: list[Lived] = field(default_factory=list)

    def add(self, lived: Lived) -> None:
        self.seeds += 1
        self.injected.update(lived.injected)
        if lived.violations:
            self.failed.append(lived)

    @property
    def violations(self) -> int:
        return sum(len(lived.violations) for lived in self.failed)

    def __str__(self) -> str:
        return f"{self.seeds} seeds, {self.injected.total()} faults injected, {self.violations} violations"


def story_of(seed: int) -> Story:
    return draw(seed, injector.KINDS)


def seeds_with(system: str, seeds: Sequence[int], *, topology: Path) -> list[int]:
    """Of some seeds those whose company has a system beside the three."""
    declared = topology_of(topology, state=Path())
    return [seed for seed in seeds if system in others.beside(story_of(seed), declared)]


def run(
    seeds: Sequence[int],
    *,
    folder: Path,
    topology: Path,
    workers: int = 0,
    only_to_first: bool = False,
    tell: Callable[[Lived], None],
) -> Tally:
    """Live every seed, as many at a time as there are cores; `tell` is called with each that has ended.

    With `only_to_first` no more is lived after a seed that broke anything.
    """
    tally = Tally()
    for lived in _lives(seeds, folder, topology, workers or os.cpu_count() or 1):
        tally.add(lived)
        tell(lived)
        if only_to_first and lived.violations:
            break
    return tally


def _lives(seeds: Sequence[int], folder: Path, topology: Path, workers: int) -> Iterator[Lived]:
    if workers == 1 or len(seeds) == 1:
        field_ = _field(folder, topology)
        yield from (field_.live(story_of(seed)) for seed in seeds)
        return
    Embedded.start(folder / "postgres")
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(_live_one, seeds, [folder] * len(seeds), [topology] * len(seeds))


def _live_one(seed: int, folder: Path, topology: Path) -> Lived:
    """In a worker process: its field is kept for the seeds that follow."""
    return _field(folder, topology).live(story_of(seed))


@cache
def _field(folder: Path, topology: Path) -> Field:
    return Field.open(folder, topology=topology, name=f"simulation_{os.getpid()}")


def story_told(lived: Lived, *, replayed: bool) -> str:
    """A failing life in a few lines: what happened, what is broken, and how to see it again."""
    numbers = ",".join(map(str, lived.numbers))
    command = f"make faults SEEDS={lived.seed}" + (f" EVENTS={numbers}" if replayed else "")
    lines = [f"seed {lived.seed}"]
    lines += [f"  {told}" for told in lived.happened]
    lines += [f"  BROKEN {violation}" for violation in lived.violations]
    return "\n".join([*lines, f"  again: {command}"])
