"""What S/4HANA holds of the simulated company, through its adapter and its mappings, and written there and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import duckdb
import pytest
import requests

from sync_pipelines import mappings
from sync_pipelines.domains import DOMAINS
from sync_pipelines.domains.money import minor
from sync_pipelines.domains.schema import META, sql_type
from sync_pipelines.engine.port import Operation, Outcome, Request, State
from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.lake.macros import MACROS
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.company import erp, imagine, s4hana
from sync_pipelines.sandbox.company.model import Facts
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.s4hana import seed
from sync_pipelines.sandbox.s4hana.schema import load_services
from sync_pipelines.sandbox.transport import InProcess
from sync_pipelines.systems.s4hana import S4hana, open_system

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
URL = "http://s4.test"
OPTIONS = {"user": "SYNC", "password": "sandbox-password", "zone": "America/New_York"}


@dataclass
class System:
    """The company's system behind the adapter, and what its mappings make of it."""

    facts: Facts
    adapter: S4hana
    db: duckdb.DuckDBPyConnection

    def read(self) -> None:
        self.db.execute("DROP SCHEMA IF EXISTS s4hana CASCADE; CREATE SCHEMA s4hana")
        for name, shape in mappings.objects("s4hana").items():
            self.db.execute("CREATE OR REPLACE TABLE raw (id VARCHAR, version VARCHAR, row VARCHAR)")
            rows = [
                (record_id, version, payload.decode())
                for page in self.adapter.read(name, shape, None)
                for record_id, version, payload in zip(page.record_ids, page.versions, page.payloads, strict=True)
            ]
            self.db.executemany("INSERT INTO raw VALUES (?, ?, ?)", rows)
            self.db.execute(f"""
                CREATE TABLE s4hana."{name}" AS
                SELECT id AS record_id, version, false AS is_deleted, unnest(from_json(row, '{json.dumps(shape)}'))
                FROM raw""")

    def conform(self, domain: str) -> list[dict[str, Any]]:
        return self.db.execute(mappings.read_sql("s4hana", domain)).to_arrow_table().to_pylist()

    def find(self, domain: str, number: str) -> dict[str, Any]:
        (found,) = [row for row in self.conform(domain) if row["number"] == number]
        return found

    def write(self, domain: str, *, held: Mapping[str, Any] | None = None, **fields: Any) -> Outcome:
        kinds = {**META, **{field.name: sql_type(field) for field in DOMAINS[domain].fields}}
        row = {"write_id": "w", "operation": "create", "link_id": "l", **fields}
        kinds = dict.fromkeys(("write_id", "operation", "link_id"), "VARCHAR") | kinds
        for table, told in (("writes", row), ("desired", {**(held or {}), **row})):
            columns = ", ".join(f"{name} {kind}" for name, kind in kinds.items())
            marks = ", ".join("?" for _ in kinds)
            self.db.execute(f"CREATE OR REPLACE TABLE {table} ({columns})")
            self.db.execute(f"INSERT INTO {table} VALUES ({marks})", [told.get(name) for name in kinds])
        made = self.db.execute(mappings.write_sql("s4hana", domain) or "").to_arrow_table().to_pylist()[0]
        body = _sent(json.loads(made["body"]))
        operation, version = Operation(row["operation"]), (held or {}).get("version")
        request = Request("w", made["object"], operation, made["record_id"], made["external_id"], body)
        (outcome,) = self.adapter.write([request if version is None else _expecting(request, version)])
        self.read()
        return outcome


def _expecting(request: Request, version: str) -> Request:
    told = (request.write_id, request.object, request.operation, request.record_id, request.external_id, request.body)
    return Request(*told, expected_version=version)


def _sent(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _sent(each) for key, each in value.items() if each is not None}
    return [_sent(each) for each in value] if isinstance(value, list) else value


@pytest.fixture
def opened() -> Iterator[Callable[[int], System]]:
    with duckdb.connect(config={"threads": 1}) as db:
        for macro in MACROS:
            db.execute(macro)
        db.execute("CREATE TABLE legal_entity AS SELECT 'US01' AS code, 'USD' AS currency")

        def build(number: int) -> System:
            facts, clock = imagine(number, 1), VirtualClock(NOW)
            sandbox = open_sandbox("s4hana", clock=clock)
            sandbox.vendor.admin("settings", {"zone": "America/New_York"})
            seed(sandbox.store, s4hana.rows(facts))
            session = requests.Session()
            session.mount(URL, InProcess(sandbox))
            settings = SystemSettings("s4hana", "s4hana", URL, calls_per_second=1e6, options=OPTIONS)
            made = System(facts, open_system(settings, clock=clock, session=session), db)
            made.read()
            return made

        yield build


@pytest.fixture
def system(opened: Callable[[int], System]) -> System:
    return opened(7)


def test_equal_seeds_give_equal_systems_and_other_seeds_others() -> None:
    one, again, other = (s4hana.rows(imagine(number, 1)) for number in (7, 7, 8))

    assert one == again != other


def test_every_value_has_room_in_its_field() -> None:
    sets = {name: each for service in load_services().values() for name, each in service.items()}

    for name, rows in s4hana.rows(imagine(7, 1)).items():
        for row in rows if name != "material" else []:
            lengths = {field: sets[name].properties[field].sizes for field in row}
            texts = {field for field, value in row.items() if sets[name].properties[field].type == "String"}
            assert [field for field in texts if len(row[field]) > lengths[field][0]] == []


@pytest.mark.parametrize("number", [0, 7])
def test_most_customers_are_there_some_are_missing_and_some_are_stale(
    opened: Callable[[int], System], number: int
) -> None:
    system = opened(number)
    held = {row["number"]: row for row in system.conform("customer")}
    known = {customer.party_code: customer for customer in system.facts.customers if customer.party_code}
    stale = [code for code, row in held.items() if row["phone"] == "+1 555 0100"]

    assert set(held) < set(known)
    assert len(held) > 0.8 * len(known)
    assert stale
    for code, row in held.items():
        profile = known[code].party
        assert profile is not None
        told = (row["name"], row["tax_id"], row["street"], row["city"], row["country"], row["is_active"])
        meant = (profile.name, profile.tax_id, profile.street, profile.city, profile.country, profile.is_active)
        assert told == meant


def test_documents_are_those_of_the_books_to_the_cent(system: System) -> None:
    books = erp.rows(system.facts)

    for domain, table in (("order", "sales"), ("invoice", "invoices")):
        told = {row["number"]: (row["net_minor"], row["currency"]) for row in system.conform(domain)}
        assert told == {
            row["reference"]: (
                sum(minor(line["quantity"] * line["unit_price"], row["currency"]) for line in row["lines"]),
                row["currency"],
            )
            for row in books[table]
        }
    assert all(row["net_minor"] + row["tax_minor"] == row["total_minor"] for row in system.conform("invoice"))
    assert {row["kind"] for row in system.conform("invoice")} == {"invoice", "credit"}


def test_a_customer_that_is_written_comes_back_as_it_was_sent_and_is_changed(system: System) -> None:
    sent = {
        "number": "C-777",
        "name": "Größe & Söhne 𝄞 Werkzeugmaschinen und Anlagenbau GmbH",
        "tax_id": "DE811",
        "email": "ap@grosse.example",
        "phone": "+49 30 1",
        "street": "Ring 1\nHof 2",
        "city": "Köln",
        "postal_code": "50667",
        "country": "DE",
        "is_active": True,
    }

    outcome = system.write("customer", **sent)
    found = system.find("customer", "C-777")
    change = {"record_id": outcome.record_id, "street": "Ring 9", "email": "", "tax_id": "DE812", "is_active": False}
    changed = system.write("customer", held=found, operation="update", **change)
    again = system.find("customer", "C-777")
    stale = system.write("customer", held=found | {"version": "W/\"'OLD'\""}, operation="update", **change)

    assert outcome.state is changed.state is State.CONFIRMED, (outcome, changed)
    assert {name: found[name] for name in sent} == sent
    assert (again["street"], again["email"], again["tax_id"], again["is_active"]) == ("Ring 9", None, "DE812", False)
    assert (again["city"], again["name"], again["phone"]) == (sent["city"], sent["name"], sent["phone"])
    assert (stale.state, stale.code) == (State.REFUSED, "drifted")


@pytest.mark.parametrize(
    ("currency", "quantity", "amount"), [("EUR", "3", 10055), ("JPY", "1", 3000), ("BHD", "2", 1235), ("USD", "0.5", 1)]
)
@pytest.mark.parametrize("status", ["confirmed", "open"])
def test_an_order_that_is_written_comes_back_to_the_minor_unit(
    system: System, currency: str, quantity: str, amount: int, status: str
) -> None:
    customer = next(row["record_id"] for row in system.conform("customer") if row["is_active"])
    product = next(product.code for product in system.facts.products if product.in_erp)
    line = {"product": product, "quantity": quantity, "amount_minor": amount}
    sent = {"number": "D-777", "legal_entity": "US01", "customer": customer, "ordered_on": date(2026, 11, 3)}
    sent |= {"status": status, "currency": currency, "net_minor": amount}
    sent |= {"lines": json.dumps([line], separators=(",", ":"))}

    outcome = system.write("order", **sent)

    assert outcome.state is State.CONFIRMED, outcome
    found = system.find("order", "D-777")
    assert {name: found[name] for name in sent} == sent


def test_an_order_over_an_amount_that_no_price_gives_is_refused(system: System) -> None:
    customer = next(row["record_id"] for row in system.conform("customer") if row["is_active"])
    product = next(product.code for product in system.facts.products if product.in_erp)
    lines = json.dumps([{"product": product, "quantity": "70000", "amount_minor": 10001}])
    sent = {"number": "D-777", "legal_entity": "US01", "customer": customer, "ordered_on": date(2026, 11, 3)}

    outcome = system.write("order", **sent, status="confirmed", currency="EUR", net_minor=10001, lines=lines)

    assert outcome.state is State.REFUSED
