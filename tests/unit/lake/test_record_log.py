"""The record log: everything is kept once, and what is current follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import uuid4

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync_pipelines.engine.port import Page
from sync_pipelines.errors import MalformedPage
from sync_pipelines.lake import Lake

AT = datetime(2026, 11, 23, 9, tzinfo=UTC)
SHAPE = {"name": "VARCHAR", "price": {"decimal": "DECIMAL(18,4)"}, "tags": ["VARCHAR"]}


def page(*records: tuple[str, str, str | None], cursor: int = 1) -> Page:
    """A page of (record id, version, payload); a None payload marks a tombstone without one."""
    return Page(
        record_ids=[record_id for record_id, _, _ in records],
        versions=[version for _, version, _ in records],
        payloads=[(payload or "").encode() for _, _, payload in records],
        deleted=[payload is None for _, _, payload in records],
        cursor={"at": cursor},
    )


def append(lake: Lake, given: Page, object: str = "Account") -> int:
    return lake.append_page("salesforce", object, given, run_id="run-1", at=AT)


def current(lake: Lake) -> list[tuple[object, ...]]:
    lake.show("salesforce", {"Account": SHAPE})
    return lake.rows('SELECT record_id, version, is_deleted, name FROM salesforce."Account" ORDER BY record_id')


def logged(lake: Lake) -> int:
    return int(lake.row("SELECT count(*) FROM lake.record_log")[0])


def test_records_and_their_cursor_are_there_after_an_append(lake: Lake) -> None:
    assert lake.cursor("salesforce", "Account") is None

    appended = append(
        lake, page(("1", "a", '{"name": "Ünïcode \\"quoted\\""}'), ("2", "a", '{"name": null}'), cursor=7)
    )

    assert appended == 2
    assert lake.cursor("salesforce", "Account") == {"at": 7}
    assert current(lake) == [("1", "a", False, 'Ünïcode "quoted"'), ("2", "a", False, None)]


def test_payloads_are_typed_by_the_declared_shape_to_the_last_digit(lake: Lake) -> None:
    append(lake, page(("1", "a", '{"name": "x", "price": {"decimal": "12345678901234.5678"}, "tags": ["p", "q"]}')))
    lake.show("salesforce", {"Account": SHAPE})

    assert lake.rows('SELECT CAST(price.decimal AS VARCHAR), tags FROM salesforce."Account"') == [
        ("12345678901234.5678", ["p", "q"])
    ]


def test_what_the_log_holds_already_is_not_appended_again(lake: Lake) -> None:
    append(lake, page(("1", "a", '{"name": "x"}')))

    assert append(lake, page(("1", "a", '{"name": "x"}'), cursor=2)) == 0
    assert append(lake, page(("1", "b", '{"name": "y"}'), cursor=3)) == 1
    assert logged(lake) == 2
    assert current(lake) == [("1", "b", False, "y")]


def test_a_new_version_of_the_same_payload_is_news(lake: Lake) -> None:
    append(lake, page(("1", "a", '{"name": "x"}')))

    assert append(lake, page(("1", "b", '{"name": "x"}'))) == 1
    assert current(lake) == [("1", "b", False, "x")]


def test_a_record_that_goes_back_to_what_it_was_is_news_too(lake: Lake) -> None:
    for name in ("x", "y", "x"):
        append(lake, page(("1", "a", f'{{"name": "{name}"}}')))

    assert logged(lake) == 3
    assert current(lake) == [("1", "a", False, "x")]


def test_within_a_page_the_last_entry_of_a_record_counts(lake: Lake) -> None:
    assert append(lake, page(("1", "a", '{"name": "x"}'), ("1", "b", '{"name": "y"}'))) == 1
    assert current(lake) == [("1", "b", False, "y")]


def test_a_tombstone_keeps_the_payload_that_came_before_it_on_its_page(lake: Lake) -> None:
    assert append(lake, page(("1", "a", '{"name": "x"}'), ("1", "b", None))) == 1
    assert current(lake) == [("1", "b", True, "x")]


def test_the_newest_append_wins_whatever_its_version_and_clock_say(lake: Lake) -> None:
    append(lake, page(("1", "9", '{"name": "old"}')))
    append(lake, page(("1", "10", '{"name": "new"}')))

    assert current(lake) == [("1", "10", False, "new")]


def test_tombstones_keep_the_last_payload(lake: Lake) -> None:
    append(lake, page(("1", "a", '{"name": "x"}'), ("2", "a", '{"name": "y"}'), ("3", "a", '{"name": "z"}')))
    append(lake, page(("1", "b", None), cursor=2))
    lake.append_tombstones("salesforce", "Account", ["2"], run_id="run-1", at=AT)
    lake.append_tombstones("salesforce", "Account", [], run_id="run-1", at=AT)

    assert current(lake) == [("1", "b", True, "x"), ("2", "", True, "y"), ("3", "a", False, "z")]
    assert lake.held("salesforce", "Account") == 1
    assert lake.live_ids("salesforce", "Account") == ["3"]
    assert lake.cursor("salesforce", "Account") == {"at": 2}


def test_a_tombstone_is_appended_once_and_a_record_may_come_back(lake: Lake) -> None:
    append(lake, page(("1", "a", '{"name": "x"}')))

    assert append(lake, page(("1", "b", None))) == 1
    assert append(lake, page(("1", "b", None))) == 0
    assert append(lake, page(("1", "a", '{"name": "x"}'))) == 1
    assert current(lake) == [("1", "a", False, "x")]


def test_a_tombstone_of_a_record_never_seen_is_kept(lake: Lake) -> None:
    append(lake, page(("1", "a", None)))

    assert current(lake) == [("1", "a", True, None)]


def test_objects_and_systems_are_apart(lake: Lake) -> None:
    append(lake, page(("1", "a", '{"name": "x"}'), cursor=1))
    append(lake, page(("1", "a", '{"name": "x"}'), cursor=2), object="Contact")

    assert lake.cursor("salesforce", "Account") == {"at": 1}
    assert lake.held("salesforce", "Contact") == 1
    assert lake.held("stripe", "Account") == 0


def test_an_empty_page_moves_the_cursor_and_an_unchanged_cursor_leaves_no_trace(lake: Lake) -> None:
    append(lake, page(cursor=3))
    before = lake.snapshot()

    append(lake, page(cursor=3))

    assert lake.cursor("salesforce", "Account") == {"at": 3}
    assert lake.snapshot() == before


@pytest.mark.parametrize(
    "malformed",
    [
        page(("1", "a", '{"name": "x"}'), ("2", "a", '{"name": ')),
        page(("1", "a", '{"name": "x"}'), ("", "a", "{}")),
        Page(["1", "2"], ["a"], [b"{}", b"{}"], [False, False], {}),
        Page(["1", "1"], ["a"], [b"{}", b"{}"], [False, False], {}),
        Page(["1"], ["a"], [b'{"name": "\xff"}'], [False], {}),
        page(("1", "a", '{"price": NaN}')),
    ],
    ids=["cut off", "without id", "uneven", "uneven and twice", "not UTF-8", "no number"],
)
def test_of_a_malformed_page_nothing_is_kept(lake: Lake, malformed: Page) -> None:
    append(lake, page(("1", "a", '{"name": "kept"}'), cursor=1))

    with pytest.raises(MalformedPage, match="salesforce sent a page of Account"):
        append(lake, malformed)

    assert current(lake) == [("1", "a", False, "kept")]
    assert lake.cursor("salesforce", "Account") == {"at": 1}


def test_a_block_that_fails_leaves_no_trace(lake: Lake) -> None:
    def fail() -> None:
        with lake.transaction():
            lake.db.execute("INSERT INTO lake.cursor_log VALUES ('s', 'o', '{}', now(), 'run-1')")
            raise ZeroDivisionError

    before = lake.snapshot()
    with pytest.raises(ZeroDivisionError):
        fail()

    assert lake.snapshot() == before
    assert lake.cursor("s", "o") is None


def test_asking_for_the_cursor_looks_at_what_others_appended(lake: Lake, second_lake: Lake) -> None:
    append(lake, page(("1", "a", '{"name": "x"}')))
    append(second_lake, page(("2", "a", '{"name": "y"}'), cursor=2))

    assert lake.cursor("salesforce", "Account") == {"at": 2}
    assert append(lake, page(("2", "a", '{"name": "y"}'), cursor=2)) == 0
    assert lake.held("salesforce", "Account") == 2


def test_sessions_that_append_at_once_do_not_conflict(lake: Lake, second_lake: Lake) -> None:
    def work(session: Lake, object: str) -> int:
        return sum(append(session, page((str(n), "a", "{}"), cursor=n), object=object) for n in range(8))

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(work, [lake, second_lake], ["Account", "Contact"]))

    assert done == [8, 8]
    assert logged(lake) == 16


def test_the_fields_that_live_records_carry_are_known(lake: Lake) -> None:
    append(lake, page(("1", "a", '{"name": "x", "phone": null}'), ("2", "a", '{"email": "y"}')))
    append(lake, page(("2", "b", None)))

    assert lake.carried_fields("salesforce", "Account", ["name", "phone", "email"]) == {"name", "phone"}


def test_a_field_that_only_one_of_many_records_carries_is_carried(lake: Lake) -> None:
    append(lake, page(*((f"{n:04}", "a", "{}") for n in range(300)), ("last", "a", '{"name": "x"}')))

    assert lake.carried_fields("salesforce", "Account", ["name", "phone"]) == {"name"}


def test_the_fields_that_all_live_records_carry_are_known(lake: Lake) -> None:
    append(lake, page(("1", "a", '{"name": "x", "phone": null}'), ("2", "a", '{"name": "y"}'), ("3", "a", "{}")))
    append(lake, page(("3", "b", None)))

    assert lake.fields_of_all("salesforce", "Account") == {"name"}
    assert lake.fields_of_all("salesforce", "Contact") == set()


def test_merging_files_and_forgetting_snapshots_changes_no_record(lake: Lake) -> None:
    for n in range(9):
        append(lake, page(*((str(n), f"v{m}", f'{{"name": "{m}"}}') for m in range(12)), cursor=n))
        append(lake, page(*((f"{n}-{m}", "v", "{}") for m in range(12)), cursor=n))
    before, pinned = current(lake), lake.snapshot() - 5

    lake.maintain(before=datetime(2100, 1, 1, tzinfo=UTC), pinned=[pinned])

    assert current(lake) == before
    assert lake.cursor("salesforce", "Account") == {"at": 8}
    assert lake.row(f"SELECT count(*) FROM lake.record_log AT (VERSION => {pinned})")[0] > 0
    with pytest.raises(duckdb.Error, match="version"):
        lake.rows(f"SELECT * FROM lake.record_log AT (VERSION => {pinned - 1})")


_RECORD = st.tuples(
    st.sampled_from("abc"), st.sampled_from("12"), st.none() | st.sampled_from(['{"name": "x"}', '{"name": "y"}'])
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pages=st.lists(st.lists(_RECORD, max_size=4, unique_by=lambda r: r[0]), min_size=1, max_size=5))
def test_appending_a_page_twice_equals_once_and_the_cursor_is_the_last_page_s(
    lake: Lake, pages: Sequence[Sequence[tuple[str, str, str | None]]]
) -> None:
    name = uuid4().hex  # the lake outlives an example
    expected: dict[str, tuple[str | None, bool]] = {}
    for at, records in enumerate(pages):
        first = append(lake, page(*records, cursor=at), object=name)
        again = append(lake, page(*records, cursor=at), object=name)
        expected |= {record_id: (version, payload is None) for record_id, version, payload in records}

        assert first <= len(records)
        assert again == 0
        assert lake.cursor("salesforce", name) == {"at": at}
    live = {record_id for record_id, (_, is_deleted) in expected.items() if not is_deleted}
    assert set(lake.live_ids("salesforce", name)) == live
