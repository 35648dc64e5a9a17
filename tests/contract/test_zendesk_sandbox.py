"""The Zendesk stand-in as an independent client sees it: `zenpy`, over a socket; and its wire, call by call."""

from __future__ import annotations

import datetime as dt
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
import requests
from requests.adapters import HTTPAdapter

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from zenpy import Zenpy
    from zenpy.lib.api_objects import Organization, Ticket
    from zenpy.lib.exception import APIException, RecordNotFoundException

from sync_pipelines.sandbox.app import Dropped, Sandbox
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.faults import Rule
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.server import serve
from sync_pipelines.sandbox.store import Store
from sync_pipelines.sandbox.transport import InProcess
from sync_pipelines.sandbox.zendesk import seed

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
EPOCH = int(NOW.timestamp())
AGENT = "sync@meridian.example"
CREDENTIALS = {
    "grant_type": "client_credentials",
    "client_id": "sandbox-client",
    "client_secret": "sandbox-secret",
    "scope": "read write",
}
FIELDS = [
    {"id": 71, "key": "customer_number", "title": "Customer number"},
    {"id": 72, "key": "seats", "title": "Seats", "type": "decimal"},
    {"id": 73, "key": "since", "title": "Since", "type": "date"},
    {"id": 74, "key": "is_active", "title": "Active", "type": "checkbox"},
    {"id": 75, "key": "tier", "title": "Tier", "type": "dropdown", "custom_field_options": [{"value": "gold"}]},
]
CONTRACT = next(
    (
        path
        for folder in Path(__file__).parents
        if (path := folder / "shared" / "contracts" / "zendesk-support-thirdparty.yml").is_file()
    ),
    None,
)


class OverHttp(HTTPAdapter):
    """The client insists on https and on its own domain; the stand-in speaks http on loopback."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        asked = request.url or ""
        request.url = asked.replace("https://meridian.zendesk.com", self.url, 1)
        response = super().send(request, *args, **kwargs)
        request.url = asked
        return response


@dataclass
class Witness:
    sandbox: Sandbox
    url: str
    client: Zenpy


@pytest.fixture
def witness() -> Iterator[Witness]:
    sandbox = account()
    with serve(sandbox) as running, requests.Session() as session:
        session.mount("https://meridian.zendesk.com", OverHttp(running.url))
        answer = requests.post(f"{running.url}/oauth/tokens", json=CREDENTIALS, timeout=5).json()
        client = Zenpy(subdomain="meridian", oauth_token=answer["access_token"], session=session, disable_cache=True)
        yield Witness(sandbox, running.url, client)


class Wire:
    """The stand-in called directly, as its own agent."""

    def __init__(self) -> None:
        self.sandbox = account()
        self.session = requests.Session()
        self.session.mount("http://desk.test", InProcess(self.sandbox))
        self.session.auth = (f"{AGENT}/token", "sandbox-token")

    def call(self, method: str, path: str, status: int = 200, **more: Any) -> Any:
        """The decoded answer, which has to have the status."""
        response = self.response(method, path, **more)
        assert response.status_code == status, response.text
        return response.json() if response.content else None

    def response(self, method: str, path: str, **more: Any) -> requests.Response:
        return self.session.request(method, f"http://desk.test/api/v2/{path}", **more)

    def organization(self, name: str, **more: Any) -> dict[str, Any]:
        return self.call("POST", "organizations", 201, json={"organization": {"name": name, **more}})["organization"]

    def ticket(self, **more: Any) -> dict[str, Any]:
        given = {"subject": "Help", "comment": {"body": "It broke", "public": False}, **more}
        return self.call("POST", "tickets", 201, json={"ticket": given})["ticket"]

    def job(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        """A job once it has ended."""
        queued = self.call(method, path, **more)["job_status"]
        assert queued["status"] == "queued"
        return self.call("GET", f"job_statuses/{queued['id']}")["job_status"]

    def settings(self, **changes: Any) -> None:
        self.sandbox.vendor.admin("settings", changes)

    def later(self, seconds: float) -> None:
        self.sandbox.clock.advance(seconds)


def account() -> Sandbox:
    sandbox = open_sandbox("zendesk", Store(None), clock=VirtualClock(NOW))
    seed(sandbox.store, {"organization_field": FIELDS})
    return sandbox


@pytest.fixture
def wire() -> Wire:
    return Wire()


def test_zenpy_creates_reads_changes_and_deletes_an_organization(witness: Witness) -> None:
    organizations = witness.client.organizations
    given = {"customer_number": "C-1", "seats": 2.5, "since": "2026-01-31", "is_active": True}

    made = organizations.create(Organization(name="  Größe & Söhne 𝄞 ", organization_fields=given))
    made.notes = "VIP"
    organizations.update(made)
    read = organizations(id=made.id)

    assert (read.name, read.notes) == ("Größe & Söhne 𝄞", "VIP")
    assert read.organization_fields == {**given, "since": "2026-01-31T00:00:00+00:00", "tier": None}
    assert read.url == f"https://meridian.zendesk.com/api/v2/organizations/{made.id}.json"
    organizations.delete(read)
    with pytest.raises(RecordNotFoundException):
        organizations(id=made.id)


def test_zenpy_walks_every_page_by_cursor(witness: Witness) -> None:
    seed(witness.sandbox.store, {"organization": [{"id": n, "name": f"Org {n}"} for n in range(1, 251)]})

    names = [each.name for each in witness.client.organizations()]

    assert names == [f"Org {n}" for n in range(1, 251)]
    assert witness.sandbox.calls["GET /api/v2/organizations.json"] == 3


def test_zenpy_upserts_by_external_id_without_regard_to_case_and_meets_a_name_that_is_taken(witness: Witness) -> None:
    organizations = witness.client.organizations

    first = organizations.create_or_update(Organization(name="Acme", external_id="crm-1"))
    second = organizations.create_or_update(Organization(name="Acme Inc", external_id="CRM-1"))

    assert first.id == second.id
    assert organizations(id=first.id).name == "Acme Inc"
    with pytest.raises(APIException, match="DuplicateValue"):
        organizations.create(Organization(name=" acme inc "))


def test_zenpy_reads_the_export_of_organizations_without_the_last_minute(witness: Witness) -> None:
    witness.client.organizations.create(Organization(name="Old"))
    witness.sandbox.clock.advance(61)
    witness.client.organizations.create(Organization(name="New"))

    exported = [each.name for each in witness.client.organizations.incremental(start_time=1)]

    assert exported == ["Old"]


def test_zenpy_exports_tickets_by_cursor_with_the_deleted_ones(witness: Witness) -> None:
    made = [witness.client.tickets.create(Ticket(subject=f"T{n}", description="It broke")).ticket for n in range(3)]
    witness.sandbox.clock.advance(1)
    witness.client.tickets.delete(made[0])
    witness.sandbox.clock.advance(61)

    exported = list(witness.client.tickets.incremental(start_time=1, paginate_by_time=False))

    assert [(each.id, each.status) for each in exported] == [
        (made[1].id, "new"),
        (made[2].id, "new"),
        (made[0].id, "deleted"),
    ]


def test_zenpy_waits_as_long_as_it_is_told_when_the_minute_is_used_up(witness: Witness) -> None:
    witness.sandbox.vendor.admin("settings", {"calls_per_minute": 1})
    witness.sandbox.clock.advance(59)
    list(witness.client.organizations())
    witness.sandbox.clock.advance(59)

    class Passing(OverHttp):
        """Time passes while the client waits."""

        def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
            response = super().send(request, *args, **kwargs)
            if response.status_code == 429:
                witness.sandbox.clock.advance(int(response.headers["Retry-After"]))
            return response

    witness.client.organizations.session.mount("https://meridian.zendesk.com", Passing(witness.url))
    assert list(witness.client.organizations()) == []
    assert [each.status for each in witness.sandbox.requests][-2:] == [429, 200]


def test_a_token_expires_and_a_refresh_kills_both_of_the_old_ones(wire: Wire) -> None:
    def grant(**given: Any) -> requests.Response:
        body = {**CREDENTIALS, **given}
        return wire.session.post("http://desk.test/oauth/tokens", json=body, auth=lambda request: request)

    def status(token: str) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        return wire.session.get("http://desk.test/api/v2/users/me", headers=headers, auth=lambda r: r).status_code

    first = grant(expires_in=300).json()
    second = grant(grant_type="refresh_token", refresh_token=first["refresh_token"]).json()
    third = grant(expires_in=300).json()
    before = status(third["access_token"])
    wire.later(301)

    assert status(first["access_token"]) == 401
    assert grant(grant_type="refresh_token", refresh_token=first["refresh_token"]).json()["error"] == "invalid_grant"
    assert (status(second["access_token"]), before, status(third["access_token"])) == (200, 200, 401)
    assert grant(client_secret="wrong").json()["error"] == "invalid_client"
    assert grant(expires_in=10).status_code == 400


def test_api_tokens_stop_working_after_their_last_day(wire: Wire) -> None:
    wire.call("GET", "users/me")
    wire.sandbox.clock.set(dt.datetime(2027, 5, 1, tzinfo=dt.UTC))

    assert wire.call("GET", "users/me", 401) == {"error": "Couldn't authenticate you"}


@pytest.mark.parametrize(
    ("given", "field", "code"),
    [
        ({"name": "x" * 256}, "name", "ValueTooLong"),
        ({"name": " "}, "name", "BlankValue"),
        ({"name": "Acme", "colour": "red"}, "colour", "UnknownProperty"),
        ({"name": "Acme", "organization_fields": {"colour": "red"}}, "colour", "UnknownProperty"),
        ({"name": "Acme", "organization_fields": {"since": "soon"}}, "since", "InvalidValue"),
        ({"name": "Acme", "organization_fields": {"seats": "many"}}, "seats", "InvalidValue"),
        ({"name": "Acme", "organization_fields": {"is_active": "yes"}}, "is_active", "InvalidValue"),
        ({"name": "Acme", "organization_fields": {"tier": "silver"}}, "tier", "InvalidValue"),
        ({"name": "Acme", "domain_names": "acme.example"}, "domain_names", "InvalidValue"),
    ],
)
def test_what_does_not_fit_is_refused_in_the_vendors_shape(wire: Wire, given: Any, field: str, code: str) -> None:
    answer = wire.call("POST", "organizations", 422, json={"organization": given})

    assert answer["error"] == "RecordInvalid"
    assert answer["details"][field][0]["error"] == code


def test_a_name_of_the_longest_length_is_taken_and_a_write_leaves_other_fields_alone(wire: Wire) -> None:
    made = wire.organization("ö" * 255, organization_fields={"customer_number": "C-1", "seats": 3})

    changed = wire.call(
        "PUT", f"organizations/{made['id']}", json={"organization": {"organization_fields": {"seats": None}}}
    )["organization"]

    assert changed["organization_fields"]["customer_number"] == "C-1"
    assert changed["organization_fields"]["seats"] is None


def test_lists_end_at_the_ten_thousandth_row_when_they_are_asked_by_page(wire: Wire) -> None:
    wire.organization("Acme")

    assert wire.call("GET", "organizations?page=1&per_page=500")["count"] == 1
    assert wire.call("GET", "organizations?page=100")["organizations"] == []
    assert wire.call("GET", "organizations?page=101", 400)["errors"][0]["code"] == "InvalidPaginationDepth"
    assert wire.call("GET", "organizations?page[size]=101", 400)["errors"]
    assert wire.call("GET", "organizations?page[size]=10&page[after]=x", 400)["errors"][0]["code"] == "InvalidCursor"
    assert wire.call("GET", "organizations?sort=name", 400)["errors"][0]["code"] == "InvalidParameter"


def test_an_export_by_time_repeats_the_second_at_a_pages_edge_and_loops_where_it_is_too_full(wire: Wire) -> None:
    wire.settings(export_page_max=2)
    for second, names in ((1, "ab"), (2, "cde"), (3, "f")):
        at = f"2026-11-01T00:00:0{second}Z"
        rows = [{"id": ord(name), "name": name, "updated_at": at} for name in names]
        seed(wire.sandbox.store, {"organization": rows})

    start, seen = "0", []
    for _ in range(3):
        page = wire.call("GET", f"incremental/organizations?start_time={start}")
        seen.append("".join(each["name"] for each in page["organizations"]))
        start = page["end_time"]

    assert seen == ["ab", "ab", "ab"]
    assert page["next_page"].endswith(f"start_time={start}")
    assert not page["end_of_stream"]
    after = wire.call("GET", f"incremental/organizations?start_time={start + 2}")
    assert ([each["name"] for each in after["organizations"]], after["end_of_stream"]) == (["f"], True)


def test_an_export_takes_no_start_within_the_last_minute(wire: Wire) -> None:
    wire.call("GET", f"incremental/organizations?start_time={EPOCH - 60}")

    assert wire.call("GET", f"incremental/organizations?start_time={EPOCH - 59}", 422)["error"] == "InvalidValue"
    assert wire.call("GET", f"incremental/tickets/cursor?start_time={EPOCH - 59}", 422)


def test_exports_have_a_limit_of_their_own_which_their_headers_tell(wire: Wire) -> None:
    answers = [wire.response("GET", "incremental/tickets/cursor?start_time=0") for _ in range(11)]

    assert [each.status_code for each in answers] == [200] * 10 + [429]
    assert answers[9].headers["ratelimit-remaining"] == "0"
    assert answers[10].headers["Retry-After"] == "60"
    assert answers[10].text == "Number of allowed API requests per minute exceeded"
    wire.later(60)
    wire.call("GET", "incremental/tickets/cursor?start_time=0")


def test_a_cursor_goes_on_where_it_was_and_shows_what_only_the_system_changed(wire: Wire) -> None:
    ticket = wire.ticket()
    wire.later(120)
    first = wire.call("GET", "incremental/tickets/cursor?start_time=0")
    again = wire.call("GET", f"incremental/tickets/cursor?cursor={first['after_cursor']}")
    held = wire.sandbox.store.get("ticket", str(ticket["id"])) or {}
    wire.sandbox.store.put("ticket", str(ticket["id"]), {**held, "_generated": EPOCH + 60})
    moved = wire.call("GET", f"incremental/tickets/cursor?cursor={again['after_cursor']}")

    assert (again["tickets"], again["end_of_stream"], again["after_cursor"]) == ([], True, first["after_cursor"])
    assert moved["tickets"][0]["updated_at"] == ticket["updated_at"]
    assert moved["tickets"][0]["generated_timestamp"] == EPOCH + 60
    both = f"incremental/tickets/cursor?cursor={first['after_cursor']}&start_time=0"
    assert wire.call("GET", both, 400)
    assert wire.call("GET", "incremental/tickets/cursor?cursor=dead", 400)


def test_a_search_is_exact_but_for_case_by_external_id_or_by_name(wire: Wire) -> None:
    wire.organization("Acme", external_id="crm-1")
    wire.organization("Acme Inc")

    by_id, by_name = (wire.call("GET", f"organizations/search?{each}") for each in ("external_id=CRM-1", "name=acme"))

    assert [[each["name"] for each in answer["organizations"]] for answer in (by_id, by_name)] == [["Acme"]] * 2
    wire.call("GET", "organizations/search?external_id=crm-1&name=acme", 400)


def test_a_job_works_row_by_row_and_ends_as_completed_although_rows_failed(wire: Wire) -> None:
    wire.organization("Taken")

    job = wire.job(
        "POST", "organizations/create_many", json={"organizations": [{"name": "A"}, {"name": "taken"}, {"name": "B"}]}
    )

    assert (job["status"], job["total"], job["progress"]) == ("completed", 3, 3)
    assert [(row["index"], row["success"]) for row in job["results"]] == [(0, True), (1, False), (2, True)]
    assert job["results"][1]["details"] == "Name: has already been taken"
    assert job["results"][1]["error"] == "OrganizationCreateError"


def test_jobs_update_each_alone_or_all_alike_and_delete_by_external_id(wire: Wire) -> None:
    one, two = wire.organization("One", external_id="x1"), wire.organization("Two", external_id="x2")

    batch = [{"id": one["id"], "name": "Uno", "external_id": "y1"}, {"external_id": "x2", "notes": "n"}]
    wire.job("PUT", "organizations/update_many", json={"organizations": batch})
    wire.job("PUT", f"organizations/update_many?ids={one['id']},{two['id']}", json={"organization": {"details": "d"}})
    shown = wire.call("GET", "organizations/show_many?external_ids=Y1,x2,none")["organizations"]
    wire.job("DELETE", "organizations/destroy_many?external_ids=y1,x2")

    assert [(each["name"], each["notes"], each["details"]) for each in shown] == [
        ("Uno", None, "d"),
        ("Two", "n", "d"),
    ]
    assert wire.call("GET", "organizations/count")["count"]["value"] == 0


def test_a_job_waits_in_the_queue_which_holds_thirty_and_is_forgotten_after_a_day(wire: Wire) -> None:
    wire.settings(job_seconds=10)
    rows = {"organizations": [{"name": "Acme"}]}
    queued = [wire.call("POST", "organizations/create_many", json=rows)["job_status"] for _ in range(30)]

    refused = wire.call("POST", "organizations/create_many", 429, json=rows)
    before = wire.call("GET", "organizations/count")["count"]["value"]
    wire.later(10)
    listed = wire.call("GET", "job_statuses")["job_statuses"]

    assert refused["errors"][0]["code"] == "TooManyJobs"
    assert (before, wire.call("GET", "organizations/count")["count"]["value"]) == (0, 1)
    assert [each["id"] for each in listed] == [each["id"] for each in reversed(queued)]
    wire.later(86_401)
    wire.call("GET", "users/me")
    wire.call("GET", f"job_statuses/{queued[0]['id']}", 404)


def test_a_batch_holds_a_hundred(wire: Wire) -> None:
    rows = [{"name": f"Org {number}"} for number in range(101)]

    wire.call("POST", "organizations/create_many", 400, json={"organizations": rows})
    assert wire.job("POST", "organizations/create_many", json={"organizations": rows[:100]})["progress"] == 100


def test_a_merge_moves_tickets_and_domains_and_deletes_the_loser(wire: Wire) -> None:
    loser = wire.organization("Loser", domain_names=["l.example"], organization_fields={"customer_number": "C-1"})
    winner = wire.organization("Winner", domain_names=["w.example"])
    ticket = wire.ticket(organization_id=loser["id"])

    body = {"organization_merge": {"winner_id": winner["id"]}}
    merged = wire.call("POST", f"organizations/{loser['id']}/merge", json=body)["organization_merge"]
    survivor = wire.call("GET", f"organizations/{winner['id']}")["organization"]

    assert (merged["status"], merged["loser_id"], merged["winner_id"]) == ("complete", loser["id"], winner["id"])
    assert survivor["domain_names"] == ["w.example", "l.example"]
    assert survivor["organization_fields"]["customer_number"] is None
    assert wire.call("GET", f"tickets/{ticket['id']}")["ticket"]["organization_id"] == winner["id"]
    wire.call("GET", f"organizations/{loser['id']}", 404)
    assert wire.call("GET", f"organizations/{loser['id']}/merges")["organization_merges"] == [merged]
    wire.call("POST", f"organizations/{winner['id']}/merge", 422, json=body)


def test_what_was_asked_for_by_name_is_shown_again(wire: Wire) -> None:
    loser, winner = wire.organization("Loser"), wire.organization("Winner")
    body = {"organization_merge": {"winner_id": winner["id"]}}
    merge = wire.call("POST", f"organizations/{loser['id']}/merge", json=body)["organization_merge"]
    jobs = [wire.job("POST", "organizations/create_many", json={"organizations": [{"name": n}]}) for n in "ab"]

    assert wire.call("GET", f"organization_merges/{merge['id']}")["organization_merge"] == merge
    assert wire.call("GET", f"job_statuses/show_many?ids={jobs[0]['id']},{jobs[1]['id']}")["job_statuses"] == jobs
    wire.call("GET", "job_statuses/show_many?ids=none", 404)


def test_deleted_tickets_have_a_list_of_their_own_and_come_in_the_export_by_time_too(wire: Wire) -> None:
    kept, gone = wire.ticket(), wire.ticket()
    wire.later(1)
    wire.call("DELETE", f"tickets/{gone['id']}", 204)
    wire.later(61)

    assert [each["id"] for each in wire.call("GET", "deleted_tickets")["deleted_tickets"]] == [gone["id"]]
    assert [each["id"] for each in wire.call("GET", "tickets")["tickets"]] == [kept["id"]]
    wire.call("GET", f"tickets/{gone['id']}", 404)
    exported = wire.call("GET", "incremental/tickets?start_time=0")
    assert [(each["id"], each["status"]) for each in exported["tickets"]] == [
        (kept["id"], "new"),
        (gone["id"], "deleted"),
    ]
    assert exported["end_time"] == EPOCH + 1


def test_a_deleted_organization_comes_once_more_in_the_export_or_not_as_settings_assume(wire: Wire) -> None:
    gone = wire.organization("Gone")
    wire.call("DELETE", f"organizations/{gone['id']}", 204)
    wire.later(61)

    (row,) = wire.call("GET", "incremental/organizations?start_time=0")["organizations"]
    wire.settings(exports_deleted_organizations=False)

    assert row["deleted_at"] == "2026-11-23T12:00:00Z"
    assert wire.call("GET", "incremental/organizations?start_time=0")["organizations"] == []
    assert wire.call("GET", "organizations")["count"] == 0


def test_an_idempotency_key_makes_one_ticket_for_two_hours(wire: Wire) -> None:
    def send(subject: str) -> requests.Response:
        ticket = {"subject": subject, "comment": {"body": "2 of 10 missing"}, "external_id": "claim-1"}
        return wire.response("POST", "tickets", json={"ticket": ticket}, headers={"Idempotency-Key": "claim-1"})

    first, second, other = send("Short"), send("Short"), send("Shorter")
    wire.later(7201)
    late = send("Short")

    lookups = [each.headers.get("x-idempotency-lookup") for each in (first, second, late)]
    assert lookups == ["miss", "hit", "miss"]
    assert first.json()["ticket"]["id"] == second.json()["ticket"]["id"] != late.json()["ticket"]["id"]
    assert (other.status_code, other.json()["error"]) == (400, "IdempotentRequestError")
    assert wire.call("GET", "tickets?external_id=claim-1")["count"] == 2


def test_a_ticket_is_guarded_by_its_stamp_and_closed_for_good(wire: Wire) -> None:
    ticket = wire.ticket()
    path = f"tickets/{ticket['id']}"
    wire.later(5)
    wire.call("PUT", path, json={"ticket": {"status": "open"}})

    stale = {"safe_update": True, "updated_stamp": ticket["updated_at"], "priority": "high"}
    assert wire.call("PUT", path, 409, json={"ticket": stale})["error"] == "UpdateConflict"
    assert wire.call("PUT", path, 422, json={"ticket": {"status": "new"}})
    wire.call("PUT", path, json={"ticket": {"status": "closed"}})
    assert wire.call("PUT", path, 422, json={"ticket": {"priority": "low"}})["error"] == "RecordInvalid"


def test_a_reply_that_is_lost_after_the_commit_leaves_a_job_that_the_list_tells_of(wire: Wire) -> None:
    wire.sandbox.faults.add(Rule(route="create_many", kind="drop_after_commit", nth=1))

    with pytest.raises(requests.ConnectionError) as caught:
        wire.call("POST", "organizations/create_many", json={"organizations": [{"name": "Acme"}]})

    assert isinstance(caught.value.__cause__, Dropped)
    assert [each["status"] for each in wire.call("GET", "job_statuses")["job_statuses"]] == ["completed"]


@pytest.mark.skipif(CONTRACT is None, reason="the contract document is not at hand")
def test_requests_and_answers_fit_the_contract_document(wire: Wire) -> None:
    yaml, jsonschema = pytest.importorskip("yaml"), pytest.importorskip("jsonschema")
    assert CONTRACT is not None
    schemas = nullable(yaml.safe_load(CONTRACT.read_text())["components"])["schemas"]

    def check(name: str, value: Mapping[str, Any]) -> None:
        unknown = set(value) - set(schemas[name]["properties"])
        assert unknown == set(), f"{name} has no {unknown}"
        jsonschema.validate(value, {"components": {"schemas": schemas}, **schemas[name]})

    given = {"name": "Acme", "external_id": "x", "domain_names": ["a.example"], "organization_fields": {"seats": 1}}
    check("OrganizationCreate", given)
    made = wire.organization(**given)
    check("Organization", made)
    check("OrganizationUpdate", {"notes": "n"})
    ticket = {"subject": "Help", "comment": {"body": "It broke"}, "priority": "high", "organization_id": made["id"]}
    check("TicketCreate", ticket)
    check("Ticket", wire.ticket(**ticket))
    check("Error", wire.call("GET", "tickets/1", 404))
    check("Error", wire.call("POST", "organizations", 422, json={"organization": given}))


def nullable(document: Any) -> Any:
    """The document with null among the types of what OpenAPI 3.0 calls nullable."""
    if isinstance(document, list):
        return [nullable(each) for each in document]
    if not isinstance(document, dict):
        return document
    changed = {key: nullable(value) for key, value in document.items() if key not in ("nullable", "example")}
    if document.get("nullable") is True and isinstance(document.get("type"), str):
        changed["type"] = [document["type"], "null"]
        if "enum" in changed:
            changed["enum"] = [*changed["enum"], None]
    return changed


def test_every_answer_but_a_throttle_is_json(wire: Wire) -> None:
    response = wire.response("GET", "nowhere")

    assert response.status_code == 404
    assert msgspec.json.decode(response.content) == {"error": "RecordNotFound", "description": "Not found"}
    assert wire.response("POST", "users/me").status_code == 405
    assert wire.response("POST", "organizations", data="name=Acme").status_code == 415
