"""The HubSpot stand-in as an independent client sees it, over a socket, and as HubSpot's documents describe it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import hubspot
import pytest
import requests
from hubspot.crm import associations, companies, deals, line_items
from hubspot_contract import Overheard, contracts

from sync_pipelines.sandbox.app import Sandbox
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.faults import FaultPlan, Rule
from sync_pipelines.sandbox.hubspot import load_schema, open_vendor, seed
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.server import serve
from sync_pipelines.sandbox.store import Store

TODAY = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
KEY = {"Authorization": "Bearer pat-na1-sandbox"}
OBJECTS = "/crm/objects/2026-09"
GRANT = {
    "grant_type": "refresh_token",
    "client_id": "sandbox-client",
    "client_secret": "sandbox-secret",
    "refresh_token": "na1-sandbox-refresh",
}
BASE = {"archived": False, "createdAt": "", "updatedAt": ""}


@dataclass
class Witness:
    sandbox: Overheard
    url: str
    client: hubspot.HubSpot

    def admin(self, action: str, **body: Any) -> Any:
        return self.sandbox.vendor.admin(action, body)

    def ask(self, method: str, path: str, body: Any = None, *, token: str = "", **query: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else KEY
        return requests.request(method, self.url + path, json=body, params=query, headers=headers, timeout=10)

    def company(self, **properties: str) -> str:
        given = companies.SimplePublicObjectInputForCreate(properties=properties, associations=[])
        return str(self.client.crm.companies.basic_api.create(given).id)

    def search(self, *filters: dict[str, Any], object: str = "companies", **more: Any) -> dict[str, Any]:
        body = {"filterGroups": [{"filters": list(filters)}] if filters else [], "limit": 200, **more}
        answer = self.ask("POST", f"{OBJECTS}/{object}/search", body)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def witness() -> Iterator[Witness]:
    yield from opened()


def opened(**behaviour: Any) -> Iterator[Witness]:
    sandbox = Overheard(open_sandbox("hubspot", Store(None), clock=VirtualClock(TODAY)))
    if behaviour:
        vendor = open_vendor(
            sandbox.store, clock=sandbox.clock, faults=FaultPlan(), schema=load_schema().behaving(**behaviour)
        )
        sandbox = Overheard(Sandbox(vendor, sandbox.store, clock=sandbox.clock, faults=vendor.crm.faults))
    with serve(sandbox) as running:
        yield Witness(sandbox, running.url, hubspot.HubSpot(access_token="pat-na1-sandbox", host=running.url))


def test_the_client_writes_and_reads_back(witness: Witness) -> None:
    company = witness.company(name="Acme GmbH", city="Zürich", annualrevenue="1250000.50")
    change = companies.SimplePublicObjectInput(properties={"name": "Acme AG", "city": ""})
    witness.client.crm.companies.basic_api.update(company, change)

    read = witness.client.crm.companies.basic_api.get_by_id(company, properties=["name", "city", "annualrevenue"])

    assert read.properties["name"] == "Acme AG"
    assert (read.properties["city"], read.properties["annualrevenue"]) == (None, "1250000.50")
    assert read.properties["hs_object_id"] == read.id == company
    assert read.created_at == TODAY


def test_the_client_pages_through_everything_by_itself(witness: Witness) -> None:
    seed(witness.sandbox.store, {"companies": [row(n) for n in range(1, 251)]})

    read = [each.id for each in witness.client.crm.companies.get_all()]

    assert read == [str(n) for n in range(1, 251)]
    assert witness.sandbox.calls["GET /crm/<version>/objects/<object>"] == 3


def test_without_names_a_read_shows_a_few_properties_and_an_unknown_name_is_passed_over(witness: Witness) -> None:
    company = witness.company(name="Acme", phone="1")

    few = witness.ask("GET", f"{OBJECTS}/companies/{company}").json()["properties"]
    asked = witness.ask("GET", f"{OBJECTS}/companies/{company}", properties="phone,no_such").json()["properties"]

    assert few.keys() == {"createdate", "domain", "hs_lastmodifieddate", "hs_object_id", "name"}
    assert asked.keys() == {"createdate", "hs_lastmodifieddate", "hs_object_id", "phone"}


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({"no_such": "1"}, "PROPERTY_DOESNT_EXIST"),
        ({"hs_object_id": "7"}, "READ_ONLY_VALUE"),
        ({"industry": "NOT_A_VALUE"}, "INVALID_OPTION"),
        ({"annualrevenue": "1,000"}, "INVALID_DOUBLE"),
        ({"annualrevenue": "NaN"}, "INVALID_DOUBLE"),
        ({"name": "x" * 65_537}, "PROPERTY_TOO_LONG"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_its_property(
    witness: Witness, properties: dict[str, str], code: str
) -> None:
    given = companies.SimplePublicObjectInputForCreate(properties=properties, associations=[])

    with pytest.raises(companies.ApiException) as refused:
        witness.client.crm.companies.basic_api.create(given)

    body = requests.models.complexjson.loads(refused.value.body)
    assert (refused.value.status, body["category"]) == (400, "VALIDATION_ERROR")
    assert [(each["code"], each["context"]["propertyName"]) for each in body["errors"]] == [(code, [*properties])]
    assert witness.sandbox.store.count("companies") == 0


def test_the_client_upserts_and_is_told_what_was_new(witness: Witness) -> None:
    def upsert(*inputs: tuple[str, dict[str, str]]) -> Any:
        given = [
            companies.SimplePublicObjectBatchInputUpsert(id=key, id_property="sync_id", properties=properties)
            for key, properties in inputs
        ]
        return witness.client.crm.companies.batch_api.upsert(
            companies.BatchInputSimplePublicObjectBatchInputUpsert(inputs=given)
        )

    first = upsert(("s1", {"name": "Acme"}), ("s2", {"name": "Beta"}))
    second = upsert(("s2", {"city": "Bonn"}), ("s3", {"industry": "NOT_A_VALUE"}))

    assert [(each.properties["sync_id"], each.new) for each in first.results] == [("s2", True), ("s1", True)]
    assert [(each.id, each.new) for each in second.results] == [(first.results[0].id, False)]
    assert (second.num_errors, second.errors[0].category) == (1, "VALIDATION_ERROR")
    assert second.errors[0].context["ids"] == ["s3"]
    assert second.results[0].properties["name"] == "Beta"


@pytest.mark.parametrize(("version", "status"), [("2026-03", 207), ("2026-09", 200)])
def test_older_versions_say_in_the_status_that_a_part_failed(witness: Witness, version: str, status: int) -> None:
    company = witness.company(name="Acme")
    inputs = [{"id": company, "properties": {"name": "Acme AG"}}, {"id": "99", "properties": {"name": "Nobody"}}]

    answer = witness.ask("POST", f"/crm/objects/{version}/companies/batch/update", {"inputs": inputs})

    assert answer.status_code == status
    assert [each["id"] for each in answer.json()["results"]] == [company]
    assert answer.json()["errors"][0]["category"] == "OBJECT_NOT_FOUND"


def test_a_portal_may_refuse_a_whole_batch_for_one_input() -> None:
    for witness in opened(bad_input_refuses="call"):
        inputs = [{"properties": {"name": "Good"}, "associations": []}, {"properties": {"no": "1"}, "associations": []}]

        answer = witness.ask("POST", f"{OBJECTS}/companies/batch/create", {"inputs": inputs})

        assert (answer.status_code, answer.json()["category"]) == (400, "VALIDATION_ERROR")
        assert witness.sandbox.store.count("companies") == 0


def test_a_batch_takes_a_hundred_inputs_and_each_record_once(witness: Witness) -> None:
    many = [{"properties": {"name": f"Company {n}"}, "associations": []} for n in range(101)]
    company = witness.company(name="Acme")
    twice = [{"id": company, "properties": {"city": city}} for city in ("Bonn", "Ulm")]

    assert witness.ask("POST", f"{OBJECTS}/companies/batch/create", {"inputs": many}).status_code == 400
    assert witness.ask("POST", f"{OBJECTS}/companies/batch/create", {"inputs": many[:100]}).status_code == 201
    refused = witness.ask("POST", f"{OBJECTS}/companies/batch/update", {"inputs": twice}).json()
    assert "Duplicate IDs found in batch input" in refused["message"]


def test_records_are_read_by_id_and_by_a_unique_property_and_missing_ones_are_named(witness: Witness) -> None:
    company = witness.company(name="Acme", sync_id="s1")
    read = companies.BatchReadInputSimplePublicObjectId(
        inputs=[companies.SimplePublicObjectId(id="s1"), companies.SimplePublicObjectId(id="s9")],
        id_property="sync_id",
        properties=["name"],
        properties_with_history=[],
    )

    answer = witness.client.crm.companies.batch_api.read(read)

    assert [each.id for each in answer.results] == [company]
    assert answer.errors[0].context == {"ids": ["s9"]}
    one = witness.client.crm.companies.basic_api.get_by_id("s1", id_property="sync_id")
    assert one.id == company
    assert witness.ask("GET", f"{OBJECTS}/companies/x", idProperty="name").status_code == 400


def test_a_unique_value_is_taken_once_and_a_contacts_email_is_told_apart_without_case(witness: Witness) -> None:
    contact = {"properties": {"email": "Jo@Acme.example "}, "associations": []}
    made = witness.ask("POST", f"{OBJECTS}/contacts", contact).json()
    again = witness.ask("POST", f"{OBJECTS}/contacts", contact)
    witness.company(sync_id="s1")
    other = witness.ask("POST", f"{OBJECTS}/companies", {"properties": {"sync_id": "s1"}, "associations": []})

    assert made["properties"]["email"] == "jo@acme.example"
    assert (again.status_code, again.json()["category"]) == (409, "CONFLICT")
    assert again.json()["message"] == f"Contact already exists. Existing ID: {made['id']}"
    assert other.json()["errors"][0]["code"] == "CONFLICTING_UNIQUE_VALUE"


def test_a_search_filters_sorts_and_pages(witness: Witness) -> None:
    for name, revenue in (("Acme", "9"), ("Beta", "10"), ("Gamma", "11")):
        witness.company(name=name, annualrevenue=revenue)
    request = companies.PublicObjectSearchRequest(
        filter_groups=[
            companies.FilterGroup(
                filters=[companies.Filter(property_name="annualrevenue", operator="GTE", value="10")],
            ),
            companies.FilterGroup(filters=[companies.Filter(property_name="name", operator="EQ", value="ACME")]),
        ],
        sorts=["annualrevenue"],
        properties=["name"],
        limit=2,
    )

    page = witness.client.crm.companies.search_api.do_search(request)

    assert (page.total, [each.properties["name"] for each in page.results]) == (3, ["Acme", "Beta"])
    assert page.paging.next.after == "2"


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"operator": "NEQ", "value": "acme"}, {"Beta SE", None}),
        ({"operator": "IN", "values": ["acme", "gamma"]}, {"Acme"}),
        ({"operator": "NOT_IN", "values": ["acme"]}, {"Beta SE", None}),
        ({"operator": "HAS_PROPERTY"}, {"Acme", "Beta SE"}),
        ({"operator": "NOT_HAS_PROPERTY"}, {None}),
        ({"operator": "CONTAINS_TOKEN", "value": "be*"}, {"Beta SE"}),
        ({"operator": "NOT_CONTAINS_TOKEN", "value": "acme"}, {"Beta SE", None}),
        ({"operator": "BETWEEN", "value": "a", "highValue": "b"}, {"Acme"}),
        ({"operator": "LT", "value": "b"}, {"Acme"}),
    ],
)
def test_every_operator_means_what_it_says(witness: Witness, given: dict[str, Any], found: set[str | None]) -> None:
    witness.company(name="Acme")
    witness.company(name="Beta SE")
    witness.company(city="Bonn")

    results = witness.search({"propertyName": "name", **given}, properties=["name"])["results"]

    assert {each["properties"]["name"] for each in results} == found


@pytest.mark.parametrize(
    "body",
    [
        {"limit": 201},
        {"after": "x"},
        {"after": "9990", "limit": 11},
        {"sorts": ["name", "city"]},
        {"sorts": [{"propertyName": "no_such"}]},
        {"filterGroups": [{"filters": [{"propertyName": "no_such", "operator": "EQ", "value": "1"}]}]},
        {"filterGroups": [{"filters": [{"propertyName": "name", "operator": "LIKE", "value": "1"}]}]},
        {"filterGroups": [{"filters": [{"propertyName": "name", "operator": "EQ"}]}]},
        {"filterGroups": [{"filters": [{"propertyName": "createdate", "operator": "GT", "value": "soon"}]}]},
        {"filterGroups": [{"filters": []}] * 6},
        {"filterGroups": [{"filters": [{"propertyName": "name", "operator": "HAS_PROPERTY"}] * 7}]},
        {"filterGroups": [{"filters": [{"propertyName": "name", "operator": "HAS_PROPERTY"}] * 5}] * 4},
        {"no_such": 1},
    ],
    ids=str,
)
def test_a_search_that_goes_too_far_is_refused(witness: Witness, body: dict[str, Any]) -> None:
    answer = witness.ask("POST", f"{OBJECTS}/companies/search", body)

    assert (answer.status_code, answer.json()["category"]) == (400, "VALIDATION_ERROR")


def test_a_search_ends_at_ten_thousand_results(witness: Witness) -> None:
    seed(witness.sandbox.store, {"companies": [row(n) for n in range(1, 10_202)]})

    last = witness.search(after="9800")

    assert (last["total"], last["paging"]["next"]["after"]) == (10_201, "10000")
    assert witness.ask("POST", f"{OBJECTS}/companies/search", {"limit": 200, "after": "10000"}).status_code == 400


def test_a_search_is_behind_and_lists_and_reads_are_not(witness: Witness) -> None:
    old = witness.company(name="Old")
    witness.admin("index_lag", seconds=30)
    new = witness.company(name="New")
    witness.ask("PATCH", f"{OBJECTS}/companies/{old}", {"properties": {"name": "Renamed"}})
    witness.sandbox.clock.advance(29)

    behind = witness.search(properties=["name"])
    at_once = [each.id for each in witness.client.crm.companies.get_all()]
    witness.sandbox.clock.advance(1)
    caught_up = witness.search(properties=["name"], sorts=["name"])

    assert [each["properties"]["name"] for each in behind["results"]] == ["Old"]
    assert at_once == [old, new]
    assert [each["properties"]["name"] for each in caught_up["results"]] == ["New", "Renamed"]


def test_an_archived_record_leaves_lists_and_searches_and_can_be_restored(witness: Witness) -> None:
    company = witness.company(name="Acme")
    api = witness.client.crm.companies.basic_api
    api.archive(company)
    api.archive(company)

    with pytest.raises(companies.ApiException) as gone:
        api.get_by_id(company)
    kept = api.get_page(archived=True).results
    found = witness.search()["total"]
    witness.admin("restore", object="companies", ids=[company])

    assert (gone.value.status, found) == (404, 0)
    assert [(each.id, each.archived, each.archived_at) for each in kept] == [(company, True, TODAY)]
    assert api.get_by_id(company).archived is False


def test_the_id_of_a_merged_record_answers_with_the_survivor(witness: Witness) -> None:
    loser, survivor = witness.company(name="ACME", city="Bonn"), witness.company(name="Acme GmbH")
    contact = witness.ask("POST", f"{OBJECTS}/contacts", {"properties": {"email": "a@b.cd"}, "associations": []}).json()
    witness.ask("PUT", f"{OBJECTS}/contacts/{contact['id']}/associations/default/companies/{loser}")

    witness.ask(
        "POST", f"{OBJECTS}/companies/merge", {"primaryObjectId": survivor, "objectIdToMerge": loser}
    ).raise_for_status()

    read = witness.client.crm.companies.basic_api.get_by_id(loser, properties=["name", "city", "hs_merged_object_ids"])
    assert (read.id, read.properties["hs_merged_object_ids"]) == (survivor, loser)
    assert (read.properties["name"], read.properties["city"]) == ("Acme GmbH", "Bonn")
    assert witness.search()["total"] == 1
    told = witness.ask("GET", f"{OBJECTS}/contacts/{contact['id']}", properties="associatedcompanyid").json()
    assert told["properties"]["associatedcompanyid"] == survivor


def test_a_merge_may_give_the_survivor_an_id_of_its_own() -> None:
    for witness in opened(merge_makes_new_id=True):
        loser, primary = witness.company(name="ACME"), witness.company(name="Acme")

        new = witness.admin("merge", object="companies", primary=primary, other=loser)["id"]

        read = witness.client.crm.companies.basic_api.get_by_id(primary, properties=["hs_merged_object_ids"])
        assert new not in (loser, primary)
        assert (read.id, set(read.properties["hs_merged_object_ids"].split(";"))) == (new, {loser, primary})


def test_the_client_joins_a_deal_to_its_company_and_its_lines(witness: Witness) -> None:
    company = witness.company(name="Acme")
    deal = witness.client.crm.deals.basic_api.create(
        deals.SimplePublicObjectInputForCreate(
            properties={
                "dealname": "Seats",
                "dealstage": "closedwon",
                "amount": "30",
                "closedate": "2026-11-02T23:30:00Z",
            },
            associations=[
                deals.PublicAssociationsForObject(
                    to=deals.PublicObjectId(id=company),
                    types=[deals.AssociationSpec(association_category="HUBSPOT_DEFINED", association_type_id=5)],
                )
            ],
        )
    )
    line = witness.client.crm.line_items.basic_api.create(
        line_items.SimplePublicObjectInputForCreate(
            properties={"hs_sku": "SKU-1", "price": "10.005", "quantity": "3", "hs_discount_percentage": "10"},
            associations=[
                line_items.PublicAssociationsForObject(
                    to=line_items.PublicObjectId(id=deal.id),
                    types=[line_items.AssociationSpec(association_category="HUBSPOT_DEFINED", association_type_id=20)],
                )
            ],
        )
    )

    read = witness.client.crm.associations.v4.batch_api.get_page(
        "deals",
        "companies",
        associations.v4.BatchInputPublicFetchAssociationsBatchRequest(
            inputs=[associations.v4.PublicFetchAssociationsBatchRequest(id=deal.id)]
        ),
    )
    shown = witness.client.crm.deals.basic_api.get_by_id(
        deal.id, properties=["hs_is_closed_won", "closedate"], associations=["companies", "line_items"]
    )

    kinds = [each.type_id for each in read.results[0].to[0].association_types]
    assert (str(read.results[0].to[0].to_object_id), kinds) == (company, [5, 341])
    assert shown.properties["hs_is_closed_won"] == "true"
    assert shown.properties["closedate"] == "2026-11-02T23:30:00.000Z"
    assert [each.type for each in shown.associations["companies"].results] == [
        "deal_to_company",
        "deal_to_company_unlabeled",
    ]
    assert [each.id for each in shown.associations["line_items"].results] == [line.id]
    assert line.properties["amount"] == "27.01"


def test_a_line_belongs_to_one_deal_and_a_stage_to_its_pipeline(witness: Witness) -> None:
    first, second = (
        witness.ask("POST", f"{OBJECTS}/deals", {"properties": {"dealname": name}, "associations": []}).json()["id"]
        for name in "ab"
    )
    line = witness.ask("POST", f"{OBJECTS}/line_items", {"properties": {"name": "Seat"}, "associations": []}).json()[
        "id"
    ]
    path = f"{OBJECTS}/line_items/{line}/associations/default/deals"

    assert witness.ask("PUT", f"{path}/{first}").status_code == 200
    assert witness.ask("PUT", f"{path}/{second}").status_code == 400
    assert witness.ask("PATCH", f"{OBJECTS}/deals/{first}", {"properties": {"dealstage": "won"}}).status_code == 400
    assert witness.ask("DELETE", f"{OBJECTS}/line_items/{line}/associations/deals/{first}").status_code == 204
    assert witness.ask("PUT", f"{path}/{second}").status_code == 200


@pytest.mark.parametrize(("rule", "status", "stage"), [("ignored", 200, "customer"), ("refused", 400, "customer")])
def test_a_lifecycle_stage_goes_back_only_once_it_was_cleared(rule: str, status: int, stage: str) -> None:
    for witness in opened(stage_backwards=rule):
        company = witness.company(name="Acme", lifecyclestage="customer")
        path = f"{OBJECTS}/companies/{company}"

        answer = witness.ask("PATCH", path, {"properties": {"lifecyclestage": "lead"}})

        assert answer.status_code == status
        shown = witness.ask("GET", path, properties="lifecyclestage").json()["properties"]["lifecyclestage"]
        assert shown == stage
        for step in ("", "lead"):
            last = witness.ask("PATCH", path, {"properties": {"lifecyclestage": step}})
        assert last.json()["properties"]["lifecyclestage"] == "lead"


def test_the_portal_can_be_told_apart_from_a_refreshed_copy(witness: Witness) -> None:
    first = witness.ask("GET", "/account-info/2026-09/details").json()
    witness.admin("portal", id=999)
    second = witness.ask("GET", "/account-info/2026-09/details").json()

    assert (first["portalId"], first["companyCurrency"], second["portalId"]) == (555001, "USD", 999)
    assert (first["timeZone"], first["utcOffset"]) == ("US/Eastern", "-05:00")


def test_an_access_token_lives_for_half_an_hour_and_a_fault_can_end_it(witness: Witness) -> None:
    def token() -> str:
        return str(requests.post(f"{witness.url}/oauth/2026-09/token", data=GRANT, timeout=5).json()["access_token"])

    def status(token: str) -> tuple[int, str]:
        answer = witness.ask("GET", "/account-info/2026-09/details", token=token)
        return answer.status_code, answer.json().get("category", "")

    first = token()
    witness.sandbox.clock.advance(1799)
    alive = status(first)
    witness.sandbox.clock.advance(1)
    second = token()
    witness.sandbox.faults.add(Rule(route="GET /account-info", kind="expire_token", nth=2))

    assert (alive, status(first)) == ((200, ""), (401, "EXPIRED_AUTHENTICATION"))
    assert status(second) == (401, "EXPIRED_AUTHENTICATION")
    assert status("guess") == (401, "INVALID_AUTHENTICATION")


def test_wrong_credentials_get_no_token(witness: Witness) -> None:
    for wrong in ({"client_secret": "x"}, {"refresh_token": "x"}, {"grant_type": "password"}):
        answer = requests.post(f"{witness.url}/oauth/v1/token", data={**GRANT, **wrong}, timeout=5)

        assert answer.status_code == 400


def test_the_three_limits_are_counted_told_and_enforced(witness: Witness) -> None:
    def policies(calls: int, ask: Callable[[], requests.Response]) -> list[Any]:
        return [answer.json().get("policyName") for answer in (ask() for _ in range(calls))]

    first = witness.ask("GET", f"{OBJECTS}/companies")
    listed = policies(190, lambda: witness.ask("GET", f"{OBJECTS}/companies"))
    searched = policies(6, lambda: witness.ask("POST", f"{OBJECTS}/companies/search", {}))
    witness.sandbox.clock.advance(10)
    found = witness.ask("POST", f"{OBJECTS}/companies/search", {})
    witness.admin("limits", daily=196)
    daily = witness.ask("GET", f"{OBJECTS}/companies").json()

    assert first.headers["X-HubSpot-RateLimit-Remaining"] == "189"
    assert first.headers["X-HubSpot-RateLimit-Daily-Remaining"] == "649999"
    assert listed == [None] * 189 + ["TEN_SECONDLY_ROLLING"]
    assert searched == [None] * 5 + ["SECONDLY"]
    assert not any(name.startswith("X-HubSpot") for name in found.headers)
    assert (daily["policyName"], daily["category"]) == ("DAILY", "RATE_LIMITS")
    witness.sandbox.clock.advance(24 * 3600)
    assert witness.ask("GET", f"{OBJECTS}/companies").status_code == 200


def test_a_throttled_answer_names_no_time_to_wait_and_a_migration_does(witness: Witness) -> None:
    witness.admin("limits", used=650_000)
    throttled = witness.ask("GET", f"{OBJECTS}/companies")
    witness.admin("migrating", seconds=3600)
    migrating = witness.ask("GET", f"{OBJECTS}/companies")

    assert (throttled.status_code, throttled.headers.get("Retry-After")) == (429, None)
    assert (migrating.status_code, migrating.headers["Retry-After"]) == (477, "3600")


def test_a_retired_version_and_one_that_never_was(witness: Witness) -> None:
    assert witness.ask("GET", "/crm/objects/2025-09/companies").status_code == 410
    assert witness.ask("GET", "/crm/objects/2031-03/companies").status_code == 404
    assert witness.ask("GET", "/crm/objects/v3/companies").status_code == 404
    assert witness.ask("GET", "/crm/2026-09/objects/companies").status_code == 404
    assert witness.ask("GET", "/crm/objects/2026-09/unicorns").status_code == 400
    assert witness.ask("GET", "/no/such/path").status_code == 404
    assert witness.ask("PUT", f"{OBJECTS}/companies").status_code == 405


def test_an_administrator_changes_what_properties_there_are(witness: Witness) -> None:
    company = witness.company(name="Acme", tax_id="DE1")
    witness.admin("alter", object="companies", property="tax_id", changes=None)
    witness.admin("alter", object="companies", property="phone", changes={"required": True})

    read = witness.ask("GET", f"{OBJECTS}/companies/{company}", properties="tax_id").json()["properties"]
    refused = witness.ask("POST", f"{OBJECTS}/companies", {"properties": {"name": "Beta"}, "associations": []}).json()
    described = witness.ask("GET", "/crm/properties/2026-09/companies").json()["results"]

    assert "tax_id" not in read
    assert "Some required properties were not set" in refused["message"]
    assert "tax_id" not in {each["name"] for each in described}
    assert {each["name"]: each for each in described}["sync_id"]["hasUniqueValue"] is True


def test_a_record_that_the_fault_plan_names_is_refused_alone(witness: Witness) -> None:
    locked, free = witness.company(name="a"), witness.company(name="b")
    witness.sandbox.faults.add(Rule(route=f"update companies {locked}", kind="row", code="LOCKED"))
    inputs = [{"id": each, "properties": {"city": "Bonn"}} for each in (locked, free)]

    alone = witness.ask("PATCH", f"{OBJECTS}/companies/{locked}", {"properties": {"city": "Bonn"}})
    batch = witness.ask("POST", f"{OBJECTS}/companies/batch/update", {"inputs": inputs}).json()

    assert (alone.status_code, alone.json()["category"]) == (423, "LOCKED")
    assert ([each["id"] for each in batch["results"]], batch["numErrors"]) == ([free], 1)


def test_a_create_whose_reply_was_lost_is_found_again_by_its_unique_property(witness: Witness) -> None:
    witness.sandbox.faults.add(Rule(route="POST .*/batch/upsert", kind="drop_after_commit", times=1))
    body = {"inputs": [{"id": "s1", "idProperty": "sync_id", "properties": {"name": "Acme"}}]}

    with pytest.raises(requests.ConnectionError):
        witness.ask("POST", f"{OBJECTS}/companies/batch/upsert", body)

    assert witness.ask("POST", f"{OBJECTS}/companies/batch/upsert", body).json()["results"][0]["new"] is False


def test_the_portal_survives_a_restart(tmp_path: Any) -> None:
    path = tmp_path / "portal.sqlite"
    store = Store(path)
    rows = {"companies": [row(7)], "deals": [{"id": "9", "properties": {}, "associations": {"companies": ["7"]}}]}
    seed(store, rows)
    store.close()

    again = open_sandbox("hubspot", Store(path), clock=VirtualClock(TODAY))

    company, deal = (again.vendor.crm.schema.objects[name] for name in ("companies", "deals"))
    assert again.vendor.crm.associations.of(deal, "9", company) == {"7": [5, 341]}
    assert int(again.vendor.crm.create(company, {"name": "Next"})["id"]) > 10_000_000


def test_everything_that_is_said_has_the_form_that_hubspots_documents_describe(witness: Witness) -> None:
    everything(witness)

    exchanges = witness.sandbox.exchanges
    told = {
        name: [problem for each in exchanges for problem in contract.problems(each)]
        for name, contract in contracts().items()
    }

    assert {name: problems for name, problems in told.items() if problems} == {}
    assert all(contracts()["extract"].knows(each) for each in exchanges)


def test_a_form_that_the_documents_do_not_describe_is_noticed(witness: Witness) -> None:
    company = witness.company(name="Acme")
    witness.sandbox.exchanges.clear()
    read = {"inputs": [{"id": company}], "properties": ["name"], "propertiesWithHistory": []}
    witness.ask("POST", f"{OBJECTS}/companies/batch/read", {**read, "no_such": 1})
    witness.ask("GET", f"{OBJECTS}/companies", page="2")

    for contract in contracts().values():
        found = [problem for each in witness.sandbox.exchanges for problem in contract.problems(each)]
        assert len(found) == (2 if contract.knows(witness.sandbox.exchanges[0]) else 0)


def everything(witness: Witness) -> None:
    """One call of every kind that is used, with errors among the answers."""
    one = witness.ask("POST", f"{OBJECTS}/companies", {"properties": {"name": "Acme"}, "associations": []}).json()["id"]
    spec = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 5}
    links = [{"to": {"id": one}, "types": [spec]}]
    deal = witness.ask("POST", f"{OBJECTS}/deals", {"properties": {"dealname": "D"}, "associations": links}).json()[
        "id"
    ]
    read = {"properties": ["name"], "propertiesWithHistory": []}
    update = {"id": one, "properties": {"city": "Bonn"}, "objectWriteTraceId": "w1"}
    upsert = {"id": "s1", "idProperty": "sync_id", "properties": {"name": "Beta"}, "objectWriteTraceId": "w2"}
    filters = [{"propertyName": "hs_lastmodifieddate", "operator": "GTE", "value": "1793605800000"}]
    sorts = [{"propertyName": "hs_lastmodifieddate", "direction": "ASCENDING"}]
    find = {"filterGroups": [{"filters": filters}], "sorts": sorts, "properties": ["name"], "limit": 1, "after": "0"}
    create = {"properties": {"name": "Gamma"}, "associations": []}
    bad = {"id": "9", "properties": {"no": "1"}}
    calls: list[tuple[str, str, Any]] = [
        ("POST", "/companies/batch/create", {"inputs": [create]}),
        ("POST", "/companies/batch/read", {"inputs": [{"id": one}, {"id": "9"}], **read}),
        ("POST", "/companies/batch/read", {"inputs": [{"id": "s1"}], "idProperty": "sync_id", **read}),
        ("POST", "/companies/batch/update", {"inputs": [update, bad]}),
        ("POST", "/companies/batch/upsert", {"inputs": [upsert, {**upsert, "id": "s2", "properties": {"no": "1"}}]}),
        ("POST", "/companies/search", find),
        ("GET", "/companies?limit=1&properties=name,city", None),
        ("GET", f"/deals/{deal}?associations=companies", None),
        ("PATCH", f"/companies/{one}", {"properties": {"city": "Ulm"}}),
        ("PATCH", f"/companies/{one}", {"properties": {"no": "1"}}),
        ("GET", "/companies/9", None),
        ("PUT", f"/deals/{deal}/associations/default/companies/{one}", None),
        ("DELETE", f"/deals/{deal}", None),
        ("GET", "/deals?archived=true", None),
        ("POST", "/companies/batch/archive", {"inputs": [{"id": one}]}),
    ]
    for method, path, body in calls:
        witness.ask(method, OBJECTS + path, body)
    inputs = {"inputs": [{"id": deal}]}
    witness.ask("POST", "/crm/associations/2026-09/deals/companies/batch/read", inputs)
    two = [witness.company(name=name) for name in "ab"]
    del witness.sandbox.exchanges[-2:]
    witness.ask("POST", f"{OBJECTS}/companies/merge", {"primaryObjectId": two[0], "objectIdToMerge": two[1]})


def row(number: int) -> dict[str, Any]:
    return {"id": str(number), "updatedAt": "2026-11-01T08:00:00.000Z", "properties": {"name": f"Company {number}"}}
