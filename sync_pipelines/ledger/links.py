"""Links: which record here is which record there, since when, and why; ended ones stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
from sqlalchemy import Column, Connection, Text, and_, func, insert, select, update
from sqlalchemy.dialects.postgresql import distinct_on

from sync_pipelines.engine.merge import MERGED
from sync_pipelines.ledger.change import Change
from sync_pipelines.ledger.relation import counted, given
from sync_pipelines.ledger.tables import links

_KEY = ("link_id", "system", "record_id")
_WHY = ("rule", "evidence")


Correlations = Mapping[str, str]
"""The deals that links belong to, by link id; for others the link's id stands in."""


def change_links(
    change: Change, domain: str, *, added: pa.Table, ended: pa.Table, run_id: str, correlations: Correlations
) -> None:
    """End memberships, then add the new ones: what leaves one link may join another."""
    _end(change, domain, ended, correlations)
    _add(change, domain, added, run_id, correlations)


def open_links(connection: Connection, domain: str = "") -> pa.Table:
    """The memberships that hold now: domain, link_id, system, record_id, rule, evidence."""
    columns = (links.c.domain, links.c.link_id, links.c.system, links.c.record_id, links.c.rule, links.c.evidence)
    query = select(*columns).where(links.c.until.is_(None)).order_by(links.c.domain, links.c.link_id, links.c.system)
    rows = connection.execute(query.where(links.c.domain == domain) if domain else query).all()
    values = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    return pa.table({c.name: pa.array(v, pa.string()) for c, v in zip(columns, values, strict=True)})


def holders(connection: Connection, domain: str, system: str, record_ids: Sequence[str]) -> dict[str, str]:
    """The links that hold some of a system's records, by record id."""
    relation = given([{"record_id": each} for each in record_ids], links.c.record_id)
    query = select(links.c.record_id, links.c.link_id).where(links.c.record_id == relation.c.record_id)
    held = query.where(links.c.until.is_(None), links.c.domain == domain, links.c.system == system)
    return {row.record_id: row.link_id for row in connection.execute(held)}


def former_links(connection: Connection) -> pa.Table:
    """What each record belonged to last by its own evidence, where that has ended: as `open_links`, and reason.

    `reason` is why the record's last membership ended, also where that was made by a merge.
    """
    record = (links.c.domain, links.c.system, links.c.record_id)
    ended = select(links).where(links.c.until.is_not(None)).ext(distinct_on(*record))
    latest = ended.order_by(*record, links.c.membership_id.desc()).subquery()
    own = ended.where(links.c.rule != MERGED).order_by(*record, links.c.membership_id.desc()).subquery()
    names = ("domain", "link_id", "system", "record_id", *_WHY)
    same = and_(*(own.c[name] == latest.c[name] for name in ("domain", "system", "record_id")))
    query = select(*[own.c[name] for name in names], latest.c.ended_reason).join(latest, same)
    rows = connection.execute(query.order_by(own.c.membership_id)).all()
    values = list(zip(*rows, strict=True)) if rows else [()] * (len(names) + 1)
    return pa.table({n: pa.array(v, pa.string()) for n, v in zip((*names, "reason"), values, strict=True)})


def linked_by_domain(connection: Connection) -> dict[str, int]:
    """How many links join records of at least two systems."""
    joined = (
        select(links.c.domain)
        .where(links.c.until.is_(None))
        .group_by(links.c.domain, links.c.link_id)
        .having(func.count() > 1)
        .subquery()
    )
    return counted(connection, select(joined.c.domain, func.count()).group_by(joined.c.domain))


def _end(change: Change, domain: str, ended: pa.Table, correlations: Correlations) -> None:
    reason = Column[str]("reason", Text)
    relation = given(ended.to_pylist(), *[links.c[name] for name in _KEY], reason)
    gone = change.connection.execute(
        update(links)
        .where(links.c.domain == domain, links.c.until.is_(None))
        .where(*(links.c[name] == relation.c[name] for name in _KEY))
        .values(until=change.at, ended_reason=relation.c.reason)
        .returning(*[links.c[name] for name in (*_KEY, "ended_reason")])
    )
    for link_id, system, record_id, why in gone:
        detail = {"domain": domain, "system": system, "record_id": record_id, "reason": why}
        change.tell("link.ended", link_id, correlation_id=correlations.get(link_id, link_id), **detail)


def _add(change: Change, domain: str, added: pa.Table, run_id: str, correlations: Correlations) -> None:
    """What holds already is not added again; a record that another link holds is refused by the database."""
    rows = [{"domain": domain, "since": change.at, "run_id": run_id, **row} for row in added.to_pylist()]
    columns = [links.c[name] for name in ("domain", "since", "run_id", "link_id", "system", "record_id", *_WHY)]
    relation = given(rows, *columns)
    held = select(links.c.membership_id).where(
        links.c.until.is_(None), *(links.c[name] == relation.c[name] for name in ("domain", *_KEY))
    )
    fresh = select(*[relation.c[column.name] for column in columns]).where(~held.exists())
    told = change.connection.execute(
        insert(links).from_select(columns, fresh).returning(*[links.c[name] for name in (*_KEY, "rule")])
    )
    for link_id, system, record_id, rule in told:
        detail = {"domain": domain, "run_id": run_id, "system": system, "record_id": record_id, "rule": rule}
        change.tell("link.added", link_id, correlation_id=correlations.get(link_id, link_id), **detail)
