"""The directory: by what people look a record up and what they are shown of it, one short row a canonical record.

The ledger keeps it, so that one record can be found without the lake. It follows the canonical tables: what has
changed since it was kept last is sent, and everything where nobody knows what is kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from sync_pipelines.domains import Domain
from sync_pipelines.engine.conform import table
from sync_pipelines.engine.lake import Lake
from sync_pipelines.engine.values import quoted

KINDS = {
    "record_id": "VARCHAR",
    "number": "VARCHAR",
    "label": "VARCHAR",
    "status": "VARCHAR",
    "amount_minor": "BIGINT",
    "currency": "VARCHAR",
    "correlation_id": "VARCHAR",
    "is_deleted": "BOOLEAN",
    "refused": "VARCHAR",
}
"""The columns of an entry."""

LONGEST = 500
"""Characters of a text: what is longer is no name, and PostgreSQL's indexes have no place for it."""

_BEFORE = "directory_before"


def _clean(name: str) -> str:
    return f"left(replace({name}, chr(0), ''), {LONGEST}) AS {name}"


_CLEAN = ", ".join(_clean(name) if kind == "VARCHAR" else name for name, kind in KINDS.items())
"""The columns as PostgreSQL can keep them: without NUL, and no longer than an index has place for."""


@dataclass(frozen=True, slots=True)
class Entries:
    """What brings the kept entries of one domain and system up to date."""

    domain: str
    system: str
    fingerprint: str
    """Of all entries, once these are kept."""
    found: pa.Table
    gone: tuple[str, ...]
    """The records whose kept entries end, those that are `found` anew included."""
    is_whole: bool
    """Whether `found` is everything, and whatever was kept before ends."""


def remember(lake: Lake, domain: Domain, system: str) -> None:
    """Keep what the canonical table says now in the session, for telling afterwards what has changed."""
    lake.db.execute(f"CREATE OR REPLACE TEMP TABLE {_BEFORE} AS {_entries(lake, domain, system)}")


def changes(lake: Lake, domain: Domain, system: str, *, kept: str | None) -> Entries | None:
    """What has changed since a set of entries was kept, told by its fingerprint; None where it holds as it is."""
    now = f"({_entries(lake, domain, system)})"
    fingerprint = _fingerprint(lake, now)
    if fingerprint == kept:
        return None
    if kept is None or kept != _fingerprint(lake, _BEFORE):
        found = lake.arrow(f"SELECT {_CLEAN} FROM {now}")
        return Entries(domain.name, system, fingerprint, found, gone=(), is_whole=True)
    found = lake.arrow(f"SELECT {_CLEAN} FROM (SELECT * FROM {now} EXCEPT SELECT * FROM {_BEFORE})")
    gone = lake.rows(f"SELECT {_clean('record_id')} FROM (SELECT * FROM {_BEFORE} EXCEPT SELECT * FROM {now})")
    return Entries(domain.name, system, fingerprint, found, tuple(each for (each,) in gone), is_whole=False)


def _entries(lake: Lake, domain: Domain, system: str) -> str:
    """The entries of the records that a canonical table holds; what a system does not hold is null."""
    place = table(domain.name, system)
    held = lake.columns(place)
    if not held:
        return "SELECT {} WHERE false".format(", ".join(f"CAST(NULL AS {k}) AS {n}" for n, k in KINDS.items()))
    sources = dict(zip(KINDS, KINDS, strict=True)) | {"amount_minor": domain.amount}
    sources["number"] = "number" if "number" in held else "code"
    columns = ", ".join(
        f"{_told(sources[name], kind) if sources[name] in held else f'CAST(NULL AS {kind})'} AS {name}"
        for name, kind in KINDS.items()
    )
    return f"SELECT {columns} FROM {place} WHERE record_id IS NOT NULL"


def _told(source: str, kind: str) -> str:
    if kind == "BOOLEAN":
        return f"coalesce({quoted(source)}, false)"
    if kind == "BIGINT":
        return f"CAST({quoted(source)} AS {kind})"
    return quoted(source)


def _fingerprint(lake: Lake, relation: str) -> str:
    return ":".join(
        str(each)
        for each in lake.row(f"SELECT count(*), bit_xor(hash(t)), sum(CAST(hash(t) AS UHUGEINT)) FROM {relation} t")
    )
