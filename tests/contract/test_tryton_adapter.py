"""The Tryton adapter against the stand-in, where time, faults and slow transactions are the test's to decide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import requests

from sync_pipelines import mappings
from sync_pipelines.engine.port import Cursor, Operation, Request, State
from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.errors import FixConfiguration, InDoubt, RetryLater, SetAside
from sync_pipelines.sandbox.app import Sandbox
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.faults import FaultPlan, Rule
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.store import Store
from sync_pipelines.sandbox.transport import InProcess
from sync_pipelines.sandbox.tryton import seed
from sync_pipelines.systems.tryton import Tryton, open_system

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SITE = "http://erp.test"
NAME = {"name": "VARCHAR"}
PARTY = {
    "name": "Acme",
    "tax_id": "US12",
    "email": "ap@acme.example",
    "phone": "",
    "website": "",
    "street": "Main 1",
    "city": "Troy",
    "postal_code": "1",
    "country": "US",
    "active": True,
}
PRODUCT = {"code": "SKU-1", "name": "Seat", "description": "One user", "list_price": "30.50", "active": True}
DOCUMENT = {"party_code": "C-1", "date": "2026-02-03", "currency": "USD"}
LINES = [{"product_code": "SKU-1", "quantity": 2, "unit_price": "30.50"}]


class Erp:
    """A stand-in, the adapter on it, and what a test does behind the adapter's back."""

    def __init__(self) -> None:
        self.clock = VirtualClock(NOW - timedelta(days=1))
        self.store = Store(None)
        self.faults = FaultPlan()
        self.sandbox: Sandbox = open_sandbox("tryton", self.store, clock=self.clock, faults=self.faults)
        seed(self.store, {"parties": [{**PARTY, "code": "C-1"}], "products": [PRODUCT]}, at=NOW - timedelta(days=9))
        self.clock.set(NOW)
        self.adapter = self.open()

    def open(self, *, password: str = "admin-sandbox", database: str = "erp", **said: str) -> Tryton:
        session = requests.Session()
        session.mount(SITE, InProcess(self.sandbox))
        options = {"user": "admin", "password": password, **said}
        settings = SystemSettings("tryton", "tryton", f"{SITE}/{database}", calls_per_second=1000, options=options)
        return open_system(settings, clock=self.clock, session=session)

    def parties(self, count: int, *, stem: str = "P") -> list[str]:
        """Parties that were made in transactions of fifty, so that many share an instant."""
        outcomes = []
        for start in range(0, count, 50):
            batch = [create(f"{stem}-{number}") for number in range(start, min(start + 50, count))]
            outcomes += self.adapter.write(batch)
        return [outcome.record_id or "" for outcome in outcomes]

    def read(self, cursor: Cursor | None = None, object: str = "party.party") -> tuple[dict[str, Any], Cursor | None]:
        """Records by id, and the last cursor."""
        seen: dict[str, Any] = {}
        for page in self.adapter.read(object, NAME if object == "party.party" else {}, cursor):
            seen |= zip(page.record_ids, map(msgspec.json.decode, page.payloads), strict=True)
            cursor = page.cursor
        return seen, cursor

    def change(self, object: str, record_id: str, **values: Any) -> None:
        """Somebody else is at work."""
        self.open().write([update(object, record_id, values)])

    def save_late(self, *values: Mapping[str, Any], seconds: float) -> list[str]:
        given = {"object": "party.party", "values": list(values), "seconds": seconds}
        return [str(record_id) for record_id in self.sandbox.vendor.admin("save_late", given)["ids"]]

    def fault(self, method: str, kind: str, **more: Any) -> None:
        self.faults.add(Rule(route=method, kind=kind, **more))

    def rows(self, object: str) -> list[Mapping[str, Any]]:
        return self.store.all(object)

    def id(self, object: str, field: str, value: str) -> int:
        (row,) = self.store.find(object, field, value)
        return int(row["id"])

    def invoice(self, number: str, day: str = "2026-06-07", **values: Any) -> Request:
        line = {
            "company": 1,
            "currency": 1,
            "product": 1,
            "quantity": "2",
            "unit": 1,
            "unit_price": "30.50",
            "account": self.id("account.account", "code", "4.2.2"),
        }
        party = self.id("party.party", "code", "C-1")
        body = {
            "type": "out",
            "number": number,
            "reference": number,
            "company": 1,
            "party": party,
            "invoice_address": self.id("party.address", "city", "Troy"),
            "currency": 1,
            "invoice_date": day,
            "journal": 1,
            "account": self.id("account.account", "code", "1.2.1"),
            "payment_term": self.id("account.invoice.payment_term", "name", "Net 30 days"),
            "lines": [["create", [line]]],
            **values,
        }
        return Request(number, "account.invoice", Operation.CREATE, None, number, body, then=("post",))


@pytest.fixture
def erp() -> Erp:
    return Erp()


def create(code: str, **values: Any) -> Request:
    return Request(code, "party.party", Operation.CREATE, None, code, {"code": code, "name": code, **values})


def update(object: str, record_id: str, values: Mapping[str, Any]) -> Request:
    return Request("w", object, Operation.UPDATE, record_id, "link", values)


def test_a_full_read_sees_every_record_once_over_ties_at_page_edges(erp):
    ids = erp.parties(2040)

    pages = list(erp.adapter.read("party.party", NAME, None))

    assert [len(page.record_ids) for page in pages] == [1000, 1000, 43]
    assert [record for page in pages for record in page.record_ids][3:] == ids
    assert erp.adapter.count("party.party") == 2043
    assert {record for page in erp.adapter.ids("party.party") for record in page} >= set(ids)


def test_reading_on_from_any_pages_cursor_misses_nothing(erp):
    ids = erp.parties(1100)
    erp.clock.advance(3600)
    erp.parties(1000, stem="Q")
    pages = list(erp.adapter.read("party.party", NAME, None))

    for number, page in enumerate(pages):
        already = {record for earlier in pages[: number + 1] for record in earlier.record_ids}
        assert already | set(erp.read(page.cursor)[0]) == already | set(erp.read()[0])
    assert set(ids) <= set(erp.read()[0])


def test_a_second_read_brings_what_changed_and_the_overlap_alone(erp):
    old = erp.parties(3)
    erp.clock.advance(3600)
    recent = erp.parties(1, stem="R")
    _, cursor = erp.read()
    quiet = not erp.adapter.changed({"party.party": cursor})

    erp.change("party.party", old[1], name="Acme AG")

    assert quiet
    assert erp.adapter.changed({"party.party": cursor})
    seen, _ = erp.read(cursor)
    assert seen.keys() == {old[1], *recent}
    assert seen[old[1]]["name"] == "Acme AG"


def test_one_call_tells_what_changed_where_there_is_our_module_as_one_an_object_does_without(erp):
    one_by_one, at_once, shapes = erp.adapter, erp.open(module="true"), mappings.objects("tryton")
    erp.parties(2)
    cursors = {name: erp.read(object=name)[1] for name in shapes}
    quiet = [each.changed(cursors) for each in (one_by_one, at_once)]
    erp.clock.advance(1)

    erp.change("party.address", str(erp.id("party.address", "city", "Troy")), city="Utica")
    erp.parties(1, stem="N")

    assert quiet == [{name for name in shapes if cursors[name] is None and erp.rows(name)}] * 2
    assert one_by_one.changed(cursors) == at_once.changed(cursors) == {"party.address", "party.party"} | quiet[0]
    assert at_once.calls.by_route == {
        "model.res.user.search_read": 1,
        "model.sync_pipelines.look.changed": 2,
    }
    assert "model.sync_pipelines.look.changed" not in one_by_one.calls.by_route
    assert (one_by_one.passport.looks_at, at_once.passport.looks_at) == (1, len(shapes))


def test_a_database_that_has_not_activated_our_module_says_how_to_before_the_first_run(erp):
    erp.sandbox.vendor.admin("module", {"activated": False})
    asking = erp.open(module="true")

    for look in (asking.changed, asking.check_shapes):
        with pytest.raises(FixConfiguration, match="trytond-admin -d DATABASE -u sync_pipelines"):
            look({"party.party": None})
    erp.adapter.check_shapes(mappings.objects("tryton"))
    assert erp.adapter.changed({"party.party": None}) == {"party.party"}


def test_a_slow_transaction_that_commits_behind_the_cursor_is_read_from_the_overlap(erp):
    late = erp.save_late(*({"name": "slow", "code": f"S-{number}"} for number in range(300)), seconds=60)
    erp.clock.advance(30)
    fast = erp.parties(1)
    seen, cursor = erp.read()
    erp.clock.advance(60)

    again, _ = erp.read(cursor)

    assert not set(late) & seen.keys()
    assert set(late) <= again.keys()
    assert {again[record]["last_modified_at"]["second"] for record in late} == {0}
    assert seen[fast[0]]["last_modified_at"]["second"] == 30


def test_a_slow_change_shows_its_old_values_until_it_is_committed(erp):
    (party,) = erp.parties(1)
    erp.save_late({"id": int(party), "name": "changed"}, seconds=60)

    before = erp.read()[0][party]["name"]
    erp.clock.advance(61)

    assert (before, erp.read()[0][party]["name"]) == ("P-0", "changed")


def test_a_deleted_record_is_missing_from_the_sweep_and_an_archived_one_is_not(erp):
    gone, archived = erp.parties(2)
    erp.change("party.party", archived, active=False)
    erp.adapter._server.tell("party.party", "delete", [int(gone)])

    swept = {record for page in erp.adapter.ids("party.party") for record in page}

    assert archived in swept
    assert gone not in swept
    assert erp.adapter.count("party.party") == len(swept)
    assert erp.adapter.fetch("party.party", NAME, [gone, archived]).keys() == {archived}


def test_every_mapped_object_can_be_read_with_the_fields_that_are_declared(erp):
    erp.adapter.write([erp.invoice("IN-1")])

    for name, shape in mappings.objects("tryton").items():
        pages = list(erp.adapter.read(name, shape, None))
        read = [record for page in pages for record in page.record_ids]
        assert len(read) == erp.adapter.count(name), name
        for payload in pages[0].payloads if pages else ():
            assert set(shape) <= msgspec.json.decode(payload).keys(), name


def test_a_batch_with_one_bad_record_is_refused_whole(erp):
    before = len(erp.rows("party.party"))
    bad = create("P-2", addresses=[["create", [{"country": 999}]]])

    with pytest.raises(SetAside) as refused:
        erp.adapter.write([create("P-1"), bad, create("P-3")])

    assert refused.value.code == "unknown_reference"
    assert len(erp.rows("party.party")) == before


def test_an_invoice_of_a_closed_period_is_refused_and_nothing_of_it_stays(erp):
    requests = [erp.invoice("IN-1"), erp.invoice("IN-2", "2026-01-05"), erp.invoice("IN-3")]

    outcomes = {outcome.write_id: outcome for outcome in erp.adapter.write(requests)}

    assert {key: str(outcome.state) for key, outcome in outcomes.items()} == {
        "IN-1": "confirmed",
        "IN-2": "refused",
        "IN-3": "confirmed",
    }
    assert (outcomes["IN-2"].code, '"2026-01"' in outcomes["IN-2"].message) == ("closed_period", True)
    assert [(row["number"], row["state"]) for row in erp.rows("account.invoice")] == [
        ("IN-1", "posted"),
        ("IN-3", "posted"),
    ]
    assert len(erp.rows("account.invoice.line")) == 2


def test_a_write_whose_answer_was_lost_is_in_doubt_and_can_be_found(erp):
    erp.adapter.identity()
    erp.fault("POST /erp/rpc/", "drop_after_commit", nth=2)

    with pytest.raises(InDoubt):
        erp.adapter.write([create("P-1")])

    found = erp.adapter.find("party.party", ["P-1", "P-2"])
    assert found.keys() == {"P-1"}
    assert erp.adapter.write([create("P-1")])[0].record_id == found["P-1"].record_id
    assert len(erp.store.find("party.party", "code", "P-1")) == 1


def test_a_write_that_never_arrived_is_in_doubt_and_is_not_found(erp):
    erp.adapter.identity()
    erp.fault("POST /erp/rpc/", "drop_before_commit", nth=2)

    with pytest.raises(InDoubt):
        erp.adapter.write([create("P-1")])

    assert erp.adapter.find("party.party", ["P-1"]) == {}


def test_a_posting_whose_answer_was_lost_is_finished_by_writing_it_again(erp):
    erp.adapter.write([erp.invoice("IN-0")])
    erp.fault("POST /erp/rpc/", "drop_after_commit", nth=4)

    with pytest.raises(InDoubt):
        erp.adapter.write([erp.invoice("IN-1")])
    (again,) = erp.adapter.write([erp.invoice("IN-1")])

    assert again.state is State.CONFIRMED
    assert [row["state"] for row in erp.store.find("account.invoice", "number", "IN-1")] == ["posted"]


def test_a_write_is_refused_when_somebody_else_was_faster(erp):
    (party,) = erp.parties(1)
    planned = erp.read()[0][party]["_timestamp"]
    erp.change("party.party", party, name="Faster")
    lock = {"_timestamp": {f"party.party,{party}": planned}}

    with pytest.raises(SetAside) as refused:
        erp.adapter.write([update("party.party", party, {"name": "Slower", **lock})])

    assert refused.value.code == "drifted"
    assert erp.read()[0][party]["name"] == "Faster"


def test_a_record_of_somebody_else_with_our_key_is_never_taken_for_ours(erp):
    erp.store.put("party.party", "99", {**erp.rows("party.party")[0], "id": 99, "code": "P-9", "create_uid": 7})

    (outcome,) = erp.adapter.write([create("P-9")])

    assert (outcome.state, outcome.code, outcome.record_id) == (State.REFUSED, "exists", "99")
    assert erp.adapter.find("party.party", ["P-9"]) == {}


def test_a_session_that_has_ended_is_renewed_once(erp):
    erp.parties(1)
    erp.sandbox.vendor.expire_tokens()

    assert erp.adapter.count("party.party") == 4


def test_a_session_that_was_idle_logs_in_again_before_it_posts(erp):
    erp.adapter.write([erp.invoice("IN-1")])
    erp.clock.advance(3600)

    (outcome,) = erp.adapter.write([erp.invoice("IN-2")])

    assert outcome.state is State.CONFIRMED


def test_wrong_credentials_and_a_wrong_database_say_what_to_mend(erp):
    with pytest.raises(FixConfiguration, match=r"user and password of \[systems.tryton\]"):
        erp.open(password="wrong").identity()
    with pytest.raises(FixConfiguration, match="no such database"):
        erp.open(database="elsewhere").identity()


def test_an_unknown_object_or_field_names_the_mapping_to_mend(erp):
    for name, shape in (("party.party", {"colour": "VARCHAR"}), ("party.planet", NAME)):
        with pytest.raises(FixConfiguration, match="mend mappings/tryton"):
            list(erp.adapter.read(name, shape, None))


def test_a_server_that_is_down_for_maintenance_is_asked_again_later(erp):
    erp.adapter.identity()
    erp.fault("POST /erp/rpc/", "html", status=503)

    with pytest.raises(RetryLater):
        erp.adapter.count("party.party")


def test_the_identity_is_that_of_the_database_and_its_company(erp):
    assert erp.adapter.identity() == erp.open().identity()
    assert erp.adapter.identity().startswith("erp/US01@2026")


def void(object: str, record_id: str | None, *, number: str) -> Request:
    return Request(f"void {number}", object, Operation.VOID, record_id, number, {}, then=("void",))


def test_a_posted_invoice_is_voided_by_the_credit_note_that_balances_it(erp):
    (made,) = erp.adapter.write([erp.invoice("IN-1", "2026-06-07")])

    (outcome,) = erp.adapter.write([void("account.invoice", made.record_id, number="IN-1")])

    original, credit = erp.rows("account.invoice")
    assert (str(outcome.state), outcome.record_id) == ("confirmed", made.record_id)
    assert (original["state"], credit["state"]) == ("cancelled", "paid")
    assert original["cancel_move"] == credit["move"] is not None
    assert (original["total_amount_cache"], credit["total_amount_cache"]) == ("61.00", "-61.00")
    assert erp.clock.now().date().isoformat() == credit["invoice_date"]


def test_a_tax_that_was_entered_by_hand_is_credited_as_it_was_entered(erp):
    (vat,) = erp.store.find("account.tax", "name", "VAT 20%")
    by_hand = {"manual": True, "description": "VAT", "account": vat["invoice_account"], "tax": vat["id"]}
    taxed = erp.invoice("IN-1", taxes=[["create", [{**by_hand, "base": "61.00", "amount": "12.19"}]]])
    (made,) = erp.adapter.write([replace(taxed, then=("post_taxed",))])

    (outcome,) = erp.adapter.write([void("account.invoice", made.record_id, number="IN-1")])

    assert str(outcome.state) == "confirmed"
    assert [row["total_amount_cache"] for row in erp.rows("account.invoice")] == ["73.19", "-73.19"]


def test_a_void_that_is_sent_twice_credits_once(erp):
    (made,) = erp.adapter.write([erp.invoice("IN-1")])
    request = void("account.invoice", made.record_id, number="IN-1")

    outcomes = [*erp.adapter.write([request]), *erp.adapter.write([request])]

    assert [str(outcome.state) for outcome in outcomes] == ["confirmed", "confirmed"]
    assert len(erp.rows("account.invoice")) == 2


def test_a_void_whose_answer_was_lost_is_in_doubt_and_sending_it_again_credits_once(erp):
    (made,) = erp.adapter.write([erp.invoice("IN-1")])
    request = void("account.invoice", made.record_id, number="IN-1")
    erp.fault("POST /erp/rpc/", "drop_after_commit", nth=3)

    with pytest.raises(InDoubt):
        erp.adapter.write([request])
    (outcome,) = erp.adapter.write([request])

    assert str(outcome.state) == "confirmed"
    assert len(erp.rows("account.invoice")) == 2


def test_a_draft_is_cancelled_and_nothing_is_posted(erp):
    draft = replace(erp.invoice("IN-1"), then=())
    (made,) = erp.adapter.write([draft])

    (outcome,) = erp.adapter.write([void("account.invoice", made.record_id, number="IN-1")])

    (row,) = erp.rows("account.invoice")
    assert (str(outcome.state), row["state"], row["move"]) == ("confirmed", "cancelled", None)


def test_what_can_not_be_undone_says_what_blocks_it_and_the_rest_is_voided(erp):
    made = [outcome.record_id for outcome in erp.adapter.write([erp.invoice("IN-1"), erp.invoice("IN-2")])]
    erp.sandbox.vendor.database.change("account.invoice", int(made[0] or 0), {"state": "paid"})

    paid, posted = erp.adapter.write([void("account.invoice", each, number=str(each)) for each in made])

    assert (str(paid.state), paid.code, paid.record_id) == ("refused", "cannot_undo", made[0])
    assert paid.message == "can't be undone in Tryton: it is paid: the payment has to be taken back or refunded"
    assert str(posted.state) == "confirmed"


@pytest.mark.parametrize(
    ("buttons", "state", "code"),
    [
        ((), "cancelled", ""),
        (("quote",), "cancelled", ""),
        (("quote", "confirm"), "cancelled", ""),
        (("quote", "confirm", "process"), "processing", "cannot_undo"),
    ],
)
def test_a_sale_is_cancelled_until_it_is_processed(erp, buttons, state, code):
    address = erp.id("party.address", "city", "Troy")
    line = {"product": 1, "quantity": "2", "unit": 1, "unit_price": "30.50"}
    body = {"reference": "SO-1", "company": 1, "party": erp.id("party.party", "code", "C-1"), "currency": 1}
    body |= {"invoice_address": address, "shipment_address": address, "lines": [["create", [line]]]}
    body |= {"invoice_method": "manual", "shipment_method": "manual", "sale_date": "2026-06-07"}
    (made,) = erp.adapter.write([Request("SO-1", "sale.sale", Operation.CREATE, None, "SO-1", body, then=buttons)])

    (outcome,) = erp.adapter.write([void("sale.sale", made.record_id, number="SO-1")])

    (row,) = erp.rows("sale.sale")
    assert (row["state"], outcome.code) == (state, code)
