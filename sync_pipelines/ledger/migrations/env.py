"""What Alembic runs: the caller's connection and transaction, no configuration of its own."""

from __future__ import annotations

from alembic import context

from sync_pipelines.ledger.tables import METADATA, SCHEMA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=context.config.attributes["version_table"],
    version_table_schema=SCHEMA,
)
with context.begin_transaction():
    context.run_migrations()
