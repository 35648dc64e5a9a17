"""Dagster's own storage: a database beside the ledger, described by a dagster.yaml in the state folder."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
from psycopg import errors, sql

from sync_pipelines import planes
from sync_pipelines.engine.topology import Topology
from sync_pipelines.errors import FixConfiguration
from sync_pipelines.ledger import address

HOME = "dagster"
"""The folder under the state folder that DAGSTER_HOME points to."""

DAGSTER_YAML = """\
storage:
  postgres:
    postgres_url: {url}
concurrency:
  runs:
    max_concurrent_runs: 1
retention:
  schedule:
    purge_after_days: 90
  sensor:
    purge_after_days: {{skipped: 2, started: 30, success: 30, failure: 30}}
telemetry:
  enabled: false
nux:
  enabled: false
"""


def dagster_home(topology: Topology) -> Path:
    """The folder for DAGSTER_HOME, ready to use: the server runs and Dagster's database is there."""
    given = topology.planes.database_url
    if given:
        ensure_database(given, planes.DAGSTER_DATABASE)
        return write_dagster_home(topology.state, address.psycopg2_url(given, planes.DAGSTER_DATABASE))
    server = planes.embedded(topology)
    server.ensure(planes.DAGSTER_DATABASE)
    return write_dagster_home(topology.state, server.psycopg2_url(planes.DAGSTER_DATABASE))


def ensure_database(url: str, name: str) -> None:
    """Create a database in the server that `url` names, unless it is there."""
    with psycopg.connect(address.libpq(url), autocommit=True) as connection:
        if connection.execute("select 1 from pg_database where datname = %s", (name,)).fetchone():
            return
        try:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        except errors.InsufficientPrivilege as error:
            raise FixConfiguration(
                f"Dagster needs a database of its own: create one named {name!r} in the server of DATABASE_URL, "
                "or let its role create databases"
            ) from error


def write_dagster_home(state: Path, psycopg2_url: str) -> Path:
    """Write dagster.yaml for a storage address and return the folder for DAGSTER_HOME.

    The address must name the driver psycopg2: dagster-postgres sends statements that psycopg 3 refuses.
    One run at a time, because a table of current records has one writer at a time.
    """
    if not psycopg2_url.startswith("postgresql+psycopg2://"):
        raise ValueError("Dagster's storage needs an address that starts with postgresql+psycopg2://")
    home = state.absolute() / HOME
    home.mkdir(parents=True, exist_ok=True)
    file = home / "dagster.yaml"
    text = DAGSTER_YAML.format(url=json.dumps(psycopg2_url))
    if not file.exists() or file.read_text() != text:
        file.touch(mode=0o600)
        file.write_text(text)
    return home
