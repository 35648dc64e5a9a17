from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync_pipelines import mappings
from sync_pipelines.domains import DOMAINS
from sync_pipelines.domains.money import exponent, major
from sync_pipelines.domains.schema import META, sql_type
from sync_pipelines.engine.plan import NOTHING
from sync_pipelines.lake.macros import MACROS

READ = ["customer", "product", "pricing", "order", "invoice"]
CURRENCIES = ("USD", "EUR", "JPY", "BHD")


class Account:
    """Records of a NetSuite account as mappings see them: every value a text, nulls left out."""

    def __init__(self, db: duckdb.DuckDBPyConnection) -> None:
        self.db = db
        for statement in MACROS:
            db.execute(statement)
        db.execute("CREATE TABLE log (object VARCHAR, record_id VARCHAR, is_deleted BOOLEAN, payload VARCHAR)")
        db.execute("CREATE SCHEMA netsuite")
        for name, shape in mappings.objects("netsuite").items():
            db.execute(f"""
                CREATE VIEW netsuite."{name}" AS
                SELECT record_id, 'v' || record_id AS version, is_deleted, now() AS extracted_at,
                       unnest(from_json(payload, '{json.dumps(shape)}'))
                FROM log WHERE object = '{name}'
            """)

    def add(self, object: str, record_id: int, *, deleted: bool = False, **fields: str) -> None:
        payload = json.dumps({"id": str(record_id), **fields})
        self.db.execute("INSERT INTO log VALUES (?, ?, ?, ?)", [object, str(record_id), deleted, payload])

    def run(self, sql: str) -> list[dict[str, Any]]:
        result = self.db.execute(sql)
        names = [column[0] for column in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def conform(self, domain: str) -> list[dict[str, Any]]:
        return self.run(f"SELECT * FROM ({mappings.read_sql('netsuite', domain)}) ORDER BY record_id")

    def request(self, domain: str, *, held: dict[str, Any] | None = None, **write: Any) -> dict[str, Any]:
        """The request for one planned write; `held` is what an update leaves as it is."""
        fields = {"posting_on": "DATE", **{field.name: sql_type(field) for field in DOMAINS[domain].fields}}
        meta = dict.fromkeys(("write_id", "operation", "link_id", "record_id", "external_id", "label"), "VARCHAR")
        row = {"write_id": "w", "operation": "update" if write.get("record_id") else "create", **write}
        for table, values in (("writes", row), ("desired", {**(held or {}), **row})):
            columns = ", ".join(f"{name} {kind}" for name, kind in {**meta, **fields}.items())
            self.db.execute(f"CREATE OR REPLACE TABLE {table} ({columns})")
            marks = ", ".join("?" for _ in (*meta, *fields))
            self.db.execute(f"INSERT INTO {table} VALUES ({marks})", [values.get(name) for name in (*meta, *fields)])
        (found,) = self.run(mappings.write_sql("netsuite", domain) or "")
        return {**found, "body": _sent(json.loads(found["body"], parse_float=Decimal))}


def _sent(value: Any) -> Any:
    """What is left of a body without its nulls."""
    if isinstance(value, dict):
        return {key: _sent(item) for key, item in value.items() if item is not None}
    return [_sent(item) for item in value] if isinstance(value, list) else value


def furnished(db: duckdb.DuckDBPyConnection) -> Account:
    """A company with its lists, a customer in Germany and two items."""
    made = Account(db)
    made.add("subsidiary", 1, externalid="US01", name="Meridian Software Inc", currency="1", isinactive="F")
    made.add("subsidiary", 2, name="Meridian GmbH", parent="1", currency="2", isinactive="F")
    for number, symbol in enumerate(CURRENCIES, start=1):
        made.add("currency", number, symbol=symbol, isinactive="F")
    made.add("account", 54, acctnumber="4000")
    made.add("salesTaxItem", 5, itemid="VAT", taxtype="1", rate="20")
    month = {"isquarter": "F", "isyear": "F", "isadjust": "F", "closed": "F", "arlocked": "F", "alllocked": "F"}
    made.add("accountingPeriod", 11, startdate="2026-11-01", enddate="2026-11-30", **month)
    made.add("accountingPeriod", 12, startdate="2026-12-01", enddate="2026-12-31", **month)
    made.add("accountingPeriod", 1, startdate="2026-01-01", enddate="2026-12-31", **{**month, "isyear": "T"})
    made.add("customer", 7, entityid="C-00001", companyname="Müller & Söhne", isinactive="F")
    made.add("serviceSaleItem", 41, itemid="SKU-1", displayname="Desk", isinactive="F")
    made.add("serviceSaleItem", 42, itemid="SKU-2", displayname="Lamp", isinactive="T")
    return made


@pytest.fixture
def account() -> Iterator[Account]:
    with duckdb.connect() as db:
        yield furnished(db)


def document(account: Account, object: str, record_id: int = 21, **fields: str) -> None:
    told = {"tranid": "IN-1", "trandate": "2026-11-03", "entity": "7", "currency": "2", "status": "A"}
    told |= {"transactionline_subsidiary": "1", "postingperiod": "11", "lastmodifiedby": "3"}
    account.add(object, record_id, **{**told, **fields})


def line(account: Account, number: int, *, of: int = 21, **fields: str) -> None:
    told = {"transaction": str(of), "linesequencenumber": str(number), "item": "41", "taxline": "F"}
    account.add("transactionLine", of * 1000 + number, **{**told, **fields})


@pytest.mark.parametrize("domain", READ)
def test_a_mapping_selects_canonical_columns_only_and_all_that_are_required(domain: str) -> None:
    columns = mappings.columns("netsuite", domain)
    fields = {field.name: field for field in DOMAINS[domain].fields}

    assert set(columns) <= set(fields) | set(META)
    assert {"record_id", "version", "is_deleted", "label"} <= set(columns)
    assert {name for name, field in fields.items() if field.required} <= set(columns)


@pytest.mark.parametrize("domain", READ)
def test_every_column_is_traced_to_fields_of_netsuite(domain: str) -> None:
    lineage = mappings.lineage("netsuite", domain)

    assert {name for name, sources in lineage.items() if not sources} <= {"kind"}
    assert all(source.startswith("netsuite/") for sources in lineage.values() for source in sources)


def test_the_records_that_are_written_are_named() -> None:
    assert mappings.written("netsuite", "invoice") == {"invoice", "creditMemo"}
    assert mappings.keeps_posting_date("netsuite", "invoice")


def test_a_customer_is_told_with_its_default_billing_address(account: Account) -> None:
    address = {"entityaddress_addr1": "Ring 1", "entityaddress_addr2": "Hof", "entityaddress_country": "DE"}
    account.add("customer", 8, entityid="C-2", companyname="Größe 𝄞", isinactive="T", email="a@m.example", **address)

    bare, found = account.conform("customer")

    assert (bare["street"], bare["email"], bare["is_active"]) == (None, None, True)
    assert (found["name"], found["street"], found["country"]) == ("Größe 𝄞", "Ring 1\nHof", "DE")
    assert (found["number"], found["is_active"]) == ("C-2", False)


def test_a_new_customer_belongs_to_the_topmost_subsidiary_and_may_use_every_currency(account: Account) -> None:
    request = account.request("customer", number="C-9", name="Acme", city="Troy", country="US", is_active=True)

    assert (request["external_id"], request["object"]) == ("CUST-C-9", "customer")
    address = {"defaultBilling": True, "addressBookAddress": {"city": "Troy", "country": {"id": "US"}}}
    assert request["body"] == {
        "entityId": "C-9",
        "companyName": "Acme",
        "isInactive": False,
        "subsidiary": {"id": "1"},
        "currency": {"id": "1"},
        "currencyList": {"items": [{"currency": {"id": str(number)}} for number in (1, 2, 3, 4)]},
        "addressBook": {"items": [address]},
    }


def test_an_update_touches_what_changed_and_names_the_line_of_the_address(account: Account) -> None:
    account.add("customer", 8, entityid="C-2", entityaddressbook_internalid="3", entityaddress_addr2="Hof")

    request = account.request("customer", record_id="8", street="Ring 2", phone="", held={"name": "Acme"})

    address = {"addr1": "Ring 2", "addr2": NOTHING}
    assert request["body"] == {"phone": NOTHING, "addressBook": {"items": [{"id": "3", "addressBookAddress": address}]}}


def test_a_product_is_an_item_under_its_code(account: Account) -> None:
    first, second = account.conform("product")

    assert (first["code"], first["name"], first["is_active"]) == ("SKU-1", "Desk", True)
    assert not second["is_active"]


def test_a_new_product_earns_on_the_revenue_account_and_an_update_does_not_say_so(account: Account) -> None:
    made = account.request("product", code="SKU-9", name="Vault", description="Cold", is_active=True)
    changed = account.request("product", record_id="41", description="", held={"code": "SKU-1"})

    assert made["external_id"] == "ITEM-SKU-9"
    assert (made["body"]["incomeAccount"], made["body"]["subsidiary"]) == ({"id": "54"}, {"items": [{"id": "1"}]})
    assert changed["body"] == {"salesDescription": NOTHING}


def test_a_price_is_the_base_price_of_an_item_to_the_minor_unit(account: Account) -> None:
    for currency, (number, price) in enumerate((("1", "30.5"), ("3", "3000"), ("4", "1.234")), start=1):
        account.add("pricing", currency, item="41", currency=number, pricelevel="1", unitprice=price)
    account.add("pricing", 9, item="41", currency="1", pricelevel="2", unitprice="28")

    told = [(row["currency"], row["amount_minor"], row["product"]) for row in account.conform("pricing")]

    assert told == [("USD", 3050, "41"), ("JPY", 3000, "41"), ("BHD", 1234, "41")]


@pytest.mark.parametrize(
    ("status", "told"), [("A", "open"), ("B", "confirmed"), ("G", "confirmed"), ("C", "cancelled"), ("H", "cancelled")]
)
def test_a_sales_order_is_an_order_in_the_state_that_it_has_reached(account: Account, status: str, told: str) -> None:
    document(account, "salesOrder", status=status, otherrefnum="D-00001")
    line(account, 2, quantity="-1.5", foreignamount="-9")
    line(account, 1, quantity="-3", foreignamount="-91.5", item="42")

    (found,) = account.conform("order")

    assert (found["number"], found["status"], found["net_minor"]) == ("D-00001", told, 10050)
    assert json.loads(found["lines"]) == [
        {"product": "SKU-2", "quantity": "3", "amount_minor": 9150},
        {"product": "SKU-1", "quantity": "1.5", "amount_minor": 900},
    ]
    assert (found["legal_entity"], found["customer"], found["ordered_on"]) == ("US01", "7", date(2026, 11, 3))


def test_an_order_is_sent_with_the_amounts_of_its_lines(account: Account) -> None:
    lines = '[{"product":"SKU-1","quantity":"3","amount_minor":10000},{"product":"X","quantity":"1","amount_minor":1}]'
    order = {"number": "D-2", "legal_entity": "US01", "customer": "7", "ordered_on": date(2026, 8, 9)}

    request = account.request("order", **order, status="confirmed", currency="JPY", lines=lines)

    assert (request["external_id"], request["object"], request["then"]) == ("SO-D-2", "salesOrder", [])
    body = request["body"]
    assert (body["currency"], body["tranDate"], body["orderStatus"]) == ({"id": "3"}, "2026-08-09", {"id": "B"})
    first, unknown = body["item"]["items"]
    assert first["item"] == {"id": "41"}
    assert (first["quantity"], first["amount"], first["rate"]) == (3, 10000, Decimal("3333.3333"))
    assert unknown["item"] == {"id": "-1"}


@pytest.mark.parametrize(
    ("status", "told", "settled"), [("A", "posted", False), ("B", "posted", True), ("D", "draft", False)]
)
def test_an_invoice_has_the_status_that_the_books_give_it(
    account: Account, status: str, told: str, settled: bool
) -> None:
    document(account, "invoice", status=status, foreigntotal="120.6")
    line(account, 1, quantity="-1", foreignamount="-100.5")
    line(account, 501, foreignamount="-20.1", taxline="T")

    (found,) = account.conform("invoice")

    assert (found["status"], found["is_settled"], found["kind"]) == (told, settled, "invoice")
    assert (found["net_minor"], found["tax_minor"], found["total_minor"]) == (10050, 2010, 12060)
    assert (found["number"], found["posting_on"], found["edited_by"]) == ("IN-1", None, "netsuite employee 3")
    assert json.loads(found["lines"]) == [{"product": "SKU-1", "quantity": "1", "amount_minor": 10050}]


def test_a_credit_memo_is_a_credit_with_negative_amounts(account: Account) -> None:
    document(account, "creditMemo", tranid="CN-1", currency="3", foreigntotal="-3000")
    line(account, 1, quantity="2", foreignamount="3000")

    (found,) = account.conform("invoice")

    assert (found["kind"], found["total_minor"], found["net_minor"]) == ("credit", -3000, -3000)
    assert json.loads(found["lines"])[0]["quantity"] == "-2"


def test_an_invoice_and_the_credit_memo_that_voids_it_count_no_more(account: Account) -> None:
    document(account, "invoice", 21, status="B", foreigntotal="100")
    document(account, "invoice", 22, foreigntotal="100")
    document(account, "creditMemo", 23, externalid="VOID-21", status="B", foreigntotal="-100")

    assert [row["status"] for row in account.conform("invoice")] == ["void", "posted", "void"]


def test_a_document_that_was_posted_in_another_period_tells_its_first_day(account: Account) -> None:
    document(account, "invoice", postingperiod="12", foreigntotal="100")

    assert account.conform("invoice")[0]["posting_on"] == date(2026, 12, 1)


INVOICE = {
    "number": "IN-2",
    "legal_entity": "US01",
    "customer": "7",
    "issued_on": date(2026, 11, 7),
    "status": "posted",
}


def test_a_credit_is_sent_as_a_credit_memo_with_its_amounts_turned_round(account: Account) -> None:
    lines = '[{"product":"SKU-1","quantity":"-1","amount_minor":-3050}]'
    money = {"currency": "EUR", "net_minor": -3050, "tax_minor": -610, "total_minor": -3660}

    request = account.request("invoice", **INVOICE, kind="credit", **money, lines=lines)

    assert (request["external_id"], request["object"]) == ("CM-IN-2", "creditMemo")
    (sent,) = request["body"]["item"]["items"]
    (tax,) = request["body"]["taxDetails"]["items"]
    assert (sent["quantity"], sent["amount"], sent["rate"]) == (1, Decimal("30.50"), Decimal("30.50"))
    assert (tax["taxAmount"], tax["taxBasis"], tax["taxCode"]) == (Decimal("6.10"), Decimal("30.50"), {"id": "5"})
    assert (request["body"]["taxDetailsOverride"], request["body"]["autoApply"]) == (True, False)


def test_a_document_without_tax_says_nothing_of_taxes(account: Account) -> None:
    lines = '[{"product":"SKU-1","quantity":"1","amount_minor":3050}]'
    money = {"currency": "USD", "net_minor": 3050, "tax_minor": 0, "total_minor": 3050}

    body = account.request("invoice", **INVOICE, kind="invoice", **money, lines=lines)["body"]

    assert not {"taxDetails", "taxDetailsOverride", "postingPeriod"} & set(body)
    assert "taxDetailsReference" not in body["item"]["items"][0]


@pytest.mark.parametrize(("posting_on", "period"), [(date(2026, 12, 1), "12"), (date(2031, 1, 1), "-1")])
def test_a_document_that_the_books_take_later_names_its_period(account: Account, posting_on: date, period: str) -> None:
    lines = '[{"product":"SKU-1","quantity":"1","amount_minor":3050}]'
    money = {"currency": "USD", "net_minor": 3050, "tax_minor": 0, "total_minor": 3050}

    request = account.request("invoice", **INVOICE, kind="invoice", **money, lines=lines, posting_on=posting_on)

    assert request["body"]["postingPeriod"] == {"id": period}
    assert request["body"]["tranDate"] == "2026-11-07"


@pytest.mark.parametrize(
    ("domain", "kind", "object"),
    [
        ("order", {}, "salesOrder"),
        ("invoice", {"kind": "invoice"}, "invoice"),
        ("invoice", {"kind": "credit"}, "creditMemo"),
    ],
)
def test_a_void_says_only_that(account: Account, domain: str, kind: dict[str, str], object: str) -> None:
    request = account.request(domain, record_id="21", operation="void", number="N-1", held=kind)

    assert (request["object"], request["then"], request["body"]) == (object, ["void"], {})


def test_the_months_are_the_periods_and_a_lock_closes_them(account: Account) -> None:
    month = {"isquarter": "F", "isyear": "F", "isadjust": "F", "closed": "F", "arlocked": "T", "alllocked": "F"}
    account.add("accountingPeriod", 10, startdate="2026-10-01", enddate="2026-10-31", **month)

    rows = account.run(mappings.period_sql("netsuite") or "")

    told = {(row["legal_entity"], row["start_on"].month, row["ledger"], row["state"]) for row in rows}
    months = ((10, "closed"), (11, "open"), (12, "open"))
    assert told == {(e, m, "receivable", state) for e in ("US01", "Meridian GmbH") for m, state in months}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    amounts=st.lists(st.integers(-(10**8), 10**8), min_size=1, max_size=5),
    tax=st.integers(-(10**7), 10**7),
    currency=st.sampled_from(CURRENCIES),
    kind=st.sampled_from(["invoice", "credit"]),
)
def test_amounts_and_taxes_are_sent_to_the_minor_unit_and_sum_up(
    account: Account, amounts: list[int], tax: int, currency: str, kind: str
) -> None:
    lines = json.dumps([{"product": "SKU-1", "quantity": "1", "amount_minor": amount} for amount in amounts])
    money = {"currency": currency, "net_minor": sum(amounts), "tax_minor": tax, "total_minor": sum(amounts) + tax}

    body = account.request("invoice", **INVOICE, kind=kind, **money, lines=lines)["body"]

    way = -1 if kind == "credit" else 1
    sent = [each["amount"] for each in body["item"]["items"]]
    taxes = [each["taxAmount"] for each in body.get("taxDetails", {"items": []})["items"]]
    assert sent == [way * major(amount, currency) for amount in amounts]
    assert sum(taxes, Decimal(0)) == way * major(tax, currency)
    assert all(each == round(each, exponent(currency)) for each in taxes)
