"""The truth tells of every record of the simulated company, and every kind of defect is planted in it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest
from companies import SEEDS, SYSTEM_OF_KEY, Row, by, company, live, truth

from sync_pipelines.config import load
from sync_pipelines.domains import DOMAINS
from sync_pipelines.domains.money import minor
from sync_pipelines.sandbox.company import Company, defects, generate, write_truth

NEW_YORK = ZoneInfo("America/New_York")
BULK = {
    "order_missing_in_erp",
    "invoice_missing_in_erp",
    "entitlement_missing",
    "customer_missing",
    "product_missing",
}
PERSON_CUSTOMERS = {"duplicate_account", "duplicate_party", "deleted_account", "ambiguous_name"}

every_company = pytest.mark.parametrize("seed", SEEDS)


def planted(made: Company, *kinds: str) -> list[Row]:
    return [row for row in truth(made, "defects") if row["kind"] in kinds]


def erp_total(row: Row) -> int:
    """What an ERP document comes to, taxes rounded to the currency's unit."""
    net = sum(minor(line["unit_price"], row["currency"]) * line["quantity"] for line in row["lines"])
    tax = (Decimal(net) / 5).quantize(Decimal(1)) if row.get("taxed") else 0
    return net + int(tax)


@every_company
def test_every_kind_of_defect_is_planted_at_least_twice(seed):
    counts = Counter((row["kind"], row["mendable"]) for row in truth(company(seed), "defects"))

    assert counts.keys() == {(kind.name, kind.mendable) for kind in defects.KINDS}
    assert min(counts.values()) >= 2


def test_defects_grow_with_the_company():
    counts = Counter((row["kind"], row["mendable"]) for row in truth(generate(7, 2), "defects"))

    assert counts["cent_off", False] == 2 * defects.CENT_OFF.count
    assert counts["merged_account", True] == 2 * defects.MERGED.count
    assert counts["contract_end_differs", True] == 2 * defects.CONTRACT_END_DIFFERS.count


@pytest.mark.parametrize("kind", defects.KINDS, ids=lambda kind: f"{kind.name}-{kind.domain}")
def test_a_defects_owner_is_the_team_that_the_topology_names(kind):
    topology = load(Path(__file__).parents[3] / "sync.toml", environment={}, strict=False)
    team = "refused" if kind is defects.CLOSED_PERIOD else "default"

    assert kind.owner == topology.domains[kind.domain].exceptions[team]


@every_company
def test_every_exception_has_an_owner_and_a_defect(seed):
    for domain in DOMAINS:
        for row in truth(company(seed), domain):
            assert (row["owner"] is not None) == (row["expected"] == "exception")
            assert row["expected"] != "exception" or row["defect"]
            assert row["expected"] in ("agrees", "mended", "exception")
            assert row["expected"] != "agrees" or not row["differs"]
            assert row["expected"] != "mended" or row["differs"]


@every_company
def test_truth_and_defects_name_the_same_records(seed):
    made = company(seed)
    told = {(d, row["key"], row["defect"]) for d in DOMAINS for row in truth(made, d) if row["defect"]}

    assert {(row["domain"], row["key"], row["kind"]) for row in truth(made, "defects")} == told


@every_company
def test_keys_are_unique_in_a_domain(seed):
    for domain in DOMAINS:
        by(truth(company(seed), domain), "key")


@every_company
def test_every_record_of_every_system_is_in_the_truth_once_or_is_to_be_ignored(seed):
    made = company(seed)
    subscriptions, sf, erp = made.stripe["subscription"], made.salesforce, made.erp
    items = [item["id"] for row in subscriptions for item in row["items"]["data"]]
    held = {
        ("customer", "salesforce"): [row["Id"] for row in sf["Account"]],
        ("product", "salesforce"): [row["Id"] for row in sf["Product2"]],
        ("pricing", "salesforce"): [row["Id"] for row in sf["PricebookEntry"]],
        ("contract", "salesforce"): [row["Id"] for row in sf["Contract"]],
        ("order", "salesforce"): [row["Id"] for row in sf["Opportunity"]],
        ("entitlement", "salesforce"): [row["Id"] for row in sf["Entitlement"]],
        ("customer", "stripe"): [row["id"] for row in made.stripe["customer"]],
        ("product", "stripe"): [row["id"] for row in made.stripe["product"]],
        ("pricing", "stripe"): [row["id"] for row in made.stripe["price"]],
        ("contract", "stripe"): [row["id"] for row in subscriptions],
        ("invoice", "stripe"): [row["id"] for kind in ("invoice", "credit_note") for row in made.stripe[kind]],
        ("entitlement", "stripe"): items,
        ("customer", "tryton"): [row["code"] for row in erp["parties"]],
        ("product", "tryton"): [row["code"] for row in erp["products"]],
        ("pricing", "tryton"): [row["code"] for row in erp["products"]],
        ("order", "tryton"): [row["reference"] for row in erp["sales"]],
        ("invoice", "tryton"): [row["reference"] for row in erp["invoices"]],
    }
    ignored = truth(made, "ignored")

    for (domain, system), ids in held.items():
        told = [row[SYSTEM_OF_KEY[system]] for row in truth(made, domain)]
        passed = [row["record_id"] for row in ignored if (row["domain"], row["system"]) == (domain, system)]
        assert sorted([*filter(None, told), *passed]) == sorted(ids), (domain, system)


@every_company
def test_open_and_lost_opportunities_have_no_order_number_and_are_ignored(seed):
    made = company(seed)
    not_won = {row["Id"] for row in made.salesforce["Opportunity"] if not row["IsWon"]}

    assert not_won == {row["record_id"] for row in truth(made, "ignored") if row["reason"] == "not won"}
    assert not any(row["Order_Number__c"] for row in made.salesforce["Opportunity"] if not row["IsWon"])


@every_company
def test_a_customer_that_needs_a_person_has_no_documents(seed):
    made = company(seed)
    stuck = {
        row["number"]
        for row in truth(made, "customer")
        if row["expected"] == "exception" and row["defect"] in {*PERSON_CUSTOMERS, "merged_account"}
    }

    assert len(stuck) > 10
    for domain in ("contract", "order", "invoice", "entitlement"):
        assert not stuck & {row["customer"] for row in truth(made, domain)}


@every_company
def test_a_customer_suffers_one_defect_beside_missing_records(seed):
    made = company(seed)
    suffered: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
    for domain in ("customer", "contract", "order", "invoice", "entitlement"):
        for row in truth(made, domain):
            if row["defect"] and row["defect"] not in BULK:
                number = row["number"] if domain == "customer" else row["customer"]
                suffered[number].add((domain, row["defect"]))

    assert {number: found for number, found in suffered.items() if len(found) > 1} == {}


@every_company
def test_control_totals_are_what_the_systems_hold_and_what_will_be_mended(seed):
    made = company(seed)
    told = {
        (row["domain"], row["system"], row["legal_entity"], row["period"], row["currency"]): (
            row["count"],
            row["sum_minor"],
        )
        for row in truth(made, "totals")
    }
    counted: Counter[tuple[str, ...]] = Counter()
    summed: Counter[tuple[str, ...]] = Counter()

    def add(domain: str, system: str, day: date, currency: str, amount: int) -> None:
        group = (domain, system, "US01", f"{day:%Y-%m}", currency)
        counted[group] += 1
        summed[group] += amount

    for kind, sign in (("invoice", 1), ("credit_note", -1)):
        for row in made.stripe[kind]:
            if row["number"]:
                day = datetime.fromtimestamp(row["effective_at"], NEW_YORK).date()
                add("invoice", "stripe", day, row["currency"].upper(), sign * row["total"])
    for row in made.salesforce["Opportunity"]:
        if row["Order_Number__c"]:
            amount = minor(Decimal(repr(row["Amount"])), row["CurrencyIsoCode"])
            add("order", "salesforce", date.fromisoformat(row["CloseDate"]), row["CurrencyIsoCode"], amount)
    for domain, kind in (("order", "sales"), ("invoice", "invoices")):
        for row in made.erp[kind]:
            add(domain, "tryton", row["date"], row["currency"], erp_total(row))
    for row in truth(made, "order"):
        if row["expected"] == "mended":
            add("order", "tryton", row["ordered_on"], row["currency"], row["net_minor"])
    for row in truth(made, "invoice"):
        if row["expected"] == "mended":
            add("invoice", "tryton", row["issued_on"], row["currency"], row["total_minor"])

    assert told == {group: (counted[group], summed[group]) for group in counted}


@every_company
def test_totals_differ_only_where_something_needs_a_person(seed):
    made = company(seed)
    sums: defaultdict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for row in truth(made, "totals"):
        sums[row["domain"], row["period"], row["currency"]][row["system"]] += row["sum_minor"]
    apart = {group for group, both in sums.items() if len(set(both.values())) > 1 or len(both) == 1}

    stuck = set()
    for domain, dated in (("order", "ordered_on"), ("invoice", "issued_on")):
        for row in truth(made, domain):
            if row["expected"] == "exception" and row["defect"] != "bad_record":
                stuck.add((domain, f"{row[dated]:%Y-%m}", row["currency"]))

    assert apart
    assert apart <= stuck


@every_company
def test_a_cent_off_is_one_minor_unit_in_the_erp(seed):
    made = company(seed)
    posted, wanted = by(made.erp["invoices"], "reference"), by(truth(made, "invoice"), "key")
    found = planted(made, "cent_off")

    for row in found:
        assert erp_total(posted[row["key"]]) - wanted[row["key"]]["total_minor"] == 1 == row["amount_minor"]
    others = [row for row in posted.values() if row["reference"] not in {row["key"] for row in found}]
    assert all(erp_total(row) == wanted[row["reference"]]["total_minor"] for row in others)


@every_company
def test_invoices_that_the_erp_lacks_are_in_open_months_but_for_the_planted_ones(seed):
    for row in truth(company(seed), "invoice"):
        if row["tryton_key"] is None:
            in_closed = row["issued_on"] < date(2026, 4, 1)
            assert in_closed == (row["defect"] == "invoice_in_closed_period")
            assert row["owner"] == ("controller" if in_closed else None)


@every_company
def test_a_document_that_is_to_be_mended_finds_its_customer_and_products(seed):
    made = company(seed)
    customers = by([row for row in truth(made, "customer") if row["salesforce_id"]], "number")

    for domain in ("order", "invoice"):
        for row in truth(made, domain):
            assert customers[row["customer"]]["expected"] in ("agrees", "mended")
            assert domain == "order" or customers[row["customer"]]["stripe_id"]


@every_company
def test_a_merged_account_names_its_survivor_and_shares_its_tax_id(seed):
    accounts = by(company(seed).salesforce["Account"], "Id")
    losers = [row for row in accounts.values() if row["MasterRecordId"]]

    assert len(losers) == 4
    for loser in losers:
        survivor = accounts[loser["MasterRecordId"]]
        assert loser["IsDeleted"]
        assert not survivor["IsDeleted"]
        assert loser["Tax_Id__c"] == survivor["Tax_Id__c"]


@every_company
def test_twins_in_salesforce_share_a_tax_id_and_nothing_names_one_of_them(seed):
    made = company(seed)
    tax_ids = Counter(row["Tax_Id__c"] for row in live(made.salesforce["Account"]) if row["Tax_Id__c"])
    twins = {row["key"] for row in planted(made, "duplicate_account")}
    numbers = {row["AccountNumber"] for row in live(made.salesforce["Account"]) if tax_ids[row["Tax_Id__c"]] > 1}

    assert numbers == twins
    assert not twins & {row["code"] for row in made.erp["parties"]}
    assert not twins & {row["metadata"].get("customer_number") for row in made.stripe["customer"]}


@every_company
def test_hints_are_never_wrong(seed):
    made = company(seed)
    accounts = by(made.salesforce["Account"], "Id")
    wanted = by([row for row in truth(made, "customer") if row["stripe_id"]], "stripe_id")
    for customer in made.stripe["customer"]:
        row, told = wanted[customer["id"]], customer["metadata"]
        assert told.get("tax_id") in (None, row["tax_id"])
        if "crm_id" in told:
            assert told["crm_id"] == row["salesforce_id"]
            assert told.get("customer_number") in (None, accounts[told["crm_id"]]["AccountNumber"])


@every_company
def test_about_seven_of_ten_stripe_customers_name_their_account(seed):
    customers = company(seed).stripe["customer"]
    named = [c for c in customers if {"customer_number", "crm_id"} & c["metadata"].keys()]

    assert 0.6 < len(named) / len(customers) < 0.9


@every_company
def test_every_contract_but_the_planted_ones_ends_at_midnight_in_new_york(seed):
    made = company(seed)
    subscriptions = by(made.stripe["subscription"], "id")
    for row in truth(made, "contract"):
        if row["stripe_id"] and row["defect"] != "contract_end_differs":
            ends = datetime.combine(row["end_on"] + timedelta(days=1), datetime.min.time(), NEW_YORK)
            assert subscriptions[row["stripe_id"]]["cancel_at"] == int(ends.astimezone(UTC).timestamp())


@every_company
def test_contracts_that_end_otherwise_in_stripe_end_otherwise(seed):
    made = company(seed)
    subscriptions, wanted = by(made.stripe["subscription"], "id"), by(truth(made, "contract"), "key")
    for row in planted(made, "contract_end_differs"):
        contract = wanted[row["key"]]
        cancel_at = subscriptions[contract["stripe_id"]]["cancel_at"]
        ends = cancel_at and datetime.fromtimestamp(cancel_at - 1, NEW_YORK).date()
        assert ends != contract["end_on"]
        assert subscriptions[contract["stripe_id"]]["status"] == "active"


@every_company
def test_prices_disagree_in_one_time_and_in_recurring_ones(seed):
    made = company(seed)
    intervals = by(truth(made, "pricing"), "key")
    found = planted(made, "price_disagrees")

    assert {intervals[row["key"]]["billing_interval"] == "once" for row in found} == {True, False}
    assert {system for row in found for system in row["systems"]} == {"stripe", "tryton"}


@every_company
def test_ended_contracts_agree_but_for_those_still_activated_in_salesforce(seed):
    made = company(seed)
    rows, subscriptions = by(made.salesforce["Contract"], "Id"), by(made.stripe["subscription"], "id")
    late = {row["key"] for row in planted(made, "contract_status_differs")}
    for row in truth(made, "contract"):
        if row["status"] == "ended":
            assert subscriptions[row["stripe_id"]]["status"] == "canceled"
            assert rows[row["salesforce_id"]]["Status"] == ("Activated" if row["key"] in late else "Expired")


@every_company
def test_bad_records_lack_what_no_system_can_do_without(seed):
    made = company(seed)
    rows = {row["Id"]: row for name in ("Opportunity", "Contract") for row in made.salesforce[name]}
    bad = [re.sub("salesforce/", "", row["record_ids"][0]) for row in planted(made, "bad_record")]

    assert len(bad) == 4
    for key in bad:
        assert rows[key].get("Order_Number__c", rows[key].get("StartDate")) is None
    whole = [row for row in rows.values() if row["Id"] not in bad and row.get("IsWon", True)]
    assert all(row.get("Order_Number__c") or row.get("StartDate") for row in whole)


@every_company
def test_lines_of_the_truth_add_up_to_its_nets(seed):
    made = company(seed)
    pattern = re.compile(r'\{"product":"SKU-\d{4}","quantity":"-?[1-9]\d*","amount_minor":(-?\d+)\}')
    for domain in ("order", "invoice"):
        for row in truth(made, domain):
            amounts = pattern.findall(row["lines"])
            assert row["lines"] == "[" + ",".join(m.group() for m in pattern.finditer(row["lines"])) + "]"
            assert sum(map(int, amounts)) == row["net_minor"]


def test_the_truth_is_written_as_parquet_and_the_same_each_time(tmp_path):
    paths = write_truth(company(7), tmp_path / "one")
    again = write_truth(generate(7), tmp_path / "two")

    assert {path.stem for path in paths} == {*DOMAINS, "defects", "totals", "ignored"}
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(paths, again, strict=True))
    assert pq.read_table(tmp_path / "one" / "invoice.parquet").equals(company(7).truth["invoice"])
