"""The loop over two billing platforms, marketing, customer success, a service desk and two ERPs around one CRM.

What each of them holds is brought to what is true, once. Only what is special to one of them is said here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from landscape import Landscape, Ran

from sync_pipelines.engine.outcome import Result
from sync_pipelines.ledger.embedded import Embedded
from sync_pipelines.sandbox import company

LAG_SECONDS = 600
"""Of HubSpot's search: so long that no run sees by a search what was written before it."""
WRITTEN = {"chargebee": 40, "gainsight": 20, "hubspot": 20, "netsuite": 100, "s4hana": 100, "zendesk": 50}
"""At least so many documents are missing or wrong in each of the systems."""


@pytest.fixture(scope="module")
def world(postgres: Embedded, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Landscape]:
    names = ("salesforce", "stripe", *WRITTEN)
    with Landscape.open(names, postgres, tmp_path_factory.mktemp("state"), seed=7) as opened:
        opened.sandboxes["hubspot"].vendor.admin("index_lag", {"seconds": LAG_SECONDS})
        yield opened


@pytest.fixture(scope="module")
def first(world: Landscape) -> Ran:
    return world.run()


@pytest.fixture(scope="module")
def second(world: Landscape, first: Ran) -> Ran:
    return world.run()


def rows(world: Landscape, system: str, table: str) -> list[dict[str, Any]]:
    return [dict(row) for row in world.sandboxes[system].store.all(table)]


def accounts(world: Landscape) -> dict[str, dict[str, Any]]:
    """The CRM's accounts that have a number, by that."""
    live = [row for row in rows(world, "salesforce", "Account") if not row["IsDeleted"]]
    return {row["AccountNumber"]: row for row in live if row.get("AccountNumber")}


def found_with(ran: Ran, system: str, leader: str) -> set[tuple[str, str]]:
    """Domains and kinds of what a run found between a system and the one that leads."""
    return {(e["domain"], e["kind"]) for e in ran.findings if {e["system_a"], e["system_b"]} <= {system, leader}}


# All of them


def test_the_first_run_writes_what_is_missing_and_every_write_is_confirmed(first: Ran) -> None:
    writes = first.summary["writes"]

    assert writes["refused"] == writes["in_doubt"] == writes["failed"] == 0
    assert {name: first.wrote[name] for name, least in WRITTEN.items() if first.wrote[name] < least} == {}


def test_a_second_run_writes_nothing_and_finds_the_same(first: Ran, second: Ran) -> None:
    assert set(second.summary["writes"].values()) == {0}
    assert second.wrote.total() == 0
    assert second.summary["findings"] == first.summary["findings"]


def test_every_object_is_read_whole(second: Ran) -> None:
    complete = {at: check.result for (at, name), check in second.checks.items() if name == "complete"}

    assert {at.partition("/")[0] for at in complete} == {"salesforce", "stripe", *WRITTEN}
    assert Result.FAILED not in complete.values()


# A second billing platform


def test_what_chargebee_is_given_agrees_and_what_is_only_read_from_it_is_told(second: Ran) -> None:
    found = found_with(second, "chargebee", "salesforce") | found_with(second, "chargebee", "stripe")

    assert {domain for domain, _ in found} & {"product", "pricing"} == set()
    assert {kind for domain, kind in found if domain in ("contract", "invoice")} <= {"missing", "quarantined"}
    assert ("invoice", "missing") in found


def test_each_customer_that_was_made_in_chargebee_carries_its_number(world: Landscape, first: Ran) -> None:
    made = [row for row in rows(world, "chargebee", "customer") if row["id"].startswith("customer-")]

    assert len(made) > 3
    assert all(row["meta_data"]["customer_number"].startswith("C-") and row["company"] for row in made)
    assert len({row["meta_data"]["customer_number"] for row in made}) == len(made)


# Customer success


def test_a_night_in_which_gainsights_rules_touched_every_company_leads_to_no_write(
    world: Landscape, second: Ran
) -> None:
    world.sandboxes["gainsight"].vendor.admin("touch", {"object": "Company"})

    third = world.run("customer")

    assert (sum(third.summary["writes"].values()), third.wrote.total()) == (0, 0)


def test_every_account_with_a_number_is_one_company_of_gainsight_under_its_own_name(
    world: Landscape, first: Ran
) -> None:
    known, companies = accounts(world), rows(world, "gainsight", "Company")
    named = [row for row in companies if known.get(row["Customer_Number__gc"], {}).get("Name") == row["Name"]]

    assert len({row["Customer_Number__gc"] for row in companies}) == len(companies)
    assert len(named) > 0.95 * len(companies)
    assert len(companies) > 0.95 * len(known)


# Marketing


def test_companies_of_hubspot_say_what_the_crm_says_and_customers_are_in_their_stage(
    world: Landscape, first: Ran
) -> None:
    properties = [row["properties"] for row in rows(world, "hubspot", "companies") if not row["archived"]]
    companies = {each["customer_number"]: each for each in properties if each.get("customer_number")}
    known = [row for number, row in accounts(world).items() if number in companies]

    assert len(companies) == sum(bool(each.get("customer_number")) for each in properties)
    assert len(known) > 0.9 * len(accounts(world))
    for row in known:
        told = companies[row["AccountNumber"]]
        assert (told["name"], told["country"]) == (row["Name"], row["BillingCountry"])
        assert (told["lifecyclestage"] in ("customer", "evangelist")) == row["Active__c"]


def test_leads_of_hubspot_are_left_alone(world: Landscape, second: Ran) -> None:
    before = {row["id"]: row["properties"] for row in company.told(world.made.facts, "hubspot")["companies"]}
    leads = {
        each: properties
        for each, properties in before.items()
        if properties["lifecyclestage"].endswith(("lead", "subscriber"))
    }
    now = {row["id"]: row["properties"] for row in rows(world, "hubspot", "companies")}

    assert leads
    assert [each for each, properties in leads.items() if not now[each].items() >= properties.items()] == []


def test_every_order_that_hubspot_has_is_the_same_to_the_cent(second: Ran) -> None:
    found = found_with(second, "hubspot", "salesforce")

    assert second.summary["linked"]["order"] > 100
    assert {kind for domain, kind in found if domain == "order"} <= {"missing", "quarantined"}


# A service desk


def test_each_entitlement_is_in_one_slot_of_its_customers_organization(world: Landscape, first: Ran) -> None:
    quantities = {
        item["id"]: item["quantity"]
        for subscription in rows(world, "stripe", "subscription")
        if subscription["status"] == "active"
        for item in subscription["items"]["data"]
    }
    fields = [row["organization_fields"] for row in rows(world, "zendesk", "organization") if not row.get("_deleted")]
    held = [
        (each[f"entitlement_{slot}_number"], each[f"entitlement_{slot}_quantity"])
        for each in fields
        for slot in range(1, 13)
        if each.get(f"entitlement_{slot}_number")
    ]

    assert len(held) == len({number for number, _ in held})
    assert [number for number, quantity in held if quantities[number] != quantity] == []
    assert len(held) > 0.95 * len(quantities)
