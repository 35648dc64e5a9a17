"""What `sync.toml` declares, as values: systems, owners, legal entities and the teams that work exceptions."""

from __future__ import annotations

import hashlib
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from sync_pipelines.errors import FixConfiguration


class Planes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the two planes live; empty strings mean the embedded ones."""

    database_url: str = ""
    lake: str = ""


Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WallClock = Annotated[str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
"""A time of day as a wall clock shows it: "22:00"."""


class Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a system is left alone: from `opens` on each of the days to `closes`, past midnight if that is earlier."""

    opens: WallClock
    closes: WallClock
    zone: str
    days: list[Day] = []
    """The days on which it opens; empty: every day."""
    reads: bool = True
    """Whether it may be read all the while; it is never written."""


class SystemSettings(msgspec.Struct, frozen=True):
    """One `[systems.NAME]` table. What an adapter alone needs is in `options`."""

    name: str
    adapter: str
    url: str
    calls_per_second: float = 10.0
    concurrency: int = 4
    every_seconds: int = 60
    attempts: Annotated[int, msgspec.Meta(ge=1)] = 5
    """How often a call is sent that may be repeated, before the system counts as down."""
    reread_days: Annotated[int, msgspec.Meta(ge=0)] = 7
    """After how many days a full run reads an object from its beginning again; 0: never."""
    maintenance: list[Window] = []
    exceptions: str = ""
    """Who works the exception that the system is down; empty: who works those of the first domain that it holds."""
    options: dict[str, str] = {}

    def __repr__(self) -> str:
        """Without the options: they hold secrets."""
        return f"SystemSettings(name={self.name!r}, adapter={self.adapter!r}, url={self.url!r})"

    def option(self, key: str) -> str:
        """An adapter's own setting, or `FixConfiguration` that names it."""
        value = self.options.get(key, "")
        if not value:
            raise FixConfiguration(f"[systems.{self.name}] needs {key!r} in sync.toml")
        return value

    def flag(self, key: str) -> bool:
        """An adapter's own switch, off where it is not set; `FixConfiguration` where it says neither true nor false."""
        value = self.options.get(key, "").lower() or "false"
        if value not in ("true", "false"):
            raise FixConfiguration(f"[systems.{self.name}] {key} is {value!r}: give true or false")
        return value == "true"


class LegalEntity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A company with books of its own: documents are dated in its zone."""

    name: str
    zone: str
    currency: str
    closed_until: date | None = None
    """The last day for which the books take nothing any more, beside what the systems tell of their periods."""
    locked_until: date | None = None
    """The last day for which they only take what the controller approves."""


class Person(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A team that works exceptions and approves writes."""

    name: str
    due_hours: int = 24
    members: list[str] = []
    sees_personal_data: bool = False
    """Its members see payloads as they are sent; others see personal values masked."""


class Schedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    cron: str
    zone: str


class PeriodPolicy(StrEnum):
    """What becomes of a document whose period takes it no more."""

    HOLD = "hold"
    """It waits, and whoever owns the exceptions of kind closed_period is told."""
    NEXT_OPEN = "next_open"
    """The books take it on the first day of the next open period; its own date stays."""
    PROPOSE = "propose"
    """That team is asked to approve it."""


class Approval(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which writes have to be approved, and by which team."""

    team: str
    when: str = ""
    """SQL over the operation, the domain's fields, amount_minor and currency; empty means every write."""


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How much may move without a person's word; None where nothing is said."""

    records: int | None = None
    documents: int | None = None
    deletes: int | None = None
    amount: dict[str, int] = {}
    """Minor units by currency, each write's amount taken without its sign."""
    team: str = ""
    """Who may let more through."""


RECORDS = 10_000
"""The most writes that one plan may hold where the topology does not say."""


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`[domains.NAME.policy]`: which writes apply by themselves, and how much of them."""

    approval: Approval | None = None
    limit: Limit = Limit()
    limit_per_day: Limit = Limit()

    @property
    def per_plan(self) -> Limit:
        """The limit of one plan; it always has one on its records."""
        limit = self.limit
        return limit if limit.records is not None else msgspec.structs.replace(limit, records=RECORDS)


class DomainSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[domains.NAME]` table: where the domain lives, who owns its fields, what may be written."""

    systems: list[str]
    owners: dict[str, str]
    exceptions: dict[str, str]
    schedule: Schedule
    create: list[str] = []
    update: list[str] = []
    void: list[str] = []
    """The systems in which a record is voided, or credited, once its leading record has ended."""
    create_when: str = ""
    """A gate: SQL over the leading record's fields that must hold before others are expected to have it."""
    scope: dict[str, str] = {}
    """For a system that is to hold only part of the domain: SQL over the leading record's fields that says which."""
    closed_period: PeriodPolicy = PeriodPolicy.HOLD
    """What becomes of a document whose period is closed or locked; only for domains whose documents are posted."""
    policy: Policy = Policy()
    limit_deletes: float = 0.1
    """The largest share of a system's records that may be gone at one look; more is not believed."""
    recreate: list[str] = []
    """Systems in which a record that somebody deleted there is created again."""
    cut_over: date = date.min
    """The business date of going live: documents dated before it are compared, and never created."""

    clears: list[str] = []
    """Fields that their owner clears in the targets by emptying them; elsewhere a null of the owner says nothing."""

    @property
    def version(self) -> str:
        """A short hash of who owns and may write what: a plan names the one it was made under."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()[:12]

    @property
    def leader(self) -> str:
        """The system from which a missing record is judged."""
        return self.systems[0]

    @property
    def targets(self) -> list[str]:
        """The systems that may be written, in the order of `systems`."""
        return [system for system in self.systems if system in {*self.create, *self.update, *self.void}]

    def before_cut_over(self, dated: str) -> str:
        """The condition under which a document is from before the cut-over; `dated` names its business date."""
        return f"{dated} < DATE '{self.cut_over}'" if dated and self.cut_over > date.min else "false"

    def expects(self, system: str, *, dated: str = "") -> str:
        """The condition, over a leading record's fields, under which a system is to hold the record.

        `dated` names the business date that decides whether a document is from before the cut-over.
        """
        since = f"{dated} >= DATE '{self.cut_over}'" if dated and self.cut_over > date.min else ""
        conditions = [condition for condition in (self.create_when, self.scope.get(system), since) if condition]
        return " AND ".join(f"coalesce({condition}, false)" for condition in conditions) or "true"

    def owner_of_exceptions(self, kind: str, *, code: str = "") -> str:
        """The team for a kind, or more precisely for a kind and the code with which a target refused."""
        keys = (f"{kind}.{code}", kind, "default")
        return next(self.exceptions[key] for key in keys if key in self.exceptions)

    @property
    def limit_team(self) -> str:
        """The team that may let a plan through that is past a limit."""
        named = self.policy.limit.team or self.policy.limit_per_day.team
        return named or (self.policy.approval.team if self.policy.approval else self.owner_of_exceptions("limit"))


class Topology(msgspec.Struct, frozen=True):
    """Everything `sync.toml` declares, checked as a whole."""

    planes: Planes
    systems: dict[str, SystemSettings]
    legal_entities: dict[str, LegalEntity]
    people: dict[str, Person]
    domains: dict[str, DomainSettings]
    state: Path
    accounts: dict[str, list[str]] = {}
    """The other names under which a person is known: in the systems, in version control, on this machine."""
    source: Path = Path("sync.toml")
    """The file that declared it."""

    def owner_of_outages(self, system: str) -> str:
        """Who is to bring a system back."""
        held = (domain for domain in self.domains.values() if system in domain.systems)
        first = next(held, None)
        return self.systems[system].exceptions or (first.owner_of_exceptions("default") if first else "")

    def sees_personal_data(self, user: str) -> bool:
        """Whether a user belongs to a team that may see personal data."""
        return any(user in team.members for team in self.people.values() if team.sees_personal_data)

    def pairs(self, domain: str) -> list[tuple[str, str]]:
        """Each pair of systems that hold the domain, the leading one first."""
        held = self.domains[domain].systems
        return [(a, b) for i, a in enumerate(held) for b in held[i + 1 :]]

    @property
    def version(self) -> str:
        """A short hash of what is declared, but for addresses, credentials and where the planes live."""
        kept = {name: getattr(self, name) for name in self.__struct_fields__ if name not in _PLACES}
        told = {name: {f: getattr(each, f) for f in _DECLARED} for name, each in self.systems.items()}
        return hashlib.sha256(msgspec.json.encode({**kept, "systems": told}, order="deterministic")).hexdigest()[:12]

    def person(self, name: str) -> str:
        """Who is behind a name: the key in `accounts` that has it, or else the name itself."""
        wanted = plain(name)
        known = (person for person, names in self.accounts.items() if wanted in map(plain, [person, *names]))
        return next(known, wanted)

    def belongs(self, name: str, team: str) -> bool:
        """Whether a person is a member of a team, under whichever of her names."""
        return self.person(name) in {self.person(member) for member in self.people[team].members}


_PLACES = ("planes", "systems", "state", "source")
_DECLARED = [name for name in SystemSettings.__struct_fields__ if name not in {"url", "options"}]


def plain(name: str) -> str:
    """A person's name without what doesn't tell people apart."""
    return " ".join(name.split()).casefold()
