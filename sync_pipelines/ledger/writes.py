"""Writes and their attempts: the intent is on record before a call leaves, the outcome when it is known."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, Select, and_, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import distinct_on, insert

from sync_pipelines.engine.apply import DRIFTED
from sync_pipelines.engine.doubt import AWAITED, UNSETTLED, Attempted
from sync_pipelines.engine.plan import Change as FieldChange
from sync_pipelines.engine.plan import Write
from sync_pipelines.engine.port import OPEN, Operation, Outcome, Request, State
from sync_pipelines.errors import Stop
from sync_pipelines.ledger.change import Change
from sync_pipelines.ledger.relation import add, counted, given
from sync_pipelines.ledger.tables import attempts, plans, writes

REPLANNED = (State.PLANNED, State.FAILED)
"""States from which a write may be planned again: nothing of it has been committed."""
_QUIET = {"code": "", "message": ""}
_OWN = (
    *("domain", "target", "link_id", "label", "expected_version"),
    *("amount_minor", "currency", "legal_entity", "period", "approved_by_team", "corrected_by", "posting_on"),
    "edited_by",
)
"""What a write says besides its request and its changes."""
_CONTENT = (
    *("plan_id", "write_id", "link_id", "operation", "object", "record_id", "external_id"),
    *("idempotency_key", "correlation_id", "changes", "body", "then"),
    *(name for name in _OWN if name != "link_id"),
)


@dataclass(frozen=True, slots=True)
class SavedWrite:
    """A write as the ledger holds it, and what became of it."""

    write: Write
    plan_id: str
    state: State
    record_id_after: str | None
    code: str
    message: str
    updated_at: datetime
    planned_at: datetime | None = None
    """When a plan first held it."""

    @property
    def may_be_planned_again(self) -> bool:
        """Whether nothing of it has been committed, and it was not refused for what it says."""
        return self.state in REPLANNED or (self.state is State.REFUSED and self.code == DRIFTED)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call that was about to leave, and how it ended if that is known."""

    write_id: str
    number: int
    started_at: datetime
    ended_at: datetime | None
    state: State
    code: str
    message: str


def save(change: Change, plan_id: str, planned: Sequence[Write]) -> None:
    """Put writes under a plan; one that an earlier plan left unsent moves to this one."""
    rows = {write.request.write_id: {"plan_id": plan_id, **content(write)} for write in planned}
    if not rows:
        return
    columns = [writes.c[name] for name in _CONTENT]
    relation = given(rows.values(), *columns)
    fixed = {"state": State.PLANNED, "code": "", "message": "", "updated_at": change.at, "planned_at": change.at}
    source = select(
        *[relation.c[column.name] for column in columns],
        *[literal(value, writes.c[name].type) for name, value in fixed.items()],
    )
    inserted = insert(writes).from_select([*_CONTENT, *fixed], source)
    replaced = {name: inserted.excluded[name] for name in (*_CONTENT, *fixed) if name not in ("write_id", "planned_at")}
    drifted = and_(writes.c.state == State.REFUSED, writes.c.code == DRIFTED)
    unsent = or_(writes.c.state.in_(REPLANNED), drifted)  # another run may just have sent it
    moves = or_(writes.c.plan_id != inserted.excluded.plan_id, writes.c.state != State.PLANNED)
    upsert = inserted.on_conflict_do_update(index_elements=["write_id"], set_=replaced, where=and_(unsent, moves))
    for write_id, correlation_id in change.connection.execute(
        upsert.returning(writes.c.write_id, writes.c.correlation_id)
    ).all():
        change.tell("write.planned", write_id, correlation_id=correlation_id, plan_id=plan_id)


def content(write: Write) -> dict[str, Any]:
    """A write as flat values, all of them JSON."""
    request = write.request
    return {
        **{name: getattr(request, name) for name in ("write_id", "object", "record_id", "external_id", "body")},
        **{name: getattr(request, name) for name in ("idempotency_key", "correlation_id")},
        **{name: getattr(write, name) for name in _OWN},
        "operation": str(request.operation),
        "then": list(request.then),
        "changes": [{"field": c.field, "before": c.before, "after": c.after} for c in write.changes],
    }


def known(connection: Connection, planned: Sequence[Write]) -> list[SavedWrite]:
    """Those of the writes that the ledger already holds, by target and idempotency key."""
    keys = [{"target": w.target, "idempotency_key": w.request.idempotency_key} for w in planned]
    relation = given(keys, writes.c.target, writes.c.idempotency_key)
    same = and_(*(writes.c[name] == relation.c[name] for name in ("target", "idempotency_key")))
    return _saved(connection, select(writes).join(relation, same))


def want_again(change: Change, held: Sequence[SavedWrite]) -> None:
    """Of several writes of a link that came to nothing, let the refused one that a plan wants again count."""
    refused = [{"write_id": saved.write.request.write_id} for saved in held if saved.state is State.REFUSED]
    if not refused:
        return
    relation, newer = given(refused, writes.c.write_id), writes.alias("newer")
    same_link = and_(*(newer.c[name] == writes.c[name] for name in ("target", "link_id")))
    overtaken = select(newer.c.write_id).where(same_link, newer.c.updated_at > writes.c.updated_at).exists()
    again = change.connection.execute(
        update(writes)
        .where(writes.c.write_id == relation.c.write_id, writes.c.state == State.REFUSED, overtaken)
        .values(updated_at=change.at)
        .returning(writes.c.write_id, writes.c.correlation_id)
    )
    for write_id, correlation_id in again:
        change.tell("write.wanted_again", write_id, correlation_id=correlation_id)


def writes_of(connection: Connection, plan_id: str, states: Collection[State] = ()) -> list[SavedWrite]:
    """A plan's writes, all or those in some states."""
    query = select(writes).where(writes.c.plan_id == plan_id).order_by(writes.c.label, writes.c.write_id)
    return _saved(connection, query.where(writes.c.state.in_(states)) if states else query)


def find(connection: Connection, write_ids: Collection[str]) -> list[SavedWrite]:
    """Writes by their ids."""
    return _saved(connection, select(writes).where(writes.c.write_id.in_(write_ids)).order_by(writes.c.write_id))


def in_doubt(connection: Connection, target: str, *, domain: str = "") -> list[SavedWrite]:
    """Writes of any plan whose call left, and of which nobody knows yet whether it was committed."""
    query = select(writes).where(writes.c.target == target, writes.c.state.in_(OPEN))
    query = query.where(writes.c.domain == domain) if domain else query
    return _saved(connection, query.order_by(writes.c.updated_at, writes.c.write_id))


def moved_writes(connection: Connection, domain: str) -> pa.Table:
    """Where a plan had the books take a document on another day than its own: target, link_id, posting_on, plan_id."""
    moved = writes.c.changes.contains([{"field": "posting_on"}])
    query = (
        select(writes.c.target, writes.c.link_id, writes.c.posting_on, writes.c.plan_id)
        .where(writes.c.domain == domain, writes.c.state == State.CONFIRMED, moved)
        .ext(distinct_on(writes.c.target, writes.c.link_id))
        .order_by(writes.c.target, writes.c.link_id, writes.c.updated_at.desc(), writes.c.write_id)
    )
    rows = [tuple(row) for row in connection.execute(query)]
    kinds = {"target": pa.string(), "link_id": pa.string(), "posting_on": pa.date32(), "plan_id": pa.string()}
    values = list(zip(*rows, strict=True)) if rows else [()] * len(kinds)
    return pa.table({n: pa.array(v, kind) for (n, kind), v in zip(kinds.items(), values, strict=True)})


def states_of_run(connection: Connection, run_id: str) -> dict[str, int]:
    """How many writes of a run's plans are in which state."""
    query = (
        select(writes.c.state, func.count())
        .join(plans, plans.c.plan_id == writes.c.plan_id)
        .where(plans.c.run_id == run_id)
        .group_by(writes.c.state)
    )
    return counted(connection, query)


def record_intents(change: Change, write_ids: Sequence[str]) -> None:
    """Say that a call is about to leave; commit this before it does."""
    relation = given([{"write_id": each} for each in dict.fromkeys(write_ids)], writes.c.write_id)
    number = (
        select(func.count() + 1).where(attempts.c.write_id == writes.c.write_id).correlate(writes).scalar_subquery()
    )
    begun = change.connection.execute(
        update(writes)
        .where(writes.c.write_id == relation.c.write_id, writes.c.state.in_((*REPLANNED, *OPEN)))
        .values(state=State.INTENT, updated_at=change.at, **_QUIET)
        .returning(writes.c.write_id, writes.c.correlation_id, writes.c.plan_id, number.label("number"))
    ).all()
    if len(begun) < len(set(write_ids)):
        raise Stop("another run has settled some of these writes: nothing is sent, plan again")
    rows = [
        {"write_id": each.write_id, "number": each.number, "started_at": change.at, "state": State.INTENT, **_QUIET}
        for each in begun
    ]
    add(change.connection, attempts, rows)
    for each in begun:
        change.tell("write.intent", each.write_id, correlation_id=each.correlation_id, plan_id=each.plan_id)


def record_outcomes(change: Change, outcomes: Sequence[Outcome]) -> None:
    """Say what became of writes, and close the attempts that are open."""
    rows = {
        o.write_id: {
            "write_id": o.write_id,
            "state": o.state,
            "record_id_after": o.record_id,
            "code": o.code,
            "message": o.message,
        }
        for o in outcomes
    }
    columns = [writes.c[name] for name in ("write_id", "state", "record_id_after", "code", "message")]
    relation = given(rows.values(), *columns)
    known_id = func.coalesce(relation.c.record_id_after, writes.c.record_id_after)
    ended = change.connection.execute(
        update(writes)
        .where(writes.c.write_id == relation.c.write_id)
        .values(
            record_id_after=known_id,
            updated_at=change.at,
            **{name: relation.c[name] for name in ("state", "code", "message")},
        )
        .returning(*[writes.c[name] for name in ("write_id", "correlation_id", "state", "code")], known_id)
    ).all()
    change.connection.execute(
        update(attempts)
        .where(attempts.c.write_id == relation.c.write_id, attempts.c.ended_at.is_(None))
        .values(ended_at=change.at, **{name: relation.c[name] for name in ("state", "code", "message")})
    )
    for write_id, correlation_id, state, code, record_id in ended:
        change.tell(f"write.{state}", write_id, correlation_id=correlation_id, code=code, record_id=record_id)


def attempts_of(connection: Connection, write_ids: Sequence[str]) -> list[Attempt]:
    """Every attempt of some writes, in order."""
    query = (
        select(*[attempts.c[name] for name in Attempt.__slots__])
        .where(attempts.c.write_id.in_(write_ids))
        .order_by(attempts.c.write_id, attempts.c.number)
    )
    return [Attempt(**{**row._mapping, "state": State(row.state)}) for row in connection.execute(query)]


def attempted(connection: Connection, write_ids: Sequence[str]) -> dict[str, Attempted]:
    """When calls left with some writes; one that never left is absent."""
    first_at = func.min(attempts.c.started_at).over(partition_by=attempts.c.write_id)
    names = ("started_at", "ended_at")
    query = (
        select(attempts.c.write_id, first_at.label("first_at"), *[attempts.c[name] for name in names], writes.c.code)
        .join(writes, writes.c.write_id == attempts.c.write_id)
        .where(attempts.c.write_id.in_(write_ids))
        .ext(distinct_on(attempts.c.write_id))
        .order_by(attempts.c.write_id, attempts.c.number.desc())
    )
    return {
        row.write_id: Attempted(
            row.first_at,
            row.started_at,
            row.ended_at,
            was_read=row.code == UNSETTLED,
            is_awaited=row.code == AWAITED,
        )
        for row in connection.execute(query)
    }


def about(connection: Connection, link_ids: Collection[str]) -> list[SavedWrite]:
    """Writes of some links, in the order in which they last moved."""
    query = select(writes).where(writes.c.link_id.in_(link_ids))
    return _saved(connection, query.order_by(writes.c.updated_at, writes.c.write_id))


def _saved(connection: Connection, query: Select[Any]) -> list[SavedWrite]:
    return [_write(row._mapping) for row in connection.execute(query)]


def _write(row: Mapping[Any, Any]) -> SavedWrite:
    names = ("write_id", "object", "record_id", "external_id", "body", "idempotency_key", "correlation_id")
    request = Request(
        operation=Operation(row["operation"]), then=tuple(row["then"]), **{name: row[name] for name in names}
    )
    changes = tuple(FieldChange(**each) for each in row["changes"])
    return SavedWrite(
        write=Write(request=request, changes=changes, **{name: row[name] for name in _OWN}),
        state=State(row["state"]),
        **{name: row[name] for name in ("plan_id", "record_id_after", "code", "message", "updated_at", "planned_at")},
    )
