"""Links: which record here is which record there, since when, and why; ended ones stay."""

from __future__ import annotations

import pyarrow as pa
from sqlalchemy import Connection, and_, func, select, update

from sync_pipelines.ledger.change import Change
from sync_pipelines.ledger.relation import add, given
from sync_pipelines.ledger.tables import links


def change_links(change: Change, domain: str, *, added: pa.Table, ended: pa.Table, run_id: str) -> None:
    """End memberships, then add the new ones: what leaves one link may join another."""
    _end(change, domain, ended)
    _add(change, domain, added, run_id)


def open_links(connection: Connection, domain: str = "") -> pa.Table:
    """The memberships that hold now: domain, link_id, system, record_id, rule, evidence."""
    columns = (links.c.domain, links.c.link_id, links.c.system, links.c.record_id, links.c.rule, links.c.evidence)
    query = select(*columns).where(links.c.until.is_(None)).order_by(links.c.membership_id)
    rows = connection.execute(query.where(links.c.domain == domain) if domain else query).all()
    values = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    return pa.table({c.name: pa.array(v, pa.string()) for c, v in zip(columns, values, strict=True)})


def count_links(connection: Connection, domain: str) -> int:
    """How many links of a domain join records of at least two systems."""
    joined = (
        select(links.c.link_id)
        .where(links.c.domain == domain, links.c.until.is_(None))
        .group_by(links.c.link_id)
        .having(func.count() > 1)
        .subquery()
    )
    return connection.scalar(select(func.count()).select_from(joined)) or 0


def _end(change: Change, domain: str, ended: pa.Table) -> None:
    if not ended.num_rows:
        return
    relation = given(
        ended.select(["link_id", "system", "record_id", "reason"]).to_pylist(),
        links.c.link_id,
        links.c.system,
        links.c.record_id,
        _REASON,
    )
    gone = change.connection.execute(
        update(links)
        .where(
            and_(
                links.c.domain == domain,
                links.c.until.is_(None),
                *(links.c[name] == relation.c[name] for name in ("link_id", "system", "record_id")),
            )
        )
        .values(until=change.at, ended_reason=relation.c.reason)
        .returning(links.c.link_id, links.c.system, links.c.record_id, links.c.ended_reason)
    )
    for link_id, system, record_id, reason in gone:
        change.tell("link.ended", link_id, correlation_id=link_id, system=system, record_id=record_id, reason=reason)


_REASON = links.c.ended_reason._copy(name="reason")


def _add(change: Change, domain: str, added: pa.Table, run_id: str) -> None:
    rows = added.select(["link_id", "system", "record_id", "rule", "evidence"]).to_pylist()
    add(
        change.connection,
        links,
        [{"domain": domain, **row, "since": change.at, "run_id": run_id} for row in rows],
    )
    for row in rows:
        change.tell(
            "link.added",
            row["link_id"],
            correlation_id=row["link_id"],
            domain=domain,
            run_id=run_id,
            **{name: row[name] for name in ("system", "record_id", "rule")},
        )
