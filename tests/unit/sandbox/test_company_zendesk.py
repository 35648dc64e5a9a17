"""What the simulated company's service desk holds, read back through its stand-in, the adapter and the mappings."""

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
from sync_pipelines.sandbox.company.model import Facts
from sync_pipelines.sandbox.company.moments import TODAY
from sync_pipelines.sandbox.company.zendesk import rows
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.transport import InProcess
from sync_pipelines.sandbox.zendesk import seed
from sync_pipelines.systems.zendesk import open_system

URL = "http://desk.test"
Row = dict[str, Any]
every_company = pytest.mark.parametrize("number", SEEDS)


@cache
def facts(number: int) -> Facts:
    return imagine(number, 1)


@cache
def conformed(number: int) -> dict[str, list[Row]]:
    """The canonical records by domain, and the payloads of tickets under "tickets"."""
    sandbox = open_sandbox("zendesk", clock=VirtualClock(datetime(2026, 11, 23, 12, tzinfo=UTC)))
    seed(sandbox.store, rows(facts(number)))
    session = requests.Session()
    session.mount(URL, InProcess(sandbox))
    options = {"client_id": "sandbox-client", "client_secret": "sandbox-secret"}
    settings = SystemSettings("zendesk", "zendesk", URL, calls_per_second=100_000, options=options)
    adapter = open_system(settings, clock=sandbox.clock, session=session)
    db = duckdb.connect(config={"threads": 1})
    db.execute("CREATE SCHEMA zendesk; CREATE TABLE raw (object VARCHAR, id VARCHAR, version VARCHAR, payload VARCHAR)")
    for macro in MACROS:
        db.execute(macro)
    payloads = []
    for name, shape in mappings.objects("zendesk").items():
        for page in adapter.read(name, shape, None):
            read = zip(page.record_ids, page.versions, page.payloads, strict=True)
            db.executemany("INSERT INTO raw VALUES (?, ?, ?, ?)", [(name, i, v, p.decode()) for i, v, p in read])
            payloads += [json.loads(payload) for payload in page.payloads] if name == "tickets" else []
        db.execute(f"""
            CREATE TABLE zendesk."{name}" AS
            SELECT id AS record_id, version, false AS is_deleted, unnest(from_json(payload, '{json.dumps(shape)}'))
            FROM raw WHERE object = '{name}'""")
    domains = ("customer", "product", "entitlement")
    read = {each: db.execute(mappings.read_sql("zendesk", each)).to_arrow_table().to_pylist() for each in domains}
    return read | {"tickets": payloads}


@every_company
def test_the_same_seed_gives_the_same_desk(number: int) -> None:
    assert rows(facts(number)) == rows(imagine(number, 1))


@every_company
def test_most_customers_are_there_under_ids_of_the_desk_and_their_names_are_all_different(number: int) -> None:
    read = conformed(number)["customer"]
    accounts = {c.account_id: c for c in facts(number).customers if c.account_id and not c.is_deleted}
    named = {each["number"]: each["name"] for each in read}
    known = [c for c in accounts.values() if c.profile.number in named]
    stale = [c for c in known if named[c.profile.number] != c.profile.name]

    assert len({each["name"].casefold() for each in read}) == len(read)
    assert 0.75 * len(accounts) < len(known) < len(accounts)
    assert 0 < len(stale) < 0.2 * len(known)
    assert {each["counterpart_id"] for each in read} - {None} <= accounts.keys()
    assert 0.6 * len(read) < sum(each["counterpart_id"] is not None for each in read) < len(read)


@every_company
def test_every_product_that_is_sold_is_an_option(number: int) -> None:
    read = {each["code"]: each["name"] for each in conformed(number)["product"]}

    assert read == {each.code: each.name for each in facts(number).products if each.is_active}


@every_company
def test_entitlements_are_those_of_running_contracts_and_a_few_have_another_quantity(number: int) -> None:
    read = conformed(number)["entitlement"]
    lines = {
        line.item_id: (line, deal)
        for deal in facts(number).deals
        if deal.contract and not deal.contract.has_ended
        for line in deal.recurring
    }
    customers = {each["record_id"]: each["number"] for each in conformed(number)["customer"]}
    wrong = [each for each in read if each["quantity"] != lines[each["number"]][0].quantity]

    assert 0.5 * len(lines) < len(read) < len(lines)
    assert 0 < len(wrong) < 0.15 * len(read)
    for each in read:
        line, deal = lines[each["number"]]
        assert deal.contract is not None
        assert (each["product"], customers[each["customer"]]) == (
            line.product.code.lower(),
            deal.customer.profile.number,
        )
        assert (each["start_on"], each["end_on"]) == (str(deal.contract.start_on), str(deal.contract.end_on))


@every_company
def test_cases_belong_to_organizations_and_none_is_from_the_future(number: int) -> None:
    tickets = conformed(number)["tickets"]
    organizations = {int(each["record_id"]) for each in conformed(number)["customer"]}

    assert len(tickets) > 100
    assert {each["organization_id"] for each in tickets} <= organizations
    assert max(each["updated_at"] for each in tickets) < str(TODAY)
