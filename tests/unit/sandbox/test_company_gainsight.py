"""What the simulated company's customer success holds, read back through its stand-in, the adapter and the mappings."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any

import duckdb
import pytest
import requests
from companies import SEEDS

from sync_pipelines import mappings
from sync_pipelines.domains.money import major
from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.lake.macros import MACROS
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.company import imagine
from sync_pipelines.sandbox.company.gainsight import rows
from sync_pipelines.sandbox.company.model import Facts
from sync_pipelines.sandbox.gainsight import seed
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.transport import InProcess
from sync_pipelines.systems.gainsight import open_system

URL = "http://success.test"
Row = dict[str, Any]
every_company = pytest.mark.parametrize("number", SEEDS)


@cache
def facts(number: int) -> Facts:
    return imagine(number, 1)


@cache
def read(number: int) -> dict[str, list[Row]]:
    """The customers, and every object's rows as mappings see them."""
    sandbox = open_sandbox("gainsight", clock=VirtualClock(datetime(2026, 11, 23, 12, tzinfo=UTC)))
    seed(sandbox.store, rows(facts(number)))
    session = requests.Session()
    session.mount(URL, InProcess(sandbox))
    settings = SystemSettings(
        "gainsight", "gainsight", URL, calls_per_second=100_000, options={"access_key": "sandbox-key"}
    )
    adapter = open_system(settings, clock=sandbox.clock, session=session)
    db = duckdb.connect(config={"threads": 1})
    db.execute("CREATE SCHEMA gainsight")
    db.execute("CREATE TABLE raw (object VARCHAR, id VARCHAR, version VARCHAR, payload VARCHAR)")
    for macro in MACROS:
        db.execute(macro)
    shapes = mappings.objects("gainsight")
    adapter.check_shapes(shapes)
    assert adapter.identity() == "success.test"
    for name, shape in shapes.items():
        for page in adapter.read(name, shape, None):
            told = zip(page.record_ids, page.versions, page.payloads, strict=True)
            db.executemany("INSERT INTO raw VALUES (?, ?, ?, ?)", [(name, i, v, p.decode()) for i, v, p in told])
        db.execute(f"""
            CREATE TABLE gainsight."{name}" AS
            SELECT id AS record_id, version, false AS is_deleted, unnest(from_json(payload, '{json.dumps(shape)}'))
            FROM raw WHERE object = '{name}'""")
    held = {name: db.execute(f'SELECT * FROM gainsight."{name}"').to_arrow_table().to_pylist() for name in shapes}
    return held | {"customer": db.execute(mappings.read_sql("gainsight", "customer")).to_arrow_table().to_pylist()}


@every_company
def test_the_same_seed_gives_the_same_rows_and_every_id_once(number: int) -> None:
    made = rows(facts(number))

    assert made == rows(imagine(number, 1))
    ids = [row["Gsid"] for each in made.values() for row in each]
    assert len(set(ids)) == len(ids)


@every_company
def test_most_customers_are_there_most_with_their_accounts_id_and_a_few_otherwise(number: int) -> None:
    accounts = {
        c.profile.number: c for c in facts(number).customers if c.account_id and not c.is_deleted and c.profile.number
    }
    held = read(number)["customer"]
    imported = [each for each in held if each["counterpart_id"]]
    renamed = [each for each in held if each["name"] != accounts[each["number"]].profile.name]

    assert 0.8 * len(accounts) < len(held) < len(accounts)
    assert 0.65 * len(held) < len(imported) < len(held)
    assert all(each["counterpart_id"] == accounts[each["number"]].account_id for each in imported)
    assert 0 < len(renamed) < 0.2 * len(held)
    assert {each["country"] for each in held} > {None, "US"}


@every_company
def test_what_recurs_is_what_running_contracts_say(number: int) -> None:
    by_account: dict[str, int] = {}
    currencies = {}
    for deal in facts(number).deals:
        if deal.contract is not None and not deal.contract.has_ended:
            amount = sum(line.amount_minor for line in deal.recurring)
            account = deal.customer.account_id
            by_account[account] = by_account.get(account, 0) + amount
            currencies[account] = deal.currency
    running = [row for row in read(number)["Company"] if row["ARR"] is not None and row["SfdcAccountId"]]

    assert len(running) > 20
    for row in running:
        account = row["SfdcAccountId"]
        assert row["CurrencyIsoCode"] == currencies[account]
        assert row["ARR"] == Decimal(major(by_account[account], currencies[account]))
        assert datetime.fromtimestamp(row["RenewalDate"] / 1000, UTC).hour == 0


@every_company
def test_every_plan_has_its_four_steps_at_a_company_that_is_there(number: int) -> None:
    held = read(number)
    companies = {row["record_id"] for row in held["Company"]}
    plans = {row["CompanyId"] for row in held["success_plan"]}

    assert plans <= companies
    assert len(held["call_to_action"]) == 4 * len(plans) > 80
    assert {row["CompanyId"] for row in held["call_to_action"]} == plans
    assert {row["StatusId__gr.Name"] for row in held["success_plan"]} == {"Completed", "Active"}
