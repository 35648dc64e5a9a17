"""Plan: the difference between what owners say and what a target holds, no more and no less."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st
from scene import Row, Scene, settings

from sync_pipelines.domains import DOMAINS, Field, Kind
from sync_pipelines.engine.plan import Change, Move, Write, moves
from sync_pipelines.engine.port import Operation
from sync_pipelines.errors import FixConfiguration
from sync_pipelines.lake import Lake

FIELDS = ["number", "tax_id", "email", "phone", "website", "city"]
ACME = {"record_id": "a", "number": "C-1", "name": "Acme", "city": "Berlin", "is_active": True}


@pytest.fixture
def customers(scene: Callable[..., Scene]) -> Callable[..., Scene]:
    """Customers of a crm and an erp, matched; the erp may be written."""

    def matched(crm: list[Row], erp: list[Row], **declared: object) -> Scene:
        opened = scene("customer", **{"systems": ["crm", "erp"], "create": ["erp"], "update": ["erp"]} | declared)
        opened.hold("crm", *crm, fields=[*FIELDS, "is_active"])
        opened.hold("erp", *erp, fields=FIELDS)
        opened.match()
        return opened

    return matched


Customers = Callable[..., Scene]


def erp(record_id: str = "1", **fields: Any) -> Row:
    return {"record_id": record_id, "version": "v7", "number": "C-1", "name": "Acme", "city": "Berlin", **fields}


def only(writes: list[Write]) -> Write:
    (write,) = writes
    return write


def test_a_missing_record_is_created_with_everything_its_owner_says(customers: Customers) -> None:
    found = customers([ACME], [])

    write = only(found.plan("erp"))

    assert write.request.operation is Operation.CREATE
    assert write.request.record_id is write.expected_version is None
    assert write.request.body == {"number": "C-1", "name": "Acme", "city": "Berlin"}
    assert write.request.external_id == write.request.correlation_id == found.link_of("crm", "a")
    assert write.label == "Acme"


def test_an_update_tells_each_changed_field_before_and_after_and_sends_only_those(customers: Customers) -> None:
    found = customers([ACME | {"city": "Bonn"}], [erp(city="Berlin", website=None)])

    write = only(found.plan("erp"))

    assert write.request.operation is Operation.UPDATE
    assert (write.request.record_id, write.expected_version) == ("1", "v7")
    assert write.changes == (Change("city", "Berlin", "Bonn"),)
    assert write.request.body == {"city": "Bonn"}


def test_a_value_that_nobody_had_is_a_change_from_nothing(customers: Customers) -> None:
    found = customers([ACME], [erp(city=None)])

    assert only(found.plan("erp")).changes == (Change("city", None, "Berlin"),)


@pytest.mark.parametrize("unknown", [None, "", "  "])
def test_what_its_owner_does_not_know_never_overwrites_a_value(customers: Customers, unknown: str | None) -> None:
    found = customers([ACME | {"city": unknown, "phone": unknown}], [erp(phone="+49 30 1")])

    assert found.plan("erp") == []


@pytest.mark.parametrize("emptied", [None, "", "  "])
def test_an_owner_that_has_emptied_a_field_it_may_clear_clears_it_in_the_target(
    customers: Customers, emptied: str | None
) -> None:
    found = customers([ACME | {"phone": emptied, "website": None}], [erp(phone="+49 30 1", website="acme.test")])

    write = only(found.plan("erp", clearing=["phone"]))

    assert write.changes == (Change("phone", "+49 30 1", None),)
    assert write.request.body == {"phone": ""}


def test_what_is_cleared_is_named_so_that_a_mapping_can_send_a_null(scene: Callable[..., Scene]) -> None:
    found = scene("contract", systems=["crm", "erp"], update=["erp"])
    found.link("party", domain="customer", crm="A", erp="7")
    dated = {"number": "K-1", "customer": "A", "start_on": date(2026, 1, 1), "status": "active", "currency": "EUR"}
    found.hold("crm", {"record_id": "c", **dated}, fields=["end_on"])
    found.hold("erp", {"record_id": "9", **dated, "customer": "7", "end_on": date(2026, 12, 31)})
    found.match()
    body = "{'end': CASE WHEN list_contains(cleared, 'end_on') THEN nothing() ELSE to_json(end_on) END, 'x': NULL}"
    sql = f"SELECT write_id, 'thing' AS object, to_json({body}) AS body FROM writes"

    write = only(found.plan("erp", write_sql=sql, clearing=["end_on"]))

    assert write.changes == (Change("end_on", "2026-12-31", None),)
    assert write.request.body == {"end": None}


@pytest.mark.parametrize(
    ("crm", "there", "more"),
    [
        ({"phone": "n/a"}, {"phone": "+49 30 1"}, {}),
        ({"phone": None}, {"phone": None}, {}),
        ({"phone": None}, {"phone": ""}, {}),
        ({"phone": None, "is_deleted": True}, {"phone": "+49 30 1"}, {}),
        ({"phone": None, "name": None}, {"phone": "+49 30 1"}, {}),
        ({"phone": None}, {"phone": "+49 30 1"}, {"owners": {"phone": "erp"}}),
        ({"phone": None}, {"phone": "+49 30 1"}, {"update": []}),
    ],
)
def test_nothing_is_cleared_without_an_owner_that_has_emptied_it(
    customers: Customers, crm: Row, there: Row, more: dict[str, Any]
) -> None:
    found = customers([ACME], [erp()], **{"create": []} | more)
    found.hold("crm", ACME | crm, fields=[*FIELDS, "is_active"])
    found.hold("erp", erp(**there), fields=FIELDS)

    assert found.plan("erp", clearing=["phone"]) == []


def test_a_new_record_is_not_cleared_of_anything(customers: Customers) -> None:
    assert "phone" not in only(customers([ACME], []).plan("erp", clearing=["phone"])).request.body


def test_a_spelling_that_means_the_same_is_left_alone(customers: Customers) -> None:
    here = ACME | {"tax_id": "DE1", "phone": "+49 (30) 123", "email": "Info@acme.test"}
    found = customers([here], [erp(name="  Acme ", tax_id="de1 ", phone="4930123", email="info@ACME.test")])

    assert found.plan("erp") == []


def test_a_field_that_the_target_owns_is_not_written_to_it(customers: Customers) -> None:
    found = customers([ACME | {"city": "Bonn"}], [erp(city="Ulm")], owners={"city": "erp"})

    assert found.plan("erp") == []


def test_a_target_that_owns_all_it_holds_needs_no_plan(customers: Customers) -> None:
    found = customers([ACME], [erp()], owners=dict.fromkeys([*FIELDS, "name"], "erp"))

    assert found.plan("erp") == []


def test_a_field_that_the_target_does_not_hold_is_not_written(customers: Customers) -> None:
    found = customers([ACME], [])

    assert "is_active" not in only(found.plan("erp")).request.body


def test_an_owner_that_does_not_hold_its_field_is_a_wrong_configuration(customers: Customers) -> None:
    found = customers([ACME], [erp()])
    found.hold("crm", {"record_id": "a", "name": "Acme"})

    with pytest.raises(FixConfiguration, match=r"crm owns 'number', but mappings/crm/customer.sql does not select it"):
        found.plan("erp")


@pytest.mark.parametrize(
    ("allowed", "crm", "there"),
    [
        ({"update": []}, ACME | {"city": "Bonn"}, [erp()]),
        ({"create": []}, ACME, []),
        ({"create_when": "is_active"}, ACME | {"is_active": False}, []),
        ({"create_when": "is_active"}, ACME | {"is_active": None}, []),
        ({"scope": {"erp": "city = 'Ulm'"}}, ACME, []),
        ({}, ACME | {"is_deleted": True}, []),
    ],
)
def test_nothing_is_planned_where_it_is_not_wanted(
    customers: Customers, allowed: dict[str, Any], crm: Row, there: list[Row]
) -> None:
    found = customers([crm], there, **allowed)

    assert found.plan("erp") == []
    assert found.waiting("erp") == {}


def test_a_gate_holds_back_creates_and_not_updates(customers: Customers) -> None:
    found = customers([ACME | {"is_active": False, "city": "Bonn"}], [erp()], create_when="is_active")

    assert only(found.plan("erp")).request.operation is Operation.UPDATE


@pytest.mark.parametrize("gone", [{"is_deleted": True}, {"name": None}])
def test_a_record_that_is_gone_or_set_aside_in_the_target_is_not_changed(customers: Customers, gone: Row) -> None:
    found = customers([ACME | {"city": "Bonn"}], [erp()], create=[])
    found.hold("erp", erp() | gone, fields=FIELDS)

    assert found.plan("erp") == []


def test_a_record_that_was_set_aside_in_the_target_is_not_created_again(customers: Customers) -> None:
    found = customers([ACME], [erp(email="nobody")])

    assert found.plan("erp") == []


def test_a_doubt_holds_a_create_back_with_its_reason(customers: Customers) -> None:
    found = customers([ACME, ACME | {"record_id": "b", "number": "C-2"}], [erp(number="X-1")])

    writes = found.plan("erp")

    assert writes == []
    assert set(found.waiting("erp").values()) == {"matches 2 records by name_and_address"}
    assert len(found.waiting("erp")) == 2


def test_duplicates_of_the_leading_system_are_not_created_elsewhere(customers: Customers) -> None:
    found = customers([ACME | {"tax_id": "DE1"}, ACME | {"record_id": "b", "number": "C-2", "tax_id": "DE1"}], [])

    assert found.plan("erp") == []
    assert set(found.waiting("erp").values()) == {"2 records of crm share one tax_id"}


def test_a_doubt_in_another_system_holds_nothing_back(scene: Callable[..., Scene]) -> None:
    found = scene("customer", create=["erp"])
    found.hold("crm", ACME)
    found.hold("billing", *({"record_id": each, "number": "C-1", "name": each} for each in "xy"))
    found.hold("erp", fields=["number"])
    found.match()

    assert len(found.plan("erp")) == 1


def test_a_plan_tells_what_amount_moves_per_legal_entity_currency_and_period(scene: Callable[..., Scene]) -> None:
    opened = scene("order", systems=["crm", "erp"], create=["erp"])
    opened.link("customer-x", domain="customer", crm="c-crm", erp="c-erp")
    order = {"customer": "c-crm", "currency": "EUR", "status": "confirmed", "legal_entity": "DE01", "lines": "[]"}
    rows = [("a", "O-1", 500, "2026-10-31"), ("b", "O-2", 700, "2026-11-01"), ("c", "O-3", 300, "2026-11-30")]
    crm = [{"record_id": i, "number": n, "net_minor": m, "ordered_on": d, **order} for i, n, m, d in rows]
    opened.hold("crm", *crm)
    opened.hold("erp")
    opened.match()

    moved = moves(opened.plan("erp"))

    assert moved == [Move("DE01", "EUR", "2026-10", 1, 500), Move("DE01", "EUR", "2026-11", 2, 1000)]


PRICE = {"record_id": "a", "product": "p-crm", "currency": "EUR", "amount_minor": 500, "billing_interval": "month"}


@pytest.fixture
def prices(scene: Callable[..., Scene]) -> Scene:
    """A price in the crm for a product that both systems know, and nothing in the erp yet."""
    opened = scene("pricing", systems=["crm", "erp"], create=["erp"], update=["erp"])
    opened.link("product-x", domain="product", crm="p-crm", erp="p-erp")
    opened.hold("crm", PRICE)
    opened.hold("erp", fields=["billing_interval"])
    opened.match()
    return opened


def test_a_reference_is_sent_as_the_targets_own_record_id(prices: Scene) -> None:
    write = only(prices.plan("erp"))

    assert write.request.body["product"] == "p-erp"
    assert (write.amount_minor, write.currency) == (500, "EUR")


def test_a_record_waits_until_what_it_refers_to_is_in_the_target(prices: Scene) -> None:
    prices.links = [e for e in prices.links if e["record_id"] != "p-erp"]

    assert prices.plan("erp") == []
    assert list(prices.waiting("erp").values()) == ["its product is not in erp yet"]


def test_a_child_waits_for_the_plan_after_its_parents(lake: Lake) -> None:
    parent = Field("parent", Kind.REFERENCE, refers_to="customer")
    family = replace(DOMAINS["customer"], fields=(*DOMAINS["customer"].fields, parent))
    found = Scene(lake, family, settings("customer", owners={"parent": "crm"}, create=["erp"]))
    found.hold("crm", ACME | {"parent": None}, ACME | {"record_id": "b", "number": "C-2", "parent": "a"})
    found.hold("billing")
    found.hold("erp", fields=["number", "parent"])
    found.match()

    assert [w.label for w in found.plan("erp")] == ["Acme"]
    assert list(found.waiting("erp").values()) == ["its parent is not in erp yet"]


def test_a_reference_to_the_same_thing_is_no_change(prices: Scene) -> None:
    prices.hold("erp", PRICE | {"record_id": "1", "product": "p-erp"})
    prices.match()

    assert prices.plan("erp") == []


def test_desired_shows_a_write_mapping_every_field_and_writes_only_what_changes(customers: Customers) -> None:
    found = customers([ACME | {"city": "Bonn"}], [erp(website="acme.test")])
    mapping = """SELECT w.write_id, 'thing' AS object,
        to_json({'city': w.city, 'name': w.name,
                 'whole': {'city': d.city, 'name': d.name, 'website': d.website}}) AS body
        FROM writes w JOIN desired d USING (write_id)"""

    write = only(found.plan("erp", write_sql=mapping))

    assert write.request.body == {
        "city": "Bonn",
        "whole": {"city": "Bonn", "name": "Acme", "website": "acme.test"},
    }


@pytest.mark.parametrize("unknown", [None, "", "  "])
def test_desired_keeps_what_its_owner_does_not_know(customers: Customers, unknown: str | None) -> None:
    found = customers([ACME | {"city": "Bonn", "website": unknown}], [erp(website="acme.test")])
    mapping = "SELECT write_id, 'thing' AS object, to_json({'website': website}) AS body FROM desired"

    assert only(found.plan("erp", write_sql=mapping)).request.body == {"website": "acme.test"}


def test_a_null_is_never_sent(customers: Customers) -> None:
    found = customers([ACME | {"city": ""}], [])
    mapping = """SELECT write_id, 'thing' AS object,
        to_json({'name': name, 'city': city, 'address': {'city': city}, 'tags': [{'city': city, 'name': name}]}) AS body
        FROM writes"""

    write = only(found.plan("erp", write_sql=mapping))

    assert write.request.body == {"name": "Acme", "tags": [{"name": "Acme"}]}


def test_a_mapping_decides_operation_object_steps_and_external_id(customers: Customers) -> None:
    found = customers([ACME | {"city": "Bonn"}], [erp()])
    mapping = """SELECT write_id, 'replace' AS operation, 'party' AS object, number AS external_id,
        to_json({'city': city}) AS body, ['retire'] AS "then"
        FROM (SELECT writes.* REPLACE (desired.number AS number) FROM writes JOIN desired USING (write_id))"""

    request = only(found.plan("erp", write_sql=mapping)).request

    assert (request.operation, request.object) == (Operation.REPLACE, "party")
    assert (request.external_id, request.then) == ("C-1", ("retire",))


def test_a_write_that_would_send_nothing_is_not_planned(customers: Customers) -> None:
    found = customers([ACME | {"city": "Bonn"}], [erp()])

    assert (
        found.plan("erp", write_sql="SELECT write_id, 'thing' AS object, to_json({'x': phone}) AS body FROM writes")
        == []
    )


@pytest.mark.parametrize(
    ("mapping", "complaint"),
    [
        ("SELECT write_id, 'thing' AS object, to_json({'x': nickname}) AS body FROM writes", '"nickname" not found'),
        ("SELECT write_id, 'thing' AS object FROM writes", '"body" not found'),
        ("SELECT write_id, 'thing' AS object, to_json({'x': name}) AS body FROM writes, range(2)",
         "yields more than one request for Acme"),
    ],
)  # fmt: skip
def test_a_write_mapping_that_can_not_be_used_is_refused_by_name(
    customers: Customers, mapping: str, complaint: str
) -> None:
    found = customers([ACME], [])

    with pytest.raises(FixConfiguration, match=r"mappings/erp/customer\.write\.sql") as refused:
        found.plan("erp", write_sql=mapping)

    assert complaint in str(refused.value)


def test_the_same_plan_again_has_the_same_keys(customers: Customers) -> None:
    found = customers([ACME, ACME | {"record_id": "b", "number": "C-2", "city": "Bonn"}], [erp("2", number="C-2")])

    first, again = found.plan("erp"), found.plan("erp")

    assert first == again
    assert len({w.request.idempotency_key for w in first}) == 2


def test_a_key_changes_with_content_and_expected_version_and_with_nothing_else(customers: Customers) -> None:
    here, there = ACME | {"city": "Bonn"}, erp()
    found = customers([here], [there])

    def key(crm: Row = here, erp: Row = there, write_sql: str = "") -> str:
        found.hold("crm", crm, fields=[*FIELDS, "is_active"])
        found.hold("erp", erp, fields=FIELDS)
        return only(found.plan("erp", write_sql=write_sql)).request.idempotency_key

    steps = found.write_sql.replace(" FROM writes", """, ['post'] AS "then" FROM writes""")

    usual = key()
    assert key(here | {"label": "Acme, renamed for people", "version": "v2"}) == usual
    assert key(erp=there | {"label": "other"}) == usual
    assert key(erp=there | {"version": "v8"}) != usual
    assert key(here | {"city": "Ulm"}) != usual
    assert key(write_sql=steps) != usual


def test_who_owns_and_may_write_what_has_a_version_that_a_plan_can_name(customers: Customers) -> None:
    declared = customers([], []).settings

    assert declared.version == msgspec.structs.replace(declared).version
    assert declared.version != msgspec.structs.replace(declared, update=[]).version


values = {
    "name": st.sampled_from(["Acme", "ACME", " Acme", "Globex"]),
    "city": st.sampled_from([None, "", "Berlin", "berlin", "Köln  Süd", "Köln Süd"]),
    "tax_id": st.sampled_from([None, " ", "DE1", "de1", "DE2"]),
    "phone": st.sampled_from([None, "ext", "+49 30", "4930", "1"]),
    "website": st.sampled_from([None, "a.test", "A.test"]),
}
books = st.lists(st.fixed_dictionaries(values), max_size=6)


def carried_out(erp: dict[str, Row], writes: list[Write]) -> dict[str, Row]:
    """What the target holds after a plan."""
    held = {record_id: dict(row) for record_id, row in erp.items()}
    for write in writes:
        record_id = write.request.record_id or f"new-{write.link_id}"
        known = held.get(record_id, {"record_id": record_id, "external_id": write.request.external_id})
        held[record_id] = {**known, **write.request.body, "version": f"after {write.expected_version}"}
    return held


@given(here=books, there=books)
@effort(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_planning_after_applying_gives_an_empty_plan(
    scene: Callable[..., Scene], here: list[Row], there: list[Row]
) -> None:
    found = scene("customer", systems=["crm", "erp"], create=["erp"], update=["erp"])
    crm = [{"record_id": f"a{n}", "number": f"C-{n}", **row} for n, row in enumerate(here)]
    erp = {f"{n}": {"record_id": f"{n}", "number": f"c-{n}", **row} for n, row in enumerate(there)}
    found.hold("crm", *crm, fields=["number", *values])
    found.hold("erp", *erp.values(), fields=["number", *values])
    found.match()

    held = carried_out(erp, found.plan("erp"))
    found.hold("erp", *held.values(), fields=["number", *values])
    found.match()
    again = found.plan("erp")

    assert again == []
