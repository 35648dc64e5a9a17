"""What the mappings read from the simulated company is what its truth says, but for the planted differences."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pytest
from companies import SEEDS, SYSTEM_OF_KEY, by, company, truth

from sync_pipelines import mappings
from sync_pipelines.domains import DOMAINS, Kind
from sync_pipelines.lake.macros import MACROS
from sync_pipelines.sandbox.company import Company

OBJECTS = {
    "customers": "customer",
    "products": "product",
    "prices": "price",
    "subscriptions": "subscription",
    "invoices": "invoice",
    "credit_notes": "credit_note",
}
CASES = [
    (seed, system, domain)
    for seed in SEEDS
    for system in ("salesforce", "stripe")
    for domain in DOMAINS
    if (system, domain) not in {("salesforce", "invoice"), ("stripe", "order")}
]


def read(made: Company, system: str, domain: str) -> list[dict[str, Any]]:
    """The canonical records of a system, over views as the lake offers them."""
    db = duckdb.connect(config={"threads": 1})
    db.execute(f"SET TimeZone = 'UTC'; CREATE SCHEMA {system}; CREATE TABLE raw (object VARCHAR, row VARCHAR)")
    db.execute("CREATE TABLE legal_entity AS SELECT 'US01' AS code, 'America/New_York' AS \"zone\"")
    for macro in MACROS:
        db.execute(macro)
    for name, shape in mappings.objects(system).items():
        rows = made.stripe[OBJECTS[name]] if system == "stripe" else made.salesforce[name]
        if rows:
            db.executemany("INSERT INTO raw VALUES (?, ?)", [(name, json.dumps(row)) for row in rows])
        db.execute(f"""
            CREATE TABLE {system}."{name}" AS
            SELECT coalesce(row ->> 'Id', row ->> 'id') AS record_id, 'v1' AS version,
                   coalesce(CAST(row ->> 'IsDeleted' AS BOOLEAN), false) AS is_deleted,
                   unnest(from_json(row, '{json.dumps(shape)}'))
            FROM raw WHERE object = '{name}'""")
    return db.execute(mappings.read_sql(system, domain)).to_arrow_table().to_pylist()


def names(made: Company, system: str) -> dict[str, str]:
    """Customer numbers and product codes by the system's own ids."""
    ids = SYSTEM_OF_KEY[system]
    return {
        row[ids]: row[key]
        for table, key in (("customer", "number"), ("product", "code"))
        for row in truth(made, table)
        if row[ids]
    }


def same(kind: Kind, read: Any, told: Any) -> bool:
    if kind is Kind.PHONE and read and told:
        return "".join(filter(str.isdigit, read)) == "".join(filter(str.isdigit, told))
    return bool(read == told)


@pytest.mark.parametrize(("seed", "system", "domain"), CASES)
def test_a_field_differs_from_the_truth_exactly_where_that_was_planted(seed, system, domain):
    made = company(seed)
    records, known = by(read(made, system, domain), "record_id"), names(made, system)
    told = by([row for row in truth(made, domain) if row[SYSTEM_OF_KEY[system]]], SYSTEM_OF_KEY[system])

    for record_id, row in told.items():
        for field in DOMAINS[domain].fields:
            if field.name not in records[record_id] or row[field.name] is None:
                continue
            if (domain, field.name) == ("entitlement", "end_on"):
                continue  # follows the subscription's end, which is a contract's defect
            value = records[record_id][field.name]
            value = known[value] if field.refers_to else value
            differs = f"{system}.{field.name}" in row["differs"]
            assert same(field.kind, value, row[field.name]) != differs, (record_id, field.name, value)


@pytest.mark.parametrize(("seed", "system", "domain"), CASES)
def test_the_mapping_reads_every_record_of_the_truth_and_no_other(seed, system, domain):
    made, ids = company(seed), SYSTEM_OF_KEY[system]
    deleted = {row["Id"] for row in made.salesforce["Account"] if row["IsDeleted"]}
    found = {row["record_id"] for row in read(made, system, domain) if not row["is_deleted"]}

    assert found == {row[ids] for row in truth(made, domain) if row[ids] and row[ids] not in deleted}
