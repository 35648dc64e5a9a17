"""The one place that finds and reads mappings: SQL and TOML files here, or in the package that brings an adapter."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from sync_pipelines.domains import DOMAINS
from sync_pipelines.engine.port import ADAPTERS, Shape
from sync_pipelines.errors import FixConfiguration
from sync_pipelines.mappings.lineage import trace

FOLDER = Path(__file__).parent
"""Where the product's own mappings lie: `<system>/objects.toml`, `<system>/<domain>.sql`, `.write.sql`."""

RECORD_COLUMNS: Mapping[str, str] = {
    "record_id": "VARCHAR",
    "version": "VARCHAR",
    "is_deleted": "BOOLEAN",
    "extracted_at": "TIMESTAMPTZ",
}
"""What the lake gives every object beside its declared fields."""


def objects(system: str, *, folder: Path = FOLDER) -> dict[str, Shape]:
    """The objects of a system and their fields, in the order in which `objects.toml` declares them."""
    path = _home(system, folder) / "objects.toml"
    return dict(_declarations(_text(path, f"it declares the objects and fields to read from {system}"), _name(path)))


def read_sql(system: str, domain: str, *, folder: Path = FOLDER) -> str:
    """The SELECT that turns a system's current records into a domain's canonical columns."""
    path = _home(system, folder) / f"{domain}.sql"
    return _text(path, f"it selects the {domain} domain's columns from the records of {system}")


def write_sql(system: str, domain: str, *, folder: Path = FOLDER) -> str | None:
    """The SELECT that turns planned writes into the system's requests; None where nothing is written."""
    path = _home(system, folder) / f"{domain}.write.sql"
    return path.read_text() if path.is_file() else None


def period_sql(system: str, *, folder: Path = FOLDER) -> str | None:
    """The SELECT that tells the periods of a system's books; None where the system doesn't tell them."""
    path = _home(system, folder) / "period.sql"
    return path.read_text() if path.is_file() else None


def period_sources(system: str, *, folder: Path = FOLDER) -> list[tuple[str, str]]:
    """The (system, object) pairs that tell a system's periods."""
    text, name = period_sql(system, folder=folder), f"{system}/period.sql"
    return [] if text is None else _read_by(_parse(text, name), name, folder)


def plan_sources(system: str, domain: str, *, folder: Path = FOLDER) -> list[tuple[str, str]]:
    """The (system, object) pairs that planning a domain for a system reads beside the domain's records."""
    periods = period_sources(system, folder=folder) if DOMAINS[domain].ledger else []
    return list(dict.fromkeys([*write_sources(system, domain, folder=folder), *periods]))


def keeps_posting_date(system: str, domain: str, *, folder: Path = FOLDER) -> bool:
    """Whether a write mapping has a place for the day on which the books take a document."""
    text = write_sql(system, domain, folder=folder)
    if text is None:
        return False
    named = _parse(text, f"{system}/{domain}.write.sql").find_all(exp.Column)
    return any(column.name == "posting_on" for column in named)


def constants(system: str, domain: str, *, folder: Path = FOLDER) -> set[str]:
    """The texts that a write mapping itself writes: field names, commands and types, never a record's values."""
    tokens = sqlglot.tokenize(write_sql(system, domain, folder=folder) or "", dialect="duckdb")
    return {token.text for token in tokens if token.token_type.name == "STRING"}


def columns(system: str, domain: str, *, folder: Path = FOLDER) -> list[str]:
    """The columns that a mapping selects: what this system holds of the domain, and the record columns."""
    return [column.alias_or_name for column in _parsed(system, domain, folder).selects]


def sources(system: str, domain: str, *, folder: Path = FOLDER) -> list[tuple[str, str]]:
    """The (system, object) pairs that a mapping reads, each once, as objects.toml spells them."""
    return _read_by(_parsed(system, domain, folder), f"{system}/{domain}.sql", folder)


def write_sources(system: str, domain: str, *, folder: Path = FOLDER) -> list[tuple[str, str]]:
    """The (system, object) pairs that a write mapping reads; none where nothing is written."""
    text, name = write_sql(system, domain, folder=folder), f"{system}/{domain}.write.sql"
    return [] if text is None else _read_by(_parse(text, name), name, folder)


def _read_by(query: exp.Query, name: str, folder: Path) -> list[tuple[str, str]]:
    declared: dict[str, dict[str, Shape]] = {}
    found: dict[tuple[str, str], None] = {}
    for table in query.find_all(exp.Table, bfs=False):
        if not table.db:
            continue
        if table.db not in declared:
            declared[table.db] = objects(table.db, folder=folder)
        spelled = _declared(table.name, declared[table.db])
        if spelled is None:
            raise FixConfiguration(f"{name} reads {table.db}.{table.name}: declare it in {table.db}/objects.toml")
        found[(table.db, spelled)] = None
    return list(found)


def lineage(system: str, domain: str, *, folder: Path = FOLDER) -> dict[str, tuple[str, ...]]:
    """For each canonical column the fields it is computed from, as `<system>/<object>.<field>`.

    A field inside a struct is named by its path ("stripe/customers.metadata.sync_id"); a column that
    is computed from no field (a constant) has an empty tuple.
    """
    shapes: dict[str, dict[str, Mapping[str, Any]]] = {}
    for source, name in sources(system, domain, folder=folder):
        shape = {**RECORD_COLUMNS, **objects(source, folder=folder)[name]}
        shapes.setdefault(source, {})[name] = shape
    name = f"{system}/{domain}.sql"
    return dict(_traced(read_sql(system, domain, folder=folder), name, json.dumps(shapes)))


def written(system: str, domain: str, *, folder: Path = FOLDER) -> set[str]:
    """The objects that a write mapping names in its column `object`; none where nothing is written."""
    text = write_sql(system, domain, folder=folder)
    if text is None:
        return set()
    query = _parse(text, f"{system}/{domain}.write.sql")
    named = [column for column in query.selects if column.alias_or_name == "object"]
    return {literal.this for column in named for literal in column.find_all(exp.Literal) if literal.is_string}


def version(system: str, domain: str, *, folder: Path = FOLDER) -> str:
    """A short hash of everything that decides what the mapping computes and writes."""
    objects(system, folder=folder)
    parts = (
        read_sql(system, domain, folder=folder),
        write_sql(system, domain, folder=folder) or "",
        period_sql(system, folder=folder) or "",
        (_home(system, folder) / "objects.toml").read_text(),
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def versions(systems: Sequence[str], domain: str, *, folder: Path = FOLDER) -> str:
    """The versions of a domain's mappings in several systems, as a plan names them: "stripe@3f2a… tryton@91bc…"."""
    return " ".join(f"{system}@{version(system, domain, folder=folder)}" for system in systems)


def files(system: str, domain: str, *, folder: Path = FOLDER) -> list[Path]:
    """The files that decide what a mapping computes and writes."""
    names = (f"{domain}.sql", f"{domain}.write.sql", "objects.toml")
    return [path for name in names if (path := _home(system, folder) / name).is_file()]


def _home(system: str, folder: Path) -> Path:
    """The folder of a system's mappings: the product's own, or the one that the package of an adapter brings."""
    own = folder / system
    return own if own.is_dir() or folder is not FOLDER else _brought(system) or own


@cache
def _brought(system: str) -> Path | None:
    """`mappings/<system>/` in a package that offers adapters; None where no package has it."""
    for package in sorted({point.module.partition(".")[0] for point in entry_points(group=ADAPTERS)}):
        spec = find_spec(package)
        brought = Path(spec.origin).parent / "mappings" / system if spec and spec.origin else None
        if brought is not None and brought.is_dir():
            return brought
    return None


def _parsed(system: str, domain: str, folder: Path) -> exp.Query:
    return _parse(read_sql(system, domain, folder=folder), f"{system}/{domain}.sql")


@cache
def _parse(text: str, name: str) -> exp.Query:
    try:
        query = sqlglot.parse_one(text, dialect="duckdb")
    except sqlglot.ParseError as error:
        raise FixConfiguration(f"{name} is not valid SQL: {error}") from error
    if not isinstance(query, exp.Query):
        raise FixConfiguration(f"{name} has to be one SELECT")
    return query


@cache
def _declarations(text: str, name: str) -> dict[str, Shape]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FixConfiguration(f"{name} is not valid TOML: {error}") from error


@cache
def _traced(text: str, name: str, shapes: str) -> dict[str, tuple[str, ...]]:
    try:
        return trace(_parse(text, name), json.loads(shapes))
    except SqlglotError as error:
        raise FixConfiguration(f"{name} can't be traced to its fields: {error}") from error


def _declared(name: str, declared: Mapping[str, Any]) -> str | None:
    """The declared spelling of a name; SQL compares names without case."""
    return next((spelled for spelled in declared if spelled.lower() == name.lower()), None)


def _text(path: Path, purpose: str) -> str:
    if not path.is_file():
        raise FixConfiguration(f"the mapping {_name(path)} is missing: add it at {path}; {purpose}")
    return path.read_text()


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


__all__ = [
    "FOLDER",
    "RECORD_COLUMNS",
    "columns",
    "files",
    "keeps_posting_date",
    "lineage",
    "objects",
    "period_sources",
    "period_sql",
    "plan_sources",
    "read_sql",
    "sources",
    "version",
    "versions",
    "write_sources",
    "write_sql",
    "written",
]
