"""The Gainsight stand-in's wire, call by call, against the vendor's pages; no package with another client is known."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import pytest
import requests

from sync_pipelines.sandbox.app import Sandbox
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.faults import Rule
from sync_pipelines.sandbox.gainsight import seed
from sync_pipelines.sandbox.gainsight.tenant import gsid
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.server import serve
from sync_pipelines.sandbox.transport import InProcess

NOW = dt.datetime(2026, 11, 2, 8, 0, 0, 250_000, tzinfo=dt.UTC)
NOW_MS = 1_793_606_400_250
URL = "http://gainsight.test"
KEY = {"accesskey": "sandbox-key"}
TOKEN = "/v1/users/m2m/oauth/token"
COMPANIES, QUERY = "/v1/data/objects/Company", "/v1/data/objects/query/Company"
ACTIONS, PLANS = "/v2/cockpit/cta/list", "/v2/successPlan/list"


class Tenant:
    """The stand-in, called by hand."""

    def __init__(self) -> None:
        self.clock = VirtualClock(NOW)
        self.sandbox: Sandbox = open_sandbox("gainsight", clock=self.clock)
        self.session = requests.Session()
        self.session.mount(URL, InProcess(self.sandbox))

    def settings(self, **changes: Any) -> None:
        self.sandbox.vendor.admin("settings", changes)

    def call(
        self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] = KEY
    ) -> tuple[int, dict[str, Any]]:
        answer = self.session.request(method, URL + path, json=body, headers=dict(headers), timeout=9)
        return answer.status_code, answer.json()

    def create(self, *records: Mapping[str, Any]) -> list[str]:
        status, answer = self.call("POST", COMPANIES, {"records": list(records)})
        assert (status, answer["result"], answer["data"]["errors"]) == (200, True, None)
        return [each["Gsid"] for each in answer["data"]["records"]]

    def query(self, *select: str, **more: Any) -> list[dict[str, Any]]:
        body = {"select": list(select or ("Name",)), **more}
        status, answer = self.call("POST", QUERY, body)
        assert (status, answer["result"]) == (200, True)
        rows: list[dict[str, Any]] = answer["data"]["records"]
        return rows

    def refusal(self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] = KEY) -> tuple[int, str]:
        status, answer = self.call(method, path, body, headers=headers)
        assert answer["result"] is False
        return status, answer["errorCode"]


@pytest.fixture
def tenant() -> Tenant:
    return Tenant()


def where(name: str, operator: str, *values: Any, named_by: str = "name") -> dict[str, Any]:
    return {"conditions": [{named_by: name, "alias": "A", "operator": operator, "value": list(values)}]}


def test_a_created_company_is_read_with_its_times_in_milliseconds_and_its_names_as_asked(tenant: Tenant) -> None:
    (made,) = tenant.create({"Name": "Zoë 株式会社", "RenewalDate": "2027-01-31", "Is_Active_Customer__gc": True})

    assert tenant.query("Gsid", "name", "RenewalDate", "ModifiedDate", "ARR") == [
        {"Gsid": made, "name": "Zoë 株式会社", "RenewalDate": 1_801_353_600_000, "ModifiedDate": NOW_MS, "ARR": None}
    ]
    assert (len(made), made[:4]) == (36, "1P02")


def test_what_is_made_in_a_furnished_tenant_takes_the_id_of_no_other(tenant: Tenant) -> None:
    rows = [{"Gsid": gsid("1P02", number), "Name": f"N{number}"} for number in range(3)]
    seed(tenant.sandbox.store, {"Company": rows})

    tenant.create({"Name": "New"})

    assert {row["Name"] for row in tenant.query()} == {"N0", "N1", "N2", "New"}


def test_every_answer_comes_in_the_envelope_and_names_the_limit(tenant: Tenant) -> None:
    answer = tenant.session.post(URL + QUERY, json={"select": ["Gsid"]}, headers=KEY, timeout=9)

    assert answer.json().keys() == {"result", "errorCode", "errorDesc", "requestId", "data", "message"}
    assert answer.headers["x-ratelimit-limit"] == "100"


@pytest.mark.parametrize(
    ("record", "code"),
    [
        ({"Name": "n" * 256}, "GSOBJ_1001"),
        ({"Name": "ok", "Nmae": "x"}, "GSOBJ_1002"),
        ({"Name": "ok", "Csm": "nobody"}, "GSOBJ_1004"),
        ({"Name": "ok", "RenewalDate": "31.1.2027"}, "GSOBJ_1006"),
        ({"Customer_Number__gc": "C-1"}, "GSOBJ_1007"),
        ({"Name": None}, "GSOBJ_1007"),
        ({"Name": "ok", "Employees": "many"}, "GSOBJ_1008"),
        ({"Name": "ok", "Gsid": gsid("1P02", 1)}, "GSOBJ_1008"),
        ({"Name": "ok", "Stage": "Live"}, "GSOBJ_1004"),
    ],
)
def test_one_bad_record_refuses_the_whole_call(tenant: Tenant, record: dict[str, Any], code: str) -> None:
    assert tenant.refusal("POST", COMPANIES, {"records": [{"Name": "good"}, record]}) == (400, code)
    assert tenant.query() == []


def test_no_more_than_fifty_records_are_written_and_none_twice_as_one(tenant: Tenant) -> None:
    fifty = [{"Name": f"N{number}", "Sync_Id__gc": "same"} for number in range(50)]

    assert tenant.refusal("POST", COMPANIES, {"records": [*fifty, {"Name": "one more"}]}) == (400, "GSOBJ_1008")
    tenant.create(*fifty)
    tenant.create(*fifty)
    assert len(tenant.query()) == 100


def test_an_update_is_found_by_its_keys_and_leaves_the_other_fields(tenant: Tenant) -> None:
    tenant.create({"Name": "Acme", "Sync_Id__gc": "l-1", "Country__gc": "DE"}, {"Name": "Other", "Sync_Id__gc": "l-2"})
    tenant.clock.advance(1)

    body = {"records": [{"Sync_Id__gc": "l-1", "Name": "Acme GmbH"}]}
    status, answer = tenant.call("PUT", f"{COMPANIES}?keys=Sync_Id__gc", body)

    assert (status, answer["data"]["count"]) == (200, 1)
    (row,) = tenant.query("Name", "Country__gc", "ModifiedDate", where=where("Sync_Id__gc", "EQ", "l-1"))
    assert row == {"Name": "Acme GmbH", "Country__gc": "DE", "ModifiedDate": NOW_MS + 1000}


def test_an_update_without_a_match_refuses_the_call(tenant: Tenant) -> None:
    (made,) = tenant.create({"Name": "Acme"})
    records = [{"Gsid": made, "Name": "Acme 2"}, {"Gsid": gsid("1P02", 999), "Name": "Nobody"}]

    assert tenant.refusal("PUT", f"{COMPANIES}?keys=Gsid", {"records": records}) == (400, "GSOBJ_1011")
    assert tenant.query() == [{"Name": "Acme"}]


@pytest.mark.parametrize("keys", ["", "Name,Gsid,Sync_Id__gc,Country__gc", "Is_Active_Customer__gc"])
def test_keys_are_one_to_three_fields_that_can_be_keys(tenant: Tenant, keys: str) -> None:
    assert tenant.refusal("PUT", f"{COMPANIES}?keys={keys}", {"records": [{"Name": "x"}]}) == (400, "GSOBJ_1008")


def test_a_query_filters_sorts_and_pages_by_offset(tenant: Tenant) -> None:
    for name in ("C", "A", "B"):
        tenant.create({"Name": name})
        tenant.clock.advance(60)
    order = {"ModifiedDate": "desc"}

    assert [row["Name"] for row in tenant.query(orderBy=order, limit=2)] == ["B", "A"]
    assert [row["Name"] for row in tenant.query(orderBy=order, limit=2, offset=2)] == ["C"]
    late = where("ModifiedDate", "BTW", "2026-11-02 08:01:00", "2026-11-02 08:01:01")
    assert [row["Name"] for row in tenant.query(where=late)] == ["A"]
    assert [row["Name"] for row in tenant.query(where=where("Name", "IN", "A", "C"))] == ["C", "A"]


def test_an_expression_joins_its_conditions(tenant: Tenant) -> None:
    tenant.create({"Name": "A", "Employees": 1}, {"Name": "B", "Employees": 2}, {"Name": "C"})
    conditions = [
        {"name": "Name", "alias": "A", "operator": "EQ", "value": ["A"]},
        {"name": "Employees", "alias": "B", "operator": "IS_NULL", "value": []},
        {"name": "Name", "alias": "C", "operator": "NE", "value": ["C"]},
    ]

    def found(expression: str) -> list[str]:
        return [row["Name"] for row in tenant.query(where={"conditions": conditions, "expression": expression})]

    assert found("A OR B AND C") == ["A"]
    assert found("(A OR B) AND C") == ["A"]
    assert found("A OR B") == ["A", "C"]
    assert tenant.refusal("POST", QUERY, {"select": ["Name"], "where": {"conditions": conditions, "expression": "D"}})


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"select": ["Nmae"]}, "GSOBJ_1002"),
        ({"select": ["Name"], "where": where("Name", "EQ", "x", named_by="fieldName")}, "GSOBJ_1002"),
        ({"select": ["Name"], "where": where("ModifiedDate", "GTE", "2026-11-02T08:00:00Z")}, "GSOBJ_1005"),
        ({"select": ["Name"], "where": where("Gsid", "EQ", "1P02")}, "GSOBJ_1004"),
        ({"select": ["Name"], "limit": 5001}, "GSOBJ_1008"),
        ({"select": ["Name"], "orderBy": {"ModifiedDate": "asc", "Gsid": "asc"}}, "GSOBJ_1008"),
        ({"select": ["Name"], "sort": "Name"}, "GSOBJ_1008"),
    ],
)
def test_a_query_that_is_not_understood_is_refused(tenant: Tenant, body: dict[str, Any], code: str) -> None:
    assert tenant.refusal("POST", QUERY, body) == (400, code)


def test_nothing_found_is_told_in_three_ways(tenant: Tenant) -> None:
    assert tenant.query() == []
    tenant.settings(nothing="result")
    assert tenant.refusal("POST", QUERY, {"select": ["Name"]})[0] == 200
    tenant.settings(nothing="refusal")
    assert tenant.refusal("POST", QUERY, {"select": ["Name"]}) == (400, "GSOBJ_1011")


def test_rows_come_as_a_list_where_the_tenant_is_so(tenant: Tenant) -> None:
    tenant.create({"Name": "Acme"})
    tenant.settings(rows_in="list")

    assert tenant.call("POST", QUERY, {"select": ["Name"]})[1]["data"] == [{"Name": "Acme"}]


def test_a_deleted_record_is_in_the_log_for_fifteen_days(tenant: Tenant) -> None:
    (made,) = tenant.create({"Name": "Acme"})
    log = {"select": ["RecordId", "DeletedOn", "ObjectName"], "where": where("ObjectName", "EQ", "Company")}
    path = "/v1/data/objects/query/record_delete_log"

    assert tenant.call("DELETE", f"{COMPANIES}/{made}")[0] == 200
    assert tenant.refusal("DELETE", f"{COMPANIES}/{made}") == (400, "GSOBJ_1011")
    told = tenant.call("POST", path, log)[1]["data"]["records"]
    tenant.clock.advance(15 * 86_400 + 1)

    assert told == [{"RecordId": made, "DeletedOn": "2026-11-02T08:00:00Z", "ObjectName": "Company"}]
    assert tenant.call("POST", path, log)[1]["data"]["records"] == []


def test_calls_to_action_are_listed_by_page_with_iso_times_and_without_empty_fields(tenant: Tenant) -> None:
    rows = [
        {"Gsid": gsid("1S01", number), "Name": f"Step {number}", "ModifiedDate": NOW_MS + number, "IsClosed": False}
        for number in range(3)
    ]
    seed(tenant.sandbox.store, {"call_to_action": [{**rows[0], "DueDate": 1_801_353_600_000}, *rows[1:]]})

    body = {"select": ["name", "DueDate", "ModifiedDate"], "pageSize": 2, "pageNumber": 1}
    first = tenant.call("POST", ACTIONS, body)[1]["data"]
    second = tenant.call("POST", ACTIONS, {**body, "pageNumber": 2})[1]["data"]

    assert first[0] == {
        "Gsid": gsid("1S01", 0),
        "Name": "Step 0",
        "DueDate": "2027-01-31",
        "ModifiedDate": "2026-11-02T08:00:00.250Z",
    }
    assert [each["Name"] for each in second] == ["Step 2"]
    assert "DueDate" not in first[1]


def test_conditions_of_lists_name_a_field_name_and_an_unknown_select_has_a_code_of_its_own(tenant: Tenant) -> None:
    seed(tenant.sandbox.store, {"success_plan": [{"Gsid": gsid("1V01", 1), "Name": "Go live", "ModifiedDate": NOW_MS}]})
    since = where("ModifiedDate", "GT", "2026-11-02T08:00:00.250Z", named_by="fieldName")

    assert len(tenant.call("POST", PLANS, {"select": ["Name"]})[1]["data"]) == 1
    assert tenant.call("POST", PLANS, {"select": ["Name"], "where": since})[1]["data"] == []
    assert tenant.refusal("POST", PLANS, {"select": ["Nmae"]}) == (400, "COCKPIT_5101")
    assert tenant.refusal("POST", PLANS, {"select": ["Name"], "where": where("Name", "EQ", "x")})[1] == "GSOBJ_1002"
    assert tenant.refusal("POST", PLANS, {"select": ["Name"], "pageSize": 1001}) == (400, "GSOBJ_1008")


@pytest.mark.parametrize(
    ("headers", "refused"),
    [
        ({}, (400, "GSOBJ_1024")),
        ({"accesskey": "another"}, (401, "GS_APIG_2401")),
        ({"Authorization": "Bearer none"}, (401, "GS_APIG_2401")),
    ],
)
def test_who_can_not_prove_who_they_are_is_kept_out(
    tenant: Tenant, headers: dict[str, str], refused: tuple[int, str]
) -> None:
    assert tenant.refusal("POST", QUERY, {"select": ["Name"]}, headers=headers) == refused


def test_who_calls_from_elsewhere_is_kept_out(tenant: Tenant) -> None:
    tenant.settings(address_refused=True)

    assert tenant.refusal("POST", QUERY, {"select": ["Name"]}) == (403, "GS_APIG_2402")


def test_a_token_lives_for_a_day(tenant: Tenant) -> None:
    form = {"grant_type": "client_credentials"}
    good = tenant.session.post(URL + TOKEN, data=form, auth=("sandbox-client", "sandbox-secret"), timeout=9)
    bad = tenant.session.post(URL + TOKEN, data=form, auth=("sandbox-client", "another"), timeout=9)
    bearer = {"Authorization": f"Bearer {good.json()['access_token']}"}

    assert (good.json()["token_type"], good.json()["expires_in"], bad.status_code) == ("Bearer", 86_400, 401)
    assert tenant.call("POST", QUERY, {"select": ["Name"]}, headers=bearer)[0] == 200
    tenant.clock.advance(86_400)
    assert tenant.refusal("POST", QUERY, {"select": ["Name"]}, headers=bearer) == (401, "GS_APIG_2401")


def test_a_minute_has_a_hundred_calls_and_the_next_begins_with_the_clock(tenant: Tenant) -> None:
    tenant.clock.set(NOW.replace(second=59))
    for _ in range(100):
        tenant.query()

    assert tenant.refusal("POST", QUERY, {"select": ["Name"]}) == (429, "GU_2400")
    assert tenant.call("POST", PLANS, {"select": ["Name"]})[0] == 200
    tenant.clock.advance(1)
    for _ in range(100):
        tenant.query()


def test_a_day_has_a_limit_too(tenant: Tenant) -> None:
    tenant.settings(calls_per_day=3)
    for _ in range(3):
        tenant.query()
        tenant.clock.advance(60)

    assert tenant.refusal("POST", QUERY, {"select": ["Name"]}) == (429, "GU_2400")


def test_the_fields_of_an_object_are_described(tenant: Tenant) -> None:
    status, answer = tenant.call("POST", "/v1/meta/services/objects/describe", {"objectNames": ["company"]})
    fields = {each["fieldName"]: each for each in answer["data"][0]["fields"]}

    assert (status, answer["data"][0]["keyPrefix"], fields["Gsid"]["meta"]["readOnly"]) == (200, "1P02", True)
    assert (fields["Name"]["dataType"], fields["Name"]["meta"]["required"]) == ("STRING", True)


def test_a_night_of_the_tenants_own_rules_changes_the_time_of_every_record(tenant: Tenant) -> None:
    tenant.create({"Name": "A"}, {"Name": "B"})
    tenant.clock.advance(3600)
    tenant.sandbox.vendor.admin("touch", {"object": "Company"})

    assert {row["ModifiedDate"] for row in tenant.query("Name", "ModifiedDate")} == {NOW_MS + 3_600_000}


def test_a_lost_answer_leaves_a_company_and_a_second_call_makes_another(tenant: Tenant) -> None:
    tenant.sandbox.faults.add(Rule(route=f"POST {COMPANIES}", kind="drop_after_commit", times=1))

    with pytest.raises(requests.ConnectionError):
        tenant.create({"Name": "Acme", "Sync_Id__gc": "l-1"})
    tenant.create({"Name": "Acme", "Sync_Id__gc": "l-1"})

    assert len(tenant.query()) == 2


def test_an_unknown_path_and_an_object_without_writes_are_refused(tenant: Tenant) -> None:
    assert tenant.refusal("POST", "/v1/data/objects/Contract", {"records": [{}]}) == (400, "GSOBJ_1023")
    assert tenant.refusal("POST", "/v1/data/objects/call_to_action", {"records": [{}]}) == (400, "GSOBJ_1023")
    assert tenant.refusal("GET", "/v1/nothing") == (404, "GSOBJ_1023")


def test_it_is_served_over_a_socket() -> None:
    sandbox = open_sandbox("gainsight", clock=VirtualClock(NOW))
    with serve(sandbox) as running:
        answer = requests.post(running.url + QUERY, json={"select": ["Name"]}, headers=KEY, timeout=9)

    assert answer.json()["data"] == {"records": []}
