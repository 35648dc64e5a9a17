"""Plans: saved before anything is sent, known by their content, never the same write twice."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, insert, select, update

from sync_pipelines.engine.plan import Write
from sync_pipelines.engine.port import Operation, State
from sync_pipelines.errors import Stop
from sync_pipelines.ledger.change import Change
from sync_pipelines.ledger.relation import dumps, loads
from sync_pipelines.ledger.tables import plans
from sync_pipelines.ledger.writes import SavedWrite, content, known, save, want_again, writes_of


@dataclass(frozen=True, slots=True)
class Origin:
    """What a plan was made from; `snapshot` is the lake's."""

    run_id: str
    domain: str
    target: str
    snapshot: int
    mapping_version: str
    ownership_version: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A saved plan. `state` is open, applied, or superseded by a later one for the same target."""

    plan_id: str
    origin: Origin
    content_hash: str
    created_at: datetime
    state: str
    counts: Mapping[str, int]
    """Writes by operation."""
    amounts: Mapping[str, int]
    """Minor units that move, by currency."""
    waits: str = ""
    """Why the plan as a whole waits for a person; empty when it doesn't."""
    held: tuple[SavedWrite, ...] = ()
    """Told when it is saved: what was left out, because the very same was sent before."""


def save_plan(change: Change, origin: Origin, planned: Sequence[Write]) -> Plan:
    """Save a plan without the writes that were refused, confirmed or are in doubt with the same content.

    One that was refused because its target had changed is no longer refused when it is wanted again, and an update
    that was confirmed and is wanted again, for somebody took it back, is a new write.

    Saving the same writes in the same run again gives the same plan, if mappings and settings are the same too.
    """
    planned = _renewed(change.connection, planned)
    before = known(change.connection, planned)
    held = tuple(saved for saved in before if not saved.may_be_planned_again)
    left_out = {saved.write.request.idempotency_key for saved in held}
    fresh = [write for write in planned if write.request.idempotency_key not in left_out]
    content_hash = _content_hash(fresh)
    pinned = [getattr(origin, name) for name in Origin.__slots__ if name != "snapshot"]
    identity = dumps([*pinned, content_hash])
    plan_id = "plan-" + hashlib.sha256(identity.encode()).hexdigest()[:16]
    saved = _one(change.connection, select(plans).where(plans.c.plan_id == plan_id))
    if saved is None or saved.state == "superseded":
        _overtake(change, origin, plan_id)
    if saved is None:
        saved = _insert(change, Plan(plan_id, origin, content_hash, change.at, "open", *_counted(fresh)))
    save(change, plan_id, fresh)
    want_again(change, held)
    return replace(saved, held=held)


def _renewed(connection: Connection, planned: Sequence[Write]) -> list[Write]:
    """The writes, with an identity of their own for updates that an earlier write has made once already.

    Its precondition keeps it from being sent where the lake only has not seen yet that the earlier one stands.
    """
    renewed = list(planned)
    while True:
        updates = [w for w in renewed if w.request.operation is Operation.UPDATE and w.expected_version is not None]
        made = {s.write.request.idempotency_key for s in known(connection, updates) if s.state is State.CONFIRMED}
        if not made:
            return renewed
        renewed = [_once_more(w) if w.request.idempotency_key in made else w for w in renewed]


def _once_more(write: Write) -> Write:
    key = hashlib.sha256(f"{write.request.idempotency_key} once more".encode()).hexdigest()[:40]
    return replace(write, request=replace(write.request, write_id=key, idempotency_key=key))


def plan(connection: Connection, plan_id: str) -> Plan | None:
    return _one(connection, select(plans).where(plans.c.plan_id == plan_id))


def latest_plan(connection: Connection, domain: str, target: str, *, run_id: str = "") -> Plan | None:
    """The plan saved last for a domain and target, in one run or in any."""
    query = select(plans).where(plans.c.domain == domain, plans.c.target == target)
    query = query.where(plans.c.run_id == run_id) if run_id else query
    return _one(connection, query.order_by(plans.c.number.desc()).limit(1))


def plans_of(connection: Connection, run_id: str) -> list[Plan]:
    found = connection.execute(select(plans).where(plans.c.run_id == run_id).order_by(plans.c.number))
    return [_plan(row._mapping) for row in found]


def open_plans(connection: Connection, domain: str = "") -> list[Plan]:
    """Plans that are not carried out yet, of a domain or of all, oldest first."""
    query = select(plans).where(plans.c.state == "open")
    query = query.where(plans.c.domain == domain) if domain else query
    return [_plan(row._mapping) for row in connection.execute(query.order_by(plans.c.number))]


def pinned_snapshots(connection: Connection) -> set[int]:
    return set(connection.scalars(select(plans.c.snapshot).distinct()))


def verified_writes(connection: Connection, plan_id: str) -> list[SavedWrite]:
    """The writes of an open plan; `Stop` when they are not what was saved, or a later plan took its place."""
    wanted = plan(connection, plan_id)
    if wanted is None:
        raise Stop(f"there is no plan {plan_id}: plan again")
    if wanted.state == "superseded":
        raise Stop(f"{plan_id} was superseded by a later plan: apply that one")
    found = writes_of(connection, plan_id)
    if _content_hash([saved.write for saved in found]) != wanted.content_hash:
        raise Stop(f"{plan_id} was changed after it was saved: nothing of it is sent, plan again")
    return found


def keep_waits(change: Change, plan_id: str, waits: str) -> None:
    """Note why a plan as a whole waits for a person, or that it no longer does."""
    done = change.connection.execute(
        update(plans).where(plans.c.plan_id == plan_id, plans.c.waits != waits).values(waits=waits)
    )
    if done.rowcount:
        change.tell("plan.waits" if waits else "plan.waits_no_more", plan_id, why=waits)


def close_plan(change: Change, plan_id: str) -> None:
    """Note that a plan has been carried out as far as it can be."""
    done = change.connection.execute(
        update(plans).where(plans.c.plan_id == plan_id, plans.c.state == "open").values(state="applied")
    )
    if done.rowcount:
        change.tell("plan.applied", plan_id)


def _overtake(change: Change, origin: Origin, plan_id: str) -> None:
    """One plan for a domain and target is open: this one."""
    overtaken = change.connection.execute(
        update(plans)
        .where(plans.c.domain == origin.domain, plans.c.target == origin.target, plans.c.state == "open")
        .values(state="superseded")
        .returning(plans.c.plan_id)
    )
    for (other,) in overtaken:
        change.tell("plan.superseded", other, by=plan_id)
    superseded = (plans.c.plan_id == plan_id, plans.c.state == "superseded")
    if change.connection.execute(update(plans).where(*superseded).values(state="open")).rowcount:
        change.tell("plan.reopened", plan_id)


def _insert(change: Change, fresh: Plan) -> Plan:
    origin = fresh.origin
    facts = {name: getattr(origin, name) for name in Origin.__slots__}
    own = {name: getattr(fresh, name) for name in ("content_hash", "counts", "amounts")}
    change.connection.execute(
        insert(plans).values(
            plan_id=fresh.plan_id, created_at=fresh.created_at, state="open", waits=fresh.waits, **facts, **own
        )
    )
    change.tell("plan.saved", fresh.plan_id, **facts, **own)
    return fresh


def _counted(planned: Sequence[Write]) -> tuple[dict[str, int], dict[str, int]]:
    counts = Counter(str(write.request.operation) for write in planned)
    amounts: Counter[str] = Counter()
    for write in planned:
        if write.amount_minor is not None and write.currency:
            amounts[write.currency] += write.amount_minor
    return dict(counts), dict(amounts)


def _content_hash(planned: Sequence[Write]) -> str:
    """Over everything that will be sent, and what people are told about it."""
    ordered = sorted(planned, key=lambda write: write.request.idempotency_key)
    digest = hashlib.sha256()
    for write in ordered:
        digest.update(json.dumps(loads(dumps(content(write))), sort_keys=True).encode())
    return digest.hexdigest()


def _one(connection: Connection, query: Select[Any]) -> Plan | None:
    row = connection.execute(query).one_or_none()
    return _plan(row._mapping) if row else None


def _plan(row: Mapping[Any, Any]) -> Plan:
    return Plan(
        plan_id=row["plan_id"],
        origin=Origin(**{name: row[name] for name in Origin.__slots__}),
        content_hash=row["content_hash"],
        created_at=row["created_at"],
        state=row["state"],
        counts=row["counts"],
        amounts=row["amounts"],
        waits=row["waits"],
    )
