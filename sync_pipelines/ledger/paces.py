"""Paces: when each system may be called next, one row a system, for all processes that call it."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, DateTime, func, literal
from sqlalchemy.dialects.postgresql import insert

from sync_pipelines.ledger.tables import paces


def lease(connection: Connection, system: str, count: int, every: timedelta, now: datetime) -> datetime:
    """Take the next turns at a system, so many in a row; returns the time of the first, which is not before `now`."""
    span = every * count
    fresh = insert(paces).values(system=system, free_at=now + span)
    later = func.greatest(paces.c.free_at, literal(now, DateTime(timezone=True))) + span
    taken = fresh.on_conflict_do_update(index_elements=["system"], set_={"free_at": later})
    free_at: datetime = connection.scalars(taken.returning(paces.c.free_at)).one()
    return free_at - span
