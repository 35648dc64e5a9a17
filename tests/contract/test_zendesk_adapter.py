from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from sync_pipelines.engine.port import Operation, Outcome, Request, State
from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.errors import FixConfiguration, InDoubt, RetryLater
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.faults import Rule
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.transport import InProcess
from sync_pipelines.sandbox.zendesk import seed
from sync_pipelines.systems.zendesk import Zendesk, open_system
from sync_pipelines.systems.zendesk.slot import SLOTS

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
URL = "http://meridian.test"
KINDS = {"number": "text", "product": "text", "quantity": "decimal", "start_on": "date", "end_on": "date"}
ORGANIZATIONS, TICKETS, FIELDS = "organizations", "tickets", "ticket_fields"
EXPORT = "GET /api/v2/incremental/organizations"
JOB, ASKED = "POST /api/v2/organizations/create_many", "GET /api/v2/job_statuses/<name>"


class Desk:
    """A Zendesk stand-in, the adapter on it, and what a test does behind the adapter's back."""

    def __init__(self) -> None:
        self.clock = VirtualClock(NOW)
        self.sandbox = open_sandbox("zendesk", clock=self.clock)
        self.store = self.sandbox.store
        keys = [(f"entitlement_{slot}_{name}", kind) for slot in range(1, SLOTS + 1) for name, kind in KINDS.items()]
        self.seed("organization_field", [{"id": n, "key": k, "type": t} for n, (k, t) in enumerate(keys, 1)])
        self.adapter = self.open()

    def open(self, *, secret: str = "sandbox-secret") -> Zendesk:
        session = requests.Session()
        session.mount(URL, InProcess(self.sandbox))
        options = {"client_id": "sandbox-client", "client_secret": secret}
        settings = SystemSettings("zendesk", "zendesk", URL, calls_per_second=100_000, concurrency=1, options=options)
        return open_system(settings, clock=self.clock, session=session)

    def seed(self, kind: str, rows: list[dict[str, Any]]) -> None:
        seed(self.store, {kind: rows})

    def organizations(self, count: int, *, first: int = 1, at: datetime = NOW - timedelta(hours=2)) -> list[str]:
        """Organizations that all changed at one instant."""
        stamp, numbers = f"{at:%Y-%m-%dT%H:%M:%SZ}", range(first, first + count)
        self.seed("organization", [{"id": n, "name": f"Org {n}", "updated_at": stamp} for n in numbers])
        return [str(number) for number in numbers]

    def tickets(self, count: int, **more: Any) -> list[str]:
        rows = [
            {"id": n, "subject": f"T{n}", "updated_at": "2026-11-01T00:00:00Z", **more} for n in range(1, count + 1)
        ]
        self.seed("ticket", rows)
        return [str(row["id"]) for row in rows]

    def settings(self, **changes: Any) -> None:
        self.sandbox.vendor.admin("settings", changes)

    def fault(self, route: str, kind: str, **more: Any) -> None:
        self.sandbox.faults.add(Rule(route=route, kind=kind, **more))

    def read(self, object: str = ORGANIZATIONS, cursor: Any = None) -> tuple[dict[str, bool], Any]:
        """Ids with their deleted flag, and the last cursor."""
        seen: dict[str, bool] = {}
        for page in self.adapter.read(object, {}, cursor):
            seen |= dict(zip(page.record_ids, page.deleted, strict=True))
            cursor = page.cursor
        return seen, cursor

    def spent(self) -> dict[str, int]:
        """The calls that arrived since this was last asked, by route, without those for a token."""
        calls = {route: number for route, number in self.sandbox.calls.items() if "oauth" not in route}
        self.sandbox.calls.clear()
        return calls

    def fields(self, number: str) -> dict[str, Any]:
        held = (self.store.get("organization", number) or {})["organization_fields"]
        return {name: value for name, value in held.items() if value is not None}


@pytest.fixture
def desk() -> Desk:
    return Desk()


def create(number: int, **body: Any) -> Request:
    return Request(
        f"w{number}", ORGANIZATIONS, Operation.CREATE, None, f"customer-{number}", {"name": f"Org {number}", **body}
    )


def update(record_id: str, **body: Any) -> Request:
    return Request(f"u{record_id}", ORGANIZATIONS, Operation.UPDATE, record_id, "link", body)


def entitle(organization: str, slot: int, number: str, **more: Any) -> Request:
    said = {"number": number, "product": "sku-0001", "quantity": 5, "start_on": "2026-01-01", **more}
    body = {"organization_fields": {f"entitlement_{slot}_{name}": value for name, value in said.items()}}
    external_id = f"{organization}/{slot}/{number}"
    return Request(f"e{number}", ORGANIZATIONS, Operation.CREATE, None, external_id, body)


def states(outcomes: Any) -> list[State]:
    return [outcome.state for outcome in outcomes]


def test_the_account_behind_the_credentials_is_told_and_a_sandbox_is_another(desk: Desk) -> None:
    before = desk.adapter.identity()
    desk.settings(subdomain="meridian1620000000")

    assert (before, desk.adapter.identity()) == ("meridian.zendesk.com", "meridian1620000000.zendesk.com")


def test_rows_tell_the_account_that_they_are_of(desk: Desk) -> None:
    desk.organizations(2)
    desk.read()
    desk.spent()
    before = desk.adapter.identity()
    spent = desk.spent()
    desk.settings(subdomain="meridian1620000000")
    desk.adapter.write([create(9)])
    desk.read()

    assert (before, spent) == ("meridian.zendesk.com", {})
    assert desk.adapter.identity() == "meridian1620000000.zendesk.com"


def test_a_full_read_costs_a_call_for_each_thousand_and_a_read_without_news_one(desk: Desk) -> None:
    for hour in range(1, 4):
        desk.organizations(900, first=hour * 1000, at=NOW - timedelta(hours=10 - hour))
    desk.adapter.identity()
    desk.spent()

    seen, cursor = desk.read()
    full = desk.spent()
    again, _ = desk.read(cursor=cursor)

    assert len(seen) == 2700
    assert full == {EXPORT: 3}
    assert desk.spent() == {EXPORT: 1}
    assert set(again) == {str(number) for number in range(3000, 3900)}


def test_a_run_over_everything_that_the_graph_reads_costs_two_calls_where_nothing_changed(desk: Desk) -> None:
    desk.organizations(3)
    desk.seed("ticket_field", [{"id": 1, "title": "Product", "type": "tagger"}])
    cursors = {name: desk.read(name)[1] for name in (ORGANIZATIONS, FIELDS)}
    desk.spent()

    changed = desk.adapter.changed(cursors)
    probes = desk.spent()
    for name, cursor in cursors.items():
        desk.read(name, cursor)

    assert changed == set()
    assert sum(probes.values()) == 2
    assert sum(desk.spent().values()) == 2


def test_more_than_a_page_of_one_second_are_read_by_list_and_the_export_goes_on_after_them(desk: Desk) -> None:
    early = desk.organizations(10, at=NOW - timedelta(hours=3))
    crowd = desk.organizations(1500, first=100)
    late = desk.organizations(5, first=5000, at=NOW - timedelta(hours=1))

    seen, cursor = desk.read()

    assert set(seen) == {*early, *crowd, *late}
    assert cursor == {"at": int((NOW - timedelta(hours=1)).timestamp())}


def test_reading_on_from_any_pages_cursor_misses_nothing(desk: Desk) -> None:
    desk.settings(export_page_max=1000)
    ids = [i for n in range(25) for i in desk.organizations(90, first=n * 100 + 1, at=NOW - timedelta(hours=30 - n))]
    pages = list(desk.adapter.read(ORGANIZATIONS, {}, None))

    for number, page in enumerate(pages):
        rest, _ = desk.read(cursor=json.loads(json.dumps(page.cursor)))
        already = {record for earlier in pages[: number + 1] for record in earlier.record_ids}
        assert already | set(rest) == set(ids)


def test_exports_are_paced_by_their_headers_so_that_none_is_refused(desk: Desk) -> None:
    for hour in range(1, 24):
        desk.organizations(600, first=hour * 1000, at=NOW - timedelta(hours=30 - hour))

    seen, _ = desk.read()

    assert len(seen) == 23 * 600
    assert 429 not in {each.status for each in desk.sandbox.requests}
    assert desk.clock.now() > NOW


def test_what_we_wrote_is_read_at_once_although_the_export_holds_it_back(desk: Desk) -> None:
    (mine,) = desk.organizations(1)
    _, cursor = desk.read()

    (made, changed) = (*desk.adapter.write([create(7)]), *desk.adapter.write([update(mine, name="Acme AG")]))
    desk.spent()
    seen, same = desk.read(cursor=cursor)
    calls = desk.spent()
    desk.clock.advance(180)
    later, _ = desk.read(cursor=same)

    assert states([made, changed]) == [State.CONFIRMED] * 2
    assert (set(seen), same) == ({mine, made.record_id}, cursor)
    assert calls == {EXPORT: 1, "GET /api/v2/organizations/show_many": 1}
    assert set(later) == {mine, made.record_id}
    assert "GET /api/v2/organizations/show_many" not in desk.spent()


def test_what_a_read_back_found_is_read_at_once_too(desk: Desk) -> None:
    desk.fault("create_many", "drop_after_commit", nth=1)
    with pytest.raises(InDoubt):
        desk.adapter.write([create(1)])

    found = desk.adapter.find(ORGANIZATIONS, ["customer-1"])["customer-1"]

    assert found.record_id in desk.read()[0]


def test_a_hundred_creates_are_one_job_and_sent_twice_they_exist_once(desk: Desk) -> None:
    batch = [create(number) for number in range(100)]

    first = desk.adapter.write(batch)
    calls = desk.spent()
    again = desk.adapter.write(batch)

    assert set(states(first)) == {State.CONFIRMED}
    assert calls == {JOB: 1, ASKED: 1}
    assert [each.record_id for each in again] == [each.record_id for each in first]
    assert desk.store.count("organization") == 100


def test_a_name_that_somebody_else_has_is_refused_with_the_field_and_without_the_value(desk: Desk) -> None:
    desk.organizations(1)

    good, bad = desk.adapter.write([create(2), create(1)])

    assert (good.state, bad.state, bad.code) == (State.CONFIRMED, State.REFUSED, "DuplicateValue")
    assert "[Name]" in bad.message
    assert "Org 1" not in bad.message


def test_a_job_is_waited_for_and_one_that_does_not_end_is_in_doubt(desk: Desk) -> None:
    desk.settings(job_seconds=40)
    slow = desk.adapter.write([create(1)])
    asked = desk.spent()[ASKED]
    desk.settings(job_seconds=3600)

    with pytest.raises(InDoubt, match="has not ended"):
        desk.adapter.write([create(2)])

    assert states(slow) == [State.CONFIRMED]
    assert asked <= 8
    assert desk.spent()[ASKED] <= 25
    desk.clock.advance(3600)
    assert "customer-2" in desk.adapter.find(ORGANIZATIONS, ["customer-2"])


def test_a_job_that_was_killed_leaves_its_rows_in_doubt(desk: Desk) -> None:
    desk.settings(job_seconds=30)
    vendor = desk.sandbox.vendor
    answered = vendor.answer

    def kill_when_asked(request: Any, endpoint: str, arguments: Any) -> Any:
        if endpoint.startswith("GET job_statuses"):
            vendor.admin("kill_job", {"id": arguments["name"]})
        return answered(request, endpoint, arguments)

    vendor.answer = kill_when_asked  # type: ignore[method-assign]

    assert states(desk.adapter.write([create(1), create(2)])) == [State.IN_DOUBT] * 2


def test_a_job_that_can_not_be_asked_about_is_in_doubt(desk: Desk) -> None:
    desk.fault("GET .*/job_statuses/", "status", status=500)

    with pytest.raises(InDoubt):
        desk.adapter.write([create(1)])


def test_a_write_names_the_objects_and_operations_that_it_knows(desk: Desk) -> None:
    void = Request("w", ORGANIZATIONS, Operation.VOID, "1", "link", {})
    ticket = Request("w", TICKETS, Operation.CREATE, None, "link", {})

    for request in (void, ticket):
        with pytest.raises(FixConfiguration, match="only create and update organizations"):
            desk.adapter.write([request])
    assert desk.adapter.write([]) == []


def test_deleted_organizations_are_told_by_the_export_and_by_absence(desk: Desk) -> None:
    kept, gone = desk.organizations(2)
    _, cursor = desk.read()
    held = desk.store.get("organization", gone) or {}
    deleted_at = "2026-11-23T11:30:00Z"
    seed(desk.store, {"organization": [{**held, "deleted_at": deleted_at, "updated_at": deleted_at}]})

    seen, _ = desk.read(cursor=cursor)

    assert seen == {kept: False, gone: True} or seen == {gone: True}
    assert [list(ids) for ids in desk.adapter.ids(ORGANIZATIONS)] == [[kept]]
    assert desk.adapter.fetch(ORGANIZATIONS, {}, [kept, gone]).keys() == {kept}
    assert desk.adapter.count(ORGANIZATIONS) == 1


def test_ids_are_listed_a_hundred_at_a_time(desk: Desk) -> None:
    ids = desk.organizations(250)
    desk.adapter.identity()
    desk.spent()

    listed = [list(page) for page in desk.adapter.ids(ORGANIZATIONS)]

    assert [len(page) for page in listed] == [100, 100, 50]
    assert [number for page in listed for number in page] == ids
    assert desk.spent() == {"GET /api/v2/organizations": 3}


def test_tickets_are_read_by_cursor_with_deletes_and_what_only_the_system_changed(desk: Desk) -> None:
    ids = desk.tickets(2500)
    desk.adapter.identity()
    desk.spent()
    seen, cursor = desk.read(TICKETS)
    full = desk.spent()
    quiet = desk.adapter.changed({TICKETS: cursor})
    for number, more in (("1", {"_deleted": True}), ("2", {})):
        held = desk.store.get("ticket", number) or {}
        desk.store.put("ticket", number, {**held, **more, "_generated": int(NOW.timestamp()) - 600})

    news, _ = desk.read(TICKETS, cursor)

    assert list(seen) == ids
    assert full == {"GET /api/v2/incremental/tickets/cursor": 3}
    assert (quiet, desk.adapter.changed({TICKETS: cursor})) == (set(), {TICKETS})
    assert news == {"1": True, "2": False}
    assert sum(len(page) for page in desk.adapter.ids(TICKETS)) == 2499
    assert desk.adapter.count(TICKETS) == 2499
    assert desk.adapter.fetch(TICKETS, {}, ["1", "2"]).keys() == {"2"}


def test_a_ticket_cursor_that_the_server_no_longer_knows_is_left_for_its_time(desk: Desk) -> None:
    desk.tickets(3)
    _, cursor = desk.read(TICKETS)

    seen, renewed = desk.read(TICKETS, {**cursor, "cursor": "dead"})

    assert set(seen) == {"1", "2", "3"}
    assert renewed == cursor


def test_fields_of_tickets_are_few_and_read_whole(desk: Desk) -> None:
    desk.seed("ticket_field", [{"id": 1, "title": "Product", "type": "tagger", "updated_at": "2026-03-01T00:00:00Z"}])
    seen, cursor = desk.read(FIELDS)
    quiet = desk.adapter.changed({FIELDS: cursor})
    desk.sandbox.vendor.admin("alter_field", {"kind": "ticket_field", "id": 1, "changes": {"title": "Produkt"}})

    assert seen == {"1": False}
    assert (quiet, desk.adapter.changed({FIELDS: cursor})) == (set(), {FIELDS})
    assert desk.adapter.count(FIELDS) is None
    assert b"Produkt" in desk.adapter.fetch(FIELDS, {}, ["1", "2"])["1"].payload


def test_an_object_that_is_not_read_is_named(desk: Desk) -> None:
    with pytest.raises(FixConfiguration, match="Zendesk's 'users' is not known here"):
        list(desk.adapter.read("users", {}, None))


@pytest.mark.parametrize("kind", ["html", "truncate_body", "drop_before_commit", "drop_after_commit"])
def test_a_read_survives_a_maintenance_page_a_cut_body_and_a_reset(desk: Desk, kind: str) -> None:
    for hour in range(1, 4):
        desk.organizations(900, first=hour * 1000, at=NOW - timedelta(hours=10 - hour))
    desk.fault("incremental", kind, every=2, times=2)

    assert len(desk.read()[0]) == 2700


def test_wrong_credentials_name_the_settings_and_not_the_secret(desk: Desk) -> None:
    with pytest.raises(FixConfiguration, match="client_secret") as caught:
        desk.open(secret="wrong-one").count(ORGANIZATIONS)
    assert "wrong-one" not in str(caught.value)


def test_a_right_that_is_missing_is_for_a_person(desk: Desk) -> None:
    body = {"error": "Forbidden", "description": "You do not have access to this page"}
    desk.fault("incremental", "status", status=403, body=body)

    with pytest.raises(FixConfiguration, match="need an administrator"):
        desk.read()


@pytest.mark.parametrize("object", [ORGANIZATIONS, TICKETS, FIELDS])
def test_a_read_that_is_refused_is_for_a_person_and_not_taken_for_an_end(desk: Desk, object: str) -> None:
    body = {"errors": [{"code": "InvalidParameter", "title": "x"}]}
    desk.fault("GET .*/(incremental|ticket_fields)", "status", status=400, body=body)

    with pytest.raises(FixConfiguration, match="InvalidParameter"):
        desk.read(object)


def test_a_start_that_the_servers_late_clock_finds_too_recent_brings_nothing(desk: Desk) -> None:
    _, cursor = desk.read(cursor={"at": int(NOW.timestamp()) - 90})
    desk.sandbox.clock.skew(-100)

    assert desk.read(cursor=cursor)[0] == {}
    assert not desk.adapter.changed({ORGANIZATIONS: cursor})


def test_a_row_that_somebody_else_holds_may_be_sent_again(desk: Desk) -> None:
    desk.fault("create organization Org 2", "row", code="DatabaseConflict", message="Record is locked")

    good, locked = desk.adapter.write([create(1), create(2)])

    assert (good.state, locked.state, locked.code) == (State.CONFIRMED, State.FAILED, "DatabaseConflict")


def test_a_double_that_can_not_be_looked_for_hides_no_outcome(desk: Desk) -> None:
    desk.organizations(1)
    desk.fault("show_many", "status", status=500)

    assert states(desk.adapter.write([create(2), create(1)])) == [State.CONFIRMED, State.IN_DOUBT]


def test_organizations_and_slots_are_not_written_in_one_call(desk: Desk) -> None:
    with pytest.raises(FixConfiguration, match="one after the other"):
        desk.adapter.write([create(1), entitle("1", 1, "E-1")])


def test_a_conflict_of_two_writers_is_tried_later(desk: Desk) -> None:
    desk.fault("create_many", "status", status=409, body={"error": "DatabaseConflict", "description": "x"})

    with pytest.raises(RetryLater):
        desk.adapter.write([create(1)])


def test_a_custom_field_that_the_account_does_not_have_is_named_before_anything_is_sent(desk: Desk) -> None:
    desk.sandbox.vendor.admin("alter_field", {"kind": "organization_field", "id": 1, "changes": {"active": False}})
    (one,) = desk.organizations(1)

    with pytest.raises(FixConfiguration, match="no custom field colour, entitlement_1_number of organizations"):
        desk.adapter.write([entitle(one, 1, "E-1"), create(2, organization_fields={"colour": "red"})])
    assert "PUT /api/v2/organizations/update_many" not in desk.spent()


def test_entitlements_of_one_organization_are_one_row_of_one_job(desk: Desk) -> None:
    one, two = desk.organizations(2)
    batch = [entitle(one, 1, "E-1"), entitle(one, 2, "E-2", end_on="2026-12-31"), entitle(two, 1, "E-3", quantity=2.5)]

    outcomes = desk.adapter.write(batch)

    assert [(each.state, each.record_id) for each in outcomes] == [
        (State.CONFIRMED, f"{one}/1"),
        (State.CONFIRMED, f"{one}/2"),
        (State.CONFIRMED, f"{two}/1"),
    ]
    assert desk.fields(two) == {
        "entitlement_1_number": "E-3",
        "entitlement_1_product": "sku-0001",
        "entitlement_1_quantity": 2.5,
        "entitlement_1_start_on": "2026-01-01T00:00:00+00:00",
    }
    assert desk.spent() == {
        "GET /api/v2/organization_fields": 1,
        "GET /api/v2/organizations/show_many": 1,
        "PUT /api/v2/organizations/update_many": 1,
        ASKED: 1,
    }
    desk.adapter.write([update(f"{one}/1", organization_fields={"entitlement_1_quantity": 6})])
    assert desk.spent() == {"PUT /api/v2/organizations/update_many": 1, ASKED: 1}


def test_an_entitlement_is_found_in_whatever_slot_of_its_organization_and_never_made_twice(desk: Desk) -> None:
    (one,) = desk.organizations(1)
    desk.adapter.write([entitle(one, 3, "E-1")])

    found = desk.adapter.find(ORGANIZATIONS, [f"{one}/1/e-1", f"{one}/3/E-9", "999/1/E-1"])
    (again,) = desk.adapter.write([entitle(one, 1, "E-1")])

    assert {external_id: each.record_id for external_id, each in found.items()} == {f"{one}/1/e-1": f"{one}/3"}
    assert (again.state, again.record_id) == (State.CONFIRMED, f"{one}/3")
    assert "entitlement_1_number" not in desk.fields(one)


def test_a_slot_that_was_filled_since_the_plan_is_not_overwritten(desk: Desk) -> None:
    (one,) = desk.organizations(1)
    desk.adapter.write([entitle(one, 1, "E-1")])

    late, free = desk.adapter.write([entitle(one, 1, "E-2"), entitle(one, 2, "E-3")])

    assert (late.state, late.code, free.state) == (State.REFUSED, "drifted", State.CONFIRMED)
    assert desk.fields(one)["entitlement_1_number"] == "E-1"


def test_one_bad_entitlement_does_not_keep_the_others_of_its_organization_out(desk: Desk) -> None:
    one, two = desk.organizations(2)
    batch = [
        entitle(one, 1, "E-1"),
        entitle(one, 2, "E-2", quantity="many"),
        entitle(one, 3, "E-3"),
        entitle(two, 1, "E-4"),
    ]

    outcomes = desk.adapter.write(batch)

    assert states(outcomes) == [State.CONFIRMED, State.REFUSED, State.CONFIRMED, State.CONFIRMED]
    assert outcomes[1].code == "InvalidValue"
    assert {desk.fields(one)[f"entitlement_{slot}_number"] for slot in (1, 3)} == {"E-1", "E-3"}
    assert "entitlement_2_number" not in desk.fields(one)


def test_a_change_elsewhere_in_an_organization_leaves_the_version_of_its_slots(desk: Desk) -> None:
    (one,) = desk.organizations(1)
    desk.adapter.write([entitle(one, 1, "E-1", end_on="2026-12-31")])

    def version() -> str:
        return desk.adapter.fetch(ORGANIZATIONS, {}, [f"{one}/1"])[f"{one}/1"].version

    before = version()
    desk.clock.advance(5)
    desk.adapter.write([update(one, name="Acme AG")])
    same = version()
    desk.adapter.write([update(f"{one}/1", organization_fields={"entitlement_1_quantity": 7})])

    assert before == same == "E-1|sku-0001|5.0000|2026-01-01|2026-12-31"
    assert version() == "E-1|sku-0001|7.0000|2026-01-01|2026-12-31"
    assert desk.adapter.fetch(ORGANIZATIONS, {}, [f"{one}/2", "999/1", one]).keys() == {one}


def test_a_slot_is_shown_with_days_as_days_so_that_a_doubtful_update_is_recognised(desk: Desk) -> None:
    (one,) = desk.organizations(1)
    desk.adapter.write([entitle(one, 1, "E-1")])
    desk.fault("update_many", "drop_after_commit", nth=1)

    with pytest.raises(InDoubt):
        desk.adapter.write([update(f"{one}/1", organization_fields={"entitlement_1_end_on": "2027-01-31"})])

    shown = json.loads(desk.adapter.fetch(ORGANIZATIONS, {}, [f"{one}/1"])[f"{one}/1"].payload)
    assert shown["organization_fields"]["entitlement_1_end_on"] == "2027-01-31"


def test_an_outage_while_the_rest_of_an_organization_is_sent_again_hides_no_outcome(desk: Desk) -> None:
    (one,) = desk.organizations(1)
    desk.fault("PUT .*update_many", "drop_before_commit", nth=3)
    batch = [entitle(one, 1, "E-1"), entitle(one, 2, "E-2", quantity="many")]

    outcomes: list[Outcome] = list(desk.adapter.write(batch))

    assert states(outcomes) == [State.CONFIRMED, State.IN_DOUBT]
