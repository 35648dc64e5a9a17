"""The loop over a CRM, a billing platform and a service desk: what the desk holds is brought to what is true, once."""

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
from sync_pipelines.sandbox import company, salesforce, stripe, zendesk
from sync_pipelines.sandbox.app import Sandbox
from sync_pipelines.sandbox.company import zendesk as desk
from sync_pipelines.sandbox.demo import SECRETS
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.server import serve

SYNC_TOML = Path(__file__).parents[2] / "sync.toml"
NAMES = ("salesforce", "stripe", "zendesk")
DOMAINS = ("customer", "product", "entitlement")
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
    def writes(self) -> int:
        return self.sandboxes["zendesk"].store.writes

    def organizations(self) -> list[dict[str, Any]]:
        rows = self.sandboxes["zendesk"].store.all("organization")
        return [dict(row) for row in rows if not row.get("_deleted")]


@pytest.fixture(scope="module")
def world(postgres: Embedded, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = company.generate(SEED)
    sandboxes = {name: open_sandbox(name) for name in NAMES}
    salesforce.seed(sandboxes["salesforce"].store, made.salesforce)
    stripe.seed(sandboxes["stripe"].store, made.stripe)
    zendesk.seed(sandboxes["zendesk"].store, desk.rows(company.imagine(SEED, 1)))
    database = f"desk_{uuid4().hex[:12]}"
    postgres.ensure(database)
    with ExitStack() as stack:
        stack.callback(postgres.drop, database)
        urls = {name: stack.enter_context(serve(each)).url for name, each in sandboxes.items()}
        state = tmp_path_factory.mktemp("state")
        yield World(sandboxes, _topology(urls, postgres.url(database), state))


def _topology(urls: dict[str, str], database_url: str, state: Path) -> Topology:
    """The product's own topology without its ERP, and with the desk in three domains."""
    addresses = {f"{name.upper()}_URL": url for name, url in urls.items()} | {"TRYTON_URL": "http://127.0.0.1:9/erp"}
    declared = config.load(SYNC_TOML, environment={**SECRETS, **addresses}, state=state, strict=False)
    systems = {n: changed(s, calls_per_second=5000) for n, s in declared.systems.items() if n in NAMES}
    options = {"client_id": "sandbox-client", "client_secret": "sandbox-secret"}
    systems["zendesk"] = SystemSettings(
        "zendesk", "zendesk", urls["zendesk"], calls_per_second=5000, exceptions="engineering", options=options
    )

    def only(systems: list[str]) -> list[str]:
        return [name for name in systems if name in NAMES]

    domains = {
        name: changed(
            domain,
            systems=[*only(domain.systems), "zendesk"],
            create=[*only(domain.create), *([] if name == "product" else ["zendesk"])],
            update=[*only(domain.update), *([] if name == "product" else ["zendesk"])],
            scope={},
        )
        for name, domain in declared.domains.items()
        if name in DOMAINS
    }
    return changed(declared, systems=systems, domains=domains, planes=Planes(database_url=database_url))


@pytest.fixture(scope="module")
def runs(world: World) -> list[tuple[dict[str, Any], int]]:
    """The summary of each of two runs, and what it wrote to the desk."""
    told = []
    for _ in range(2):
        before = world.writes
        summary = world.run()
        told.append((summary, world.writes - before))
    return told


def test_the_first_run_writes_what_is_missing_and_the_second_nothing(runs: list[tuple[dict[str, Any], int]]) -> None:
    (first, wrote), (second, nothing) = runs

    assert first["writes"]["refused"] == first["writes"]["failed"] == first["writes"]["in_doubt"] == 0
    assert wrote > 50
    assert (sum(second["writes"].values()), nothing) == (0, 0)


def test_each_entitlement_is_in_one_slot_of_its_customers_organization(
    world: World, runs: list[tuple[dict[str, Any], int]]
) -> None:
    by_item = {
        item["id"]: (item["quantity"], subscription["customer"])
        for subscription in world.sandboxes["stripe"].store.all("subscription")
        if subscription["status"] == "active"
        for item in subscription["items"]["data"]
    }
    held = [
        (fields[f"entitlement_{slot}_number"], fields[f"entitlement_{slot}_quantity"])
        for row in world.organizations()
        for slot in range(1, 13)
        if (fields := row["organization_fields"]).get(f"entitlement_{slot}_number")
    ]

    assert len(held) == len({number for number, _ in held})
    assert [number for number, quantity in held if by_item[number][0] != quantity] == []
    assert len(held) > 0.95 * len(by_item)
