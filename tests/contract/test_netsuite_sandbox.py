"""The NetSuite stand-in as the Python client `netsuite` sees it, by token, and as we do, by certificate."""

from __future__ import annotations

import asyncio
import datetime as dt
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jwt
import pytest
import requests

from sync_pipelines.sandbox.app import Sandbox
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.faults import Rule
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.netsuite import CERTIFICATE, private_key
from sync_pipelines.sandbox.netsuite.access import signature
from sync_pipelines.sandbox.server import serve

with warnings.catch_warnings():
    import authlib.deprecate  # noqa: F401 (it sets a filter of its own, which the next line overrules)

    warnings.simplefilter("ignore")
    from netsuite import Config, NetSuiteRestApi, TokenAuth
    from netsuite.exceptions import NetsuiteAPIRequestError

pytestmark = [
    pytest.mark.filterwarnings("ignore:Use 'content=<...>' to upload:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:use sign_hmac_sha256_with_client:DeprecationWarning"),
]

RECORD = "/services/rest/record/v1"
LINES = {"items": [{"item": {"externalId": "SKU-1"}, "quantity": 5, "rate": 100.1}]}
CUSTOMER = {"companyName": "ACME GmbH", "externalId": "C-1", "subsidiary": {"id": "1"}, "currency": {"id": "2"}}
ITEM = {"itemId": "SKU-1", "externalId": "SKU-1", "incomeAccount": {"id": "54"}}
INVOICE = {"entity": {"externalId": "C-1"}, "tranDate": "2026-11-20", "item": LINES}


class Client(NetSuiteRestApi):
    """The client insists on https and the account's own host; the stand-in speaks http on loopback."""

    url = ""

    def _make_url(self, subpath: str) -> str:
        return f"{self.url}/services/rest{subpath}"


@dataclass
class Witness:
    sandbox: Sandbox
    clock: VirtualClock
    url: str
    client: Client

    def __getattr__(self, verb: str) -> Any:
        """The client's verbs, run to their end."""
        return lambda *args, **options: asyncio.run(getattr(self.client, verb)(*args, **options))

    def query(self, text: str, **options: Any) -> list[dict[str, str]]:
        return self.suiteql(text, limit=1000, **options)["items"]

    def send(self, method: str, path: str, **options: Any) -> requests.Response:
        """A call by certificate."""
        token = self.token().json()["access_token"]
        headers = {"Authorization": f"Bearer {token}", **options.pop("headers", {})}
        return requests.request(method, f"{self.url}{path}", headers=headers, timeout=5, **options)

    def token(self, **claims: Any) -> requests.Response:
        url, now = f"{self.url}/services/rest/auth/oauth2/v1/token", int(self.clock.now().timestamp())
        told = {"iss": "sandbox-client", "scope": ["rest_webservices"], "aud": url, "iat": now, "exp": now + 600}
        assertion = jwt.encode({**told, **claims}, private_key(), "ES256", {"kid": CERTIFICATE})
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion,
        }
        return requests.post(url, data=form, timeout=5)

    def batch(self, method: str, record: str, items: list[dict[str, Any]], key: str = "") -> requests.Response:
        headers = {
            "Prefer": "respond-async",
            "Content-Type": "application/vnd.oracle.resource+json; type=collection",
            "X-NetSuite-Idempotency-Key": key,
        }
        return self.send(method, f"{RECORD}/{record}", json={"items": items}, headers=headers)


@pytest.fixture
def witness() -> Iterator[Witness]:
    """Over a socket: the client signs with the machine's own time, so the stand-in tells it too."""
    clock = VirtualClock()
    sandbox = open_sandbox("netsuite", clock=clock)
    with serve(sandbox) as running:
        auth = TokenAuth(
            consumer_key="sandbox-consumer",
            consumer_secret="sandbox-consumer-secret",
            token_id="sandbox-token",
            token_secret="sandbox-token-secret",
        )
        client = Client(Config(account="1234567_SB1", auth=auth))
        client.url = running.url
        yield Witness(sandbox, clock, running.url, client)


@pytest.fixture
def stocked(witness: Witness) -> Witness:
    """With a customer and an item."""
    witness.post("/record/v1/serviceSaleItem", json=ITEM)
    witness.post("/record/v1/customer", json=CUSTOMER)
    return witness


def refused(call: Any, *args: Any, **options: Any) -> str:
    with pytest.raises(NetsuiteAPIRequestError) as caught:
        call(*args, **options)
    return str(caught.value)


def test_a_record_is_created_read_changed_queried_and_deleted(stocked: Witness) -> None:
    (row,) = stocked.query("SELECT id, companyname, isinactive, phone FROM customer WHERE externalid = 'C-1'")
    stocked.patch(f"/record/v1/customer/{row['id']}", json={"phone": "+49 30 1", "companyName": "Größe & Söhne 𝄞"})

    read = stocked.get("/record/v1/customer/eid:c-1")
    stocked.delete(f"/record/v1/customer/{row['id']}")

    assert row == {"links": [], "id": row["id"], "companyname": "ACME GmbH", "isinactive": "F"}
    assert (read["companyName"], read["phone"], read["currency"]["refName"]) == ("Größe & Söhne 𝄞", "+49 30 1", "Euro")
    assert "email" not in read
    assert "NONEXISTENT_ID" in refused(stocked.get, "/record/v1/customer/eid:C-1")
    assert stocked.query("SELECT recordid FROM deletedrecord WHERE type = 'customer'")[0]["recordid"] == row["id"]


def test_an_upsert_makes_one_record_however_often_it_is_sent(stocked: Witness) -> None:
    for _ in range(2):
        stocked.put("/record/v1/invoice/eid:INV-1", json=INVOICE, params={"replace": "item"})

    (row,) = stocked.query("SELECT foreigntotal, trandate, status FROM transaction WHERE type = 'CustInvc'")

    assert row == {"links": [], "foreigntotal": "500.5", "trandate": "11/20/2026", "status": "A"}
    lines = stocked.query("SELECT quantity, foreignamount FROM transactionline WHERE mainline = 'F'")
    assert lines == [{"links": [], "quantity": "-5", "foreignamount": "-500.5"}]


def test_lines_double_when_an_upsert_does_not_say_that_it_replaces_them(stocked: Witness) -> None:
    for _ in range(2):
        stocked.put("/record/v1/invoice/eid:INV-1", json=INVOICE)

    assert stocked.query("SELECT foreigntotal FROM transaction")[0]["foreigntotal"] == "1001"


def test_external_ids_are_unique_across_a_group_whatever_their_case(stocked: Witness) -> None:
    stocked.post("/record/v1/invoice", json={**INVOICE, "externalId": "T-1"})

    told = refused(stocked.post, "/record/v1/salesOrder", json={**INVOICE, "externalId": "t-1"})

    assert "USER_ERROR" in told
    assert "Error while accessing a resource. " in told


def test_an_invoice_of_a_closed_period_is_refused_and_one_whose_period_is_given_is_not(stocked: Witness) -> None:
    stocked.sandbox.vendor.admin("period", {"name": "Nov 2026", "changes": {"arLocked": True}})
    (open_period,) = stocked.query("SELECT id FROM accountingperiod WHERE periodname = 'Dec 2026'")

    assert "closed period" in refused(stocked.post, "/record/v1/invoice", json=INVOICE)
    stocked.post("/record/v1/invoice", json={**INVOICE, "postingPeriod": {"id": open_period["id"]}})

    (row,) = stocked.query("SELECT trandate, postingperiod FROM transaction")
    assert row == {"links": [], "trandate": "11/20/2026", "postingperiod": open_period["id"]}


def test_a_credit_memo_made_of_an_invoice_pays_it_and_a_payment_can_not_pay_it_again(stocked: Witness) -> None:
    stocked.post("/record/v1/invoice", json={**INVOICE, "externalId": "INV-1"})
    (invoice,) = stocked.query("SELECT id FROM transaction")
    apply = {"items": [{"doc": {"id": invoice["id"]}, "apply": True}]}

    stocked.post(f"/record/v1/invoice/{invoice['id']}/!transform/creditMemo", json={"apply": apply})

    rows = stocked.query("SELECT type, foreigntotal, status FROM transaction ORDER BY id")
    assert [(row["type"], row["foreigntotal"], row["status"]) for row in rows] == [
        ("CustInvc", "500.5", "B"),
        ("CustCred", "-500.5", "B"),
    ]
    assert "nothing left" in refused(
        stocked.post, f"/record/v1/invoice/{invoice['id']}/!transform/customerPayment", json={}
    )


def test_a_payment_pays_its_invoice_in_part_and_deleting_it_opens_the_invoice_again(stocked: Witness) -> None:
    stocked.post("/record/v1/invoice", json=INVOICE)
    (invoice,) = stocked.query("SELECT id FROM transaction")
    apply = {"items": [{"doc": {"id": invoice["id"]}, "apply": True, "amount": 500.5}]}
    payment = {"customer": {"externalId": "C-1"}, "payment": 600, "apply": apply, "externalId": "PAY-1"}

    stocked.post("/record/v1/customerPayment", json=payment)
    paid = stocked.query("SELECT status FROM transaction WHERE type = 'CustInvc'")
    stocked.delete("/record/v1/customerPayment/eid:PAY-1")

    assert paid[0]["status"] == "B"
    assert stocked.query("SELECT status, foreignamountunpaid FROM transaction") == [
        {"links": [], "status": "A", "foreignamountunpaid": "500.5"}
    ]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"entity": {"id": "99"}}, "Invalid reference key 99"),
        ({"subsidiary": {"id": "9"}}, "Invalid reference key 9"),
        ({"currency": {"id": "3"}}, "currency is not enabled"),
        ({"tranDate": "2031-01-01"}, "accounting period"),
        ({"otherRefNum": "x" * 46}, "more than the maximum number ( 45 ) of characters"),
        ({"item": {"items": []}}, "at least one line item"),
        ({"no_such_field": 1}, "Unknown field"),
        ({"tranDate": "11/20/2026"}, "INVALID_CONTENT"),
    ],
)
def test_what_breaks_a_rule_is_refused_with_its_place(stocked: Witness, change: dict[str, Any], told: str) -> None:
    assert told in refused(stocked.post, "/record/v1/invoice", json={**INVOICE, **change})
    assert stocked.query("SELECT id FROM transaction") == []


def test_an_unknown_field_vanishes_when_nobody_asked_for_its_refusal(stocked: Witness) -> None:
    answer = stocked.send("PATCH", f"{RECORD}/customer/eid:C-1", json={"fone": "1"})

    assert answer.status_code == 204


def test_pages_have_links_and_an_offset_that_is_no_multiple_of_the_limit_is_refused(stocked: Witness) -> None:
    page = stocked.suiteql("SELECT id FROM accountingperiod ORDER BY id", limit=20, offset=20)

    assert (page["count"], page["hasMore"], page["totalResults"]) == (20, True, 51)
    assert {link["rel"] for link in page["links"]} == {"self", "next", "prev"}
    assert "divisible" in refused(stocked.suiteql, "SELECT id FROM customer", limit=20, offset=5)
    assert stocked.get("/record/v1/customer", params={"limit": 1})["totalResults"] == 1


def test_records_are_read_whole_or_in_part_alone_or_several(stocked: Witness) -> None:
    stocked.put("/record/v1/invoice/eid:INV-1", json=INVOICE)

    whole = stocked.get("/record/v1/invoice/eid:INV-1", params={"expandSubResources": "true"})
    part = stocked.get("/record/v1/invoice/eid:INV-1", params={"fields": "tranDate,item"})
    several = stocked.get("/record/v1/invoice", params={"expandRecords": "true", "ids": f"eid:INV-1,{whole['id']}"})

    (line,) = whole["item"]["items"]
    assert (line["line"], line["quantity"], line["amount"], line["item"]["refName"]) == (1, 5, 500.5, "SKU-1")
    assert (whole["total"], whole["lastModifiedDate"][-1]) == (500.5, "Z")
    assert set(part) == {"links", "id", "tranDate", "item"}
    assert "items" not in part["item"]
    assert [row["id"] for row in several["items"]] == [whole["id"]] * 2


def test_times_in_queries_are_those_of_the_accounts_zone_and_in_records_utc(stocked: Witness) -> None:
    read = stocked.get("/record/v1/customer/eid:C-1")
    (row,) = stocked.query("SELECT TO_CHAR(lastmodifieddate, 'YYYY-MM-DD HH24:MI:SS') AS lm FROM customer")

    apart = dt.datetime.fromisoformat(read["lastModifiedDate"][:-1]) - dt.datetime.fromisoformat(row["lm"])
    assert apart in (dt.timedelta(hours=7), dt.timedelta(hours=8))


@pytest.mark.parametrize("text", ["SELECT id FROM nowhere", "SELECT nothing FROM customer", "DELETE FROM customer"])
def test_a_query_that_is_none_is_refused(stocked: Witness, text: str) -> None:
    assert "INVALID_PARAMETER" in refused(stocked.suiteql, text)


def test_the_record_type_is_described(witness: Witness) -> None:
    assert witness.jsonschema("customer")["properties"]["companyName"]["type"] == "string"


def test_a_signature_is_the_one_of_the_published_algorithm() -> None:
    given = {
        "oauth_consumer_key": "ck_demo",
        "oauth_token": "tk_demo",
        "oauth_nonce": "n0nce0123456789abcde",
        "oauth_timestamp": "1790000000",
        "oauth_signature_method": "HMAC-SHA256",
        "oauth_version": "1.0",
    }
    query = [("q", 'lastModifiedDate ON_OR_AFTER "11/20/2026"'), ("limit", "100"), ("offset", "0")]
    url = "https://1234567-sb1.suitetalk.api.netsuite.com/services/rest/record/v1/customer"

    assert signature("GET", url, query, given, ("cs_demo", "ts_demo")) == "nJFEX3xpU0GpouNl7bGDC1rXppOSu87/JZgGolfRw7o="


def test_a_wrong_secret_is_refused_and_only_the_audit_trail_says_why(witness: Witness) -> None:
    witness.client._config.auth.token_secret = "wrong"

    assert "INVALID_LOGIN" in refused(witness.suiteql, "SELECT id FROM customer")
    assert witness.sandbox.vendor.admin("audit", None) == ["InvalidSignature"]


def test_a_token_by_certificate_ends_after_its_hour(witness: Witness) -> None:
    token = witness.token().json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    before = requests.get(f"{witness.url}{RECORD}/customer", headers=headers, timeout=5)
    witness.clock.advance(3600)

    after = requests.get(f"{witness.url}{RECORD}/customer", headers=headers, timeout=5)

    assert (before.status_code, after.status_code) == (200, 401)
    assert after.json()["o:errorDetails"][0]["o:errorCode"] == "INVALID_LOGIN"


@pytest.mark.parametrize(
    ("claims", "word"),
    [
        ({"iss": "somebody"}, "invalid_client"),
        ({"scope": ["restlets"]}, "invalid_scope"),
        ({"aud": "https://elsewhere.test"}, "invalid_grant"),
        ({"exp": 1}, "invalid_grant"),
    ],
)
def test_an_assertion_that_claims_the_wrong_thing_gets_no_token(
    witness: Witness, claims: dict[str, Any], word: str
) -> None:
    assert witness.token(**claims).json() == {"error": word}


def test_a_batch_is_a_job_whose_records_succeed_and_fail_by_themselves(stocked: Witness) -> None:
    good, bad = {**INVOICE, "externalId": "INV-1"}, {**INVOICE, "externalId": "INV-2", "tranDate": "2031-01-01"}
    submitted = stocked.batch("PUT", "invoice", [good, bad], key="k1")
    location = submitted.headers["Location"]
    under_way = stocked.send("GET", location).json()
    stocked.clock.advance(1)

    done = stocked.send("GET", location).json()
    results = [stocked.send("GET", f"{location}/task/{place}/result") for place in (1, 2)]
    again = stocked.batch("PUT", "invoice", [good, bad], key="k1")

    assert (submitted.status_code, submitted.headers["Preference-Applied"]) == (202, "respond-async")
    assert (under_way["completed"], under_way["progress"]) == (False, "processing")
    assert (done["completed"], done["progress"]) == (True, "failed")
    assert [result.status_code for result in results] == [204, 400]
    assert "/invoice/" in results[0].headers["Location"]
    assert (again.status_code, again.json()["title"], again.headers["Location"]) == (400, "Conflict", location)
    tasks = stocked.send("GET", f"{location}/task").json()["items"]
    assert [task["progress"] for task in tasks] == ["succeeded", "failed"]
    assert stocked.send("GET", f"{location}/task/2").json()["id"] == "2"


def test_a_batch_of_more_than_a_hundred_records_is_refused(stocked: Witness) -> None:
    items = [{**CUSTOMER, "externalId": f"C-{number}"} for number in range(101)]

    assert stocked.batch("PUT", "customer", items).status_code == 400


def test_calls_beyond_what_the_account_may_have_under_way_are_refused(witness: Witness) -> None:
    witness.sandbox.vendor.admin("concurrency", {"foreign": 5})

    assert "CONCURRENCY_LIMIT_EXCEEDED" in refused(witness.suiteql, "SELECT id FROM customer")


def test_maintenance_is_a_page_for_people(witness: Witness) -> None:
    witness.sandbox.faults.add(Rule(route="/query/", kind="html", status=503))

    assert "Down for Maintenance" in refused(witness.suiteql, "SELECT id FROM customer")


def test_an_order_is_closed_line_by_line(stocked: Witness) -> None:
    stocked.post("/record/v1/salesOrder", json={**INVOICE, "externalId": "SO-1"})
    stocked.patch("/record/v1/salesOrder/eid:SO-1", json={"item": {"items": [{"line": 1, "isClosed": True}]}})

    assert stocked.query("SELECT status FROM transaction")[0]["status"] == "H"


def test_taxes_are_what_the_details_say_and_belong_to_lines(stocked: Witness) -> None:
    line = {"item": {"externalId": "SKU-1"}, "quantity": 1, "amount": 100.55, "taxDetailsReference": "1"}
    detail = {"taxDetailsReference": "1", "taxType": {"id": "1"}, "taxCode": {"id": "5"}, "taxAmount": 20.11}
    taxed = {"taxDetailsOverride": True, "taxDetails": {"items": [detail]}, "item": {"items": [line]}}

    stocked.post("/record/v1/invoice", json={**INVOICE, **taxed})
    lost = {**taxed, "taxDetails": {"items": [{**detail, "taxDetailsReference": "2"}]}}

    assert stocked.query("SELECT foreigntotal FROM transaction")[0]["foreigntotal"] == "120.66"
    assert "no line" in refused(stocked.post, "/record/v1/invoice", json={**INVOICE, **lost})
