"""Opening a session on the lake: DuckDB with its extensions from their wheels, and the catalog attached."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import duckdb
import psycopg

from sync_pipelines.engine.values import text
from sync_pipelines.errors import FixConfiguration
from sync_pipelines.lake.macros import MACROS
from sync_pipelines.lake.tables import TABLES

SCHEMA = "lake"
"""The schema of the PostgreSQL database in which DuckLake keeps its catalog."""

_EXTENSIONS = ("duckdb_extension_postgres_scanner", "duckdb_extension_ducklake")


def open_session(catalog: str, data: str | Path, *, memory_limit: str, threads: int) -> duckdb.DuckDBPyConnection:
    """A session with the DuckLake catalog attached as `lake` and everything in it that the engine expects."""
    place = data if isinstance(data, str) and "://" in data else str(Path(data).absolute())
    settings = {
        "autoinstall_known_extensions": "false",
        "temp_directory": str(Path(tempfile.gettempdir()) / "sync-pipelines-spill"),
        "TimeZone": "UTC",
    }
    settings |= {"memory_limit": memory_limit} if memory_limit else {}
    settings |= {"threads": str(threads)} if threads else {}
    db = duckdb.connect()
    try:
        for name, value in settings.items():
            db.execute(f"SET {name} = {text(value)}")
        for package in (*_EXTENSIONS, *(["duckdb_extension_httpfs"] if "://" in place else [])):
            db.execute(f"LOAD {text(str(_extension(package)))}")
        with _alone(catalog):
            _attach(db, catalog, place)
    except BaseException:
        db.close()
        raise
    return db


def _attach(db: duckdb.DuckDBPyConnection, catalog: str, place: str) -> None:
    # A state folder that was moved is still the same lake: the catalog names its files relative to the folder.
    options = f"DATA_PATH {text(place)}, OVERRIDE_DATA_PATH true, METADATA_SCHEMA {text(SCHEMA)}"
    try:
        db.execute(f"ATTACH {text('ducklake:postgres:' + catalog)} AS lake ({options})")
    except duckdb.Error as error:
        raise FixConfiguration(f"the lake at {place} can't be opened: {error}") from error
    existing = {
        name for (name,) in db.execute("SELECT table_name FROM duckdb_tables() WHERE database_name = 'lake'").fetchall()
    }
    for name, statements in TABLES.items():
        if name not in existing:
            for statement in statements:
                db.execute(statement)
    for statement in MACROS:
        db.execute(statement)


@contextmanager
def _alone(catalog: str) -> Iterator[None]:
    """One process at a time looks whether the catalog is there, and makes it if not."""
    try:
        connection = psycopg.connect(catalog, autocommit=True)
    except psycopg.OperationalError as error:
        raise FixConfiguration(f"the lake's catalog can't be reached: {error}") from error
    with connection:
        connection.execute("SELECT pg_advisory_lock(hashtextextended('make the lake', 0))")
        yield


def _extension(package: str) -> Path:
    """The extension in its wheel, loaded from where it lies: nothing is copied into the home folder."""
    found = find_spec(package)
    for place in (found.submodule_search_locations if found else None) or ():
        for path in Path(place).rglob("*.duckdb_extension"):
            return path
    wheel = package.replace("_", "-")
    raise FixConfiguration(f"this lake needs the package {wheel} in DuckDB's version {duckdb.__version__}: install it")
