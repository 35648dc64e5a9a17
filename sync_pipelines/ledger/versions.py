"""Versions of what decides: topology, policies and mappings, noted when a run first meets them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.postgresql import distinct_on, insert

from sync_pipelines.ledger.change import Change
from sync_pipelines.ledger.relation import counted
from sync_pipelines.ledger.tables import audit_entries, versions

MET, CHANGED = "version.met", "version.changed"


def note_versions(change: Change, found: Mapping[str, str], *, author: Callable[[str], str]) -> None:
    """Tell of every subject whose version is another than the last time, with the old and the new one.

    A version that comes back is told again, but keeps the author with whom it was first met.
    """
    alone = func.pg_advisory_xact_lock(func.hashtextextended("note versions", 0))
    change.connection.execute(select(alone))
    known = _newest(change.connection, found)
    for subject, version in found.items():
        before = known.get(subject)
        if before == version:
            continue
        name = author(subject)
        fresh = insert(versions).values(subject=subject, version=version, author=name, seen_at=change.at)
        change.connection.execute(fresh.on_conflict_do_nothing())
        change.tell(CHANGED if before else MET, subject, before=before, after=version, author=name)


def author(connection: Connection, subject: str, version: str) -> str | None:
    """Who wrote a version; None where no run has met it."""
    found: str | None = connection.scalar(
        select(versions.c.author).where(versions.c.subject == subject, versions.c.version == version)
    )
    return found


def _newest(connection: Connection, subjects: Mapping[str, str]) -> dict[str, str]:
    """The version of each subject that was told last."""
    query = (
        select(audit_entries.c.subject, audit_entries.c.detail["after"].astext)
        .where(audit_entries.c.subject.in_(list(subjects)), audit_entries.c.kind.in_((MET, CHANGED)))
        .ext(distinct_on(audit_entries.c.subject))
        .order_by(audit_entries.c.subject, audit_entries.c.seq.desc())
    )
    return counted(connection, query)
