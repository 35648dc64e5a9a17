"""The directory: records are found by what people call them, and a story costs the same however many there are."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import Connection, create_engine, event, text

from sync_pipelines.engine.directory import KINDS, Entries
from sync_pipelines.ledger import Ledger

TYPES = {"amount_minor": pa.int64(), "is_deleted": pa.bool_()}
LEADERS = {"order": "crm", "contract": "crm", "invoice": "billing", "customer": "crm"}
DEAL = {"correlation_id": "deal-1"}
SIZE = 4000
SMALL = {"circuits", "pauses"}
"""Tables of one row a system."""

FILLED = (
    "SET LOCAL session_replication_role = replica",
    f"""INSERT INTO ledger.records
        SELECT s || '-' || n, 'invoice', s, 'IN-' || n, 'invoice ' || n, 'posted', n, 'USD', 'O-' || n / :deal, false
        FROM generate_series(1, {SIZE}) n, unnest(ARRAY['billing', 'erp']) s""",
    f"""INSERT INTO ledger.records
        SELECT 'crm-' || n, 'order', 'crm', 'O-' || n, 'order ' || n, 'signed', n, 'USD', 'deal-' || n, false
        FROM generate_series(1, {SIZE}) n""",
    f"""INSERT INTO ledger.links (domain, link_id, system, record_id, rule, evidence, since, run_id)
        SELECT 'invoice', 'invoice-' || n, s, s || '-' || n, 'number', 'same number', now(), 'run-1'
        FROM generate_series(1, {SIZE}) n, unnest(ARRAY['billing', 'erp']) s""",
    f"""INSERT INTO ledger.plans (plan_id, run_id, domain, target, snapshot, mapping_version, ownership_version,
            content_hash, created_at, state, counts, amounts, waits)
        SELECT 'plan-' || n, 'run-' || n, 'invoice', 'erp', n, 'm', 'o', 'h', now(), 'open', '{{}}', '{{}}', 'a limit'
        FROM generate_series(1, {SIZE}) n""",
    f"""INSERT INTO ledger.writes (write_id, plan_id, domain, target, link_id, operation, object, external_id,
            idempotency_key, correlation_id, label, changes, body, "then", state, code, message, updated_at)
        SELECT 'w' || n, 'plan-' || n, 'invoice', 'erp', 'invoice-' || n, 'create', 'invoice', 'IN-' || n, 'w' || n,
            'deal-' || n / :deal, 'IN-' || n, '[]', '{{}}', '[]', 'planned', '', '', now()
        FROM generate_series(1, {SIZE}) n""",
    f"""INSERT INTO ledger.attempts (write_id, number, started_at, ended_at, state, code, message)
        SELECT 'w' || n, 1, now(), now(), 'failed', '', '' FROM generate_series(1, {SIZE}) n""",
    f"""INSERT INTO ledger.work_items (fingerprint, domain, kind, owner, system, record_id, label, reason, evidence,
            opened_at, due_at, run_id)
        SELECT 'f' || n, 'invoice', 'missing', 'finance', 'erp', 'erp-' || n, 'IN-' || n, '', '{{}}', now(), now(), ''
        FROM generate_series(1, {SIZE}) n""",
    f"""INSERT INTO ledger.held_back
        SELECT 'invoice', 'erp', 'invoice-' || n, 'a gate is closed' FROM generate_series(1, {SIZE}) n""",
    f"""INSERT INTO ledger.audit_entries
        SELECT n, now(), 'tests', 'write.planned', 'w' || n, 'deal-' || n / :deal, '{{}}', '', ''
        FROM generate_series(1, {SIZE}) n""",
)


def entries(*rows: dict[str, Any], gone: tuple[str, ...] = (), **more: Any) -> Entries:
    named = {"domain": "order", "system": "crm", "fingerprint": "f1", "is_whole": not gone} | more
    told = [{"is_deleted": False, **row} for row in rows]
    columns = {name: pa.array([row.get(name) for row in told], TYPES.get(name, pa.string())) for name in KINDS}
    return Entries(found=pa.table(columns), gone=gone, **named)


def found(ledger: Ledger, word: str) -> set[str]:
    return {each.record_id for each in ledger.story(word, LEADERS).records}


@pytest.mark.parametrize("word", ["O-1", "o-1", 'Two, "quoted" WORDS', 'two, "QUOTED" words', "006A"])
def test_a_record_is_found_by_its_number_or_label_in_any_case_and_by_its_id(ledger: Ledger, word: str) -> None:
    ledger.keep_directory(
        entries(
            {"record_id": "006A", "number": "O-1", "label": 'two, "quoted" words'},
            {"record_id": "006B", "number": "O-2", "label": "another"},
        )
    )

    assert found(ledger, word) == {"006A"}


def test_an_empty_text_and_none_are_kept_apart(ledger: Ledger) -> None:
    ledger.keep_directory(entries({"record_id": "1", "status": ""}, {"record_id": "2", "amount_minor": -5}))

    first, second = (ledger.story(each).records[0] for each in ("1", "2"))

    assert (first.status, first.amount_minor, second.status, second.amount_minor) == ("", None, None, -5)


def test_any_number_of_a_deal_finds_all_of_it_and_nothing_of_others(ledger: Ledger) -> None:
    other = {"number": "O-2", "correlation_id": "deal-2"}
    ledger.keep_directory(entries({"record_id": "o1", "number": "O-1", **DEAL}, {"record_id": "o2", **other}))
    ledger.keep_directory(entries({"record_id": "c1", "number": "C-1", **DEAL}, domain="contract"))
    billed = {"record_id": "i1", "number": "IN-1", "correlation_id": "c-1"}
    ledger.keep_directory(entries(billed, domain="invoice", system="billing"))

    assert found(ledger, "O-1") == found(ledger, "C-1") == found(ledger, "IN-1") == {"o1", "c1", "i1"}
    assert ledger.story("in-1", LEADERS).deals == {"deal-1"}


def test_only_what_changed_is_kept_anew(ledger: Ledger) -> None:
    ledger.keep_directory(entries({"record_id": "1", "number": "A"}, {"record_id": "2", "number": "B"}))

    ledger.keep_directory(entries({"record_id": "2", "number": "C"}, gone=("2",), fingerprint="f2"))

    assert [found(ledger, word) for word in "ABC"] == [{"1"}, set(), {"2"}]
    assert ledger.directory_kept("order", "crm") == "f2"
    assert ledger.directory_kept("order", "erp") is None


def test_a_whole_set_replaces_its_own_and_leaves_other_systems_alone(ledger: Ledger) -> None:
    ledger.keep_directory(entries({"record_id": "1"}))
    ledger.keep_directory(entries({"record_id": "2"}, system="erp"))

    ledger.keep_directory(entries({"record_id": "3"}))

    assert [found(ledger, word) for word in "123"] == [set(), {"2"}, {"3"}]


def test_what_a_plan_held_back_is_told_until_it_no_longer_is(
    ledger: Ledger, added: Callable[..., pa.Table], ended: Callable[..., pa.Table]
) -> None:
    ledger.change_links(
        "invoice", added=added(("l1", "billing", "1"), ("l2", "billing", "2")), ended=ended(), run_id="r"
    )
    ledger.keep_held_back("invoice", "erp", [("l1", "a gate is closed"), ("l2", "a doubt")])
    ledger.keep_held_back("invoice", "books", [("l1", "a doubt")])

    ledger.keep_held_back("invoice", "erp", [("l1", "the period is closed")])

    assert {(each.target, each.reason) for each in ledger.story("l1").held_back} == {
        ("erp", "the period is closed"),
        ("books", "a doubt"),
    }
    assert ledger.story("l2").held_back == []


@contextmanager
def listening(ledger: Ledger) -> Iterator[list[tuple[str, Any]]]:
    """Every statement that the ledger sends while the block runs, with its parameters."""
    heard: list[tuple[str, Any]] = []

    def hear(_: Connection, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        heard.append((statement, parameters))

    event.listen(ledger.engine, "before_cursor_execute", hear)
    try:
        yield heard
    finally:
        event.remove(ledger.engine, "before_cursor_execute", hear)


def fill(url: str, *, deal: int) -> None:
    """Thousands of rows in every table that grows, so many invoices a deal."""
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in FILLED:
            connection.execute(text(statement), {"deal": deal} if ":deal" in statement else {})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    engine.dispose()


def test_a_story_takes_as_many_statements_among_thousands_of_records_as_among_a_few(
    ledger: Ledger, database_url: str
) -> None:
    ledger.keep_directory(entries({"record_id": "o1", "number": "O-1", **DEAL}, system="crm"))
    with listening(ledger) as among_few:
        assert len(ledger.story("O-1", LEADERS).records) == 1
    fill(database_url, deal=100)

    with listening(ledger) as among_many:
        story = ledger.story("O-2", LEADERS)

    assert (len(story.records), len(story.writes), len(story.work_items)) == (201, 100, 100)
    assert len(among_many) == len(among_few)


def test_no_statement_of_a_story_reads_a_table_that_grows_from_end_to_end(ledger: Ledger, database_url: str) -> None:
    fill(database_url, deal=1)
    with listening(ledger) as heard:
        story = ledger.story("in-2000", LEADERS)
    assert all((story.records, story.links, story.writes, story.attempts, story.work_items, story.audit, story.waits))

    with ledger.engine.connect() as connection:
        plans = [
            (statement, connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).scalar_one())
            for statement, parameters in heard
        ]

    scanned = [(table, statement) for statement, plan in plans for table in scans(plan) if table not in SMALL]
    assert len(plans) > 10
    assert scanned == []


def scans(plan: Any) -> Iterator[str]:
    """The tables that a plan reads from end to end."""
    steps = [json.loads(plan) if isinstance(plan, str) else plan]
    while steps:
        step = steps.pop()
        if isinstance(step, list):
            steps += step
        elif isinstance(step, dict):
            if step.get("Node Type") == "Seq Scan":
                yield step["Relation Name"]
            steps += [value for value in step.values() if isinstance(value, list | dict)]
