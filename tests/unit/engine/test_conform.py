"""Conform: what fits goes on, what doesn't is set aside with a reason that tells no value."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from scene import Row, Scene, select

from sync_pipelines.domains import DOMAINS
from sync_pipelines.engine import conform
from sync_pipelines.engine.outcome import Result
from sync_pipelines.errors import FixConfiguration
from sync_pipelines.lake import Lake

ACME = {"record_id": "1", "name": "Acme", "email": "x@acme.test"}
INVOICE = {
    "record_id": "1",
    "number": "I-1",
    "kind": "invoice",
    "legal_entity": "US01",
    "customer": "c1",
    "issued_on": date(2026, 3, 1),
    "status": "posted",
    "currency": "EUR",
    "net_minor": 100,
    "tax_minor": 20,
    "total_minor": 120,
    "lines": "[]",
}
CONTRACT = {
    "record_id": "1",
    "number": "K-1",
    "customer": "c1",
    "start_on": date(2026, 1, 1),
    "end_on": date(2026, 12, 31),
    "status": "active",
    "currency": "EUR",
}


def refused(scene: Scene, system: str = "crm") -> dict[str, str]:
    table = conform.table(scene.domain.name, system)
    return dict(scene.lake.rows(f"SELECT record_id, refused FROM {table} WHERE refused IS NOT NULL"))


def test_a_bad_record_is_set_aside_with_its_reason_and_the_rest_goes_on(scene: Callable[..., Scene]) -> None:
    customers = scene("customer")

    told = customers.hold("crm", ACME, {"record_id": "2", "name": None}, {"record_id": "3", "name": "Globex"})

    assert refused(customers) == {"2": "name is missing"}
    assert (told.records, told.quarantined) == (2, 1)
    assert {c.name: (c.result, c.count) for c in told.checks}["fits_schema"] == (Result.FAILED, 1)


def test_a_reason_does_not_tell_the_value_that_is_wrong(scene: Callable[..., Scene]) -> None:
    customers = scene("customer")

    told = customers.hold("crm", ACME, {**ACME, "record_id": "2", "email": "jane doe at home"})

    assert refused(customers) == {"2": "email must be an e-mail address"}
    assert "jane" not in str(told)


@pytest.mark.parametrize(
    ("domain", "good", "wrong", "reason"),
    [
        ("invoice", INVOICE, {"currency": "euro"}, "currency must be an ISO 4217 code"),
        ("invoice", INVOICE, {"status": "lost"}, "status must be one of draft, posted, void"),
        ("invoice", INVOICE, {"number": "  "}, "number must not be blank"),
        ("invoice", INVOICE, {"tax_minor": 21}, "net and tax must add up to the total"),
        ("contract", CONTRACT, {"end_on": date(2025, 12, 31)}, "must not end before it starts"),
        ("contract", CONTRACT, {"customer": None}, "customer is missing"),
        ("contract", CONTRACT, {"end_on": "for ever"}, "end_on is no date"),
        ("contract", CONTRACT, {"start_on": "tomorrow"}, "start_on is missing; start_on is no date"),
        ("customer", ACME, {"record_id": None}, "record_id is missing"),
        ("customer", ACME, {"is_deleted": None}, "is_deleted is missing"),
    ],
)
def test_each_law_of_a_schema_refuses_what_breaks_it(
    scene: Callable[..., Scene], domain: str, good: Row, wrong: Row, reason: str
) -> None:
    records = scene(domain)
    good = {name: str(value) if isinstance(wrong.get(name), str) else value for name, value in good.items()}

    told = records.hold("crm", good, {**good, "record_id": "2", **wrong})

    assert refused(records) == {wrong.get("record_id", "2"): reason}
    assert told.records == 1


def test_all_reasons_of_a_record_are_told_together(scene: Callable[..., Scene]) -> None:
    customers = scene("customer")

    customers.hold("crm", ACME, {"record_id": "2", "name": " ", "email": "nobody"})

    assert refused(customers) == {"2": "email must be an e-mail address; name must not be blank"}


def test_a_contract_without_an_end_fits(scene: Callable[..., Scene]) -> None:
    contracts = scene("contract")

    contracts.hold("crm", {**CONTRACT, "end_on": None}, CONTRACT | {"record_id": "2"})

    assert refused(contracts) == {}


def test_a_tombstone_is_not_judged(scene: Callable[..., Scene]) -> None:
    customers = scene("customer")

    told = customers.hold("crm", ACME, {"record_id": "2", "name": None, "is_deleted": True})

    assert refused(customers) == {}
    assert told.quarantined == 0


def test_a_record_that_a_mapping_yields_twice_is_set_aside_and_not_multiplied(scene: Callable[..., Scene]) -> None:
    customers = scene("customer")

    told = customers.hold("crm", ACME, {**ACME, "record_id": "2"}, {**ACME, "record_id": "2"})

    assert refused(customers) == {"2": "record_id comes more than once"}
    assert (told.records, told.quarantined) == (1, 1)
    assert customers.lake.row("SELECT count(*) FROM lake.customer_crm")[0] == 2


def test_most_records_must_survive_or_the_mapping_itself_is_wrong(scene: Callable[..., Scene]) -> None:
    customers = scene("customer")

    half = customers.hold("crm", ACME, {"record_id": "2", "name": None}).checks[1]
    most = customers.hold("crm", {"record_id": "1", "name": None}).checks[1]
    none = customers.hold("crm").checks[1]

    assert half.name == most.name == "some_records_survive"
    assert (half.result, most.result, none.result) == (Result.PASSED, Result.FAILED, Result.NOT_CHECKED)
    assert most.blocking


def test_a_column_that_is_no_field_of_the_domain_is_refused_by_name(scene: Callable[..., Scene]) -> None:
    with pytest.raises(FixConfiguration, match=r"mappings/crm/customer.sql selects colour: no field of the customer"):
        scene("customer").hold("crm", {**ACME, "colour": "red"})


@pytest.mark.parametrize("column", ["record_id", "version", "is_deleted", "label", "name"])
def test_a_column_that_every_mapping_must_select_is_asked_for_by_name(lake: Lake, column: str) -> None:
    sql = f"SELECT * EXCLUDE ({column}) FROM ({select([ACME])})"

    with pytest.raises(FixConfiguration, match=rf"mappings/crm/customer.sql must select (the required )?{column}"):
        conform.conform(lake, DOMAINS["customer"], system="crm", sql=sql, lineage={})


def test_a_mapping_that_duckdb_can_not_run_is_refused_by_name(lake: Lake) -> None:
    with pytest.raises(FixConfiguration, match=r'mappings/crm/customer.sql can\'t be run: .*"nickname" not found'):
        conform.conform(lake, DOMAINS["customer"], system="crm", sql="SELECT nickname FROM (SELECT 1)", lineage={})


def test_a_mapping_that_stumbles_over_a_value_does_not_tell_it(lake: Lake) -> None:
    sql = f"SELECT * REPLACE (CAST(CAST(email AS INTEGER) AS VARCHAR) AS email) FROM ({select([ACME])})"

    with pytest.raises(
        FixConfiguration, match=r"customer.sql stumbles over a value \(ConversionException\)"
    ) as refused:
        conform.conform(lake, DOMAINS["customer"], system="crm", sql=sql, lineage={})

    assert "acme.test" not in str(refused.value)
    assert refused.value.__suppress_context__


def test_a_column_that_is_not_selected_is_not_held(scene: Callable[..., Scene]) -> None:
    customers = scene("customer")

    customers.hold("crm", ACME)

    assert conform.held(customers.lake, customers.domain, "crm") == {"name", "email"}


def test_the_same_records_again_are_no_change(scene: Callable[..., Scene]) -> None:
    customers = scene("customer")

    first, again, other = (customers.hold("crm", {**ACME, "name": n}).changed for n in ("Acme", "Acme", "Acme AG"))

    assert (first, again, other) == (True, False, True)


def many(count: int, **more: object) -> list[Row]:
    return [{"record_id": str(n), "name": f"Company {n}", **more} for n in range(count)]


@pytest.mark.parametrize(
    ("limit", "gone", "result", "left"),
    [
        (0.1, 10, Result.PASSED, 90),
        (0.1, 11, Result.FAILED, 100),
        (0.5, 11, Result.PASSED, 89),
        (0.05, 10, Result.PASSED, 90),
    ],
)
def test_more_deletes_than_can_be_true_are_not_believed(
    scene: Callable[..., Scene], limit: float, gone: int, result: Result, left: int
) -> None:
    customers = scene("customer", limit_deletes=limit)
    customers.hold("crm", *many(100))

    told = customers.hold("crm", *many(100)[gone:])
    again = customers.hold("crm", *many(100)[gone:])

    live = customers.lake.row(f"SELECT count(*) FROM {conform.table('customer', 'crm')} WHERE NOT is_deleted")
    assert [c.result for each in (told, again) for c in each.checks if c.name == "deletes_plausible"] == [
        result,
        result if result is Result.FAILED else Result.PASSED,
    ]
    assert live == (left,)


def test_deletes_count_as_much_as_absence_and_merges_do_not(scene: Callable[..., Scene]) -> None:
    deleted, merged = scene("customer"), scene("customer", systems=["billing", "erp"])
    for each in (deleted, merged):
        each.hold(each.settings.leader, *many(100))

    told = [
        deleted.hold("crm", *many(50, is_deleted=True), *many(100)[50:]),
        merged.hold("billing", *many(50, merged_into="99"), *many(100)[50:]),
    ]

    (held, believed) = (next(c for c in each.checks if c.name == "deletes_plausible") for each in told)
    assert (held.result, held.count, held.blocking) == (Result.FAILED, 50, True)
    assert held.reason == "50 of 100 are gone; if that is true, raise [domains.customer] limit_deletes"
    assert (believed.result, believed.count) == (Result.PASSED, 0)
