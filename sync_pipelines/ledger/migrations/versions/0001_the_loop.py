"""Everything that the loop needs from its first day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None

SCHEMA = "ledger"


def upgrade() -> None:
    _create_runs()
    _create_step_results()
    _create_links()
    _create_plans()
    _create_writes()
    _create_attempts()
    _create_work_items()
    _create_check_results()
    _create_control_totals()
    _create_identities()
    _create_audit_entries()
    _create_audit_head()
    _protect_audit()


def _create_runs() -> None:
    op.create_table(
        "runs",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("summary", JSONB, nullable=False),
        sa.PrimaryKeyConstraint("run_id", name="runs_pkey"),
        schema=SCHEMA,
    )
    op.create_index("runs_started_at_idx", "runs", ["started_at"], schema=SCHEMA)


def _create_step_results() -> None:
    op.create_table(
        "step_results",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("result", JSONB, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "subject", name="step_results_pkey"),
        schema=SCHEMA,
    )


def _create_links() -> None:
    op.create_table(
        "links",
        sa.Column("membership_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("link_id", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("ended_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("membership_id", name="links_pkey"),
        schema=SCHEMA,
    )
    op.create_index("links_link_id_idx", "links", ["link_id"], schema=SCHEMA)
    op.create_index("links_record_id_idx", "links", ["record_id"], schema=SCHEMA)
    op.create_index(
        "links_open_record_key",
        "links",
        ["domain", "system", "record_id"],
        unique=True,
        schema=SCHEMA,
        postgresql_where=sa.text("until IS NULL"),
    )
    op.create_index(
        "links_open_system_key",
        "links",
        ["domain", "link_id", "system"],
        unique=True,
        schema=SCHEMA,
        postgresql_where=sa.text("until IS NULL"),
    )


def _create_plans() -> None:
    op.create_table(
        "plans",
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("snapshot", sa.BigInteger(), nullable=False),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.Column("ownership_version", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("counts", JSONB, nullable=False),
        sa.Column("amounts", JSONB, nullable=False),
        sa.CheckConstraint("state IN ('open', 'applied', 'superseded')", name=op.f("plans_state_check")),
        sa.PrimaryKeyConstraint("plan_id", name="plans_pkey"),
        schema=SCHEMA,
    )
    op.create_index("plans_run_id_domain_target_idx", "plans", ["run_id", "domain", "target"], schema=SCHEMA)


def _create_writes() -> None:
    op.create_table(
        "writes",
        sa.Column("write_id", sa.Text(), nullable=False),
        sa.Column("plan_id", sa.Text(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("link_id", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=True),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("changes", JSONB, nullable=False),
        sa.Column("body", JSONB, nullable=False),
        sa.Column("then", JSONB, nullable=False),
        sa.Column("expected_version", sa.Text(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("record_id_after", sa.Text(), nullable=True),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('planned', 'intent', 'confirmed', 'refused', 'in_doubt', 'failed')",
            name=op.f("writes_state_check"),
        ),
        sa.ForeignKeyConstraint(["plan_id"], ["ledger.plans.plan_id"], name="writes_plan_id_fkey"),
        sa.PrimaryKeyConstraint("write_id", name="writes_pkey"),
        sa.UniqueConstraint("target", "idempotency_key", name="writes_target_idempotency_key_key"),
        schema=SCHEMA,
    )
    op.create_index("writes_domain_target_link_id_idx", "writes", ["domain", "target", "link_id"], schema=SCHEMA)
    op.create_index("writes_link_id_idx", "writes", ["link_id"], schema=SCHEMA)
    op.create_index("writes_record_id_idx", "writes", ["record_id"], schema=SCHEMA)
    op.create_index("writes_record_id_after_idx", "writes", ["record_id_after"], schema=SCHEMA)
    op.create_index("writes_label_idx", "writes", ["label"], schema=SCHEMA)
    op.create_index("writes_plan_id_state_idx", "writes", ["plan_id", "state"], schema=SCHEMA)
    op.create_index(
        "writes_unsettled_idx",
        "writes",
        ["target", "domain"],
        schema=SCHEMA,
        postgresql_where=sa.text("state IN ('intent', 'in_doubt')"),
    )


def _create_attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("attempt_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("write_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["write_id"], ["ledger.writes.write_id"], name="attempts_write_id_fkey"),
        sa.PrimaryKeyConstraint("attempt_id", name="attempts_pkey"),
        sa.UniqueConstraint("write_id", "number", name="attempts_write_id_number_key"),
        schema=SCHEMA,
    )


def _create_work_items() -> None:
    op.create_table(
        "work_items",
        sa.Column("item_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("evidence", JSONB, nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolution", sa.Text(), nullable=True),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("item_id", name="work_items_pkey"),
        schema=SCHEMA,
    )
    op.create_index("work_items_label_idx", "work_items", ["label"], schema=SCHEMA)
    op.create_index("work_items_record_id_idx", "work_items", ["record_id"], schema=SCHEMA)
    op.create_index(
        "work_items_open_fingerprint_key",
        "work_items",
        ["fingerprint"],
        unique=True,
        schema=SCHEMA,
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
    op.create_index(
        "work_items_open_owner_idx",
        "work_items",
        ["owner", "due_at"],
        schema=SCHEMA,
        postgresql_where=sa.text("resolved_at IS NULL"),
    )


def _create_check_results() -> None:
    op.create_table(
        "check_results",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("claim", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("amounts", JSONB, nullable=False),
        sa.Column("sample", JSONB, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("blocking", sa.Boolean(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("result IN ('passed', 'failed', 'not_checked')", name=op.f("check_results_result_check")),
        sa.PrimaryKeyConstraint("run_id", "subject", "name", name="check_results_pkey"),
        schema=SCHEMA,
    )


def _create_control_totals() -> None:
    op.create_table(
        "control_totals",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("legal_entity", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("sum_minor", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "run_id", "domain", "system", "legal_entity", "period", "currency", name="control_totals_pkey"
        ),
        schema=SCHEMA,
    )


def _create_identities() -> None:
    op.create_table(
        "identities",
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("system", name="identities_pkey"),
        schema=SCHEMA,
    )


def _create_audit_entries() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.Column("detail", JSONB, nullable=False),
        sa.Column("previous_hash", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="audit_entries_pkey"),
        schema=SCHEMA,
    )
    op.create_index("audit_entries_correlation_id_idx", "audit_entries", ["correlation_id"], schema=SCHEMA)
    op.create_index("audit_entries_subject_idx", "audit_entries", ["subject"], schema=SCHEMA)


def _create_audit_head() -> None:
    op.create_table(
        "audit_head",
        sa.Column("singleton", sa.Boolean(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.CheckConstraint("singleton", name=op.f("audit_head_singleton_check")),
        sa.PrimaryKeyConstraint("singleton", name="audit_head_pkey"),
        schema=SCHEMA,
    )


def _protect_audit() -> None:
    """Entries can only be added, and the head can only move; whoever wants otherwise must say so loudly."""
    op.execute(
        f"""
        INSERT INTO {SCHEMA}.audit_head VALUES (true, 0, '');

        CREATE FUNCTION {SCHEMA}.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% refuses %: the audit trail is append-only', TG_TABLE_NAME, TG_OP
                USING ERRCODE = 'insufficient_privilege';
        END $$;

        CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {SCHEMA}.audit_entries
            FOR EACH ROW EXECUTE FUNCTION {SCHEMA}.refuse_change();
        CREATE TRIGGER never_truncated BEFORE TRUNCATE ON {SCHEMA}.audit_entries
            FOR EACH STATEMENT EXECUTE FUNCTION {SCHEMA}.refuse_change();
        CREATE TRIGGER never_removed BEFORE DELETE ON {SCHEMA}.audit_head
            FOR EACH ROW EXECUTE FUNCTION {SCHEMA}.refuse_change();
        CREATE TRIGGER never_truncated BEFORE TRUNCATE ON {SCHEMA}.audit_head
            FOR EACH STATEMENT EXECUTE FUNCTION {SCHEMA}.refuse_change();
        """
    )
