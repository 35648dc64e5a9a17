"""The loop with an ECC as the ERP: runs in between batch windows send once, wait quietly, and agree in the end."""

from __future__ import annotations

import shutil
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
from sync_pipelines.engine.outcome import Check, Result
from sync_pipelines.engine.topology import Planes, SystemSettings, Topology
from sync_pipelines.ledger.embedded import Embedded
from sync_pipelines.loop import Loop
from sync_pipelines.sandbox import company, ecc, salesforce, stripe
from sync_pipelines.sandbox.app import Sandbox
from sync_pipelines.sandbox.company import ecc as books
from sync_pipelines.sandbox.demo import SECRETS
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.server import serve

SYNC_TOML = Path(__file__).parents[2] / "sync.toml"
SEED = 1
HELD = ("customer", "order", "invoice")
OPTIONS = {
    "windows": "22:00 02:00",
    "zone": "America/New_York",
    "client": "100",
    "sender": "SYNC",
    "receiver": "PRDCLNT100",
    "encoding": "cp1252",
}


@dataclass(frozen=True)
class Ran:
    """A run: its summary, its checks, and the open exceptions afterwards."""

    summary: Mapping[str, Any]
    checks: Mapping[tuple[str, str], Check]
    exceptions: Mapping[str, list[str]]
    """Reasons by kind, of those about ECC."""
    awaited: int
    """Writes of any run whose fate is not known yet."""


@dataclass(frozen=True)
class World:
    sandboxes: Mapping[str, Sandbox]
    topology: Topology

    @property
    def erp(self) -> Sandbox:
        return self.sandboxes["ecc"]

    def window(self) -> Any:
        return self.erp.vendor.admin("window", None)

    def run(self) -> Ran:
        with Loop.open(self.topology, run_id=f"run-{uuid4().hex[:8]}", mode="full") as loop:
            told = [each.outcome for each in walk(course(loop, list(self.topology.domains)))]
            summary, items, unsettled = loop.summary(), loop.ledger.open_work_items(), loop.ledger.in_doubt("ecc")
        checks = [check for outcome in told for check in getattr(outcome, "checks", ())]
        exceptions: dict[str, list[str]] = {}
        for item in items:
            if item.system == "ecc":
                exceptions.setdefault(item.kind, []).append(item.reason)
        return Ran(summary, {(check.subject, check.name): check for check in checks}, exceptions, len(unsettled))


def _topology(urls: Mapping[str, str], database_url: str, state: Path) -> Topology:
    """The shipped one with ECC in Tryton's place, where it holds the domain, and without voids."""
    environment = {**SECRETS, **urls, "TRYTON_URL": "http://127.0.0.1:9/x"}
    declared = config.load(SYNC_TOML, environment=environment, state=state)
    systems = {name: each for name, each in declared.systems.items() if name != "tryton"}
    systems["ecc"] = SystemSettings("ecc", "ecc", urls["ECC_URL"], concurrency=1, options=OPTIONS)
    domains = {}
    for name, domain in declared.domains.items():
        if name in HELD:
            lists = {
                each: ["ecc" if s == "tryton" else s for s in getattr(domain, each)]
                for each in ("systems", "create", "update")
            }
            domains[name] = changed(domain, **lists, void=[], scope={})
    quick = {name: changed(each, calls_per_second=5000) for name, each in systems.items()}
    return changed(declared, systems=quick, domains=domains, planes=Planes(database_url=database_url))


@pytest.fixture(scope="module")
def world(postgres: Embedded, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = company.generate(SEED)
    sandboxes = {name: open_sandbox(name) for name in ("ecc", "salesforce", "stripe")}
    salesforce.seed(sandboxes["salesforce"].store, made.salesforce)
    stripe.seed(sandboxes["stripe"].store, made.stripe)
    ecc.seed(sandboxes["ecc"].store, books.rows(company.imagine(SEED, 1)))
    vendor, folder = sandboxes["ecc"].vendor, tmp_path_factory.mktemp("interfaces")
    shutil.rmtree(vendor.folder)
    vendor.move(folder)
    vendor.admin("window", None)
    database = f"ecc_{uuid4().hex[:12]}"
    postgres.ensure(database)
    with ExitStack() as stack:
        stack.callback(postgres.drop, database)
        served = ("salesforce", "stripe")
        urls = {f"{name.upper()}_URL": stack.enter_context(serve(sandboxes[name])).url for name in served}
        state = tmp_path_factory.mktemp("state")
        yield World(sandboxes, _topology({**urls, "ECC_URL": f"file://{folder}"}, postgres.url(database), state))


def idocs(world: World) -> int:
    """How many documents have left for the ERP, wherever their files lie by now."""
    files = [*world.erp.vendor.folder.glob("in/*/*.idoc"), *world.erp.vendor.folder.glob("arch/*/*.idoc")]
    return sum(path.read_bytes().count(b"EDI_DC40") for path in files)


@pytest.fixture(scope="module")
def runs(world: World) -> list[tuple[Ran, int]]:
    """Runs with a window between them, until nothing is sent and nothing waited for any more; documents sent so far."""
    told = []
    for _ in range(8):
        told.append((world.run(), idocs(world)))
        if not told[-1][0].awaited and told[-1][1] == told[-2][1]:
            break
        world.window()
    return told


def test_what_was_sent_waits_without_an_alarm(runs: list[tuple[Ran, int]]) -> None:
    first, sent = runs[0]

    checks = [first.checks["customer/writes/ecc", name] for name in ("all_confirmed", "nothing_in_doubt")]
    assert sent > 0
    assert first.summary["writes"]["in_doubt"] == sent
    assert {check.result for check in checks} == {Result.NOT_CHECKED}
    assert "wait for the acknowledgement of ecc" in checks[1].reason
    assert "in_doubt" not in first.exceptions
    reasons = [reason for some in first.exceptions.values() for reason in some]
    assert any("its next window is at" in reason for reason in reasons)


def test_no_document_is_sent_twice_and_every_one_is_confirmed_or_refused(
    world: World, runs: list[tuple[Ran, int]]
) -> None:
    last, _ = runs[-1]
    statuses = [idoc["result"]["status"] for idoc in world.erp.store.all("_idoc")]

    assert last.awaited == 0
    assert len(statuses) == idocs(world)
    assert "DUP" not in statuses
    assert statuses.count("OK") > 20
    for interface, key in (("ORDERS", "BSTKD"), ("INVOIC", "XBLNR")):
        numbers = [row[key] for row in world.erp.store.all(interface)]
        assert len(numbers) == len(set(numbers))


def test_in_the_end_findings_are_left_only_where_a_person_is_needed(runs: list[tuple[Ran, int]]) -> None:
    last, _ = runs[-1]

    assert last.summary["writes"]["confirmed"] == 0
    assert not {"missing", "in_doubt"} & set(last.exceptions)
    assert last.checks["order/writes/ecc", "nothing_in_doubt"].result is Result.PASSED


def test_every_extract_is_read_whole_and_counted(runs: list[tuple[Ran, int]]) -> None:
    last, _ = runs[-1]

    for interface in ("DEBMAS", "ORDERS", "INVOIC"):
        assert last.checks[f"ecc/{interface}", "complete"].result is Result.PASSED
