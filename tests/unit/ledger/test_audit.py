"""The audit trail: nobody changes it unseen."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from sync_pipelines.errors import Stop
from sync_pipelines.ledger import Ledger
from sync_pipelines.ledger.audit import first_broken

Maker = Callable[..., pa.Table]
MADE_UP = """INSERT INTO ledger.audit_entries
    SELECT 7, at, actor, kind, subject, '', detail, hash, 'made up' FROM ledger.audit_entries WHERE seq = 6"""
BEHIND_THE_TRIGGERS = "SET LOCAL session_replication_role = replica"


@pytest.fixture
def told(ledger: Ledger) -> Ledger:
    """A ledger with six entries."""
    for n in range(3):
        ledger.start_run(f"run-{n}", "full")
        ledger.end_run(f"run-{n}", state="finished", summary={})
    return ledger


def _as_superuser(ledger: Ledger, *statements: str) -> None:
    with ledger.engine.begin() as connection:
        connection.execute(text(BEHIND_THE_TRIGGERS))
        for statement in statements:
            connection.execute(text(statement))


def test_an_untouched_trail_is_whole(told: Ledger) -> None:
    assert told.verify_audit() is None
    assert [(e.seq, e.kind, e.actor) for e in told.audit_of("run-2")] == [
        (5, "run.started", "tests"),
        (6, "run.finished", "tests"),
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger.audit_entries SET actor = 'nobody'",
        "DELETE FROM ledger.audit_entries WHERE seq = 6",
        "TRUNCATE ledger.audit_entries",
        "DELETE FROM ledger.audit_head",
        "TRUNCATE ledger.audit_head",
    ],
)
def test_the_database_refuses_to_change_entries(told: Ledger, statement: str) -> None:
    with pytest.raises(ProgrammingError, match="append-only"), told.engine.begin() as connection:
        connection.execute(text(statement))

    assert told.verify_audit() is None


@pytest.mark.parametrize(
    ("statements", "broken"),
    [
        (["UPDATE ledger.audit_entries SET actor = 'nobody' WHERE seq = 3"], 3),
        (["UPDATE ledger.audit_entries SET at = at + interval '1 microsecond' WHERE seq = 4"], 4),
        (['UPDATE ledger.audit_entries SET detail = \'{"mode": "quick"}\' WHERE seq = 1'], 1),
        (["UPDATE ledger.audit_entries SET correlation_id = 'x' WHERE seq = 6"], 6),
        (["DELETE FROM ledger.audit_entries WHERE seq = 2"], 2),
        (["DELETE FROM ledger.audit_entries WHERE seq = 1"], 1),
        (["DELETE FROM ledger.audit_entries WHERE seq = 6"], 6),
        (["DELETE FROM ledger.audit_entries WHERE seq >= 5"], 5),
        (["DELETE FROM ledger.audit_entries"], 1),
        (
            [
                "UPDATE ledger.audit_entries SET seq = 99 WHERE seq = 3",
                "UPDATE ledger.audit_entries SET seq = 3 WHERE seq = 4",
                "UPDATE ledger.audit_entries SET seq = 4 WHERE seq = 99",
            ],
            3,
        ),
        (
            [
                "DELETE FROM ledger.audit_entries WHERE seq = 2",
                "UPDATE ledger.audit_entries SET seq = seq - 1 WHERE seq > 2",
                "UPDATE ledger.audit_head SET seq = 5",
            ],
            2,
        ),
        ([MADE_UP, "UPDATE ledger.audit_head SET seq = 7, hash = 'made up'"], 7),
        (["UPDATE ledger.audit_head SET hash = 'made up'"], 6),
    ],
)
def test_what_was_edited_removed_reordered_or_made_up_is_found(
    told: Ledger, statements: list[str], broken: int
) -> None:
    _as_superuser(told, *statements)

    assert told.verify_audit() == broken


def test_an_edit_with_a_new_hash_breaks_the_next_entry(told: Ledger) -> None:
    (entry, *_) = told.audit_of("run-1")
    forged = entry.__class__(**{**{n: getattr(entry, n) for n in entry.__slots__}, "actor": "nobody"})

    _as_superuser(
        told, f"UPDATE ledger.audit_entries SET actor = 'nobody', hash = '{forged.computed_hash()}' WHERE seq = 3"
    )

    assert told.verify_audit() == 4


def test_a_change_that_fails_leaves_no_entry(told: Ledger) -> None:
    told.check_identity("stripe", "acct_1")
    with pytest.raises(Stop):
        told.check_identity("stripe", "acct_2")

    assert [entry.detail for entry in told.audit_of("stripe")] == [{"identity": "acct_1"}]
    assert told.verify_audit() is None


def test_changes_that_happen_at_once_make_one_chain(told: Ledger) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: told.start_run(f"run-at-once-{n}", "full"), range(20)))

    assert told.verify_audit() is None
    with told.engine.connect() as connection:
        assert connection.scalar(text("SELECT max(seq) FROM ledger.audit_entries")) == 26


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=4), at=st.integers(0, 99))
def test_whatever_is_told_the_chain_holds_and_any_edit_breaks_it(ledger: Ledger, words: list[str], at: int) -> None:
    for word in words:
        ledger.start_run(f"{at}-{len(word)}-{hash(word)}", word.replace("\x00", ""))
    assert ledger.verify_audit() is None

    with ledger.engine.connect() as connection:
        connection.execute(text(BEHIND_THE_TRIGGERS))
        last = connection.scalar(text("SELECT max(seq) FROM ledger.audit_entries"))
        assert last is not None
        edited = 1 + at % last
        connection.execute(text(f"UPDATE ledger.audit_entries SET kind = kind || '!' WHERE seq = {edited}"))

        assert first_broken(connection) == edited
        connection.rollback()
