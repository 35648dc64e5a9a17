"""The adapter against the Chargebee stand-in, over the same wire without a socket and without waiting."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from math import ceil
from typing import Any

import pytest
import requests

from sync_pipelines.engine.port import Cursor, Operation, Request, State
from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.errors import FixConfiguration, RetryLater
from sync_pipelines.sandbox.chargebee import limited, seed
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.faults import FaultPlan, Rule
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.transport import InProcess
from sync_pipelines.systems.chargebee import Chargebee, open_system
from sync_pipelines.systems.chargebee.record import KINDS

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOW = int(START.timestamp())
LONG_AGO = NOW - 30 * 86_400


class Company:
    """A Chargebee site that others change too, and ways to open our adapter on it."""

    def __init__(self) -> None:
        self.clock = VirtualClock(START)
        self.faults = FaultPlan()
        self.sandbox = open_sandbox("chargebee", clock=self.clock, faults=self.faults)
        self.session = requests.Session()
        self.session.mount("http://cb.test", InProcess(self.sandbox))

    def open(self, *, key: str = "test_sandbox", concurrency: int = 1) -> Chargebee:
        settings = SystemSettings(
            name="chargebee",
            adapter="chargebee",
            url="http://cb.test",
            calls_per_second=1000,
            concurrency=concurrency,
            options={"api_key": key},
        )
        return open_system(settings, clock=self.clock, session=self.session)

    def seed(self, **rows: list[dict[str, Any]]) -> None:
        seed(self.sandbox.store, rows)

    def set_up(self, **settings: Any) -> None:
        self.sandbox.vendor.admin("settings", settings)

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        """Somebody else's write."""
        url = f"http://cb.test/api/v2/{path}"
        response = self.session.post(url, data=body, auth=("test_sandbox", ""))
        response.raise_for_status()
        answer: dict[str, Any] = response.json()
        return answer

    def held(self, kind: str, id: str) -> dict[str, Any]:
        document = self.sandbox.store.get(kind, id)
        assert document is not None
        return dict(document)

    def log(self) -> dict[str, int]:
        """Calls that arrived, by route, as the stand-in itself counts them."""
        return {route.replace("/api/v2", ""): count for route, count in self.sandbox.calls.items()}

    def cost(self, work: Callable[[], object]) -> dict[str, int]:
        """The calls that some work costs, by route, from the stand-in's own log."""
        before = self.log()
        work()
        return {route: n - before.get(route, 0) for route, n in self.log().items() if n > before.get(route, 0)}


class Copy:
    """What a reader holds after storing pages: payloads by id, and the cursor of the last page."""

    def __init__(self, cursor: Cursor | None = None) -> None:
        self.records: dict[str, dict[str, Any]] = {}
        self.versions: dict[str, str] = {}
        self.deleted: set[str] = set()
        self.cursor = cursor
        self.pages = 0

    def take(self, system: Chargebee, object: str, *, most: int | None = None) -> Copy:
        for page in system.read(object, {}, self.cursor):
            rows = zip(page.record_ids, page.versions, page.payloads, page.deleted, strict=True)
            for record_id, version, payload, deleted in rows:
                self.records[record_id] = json.loads(payload)
                self.versions[record_id] = version
                (self.deleted.add if deleted else self.deleted.discard)(record_id)
            self.cursor = json.loads(json.dumps(page.cursor))
            self.pages += 1
            if self.pages == most:
                break
        return self


@pytest.fixture
def company() -> Company:
    return Company()


@pytest.fixture
def chargebee(company: Company) -> Chargebee:
    return company.open()


def customers(count: int, *, at: int = LONG_AGO, apart: int = 1) -> list[dict[str, Any]]:
    return [{"id": f"C-{n:04}", "company": f"Customer {n}", "updated_at": at + n * apart} for n in range(count)]


def records(count: int) -> list[dict[str, Any]]:
    """Rows of any kind, of the same second by fifties; the youngest has the oldest date."""
    row = {"customer_id": "C-0000", "status": "active"}
    return [{"id": f"r-{n:04}", "updated_at": LONG_AGO + n // 50, "date": NOW - n // 50, **row} for n in range(count)]


def taken(company: Company, copies: dict[str, Copy] | None = None) -> dict[str, Copy]:
    """All objects read by a system that was just opened, on top of copies."""
    system, copies = company.open(), copies or {name: Copy() for name in KINDS}
    return {name: copy.take(system, name) for name, copy in copies.items()}


def invoice(id: str, *amounts: int, at: int = LONG_AGO) -> dict[str, Any]:
    lines = [{"id": f"li_{n:04}", "amount": amount} for n, amount in enumerate(amounts)]
    return {"id": id, "customer_id": "C-1", "status": "posted", "date": at, "updated_at": at, "line_items": lines}


def note(id: str, *, at: int, date: int) -> dict[str, Any]:
    return {"id": id, "customer_id": "C-1", "status": "adjusted", "date": date, "updated_at": at}


def request(object: str, body: Mapping[str, Any], *, external_id: str = "customer-1", **fields: Any) -> Request:
    given: dict[str, Any] = {
        "write_id": f"w-{external_id}",
        "operation": Operation.CREATE,
        "record_id": None,
        "idempotency_key": f"key-{external_id}",
        "correlation_id": "deal-7",
        **fields,
    }
    return Request(object=object, external_id=external_id, body=body, **given)


def update(object: str, record_id: str, body: Mapping[str, Any]) -> Request:
    key = f"key-{json.dumps(body)}"
    return request(
        object, body, external_id=record_id, record_id=record_id, operation=Operation.UPDATE, idempotency_key=key
    )


# Reading


def test_the_site_says_who_it_is(chargebee: Chargebee) -> None:
    assert chargebee.identity() == "meridian-test"


def test_a_first_read_sees_every_record_page_by_page_and_oldest_first(company: Company, chargebee: Chargebee) -> None:
    company.seed(customer=customers(250)[::-1])

    copy = Copy().take(chargebee, "customers")

    assert list(copy.records) == [f"C-{n:04}" for n in range(250)]
    assert copy.pages == 3
    assert company.log() == {"GET /customers": 3}


@pytest.mark.parametrize("name", KINDS)
def test_every_object_is_read_in_full_and_in_order(company: Company, chargebee: Chargebee, name: str) -> None:
    rows = records(150)
    rows.append({**rows[7], "id": "r-gone", "deleted": True, "status": "deleted"})
    company.seed(customer=customers(1))
    company.seed(**{KINDS[name].resource: rows})

    copy = Copy().take(chargebee, name)

    assert [record for record in copy.records if record.startswith("r-0")] == [f"r-{n:04}" for n in range(150)]
    assert copy.deleted == {"r-gone"}
    assert company.log() == {f"GET /{name}": 2}
    assert sorted(each for ids in chargebee.ids(name) for each in ids) == sorted(copy.records.keys() - {"r-gone"})


def test_a_full_read_costs_the_fewest_calls_that_pages_allow(company: Company, chargebee: Chargebee) -> None:
    sizes = {"customers": 730, "items": 40, "item_prices": 205, "subscriptions": 310, "invoices": 420}
    company.seed(customer=customers(1))
    for name, size in sizes.items():
        company.seed(**{KINDS[name].resource: records(size)})

    made = company.cost(lambda: [Copy().take(chargebee, name) for name in KINDS])

    least = sum(max(1, ceil(sizes.get(name, 0) / 100)) for name in KINDS)
    assert sum(made.values()) <= 1.05 * least


def test_later_reads_cost_one_poll_for_all_objects_while_nothing_changes(company: Company) -> None:
    company.seed(customer=customers(120), invoice=[invoice("INV-1", 100)])
    company.post("customers", id="C-new")
    copies = taken(company)
    company.clock.advance(3600)
    taken(company, copies)
    company.clock.advance(300)

    made = company.cost(lambda: taken(company, copies))

    assert made == {"GET /events": 1}
    assert company.open().changed({name: copy.cursor for name, copy in copies.items()}) == set()


def test_an_incremental_read_asks_only_the_lists_that_have_news(company: Company) -> None:
    company.seed(customer=customers(900, apart=60), invoice=[invoice(f"INV-{n}", n) for n in range(500)])
    copies = taken(company)
    company.clock.advance(3600)
    for n in range(60):
        company.post(f"customers/C-{n:04}", company=f"Renamed {n}")

    made = company.cost(lambda: taken(company, copies))

    assert copies["customers"].records["C-0059"]["company"] == "Renamed 59"
    assert made == {"GET /events": 1, "GET /customers": 1}


def test_a_busy_feed_is_not_walked_but_taken_as_news_for_all(company: Company) -> None:
    company.seed(customer=customers(900, apart=60))
    copies = taken(company)
    company.clock.advance(3600)
    for n in range(150):
        company.post(f"customers/C-{n:04}", company=f"Renamed {n}")

    made = company.cost(lambda: taken(company, copies))

    assert made == {"GET /events": 1, **{f"GET /{name}": 1 for name in KINDS}, "GET /customers": 2}
    assert copies["customers"].records["C-0149"]["company"] == "Renamed 149"


def test_a_change_that_no_event_tells_of_is_read_within_a_day(company: Company) -> None:
    company.seed(customer=customers(3))
    copy = Copy().take(company.open(), "customers")
    company.seed(customer=[{"id": "C-0001", "company": "Quiet", "updated_at": NOW + 60}])
    company.clock.advance(3600)
    copy.take(company.open(), "customers")
    company.clock.advance(86_400)

    copy.take(company.open(), "customers")

    assert copy.records["C-0001"]["company"] == "Quiet"


def test_a_first_read_that_was_interrupted_goes_on_where_it_stopped(company: Company) -> None:
    company.seed(customer=customers(1000, apart=60))
    copy = Copy().take(company.open(), "customers", most=6)

    made = company.cost(lambda: copy.take(company.open(), "customers"))

    assert len(copy.records) == 1000
    assert made == {"GET /customers": 5}


def test_a_change_during_a_read_is_in_the_next(company: Company, chargebee: Chargebee) -> None:
    company.seed(customer=customers(150))
    copy, pages = Copy(), chargebee.read("customers", {}, None)
    next(pages)
    company.post("customers/C-0003", company="Changed behind the reader")
    copy.cursor = list(pages)[-1].cursor

    copy.take(company.open(), "customers")

    assert copy.records["C-0003"]["company"] == "Changed behind the reader"


def test_a_credit_note_changed_while_others_were_read_is_in_the_next_read(company: Company) -> None:
    """Credit notes come by date, so one that was passed may change before a later change of another is seen."""
    company.seed(credit_note=[note(f"CN-{n:03}", at=LONG_AGO, date=LONG_AGO + n) for n in range(150)])
    company.seed(credit_note=[note("CN-149", at=NOW + 1200, date=LONG_AGO + 149)])
    copy = Copy().take(company.open(), "credit_notes")
    company.seed(credit_note=[note("CN-000", at=NOW + 5, date=LONG_AGO)])
    company.clock.advance(86_401)

    copy.take(company.open(), "credit_notes")

    assert copy.records["CN-000"]["updated_at"] == NOW + 5


def test_a_deleted_record_comes_as_deleted_and_is_never_fetched(company: Company) -> None:
    company.post("item_families", id="core", name="Core")
    company.post("items", id="seat", name="Seat", type="plan", item_family_id="core")
    company.post("customers", id="C-1", company="Acme")
    copies = {name: Copy().take(company.open(), name) for name in ("customers", "items")}
    company.clock.advance(3600)
    company.post("customers/C-1/delete")
    company.post("items/seat/delete")

    system = company.open()
    for name, copy in copies.items():
        copy.take(system, name)

    assert (copies["customers"].deleted, copies["items"].deleted) == ({"C-1"}, {"seat"})
    assert system.fetch("items", {}, ["seat"]) == system.fetch("customers", {}, ["C-1"]) == {}
    assert [list(ids) for ids in system.ids("items")] == [[]]


@pytest.mark.parametrize("name", ["invoices", "credit_notes"])
def test_the_lines_of_a_long_document_are_all_in_its_record(company: Company, name: str) -> None:
    company.set_up(lines_embedded=100)
    long, short = invoice("INV-long", *range(250)), invoice("INV-short", 1, 2)
    company.seed(**{KINDS[name].resource: [long, short]})
    system = company.open()

    copy = Copy().take(system, name)

    assert [line["amount"] for line in copy.records["INV-long"]["line_items"]] == list(range(250))
    assert "line_items_next_offset" not in copy.records["INV-long"]
    assert company.log() == {f"GET /{name}": 1, f"GET /{name}/<id>": 2}
    fetched = system.fetch(name, {}, ["INV-long"])["INV-long"]
    assert json.loads(fetched.payload) == copy.records["INV-long"]
    assert fetched.version == copy.versions["INV-long"]


def test_many_records_are_fetched_fifty_a_call(company: Company, chargebee: Chargebee) -> None:
    company.seed(customer=customers(130))
    wanted = [f"C-{n:04}" for n in range(120)] + ["C-9999", 'odd "id", ü']

    found = chargebee.fetch("customers", {}, wanted)

    assert len(found) == 120
    assert company.log() == {"GET /customers": 3}


def test_nothing_is_counted(chargebee: Chargebee) -> None:
    assert chargebee.count("customers") is None


# Writing


def test_a_create_has_its_external_id_as_id_and_says_where_it_came_from(company: Company, chargebee: Chargebee) -> None:
    body = {
        "company": "Ünïcode 🏢 GmbH",
        "billing_address": {"line1": "Am Hof 1", "country": "DE"},
        "meta_data": {"customer_number": "C-7", "website": ""},
    }

    (outcome,) = chargebee.write([request("customers", body)])

    held = company.held("customer", "customer-1")
    assert (outcome.state, outcome.record_id) == (State.CONFIRMED, "customer-1")
    assert (held["company"], held["billing_address"]["line1"]) == ("Ünïcode 🏢 GmbH", "Am Hof 1")
    assert held["meta_data"] == {"customer_number": "C-7", "correlation_id": "deal-7"}
    assert chargebee.find("customers", ["customer-1", "customer-2"]).keys() == {"customer-1"}


def test_an_update_changes_only_what_it_says_in_as_few_calls_as_that_takes(company: Company) -> None:
    company.post(
        "customers", id="C-1", company="Acme", phone="1", vat_number="DE1", **{"billing_address[city]": "Bonn"}
    )
    chargebee = company.open()

    plain = company.cost(lambda: chargebee.write([update("customers", "C-1", {"company": "Acme AG", "phone": ""})]))
    billing = company.cost(lambda: chargebee.write([update("customers", "C-1", {"billing_address": {"zip": "1"}})]))
    both = company.cost(lambda: chargebee.write([update("customers", "C-1", {"email": "a@b.c", "vat_number": "DE2"})]))

    held = company.held("customer", "C-1")
    assert (held["company"], "phone" in held, held["email"], held["vat_number"]) == ("Acme AG", False, "a@b.c", "DE2")
    assert (held["billing_address"]["city"], held["billing_address"]["zip"]) == ("Bonn", "1")
    assert plain == {"POST /customers/<id>": 1}
    assert billing == {"POST /customers/<id>/update_billing_info": 1}
    assert both == {"POST /customers/<id>": 1, "POST /customers/<id>/update_billing_info": 1}


def test_a_subscription_is_ended_moved_and_kept(company: Company, chargebee: Chargebee) -> None:
    company.seed(customer=customers(1))
    start = {"start_date": LONG_AGO, "current_term_end": NOW + 86_400, "updated_at": LONG_AGO}
    company.seed(subscription=[{"id": "S-1", "customer_id": "C-0000", "status": "active", **start}])
    ends = NOW + 30 * 86_400

    first = chargebee.write(
        [update("subscriptions", "S-1", {"cancelled_at": ends, "meta_data": {"contract_number": "K"}})]
    )
    moved = chargebee.write([update("subscriptions", "S-1", {"cancelled_at": ends + 86_400})])
    scheduled = company.held("subscription", "S-1")
    kept = chargebee.write([update("subscriptions", "S-1", {"cancelled_at": ""})])

    assert {outcome.state for outcome in (*first, *moved, *kept)} == {State.CONFIRMED}
    assert (scheduled["status"], scheduled["cancelled_at"]) == ("non_renewing", ends + 86_400)
    assert scheduled["meta_data"] == {"contract_number": "K"}
    held = company.held("subscription", "S-1")
    assert (held["status"], "cancelled_at" in held) == ("active", False)


def test_what_cannot_be_changed_of_a_subscription_is_refused_by_name(company: Company, chargebee: Chargebee) -> None:
    company.seed(customer=customers(1))
    row = {"id": "S-1", "customer_id": "C-0000", "status": "active", "start_date": NOW, "updated_at": NOW}
    company.seed(subscription=[row])

    (outcome,) = chargebee.write([update("subscriptions", "S-1", {"customer_id": "C-2"})])
    (other,) = chargebee.write([update("subscriptions", "S-1", {"start_date": NOW - 1})])

    assert (outcome.state, outcome.code) == (State.REFUSED, "param_wrong_value")
    assert "customer_id" in outcome.message
    assert (other.state, other.code) == (State.REFUSED, "invalid_state_for_request")


def test_a_write_whose_reply_was_lost_is_sent_again_under_its_key_and_happens_once(
    company: Company, chargebee: Chargebee
) -> None:
    company.faults.add(Rule(route="POST .*/customers", kind="drop_after_commit", nth=1))

    (outcome,) = chargebee.write([request("customers", {"company": "Acme"})])

    assert outcome.state is State.CONFIRMED
    assert company.log() == {"POST /customers": 2}
    assert company.sandbox.store.writes == 1


def test_a_write_whose_replies_are_all_lost_is_in_doubt_and_found_by_its_id(
    company: Company, chargebee: Chargebee
) -> None:
    company.faults.add(Rule(route="POST .*/customers", kind="drop_after_commit"))

    (outcome,) = chargebee.write([request("customers", {"company": "Acme"})])

    assert outcome.state is State.IN_DOUBT
    assert chargebee.find("customers", ["customer-1"])["customer-1"].record_id == "customer-1"


def test_an_update_of_which_a_part_was_not_sent_is_in_doubt_and_not_called_untouched(company: Company) -> None:
    company.post("customers", id="C-1", company="Acme")
    company.faults.add(limited("POST .*/update_billing_info", wait=3600))

    (outcome,) = company.open().write([update("customers", "C-1", {"company": "Acme AG", "vat_number": "DE1"})])

    assert (outcome.state, "a part is stored" in outcome.message) == (State.IN_DOUBT, True)


def test_a_second_create_under_an_id_is_refused_once_its_key_is_forgotten(company: Company) -> None:
    chargebee = company.open()
    first = chargebee.write([request("customers", {"company": "Acme"})])
    again = chargebee.write([request("customers", {"company": "Acme"})])
    company.clock.advance(2 * 86_400)
    late = chargebee.write([request("customers", {"company": "Acme"})])

    assert [outcome.state for outcome in (*first, *again, *late)] == [State.CONFIRMED, State.CONFIRMED, State.REFUSED]
    assert late[0].code == "duplicate_entry"
    assert company.sandbox.store.count("customer") == 1


def test_a_throttle_passes_and_one_that_stays_says_later(company: Company, chargebee: Chargebee) -> None:
    company.faults.add(limited("POST .*/customers", wait=7, times=1))
    (outcome,) = chargebee.write([request("customers", {"company": "Acme"})])
    company.faults.add(limited("POST .*/customers"))

    with pytest.raises(RetryLater) as later:
        chargebee.write([request("customers", {"company": "Other"}, external_id="customer-2")])

    assert outcome.state is State.CONFIRMED
    assert company.clock.now().timestamp() >= NOW + 7
    assert later.value.after == 41
    assert company.sandbox.store.count("customer") == 1


def test_a_site_that_is_read_only_says_later(company: Company, chargebee: Chargebee) -> None:
    company.set_up(is_read_only=True)

    with pytest.raises(RetryLater, match="site_read_only_mode"):
        chargebee.write([request("customers", {"company": "Acme"})])


def test_one_refusal_does_not_hide_what_became_of_the_others(company: Company) -> None:
    wanted = [request("customers", {"company": f"C{n}"}, external_id=f"customer-{n}") for n in range(5)]
    wanted[2] = request("customers", {"company": "x" * 251}, external_id="customer-2")

    outcomes = company.open(concurrency=3).write(wanted)

    assert [outcome.write_id for outcome in outcomes] == [each.write_id for each in wanted]
    assert [outcome.state is State.CONFIRMED for outcome in outcomes] == [True, True, False, True, True]
    assert (outcomes[2].code, "xxx" in outcomes[2].message) == ("param_wrong_value", False)
    assert "company" in outcomes[2].message


def test_a_key_that_was_used_for_other_content_is_refused(chargebee: Chargebee) -> None:
    chargebee.write([request("customers", {"company": "Acme"})])

    (outcome,) = chargebee.write([request("customers", {"company": "Other"})])

    assert (outcome.state, outcome.code) == (State.REFUSED, "idempotency_key_reused")


@pytest.mark.parametrize("key", ["unknown", "reader"])
def test_a_key_without_the_right_is_a_configuration_to_fix(company: Company, key: str) -> None:
    company.set_up(read_only_keys=["reader"])

    with pytest.raises(FixConfiguration, match="key"):
        company.open(key=key).write([request("customers", {"company": "Acme"})])


@pytest.mark.parametrize(
    ("object", "operation"),
    [("customers", Operation.VOID), ("item_prices", Operation.REPLACE), ("invoices", Operation.CREATE)],
)
def test_what_chargebee_cannot_do_is_a_mapping_to_mend(
    company: Company, chargebee: Chargebee, object: str, operation: Operation
) -> None:
    wanted = request(object, {"name": "x"}, operation=operation, record_id="r")

    with pytest.raises(FixConfiguration, match="mappings/chargebee"):
        chargebee.write([wanted])
    assert company.log() == {}


def test_credentials_do_not_show(company: Company) -> None:
    assert "secret" not in repr(company.open(key="secret")._wire._auth)
