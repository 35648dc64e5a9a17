"""The NetSuite adapter against its stand-in: what it costs, what it writes, and what it does when calls go wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
import requests
from stand_in_netsuite import BY_CERTIFICATE, BY_TOKEN

from sync_pipelines import mappings
from sync_pipelines.engine.port import Operation, Request, State
from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.errors import FixConfiguration, InDoubt, RetryLater
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.faults import Rule
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.netsuite import seed
from sync_pipelines.systems.netsuite import NetSuite, open_system
from sync_pipelines.testing.transport import Struck

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
URL = "http://1234567-sb1.netsuite.test"
NAME = {"companyname": "VARCHAR"}
TOKEN, QUERY = "POST /services/rest/auth/oauth2/v1/token", "POST /services/rest/query/v1/suiteql"


class Account:
    """A stand-in, the adapter on it, and what others do to it."""

    def __init__(self) -> None:
        self.clock = VirtualClock(NOW)
        self.sandbox = open_sandbox("netsuite", clock=self.clock)
        self.wire = Struck(self.sandbox)
        self.adapter = self.open(BY_CERTIFICATE)

    def open(self, options: Mapping[str, str]) -> NetSuite:
        session = requests.Session()
        session.mount(URL, self.wire)
        settings = SystemSettings("netsuite", "netsuite", URL, calls_per_second=1e6, options=dict(options))
        return open_system(settings, clock=self.clock, session=session)

    def customers(self, count: int, *, at: str = "2026-11-20T10:00:00Z", first: int = 1) -> None:
        rows = [
            {"id": str(n), "entityId": f"C{n}", "companyName": f"Nr {n}", "subsidiary": "1", "lastModifiedDate": at}
            for n in range(first, first + count)
        ]
        seed(self.sandbox.store, {"customer": rows})

    def read(self, since: Any = None) -> tuple[list[str], Any]:
        seen: list[str] = []
        for page in self.adapter.read("customer", NAME, since):
            seen += page.record_ids
            since = page.cursor
        return seen, since

    def spent(self) -> Counter[str]:
        """The calls that arrived since the last time."""
        spent = Counter(self.sandbox.calls)
        self.sandbox.calls.clear()
        return spent

    def row(self, table: str, record_id: str | None) -> dict[str, Any]:
        return dict(self.sandbox.store.get(table, str(record_id)) or {})

    def invoice(self, number: str = "IN-1", **more: Any) -> Request:
        return request("invoice", number, {"entity": {"id": "1"}, "tranDate": "2026-11-20", "item": LINES, **more})

    def posted(self, number: str = "IN-1") -> str:
        (outcome,) = self.adapter.write([self.invoice(number)])
        assert outcome.state is State.CONFIRMED, outcome
        return str(outcome.record_id)


LINES = {"items": [{"item": {"id": "9"}, "quantity": 2, "amount": 100.5}]}


def request(object: str, name: str, body: Mapping[str, Any], record_id: str | None = None) -> Request:
    operation = Operation.UPDATE if record_id else Operation.CREATE
    return Request(name, object, operation, record_id, name, body, idempotency_key=f"key-{name}")


def voiding(object: str, record_id: str) -> Request:
    return Request(f"void-{record_id}", object, Operation.VOID, record_id, "IN-1", {}, ("void",))


def customer(name: str, **more: Any) -> Request:
    return request("customer", name, {"companyName": name, "subsidiary": {"id": "1"}, **more})


@pytest.fixture
def account() -> Account:
    """With a customer and an item."""
    made = Account()
    made.customers(1)
    seed(made.sandbox.store, {"serviceSaleItem": [{"id": "9", "itemId": "SKU-1"}]})
    return made


def test_a_read_costs_one_call_for_a_thousand_rows_and_one_where_nothing_changed(account: Account) -> None:
    account.customers(2499)
    account.customers(1, at="2026-11-20T11:00:00Z", first=2500)

    everything, cursor = account.read()
    full = account.spent()
    account.clock.advance(3000)
    account.customers(3, at="2026-11-23T12:40:00Z", first=2501)
    changed, cursor = account.read(cursor)
    incremental = account.spent()
    news = account.adapter.changed({"customer": cursor})
    unchanged = account.spent()

    assert len(everything) == len(set(everything)) == 2500
    assert full == {TOKEN: 1, QUERY: 3}
    assert set(changed) >= {"2501", "2502", "2503"}
    assert (incremental, unchanged) == ({QUERY: 1}, {QUERY: 1})
    assert not news


def read_all(account: Account) -> dict[str, Any]:
    """The cursors of all mapped objects after everything was read; None of those that are empty."""
    shapes = mappings.objects("netsuite")
    cursors: dict[str, Any] = dict.fromkeys(shapes)
    for name, shape in shapes.items():
        for page in account.adapter.read(name, shape, None):
            cursors[name] = page.cursor
    account.clock.advance(5)
    account.spent()
    return cursors


def test_a_look_at_everything_costs_one_call_where_nothing_changed(account: Account) -> None:
    account.posted()

    cursors = read_all(account)
    quiet = account.adapter.changed(cursors)
    account.customers(1, at="2026-11-23T12:00:10Z", first=77)
    news = account.adapter.changed(cursors)

    assert (quiet, news) == (set(), {"customer"})
    assert account.spent() == {QUERY: 2}


@pytest.mark.parametrize("flag", ["closed", "arLocked", "allLocked"])
def test_a_look_sees_a_period_that_was_closed_or_locked(account: Account, flag: str) -> None:
    cursors = read_all(account)
    account.sandbox.vendor.admin("period", {"name": "Nov 2026", "changes": {flag: True}})

    assert account.adapter.changed(cursors) == {"accountingPeriod"}


def test_a_look_sees_a_new_row_of_a_list(account: Account) -> None:
    cursors = read_all(account)
    seed(account.sandbox.store, {"account": [{"id": "901", "acctNumber": "4999", "acctName": "Other"}]})

    assert account.adapter.changed(cursors) == {"account"}


def test_a_role_that_may_not_see_everything_is_asked_object_by_object(account: Account) -> None:
    detail = {"o:errorCode": "INVALID_PARAMETER", "detail": "Record 'pricing' was not found."}
    refusal = Rule(route="", kind="status", status=400, body={"o:errorDetails": [detail]})
    account.posted()
    account.wire.strike(refusal, lambda call: b"UNION ALL" in (call.body or b""))

    cursors = read_all(account)

    assert account.adapter.changed(cursors) == set()
    assert account.adapter.changed({"invoice": {"at": "2026-11-20 04:00:00", "id": "1"}}) == {"invoice"}
    assert account.spent() == {QUERY: 1 + len(cursors) + 1}


def test_a_hundred_records_are_written_by_a_job_in_four_calls(account: Account) -> None:
    requests = [customer(f"N{number}") for number in range(100)]
    account.adapter.identity()
    account.spent()

    outcomes = account.adapter.write(requests)

    assert {outcome.state for outcome in outcomes} == {State.CONFIRMED}
    names = [account.row("customer", outcome.record_id)["companyName"] for outcome in outcomes]
    assert names == [f"N{number}" for number in range(100)]
    assert account.spent().total() <= 5


def test_one_record_is_written_by_one_call(account: Account) -> None:
    account.adapter.identity()
    account.spent()

    account.adapter.write([customer("Alone")])

    assert account.spent().total() == 1


def test_a_refused_record_of_a_batch_is_told_by_its_own_reason(account: Account) -> None:
    good, bad, closed = account.invoice("IN-1"), account.invoice("IN-2", terms={"id": "77"}), account.invoice("IN-3")
    account.sandbox.faults.add(Rule(route="create invoice IN-3", kind="row", message="In a closed period."))

    outcomes = account.adapter.write([good, bad, closed])

    told = [(outcome.state, outcome.code) for outcome in outcomes]
    assert told[0] == (State.CONFIRMED, "")
    assert told[1:] == [(State.REFUSED, "unknown_reference"), (State.REFUSED, "closed_period")]
    assert "77" not in outcomes[1].message


def test_updates_go_in_a_batch_too_and_replace_their_lists(account: Account) -> None:
    account.customers(2)
    address = {"addressBookAddress": {"city": "Bonn"}, "defaultBilling": True}
    body = {"addressBook": {"items": [address]}}

    for _ in range(2):
        outcomes = account.adapter.write([request("customer", f"w{n}", body, record_id=str(n)) for n in (1, 2)])

    assert {outcome.state for outcome in outcomes} == {State.CONFIRMED}
    assert len(account.row("customer", "1")["addressBook"]) == 1


def test_a_batch_whose_answer_was_lost_is_found_by_its_key_and_not_sent_twice(account: Account) -> None:
    account.wire.strike(Rule(route="", kind="drop_after_commit"), lambda call: call.method == "PUT", times=1)

    outcomes = account.adapter.write([customer("One"), customer("Two")])

    assert [outcome.state for outcome in outcomes] == [State.CONFIRMED, State.CONFIRMED]
    assert account.sandbox.store.count("customer") == 3


def test_a_job_that_does_not_end_leaves_its_records_in_doubt(account: Account) -> None:
    account.sandbox.vendor.jobs.seconds = 10_000

    with pytest.raises(InDoubt):
        account.adapter.write([customer("One"), customer("Two")])


def test_a_create_that_is_sent_twice_is_one_record_with_its_lines_once(account: Account) -> None:
    assert account.posted() == account.posted()
    assert len(account.row("transaction", account.posted())["item"]) == 1


def test_external_ids_with_other_letters_are_told_apart_and_found(account: Account) -> None:
    account.adapter.write([customer("A/1"), customer("A_1"), customer("A 1")])

    found = account.adapter.find("customer", ["A/1", "A_1", "A 1", "B"])

    assert len({each.record_id for each in found.values()}) == len(found) == 3
    assert account.row("customer", found["A/1"].record_id)["externalId"] == "A_2F1"


def test_a_change_in_the_hour_that_comes_twice_is_not_missed(account: Account) -> None:
    account.clock.set(datetime(2026, 11, 1, 8, 59, tzinfo=UTC))  # 01:59 in Los Angeles, before the clock is put back
    account.customers(1, at="2026-11-01T08:59:00Z")
    _, cursor = account.read()
    account.clock.set(datetime(2026, 11, 1, 9, 30, tzinfo=UTC))  # 01:30 for the second time
    account.customers(1, at="2026-11-01T09:10:00Z", first=2)

    assert account.adapter.changed({"customer": cursor})
    assert "2" in account.read(cursor)[0]


def test_a_list_without_times_is_read_whole_and_again_only_when_it_changed(account: Account) -> None:
    shape = {"periodname": "VARCHAR", "closed": "VARCHAR", "startdate": "DATE"}
    (page,) = account.adapter.read("accountingPeriod", shape, None)
    unchanged = list(account.adapter.read("accountingPeriod", shape, page.cursor))
    account.sandbox.vendor.admin("period", {"name": "Nov 2026", "changes": {"closed": True}})
    (again,) = account.adapter.read("accountingPeriod", shape, page.cursor)

    assert unchanged == []
    assert len(again.record_ids) == 51
    assert sum(a != b for a, b in zip(page.versions, again.versions, strict=True)) == 1


def test_every_declared_field_is_one_that_the_account_has(account: Account) -> None:
    account.adapter.check_shapes(mappings.objects("netsuite"))


def test_declared_fields_that_the_account_does_not_have_are_all_named(account: Account) -> None:
    shapes = {"customer": {"companyname": "VARCHAR", "shoesize": "VARCHAR"}, "currency": {"colour": "VARCHAR"}}

    with pytest.raises(FixConfiguration, match=r"(?s)\[currency\].*colour.*\[customer\].*shoesize"):
        account.adapter.check_shapes(shapes)


def test_a_field_that_is_null_comes_as_null_whatever_the_other_fields_say(account: Account) -> None:
    tricky = 'He said "phone": and left'
    account.adapter.write([customer(tricky)])
    shape = {"companyname": "VARCHAR", "phone": "VARCHAR", "url": "VARCHAR"}

    (page,) = account.adapter.read("customer", shape, None)
    told = [msgspec.json.decode(payload) for payload in page.payloads]

    assert all(set(shape) <= set(row) for row in told)
    assert (told[-1]["companyname"], told[-1]["phone"], told[-1]["url"]) == (tricky, None, None)


def test_the_account_behind_the_credentials_is_told_and_a_refreshed_sandbox_is_another(account: Account) -> None:
    assert account.adapter.identity() == "1234567_SB1"
    account.sandbox.vendor.admin("account", {"id": "1234567_SB2"})
    assert account.adapter.identity() == "1234567_SB2"


def test_a_voided_invoice_is_paid_by_a_credit_memo_however_often_it_is_voided(account: Account) -> None:
    invoice = account.posted()

    outcomes = [account.adapter.write([voiding("invoice", invoice)])[0] for _ in range(2)]

    assert [outcome.state for outcome in outcomes] == [State.CONFIRMED, State.CONFIRMED]
    (memo,) = account.sandbox.store.find("transaction", "recordType", "creditMemo")
    assert (memo["externalId"], memo["total"], memo["status"]) == (f"VOID-{invoice}", "100.5", "B")
    assert account.row("transaction", invoice)["status"] == "B"


def test_an_invoice_that_was_paid_is_not_voided(account: Account) -> None:
    invoice = account.posted()
    payment = {"customer": {"id": "1"}, "payment": 50, "apply": {"items": [{"doc": {"id": invoice}}]}}
    account.adapter.write([request("customerPayment", "P1", payment)])

    (outcome,) = account.adapter.write([voiding("invoice", invoice)])

    assert (outcome.state, outcome.code) == (State.REFUSED, "cannot_undo")


def test_a_voided_order_is_closed_line_by_line_and_a_billed_one_is_not(account: Account) -> None:
    body = {"entity": {"id": "1"}, "tranDate": "2026-11-20", "item": {"items": LINES["items"] * 2}}
    outcomes = account.adapter.write([request("salesOrder", name, body) for name in ("D-1", "D-2")])
    first, billed = (str(outcome.record_id) for outcome in outcomes)
    account.sandbox.store.put("transaction", billed, {**account.row("transaction", billed), "status": "G"})

    done, blocked = account.adapter.write([voiding("salesOrder", first), voiding("salesOrder", billed)])

    assert (done.state, account.row("transaction", first)["status"]) == (State.CONFIRMED, "H")
    assert (blocked.state, blocked.code) == (State.REFUSED, "cannot_undo")


def test_a_credit_memo_is_not_voided_through_rest(account: Account) -> None:
    (outcome,) = account.adapter.write([voiding("creditMemo", "1")])

    assert outcome.code == "cannot_undo"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({**BY_CERTIFICATE, "private_key": "no key"}, "private_key"),
        ({**BY_CERTIFICATE, "certificate_id": "another"}, "invalid_grant"),
        ({**BY_CERTIFICATE, "client_id": "another"}, "invalid_client"),
        ({**BY_CERTIFICATE, "zone": "Mars/Olympus"}, "zone"),
        ({**BY_TOKEN, "token_secret": "another"}, "audit trail"),
        ({"zone": "UTC"}, "client_id"),
    ],
)
def test_wrong_credentials_are_told_with_what_to_check_and_without_secrets(
    account: Account, options: Mapping[str, str], named: str
) -> None:
    with pytest.raises(FixConfiguration, match=named) as caught:
        account.open(options).identity()

    assert not any(secret in str(caught.value) for secret in ("PRIVATE KEY", "another", "sandbox-token-secret"))


def test_calls_of_others_that_fill_the_account_put_ours_off(account: Account) -> None:
    account.sandbox.vendor.admin("concurrency", {"foreign": 5})

    with pytest.raises(RetryLater):
        account.adapter.count("customer")
