"""Living a story: runs one after another while things happen, and then peace until nothing moves any more."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sync_pipelines.course import VERBS, Step, course, walk
from sync_pipelines.engine.doubt import AWAITED
from sync_pipelines.errors import SyncError
from sync_pipelines.loop import Loop, Mode
from sync_pipelines.testing.simulation import approver, worker
from sync_pipelines.testing.simulation.pulse import Died
from sync_pipelines.testing.simulation.world import World

SETTLING = 26 * 3600
"""Seconds after which everything is visible, and every pause for a system is over."""
BETWEEN = 2 * 3600
MOST_QUIET_RUNS = 5
MOST_QUIET_NIGHTS = 10
"""The same where files are answered a window after they were taken: customers first, their documents then."""
_STEPS = VERBS[:-1]


class Unexpected(Exception):
    """A run ended with an error that says nothing about what to do."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How the peace came: how many runs it took, and what the last one still planned and wrote."""

    runs: int
    planned: int
    written: int
    error: str = ""


def live(world: World) -> Ended:
    """Everything that the story tells, then the peace after it."""
    story = world.story
    world.nested = lambda: _beside(world)
    for number, (mode, gap) in enumerate(zip(story.modes, story.gaps, strict=True), 1):
        world.begin_run(number)
        _run(world, str(number), mode)
        _keep_trying(world, number)
        worker.work(world)
        approver.decide(world)
        world.clock.advance(gap)
        if world.night is not None:
            world.night.linger()
    return _calm(world, len(story.modes))


def _keep_trying(world: World, number: int) -> None:
    """While a system is down, somebody runs the loop again and again."""
    attempt = 0
    while world.traffic.down and world.clock.now() < max(world.traffic.down.values()):
        attempt += 1
        world.clock.advance(1800)
        world.pulse.begin()
        _run(world, f"{number}-again-{attempt}", "incremental")


def _beside(world: World) -> None:
    _run(world, "beside", "incremental", is_nested=True)


def _run(world: World, name: str, mode: str, *, is_nested: bool = False) -> str:
    """One process from its start to its end; what ended it, if it was not its work."""
    run_id = f"run-{name}-{len(world.traffic.log)}"
    world.tell(f"run {run_id}, {mode}")
    ended = ""
    try:
        with _open(world, run_id, mode) as loop:
            steps = course(loop, world.story.domains, _STEPS)
            for told in walk(steps if is_nested else [_watched(world, step) for step in steps]):
                if told.outcome is None:
                    ended = ended or f"{told.step.subject} was left out: {told.reason}"
                    world.tell(f"{told.step.subject} is left out: {told.reason}")
    except Died:
        if is_nested:
            raise
        world.died()
    except SyncError as error:
        ended = type(error).__name__
        world.tell(f"run {run_id} ends: {ended}: {error}")
    except Exception as error:
        raise Unexpected(f"{type(error).__name__}: {error}") from error
    return ended


def _open(world: World, run_id: str, mode: str) -> Any:
    chosen: Mode = "full" if mode == "full" else "incremental"
    return Loop.open(
        world.topology,
        run_id=run_id,
        mode=chosen,
        clock=world.clock,
        open_planes=world.planes.open,
        connect=world.connect,
        shares_pace=False,  # its runs take place one after the other, at a pace without an end
    )


def _watched(world: World, step: Step) -> Step:
    """The step, before which things may happen."""

    def call() -> Any:
        world.happen("step")
        if step.verb == "apply":
            _decide(world)
            world.happen("apply")
            world.applies.append(len(world.traffic.log))
        outcome = step.call()
        world.waiting += outcome.waiting if step.verb == "plan" else 0
        return outcome

    return replace(step, call=call)


def _decide(world: World) -> None:
    """People decide between plan and apply about what the plan has told them, at times later; in peace always."""
    if world.waiting and (world.is_peaceful or world.approver.random() < 0.7):
        approver.decide(world, everything=world.is_peaceful)
    world.waiting = 0


def _calm(world: World, number: int) -> Ended:
    """Nothing goes wrong any more: runs follow each other until one has nothing left to do, and nobody to decide."""
    world.make_peace()
    world.clock.advance(SETTLING)
    world.traffic.settle(everything=True)
    most = MOST_QUIET_RUNS if world.night is None else MOST_QUIET_NIGHTS
    for attempt in range(1, most + 1):
        world.traffic.run = number + attempt
        before = len(world.traffic.log)
        error = _run(world, f"calm-{attempt}", "full")
        decided = approver.decide(world, everything=True)
        written = sum(asked.is_write for asked in world.traffic.log[before:])
        planned = _planned(world, f"run-calm-{attempt}-{before}")
        if not (written or planned or decided or error or _awaited(world)):
            return Ended(attempt, 0, 0)
        world.clock.advance(BETWEEN)
        if world.night is not None:
            world.night.pass_windows(2)
    return Ended(most, planned, written, error)


def _awaited(world: World) -> int:
    """The writes of which a system tells in a later window."""
    (row,) = world.planes.ledger_rows(
        f"SELECT count(*) AS n FROM ledger.writes WHERE state = 'in_doubt' AND code = '{AWAITED}'"
    )
    return int(row["n"])


def _planned(world: World, run_id: str) -> int:
    """The writes of a run's plans, whether they waited for a word or not."""
    (row,) = world.planes.ledger_rows(
        f"SELECT count(*) AS n FROM ledger.writes JOIN ledger.plans USING (plan_id) WHERE run_id = '{run_id}'"
    )
    return int(row["n"])
