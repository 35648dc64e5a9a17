"""A company whose systems are some of those in sync.all.toml, played by stand-ins on loopback."""

from __future__ import annotations

import importlib
import shutil
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from msgspec.structs import replace as changed

from sync_pipelines import config
from sync_pipelines.course import course, walk
from sync_pipelines.engine.outcome import Check
from sync_pipelines.engine.topology import Planes, SystemSettings
from sync_pipelines.ledger.embedded import Embedded
from sync_pipelines.loop import Loop
from sync_pipelines.sandbox import company
from sync_pipelines.sandbox.app import Sandbox
from sync_pipelines.sandbox.demo import secrets
from sync_pipelines.sandbox.launch import VENDORS, open_sandbox
from sync_pipelines.sandbox.server import serve
from sync_pipelines.testing.simulation.others import narrowed

SYNC_TOML = Path(__file__).parents[2] / "sync.all.toml"
NOWHERE = "http://127.0.0.1:9/none"
PACE = {"hubspot": 15}
"""Calls a second, where a stand-in counts them as its vendor does."""


@dataclass(frozen=True)
class Ran:
    """A run: its summary, checks and findings, how much it wrote by system, and the work that is open afterwards."""

    summary: Mapping[str, Any]
    checks: Mapping[tuple[str, str], Check]
    findings: list[dict[str, Any]]
    wrote: Counter[str]
    items: list[Any] = field(default_factory=list)
    awaited: int = 0
    """Writes of any run whose fate is not known yet."""


@dataclass(frozen=True)
class Landscape:
    made: company.Company
    sandboxes: Mapping[str, Sandbox]
    topology: Any

    @classmethod
    @contextmanager
    def open(cls, systems: Collection[str], postgres: Embedded, state: Path, *, seed: int) -> Iterator[Landscape]:
        """The systems that are named, with what each holds of the company of a seed."""
        made = company.generate(seed)
        sandboxes = {name: open_sandbox(name) for name in systems}
        for name, sandbox in sandboxes.items():
            vendor = importlib.import_module(f"sync_pipelines.sandbox.{name}")
            vendor.seed(sandbox.store, company.told(made.facts, name))
        database = f"landscape_{uuid4().hex[:12]}"
        postgres.ensure(database)
        with ExitStack() as stack:
            stack.callback(postgres.drop, database)
            urls = {name: _address(name, sandbox, state, stack) for name, sandbox in sandboxes.items()}
            addresses = {f"{name.upper()}_URL": urls.get(name, NOWHERE) for name in VENDORS}
            declared = config.load(SYNC_TOML, environment={**secrets(VENDORS), **addresses}, state=state)
            topology = narrowed(declared, systems)
            topology = changed(
                topology,
                systems={name: _quick(name, each) for name, each in topology.systems.items()},
                domains={name: each for name, each in topology.domains.items() if len(each.systems) > 1},
                planes=Planes(database_url=postgres.url(database)),
            )
            yield cls(made, sandboxes, topology)

    def run(self, *domains: str) -> Ran:
        """One full run over some domains, or all."""
        before, run_id = self._writes, f"run-{uuid4().hex[:8]}"
        with Loop.open(self.topology, run_id=run_id, mode="full") as loop:
            told = [each.outcome for each in walk(course(loop, list(domains or self.topology.domains)))]
            checks = {(check.subject, check.name): check for each in told for check in getattr(each, "checks", ())}
            awaited = sum(len(loop.ledger.in_doubt(name)) for name in self.topology.systems)
            findings, items = loop.lake.findings(run_id), list(loop.ledger.open_work_items())
            return Ran(loop.summary(), checks, findings, self._writes - before, items, awaited)

    @property
    def _writes(self) -> Counter[str]:
        return Counter({name: sandbox.store.writes for name, sandbox in self.sandboxes.items()})


def _address(name: str, sandbox: Sandbox, state: Path, stack: ExitStack) -> str:
    """Where a stand-in is: on loopback, or in a folder."""
    if name != "ecc":
        return stack.enter_context(serve(sandbox)).url
    vendor, folder = sandbox.vendor, state / "interfaces"
    shutil.rmtree(vendor.folder)
    vendor.move(folder)
    vendor.admin("window", None)
    return folder.as_uri()


def _quick(name: str, settings: SystemSettings) -> SystemSettings:
    return changed(settings, calls_per_second=PACE.get(name, 5000))
