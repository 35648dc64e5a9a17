"""Gainsight's adapter against its stand-in: what it asks, how often, and what becomes of what is told strangely."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import requests

from sync_pipelines.engine.port import Cursor, Operation, Request, State
from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.errors import FixConfiguration, MalformedPage, RetryLater, SetAside
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.faults import Rule
from sync_pipelines.sandbox.gainsight import seed
from sync_pipelines.sandbox.gainsight.tenant import gsid, milliseconds
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.transport import InProcess
from sync_pipelines.systems.gainsight import open_system
from sync_pipelines.systems.gainsight.query import PAGE_MAX, Query
from sync_pipelines.systems.gainsight.record import Record, records
from sync_pipelines.systems.gainsight.write import write

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
URL = "http://gainsight.test"
QUERY = "POST /v1/data/objects/query/<object>"
COMPANY = {"Name": "VARCHAR", "Sync_Id__gc": "VARCHAR"}
STEPS, PLANS = "call_to_action", "success_plan"


class Tenant:
    """The adapter, and the stand-in behind it."""

    def __init__(self, **options: str) -> None:
        self.clock = VirtualClock(NOW)
        self.sandbox = open_sandbox("gainsight", clock=self.clock)
        self.settings(calls_per_minute=100_000)
        session = requests.Session()
        session.mount(URL, InProcess(self.sandbox))
        settings = SystemSettings(
            "gainsight", "gainsight", URL, calls_per_second=100_000, options=options or {"access_key": "sandbox-key"}
        )
        self.adapter = open_system(settings, clock=self.clock, session=session, rng=random.Random(1))

    def settings(self, **changes: Any) -> None:
        self.sandbox.vendor.admin("settings", changes)

    def fill(self, object: str, number: int, *, at: datetime = NOW, apart_ms: int = 0, first: int = 0) -> list[str]:
        begun = milliseconds(at)
        rows = [
            {"Gsid": gsid("1X00", place), "Name": f"N{place}", "ModifiedDate": begun + apart_ms * (place - first)}
            for place in range(first, first + number)
        ]
        seed(self.sandbox.store, {object: rows})
        return [row["Gsid"] for row in rows]

    def read(self, object: str = "Company", since: Cursor | None = None) -> tuple[list[str], Cursor | None]:
        """The ids in the order in which they came, and the last cursor."""
        seen: list[str] = []
        shape = COMPANY if object == "Company" else {"Name": "VARCHAR"}
        for page in self.adapter.read(object, shape, since):
            seen += page.record_ids
            since = page.cursor
        return seen, since

    def spent(self) -> dict[str, int]:
        """The calls that arrived since this was last asked, by route."""
        calls = dict(self.sandbox.calls)
        self.sandbox.calls.clear()
        return calls


@pytest.fixture
def tenant() -> Tenant:
    return Tenant()


def create(number: int, **body: Any) -> Request:
    return Request(f"w{number}", "Company", Operation.CREATE, None, f"c-{number}", {"Name": f"Co {number}", **body})


def update(record_id: str, **body: Any) -> Request:
    return Request(f"u{record_id}", "Company", Operation.UPDATE, record_id, "link", body)


def test_reads_cost_a_call_for_each_page_and_one_where_nothing_changed(tenant: Tenant) -> None:
    made = tenant.fill("Company", 12_000, at=NOW - timedelta(days=2), apart_ms=1000)

    seen, cursor = tenant.read()
    full = tenant.spent()
    tenant.fill("Company", 3, at=NOW, first=20_000)
    news, cursor = tenant.read(since=cursor)
    incremental = tenant.spent()
    tenant.clock.advance(7200)
    looked = tenant.adapter.changed({"Company": cursor})

    assert seen == made
    assert (full, incremental) == ({QUERY: 3}, {QUERY: 1})
    assert set(news) >= {gsid("1X00", number) for number in range(20_000, 20_003)}
    assert (looked, tenant.spent()) == (set(), {QUERY: 1})


def test_a_crowd_of_one_millisecond_is_read_whole_and_once(tenant: Tenant) -> None:
    made = tenant.fill("Company", 11_000)

    seen, _ = tenant.read()

    assert (len(seen), set(seen)) == (len(made), set(made))
    assert tenant.spent() == {QUERY: 3}


def test_records_that_move_while_they_are_read_push_none_out(tenant: Tenant) -> None:
    made = tenant.fill("Company", 10_050, at=NOW - timedelta(days=1))
    pages = tenant.adapter.read("Company", COMPANY, None)
    seen = list(next(pages).record_ids)
    for gone in made[:40]:
        tenant.sandbox.store.delete("Company", gone)
    tenant.adapter.write([update(made[50], Name="moved")])

    for page in pages:
        seen += page.record_ids

    assert set(seen) == set(made)
    assert len(seen) == len(made) + 1


def test_an_order_that_never_settles_is_not_taken_for_a_whole_read() -> None:
    draw = random.Random(1)
    rows = [Record(f"r{number}", 1000, b"{}") for number in range(2 * PAGE_MAX)]

    def ask(body: Mapping[str, Any]) -> Sequence[Record]:
        draw.shuffle(rows)
        return rows[body["offset"] : body["offset"] + body["limit"]]

    with pytest.raises(RetryLater, match="another order"):
        list(Query(ask, []).since(0))


def test_pages_that_go_back_in_time_are_not_walked_in_circles() -> None:
    rows = [Record(f"r{number}", 10**9 - 1000 * number, b"{}") for number in range(PAGE_MAX)]

    with pytest.raises(MalformedPage, match="before the time"):
        list(Query(lambda body: rows, []).since(10**9))


@pytest.mark.parametrize("object", [STEPS, PLANS])
def test_lists_are_read_in_windows_that_fit_a_page_oldest_change_first(tenant: Tenant, object: str) -> None:
    made = tenant.fill(object, 2500, at=NOW - timedelta(days=300), apart_ms=3_600_000)

    seen, cursor = tenant.read(object)
    full = sum(tenant.spent().values())
    again, _ = tenant.read(object, cursor)

    assert seen == made
    assert full <= 9
    assert again == made[-1:]
    assert sum(tenant.spent().values()) == 1


def test_a_second_that_fills_more_than_a_page_of_a_list_is_read_by_number(tenant: Tenant) -> None:
    made = tenant.fill(STEPS, 2100)

    seen, _ = tenant.read(STEPS)

    assert sorted(seen) == sorted(made)


def test_what_changed_in_a_list_is_news_and_the_cursors_own_second_is_none(tenant: Tenant) -> None:
    tenant.fill(STEPS, 3)
    _, cursor = tenant.read(STEPS)

    assert not tenant.adapter.changed({STEPS: cursor})
    tenant.fill(STEPS, 1, at=NOW + timedelta(milliseconds=1), first=9)
    assert tenant.adapter.changed({STEPS: cursor})


def test_records_of_lists_are_fetched_by_id_and_swept(tenant: Tenant) -> None:
    made = tenant.fill(PLANS, 3)
    tenant.sandbox.store.delete(PLANS, made[0])

    found = tenant.adapter.fetch(PLANS, {"Name": "VARCHAR"}, made)

    assert set(found) == set(made[1:])
    assert [each for some in tenant.adapter.ids(PLANS) for each in some] == made[1:]


@pytest.mark.parametrize(
    "told", [{}, {"rows_in": "list"}, {"nothing": "result"}, {"nothing": "refusal"}], ids=lambda told: str(told)
)
def test_nothing_and_something_are_read_however_they_are_told(told: dict[str, str]) -> None:
    tenant = Tenant()
    tenant.settings(**told)

    assert tenant.read() == ([], None)
    assert tenant.adapter.find("Company", ["c-1"]) == {}
    (outcome,) = tenant.adapter.write([create(1)])
    assert tenant.read()[0] == [outcome.record_id]


def test_the_identity_is_the_host_once_the_credentials_were_taken(tenant: Tenant) -> None:
    tenant.fill("Company", 2)

    assert tenant.adapter.identity() == "gainsight.test"
    tenant.settings(access_key="made anew")
    with pytest.raises(FixConfiguration, match="access_key"):
        tenant.adapter.identity()


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Asia/Kolkata"])
def test_a_tenant_that_takes_times_for_those_of_another_zone_is_found_out(tenant: Tenant, zone: str) -> None:
    tenant.fill("Company", 2)
    tenant.settings(filter_zone=zone)

    with pytest.raises(FixConfiguration, match="another zone than UTC"):
        tenant.adapter.identity()


def test_a_read_by_time_that_finds_the_last_company_shows_that_none_is_missed(tenant: Tenant) -> None:
    tenant.fill("Company", 2)
    _, cursor = tenant.read()
    tenant.read(since=cursor)
    tenant.spent()

    assert (tenant.adapter.identity(), tenant.spent()) == ("gainsight.test", {})


def test_a_read_by_times_of_a_zone_in_which_changes_are_missed_shows_nothing(tenant: Tenant) -> None:
    tenant.fill("Company", 2, at=NOW - timedelta(days=1))
    _, cursor = tenant.read()
    tenant.settings(filter_zone="America/Los_Angeles")
    tenant.fill("Company", 2, first=20)
    tenant.read(since=cursor)

    with pytest.raises(FixConfiguration, match="another zone than UTC"):
        tenant.adapter.identity()


def test_a_token_is_asked_for_once_and_renewed_before_its_day_is_over() -> None:
    tenant = Tenant(client_id="sandbox-client", client_secret="sandbox-secret")
    tenant.read()
    tenant.read()
    first = tenant.spent()["POST /v1/users/m2m/oauth/token"]
    tenant.clock.advance(85_000)
    tenant.read()

    assert (first, tenant.spent()) == (1, {"POST /v1/users/m2m/oauth/token": 1, QUERY: 1})


def test_a_wrong_secret_is_for_a_person() -> None:
    tenant = Tenant(client_id="sandbox-client", client_secret="another")

    with pytest.raises(FixConfiguration, match="client_secret"):
        tenant.read()


def test_an_address_that_is_not_listed_is_for_a_person(tenant: Tenant) -> None:
    tenant.settings(address_refused=True)

    with pytest.raises(FixConfiguration, match="listed addresses"):
        tenant.read()


def test_credentials_that_are_refused_as_forbidden_are_for_a_person_too(tenant: Tenant) -> None:
    tenant.settings(access_key="made anew", unauthorized_status=403)

    with pytest.raises(FixConfiguration, match="GS_APIG_2401"):
        tenant.read()


def test_the_limit_of_a_minute_is_waited_for(tenant: Tenant) -> None:
    tenant.settings(calls_per_minute=2)

    for _ in range(5):
        tenant.read()

    assert tenant.clock.now() >= NOW + timedelta(minutes=2)


def test_fifty_companies_are_made_in_one_call_and_an_empty_text_clears(tenant: Tenant) -> None:
    outcomes = tenant.adapter.write([create(number, Country__gc="DE") for number in range(50)])
    record_id = str(outcomes[7].record_id)

    assert tenant.spent() == {"POST /v1/data/objects/<object>": 1}
    assert {outcome.state for outcome in outcomes} == {State.CONFIRMED}
    tenant.adapter.write([update(record_id, Country__gc="")])
    held = tenant.sandbox.store.get("Company", record_id) or {}
    assert (held["Name"], held["Country__gc"], held["Sync_Id__gc"]) == ("Co 7", None, "c-7")


def test_an_update_of_what_is_gone_is_set_aside(tenant: Tenant) -> None:
    with pytest.raises(SetAside, match="does not exist"):
        tenant.adapter.write([update(gsid("1P02", 77), Name="x")])


def test_of_two_companies_with_our_id_the_first_one_made_is_found(tenant: Tenant) -> None:
    (first,) = tenant.adapter.write([create(1)])
    tenant.clock.advance(5)
    tenant.adapter.write([create(1)])

    assert tenant.adapter.find("Company", ["c-1"])["c-1"].record_id == first.record_id


@pytest.mark.parametrize(
    "request_",
    [Request("w", STEPS, Operation.CREATE, None, "x", {}), Request("w", "Company", Operation.VOID, "1", "x", {})],
)
def test_what_is_never_written_is_refused_before_anything_is_sent(tenant: Tenant, request_: Request) -> None:
    with pytest.raises(FixConfiguration):
        tenant.adapter.write([request_])
    assert tenant.spent() == {}


def answered(rows: Any, errors: Any = None) -> bytes:
    return msgspec.json.encode({"result": True, "data": {"count": 1, "errors": errors, "records": rows}})


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (answered([{"Gsid": "A"}, {"Gsid": "B"}]), ["A", "B"]),
        (answered([{"Gsid": "B", "Sync_Id__gc": "c-2"}, {"Gsid": "A", "Sync_Id__gc": "c-1"}]), ["A", "B"]),
        (answered([{"Gsid": "B"}]), [None, None]),
        (answered([{"Gsid": "B", "Sync_Id__gc": "c-2"}], errors=[{"index": 0}]), [None, "B"]),
        (answered(None), [None, None]),
    ],
)
def test_an_outcome_names_a_record_only_where_the_answer_does(body: bytes, told: list[str | None]) -> None:
    outcomes = write(lambda method, name, rows: body, [create(1), create(2)])

    assert [outcome.record_id for outcome in outcomes] == told
    states = [State.CONFIRMED if each else State.IN_DOUBT for each in told]
    assert [outcome.state for outcome in outcomes] == states


def test_a_reply_that_is_lost_is_in_doubt_and_found_by_our_id(tenant: Tenant) -> None:
    tenant.sandbox.faults.add(Rule(route="POST /v1/data/objects/Company", kind="drop_after_commit", times=1))

    with pytest.raises(Exception, match="read back"):
        tenant.adapter.write([create(1)])

    assert set(tenant.adapter.find("Company", ["c-1"])) == {"c-1"}


def test_fields_that_the_tenant_lacks_or_spells_otherwise_are_named(tenant: Tenant) -> None:
    tenant.sandbox.vendor.admin("alter_field", {"object": "Company", "field": "ARR", "changes": {"name": "Arr"}})
    tenant.sandbox.vendor.admin("alter_field", {"object": STEPS, "field": "DueDate", "changes": None})
    company = {"Name": "VARCHAR", "ARR": "DOUBLE", "Nmae": "VARCHAR"}

    with pytest.raises(FixConfiguration) as raised:
        tenant.adapter.check_shapes({"Company": company, STEPS: {"DueDate": "VARCHAR"}, PLANS: {"Name": "VARCHAR"}})

    told = str(raised.value)
    assert "[Company] there is no field 'ARR', but there is 'Arr'" in told
    assert "[Company] there is no field 'Nmae'" in told
    assert "[call_to_action]" in told
    assert "DueDate" in told
    assert "success_plan" not in told


def stamps() -> Iterator[tuple[Any, int]]:
    yield 1_793_604_672_000, 1_793_604_672_000
    yield 1_793_604_672_000.0, 1_793_604_672_000
    yield "2026-11-02T07:31:12.000Z", 1_793_604_672_000


@pytest.mark.parametrize(("stamp", "at"), list(stamps()))
def test_times_are_milliseconds_or_iso(stamp: Any, at: int) -> None:
    body = msgspec.json.encode({"data": [{"Gsid": "A", "ModifiedDate": stamp}]})

    assert [row.key for row in records(body)] == [("A", at)]
