"""Reading `sync.toml`: variables filled in, everything checked; a refusal says what to mend in it."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from sync_pipelines.domains import DOMAINS, Domain, Kind
from sync_pipelines.domains.money import CURRENCIES
from sync_pipelines.engine.port import Operation
from sync_pipelines.engine.topology import (
    Approval,
    DomainSettings,
    LegalEntity,
    Limit,
    PeriodPolicy,
    Person,
    Planes,
    Policy,
    Schedule,
    SystemSettings,
    Topology,
    plain,
)
from sync_pipelines.errors import FixConfiguration

__all__ = [
    "Approval",
    "DomainSettings",
    "LegalEntity",
    "Limit",
    "Person",
    "Planes",
    "Policy",
    "Schedule",
    "SystemSettings",
    "Topology",
    "load",
]

_NEVER_EMPTY = {Kind.MONEY, Kind.CURRENCY, Kind.FLAG, Kind.REFERENCE, Kind.LINES}
_VARIABLE = re.compile(r"\$\{(?P<name>[A-Z0-9_]+)(?::-(?P<default>[^}]*))?\}")


def load(
    path: Path,
    *,
    environment: Mapping[str, str] | None = None,
    state: Path | None = None,
    strict: bool = True,
) -> Topology:
    """Read and check a topology; `FixConfiguration` lists everything that is wrong with it at once.

    `strict=False` leaves variables empty that are not set: enough to say what there is, not to reach it.
    """
    environment = os.environ if environment is None else environment
    declared = _declared(path)
    missing: list[str] = []
    declared = _fill(declared, environment, missing)
    problems = [f"environment variable {name} is not set" for name in sorted(set(missing)) if strict]
    declared["systems"] = _systems(declared.get("systems", {}), path.name)
    folder = state or Path(environment.get("SYNC_STATE", path.parent / ".sync"))
    try:
        topology = msgspec.convert({**declared, "state": folder, "source": path}, Topology, dec_hook=_path)
    except msgspec.ValidationError as error:
        raise FixConfiguration(f"{path.name}: {error}") from error
    problems += _problems(topology, conditions=strict)
    if problems:
        raise FixConfiguration.of(f"{path.name} can't be used", problems)
    return topology


def _declared(path: Path, *above: Path) -> dict[str, Any]:
    """What a file says, laid over what the file says that it extends: tables are joined, all else is replaced."""
    if path in above:
        raise FixConfiguration(f"{path.name} extends itself, by way of {', '.join(each.name for each in above)}")
    if not path.is_file():
        raise FixConfiguration(f"no topology at {path}: copy sync.toml from the repository and edit it")
    try:
        declared = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise FixConfiguration(f"{path.name} is not valid TOML: {error}") from error
    extended = declared.pop("extends", None)
    if extended is None:
        return declared
    if not isinstance(extended, str):
        raise FixConfiguration(f"{path.name}: extends is {extended!r}: give the name of a topology's file")
    return _laid_over(_declared(path.parent / extended, *above, path), declared)


def _laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    joined = {
        name: _laid_over(below[name], value) if isinstance(value, dict) and isinstance(below.get(name), dict) else value
        for name, value in above.items()
    }
    return {**below, **joined}


def _path(kind: type, value: object) -> object:
    return value if isinstance(value, kind) else kind(value)


def _fill(value: object, environment: Mapping[str, str], missing: list[str]) -> Any:
    if isinstance(value, dict):
        return {key: _fill(item, environment, missing) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, environment, missing) for item in value]
    if not isinstance(value, str):
        return value

    def substitute(match: re.Match[str]) -> str:
        name, default = match["name"], match["default"]
        if name in environment:
            return environment[name]
        if default is None:
            missing.append(name)
        return default or ""

    return _VARIABLE.sub(substitute, value)


def _systems(declared: Any, where: str) -> dict[str, Any]:
    tables = declared if isinstance(declared, dict) else {"…": declared}
    if wrong := [name for name, table in tables.items() if not isinstance(table, dict)]:
        raise FixConfiguration(f"{where}: [systems.{wrong[0]}] is not a table")
    return {name: _system(name, table) for name, table in tables.items()}


def _system(name: str, table: dict[str, Any]) -> dict[str, Any]:
    own = set(SystemSettings.__struct_fields__) - {"name", "options"}
    options = {key: str(value) for key, value in table.items() if key not in own}
    return {"name": name, "options": options, **{k: v for k, v in table.items() if k in own}}


def _problems(topology: Topology, *, conditions: bool) -> list[str]:
    found = [
        f"[legal_entities.{code}] zone {entity.zone!r} is not a time zone"
        for code, entity in topology.legal_entities.items()
        if not _is_zone(entity.zone)
    ]
    for name, system in topology.systems.items():
        found += [f"[systems.{name}] {problem}" for problem in _system_problems(system, topology)]
    found += _account_problems(topology.accounts)
    for name, domain in topology.domains.items():
        if name not in DOMAINS:
            found.append(f"[domains.{name}] is not one of {', '.join(DOMAINS)}")
            continue
        told = _domain_problems(name, domain, topology)
        told += _conditions_problems(name, domain) if conditions else []
        found += [f"[domains.{name}] {problem}" for problem in told]
    return found


def _system_problems(system: SystemSettings, topology: Topology) -> list[str]:
    found = [
        f"maintenance zone {window.zone!r} is not a time zone"
        for window in system.maintenance
        if not _is_zone(window.zone)
    ]
    if system.exceptions and system.exceptions not in topology.people:
        found.append(f"exceptions go to {system.exceptions!r}, who is not in [people]")
    return found


def _domain_problems(name: str, domain: DomainSettings, topology: Topology) -> list[str]:
    known, held = set(topology.systems), set(domain.systems)
    found = [f"names the system {s!r}, which no [systems.{s}] provides" for s in domain.systems if s not in known]
    fields = {field.name for field in DOMAINS[name].fields}
    found += [f"field {field!r} has no owner under owners" for field in sorted(fields - set(domain.owners))]
    found += [f"owners names {field!r}, which is no field of it" for field in sorted(set(domain.owners) - fields)]
    found += [
        f"{field!r} is owned by {owner!r}, which does not hold the domain"
        for field, owner in domain.owners.items()
        if owner not in held
    ]
    written = {*domain.create, *domain.update, *domain.void}
    found += [f"may write {s!r}, which does not hold the domain" for s in written - held]
    found += [f"scope names {s!r}, which does not hold the domain" for s in set(domain.scope) - held]
    if domain.void and not DOMAINS[name].open_when:
        found.append(f"voids records in {', '.join(domain.void)}, but no record of it ever ends")
    if domain.closed_period is not PeriodPolicy.HOLD and not DOMAINS[name].ledger:
        found.append(f"closed_period is {domain.closed_period}, but nothing of it is posted in the books")
    found += [
        f"recreate names {s!r}, which is not in create" for s in sorted(set(domain.recreate) - set(domain.create))
    ]
    found += _clears_problems(DOMAINS[name], domain.clears)
    if not 0 < domain.limit_deletes <= 1:
        found.append("limit_deletes is a share: more than 0, and at most 1")
    if domain.cut_over > date.min and not DOMAINS[name].dated:
        found.append("cut_over is for domains of documents: order and invoice")
    if "default" not in domain.exceptions:
        found.append("exceptions needs a default owner")
    found += [
        f"exceptions go to {p!r}, who is not in [people]"
        for p in domain.exceptions.values()
        if p not in topology.people
    ]
    found += _policy_problems(domain.policy, topology)
    if not _is_zone(domain.schedule.zone):
        found.append(f"schedule zone {domain.schedule.zone!r} is not a time zone")
    return found


def _clears_problems(domain: Domain, names: Sequence[str]) -> list[str]:
    fields = {field.name: field for field in domain.fields}
    found = []
    for name in names:
        if name not in fields:
            found.append(f"clears names {name!r}, which is no field of it")
        elif name in domain.key:
            found.append(f"clears names {name!r}, by which records are known")
        elif fields[name].required:
            found.append(f"clears names {name!r}, which every record must have")
        elif fields[name].kind in _NEVER_EMPTY:
            found.append(f"clears names {name!r}: a {fields[name].kind} is never empty")
    return found


def _policy_problems(policy: Policy, topology: Topology) -> list[str]:
    found, approval = [], policy.approval
    teams = {"approval": approval.team if approval else ""}
    teams |= {name: limit.team for name, limit in _limits(policy).items()}
    for name, team in teams.items():
        if team and team not in topology.people:
            found.append(f"policy.{name} names the team {team!r}, who is not in [people]")
        elif team and not topology.people[team].members:
            found.append(f"policy.{name} names the team {team!r}, which has no members: nobody could approve")
    for name, limit in _limits(policy).items():
        found += [
            f"policy.{name} amount names {currency!r}, which is no ISO 4217 code"
            for currency in limit.amount
            if currency not in CURRENCIES
        ]
        counts = {"records": limit.records, "documents": limit.documents, "deletes": limit.deletes, **limit.amount}
        found += [f"policy.{name} {each} is below 0" for each, most in counts.items() if most is not None and most < 0]
    return found


def _approval_problems(when: str, fields: set[str]) -> list[str]:
    """What is wrong with a condition; a word that no write can have would make it say nothing."""
    import sqlglot
    from sqlglot import exp

    if found := _condition_problems(when, {*fields, "operation", "amount_minor", "currency"}):
        return found
    known = {"operation": {str(each) for each in Operation}, "currency": CURRENCIES}
    for node in sqlglot.parse_one(when, dialect="duckdb").find_all(exp.EQ, exp.NEQ, exp.In):
        names = [column.name for column in node.find_all(exp.Column) if column.name in known]
        words = [each.this for each in node.find_all(exp.Literal) if each.is_string]
        found += [
            f"the condition {when!r} compares {name} with {word!r}, which is none"
            for name in names
            for word in words
            if word not in known[name]
        ]
    return found


def _limits(policy: Policy) -> dict[str, Limit]:
    return {"limit": policy.limit, "limit_per_day": policy.limit_per_day}


def _account_problems(accounts: Mapping[str, list[str]]) -> list[str]:
    """A name that two people share would let one pass for the other."""
    owners: dict[str, set[str]] = {}
    for person, names in accounts.items():
        for name in (person, *names):
            owners.setdefault(plain(name), set()).add(person)
    return [
        f"[accounts] {name!r} belongs to {' and to '.join(sorted(people))}: a name is one person's"
        for name, people in owners.items()
        if len(people) > 1
    ]


def _conditions_problems(name: str, domain: DomainSettings) -> list[str]:
    fields = {field.name for field in DOMAINS[name].fields}
    conditions = filter(None, [domain.create_when, *domain.scope.values()])
    found = [problem for condition in conditions for problem in _condition_problems(condition, fields)]
    if (approval := domain.policy.approval) and approval.when:
        found += [f"policy.approval: {problem}" for problem in _approval_problems(approval.when, fields)]
    return found


def _condition_problems(condition: str, fields: set[str]) -> list[str]:
    import sqlglot  # only where a topology has conditions, for it takes a while to load
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    try:
        named = {column.name for column in sqlglot.parse_one(condition, dialect="duckdb").find_all(exp.Column)}
    except SqlglotError:
        return [f"the condition {condition!r} is not valid SQL"]
    return [f"the condition {condition!r} names {name!r}, which is no field of it" for name in sorted(named - fields)]


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return False
    return True
