"""The whole job on the real thing: a first run mends a company in three systems, a second one has nothing to do.

What is so is read through the vendors' own clients (`witness`), and what should be so is the generator's truth.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import requests
from expected import EVERYWHERE, START, by_key, cases, holds, is_there, key_of, records, true_totals, was_there
from report_page import reported
from witness import Record, Records, normal, read_all, salesforce_client, tryton_client

from sync_pipelines import planes
from sync_pipelines.domains import DOMAINS
from sync_pipelines.domains.money import spell
from sync_pipelines.ledger.embedded import Embedded
from sync_pipelines.ledger.work_items import WorkItem
from sync_pipelines.sandbox.demo import Demo
from sync_pipelines.sandbox.erp import DATABASE, Erp
from sync_pipelines.sandbox.store import Store

pytestmark = pytest.mark.timeout(1200)

CHECKOUT = Path(__file__).parents[2]
TOPOLOGY = CHECKOUT / "sync.toml"
COMMAND = str(Path(sys.executable).with_name("sync-pipelines"))
PROMISED = {"read", "linked", "writes", "findings", "exceptions", "checks", "report"}
WRITE_STATES = {"confirmed", "refused", "in_doubt", "failed"}
ERP_MODELS = ("party.party", "party.address", "product.template", "product.product", "sale.sale", "account.invoice")


@dataclass(frozen=True)
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def told(self) -> dict[str, Any]:
        """The one JSON object that it printed."""
        told: dict[str, Any] = json.loads(self.out)
        return told


@dataclass(frozen=True)
class Seen:
    """The systems and the planes at one moment."""

    records: Mapping[str, Records]
    stores: Mapping[str, Any]
    """Every document of the stand-ins."""
    erp: Mapping[str, Any]
    """How many records a model of the ERP has, and when one was written last."""
    exceptions: list[WorkItem]
    links: list[dict[str, str]]
    totals: dict[tuple[str, ...], tuple[int, int]]
    first_codes: Mapping[str, str]
    """Code of a party when it was first read → its id."""


@dataclass(frozen=True)
class Later:
    """What came after the second run: runs and plans over systems that stayed up, an edit, and its mending."""

    before: Seen
    counters: list[dict[str, Any]]
    """The stand-ins' committed writes and the ERP's last ones: before and after a run, and after a plan."""
    run: Ran
    empty_plan: Ran
    edited_plan: Ran
    applied: Ran
    edited: Mapping[str, Records]
    customer: Record
    price: Record


@pytest.fixture(scope="module")
def state(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A state folder of its own on the session's server, where the ERP's template may already be.

    With SYNC_TEST_STATE that is a server which is kept from one session to the next.
    """
    kept = os.environ.get("SYNC_TEST_STATE")
    if kept:
        assert not (Path(kept) / "demo.json").exists(), "SYNC_TEST_STATE is a demo's state folder; name another"
    server = Embedded.start(Path(kept) / "postgres") if kept else request.getfixturevalue("postgres")
    with tempfile.TemporaryDirectory(prefix="sync-demo-") as name:
        folder = Path(name)
        (folder / "postgres").symlink_to(server.folder)
        yield folder
        Erp(folder / "erp", server).stop()
        for database in (planes.DATABASE, planes.DAGSTER_DATABASE, DATABASE):
            server.drop(database)


@pytest.fixture(scope="module")
def first(state: Path) -> Ran:
    """The demo on a fresh state folder."""
    return _command("demo", "--json", "--seed", "1", environment={**os.environ, "SYNC_STATE": str(state)})


@pytest.fixture(scope="module")
def summary(first: Ran, state: Path) -> dict[str, Any]:
    """What the first run kept for machines."""
    kept: dict[str, Any] = json.loads((state / "summary.json").read_text())
    return kept


@pytest.fixture(scope="module")
def seen(first: Ran, summary: dict[str, Any], state: Path) -> Seen:
    """The systems after the first run."""
    assert first.code == 0, first.err[-3000:]
    with _reopened(state) as demo:
        return _look(demo)


@pytest.fixture(scope="module")
def truth(first: Ran, state: Path) -> dict[str, list[Record]]:
    """The generator's truth by table."""
    return {path.stem: pq.read_table(path).to_pylist() for path in (state / "truth").glob("*.parquet")}


@pytest.fixture(scope="module")
def second(seen: Seen, state: Path) -> Ran:
    """The demo once more, for people."""
    return _command("demo", environment={**os.environ, "SYNC_STATE": str(state)})


@pytest.fixture(scope="module")
def second_summary(second: Ran, state: Path) -> dict[str, Any]:
    kept: dict[str, Any] = json.loads((state / "summary.json").read_text())
    return kept


@pytest.fixture(scope="module")
def later(second_summary: dict[str, Any], state: Path, truth: dict[str, list[Record]]) -> Later:
    customer = next(c for c in truth["customer"] if c["expected"] == "agrees" and c["is_active"])
    price = next(p for p in truth["pricing"] if p["expected"] == "agrees" and p["currency"] == "USD")
    with _reopened(state) as demo:
        before, counters = _look(demo), [_counters(demo)]
        run = _command("run", "--json", environment=demo.environment)
        counters.append(_counters(demo))
        empty_plan = _command("plan", "--json", environment=demo.environment)
        counters.append(_counters(demo))
        with salesforce_client(demo.environment["SALESFORCE_URL"], demo.environment) as crm:
            crm.Account.update(customer["salesforce_id"], {"BillingCity": "Kyōto"})
            crm.PricebookEntry.update(price["salesforce_id"], {"UnitPrice": 1234.55})
        edited_plan = _command("plan", "--json", environment=demo.environment)
        applied = _command("apply", "--json", environment=demo.environment)
        edited = read_all(demo.environment)
    return Later(before, counters, run, empty_plan, edited_plan, applied, edited, customer, price)


def _command(*arguments: str, environment: Mapping[str, str]) -> Ran:
    done = subprocess.run(
        [COMMAND, *arguments],
        cwd=CHECKOUT,
        env={**environment, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


@contextmanager
def _reopened(state: Path) -> Iterator[Demo]:
    """The demo's systems as they were left."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SYNC_STATE", str(state))
        with Demo.reopen(TOPOLOGY, say=lambda sentence: None) as demo:
            yield demo


def _look(demo: Demo) -> Seen:
    with planes.open_planes(demo.topology) as (lake, ledger):
        (run,) = ledger.latest_runs()
        totals = {
            (t.domain, t.system, t.legal_entity, t.period, t.currency): (t.count, t.sum_minor)
            for t in ledger.totals(run.run_id)
        }
        codes = lake.rows("""
            SELECT payload->>'$.code', record_id FROM lake.record_log
            WHERE system = 'tryton' AND object = 'party.party'
            QUALIFY row_number() OVER (PARTITION BY record_id ORDER BY extracted_at) = 1""")
        return Seen(
            records=read_all(demo.environment),
            stores=_stored(demo.topology.state),
            erp=_erp_writes(demo),
            exceptions=ledger.open_work_items(),
            links=ledger.open_links().to_pylist(),
            totals=totals,
            first_codes=dict(codes),
        )


def _stored(state: Path) -> dict[str, Any]:
    stored = {}
    for name in ("salesforce", "stripe"):
        store = Store(state / "sandbox" / f"{name}.db")
        stored[name] = {table: store.all(table) for table in store.tables()}
        store.close()
    return stored


def _erp_writes(demo: Demo) -> dict[str, Any]:
    with tryton_client(demo.environment["TRYTON_URL"], demo.environment) as config:
        context, told = {**config.context, "active_test": False}, {}
        for model in ERP_MODELS:
            rows = config.get_proxy(model).search_read([], 0, None, None, ["create_date", "write_date"], context)
            told[model] = (len(rows), max(row["write_date"] or row["create_date"] for row in rows))
    return told


def _counters(demo: Demo) -> dict[str, Any]:
    """What has been written since the systems are up."""
    urls = {name: demo.environment[f"{name.upper()}_URL"] for name in ("salesforce", "stripe")}
    states = {name: requests.get(f"{url}/_sandbox/state", timeout=30).json() for name, url in urls.items()}
    return {name: told["writes"] for name, told in states.items()} | _erp_writes(demo)


# After the first run


def test_the_first_run_succeeds_and_tells_machines_what_it_came_to(first: Ran, summary: dict[str, Any]) -> None:
    assert first.code == 0, first.err[-3000:]
    assert set(first.told) >= PROMISED
    assert {name: first.told[name] for name in summary} == summary
    assert set(summary["read"]) == {"salesforce", "stripe", "tryton"}
    assert all(summary["read"].values())
    assert list(summary["linked"]) == list(DOMAINS)
    assert set(summary["writes"]) == WRITE_STATES
    assert set(summary["checks"]) == {"passed", "failed", "not_checked"}


def test_every_write_is_confirmed_and_what_belongs_to_a_closed_month_is_not_even_sent(
    summary: dict[str, Any], truth: dict[str, list[Record]]
) -> None:
    closed = [d for d in truth["defects"] if d["kind"] == "invoice_in_closed_period"]

    writes = summary["writes"]

    assert writes["confirmed"] > 0
    assert (writes["refused"], writes["in_doubt"], writes["failed"]) == (0, 0, 0)
    assert summary["findings"]["invoice"]["closed_period"] == len(closed) > 0


@pytest.mark.parametrize(("domain", "system"), EVERYWHERE)
def test_what_agrees_or_can_be_mended_is_as_the_truth_says(
    seen: Seen, truth: dict[str, list[Record]], domain: str, system: str
) -> None:
    found = by_key(domain, seen.records[system][domain])
    wanted = [row for row in truth[domain] if row["expected"] != "exception" and holds(system, domain, row)]

    missing = [row["key"] for row in wanted if key_of(domain, row) not in found]
    wrong = [
        (row["key"], name, value, row[name])
        for row in wanted
        for _, record in found.get(key_of(domain, row), ())
        for name, value in record.items()
        if row[name] is not None and normal(name, value) != normal(name, row[name])
    ]

    assert (missing, wrong) == ([], [])


@pytest.mark.parametrize(("domain", "system"), EVERYWHERE)
def test_nothing_is_there_twice_and_nothing_is_lost(
    seen: Seen, truth: dict[str, list[Record]], domain: str, system: str
) -> None:
    found = by_key(domain, seen.records[system][domain])
    expected = [row for row in truth[domain] if holds(system, domain, row) and is_there(system, row)]

    assert sum(map(len, found.values())) == len(expected)
    assert [what for what, held in found.items() if len(held) > 1 and None not in what] == []


@pytest.mark.parametrize(("domain", "system"), EVERYWHERE)
def test_a_record_that_was_there_is_still_the_same_one(
    seen: Seen, truth: dict[str, list[Record]], domain: str, system: str
) -> None:
    ids = seen.first_codes if (domain, system) == ("customer", "tryton") else {}
    found = by_key(domain, seen.records[system][domain])
    settled = [row for row in truth[domain] if row["expected"] != "exception" and was_there(system, row)]
    if system == "tryton" and domain != "customer":  # a SKU or reference, which is the key itself
        settled = []
    if (domain, system) == ("pricing", "stripe"):  # a price can't be changed: another one takes its place
        settled = [row for row in settled if "stripe.amount_minor" not in row["differs"]]

    apart = [
        row["key"]
        for row in settled
        if found[key_of(domain, row)][0][0] != ids.get(row[START[system]], row[START[system]])
    ]

    assert apart == []


def test_no_link_joins_what_is_not_the_same(seen: Seen, truth: dict[str, list[Record]]) -> None:
    ignored = {(row["domain"], row["system"], row["record_id"]) for row in truth["ignored"]}
    known = {
        (domain, system, seen.first_codes.get(row[START[system]], row[START[system]]))
        if (domain, system) == ("customer", "tryton")
        else (domain, system, row[START[system]]): row["key"]
        for domain, system in EVERYWHERE
        for row in truth[domain]
        if row[START[system]] and row["expected"] != "exception"
    }
    joined: dict[str, set[str]] = {}
    for link in seen.links:
        if key := known.get((link["domain"], link["system"], link["record_id"])):
            joined.setdefault(link["link_id"], set()).add(key)

    assert [keys for keys in joined.values() if len(keys) > 1] == []
    # A merged record may hang on a link still, but nothing that never was a business record.
    passed_over = [each for each in seen.links if (each["domain"], each["system"], each["record_id"]) in ignored]
    assert {each["domain"] for each in passed_over} <= {"customer"}


def test_what_needs_a_person_is_an_exception_of_its_owner_with_the_amount_at_stake(
    seen: Seen, truth: dict[str, list[Record]]
) -> None:
    missed = []
    for defect, items in cases(truth, seen.exceptions, seen.links, seen.first_codes):
        owners, amounts = {item.owner for item in items}, {item.amount_minor for item in items}
        if owners != {defect["owner"]} or amounts != {defect["amount_minor"]}:
            missed.append((defect["kind"], defect["key"], owners, amounts))

    assert missed == []


def test_no_exception_is_open_that_was_not_planted(seen: Seen, truth: dict[str, list[Record]]) -> None:
    founded = {
        item.item_id for _, items in cases(truth, seen.exceptions, seen.links, seen.first_codes) for item in items
    }

    assert seen.exceptions
    assert [(i.domain, i.kind, i.label, i.reason) for i in seen.exceptions if i.item_id not in founded] == []


def test_exceptions_are_counted_by_owner(seen: Seen, summary: dict[str, Any]) -> None:
    assert Counter(item.owner for item in seen.exceptions) == summary["exceptions"]


def test_control_totals_equal_the_truth_to_the_cent(seen: Seen, truth: dict[str, list[Record]]) -> None:
    assert seen.totals == true_totals(truth)


def test_the_report_is_one_file_that_loads_nothing(summary: dict[str, Any], state: Path) -> None:
    path = Path(summary["report"])
    page = path.read_text()

    assert path.is_relative_to(state)
    assert page.startswith("<!DOCTYPE html>")
    assert re.findall(r"<(?:script|link|img|iframe)\b|\bsrc=|@import|url\(|https?://", page) == []


def test_the_report_shows_the_true_totals_and_explains_every_difference(
    summary: dict[str, Any], truth: dict[str, list[Record]]
) -> None:
    shown, unexplained = reported(Path(summary["report"]).read_text())

    assert shown == {
        key: (str(count), spell(total, key[-1])) for key, (count, total) in true_totals(truth).items()
    }  # fmt: skip
    assert unexplained
    assert {amount.split()[1].strip("0.") for amount in unexplained} == {""}


# After the second run


def test_a_second_run_writes_nothing_and_says_so(second: Ran, second_summary: dict[str, Any]) -> None:
    assert second.code == 0, second.out[-3000:] + second.err[-3000:]
    assert second_summary["writes"] == dict.fromkeys(WRITE_STATES, 0)
    assert "Written: nothing" in second.out
    assert "Finance check report:" in second.out


def test_a_second_run_leaves_every_record_and_exception_as_it_was(seen: Seen, later: Later) -> None:
    assert later.before.records == seen.records
    assert later.before.stores == seen.stores
    assert later.before.erp == seen.erp
    assert [i.fingerprint for i in later.before.exceptions] == [i.fingerprint for i in seen.exceptions]
    assert later.before.links == seen.links


def test_neither_a_run_nor_a_plan_writes_to_systems_that_agree(later: Later) -> None:
    before, after_run, after_plan = later.counters

    assert later.run.code == 0, later.run.err[-3000:]
    assert later.run.told["writes"] == dict.fromkeys(WRITE_STATES, 0)
    assert after_run == before
    assert after_plan == before


def test_a_plan_over_systems_that_agree_is_empty(later: Later) -> None:
    assert later.empty_plan.code == 0, later.empty_plan.err[-3000:]
    assert later.empty_plan.told["planned"] == 0


# After an edit


def test_an_edit_is_planned_field_by_field(later: Later) -> None:
    old, new = later.price["amount_minor"], 123_455
    planned = {
        (plan["domain"], plan["target"], change["field"], change["before"], change["after"])
        for plan in later.edited_plan.told["plans"]
        for write in plan["writes"]
        for change in write["changes"]
    }

    assert later.edited_plan.code == 3, later.edited_plan.err[-3000:]
    assert planned == {
        ("customer", "stripe", "city", later.customer["city"], "Kyōto"),
        ("customer", "tryton", "city", later.customer["city"], "Kyōto"),
        ("pricing", "stripe", "amount_minor", str(old), str(new)),
        ("pricing", "tryton", "amount_minor", str(old), str(new)),
    }


def test_an_applied_edit_is_right_in_every_system_and_changes_nothing_else(seen: Seen, later: Later) -> None:
    assert later.applied.code == 0, later.applied.err[-3000:]
    assert later.applied.told["writes"] == {**dict.fromkeys(WRITE_STATES, 0), "confirmed": 4}
    for domain, system in EVERYWHERE:
        before = by_key(domain, seen.records[system][domain])
        after = by_key(domain, later.edited[system][domain])
        changed = {key: records(after[key]) for key in after if records(after[key]) != records(before[key])}
        assert changed == _after_edit(domain, before, later), (domain, system)


def _after_edit(domain: str, before: Mapping[tuple[Any, ...], Any], later: Later) -> dict[tuple[Any, ...], Any]:
    edits = {"customer": (later.customer, {"city": "Kyōto"}), "pricing": (later.price, {"amount_minor": 123_455})}
    if domain not in edits:
        return {}
    row, edit = edits[domain]
    edited = key_of(domain, row)
    return {edited: [{**record, **edit} for record in records(before[edited])]}
