from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import requests

from sync_pipelines.engine.port import Operation, Request, State
from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.errors import FixConfiguration, InDoubt, MalformedPage, RetryLater, SetAside
from sync_pipelines.systems.tryton import Tryton, adapter, open_system
from tests.unit.systems.conftest import Scripted

HTML = {"Content-Type": "text/html"}
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def answer(value: object) -> tuple[int, bytes]:
    return (200, msgspec.json.encode({"id": 1, "result": value}))


def refusal(message: str) -> tuple[int, bytes]:
    return (200, msgspec.json.encode({"id": 1, "error": ["UserError", [message, "", None]]}))


def warning(name: str) -> tuple[int, bytes]:
    return (200, msgspec.json.encode({"id": 1, "error": ["UserWarning", [f"abc.{name}", "Sure?", ""]]}))


LOGIN = answer([7, "token", None])
COMPANY = {"create_date": {"__class__": "datetime", "year": 2026}, "party.": {"code": "US01"}}
USER = answer([{"id": 7, "company": 1, "employee": 2, "company_filter": None, "groups": [3], "company.": COMPANY}])
DONE = answer(None)
LOST = requests.ConnectionError("cut off")


def record(record_id: int, seconds: int, **fields: Any) -> dict[str, Any]:
    at = NOON + timedelta(seconds=seconds)
    parts = {name: getattr(at, name) for name in ("year", "month", "day", "hour", "minute", "second", "microsecond")}
    return {
        "id": record_id,
        "_timestamp": f"v{seconds}",
        "last_modified_at": {"__class__": "datetime", **parts},
        **fields,
    }


def invoice(name: str, *, operation: Operation = Operation.CREATE, then: tuple[str, ...] = ("post",)) -> Request:
    body = {"reference": name} if operation is Operation.CREATE else {}
    return Request(name, "account.invoice", operation, "41", name, body, then)


@pytest.fixture
def erp(clock) -> Callable[..., tuple[Tryton, Scripted]]:
    """An adapter that has logged in, and the far end with what it will answer."""

    def build(*replies, logged_in: bool = True, **said: str) -> tuple[Tryton, Scripted]:
        far_end = Scripted([*([LOGIN, USER] if logged_in else []), *replies])
        session = requests.Session()
        session.mount("http://erp.test", far_end)
        options = {"user": "ann", "password": "s3cr3t", **said}
        settings = SystemSettings("erp", "tryton", "http://erp.test/books", calls_per_second=1000, options=options)
        return open_system(settings, clock=clock, session=session), far_end

    return build


def calls(far_end: Scripted) -> list[tuple[str, list[Any]]]:
    """The methods called after the log-in, with their parameters but for the context."""
    bodies = [json.loads(sent.body) for sent in far_end.sent]
    return [(body["method"].removeprefix("model."), body["params"][:-1]) for body in bodies[2:]]


def context(far_end: Scripted) -> dict[str, Any]:
    return json.loads(far_end.sent[-1].body)["params"][-1]


def test_a_first_read_asks_for_everything_oldest_change_first_archived_records_too(erp):
    books, far_end = erp(answer([record(4, 1, name="A"), record(2, 5, name="B")]))

    (page,) = books.read("party.party", {"name": "VARCHAR"}, None)

    ((method, (domain, offset, _, order, fields)),) = calls(far_end)
    assert (method, domain, offset) == ("party.party.search_read", [], 0)
    assert order == [["last_modified_at", "ASC"], ["id", "ASC"]]
    assert fields == ["name", "_timestamp", "last_modified_at"]
    assert context(far_end) == {"company": 1, "employee": 2, "groups": [3], "language": "en", "active_test": False}
    assert (page.record_ids, page.versions) == (["4", "2"], ["v1", "v5"])
    assert json.loads(page.payloads[0])["name"] == "A"
    assert page.cursor == {"at": "2026-11-02T12:00:05+00:00", "id": 2}


def test_the_next_page_starts_after_the_greatest_key_and_never_at_an_offset(erp, monkeypatch):
    monkeypatch.setattr(adapter, "PAGE_MAX", 2)
    books, far_end = erp(answer([record(8, 1), record(9, 1)]), answer([record(1, 2)]))

    pages = list(books.read("party.party", {}, None))

    second = calls(far_end)[1][1]
    noon_and_one = {"__class__": "datetime", "year": 2026, "month": 11, "day": 2, "hour": 12, "minute": 0}
    noon_and_one |= {"second": 1, "microsecond": 0}
    assert second[:2] == [
        [["OR", [["last_modified_at", ">", noon_and_one]], [["last_modified_at", "=", noon_and_one], ["id", ">", 9]]]],
        0,
    ]
    assert [page.cursor["id"] for page in pages] == [9, 1]


def test_a_later_read_starts_before_the_cursor_and_never_moves_it_back(erp):
    cursor = {"at": "2026-11-02T12:10:00+00:00", "id": 5}
    books, far_end = erp(answer([record(3, 1)]))

    (page,) = books.read("party.party", {}, cursor)

    domain = calls(far_end)[0][1][0]
    assert (domain[0][1][0][2]["hour"], domain[0][1][0][2]["minute"]) == (12, 0)
    assert page.cursor == cursor


def test_a_page_without_a_version_is_malformed(erp):
    books, _ = erp(answer([{"id": 1, "name": "A"}]))

    with pytest.raises(MalformedPage):
        list(books.read("party.party", {"name": "VARCHAR"}, None))


def test_a_page_that_is_cut_off_is_asked_for_again(erp):
    books, far_end = erp((200, b'{"id":1,"result":[{"id"'), answer([record(1, 1)]))

    assert len(list(books.read("party.party", {}, None))) == 1
    assert len(calls(far_end)) == 2


def test_ids_come_by_keyset_and_changes_by_a_count_that_stops_at_one(erp, monkeypatch):
    monkeypatch.setattr(adapter, "PAGE_MAX", 2)
    books, far_end = erp(answer([1, 4]), answer([9]), answer(1))

    assert list(books.ids("party.party")) == [["1", "4"], ["9"]]
    assert books.changed({"party.party": {"at": "2026-11-02T12:00:00+00:00", "id": 5}})
    (_, first), (_, second), (method, (domain, offset, limit)) = calls(far_end)
    assert (first[0], second[0]) == ([], [["id", ">", 4]])
    assert (method, offset, limit, domain[0][0]) == ("party.party.search_count", 0, 1, "OR")


def test_a_lost_session_is_renewed_once(erp):
    books, far_end = erp((401, b"<html>", HTML), answer([9, "other", None]), answer(3))

    assert books.count("party.party") == 3
    token = base64.b64decode(far_end.sent[-1].headers["Authorization"].removeprefix("Session ")).decode()
    assert token == "ann:9:other"


@pytest.mark.parametrize(
    ("status", "error", "text"),
    [
        (401, FixConfiguration, "check user and password"),
        (404, FixConfiguration, "no such database"),
        (429, RetryLater, "too many failed"),
        (502, RetryLater, "nobody log in now"),
    ],
)
def test_a_log_in_that_fails_says_what_to_do_and_keeps_the_password_to_itself(erp, status, error, text):
    books, _ = erp(*[(status, b"<html>", HTML)] * 5, logged_in=False)

    with pytest.raises(error, match=text) as failed:
        books.count("party.party")

    assert "s3cr3t" not in str(failed.value)
    assert "s3cr3t" not in repr(books._server.wire)


def test_a_user_without_a_company_is_refused_before_anything_is_read(erp):
    books, _ = erp(LOGIN, answer([{"id": 7, "company": None}]), logged_in=False)

    with pytest.raises(FixConfiguration, match="belongs to no company"):
        books.count("party.party")


def test_our_module_is_asked_about_all_objects_in_one_call_where_the_topology_says_so(erp):
    books, far_end = erp(answer(["sale.sale"]), module="True")

    changed = books.changed({"party.party": {"at": NOON.isoformat(), "id": 4}, "sale.sale": None})

    noon = {"__class__": "datetime", "year": 2026, "month": 11, "day": 2, "hour": 12, "minute": 0, "second": 0}
    keys = {"party.party": [noon | {"microsecond": 0}, 4], "sale.sale": None}
    assert calls(far_end) == [("sync_pipelines.look.changed", [keys])]
    assert context(far_end)["active_test"] is False
    assert changed == {"sale.sale"}
    assert books.passport.looks_at == adapter.LOOKS_AT


def test_a_look_at_an_object_that_the_user_may_not_read_is_a_right_to_be_given(erp):
    books, _ = erp(refusal('You are not allowed to access "Party".'), module="true")

    with pytest.raises(FixConfiguration, match="rights of the user"):
        books.changed({"party.party": None})


def test_whether_there_is_our_module_is_said_by_true_or_false(erp):
    with pytest.raises(FixConfiguration, match=r"\[systems.erp\] module is 'maybe': give true or false"):
        erp(module="maybe")


def test_an_object_that_the_user_may_not_read_is_a_right_to_be_given(erp):
    books, _ = erp(refusal('You are not allowed to access "Party".'))

    with pytest.raises(FixConfiguration, match="rights of the user"):
        books.count("party.party")


def test_a_create_looks_for_its_key_first_and_presses_its_buttons_together(erp):
    books, far_end = erp(answer([]), answer([51, 52]), DONE)

    outcomes = books.write([invoice("IN-1"), invoice("IN-2")])

    assert [(o.state, o.record_id) for o in outcomes] == [(State.CONFIRMED, "51"), (State.CONFIRMED, "52")]
    assert [method for method, _ in calls(far_end)] == [
        "account.invoice.search_read",
        "account.invoice.create",
        "account.invoice.post",
    ]
    assert calls(far_end)[1][1] == [[{"reference": "IN-1"}, {"reference": "IN-2"}]]
    assert calls(far_end)[2][1] == [[51, 52]]
    assert "active_test" not in context(far_end)


def test_what_an_earlier_try_left_behind_is_finished_and_not_made_again(erp):
    ours = {"id": 50, "reference": "IN-1", "create_uid": 7}
    books, far_end = erp(answer([ours]), answer([{"id": 50, "state": "draft"}]), DONE)

    (outcome,) = books.write([invoice("IN-1")])

    assert (outcome.state, outcome.record_id) == (State.CONFIRMED, "50")
    assert "account.invoice.create" not in [method for method, _ in calls(far_end)]


def test_a_record_of_somebody_else_with_the_same_key_is_never_touched(erp):
    theirs = {"id": 50, "reference": "IN-1", "create_uid": 3}
    books, far_end = erp(answer([theirs]), answer([51]), DONE)

    outcomes = books.write([invoice("IN-1"), invoice("IN-2")])

    assert {o.write_id: (o.state, o.code) for o in outcomes} == {
        "IN-1": (State.REFUSED, "exists"),
        "IN-2": (State.CONFIRMED, ""),
    }
    assert calls(far_end)[-1] == ("account.invoice.post", [[51]])


def test_a_batch_that_is_refused_is_set_aside_whole(erp):
    books, far_end = erp(answer([]), refusal("The code on party must be unique."))

    with pytest.raises(SetAside) as refused:
        books.write([invoice("IN-1"), invoice("IN-2")])

    assert refused.value.code == "not_unique"
    assert len(calls(far_end)) == 2


def test_a_lost_answer_to_a_create_is_in_doubt_and_not_sent_again(erp):
    books, far_end = erp(answer([]), LOST)

    with pytest.raises(InDoubt):
        books.write([invoice("IN-1")])

    assert len(calls(far_end)) == 2


@pytest.mark.parametrize("failure", [LOST, (403, b"<html>", HTML)])
def test_whatever_fails_after_the_bodies_are_stored_leaves_the_batch_in_doubt(erp, failure):
    books, _ = erp(answer([]), answer([51]), failure)

    with pytest.raises(InDoubt):
        books.write([invoice("IN-1")])


def test_refused_buttons_are_pressed_one_by_one_and_what_stays_refused_is_withdrawn(erp):
    closed = refusal('To continue, you must reopen the period "2026-01" of company "M".')
    drafts = answer([{"id": 51, "state": "draft"}, {"id": 52, "state": "draft"}])
    books, far_end = erp(
        answer([]), answer([51, 52]), closed, drafts, DONE, closed, answer([{"id": 52, "state": "draft"}]), DONE, DONE
    )

    done, refused = books.write([invoice("IN-1"), invoice("IN-2")])

    assert done.state is State.CONFIRMED
    assert (refused.state, refused.code, refused.record_id) == (State.REFUSED, "closed_period", None)
    assert calls(far_end)[-2:] == [
        ("account.invoice.write", [[52], {"number": None}]),
        ("account.invoice.delete", [[52]]),
    ]


def test_a_record_that_can_not_be_withdrawn_is_reported_as_left_behind(erp):
    books, _ = erp(
        answer([]),
        answer([51]),
        refusal("No."),
        answer([{"id": 51, "state": "draft"}]),
        refusal("Not allowed."),
    )

    (outcome,) = books.write([invoice("IN-1")])

    assert (outcome.state, outcome.record_id, outcome.code) == (State.FAILED, "51", "left_behind")


def test_an_error_of_what_a_button_queued_does_not_undo_the_button(erp):
    books, _ = erp(
        answer([]), answer([51]), refusal("The report can't be made."), answer([{"id": 51, "state": "posted"}])
    )

    (outcome,) = books.write([invoice("IN-1")])

    assert outcome.state is State.CONFIRMED


def test_a_warning_that_only_informs_is_acknowledged_for_the_whole_batch(erp):
    books, far_end = erp(answer([]), answer([51, 52]), warning("invoice_payment_term"), answer([1, 2]), DONE)

    outcomes = books.write([invoice("IN-1"), invoice("IN-2")])

    assert {outcome.state for outcome in outcomes} == {State.CONFIRMED}
    (method, (created,)) = calls(far_end)[3]
    assert method == "res.user.warning.create"
    assert [row["user"] for row in created] == [7, 7]
    assert all(row["name"].endswith(".invoice_payment_term") for row in created)


def test_any_other_warning_is_for_a_person(erp):
    books, _ = erp(
        answer([]),
        answer([51]),
        warning("invoice_taxes"),
        answer([{"id": 51, "state": "draft"}]),
        DONE,
        DONE,
    )

    (outcome,) = books.write([invoice("IN-1")])

    assert (outcome.state, outcome.code) == (State.REFUSED, "invoice_taxes")


def test_updates_go_in_one_call_with_the_versions_they_were_computed_from(erp):
    lock = {"party.party,41": "v1"}
    first = Request("a", "party.party", Operation.UPDATE, "41", "C-1", {"name": "A", "_timestamp": lock})
    second = Request("b", "party.party", Operation.UPDATE, "42", "C-2", {"name": "B"})
    books, far_end = erp(DONE)

    outcomes = books.write([first, second])

    assert [outcome.record_id for outcome in outcomes] == ["41", "42"]
    assert calls(far_end) == [("party.party.write", [[41], {"name": "A"}, [42], {"name": "B"}])]
    assert context(far_end)["_timestamp"] == lock


def test_a_resumed_write_presses_only_the_buttons_that_are_left(erp):
    resumed = Request("o", "sale.sale", Operation.UPDATE, "9", "D-1", {}, ("quote", "confirm", "process"))
    confirmed = answer([{"id": 9, "state": "confirmed"}])
    books, far_end = erp(confirmed, confirmed, confirmed, DONE)

    (outcome,) = books.write([resumed])

    assert outcome.state is State.CONFIRMED
    assert [method for method, _ in calls(far_end) if "search" not in method] == ["sale.sale.process"]


def test_nothing_is_sent_for_no_requests_and_a_replace_is_a_mistake_of_the_mapping(erp):
    books, far_end = erp()

    assert books.write([]) == []
    with pytest.raises(FixConfiguration, match="no replace"):
        books.write([Request("a", "party.party", Operation.REPLACE, "1", "C-1", {})])
    assert far_end.sent == []


def test_a_record_is_found_by_its_key_and_finished_only_in_its_final_state(erp):
    rows = [
        {"id": 1, "reference": "IN-1", "state": "posted", "_timestamp": "v1"},
        {"id": 2, "reference": "IN-2", "state": "draft", "_timestamp": "v1"},
        {"id": 3, "reference": "IN-1", "state": "draft", "_timestamp": "v1"},
    ]
    books, far_end = erp(answer(rows))

    found = books.find("account.invoice", ["IN-1", "IN-2"])

    assert {key: (record.record_id, record.finished) for key, record in found.items()} == {
        "IN-1": ("1", True),
        "IN-2": ("2", False),
    }
    assert calls(far_end)[0][1][0] == [
        ["reference", "in", ["IN-1", "IN-2"]],
        ["state", "!=", "cancelled"],
        ["create_uid", "=", 7],
    ]


def test_an_object_without_a_place_for_an_external_id_says_so(erp):
    books, _ = erp()

    with pytest.raises(FixConfiguration, match="could carry an external id"):
        books.find("account.tax", ["x"])


def test_a_write_names_the_business_transactions_behind_it_in_its_context(erp):
    first = Request("a", "party.party", Operation.UPDATE, "41", "C-1", {"name": "A"}, correlation_id="deal-2")
    second = Request("b", "party.party", Operation.UPDATE, "42", "C-2", {"name": "B"}, correlation_id="deal-1")
    books, far_end = erp(DONE)

    books.write([first, second])

    assert context(far_end)["correlation_ids"] == ["deal-1", "deal-2"]
