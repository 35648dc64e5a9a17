"""HubSpot's journal, and what the adapter makes of it: it may cost a search too many, and misses nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
import requests

from sync_pipelines import mappings
from sync_pipelines.engine.port import Cursor
from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.errors import FixConfiguration
from sync_pipelines.sandbox.app import Sandbox
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.faults import FaultPlan, Rule
from sync_pipelines.sandbox.hubspot import load_schema, open_vendor
from sync_pipelines.sandbox.hubspot.following import LIST, MANAGE, READ
from sync_pipelines.sandbox.store import Store
from sync_pipelines.sandbox.transport import InProcess
from sync_pipelines.systems.hubspot import HubSpot, open_system

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
URL = "http://meridian.test"
SHAPES = mappings.objects("hubspot")
READ_TOO = ("companies", "contacts", "deals", "line_items")
LATE = 600
NEVER = datetime(2000, 1, 1, tzinfo=UTC)
APP = {"client_id": "sandbox-client", "client_secret": "sandbox-secret"}


class Portal:
    """A portal with a journal, its adapter as a run opens it, and the cursors that runs have left."""

    def __init__(self, **behaviour: Any) -> None:
        self.clock, self.store, self.faults = VirtualClock(NOW), Store(None), FaultPlan()
        schema = load_schema().behaving(**behaviour)
        self.vendor = open_vendor(self.store, clock=self.clock, faults=self.faults, schema=schema)
        self.crm = self.vendor.crm
        self.sandbox = Sandbox(self.vendor, self.store, clock=self.clock, faults=self.faults)
        self.cursors: dict[str, Cursor | None] = dict.fromkeys(READ_TOO)
        self.begun: dict[str, datetime] = {}
        self.news: dict[str, datetime] = {}
        self.held: dict[str, dict[str, Any]] = {name: {} for name in READ_TOO}
        self.begin()

    def begin(self, **options: str) -> HubSpot:
        """A run of its own, which asks first whose portal it is."""
        session = requests.Session()
        session.mount(URL, InProcess(self.sandbox))
        options = {"service_key": "pat-na1-sandbox", "journal": "true", **APP, **options}
        settings = SystemSettings(name="hubspot", adapter="hubspot", url=URL, calls_per_second=1000, options=options)
        self.adapter = open_system(settings, clock=self.clock, session=session, rng=Random(1))
        self.adapter.identity()
        return self.adapter

    def read(self, name: str) -> None:
        self.begun[name] = self.clock.now()
        for page in self.adapter.read(name, SHAPES[name], self.cursors[name]):
            for record_id, payload, gone in zip(page.record_ids, page.payloads, page.deleted, strict=True):
                self.held[name][record_id] = None if gone else json.loads(payload)
            self.cursors[name], self.news[name] = json.loads(json.dumps(page.cursor)), self.clock.now()

    def run(self) -> set[str]:
        """An incremental run as the engine makes it; the objects whose read cost a call."""
        self.begin()
        late = timedelta(seconds=self.adapter.passport.overlap_seconds)
        at_rest = [name for name, begun in self.begun.items() if begun - self.news.get(name, NEVER) >= late]
        changed = self.adapter.changed({name: self.cursors[name] for name in at_rest})
        return {name for name in READ_TOO if (name in changed or name not in at_rest) and self.costs(name)}

    def costs(self, name: str) -> bool:
        before = self.adapter.calls.total
        self.read(name)
        return self.adapter.calls.total > before

    def settle(self) -> None:
        """Runs until nothing is read any more."""
        for _ in range(6):
            self.clock.advance(LATE + 1)
            if not self.run():
                return
        raise AssertionError("it does not come to rest")

    def make(self, object: str, **properties: str) -> str:
        return str(self.crm.create(self.crm.schema.objects[object], properties)["id"])

    def change(self, object: str, record_id: str, **properties: str) -> None:
        self.crm.update(self.crm.schema.objects[object], record_id, properties)

    def join(self, source: str, record_id: str, target: str, to: str) -> None:
        self.crm.join(self.crm.schema.objects[source], record_id, self.crm.schema.objects[target], to)

    def cost(self) -> int:
        return self.sandbox.calls.total()


@pytest.fixture
def portal() -> Portal:
    portal = Portal()
    portal.make("companies", name="Acme")
    portal.make("deals", dealname="First", dealstage="closedwon")
    portal.settle()
    return portal


def test_one_call_tells_that_nothing_happened_to_four_objects(portal: Portal) -> None:
    portal.begin()
    before = portal.adapter.calls.total

    found = portal.adapter.changed(portal.cursors)

    assert found == set()
    assert portal.adapter.calls.total - before == 1
    assert portal.adapter.passport.looks_at == len(READ_TOO)


@pytest.mark.parametrize(
    "happens", ["created", "changed", "archived", "restored", "purged", "merged", "joined", "parted"]
)
def test_whatever_happens_to_a_record_is_told_of_its_object_and_of_no_other(happens: str) -> None:
    portal = Portal()
    thing = portal.crm.schema.objects["companies"]
    one, two, gone = (portal.make("companies", name=name) for name in ("One", "Two", "Gone"))
    contact = portal.make("contacts", email="a@example.test")
    portal.join("contacts", contact, "companies", two)
    portal.crm.archive(thing, gone)
    portal.settle()

    match happens:
        case "created":
            portal.make("companies", name="Three")
        case "changed":
            portal.change("companies", one, name="Uno")
        case "archived":
            portal.crm.archive(thing, one)
        case "restored":
            portal.crm.restore(thing, gone)
        case "purged":
            portal.crm.purge(thing, one)
        case "merged":
            portal.crm.merge(thing, one, two)
        case "joined":
            portal.join("companies", one, "contacts", contact)
        case "parted":
            portal.crm.part(thing, two, portal.crm.schema.objects["contacts"], contact)

    with_contacts = {"joined", "parted"}
    assert portal.run() == ({"companies", "contacts"} if happens in with_contacts else {"companies"})


def test_a_change_of_a_property_that_nobody_reads_is_none(portal: Portal) -> None:
    company = portal.make("companies", name="Quiet")
    portal.settle()
    subscription = next(each for each in portal.crm.journal.subscriptions() if each["objectTypeId"] == "0-2")
    portal.crm.journal.subscribe({**subscription, "properties": sorted(SHAPES["companies"])})

    portal.change("companies", company, annualrevenue="12")

    assert portal.run() == set()


def test_where_more_happened_than_a_look_reads_or_an_entry_is_older_than_three_days_all_counts_as_changed(
    portal: Portal,
) -> None:
    for number in range(21):
        portal.make("contacts", email=f"{number}@example.test")
        portal.crm.journal.entries()
    busy = portal.run()
    portal.settle()
    portal.settle()
    portal.clock.advance(4 * 86_400)

    assert busy == set(READ_TOO)
    assert portal.run() == set(READ_TOO)


def test_a_journal_that_is_empty_after_quiet_days_is_gone_by_too(portal: Portal) -> None:
    costs = []
    for _ in range(10 * 24):
        portal.clock.advance(3_600)
        portal.run()
        costs.append(portal.adapter.calls.total)
    portal.make("companies", name="New")
    found = portal.run()
    portal.settle()

    assert costs.count(2) >= 0.95 * len(costs)
    assert found == {"companies"}
    assert "New" in [row["name"] for row in portal.held["companies"].values()]
    assert portal.run() == set()
    assert portal.adapter.calls.total == 2


def test_an_empty_journal_from_before_what_it_can_still_tell_is_asked_anew() -> None:
    portal = Portal()
    portal.settle()
    portal.make("deals", dealname="First", dealstage="closedwon")
    portal.clock.advance(4 * 86_400)

    assert portal.run() == set(READ_TOO)
    assert [row["dealname"] for row in portal.held["deals"].values()] == ["First"]


@pytest.mark.parametrize(
    "spoilt",
    [
        {"kind": "status", "status": 403, "body": {}},
        {"kind": "status", "status": 500, "body": {}},
        {"kind": "truncate_body"},
        {"kind": "html"},
        {"kind": "status", "status": 200, "body": {"journalEvents": [{"portalId": 555001}]}},
        {"kind": "status", "status": 200, "body": {"journalEvents": [{"objectTypeId": "CONTACT"}]}},
        {"kind": "status", "status": 200, "body": {"events": []}},
    ],
)
def test_an_entry_that_cannot_be_read_counts_as_a_change_of_everything(
    portal: Portal, spoilt: Mapping[str, Any]
) -> None:
    portal.make("contacts", email="a@example.test")
    portal.faults.add(Rule("GET /journal-files/", **spoilt))

    assert portal.run() == set(READ_TOO)


def test_events_of_another_portal_are_none_of_this_one(portal: Portal) -> None:
    portal.make("contacts", email="a@example.test")
    elsewhere = {"journalEvents": [{"portalId": 1, "objectTypeId": "0-2"}, {"portalId": 555001, "objectTypeId": "0-3"}]}
    portal.faults.add(Rule("GET /journal-files/", "status", status=200, body=elsewhere))

    assert portal.run() == {"deals"}


@pytest.mark.parametrize("status", [204, 404, 500, 429])
def test_a_journal_without_an_answer_costs_searches_and_stops_nobody(portal: Portal, status: int) -> None:
    portal.change("companies", next(iter(portal.held["companies"])), name="Changed")
    portal.faults.add(Rule("GET /webhooks-journal/journal", "status", status=status, times=99))

    found = portal.run()

    assert found == (set() if status == 204 else set(READ_TOO))


def test_where_subscriptions_are_not_told_the_journal_is_not_gone_by(portal: Portal) -> None:
    portal.cursors = dict.fromkeys(READ_TOO)
    portal.begun.clear()
    portal.faults.add(Rule("GET /webhooks-journal/subscriptions", "status", status=500, times=99))
    portal.settle()

    assert not [cursor for cursor in portal.cursors.values() if "journal" in (cursor or {})]


def test_a_window_that_was_left_in_the_middle_is_read_on_though_nothing_happened(portal: Portal) -> None:
    for number in range(250):
        portal.make("companies", name=f"Many {number}")
    portal.begin()
    portal.cursors["companies"] = next(iter(portal.adapter.read("companies", SHAPES["companies"], None))).cursor

    assert "companies" in portal.begin().changed(portal.cursors)


def test_what_the_app_has_not_subscribed_to_is_looked_at_by_search_and_named_by_doctor(portal: Portal) -> None:
    mine = [each for each in portal.crm.journal.subscriptions() if each["objectTypeId"] == "0-3"]
    portal.crm.journal.unsubscribe(mine[1]["id"])
    portal.crm.journal.subscribe({**mine[0], "properties": ["dealname"]})
    made = portal.crm.journal.subscribe({**mine[1], "objectTypeId": "0-5"})
    portal.cursors = dict.fromkeys(READ_TOO)
    portal.begun.clear()
    portal.settle()

    assert len({each["id"] for each in portal.crm.journal.subscriptions()} | {made["id"]}) == 8
    assert [name for name, cursor in portal.cursors.items() if "journal" not in (cursor or {})] == ["deals"]
    portal.make("deals", dealname="Second", dealstage="closedwon")
    assert portal.run() == {"deals"}
    with pytest.raises(FixConfiguration, match=r"(?s)\[deals\] OBJECT of 0-3.*\[deals\] ASSOCIATION of 0-3 with 0-2"):
        portal.adapter.check_shapes(SHAPES)


def test_an_app_that_may_not_read_its_journal_is_a_mistake_of_the_configuration(portal: Portal) -> None:
    refused = {"category": "MISSING_SCOPES", "message": "no"}
    portal.faults.add(Rule("GET /webhooks-journal/", "status", status=403, body=refused))

    with pytest.raises(FixConfiguration, match="lacks a scope"):
        portal.run()
    with pytest.raises(FixConfiguration, match="client_id"):
        portal.begin(client_id="")
    with pytest.raises(FixConfiguration, match="give true or false"):
        portal.begin(journal="yes")


def test_no_credentials_go_to_where_the_files_lie_and_none_but_an_app_reads_the_journal(portal: Portal) -> None:
    session = requests.Session()
    session.mount(URL, InProcess(portal.sandbox))
    portal.make("contacts", email="a@example.test")
    form = {"grant_type": "client_credentials", **APP, "scope": f"{READ} {LIST}"}
    token = session.post(f"{URL}/oauth/2026-09/token", data=form).json()["access_token"]
    app, key = ({"Authorization": f"Bearer {each}"} for each in (token, "pat-na1-sandbox"))
    latest = f"{URL}/webhooks-journal/journal-local/2026-09/latest"
    entry = session.get(latest, headers=app).json()

    assert portal.run() == {"contacts"}
    assert session.get(entry["url"], headers=app).status_code == 400
    assert session.get(latest, headers=key).status_code == 403
    assert session.get(f"{URL}/crm/objects/2026-09/companies", headers=app).status_code == 403
    refused = session.delete(f"{URL}/webhooks-journal/subscriptions/2026-09/1", headers=app)
    assert (refused.status_code, refused.json()["context"]) == (403, {"missingScopes": [MANAGE]})
    portal.clock.advance(3601)
    assert session.get(entry["url"]).status_code == 403


@pytest.mark.parametrize("seed", range(12))
def test_runs_that_go_by_the_journal_hold_in_the_end_what_the_portal_holds(seed: int) -> None:
    """Changes and runs in any order, with an index and a journal that are late: nothing that is read is missed."""
    rng = Random(seed)
    portal = Portal(index_lag_seconds=rng.choice([0, 30, LATE - 1]), journal_lag_seconds=rng.choice([0, 5, 400]))
    made = {"companies": [portal.make("companies", name="0")], "deals": [portal.make("deals", dealname="0")]}
    names = {"companies": "name", "deals": "dealname"}
    portal.clock.advance(LATE)
    portal.settle()
    for step in range(60):
        portal.clock.advance(rng.choice([1, 20, 300, 700]))
        name = rng.choice(list(made))
        if rng.random() < 0.3:
            made[name].append(portal.make(name, **{names[name]: str(step)}))
        elif rng.random() < 0.3:
            portal.change(name, rng.choice(made[name]), **{names[name]: str(step)})
        else:
            portal.run()
    portal.settle()

    for name, ids in made.items():
        rows = {each: portal.store.get(name, each) for each in ids}
        held = {each: portal.held[name][each][names[name]] for each in ids}
        assert held == {each: row["properties"][names[name]] for each, row in rows.items() if row}
    assert portal.run() == set()
    assert portal.adapter.calls.total == 2
