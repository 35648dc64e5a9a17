"""Running one job in this process, and telling how it goes as JSON lines: what a command line needs."""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from typing import IO, Any
from uuid import uuid4

import dagster as dg

from resources.loop import MODE, keep_connections
from sync_pipelines.engine.topology import Topology

HOST, PROCESS = "sync/host", "sync/process"
"""The run tags that say which process executes a run."""

REPOSITORY, LOCATION = ".dagster/repository", "__repository__@sync-pipelines"
"""What makes the UI list a run under its job; the location's name is that of workspace.yaml."""

UNFINISHED = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


@dataclass
class Progress:
    """Turns a run's events into one JSON line for each step that ends."""

    out: IO[str]
    assets: Mapping[str, str]
    """Step key → asset key."""
    counts: dict[str, dict[str, Any]] = field(default_factory=dict)
    checks: dict[str, list[Any]] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    failed: bool = False
    error: str = ""
    """Why the run failed before any step did: it could not open the loop."""

    def say(self, **line: Any) -> None:
        print(json.dumps(line, default=str), file=self.out, flush=True)

    def hear(self, entry: dg.EventLogEntry) -> None:
        event = entry.dagster_event
        if event is None:
            return
        if event.event_type is dg.DagsterEventType.RUN_FAILURE and not self.failed:
            self.error = _innermost(event.job_failure_data.error)
        if event.step_key is None:
            return
        match event.event_type:
            case dg.DagsterEventType.ASSET_MATERIALIZATION:
                self.counts[event.step_key] = _counts(event.step_materialization_data.materialization.metadata)
            case dg.DagsterEventType.ASSET_CHECK_EVALUATION:
                self.checks.setdefault(event.step_key, []).append(event.asset_check_evaluation_data)
            case dg.DagsterEventType.STEP_SUCCESS:
                self._ended(event, "done", seconds=event.step_success_data.duration_ms / 1000)
            case dg.DagsterEventType.STEP_FAILURE:
                self.failed = True
                self._ended(event, "failed", error=_reason(event.step_failure_data))

    def skipped(self) -> None:
        """Tell the steps that never began, because something before them failed."""
        for step in sorted(set(self.assets) - self.ended):
            self.say(step=self.assets[step], state="skipped", counts={}, failed_checks=[])

    def _ended(self, event: dg.DagsterEvent, state: str, **more: Any) -> None:
        step = str(event.step_key)
        self.ended.add(step)
        bad = [check for check in self.checks.get(step, []) if not check.passed]
        unknown = [check.check_name for check in bad if check.metadata["outcome"].value == "not checked"]
        self.say(
            step=self.assets[step],
            state=state,
            counts=self.counts.get(step, {}),
            failed_checks=[check.check_name for check in bad if check.check_name not in unknown],
            not_checked=unknown,
            **more,
        )


def main(defs: dg.Definitions, topology: Topology, arguments: Sequence[str]) -> int:
    """Run a job against the instance in the state folder; 0 when every step succeeded."""
    parser = argparse.ArgumentParser(prog="definitions.py", description="Run one job of the graph.")
    parser.add_argument("job", choices=sorted(_jobs(defs)))
    parser.add_argument("--mode", choices=["full", "incremental"], default="full")
    asked = parser.parse_args(arguments)
    # Only a launch needs the database's drivers; reading the definitions must not pay for them.
    from resources.instance import dagster_home

    os.environ["DAGSTER_HOME"] = str(dagster_home(topology))
    out = sys.stdout
    with redirect_stdout(sys.stderr), dg.DagsterInstance.get() as instance:
        keep_connections(instance)
        return execute(defs, instance, job=asked.job, mode=asked.mode, out=out)


def execute(defs: dg.Definitions, instance: dg.DagsterInstance, *, job: str, mode: str, out: IO[str]) -> int:
    """Run a job in this process, one JSON line for its start, each step and its end."""
    bury(instance)
    run_id = str(uuid4())
    definition = defs.resolve_job_def(job)
    keys = list(definition.asset_layer.executable_asset_keys)
    progress = Progress(out, {key.to_python_identifier(): key.to_user_string() for key in keys})
    instance.add_event_listener(run_id, progress.hear)
    progress.say(run=run_id, job=job, steps=len(keys))
    result = definition.execute_in_process(
        instance=instance,
        run_id=run_id,
        raise_on_error=False,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        tags={MODE: mode, HOST: socket.gethostname(), PROCESS: str(os.getpid()), REPOSITORY: LOCATION},
    )
    progress.skipped()
    progress.say(run=run_id, success=result.success, error=progress.error)
    return 0 if result.success else 1


def bury(instance: dg.DagsterInstance) -> list[str]:
    """End the runs on record whose process on this machine is gone: a killed one can't say so itself."""
    started = instance.get_runs(dg.RunsFilter(statuses=UNFINISHED, tags={HOST: socket.gethostname()}))
    dead = [run for run in started if not _lives(int(run.tags[PROCESS]))]
    for run in dead:
        instance.report_run_failed(run, "The process that executed this run is gone; run again.")
    return [run.run_id for run in dead]


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _jobs(defs: dg.Definitions) -> set[str]:
    return {job.name for job in defs.resolve_all_job_defs() if not job.name.startswith("__")}


def _counts(metadata: Mapping[str, Any]) -> dict[str, int]:
    """The engine's counts; what Dagster itself names ("dagster/row_count") repeats one of them."""
    counts = {name: entry.value for name, entry in metadata.items() if isinstance(entry, dg.IntMetadataValue)}
    return {name: count for name, count in counts.items() if "/" not in name and count is not None}


def _reason(failure: Any) -> str:
    """What the step said itself, or else the innermost error without its stack."""
    said = failure.user_failure_data
    return str(said.description) if said is not None and said.description else _innermost(failure.error)


def _innermost(error: Any) -> str:
    """The words of the first cause; Dagster puts the name of its class before them."""
    while error is not None and error.cause is not None:
        error = error.cause
    if error is None:
        return ""
    if error.cls_name == dg.DagsterExecutionInterruptedError.__name__:
        return "interrupted: nothing is lost, the next run goes on from what is true then"
    text = str(error.message).strip()
    return text.partition(f"{error.cls_name}: ")[2] or text
