"""What the tests of the graph share: the topology, its definitions, and a loop that only remembers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

import definitions
from resources.loop import loop as resource
from sync_pipelines import config
from sync_pipelines.engine.outcome import (
    Applied,
    Check,
    Conformed,
    Extraction,
    Matched,
    Planned,
    Reconciled,
    Result,
)
from sync_pipelines.engine.plan import Write
from sync_pipelines.engine.topology import Topology
from sync_pipelines.errors import SyncError


@dataclass
class FakeLoop:
    """Has the loop's verbs, does nothing, and answers as it was told: `says` outcomes of checks by asset key."""

    topology: Topology
    says: dict[str, list[Check]] = field(default_factory=dict)
    breaks: dict[str, BaseException] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    left_out: set[str] = field(default_factory=set)
    writes: list[Write] = field(default_factory=list)

    @property
    def ledger(self) -> Any:
        return SimpleNamespace(writes=lambda plan_id: [SimpleNamespace(write=write) for write in self.writes])

    def extract(self, system: str, object: str) -> Extraction:
        checks = self._step(f"{system}/{object}", "complete", "fits_declared_shape")
        return Extraction(system, object, 5, 4, 1, 2, 40, 40, checks)

    def conform(self, domain: str, system: str) -> Conformed:
        checks = self._step(f"{domain}/{system}", "fits_schema", "some_records_survive", "deletes_plausible")
        return Conformed(domain, system, 40, 0, {"record_id": ("salesforce/Account.Id",)}, checks=checks)

    def match(self, domain: str) -> Matched:
        return Matched(domain, 40, 1, 0, 0, 0, self._step(f"{domain}/links", "no_ambiguous_match", "no_duplicates"))

    def plan(self, domain: str, target: str) -> Planned:
        checks = self._step(f"{domain}/plan/{target}", "within_limits")
        return Planned(domain, target, "plan-1", 7, 2, 3, 1, {"USD": 123_456}, checks=checks)

    def apply(self, domain: str, target: str) -> Applied:
        checks = self._step(f"{domain}/writes/{target}", "all_confirmed", "nothing_in_doubt")
        return Applied(domain, target, "plan-1", {"confirmed": 5}, checks=checks)

    def reconcile(self, domain: str) -> Reconciled:
        names = ["no_quarantined_records"]
        for a, b in self.topology.pairs(domain):
            names += [f"agrees_{a}_{b}"]
            names += [f"control_totals_{a}_{b}"] if domain in ("order", "invoice") else []
        checks = self._step(f"{domain}/reconciliation", *names)
        return Reconciled(domain, 40, 39, {"differs": 1}, {"EUR": 1}, 1, 0, checks)

    def leave_out_rest(self, subjects: list[str], reason: str) -> None:
        self.left_out = {*subjects} - {*self.done}

    def report(self) -> Path:
        self._step("report/finance")
        return Path("/reports/finance.html")

    def _step(self, key: str, *names: str) -> tuple[Check, ...]:
        self.done.append(key)
        if key in self.breaks:
            raise self.breaks[key]
        told = {check.name: check for check in self.says.get(key, [])}
        return tuple(told.get(name, Check(name, key, "It holds.", Result.PASSED)) for name in names)


@pytest.fixture(scope="session")
def topology() -> Topology:
    return config.load(definitions.TOPOLOGY, environment={}, strict=False)


@pytest.fixture(scope="session")
def defs() -> dg.Definitions:
    return definitions.defs()


@dataclass
class Stage:
    """Where a test puts the loop that the graph is to run with; the graph itself is built once."""

    loop: FakeLoop | None = None
    refusal: SyncError | None = None

    ends: list[str] = field(default_factory=list)
    """How the loop's runs ended."""

    @contextmanager
    def open(self, run_id: str, mode: str) -> Iterator[Any]:
        if self.refusal is not None:
            raise self.refusal
        try:
            yield self.loop
        except BaseException:
            self.ends.append("failed")
            raise
        self.ends.append("finished")


@pytest.fixture(scope="session")
def stage() -> Stage:
    return Stage()


@pytest.fixture(scope="session")
def rehearsal(topology: Topology, stage: Stage) -> dg.Definitions:
    """The same graph over the loop on the stage."""
    return definitions.graph(topology, loop=resource(stage.open), probe=dict)


@pytest.fixture
def loop(topology: Topology, stage: Stage) -> FakeLoop:
    stage.loop, stage.refusal, stage.ends = FakeLoop(topology), None, []
    return stage.loop


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


@pytest.fixture
def run(rehearsal: dg.Definitions, loop: FakeLoop, instance: dg.DagsterInstance) -> Any:
    """Runs a job, or the assets named by their keys, with the fake loop."""

    def execute(job: str = "full", *keys: str) -> dg.ExecuteInProcessResult:
        return rehearsal.resolve_job_def(job).execute_in_process(
            instance=instance,
            raise_on_error=False,
            asset_selection=[dg.AssetKey.from_user_string(key) for key in keys] or None,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )

    return execute
