"""Opening the two planes of a topology: the given database and lake, or embedded ones in the state folder."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sync_pipelines.clock import Clock, SystemClock
from sync_pipelines.engine.topology import Topology
from sync_pipelines.ledger import Ledger, address
from sync_pipelines.ledger.embedded import Embedded

if TYPE_CHECKING:
    from sync_pipelines.lake import Lake

DATABASE = "sync"
"""The embedded database that holds the ledger and, in a schema of its own, the lake's catalog."""

DAGSTER_DATABASE = "dagster"
"""The embedded database that holds Dagster's own storage."""


def embedded(topology: Topology) -> Embedded:
    """The topology's own PostgreSQL server, started where it is not running."""
    return Embedded.start(topology.state / "postgres")


@contextmanager
def server(topology: Topology) -> Iterator[None]:
    """Have the database server up for a while: an embedded one that was not running is stopped at the end."""
    if topology.planes.database_url:
        yield
        return
    was_running = Embedded.at(topology.state / "postgres").running
    started = embedded(topology)
    try:
        yield
    finally:
        if not was_running:
            started.stop()


def database_url(topology: Topology, database: str = DATABASE) -> str:
    """Where the ledger lives; the embedded server is started for it."""
    if topology.planes.database_url:
        return address.psycopg_url(topology.planes.database_url)
    started = embedded(topology)
    started.ensure(database)
    return started.url(database)


def actor() -> str:
    """Who the audit trail names: the account of the operating system under which we run."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as containers have
        return f"uid {os.getuid()}"


@contextmanager
def open_planes(topology: Topology, *, clock: Clock | None = None) -> Iterator[tuple[Lake, Ledger]]:
    """The lake and the ledger, migrated and ready."""
    from sync_pipelines.lake import Lake  # takes longer to load than the commands that need the ledger alone to run

    url = database_url(topology)
    data = topology.planes.lake or str(topology.state / "lake")
    ledger = Ledger.open(url, clock=clock or SystemClock(), actor=actor())
    try:
        with Lake.open(catalog=address.libpq(url), data=data) as lake:
            lake.declare(topology.legal_entities)
            yield lake, ledger
    finally:
        ledger.close()
