from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import duckdb
import pytest

from sync_pipelines import mappings
from sync_pipelines.domains import DOMAINS
from sync_pipelines.domains.schema import META
from sync_pipelines.engine.plan import NOTHING
from sync_pipelines.lake.macros import MACROS

READ = ["customer", "product", "pricing", "contract", "order", "entitlement"]
WRITES = "write_id VARCHAR, operation VARCHAR, link_id VARCHAR, record_id VARCHAR, external_id VARCHAR, label VARCHAR"


class Org:
    """Records of a Salesforce org as mappings see them: typed views over their payloads."""

    def __init__(self, db: duckdb.DuckDBPyConnection) -> None:
        self.db = db
        for statement in MACROS:
            db.execute(statement)
        db.execute("CREATE TABLE log (object VARCHAR, record_id VARCHAR, is_deleted BOOLEAN, payload VARCHAR)")
        db.execute("CREATE SCHEMA salesforce")
        for name, shape in mappings.objects("salesforce").items():
            db.execute(f"""
                CREATE VIEW salesforce."{name}" AS
                SELECT record_id, 'v1' AS version, is_deleted, now() AS extracted_at,
                       unnest(from_json(payload, '{json.dumps(shape)}'))
                FROM log WHERE object = '{name}'
            """)

    def add(self, object: str, record_id: str, *, deleted: bool = False, **fields: Any) -> None:
        payload = json.dumps({"attributes": {"type": object}, "Id": record_id, **fields})
        self.db.execute("INSERT INTO log VALUES (?, ?, ?, ?)", [object, record_id, deleted, payload])

    def run(self, sql: str) -> list[dict[str, Any]]:
        result = self.db.execute(sql)
        names = [column[0] for column in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def conform(self, domain: str) -> list[dict[str, Any]]:
        return self.run(f"SELECT * FROM ({mappings.read_sql('salesforce', domain)}) ORDER BY record_id")

    def bodies(self, domain: str) -> list[dict[str, Any]]:
        rows = self.run(mappings.write_sql("salesforce", domain) or "")
        return [{**row, "body": json.loads(row["body"])} for row in rows]


@pytest.fixture
def org() -> Iterator[Org]:
    with duckdb.connect() as db:
        yield Org(db)


@pytest.mark.parametrize("domain", READ)
def test_a_mapping_selects_canonical_columns_only_and_all_that_are_required(domain):
    columns = mappings.columns("salesforce", domain)
    fields = {field.name: field for field in DOMAINS[domain].fields}

    assert set(columns) <= set(fields) | set(META)
    assert {"record_id", "version", "is_deleted", "external_id", "label"} <= set(columns)
    assert {name for name, field in fields.items() if field.required} <= set(columns)


@pytest.mark.parametrize("domain", READ)
def test_every_column_is_traced_to_fields_of_salesforce(domain):
    lineage = mappings.lineage("salesforce", domain)

    assert all(sources for sources in lineage.values())
    assert all(source.startswith("salesforce/") for sources in lineage.values() for source in sources)


def test_every_declared_field_is_used_by_a_mapping():
    used = {
        source for domain in READ for sources in mappings.lineage("salesforce", domain).values() for source in sources
    }
    text = " ".join(mappings.read_sql("salesforce", domain) for domain in READ)
    declared = {(name, field) for name, shape in mappings.objects("salesforce").items() for field in shape}

    assert {f"{n}.{f}" for n, f in declared if f"salesforce/{n}.{f}" not in used and f".{f}" not in text} == set()


def test_a_customer_is_an_account_and_a_merged_one_names_its_survivor(org):
    org.add("Account", "001A", Name="Acme GmbH", AccountNumber="C-00001", BillingCountry="de", Active__c=True)
    org.add("Account", "001B", deleted=True, Name="ACME", MasterRecordId="001A")

    survivor, loser = org.conform("customer")

    assert (survivor["number"], survivor["country"], survivor["is_active"]) == ("C-00001", "DE", True)
    assert survivor["merged_into"] is None
    assert (loser["is_deleted"], loser["merged_into"], loser["label"]) == (True, "001A", "ACME")


def test_prices_come_from_the_list_books_in_minor_units_of_their_currency(org):
    org.add("Pricebook2", "01sS", Name="Standard Price Book", IsActive=True)
    org.add("Pricebook2", "01sL", Name="List JPY", IsActive=True)
    org.add("Pricebook2", "01sX", Name="List USD", IsActive=False)
    org.add("Product2", "01t1", Name="Seat", ProductCode="SKU-0001", Billing_Interval__c="month")
    entry = {"Product2Id": "01t1", "IsActive": True}
    org.add("PricebookEntry", "01u1", Pricebook2Id="01sS", UnitPrice=10.5, CurrencyIsoCode="USD", **entry)
    org.add("PricebookEntry", "01u2", Pricebook2Id="01sL", UnitPrice=1500.0, CurrencyIsoCode="JPY", **entry)
    org.add("PricebookEntry", "01u3", Pricebook2Id="01sX", UnitPrice=10.1, CurrencyIsoCode="USD", **entry)

    (price,) = org.conform("pricing")

    assert (price["record_id"], price["product"], price["currency"]) == ("01u2", "01t1", "JPY")
    assert (price["amount_minor"], price["billing_interval"]) == (1500, "month")
    assert price["label"] == "Seat in JPY"


def test_an_amount_that_binary_fractions_can_not_hold_is_exact(org):
    org.add("Pricebook2", "01sL", Name="List USD", IsActive=True)
    for number, amount in enumerate([0.29, 1.1, 4.35, 1200.07, 99999999.99]):
        org.add(
            "PricebookEntry",
            f"01u{number}",
            Pricebook2Id="01sL",
            UnitPrice=amount,
            CurrencyIsoCode="USD",
            IsActive=True,
        )

    assert [price["amount_minor"] for price in org.conform("pricing")] == [29, 110, 435, 120007, 9999999999]


def test_a_price_that_was_switched_off_is_gone(org):
    org.add("Pricebook2", "01sL", Name="List USD", IsActive=True)
    org.add("PricebookEntry", "01u1", Pricebook2Id="01sL", UnitPrice=1, CurrencyIsoCode="USD", IsActive=False)

    assert org.conform("pricing")[0]["is_deleted"] is True


@pytest.mark.parametrize(
    ("status", "canonical"),
    [("Draft", "draft"), ("Activated", "active"), ("Expired", "ended"), ("Frozen", "Frozen")],
)
def test_a_contracts_status_is_translated_and_an_unknown_one_is_passed_on(org, status, canonical):
    org.add("Contract", "8001", ContractNumber="00000101", AccountId="001A", Status=status, StartDate="2026-03-01")

    (contract,) = org.conform("contract")

    assert contract["status"] == canonical
    assert contract["start_on"] == date(2026, 3, 1)


def test_only_won_deals_are_orders(org):
    org.add("Opportunity", "0061", Name="Won", IsWon=True, Amount=1.0, CurrencyIsoCode="USD", Order_Number__c="D-1")
    org.add("Opportunity", "0062", Name="Open", IsWon=False, Amount=1.0, CurrencyIsoCode="USD")

    (order,) = org.conform("order")

    assert (order["record_id"], order["status"], order["label"]) == ("0061", "confirmed", "D-1 Won")
    assert order["lines"] == "[]"


def test_an_orders_lines_are_canonical_and_in_document_order(org):
    org.add("Opportunity", "0061", Name="Won", IsWon=True, Amount=1234.5, CurrencyIsoCode="EUR", CloseDate="2026-02-28")
    line = {"OpportunityId": "0061"}
    org.add("OpportunityLineItem", "00k2", ProductCode="SKU-2", Quantity=2.5, TotalPrice=234.5, SortOrder=2, **line)
    org.add("OpportunityLineItem", "00k1", ProductCode="SKU-1", Quantity=100.0, TotalPrice=1000, SortOrder=1, **line)
    org.add("OpportunityLineItem", "00k3", deleted=True, ProductCode="SKU-3", Quantity=1, TotalPrice=9, **line)

    (order,) = org.conform("order")

    assert order["lines"] == (
        '[{"product":"SKU-1","quantity":"100","amount_minor":100000},'
        '{"product":"SKU-2","quantity":"2.5","amount_minor":23450}]'
    )
    assert (order["net_minor"], order["ordered_on"]) == (123450, date(2026, 2, 28))


def test_an_entitlement_of_the_service_desk_is_not_ours(org):
    org.add("Entitlement", "5501", Name="Seats", Entitlement_Number__c="E-1", Quantity__c=5.0, StartDate="2026-01-01")
    org.add("Entitlement", "5502", Name="Phone support")

    assert [each["number"] for each in org.conform("entitlement")] == ["E-1"]


@pytest.mark.parametrize(("status", "word"), [("draft", "Draft"), ("active", "Activated"), ("ended", "Expired")])
def test_a_contracts_status_is_written_in_the_words_of_salesforce(org, status, word):
    org.db.execute(f"CREATE TABLE writes ({WRITES}, status VARCHAR)")
    org.db.execute("INSERT INTO writes VALUES ('w', 'update', 'link', '8001', 'link', 'x', ?)", [status])

    (write,) = org.bodies("contract")

    assert write["body"] == {"Status": word}
    assert (write["object"], write["then"]) == ("Contract", [])


def test_a_new_entitlement_is_named_after_product_and_customer_and_an_old_one_keeps_its_name(org):
    org.add("Product2", "01t1", Name="Seat")
    org.add("Account", "001A", Name="Acme GmbH")
    org.db.execute(f"""
        CREATE TABLE writes ({WRITES}, number VARCHAR, customer VARCHAR, product VARCHAR,
                             quantity DECIMAL(18, 4), start_on DATE, end_on DATE, cleared VARCHAR[]);
        INSERT INTO writes VALUES
            ('a', 'create', 'l1', NULL, 'l1', 'x', 'E-1', '001A', '01t1', 2.5, '2026-01-01', '2026-12-31', []),
            ('b', 'update', 'l2', '5502', 'l2', 'x', NULL, NULL, NULL, 3, NULL, NULL, []),
            ('c', 'update', 'l3', '5503', 'l3', 'x', NULL, NULL, NULL, NULL, NULL, NULL, ['end_on']);
    """)

    create, update, cleared = sorted(org.bodies("entitlement"), key=lambda each: each["write_id"])

    assert create["body"] == {
        "Name": "Seat for Acme GmbH",
        "Entitlement_Number__c": "E-1",
        "AccountId": "001A",
        "Product__c": "01t1",
        "Quantity__c": 2.5,
        "StartDate": "2026-01-01",
        "EndDate": "2026-12-31",
    }
    assert {key: value for key, value in update["body"].items() if value is not None} == {"Quantity__c": 3}
    assert {key: value for key, value in cleared["body"].items() if value is not None} == {"EndDate": NOTHING}
