"""The Salesforce stand-in as an independent client sees it: `simple-salesforce`, over a socket."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce, SalesforceResourceNotFound
from simple_salesforce.exceptions import (
    SalesforceExpiredSession,
    SalesforceGeneralError,
    SalesforceMalformedRequest,
    SalesforceMoreThanOneRecord,
    SalesforceRefusedRequest,
)

from sync_pipelines.sandbox.app import Sandbox
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.faults import Rule
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.salesforce import record_id, seed
from sync_pipelines.sandbox.server import serve
from sync_pipelines.sandbox.store import Store

TODAY = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
CREDENTIALS = {
    "grant_type": "client_credentials",
    "client_id": "sandbox-client",
    "client_secret": "sandbox-secret",
}


class OverHttp(HTTPAdapter):
    """The client insists on https; the stand-in speaks http on loopback."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        request.url = (request.url or "").replace("https://", "http://", 1)
        return super().send(request, *args, **kwargs)


@dataclass
class Witness:
    sandbox: Sandbox
    url: str
    client: Salesforce

    def admin(self, action: str, **body: Any) -> Any:
        return requests.post(f"{self.url}/_sandbox/admin/{action}", json=body, timeout=5).json()


@pytest.fixture
def witness() -> Iterator[Witness]:
    sandbox = open_sandbox("salesforce", Store(None), clock=VirtualClock(TODAY))
    with serve(sandbox) as running, requests.Session() as session:
        session.mount("https://127.0.0.1", OverHttp())
        yield Witness(sandbox, running.url, sign_in(running.url, session))


def sign_in(url: str, session: requests.Session) -> Salesforce:
    answer = requests.post(f"{url}/services/oauth2/token", data=CREDENTIALS, timeout=5).json()
    assert answer["instance_url"] == url
    return Salesforce(
        instance_url=answer["instance_url"],
        session_id=answer["access_token"],
        session=session,
        version="67.0",
    )


def test_a_record_is_created_read_changed_and_deleted(witness: Witness) -> None:
    account = witness.client.Account

    made = account.create({"Name": "Größe & Söhne 𝄞", "BillingCountry": "DE", "Active__c": True, "Fax": ""})
    assert account.update(made["id"][:15], {"Phone": "+49 30 1"}) == 204
    row = account.get(made["id"])

    assert (row["Name"], row["Phone"], row["Fax"]) == ("Größe & Söhne 𝄞", "+49 30 1", None)
    assert row["SystemModstamp"] == "2026-11-23T12:00:00.000+0000"
    assert row["attributes"]["url"] == f"/services/data/v67.0/sobjects/Account/{made['id']}"
    assert account.delete(made["id"]) == 204
    with pytest.raises(SalesforceResourceNotFound, match="ENTITY_IS_DELETED"):
        account.get(made["id"])
    with pytest.raises(SalesforceResourceNotFound, match="NOT_FOUND"):
        account.get(record_id("001", 999))


def test_an_upsert_creates_once_and_then_updates(witness: Witness) -> None:
    path = "sobjects/Account/Sync_Id__c/acc%2F1"

    first = witness.client.restful(path, method="PATCH", json={"Name": "Acme"})
    second = witness.client.restful(path, method="PATCH", json={"Name": "Acme Inc"})

    assert (first["created"], second["created"]) == (True, False)
    assert first["id"] == second["id"]
    assert witness.client.Account.get_by_custom_id("Sync_Id__c", "ACC/1")["Name"] == "Acme Inc"


def test_several_matches_of_an_external_id_answer_300(witness: Witness) -> None:
    witness.admin("alter", object="Account", field="AccountNumber", changes={"external": True})
    for name in ("one", "two"):
        witness.client.Account.create({"Name": name, "AccountNumber": "C-1"})

    with pytest.raises(SalesforceMoreThanOneRecord):
        witness.client.Account.get_by_custom_id("AccountNumber", "C-1")
    with pytest.raises(SalesforceMoreThanOneRecord):
        witness.client.Account.upsert("AccountNumber/C-1", {"Name": "which?"})


def test_five_thousand_rows_of_one_second_come_in_pages_that_hold_still(witness: Witness) -> None:
    stamp = "2026-11-01T00:00:00.000+0000"
    ids = [record_id("001", number) for number in range(1, 5001)]
    seed(witness.sandbox.store, {"Account": [{"Id": i, "Name": i, "SystemModstamp": stamp} for i in ids]})
    query = "SELECT Id, Name FROM Account WHERE SystemModstamp >= 2026-11-01T00:00:00Z ORDER BY SystemModstamp, Id"

    page = witness.client.query(query)
    assert (page["totalSize"], page["done"], len(page["records"])) == (5000, False, 2000)
    witness.client.Account.update(ids[2500], {"Name": "changed while paging"})
    witness.client.Account.delete(ids[2600])
    rows = page["records"]
    while not page["done"]:
        page = witness.client.query_more(page["nextRecordsUrl"], identifier_is_url=True)
        rows += page["records"]

    assert [row["Id"] for row in rows] == ids
    assert rows[2500]["Name"] == ids[2500]
    assert len(witness.client.query_all(query)["records"]) == 4999
    assert len(witness.client.query_all(query, include_deleted=True)["records"]) == 5000


def test_a_locator_lives_two_days(witness: Witness) -> None:
    rows = [{"Id": record_id("001", number), "Name": "x"} for number in range(1, 301)]
    seed(witness.sandbox.store, {"Account": rows})
    options = {"Sforce-Query-Options": "batchSize=200"}
    page = witness.client.query("SELECT Id FROM Account", headers=options)
    assert len(page["records"]) == 200

    witness.sandbox.clock.advance(2 * 86_400 + 1)
    witness.client = sign_in(witness.url, witness.client.session)

    with pytest.raises(SalesforceMalformedRequest, match="INVALID_QUERY_LOCATOR"):
        witness.client.query_more(page["nextRecordsUrl"], identifier_is_url=True)


@pytest.mark.parametrize(
    ("object", "values", "code", "fields"),
    [
        ("Account", {}, "REQUIRED_FIELD_MISSING", ["Name"]),
        ("Account", {"Name": "a" * 256}, "STRING_TOO_LONG", ["Name"]),
        ("Account", {"Name": "a", "Nmae": "b"}, "INVALID_FIELD", None),
        ("Account", {"Name": "a", "Active__c": "maybe"}, "JSON_PARSER_ERROR", ["Active__c"]),
        ("Account", {"Name": "a", "Billing_Email__c": "nobody"}, "INVALID_EMAIL_ADDRESS", ["Billing_Email__c"]),
        (
            "Account",
            {"Name": "a", "CurrencyIsoCode": "CHF"},
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            ["CurrencyIsoCode"],
        ),
        ("Account", {"Name": "a", "IsDeleted": True}, "INVALID_FIELD_FOR_INSERT_UPDATE", ["IsDeleted"]),
        ("Account", {"Name": "a", "NumberOfEmployees": 10**9}, "NUMBER_OUTSIDE_VALID_RANGE", ["NumberOfEmployees"]),
        ("Contact", {"LastName": "a", "AccountId": "ACME"}, "MALFORMED_ID", ["AccountId"]),
        (
            "Contact",
            {"LastName": "a", "AccountId": record_id("001", 999)},
            "INVALID_CROSS_REFERENCE_KEY",
            ["AccountId"],
        ),
        ("Account", {"Name": "a", "Sync_Id__c": "TAKEN"}, "DUPLICATE_VALUE", ["Sync_Id__c"]),
    ],
)
def test_a_bad_record_is_refused_by_name(
    witness: Witness, object: str, values: dict[str, Any], code: str, fields: list[str] | None
) -> None:
    witness.client.Account.create({"Name": "holder", "Sync_Id__c": "taken"})

    with pytest.raises(SalesforceMalformedRequest) as refused:
        getattr(witness.client, object).create(values)

    assert (refused.value.content[0]["errorCode"], refused.value.content[0].get("fields")) == (code, fields)
    assert witness.client.query("SELECT COUNT() FROM Account")["totalSize"] == 1


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT Id FROM Account WHERE", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE Name = 'a' AND Phone = 'b' OR Fax = 'c'", "MALFORMED_QUERY"),
        ("SELECT Nmae FROM Account", "INVALID_FIELD"),
        ("SELECT Owner2.Name FROM Account", "INVALID_FIELD"),
        ("SELECT Id FROM Acount", "INVALID_TYPE"),
        ("SELECT Id FROM Account WHERE Active__c = 'true'", "INVALID_FIELD"),
        ("SELECT Id FROM Account WHERE CreatedDate > '2026-01-01'", "INVALID_FIELD"),
        ("SELECT Id FROM Account WHERE AccountNumber = 5", "INVALID_FIELD"),
        ("SELECT Id FROM Account WHERE OwnerId = 'ACME'", "INVALID_QUERY_FILTER_OPERATOR"),
        ("SELECT Name, COUNT(Id) FROM Account", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account LIMIT 1 OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE"),
    ],
)
def test_a_bad_query_is_refused_by_name(witness: Witness, query: str, code: str) -> None:
    with pytest.raises(SalesforceMalformedRequest) as refused:
        witness.client.query(query)

    assert refused.value.content[0]["errorCode"] == code


def test_a_collection_takes_the_good_rows_and_names_the_bad(witness: Witness) -> None:
    records = [
        {"attributes": {"type": "Account"}, "Sync_Id__c": f"a{number}", "Name": f"A{number}"} for number in range(200)
    ]
    del records[7]["Name"]
    path = "composite/sobjects/Account/Sync_Id__c"

    results = witness.client.restful(path, method="PATCH", json={"allOrNone": False, "records": records})
    whole = witness.client.restful(path, method="PATCH", json={"allOrNone": True, "records": [records[0], records[7]]})
    again = witness.client.restful(path, method="PATCH", json={"records": records[:2]})

    assert [result["success"] for result in results] == [number != 7 for number in range(200)]
    assert results[7]["errors"][0]["statusCode"] == "REQUIRED_FIELD_MISSING"
    assert [result["errors"][0]["statusCode"] for result in whole] == [
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "REQUIRED_FIELD_MISSING",
    ]
    assert [result["created"] for result in again] == [False, False]
    with pytest.raises(SalesforceMalformedRequest, match="LIMIT_EXCEEDED"):
        witness.client.restful(path, method="PATCH", json={"records": [*records, records[0]]})


def test_collections_create_update_retrieve_and_delete_by_id(witness: Witness) -> None:
    new = [{"attributes": {"type": "Account"}, "Name": name} for name in ("a", "b")]

    made = witness.client.restful("composite/sobjects", method="POST", json={"records": new})
    ids = [result["id"] for result in made]
    changed = [{"attributes": {"type": "Account"}, "id": ids[0], "Phone": "1"}]
    changed.append({"attributes": {"type": "Account"}, "id": record_id("001", 999), "Phone": "1"})
    updated = witness.client.restful("composite/sobjects", method="PATCH", json={"records": changed})
    asked = {"ids": [ids[1], record_id("001", 999), ids[0]], "fields": ["Name", "Phone"]}
    found = witness.client.restful("composite/sobjects/Account", method="POST", json=asked)
    gone = witness.client.restful("composite/sobjects", method="DELETE", params={"ids": ",".join(ids)})

    assert [result["success"] for result in updated] == [True, False]
    assert updated[1]["errors"][0]["statusCode"] == "NOT_FOUND"
    assert [row and (row["Name"], row["Phone"]) for row in found] == [("b", None), None, ("a", "1")]
    assert [result["success"] for result in gone] == [True, True]


def test_a_locked_row_fails_alone(witness: Witness) -> None:
    witness.sandbox.faults.add(Rule(route="create Account b$", kind="row"))
    new = [{"attributes": {"type": "Account"}, "Name": name} for name in ("a", "b", "c")]

    results = witness.client.restful("composite/sobjects", method="POST", json={"records": new})

    assert [result["success"] for result in results] == [True, False, True]
    assert results[1]["errors"][0]["statusCode"] == "UNABLE_TO_LOCK_ROW"


def test_a_composite_passes_answers_on_and_undoes_everything_when_asked(witness: Witness) -> None:
    def request(last_name: str | None) -> dict[str, Any]:
        base = "/services/data/v67.0/sobjects"
        contact = {"LastName": last_name, "AccountId": "@{account.id}"}
        read = f"{base}/Account/@{{account.id}}?fields=Name"
        return {
            "allOrNone": True,
            "compositeRequest": [
                {"method": "POST", "url": f"{base}/Account", "referenceId": "account", "body": {"Name": "A"}},
                {"method": "POST", "url": f"{base}/Contact", "referenceId": "contact", "body": contact},
                {"method": "GET", "url": read, "referenceId": "read"},
            ],
        }

    def send(last_name: str | None) -> list[dict[str, Any]]:
        answer = witness.client.restful("composite", method="POST", json=request(last_name))
        return list(answer["compositeResponse"])

    failed, worked = send(None), send("Doe")

    assert [part["httpStatusCode"] for part in failed] == [400, 400, 400]
    assert [part["body"][0]["errorCode"] for part in failed] == [
        "PROCESSING_HALTED",
        "REQUIRED_FIELD_MISSING",
        "PROCESSING_HALTED",
    ]
    assert [part["httpStatusCode"] for part in worked] == [201, 201, 200]
    assert worked[2]["body"]["Name"] == "A"
    assert witness.client.query("SELECT COUNT() FROM Account")["totalSize"] == 1


def test_a_merge_leaves_the_loser_behind_and_moves_its_children(witness: Witness) -> None:
    winner, loser = (witness.client.Account.create({"Name": name})["id"] for name in ("w", "l"))
    contact = witness.client.Contact.create({"LastName": "Doe", "AccountId": loser})["id"]
    witness.sandbox.clock.advance(60)

    witness.admin("merge", winner=winner, losers=[loser])

    row = witness.client.query_all(
        f"SELECT IsDeleted, MasterRecordId FROM Account WHERE Id = '{loser}'", include_deleted=True
    )["records"][0]
    assert (row["IsDeleted"], row["MasterRecordId"]) == (True, winner)
    assert witness.client.Contact.get(contact)["AccountId"] == winner
    deleted = witness.client.Account.deleted(TODAY, TODAY + dt.timedelta(minutes=5))
    assert [entry["id"] for entry in deleted["deletedRecords"]] == [loser]
    witness.admin("undelete", ids=[loser])
    assert witness.client.Account.get(loser)["MasterRecordId"] is None


def test_what_changed_is_listed_up_to_the_oldest_open_transaction(witness: Witness) -> None:
    kept = witness.client.Account.create({"Name": "kept"})["id"]
    late = witness.admin("save_late", object="Account", values={"Name": "late"}, seconds=900)["id"]
    witness.sandbox.clock.advance(600)

    before = witness.client.Account.updated(TODAY, TODAY + dt.timedelta(minutes=10))
    witness.sandbox.clock.advance(600)
    after = witness.client.Account.updated(TODAY, TODAY + dt.timedelta(minutes=20))

    assert (before["ids"], before["latestDateCovered"]) == ([kept], "2026-11-23T11:59:59.000+0000")
    assert (after["ids"], after["latestDateCovered"]) == ([kept, late], "2026-11-23T12:20:00.000+0000")
    assert witness.client.Account.get(late)["SystemModstamp"] == "2026-11-23T12:00:00.000+0000"


def test_an_opportunity_is_worth_its_lines(witness: Witness) -> None:
    book = {"Id": record_id("01s", 1), "Name": "Standard Price Book", "IsStandard": True, "IsActive": True}
    own = {"Id": record_id("01s", 2), "Name": "List USD", "IsActive": True}
    seed(witness.sandbox.store, {"Pricebook2": [book, own]})
    product = witness.client.Product2.create({"Name": "Seats", "ProductCode": "SKU-0001"})["id"]
    price = {"Product2Id": product, "Pricebook2Id": own["Id"], "UnitPrice": 19.995}
    with pytest.raises(SalesforceMalformedRequest, match="STANDARD_PRICE_NOT_DEFINED"):
        witness.client.PricebookEntry.create(price)
    witness.client.PricebookEntry.create({**price, "Pricebook2Id": book["Id"]})
    entry = witness.client.PricebookEntry.create(price)["id"]
    deal = {"Name": "Deal", "StageName": "Closed Won", "CloseDate": "2026-11-01"}
    opportunity = witness.client.Opportunity.create(deal)["id"]

    for quantity in (3, 2):
        line = {"OpportunityId": opportunity, "PricebookEntryId": entry, "Quantity": quantity}
        line_id = witness.client.OpportunityLineItem.create(line)["id"]
    witness.client.Opportunity.update(opportunity, {"Amount": 1})

    found = witness.client.query(
        "SELECT Amount, IsWon, Pricebook2.Name, (SELECT ProductCode, TotalPrice FROM OpportunityLineItems)"
        " FROM Opportunity"
    )["records"][0]
    assert (found["Amount"], found["IsWon"], found["Pricebook2"]["Name"]) == (100.0, True, "List USD")
    lines = [(line["ProductCode"], line["TotalPrice"]) for line in found["OpportunityLineItems"]["records"]]
    assert lines == [("SKU-0001", 60.0), ("SKU-0001", 40.0)]
    witness.client.OpportunityLineItem.delete(line_id)
    assert witness.client.Opportunity.get(opportunity)["Amount"] == 60.0


def test_a_contract_is_numbered_ends_with_its_term_and_is_activated_by_an_update(witness: Witness) -> None:
    account = witness.client.Account.create({"Name": "a"})["id"]
    terms = {"AccountId": account, "StartDate": "2026-02-01", "ContractTerm": 12}
    with pytest.raises(SalesforceMalformedRequest, match="FAILED_ACTIVATION"):
        witness.client.Contract.create({**terms, "Status": "Activated"})

    contract = witness.client.Contract.create(terms)["id"]
    witness.client.Contract.update(contract, {"Status": "Activated"})

    row = witness.client.Contract.get(contract)
    assert (row["ContractNumber"], row["EndDate"], row["StatusCode"]) == ("00000001", "2027-01-31", "Activated")
    with pytest.raises(SalesforceMalformedRequest, match="DELETE_FAILED"):
        witness.client.Account.delete(account)


def test_describe_is_what_the_org_enforces(witness: Witness) -> None:
    fields = {field["name"]: field for field in witness.client.Account.describe()["fields"]}

    assert fields["Name"]["length"] == 255
    assert not fields["Name"]["nillable"]
    assert (fields["Sync_Id__c"]["externalId"], fields["Sync_Id__c"]["unique"]) == (True, True)
    assert not fields["SystemModstamp"]["createable"]
    assert [v["value"] for v in fields["CurrencyIsoCode"]["picklistValues"]] == ["USD", "EUR", "JPY"]
    assert fields["OwnerId"]["relationshipName"] == "Owner"
    witness.admin("alter", object="Account", field="Tax_Id__c", changes=None)
    assert "Tax_Id__c" not in {field["name"] for field in witness.client.Account.describe()["fields"]}
    with pytest.raises(SalesforceMalformedRequest, match="INVALID_FIELD"):
        witness.client.query("SELECT Tax_Id__c FROM Account")


def test_the_organization_can_be_told_apart_from_a_refreshed_copy(witness: Witness) -> None:
    first = witness.client.query("SELECT Id, Name FROM Organization")["records"]
    witness.admin("organization", id="00DXX0000001234")
    second = witness.client.query("SELECT Id, Name FROM Organization")["records"]

    assert [row["Id"] for row in first + second] == ["00DHs000000AaAaMAK", "00DXX00000012342AA"]


def test_a_session_idles_out_and_a_fault_can_end_it(witness: Witness) -> None:
    witness.sandbox.clock.advance(7000)
    witness.client.limits()
    witness.sandbox.clock.advance(7201)
    with pytest.raises(SalesforceExpiredSession, match="INVALID_SESSION_ID"):
        witness.client.limits()

    witness.client = sign_in(witness.url, witness.client.session)
    witness.sandbox.faults.add(Rule(route="/limits", kind="expire_token"))

    with pytest.raises(SalesforceExpiredSession):
        witness.client.limits()


def test_wrong_credentials_are_an_object_not_an_array(witness: Witness) -> None:
    wrong = {**CREDENTIALS, "client_secret": "guess"}

    answer = requests.post(f"{witness.url}/services/oauth2/token", data=wrong, timeout=5)

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")


def test_the_daily_limit_is_counted_told_and_enforced(witness: Witness) -> None:
    witness.client.limits()
    assert witness.client.api_usage["api-usage"].used == 1
    assert witness.client.api_usage["api-usage"].total == 115000

    witness.admin("limits", max=1)

    with pytest.raises(SalesforceRefusedRequest) as refused:
        witness.client.limits()
    assert refused.value.content[0]["errorCode"] == "REQUEST_LIMIT_EXCEEDED"
    witness.sandbox.clock.advance(25 * 3600)
    assert sign_in(witness.url, witness.client.session).limits()["DailyApiRequests"]["Max"] == 1


def test_in_maintenance_reads_go_on_and_writes_are_refused(witness: Witness) -> None:
    witness.admin("maintenance", on=True)

    assert witness.client.query("SELECT COUNT() FROM Account")["totalSize"] == 0
    with pytest.raises(SalesforceGeneralError, match="NOT_ALLOWED_DURING_MAINTENANCE") as refused:
        witness.client.Account.create({"Name": "a"})
    assert refused.value.status == 503


def test_a_retired_version_is_gone_and_an_unknown_one_was_never_there(witness: Witness) -> None:
    known = requests.get(f"{witness.url}/services/data/", timeout=5).json()

    assert known[-1] == {"label": "Winter '27", "url": "/services/data/v68.0", "version": "68.0"}
    for version, status in (("30.0", 410), ("99.0", 404)):
        answer = requests.get(f"{witness.url}/services/data/v{version}/limits", timeout=5)
        assert answer.status_code == status


def test_a_create_whose_reply_was_lost_is_found_again_by_its_external_id(witness: Witness) -> None:
    witness.sandbox.faults.add(Rule(route="PATCH .*/Sync_Id__c", kind="drop_after_commit", times=1))
    body = {"records": [{"attributes": {"type": "Account"}, "Sync_Id__c": "s1", "Name": "Acme"}]}
    path = "composite/sobjects/Account/Sync_Id__c"

    with pytest.raises(requests.ConnectionError):
        witness.client.restful(path, method="PATCH", json=body)

    assert witness.client.restful(path, method="PATCH", json=body)[0]["created"] is False
