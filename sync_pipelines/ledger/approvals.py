"""Approvals: what people decided about planned writes, which of it still holds, and what went without a word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Select, exists, func, select, update
from sqlalchemy.dialects.postgresql import distinct_on

from sync_pipelines.domains import DOMAINS
from sync_pipelines.engine.policy import ADDING, Size, is_document
from sync_pipelines.engine.port import OPEN, State
from sync_pipelines.ledger.change import Change
from sync_pipelines.ledger.plans import Origin
from sync_pipelines.ledger.relation import add, counted, given
from sync_pipelines.ledger.tables import approvals, attempts, plans, writes
from sync_pipelines.ledger.writes import REPLANNED

REJECTED = "rejected"
"""The code of a write that a person did not want sent."""
_SENT = (*OPEN, State.CONFIRMED)


@dataclass(frozen=True, slots=True)
class Word:
    """What a person says of a plan's writes, for which team, and why."""

    plan_id: str
    by: str
    reason: str


def granted(connection: Connection, origin: Origin) -> set[tuple[str, str]]:
    """The approvals (write id, team) that hold for a plan of this origin.

    The newest decision counts, and an approval only under the very settings of the domain that it was given under.
    """
    latest = _latest(origin.domain, origin.target).subquery()
    held = select(latest.c.write_id, latest.c.team).where(
        latest.c.decision == "approved", latest.c.ownership_version == origin.ownership_version
    )
    return {(write_id, team) for write_id, team in connection.execute(held)}


def sent(connection: Connection, domain: str, target: str, *, since: datetime, team: str) -> Size:
    """What left for a target since an instant without the word of a team, refused and unsent writes not counted."""
    latest = _latest(domain, target).subquery()
    signed = exists().where(
        latest.c.write_id == writes.c.write_id, latest.c.team == team, latest.c.decision == "approved"
    )
    left = exists().where(attempts.c.write_id == writes.c.write_id, attempts.c.started_at > since)
    query = (
        select(writes.c.operation, writes.c.currency, func.count(), func.sum(func.abs(writes.c.amount_minor)))
        .where(writes.c.domain == domain, writes.c.target == target, writes.c.state.in_(_SENT), left, ~signed)
        .group_by(writes.c.operation, writes.c.currency)
    )
    document = is_document(DOMAINS[domain])
    total = Size()
    for operation, currency, count, amount in connection.execute(query):
        deletes = 0 if operation in ADDING else count
        amounts = {currency: int(amount)} if currency and amount else {}
        total += Size(count, count if document else 0, deletes, amounts)
    return total


def approve(change: Change, word: Word, given_for: Sequence[tuple[str, str]]) -> None:
    """Keep a person's approval of writes, each with the team that she speaks for."""
    _keep(change, word, "approved", given_for)


def reject(change: Change, word: Word, given_for: Sequence[tuple[str, str]]) -> int:
    """Refuse writes that were not sent yet, on a person's word; returns how many."""
    wanted = given([{"write_id": write_id} for write_id, _ in given_for], writes.c.write_id)
    refused = change.connection.execute(
        update(writes)
        .where(writes.c.write_id == wanted.c.write_id, writes.c.state.in_(REPLANNED))
        .values(state=State.REFUSED, code=REJECTED, message=f"rejected: {word.reason}", updated_at=change.at)
        .returning(writes.c.write_id)
    ).scalars()
    gone = set(refused)
    _keep(change, word, "rejected", [each for each in given_for if each[0] in gone])
    return len(gone)


def _latest(domain: str, target: str) -> Select[tuple[str, str, str, str]]:
    """The newest decision of each team about each write of a domain and target, with the settings it was made under."""
    return (
        select(approvals.c.write_id, approvals.c.team, approvals.c.decision, plans.c.ownership_version)
        .join(plans, plans.c.plan_id == approvals.c.plan_id)
        .where(plans.c.domain == domain, plans.c.target == target)
        .ext(distinct_on(approvals.c.write_id, approvals.c.team))
        .order_by(approvals.c.write_id, approvals.c.team, approvals.c.approval_id.desc())
    )


def _keep(change: Change, word: Word, decision: str, given_for: Sequence[tuple[str, str]]) -> None:
    facts = {"plan_id": word.plan_id, "decision": decision, "decided_by": word.by, "reason": word.reason}
    add(
        change.connection,
        approvals,
        [{**facts, "write_id": write_id, "team": team, "at": change.at} for write_id, team in given_for],
    )
    correlations = _correlations(change.connection, [write_id for write_id, _ in given_for])
    for write_id, team in given_for:
        change.tell(
            f"write.{decision}",
            write_id,
            correlation_id=correlations.get(write_id, ""),
            plan_id=word.plan_id,
            team=team,
            by=word.by,
            reason=word.reason,
        )


def _correlations(connection: Connection, write_ids: Sequence[str]) -> dict[str, str]:
    relation = given([{"write_id": each} for each in write_ids], writes.c.write_id)
    same = writes.c.write_id == relation.c.write_id
    return counted(connection, select(writes.c.write_id, writes.c.correlation_id).join(relation, same))
