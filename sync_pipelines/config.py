"""The topology: `sync.toml` as typed, checked values; every refusal says which line of it to mend."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from sync_pipelines.domains import DOMAINS
from sync_pipelines.errors import FixConfiguration

_VARIABLE = re.compile(r"\$\{(?P<name>[A-Z0-9_]+)(?::-(?P<default>[^}]*))?\}")


class Planes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the two planes live; empty strings mean the embedded ones."""

    database_url: str = ""
    lake: str = ""


class SystemSettings(msgspec.Struct, frozen=True):
    """One `[systems.NAME]` table. What an adapter alone needs is in `options`."""

    name: str
    adapter: str
    url: str
    calls_per_second: float = 10.0
    concurrency: int = 4
    every_seconds: int = 60
    options: dict[str, str] = {}

    def option(self, key: str) -> str:
        """An adapter's own setting, or `FixConfiguration` that names it."""
        value = self.options.get(key, "")
        if not value:
            raise FixConfiguration(f"[systems.{self.name}] needs {key!r} in sync.toml")
        return value


class LegalEntity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A company with books of its own: documents are dated in its zone."""

    name: str
    zone: str
    currency: str


class Person(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A team that works exceptions."""

    name: str
    due_hours: int = 24


class Schedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    cron: str
    zone: str


class DomainSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[domains.NAME]` table: where the domain lives, who owns its fields, what may be written."""

    systems: list[str]
    owners: dict[str, str]
    exceptions: dict[str, str]
    schedule: Schedule
    create: list[str] = []
    update: list[str] = []

    @property
    def leader(self) -> str:
        """The system from which a missing record is judged."""
        return self.systems[0]

    @property
    def targets(self) -> list[str]:
        """The systems that may be written, in the order of `systems`."""
        return [system for system in self.systems if system in {*self.create, *self.update}]

    def owner_of_exceptions(self, kind: str) -> str:
        return self.exceptions.get(kind, self.exceptions["default"])


class Topology(msgspec.Struct, frozen=True):
    """Everything `sync.toml` declares, checked as a whole."""

    planes: Planes
    systems: dict[str, SystemSettings]
    legal_entities: dict[str, LegalEntity]
    people: dict[str, Person]
    domains: dict[str, DomainSettings]
    state: Path

    def pairs(self, domain: str) -> list[tuple[str, str]]:
        """Each pair of systems that hold the domain, the leading one first."""
        held = self.domains[domain].systems
        return [(a, b) for i, a in enumerate(held) for b in held[i + 1 :]]


def load(path: Path, *, environment: Mapping[str, str] | None = None, state: Path | None = None) -> Topology:
    """Read and check a topology; `FixConfiguration` lists everything that is wrong with it at once."""
    if not path.is_file():
        raise FixConfiguration(f"no topology at {path}: copy sync.toml from the repository and edit it")
    environment = os.environ if environment is None else environment
    try:
        declared = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise FixConfiguration(f"{path.name} is not valid TOML: {error}") from error
    missing: list[str] = []
    declared = _fill(declared, environment, missing)
    problems = [f"environment variable {name} is not set" for name in sorted(set(missing))]
    declared["systems"] = {n: _system(n, t) for n, t in declared.get("systems", {}).items()}
    folder = state or Path(environment.get("SYNC_STATE", path.parent / ".sync"))
    try:
        topology = msgspec.convert({**declared, "state": folder}, Topology, dec_hook=_path)
    except msgspec.ValidationError as error:
        raise FixConfiguration(f"{path.name}: {error}") from error
    problems += _problems(topology)
    if problems:
        raise FixConfiguration(f"{path.name} can't be used:\n" + "\n".join(f"  - {p}" for p in problems))
    return topology


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


def _system(name: str, table: dict[str, Any]) -> dict[str, Any]:
    own = set(SystemSettings.__struct_fields__) - {"name", "options"}
    options = {key: str(value) for key, value in table.items() if key not in own}
    return {"name": name, "options": options, **{k: v for k, v in table.items() if k in own}}


def _problems(topology: Topology) -> list[str]:
    found = [
        f"[legal_entities.{code}] zone {entity.zone!r} is not a time zone"
        for code, entity in topology.legal_entities.items()
        if not _is_zone(entity.zone)
    ]
    for name, domain in topology.domains.items():
        if name not in DOMAINS:
            found.append(f"[domains.{name}] is not one of {', '.join(DOMAINS)}")
            continue
        found += [f"[domains.{name}] {problem}" for problem in _domain_problems(name, domain, topology)]
    return found


def _domain_problems(name: str, domain: DomainSettings, topology: Topology) -> list[str]:
    known, held = set(topology.systems), set(domain.systems)
    found = [
        f"names the system {s!r}, which no [systems.{s}] provides" for s in domain.systems if s not in known
    ]
    fields = {field.name for field in DOMAINS[name].fields}
    found += [f"field {field!r} has no owner under owners" for field in sorted(fields - set(domain.owners))]
    found += [
        f"owners names {field!r}, which is no field of it" for field in sorted(set(domain.owners) - fields)
    ]
    found += [
        f"{field!r} is owned by {owner!r}, which does not hold the domain"
        for field, owner in domain.owners.items()
        if owner not in held
    ]
    found += [
        f"may write {s!r}, which does not hold the domain" for s in {*domain.create, *domain.update} - held
    ]
    if "default" not in domain.exceptions:
        found.append("exceptions needs a default owner")
    found += [
        f"exceptions go to {p!r}, who is not in [people]"
        for p in domain.exceptions.values()
        if p not in topology.people
    ]
    if not _is_zone(domain.schedule.zone):
        found.append(f"schedule zone {domain.schedule.zone!r} is not a time zone")
    return found


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return False
    return True
