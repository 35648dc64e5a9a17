"""S/4HANA behind the port: what it costs, what it sends, and how it reads and writes."""

from __future__ import annotations

import random
from typing import Any

import pytest
import requests
from stand_in_s4hana import AREA, OPTIONS

from sync_pipelines import mappings
from sync_pipelines.engine.port import Operation, Request, State
from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.errors import FixConfiguration, InDoubt, RetryLater
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.faults import Rule
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.s4hana import seed
from sync_pipelines.sandbox.transport import InProcess
from sync_pipelines.systems.s4hana import S4hana, open_system
from sync_pipelines.testing.stand_in import NOW

PARTNER, ORDER, BILL = "A_BusinessPartner", "A_SalesOrder", "A_BillingDocument"
ADDRESS = {"CityName": "VARCHAR", "to_EmailAddress": {"results": [{"EmailAddress": "VARCHAR"}]}}
SHAPE = {"OrganizationBPName1": "VARCHAR", "to_BusinessPartnerAddress": {"results": [ADDRESS]}}


class System:
    """A fresh stand-in with one customer and one material, and the adapter on it."""

    def __init__(self, **options: str) -> None:
        self.clock = VirtualClock(NOW)
        self.sandbox = open_sandbox("s4hana", clock=self.clock)
        buyer = {
            "BusinessPartner": "5",
            "Customer": "5",
            "BusinessPartnerCategory": "2",
            "OrganizationBPName1": "Buyer",
        }
        stamps = {"CreationDate": "2026-01-01T00:00:00", "ETag": "IMPORT"}
        rows = {
            PARTNER: [{**buyer, **stamps}],
            "A_Customer": [{"Customer": "5"}],
            "A_CustomerSalesArea": [{**AREA, "Customer": "5"}],
        }
        seed(self.sandbox.store, rows | {"material": [{"Material": "TG11"}]})
        self.system = self.open(**options)

    def open(self, **options: str) -> S4hana:
        session = requests.Session()
        session.mount("http://s4.test", InProcess(self.sandbox))
        told = {**OPTIONS, **options}
        settings = SystemSettings("s4", "s4hana", "http://s4.test", calls_per_second=1000, concurrency=1, options=told)
        return open_system(settings, clock=self.clock, session=session, rng=random.Random(1))

    def make(self, *names: str) -> list[str]:
        outcomes = self.system.write([partner(name) for name in names])
        return [str(each.record_id) for each in outcomes]

    def read(self, object: str = PARTNER, since: Any = None) -> tuple[list[str], Any]:
        pages = list(self.system.read(object, {}, since))
        return [each for page in pages for each in page.record_ids], pages[-1].cursor if pages else since

    def calls(self) -> list[str]:
        return [f"{each.method} {each.path.partition('?')[0].rpartition('/')[2]}" for each in self.sandbox.requests]


def partner(name: str, **body: Any) -> Request:
    told = {"BusinessPartnerCategory": "2", "OrganizationBPName1": name, **body}
    return Request(f"w-{name}", PARTNER, Operation.CREATE, None, f"c-{name}", told)


def order(number: str = "D-1", **body: Any) -> Request:
    price = {"ConditionType": "PPR0", "ConditionRateValue": "10.5", "ConditionCurrency": "EUR"}
    item = {"Material": "TG11", "RequestedQuantity": "2", "to_PricingElement": [price]}
    area = {"SalesOrganization": "1010", "DistributionChannel": "10", "OrganizationDivision": "00"}
    told = {"SalesOrderType": "OR", **area, "SoldToParty": "5", "TransactionCurrency": "EUR", "to_Item": [item], **body}
    return Request(f"w-{number}", ORDER, Operation.CREATE, None, number, told)


def update(record_id: str, version: str | None = None, **body: Any) -> Request:
    return Request("w-u", PARTNER, Operation.UPDATE, record_id, "c-1", body, expected_version=version)


@pytest.fixture
def s4() -> System:
    return System()


def test_a_read_takes_a_call_a_page_and_a_batch_of_writes_one_after_its_token(s4: System) -> None:
    s4.make(*(f"P{number}" for number in range(50)))
    written = s4.calls()
    found, cursor = s4.read()
    s4.system.changed({PARTNER: cursor})

    assert written == ["GET ", "POST $batch"]
    assert s4.calls()[2:] == ["GET A_BusinessPartner", "GET A_BusinessPartner"]
    assert len(found) == 51


def test_only_what_is_declared_is_asked_for_with_what_is_inside_of_it(s4: System) -> None:
    email = {"EmailAddress": "a@b.example"}
    address = {"CityName": "Ulm", "StreetName": "Ring 1", "to_EmailAddress": [email]}
    s4.system.write([partner("P", to_BusinessPartnerAddress=[address])])

    (page,) = s4.system.read(PARTNER, SHAPE, None)

    told = page.payloads[page.record_ids.index("6")].decode()
    assert '"CityName":"Ulm"' in told
    assert '"EmailAddress":"a@b.example"' in told
    assert "StreetName" not in told


def test_a_read_that_was_broken_off_goes_on_after_its_last_page_and_then_begins_anew(
    s4: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync_pipelines.systems.s4hana.adapter.PAGE_MAX", 2)
    s4.make("A", "B", "C")

    first = next(s4.system.read(PARTNER, {}, None))
    rest, cursor = s4.read(since=first.cursor)
    monkeypatch.undo()

    assert (list(first.record_ids), rest) == (["5", "6"], ["7", "8"])
    assert s4.system.changed({PARTNER: first.cursor})
    assert cursor == {"at": "2026-11-23T12:00:00+00:00"}
    assert not s4.system.changed({PARTNER: cursor})


def test_a_server_that_gives_shorter_pages_is_read_to_the_end(s4: System) -> None:
    s4.make("A", "B", "C")
    s4.sandbox.vendor.admin("settings", {"page_max": 2})

    assert (s4.read()[0], [each for page in s4.system.ids(PARTNER) for each in page]) == (["5", "6", "7", "8"],) * 2


def test_what_changed_while_the_read_went_on_is_read_again(s4: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync_pipelines.systems.s4hana.adapter.PAGE_MAX", 2)
    first, *_ = s4.make("A", "B", "C")
    pages = s4.system.read(PARTNER, {}, None)
    next(pages)
    s4.clock.advance(3600)
    s4.open().write([update(first, OrganizationBPName1="Moved")])
    s4.clock.advance(3600)
    s4.open().write([partner("Last")])
    *_, last = pages
    s4.clock.advance(3600)

    assert first in s4.read(since=last.cursor)[0]


def test_a_change_in_the_hour_that_comes_twice_is_read(s4: System) -> None:
    """Clocks in Berlin are put back at 01:00 UTC."""
    s4.clock.advance((NOW.replace(year=2027, month=10, day=31, hour=0, minute=50) - NOW).total_seconds())
    (first,) = s4.make("A")
    cursor = s4.read()[1]
    s4.clock.advance(1500)
    s4.system.write([update(first, OrganizationBPName1="B")])

    assert s4.system.changed({PARTNER: cursor})
    assert s4.read(since=cursor)[0] == [first]


def test_an_update_changes_a_partner_and_what_is_inside_of_it_or_nothing(s4: System) -> None:
    address = {"CityName": "Ulm", "to_EmailAddress": [{"EmailAddress": "a@b.example"}]}
    tax = {"BPTaxType": "DE0", "BPTaxNumber": "DE1"}
    (made,) = s4.system.write([partner("P", to_BusinessPartnerAddress=[address], to_BusinessPartnerTax=[tax])])
    held = s4.sandbox.store.all("A_BusinessPartnerAddress")[0]["AddressID"]
    mail = {"method": "DELETE", "Person": "", "OrdinalNumber": "1"}
    phone = {"method": "POST", "PhoneNumber": "+49 1"}
    inner = {
        "method": "PATCH",
        "AddressID": held,
        "CityName": "Bonn",
        "to_EmailAddress": [mail],
        "to_PhoneNumber": [phone],
    }
    taxes = [{"method": "PATCH", "BPTaxType": "DE0", "BPTaxNumber": "DE2"}]
    body = {"OrganizationBPName1": "Q", "to_BusinessPartnerAddress": [inner], "to_BusinessPartnerTax": taxes}

    (outcome,) = s4.system.write([update(str(made.record_id), **body)])
    (wrong,) = s4.system.write([update(str(made.record_id), **{**body, "OrganizationBPName1": "R"})])

    assert (outcome.state, outcome.message) == (State.CONFIRMED, "")
    assert s4.sandbox.store.count("A_AddressEmailAddress") == 0
    assert [row["PhoneNumber"] for row in s4.sandbox.store.all("A_AddressPhoneNumber")] == ["+49 1"]
    assert s4.sandbox.store.all("A_BusinessPartnerTaxNumber")[0]["BPTaxNumber"] == "DE2"
    assert (wrong.state, wrong.code) == (State.REFUSED, "gone")
    assert s4.sandbox.store.get(PARTNER, str(made.record_id))["OrganizationBPName1"] == "Q"


def test_an_update_with_an_old_version_is_refused_as_drifted(s4: System) -> None:
    (first,) = s4.make("A")
    version = s4.system.fetch(PARTNER, {}, [first])[first].version
    s4.clock.advance(1)
    s4.system.write([update(first, version, OrganizationBPName1="B")])

    (outcome,) = s4.system.write([update(first, version, OrganizationBPName1="C")])

    assert (outcome.state, outcome.code) == (State.REFUSED, "drifted")


def test_an_order_is_made_whole_and_found_by_its_number(s4: System) -> None:
    (outcome,) = s4.system.write([order()])
    found = s4.system.find(ORDER, ["D-1", "D-2"])

    assert (outcome.state, list(found), found["D-1"].record_id) == (State.CONFIRMED, ["D-1"], outcome.record_id)
    assert s4.sandbox.store.all(ORDER)[0]["TotalNetAmount"] == "21.00"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"SoldToParty": "9"}, "unknown_reference"),
        ({"to_Item": [{"Material": "GONE", "RequestedQuantity": "1"}]}, "unknown_reference"),
        ({"SalesOrderType": "TOO LONG"}, "too_long"),
    ],
)
def test_an_order_that_is_refused_says_why(s4: System, body: dict[str, Any], code: str) -> None:
    refused, taken = s4.system.write([order("D-1", **body), order("D-2")])

    assert (refused.state, refused.code, taken.state) == (State.REFUSED, code, State.CONFIRMED)


def test_a_record_that_somebody_works_on_is_tried_by_another_run(s4: System) -> None:
    words = "Sales order is currently being processed by user MILLER"
    s4.sandbox.faults.add(Rule(route="create A_SalesOrder", kind="row", code="V1/042", message=words))

    (outcome,) = s4.system.write([order()])

    assert (outcome.state, outcome.code, "MILLER" in outcome.message) == (State.FAILED, "locked", False)


def test_a_customer_is_found_by_its_number_in_capitals(s4: System) -> None:
    (first,) = s4.make("a")

    assert s4.sandbox.store.get(PARTNER, first)["BusinessPartnerIDByExtSystem"] == "C-A"
    assert s4.system.find(PARTNER, ["c-a"])["c-a"].record_id == first


def test_a_token_that_has_ended_is_fetched_anew_and_the_batch_sent_once_more(s4: System) -> None:
    s4.make("A")
    s4.clock.advance(1801)

    (outcome,) = s4.system.write([order()])

    assert outcome.state is State.CONFIRMED
    assert s4.calls()[2:] == ["POST $batch", "GET ", "POST $batch"]
    assert s4.sandbox.store.count(ORDER) == 1


def test_a_token_that_is_never_taken_is_for_a_person(s4: System) -> None:
    refusal = {"kind": "status", "status": 403, "headers": {"x-csrf-token": "Required"}, "body": "CSRF"}
    s4.sandbox.faults.add(Rule(route=r"\$batch", **refusal))

    with pytest.raises(FixConfiguration, match="token"):
        s4.system.write([order()])


def test_a_batch_whose_reply_is_lost_is_in_doubt_and_not_sent_again(s4: System) -> None:
    s4.sandbox.faults.add(Rule(route=r"\$batch", kind="drop_after_commit", nth=1))

    with pytest.raises(InDoubt):
        s4.system.write([order()])

    assert s4.sandbox.store.count(ORDER) == 1


def test_what_an_answer_that_was_cut_off_does_not_tell_is_in_doubt(s4: System) -> None:
    s4.sandbox.faults.add(Rule(route=r"\$batch", kind="truncate_body", nth=1))

    outcomes = s4.system.write([order("D-1"), order("D-2")])

    assert outcomes[-1].state is State.IN_DOUBT
    assert s4.sandbox.store.count(ORDER) == 2


def test_a_gateway_that_asks_for_patience_is_left_alone_for_as_long(s4: System) -> None:
    s4.sandbox.faults.add(Rule(route="GET", kind="status", status=429, headers={"Retry-After": "90"}, body={}))

    with pytest.raises(RetryLater) as told:
        s4.read()

    assert told.value.after == 90


def test_an_unknown_field_is_told_by_its_name(s4: System) -> None:
    with pytest.raises(FixConfiguration, match="A_SalesOrderType has no property Colour"):
        list(s4.system.read(ORDER, {"Colour": "VARCHAR"}, None))


def test_the_doctor_is_told_every_entity_set_that_lacks_a_declared_field(s4: System) -> None:
    s4.system.check_shapes(mappings.objects("s4hana"))

    with pytest.raises(FixConfiguration) as told:
        s4.system.check_shapes({PARTNER: {"Colour": "VARCHAR"}, ORDER: {}, BILL: {"Shape": "VARCHAR"}})

    named = [line for line in str(told.value).splitlines() if line.startswith("  - ")]
    assert [("Colour" in line, "Shape" in line) for line in named] == [(False, True), (True, False)]


def test_billing_documents_are_never_written(s4: System) -> None:
    with pytest.raises(FixConfiguration, match="only be read"):
        s4.system.write([Request("w", BILL, Operation.CREATE, None, "x", {})])


def test_a_wrong_password_is_for_a_person(s4: System) -> None:
    with pytest.raises(FixConfiguration, match="password"):
        s4.open(password="wrong").identity()


def test_any_answer_tells_which_system_it_is_of(s4: System) -> None:
    s4.system.count(PARTNER)
    before = s4.system.calls.total

    assert (s4.system.identity(), s4.system.calls.total) == ("S4H_100", before)


def test_the_system_is_known_by_its_name_and_client(s4: System) -> None:
    first = s4.system.identity()
    s4.sandbox.vendor.admin("settings", {"sid": "S4Q"})

    assert (first, s4.open().identity()) == ("S4H_100", "S4Q_100")
