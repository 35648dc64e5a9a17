"""The loop over a CRM, a billing platform and customer success: companies are brought to what is true, once."""

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
from sync_pipelines.sandbox import company, gainsight, salesforce, stripe
from sync_pipelines.sandbox.app import Sandbox
from sync_pipelines.sandbox.demo import SECRETS
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.server import serve

SYNC_TOML = Path(__file__).parents[2] / "sync.toml"
NAMES = ("salesforce", "stripe", "gainsight")
SEED = 7


@dataclass
class World:
    sandboxes: dict[str, Sandbox]
    topology: Topology

    def run(self) -> dict[str, Any]:
        with Loop.open(self.topology, run_id=f"run-{uuid4().hex[:8]}", mode="full") as loop:
            list(walk(course(loop, ["customer"])))
            return dict(loop.summary())

    def companies(self) -> list[dict[str, Any]]:
        return [dict(row) for row in self.sandboxes["gainsight"].store.all("Company")]


@pytest.fixture(scope="module")
def world(postgres: Embedded, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = company.generate(SEED)
    sandboxes = {name: open_sandbox(name) for name in NAMES}
    salesforce.seed(sandboxes["salesforce"].store, made.salesforce)
    stripe.seed(sandboxes["stripe"].store, made.stripe)
    gainsight.seed(sandboxes["gainsight"].store, company.told(made.facts, "gainsight"))
    database = f"success_{uuid4().hex[:12]}"
    postgres.ensure(database)
    with ExitStack() as stack:
        stack.callback(postgres.drop, database)
        urls = {name: stack.enter_context(serve(each)).url for name, each in sandboxes.items()}
        state = tmp_path_factory.mktemp("state")
        yield World(sandboxes, _topology(urls, postgres.url(database), state))


def _topology(urls: dict[str, str], database_url: str, state: Path) -> Topology:
    """The product's own topology without its ERP, and with customer success in the domain customer."""
    addresses = {f"{name.upper()}_URL": url for name, url in urls.items()} | {"TRYTON_URL": "http://127.0.0.1:9/erp"}
    declared = config.load(SYNC_TOML, environment={**SECRETS, **addresses}, state=state, strict=False)
    systems = {n: changed(s, calls_per_second=5000) for n, s in declared.systems.items() if n in NAMES}
    options = {"access_key": "sandbox-key"}
    systems["gainsight"] = SystemSettings(
        "gainsight", "gainsight", urls["gainsight"], calls_per_second=5000, exceptions="engineering", options=options
    )

    def only(systems: list[str]) -> list[str]:
        return [*(name for name in systems if name in NAMES), "gainsight"]

    domain = declared.domains["customer"]
    customer = changed(
        domain, systems=only(domain.systems), create=only(domain.create), update=only(domain.update), scope={}
    )
    return changed(declared, systems=systems, domains={"customer": customer}, planes=Planes(database_url=database_url))


@pytest.fixture(scope="module")
def runs(world: World) -> list[tuple[dict[str, Any], int]]:
    """The summary of each of three runs, and what it wrote to the tenant, whose rules touch all before the third."""
    told = []
    store = world.sandboxes["gainsight"].store
    for number in range(3):
        if number == 2:
            world.sandboxes["gainsight"].vendor.admin("touch", {"object": "Company"})
        before = store.writes
        summary = world.run()
        told.append((summary, store.writes - before))
    return told


def test_the_first_run_writes_what_is_missing_and_the_second_nothing(runs: list[tuple[dict[str, Any], int]]) -> None:
    (first, wrote), (second, nothing), _ = runs

    assert first["writes"]["refused"] == first["writes"]["failed"] == first["writes"]["in_doubt"] == 0
    assert wrote > 20
    assert (sum(second["writes"].values()), nothing) == (0, 0)


def test_a_night_in_which_everything_was_touched_leads_to_no_write(runs: list[tuple[dict[str, Any], int]]) -> None:
    summary, wrote = runs[2]

    assert (sum(summary["writes"].values()), wrote) == (0, 0)


def test_every_account_with_a_number_is_one_company_under_its_own_name(
    world: World, runs: list[tuple[dict[str, Any], int]]
) -> None:
    accounts = {
        row["AccountNumber"]: row["Name"]
        for row in world.sandboxes["salesforce"].store.all("Account")
        if row.get("AccountNumber") and not row.get("IsDeleted")
    }
    companies = world.companies()
    named = [row for row in companies if accounts.get(row["Customer_Number__gc"]) == row["Name"]]

    assert len({row["Customer_Number__gc"] for row in companies}) == len(companies)
    assert len(named) > 0.95 * len(companies)
    assert len(companies) > 0.95 * len(accounts)
