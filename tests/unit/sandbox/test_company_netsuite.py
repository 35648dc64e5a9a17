"""What NetSuite holds of the simulated company, through its adapter and its mappings, and written there and back."""

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
from sync_pipelines.engine.plan import NOTHING
from sync_pipelines.engine.port import Operation, Outcome, Request, State
from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.lake.macros import MACROS
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.company import erp, imagine, netsuite
from sync_pipelines.sandbox.company.model import Facts
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.netsuite import CERTIFICATE, private_key, seed
from sync_pipelines.sandbox.transport import InProcess
from sync_pipelines.systems.netsuite import NetSuite, open_system

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
URL = "http://netsuite.test"
OPTIONS = {
    "zone": "America/Los_Angeles",
    "client_id": "sandbox-client",
    "certificate_id": CERTIFICATE,
    "private_key": private_key(),
}


@dataclass
class Account:
    """The company's account behind the adapter, and what its mappings make of it."""

    facts: Facts
    adapter: NetSuite
    db: duckdb.DuckDBPyConnection

    def read(self) -> None:
        self.db.execute("DROP SCHEMA IF EXISTS netsuite CASCADE; CREATE SCHEMA netsuite")
        for name, shape in mappings.objects("netsuite").items():
            self.db.execute("CREATE OR REPLACE TABLE raw (id VARCHAR, version VARCHAR, row VARCHAR)")
            rows = [
                (record_id, version, payload.decode())
                for page in self.adapter.read(name, shape, None)
                for record_id, version, payload in zip(page.record_ids, page.versions, page.payloads, strict=True)
            ]
            if rows:
                self.db.executemany("INSERT INTO raw VALUES (?, ?, ?)", rows)
            self.db.execute(f"""
                CREATE TABLE netsuite."{name}" AS
                SELECT id AS record_id, version, false AS is_deleted, unnest(from_json(row, '{json.dumps(shape)}'))
                FROM raw""")

    def conform(self, domain: str) -> list[dict[str, Any]]:
        return self.db.execute(mappings.read_sql("netsuite", domain)).to_arrow_table().to_pylist()

    def find(self, domain: str, field: str, value: str) -> dict[str, Any]:
        (found,) = [row for row in self.conform(domain) if row[field] == value]
        return found

    def write(self, domain: str, **fields: Any) -> Outcome:
        kinds = {**META, **{field.name: sql_type(field) for field in DOMAINS[domain].fields}}
        row = {"write_id": "w", "operation": "create", "link_id": "l", **fields}
        kinds = dict.fromkeys(("write_id", "operation", "link_id"), "VARCHAR") | kinds
        for table in ("writes", "desired"):
            columns = ", ".join(f"{name} {kind}" for name, kind in kinds.items())
            marks = ", ".join("?" for _ in kinds)
            self.db.execute(f"CREATE OR REPLACE TABLE {table} ({columns})")
            self.db.execute(f"INSERT INTO {table} VALUES ({marks})", [row.get(name) for name in kinds])
        told = self.db.execute(mappings.write_sql("netsuite", domain) or "").to_arrow_table().to_pylist()[0]
        request = Request(
            "w",
            told["object"],
            Operation(row["operation"]),
            told["record_id"],
            told["external_id"],
            _sent(json.loads(told["body"])),
            tuple(told["then"]),
        )
        (outcome,) = self.adapter.write([request])
        self.read()
        return outcome


def _sent(value: Any) -> Any:
    if value == NOTHING:
        return None
    if isinstance(value, Mapping):
        return {key: _sent(each) for key, each in value.items() if each is not None}
    return [_sent(each) for each in value] if isinstance(value, list) else value


@pytest.fixture
def opened() -> Iterator[Callable[[int], Account]]:
    with duckdb.connect(config={"threads": 1}) as db:
        for macro in MACROS:
            db.execute(macro)

        def build(number: int) -> Account:
            facts, clock = imagine(number, 1), VirtualClock(NOW)
            sandbox = open_sandbox("netsuite", clock=clock)
            seed(sandbox.store, netsuite.rows(facts))
            session = requests.Session()
            session.mount(URL, InProcess(sandbox))
            settings = SystemSettings("netsuite", "netsuite", URL, calls_per_second=1e6, options=OPTIONS)
            made = Account(facts, open_system(settings, clock=clock, session=session), db)
            made.read()
            return made

        yield build


@pytest.fixture
def account(opened: Callable[[int], Account]) -> Account:
    return opened(7)


def test_equal_seeds_give_equal_accounts_and_other_seeds_others() -> None:
    one, again, other = (netsuite.rows(imagine(number, 1)) for number in (7, 7, 8))

    assert one == again != other


@pytest.mark.parametrize("number", [0, 7, 475])
def test_most_customers_are_there_some_are_missing_and_some_are_stale(
    opened: Callable[[int], Account], number: int
) -> None:
    account = opened(number)
    held = {row["number"]: row for row in account.conform("customer")}
    known = {customer.party_code: customer for customer in account.facts.customers if customer.party_code}
    stale = [code for code, row in held.items() if row["phone"] == "+1 555 0100"]

    assert set(held) < set(known)
    assert len(held) > 0.8 * len(known)
    assert stale
    for code, row in held.items():
        profile = known[code].party
        assert profile is not None
        told = (row["name"], row["tax_id"], row["street"], row["city"], row["country"], row["is_active"])
        assert told == (
            profile.name,
            profile.tax_id,
            profile.street,
            profile.city,
            profile.country,
            profile.is_active,
        )


def test_documents_are_those_of_the_books_to_the_cent(account: Account) -> None:
    books = erp.rows(account.facts)

    for domain, table in (("order", "sales"), ("invoice", "invoices")):
        told = {row["number"]: (row["net_minor"], row["currency"]) for row in account.conform(domain)}
        assert told == {
            row["reference"]: (
                sum(minor(line["quantity"] * line["unit_price"], row["currency"]) for line in row["lines"]),
                row["currency"],
            )
            for row in books[table]
        }
    assert all(row["net_minor"] + row["tax_minor"] == row["total_minor"] for row in account.conform("invoice"))
    assert {row["kind"] for row in account.conform("invoice")} == {"invoice", "credit"}
    assert {row["posting_on"] for row in account.conform("invoice")} == {None}


def test_prices_are_those_of_the_catalog_in_every_currency(account: Account) -> None:
    codes = {row["record_id"]: row["code"] for row in account.conform("product")}
    told = {(codes[row["product"]], row["currency"]): row["amount_minor"] for row in account.conform("pricing")}

    known = {(each.code, currency): price for each in account.facts.products for currency, price in each.prices.items()}
    assert told == known


def test_the_first_months_of_the_year_are_closed(account: Account) -> None:
    rows = account.db.execute(mappings.period_sql("netsuite") or "").to_arrow_table().to_pylist()

    assert {row["start_on"] for row in rows if row["state"] == "closed"} >= {
        date(2026, month, 1) for month in (1, 2, 3)
    }
    assert max(row["end_on"] for row in rows if row["state"] == "closed") == date(2026, 3, 31)


def test_a_customer_that_is_written_comes_back_as_it_was_sent(account: Account) -> None:
    sent = {
        "number": "C-777",
        "name": "Größe & Söhne 𝄞 GmbH",
        "tax_id": "DE811",
        "email": "ap@grosse.example",
        "phone": "+49 30 1",
        "website": "https://grosse.example",
        "street": "Ring 1\nHof 2",
        "city": "Köln",
        "postal_code": "50667",
        "country": "DE",
        "is_active": True,
    }

    outcome = account.write("customer", **sent)
    found = account.find("customer", "number", "C-777")
    changed = account.write(
        "customer", operation="update", record_id=outcome.record_id, number="C-777", street="Ring 9"
    )

    assert outcome.state is changed.state is State.CONFIRMED
    assert {name: found[name] for name in sent} == sent
    again = account.find("customer", "number", "C-777")
    assert (again["street"], again["city"]) == ("Ring 9", "Köln")


def test_a_product_that_is_written_comes_back_as_it_was_sent(account: Account) -> None:
    sent = {"code": "SKU-777", "name": "Vault", "description": "Cold", "is_active": True}

    account.write("product", **sent)

    found = account.find("product", "code", "SKU-777")
    assert {name: found[name] for name in sent} == sent


def document(account: Account, **fields: Any) -> dict[str, Any]:
    customer = account.conform("customer")[0]["record_id"]
    product = account.conform("product")[0]["code"]
    return {"legal_entity": "US01", "customer": customer, "currency": "EUR", **fields, "product": product}


def lines(product: str, *amounts: int) -> str:
    told = [{"product": product, "quantity": str(-1 if each < 0 else 1), "amount_minor": each} for each in amounts]
    return json.dumps(told, separators=(",", ":"))


@pytest.mark.parametrize(
    ("kind", "currency", "amounts", "tax"),
    [
        ("invoice", "EUR", (10055, 333, 1), 2078),
        ("invoice", "JPY", (3000,), 0),
        ("invoice", "BHD", (1234, 1), 247),
        ("credit", "USD", (-3050, -1), -610),
    ],
)
def test_a_document_that_is_written_comes_back_to_the_minor_unit_and_can_be_voided(
    account: Account, kind: str, currency: str, amounts: tuple[int, ...], tax: int
) -> None:
    given = document(account, number="IN-777", kind=kind, currency=currency, issued_on=date(2026, 11, 3))
    product = given.pop("product")
    money = {"net_minor": sum(amounts), "tax_minor": tax, "total_minor": sum(amounts) + tax}
    sent = {**given, **money, "status": "posted", "lines": lines(product, *amounts)}

    outcome = account.write("invoice", **sent)
    found = account.find("invoice", "number", "IN-777")
    void = account.write("invoice", operation="void", record_id=outcome.record_id, number="IN-777", kind=kind)

    assert outcome.state is State.CONFIRMED, outcome
    assert {name: found[name] for name in sent} == sent
    if kind == "invoice":
        assert void.state is State.CONFIRMED
        assert account.find("invoice", "number", "IN-777")["status"] == "void"
    else:
        assert void.code == "cannot_undo"


def test_an_order_that_is_written_comes_back_and_is_cancelled_by_a_void(account: Account) -> None:
    given = document(account, number="D-777", ordered_on=date(2026, 11, 3))
    product = given.pop("product")
    sent = {**given, "status": "confirmed", "net_minor": 10055, "lines": lines(product, 10055)}

    outcome = account.write("order", **sent)
    found = account.find("order", "number", "D-777")
    account.write("order", operation="void", record_id=outcome.record_id, number="D-777")

    assert {name: found[name] for name in sent} == sent
    assert account.find("order", "number", "D-777")["status"] == "cancelled"


def test_a_document_of_a_closed_month_is_refused_and_taken_in_the_month_that_the_plan_names(account: Account) -> None:
    given = document(account, number="IN-777", kind="invoice", issued_on=date(2026, 2, 3), status="posted")
    product = given.pop("product")
    sent = {**given, "net_minor": 100, "tax_minor": 0, "total_minor": 100, "lines": lines(product, 100)}

    refused = account.write("invoice", **sent)
    taken = account.write("invoice", **sent, posting_on=date(2026, 4, 1))

    assert (refused.state, refused.code) == (State.REFUSED, "closed_period")
    assert taken.state is State.CONFIRMED
    found = account.find("invoice", "number", "IN-777")
    assert (found["issued_on"], found["posting_on"]) == (date(2026, 2, 3), date(2026, 4, 1))
