"""The loop over a CRM and two billing platforms: what the second one holds is brought to what is true, once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from msgspec.structs import replace as changed

from sync_pipelines import config
from sync_pipelines.course import course, walk
from sync_pipelines.engine.topology import Planes, SystemSettings, Topology
from sync_pipelines.ledger.embedded import Embedded
from sync_pipelines.loop import Loop
from sync_pipelines.sandbox import chargebee, company, salesforce, stripe
from sync_pipelines.sandbox.app import Sandbox
from sync_pipelines.sandbox.company import chargebee as second
from sync_pipelines.sandbox.demo import SECRETS
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.server import serve

SYNC_TOML = Path(__file__).parents[2] / "sync.toml"
NAMES = ("salesforce", "stripe", "chargebee")
CREATED, UPDATED = ("customer", "product", "pricing"), ("customer", "product", "pricing", "contract")
DOMAINS = (*UPDATED, "invoice")
SEED = 7


@dataclass
class World:
    sandboxes: dict[str, Sandbox]
    topology: Topology

    def run(self) -> dict[str, Any]:
        with Loop.open(self.topology, run_id=f"run-{uuid4().hex[:8]}", mode="full") as loop:
            list(walk(course(loop, list(DOMAINS))))
            return dict(loop.summary())

    @property
    def site(self) -> Sandbox:
        return self.sandboxes["chargebee"]


@pytest.fixture(scope="module")
def world(postgres: Embedded, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = company.generate(SEED)
    sandboxes = {name: open_sandbox(name) for name in NAMES}
    salesforce.seed(sandboxes["salesforce"].store, made.salesforce)
    stripe.seed(sandboxes["stripe"].store, made.stripe)
    chargebee.seed(sandboxes["chargebee"].store, second.rows(company.imagine(SEED, 1)))
    database = f"second_{uuid4().hex[:12]}"
    postgres.ensure(database)
    with ExitStack() as stack:
        stack.callback(postgres.drop, database)
        urls = {name: stack.enter_context(serve(each)).url for name, each in sandboxes.items()}
        state = tmp_path_factory.mktemp("state")
        yield World(sandboxes, _topology(urls, postgres.url(database), state))


def _topology(urls: dict[str, str], database_url: str, state: Path) -> Topology:
    """The product's own topology without its ERP, and with the second billing platform."""
    addresses = {f"{name.upper()}_URL": url for name, url in urls.items()} | {"TRYTON_URL": "http://127.0.0.1:9/erp"}
    declared = config.load(SYNC_TOML, environment={**SECRETS, **addresses}, state=state, strict=False)
    systems = {n: changed(s, calls_per_second=5000) for n, s in declared.systems.items() if n in NAMES}
    systems["chargebee"] = SystemSettings(
        "chargebee",
        "chargebee",
        urls["chargebee"],
        calls_per_second=5000,
        exceptions="engineering",
        options={"api_key": "test_sandbox"},
    )

    def only(systems: list[str], name: str, holders: tuple[str, ...]) -> list[str]:
        return [each for each in systems if each in NAMES] + (["chargebee"] if name in holders else [])

    domains = {
        name: changed(
            domain,
            systems=only(domain.systems, name, DOMAINS),
            create=only(domain.create, name, CREATED),
            update=only(domain.update, name, UPDATED),
            void=[],
            scope={},
        )
        for name, domain in declared.domains.items()
        if name in DOMAINS
    }
    return changed(declared, systems=systems, domains=domains, planes=Planes(database_url=database_url))


@pytest.fixture(scope="module")
def runs(world: World) -> list[tuple[dict[str, Any], int]]:
    """The summary of each of two runs, and what it wrote to the second platform."""
    told = []
    for _ in range(2):
        before = world.site.store.writes
        summary = world.run()
        told.append((summary, world.site.store.writes - before))
    return told


def test_the_first_run_writes_what_is_missing_and_the_second_nothing(runs: list[tuple[dict[str, Any], int]]) -> None:
    (first, wrote), (second, nothing) = runs

    assert first["writes"]["refused"] == first["writes"]["failed"] == first["writes"]["in_doubt"] == 0
    assert wrote > 40
    assert (sum(second["writes"].values()), nothing) == (0, 0)


def test_what_is_written_agrees_afterwards_and_what_is_only_read_is_told(
    runs: list[tuple[dict[str, Any], int]],
) -> None:
    findings = runs[1][0]["findings"]

    assert {domain for domain in findings if domain in ("product", "pricing")} == set()
    assert set(findings["contract"]) | set(findings["invoice"]) <= {"missing", "quarantined"}
    assert findings["invoice"]["missing"] > 0


def test_each_customer_that_was_made_carries_its_number(world: World, runs: list[tuple[dict[str, Any], int]]) -> None:
    made = [row for row in world.site.store.all("customer") if row["id"].startswith("customer-")]

    assert len(made) > 3
    assert all(row["meta_data"]["customer_number"].startswith("C-") and row["company"] for row in made)
    assert len({row["meta_data"]["customer_number"] for row in made}) == len(made)
