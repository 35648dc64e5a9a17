"""The loop as a Dagster resource: opened once a run, shared by the steps that run in its process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import dagster as dg

from sync_pipelines import config
from sync_pipelines.errors import FixConfiguration, InDoubt, MalformedPage, RetryLater, Stop, SyncError

if TYPE_CHECKING:
    from sync_pipelines.loop import Loop, Mode

MODE = "sync/mode"
"""The run tag that says how much to read: "full" (counted and swept) or "incremental" (what changed)."""

NEXT: dict[type[SyncError], str] = {
    FixConfiguration: "Mend what the message names, then run again; nothing has to be undone.",
    RetryLater: "Nothing was committed. The next run starts from what is true then.",
    InDoubt: "Run again: a write in doubt is read back before anything else is sent.",
    MalformedPage: "Nothing of the page was kept. Run again; if it stays, show the page to the vendor.",
    Stop: "Look before you go on: continuing could do damage.",
}
"""What to do about each kind of error, shown beside the failed step."""


RECYCLED_SECONDS, MOST_CONNECTIONS = 3600, 20
"""How old a connection to Dagster's storage may become, and how many there may be beside the first."""

LEFT_OUT = "it failed, or a step before it did: see the run in Dagster"
"""Why a step of a failed run has told nothing."""


class OpenLoop(Protocol):
    """Opens the loop under a run's id, for as long as the run lasts."""

    def __call__(self, run_id: str, mode: Mode) -> AbstractContextManager[Loop]: ...


def opening(file: Path) -> OpenLoop:
    """Opens the loop over the topology in `file`, which is read anew by each run."""

    def opened(run_id: str, mode: Mode) -> AbstractContextManager[Loop]:
        # Reading the definitions must not pay the two seconds that importing the engine costs.
        from sync_pipelines.loop import Loop

        return Loop.open(config.load(file), run_id=run_id, mode=mode)

    return opened


def loop(open_loop: OpenLoop) -> dg.ResourceDefinition:
    """The loop of a run. Where steps failed it ends as failed, and the report is written all the same."""

    @dg.resource(description="The engine's loop over sync.toml: both planes and every system.")
    def opened(context: dg.InitResourceContext) -> Iterator[Loop]:
        run = context.run
        if run is None:
            raise FixConfiguration("the loop is opened by runs; outside of one use Loop.open")
        mode: Mode = "incremental" if run.tags.get(MODE) == "incremental" else "full"
        if context.instance is not None:
            keep_connections(context.instance)
        with suppress(StepsFailed), explained(), open_loop(run.run_id, mode) as loop:
            yield loop
            if context.instance is not None and failures(context.instance, run.run_id):
                loop.leave_out_rest(planned(context.instance, run.run_id), LEFT_OUT)
                loop.report()
                raise StepsFailed

    return opened


def keep_connections(instance: dg.DagsterInstance) -> None:
    """Let this process keep its connections to Dagster's storage, as the web server does.

    Otherwise each of a run's thousands of statements opens one of its own: a quarter of the time that a run takes.
    """
    instance.optimize_for_webserver(statement_timeout=0, pool_recycle=RECYCLED_SECONDS, max_overflow=MOST_CONNECTIONS)


class StepsFailed(Exception):
    """Tells the loop that its run has failed; Dagster has already told everybody else."""


def failures(instance: dg.DagsterInstance, run_id: str) -> int:
    """How many steps of a run have failed so far."""
    return len(instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE))


def planned(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    """The addresses of what a run was to make."""
    entries = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED)
    events = [entry.dagster_event for entry in entries]
    return [event.asset_key.to_user_string() for event in events if event is not None and event.asset_key is not None]


@contextmanager
def explained() -> Iterator[None]:
    """Turn the engine's errors into failures that say what to do next; no step is retried in place."""
    try:
        yield
    except SyncError as error:
        advice = next((text for kind, text in NEXT.items() if isinstance(error, kind)), "")
        raise dg.Failure(
            str(error),
            metadata={"kind": type(error).__name__, "next": advice},
            allow_retries=False,
        ) from error
