"""The audit trail: nobody changes it unseen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import uuid4

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from sync_pipelines.errors import FixConfiguration, Stop
from sync_pipelines.ledger import Ledger
from sync_pipelines.ledger.audit import Head, hashed, verify

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


@pytest.fixture
def superuser(database_url: str) -> Iterator[Engine]:
    """The database's own superuser, whom nothing holds back."""
    engine = create_engine(database_url)
    yield engine
    engine.dispose()


def _tamper(superuser: Engine, *statements: str) -> None:
    with superuser.begin() as connection:
        connection.execute(text(BEHIND_THE_TRIGGERS))
        for statement in statements:
            connection.execute(text(statement))


def test_an_untouched_trail_is_whole(told: Ledger) -> None:
    assert told.verify_audit() is None
    assert [(e.seq, e.kind, e.actor) for e in told.audit_of("run-2")] == [
        (5, "run.started", "tests"),
        (6, "run.finished", "tests"),
    ]


TAMPERING = [
    "UPDATE ledger.audit_entries SET actor = 'nobody'",
    "DELETE FROM ledger.audit_entries WHERE seq = 1",
    "TRUNCATE ledger.audit_entries",
    "DELETE FROM ledger.audit_head",
    "TRUNCATE ledger.audit_head",
]
BY_DETOUR = [
    "ALTER TABLE ledger.audit_entries DISABLE TRIGGER ALL",
    "DROP TRIGGER append_only ON ledger.audit_entries",
    "CREATE TRIGGER hush BEFORE INSERT ON ledger.audit_entries FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change()",
    "CREATE RULE hush AS ON INSERT TO ledger.audit_entries DO INSTEAD NOTHING",
    "CREATE OR REPLACE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'",
    "DROP FUNCTION ledger.refuse_change() CASCADE",
    "DROP TABLE ledger.audit_entries",
    "DROP SCHEMA ledger CASCADE",
    "ALTER TABLE ledger.audit_entries RENAME TO old_entries",
    "INSERT INTO ledger.audit_entries SELECT * FROM ledger.audit_entries WHERE seq = 1",
    "SET session_replication_role = replica",
    "UPDATE ledger.revisions SET version_num = '0001'",
]


@pytest.mark.parametrize("statement", [*TAMPERING, *BY_DETOUR])
def test_the_application_is_refused_whatever_it_does_to_entries(told: Ledger, statement: str) -> None:
    assert told.guarded

    with told.engine.connect() as connection:
        connection.execute(text("RESET ROLE"))
        with pytest.raises(DBAPIError):
            connection.execute(text(statement))

    assert told.verify_audit() is None
    assert len(told.audit_of("run-2")) == 2


@pytest.mark.parametrize("statement", TAMPERING)
def test_triggers_refuse_even_the_owner(told: Ledger, superuser: Engine, statement: str) -> None:
    with pytest.raises(ProgrammingError, match="append-only"), superuser.begin() as connection:
        connection.execute(text(statement))

    assert told.verify_audit() is None


@pytest.fixture
def user(superuser: Engine, database_url: str) -> Iterator[Callable[..., str]]:
    """Makes users of the server, and tells the addresses under which they connect."""
    made: list[str] = []

    def make(rights: str) -> str:
        made.append(f"user_{uuid4().hex[:8]}")
        with superuser.begin() as connection:
            connection.execute(text(f"CREATE ROLE {made[-1]} LOGIN {rights}"))
            connection.execute(text(f"GRANT CREATE ON DATABASE {superuser.url.database} TO {made[-1]}"))
        return make_url(database_url).set(username=made[-1]).render_as_string(hide_password=False)

    yield make
    with superuser.begin() as connection:
        for name in made:
            connection.execute(text(f"DROP OWNED BY {name} CASCADE"))
            connection.execute(text(f"DROP ROLE {name}"))


def test_an_application_with_a_user_of_its_own_cannot_leave_its_role(told: Ledger, user: Callable[..., str]) -> None:
    url = user("IN ROLE sync_pipelines_app")

    with Ledger.open(url) as application:
        application.start_run("run-of-its-own", "full")
        assert application.guarded
        with application.engine.connect() as connection:
            connection.execute(text("SET ROLE NONE"))
            with pytest.raises(ProgrammingError, match="must be owner"):
                connection.execute(text("ALTER TABLE ledger.audit_entries DISABLE TRIGGER ALL"))

    assert told.verify_audit() is None


@pytest.mark.parametrize(("rights", "guarded"), [("CREATEROLE", True), ("", False)])
def test_a_user_who_may_not_make_roles_is_left_with_the_triggers(
    superuser: Engine, user: Callable[..., str], rights: str, guarded: bool
) -> None:
    url = user(rights)
    with superuser.begin() as connection:
        connection.execute(text("DROP SCHEMA ledger CASCADE"))
        if guarded:
            connection.execute(text(f"GRANT sync_pipelines_app TO {make_url(url).username} WITH ADMIN OPTION"))

    with Ledger.open(url) as opened:
        opened.start_run("run-1", "full")

        assert opened.guarded is guarded
        for statement in TAMPERING:
            with pytest.raises(ProgrammingError), opened.engine.begin() as connection:
                connection.execute(text(statement))
        assert opened.verify_audit() is None


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
        ([MADE_UP], 7),
        (
            [
                "UPDATE ledger.audit_entries SET seq = seq + 1000 WHERE seq > 3",
                MADE_UP.replace("SELECT 7", "SELECT 4").replace("seq = 6", "seq = 3"),
                "UPDATE ledger.audit_entries SET seq = seq - 999 WHERE seq > 1000",
                "UPDATE ledger.audit_head SET seq = 7",
            ],
            4,
        ),
        ([MADE_UP, "UPDATE ledger.audit_head SET seq = 7, hash = 'made up'"], 7),
        (["UPDATE ledger.audit_head SET hash = 'made up'"], 6),
    ],
)
def test_what_was_edited_removed_reordered_or_made_up_is_found(
    told: Ledger, superuser: Engine, statements: list[str], broken: int
) -> None:
    _tamper(superuser, *statements)

    assert told.verify_audit() == broken


def test_an_edit_with_a_new_hash_breaks_the_next_entry(told: Ledger, superuser: Engine) -> None:
    (entry, *_) = told.audit_of("run-1")
    forged = hashed({**entry.content(), "actor": "nobody"})

    _tamper(superuser, f"UPDATE ledger.audit_entries SET actor = 'nobody', hash = '{forged}' WHERE seq = 3")

    assert told.verify_audit() == 4


def _rewrite(superuser: Engine, told: Ledger, *, since: int) -> None:
    """Forge an entry and chain everything behind it anew, as a patient forger with all rights would."""
    entries = sorted((e for n in range(3) for e in told.audit_of(f"run-{n}")), key=lambda e: e.seq)
    previous = entries[since - 2].hash if since > 1 else ""
    for entry in entries[since - 1 :]:
        forged = replace(entry, actor="nobody", previous_hash=previous)
        previous = forged.computed_hash()
        _tamper(
            superuser,
            f"UPDATE ledger.audit_entries SET actor = 'nobody', previous_hash = '{forged.previous_hash}', "
            f"hash = '{previous}' WHERE seq = {entry.seq}",
        )
    _tamper(superuser, f"UPDATE ledger.audit_head SET hash = '{previous}'")


def test_a_head_that_was_kept_elsewhere_shows_a_chain_that_was_rewritten(told: Ledger, superuser: Engine) -> None:
    kept = Head.parse(str(told.audit_head()))
    told.start_run("run-later", "full")
    assert told.audit_verdict(expected=kept).broken is None
    _tamper(superuser, "DELETE FROM ledger.audit_entries WHERE seq = 7", "UPDATE ledger.audit_head SET seq = 6")

    _rewrite(superuser, told, since=2)

    assert told.audit_verdict().broken is None
    assert told.audit_verdict(expected=kept).broken == 6


def test_a_head_that_was_kept_elsewhere_shows_a_chain_that_was_cut(told: Ledger, superuser: Engine) -> None:
    kept = told.audit_head()
    fourth = told.audit_of("run-1")[-1]

    _tamper(
        superuser,
        "DELETE FROM ledger.audit_entries WHERE seq > 4",
        f"UPDATE ledger.audit_head SET seq = 4, hash = '{fourth.hash}'",
    )

    assert told.audit_verdict().broken is None
    assert told.audit_verdict(expected=kept).broken == 5


@pytest.mark.parametrize("word", ["", "12", "x:ab", "-1:ab", "3:"])
def test_what_is_no_head_is_refused(word: str) -> None:
    with pytest.raises(FixConfiguration, match="no head"):
        Head.parse(word)


def test_a_number_that_databases_spell_their_own_way_breaks_no_chain(ledger: Ledger) -> None:
    told: dict[str, object] = {"huge": 1e22, "small": 1e-7, "exact": 12.50, "long": 2**70, "null": None}
    with ledger._change() as change:
        change.tell("run.odd", "numbers", **told)

    assert ledger.verify_audit() is None


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
def test_whatever_is_told_the_chain_holds_and_any_edit_breaks_it(
    ledger: Ledger, superuser: Engine, words: list[str], at: int
) -> None:
    for word in words:
        ledger.start_run(f"{at}-{len(word)}-{hash(word)}", word.replace("\x00", ""))
    assert ledger.verify_audit() is None

    with superuser.execution_options(isolation_level="REPEATABLE READ").connect() as connection:
        connection.execute(text(BEHIND_THE_TRIGGERS))
        last = connection.scalar(text("SELECT max(seq) FROM ledger.audit_entries"))
        assert last is not None
        edited = 1 + at % last
        connection.execute(text(f"UPDATE ledger.audit_entries SET kind = kind || '!' WHERE seq = {edited}"))

        assert verify(connection).broken == edited
        connection.rollback()
