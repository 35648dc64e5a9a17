"""What makes writes trustworthy: approvals, corrections, circuits, pauses, and what a write moves when."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"

SCHEMA = "ledger"


def upgrade() -> None:
    _extend_writes()
    _extend_plans()
    _extend_work_items()
    _create_approvals()
    _create_corrections()
    _create_versions()
    _create_circuits()
    _create_pauses()
    _create_whole_reads()
    _create_latest_reads()
    _create_paces()
    _create_directory()
    _create_held_back()


def _extend_writes() -> None:
    for name in ("legal_entity", "period", "approved_by_team", "corrected_by", "edited_by"):
        op.add_column("writes", sa.Column(name, sa.Text(), nullable=True), schema=SCHEMA)
    op.add_column("writes", sa.Column("posting_on", sa.Date(), nullable=True), schema=SCHEMA)
    op.add_column("writes", sa.Column("planned_at", sa.DateTime(timezone=True), nullable=True), schema=SCHEMA)


def _extend_plans() -> None:
    op.add_column("plans", sa.Column("waits", sa.Text(), nullable=False, server_default=""), schema=SCHEMA)
    op.alter_column("plans", "waits", server_default=None, schema=SCHEMA)


def _extend_work_items() -> None:
    op.add_column("work_items", sa.Column("write_id", sa.Text(), nullable=True), schema=SCHEMA)
    op.add_column("work_items", sa.Column("resolved_by", sa.Text(), nullable=True), schema=SCHEMA)
    op.add_column("work_items", sa.Column("assigned_by", sa.Text(), nullable=True), schema=SCHEMA)
    op.create_index("work_items_write_id_idx", "work_items", ["write_id"], schema=SCHEMA)


def _create_approvals() -> None:
    op.create_table(
        "approvals",
        sa.Column("approval_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("write_id", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("team", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("decision IN ('approved', 'rejected')", name=op.f("approvals_decision_check")),
        sa.ForeignKeyConstraint(["plan_id"], [f"{SCHEMA}.plans.plan_id"], name="approvals_plan_id_fkey"),
        sa.PrimaryKeyConstraint("approval_id", name="approvals_pkey"),
        schema=SCHEMA,
    )
    op.create_index("approvals_write_id_idx", "approvals", ["write_id"], schema=SCHEMA)


def _create_corrections() -> None:
    op.create_table(
        "corrections",
        sa.Column("correction_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("link_id", sa.Text(), nullable=False),
        sa.Column("body_hash", sa.Text(), nullable=False),
        sa.Column("patch", JSONB, nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("correction_id", name="corrections_pkey"),
        schema=SCHEMA,
    )
    op.create_index(
        "corrections_open_key",
        "corrections",
        ["domain", "target", "link_id"],
        unique=True,
        schema=SCHEMA,
        postgresql_where=sa.text("ended_at IS NULL"),
    )


def _create_versions() -> None:
    op.create_table(
        "versions",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("subject", "version", name="versions_pkey"),
        schema=SCHEMA,
    )


def _create_circuits() -> None:
    op.create_table(
        "circuits",
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint("state IN ('closed', 'open', 'half_open')", name=op.f("circuits_state_check")),
        sa.PrimaryKeyConstraint("system", name="circuits_pkey"),
        schema=SCHEMA,
    )


def _create_whole_reads() -> None:
    op.create_table(
        "whole_reads",
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("system", "object", name="whole_reads_pkey"),
        schema=SCHEMA,
    )


def _create_latest_reads() -> None:
    op.create_table(
        "latest_reads",
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("system", "object", name="latest_reads_pkey"),
        schema=SCHEMA,
    )


def _create_directory() -> None:
    op.create_table(
        "records",
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=True),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("correlation_id", sa.Text(), nullable=True),
        sa.Column("is_deleted", sa.Boolean(), nullable=False),
        sa.Column("refused", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("record_id", "domain", "system", name="records_pkey"),
        schema=SCHEMA,
    )
    for name in ("number", "label", "correlation_id"):
        op.create_index(f"records_upper_{name}_idx", "records", [sa.text(f"upper({name})")], schema=SCHEMA)
    op.create_table(
        "directories",
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("domain", "system", name="directories_pkey"),
        schema=SCHEMA,
    )


def _create_held_back() -> None:
    op.create_table(
        "held_back",
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("link_id", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("domain", "target", "link_id", "reason", name="held_back_pkey"),
        schema=SCHEMA,
    )
    op.create_index("held_back_link_id_idx", "held_back", ["link_id"], schema=SCHEMA)


def _create_pauses() -> None:
    op.create_table(
        "pauses",
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("paused_by", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("system", name="pauses_pkey"),
        schema=SCHEMA,
    )


def _create_paces() -> None:
    op.create_table(
        "paces",
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("free_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("system", name="paces_pkey"),
        schema=SCHEMA,
        prefixes=["UNLOGGED"],
    )
