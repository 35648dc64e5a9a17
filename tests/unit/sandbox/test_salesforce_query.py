"""SOQL: what a query finds, in which order, and what the org's rules say about values."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_pipelines.sandbox.salesforce import load_schema, record_id, seed
from sync_pipelines.sandbox.salesforce.fault import Refusal
from sync_pipelines.sandbox.salesforce.lookup import Lookup
from sync_pipelines.sandbox.salesforce.query import Reader
from sync_pipelines.sandbox.salesforce.soql import Literal, parse
from sync_pipelines.sandbox.store import Store

SCHEMA = load_schema()
NAMES = ["Acme", "acme GmbH", None, "100% Fun_d", "Müller\nSöhne", "O'Neil"]


def stamp(second: int) -> str:
    return datetime(2026, 11, 1, 0, 0, second, tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


@pytest.fixture(scope="module")
def store() -> Store:
    store = Store(None)
    accounts: list[dict[str, Any]] = [
        {
            "Id": record_id("001", number),
            "Name": f"N{number}",
            "Site": name,
            "NumberOfEmployees": number * 10 or None,
            "Sync_Id__c": f"Key-{number}",
            "Active__c": number % 2 == 0,
            "SystemModstamp": stamp(number),
        }
        for number, name in enumerate(NAMES)
    ]
    accounts.append({"Id": record_id("001", 9), "Name": "gone", "IsDeleted": True, "SystemModstamp": stamp(9)})
    deals = [
        {
            "Id": record_id("006", number),
            "Name": f"D{number}",
            "AccountId": record_id("001", number % 3) if number else None,
            "StageName": "Closed Won" if number % 2 else "Prospecting",
            "CloseDate": f"2026-11-{20 + number}",
            "Amount": number + 0.1,
            "SystemModstamp": stamp(number // 2),
        }
        for number in range(6)
    ]
    seed(store, {"Account": accounts, "Opportunity": deals}, schema=SCHEMA)
    return store


@pytest.fixture
def ask(store: Store) -> Callable[..., list[dict[str, Any]]]:
    def run(text: str, **options: bool) -> list[dict[str, Any]]:
        reader = Reader(Lookup(SCHEMA, store), date(2026, 11, 23), "/services/data/v67.0")
        rows = reader.run(text, **options)
        return [{k: v for k, v in rows.render(row).items() if k != "attributes"} for row in rows.rows]

    return run


Ask = Callable[..., list[dict[str, Any]]]


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("Site = 'ACME'", [0]),
        ("Site != 'acme'", [1, 2, 3, 4, 5]),
        ("Site LIKE 'acme%'", [0, 1]),
        ("NOT Site LIKE 'acme%'", [2, 3, 4, 5]),
        (r"Site LIKE '100\% Fun\_d'", [3]),
        (r"Site LIKE '%\_%'", [3]),
        (r"Site LIKE '%\'%'", [5]),
        ("Site LIKE 'm_ller%söhne'", [4]),
        (r"Site = 'Müller\nSöhne'", [4]),
        (r"Site = 'O\'Neil'", [5]),
        ("Site = null", [2]),
        ("Site = ''", [2]),
        ("Site > 'b'", [4, 5]),
        ("Site IN ('acme', 'o\\'neil', null)", [0, 2, 5]),
        ("Site NOT IN ('acme', 'o\\'neil')", [1, 2, 3, 4]),
        ("NumberOfEmployees >= 30", [3, 4, 5]),
        ("NumberOfEmployees < 30.5", [1, 2, 3]),
        ("NumberOfEmployees = null", [0]),
        ("Active__c = TRUE AND NumberOfEmployees > 10", [2, 4]),
        ("(NumberOfEmployees = 10 OR Site = null) AND Active__c = false", [1]),
        ("SystemModstamp > 2026-11-01T00:00:03Z", [4, 5]),
        ("SystemModstamp >= 2026-11-01T01:00:03+01:00 AND SystemModstamp < 2026-11-01T00:00:05.000Z", [3, 4]),
        ("Sync_Id__c = 'KEY-3'", [3]),
        ("Sync_Id__c IN ('key-1', 'key-2', 'none')", [1, 2]),
        ("Sync_Id__c = 'key-1' OR Name = 'N4'", [1, 4]),
        (f"Id = '{record_id('001', 2)[:15]}'", [2]),
        (f"Id > '{record_id('001', 3)}'", [4, 5]),
        ("Id IN (SELECT AccountId FROM Opportunity WHERE IsWon = true)", [0, 1, 2]),
        ("Id NOT IN (SELECT AccountId FROM Opportunity WHERE IsWon = true AND Amount < 2)", [0, 2, 3, 4, 5]),
        ("Account.Name = 'N1'", [1]),
    ],
)
def test_a_condition_finds_exactly_its_rows(ask: Ask, where: str, found: list[int]) -> None:
    rows = ask(f"SELECT Name FROM Account WHERE {where} ORDER BY Id")

    assert [row["Name"] for row in rows] == [f"N{number}" for number in found]


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("CloseDate = TODAY", [3]),
        ("CloseDate < TODAY", [0, 1, 2]),
        ("CloseDate = LAST_N_DAYS:2", [1, 2, 3]),
        ("CloseDate = NEXT_N_DAYS:1", [4]),
        ("CloseDate >= 2026-11-24", [4, 5]),
        ("Amount = 3.1", [3]),
        ("Account.Site = 'acme'", [3]),
        ("Account.Name = null", [0]),
        ("CreatedDate < TODAY AND Amount > 4", [4, 5]),
    ],
)
def test_dates_amounts_and_parents_can_be_asked_for(ask: Ask, where: str, found: list[int]) -> None:
    rows = ask(f"SELECT Name FROM Opportunity WHERE {where} ORDER BY Id")

    assert [row["Name"] for row in rows] == [f"D{number}" for number in found]


def test_names_are_found_whatever_their_case_and_shown_as_described(ask: Ask) -> None:
    assert ask("select a.name, a.SITE from account a where a.NAME = 'n0'") == [{"Name": "N0", "Site": "Acme"}]


def test_nulls_come_first_unless_told_otherwise_and_ties_fall_to_the_next_key(ask: Ask) -> None:
    def order(by: str) -> list[int]:
        return [int(row["Name"][1:]) for row in ask(f"SELECT Name FROM Account ORDER BY {by}")]

    assert order("NumberOfEmployees") == [0, 1, 2, 3, 4, 5]
    assert order("NumberOfEmployees DESC") == [0, 5, 4, 3, 2, 1]
    assert order("NumberOfEmployees DESC NULLS LAST") == [5, 4, 3, 2, 1, 0]
    assert order("NumberOfEmployees NULLS LAST") == [1, 2, 3, 4, 5, 0]
    assert order("Active__c DESC, Name DESC") == [4, 2, 0, 5, 3, 1]


def test_limit_and_offset_cut_the_ordered_rows(ask: Ask) -> None:
    rows = ask("SELECT Name FROM Account ORDER BY Name LIMIT 2 OFFSET 3")

    assert [row["Name"] for row in rows] == ["N3", "N4"]


def test_deleted_rows_are_seen_only_by_query_all(ask: Ask) -> None:
    query = "SELECT Name FROM Account WHERE IsDeleted = true"

    assert ask(query) == []
    assert ask(query, deleted_too=True) == [{"Name": "gone"}]


def test_parents_and_children_are_nested(ask: Ask) -> None:
    rows = ask("SELECT Name, Account.Name, Account.Site FROM Opportunity ORDER BY Id LIMIT 2")
    assert rows[0] == {"Name": "D0", "Account": None}
    assert {k: v for k, v in rows[1]["Account"].items() if k != "attributes"} == {
        "Name": "N1",
        "Site": "acme GmbH",
    }

    children = ask("SELECT (SELECT Name FROM Opportunities WHERE IsWon = true) FROM Account ORDER BY Id")
    won = [row["Opportunities"] and [r["Name"] for r in row["Opportunities"]["records"]] for row in children]
    assert won == [["D3"], ["D1"], ["D5"], None, None, None]


def test_groups_are_counted_summed_and_ordered(ask: Ask) -> None:
    rows = ask(
        "SELECT StageName, COUNT(Id), SUM(Amount) total, MIN(CloseDate), MAX(Account.Name) FROM Opportunity"
        " GROUP BY StageName ORDER BY SUM(Amount) DESC"
    )

    won = {"StageName": "Closed Won", "expr0": 3, "total": 9.3, "expr1": "2026-11-21", "expr2": "N2"}
    rest = {"StageName": "Prospecting", "expr0": 3, "total": 6.3, "expr1": "2026-11-20", "expr2": "N2"}
    assert rows == [won, rest]
    assert ask("SELECT COUNT(Id), COUNT_DISTINCT(AccountId) FROM Opportunity WHERE Name = 'x'") == [
        {"expr0": 0, "expr1": 0}
    ]


def test_all_fields_need_a_limit(ask: Ask) -> None:
    fields = SCHEMA.objects["Opportunity"].fields

    assert set(ask("SELECT FIELDS(ALL) FROM Opportunity LIMIT 1")[0]) == set(fields)
    with pytest.raises(Refusal, match="LIMIT of at most 200"):
        ask("SELECT FIELDS(ALL) FROM Opportunity")


def test_keyset_pages_over_equal_stamps_meet_every_row_once(ask: Ask) -> None:
    where, met = "", []
    while True:
        query = f"SELECT Id, SystemModstamp FROM Opportunity{where} ORDER BY SystemModstamp, Id LIMIT 1"
        page = ask(query)
        if not page:
            break
        met.append(page[-1]["Id"])
        at, last = page[-1]["SystemModstamp"], page[-1]["Id"]
        where = f" WHERE SystemModstamp > {at} OR (SystemModstamp = {at} AND Id > '{last}')"

    assert met == [record_id("006", number) for number in range(6)]


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("SELECT", "<EOF>"),
        ("SELECT Id FROM Account WHERE Name == 'x'", "="),
        ("SELECT Id, FROM Account", "Account"),
        ("SELECT Id FROM Account LIMIT -1", "-"),
        ("DELETE FROM Account", "DELETE"),
    ],
)
def test_a_syntax_error_names_the_token(text: str, token: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse(text)

    assert refused.value.code == "MALFORMED_QUERY"
    assert refused.value.message.endswith(f"unexpected token: '{token}'")


@given(st.text())
def test_any_text_survives_quoting(text: str) -> None:
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")

    where = parse(f"SELECT Id FROM Account WHERE Name = '{quoted}'").where

    assert where is not None
    assert getattr(where, "literal", None) == Literal("string", text, quoted)


def answered(query: str) -> str:
    try:
        parse(query)
    except Refusal as refusal:
        return refusal.code
    return "parsed"


@given(st.text(max_size=60))
def test_any_text_is_a_query_or_refused_as_malformed(text: str) -> None:
    assert answered(text) == "MALFORMED_QUERY"
    assert answered(f"SELECT Id FROM Account WHERE {text}") in ("parsed", "MALFORMED_QUERY")
