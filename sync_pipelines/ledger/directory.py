"""The directory: records by their numbers, labels and ids, as they were read last; and what plans hold back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Connection, delete, func, literal, or_, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.dialects.postgresql import insert as insert_or_update

from sync_pipelines.engine.correlation import BORN_WITH_THE_DEAL
from sync_pipelines.ledger.relation import given
from sync_pipelines.ledger.tables import directories, held_back, records

if TYPE_CHECKING:
    import pyarrow as pa

    from sync_pipelines.engine.directory import Entries

Address = tuple[str, str, str]
"""Domain, system and record id."""


@dataclass(frozen=True, slots=True)
class Known:
    """A record in one system, as it was read last."""

    domain: str
    system: str
    record_id: str
    number: str | None
    label: str | None
    status: str | None
    amount_minor: int | None
    currency: str | None
    correlation_id: str | None
    is_deleted: bool
    refused: str | None
    """Why the record was set aside, if it was."""

    @property
    def address(self) -> Address:
        return self.domain, self.system, self.record_id


def kept(connection: Connection, domain: str, system: str) -> str | None:
    """The fingerprint of the entries of a domain and system; None where none were ever kept."""
    return connection.scalar(
        select(directories.c.fingerprint).where(directories.c.domain == domain, directories.c.system == system)
    )


def keep(connection: Connection, entries: Entries) -> None:
    """Bring the entries of one domain and system up to date: only what changed is touched."""
    mine = (records.c.domain == entries.domain, records.c.system == entries.system)
    if entries.is_whole:
        connection.execute(delete(records).where(*mine))
    elif entries.gone:
        ids = literal(list(entries.gone), ARRAY(TEXT))
        connection.execute(delete(records).where(*mine, records.c.record_id == func.any(ids)))
    _copy(connection, entries.domain, entries.system, entries.found)
    row = {"domain": entries.domain, "system": entries.system, "fingerprint": entries.fingerprint}
    connection.execute(
        insert_or_update(directories)
        .values(row)
        .on_conflict_do_update(index_elements=["domain", "system"], set_={"fingerprint": entries.fingerprint})
    )


def _copy(connection: Connection, domain: str, system: str, found: pa.Table) -> None:
    import pyarrow as pa
    from pyarrow import csv

    whose = {"domain": domain, "system": system}
    columns = ", ".join([*whose, *found.column_names])
    cursor = connection.connection.cursor()
    with cursor.copy(f"COPY {records.fullname} ({columns}) FROM STDIN (FORMAT csv)") as copy:
        for batch in found.to_batches(max_chunksize=50_000):
            told = pa.table({**{n: pa.repeat(v, len(batch)) for n, v in whose.items()}, **_columns(batch)})
            written = BytesIO()
            csv.write_csv(told, written, csv.WriteOptions(include_header=False))
            copy.write(written.getbuffer())


def _columns(batch: pa.RecordBatch) -> dict[str, pa.Array]:
    return dict(zip(batch.schema.names, batch.columns, strict=True))


def named(connection: Connection, word: str) -> list[Known]:
    """The records of every domain and system that a word names: by number or label in any case, or by id."""
    return _found(
        connection, or_(_is_one_of("number", [word]), _is_one_of("label", [word]), records.c.record_id == word)
    )


def family(
    connection: Connection, known: Collection[Known], leaders: Mapping[str, str]
) -> tuple[set[str], list[Known]]:
    """The deals that records belong to, and all records of these deals in any system.

    `leaders` are the leading systems, by domain; without them there are no deals.
    """
    names = {each.correlation_id for each in known if each.correlation_id}
    names |= {each.number for each in known if each.number and each.domain in BORN_WITH_THE_DEAL}
    if not names or not leaders:
        return set(), list(known)
    born = [(domain, leaders[domain]) for domain in BORN_WITH_THE_DEAL if domain in leaders]
    leading = tuple_(records.c.domain, records.c.system).in_(born)
    ids: set[str] = set()
    for _ in range(2):  # an order's number leads to the deal, and the deal to its contract
        beginnings = _found(connection, leading & or_(*(_is_one_of(n, names) for n in ("number", "correlation_id"))))
        ids = {each.correlation_id for each in beginnings if each.correlation_id}
        names |= ids | {each.number for each in beginnings if each.number}
    return ids, list(dict.fromkeys([*known, *_found(connection, _is_one_of("correlation_id", names))]))


def at(connection: Connection, addresses: Collection[Address]) -> list[Known]:
    """The records with these addresses, as far as they were ever read."""
    ids = [record_id for *_, record_id in addresses]
    address = tuple_(records.c.domain, records.c.system, records.c.record_id)
    return _found(connection, records.c.record_id.in_(ids) & address.in_(addresses))


def _is_one_of(column: str, names: Collection[str]) -> ColumnElement[bool]:
    return func.upper(records.c[column]).in_([func.upper(name) for name in sorted(names)])


def _found(connection: Connection, condition: ColumnElement[bool]) -> list[Known]:
    query = select(*[records.c[name] for name in Known.__slots__]).where(condition)
    return [Known(*row) for row in connection.execute(query)]


@dataclass(frozen=True, slots=True)
class HeldBack:
    """What the last plan of a domain for a target did not write, and why."""

    domain: str
    target: str
    link_id: str
    reason: str


def keep_held_back(connection: Connection, domain: str, target: str, reasons: Sequence[tuple[str, str]]) -> None:
    """Say what the last plan held back, by link id and reason; what it no longer does is forgotten."""
    rows = [{"domain": domain, "target": target, "link_id": link, "reason": why} for link, why in reasons]
    columns = [held_back.c[name] for name in HeldBack.__slots__]
    now = given(rows, *columns)
    is_same = (held_back.c.link_id == now.c.link_id) & (held_back.c.reason == now.c.reason)
    connection.execute(
        delete(held_back).where(
            held_back.c.domain == domain, held_back.c.target == target, ~select(now).where(is_same).exists()
        )
    )
    fresh = select(*[now.c[column.name] for column in columns]).distinct()
    connection.execute(insert_or_update(held_back).from_select(columns, fresh).on_conflict_do_nothing())


def held_of(connection: Connection, link_ids: Collection[str]) -> list[HeldBack]:
    """What the last plans did not write for some links."""
    query = select(*[held_back.c[name] for name in HeldBack.__slots__]).where(held_back.c.link_id.in_(link_ids))
    return [HeldBack(*row) for row in connection.execute(query.order_by(*held_back.primary_key))]
