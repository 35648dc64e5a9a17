"""Plans: saved before anything is sent, known by their content, never the same write twice."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, insert, select, update

from sync_pipelines.engine.outcome import Planned
from sync_pipelines.engine.plan import Write
from sync_pipelines.engine.port import Operation, State
from sync_pipelines.errors import FixConfiguration, Stop
from sync_pipelines.ledger.change import Change
from sync_pipelines.ledger.relation import dumps
from sync_pipelines.ledger.tables import plans
from sync_pipelines.ledger.writes import REPLANNED, SavedWrite, content, in_doubt, known, save, writes_of


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


def save_plan(change: Change, origin: Origin, planned: Sequence[Write]) -> Planned:
    """Save a plan without the writes that were refused, confirmed or are in doubt with the same content.

    `held` counts those. Saving the same writes in the same run again gives the same plan.
    """
    before = known(change.connection, planned)
    held = {saved.write.request.idempotency_key for saved in before if saved.state not in REPLANNED}
    fresh = [write for write in planned if write.request.idempotency_key not in held]
    content_hash = _content_hash(fresh)
    identity = dumps([origin.run_id, origin.domain, origin.target, content_hash])
    plan_id = "plan-" + hashlib.sha256(identity.encode()).hexdigest()[:16]
    saved = plan(change.connection, plan_id) or _insert(
        change, Plan(plan_id, origin, content_hash, change.at, "open" if fresh else "applied", *_counted(fresh))
    )
    save(change, plan_id, fresh)
    creates = saved.counts.get(Operation.CREATE, 0)
    return Planned(
        domain=origin.domain,
        target=origin.target,
        plan_id=plan_id,
        snapshot=origin.snapshot,
        creates=creates,
        updates=len(fresh) - creates,
        held=len(planned) - len(fresh),
        amounts=saved.amounts,
    )


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


def open_writes(connection: Connection, domain: str, target: str, run_id: str) -> tuple[list[Write], dict[str, State]]:
    """What an apply has to bring to an end, with the states: a run's plan, and what earlier runs left in doubt."""
    wanted = latest_plan(connection, domain, target, run_id=run_id)
    planned = verified_writes(connection, wanted.plan_id) if wanted else []
    found = {saved.write.request.write_id: saved for saved in (*in_doubt(connection, target, domain=domain), *planned)}
    return [saved.write for saved in found.values()], {key: saved.state for key, saved in found.items()}


def newest_open_run(connection: Connection) -> str:
    """The run whose plans were saved last and are not applied yet."""
    query = select(plans.c.run_id).where(plans.c.state == "open").order_by(plans.c.number.desc()).limit(1)
    found: str | None = connection.scalar(query)
    if found is None:
        raise FixConfiguration("no saved plan waits to be applied: run `sync-pipelines plan` first")
    return found


def _insert(change: Change, fresh: Plan) -> Plan:
    origin = fresh.origin
    overtaken = change.connection.execute(
        update(plans)
        .where(plans.c.domain == origin.domain, plans.c.target == origin.target, plans.c.state == "open")
        .values(state="superseded")
        .returning(plans.c.plan_id)
    )
    for (plan_id,) in overtaken:
        change.tell("plan.superseded", plan_id, by=fresh.plan_id)
    facts = {name: getattr(origin, name) for name in Origin.__slots__}
    own = {name: getattr(fresh, name) for name in ("content_hash", "counts", "amounts")}
    fixed = {name: getattr(fresh, name) for name in ("plan_id", "created_at", "state")}
    change.connection.execute(insert(plans).values(**fixed, **facts, **own))
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
        digest.update(json.dumps(content(write), sort_keys=True).encode())
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
    )
