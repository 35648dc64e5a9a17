"""A watch over the ledger's transactions: no row changes unless an audit entry of the same transaction names it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Connection, Engine, text

from sync_pipelines.ledger.change import Change, changing

TOLD_BY = {
    "runs": ("run.", "run_id"),
    "links": ("link.", "link_id"),
    "plans": ("plan.", "plan_id"),
    "writes": ("write.", "write_id"),
    "attempts": ("write.", "write_id"),
    "work_items": ("exception.", "fingerprint"),
    "identities": ("system.", "system"),
    "approvals": ("write.", "write_id"),
    "corrections": ("correction.", "link_id"),
    "versions": ("version.", "subject"),
    "circuits": ("circuit.", "system"),
    "pauses": ("system.", "system"),
}
"""For each table: how the kinds of its audit entries begin, and the column that their subjects name."""

TELL_NOTHING = {
    *("step_results", "whole_reads", "latest_reads", "paces", "check_results", "control_totals"),
    *("records", "directories", "held_back"),
    *("audit_entries", "audit_head"),
}
"""What a run observed, which changes nothing, and the trail itself."""

_WATCH = """
    CREATE SCHEMA watch;
    CREATE TABLE watch.seen (transaction xid8, source text, subject text);
    CREATE FUNCTION watch.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        IF TG_OP <> 'UPDATE' OR OLD IS DISTINCT FROM NEW THEN
            INSERT INTO watch.seen SELECT pg_current_xact_id(), TG_TABLE_NAME,
                CASE TG_OP WHEN 'DELETE' THEN to_jsonb(OLD) ELSE to_jsonb(NEW) END ->> TG_ARGV[0];
        END IF;
        RETURN NULL;
    END $$;
    GRANT USAGE ON SCHEMA watch TO PUBLIC;
    GRANT SELECT ON watch.seen TO PUBLIC;
"""


def install(connection: Connection) -> None:
    """Have the database note every row that a transaction changes."""
    connection.execute(text(_WATCH))
    for table, (_, column) in TOLD_BY.items():
        connection.execute(
            text(f"""CREATE TRIGGER watched AFTER INSERT OR UPDATE OR DELETE ON ledger.{table}
                     FOR EACH ROW EXECUTE FUNCTION watch.note('{column}')""")
        )


def untold(change: Change) -> set[tuple[str, str]]:
    """The table and subject of each row that the transaction has changed and not told."""
    seen = change.connection.execute(
        text("SELECT DISTINCT source, subject FROM watch.seen WHERE transaction = pg_current_xact_id_if_assigned()")
    ).all()
    told = {(entry.kind.split(".")[0] + ".", entry.subject) for entry in change.told}
    return {(table, subject) for table, subject in seen if (TOLD_BY[table][0], subject) not in told}


@contextmanager
def watched(engine: Engine, *, at: datetime, actor: str) -> Iterator[Change]:
    """A transaction that fails when it changes what it doesn't tell."""
    with changing(engine, at=at, actor=actor) as change:
        yield change
        if rows := untold(change):
            raise AssertionError(f"changed, and no audit entry names them: {sorted(rows)[:5]}")
