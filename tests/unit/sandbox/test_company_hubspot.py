"""What the simulated company's marketing holds, read back through its stand-in, the adapter and the mappings."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from typing import Any

import duckdb
import pytest
import requests
from companies import SEEDS

from sync_pipelines import mappings
from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.lake.macros import MACROS
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.company import imagine
from sync_pipelines.sandbox.company.hubspot import rows
from sync_pipelines.sandbox.company.model import Facts
from sync_pipelines.sandbox.company.moments import TODAY
from sync_pipelines.sandbox.hubspot import seed
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.transport import InProcess
from sync_pipelines.systems.hubspot import open_system

URL = "http://marketing.test"
Row = dict[str, Any]
every_company = pytest.mark.parametrize("number", SEEDS)


@cache
def facts(number: int) -> Facts:
    return imagine(number, 1)


@cache
def conformed(number: int) -> dict[str, list[Row]]:
    """The canonical records by domain, and the payloads of contacts under "contacts"."""
    sandbox = open_sandbox("hubspot", clock=VirtualClock(datetime(2026, 11, 23, 12, tzinfo=UTC)))
    seed(sandbox.store, rows(facts(number)))
    session = requests.Session()
    session.mount(URL, InProcess(sandbox))
    settings = SystemSettings(
        "hubspot", "hubspot", URL, calls_per_second=100_000, options={"service_key": "pat-na1-sandbox"}
    )
    adapter = open_system(settings, clock=sandbox.clock, session=session)
    db = duckdb.connect(config={"threads": 1})
    db.execute("SET TimeZone = 'UTC'; CREATE SCHEMA hubspot")
    db.execute("CREATE TABLE raw (object VARCHAR, id VARCHAR, version VARCHAR, payload VARCHAR)")
    db.execute("CREATE TABLE legal_entity AS SELECT 'US01' AS code, 'America/New_York' AS \"zone\"")
    for macro in MACROS:
        db.execute(macro)
    payloads = []
    adapter.check_shapes(mappings.objects("hubspot"))
    for name, shape in mappings.objects("hubspot").items():
        for page in adapter.read(name, shape, None):
            read = zip(page.record_ids, page.versions, page.payloads, strict=True)
            db.executemany("INSERT INTO raw VALUES (?, ?, ?, ?)", [(name, i, v, p.decode()) for i, v, p in read])
            payloads += [json.loads(payload) for payload in page.payloads] if name == "contacts" else []
        db.execute(f"""
            CREATE TABLE hubspot.{name} AS
            SELECT id AS record_id, version, false AS is_deleted, unnest(from_json(payload, '{json.dumps(shape)}'))
            FROM raw WHERE object = '{name}'""")
    read = {
        each: db.execute(mappings.read_sql("hubspot", each)).to_arrow_table().to_pylist()
        for each in ("customer", "order")
    }
    return read | {"contacts": payloads}


@every_company
def test_the_same_seed_gives_the_same_marketing(number: int) -> None:
    assert rows(facts(number)) == rows(imagine(number, 1))


@every_company
def test_every_id_is_given_once(number: int) -> None:
    made = rows(facts(number))

    for each in made.values():
        assert len({row["id"] for row in each}) == len(each)
    assert not {row["id"] for row in made["companies"]} & {row["id"] for row in made["deals"]}


@every_company
def test_most_customers_are_there_some_without_their_number_and_a_few_with_old_values(number: int) -> None:
    read = conformed(number)["customer"]
    accounts = {c.profile.number: c.profile for c in facts(number).customers if c.account_id and not c.is_deleted}
    numbered = [each for each in read if each["number"]]
    stale = [
        each
        for each in numbered
        if (each["name"], each["phone"]) != (accounts[each["number"]].name, accounts[each["number"]].phone)
    ]
    behind = [each for each in numbered if each["is_active"] != accounts[each["number"]].is_active]

    assert 0.8 * len(accounts) < len(read) < len(accounts)
    assert 0.6 * len(read) < len(numbered) < len(read)
    assert 0 < len(stale) < 0.25 * len(numbered)
    assert 0 < len(behind) < 0.15 * len(numbered)
    assert all(each["street"] == accounts[each["number"]].street for each in numbered)


@every_company
def test_leads_are_held_and_are_no_customers(number: int) -> None:
    held = rows(facts(number))["companies"]
    customers = {each["record_id"] for each in conformed(number)["customer"]}
    leads = [each for each in held if each["id"] not in customers]

    assert len(leads) > 20
    assert all(each["properties"]["lifecyclestage"].endswith(("lead", "subscriber")) for each in leads)


@every_company
def test_orders_are_the_won_deals_with_their_lines_to_the_cent(number: int) -> None:
    read = conformed(number)["order"]
    deals = {deal.number: deal for deal in facts(number).deals}
    customers = {each["record_id"] for each in conformed(number)["customer"]}

    assert 0.7 * len(deals) < len(read) < len(deals)
    for each in read:
        assert each["customer"] in customers
        if each["number"] is None:
            continue
        deal = deals[each["number"]]
        lines = json.loads(each["lines"])
        assert (each["net_minor"], each["currency"]) == (deal.net_minor, deal.currency)
        assert (each["ordered_on"], each["status"]) == (deal.closed_on, "confirmed")
        assert [(line["product"], line["amount_minor"]) for line in lines] == [
            (line.product.code, line.amount_minor) for line in deal.lines
        ]
        assert sum(line["amount_minor"] for line in lines) == each["net_minor"]


@every_company
def test_a_contact_belongs_to_a_company_and_nothing_is_from_the_future(number: int) -> None:
    companies = {each["record_id"] for each in conformed(number)["customer"]}
    contacts = conformed(number)["contacts"]

    assert {each["associatedcompanyid"] for each in contacts} == companies
    assert max(row["updatedAt"] for each in rows(facts(number)).values() for row in each) <= f"{TODAY}T00:00:00.000Z"
