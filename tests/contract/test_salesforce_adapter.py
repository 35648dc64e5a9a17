from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
import requests
from msgspec.structs import replace

from sync_pipelines import mappings
from sync_pipelines.engine.port import Operation, Request, State
from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.errors import FixConfiguration, InDoubt, RetryLater
from sync_pipelines.sandbox.app import Sandbox
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.faults import FaultPlan, Rule
from sync_pipelines.sandbox.salesforce import load_schema, open_vendor, record_id, seed
from sync_pipelines.sandbox.salesforce.moment import stamp
from sync_pipelines.sandbox.store import Store
from sync_pipelines.sandbox.transport import InProcess
from sync_pipelines.systems.salesforce import Salesforce, open_system

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
URL = "http://meridian.test"
SHAPES = mappings.objects("salesforce")
ACCOUNT = {"Name": "VARCHAR"}
PAGE = 200


class Crm:
    """A Salesforce stand-in, the adapter on it, and what a test does behind the adapter's back."""

    def __init__(self) -> None:
        self.clock = VirtualClock(NOW)
        self.store = Store(None)
        self.faults = FaultPlan()
        schema = load_schema()
        schema = replace(schema, behaviour=replace(schema.behaviour, page_max=PAGE))
        vendor = open_vendor(self.store, clock=self.clock, faults=self.faults, schema=schema)
        self.sandbox = Sandbox(vendor, self.store, clock=self.clock, faults=self.faults)
        self.adapter = self.open()

    def open(self, *, secret: str = "sandbox-secret") -> Salesforce:
        session = requests.Session()
        session.mount(URL, InProcess(self.sandbox))
        options = {"client_id": "sandbox-client", "client_secret": secret}
        settings = SystemSettings(
            name="salesforce", adapter="salesforce", url=URL, calls_per_second=1000, options=options
        )
        return open_system(settings, clock=self.clock, session=session)

    def accounts(self, count: int, *, first: int = 1, at: datetime = NOW) -> list[str]:
        """Accounts that all carry one stamp."""
        ids = [record_id("001", number) for number in range(first, first + count)]
        seed(
            self.store,
            {"Account": [{"Id": i, "Name": f"Account {i}", "SystemModstamp": stamp(at)} for i in ids]},
        )
        return ids

    def admin(self, action: str, **given: object) -> None:
        self.sandbox.vendor.admin(action, given)

    def fault(self, route: str, kind: str, **more: object) -> None:
        self.faults.add(Rule(route=route, kind=kind, **more))

    def live(self, object: str) -> list[dict]:
        return [row for row in self.store.all(object) if not row["IsDeleted"]]

    def read(self, cursor=None, shape=ACCOUNT) -> tuple[dict[str, bool], dict]:
        """Ids with their deleted flag, and the last cursor."""
        seen: dict[str, bool] = {}
        for page in self.adapter.read("Account", shape, cursor):
            seen |= dict(zip(page.record_ids, page.deleted, strict=True))
            cursor = page.cursor
        return seen, cursor


@pytest.fixture
def crm() -> Crm:
    return Crm()


def create(number: int, account: str, **body: object) -> Request:
    return Request(
        write_id=f"w{number}",
        object="Entitlement",
        operation=Operation.CREATE,
        record_id=None,
        external_id=f"entitlement-{number}",
        body={"Name": f"Seats {number}", "AccountId": account, **body},
    )


def rename(record: str, name: object) -> Request:
    return Request("w1", "Account", Operation.UPDATE, record, "link", {"Name": name})


def test_the_organization_behind_the_credentials_is_told_and_a_refreshed_sandbox_is_another(crm):
    before = crm.adapter.identity()
    crm.admin("organization", id="00DHs0000099999")

    assert before.startswith("00D")
    assert crm.adapter.identity() != before


def test_a_full_read_sees_every_row_once_over_ties_at_page_edges(crm):
    ids = crm.accounts(450)

    pages = list(crm.adapter.read("Account", ACCOUNT, None))

    assert [len(page.record_ids) for page in pages] == [200, 200, 50]
    assert [record for page in pages for record in page.record_ids] == ids
    assert crm.adapter.count("Account") == 450
    assert [record for page in crm.adapter.ids("Account") for record in page] == ids


def test_reading_on_from_any_pages_cursor_misses_nothing(crm):
    ids = crm.accounts(450)
    pages = list(crm.adapter.read("Account", ACCOUNT, None))

    for number, page in enumerate(pages):
        rest, _ = crm.read(page.cursor)
        already = {record for earlier in pages[: number + 1] for record in earlier.record_ids}
        assert already | set(rest) == set(ids)


def test_payloads_carry_the_declared_fields_of_every_object_that_is_mapped(crm):
    crm.accounts(1)

    (page,) = crm.adapter.read("Account", SHAPES["Account"], None)

    assert set(SHAPES["Account"]) <= set(msgspec.json.decode(page.payloads[0]))


def test_the_mappings_fit_what_the_org_shows(crm):
    crm.adapter.check_shapes(SHAPES)


def test_a_second_read_brings_what_changed_and_the_overlap_alone(crm):
    old = crm.accounts(3, at=NOW - timedelta(hours=2))
    recent = crm.accounts(1, first=50, at=NOW - timedelta(hours=1))
    _, cursor = crm.read()
    quiet = not crm.adapter.changed({"Account": cursor})

    crm.adapter.write([rename(old[1], "Acme AG")])

    assert quiet
    assert crm.adapter.changed({"Account": cursor})
    assert set(crm.read(cursor)[0]) == {old[1], *recent}


def test_a_row_that_becomes_visible_late_with_an_older_stamp_is_read(crm):
    crm.accounts(1)
    crm.admin("save_late", object="Account", values={"Name": "Late"}, seconds=900)
    crm.clock.advance(600)
    crm.accounts(1, first=50, at=crm.clock.now())
    early, cursor = crm.read()
    crm.clock.advance(301)

    late, _ = crm.read(cursor)

    assert len(early) == 2
    assert len(late) == 3


def test_deletes_merges_and_restores_come_in_pages(crm):
    winner, loser, gone = crm.accounts(3, at=NOW - timedelta(hours=2))
    _, cursor = crm.read()
    crm.admin("merge", winner=winner, losers=[loser])
    crm.sandbox.vendor.api.bin.delete(crm.sandbox.vendor.org.lookup.object("Account"), gone)

    (page,) = crm.adapter.read("Account", {"MasterRecordId": "VARCHAR"}, cursor)
    seen = dict(zip(page.record_ids, zip(page.deleted, page.payloads, strict=True), strict=True))
    crm.clock.advance(1)
    crm.admin("undelete", ids=[gone])

    assert {record: deleted for record, (deleted, _) in seen.items()} == {winner: False, loser: True, gone: True}
    assert msgspec.json.decode(seen[loser][1])["MasterRecordId"] == winner
    assert crm.read(page.cursor)[0][gone] is False
    assert crm.adapter.count("Account") == 2


def test_a_token_that_expires_between_two_pages_is_renewed(crm):
    crm.accounts(450)
    crm.fault("GET .*/query/", "expire_token", nth=1)

    assert len(crm.read()[0]) == 450


def test_a_locator_that_expires_between_two_pages_costs_nothing(crm):
    ids = crm.accounts(450)
    pages = crm.adapter.read("Account", ACCOUNT, None)
    first = next(pages)
    crm.clock.advance(3 * 24 * 3600)

    rest = [record for page in pages for record in page.record_ids]

    assert [*first.record_ids, *rest] == ids


@pytest.mark.parametrize("kind", ["html", "truncate_body", "drop_before_commit", "drop_after_commit"])
def test_a_read_survives_a_maintenance_page_a_cut_body_and_a_reset(crm, kind):
    crm.accounts(450)
    crm.fault("GET .*/query", kind, every=2, times=2)

    assert len(crm.read()[0]) == 450


def test_a_day_without_calls_left_ends_the_read_at_once(crm):
    crm.accounts(1)
    crm.admin("limits", max=0)

    with pytest.raises(RetryLater) as caught:
        crm.read()
    assert caught.value.after
    assert crm.clock.now() == NOW


def test_wrong_credentials_name_the_settings(crm):
    with pytest.raises(FixConfiguration, match="client_secret") as caught:
        crm.open(secret="wrong-one").count("Account")
    assert "wrong-one" not in str(caught.value)


def test_a_field_that_the_org_does_not_have_is_named_in_query_and_describe(crm):
    crm.admin("alter", object="Account", field="Tax_Id__c", changes=None)

    with pytest.raises(FixConfiguration, match=r"Account has no field 'Tax_Id__c'.*objects.toml"):
        crm.read(shape=SHAPES["Account"])
    with pytest.raises(FixConfiguration, match=r"\[Account\] field 'Tax_Id__c'"):
        crm.adapter.check_shapes(SHAPES)


def test_records_are_fetched_as_they_are_now_without_the_deleted_ones(crm):
    kept, gone = crm.accounts(2)
    crm.sandbox.vendor.api.bin.delete(crm.sandbox.vendor.org.lookup.object("Account"), gone)

    found = crm.adapter.fetch("Account", ACCOUNT, [kept, gone, record_id("001", 99)])

    assert list(found) == [kept]
    assert found[kept].version == stamp(NOW)


def test_a_fetch_of_many_reads_every_page_that_the_server_makes_of_it(crm):
    ids = crm.accounts(450)

    assert set(crm.adapter.fetch("Account", ACCOUNT, ids)) == set(ids)


def test_two_hundred_creates_are_one_call_and_sent_twice_they_exist_once(crm):
    (account,) = crm.accounts(1)
    requests_ = [create(number, account) for number in range(200)]

    first = crm.adapter.write(requests_)
    again = crm.adapter.write(requests_)

    assert {outcome.state for outcome in first} == {State.CONFIRMED}
    assert [each.record_id for each in first] == [each.record_id for each in again]
    assert len(crm.live("Entitlement")) == 200
    assert crm.adapter.calls.total == 2


def test_one_bad_row_is_refused_and_the_rest_is_committed(crm):
    (account,) = crm.accounts(1)

    good, bad, also_good = crm.adapter.write([create(1, account), create(2, record_id("001", 99)), create(3, account)])

    assert [good.state, also_good.state] == [State.CONFIRMED] * 2
    assert (bad.state, bad.code) == (State.REFUSED, "INVALID_CROSS_REFERENCE_KEY")
    assert len(crm.live("Entitlement")) == 2


def test_a_value_that_is_too_long_is_refused_and_not_cut(crm):
    (account,) = crm.accounts(1)

    (outcome,) = crm.adapter.write([rename(account, "x" * 300)])

    assert (outcome.state, outcome.code) == (State.REFUSED, "STRING_TOO_LONG")
    assert "Name" in outcome.message


def test_an_unknown_field_in_a_write_names_the_mapping(crm):
    (account,) = crm.accounts(1)

    with pytest.raises(FixConfiguration, match=r"Entitlement has no field 'Colour__c'.*\.write\.sql"):
        crm.adapter.write([create(1, account, Colour__c="red")])
    assert crm.live("Entitlement") == []


@pytest.mark.parametrize(("kind", "committed"), [("drop_after_commit", True), ("drop_before_commit", False)])
def test_a_lost_reply_is_in_doubt_and_find_tells_whether_it_was_committed(crm, kind, committed):
    (account,) = crm.accounts(1)
    crm.fault("PATCH .*/composite", kind, nth=1)

    with pytest.raises(InDoubt):
        crm.adapter.write([create(1, account)])

    assert ("entitlement-1" in crm.adapter.find("Entitlement", ["entitlement-1"])) is committed
    assert crm.adapter.write([create(1, account)])[0].state is State.CONFIRMED
    assert len(crm.live("Entitlement")) == 1


def test_a_commit_slower_than_our_patience_is_in_doubt(crm):
    (account,) = crm.accounts(1)
    crm.fault("PATCH .*/composite", "delay", nth=1, seconds=600)

    with pytest.raises(InDoubt):
        crm.adapter.write([create(1, account)])


def test_locked_rows_are_written_in_the_end(crm):
    (account,) = crm.accounts(1)
    crm.fault("create Entitlement", "row", every=3)

    outcomes = crm.adapter.write([create(number, account) for number in range(30)])

    assert {outcome.state for outcome in outcomes} == {State.CONFIRMED}
    assert len(crm.live("Entitlement")) == 30


def test_maintenance_lets_reads_go_on_and_parks_writes(crm):
    (account,) = crm.accounts(1)
    crm.admin("maintenance", on=True)

    with pytest.raises(RetryLater):
        crm.adapter.write([rename(account, "Acme AG")])
    assert crm.adapter.count("Account") == 1
