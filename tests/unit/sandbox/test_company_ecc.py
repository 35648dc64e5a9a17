"""What ECC holds of the simulated company, through its adapter and its mappings, and written there and back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb
import pytest

from sync_pipelines import mappings
from sync_pipelines.domains import DOMAINS
from sync_pipelines.domains.money import minor
from sync_pipelines.domains.schema import META, sql_type
from sync_pipelines.engine.port import Operation, Outcome, Request, State
from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.lake.macros import MACROS
from sync_pipelines.sandbox.app import Sandbox
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.company import ecc, erp, imagine
from sync_pipelines.sandbox.company.model import Facts
from sync_pipelines.sandbox.ecc import seed
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.systems.ecc import Ecc, open_system

NOW = datetime(2026, 11, 23, 17, tzinfo=UTC)
OPTIONS = {
    "windows": "22:00 02:00",
    "zone": "America/New_York",
    "client": "100",
    "sender": "SYNC",
    "receiver": "PRDCLNT100",
    "encoding": "cp1252",
}


@dataclass
class Books:
    """The company's ECC behind the adapter, and what its mappings make of it."""

    facts: Facts
    sandbox: Sandbox
    adapter: Ecc
    db: duckdb.DuckDBPyConnection

    def read(self) -> None:
        self.db.execute("DROP SCHEMA IF EXISTS ecc CASCADE; CREATE SCHEMA ecc")
        for name, shape in mappings.objects("ecc").items():
            self.db.execute("CREATE OR REPLACE TABLE raw (id VARCHAR, version VARCHAR, deleted BOOLEAN, row VARCHAR)")
            current = {
                record_id: (record_id, version, gone, payload.decode() or "{}")
                for page in self.adapter.read(name, shape, None)
                for record_id, version, gone, payload in zip(
                    page.record_ids, page.versions, page.deleted, page.payloads, strict=True
                )
            }
            if current:
                self.db.executemany("INSERT INTO raw VALUES (?, ?, ?, ?)", list(current.values()))
            self.db.execute(f"""
                CREATE TABLE ecc."{name}" AS
                SELECT id AS record_id, version, deleted AS is_deleted, unnest(from_json(row, '{json.dumps(shape)}'))
                FROM raw""")

    def conform(self, domain: str) -> list[dict[str, Any]]:
        return self.db.execute(mappings.read_sql("ecc", domain)).to_arrow_table().to_pylist()

    def find(self, domain: str, field: str, value: str) -> dict[str, Any]:
        (found,) = [row for row in self.conform(domain) if row[field] == value]
        return found

    def request(self, domain: str, **fields: Any) -> Request:
        (told,) = self.requests(domain, **fields)
        return told

    def requests(self, domain: str, **fields: Any) -> list[Request]:
        kinds = {**META, **{field.name: sql_type(field) for field in DOMAINS[domain].fields}}
        row = {"write_id": f"w-{fields}", "operation": "create", "link_id": "customer-77", **fields}
        kinds = dict.fromkeys(("write_id", "operation", "link_id"), "VARCHAR") | kinds
        for table in ("writes", "desired"):
            columns = ", ".join(f"{name} {kind}" for name, kind in kinds.items())
            marks = ", ".join("?" for _ in kinds)
            self.db.execute(f"CREATE OR REPLACE TABLE {table} ({columns})")
            self.db.execute(f"INSERT INTO {table} VALUES ({marks})", [row.get(name) for name in kinds])
        found = self.db.execute(mappings.write_sql("ecc", domain) or "").to_arrow_table().to_pylist()
        return [self._request(told) for told in found]

    def _request(self, told: dict[str, Any]) -> Request:
        body = {name: value for name, value in json.loads(told["body"]).items() if value is not None}
        name = sha256(told["write_id"].encode()).hexdigest()[:40]
        return Request(name, told["object"], Operation(told["operation"]), told["record_id"], told["external_id"], body)

    def write(self, domain: str, **fields: Any) -> Outcome:
        """Sent in one window, told in the next, and read back."""
        request = self.request(domain, **fields)
        (sent,) = self.adapter.write([request])
        if sent.state is State.REFUSED:
            return sent
        for _ in range(2):
            self.sandbox.vendor.admin("window", None)
            self.sandbox.clock.advance(3600)
        (outcome,) = self.adapter.write([request])
        self.read()
        return outcome


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[int], Books]]:
    with duckdb.connect(config={"threads": 1}) as db:
        for macro in MACROS:
            db.execute(macro)

        def build(number: int) -> Books:
            facts, clock = imagine(number, 1), VirtualClock(NOW)
            sandbox = open_sandbox("ecc", clock=clock)
            shutil.rmtree(sandbox.vendor.folder)
            sandbox.vendor.move(tmp_path / str(number))
            seed(sandbox.store, ecc.rows(facts))
            sandbox.vendor.admin("window", None)
            settings = SystemSettings("ecc", "ecc", f"file://{tmp_path / str(number)}", options=OPTIONS)
            made = Books(facts, sandbox, open_system(settings, clock=clock), db)
            made.read()
            return made

        yield build


@pytest.fixture
def books(opened: Callable[[int], Books]) -> Books:
    return opened(7)


def test_equal_seeds_give_equal_books_and_other_seeds_others() -> None:
    one, again, other = (ecc.rows(imagine(number, 1)) for number in (7, 7, 8))

    assert one == again != other


@pytest.mark.parametrize("number", [0, 7, 475])
def test_most_customers_are_there_some_are_missing_and_some_are_stale(
    opened: Callable[[int], Books], number: int
) -> None:
    books = opened(number)
    held = {row["number"]: row for row in books.conform("customer")}
    known = {customer.party_code: customer for customer in books.facts.customers if customer.party_code}
    stale = [code for code, row in held.items() if row["phone"] == ecc.OLD_PHONE]

    assert set(held) < set(known)
    assert len(held) > 0.8 * len(known)
    assert stale
    for code, row in held.items():
        profile = known[code].party
        assert profile is not None
        told = (row["name"], row["tax_id"], row["street"], row["city"], row["country"], row["is_active"])
        kept = [as_kept(each) for each in (profile.name, profile.tax_id, profile.street, profile.city)]
        assert told == (*kept, profile.country, profile.is_active)


def as_kept(text: str | None) -> str | None:
    """A text in the code page of the books."""
    return None if text is None else text.encode("cp1252", errors="replace").decode("cp1252")


def test_documents_are_those_of_the_books_to_the_cent(books: Books) -> None:
    made = erp.rows(books.facts)

    for domain, table in (("order", "sales"), ("invoice", "invoices")):
        told = {row["number"]: (row["net_minor"], row["currency"]) for row in books.conform(domain)}
        assert told == {
            row["reference"]: (
                sum(minor(line["quantity"] * line["unit_price"], row["currency"]) for line in row["lines"]),
                row["currency"],
            )
            for row in made[table]
        }
    assert all(row["net_minor"] + row["tax_minor"] == row["total_minor"] for row in books.conform("invoice"))
    assert {row["kind"] for row in books.conform("invoice")} == {"invoice", "credit"}
    assert {row["posting_on"] for row in books.conform("invoice")} == {None}
    assert any(row["tax_minor"] for row in books.conform("invoice"))


CUSTOMER = {
    "number": "C-777",
    "name": "Größe & Söhne € GmbH",
    "tax_id": "DE811",
    "email": "ap@grosse.example",
    "phone": "+49 30 1",
    "street": "Ring 1\nHof 2",
    "city": "Köln",
    "postal_code": "50667",
    "country": "DE",
    "is_active": True,
}


def test_a_customer_that_is_written_comes_back_as_it_was_sent_and_is_known_by_our_key(books: Books) -> None:
    outcome = books.write("customer", **CUSTOMER)
    found = books.find("customer", "number", "C-777")

    assert (outcome.state, outcome.record_id) == (State.CONFIRMED, "C-777")
    assert {name: found[name] for name in CUSTOMER} == CUSTOMER
    assert found["external_id"] == "customer-77"


def test_an_update_changes_what_it_says_clears_what_it_clears_and_leaves_the_rest(books: Books) -> None:
    books.write("customer", **CUSTOMER)

    outcome = books.write(
        "customer", operation="update", record_id="C-777", name="Größe AG", street="Ring 9", phone="", is_active=False
    )

    found = books.find("customer", "number", "C-777")
    changed = {"name": "Größe AG", "street": "Ring 9", "phone": None, "is_active": False}
    assert outcome.state is State.CONFIRMED
    assert {name: found[name] for name in CUSTOMER} == {**CUSTOMER, **changed}
    assert found["external_id"] == "customer-77"


@pytest.mark.parametrize("length", [34, 35, 36, 37, 70])
@pytest.mark.parametrize("filling", ["x", "x y z ", "ab cdefgh "])
def test_a_long_name_is_kept_wherever_it_is_cut(books: Books, length: int, filling: str) -> None:
    name = ((filling * 40)[: length - 1] + "!").replace("  ", " ")

    books.write("customer", **{**CUSTOMER, "name": name})

    assert books.find("customer", "number", "C-777")["name"] == name


def test_a_name_that_is_too_long_and_one_outside_of_the_code_page_are_refused(books: Books) -> None:
    long = books.write("customer", **{**CUSTOMER, "name": "x" * 71})
    foreign = books.write("customer", **{**CUSTOMER, "name": "株式会社"})

    assert (long.state, long.code, foreign.state, foreign.code) == (
        State.REFUSED,
        "too_long",
        State.REFUSED,
        "code_page",
    )


def test_the_number_of_a_customer_that_is_there_is_left_alone(books: Books) -> None:
    held = books.conform("customer")[0]["record_id"]

    assert books.requests("customer", operation="update", record_id=held, number="C-888") == []
    (both,) = books.requests("customer", operation="update", record_id=held, number="C-888", city="Troy")
    assert "KUNNR" not in both.body
    assert both.body["ORT01"] == "Troy"


def test_a_phone_number_that_is_too_long_goes_as_its_digits(books: Books) -> None:
    books.write("customer", **{**CUSTOMER, "phone": "+49 (30) 1234 - 5678"})

    assert books.find("customer", "number", "C-777")["phone"] == "+493012345678"


def test_a_customer_without_a_number_is_given_one(books: Books) -> None:
    outcome = books.write("customer", **{**CUSTOMER, "number": None})

    assert (outcome.state, outcome.record_id) == (State.CONFIRMED, "0000200001")
    assert books.find("customer", "number", "0000200001")["external_id"] == "customer-77"


def lines(*amounts: int, quantity: str = "1") -> str:
    told = [
        {"product": f"SKU-{place}", "quantity": f"-{quantity}" if each < 0 else quantity, "amount_minor": each}
        for place, each in enumerate(amounts)
    ]
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
def test_a_document_that_is_written_comes_back_to_the_minor_unit(
    books: Books, kind: str, currency: str, amounts: tuple[int, ...], tax: int
) -> None:
    active = next(row for row in books.conform("customer") if row["is_active"])["record_id"]
    head = {"number": "IN-777", "kind": kind, "legal_entity": "US01", "customer": active, "currency": currency}
    money = {"net_minor": sum(amounts), "tax_minor": tax, "total_minor": sum(amounts) + tax}
    sent = {**head, **money, "issued_on": date(2026, 11, 3), "status": "posted", "lines": lines(*amounts)}

    outcome = books.write("invoice", **sent)

    found = books.find("invoice", "number", "IN-777")
    assert outcome.state is State.CONFIRMED, outcome
    assert {name: found[name] for name in sent} == sent


def test_a_document_of_a_closed_month_is_refused_and_taken_on_the_day_that_the_plan_names(books: Books) -> None:
    active = next(row for row in books.conform("customer") if row["is_active"])["record_id"]
    head = {"number": "IN-777", "kind": "invoice", "legal_entity": "US01", "customer": active, "currency": "EUR"}
    money = {"net_minor": 100, "tax_minor": 0, "total_minor": 100, "lines": lines(100)}
    sent = {**head, **money, "issued_on": date(2026, 2, 3), "status": "posted"}

    refused = books.write("invoice", **sent)
    taken = books.write("invoice", **sent, posting_on=date(2026, 4, 1))

    assert (refused.state, refused.code) == (State.REFUSED, "closed_period")
    assert taken.state is State.CONFIRMED
    found = books.find("invoice", "number", "IN-777")
    assert (found["issued_on"], found["posting_on"]) == (date(2026, 2, 3), date(2026, 4, 1))


@pytest.mark.parametrize("status", ["open", "confirmed"])
@pytest.mark.parametrize("quantity", ["1", "2.5", "0.125"])
def test_an_order_that_is_written_comes_back_as_it_was_sent(books: Books, status: str, quantity: str) -> None:
    active = next(row for row in books.conform("customer") if row["is_active"])["record_id"]
    head = {"number": "D-777", "legal_entity": "US01", "customer": active, "currency": "USD"}
    sent = {**head, "ordered_on": date(2026, 11, 3), "status": status, "net_minor": 10056}
    sent["lines"] = lines(10055, 1, quantity=quantity)

    outcome = books.write("order", **sent)

    found = books.find("order", "number", "D-777")
    assert outcome.state is State.CONFIRMED, outcome
    assert {name: found[name] for name in sent} == sent


def test_a_quantity_of_four_places_is_refused(books: Books) -> None:
    active = next(row for row in books.conform("customer") if row["is_active"])["record_id"]
    head = {"number": "D-777", "legal_entity": "US01", "customer": active, "currency": "USD"}

    outcome = books.write(
        "order", **head, ordered_on=date(2026, 11, 3), status="open", lines=lines(1, quantity="0.0625")
    )

    assert (outcome.state, outcome.code) == (State.REFUSED, "inexact")
