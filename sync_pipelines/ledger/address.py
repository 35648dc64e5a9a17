"""Addresses of a PostgreSQL database in the dialects that our libraries ask for; opens nothing."""

from __future__ import annotations

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from sync_pipelines.errors import FixConfiguration


def psycopg_url(url: str, database: str = "") -> str:
    """For SQLAlchemy on psycopg 3; `database` replaces the one that the URL names.

    >>> psycopg_url("postgres://ann@db.example/books", "lake")
    'postgresql+psycopg://ann@db.example/lake'
    """
    return _rendered(url, "postgresql+psycopg", database)


def psycopg2_url(url: str, database: str = "") -> str:
    """For dagster-postgres, which runs on psycopg2 alone."""
    return _rendered(url, "postgresql+psycopg2", database)


def libpq(url: str, database: str = "") -> str:
    """Keywords and values, as DuckDB's `attach` and `psycopg.connect` take them.

    >>> libpq("postgresql+psycopg://ann@/books?host=/run/pg")
    "dbname='books' host='/run/pg' user='ann'"
    """
    address = _parsed(url, database)
    query = {key: value if isinstance(value, str) else ",".join(value) for key, value in address.query.items()}
    words = {
        "dbname": address.database,
        "host": address.host,
        "port": address.port,
        "user": address.username,
        "password": address.password,
        **query,
    }
    return " ".join(f"{key}={_quoted(str(value))}" for key, value in words.items() if value)


def _parsed(url: str, database: str) -> URL:
    # "postgres://" is what hosting companies hand out, and SQLAlchemy no longer takes it.
    try:
        address = make_url(url.replace("postgres://", "postgresql://", 1))
    except (ArgumentError, ValueError):
        # The address itself may hold a password, so it is not told.
        raise FixConfiguration("DATABASE_URL is no address such as postgresql://user@host/database") from None
    return address.set(database=database) if database else address


def _rendered(url: str, driver: str, database: str) -> str:
    return _parsed(url, database).set(drivername=driver).render_as_string(hide_password=False)


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
