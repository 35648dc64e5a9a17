"""The steps that bring a database to what `tables` declares, and the door that runs them."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, func, inspect, select, text

from sync_pipelines.ledger import guard
from sync_pipelines.ledger.tables import SCHEMA

HEAD = "0002"
"""The newest revision; a database that is at it is left alone without asking Alembic."""

_VERSIONS = "revisions"


def migrate(engine: Engine) -> bool:
    """Apply the revisions that are missing, once, however many processes ask at the same time.

    Says whether the ledger can be worked on as the application's role.
    """
    with engine.begin() as connection:
        if revision(connection) == HEAD:
            return guard.stand(connection)
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("migrate the ledger", 0))))
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
        _upgrade(connection)
        return guard.renew(connection)


def revision(connection: Connection) -> str | None:
    """The revision of a database; None where the ledger has never been in it."""
    if not inspect(connection).has_table(_VERSIONS, schema=SCHEMA):
        return None
    found: str | None = connection.scalar(text(f"SELECT version_num FROM {SCHEMA}.{_VERSIONS}"))
    return found


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    config.attributes["version_table"] = _VERSIONS
    command.upgrade(config, "head")
