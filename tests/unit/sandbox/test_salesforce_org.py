"""The Salesforce stand-in's ids, seeding, memory and recycle bin."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.faults import FaultPlan
from sync_pipelines.sandbox.salesforce import Salesforce, load_schema, open_vendor, record_id, seed
from sync_pipelines.sandbox.salesforce.fault import Refusal
from sync_pipelines.sandbox.salesforce.ids import as_long_id, long_id, number_of
from sync_pipelines.sandbox.store import Store

TODAY = datetime(2026, 11, 23, 12, tzinfo=UTC)
SCHEMA = load_schema()
ACCOUNT, CONTACT = SCHEMA.objects["Account"], SCHEMA.objects["Contact"]


@pytest.fixture
def crm() -> Salesforce:
    return open_vendor(Store(None), clock=VirtualClock(TODAY), faults=FaultPlan())


def test_the_suffix_is_the_one_that_salesforce_computes() -> None:
    assert long_id("00530000003xqAb") == "00530000003xqAbAAI"
    assert as_long_id("0015e000004XyZ1") == "0015e000004XyZ1AAK"
    assert as_long_id("0015e000004xyz1AAK") is None


@given(st.integers(0, 62**10 - 1), st.integers(0, 62**10 - 1))
def test_ids_keep_their_number_and_its_order(a: int, b: int) -> None:
    first, second = record_id("001", a), record_id("001", b)

    assert (number_of(first), as_long_id(first[:15])) == (a, first)
    assert (first < second) == (a < b)


def test_a_seeded_org_goes_on_where_the_seed_ended(crm: Salesforce) -> None:
    account = {"Id": record_id("001", 41), "Name": "Acme", "SystemModstamp": "2026-10-01T00:00:00.000+0000"}
    contract = {
        "Id": record_id("800", 7),
        "AccountId": account["Id"],
        "ContractNumber": "00000101",
        "StartDate": "2026-01-31",
        "ContractTerm": 1,
        "Status": "Activated",
    }
    gone = {**account, "Id": record_id("001", 40), "IsDeleted": True}

    loaded = seed(crm.org.store, {"Account": [account, gone], "Contract": [contract]})
    made = crm.org.create(SCHEMA.objects["Contract"], {"AccountId": account["Id"]})

    assert loaded == {"Account": 2, "Contract": 1}
    assert made == record_id("800", 8)
    assert crm.org.get(SCHEMA.objects["Contract"], made)["ContractNumber"] == "00000102"
    assert crm.org.get(SCHEMA.objects["Contract"], contract["Id"])["EndDate"] == "2026-02-27"
    crm.api.bin.undelete([gone["Id"]])
    assert crm.org.get(ACCOUNT, gone["Id"])["IsDeleted"] is False


def test_seeded_opportunities_get_their_amount_from_their_lines_unless_told(crm: Salesforce) -> None:
    opportunities = [
        {"Id": record_id("006", 1), "Name": "sums", "StageName": "Closed Won"},
        {"Id": record_id("006", 2), "Name": "told", "StageName": "Closed Lost", "Amount": 5},
    ]
    lines = [
        {"Id": record_id("00k", n), "OpportunityId": record_id("006", 1 + n % 2), "Quantity": 3, "UnitPrice": "0.1"}
        for n in range(4)
    ]

    seed(crm.org.store, {"Opportunity": opportunities, "OpportunityLineItem": lines})

    rows = crm.org.store.all("Opportunity")
    assert [(row["Amount"], row["IsWon"], row["IsClosed"]) for row in rows] == [
        (0.6, True, True),
        (5.0, False, True),
    ]


def test_a_deleted_account_takes_its_contacts_along_and_brings_them_back(crm: Salesforce) -> None:
    account = crm.org.create(ACCOUNT, {"Name": "a"})
    contact = crm.org.create(CONTACT, {"LastName": "c", "AccountId": account})
    earlier = crm.org.create(CONTACT, {"LastName": "d", "AccountId": account})
    crm.api.bin.delete(CONTACT, earlier)

    crm.api.bin.delete(ACCOUNT, account)
    with pytest.raises(Refusal, match="entity is deleted"):
        crm.org.get(CONTACT, contact)
    crm.api.bin.undelete([account])

    assert crm.org.get(CONTACT, contact)["AccountId"] == account
    with pytest.raises(Refusal, match="entity is deleted"):
        crm.org.get(CONTACT, earlier)


def test_a_refused_save_uses_up_nothing(crm: Salesforce) -> None:
    writes = crm.org.store.writes

    with pytest.raises(Refusal, match="Required fields are missing"):
        crm.org.create(ACCOUNT, {"Phone": "1"})

    assert crm.org.store.writes == writes
    assert crm.org.create(ACCOUNT, {"Name": "first"}) == record_id("001", 1)


def test_a_reference_can_be_given_by_the_parents_external_id(crm: Salesforce) -> None:
    account = crm.org.create(ACCOUNT, {"Name": "a", "Sync_Id__c": "k"})

    contact = crm.org.create(CONTACT, {"LastName": "c", "Account": {"Sync_Id__c": "k"}})

    assert crm.org.get(CONTACT, contact)["AccountId"] == account
    with pytest.raises(Refusal, match="Foreign key external ID: nobody not found"):
        crm.org.create(CONTACT, {"LastName": "c", "Account": {"Sync_Id__c": "nobody"}})


def test_a_killed_stand_in_comes_back_with_its_records(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sync_pipelines.sandbox", "salesforce", "--state", str(tmp_path / "sf.db")]

    def start() -> tuple[subprocess.Popen[str], str, dict[str, str]]:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        url = re.sub(r".* at ", "", process.stdout.readline()).strip()
        form = {
            "grant_type": "client_credentials",
            "client_id": "sandbox-client",
            "client_secret": "sandbox-secret",
        }
        token = requests.post(f"{url}/services/oauth2/token", data=form, timeout=5).json()["access_token"]
        return process, f"{url}/services/data/v67.0", {"Authorization": f"Bearer {token}"}

    first, data, headers = start()
    made = requests.post(f"{data}/sobjects/Account", json={"Name": "a"}, headers=headers, timeout=5).json()
    first.kill()
    first.communicate()
    second, data, headers = start()
    found = requests.get(f"{data}/sobjects/Account/{made['id']}", headers=headers, timeout=5).json()
    second.send_signal(signal.SIGTERM)
    second.communicate()

    assert found["Name"] == "a"
    assert second.returncode == 0
