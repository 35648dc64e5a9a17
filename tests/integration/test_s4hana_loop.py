"""The loop with S/4HANA as the ERP, beside stand-ins for the CRM and the billing platform."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from msgspec.structs import replace as changed

from sync_pipelines import config
from sync_pipelines.course import course, walk
from sync_pipelines.engine.outcome import Result
from sync_pipelines.engine.topology import DomainSettings, Planes, SystemSettings, Topology
from sync_pipelines.ledger.embedded import Embedded
from sync_pipelines.loop import Loop
from sync_pipelines.sandbox import company, s4hana, salesforce, stripe
from sync_pipelines.sandbox.app import Sandbox
from sync_pipelines.sandbox.company import s4hana as books
from sync_pipelines.sandbox.demo import SECRETS
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.server import serve

SYNC_TOML = Path(__file__).parents[2] / "sync.toml"
SEED = 1
OPTIONS = {"user": "SYNC", "password": "sandbox-password", "zone": "Europe/Berlin"}
WRITTEN = {"create": ("customer", "order"), "update": ("customer",), "void": ()}
"""The domains whose records are written in S/4HANA, by how."""


@dataclass(frozen=True)
class World:
    """A company whose books are kept in S/4HANA."""

    made: company.Company
    sandboxes: Mapping[str, Sandbox]
    topology: Topology

    def run(self) -> Ran:
        """One run over all domains."""
        wrote = self._written()
        with Loop.open(self.topology, run_id=f"run-{uuid4().hex[:8]}", mode="full") as loop:
            told = [each.outcome for each in walk(course(loop, list(self.topology.domains)))]
            summary = loop.summary()
        checks = [check for outcome in told for check in getattr(outcome, "checks", ())]
        failed = {(check.subject, check.name) for check in checks if check.result is not Result.PASSED}
        return Ran(summary, self._written() - wrote, failed)

    def _written(self) -> Counter[str]:
        return Counter({name: sandbox.store.writes for name, sandbox in self.sandboxes.items()})


def _topology(urls: Mapping[str, str], database_url: str, state: Path) -> Topology:
    """The shipped one with S/4HANA in Tryton's place, for the domains that it holds."""
    declared = config.load(
        SYNC_TOML, environment={**SECRETS, **urls, "TRYTON_URL": "http://127.0.0.1:9/x"}, state=state
    )
    systems = {name: each for name, each in declared.systems.items() if name != "tryton"}
    systems["s4hana"] = SystemSettings("s4hana", "s4hana", urls["S4HANA_URL"], options=OPTIONS)
    quick = {name: changed(each, calls_per_second=5000) for name, each in systems.items()}
    domains = {name: _domain(name, each) for name, each in declared.domains.items()}
    return changed(declared, systems=quick, domains=domains, planes=Planes(database_url=database_url))


def _domain(name: str, declared: DomainSettings) -> DomainSettings:
    lists = {"systems": [each for each in declared.systems if each != "tryton"]}
    lists["systems"] += ["s4hana"] * (name in ("customer", "order", "invoice"))
    for way, domains in WRITTEN.items():
        others = [each for each in getattr(declared, way) if each != "tryton"]
        lists[way] = others + ["s4hana"] * (name in domains)
    return changed(declared, **lists, scope={})


@pytest.fixture(scope="module")
def world(postgres: Embedded, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = company.generate(SEED)
    sandboxes = {name: open_sandbox(name) for name in ("s4hana", "salesforce", "stripe")}
    salesforce.seed(sandboxes["salesforce"].store, made.salesforce)
    stripe.seed(sandboxes["stripe"].store, made.stripe)
    s4hana.seed(sandboxes["s4hana"].store, books.rows(company.imagine(SEED, 1)))
    database = f"s4hana_{uuid4().hex[:12]}"
    postgres.ensure(database)
    with ExitStack() as stack:
        stack.callback(postgres.drop, database)
        urls = {f"{name.upper()}_URL": stack.enter_context(serve(each)).url for name, each in sandboxes.items()}
        state = tmp_path_factory.mktemp("state")
        yield World(made, sandboxes, _topology(urls, postgres.url(database), state))


@dataclass(frozen=True)
class Ran:
    """A run: its summary, the documents that it wrote by system, and the checks that did not pass."""

    summary: Mapping[str, Any]
    wrote: Counter[str]
    failed: set[tuple[str, str]]


@pytest.fixture(scope="module")
def first(world: World) -> Ran:
    return world.run()


@pytest.fixture(scope="module")
def second(world: World, first: Ran) -> Ran:
    return world.run()


def test_the_first_run_writes_what_is_missing_and_every_write_is_confirmed(first: Ran) -> None:
    writes = first.summary["writes"]

    assert first.wrote["s4hana"] > 100
    assert writes["confirmed"] > 100
    assert writes["refused"] == writes["in_doubt"] == writes["failed"] == 0


def test_a_second_run_writes_nothing_and_finds_the_same(first: Ran, second: Ran) -> None:
    assert set(second.summary["writes"].values()) == {0}
    assert second.wrote.total() == 0
    assert second.summary["findings"] == first.summary["findings"]


def test_every_entity_set_is_read_whole_and_has_its_declared_fields(second: Ran) -> None:
    assert [check for check in second.failed if check[0].startswith("s4hana/")] == []


def test_what_accounting_lacks_is_found_though_nobody_writes_it(second: Ran) -> None:
    assert second.summary["findings"]["invoice"]["missing"] > 0
