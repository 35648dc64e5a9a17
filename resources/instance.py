"""Dagster's own storage: a database beside the ledger, described by a dagster.yaml in the state folder."""

from __future__ import annotations

from pathlib import Path

import yaml

from sync_pipelines.engine.topology import Topology
from sync_pipelines.ledger import address
from sync_pipelines.ledger.embedded import Embedded

HOME = "dagster"
"""The folder under the state folder that DAGSTER_HOME points to, and the name of the database."""


def dagster_home(topology: Topology) -> Path:
    """The folder for DAGSTER_HOME, ready to use: the server runs, the database is there."""
    given = topology.planes.database_url
    if given:
        return write_dagster_home(topology.state, address.psycopg2_url(given, HOME))
    server = Embedded.start(topology.state / "postgres")
    server.ensure(HOME)
    return write_dagster_home(topology.state, server.psycopg2_url(HOME))


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
    text = yaml.safe_dump(_settings(psycopg2_url), sort_keys=False)
    if not file.exists() or file.read_text() != text:
        file.touch(mode=0o600)
        file.write_text(text)
    return home


def _settings(psycopg2_url: str) -> dict[str, object]:
    return {
        "storage": {"postgres": {"postgres_url": psycopg2_url}},
        "concurrency": {"runs": {"max_concurrent_runs": 1}},
        "run_monitoring": {"enabled": True, "start_timeout_seconds": 180},
        "retention": {
            "schedule": {"purge_after_days": 90},
            "sensor": {"purge_after_days": {"skipped": 2, "started": 30, "success": 30, "failure": 30}},
        },
        "telemetry": {"enabled": False},
        "nux": {"enabled": False},
    }
