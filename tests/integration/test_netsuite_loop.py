"""The whole loop with NetSuite as the ERP, beside stand-ins for the CRM and the billing platform."""

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
from sync_pipelines.engine.topology import Planes, SystemSettings, Topology
from sync_pipelines.ledger.embedded import Embedded
from sync_pipelines.loop import Loop
from sync_pipelines.sandbox import company, netsuite, salesforce, stripe
from sync_pipelines.sandbox.app import Sandbox
from sync_pipelines.sandbox.company import netsuite as books
from sync_pipelines.sandbox.demo import SECRETS
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.server import serve

SYNC_TOML = Path(__file__).parents[2] / "sync.toml"
SEED = 1
OPTIONS = {
    "zone": "America/Los_Angeles",
    "client_id": "sandbox-client",
    "certificate_id": netsuite.CERTIFICATE,
    "private_key": netsuite.private_key(),
}


@dataclass(frozen=True)
class World:
    """A company whose books are kept in NetSuite."""

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
    """The shipped one with NetSuite in Tryton's place; its prices are read only, in every currency."""
    declared = config.load(
        SYNC_TOML, environment={**SECRETS, **urls, "TRYTON_URL": "http://127.0.0.1:9/x"}, state=state
    )
    systems = {name: each for name, each in declared.systems.items() if name != "tryton"}
    systems["netsuite"] = SystemSettings("netsuite", "netsuite", urls["NETSUITE_URL"], options=OPTIONS)
    lists = ("systems", "create", "update", "void")
    domains = {
        name: changed(
            domain,
            **{each: ["netsuite" if s == "tryton" else s for s in getattr(domain, each)] for each in lists},
            scope={},
        )
        for name, domain in declared.domains.items()
    }
    pricing = domains["pricing"]
    domains["pricing"] = changed(pricing, update=[name for name in pricing.update if name != "netsuite"])
    quick = {name: changed(each, calls_per_second=5000) for name, each in systems.items()}
    return changed(declared, systems=quick, domains=domains, planes=Planes(database_url=database_url))


@pytest.fixture(scope="module")
def world(postgres: Embedded, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = company.generate(SEED)
    sandboxes = {name: open_sandbox(name) for name in ("netsuite", "salesforce", "stripe")}
    salesforce.seed(sandboxes["salesforce"].store, made.salesforce)
    stripe.seed(sandboxes["stripe"].store, made.stripe)
    netsuite.seed(sandboxes["netsuite"].store, books.rows(company.imagine(SEED, 1)))
    database = f"netsuite_{uuid4().hex[:12]}"
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

    assert first.wrote["netsuite"] > 100
    assert writes["confirmed"] > 200
    assert writes["refused"] == writes["in_doubt"] == writes["failed"] == 0


def test_a_second_run_writes_nothing_and_finds_the_same(first: Ran, second: Ran) -> None:
    assert set(second.summary["writes"].values()) == {0}
    assert second.wrote.total() == 0
    assert second.summary["findings"] == first.summary["findings"]


def test_there_are_findings_only_where_a_person_is_needed(world: World, second: Ran) -> None:
    planted = {defect["domain"] for defect in world.made.truth["defects"].to_pylist() if not defect["mendable"]}

    assert set(second.summary["findings"]) <= planted
    assert second.summary["findings"]["invoice"]["closed_period"] > 0


def test_every_object_of_netsuite_is_read_whole_and_has_its_declared_fields(second: Ran) -> None:
    assert [check for check in second.failed if check[0].startswith("netsuite/")] == []
