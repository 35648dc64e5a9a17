"""Everything that the ledger knows about one record or business transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, literal, or_, select, tuple_, union

from sync_pipelines.ledger import audit, directory, work_items, writes
from sync_pipelines.ledger import tables as t
from sync_pipelines.ledger.audit import AuditEntry
from sync_pipelines.ledger.directory import Address, HeldBack, Known
from sync_pipelines.ledger.work_items import WorkItem
from sync_pipelines.ledger.writes import Attempt, SavedWrite


@dataclass(frozen=True, slots=True)
class Membership:
    """A record's part in a link, from `since` until it was ended."""

    domain: str
    link_id: str
    system: str
    record_id: str
    rule: str
    evidence: str
    since: datetime
    until: datetime | None
    ended_reason: str | None


@dataclass(frozen=True, slots=True)
class Wait:
    """What keeps a planned write from being sent: a person's word that is due, or a system that is left alone."""

    target: str
    label: str
    reason: str
    team: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Story:
    """What records and deals are, what happened to them and to what was written for them, and who has to work on it."""

    deals: set[str]
    records: list[Known]
    links: list[Membership]
    writes: list[SavedWrite]
    attempts: list[Attempt]
    work_items: list[WorkItem]
    audit: list[AuditEntry]
    waits: list[Wait]
    held_back: list[HeldBack]


def story(connection: Connection, word: str, leaders: Mapping[str, str]) -> Story:
    """The story of the records that a word names and of their deals; the word may be a write's or a link's too.

    It takes as many statements for a deal of a hundred records as for one.
    """
    deals, family = directory.family(connection, directory.named(connection, word), leaders)
    records = {each.address for each in family}
    link_ids = _link_ids(connection, word, records)
    memberships = _memberships(connection, link_ids)
    linked = {(each.domain, each.system, each.record_id) for each in memberships}
    here = {(each.domain, each.system, each.record_id) for each in memberships if each.until is None}
    found = writes.about(connection, link_ids)
    write_ids = [saved.write.request.write_id for saved in found]
    items = work_items.about(connection, word, records | linked)
    subjects = [*deals, *link_ids, *write_ids, *(item.fingerprint for item in items)]
    return Story(
        deals=deals,
        records=[*family, *directory.at(connection, here - records)],
        links=memberships,
        writes=found,
        attempts=writes.attempts_of(connection, write_ids),
        work_items=items,
        audit=audit.about(connection, subjects),
        waits=_waits(connection, link_ids),
        held_back=directory.held_of(connection, link_ids),
    )


def _link_ids(connection: Connection, word: str, records: Collection[Address]) -> list[str]:
    same = tuple_(t.links.c.domain, t.links.c.system, t.links.c.record_id).in_(records)
    ids = [record_id for *_, record_id in records]  # what there is an index of
    same_record = and_(*(t.links.c[name] == t.work_items.c[name] for name in ("domain", "system", "record_id")))
    names = ("label", "link_id", "record_id", "record_id_after")
    found = union(
        select(t.links.c.link_id).where(
            or_(t.links.c.record_id == word, t.links.c.link_id == word, and_(t.links.c.record_id.in_(ids), same))
        ),
        select(t.writes.c.link_id).where(or_(*(t.writes.c[name] == word for name in names))),
        select(t.links.c.link_id).join(t.work_items, same_record).where(t.work_items.c.label == word),
    )
    return sorted(connection.execute(found).scalars())


def _memberships(connection: Connection, link_ids: Sequence[str]) -> list[Membership]:
    query = select(*[t.links.c[name] for name in Membership.__slots__]).where(t.links.c.link_id.in_(link_ids))
    found = connection.execute(query.order_by(t.links.c.membership_id))
    return [Membership(**row._mapping) for row in found]


def _waits(connection: Connection, link_ids: Sequence[str]) -> list[Wait]:
    """Why planned writes of some links have not been sent."""
    approval = literal("needs approval")
    planned = (t.writes.c.link_id.in_(link_ids), t.writes.c.state == "planned")
    own = (t.writes.c.target, t.writes.c.label)
    reasons = union(
        select(*own, approval, t.writes.c.approved_by_team, t.writes.c.updated_at).where(
            *planned, t.writes.c.approved_by_team.is_not(None)
        ),
        select(*own, t.plans.c.waits, literal(""), t.plans.c.created_at)
        .join(t.plans, t.plans.c.plan_id == t.writes.c.plan_id)
        .where(*planned, t.plans.c.waits != ""),
        select(*own, t.circuits.c.reason, literal(""), t.circuits.c.opened_at)
        .join(t.circuits, t.circuits.c.system == t.writes.c.target)
        .where(*planned, t.circuits.c.state == "open"),
        select(*own, t.pauses.c.reason, t.pauses.c.paused_by, t.pauses.c.at)
        .join(t.pauses, t.pauses.c.system == t.writes.c.target)
        .where(*planned),
    )
    return [Wait(*row) for row in connection.execute(reasons)]
