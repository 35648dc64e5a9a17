"""The ledger's tables, as they are when every migration has been applied; all live in the schema `ledger`."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

SCHEMA = "ledger"
"""A schema of its own, so that the lake's catalog and Dagster may share the database."""

METADATA = MetaData(
    schema=SCHEMA,
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    },
)


def _text(name: str, *, primary_key: bool = False, optional: bool = False) -> Column[str]:
    return Column(name, Text, primary_key=primary_key, nullable=optional)


def _at(name: str, *, optional: bool = False) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=optional)


def _serial(name: str) -> Column[int]:
    return Column(name, BigInteger, Identity(always=True), primary_key=True)


def _json(name: str) -> Column[object]:
    return Column(name, JSONB, nullable=False)


def _stake() -> tuple[Column[int], Column[str]]:
    """What is at stake: minor units of a currency."""
    return Column("amount_minor", BigInteger), _text("currency", optional=True)


runs = Table(
    "runs",
    METADATA,
    _text("run_id", primary_key=True),
    _text("mode"),
    _at("started_at"),
    _at("ended_at", optional=True),
    _text("state"),
    _json("summary"),
    Index(None, "started_at"),
)

step_results = Table(
    "step_results",
    METADATA,
    _text("run_id", primary_key=True),
    _text("subject", primary_key=True),
    _json("result"),
    _at("at"),
)

links = Table(
    "links",
    METADATA,
    _serial("membership_id"),
    _text("domain"),
    _text("link_id"),
    _text("system"),
    _text("record_id"),
    _text("rule"),
    _text("evidence"),
    _at("since"),
    _at("until", optional=True),
    _text("run_id"),
    _text("ended_reason", optional=True),
    Index(None, "link_id"),
    Index(None, "record_id"),
)
"""Memberships: this record is that link's record in its system, from `since` until it was ended."""

Index("links_open_record_key", links.c.domain, links.c.system, links.c.record_id, unique=True,
      postgresql_where=text("until IS NULL"))  # fmt: skip
Index("links_open_system_key", links.c.domain, links.c.link_id, links.c.system, unique=True,
      postgresql_where=text("until IS NULL"))  # fmt: skip

plans = Table(
    "plans",
    METADATA,
    _text("plan_id", primary_key=True),
    Column("number", BigInteger, Identity(always=True), nullable=False),
    _text("run_id"),
    _text("domain"),
    _text("target"),
    Column("snapshot", BigInteger, nullable=False),
    _text("mapping_version"),
    _text("ownership_version"),
    _text("content_hash"),
    _at("created_at"),
    _text("state"),
    _json("counts"),
    _json("amounts"),
    _text("waits"),
    CheckConstraint("state IN ('open', 'applied', 'superseded')", name="state"),
    Index(None, "run_id", "domain", "target"),
)
"""`number` tells which came later; `content_hash` covers every write, so that an edited plan shows.

`waits` says in words why the plan as a whole waits for a person; empty when it doesn't.
"""

writes = Table(
    "writes",
    METADATA,
    _text("write_id", primary_key=True),
    Column("plan_id", Text, ForeignKey(plans.c.plan_id), nullable=False),
    _text("domain"),
    _text("target"),
    _text("link_id"),
    _text("operation"),
    _text("object"),
    _text("record_id", optional=True),
    _text("external_id"),
    _text("idempotency_key"),
    _text("correlation_id"),
    _text("label"),
    _json("changes"),
    _json("body"),
    _json("then"),
    _text("expected_version", optional=True),
    *_stake(),
    _text("state"),
    _text("record_id_after", optional=True),
    _text("code"),
    _text("message"),
    _at("updated_at"),
    _text("legal_entity", optional=True),
    _text("period", optional=True),
    _text("approved_by_team", optional=True),
    _text("corrected_by", optional=True),
    Column("posting_on", Date),
    _text("edited_by", optional=True),
    _at("planned_at", optional=True),
    UniqueConstraint("target", "idempotency_key"),
    CheckConstraint("state IN ('planned', 'intent', 'confirmed', 'refused', 'in_doubt', 'failed')", name="state"),
    Index(None, "plan_id", "state"),
    Index(None, "domain", "target", "link_id"),
    Index(None, "label"),
    Index(None, "link_id"),
    Index(None, "record_id"),
    Index(None, "record_id_after"),
)
"""`period` is the month of the business date that the amount moves in ("2026-11"); `approved_by_team` names the team
that has to approve the write, null where it applies by itself; `corrected_by` who edited what is to be sent;
`posting_on` is the day on which the books take it; `edited_by` is the leading record's last editor; `planned_at` is
when a plan first held it."""

Index("writes_unsettled_idx", writes.c.target, writes.c.domain,
      postgresql_where=text("state IN ('intent', 'in_doubt')"))  # fmt: skip

attempts = Table(
    "attempts",
    METADATA,
    _serial("attempt_id"),
    Column("write_id", Text, ForeignKey(writes.c.write_id), nullable=False),
    Column("number", Integer, nullable=False),
    _at("started_at"),
    _at("ended_at", optional=True),
    _text("state"),
    _text("code"),
    _text("message"),
    UniqueConstraint("write_id", "number"),
)
"""Every call that was about to leave, recorded before it did. No payloads, secrets or personal data."""

work_items = Table(
    "work_items",
    METADATA,
    _serial("item_id"),
    _text("fingerprint"),
    _text("domain"),
    _text("kind"),
    _text("owner"),
    _text("system"),
    _text("record_id"),
    _text("label"),
    _text("reason"),
    *_stake(),
    _json("evidence"),
    _at("opened_at"),
    _at("due_at"),
    _at("resolved_at", optional=True),
    _text("resolution", optional=True),
    _text("run_id"),
    _text("write_id", optional=True),
    _text("resolved_by", optional=True),
    _text("assigned_by", optional=True),
    Index(None, "label"),
    Index(None, "record_id"),
    Index(None, "write_id"),
)
"""Exceptions. A dead letter is one that has a `write_id`: its payload is that write's body."""

Index("work_items_open_fingerprint_key", work_items.c.fingerprint, unique=True,
      postgresql_where=text("resolved_at IS NULL"))  # fmt: skip
Index("work_items_open_owner_idx", work_items.c.owner, work_items.c.due_at,
      postgresql_where=text("resolved_at IS NULL"))  # fmt: skip

approvals = Table(
    "approvals",
    METADATA,
    _serial("approval_id"),
    Column("plan_id", Text, ForeignKey(plans.c.plan_id), nullable=False),
    _text("write_id"),
    _text("decision"),
    _text("team"),
    _text("decided_by"),
    _text("reason"),
    _at("at"),
    CheckConstraint("decision IN ('approved', 'rejected')", name="decision"),
    Index(None, "write_id"),
)
"""What people decided about writes that need approval. A write's id follows from its content, so that an
approval holds for the very same write in a later plan, and for no other."""

corrections = Table(
    "corrections",
    METADATA,
    _serial("correction_id"),
    _text("domain"),
    _text("target"),
    _text("link_id"),
    _text("body_hash"),
    _json("patch"),
    _text("made_by"),
    _text("reason"),
    _at("made_at"),
    _at("ended_at", optional=True),
)
"""A person's edits of what is to be written: a merge patch over the body with this hash, as long as it stays that."""

Index("corrections_open_key", corrections.c.domain, corrections.c.target, corrections.c.link_id, unique=True,
      postgresql_where=text("ended_at IS NULL"))  # fmt: skip

versions = Table(
    "versions",
    METADATA,
    _text("subject", primary_key=True),
    _text("version", primary_key=True),
    _text("author"),
    _at("seen_at"),
)
"""When a run first met a version of a mapping or of a domain's policy, and who wrote it."""

circuits = Table(
    "circuits",
    METADATA,
    _text("system", primary_key=True),
    _text("state"),
    Column("failures", Integer, nullable=False),
    _at("opened_at", optional=True),
    _at("retry_at", optional=True),
    _at("closed_at", optional=True),
    _text("reason"),
    CheckConstraint("state IN ('closed', 'open', 'half_open')", name="state"),
)
"""Which systems are left alone because they failed, shared by every process."""

pauses = Table(
    "pauses",
    METADATA,
    _text("system", primary_key=True),
    _at("until", optional=True),
    _text("reason"),
    _text("paused_by"),
    _at("at"),
)
"""Systems to which a person stopped all writes for a while."""

check_results = Table(
    "check_results",
    METADATA,
    _text("run_id", primary_key=True),
    _text("subject", primary_key=True),
    _text("name", primary_key=True),
    _text("claim"),
    _text("result"),
    Column("count", BigInteger, nullable=False),
    _json("amounts"),
    _json("sample"),
    _text("reason"),
    Column("blocking", Boolean, nullable=False),
    _at("at"),
    CheckConstraint("result IN ('passed', 'failed', 'not_checked')", name="result"),
)

control_totals = Table(
    "control_totals",
    METADATA,
    _text("run_id", primary_key=True),
    _text("domain", primary_key=True),
    _text("system", primary_key=True),
    _text("legal_entity", primary_key=True),
    _text("period", primary_key=True),
    _text("currency", primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("sum_minor", BigInteger, nullable=False),
)

identities = Table(
    "identities",
    METADATA,
    _text("system", primary_key=True),
    _text("identity"),
    _at("first_seen"),
)
"""The organisation that was behind a system's credentials when it was first met."""

whole_reads = Table(
    "whole_reads",
    METADATA,
    _text("system", primary_key=True),
    _text("object", primary_key=True),
    _at("at"),
)
"""When an object was last read from its beginning."""

latest_reads = Table(
    "latest_reads",
    METADATA,
    _text("system", primary_key=True),
    _text("object", primary_key=True),
    _at("began_at"),
)
"""When the latest read of an object that came to its end had begun."""

paces = Table(
    "paces",
    METADATA,
    _text("system", primary_key=True),
    _at("free_at"),
    prefixes=["UNLOGGED"],
)
"""When a system's next turn is: what a crash of the server forgets is the past second, and no call waits for a disk."""

records = Table(
    "records",
    METADATA,
    _text("record_id", primary_key=True),
    _text("domain", primary_key=True),
    _text("system", primary_key=True),
    _text("number", optional=True),
    _text("label", optional=True),
    _text("status", optional=True),
    *_stake(),
    _text("correlation_id", optional=True),
    Column("is_deleted", Boolean, nullable=False),
    _text("refused", optional=True),
)
"""The directory: what the lake's canonical records are called and come to, so that one is found without the lake."""

for _name in ("number", "label", "correlation_id"):
    Index(f"records_upper_{_name}_idx", func.upper(records.c[_name]))

directories = Table(
    "directories",
    METADATA,
    _text("domain", primary_key=True),
    _text("system", primary_key=True),
    _text("fingerprint"),
)
"""What `records` holds of a domain and system, as a fingerprint: equal ones mean that it is up to date."""

held_back = Table(
    "held_back",
    METADATA,
    _text("domain", primary_key=True),
    _text("target", primary_key=True),
    _text("link_id", primary_key=True),
    _text("reason", primary_key=True),
    Index(None, "link_id"),
)
"""What the last plan of a domain for a target wanted and did not plan, and why."""

audit_entries = Table(
    "audit_entries",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    _at("at"),
    _text("actor"),
    _text("kind"),
    _text("subject"),
    _text("correlation_id"),
    _json("detail"),
    _text("previous_hash"),
    _text("hash"),
    Index(None, "subject"),
    Index(None, "correlation_id"),
)
"""Append-only: triggers refuse update, delete and truncate, and each hash covers the one before."""

audit_head = Table(
    "audit_head",
    METADATA,
    Column("singleton", Boolean, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    _text("hash"),
    CheckConstraint("singleton", name="singleton"),
)
"""The newest entry, in one row: who appends locks it, and entries missing at the end show."""
