"""Dead letters: writes that came to nothing, and what people find out or decide about them; none is ever lost."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, Row, and_, not_, select, update
from sqlalchemy.dialects.postgresql import distinct_on

from sync_pipelines.engine.apply import NOT_COMMITTED
from sync_pipelines.engine.doubt import AWAITED, NO_KEY
from sync_pipelines.engine.match import ADDED, ENDED
from sync_pipelines.engine.period import CLOSED_PERIOD
from sync_pipelines.engine.port import Operation, State
from sync_pipelines.errors import FixConfiguration
from sync_pipelines.ledger import corrections, links
from sync_pipelines.ledger.change import Change
from sync_pipelines.ledger.relation import given
from sync_pipelines.ledger.tables import plans, work_items, writes

RELEASED = "released"
"""The code of a refused write that is to be planned again, because a person removed the cause."""
SETTLED = "settled"
"""The code of a write in doubt of which a person found that it was stored."""
DISCARDED = "discarded"
"""The code of a write that a person decided not to send, for the difference is accepted."""

_COLUMNS = pa.schema(
    [
        *((name, pa.string()) for name in ("target", "link_id", "write_id", "kind", "code", "message")),
        ("fields", pa.list_(pa.string())),
    ]
)


@dataclass(frozen=True, slots=True)
class Letter:
    """An open exception with a refused write, as far as a decision about many of them needs it."""

    item_id: int
    write_id: str
    domain: str


def dead_letters(connection: Connection, domain: str) -> pa.Table:
    """The newest write of each target and link that was sent, where it came to nothing; `fields` are those it has.

    One that was planned again since, that something newer put right, or that awaits its acknowledgement, is none.
    """
    latest = (
        select(writes)
        .where(writes.c.domain == domain, writes.c.state != State.PLANNED)
        .ext(distinct_on(writes.c.target, writes.c.link_id))
        .order_by(writes.c.target, writes.c.link_id, writes.c.updated_at.desc(), writes.c.write_id)
        .subquery()
    )
    names = ("target", "link_id", "write_id", "state", "code", "message", "changes")
    awaited = and_(latest.c.state == State.IN_DOUBT, latest.c.code == AWAITED)
    came_to_nothing = select(*[latest.c[n] for n in names]).where(latest.c.state != State.CONFIRMED, not_(awaited))
    found = connection.execute(came_to_nothing)
    return pa.Table.from_pylist([_told(row._mapping) for row in found], schema=_COLUMNS)


def release(change: Change, write_ids: Sequence[str], *, by: str, reason: str) -> int:
    """Let refused writes be planned again, because a person removed the cause; returns how many."""
    to = {"state": State.FAILED, "code": RELEASED, "message": f"to be sent again: {reason}"}
    return len(_decide(change, write_ids, (State.REFUSED,), to, told={"by": by, "reason": reason}))


def discard(change: Change, write_ids: Sequence[str], *, by: str, reason: str) -> int:
    """Accept the differences that writes were to mend: they are not sent, and their exceptions are closed.

    Nor is what somebody had corrected in them, to be sent in their place.
    """
    to = {"state": State.REFUSED, "code": DISCARDED, "message": f"accepted by {by}: {reason}"}
    discarded = _decide(change, write_ids, (State.REFUSED, State.FAILED), to, told={"by": by, "reason": reason})
    corrections.end_beside(change, discarded, why=f"{DISCARDED}: {reason}")
    closed = update(work_items).where(work_items.c.write_id.in_(discarded), work_items.c.resolved_at.is_(None))
    closed = closed.values(resolved_at=change.at, resolution=f"{DISCARDED}: {reason}", resolved_by=by)
    for fingerprint in change.connection.scalars(closed.returning(work_items.c.fingerprint)):
        change.tell("exception.discarded", fingerprint, by=by, reason=reason)
    return len(discarded)


def reopen(change: Change, item_id: int, *, by: str, reason: str) -> bool:
    """Take a discard back: the exception is open again, and its write what it was.

    False where nothing was discarded, or the record has another exception since, which is open.
    """
    item = change.connection.execute(select(work_items).where(work_items.c.item_id == item_id)).one()
    same = (work_items.c.fingerprint == item.fingerprint, work_items.c.resolved_at.is_(None))
    if change.connection.scalar(select(work_items.c.item_id).where(*same)) is not None:
        return False
    state = State.FAILED if item.kind == CLOSED_PERIOD else State(item.kind)
    found = change.connection.execute(
        update(writes)
        .where(writes.c.write_id == item.write_id, writes.c.code == DISCARDED)
        .values(
            state=state,
            code=item.evidence.get("code", ""),
            message=item.reason,
        )
        .returning(writes.c.correlation_id)
    ).scalar()
    if found is None:
        return False
    again = update(work_items).where(work_items.c.item_id == item_id)
    change.connection.execute(again.values(resolved_at=None, resolution=None, resolved_by=None))
    change.tell("write.reopened", item.write_id, correlation_id=found, by=by, reason=reason)
    change.tell("exception.reopened", item.fingerprint, by=by, reason=reason)
    return True


def settle(change: Change, write_id: str, *, record_id: str | None, by: str, reason: str) -> bool:
    """End a doubt that only a person can: the write is stored as that record, or (None) nothing of it is.

    False where the write is not in such a doubt. What was created is linked; what was not stored may be planned again.
    """
    state = State.CONFIRMED if record_id else State.FAILED
    code = SETTLED if record_id else NOT_COMMITTED
    message = f"{'found' if record_id else 'not there'}, says {by}: {reason}"
    found = change.connection.execute(
        update(writes)
        .where(writes.c.write_id == write_id, writes.c.state == State.IN_DOUBT, writes.c.code == NO_KEY)
        .values(state=state, code=code, message=message, record_id_after=record_id, updated_at=change.at)
        .returning(writes)
    ).one_or_none()
    if found is None:
        return False
    told = {"by": by, "reason": reason, "code": code, "record_id": record_id}
    change.tell("write.settled", write_id, correlation_id=found.correlation_id, **told)
    if record_id and found.operation in (Operation.CREATE, Operation.REPLACE):
        _link(change, found, record_id)
    return True


def _link(change: Change, write: Row[Any], record_id: str) -> None:
    """Link what a write has created, in place of what it replaced."""
    of_system = [
        each for each in links.open_links(change.connection, write.domain).to_pylist() if each["system"] == write.target
    ]
    if taken := [
        each["link_id"] for each in of_system if each["record_id"] == record_id and each["link_id"] != write.link_id
    ]:
        raise FixConfiguration(
            f"{record_id} in {write.target} belongs to another link, {taken[0]}: is it the right record?"
        )
    member = {"link_id": write.link_id, "system": write.target}
    added = [{**member, "record_id": record_id, "rule": "written", "evidence": "found by a person"}]
    ended = [
        {**member, "record_id": each["record_id"], "reason": "replaced"}
        for each in of_system
        if each["link_id"] == write.link_id and each["record_id"] != record_id
    ]
    run_id = change.connection.scalars(select(plans.c.run_id).where(plans.c.plan_id == write.plan_id)).one()
    links.change_links(
        change,
        write.domain,
        added=pa.Table.from_pylist(added, schema=ADDED),
        ended=pa.Table.from_pylist(ended, schema=ENDED),
        run_id=run_id,
        correlations={write.link_id: write.correlation_id},
    )


def refused_letters(
    connection: Connection, *, domain: str = "", kind: str = "", code: str = "", owner: str = ""
) -> list[Letter]:
    """Open exceptions whose write was refused and is not released yet, by what they are about; the oldest first."""
    wanted = {name: value for name, value in (("domain", domain), ("kind", kind), ("owner", owner)) if value}
    query = (
        select(*[work_items.c[name] for name in Letter.__slots__])
        .join(writes, writes.c.write_id == work_items.c.write_id)
        .where(work_items.c.resolved_at.is_(None), *[work_items.c[n] == value for n, value in wanted.items()])
        .where(writes.c.state == State.REFUSED, writes.c.code != DISCARDED)
        .order_by(work_items.c.item_id)
    )
    found = connection.execute(query.where(writes.c.code == code) if code else query)
    return [Letter(**row._mapping) for row in found]


def _decide(
    change: Change, write_ids: Sequence[str], states: Collection[State], to: Mapping[str, str], *, told: dict[str, str]
) -> list[str]:
    """Put writes into another state because a person says so, but for those that are discarded.

    When they last moved stays as it is: a decision about an old write is none about a newer one.
    """
    relation = given([{"write_id": each} for each in write_ids], writes.c.write_id)
    decided = change.connection.execute(
        update(writes)
        .where(writes.c.write_id == relation.c.write_id, writes.c.state.in_(states), writes.c.code != DISCARDED)
        .values(**to)
        .returning(writes.c.write_id, writes.c.correlation_id)
    ).all()
    for write_id, correlation_id in decided:
        change.tell(f"write.{to['code']}", write_id, correlation_id=correlation_id, **told)
    return [write_id for write_id, _ in decided]


def _told(row: Mapping[Any, Any]) -> dict[str, Any]:
    told = {name: row[name] for name in ("target", "link_id", "write_id", "code", "message")}
    return {**told, "kind": _kind(row["state"], row["code"]), "fields": [each["field"] for each in row["changes"]]}


def _kind(state: str, code: str) -> str:
    """What the exception about a write is called."""
    if code == DISCARDED:
        return "discarded"
    if code == RELEASED or state == State.REFUSED:
        return "refused"
    return "failed" if state == State.FAILED else "in_doubt"
