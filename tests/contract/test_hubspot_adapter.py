from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from hubspot_contract import Overheard, contracts

from sync_pipelines import mappings
from sync_pipelines.engine.port import Operation, Request, State
from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.errors import FixConfiguration, InDoubt, RetryLater
from sync_pipelines.sandbox.app import Sandbox
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.faults import FaultPlan, Rule
from sync_pipelines.sandbox.hubspot import load_schema, open_vendor, seed
from sync_pipelines.sandbox.hubspot.value import stamp
from sync_pipelines.sandbox.store import Store
from sync_pipelines.sandbox.transport import InProcess
from sync_pipelines.systems.hubspot import HubSpot, open_system

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
URL = "http://meridian.test"
COMPANY = {"name": "VARCHAR"}
DEAL = {
    "dealname": "VARCHAR",
    "associations": {
        "companies": [{"id": "VARCHAR", "types": ["BIGINT"]}],
        "line_items": [{"id": "VARCHAR", "types": ["BIGINT"]}],
    },
}
APP = {"client_id": "sandbox-client", "client_secret": "sandbox-secret", "refresh_token": "na1-sandbox-refresh"}


class Portal:
    """A HubSpot stand-in, the adapter on it, and what a test does behind the adapter's back."""

    def __init__(self, **behaviour: Any) -> None:
        self.clock = VirtualClock(NOW)
        self.store = Store(None)
        self.faults = FaultPlan()
        schema = load_schema().behaving(**behaviour)
        self.vendor = open_vendor(self.store, clock=self.clock, faults=self.faults, schema=schema)
        self.crm = self.vendor.crm
        self.sandbox = Overheard(Sandbox(self.vendor, self.store, clock=self.clock, faults=self.faults))
        self.adapter = self.open(service_key="pat-na1-sandbox")

    def open(self, **options: str) -> HubSpot:
        session = requests.Session()
        session.mount(URL, InProcess(self.sandbox))
        settings = SystemSettings(name="hubspot", adapter="hubspot", url=URL, calls_per_second=1000, options=options)
        return open_system(settings, clock=self.clock, session=session)

    def companies(self, count: int, *, first: int = 1, at: datetime = NOW, apart: float = 0) -> list[str]:
        """Companies that changed so many seconds apart, the last one at an instant."""
        ids = [str(number) for number in range(first, first + count)]
        rows = [
            {
                "id": each,
                "updatedAt": stamp(at - timedelta(seconds=apart * (count - 1 - place))),
                "properties": {"name": f"Company {each}"},
            }
            for place, each in enumerate(ids)
        ]
        seed(self.store, {"companies": rows})
        return ids

    def rename(self, *ids: str, name: str = "Renamed") -> None:
        for each in ids:
            self.crm.update(self.crm.schema.objects["companies"], each, {"name": name})

    def admin(self, action: str, **given: Any) -> Any:
        return self.vendor.admin(action, given)

    def read(self, cursor: Any = None, object: str = "companies", shape: Any = COMPANY) -> tuple[dict[str, Any], Any]:
        """Payloads by id (None for what is gone), and the last cursor."""
        seen: dict[str, Any] = {}
        for page in self.adapter.read(object, shape, cursor):
            for record_id, payload, gone in zip(page.record_ids, page.payloads, page.deleted, strict=True):
                seen[record_id] = None if gone else json.loads(payload)
            cursor = json.loads(json.dumps(page.cursor))
        return seen, cursor

    def cost(self) -> int:
        return self.sandbox.calls.total()


@pytest.fixture
def portal() -> Portal:
    return Portal()


def create(number: int, **body: Any) -> Request:
    return Request(f"w{number}", "companies", Operation.CREATE, None, f"link-{number}", body)


def update(record_id: str, *, then: tuple[str, ...] = (), number: int = 1, **body: Any) -> Request:
    return Request(f"w{number}", "companies", Operation.UPDATE, record_id, f"link-{number}", body, then)


@pytest.mark.parametrize("apart", [0, 0.01, 60], ids=["all at one instant", "close together", "a minute apart"])
def test_a_full_read_gives_every_record_once_for_the_fewest_calls(portal: Portal, apart: float) -> None:
    ids = portal.companies(5_000, apart=apart)

    pages = list(portal.adapter.read("companies", COMPANY, None))

    read = [each for page in pages for each in page.record_ids]
    assert (len(read), set(read)) == (5_000, set(ids))
    assert portal.cost() <= 5_000 / 200 * 1.05
    assert portal.adapter.count("companies") == 5_000


def test_more_records_than_a_search_gives_are_read_though_all_changed_at_one_instant(portal: Portal) -> None:
    ids = portal.companies(10_500)

    seen, _ = portal.read()

    assert seen.keys() == set(ids)


def test_an_incremental_read_and_one_with_nothing_changed_cost_the_minimum(portal: Portal) -> None:
    ids = portal.companies(1_000, at=NOW - timedelta(hours=1), apart=5)
    _, cursor = portal.read()
    for each in ids[:400]:
        portal.rename(each)
        portal.clock.advance(0.01)
    portal.clock.advance(3600)
    portal.rename(ids[400])
    before = portal.cost()

    seen, cursor = portal.read(cursor)
    incremental = portal.cost() - before
    portal.clock.advance(3600)
    shown_once_more, cursor = portal.read(cursor)
    before_quiet = portal.cost()
    quiet = portal.adapter.changed({"companies": cursor})
    again, _ = portal.read(cursor)

    overlap = ids[-121:]
    assert seen.keys() == {*ids[:401], *overlap}
    assert incremental == 3
    assert shown_once_more.keys() == {ids[400]}
    assert (quiet, again) == (set(), {})
    assert portal.cost() - before_quiet == 2


def test_reading_on_from_any_pages_cursor_misses_nothing_though_records_move(portal: Portal) -> None:
    ids = portal.companies(700, apart=1)
    pages = list(portal.adapter.read("companies", COMPANY, None))

    for number, page in enumerate(pages):
        portal.clock.advance(60)
        portal.rename(ids[number], ids[-1])
        rest, _ = portal.read(page.cursor)
        already = {record for earlier in pages[: number + 1] for record in earlier.record_ids}
        assert already | set(rest) == set(ids)
        assert {ids[number], ids[-1]} <= rest.keys()


def test_a_change_of_our_own_is_read_before_the_index_shows_it(portal: Portal) -> None:
    old = portal.companies(1, at=NOW - timedelta(days=1))[0]
    _, cursor = portal.read()
    portal.admin("index_lag", seconds=60)

    made, _ = portal.adapter.write([create(1, name="New"), create(2, name="Other")])
    portal.adapter.write([update(old, name="Renamed")])
    behind, cursor = portal.read(cursor)
    portal.clock.advance(61)
    caught_up, cursor = portal.read(cursor)
    before = portal.cost()
    portal.read(cursor)

    assert behind[str(made.record_id)]["name"] == "New"
    assert behind[old]["name"] == caught_up[old]["name"] == "Renamed"
    assert len(behind) == 3
    assert portal.cost() - before == 1


def test_what_the_index_shows_of_our_own_changes_is_not_read_a_second_time(portal: Portal) -> None:
    portal.adapter.write([create(number, name=f"Company {number}") for number in range(100)])
    before = portal.cost()

    seen, _ = portal.read()

    assert (len(seen), portal.cost() - before) == (100, 1)


def test_a_change_that_is_indexed_minutes_late_is_read(portal: Portal) -> None:
    portal.companies(1, at=NOW - timedelta(days=1))
    portal.admin("index_lag", seconds=500)
    late = portal.crm.create(portal.crm.schema.objects["companies"], {"name": "Late"})["id"]
    portal.admin("index_lag", seconds=0)
    portal.clock.advance(400)
    newer = portal.crm.create(portal.crm.schema.objects["companies"], {"name": "Newer"})["id"]
    early, cursor = portal.read()
    portal.clock.advance(101)

    seen, _ = portal.read(cursor)

    assert late not in early
    assert seen.keys() == {late, newer}


def test_contacts_are_read_by_their_own_time_of_change(portal: Portal) -> None:
    rows = [{"id": "7", "updatedAt": stamp(NOW), "properties": {"email": "jo@acme.example"}}]
    seed(portal.store, {"contacts": rows})

    seen, cursor = portal.read(object="contacts", shape={"email": "VARCHAR"})

    assert seen["7"]["email"] == "jo@acme.example"
    assert cursor["at"] == int(NOW.timestamp() * 1000)
    (asked,) = [each.sent for each in portal.sandbox.exchanges]
    assert asked["sorts"] == [{"propertyName": "lastmodifieddate", "direction": "DESCENDING"}]


@pytest.mark.parametrize("new_id", [False, True])
def test_a_merged_record_is_gone_and_names_its_survivor(new_id: bool) -> None:
    portal = Portal(merge_makes_new_id=new_id)
    first, second, third = portal.companies(3, at=NOW - timedelta(hours=1))
    _, cursor = portal.read()

    survivor = portal.admin("merge", object="companies", primary=second, other=first)["id"]
    survivor = portal.admin("merge", object="companies", primary=third, other=survivor)["id"]
    tombs = [
        (record_id, json.loads(payload)["hs_object_id"])
        for page in portal.adapter.read("companies", COMPANY, cursor)
        for record_id, payload, gone in zip(page.record_ids, page.payloads, page.deleted, strict=True)
        if gone
    ]

    assert {each for each, _ in tombs} >= {first, second}
    assert {each for _, each in tombs} == {survivor}
    assert portal.adapter.fetch("companies", COMPANY, [first, second, survivor]).keys() == {survivor}
    assert [each for page in portal.adapter.ids("companies") for each in page] == [survivor]


def test_a_deal_comes_with_its_company_and_its_lines_for_two_calls_a_thousand(portal: Portal) -> None:
    portal.companies(3)
    deals = [
        {
            "id": str(5_000 + number),
            "updatedAt": stamp(NOW),
            "properties": {"dealname": f"Deal {number}"},
            "associations": {"companies": ["1", "2"] if number == 0 else []},
        }
        for number in range(1_200)
    ]
    lines = [
        {"id": str(9_000 + n), "properties": {}, "associations": {"deals": ["5000"]}, "updatedAt": stamp(NOW)}
        for n in range(501)
    ]
    seed(portal.store, {"deals": deals, "line_items": lines})

    seen, cursor = portal.read(object="deals", shape=DEAL)

    links = seen["5000"]["associations"]
    assert links["companies"] == [{"id": "1", "types": [5, 341]}, {"id": "2", "types": [341]}]
    assert [each["id"] for each in links["line_items"]] == [str(9_000 + n) for n in range(501)]
    assert seen["5001"]["associations"] == {"companies": [], "line_items": []}
    assert (len(seen), cursor) == (1_200, {"at": int(NOW.timestamp() * 1000)})
    assert portal.cost() == 7 + 2 * 2 + 1
    found = portal.adapter.fetch("deals", DEAL, ["5000"])["5000"]
    assert json.loads(found.payload) == seen["5000"]


def test_deals_that_the_overlap_alone_shows_again_cost_one_search_and_late_ones_are_read(portal: Portal) -> None:
    deals = [{"id": str(5_000 + number), "updatedAt": stamp(NOW), "properties": {}} for number in range(3)]
    seed(portal.store, {"deals": deals})
    _, cursor = portal.read(object="deals", shape=DEAL)
    before = portal.cost()

    quiet, cursor = portal.read(cursor, object="deals", shape=DEAL)
    cost = portal.cost() - before
    late = {"id": "5009", "updatedAt": stamp(NOW - timedelta(minutes=5)), "properties": {}}
    seed(portal.store, {"deals": [late]})
    again, _ = portal.read(cursor, object="deals", shape=DEAL)

    assert (quiet, cost) == ({}, 1)
    assert "5009" in again


def test_a_batch_creates_updates_and_refuses_each_record_for_itself(portal: Portal) -> None:
    portal.companies(2)
    made = portal.adapter.write([create(1, name="Acme"), create(2, industry="NONE SUCH"), create(3, name="Beta")])
    changed = portal.adapter.write(
        [
            update("1", number=1, city="Bonn", annualrevenue=12.5),
            update("99", number=2, city="Ulm"),
            update("2", number=3),
        ]
    )

    assert [each.state for each in made] == [State.CONFIRMED, State.REFUSED, State.CONFIRMED]
    assert (made[1].code, made[1].message.endswith("(INVALID_OPTION) [industry]")) == ("INVALID_OPTION", True)
    assert [(each.state, each.code) for each in changed] == [
        (State.CONFIRMED, ""),
        (State.REFUSED, "OBJECT_NOT_FOUND"),
        (State.CONFIRMED, ""),
    ]
    found = portal.adapter.find("companies", ["LINK-1", "link-2", "link-3"])
    assert {key: each.record_id for key, each in found.items()} == {
        "LINK-1": made[0].record_id,
        "link-3": made[2].record_id,
    }
    assert portal.store.get("companies", "1")["properties"]["annualrevenue"] == "12.5"


@pytest.mark.parametrize("bad", [0, 3])
def test_a_batch_that_is_refused_as_a_whole_is_halved_to_find_the_record(bad: int) -> None:
    portal = Portal(bad_input_refuses="call")
    requests = [create(n, name=f"Company {n}") for n in range(5)]
    requests[bad] = create(bad, industry="NONE SUCH")

    outcomes = portal.adapter.write(requests)

    states = [each.state for each in outcomes]
    assert states == [State.REFUSED if n == bad else State.CONFIRMED for n in range(5)]
    assert portal.store.count("companies") == 4


@pytest.mark.parametrize("version", ["2026-09", ""])
def test_a_part_that_failed_is_told_whatever_the_status(version: str) -> None:
    portal = Portal(multi_status=["v3", "2026-03", version])

    outcomes = portal.adapter.write([create(1, name="Acme"), create(2, no_such="1")])

    assert portal.sandbox.requests[-1].status == (207 if version else 200)
    assert [each.state for each in outcomes] == [State.CONFIRMED, State.FAILED]
    assert "create it in the portal" in outcomes[1].message


def test_a_stage_that_has_to_go_back_is_cleared_first(portal: Portal) -> None:
    made, other = portal.adapter.write([create(1, lifecyclestage="other"), create(2, lifecyclestage="other")])
    steps = ("lifecyclestage=", "lifecyclestage=customer")
    before = portal.cost()

    back = portal.adapter.write(
        [update(str(made.record_id), then=steps, number=1, city="Bonn"), update("99", then=steps, number=2, city="Ulm")]
    )
    alone = portal.adapter.write([update(str(other.record_id), then=steps)])

    stages = [
        portal.store.get("companies", str(each.record_id))["properties"]["lifecyclestage"] for each in (made, other)
    ]
    assert stages == ["customer", "customer"]
    assert [each.state for each in back + alone] == [State.CONFIRMED, State.REFUSED, State.CONFIRMED]
    assert portal.cost() - before == 3 + 2


def test_a_reply_that_was_lost_leaves_a_write_in_doubt_that_can_be_found(portal: Portal) -> None:
    portal.faults.add(Rule(route="batch/upsert", kind="drop_after_commit", times=1))

    with pytest.raises(InDoubt):
        portal.adapter.write([create(1, name="Acme")])
    found = portal.adapter.find("companies", ["link-1"])
    (again,) = portal.adapter.write([create(1, name="Acme")])

    assert again.record_id == found["link-1"].record_id
    assert portal.store.count("companies") == 1


def test_an_answer_that_passes_a_record_over_leaves_it_in_doubt(portal: Portal) -> None:
    body = {"status": "PENDING", "results": [], "startedAt": "", "completedAt": ""}
    portal.faults.add(Rule(route="batch/upsert", kind="status", status=200, body=body))

    (outcome,) = portal.adapter.write([create(1, name="Acme")])

    assert outcome.state is State.IN_DOUBT


def test_searches_keep_to_the_five_a_second_that_the_account_has(portal: Portal) -> None:
    portal.companies(2_000, apart=1)

    portal.read()

    assert {each.status for each in portal.sandbox.requests} == {200}


def test_the_days_calls_that_are_used_up_stop_the_next_call(portal: Portal) -> None:
    portal.admin("limits", used=649_999)
    portal.adapter.identity()
    arrived = portal.cost()

    with pytest.raises(RetryLater, match="650000 of 650000"):
        portal.adapter.identity()

    assert portal.cost() == arrived


def test_an_access_token_is_renewed_before_it_expires(portal: Portal) -> None:
    app = portal.open(**APP)
    for _ in range(3):
        app.identity()
        portal.clock.advance(1720)

    statuses = [each.status for each in portal.sandbox.requests]

    assert statuses == [200] * 6
    assert sum(each.path.startswith("/oauth") for each in portal.sandbox.requests) == 3


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"service_key": "pat-wrong"}, "service_key"),
        ({**APP, "refresh_token": "wrong"}, "refresh_token"),
        ({}, "client_id"),
    ],
)
def test_credentials_that_are_wrong_or_missing_are_named_and_not_shown(
    portal: Portal, options: Mapping[str, str], told: str
) -> None:
    with pytest.raises(FixConfiguration, match=told) as refused:
        portal.open(**options).identity()

    assert "wrong" not in str(refused.value)


def test_the_portal_behind_the_credentials_is_told_and_a_refreshed_sandbox_is_another(portal: Portal) -> None:
    before = portal.adapter.identity()
    portal.admin("portal", id=999)

    assert (before, portal.adapter.identity()) == ("555001", "999")


def test_a_property_that_the_portal_does_not_have_is_found_before_anything_is_read(portal: Portal) -> None:
    shapes = {"companies": {**COMPANY, "sync_id": "VARCHAR", "no_such": "VARCHAR"}, "deals": DEAL}
    portal.admin("alter", object="companies", property="sync_id", changes={"unique": False})

    with pytest.raises(FixConfiguration) as refused:
        portal.adapter.check_shapes(shapes)

    assert str(refused.value).splitlines()[1:] == [
        "  - [companies] there is no property 'no_such'",
        "  - [companies] property 'sync_id' has to be one with unique values",
    ]


def test_the_mappings_fit_what_the_portal_has(portal: Portal) -> None:
    portal.adapter.check_shapes(mappings.objects("hubspot"))


def test_everything_that_the_adapter_says_has_the_form_that_hubspots_documents_describe(portal: Portal) -> None:
    portal.companies(201, apart=1)
    deal = {"id": "5000", "updatedAt": stamp(NOW), "properties": {}, "associations": {"companies": ["1"]}}
    seed(portal.store, {"deals": [deal]})
    _, cursor = portal.read()
    portal.read(object="deals", shape=DEAL)
    portal.adapter.changed({"companies": cursor})
    portal.adapter.count("companies")
    portal.adapter.fetch("companies", COMPANY, ["1", "77777"])
    portal.adapter.write([create(1, name="Acme"), create(2, industry="NONE SUCH")])
    portal.adapter.write([update("1", number=1, city="Bonn"), update("99", number=2, city="Ulm")])
    portal.adapter.find("companies", ["link-1", "link-9"])
    list(portal.adapter.ids("companies"))

    said = portal.sandbox.exchanges
    told = {name: [p for each in said for p in contract.problems(each)] for name, contract in contracts().items()}

    assert {name: problems for name, problems in told.items() if problems} == {}
    assert all(contracts()["extract"].knows(each) for each in said)
    assert len(said) > 12


def test_what_is_said_to_the_journal_has_the_form_that_hubspots_documents_describe(portal: Portal) -> None:
    portal.companies(1)
    follower = portal.open(service_key="pat-na1-sandbox", journal="true", **APP)
    (page,) = follower.read("deals", {"dealname": "VARCHAR"}, None)
    portal.rename("1", name="Renamed")
    follower.changed({"deals": page.cursor})
    (page,) = portal.open(service_key="pat-na1-sandbox", journal="true", **APP).read("deals", {}, None)
    follower.changed({"deals": page.cursor})

    said = [each for each in portal.sandbox.exchanges if each.path.startswith("/webhooks-journal/")]

    assert [problem for each in said for problem in contracts()["extract"].problems(each)] == []
    assert all(contracts()["extract"].knows(each) for each in said)
    assert all(
        any(part in each.path for each in said) for part in ("/latest", "/earliest/", "/next/", "/subscriptions/")
    )
