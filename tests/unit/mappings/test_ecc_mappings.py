"""The mappings of ECC: what extracts mean, and what is sent; the way there and back is in test_company_ecc."""

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
from sync_pipelines.lake.macros import MACROS

READ = ["customer", "order", "invoice"]


class Extracts:
    """Records of an ECC as mappings see them."""

    def __init__(self, db: duckdb.DuckDBPyConnection) -> None:
        self.db = db
        for statement in MACROS:
            db.execute(statement)
        db.execute("CREATE TABLE log (object VARCHAR, record_id VARCHAR, payload VARCHAR); CREATE SCHEMA ecc")
        for name, shape in mappings.objects("ecc").items():
            db.execute(f"""
                CREATE VIEW ecc."{name}" AS
                SELECT record_id, 'v' AS version, false AS is_deleted, now() AS extracted_at,
                       unnest(from_json(payload, '{json.dumps(shape)}'))
                FROM log WHERE object = '{name}'""")

    def told(self, domain: str, object: str, **fields: Any) -> dict[str, Any]:
        self.db.execute("DELETE FROM log")
        self.db.execute("INSERT INTO log VALUES (?, 'r', ?)", [object, json.dumps(fields)])
        (row,) = self.db.execute(mappings.read_sql("ecc", domain)).to_arrow_table().to_pylist()
        return row


@pytest.fixture
def extracts() -> Iterator[Extracts]:
    with duckdb.connect() as db:
        yield Extracts(db)


@pytest.mark.parametrize("domain", READ)
def test_a_mapping_selects_canonical_columns_only_and_all_that_are_required(domain: str) -> None:
    columns = mappings.columns("ecc", domain)
    fields = {field.name: field for field in DOMAINS[domain].fields}

    assert set(columns) <= set(fields) | set(META)
    assert {"record_id", "version", "is_deleted", "label"} <= set(columns)
    assert {name for name, field in fields.items() if field.required} <= set(columns)


@pytest.mark.parametrize("domain", READ)
def test_every_column_is_traced_to_fields_of_ecc(domain: str) -> None:
    lineage = mappings.lineage("ecc", domain)

    assert all(sources for sources in lineage.values())
    assert all(source.startswith("ecc/") for sources in lineage.values() for source in sources)


def test_the_messages_that_are_written_are_named() -> None:
    assert [mappings.written("ecc", domain) for domain in READ] == [{"DEBMAS"}, {"ORDERS"}, {"INVOIC"}]
    assert mappings.keeps_posting_date("ecc", "invoice")


@pytest.mark.parametrize(
    ("first", "second", "name"),
    [
        ("Acme", None, "Acme"),
        ("Acme", "Holding", "Acme Holding"),
        ("x" * 35, "yz", "x" * 35 + "yz"),
        ("x" * 35, " yz", "x" * 35 + " yz"),
        ("x" * 34, "yz", "x" * 34 + " yz"),
    ],
)
def test_a_name_goes_on_in_its_second_field(extracts: Extracts, first: str, second: str | None, name: str) -> None:
    assert extracts.told("customer", "DEBMAS", NAME1=first, NAME2=second)["name"] == name


@pytest.mark.parametrize(
    ("fields", "active"), [({}, True), ({"AUFSD": "01"}, False), ({"LOEVM": "X"}, False), ({"AUFSD": None}, True)]
)
def test_a_customer_that_is_blocked_or_to_be_deleted_is_not_active(
    extracts: Extracts, fields: dict[str, Any], active: bool
) -> None:
    told = extracts.told("customer", "DEBMAS", NAME1="Acme", **fields)

    assert (told["is_active"], told["street"]) == (active, None)


@pytest.mark.parametrize(
    ("fields", "status"), [({}, "confirmed"), ({"LIFSK": "01"}, "open"), ({"LIFSK": "01", "ABGRU": "Z1"}, "cancelled")]
)
def test_an_order_has_the_state_that_its_blocks_give_it(
    extracts: Extracts, fields: dict[str, str], status: str
) -> None:
    items = [{"POSNR": "000010", "MATNR": "SKU-1", "KWMENG": "1.500", "NETWR": "91.50"}]

    told = extracts.told("order", "ORDERS", VBELN="0000004711", WAERK="EUR", items=items, **fields)

    assert (told["status"], told["number"], told["net_minor"]) == (status, "0000004711", 9150)
    assert json.loads(told["lines"]) == [{"product": "SKU-1", "quantity": "1.5", "amount_minor": 9150}]


@pytest.mark.parametrize(
    ("kind", "cancelled", "told"),
    [
        ("M", None, ("invoice", "posted", 12060)),
        ("M", "X", ("invoice", "void", 12060)),
        ("N", None, ("invoice", "void", 12060)),
        ("O", None, ("credit", "posted", -12060)),
        ("S", None, ("credit", "void", -12060)),
    ],
)
def test_a_document_is_what_its_category_says(
    extracts: Extracts, kind: str, cancelled: str | None, told: tuple[str, str, int]
) -> None:
    items = [{"MATNR": "SKU-1", "FKIMG": "1", "NETWR": "100.50", "MWSBP": "20.10"}]
    head = {"XBLNR": "IN-1", "FKDAT": "2026-11-03", "BUDAT": "2026-12-01", "WAERK": "EUR"}

    row = extracts.told("invoice", "INVOIC", VBTYP=kind, FKSTO=cancelled, items=items, **head)

    assert (row["kind"], row["status"], row["total_minor"]) == told
    assert (row["issued_on"], row["posting_on"]) == (date(2026, 11, 3), date(2026, 12, 1))


def test_a_document_without_items_comes_to_nothing(extracts: Extracts) -> None:
    row = extracts.told("invoice", "INVOIC", VBTYP="M", WAERK="EUR", items=[])

    assert (row["net_minor"], row["tax_minor"], row["total_minor"], row["lines"]) == (0, 0, 0, "[]")
