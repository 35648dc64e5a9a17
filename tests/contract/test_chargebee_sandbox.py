"""Chargebee's own Python SDK witnesses that the stand-in speaks like Chargebee, and raw calls that it is as strict."""

import dataclasses
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, get_args, get_type_hints

import pytest
import requests
from chargebee import APIError, Chargebee, InvalidRequestError, OperationFailedError
from chargebee.model import Model
from chargebee.retry_config import RetryConfig

from sync_pipelines.sandbox.app import Sandbox
from sync_pipelines.sandbox.chargebee import limited
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.faults import FaultPlan, Rule
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.server import serve
from sync_pipelines.sandbox.transport import InProcess

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
START = int(NOW.timestamp())
KEY = "chargebee-idempotency-key"


class Witness:
    """The stand-in on a port, and clients of the SDK that point at it."""

    def __init__(self, sandbox: Sandbox, url: str) -> None:
        self.sandbox = sandbox
        self.host = url.removeprefix("http://127.")
        self.api = self.client()

    def client(self, key: str = "test_sandbox") -> Any:
        client = Chargebee(api_key=key, site="127", chargebee_domain=self.host, protocol="http")
        client.env.retry_config = RetryConfig(enabled=False)
        return client

    def settings(self, **changed: Any) -> None:
        self.sandbox.vendor.admin("settings", changed)

    def catalog(self) -> None:
        """A plan, an add-on and a charge, each in euros."""
        api = self.api
        api.ItemFamily.create({"id": "core", "name": "Core"})
        for name, kind, price in (("Seat", "plan", 2500), ("Insights", "addon", 900), ("Setup", "charge", 10000)):
            item = {"id": name.lower(), "name": name, "type": kind, "item_family_id": "core"}
            api.Item.create({**item, "metadata": json.dumps({"sku": f"SKU-{name}"})})
            made = {"id": f"{name.lower()}-EUR", "name": f"{name} EUR", "item_id": name.lower(), "currency_code": "EUR"}
            term = {} if kind == "charge" else {"period": 1, "period_unit": "month"}
            api.ItemPrice.create({**made, **term, "pricing_model": "per_unit", "price": price})

    def customer(self, id: str = "C-1", **fields: Any) -> Any:
        address = {"line1": "Am Hof 1", "city": "Bonn", "country": "DE", "zip": "53113"}
        return self.api.Customer.create({"id": id, "company": "Acme", "billing_address": address, **fields}).customer


@pytest.fixture
def witness(monkeypatch: pytest.MonkeyPatch) -> Iterator[Witness]:
    monkeypatch.setattr(Chargebee, "verify_ca_certs", False)
    sandbox = open_sandbox("chargebee", clock=VirtualClock(NOW))
    with serve(sandbox) as running:
        yield Witness(sandbox, running.url)


def test_the_sdk_writes_and_reads_back(witness: Witness) -> None:
    made = witness.customer(meta_data='{"customer_number": "C-00001"}', net_term_days=30)
    witness.api.Customer.update("C-1", {"phone": "+49 228 1", "email": "ap@acme.test"})
    witness.api.Customer.update_billing_info("C-1", {"billing_address": {"city": "Köln"}, "vat_number": "DE1"})

    read = witness.api.Customer.retrieve("C-1").customer

    assert (read.company, read.phone, read.email, read.vat_number) == ("Acme", "+49 228 1", "ap@acme.test", "DE1")
    assert (read.billing_address.line1, read.billing_address.city) == ("Am Hof 1", "Köln")
    assert read.meta_data == {"customer_number": "C-00001"}
    assert read.resource_version > made.resource_version
    assert read.deleted is False


def test_the_sdk_pages_through_everything_with_the_offset(witness: Witness) -> None:
    for number in range(23):
        witness.customer(f"C-{number:02}")
        witness.sandbox.clock.advance(number % 3)
    pages: list[list[str]] = []
    offset = None
    while True:
        params = {"limit": 10, "sort_by": {"asc": "updated_at"}, **({"offset": offset} if offset else {})}
        page = witness.api.Customer.list(params)
        pages.append([each.customer.id for each in page.list])
        offset = page.next_offset
        if not offset:
            break

    assert [len(page) for page in pages] == [10, 10, 3]
    assert [each for page in pages for each in page] == [f"C-{number:02}" for number in range(23)]


def test_a_row_that_changes_while_paging_comes_again_and_hides_no_other(witness: Witness) -> None:
    for number in range(6):
        witness.customer(f"C-{number}")
        witness.sandbox.clock.advance(1)
    params = {"limit": 3, "sort_by": {"asc": "updated_at"}}
    first = witness.api.Customer.list(params)
    witness.api.Customer.update("C-0", {"company": "Moved"})

    second = witness.api.Customer.list({**params, "offset": first.next_offset})
    third = witness.api.Customer.list({**params, "offset": second.next_offset})

    assert [each.customer.id for each in [*first.list, *second.list]] == [f"C-{number}" for number in range(6)]
    assert [each.customer.id for each in third.list] == ["C-0"]


def test_the_sdk_filters_in_every_way_the_connector_does(witness: Witness) -> None:
    for number in range(4):
        witness.customer(f"C-{number}")
        witness.sandbox.clock.advance(10)
    witness.api.Customer.delete("C-3")

    def ids(**params: Any) -> set[str]:
        return {each.customer.id for each in witness.api.Customer.list(params).list}

    assert ids(id={"in": ["C-0", "C-2", "C-9"]}) == {"C-0", "C-2"}
    assert ids(updated_at={"after": START}) == {"C-1", "C-2"}
    assert ids(updated_at={"after": START + 10}, include_deleted=True) == {"C-2", "C-3"}
    assert ids(updated_at={"between": [START + 10, START + 20]}) == {"C-1", "C-2"}
    assert ids(company={"starts_with": "Ac"}, created_at={"before": START + 10}) == {"C-0"}


def test_the_sdk_runs_a_subscription_from_start_to_cancellation(witness: Witness) -> None:
    witness.settings(tax_pct={"DE": 19})
    witness.catalog()
    witness.customer(net_term_days=14)
    items = [{"item_price_id": "seat-EUR", "quantity": 5}, {"item_price_id": "insights-EUR", "quantity": 2}]

    started = witness.api.Subscription.create_with_items(
        "C-1", {"id": "S-1", "subscription_items": items, "meta_data": '{"contract_number": "K-1"}', "po_number": "D-7"}
    )
    scheduled = witness.api.Subscription.cancel_for_items(
        "S-1", {"cancel_option": "specific_date", "cancel_at": START + 90 * 86_400}
    ).subscription
    kept = witness.api.Subscription.remove_scheduled_cancellation("S-1").subscription
    ended = witness.api.Subscription.cancel_for_items("S-1", {"cancel_option": "immediately"}).subscription

    assert (started.subscription.status, started.subscription.currency_code) == ("active", "EUR")
    assert started.subscription.current_term_end == int(datetime(2026, 12, 23, 12, tzinfo=UTC).timestamp())
    assert [item.amount for item in started.subscription.subscription_items] == [12500, 1800]
    assert (started.invoice.sub_total, started.invoice.tax, started.invoice.total) == (14300, 2717, 17017)
    assert (started.invoice.status, started.invoice.po_number) == ("posted", "D-7")
    assert (scheduled.status, scheduled.cancelled_at) == ("non_renewing", START + 90 * 86_400)
    assert (kept.status, kept.cancelled_at) == ("active", None)
    assert (ended.status, ended.cancelled_at) == ("cancelled", START)
    with pytest.raises(InvalidRequestError, match="cancelled") as refused:
        witness.api.Subscription.update_for_items("S-1", {"po_number": "D-8"})
    assert (refused.value.api_error_code, refused.value.http_status_code) == ("invalid_state_for_request", 409)


def test_the_sdk_takes_an_invoice_from_charges_to_credit_and_void(witness: Witness) -> None:
    witness.settings(tax_pct={"DE": 19})
    witness.catalog()
    witness.customer()
    invoicing = {"customer_id": "C-1", "currency_code": "EUR", "item_prices": [{"item_price_id": "setup-EUR"}]}
    charge = {"amount": 5, "description": "Rounding"}

    invoice = witness.api.Invoice.create_for_charge_items_and_charges({**invoicing, "charges": [charge]}).invoice
    other = witness.api.Invoice.create_for_charge_items_and_charges(invoicing).invoice
    line = invoice.line_items[0].id
    part = {"reference_line_item_id": line, "amount": 4000}
    note = witness.api.CreditNote.create(
        {"reference_invoice_id": invoice.id, "type": "adjustment", "reason_code": "waiver", "line_items": [part]}
    )
    paid = witness.api.Invoice.record_payment(invoice.id, {"transaction": {"payment_method": "bank_transfer"}}).invoice
    void = witness.api.Invoice.void_invoice(other.id, {"comment": "twice"}).invoice

    assert (invoice.id, other.id, invoice.sub_total, invoice.total) == ("INV-1", "INV-2", 10005, 11906)
    assert [tax.tax_amount for tax in invoice.line_item_taxes] == [1900, 1]
    assert (note.credit_note.id, note.credit_note.total, note.credit_note.status) == ("CN-1", 4760, "adjusted")
    assert (note.invoice.amount_due, note.invoice.amount_adjusted) == (11906 - 4760, 4760)
    assert (paid.status, paid.amount_paid) == ("paid", 11906 - 4760)
    assert (void.status, void.voided_at) == ("voided", START)
    with pytest.raises(InvalidRequestError, match="payments"):
        witness.api.Invoice.void_invoice(invoice.id)


def test_the_sdk_reads_a_long_invoice_on_where_its_lines_break_off(witness: Witness) -> None:
    witness.settings(lines_embedded=2)
    witness.customer()
    charges = [{"amount": amount, "description": "Hours"} for amount in (1, 2, 3, 4, 5)]
    made = witness.api.Invoice.create_for_charge_items_and_charges({"customer_id": "C-1", "charges": charges}).invoice

    rest = witness.api.Invoice.retrieve(made.id, {"line_items_offset": made.line_items_next_offset}).invoice

    assert [line.amount for line in made.line_items] == [1, 2]
    assert ([line.amount for line in rest.line_items], rest.line_items_next_offset) == ([3, 4], "4")


def test_the_sdk_hears_of_every_change_as_an_event(witness: Witness) -> None:
    witness.customer()
    witness.sandbox.clock.advance(5)
    witness.api.Customer.update("C-1", {"company": "Acme AG"})
    witness.api.Customer.update("C-1", {"company": "Acme AG"})
    witness.api.Customer.delete("C-1")

    listed = witness.api.Event.list({"occurred_at": {"after": START - 1}, "sort_by": {"asc": "occurred_at"}}).list
    events = [each.event for each in listed]

    assert [event.event_type for event in events] == ["customer_created", "customer_changed", "customer_deleted"]
    assert [event.occurred_at for event in events] == [START, START + 5, START + 5]
    assert events[1].content["customer"]["company"] == "Acme AG"
    assert events[0].api_version == "v2"


def test_an_item_price_is_changed_in_place_but_not_to_another_currency_once_it_is_used(witness: Witness) -> None:
    witness.catalog()
    witness.customer()
    witness.api.Subscription.create_with_items("C-1", {"subscription_items": [{"item_price_id": "seat-EUR"}]})

    changed = witness.api.ItemPrice.update("seat-EUR", {"price": 2700}).item_price
    archived = witness.api.ItemPrice.update("setup-EUR", {"status": "archived"}).item_price

    assert (changed.price, archived.status, archived.archived_at) == (2700, "archived", START)
    with pytest.raises(InvalidRequestError, match="used by a subscription"):
        witness.api.ItemPrice.update("seat-EUR", {"currency_code": "USD"})
    with pytest.raises(InvalidRequestError, match="archived"):
        witness.api.Invoice.create_for_charge_items_and_charges(
            {"customer_id": "C-1", "currency_code": "EUR", "item_prices": [{"item_price_id": "setup-EUR"}]}
        )


def test_a_used_id_is_refused_and_the_same_key_answers_as_before(witness: Witness) -> None:
    first = witness.api.Customer.create({"id": "C-1", "company": "Acme"}, {KEY: "k1"})
    again = witness.api.Customer.create({"id": "C-1", "company": "Acme"}, {KEY: "k1"})

    assert (first.is_idempotency_replayed, again.is_idempotency_replayed) == (False, True)
    assert again.customer.resource_version == first.customer.resource_version
    with pytest.raises(InvalidRequestError) as used:
        witness.api.Customer.create({"id": "C-1", "company": "Acme"})
    assert (used.value.api_error_code, used.value.param, used.value.http_status_code) == ("duplicate_entry", "id", 400)
    with pytest.raises(InvalidRequestError, match="another request"):
        witness.api.Customer.create({"id": "C-2", "company": "Acme"}, {KEY: "k1"})
    assert witness.sandbox.store.count("customer") == 1


def test_a_key_is_forgotten_after_a_day_and_the_id_still_guards(witness: Witness) -> None:
    witness.api.Customer.create({"id": "C-1", "company": "Acme"}, {KEY: "k1"})
    witness.sandbox.clock.advance(86_401)

    with pytest.raises(InvalidRequestError, match="already present"):
        witness.api.Customer.create({"id": "C-1", "company": "Acme"}, {KEY: "k1"})


def test_the_sdk_reads_refusals_as_its_own_errors(witness: Witness) -> None:
    witness.customer()
    with pytest.raises(APIError, match="authentication failed") as denied:
        witness.client("wrong").Customer.retrieve("C-1")
    with pytest.raises(InvalidRequestError, match="C-9 not found") as missing:
        witness.api.Customer.retrieve("C-9")
    witness.settings(read_only_keys=["reader"])
    with pytest.raises(APIError) as reader:
        witness.client("reader").Customer.update("C-1", {"company": "X"})
    witness.settings(is_read_only=True)
    with pytest.raises(OperationFailedError) as window:
        witness.api.Customer.update("C-1", {"company": "X"})

    told = [(each.value.http_status_code, each.value.api_error_code) for each in (denied, missing, reader, window)]
    assert told == [
        (401, "api_authentication_failed"),
        (404, "resource_not_found"),
        (403, "api_authorization_failed"),
        (503, "site_read_only_mode"),
    ]
    assert witness.client("reader").Customer.retrieve("C-1").customer.company == "Acme"


def test_the_limiter_of_a_minute_says_how_long_to_wait(witness: Witness) -> None:
    witness.settings(calls_per_minute=2)
    witness.customer()
    witness.sandbox.clock.advance(20)
    witness.api.Customer.retrieve("C-1")

    with pytest.raises(OperationFailedError) as limit:
        witness.api.Customer.retrieve("C-1")
    witness.sandbox.clock.advance(int(limit.value.http_headers["Retry-After"]))

    assert (limit.value.http_status_code, limit.value.api_error_code) == (429, "api_request_limit_exceeded")
    assert limit.value.http_headers["Retry-After"] == "41"
    assert witness.api.Customer.retrieve("C-1").customer.id == "C-1"


def test_the_sdk_waits_as_long_as_it_is_told(witness: Witness) -> None:
    witness.customer()
    witness.sandbox.faults.add(limited("GET .*/customers", wait=0, times=1))
    client = witness.client()
    client.env.retry_config = RetryConfig(enabled=True, delay_ms=1)

    assert client.Customer.retrieve("C-1").customer.id == "C-1"


def test_a_write_that_was_committed_behind_an_error_is_answered_under_its_key(witness: Witness) -> None:
    witness.sandbox.faults.add(Rule(route="commit POST /api/v2/customers", kind="row", times=1))
    with pytest.raises(OperationFailedError) as failed:
        witness.api.Customer.create({"id": "C-1"}, {KEY: "k1"})

    again = witness.api.Customer.create({"id": "C-1"}, {KEY: "k1"})

    assert (failed.value.http_status_code, failed.value.api_error_code) == (500, "internal_error")
    assert (again.customer.id, again.is_idempotency_replayed) == ("C-1", True)


def test_the_site_says_which_one_it_is(witness: Witness) -> None:
    (configuration,) = witness.api.Configuration.list().configurations

    assert (configuration.domain, configuration.product_catalog_version) == ("meridian-test", "v2")


# Strictness, over raw calls


@pytest.fixture
def wire() -> Callable[..., requests.Response]:
    sandbox = open_sandbox("chargebee", clock=VirtualClock(NOW), faults=FaultPlan())
    session = requests.Session()
    session.mount("http://cb.test", InProcess(sandbox))

    def call(method: str, path: str, **body: Any) -> requests.Response:
        options = {"params": body} if method == "GET" else {"data": body}
        return session.request(method, f"http://cb.test/api/v2/{path}", auth=("test_sandbox", ""), **options)

    call("POST", "item_families", id="core", name="Core")
    call("POST", "items", id="seat", name="Seat", type="plan", item_family_id="core")
    return call


@pytest.mark.parametrize(
    ("path", "body", "param", "code"),
    [
        ("customers", {"company": "x" * 251}, "company", "param_wrong_value"),
        ("customers", {"id": "x" * 51}, "id", "param_wrong_value"),
        ("customers", {"nickname": "Ac"}, "nickname", "param_wrong_value"),
        ("customers", {"billing_address[city_name]": "Bonn"}, "billing_address[city_name]", "param_wrong_value"),
        ("customers", {"billing_address[country]": "Germany"}, "billing_address[country]", "param_wrong_value"),
        ("customers", {"email": "nobody"}, "email", "param_wrong_value"),
        ("customers", {"meta_data": "[1]"}, "meta_data", "param_wrong_value"),
        ("customers", {"net_term_days": "soon"}, "net_term_days", "param_wrong_value"),
        ("customers", {"preferred_currency_code": "XXX"}, "preferred_currency_code", "param_wrong_value"),
        ("customers/C-9", {"company": "A"}, None, "resource_not_found"),
        ("items", {"id": "a", "type": "plan", "item_family_id": "core"}, "name", "param_should_not_be_blank"),
        ("items", {"id": "a", "name": "A", "type": "kit", "item_family_id": "core"}, "type", "param_wrong_value"),
        (
            "items",
            {"id": "a", "name": "A", "type": "plan", "item_family_id": "no"},
            "item_family_id",
            "param_wrong_value",
        ),
        ("items", {"id": "a", "name": "Seat", "type": "plan", "item_family_id": "core"}, "name", "duplicate_entry"),
        (
            "item_prices",
            {"id": "p", "name": "P", "item_id": "seat", "period": "1"},
            "price",
            "param_should_not_be_blank",
        ),
        (
            "item_prices",
            {"id": "p", "name": "P", "item_id": "seat", "price": "1"},
            "period",
            "param_should_not_be_blank",
        ),
        ("item_prices", {"id": "p", "name": "P", "item_id": "seat", "price": "9.5"}, "price", "param_wrong_value"),
        ("item_prices", {"id": "p", "name": "P", "item_id": "seat", "price": "-1"}, "price", "param_wrong_value"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    wire: Callable[..., requests.Response], path: str, body: dict[str, str], param: str | None, code: str
) -> None:
    answer = wire("POST", path, **body)

    told = answer.json()
    assert (told.get("param"), told["api_error_code"], told["type"]) == (param, code, "invalid_request")
    assert answer.status_code == told["http_status_code"] == (404 if code == "resource_not_found" else 400)


@pytest.mark.parametrize(
    ("path", "params", "param"),
    [
        ("customers", {"limit": "101"}, "limit"),
        ("customers", {"offset": "7"}, "offset"),
        ("customers", {"next_offset[is]": "7"}, "next_offset"),
        ("customers", {"sort_by[asc]": "company"}, "sort_by[asc]"),
        ("customers", {"updated_at[newer]": "7"}, "updated_at[newer]"),
        ("customers", {"updated_at[after]": "2026-11-23"}, "updated_at[after]"),
        ("customers", {"id[in]": "C-1,C-2"}, "id[in]"),
        ("items", {"include_deleted": "true"}, "include_deleted"),
        ("credit_notes", {"sort_by[asc]": "updated_at"}, "sort_by[asc]"),
    ],
)
def test_a_list_knows_its_own_parameters_only(
    wire: Callable[..., requests.Response], path: str, params: dict[str, str], param: str
) -> None:
    answer = wire("GET", path, **params)

    assert (answer.status_code, answer.json()["param"]) == (400, param)


def test_a_deleted_item_stays_in_its_list_and_a_deleted_customer_only_where_asked(
    wire: Callable[..., requests.Response],
) -> None:
    wire("POST", "customers", id="C-1")
    wire("POST", "customers/C-1/delete")
    wire("POST", "items/seat/delete")

    assert [each["item"]["status"] for each in wire("GET", "items").json()["list"]] == ["deleted"]
    assert wire("GET", "customers").json() == {"list": []}
    assert [
        each["customer"]["deleted"] for each in wire("GET", "customers", include_deleted="true").json()["list"]
    ] == [True]
    assert wire("POST", "customers", id="C-1").json()["api_error_code"] == "duplicate_entry"


def test_a_blank_value_clears_an_attribute_and_null_ones_are_absent(wire: Callable[..., requests.Response]) -> None:
    wire("POST", "customers", id="C-1", company="Acme", phone="1", cf_region="EMEA")

    cleared = wire("POST", "customers/C-1", phone="").json()["customer"]

    assert "phone" not in cleared
    assert (cleared["company"], cleared["cf_region"]) == ("Acme", "EMEA")


def test_versions_grow_within_a_second(wire: Callable[..., requests.Response]) -> None:
    versions = [wire("POST", "customers", id=f"C-{n}").json()["customer"]["resource_version"] for n in range(3)]

    assert versions == sorted(set(versions))
    assert versions[0] // 1000 == START


def test_every_attribute_that_is_answered_is_one_that_the_sdk_knows(witness: Witness) -> None:
    """The SDK is generated from Chargebee's own description of its API; `object` names a resource's type."""
    witness.settings(tax_pct={"DE": 19})
    witness.catalog()
    witness.customer(meta_data='{"customer_number": "C-1"}', vat_number="DE1", business_entity_id="US01")
    api = witness.api
    api.Subscription.create_with_items("C-1", {"subscription_items": [{"item_price_id": "seat-EUR", "quantity": 2}]})
    invoice = api.Invoice.list({}).list[0].invoice
    part = {"reference_line_item_id": invoice.line_items[0].id, "quantity": 1}
    api.CreditNote.create({"reference_invoice_id": invoice.id, "type": "adjustment", "line_items": [part]})
    resources = [api.Customer, api.ItemFamily, api.Item, api.ItemPrice, api.Subscription, api.Invoice, api.CreditNote]

    unknown = {name for each in resources for entry in each.list({}).list for name in _unknown(entry)}

    assert unknown == set()


def _unknown(entry: Any, path: str = "") -> Iterator[str]:
    """Attributes in the raw answers behind an SDK object for which its class has no field."""
    hints = get_type_hints(type(entry))
    known = {field.name for field in dataclasses.fields(entry)} | {"object"}
    raw = getattr(entry, "raw_data", None) or {}
    yield from (f"{type(entry).__name__}.{name}" for name in raw if name not in known)
    for name, hint in hints.items():
        value = getattr(entry, name)
        inner = [each for each in (hint, *get_args(hint)) if isinstance(each, type) and issubclass(each, Model)]
        if inner or isinstance(value, Model):
            for each in value if isinstance(value, list) else [value]:
                if each is not None:
                    yield from _unknown(each, f"{path}.{name}")
