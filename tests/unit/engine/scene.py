"""A scene of one domain: canonical records given as rows, the links that a match makes of them, plans and findings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa

from sync_pipelines.domains import DOMAINS, Domain
from sync_pipelines.engine import conform, match, plan, proof, reconcile
from sync_pipelines.engine.merge import MERGED
from sync_pipelines.engine.outcome import Check, Conformed
from sync_pipelines.engine.plan import Write
from sync_pipelines.engine.topology import DomainSettings, Schedule
from sync_pipelines.engine.values import quoted, text
from sync_pipelines.lake import Lake

Row = dict[str, Any]

LEADER = "crm"
SYSTEMS = ["crm", "billing", "erp"]
LINKS = ("domain", "link_id", "system", "record_id", "rule", "evidence")
FORMER = (*LINKS, "reason")
DEAD_LETTERS = pa.schema(
    [
        *((name, pa.string()) for name in ("target", "link_id", "write_id", "kind", "code", "message")),
        ("fields", pa.list_(pa.string())),
    ]
)
MOVED = ("target", "link_id", "posting_on", "plan_id")


def settings(
    domain: str, *, systems: Sequence[str] = SYSTEMS, owners: dict[str, str] | None = None, **more: Any
) -> DomainSettings:
    """A domain whose fields belong to the first system, but for those that `owners` gives to others."""
    owned = {f.name: systems[0] for f in DOMAINS[domain].fields} | (owners or {})
    schedule = Schedule(cron="0 2 * * *", zone="UTC")
    return DomainSettings(list(systems), owned, {"default": "revops"}, schedule, **more)


@dataclass
class Scene:
    """One domain over a lake. `links` are what the ledger would hold, `history` what it held and why that ended,
    `dead_letters` what came to nothing, `waits` what waits for a person's word."""

    lake: Lake
    domain: Domain
    settings: DomainSettings
    links: list[Row] = field(default_factory=list)
    history: list[Row] = field(default_factory=list)
    dead_letters: list[Row] = field(default_factory=list)
    moved: list[Row] = field(default_factory=list)
    waits: list[Row] = field(default_factory=list)

    def hold(self, system: str, *records: Row, fields: Sequence[str] = ()) -> Conformed:
        """Conform the records of a system; `fields` names those that it holds beside what the records show."""
        sql = select(records, [*fields, *(f.name for f in self.domain.fields if f.required)])
        return conform.conform(
            self.lake, self.domain, system=system, sql=sql, lineage={}, limit_deletes=self.settings.limit_deletes
        )

    def link(self, link_id: str, *, domain: str = "", rule: str = "number", **record_ids: str) -> None:
        """Links that an earlier run made."""
        names = {"domain": domain or self.domain.name, "link_id": link_id, "rule": rule, "evidence": ""}
        self.links += [{**names, "system": s, "record_id": r} for s, r in record_ids.items()]

    @contextmanager
    def linking(self) -> Iterator[None]:
        """The links, and what they were, as the relations that the engine reads."""
        own = {_record(e): e for e in self.history if e["rule"] != MERGED}
        reasons = {_record(e): e["reason"] for e in self.history}
        former = [{**e, "reason": reasons[key]} for key, e in own.items()]
        with (
            self.lake.relation("links", relation(self.links, LINKS)),
            self.lake.relation("former_links", relation(former, FORMER)),
        ):
            yield

    def match(self) -> match.Verdict:
        """Match, and let the links follow the verdict as the ledger does."""
        with self.linking():
            verdict = match.match(self.lake, self.domain, self.settings)
        for added, ended in verdict.changes:
            gone = {(e["link_id"], e["system"], e["record_id"]): e["reason"] for e in ended.to_pylist()}
            left = [e for e in self.links if e["domain"] == self.domain.name and _member(e) in gone]
            self.history += [{**e, "reason": gone[_member(e)]} for e in left]
            self.links = [e for e in self.links if e not in left]
            self.links += [{"domain": self.domain.name, **row} for row in added.to_pylist()]
        places = [(e["domain"], e["link_id"], e["system"]) for e in self.links]
        assert len(places) == len(set(places)), "a link holds one record of a system"
        return verdict

    @property
    def linked(self) -> set[tuple[str, ...]]:
        """The linked records, each link as its record ids in the order of the systems ("-" for none)."""
        by_link: dict[str, Row] = {}
        for each in self.links:
            if each["domain"] == self.domain.name:
                by_link.setdefault(each["link_id"], {})[each["system"]] = each["record_id"]
        return {tuple(ids.get(s, "-") for s in self.settings.systems) for ids in by_link.values()}

    def link_of(self, system: str, record_id: str) -> str:
        return next(e["link_id"] for e in self.links if (e["system"], e["record_id"]) == (system, record_id))

    def doubts(self) -> list[Row]:
        return self.lake.arrow(f"SELECT * FROM {match.doubts(self.domain.name)} ORDER BY ALL").to_pylist()

    def plan(self, target: str, *, write_sql: str = "", **more: Any) -> list[Write]:
        with self.linking():
            sql = write_sql or self.write_sql
            writes, _ = plan.plan(self.lake, self.domain, self.settings, target=target, write_sql=sql, **more)
        return writes

    @property
    def write_sql(self) -> str:
        """A write mapping whose body has the domain's own names."""
        names = [*(f.name for f in self.domain.fields), "posting_on"]
        body = ", ".join(f"{text(name)}: {quoted(name)}" for name in names)
        return f"SELECT write_id, 'thing' AS object, to_json({{{body}}}) AS body FROM writes"

    def waiting(self, target: str) -> dict[str, str]:
        """What a plan held back, by link id."""
        return dict(self.lake.rows(f"SELECT link_id, reason FROM {plan.held_back(self.domain.name, target)}"))

    def reconcile(self) -> list[Row]:
        """The findings; targets that have no plan yet get one first, as in a run."""
        for target in self.settings.targets:
            self.plan(target)
        return self.compare()

    def compare(self, *, clearing: Sequence[str] = ()) -> list[Row]:
        """The findings without a plan."""
        pairs = self.pairs
        with (
            self.linking(),
            self.lake.relation("dead_letters", pa.Table.from_pylist(self.dead_letters, schema=DEAD_LETTERS)),
            self.lake.relation("moved_writes", relation(self.moved, MOVED)),
            self.lake.relation("waiting_writes", pa.Table.from_pylist(self.waits, schema=reconcile.WAITING)),
        ):
            self.compared = reconcile.reconcile(self.lake, self.domain, self.settings, pairs=pairs, clearing=clearing)
        return self.lake.arrow("SELECT * FROM found ORDER BY ALL").to_pylist()

    @property
    def pairs(self) -> list[tuple[str, str]]:
        held = self.settings.systems
        return [(a, b) for i, a in enumerate(held) for b in held[i + 1 :]]

    def checks(self) -> dict[str, Check]:
        """The checks of the last reconciliation by name."""
        totals = proof.totals(self.lake, self.domain, self.settings.systems)
        return {
            c.name: c for c in proof.checks(self.lake, self.domain, self.pairs, totals, cut_over=self.settings.cut_over)
        }

    def items(self) -> list[reconcile.Item]:
        return reconcile.items(self.lake, self.domain)


def _record(row: Row) -> tuple[str, str, str]:
    return row["domain"], row["system"], row["record_id"]


def _member(row: Row) -> tuple[str, str, str]:
    return row["link_id"], row["system"], row["record_id"]


def relation(rows: Sequence[Row], names: Sequence[str]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=pa.schema([(name, pa.string()) for name in names]))


def select(records: Sequence[Row], fields: Sequence[str] = ()) -> str:
    """A mapping that yields these records; what a record does not say of the META columns is quite usual."""
    usual: Row = {"record_id": None, "version": "v1", "is_deleted": False, "label": None}
    names = list(dict.fromkeys([*usual, *fields, *(name for record in records for name in record)]))
    rows = [{**usual, "label": r.get("name") or r.get("number") or r.get("code"), **r} for r in records]
    values = ", ".join(f"({', '.join(_literal(row.get(name)) for name in names)})" for row in rows)
    columns = ", ".join(quoted(name) for name in names)
    nothing = f"SELECT {', '.join('NULL' for _ in names)} WHERE false"
    return f"SELECT * FROM ({f'VALUES {values}' if values else nothing}) t({columns})"


def _literal(value: Any) -> str:
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).lower()
        case int() | Decimal():
            return str(value)
        case date():
            return f"DATE '{value}'"
        case _:
            return text(str(value))
