"""The migrations and the declared tables say the same."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Table, UniqueConstraint, create_engine, inspect, text
from sqlalchemy.schema import CheckConstraint

from sync_pipelines.errors import FixConfiguration
from sync_pipelines.ledger import Ledger, migrations
from sync_pipelines.ledger.embedded import Embedded
from sync_pipelines.ledger.tables import METADATA, SCHEMA


def _differences(connection: Connection) -> list[object]:
    def ours(name: str | None, kind: str, _: object) -> bool:
        return kind != "schema" or name == SCHEMA

    options = {
        "include_schemas": True,
        "include_name": ours,
        "compare_type": True,
        "version_table": "revisions",
        "version_table_schema": SCHEMA,
    }
    context = MigrationContext.configure(connection, opts=options)
    return list(compare_metadata(context, METADATA))


def test_all_migrations_applied_equal_the_declared_tables(ledger: Ledger) -> None:
    with ledger.engine.connect() as connection:
        assert _differences(connection) == []


def test_a_table_that_is_not_as_declared_shows(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE ledger.runs ADD COLUMN smuggled text"))
        connection.execute(text("DROP INDEX ledger.links_open_record_key"))

        assert len(_differences(connection)) == 2
    engine.dispose()


@pytest.mark.parametrize("table", METADATA.sorted_tables, ids=lambda table: table.name)
def test_constraints_have_their_declared_names_and_conditions(ledger: Ledger, table: Table) -> None:
    found = inspect(ledger.engine)

    checks = {c["name"] for c in found.get_check_constraints(table.name, schema=SCHEMA)}
    keys = {c["name"] for c in found.get_unique_constraints(table.name, schema=SCHEMA)}
    primary = set(found.get_pk_constraint(table.name, schema=SCHEMA)["constrained_columns"])
    partial = {i["name"] for i in found.get_indexes(table.name, schema=SCHEMA) if i["dialect_options"]}

    assert checks == {c.name for c in table.constraints if isinstance(c, CheckConstraint)}
    assert keys == {c.name for c in table.constraints if isinstance(c, UniqueConstraint)}
    assert primary == {column.name for column in table.primary_key.columns}
    assert partial >= {i.name for i in table.indexes if i.dialect_options["postgresql"]["where"] is not None}


def test_the_named_head_is_the_newest_revision() -> None:
    scripts = ScriptDirectory(str(Path(migrations.__file__).parent))

    assert scripts.get_current_head() == migrations.HEAD
    assert len(scripts.get_heads()) == 1


def test_an_empty_database_is_migrated_once_by_any_number_of_openers(
    postgres: Embedded, new_database: Callable[..., str]
) -> None:
    url = postgres.url(new_database())

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: Ledger.open(url).close(), range(4)))

    engine = create_engine(url)
    with engine.connect() as connection:
        assert migrations.revision(connection) == migrations.HEAD
        assert connection.scalar(text("SELECT count(*) FROM ledger.audit_head")) == 1
    engine.dispose()


def test_a_database_that_does_not_exist_is_told_with_its_address(postgres: Embedded) -> None:
    with pytest.raises(FixConfiguration, match=r"nowhere.*does not exist"):
        Ledger.open(postgres.url("nowhere"))
