from __future__ import annotations

import json
from zoneinfo import ZoneInfo

import pytest
import requests

from sync_pipelines.engine.period import CLOSED_PERIOD
from sync_pipelines.errors import FixConfiguration, RetryLater, SetAside, SyncError
from sync_pipelines.systems.netsuite.answer import classify
from sync_pipelines.systems.netsuite.source import SOURCES, behind, in_lists, source_of, text

PACIFIC = ZoneInfo("America/Los_Angeles")


def answered(status: int, code: str = "", detail: str = "", path: str = "") -> SyncError | None:
    response = requests.Response()
    response.status_code = status
    told = {"detail": detail, "o:errorCode": code, "o:errorPath": path}
    response._content = json.dumps({"status": status, "o:errorDetails": [told]}).encode()
    return classify(response)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("Error while accessing a resource. You cannot post to a closed period.", CLOSED_PERIOD),
        ("The posting period for this transaction has been locked.", CLOSED_PERIOD),
        ("Please define an accounting period for this date.", "no_period"),
        ("Record has been changed by another user.", "drifted"),
        ("This record already exists.", "not_unique"),
        ("The field memo contained more than the maximum number ( 999 ) of characters allowed.", "too_long"),
        ("Invalid item reference key 7 for subsidiary 2.", "unknown_reference"),
        ("Please enter value(s) for: Location.", "missing_value"),
        ("Customer has exceeded the credit limit.", "credit_limit"),
        ("Something that nobody has heard of.", "user_error"),
    ],
)
def test_a_broken_rule_is_told_apart_by_its_words(words: str, code: str) -> None:
    error = answered(400, "USER_ERROR", words)

    assert isinstance(error, SetAside)
    assert error.code == code


def test_a_refusal_names_the_place_and_quotes_nothing() -> None:
    error = answered(400, "INVALID_CONTENT", "Invalid value 'Erika Mustermann'.", "item.items[0].rate")

    assert isinstance(error, SetAside)
    assert error.fields == ("item.items[0].rate",)
    assert "Mustermann" not in str(error)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (429, "CONCURRENCY_LIMIT_EXCEEDED", RetryLater),
        (400, "SSS_REQUEST_LIMIT_EXCEEDED", RetryLater),
        (503, "ACCT_TEMP_UNAVAILABLE", RetryLater),
        (403, "INSUFFICIENT_PERMISSION", FixConfiguration),
        (405, "INVALID_METHOD", FixConfiguration),
        (410, "", FixConfiguration),
    ],
)
def test_what_is_no_records_fault_says_what_to_do(status: int, code: str, kind: type[SyncError]) -> None:
    assert type(answered(status, code)) is kind


@pytest.mark.parametrize(("status", "code"), [(204, ""), (401, "INVALID_LOGIN"), (400, "IDEMPOTENCY_ERROR"), (500, "")])
def test_what_the_wire_or_the_writer_decides_is_left_to_them(status: int, code: str) -> None:
    assert answered(status, code) is None


def test_an_unknown_name_of_a_query_is_told_with_the_file_to_mend() -> None:
    error = answered(400, "INVALID_PARAMETER", "Invalid search query. Unknown identifier 'shoesize'.")

    assert isinstance(error, FixConfiguration)
    assert "'shoesize'" in str(error)
    assert "objects.toml" in str(error)


def test_a_read_starts_behind_its_cursor_and_an_hour_more_where_the_clock_was_put_back() -> None:
    assert behind(("2026-06-01 12:00:00", 7), 900, PACIFIC) == ("2026-06-01 11:45:00", 0)
    assert behind(("2026-11-01 01:59:59", 7), 900, PACIFIC) == ("2026-11-01 00:44:59", 0)
    assert behind(("2026-11-01 02:05:00", 7), 900, PACIFIC) == ("2026-11-01 00:50:00", 0)
    assert behind(("2026-03-08 03:05:00", 7), 900, PACIFIC) == ("2026-03-08 02:50:00", 0)


def test_the_cursor_itself_is_where_news_begins_unless_its_hour_comes_twice() -> None:
    assert behind(("2026-06-01 12:00:00", 7), 0, PACIFIC) == ("2026-06-01 12:00:00", 7)
    assert behind(("2026-11-01 01:59:00", 7), 0, PACIFIC) == ("2026-11-01 00:59:00", 0)


def test_texts_are_quoted_and_long_lists_are_parted() -> None:
    assert text("O'Hara") == "'O''Hara'"
    assert [clause.count(",") for clause in in_lists("id", [str(n) for n in range(1001)])] == [499, 499, 0]


def test_a_record_type_that_nobody_declared_and_one_without_a_place_for_a_key_are_told() -> None:
    with pytest.raises(FixConfiguration, match="vendorBill"):
        source_of("vendorBill")
    with pytest.raises(FixConfiguration, match="external id"):
        source_of("currency").external_id("x")


@pytest.mark.parametrize("name", [name for name, source in SOURCES.items() if source.is_keyed])
def test_an_external_id_is_told_apart_from_every_other(name: str) -> None:
    source = SOURCES[name]
    told = [source.external_id(each) for each in ("A/1", "A_1", "A 1", "A_2F1", "Ä1", "A-1")]

    assert len(set(told)) == len(told)
    assert all(each.replace("-", "").replace("_", "").isalnum() and each.isascii() for each in told)
