"""The adapter, the mappings and the sandbox against a real Tryton server, with proteus as the witness."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import proteus
import psycopg
import pytest

from sync_pipelines import mappings
from sync_pipelines.clock import SystemClock
from sync_pipelines.domains import DOMAINS
from sync_pipelines.domains.schema import sql_type
from sync_pipelines.engine.port import Operation, Outcome, Request, State
from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.errors import FixConfiguration, RetryLater, SetAside
from sync_pipelines.lake.macros import MACROS
from sync_pipelines.ledger.embedded import Embedded
from sync_pipelines.sandbox.erp import PASSWORD, USER, Erp, ErpSeed, close_periods, seed
from sync_pipelines.systems.tryton import Tryton, open_system
from sync_pipelines.systems.tryton.session import Server

PARTY = {
    "tax_id": "",
    "email": "",
    "phone": "",
    "website": "",
    "street": "1 Main St",
    "city": "Troy",
    "postal_code": "1",
}
PARTIES = [
    {
        **PARTY,
        "code": "C-00001",
        "name": "Müller & Söhne",
        "country": "DE",
        "active": True,
        "tax_id": "DE136695976",
        "email": "ap@mueller.example",
        "phone": "+49 30 901820",
        "website": "https://mueller.example",
    },
    {**PARTY, "code": "C-00002", "name": "Acme Inc", "country": "US", "active": True, "email": "pay@acme.example"},
    {**PARTY, "code": "P0003", "name": "Gone KK", "country": "JP", "active": False},
]
PRODUCTS = [
    {"code": "SKU-0001", "name": "Seat", "description": "One user", "list_price": "30.50", "active": True},
    {"code": "SKU-0002", "name": "Storage", "description": None, "list_price": "500.00", "active": True},
    {"code": "SKU-0003", "name": "Fax", "description": None, "list_price": "9.00", "active": False},
]


def line(sku: str, quantity: int, price: str) -> dict[str, Any]:
    return {"product_code": sku, "quantity": quantity, "unit_price": Decimal(price)}


SALE = {"reference": "D-00001", "party_code": "C-00001", "date": date(2026, 2, 3), "currency": "EUR"}
SALE["lines"] = [line("SKU-0001", 3, "30.50"), line("SKU-0003", 1, "9.00")]
INVOICES = [
    {**SALE, "reference": "IN-0001", "taxed": True},
    {
        "reference": "CN-0001",
        "party_code": "P0003",
        "date": date(2026, 5, 6),
        "currency": "JPY",
        "taxed": False,
        "lines": [line("SKU-0002", -2, "1500")],
    },
]
SEED = ErpSeed(PARTIES, PRODUCTS, [SALE], INVOICES)

pytestmark = pytest.mark.xdist_group("erp")


@pytest.fixture(scope="session")
def erp(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Erp]:
    """The ERP, empty; with SYNC_TEST_STATE its template is kept from one session to the next."""
    kept = os.environ.get("SYNC_TEST_STATE")
    state = Path(kept) if kept else tmp_path_factory.mktemp("erp")
    postgres = Embedded.start(state / "postgres") if kept else request.getfixturevalue("postgres")
    erp = Erp.prepare(state, postgres, database=f"erp_test_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}")
    erp.reset()
    yield erp
    erp.stop()
    postgres.drop(erp.database)


@pytest.fixture(scope="session")
def url(erp: Erp) -> str:
    """The ERP serving, with the seed entered and the first quarter closed."""
    url = erp.start()
    seed(url, SEED)
    close_periods(url)
    return url


def settings(url: str, password: str = PASSWORD, *, user: str = USER, **said: str) -> SystemSettings:
    options = {"user": user, "password": password, **said}
    return SystemSettings("tryton", "tryton", url, calls_per_second=1000, options=options)


@pytest.fixture
def tryton(url: str) -> Tryton:
    return open_system(settings(url), clock=SystemClock())


@pytest.fixture
def witness(url: str) -> Iterator[Any]:
    """Tryton's own client library, which knows nothing of our connector."""
    with proteus.config.set_xmlrpc_session(f"{url}/rpc/", USER, PASSWORD) as config:
        config.set_context(active_test=False)
        yield lambda name: proteus.Model.get(name, config=config)


class Mapped:
    """What the mappings make of the ERP as it is now, and requests made by the write mappings."""

    def __init__(self, tryton: Tryton) -> None:
        self.tryton = tryton
        self.db = duckdb.connect()
        for statement in MACROS:
            self.db.execute(statement)
        self.db.execute("CREATE SCHEMA tryton")
        self.db.execute("CREATE TABLE log (object VARCHAR, record_id VARCHAR, version VARCHAR, payload VARCHAR)")
        for name, shape in mappings.objects("tryton").items():
            for page in tryton.read(name, shape, None):
                payloads = [payload.decode() for payload in page.payloads]
                rows = zip([name] * len(payloads), page.record_ids, page.versions, payloads, strict=True)
                self.db.executemany("INSERT INTO log VALUES (?, ?, ?, ?)", list(rows))
            self.db.execute(f"""
                CREATE VIEW tryton."{name}" AS
                SELECT record_id, version, false AS is_deleted, unnest(from_json(payload, '{json.dumps(shape)}'))
                FROM log WHERE object = '{name}'
            """)

    def conform(self, domain: str) -> dict[str, dict[str, Any]]:
        """Canonical records by their label."""
        found = self.db.execute(mappings.read_sql("tryton", domain))
        names = [column[0] for column in found.description]
        rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
        return {row["label"]: row for row in rows}

    def requests(self, domain: str, *writes: dict[str, Any]) -> list[Request]:
        """The requests of planned writes, which give `write_id`, `record_id` (None for a create) and fields."""
        fields = {field.name: sql_type(field) for field in DOMAINS[domain].fields}
        meta = dict.fromkeys(("write_id", "operation", "link_id", "record_id", "external_id", "label"), "VARCHAR") | {
            "posting_on": "DATE"
        }
        columns = {**meta, **fields}
        for table in ("writes", "desired"):
            listed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
            self.db.execute(f"CREATE OR REPLACE TABLE {table} ({listed})")
        for write in writes:
            row = {"operation": "update" if write.get("record_id") else "create", "link_id": "", **write}
            current = self.db.execute(
                f"SELECT * FROM ({mappings.read_sql('tryton', domain)}) WHERE record_id = ?", [row.get("record_id")]
            )
            held = dict(zip([c[0] for c in current.description], current.fetchone() or (), strict=False))
            marks = ", ".join("?" for _ in columns)
            self.db.execute(f"INSERT INTO writes VALUES ({marks})", [row.get(name) for name in columns])
            desired = [row.get(name) or held.get(name) for name in columns]
            self.db.execute(f"INSERT INTO desired VALUES ({marks})", desired)
        found = self.db.execute(mappings.write_sql("tryton", domain) or "")
        names = [column[0] for column in found.description]
        return [_request(dict(zip(names, row, strict=True))) for row in found.fetchall()]


def _request(row: dict[str, Any]) -> Request:
    return Request(
        write_id=row["write_id"],
        object=row["object"],
        operation=Operation(row["operation"]),
        record_id=row["record_id"],
        external_id=row["external_id"],
        body=_without_nulls(json.loads(row["body"])),
        then=tuple(row["then"]),
    )


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def lines(*items: tuple[str, str, int]) -> str:
    given = [{"product": sku, "quantity": quantity, "amount_minor": amount} for sku, quantity, amount in items]
    return json.dumps(given, separators=(",", ":"))


def customer(number: str, **fields: Any) -> dict[str, Any]:
    given = {"name": f"Customer {number}", "street": "2 Side St", "city": "Rome", "postal_code": "13440"}
    return {"write_id": number, "number": number, "country": "US", "is_active": True, **given, **fields}


def invoice(number: str, party: str, **fields: Any) -> dict[str, Any]:
    given = {"kind": "invoice", "legal_entity": "US01", "issued_on": date(2026, 6, 7), "status": "posted"}
    given |= {"currency": "USD", "net_minor": 6100, "tax_minor": 0, "lines": lines(("SKU-0001", "2", 6100))}
    return {"write_id": number, "number": number, "customer": party, **given, **fields}


def states(outcomes: Sequence[Outcome]) -> dict[str, str]:
    return {outcome.write_id: str(outcome.state) for outcome in outcomes}


def party_id(tryton: Tryton, code: str) -> str:
    return tryton.find("party.party", [code])[code].record_id


def test_everything_that_is_read_is_what_the_server_counts(tryton):
    for name, shape in mappings.objects("tryton").items():
        read = {record for page in tryton.read(name, shape, None) for record in page.record_ids}

        assert len(read) == tryton.count(name) > 0, name
        assert {record for page in tryton.ids(name) for record in page} == read, name


def test_the_mappings_give_back_what_was_entered(tryton):
    mapped = Mapped(tryton)

    customers = mapped.conform("customer")
    products = mapped.conform("product")
    prices = mapped.conform("pricing")
    assert {"Müller & Söhne", "Acme Inc", "Gone KK"} <= set(customers)
    assert "Meridian Software Inc" not in customers
    mueller = customers["Müller & Söhne"]
    assert {key: mueller[key] for key in PARTY} == {key: PARTIES[0][key] for key in PARTY}
    assert (mueller["number"], mueller["country"], mueller["is_active"]) == ("C-00001", "DE", True)
    assert customers["Gone KK"]["is_active"] is False
    assert (products["Seat"]["description"], products["Fax"]["is_active"]) == ("One user", False)
    assert (prices["Seat in USD"]["amount_minor"], prices["Seat in USD"]["currency"]) == (3050, "USD")


def test_documents_come_back_in_minor_units_with_their_lines(tryton):
    mapped = Mapped(tryton)

    sale = mapped.conform("order")["D-00001"]
    taxed, credit = (mapped.conform("invoice")[number] for number in ("IN-0001", "CN-0001"))
    assert (sale["status"], sale["net_minor"], sale["legal_entity"]) == ("confirmed", 10050, "US01")
    assert sale["lines"] == lines(("SKU-0001", "3", 9150), ("SKU-0003", "1", 900))
    assert [taxed[f"{part}_minor"] for part in ("net", "tax", "total")] == [10050, 2010, 12060]
    assert (taxed["kind"], taxed["status"], taxed["issued_on"]) == ("invoice", "posted", date(2026, 2, 3))
    assert (credit["kind"], credit["currency"], credit["total_minor"]) == ("credit", "JPY", -3000)
    assert credit["lines"] == lines(("SKU-0002", "-2", -3000))


def test_a_change_is_read_once_and_a_child_by_its_own_object(tryton, witness):
    shape = mappings.objects("tryton")["party.address"]
    before = list(tryton.read("party.address", shape, None))[-1].cursor
    parties = list(tryton.read("party.party", {"name": "VARCHAR"}, None))[-1].cursor
    address = witness("party.address").find([("party.code", "=", "C-00002")])[0]
    address.city = "Utica"
    address.save()

    changed = list(tryton.read("party.address", shape, before))

    assert tryton.changed({"party.address": before})
    assert not tryton.changed({"party.party": parties})
    latest = json.loads(changed[-1].payloads[-1])
    assert (latest["id"], latest["city"]) == (address.id, "Utica")
    assert not tryton.changed({"party.address": changed[-1].cursor})


def test_our_module_tells_in_one_call_what_one_look_an_object_tells(tryton, url):
    somebody = Server(settings(url), clock=SystemClock())
    at_once = open_system(settings(url, module="true"), clock=SystemClock())
    cursors = {name: _last(tryton, name) for name in mappings.objects("tryton")}
    quiet = [each.changed(cursors) for each in (tryton, at_once)]

    (address,) = Server.result(somebody.ask("party.address", "search", [["party.code", "=", "P0003"]]))
    somebody.tell("party.address", "write", [address], {"city": "Osaka"})
    email = {"type": "email", "value": "ap@pisa.example"}
    somebody.tell("party.party", "create", [{"name": "Pisa", "contact_mechanisms": [["create", [email]]]}])

    assert None not in cursors.values()
    assert quiet == [set(), set()]
    changed = {"party.address", "party.contact_mechanism", "party.party"}
    assert tryton.changed(cursors) == at_once.changed(cursors) == changed
    assert at_once.calls.by_route == {"model.res.user.search_read": 1, "model.sync_pipelines.look.changed": 2}


def _last(tryton: Tryton, name: str) -> Any:
    pages = list(tryton.read(name, {}, None))
    return pages[-1].cursor if pages else None


def test_a_user_without_rights_is_known_and_learns_nothing_of_what_it_may_not_read(tryton, url):
    password = "olive-Ferry-2207"
    server = Server(settings(url), clock=SystemClock())
    mine = {"companies": [["add", [1]]], "company": 1}
    server.tell("res.user", "create", [{"name": "Clerk", "login": "clerk", "password": password, **mine}])
    clerk = open_system(settings(url, password, user="clerk", module="true"), clock=SystemClock())

    assert clerk.identity() == tryton.identity()
    assert clerk.changed({"party.party": None}) == {"party.party"}
    for name in ("sale.sale", "account.invoice"):
        with pytest.raises(FixConfiguration, match="rights of the user"):
            clerk.changed({"party.party": None, name: None})
    with pytest.raises(FixConfiguration, match=r"no object or field 'ir.session'"):
        clerk.changed({"ir.session": None})


def test_a_customer_is_created_with_all_its_parts_and_updated_in_place(tryton, witness):
    created = customer("C-00101", name="Rome LLC", tax_id="US12", email="ap@rome.example", phone="+1 315 555 0100")
    requests = Mapped(tryton).requests("customer", created)

    (outcome,) = tryton.write(requests)

    party = witness("party.party")(int(outcome.record_id))
    assert (party.code, party.name, party.addresses[0].city) == ("C-00101", "Rome LLC", "Rome")
    assert {m.type: m.value for m in party.contact_mechanisms} == {
        "email": "ap@rome.example",
        "phone": "+1 315 555 0100",
    }
    assert party.customer_tax_rule.name == "Customers without VAT"

    change = {"write_id": "w", "record_id": outcome.record_id, "email": "billing@rome.example", "country": "FR"}
    tryton.write(Mapped(tryton).requests("customer", {**change, "tax_id": "FR99", "website": "https://rome.example"}))

    party = witness("party.party")(int(outcome.record_id))
    assert len(party.addresses) == len(party.identifiers) == 1
    assert (party.addresses[0].country.code, party.addresses[0].city) == ("FR", "Rome")
    assert party.identifiers[0].code == "FR99"
    assert party.customer_tax_rule.name == "Customers with VAT"
    assert {m.type: m.value for m in party.contact_mechanisms} == {
        "email": "billing@rome.example",
        "phone": "+1 315 555 0100",
        "website": "https://rome.example",
    }


def test_an_update_is_refused_when_somebody_else_was_faster(tryton, witness):
    (made,) = tryton.write(Mapped(tryton).requests("customer", customer("C-00102")))
    requests = Mapped(tryton).requests("customer", {"write_id": "w", "record_id": made.record_id, "city": "Syracuse"})
    address = witness("party.party")(int(made.record_id)).addresses[0]
    address.street = "3 Other St"
    address.save()

    with pytest.raises(SetAside) as refused:
        tryton.write(requests)

    assert refused.value.code == "drifted"
    address.reload()
    assert (address.street, address.city) == ("3 Other St", "Rome")


def test_a_product_is_created_priced_and_archived(tryton, witness):
    created = {"write_id": "p", "code": "SKU-0101", "name": "Vault", "description": "Cold", "is_active": True}
    (outcome,) = tryton.write(Mapped(tryton).requests("product", created))
    price = {"write_id": "q", "record_id": outcome.record_id, "amount_minor": 1999}
    tryton.write(Mapped(tryton).requests("pricing", price))
    tryton.write(
        Mapped(tryton).requests("product", {"write_id": "r", "record_id": outcome.record_id, "is_active": False})
    )

    template = witness("product.template")(int(outcome.record_id))

    assert (template.code, template.list_price, template.active) == ("SKU-0101", Decimal("19.9900"), False)
    variant = witness("product.product").find([("template", "=", template.id)])[0]
    assert (variant.description, variant.active) == ("Cold", False)


def test_an_order_ends_as_a_processed_sale(tryton, witness):
    write = {
        "write_id": "o",
        "number": "D-00101",
        "legal_entity": "US01",
        "customer": party_id(tryton, "C-00002"),
        "ordered_on": date(2026, 8, 9),
        "status": "confirmed",
        "currency": "USD",
        "net_minor": 10000,
        "lines": lines(("SKU-0001", "3", 10000), ("SKU-0002", "2", -500)),
    }
    (outcome,) = tryton.write(Mapped(tryton).requests("order", write))

    sale = witness("sale.sale")(int(outcome.record_id))

    assert outcome.state is State.CONFIRMED
    assert (sale.reference, sale.state, sale.untaxed_amount) == ("D-00101", "processing", Decimal("95.00"))
    assert Mapped(tryton).conform("order")["D-00101"]["lines"] == write["lines"]


def test_invoices_and_credits_are_posted_and_bound_to_their_customers_tax(tryton, witness):
    us, de = party_id(tryton, "C-00002"), party_id(tryton, "C-00001")
    writes = [
        invoice("IN-0101", us),
        invoice("CN-0101", us, kind="credit", issued_on=date(2026, 4, 1), lines=lines(("SKU-0001", "-1", -3050))),
        invoice("IN-0102", de, currency="EUR", tax_minor=1220),
    ]

    outcomes = tryton.write(Mapped(tryton).requests("invoice", *writes))

    assert set(states(outcomes).values()) == {"confirmed"}
    posted = {i.reference: i for i in witness("account.invoice").find([("reference", "like", "%-010_")])}
    assert {number: (i.state, i.number, i.total_amount) for number, i in posted.items()} == {
        "IN-0101": ("posted", "IN-0101", Decimal("61.00")),
        "CN-0101": ("posted", "CN-0101", Decimal("-30.50")),
        "IN-0102": ("posted", "IN-0102", Decimal("73.20")),
    }


def voided(write: dict[str, Any], outcome: Outcome) -> dict[str, Any]:
    return {"write_id": f"void {write['number']}", "operation": "void", "record_id": outcome.record_id}


def test_a_posted_invoice_is_voided_by_a_credit_note_and_neither_counts(tryton, witness):
    given = invoice("IN-0901", party_id(tryton, "C-00001"), currency="EUR", tax_minor=1220)
    (made,) = tryton.write(Mapped(tryton).requests("invoice", given))
    requests = Mapped(tryton).requests("invoice", voided(given, made))

    outcomes = [*tryton.write(requests), *tryton.write(requests)]

    assert [str(outcome.state) for outcome in outcomes] == ["confirmed", "confirmed"]
    (original,) = witness("account.invoice").find([("reference", "=", "IN-0901")])
    (credit,) = witness("account.invoice").find([("move", "=", original.cancel_move.id)])
    assert (original.state, original.total_amount, credit.total_amount) == (
        "cancelled",
        Decimal("73.20"),
        -Decimal("73.20"),
    )
    found = Mapped(tryton).conform("invoice")
    assert [found[label]["status"] for label in ("IN-0901", credit.number)] == ["void", "void"]


def test_a_tax_that_billing_rounded_by_line_is_in_the_books_to_the_cent_and_voided_to_the_cent(tryton, witness):
    odd = lines(("SKU-0001", "1", 999), ("SKU-0002", "2", 1998))
    given = invoice("IN-0903", party_id(tryton, "C-00001"), currency="EUR", net_minor=2997, tax_minor=600, lines=odd)
    (made,) = tryton.write(Mapped(tryton).requests("invoice", given))
    (posted,) = witness("account.invoice").find([("reference", "=", "IN-0903")])
    held = (posted.state, posted.untaxed_amount, posted.tax_amount, posted.total_amount)

    (outcome,) = tryton.write(Mapped(tryton).requests("invoice", voided(given, made)))

    assert held == ("posted", Decimal("29.97"), Decimal("6.00"), Decimal("35.97"))
    assert Mapped(tryton).conform("invoice")["IN-0903"]["tax_minor"] == 600
    assert str(outcome.state) == "confirmed"
    (original,) = witness("account.invoice").find([("reference", "=", "IN-0903")])
    (credit,) = witness("account.invoice").find([("move", "=", original.cancel_move.id)])
    assert (original.state, credit.total_amount, credit.tax_amount) == (
        "cancelled",
        -Decimal("35.97"),
        -Decimal("6.00"),
    )


@pytest.mark.parametrize(
    ("status", "state", "code"), [("open", "cancelled", ""), ("confirmed", "processing", "cannot_undo")]
)
def test_a_sale_is_cancelled_unless_it_is_being_processed(tryton, witness, status, state, code):
    given = {"write_id": "w", "number": f"SO-09-{status}", "legal_entity": "US01", "ordered_on": date(2026, 6, 7)}
    given |= {"customer": party_id(tryton, "C-00002"), "currency": "USD", "status": status}
    (made,) = tryton.write(Mapped(tryton).requests("order", {**given, "lines": lines(("SKU-0001", "2", 6100))}))

    (outcome,) = tryton.write(Mapped(tryton).requests("order", voided(given, made)))

    (sale,) = witness("sale.sale").find([("reference", "=", given["number"])])
    assert (sale.state, outcome.code) == (state, code)


def test_a_document_of_a_closed_month_is_posted_in_the_next_one_with_its_own_date(tryton, witness):
    given = invoice("IN-0902", party_id(tryton, "C-00002"), issued_on=date(2026, 3, 30))

    (outcome,) = tryton.write(Mapped(tryton).requests("invoice", {**given, "posting_on": date(2026, 6, 1)}))

    assert str(outcome.state) == "confirmed"
    (posted,) = witness("account.invoice").find([("reference", "=", "IN-0902")])
    assert (posted.invoice_date, posted.accounting_date) == (date(2026, 3, 30), date(2026, 6, 1))
    assert (posted.move.period.start_date, posted.move.date) == (date(2026, 6, 1), date(2026, 6, 1))
    assert Mapped(tryton).conform("invoice")["IN-0902"]["posting_on"] == date(2026, 6, 1)


def test_the_periods_of_the_books_come_with_their_state(tryton):
    rows = Mapped(tryton).db.execute(f"SELECT * FROM ({mappings.period_sql('tryton')}) ORDER BY start_on").fetchall()

    assert [(entity, start.month, state) for entity, _, start, _, state in rows] == [
        ("US01", month, "closed" if month < 4 else "open") for month in range(1, 13)
    ]


def test_a_refused_invoice_leaves_nothing_behind_and_the_rest_of_its_batch_is_posted(tryton, witness):
    us = party_id(tryton, "C-00002")
    writes = [
        invoice("IN-0201", us),
        invoice("IN-0202", us, issued_on=date(2026, 1, 5)),
        invoice("IN-0203", us, tax_minor=1220),
    ]

    outcomes = {o.write_id: o for o in tryton.write(Mapped(tryton).requests("invoice", *writes))}

    assert outcomes["IN-0201"].state is State.CONFIRMED
    assert (outcomes["IN-0202"].state, outcomes["IN-0202"].code) == (State.REFUSED, "closed_period")
    assert '"2026-01"' in outcomes["IN-0202"].message
    assert "Meridian" not in outcomes["IN-0202"].message
    assert (outcomes["IN-0203"].state, outcomes["IN-0203"].code) == (State.REFUSED, "invoice_taxes")
    left = witness("account.invoice").find([("reference", "in", ["IN-0201", "IN-0202", "IN-0203"])])
    assert [record.reference for record in left] == ["IN-0201"]


def test_a_write_that_is_sent_twice_happens_once(tryton, witness):
    requests = Mapped(tryton).requests("invoice", invoice("IN-0301", party_id(tryton, "C-00002")))

    first, second = tryton.write(requests), tryton.write(requests)

    assert first == second
    assert len(witness("account.invoice").find([("reference", "=", "IN-0301")])) == 1


def test_a_write_that_was_cut_short_is_found_unfinished_and_can_be_finished(tryton, witness):
    (request,) = Mapped(tryton).requests("invoice", invoice("IN-0401", party_id(tryton, "C-00002")))
    tryton.write([replace(request, then=())])
    cut_short = tryton.find("account.invoice", ["IN-0401"])["IN-0401"]

    rest = replace(request, operation=Operation.UPDATE, record_id=cut_short.record_id, body={})
    (outcome,) = tryton.write([rest])

    assert not cut_short.finished
    assert outcome.state is State.CONFIRMED
    assert tryton.find("account.invoice", ["IN-0401"])["IN-0401"].finished
    assert witness("account.invoice")(int(cut_short.record_id)).state == "posted"


def test_a_batch_with_a_record_that_can_not_be_stored_is_refused_whole(tryton, witness):
    us = party_id(tryton, "C-00002")
    unknown = invoice("IN-0502", us, lines=lines(("SKU-9999", "1", 100)))
    requests = Mapped(tryton).requests("invoice", invoice("IN-0501", us), unknown)

    with pytest.raises(SetAside) as refused:
        tryton.write(requests)

    assert refused.value.code == "unknown_reference"
    assert witness("account.invoice").find([("reference", "in", ["IN-0501", "IN-0502"])]) == []


def test_a_session_that_the_server_forgot_is_renewed(tryton, erp):
    tryton.count("party.party")
    with psycopg.connect(erp.postgres.libpq(erp.database)) as connection:
        connection.execute("delete from ir_session")

    assert tryton.count("party.party") > 0


def test_wrong_credentials_say_what_to_mend(url):
    with pytest.raises(FixConfiguration, match=r"user and password of \[systems.tryton\]"):
        open_system(settings(url, "wrong-password"), clock=SystemClock()).identity()


def test_an_unknown_field_or_object_names_the_mapping_to_mend(tryton):
    for name, shape in (("party.party", {"colour": "VARCHAR"}), ("party.planet", {"name": "VARCHAR"})):
        with pytest.raises(FixConfiguration, match="mend mappings/tryton"):
            list(tryton.read(name, shape, None))


def test_the_identity_is_that_of_the_database_and_its_company(tryton, url):
    again = open_system(settings(url), clock=SystemClock())

    assert tryton.identity() == again.identity()
    assert tryton.identity().partition("/")[2].startswith("US01@")


def test_rows_that_refer_to_nothing_are_all_named_before_anything_is_entered(url, witness):
    lost = {**SALE, "reference": "D-00999", "party_code": "C-09999", "currency": "XXX"}
    rows = ErpSeed([{**PARTIES[1], "code": "C-00998"}], PRODUCTS, [lost], [])

    with pytest.raises(ValueError, match=r"C-09999.*\n.*XXX"):
        seed(url, rows)

    assert witness("party.party").find([("code", "=", "C-00998")]) == []


def test_a_server_is_ended_by_whoever_knows_its_folder_and_a_reset_forgets_what_was_done(erp):
    other = Erp(erp.folder, erp.postgres, database=f"{erp.database}_other")
    again = Erp(erp.folder, erp.postgres, database=f"{erp.database}_other")
    other.reset()
    try:
        first = other.start()
        Server(settings(first), clock=SystemClock()).tell("party.party", "create", [{"name": "Passing"}])
        again.reset()

        with pytest.raises(RetryLater, match="can't be reached"):
            open_system(settings(first), clock=SystemClock()).identity()
        assert not other.running
        assert erp.running
        left = Server(settings(again.start()), clock=SystemClock()).ask("party.party", "search_count", [])
        assert Server.result(left) == 2
    finally:
        again.stop()
        other.stop()
        erp.postgres.drop(other.database)
