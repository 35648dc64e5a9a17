from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import duckdb
import pytest

from sync_pipelines import mappings
from sync_pipelines.domains import DOMAINS
from sync_pipelines.domains.schema import META, sql_type
from sync_pipelines.lake.macros import MACROS

READ = ["customer", "order"]
UNREAD = {"contacts"}
"""Objects that are kept, and belong to no domain."""
WRITES = "write_id VARCHAR, operation VARCHAR, link_id VARCHAR, record_id VARCHAR, external_id VARCHAR, label VARCHAR"


class Portal:
    """Records of a HubSpot portal as mappings see them: typed views over their properties, which are texts."""

    def __init__(self, db: duckdb.DuckDBPyConnection) -> None:
        self.db = db
        for statement in MACROS:
            db.execute(statement)
        db.execute("SET TimeZone = 'UTC'")
        db.execute("CREATE TABLE legal_entity (code VARCHAR, name VARCHAR, zone VARCHAR, currency VARCHAR)")
        db.execute(
            "INSERT INTO legal_entity VALUES ('US01', 'Meridian', 'America/New_York', 'USD'),"
            " ('JP01', 'Meridian KK', 'Asia/Tokyo', 'JPY')"
        )
        db.execute("CREATE TABLE log (object VARCHAR, record_id VARCHAR, is_deleted BOOLEAN, payload VARCHAR)")
        db.execute("CREATE SCHEMA hubspot")
        for name, shape in mappings.objects("hubspot").items():
            db.execute(f"""
                CREATE VIEW hubspot.{name} AS
                SELECT record_id, 'v1' AS version, is_deleted, now() AS extracted_at,
                       unnest(from_json(payload, '{json.dumps(shape)}'))
                FROM log WHERE object = '{name}'
            """)

    def add(self, object: str, record_id: str, *, deleted: bool = False, **properties: Any) -> None:
        payload = json.dumps({"hs_object_id": record_id, **properties})
        self.db.execute("INSERT INTO log VALUES (?, ?, ?, ?)", [object, record_id, deleted, payload])

    def run(self, sql: str) -> list[dict[str, Any]]:
        result = self.db.execute(sql)
        names = [column[0] for column in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def conform(self, domain: str) -> list[dict[str, Any]]:
        return self.run(f"SELECT * FROM ({mappings.read_sql('hubspot', domain)}) ORDER BY record_id")

    def write(self, *, operation: str = "update", record_id: str | None = "7", **fields: Any) -> tuple[Any, Any]:
        """What is sent of a customer and the steps that follow, for one write of these fields."""
        held = DOMAINS["customer"].fields
        columns = ", ".join(f"{field.name} {sql_type(field)}" for field in held)
        self.db.execute(f"CREATE TABLE writes ({WRITES}, cleared VARCHAR[], {columns})")
        values = ["w1", operation, "l1", record_id, "l1", "label", [], *(fields.get(field.name) for field in held)]
        self.db.execute(f"INSERT INTO writes VALUES ({', '.join('?' * len(values))})", values)
        (row,) = self.run(mappings.write_sql("hubspot", "customer") or "")
        assert (row["object"], row["operation"], row["record_id"]) == ("companies", operation, record_id)
        return {name: value for name, value in json.loads(row["body"]).items() if value is not None}, row["then"]


@pytest.fixture
def portal() -> Iterator[Portal]:
    with duckdb.connect() as db:
        yield Portal(db)


def links(*companies: tuple[str, list[int]], lines: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "companies": [{"id": each, "types": types} for each, types in companies],
        "line_items": [{"id": each, "types": [19]} for each in lines],
    }


def won(**properties: Any) -> dict[str, Any]:
    """A won deal of the company 7."""
    return {
        "dealname": "Acme - Seats",
        "hs_is_closed": "true",
        "hs_is_closed_won": "true",
        "closedate": "2026-03-01T04:30:00.000Z",
        "amount": "0",
        "deal_currency_code": "USD",
        "order_number": "D-1",
        "legal_entity": "US01",
        "associations": links(("7", [5, 341])),
        **properties,
    }


@pytest.mark.parametrize("domain", READ)
def test_a_mapping_selects_canonical_columns_only_and_all_that_are_required(domain):
    columns = mappings.columns("hubspot", domain)
    fields = {field.name: field for field in DOMAINS[domain].fields}

    assert set(columns) <= set(fields) | set(META)
    assert {"record_id", "version", "is_deleted", "external_id", "label"} <= set(columns)
    assert {name for name, field in fields.items() if field.required} <= set(columns)


@pytest.mark.parametrize("domain", READ)
def test_every_column_is_traced_to_properties_of_hubspot(domain):
    lineage = mappings.lineage("hubspot", domain)

    assert {name for name, sources in lineage.items() if not sources} == set()
    assert all(source.startswith("hubspot/") for sources in lineage.values() for source in sources)


def test_every_declared_property_is_used_by_a_mapping():
    text = " ".join(mappings.read_sql("hubspot", domain) for domain in READ)
    shapes = {name: shape for name, shape in mappings.objects("hubspot").items() if name not in UNREAD}

    assert {f"{name}.{field}" for name, shape in shapes.items() for field in shape if field not in text} == set()


def test_a_customer_is_a_company_and_one_that_was_merged_away_names_its_survivor(portal):
    portal.add(
        "companies",
        "7",
        sync_id="l1",
        name="Müller 株式会社 𝒜",
        customer_number="C-00001",
        billing_email="ap@acme.example",
        address="Tower",
        address2="Floor 2\nDesk 1",
        city="Zürich",
        zip="08001",
        country="ch",
        lifecyclestage="customer",
    )
    portal.add("companies", "8", deleted=True, hs_object_id="7")
    portal.add("companies", "9", deleted=True, name="Archived")

    acme, merged, archived = portal.conform("customer")

    assert (acme["name"], acme["number"], acme["external_id"]) == ("Müller 株式会社 𝒜", "C-00001", "l1")
    assert (acme["street"], acme["postal_code"], acme["country"]) == ("Tower\nFloor 2\nDesk 1", "08001", "CH")
    assert (acme["is_active"], acme["merged_into"], acme["tax_id"]) == (True, None, None)
    assert (merged["is_deleted"], merged["merged_into"], merged["label"]) == (True, "7", "8")
    assert (archived["is_deleted"], archived["merged_into"], archived["label"]) == (True, None, "Archived")


@pytest.mark.parametrize(
    ("stage", "active"),
    [("customer", True), ("evangelist", True), ("lead", False), ("other", False), ("90210", False), (None, False)],
)
def test_a_company_is_active_in_the_stages_of_customers(portal, stage, active):
    portal.add("companies", "7", name="Acme", customer_number="C-1", lifecyclestage=stage)

    assert portal.conform("customer")[0]["is_active"] is active


@pytest.mark.parametrize(
    ("stage", "known", "is_customer"),
    [
        ("lead", {}, False),
        ("salesqualifiedlead", {}, False),
        ("lead", {"customer_number": "C-1"}, True),
        ("lead", {"sync_id": "l1"}, True),
        ("opportunity", {}, True),
        (None, {}, True),
    ],
)
def test_a_lead_is_no_customer_unless_it_was_called_one(portal, stage, known, is_customer):
    portal.add("companies", "7", name="Acme", lifecyclestage=stage, **known)

    assert len(portal.conform("customer")) == is_customer


def test_a_new_customer_is_sent_whole_and_starts_as_a_customer(portal):
    body, then = portal.write(
        operation="create",
        record_id=None,
        number="C-1",
        name="Acme",
        email="ap@acme.example",
        street="Tower\nFloor 2",
        postal_code="08001",
        country="CH",
        is_active=True,
    )

    assert body == {
        "customer_number": "C-1",
        "name": "Acme",
        "billing_email": "ap@acme.example",
        "address": "Tower",
        "address2": "Floor 2",
        "zip": "08001",
        "country": "CH",
        "lifecyclestage": "customer",
    }
    assert then == []


def test_only_what_changed_is_sent_and_an_empty_text_clears(portal):
    portal.add("companies", "7", name="Acme", address="Old", address2="Floor 3", lifecyclestage="customer")

    assert portal.write(phone="+41 1", tax_id="") == ({"phone": "+41 1", "tax_id": ""}, [])


def test_a_street_of_one_line_clears_the_second(portal):
    portal.add("companies", "7", name="Acme", address="Old", address2="Floor 3")

    assert portal.write(street="New") == ({"address": "New", "address2": ""}, [])


@pytest.mark.parametrize(
    ("stage", "is_active", "sent", "steps"),
    [
        (None, True, "customer", []),
        ("lead", True, "customer", []),
        ("opportunity", True, "customer", []),
        ("other", True, None, ["lifecyclestage=", "lifecyclestage=customer"]),
        ("90210", True, None, ["lifecyclestage=", "lifecyclestage=customer"]),
        ("customer", False, "other", []),
        ("evangelist", False, "other", []),
        ("lead", None, None, []),
    ],
)
def test_a_stage_moves_forward_at_once_and_back_only_after_it_was_cleared(portal, stage, is_active, sent, steps):
    portal.add("companies", "7", name="Acme", lifecyclestage=stage)

    body, then = portal.write(name="Acme AG", is_active=is_active)

    assert (body.get("lifecyclestage"), then) == (sent, steps)


def test_an_order_is_a_won_deal_on_the_day_of_its_entity(portal):
    portal.add("deals", "1", **won())
    portal.add("deals", "2", **won(legal_entity="JP01", deal_currency_code="JPY"))
    portal.add("deals", "3", **won(hs_is_closed="false", hs_is_closed_won="false"))
    portal.add("deals", "4", **won(hs_is_closed_won="false"))
    portal.add("deals", "5", **won(hs_is_closed_won="false", order_number=None))

    orders = portal.conform("order")

    assert [(each["record_id"], each["status"], each["ordered_on"]) for each in orders] == [
        ("1", "confirmed", date(2026, 2, 28)),
        ("2", "confirmed", date(2026, 3, 1)),
        ("4", "cancelled", date(2026, 2, 28)),
    ]
    assert (orders[0]["customer"], orders[0]["lines"], orders[0]["label"]) == ("7", "[]", "D-1 Acme - Seats")


@pytest.mark.parametrize(
    ("companies", "customer"),
    [
        ([("8", [341]), ("7", [5, 341])], "7"),
        ([("8", [341])], "8"),
        ([("8", [341]), ("9", [341])], None),
        ([], None),
    ],
)
def test_an_orders_customer_is_the_primary_company_or_the_only_one(portal, companies, customer):
    portal.add("deals", "1", **won(associations=links(*companies)))

    assert portal.conform("order")[0]["customer"] == customer


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("1200.07", "USD", 120007),
        ("99999999.99", "EUR", 9999999999),
        ("0.29", "USD", 29),
        ("1500", "JPY", 1500),
        ("12.345", "KWD", 12345),
        (None, "USD", None),
    ],
)
def test_an_amount_is_exact_in_the_minor_units_of_its_currency(portal, amount, currency, minor):
    portal.add("deals", "1", **won(amount=amount, deal_currency_code=currency))

    assert portal.conform("order")[0]["net_minor"] == minor


def test_an_orders_lines_are_canonical_and_in_document_order(portal):
    portal.add("deals", "1", **won(associations=links(("7", [5]), lines=("11", "9", "10", "12"))))
    portal.add("line_items", "9", hs_sku="SKU-2", quantity="2.5", amount="234.5", hs_position_on_quote="1")
    portal.add("line_items", "11", hs_sku="SKU-1", quantity="100", amount="1000.00", hs_position_on_quote="0")
    portal.add("line_items", "10", hs_sku="SKU-4", quantity="1", amount="1.10")
    portal.add("line_items", "12", deleted=True, hs_sku="SKU-3", quantity="1", amount="9")

    (order,) = portal.conform("order")

    assert json.loads(order["lines"]) == [
        {"product": "SKU-1", "quantity": "100", "amount_minor": 100000},
        {"product": "SKU-2", "quantity": "2.5", "amount_minor": 23450},
        {"product": "SKU-4", "quantity": "1", "amount_minor": 110},
    ]
