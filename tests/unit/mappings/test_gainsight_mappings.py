from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from sync_pipelines import mappings
from sync_pipelines.domains import DOMAINS
from sync_pipelines.domains.schema import META, sql_type
from sync_pipelines.lake.macros import MACROS

WRITES = "write_id VARCHAR, operation VARCHAR, link_id VARCHAR, record_id VARCHAR, external_id VARCHAR, label VARCHAR"


class Tenant:
    """Records of a Gainsight tenant as mappings see them: typed views over their payloads."""

    def __init__(self, db: duckdb.DuckDBPyConnection) -> None:
        self.db = db
        for statement in MACROS:
            db.execute(statement)
        db.execute("CREATE TABLE log (object VARCHAR, record_id VARCHAR, is_deleted BOOLEAN, payload VARCHAR)")
        db.execute("CREATE SCHEMA gainsight")
        for name, shape in mappings.objects("gainsight").items():
            db.execute(f"""
                CREATE VIEW gainsight."{name}" AS
                SELECT record_id, 'v1' AS version, is_deleted, now() AS extracted_at,
                       unnest(from_json(payload, '{json.dumps(shape)}'))
                FROM log WHERE object = '{name}'
            """)

    def add(self, object: str, record_id: str, *, payload: str = "", deleted: bool = False, **fields: Any) -> None:
        text = payload or json.dumps({"Gsid": record_id, **fields})
        self.db.execute("INSERT INTO log VALUES (?, ?, ?, ?)", [object, record_id, deleted, text])

    def run(self, sql: str) -> list[dict[str, Any]]:
        result = self.db.execute(sql)
        names = [column[0] for column in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def customers(self) -> list[dict[str, Any]]:
        return self.run(f"SELECT * FROM ({mappings.read_sql('gainsight', 'customer')}) ORDER BY record_id")

    def write(self, *, operation: str = "update", record_id: str | None = "A", **fields: Any) -> dict[str, Any]:
        """What is sent for one write of these fields."""
        held = DOMAINS["customer"].fields
        columns = ", ".join(f"{field.name} {sql_type(field)}" for field in held)
        self.db.execute(f"CREATE OR REPLACE TABLE writes ({WRITES}, cleared VARCHAR[], {columns})")
        values = ["w1", operation, "l1", record_id, "l1", "label", [], *(fields.get(field.name) for field in held)]
        self.db.execute(f"INSERT INTO writes VALUES ({', '.join('?' * len(values))})", values)
        (row,) = self.run(mappings.write_sql("gainsight", "customer") or "")
        assert (row["object"], row["operation"], row["record_id"], row["then"]) == ("Company", operation, record_id, [])
        return {name: value for name, value in json.loads(row["body"]).items() if value is not None}


@pytest.fixture
def tenant() -> Iterator[Tenant]:
    with duckdb.connect() as db:
        yield Tenant(db)


def test_its_columns_are_the_domains(tenant: Tenant) -> None:
    tenant.add("Company", "A", Name="Acme")
    (row,) = tenant.customers()

    known = {field.name for field in DOMAINS["customer"].fields}
    assert row.keys() <= known | set(META)


def test_a_company_is_a_customer_letter_by_letter(tenant: Tenant) -> None:
    tenant.add(
        "Company",
        "A",
        Name="Zoë Größe & 株式会社 👩‍👩‍👧",
        SfdcAccountId="0015g00000AbCdEAAV",
        Sync_Id__gc="l-1",
        Customer_Number__gc="000123",
        Country__gc="de",
        Is_Active_Customer__gc=True,
    )

    (row,) = tenant.customers()

    assert {name: row[name] for name in ("number", "name", "country", "is_active")} == {
        "number": "000123",
        "name": "Zoë Größe & 株式会社 👩‍👩‍👧",
        "country": "DE",
        "is_active": True,
    }
    assert (row["external_id"], row["counterpart_id"], row["label"]) == ("l-1", "0015g00000AbCdEAAV", row["name"])


def test_what_a_company_does_not_say_is_unknown(tenant: Tenant) -> None:
    tenant.add("Company", "A", Name="Acme", Is_Active_Customer__gc=None)

    (row,) = tenant.customers()

    assert {row[name] for name in ("number", "country", "is_active", "external_id", "counterpart_id")} == {None}


def test_a_company_that_is_gone_is_told(tenant: Tenant) -> None:
    tenant.add("Company", "A", Name="Acme", deleted=True)

    assert [row["is_deleted"] for row in tenant.customers()] == [True]


def test_only_what_changed_is_sent_and_an_empty_text_goes_along(tenant: Tenant) -> None:
    assert tenant.write(name="Acme GmbH") == {"Name": "Acme GmbH"}
    assert tenant.write(country="", is_active=False) == {"Country__gc": "", "Is_Active_Customer__gc": False}


def test_a_create_says_what_is_known(tenant: Tenant) -> None:
    sent = tenant.write(operation="create", record_id=None, name="株式会社", number="C-1", country="JP", is_active=True)

    assert sent == {
        "Name": "株式会社",
        "Customer_Number__gc": "C-1",
        "Country__gc": "JP",
        "Is_Active_Customer__gc": True,
    }


@pytest.mark.parametrize("amount", ["120000.0", "998765.00000000000", "0.01", "1234567.891", "9999999999999.99"])
def test_what_recurs_is_kept_to_its_last_digit(tenant: Tenant, amount: str) -> None:
    tenant.add("Company", "A", payload=f'{{"Name": "A", "ARR": {amount}, "RenewalDate": 1798675200000}}')

    (row,) = tenant.run("SELECT ARR, RenewalDate FROM gainsight.Company")

    assert (row["ARR"], row["RenewalDate"]) == (Decimal(amount), 1_798_675_200_000)


def test_milestones_show_their_labels(tenant: Tenant) -> None:
    told = {
        "Name": "Go-live",
        "CompanyId": "A",
        "StatusId__gr.Name": "Open",
        "IsClosed": False,
        "DueDate": "2026-11-09",
    }
    tenant.add("call_to_action", "S", **told)
    tenant.add("success_plan", "P", **{"Name": "Onboarding", "TypeId__gr.Name": "Onboarding"})

    (step,) = tenant.run("SELECT * FROM gainsight.call_to_action")
    (plan,) = tenant.run("SELECT * FROM gainsight.success_plan")

    assert {name: step[name] for name in told} == told
    assert plan["TypeId__gr.Name"] == "Onboarding"
