from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from sync_pipelines import mappings
from sync_pipelines.domains import DOMAINS
from sync_pipelines.domains.schema import META
from sync_pipelines.engine.plan import NOTHING
from sync_pipelines.lake.macros import MACROS
from sync_pipelines.systems.zendesk import slot

READ = ["customer", "product", "entitlement"]
WRITES = "write_id VARCHAR, operation VARCHAR, link_id VARCHAR, record_id VARCHAR, external_id VARCHAR, label VARCHAR"


class Desk:
    """Records of a Zendesk account as mappings see them: typed views over their payloads."""

    def __init__(self, db: duckdb.DuckDBPyConnection) -> None:
        self.db = db
        for statement in MACROS:
            db.execute(statement)
        db.execute("CREATE TABLE log (object VARCHAR, record_id VARCHAR, is_deleted BOOLEAN, payload VARCHAR)")
        db.execute("CREATE SCHEMA zendesk")
        for name, shape in mappings.objects("zendesk").items():
            db.execute(f"""
                CREATE VIEW zendesk."{name}" AS
                SELECT record_id, 'v1' AS version, is_deleted, now() AS extracted_at,
                       unnest(from_json(payload, '{json.dumps(shape)}'))
                FROM log WHERE object = '{name}'
            """)
        db.execute(f"""CREATE TABLE writes ({WRITES}, number VARCHAR, customer VARCHAR, product VARCHAR,
            quantity DECIMAL(18, 4), start_on DATE, end_on DATE, cleared VARCHAR[], name VARCHAR, country VARCHAR,
            is_active BOOLEAN)""")

    def add(self, object: str, record_id: str, *, deleted: bool = False, payload: str = "", **fields: Any) -> None:
        text = payload or json.dumps({"id": int(record_id), **fields})
        self.db.execute("INSERT INTO log VALUES (?, ?, ?, ?)", [object, record_id, deleted, text])

    def organization(self, record_id: str, name: str = "Acme GmbH", *, deleted: bool = False, **fields: Any) -> None:
        self.add("organizations", record_id, deleted=deleted, name=name, external_id=None, organization_fields=fields)

    def plan(self, write_id: str, operation: str, **fields: Any) -> None:
        given = {
            "write_id": write_id,
            "operation": operation,
            "link_id": write_id,
            "external_id": write_id,
            "cleared": [],
            **fields,
        }
        self.db.execute(
            f"INSERT INTO writes ({', '.join(given)}) VALUES ({', '.join('?' * len(given))})", list(given.values())
        )

    def run(self, sql: str) -> list[dict[str, Any]]:
        result = self.db.execute(sql)
        names = [column[0] for column in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def conform(self, domain: str) -> list[dict[str, Any]]:
        return self.run(f"SELECT * FROM ({mappings.read_sql('zendesk', domain)}) ORDER BY record_id")

    def bodies(self, domain: str) -> dict[str, dict[str, Any]]:
        rows = self.run(mappings.write_sql("zendesk", domain) or "")
        return {row["write_id"]: {**row, "body": json.loads(row["body"])} for row in rows}


@pytest.fixture
def desk() -> Iterator[Desk]:
    with duckdb.connect() as db:
        yield Desk(db)


def entitled(slot: int, number: str, **more: Any) -> dict[str, Any]:
    said = {"number": number, "product": "sku-0001", "quantity": 5, "start_on": "2026-01-01T00:00:00+00:00", **more}
    return {f"entitlement_{slot}_{name}": value for name, value in said.items()}


def said(value: Any) -> Any:
    """A body without its nulls, which are never sent."""
    return {key: said(item) for key, item in value.items() if item is not None} if isinstance(value, dict) else value


@pytest.mark.parametrize("domain", READ)
def test_a_mapping_selects_canonical_columns_only_and_all_that_are_required(domain: str) -> None:
    columns = mappings.columns("zendesk", domain)
    fields = {field.name: field for field in DOMAINS[domain].fields}

    assert set(columns) <= set(fields) | set(META)
    assert {"record_id", "version", "is_deleted", "label"} <= set(columns)
    assert {name for name, field in fields.items() if field.required} <= set(columns)


@pytest.mark.parametrize("domain", READ)
def test_every_column_is_traced_to_fields_of_zendesk(domain: str) -> None:
    lineage = mappings.lineage("zendesk", domain)

    assert all(sources for sources in lineage.values())
    assert all(source.startswith("zendesk/") for sources in lineage.values() for source in sources)
    if domain == "entitlement":
        ends = "zendesk/organizations.organization_fields.entitlement_{}_quantity"
        assert set(lineage["quantity"]) == {ends.format(number) for number in range(1, slot.SLOTS + 1)}


def test_there_are_as_many_slots_in_the_mappings_as_the_adapter_knows() -> None:
    fields = mappings.objects("zendesk")["organizations"]["organization_fields"]
    names = ("number", "product", "quantity", "start_on", "end_on")

    assert {name for name in fields if name.startswith("entitlement_")} == {
        f"entitlement_{number}_{name}" for number in range(1, slot.SLOTS + 1) for name in names
    }
    for text in (mappings.read_sql("zendesk", "entitlement"), mappings.write_sql("zendesk", "entitlement") or ""):
        assert f"range(1, {slot.SLOTS + 1})" in text


def test_a_customer_is_an_organization_and_may_name_its_record_in_the_crm(desk: Desk) -> None:
    fields = {"customer_number": "C-00001", "customer_country": "de", "is_active_customer": True}
    desk.add("organizations", "1", name="Größe & Söhne 𝄞", external_id="001A", organization_fields=fields)
    desk.add("organizations", "2", name="Bare", external_id=None, organization_fields={})

    known, bare = desk.conform("customer")

    assert (known["number"], known["name"], known["country"]) == ("C-00001", "Größe & Söhne 𝄞", "DE")
    assert (known["is_active"], known["external_id"], known["counterpart_id"]) == (True, "001A", "001A")
    assert (bare["number"], bare["country"], bare["is_active"], bare["counterpart_id"]) == (None, None, None, None)


def test_products_are_the_options_of_the_product_dropdown(desk: Desk) -> None:
    options = [{"name": "Platform", "value": "sku-0001"}, {"name": "Größe 𝄞", "value": "sku-0002"}]
    desk.add("ticket_fields", "1", title="Product", type="tagger", active=True, custom_field_options=options)
    desk.add("ticket_fields", "2", title="Area", type="tagger", active=True, custom_field_options=[{"value": "x"}])
    desk.add("ticket_fields", "3", title="Subject", type="subject", active=True)

    products = desk.conform("product")

    assert [(each["record_id"], each["code"], each["name"]) for each in products] == [
        ("sku-0001", "SKU-0001", "Platform"),
        ("sku-0002", "SKU-0002", "Größe 𝄞"),
    ]
    assert all(each["is_active"] and not each["is_deleted"] for each in products)


def test_an_entitlement_is_a_slot_with_a_number(desk: Desk) -> None:
    fields = {**entitled(1, "E-1"), **entitled(2, " "), **entitled(12, "E-12", end_on="2026-12-31T00:00:00+00:00")}
    desk.organization("42", **fields)
    desk.organization("43", deleted=True, **entitled(1, "E-9"))

    first, last, gone = desk.conform("entitlement")

    assert (first["record_id"], last["record_id"], gone["record_id"]) == ("42/1", "42/12", "43/1")
    assert (first["number"], first["customer"], first["product"]) == ("E-1", "42", "sku-0001")
    assert (first["quantity"], first["start_on"], first["end_on"]) == (Decimal("5.0000"), "2026-01-01", None)
    assert (last["end_on"], last["label"], gone["is_deleted"]) == ("2026-12-31", "sku-0001 for Acme GmbH", True)


@pytest.mark.parametrize("written", ["5", "5.0", "2.5", "0.0001", "99999999.9999", "12345678.1", "-1"])
def test_a_quantity_is_exact_and_a_version_the_one_that_the_adapter_tells(desk: Desk, written: str) -> None:
    fields = {**entitled(3, "Ä-1 𝄞"), "entitlement_3_quantity": "Q", "entitlement_3_end_on": "2026-12-31"}
    payload = json.dumps({"id": 42, "name": "Acme", "organization_fields": fields}).replace('"Q"', written)
    desk.add("organizations", "42", payload=payload)

    (conformed,) = desk.conform("entitlement")
    found = slot.found(payload.encode(), slot.Place("42", 3))

    assert conformed["quantity"] == Decimal(written)
    assert found is not None
    assert (found.record_id, found.version) == (conformed["record_id"], conformed["version"])


@pytest.mark.parametrize("missing", ["product", "quantity", "start_on"])
def test_a_half_filled_slot_has_the_version_that_the_adapter_tells(desk: Desk, missing: str) -> None:
    fields = entitled(1, " E-1 ", **{missing: None})
    payload = json.dumps({"id": 42, "name": "Acme", "organization_fields": fields})
    desk.add("organizations", "42", payload=payload)

    (conformed,) = desk.conform("entitlement")
    found = slot.found(payload.encode(), slot.Place("42", 1))

    assert (conformed["number"], conformed[missing]) == ("E-1", None)
    assert found is not None
    assert found.version == conformed["version"]


def test_of_a_customer_only_what_changed_is_sent(desk: Desk) -> None:
    desk.plan("new", "create", name="Acme 𝄞", number="C-1", country="DE", is_active=False)
    desk.plan("old", "update", record_id="42", country="FR")

    bodies = desk.bodies("customer")

    assert said(bodies["new"]["body"]) == {
        "name": "Acme 𝄞",
        "organization_fields": {"customer_number": "C-1", "customer_country": "DE", "is_active_customer": False},
    }
    assert said(bodies["old"]["body"]) == {"organization_fields": {"customer_country": "FR"}}
    assert {each["object"] for each in bodies.values()} == {"organizations"}
    assert (bodies["new"]["external_id"], bodies["old"]["record_id"]) == ("new", "42")


def test_new_entitlements_go_to_the_free_slots_in_the_order_of_their_numbers(desk: Desk) -> None:
    desk.organization("42", **entitled(1, "E-0"), **entitled(3, "E-9"))
    desk.organization("43")
    both = {"product": "sku-0001", "quantity": Decimal("2.5"), "start_on": date(2026, 1, 1)}
    desk.plan("b", "create", number="E-2", customer="42", end_on=date(2026, 12, 31), **both)
    desk.plan("a", "create", number="E-1", customer="42", **both)
    desk.plan("c", "create", number="E-3", customer="43", **both)

    bodies = desk.bodies("entitlement")

    assert {name: each["external_id"] for name, each in bodies.items()} == {
        "a": "42/2/E-1",
        "b": "42/4/E-2",
        "c": "43/1/E-3",
    }
    assert bodies["b"]["body"]["organization_fields"] == {
        "entitlement_4_number": "E-2",
        "entitlement_4_product": "sku-0001",
        "entitlement_4_quantity": 2.5,
        "entitlement_4_start_on": "2026-01-01",
        "entitlement_4_end_on": "2026-12-31",
    }
    assert bodies["a"]["body"]["organization_fields"]["entitlement_2_end_on"] == NOTHING


def test_where_no_slot_is_free_nothing_is_written(desk: Desk) -> None:
    desk.organization("42", **{k: v for n in range(1, 12) for k, v in entitled(n, f"E-{n}").items()})
    desk.plan("fits", "create", number="E-98", customer="42")
    desk.plan("not", "create", number="E-99", customer="42")
    desk.plan("gone", "create", number="E-1", customer="43")

    assert {name: each["external_id"] for name, each in desk.bodies("entitlement").items()} == {"fits": "42/12/E-98"}


def test_an_entitlement_is_changed_in_its_slot_and_its_end_is_cleared_only_on_purpose(desk: Desk) -> None:
    desk.organization("42", **entitled(7, "E-7"))
    desk.plan("more", "update", record_id="42/7", quantity=Decimal("7"))
    desk.plan("open", "update", record_id="42/7", cleared=["end_on"])
    desk.plan("moved", "update", record_id="42/7", customer="43")

    bodies = desk.bodies("entitlement")

    assert said(bodies["more"]["body"]) == {"organization_fields": {"entitlement_7_quantity": 7}}
    assert said(bodies["open"]["body"]) == {"organization_fields": {"entitlement_7_end_on": NOTHING}}
    assert said(bodies["moved"]["body"]) == {"organization_fields": {}}
    assert {each["record_id"] for each in bodies.values()} == {"42/7"}
