"""The adapter against the Stripe stand-in, over the same wire without a socket and without waiting."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from sync_pipelines import mappings
from sync_pipelines.engine.port import Cursor, Operation, Request, State
from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.errors import FixConfiguration, RetryLater
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.faults import FaultPlan, Rule
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.stripe import limited, locked, seed
from sync_pipelines.sandbox.transport import InProcess
from sync_pipelines.systems.form import form
from sync_pipelines.systems.stripe import LISTS, Stripe, open_system

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOW = int(START.timestamp())
SHAPES = mappings.objects("stripe")


class Company:
    """A Stripe account that others change too, and ways to open our adapter on it."""

    def __init__(self) -> None:
        self.clock = VirtualClock(START)
        self.faults = FaultPlan()
        self.sandbox = open_sandbox("stripe", clock=self.clock, faults=self.faults)
        self.session = requests.Session()
        self.session.mount("http://stripe.test", InProcess(self.sandbox))

    def open(self, *, key: str = "sk_test_sandbox", concurrency: int = 1) -> Stripe:
        settings = SystemSettings(
            name="stripe",
            adapter="stripe",
            url="http://stripe.test",
            calls_per_second=1000,
            concurrency=concurrency,
            options={"api_key": key},
        )
        return open_system(settings, clock=self.clock, session=self.session)

    def seed(self, **rows: list[dict[str, Any]]) -> None:
        seed(self.sandbox.store, rows)

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        """Somebody else's write."""
        return self._other("POST", path, data=list(form(body)))

    def delete(self, path: str) -> dict[str, Any]:
        return self._other("DELETE", path)

    def held(self, path: str) -> dict[str, Any]:
        return self._other("GET", path)

    def all(self, kind: str) -> list[dict[str, Any]]:
        return [dict(document) for document in self.sandbox.store.all(kind)]

    def _other(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        headers = {"Authorization": "Bearer sk_test_sandbox"}
        response = self.session.request(method, f"http://stripe.test/v1/{path}", headers=headers, **options)
        response.raise_for_status()
        answer: dict[str, Any] = response.json()
        return answer


class Copy:
    """What a reader holds after storing pages: payloads by id, and the cursor of the last page."""

    def __init__(self, cursor: Cursor | None = None) -> None:
        self.records: dict[str, dict[str, Any]] = {}
        self.versions: dict[str, str] = {}
        self.cursor = cursor
        self.pages = 0

    def take(self, system: Stripe, object: str, *, most: int | None = None) -> Copy:
        for page in system.read(object, SHAPES[object], self.cursor):
            for record_id, version, payload, deleted in zip(
                page.record_ids, page.versions, page.payloads, page.deleted, strict=True
            ):
                self.records.pop(record_id, None)
                if not deleted:
                    self.records[record_id] = json.loads(payload)
                    self.versions[record_id] = version
            self.cursor = json.loads(json.dumps(page.cursor))
            self.pages += 1
            if self.pages == most:
                break
        return self


@pytest.fixture
def company() -> Company:
    return Company()


@pytest.fixture
def stripe(company: Company) -> Stripe:
    return company.open()


def customers(count: int, **fields: Any) -> list[dict[str, Any]]:
    return [
        {"id": f"cus_{n:04}", "created": NOW - 90 * 86_400 + n, "name": f"Customer {n}", **fields} for n in range(count)
    ]


def request(object: str, body: Mapping[str, Any], *, external_id: str = "l1", **fields: Any) -> Request:
    given: dict[str, Any] = {
        "write_id": f"w-{external_id}",
        "operation": Operation.CREATE,
        "record_id": None,
        "idempotency_key": f"key-{external_id}",
        "correlation_id": "deal-7",
        **fields,
    }
    return Request(object=object, external_id=external_id, body=body, **given)


def calls(system: Stripe, work: Callable[[], object]) -> dict[str, int]:
    """The calls that some work costs, by route."""
    before = dict(system.calls.by_route)
    work()
    after = system.calls.by_route
    return {route: count - before.get(route, 0) for route, count in after.items() if count > before.get(route, 0)}


# Reading


def test_the_account_says_who_it_is(stripe: Stripe) -> None:
    assert stripe.identity() == "acct_1SandboxMeridian00"


def test_a_first_read_sees_every_object_page_by_page(company: Company, stripe: Stripe) -> None:
    company.seed(customer=customers(250))

    copy = Copy().take(stripe, "customers")

    assert len(copy.records) == 250
    assert copy.pages == 3
    assert stripe.calls.by_route == {"GET /v1/events": 1, "GET /v1/customers": 3}


def test_prices_and_subscriptions_are_read_whatever_their_state(company: Company, stripe: Stripe) -> None:
    company.seed(product=[{"id": "prod_1", "created": NOW, "name": "Seat"}], customer=customers(1))
    price = {"product": "prod_1", "currency": "usd", "unit_amount": 100, "created": NOW}
    company.seed(price=[{"id": f"price_{n}", "active": n == 1, **price} for n in range(3)])
    subscription = {"customer": "cus_0000", "created": NOW, "items": [], "currency": "usd"}
    company.seed(subscription=[{"id": f"sub_{s}", "status": s, **subscription} for s in ("active", "canceled")])

    prices, subscriptions = Copy().take(stripe, "prices"), Copy().take(stripe, "subscriptions")

    assert sorted(prices.records) == ["price_0", "price_1", "price_2"]
    assert sorted(subscriptions.records) == ["sub_active", "sub_canceled"]
    assert [list(ids) for ids in stripe.ids("prices")] == [["price_1"], ["price_2", "price_0"]]


def test_a_first_read_that_was_interrupted_goes_on_where_it_stopped(company: Company) -> None:
    company.seed(customer=customers(250))
    copy = Copy().take(company.open(), "customers", most=1)

    again = company.open()
    copy.take(again, "customers")

    assert len(copy.records) == 250
    assert again.calls.by_route == {"GET /v1/customers": 2}


def test_a_first_read_begins_anew_where_the_record_it_stopped_at_was_deleted(company: Company) -> None:
    company.seed(product=[{"id": f"prod_{n:03}", "created": NOW - 90 * 86_400 + n, "name": "x"} for n in range(150)])
    copy = Copy().take(company.open(), "products", most=1)
    company.delete("products/prod_050")

    copy.take(company.open(), "products")

    assert len(copy.records) == 150
    assert Copy().take(company.open(), "products").records.keys() == copy.records.keys() - {"prod_050"}


def test_the_lines_of_a_long_invoice_are_all_in_its_record(company: Company, stripe: Stripe) -> None:
    lines = [{"id": f"il_{n:03}", "amount": n, "currency": "usd"} for n in range(230)]
    company.seed(
        customer=customers(1),
        invoice=[
            {"id": "in_long", "created": NOW, "customer": "cus_0000", "currency": "usd", "lines": lines},
            {"id": "in_short", "created": NOW, "customer": "cus_0000", "currency": "usd", "lines": lines[:10]},
        ],
    )

    copy = Copy().take(stripe, "invoices")

    held = copy.records["in_long"]["lines"]
    assert [line["id"] for line in held["data"]] == [line["id"] for line in lines]
    assert held["has_more"] is False
    assert stripe.calls.by_route["GET /v1/invoices/{id}/lines"] == 3
    fetched = stripe.fetch("invoices", SHAPES["invoices"], ["in_long"])["in_long"]
    assert json.loads(fetched.payload) == copy.records["in_long"]
    assert fetched.version == copy.versions["in_long"]


def test_later_reads_cost_one_poll_for_all_objects_while_nothing_changes(company: Company) -> None:
    company.post("customers", name="Acme")
    objects = ("customers", "products", "prices", "subscriptions")
    first = company.open()
    copies = {name: Copy().take(first, name).take(first, name) for name in objects}
    pages = {name: copy.pages for name, copy in copies.items()}

    later = company.open()
    for name, copy in copies.items():
        copy.take(later, name)

    assert later.calls.by_route == {"GET /v1/events": 1}
    assert {name: copy.pages for name, copy in copies.items()} == pages


def test_what_changed_is_read_by_its_id_and_never_from_the_event(company: Company) -> None:
    company.seed(customer=customers(3))
    copy = Copy().take(company.open(), "customers")
    company.clock.advance(3600)
    company.post("customers/cus_0001", name="Renamed once")
    company.post("customers/cus_0001", name="Renamed twice")

    later = company.open()
    copy.take(later, "customers")

    assert copy.records["cus_0001"]["name"] == "Renamed twice"
    assert later.calls.by_route == {"GET /v1/events": 1, "GET /v1/customers/{id}": 1}


def test_a_change_during_the_first_read_is_in_the_next(company: Company, stripe: Stripe) -> None:
    company.seed(customer=customers(150))
    copy, pages = Copy(), stripe.read("customers", SHAPES["customers"], None)
    next(pages)
    company.post("customers/cus_0149", name="Changed behind the reader")
    copy.cursor = list(pages)[-1].cursor

    copy.take(company.open(), "customers")

    assert copy.records["cus_0149"]["name"] == "Changed behind the reader"


def test_a_change_in_the_second_of_the_last_poll_is_not_lost(company: Company) -> None:
    company.seed(customer=customers(2))
    company.post("customers/cus_0000", name="First")
    copy = Copy().take(company.open(), "customers").take(company.open(), "customers")
    company.post("customers/cus_0001", name="In the same second")

    assert company.open().changed({"customers": copy.cursor})
    copy.take(company.open(), "customers")

    assert copy.records["cus_0001"]["name"] == "In the same second"


def test_many_changes_are_read_by_list_because_that_takes_fewer_calls(company: Company) -> None:
    company.seed(customer=customers(30))
    copy = Copy().take(company.open(), "customers")
    for n in range(20):
        company.post(f"customers/cus_{n:04}", name="New")
    company.delete("customers/cus_0000")

    later = company.open()
    copy.take(later, "customers")

    assert len(copy.records) == 29
    assert sum(record["name"] == "New" for record in copy.records.values()) == 19
    assert later.calls.by_route == {"GET /v1/events": 1, "GET /v1/customers": 1, "GET /v1/customers/{id}": 1}


def test_deletes_are_tombstones_and_a_cancelled_subscription_is_none(company: Company) -> None:
    company.seed(
        customer=customers(2),
        product=[{"id": f"prod_{n}", "created": NOW - 9, "name": "x"} for n in range(2)],
        subscription=[
            {
                "id": "sub_1",
                "created": NOW - 9,
                "customer": "cus_0000",
                "currency": "usd",
                "status": "active",
                "items": [],
            }
        ],
    )
    first = company.open()
    copies = {name: Copy().take(first, name) for name in ("customers", "products", "subscriptions")}
    company.clock.advance(3600)
    company.delete("customers/cus_0000")
    company.delete("products/prod_1")

    later = company.open()
    for name, copy in copies.items():
        copy.take(later, name)

    assert list(copies["customers"].records) == ["cus_0001"]
    assert list(copies["products"].records) == ["prod_0"]
    assert copies["subscriptions"].records["sub_1"]["status"] == "canceled"


def test_a_product_that_was_deleted_and_made_again_under_its_id_is_alive(company: Company) -> None:
    company.seed(product=[{"id": "prod_1", "created": NOW - 9, "name": "Old"}])
    copy = Copy().take(company.open(), "products")
    company.delete("products/prod_1")
    company.post("products", id="prod_1", name="New")

    copy.take(company.open(), "products")

    assert copy.records["prod_1"]["name"] == "New"


def test_a_cursor_older_than_the_feed_reads_everything_again(company: Company) -> None:
    company.seed(customer=customers(3))
    copy = Copy().take(company.open(), "customers")
    company.post("customers/cus_0002", name="Changed, and forgotten by the feed")
    company.clock.advance(31 * 86_400)

    later = company.open()
    copy.take(later, "customers")

    assert copy.records["cus_0002"]["name"] == "Changed, and forgotten by the feed"
    assert later.calls.by_route == {"GET /v1/events": 1, "GET /v1/customers": 1}


def test_asking_what_of_all_objects_changed_costs_one_call(company: Company) -> None:
    company.seed(customer=customers(1))
    company.post("customers/cus_0000", name="A")
    reader = company.open()
    cursors = {name: Copy().take(reader, name).take(reader, name).cursor for name in LISTS}

    asked = company.open()
    before = asked.changed(cursors)
    company.clock.advance(5)
    company.post("products", name="Not a customer")
    other = asked.changed(cursors)
    company.post("customers/cus_0000", name="B")

    assert (before, other, asked.changed(cursors)) == (set(), {"products"}, {"products", "customers"})
    assert asked.calls.by_route == {"GET /v1/events": 3}
    assert company.open().changed({"customers": None}) == {"customers"}


def test_where_a_page_of_the_feed_does_not_reach_back_far_enough_each_group_is_asked(company: Company) -> None:
    company.post("customers", name="A")
    reader = company.open()
    cursors = {name: Copy().take(reader, name).take(reader, name).cursor for name in LISTS}
    for number in range(100):
        company.post("products", name=f"Product {number}")

    asked = company.open()

    assert asked.changed(cursors) == {"products"}
    assert asked.calls.by_route == {"GET /v1/events": 4}


def test_what_stripe_moves_by_itself_is_no_other_version(company: Company) -> None:
    company.seed(product=[{"id": "prod_1", "created": NOW, "name": "Seat"}], customer=customers(1))
    month = {"interval": "month"}
    price = company.post("prices", product="prod_1", currency="usd", unit_amount=9, recurring=month)["id"]
    terms = {"collection_method": "send_invoice", "days_until_due": 30}
    made = company.post("subscriptions", customer="cus_0000", items=[{"price": price}], **terms)
    copy = Copy().take(company.open(), "subscriptions")
    company.post(f"prices/{price}", active=False, nickname="retired")

    found = company.open().fetch("subscriptions", SHAPES["subscriptions"], [made["id"]])[made["id"]]

    assert json.loads(found.payload)["items"] != copy.records[made["id"]]["items"]
    assert found.version == copy.versions[made["id"]]


def test_an_independent_count_exists_for_all_but_credit_notes(company: Company, stripe: Stripe) -> None:
    company.seed(
        customer=customers(120),
        product=[{"id": f"prod_{n}", "created": NOW, "name": "x", "active": n > 0} for n in range(3)],
    )

    assert (stripe.count("customers"), stripe.count("products"), stripe.count("invoices")) == (120, 3, 0)
    assert stripe.count("credit_notes") is None
    assert stripe.calls.by_route["GET /v1/customers/search"] == 1


def test_a_count_that_stripe_only_estimates_is_none(company: Company, stripe: Stripe) -> None:
    company.seed(customer=customers(10_001))

    assert stripe.count("customers") is None


def test_the_sweep_names_every_live_id(company: Company, stripe: Stripe) -> None:
    company.seed(customer=customers(101))
    company.delete("customers/cus_0050")

    ids = [record_id for page in stripe.ids("customers") for record_id in page]

    assert len(ids) == 100
    assert "cus_0050" not in ids


def test_fetching_leaves_out_what_is_not_there_and_takes_one_call_for_many_products(
    company: Company, stripe: Stripe
) -> None:
    company.seed(
        customer=customers(2), product=[{"id": f"prod_{n:02}", "created": NOW, "name": "x"} for n in range(60)]
    )
    company.delete("customers/cus_0000")

    found = stripe.fetch("customers", SHAPES["customers"], ["cus_0000", "cus_0001", "cus_none"])
    wanted = [f"prod_{n:02}" for n in range(60)]
    products = stripe.fetch("products", SHAPES["products"], [*wanted, "prod_none"])

    assert list(found) == ["cus_0001"]
    assert sorted(products) == wanted
    assert stripe.calls.by_route["GET /v1/products"] == 2


# Writing


def test_a_create_is_found_again_by_what_it_carries(company: Company, stripe: Stripe) -> None:
    (outcome,) = stripe.write([request("customers", {"name": "Acme", "metadata": {"customer_number": "C-1"}})])

    (made,) = company.all("customer")
    assert (outcome.state, outcome.record_id) == (State.CONFIRMED, made["id"])
    assert made["metadata"] == {"customer_number": "C-1", "sync_id": "l1", "correlation_id": "deal-7"}
    assert stripe.find("customers", ["l1", "l2"])["l1"].record_id == made["id"]


def test_a_write_shows_in_the_next_read_of_the_same_session(company: Company, stripe: Stripe) -> None:
    copy = Copy().take(stripe, "customers").take(stripe, "customers")

    (outcome,) = stripe.write([request("customers", {"name": "Acme"})])
    copy.take(stripe, "customers")

    assert list(copy.records) == [outcome.record_id]


def test_search_that_lags_behind_does_not_hide_a_new_record(company: Company, stripe: Stripe) -> None:
    company.sandbox.vendor.admin("settings", {"search_lag": 3600})

    stripe.write([request("customers", {"name": "Acme"})])

    assert stripe.count("customers") == 0
    assert list(stripe.find("customers", ["l1"])) == ["l1"]


def test_finding_stops_at_the_page_where_all_are_found(company: Company, stripe: Stripe) -> None:
    company.seed(customer=[{**row, "created": NOW - 86_400} for row in customers(150)])
    stripe.write([request("customers", {"name": "Acme"})])

    spent = calls(stripe, lambda: stripe.find("customers", ["l1"]))

    assert spent == {"GET /v1/customers": 1}
    assert calls(stripe, lambda: stripe.find("customers", ["nobody"])) == {"GET /v1/customers": 2}


def test_a_product_has_an_id_that_follows_from_its_external_id(company: Company, stripe: Stripe) -> None:
    (outcome,) = stripe.write([request("products", {"name": "Seat"})])

    found = stripe.find("products", ["l1", "l2"])

    assert outcome.record_id == "prod_l1"
    assert {external_id: record.record_id for external_id, record in found.items()} == {"l1": "prod_l1"}


def test_an_update_changes_only_what_it_says(company: Company, stripe: Stripe) -> None:
    company.seed(customer=customers(1, phone="123", metadata={"tier": "gold"}))

    (outcome,) = stripe.write([request("customers", {"name": "New"}, operation=Operation.UPDATE, record_id="cus_0000")])

    after = company.held("customers/cus_0000")
    assert outcome.state is State.CONFIRMED
    assert (after["name"], after["phone"]) == ("New", "123")
    assert after["metadata"] == {"tier": "gold", "sync_id": "l1", "correlation_id": "deal-7"}


@pytest.mark.parametrize("kind", ["drop_after_commit", "delay_reply"])
def test_a_write_whose_reply_was_lost_is_sent_again_under_its_key_and_happens_once(
    company: Company, stripe: Stripe, kind: str
) -> None:
    company.faults.add(Rule(route="POST /v1/customers", kind=kind, nth=1, seconds=300))

    (outcome,) = stripe.write([request("customers", {"name": "Acme"})])

    (made,) = company.all("customer")
    assert (outcome.state, outcome.record_id) == (State.CONFIRMED, made["id"])
    assert stripe.calls.by_route == {"POST /v1/customers": 2}


def test_a_write_whose_replies_are_all_lost_is_in_doubt_and_found_by_read_back(
    company: Company, stripe: Stripe
) -> None:
    company.faults.add(Rule(route="POST /v1/customers", kind="drop_after_commit"))

    (outcome,) = stripe.write([request("customers", {"name": "Acme"})])

    assert outcome.state is State.IN_DOUBT
    assert len(company.all("customer")) == 1
    assert stripe.find("customers", ["l1"])["l1"].record_id == company.all("customer")[0]["id"]


def test_a_failure_that_stripe_would_only_repeat_is_in_doubt_after_two_calls(company: Company, stripe: Stripe) -> None:
    company.faults.add(Rule(route="commit POST /v1/customers", kind="row", nth=1))

    (outcome,) = stripe.write([request("customers", {"name": "Acme"})])

    assert outcome.state is State.IN_DOUBT
    assert stripe.calls.by_route == {"POST /v1/customers": 2}
    assert len(company.all("customer")) == 1


def test_applying_a_request_twice_equals_applying_it_once(company: Company) -> None:
    creates = [request("customers", {"name": f"N{n}"}, external_id=f"l{n}") for n in range(3)]

    first, second = company.open().write(creates), company.open().write(creates)

    assert first == second
    assert len(company.all("customer")) == 3


@pytest.mark.parametrize("fault", [limited, locked])
def test_a_throttle_or_a_lock_passes(company: Company, stripe: Stripe, fault: Callable[..., Rule]) -> None:
    company.faults.add(fault("POST /v1/customers", times=2))

    (outcome,) = stripe.write([request("customers", {"name": "Acme"})])

    assert outcome.state is State.CONFIRMED
    assert company.clock.now() > START


def test_a_throttle_that_stays_says_later_and_nothing_was_sent(company: Company, stripe: Stripe) -> None:
    company.faults.add(limited("POST /v1/customers"))

    with pytest.raises(RetryLater, match="rate_limit"):
        stripe.write([request("customers", {"name": "Acme"})])

    assert company.all("customer") == []


def test_one_request_that_was_not_sent_does_not_hide_what_became_of_the_others(
    company: Company, stripe: Stripe
) -> None:
    company.seed(customer=customers(2))
    company.faults.add(limited("POST /v1/customers/cus_0001"))

    outcomes = stripe.write(
        [
            request(
                "customers", {"name": "N"}, external_id=f"l{n}", operation=Operation.UPDATE, record_id=f"cus_000{n}"
            )
            for n in range(2)
        ]
    )

    assert [(outcome.state, outcome.code) for outcome in outcomes] == [
        (State.CONFIRMED, ""),
        (State.FAILED, "not_sent"),
    ]


def test_a_batch_goes_concurrently_and_keeps_its_order(company: Company) -> None:
    stripe = company.open(concurrency=4)

    outcomes = stripe.write([request("customers", {"name": f"N{n}"}, external_id=f"l{n}") for n in range(12)])

    names = {document["id"]: document["name"] for document in company.all("customer")}
    assert [names[str(outcome.record_id)] for outcome in outcomes] == [f"N{n}" for n in range(12)]


def test_batches_that_go_at_once_have_no_more_calls_under_way_than_allowed(company: Company) -> None:
    stripe, send = company.open(concurrency=2), company.session.request
    meeting, under_way, most = threading.Barrier(2), set[int](), set[int]()

    def seen(*given: Any, **named: Any) -> requests.Response:
        under_way.add(threading.get_ident())
        meeting.wait(30)
        most.add(len(under_way))
        meeting.wait(30)
        under_way.remove(threading.get_ident())
        return send(*given, **named)

    company.session.request = seen
    batches = [[request("customers", {"name": "N"}, external_id=f"{b}{n}") for n in range(4)] for b in range(3)]
    with ThreadPoolExecutor(3) as threads:
        outcomes = [each for batch in threads.map(stripe.write, batches) for each in batch]

    assert {each.state for each in outcomes} == {State.CONFIRMED}
    assert most == {2}


@pytest.mark.parametrize(
    ("object", "body", "code", "names"),
    [
        ("customers", {"email": "jane.doe"}, "email_invalid", "[email]"),
        ("customers", {"colour": "red"}, "parameter_unknown", "[colour]"),
        ("prices", {"product": "prod_none", "currency": "usd", "unit_amount": 1}, "resource_missing", "[product]"),
        ("prices", {"product": "prod_1", "currency": "usd"}, "parameter_missing", "[unit_amount]"),
        ("prices", {"product": "prod_1", "currency": "xxx", "unit_amount": 1}, "invalid_request_error", "[currency]"),
    ],
)
def test_a_refusal_names_the_code_and_the_parameter_but_no_value(
    company: Company, stripe: Stripe, object: str, body: dict[str, Any], code: str, names: str
) -> None:
    company.seed(product=[{"id": "prod_1", "created": NOW, "name": "Seat"}])

    (outcome,) = stripe.write([request(object, body)])

    assert (outcome.state, outcome.code) == (State.REFUSED, code)
    assert names in outcome.message
    assert not any(str(value) in outcome.message for value in body.values())


def test_a_key_that_was_used_for_other_content_is_refused(company: Company, stripe: Stripe) -> None:
    stripe.write([request("customers", {"name": "Acme"})])

    (outcome,) = stripe.write([request("customers", {"name": "Other"})])

    assert (outcome.state, outcome.code) == (State.REFUSED, "idempotency_error")
    assert len(company.all("customer")) == 1


def test_an_unknown_key_is_a_configuration_to_fix(company: Company) -> None:
    stripe = company.open(key="sk_test_wrong")

    with pytest.raises(FixConfiguration, match="api_key"):
        stripe.identity()
    with pytest.raises(FixConfiguration, match="api_key"):
        stripe.write([request("customers", {"name": "Acme"})])


def test_a_version_that_stripe_retired_is_a_configuration_to_fix(company: Company, stripe: Stripe) -> None:
    company.sandbox.vendor.admin("settings", {"versions": ["2027-03-01.endive"]})

    with pytest.raises(FixConfiguration, match="newer release"):
        stripe.identity()


# Prices


@pytest.fixture
def listed(company: Company) -> Request:
    """A price on the list, and the request that replaces it."""
    company.seed(
        product=[{"id": "prod_1", "created": NOW, "name": "Seat"}],
        price=[
            {
                "id": "price_old",
                "created": NOW - 86_400,
                "product": "prod_1",
                "currency": "usd",
                "unit_amount": 1000,
                "active": True,
                "lookup_key": "sku-0001-usd",
            }
        ],
    )
    body = {"product": "prod_1", "currency": "usd", "unit_amount": 1200, "lookup_key": "sku-0001-usd"}
    return request("prices", body, operation=Operation.REPLACE, record_id="price_old")


def test_a_replaced_price_hands_its_lookup_key_on_and_is_retired(
    company: Company, stripe: Stripe, listed: Request
) -> None:
    (outcome,) = stripe.write([listed])

    old, new = company.held("prices/price_old"), company.held(f"prices/{outcome.record_id}")
    assert outcome.state is State.CONFIRMED
    assert (old["active"], old["lookup_key"]) == (False, None)
    assert (new["active"], new["lookup_key"], new["unit_amount"]) == (True, "sku-0001-usd", 1200)
    assert new["metadata"]["replaces"] == "price_old"
    found = stripe.find("prices", ["l1"])["l1"]
    assert (found.record_id, found.finished) == (outcome.record_id, True)


def test_a_replacement_whose_second_half_failed_is_in_doubt_and_can_be_finished(
    company: Company, stripe: Stripe, listed: Request
) -> None:
    company.faults.add(limited("POST /v1/prices/price_old"))
    (outcome,) = stripe.write([listed])
    found = stripe.find("prices", ["l1"])["l1"]
    company.faults.clear()

    rest = request("prices", {}, operation=Operation.UPDATE, record_id=found.record_id, then=("retire",))
    (finished,) = stripe.write([rest])

    assert (outcome.state, found.finished, finished.state) == (State.IN_DOUBT, False, State.CONFIRMED)
    assert company.held("prices/price_old")["active"] is False
    assert len(company.all("price")) == 2
    assert stripe.find("prices", ["l1"])["l1"].finished


def test_a_replacement_that_is_sent_twice_makes_one_price(company: Company, listed: Request) -> None:
    outcomes = [company.open().write([listed])[0] for _ in range(2)]

    assert outcomes[0] == outcomes[1]
    assert len(company.all("price")) == 2


def test_only_prices_are_replaced(stripe: Stripe) -> None:
    replace = request("customers", {"name": "A"}, operation=Operation.REPLACE, record_id="cus_1")

    with pytest.raises(FixConfiguration, match="replaces only prices"):
        stripe.write([replace])


def test_what_follows_a_write_is_done_in_order(company: Company, stripe: Stripe) -> None:
    company.seed(customer=customers(1))
    draft = company.post("invoices", customer="cus_0000", collection_method="send_invoice", days_until_due=30)
    company.post("invoiceitems", customer="cus_0000", invoice=draft["id"], amount=500, currency="usd")

    (outcome,) = stripe.write(
        [
            request(
                "invoices",
                {"description": "May"},
                operation=Operation.UPDATE,
                record_id=draft["id"],
                then=("finalize", "void"),
            )
        ]
    )

    after = company.held(f"invoices/{draft['id']}")
    assert outcome.state is State.CONFIRMED
    assert (after["status"], after["description"]) == ("void", "May")


def test_what_a_key_may_not_read_is_told_before_a_run(company: Company) -> None:
    company.open().check_shapes(SHAPES)
    body = {"error": {"type": "invalid_request_error", "message": "The provided key does not have the permission"}}
    for route in ("GET /v1/events", "GET /v1/credit_notes"):
        company.faults.add(Rule(route=route, kind="status", status=403, body=body))

    with pytest.raises(FixConfiguration, match=r"(?s)- events: .*- credit_notes: .*- plans: ") as told:
        company.open().check_shapes({**SHAPES, "plans": {}})

    assert str(told.value).count("\n") == 3
