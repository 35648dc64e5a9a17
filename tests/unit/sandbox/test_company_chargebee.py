"""What the simulated company holds in Chargebee, read back through its stand-in, the adapter and the mappings."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import requests
from companies import SEEDS

from sync_pipelines import mappings
from sync_pipelines.domains import DOMAINS
from sync_pipelines.domains.frame import failures
from sync_pipelines.domains.schema import META
from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.lake.macros import MACROS
from sync_pipelines.sandbox.chargebee import seed
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.company import imagine
from sync_pipelines.sandbox.company.chargebee import customer_id, rows
from sync_pipelines.sandbox.company.model import Facts, tax_minor
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.transport import InProcess
from sync_pipelines.systems.chargebee import open_system

URL = "http://billing.test"
READ = ("customer", "product", "pricing", "contract", "invoice", "entitlement")
every_company = pytest.mark.parametrize("number", SEEDS)


@cache
def facts(number: int) -> Facts:
    return imagine(number, 1)


@cache
def conformed(number: int) -> dict[str, pa.Table]:
    """The canonical records by domain."""
    sandbox = open_sandbox("chargebee", clock=VirtualClock(datetime(2026, 11, 23, 12, tzinfo=UTC)))
    seed(sandbox.store, rows(facts(number)))
    session = requests.Session()
    session.mount(URL, InProcess(sandbox))
    settings = SystemSettings(
        "chargebee", "chargebee", URL, calls_per_second=100_000, options={"api_key": "test_sandbox"}
    )
    adapter = open_system(settings, clock=sandbox.clock, session=session)
    db = duckdb.connect(config={"threads": 1})
    db.execute("SET TimeZone = 'UTC'; CREATE SCHEMA chargebee")
    db.execute("CREATE TABLE raw (object VARCHAR, id VARCHAR, version VARCHAR, is_deleted BOOLEAN, payload VARCHAR)")
    db.execute("CREATE TABLE legal_entity AS SELECT 'US01' AS code, 'America/New_York' AS \"zone\"")
    for macro in MACROS:
        db.execute(macro)
    for name, shape in mappings.objects("chargebee").items():
        for page in adapter.read(name, shape, None):
            read = zip(page.record_ids, page.versions, page.deleted, page.payloads, strict=True)
            told = [(name, record_id, version, gone, payload.decode()) for record_id, version, gone, payload in read]
            db.executemany("INSERT INTO raw VALUES (?, ?, ?, ?, ?)", told)
        db.execute(f"""
            CREATE TABLE chargebee."{name}" AS
            SELECT id AS record_id, version, is_deleted, unnest(from_json(payload, '{json.dumps(shape)}'))
            FROM raw WHERE object = '{name}'""")
    return {each: db.execute(_whole(each)).to_arrow_table() for each in READ}


def _whole(domain: str) -> str:
    """A mapping's SELECT with the record columns that it leaves out."""
    held = mappings.columns("chargebee", domain)
    nulls = "".join(f", CAST(NULL AS {kind}) AS {name}" for name, kind in META.items() if name not in held)
    return f"SELECT *{nulls} FROM ({mappings.read_sql('chargebee', domain)})"


def records(number: int, domain: str) -> dict[str, dict[str, Any]]:
    found = conformed(number)[domain].to_pylist()
    made = {row["record_id"]: row for row in found}
    assert len(made) == len(found)
    return made


@every_company
def test_the_same_seed_gives_the_same_site(number: int) -> None:
    assert rows(facts(number)) == rows(imagine(number, 1))


@every_company
@pytest.mark.parametrize("domain", READ)
def test_everything_that_is_held_fits_its_domain(number: int, domain: str) -> None:
    assert conformed(number)[domain].num_rows > 0
    assert list(failures(conformed(number)[domain], DOMAINS[domain])) == []


@every_company
def test_most_customers_are_there_under_ids_of_the_site_and_a_few_with_stale_phones(number: int) -> None:
    accounts = {c.account_id: c for c in facts(number).customers if c.account_id and not c.is_deleted}
    read = records(number, "customer")
    known = {customer_id(c, number): c for c in accounts.values() if customer_id(c, number) in read}

    assert read.keys() == known.keys()
    assert 0.8 * len(accounts) < len(known) < len(accounts)
    stale = [c for record_id, c in known.items() if read[record_id]["phone"] != c.profile.phone]
    assert 0 < len(stale) < 0.2 * len(known)
    for record_id, customer in known.items():
        row, profile = read[record_id], customer.profile
        assert (row["number"], row["counterpart_id"]) in {(profile.number, None), (None, customer.account_id)}
        assert (row["name"], row["tax_id"], row["email"], row["website"]) == (
            profile.name,
            profile.tax_id,
            profile.email,
            profile.website,
        )
        assert (row["street"], row["city"], row["postal_code"], row["country"]) == (
            profile.street,
            profile.city,
            profile.postal_code,
            profile.country,
        )


@every_company
def test_the_catalog_is_there_with_a_few_prices_of_last_year(number: int) -> None:
    products = {product.code: product for product in facts(number).products}
    items, prices = records(number, "product"), records(number, "pricing")
    codes = {record_id: row["code"] for record_id, row in items.items()}

    for row in items.values():
        product = products[row["code"]]
        told = (product.name, product.family, product.is_active)
        assert (row["name"], row["family"], row["is_active"]) == told
    listed = [(row, products[codes[row["product"]]]) for row in prices.values() if not row["is_deleted"]]
    stale = [row for row, product in listed if row["amount_minor"] != product.prices[row["currency"]]]
    assert {row["billing_interval"] == product.interval for row, product in listed} == {True}
    assert 0 < len(stale) < 0.15 * len(listed)


@every_company
def test_contracts_and_entitlements_are_those_of_the_deals(number: int) -> None:
    contracts = {deal.contract.number: deal for deal in facts(number).deals if deal.contract}
    read = records(number, "contract")

    assert 0.6 * len(contracts) < len(read) < len(contracts)
    for row in read.values():
        deal = contracts[row["number"]]
        assert deal.contract is not None
        assert (row["end_on"], row["currency"], row["legal_entity"]) == (deal.contract.end_on, deal.currency, "US01")
        assert row["status"] == ("ended" if deal.contract.has_ended else "active")
        assert row["customer"] == customer_id(deal.customer, number)
    entitled = records(number, "entitlement").values()
    in_force = [contracts[row["number"]] for row in read.values() if row["status"] == "active"]
    assert sum(row["quantity"] for row in entitled) == sum(
        Decimal(line.quantity) for deal in in_force for line in deal.recurring
    )


@every_company
def test_invoices_and_credits_are_the_companys_own_to_the_cent(number: int) -> None:
    read, deals = records(number, "invoice"), {deal.number: deal for deal in facts(number).deals}
    invoices = {deal.invoice.number: deal for deal in deals.values() if deal.invoice}

    assert 0.6 * len(invoices) < sum(row["kind"] == "invoice" for row in read.values()) < len(invoices)
    assert any(row["kind"] == "credit" for row in read.values())
    for row in read.values():
        deal, lines = deals[row["correlation_id"]], json.loads(row["lines"])
        document, sign = (deal.invoice, 1) if row["kind"] == "invoice" else (deal.credit, -1)
        assert document is not None
        net = sign * (deal.net_minor if document is deal.invoice else document.net_minor)
        assert (row["number"], row["issued_on"], row["currency"]) == (
            document.number,
            document.issued_on,
            deal.currency,
        )
        assert (row["net_minor"], row["tax_minor"]) == (net, sign * tax_minor(abs(net), deal.customer.profile.country))
        assert sum(line["amount_minor"] for line in lines) == net
        assert {line["product"] for line in lines} <= {line.product.code for line in deal.lines}
        assert row["status"] == "posted"


@every_company
def test_every_document_names_prices_that_the_catalog_has(number: int) -> None:
    made = rows(facts(number))
    listed = {row["id"] for row in made["item_price"]}

    documents = [*made["invoice"], *made["credit_note"]]
    named = {line["entity_id"] for row in documents for line in row["line_items"]}
    assert (
        named | {item["item_price_id"] for row in made["subscription"] for item in row["subscription_items"]} <= listed
    )
