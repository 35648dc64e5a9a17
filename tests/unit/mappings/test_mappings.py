"""Mappings are found, read and traced; what is missing or wrong is named with the file to mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync_pipelines import mappings
from sync_pipelines.errors import FixConfiguration

OBJECTS = """
[customers]
Name = "VARCHAR"
metadata = { sync_id = "VARCHAR", customer_number = "VARCHAR" }
address = { line1 = "VARCHAR" }
[subscriptions]
customer = "VARCHAR"
items = { data = [{ quantity = "BIGINT", price = { id = "VARCHAR" } }] }
["party.party"]
code = "VARCHAR"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "objects.toml").write_text(OBJECTS)
    return tmp_path


def write(folder: Path, sql: str, *, name: str = "customer.sql") -> None:
    (folder / "shop" / name).write_text(sql)


def traced(folder: Path, sql: str) -> dict[str, tuple[str, ...]]:
    write(folder, sql)
    return mappings.lineage("shop", "customer", folder=folder)


def test_objects_come_in_declared_order_with_their_shapes(folder: Path) -> None:
    found = mappings.objects("shop", folder=folder)

    assert list(found) == ["customers", "subscriptions", "party.party"]
    assert found["subscriptions"]["items"] == {"data": [{"quantity": "BIGINT", "price": {"id": "VARCHAR"}}]}


def test_a_system_without_declared_objects_says_which_file_to_add(tmp_path: Path) -> None:
    with pytest.raises(FixConfiguration, match=r"crm/objects\.toml is missing: add it at .*crm/objects\.toml"):
        mappings.objects("crm", folder=tmp_path)


def test_a_missing_mapping_says_which_file_to_add(folder: Path) -> None:
    with pytest.raises(FixConfiguration, match=r"shop/invoice\.sql is missing: add it at"):
        mappings.read_sql("shop", "invoice", folder=folder)


def test_a_domain_that_is_never_written_has_no_write_mapping(folder: Path) -> None:
    assert mappings.write_sql("shop", "customer", folder=folder) is None

    write(folder, "SELECT 1", name="customer.write.sql")

    assert mappings.write_sql("shop", "customer", folder=folder) == "SELECT 1"


def test_what_a_write_mapping_names_as_its_object_is_written(folder: Path) -> None:
    assert mappings.written("shop", "customer", folder=folder) == set()

    write(
        folder,
        "SELECT CASE WHEN x THEN 'customers' ELSE 'party.party' END AS object, 'a' AS body FROM writes",
        name="customer.write.sql",
    )

    assert mappings.written("shop", "customer", folder=folder) == {"customers", "party.party"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELECT FROM WHERE", r"shop/customer\.sql is not valid SQL"),
        ("DROP TABLE customers", r"shop/customer\.sql has to be one SELECT"),
        ("SELECT record_id FROM shop.refunds", r"declare it in shop/objects\.toml"),
    ],
)
def test_a_mapping_that_can_not_be_used_is_refused_by_name(folder: Path, text: str, message: str) -> None:
    write(folder, text)

    with pytest.raises(FixConfiguration, match=message):
        mappings.sources("shop", "customer", folder=folder)


def test_invalid_toml_is_refused_by_name(folder: Path) -> None:
    (folder / "shop" / "objects.toml").write_text("[customers\n")

    with pytest.raises(FixConfiguration, match=r"shop/objects\.toml is not valid TOML"):
        mappings.objects("shop", folder=folder)


def test_sources_are_the_objects_read_once_each_in_their_declared_spelling(folder: Path) -> None:
    write(
        folder,
        """
        WITH held AS (SELECT * FROM shop.SUBSCRIPTIONS)
        SELECT c.record_id FROM shop.Customers c JOIN held ON held.customer = c.record_id
        LEFT JOIN shop."party.party" p ON p.code = c.name LEFT JOIN shop.customers again ON true
        """,
    )

    found = mappings.sources("shop", "customer", folder=folder)

    assert sorted(found) == [("shop", "customers"), ("shop", "party.party"), ("shop", "subscriptions")]


def test_columns_are_what_the_mapping_selects(folder: Path) -> None:
    write(folder, "SELECT record_id, Name AS label, upper(Name) AS name FROM shop.customers")

    assert mappings.columns("shop", "customer", folder=folder) == ["record_id", "label", "name"]


def test_lineage_names_fields_by_their_path_and_declared_spelling(folder: Path) -> None:
    found = traced(
        folder,
        """SELECT record_id, upper(c.metadata.CUSTOMER_NUMBER) AS number,
                  coalesce(c.name, c.address.line1) AS label, NULL AS merged_into FROM shop.customers c""",
    )

    assert found == {
        "record_id": ("shop/customers.record_id",),
        "number": ("shop/customers.metadata.customer_number",),
        "label": ("shop/customers.Name", "shop/customers.address.line1"),
        "merged_into": (),
    }


def test_lineage_goes_through_ctes_and_subqueries(folder: Path) -> None:
    found = traced(
        folder,
        """
        WITH live AS (SELECT record_id, metadata AS facts FROM shop.customers)
        SELECT outside.facts.sync_id AS external_id,
               (SELECT max(p.code) FROM shop."party.party" p WHERE p.record_id = outside.record_id) AS code
        FROM (SELECT * FROM live) AS outside
        """,
    )

    assert found == {
        "external_id": ("shop/customers.metadata.sync_id",),
        "code": ("shop/party.party.code",),
    }


@pytest.mark.parametrize(
    "source",
    [
        "shop.subscriptions s, unnest(s.items.data) AS i(item)",
        "(SELECT unnest(items.data) AS item FROM shop.subscriptions) AS i",
        "shop.subscriptions s, LATERAL (SELECT unnest(s.items.data) AS item) AS i",
    ],
)
def test_lineage_goes_through_unnested_lists(folder: Path, source: str) -> None:
    found = traced(folder, f"SELECT i.item.price.id AS price, i.item.quantity AS quantity FROM {source}")

    assert found == {
        "price": ("shop/subscriptions.items.data.price.id",),
        "quantity": ("shop/subscriptions.items.data.quantity",),
    }


def test_lineage_of_a_union_joins_its_branches_by_position(folder: Path) -> None:
    found = traced(
        folder,
        """
        WITH both AS (
            SELECT Name AS label FROM shop.customers UNION ALL SELECT customer FROM shop.subscriptions
        )
        SELECT label FROM both
        """,
    )

    assert found == {"label": ("shop/customers.Name", "shop/subscriptions.customer")}


def test_a_mapping_that_can_not_be_traced_is_refused_by_name(folder: Path) -> None:
    with pytest.raises(FixConfiguration, match=r"shop/customer\.sql can't be traced"):
        traced(folder, "SELECT a.Name AS label FROM shop.customers a JOIN shop.customers a ON true")


def test_a_version_changes_with_everything_that_decides_what_is_computed_or_written(folder: Path) -> None:
    def version() -> str:
        return mappings.version("shop", "customer", folder=folder)

    write(folder, "SELECT record_id FROM shop.customers")
    versions = [version(), version()]
    write(folder, "SELECT record_id, Name AS label FROM shop.customers")
    versions.append(version())
    write(folder, "SELECT 1", name="customer.write.sql")
    versions.append(version())
    (folder / "shop" / "objects.toml").write_text(OBJECTS.replace("BIGINT", "VARCHAR"))
    versions.append(version())

    assert versions[0] == versions[1]
    assert len(set(versions)) == 4
    assert all(len(each) == 12 for each in versions)
