"""Approval: what waits for a person's word, who may give it, and giving it.

The policy decides (`engine.policy`), the ledger keeps. An approval is of writes, never of a plan's name: it
holds for the very same write in every later plan, and for no other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sync_pipelines import mappings
from sync_pipelines.engine import policy
from sync_pipelines.engine.plan import moves
from sync_pipelines.engine.policy import DAY, UNKNOWN, Hands
from sync_pipelines.engine.port import OPEN, State
from sync_pipelines.engine.reconcile import Item
from sync_pipelines.engine.topology import DomainSettings, Topology
from sync_pipelines.errors import FixConfiguration, Stop
from sync_pipelines.ledger import Ledger
from sync_pipelines.ledger.approvals import Word
from sync_pipelines.ledger.plans import Origin, Plan
from sync_pipelines.ledger.work_items import Assigned
from sync_pipelines.ledger.writes import SavedWrite
from sync_pipelines.mappings import authors

_OPEN = (State.PLANNED, *OPEN)
_NAMED = 5
"""How many records a refusal names."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a person says of writes, why, and when."""

    by: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Approved:
    """What an approval came to, with what nobody knows about who had a hand in it."""

    count: int
    authors: Mapping[str, str]
    """Who wrote the policy and the mappings, "unknown" where nobody knows."""
    unknown_editors: int
    """Writes whose leading record does not say who edited it."""


@dataclass(frozen=True, slots=True)
class Assessed:
    """A saved plan under the policy: what may be sent now, and what waits for whom."""

    plan: Plan
    past: str
    """In which respects the plan is past a limit, so that all of it waits; empty when it isn't."""
    ready: tuple[SavedWrite, ...]
    waiting: tuple[SavedWrite, ...]
    needs: Mapping[str, tuple[str, ...]]
    """By write id the teams whose word a waiting write needs."""


def assess(
    ledger: Ledger, settings: DomainSettings, plan: Plan, saved: Sequence[SavedWrite], *, now: datetime
) -> Assessed:
    """Judge a plan's writes by its domain's policy and by what was approved and sent so far."""
    unsent = [each for each in saved if each.state is State.PLANNED]
    granted = ledger.granted(plan.origin)
    sent = ledger.sent(plan.origin.domain, plan.origin.target, since=now - DAY, team=settings.limit_team)
    writes = [each.write for each in unsent]
    past = policy.past_limits(settings, writes, granted=granted, sent=sent)
    approved = {write.request.write_id for write in policy.ready(writes, granted)}
    waiting = [each for each in unsent if past or _id(each) not in approved]
    needs = {_id(each): _needs(each, settings, granted, past=past) for each in waiting}
    left = set(needs)
    ready = [each for each in saved if each.state in _OPEN and _id(each) not in left]
    return Assessed(plan, past, tuple(ready), tuple(waiting), needs)


def _needs(each: SavedWrite, settings: DomainSettings, granted: policy.Granted, *, past: str) -> tuple[str, ...]:
    teams = [*each.write.approved_by, *([settings.limit_team] if past else [])]
    return tuple(dict.fromkeys(team for team in teams if (_id(each), team) not in granted))


def _id(each: SavedWrite) -> str:
    return each.write.request.write_id


def hold_to_settings(settings: DomainSettings, plan: Plan) -> None:
    """`Stop` when a domain's settings, its policy among them, are no longer those that the plan was made under."""
    if plan.origin.ownership_version != settings.version:
        raise Stop(
            f"{plan.plan_id} was made under other settings of [domains.{plan.origin.domain}] than those of today: "
            f"nothing of it is sent, plan again"
        )


def note_versions(ledger: Ledger, topology: Topology) -> None:
    """Keep which topology, policies and mappings decide from now on, with who wrote those that are new."""
    found = {"topology": topology.version}
    for domain, settings in topology.domains.items():
        found[f"policy/{domain}"] = settings.version
        found |= {f"mapping/{system}/{domain}": mappings.version(system, domain) for system in settings.systems}
    ledger.note_versions(found, author=lambda subject: _author(topology, subject))


def _author(topology: Topology, subject: str) -> str:
    kind, *names = subject.split("/")
    return authors.authors(mappings.files(*names) if kind == "mapping" else [topology.source])


def written_by(ledger: Ledger, origin: Origin) -> dict[str, str]:
    """Who wrote the mappings and the policy that a plan was made from; "unknown" where nobody knows."""
    subjects = {f"policy/{origin.domain}": origin.ownership_version}
    for each in origin.mapping_version.split():
        system, _, version = each.partition("@")
        subjects[f"mapping/{system}/{origin.domain}"] = version
    return {subject: ledger.author(subject, version) or UNKNOWN for subject, version in subjects.items()}


def open_plan(ledger: Ledger, topology: Topology, plan_id: str, *, now: datetime) -> Assessed:
    """An open plan under today's policy; a refusal says why it isn't one."""
    plan = ledger.plan(plan_id)
    if plan is None:
        raise FixConfiguration(f"there is no plan {plan_id!r}: see `sync-pipelines plans`")
    if plan.state != "open":
        raise FixConfiguration(f"{plan_id} is {plan.state}, nothing of it waits: see `sync-pipelines plans`")
    settings = topology.domains.get(plan.origin.domain)
    if settings is None:
        raise FixConfiguration(f"{plan_id} is of the domain {plan.origin.domain}, which the topology no longer has")
    hold_to_settings(settings, plan)
    return assess(ledger, settings, plan, ledger.verified_writes(plan_id), now=now)


def open_plans(ledger: Ledger, topology: Topology, *, now: datetime, domain: str = "") -> list[Assessed]:
    """Every open plan with something left to do, of a domain or of all."""
    plans = [plan for plan in ledger.open_plans(domain) if plan.origin.domain in topology.domains]
    found = [
        assess(ledger, topology.domains[plan.origin.domain], plan, ledger.writes(plan.plan_id), now=now)
        for plan in plans
    ]
    return [each for each in found if each.ready or each.waiting]


def approve(
    ledger: Ledger,
    topology: Topology,
    plan_id: str,
    opinion: Opinion,
    *,
    write_ids: Sequence[str] = (),
) -> Approved:
    """Approve what waits in a plan, or some writes of it.

    The approver speaks for those teams that a write needs and that she belongs to. `Stop` when she belongs to
    none, or had a hand in what she would approve.
    """
    assessed = open_plan(ledger, topology, plan_id, now=opinion.at)
    chosen = _chosen(assessed, write_ids)
    grants = _for_teams(topology, assessed, chosen, by=opinion.by, verb="approve")
    signed = {write_id for write_id, _ in grants}
    approved = [each for each in chosen if _id(each) in signed]
    origin = assessed.plan.origin
    wrote, hands = written_by(ledger, origin), _hands(approved)
    if against := policy.objections(opinion.by, person=topology.person, authors=wrote, hands=hands):
        more = f", and {len(against) - _NAMED} more" if len(against) > _NAMED else ""
        raise Stop(f"somebody else has to approve: {'; '.join(against[:_NAMED])}{more}")
    ledger.approve(Word(plan_id, topology.person(opinion.by), opinion.reason), grants)
    return Approved(len(approved), wrote, sum(not each.write.edited_by for each in approved))


def reject(ledger: Ledger, topology: Topology, plan_or_write: str, opinion: Opinion) -> int:
    """Refuse what waits in a plan, or one write; the very same is not planned again. Returns how many writes.

    Whoever belongs to a team whose word is needed may reject, whatever hand she had in it.
    """
    if ledger.plan(plan_or_write) is not None:
        assessed = open_plan(ledger, topology, plan_or_write, now=opinion.at)
        chosen = _chosen(assessed, ())
    else:
        assessed, chosen = _holding(ledger, topology, plan_or_write, now=opinion.at)
    grants = _for_teams(topology, assessed, chosen, by=opinion.by, verb="reject")
    return ledger.reject(Word(assessed.plan.plan_id, topology.person(opinion.by), opinion.reason), grants)


def _holding(ledger: Ledger, topology: Topology, write_id: str, *, now: datetime) -> tuple[Assessed, list[SavedWrite]]:
    for assessed in open_plans(ledger, topology, now=now):
        if found := [each for each in assessed.waiting if _id(each).startswith(write_id)]:
            hold_to_settings(topology.domains[assessed.plan.origin.domain], assessed.plan)
            return assessed, _only(found, write_id)
    raise FixConfiguration(f"no plan or write {write_id!r} waits for anybody: see `sync-pipelines plans`")


def _chosen(assessed: Assessed, write_ids: Sequence[str]) -> list[SavedWrite]:
    if not assessed.waiting:
        raise FixConfiguration(f"nothing in {assessed.plan.plan_id} waits for approval")
    if not write_ids:
        return list(assessed.waiting)
    chosen: dict[str, SavedWrite] = {}
    for asked in write_ids:
        found = [each for each in assessed.waiting if _id(each).startswith(asked)]
        chosen |= {_id(each): each for each in _only(found, asked)}
    return list(chosen.values())


def _only(found: list[SavedWrite], asked: str) -> list[SavedWrite]:
    if len(found) != 1:
        raise FixConfiguration(f"{asked!r} names {len(found)} of the writes that wait: see `sync-pipelines show PLAN`")
    return found


def _for_teams(
    topology: Topology, assessed: Assessed, chosen: Sequence[SavedWrite], *, by: str, verb: str
) -> list[tuple[str, str]]:
    """The writes that a person has a say in, each with the team for which she has it."""
    needed = [(_id(each), team) for each in chosen for team in assessed.needs[_id(each)]]
    grants = [(write_id, team) for write_id, team in needed if topology.belongs(by, team)]
    if not grants:
        teams = [who(topology, team) for team in sorted({team for _, team in needed})]
        raise Stop(f"{by} may not {verb} this: it takes a member of {', or of '.join(teams)}")
    return grants


def who(topology: Topology, team: str) -> str:
    """A team with its members, as people read it."""
    person = topology.people.get(team)
    if person is None:
        return team
    return f"{person.name} ({', '.join(person.members) or 'no members yet'})"


def told(assessed: Assessed, topology: Topology) -> dict[str, Any]:
    """An open plan for machines and the terminal: what it moves, what waits in it, why and for whom."""
    plan, waiting = assessed.plan, assessed.waiting
    teams = sorted({team for needed in assessed.needs.values() for team in needed})
    return {
        "plan": plan.plan_id,
        "domain": plan.origin.domain,
        "target": plan.origin.target,
        "run": plan.origin.run_id,
        "made_at": plan.created_at,
        "ready": len(assessed.ready),
        "past_limit": assessed.past,
        "moves": [asdict(move) for move in moves([each.write for each in (*assessed.ready, *waiting)])],
        "approvers": {team: who(topology, team) for team in teams},
        "waiting": [_told(assessed, each, topology) for each in waiting],
    }


def _told(assessed: Assessed, saved: SavedWrite, topology: Topology) -> dict[str, Any]:
    write = saved.write
    names = ("label", "amount_minor", "currency", "legal_entity", "period", "edited_by")
    return {
        "write": _id(saved),
        "operation": str(write.request.operation),
        **{name: getattr(write, name) for name in names},
        "teams": list(assessed.needs[_id(saved)]),
        "why": _why(assessed, saved, topology),
        "changes": [asdict(change) for change in write.changes],
    }


def _hands(writes: Sequence[SavedWrite]) -> dict[str, Hands]:
    return {each.write.label: Hands(each.write.edited_by, each.write.corrected_by) for each in writes}


def waiting_rows(assessed: Sequence[Assessed], topology: Topology) -> list[dict[str, Any]]:
    """Why each waiting write waits, in words: target, link_id, message, fields."""
    return [
        {
            "target": each.plan.origin.target,
            "link_id": saved.write.link_id,
            "message": _why(each, saved, topology),
            "fields": [change.field for change in saved.write.changes],
        }
        for each in assessed
        for saved in each.waiting
    ]


def _why(assessed: Assessed, saved: SavedWrite, topology: Topology) -> str:
    teams = _asked(assessed, saved)
    if not teams:
        return f"its plan waits, being past a limit: {assessed.past}"
    since = f" since {saved.planned_at:%Y-%m-%d %H:%M} UTC" if saved.planned_at else ""
    return f"waits for approval by {' and '.join(topology.people[team].name for team in teams)}{since}"


def _asked(assessed: Assessed, saved: SavedWrite) -> list[str]:
    """The teams that are still to approve a write for what it is, whatever its plan comes to."""
    return [team for team in saved.write.approved_by if team in assessed.needs[_id(saved)]]


def exceptions(
    assessed: Sequence[Assessed],
    items: Sequence[Item],
    topology: Topology,
    *,
    deals: Mapping[tuple[str, str], str],
) -> list[Assigned]:
    """Exceptions with their owners: what waits is the approving team's, and a plan past a limit is one more.

    `deals` names the deal that a record belongs to, by system and record id.
    """
    waiting = {
        (each.plan.origin.target, saved.write.link_id): (saved, teams[0])
        for each in assessed
        for saved in each.waiting
        if (teams := _asked(each, saved))
    }
    return [
        *(
            _assigned(
                item,
                waiting.get((item.system, item.link_id or "")),
                topology,
                deal=deals.get((item.system, item.record_id), ""),
            )
            for item in items
        ),
        *(_limit(each, topology) for each in assessed if each.past),
    ]


def _assigned(item: Item, asked: tuple[SavedWrite, str] | None, topology: Topology, *, deal: str) -> Assigned:
    evidence = {"code": item.code, "correlation_id": deal}
    owner = topology.domains[item.domain].owner_of_exceptions(item.kind, code=item.code)
    if asked is not None:
        saved, owner = asked
        evidence["write_id"] = _id(saved)
        if item.amount_minor is None:
            item = replace(item, amount_minor=saved.write.amount_minor, currency=saved.write.currency)
    told = {name: value for name, value in evidence.items() if value}
    return Assigned(item, owner, topology.people[owner].due_hours, told)


def _limit(assessed: Assessed, topology: Topology) -> Assigned:
    """The one exception of a plan that is past a limit, worth what it would move where that is in one currency."""
    origin = assessed.plan.origin
    owner = topology.domains[origin.domain].limit_team
    amounts = policy.size([saved.write for saved in assessed.waiting]).amount
    currency, amount = next(iter(amounts.items())) if len(amounts) == 1 else (None, None)
    item = Item(
        fingerprint=f"{origin.domain}|limit|{origin.target}|",
        domain=origin.domain,
        kind="limit",
        system=origin.target,
        record_id="",
        label=f"{origin.domain} for {origin.target}",
        reason=f"the plan is past a limit and waits as a whole: {assessed.past}",
        amount_minor=amount,
        currency=currency,
    )
    return Assigned(item, owner, topology.people[owner].due_hours)
