"""The loop over a CRM and marketing, whose search is behind: companies are brought to what is true, once."""

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
from sync_pipelines.doctor import examine
from sync_pipelines.domains import DOMAINS
from sync_pipelines.engine.topology import Planes, SystemSettings, Topology
from sync_pipelines.ledger.embedded import Embedded
from sync_pipelines.loop import Loop
from sync_pipelines.sandbox import company, hubspot, salesforce
from sync_pipelines.sandbox.app import Sandbox
from sync_pipelines.sandbox.company import hubspot as marketing
from sync_pipelines.sandbox.demo import SECRETS
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.server import serve

SYNC_TOML = Path(__file__).parents[2] / "sync.toml"
NAMES = ("salesforce", "hubspot")
WORKED = ("customer", "order")
SEED = 7
TOPOLOGY = """
[planes]
database_url = "{database}"
[systems.hubspot]
adapter = "hubspot"
url = "{url}"
service_key = "pat-na1-sandbox"
exceptions = "revops"
[systems.salesforce]
adapter = "salesforce"
url = "http://127.0.0.1:9"
client_id = "none"
client_secret = "none"
exceptions = "revops"
[legal_entities.US01]
name = "Meridian"
zone = "America/New_York"
currency = "USD"
[people]
revops = {{ name = "Revenue Operations", due_hours = 24 }}
[domains.customer]
systems = ["salesforce", "hubspot"]
exceptions = {{ default = "revops" }}
schedule = {{ cron = "0 2 * * *", zone = "America/New_York" }}
[domains.customer.owners]
{owners}
"""
LAG_SECONDS = 600
"""So long that no run sees by a search what was written before it."""


@dataclass
class World:
    sandboxes: dict[str, Sandbox]
    topology: Topology

    def run(self) -> dict[str, Any]:
        with Loop.open(self.topology, run_id=f"run-{uuid4().hex[:8]}", mode="full") as loop:
            list(walk(course(loop, list(WORKED))))
            return dict(loop.summary())

    @property
    def writes(self) -> int:
        return self.sandboxes["hubspot"].store.writes

    def companies(self) -> dict[str, dict[str, Any]]:
        """The properties of the companies that carry a customer number, by that."""
        rows = [row["properties"] for row in self.sandboxes["hubspot"].store.all("companies") if not row["archived"]]
        numbered = [row for row in rows if row.get("customer_number")]
        assert len({row["customer_number"] for row in numbered}) == len(numbered)
        return {row["customer_number"]: row for row in numbered}


@pytest.fixture(scope="module")
def world(postgres: Embedded, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    sandboxes = {name: open_sandbox(name) for name in NAMES}
    salesforce.seed(sandboxes["salesforce"].store, company.generate(SEED).salesforce)
    hubspot.seed(sandboxes["hubspot"].store, marketing.rows(company.imagine(SEED, 1)))
    sandboxes["hubspot"].vendor.admin("index_lag", {"seconds": LAG_SECONDS})
    database = f"marketing_{uuid4().hex[:12]}"
    postgres.ensure(database)
    with ExitStack() as stack:
        stack.callback(postgres.drop, database)
        urls = {name: stack.enter_context(serve(each)).url for name, each in sandboxes.items()}
        state = tmp_path_factory.mktemp("state")
        yield World(sandboxes, _topology(urls, postgres.url(database), state))


def _topology(urls: dict[str, str], database_url: str, state: Path) -> Topology:
    """The product's own topology with the CRM alone, and with marketing in two domains."""
    addresses = {f"{name}_URL": "http://127.0.0.1:9/erp" for name in ("STRIPE", "TRYTON")}
    addresses["SALESFORCE_URL"] = urls["salesforce"]
    declared = config.load(SYNC_TOML, environment={**SECRETS, **addresses}, state=state, strict=False)
    options = {"service_key": "pat-na1-sandbox"}
    systems = {
        "salesforce": changed(declared.systems["salesforce"], calls_per_second=5000),
        "hubspot": SystemSettings(
            "hubspot", "hubspot", urls["hubspot"], calls_per_second=15, exceptions="engineering", options=options
        ),
    }
    domains = {
        "customer": changed(
            declared.domains["customer"], systems=list(NAMES), create=["hubspot"], update=["hubspot"], scope={}
        ),
        "order": changed(declared.domains["order"], systems=list(NAMES), create=[], update=[], void=[], scope={}),
    }
    return changed(declared, systems=systems, domains=domains, planes=Planes(database_url=database_url))


@pytest.fixture(scope="module")
def runs(world: World) -> list[tuple[dict[str, Any], int]]:
    """The summary of each of two runs, and what it wrote to marketing."""
    told = []
    for _ in range(2):
        before = world.writes
        summary = world.run()
        told.append((summary, world.writes - before))
    return told


def test_the_first_run_writes_what_is_missing_and_the_second_nothing(runs: list[tuple[dict[str, Any], int]]) -> None:
    (first, wrote), (second, nothing) = runs

    assert first["writes"]["refused"] == first["writes"]["failed"] == first["writes"]["in_doubt"] == 0
    assert wrote == first["writes"]["confirmed"] > 20
    assert (sum(second["writes"].values()), nothing) == (0, 0)


def test_companies_say_what_the_crm_says_and_customers_are_in_their_stage(
    world: World, runs: list[tuple[dict[str, Any], int]]
) -> None:
    accounts = [row for row in world.sandboxes["salesforce"].store.all("Account") if not row["IsDeleted"]]
    companies = world.companies()
    known = [row for row in accounts if row["AccountNumber"] in companies]

    assert len(known) > 0.9 * len(accounts)
    for row in known:
        company = companies[row["AccountNumber"]]
        assert (company["name"], company["country"]) == (row["Name"], row["BillingCountry"])
        assert (company["lifecyclestage"] in ("customer", "evangelist")) == row["Active__c"]


def test_leads_are_left_alone(world: World, runs: list[tuple[dict[str, Any], int]]) -> None:
    before = {row["id"]: row["properties"] for row in marketing.rows(company.imagine(SEED, 1))["companies"]}
    leads = [
        each for each, properties in before.items() if properties["lifecyclestage"].endswith(("lead", "subscriber"))
    ]

    assert leads
    for each in leads:
        assert world.sandboxes["hubspot"].store.get("companies", each)["properties"].items() >= before[each].items()


def test_every_order_that_both_know_is_the_same_to_the_cent(
    world: World, runs: list[tuple[dict[str, Any], int]]
) -> None:
    summary = runs[1][0]

    assert summary["linked"]["order"] > 100
    assert summary["findings"]["order"].keys() == {"missing", "quarantined"}


def test_the_doctor_names_a_property_that_the_portal_does_not_have(
    postgres: Embedded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal, database = open_sandbox("hubspot"), f"doctor_{uuid4().hex[:12]}"
    postgres.ensure(database)
    monkeypatch.setenv("SYNC_STATE", str(tmp_path / "state"))
    with serve(portal) as running:
        path = tmp_path / "sync.toml"
        owners = "\n".join(f'{field.name} = "salesforce"' for field in DOMAINS["customer"].fields)
        path.write_text(TOPOLOGY.format(database=postgres.url(database), url=running.url, owners=owners))
        before = {each.subject: (each.well, each.told) for each in examine(path)}
        portal.vendor.admin("alter", {"object": "companies", "property": "tax_id", "changes": None})
        after = {each.subject: (each.well, each.told) for each in examine(path)}
    postgres.drop(database)

    assert before["hubspot"] == (True, "555001 answers, API 2026-09; companies 0, contacts 0, deals 0, line_items 0")
    assert after["hubspot"][0] is False
    assert "[companies] there is no property 'tax_id'" in after["hubspot"][1]
