"""Match: certain or not at all, the same every time, and reasons for everything."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st
from scene import LEADER, Row, Scene

from sync_pipelines.engine import match
from sync_pipelines.engine.outcome import Result

PAIR = {"systems": [LEADER, "erp"]}
FIELDS = ["number", "tax_id", "email", "street", "city", "postal_code"]
HOME = {"street": "Ring 1", "city": "Berlin", "postal_code": "10115"}


def customer(record_id: str, name: str = "", **more: object) -> Row:
    return {"record_id": record_id, "name": name or f"Company {record_id}", **more}


@pytest.fixture
def customers(scene: Callable[..., Scene]) -> Callable[[list[Row], list[Row]], Scene]:
    """Two systems' customers, matched."""

    def matched(crm: list[Row], erp: list[Row]) -> Scene:
        opened = scene("customer", **PAIR)
        opened.hold("crm", *crm, fields=FIELDS)
        opened.hold("erp", *erp, fields=FIELDS)
        opened.verdict = opened.match()
        return opened

    return matched


Customers = Callable[[list[Row], list[Row]], Scene]


def why(scene: Scene, system: str = "erp") -> dict[str, tuple[str, str]]:
    """Rule and evidence by record id, as the last verdict told them."""
    return {
        a["record_id"]: (a["rule"], a["evidence"]) for a in scene.verdict.added.to_pylist() if a["system"] == system
    }


@pytest.mark.parametrize(
    ("here", "there", "rule"),
    [
        ({"number": "C-1"}, {"number": " c-1 "}, "number"),
        ({"tax_id": "DE 123"}, {"tax_id": "de-123"}, "tax_id"),
        ({"email": "a@acme.test"}, {"email": "Accounts@ACME.test"}, "email_domain"),
        ({"name": "Acme Söhne GmbH", **HOME}, {"name": "ACME SOHNE", **HOME, "street": "Ring 1a"}, "name_and_address"),
    ],
)
def test_the_same_company_is_recognised(customers: Customers, here: Row, there: Row, rule: str) -> None:
    found = customers([customer("a", **here)], [customer("1", **there)])

    assert found.linked == {("a", "1")}
    assert why(found)["1"][0] == rule


def test_a_similar_name_and_address_says_how_similar_they_are(customers: Customers) -> None:
    found = customers([customer("a", "Acme GmbH", **HOME)], [customer("1", "ACME", **HOME)])

    assert why(found)["1"][1] == "name 100.0 % and address 100.0 % alike"


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ({"number": "C-1"}, {"number": "C-2"}),
        ({"tax_id": "-"}, {"tax_id": "/"}),
        ({"email": "a@gmail.com"}, {"email": "b@gmail.com"}),
        ({"number": None}, {"number": None}),
        ({"name": "Acme", **HOME}, {"name": "Globex", **HOME}),
        ({"name": "Acme"}, {"name": "Acorn"}),
    ],
)
def test_what_is_no_evidence_links_nothing(customers: Customers, here: Row, there: Row) -> None:
    found = customers([customer("a", **here)], [customer("1", **there)])

    assert found.linked == {("a", "-")}
    assert found.doubts() == []


def test_the_planted_external_id_and_the_named_counterpart_come_before_every_other_key(customers: Customers) -> None:
    planted = customers([customer("a", number="C-1"), customer("b", number="C-2")], [])
    link = planted.link_of("crm", "a")

    found = customers(
        [customer("a", number="C-1"), customer("b", number="C-2")],
        [customer("1", number="C-2", external_id=link), customer("2", number="C-1", counterpart_id="b")],
    )

    assert found.linked == {("a", "1"), ("b", "2")}
    assert {record: rule for record, (rule, _) in why(found).items()} == {"1": "external_id", "2": "counterpart_id"}


def test_a_key_that_two_leading_records_share_links_neither(customers: Customers) -> None:
    found = customers(
        [customer("a", email="a@x.test"), customer("b", email="b@x.test")], [customer("1", email="c@x.test")]
    )

    assert found.linked == {("a", "-"), ("b", "-")}
    assert {d["candidate_id"] for d in found.doubts()} == {"a", "b"}
    assert {(d["kind"], d["record_id"], d["reason"]) for d in found.doubts()} == {
        ("ambiguous", "1", "matches 2 records by email_domain")
    }


def test_a_key_that_two_following_records_share_links_neither(customers: Customers) -> None:
    found = customers([customer("a", number="C-1")], [customer("1", number="C-1"), customer("2", number="C-1")])

    assert found.linked == {("a", "-")}
    assert found.verdict.ambiguous == 2
    assert {d["record_id"] for d in found.doubts()} == {"1", "2"}


def test_a_record_in_doubt_is_not_linked_by_weaker_evidence(customers: Customers) -> None:
    found = customers(
        [customer("a", number="C-1"), customer("b", number="C-1", tax_id="DE1")],
        [customer("1", number="C-1", tax_id="DE1")],
    )

    assert found.linked == {("a", "-"), ("b", "-")}


def test_a_similar_name_alone_is_a_doubt_with_its_likeness(customers: Customers) -> None:
    found = customers(
        [customer("a", "Acme", **HOME)], [customer("1", "Acme Inc", street="Elm 9", city="Ulm", postal_code="1")]
    )

    assert found.linked == {("a", "-")}
    (doubt,) = found.doubts()
    assert (doubt["kind"], doubt["record_id"], doubt["candidate_label"]) == ("ambiguous", "1", "Acme")
    assert doubt["reason"].startswith("name 100.0 % alike, address only ")


def test_a_rule_whose_columns_a_system_does_not_hold_is_left_out(scene: Callable[..., Scene]) -> None:
    found = scene("customer", **PAIR)
    found.hold("crm", customer("a", tax_id="DE1", number="C-1"))
    found.hold("erp", customer("1", number="C-1"))

    found.match()

    assert found.linked == {("a", "1")}


def test_a_deleted_record_is_not_linked_anew(customers: Customers) -> None:
    found = customers([customer("a", number="C-1")], [customer("1", number="C-1", is_deleted=True)])

    assert found.linked == {("a", "-")}


def test_a_record_that_was_set_aside_is_still_recognised_so_that_it_is_not_created_twice(customers: Customers) -> None:
    found = customers(
        [customer("a", number="C-1"), customer("b", number="C-2", email="nobody")],
        [customer("1", number="C-1", email="nobody"), customer("2", number="C-2")],
    )

    assert found.linked == {("a", "1"), ("b", "2")}


def test_live_records_are_preferred_to_deleted_ones_of_the_same_key(customers: Customers) -> None:
    found = customers(
        [customer("a", number="C-1", is_deleted=True), customer("b", number="C-1")], [customer("1", number="C-1")]
    )

    assert found.linked == {("b", "1")}


def test_a_second_match_adds_and_ends_nothing(customers: Customers) -> None:
    found = customers(
        [
            customer("a", number="C-1"),
            customer("b", tax_id="DE1"),
            customer("c", "Acme", **HOME),
            customer("d", number="C-4", is_deleted=True, merged_into="b2"),
            customer("b2", number="C-5"),
        ],
        [
            customer("1", number="C-1"),
            customer("2", tax_id="DE1"),
            customer("3", "Acme", **HOME),
            customer("4", number="C-4"),
        ],
    )
    before, doubts = list(found.links), found.doubts()

    verdict = found.match()

    assert (len(verdict.added), len(verdict.ended)) == (0, 0)
    assert found.links == before
    assert found.doubts() == doubts


def test_link_ids_follow_from_the_leading_record_alone(customers: Customers, scene: Callable[..., Scene]) -> None:
    here = customers([customer("a", number="C-1")], [customer("1", number="C-1")])
    there = scene("customer", **PAIR)
    there.hold("crm", customer("a", "Renamed", number="C-9"), customer("b"), fields=FIELDS)
    there.hold("erp", fields=FIELDS)
    there.match()

    assert here.link_of("crm", "a") == here.link_of("erp", "1") == there.link_of("crm", "a")
    assert there.link_of("crm", "a") != there.link_of("crm", "b")


def test_references_are_compared_by_link_and_not_by_each_systems_own_id(scene: Callable[..., Scene]) -> None:
    prices = scene("pricing", **PAIR)
    prices.link("product-x", domain="product", crm="p-crm", erp="p-erp")
    prices.hold("crm", {"record_id": "a", "product": "p-crm", "currency": "EUR", "amount_minor": 5})
    prices.hold("erp", {"record_id": "1", "product": "p-erp", "currency": "EUR", "amount_minor": 7})

    prices.match()

    assert prices.linked == {("a", "1")}


MERGED = {"is_deleted": True, "merged_into": "b"}


def test_what_hangs_on_a_merged_record_follows_its_survivor(customers: Customers) -> None:
    found = customers([customer("a", tax_id="DE1"), customer("b", tax_id="DE2")], [customer("1", tax_id="DE1")])
    found.hold("crm", customer("a", "Old", tax_id="DE1", **MERGED), customer("b", "New", tax_id="DE2"), fields=FIELDS)

    verdict = found.match()

    assert ("b", "1") in found.linked
    assert [e["reason"] for e in verdict.ended.to_pylist()] == ["merged into New"]
    assert [a["evidence"] for a in verdict.added.to_pylist()] == ["Old was merged into New"]
    assert found.doubts() == []


def test_a_merge_is_followed_to_the_end_of_its_chain(customers: Customers) -> None:
    found = customers(
        [
            customer("a", number="C-1", is_deleted=True, merged_into="b"),
            customer("b", is_deleted=True, merged_into="c"),
            customer("c"),
        ],
        [customer("1", number="C-1")],
    )

    assert ("c", "1") in found.linked
    assert found.doubts() == []


def test_a_survivor_that_has_a_record_of_its_own_keeps_it_and_a_person_decides(customers: Customers) -> None:
    found = customers(
        [customer("a", "Old", number="C-1", **MERGED), customer("b", "New", number="C-2")],
        [customer("1", number="C-1"), customer("2", number="C-2")],
    )

    assert {("b", "2"), ("a", "1")} <= found.linked
    assert [(d["kind"], d["record_id"]) for d in found.doubts()] == [("merged", "1")]
    assert found.doubts()[0]["reason"] == "Old was merged into New, and both have a record in erp"


def test_two_merged_records_do_not_both_follow_one_survivor(customers: Customers) -> None:
    found = customers(
        [
            customer("a", number="C-1", **MERGED),
            customer("c", number="C-3", **MERGED),
            customer("b", number="C-2"),
        ],
        [customer("1", number="C-1"), customer("3", number="C-3")],
    )

    assert {("a", "1"), ("c", "3"), ("b", "-")} == found.linked
    assert {d["record_id"] for d in found.doubts() if d["kind"] == "merged"} == {"1", "3"}


def test_a_record_that_lives_on_after_its_leading_record_was_deleted_is_a_doubt(customers: Customers) -> None:
    found = customers([customer("a", "Gone", number="C-1", is_deleted=True)], [customer("1", number="C-1")])

    assert [(d["kind"], d["record_id"], d["reason"]) for d in found.doubts()] == [
        ("deleted", "1", "no longer in crm, but it lives on in erp")
    ]


def test_a_deleted_record_on_which_nothing_hangs_gets_no_link(customers: Customers) -> None:
    assert customers([customer("a", is_deleted=True)], []).linked == set()


def test_nothing_is_in_doubt_when_both_sides_were_deleted(customers: Customers) -> None:
    found = customers([customer("a", number="C-1")], [customer("1", number="C-1")])
    found.hold("crm", customer("a", number="C-1", is_deleted=True), fields=FIELDS)
    found.hold("erp", customer("1", number="C-1", is_deleted=True), fields=FIELDS)

    found.match()

    assert found.doubts() == []


def test_a_deleted_record_leaves_its_link_so_that_it_can_be_told_as_missing(customers: Customers) -> None:
    found = customers([customer("a", number="C-1")], [customer("1", number="C-1")])
    found.hold("erp", customer("1", number="C-1", is_deleted=True), fields=FIELDS)

    verdict = found.match()

    assert found.linked == {("a", "-")}
    assert [(e["record_id"], e["reason"]) for e in verdict.ended.to_pylist()] == [("1", "no longer in erp")]


@pytest.mark.parametrize("gone", ["a", "b"])
def test_what_hangs_on_a_deleted_chain_of_merges_is_a_doubt(customers: Customers, gone: str) -> None:
    found = customers(
        [
            customer("a", number="C-1", is_deleted=True, merged_into="b"),
            customer("b", is_deleted=True, merged_into=None if gone == "b" else "a"),
        ],
        [customer("1", number="C-1")],
    )

    assert ("a", "1") in found.linked
    assert [(d["kind"], d["record_id"]) for d in found.doubts()] == [("deleted", "1")]


def test_a_record_that_a_mapping_no_longer_selects_counts_as_gone(customers: Customers) -> None:
    found = customers(
        [customer("a", number="C-1"), customer("b", number="C-2")],
        [customer("1", number="C-1"), customer("2", number="C-2")],
    )
    found.hold("crm", customer("b", number="C-2"), fields=FIELDS)
    found.hold("erp", customer("1", number="C-1"), fields=FIELDS)

    found.match()

    assert found.linked == {("a", "1"), ("b", "-")}
    assert [(d["kind"], d["record_id"], d["reason"].split(",")[0]) for d in found.doubts()] == [
        ("deleted", "1", "no longer in crm"),
        ("deleted", "2", "deleted in erp"),
    ]


def test_a_deleted_record_makes_room_for_its_successor(customers: Customers) -> None:
    found = customers([customer("a", number="C-1")], [customer("1", number="C-1")])
    found.hold("erp", customer("1", number="C-1", is_deleted=True), customer("2", number="C-1"), fields=FIELDS)

    found.match()

    assert found.linked == {("a", "2")}


@pytest.mark.parametrize(
    ("crm", "erp", "system"),
    [
        ([customer("a", tax_id="DE1"), customer("b", tax_id="DE 1")], [], "crm"),
        ([], [customer("1", tax_id="DE1"), customer("2", tax_id="de1")], "erp"),
    ],
)
def test_records_of_one_system_that_share_a_key_are_duplicates(
    customers: Customers, crm: list[Row], erp: list[Row], system: str
) -> None:
    found = customers(crm, erp)

    assert {(d["kind"], d["system"]) for d in found.doubts()} == {("duplicate", system)}
    assert {d["reason"] for d in found.doubts()} == {f"2 records of {system} share one tax_id"}
    assert found.verdict.duplicates == 2


@pytest.mark.parametrize(
    ("crm", "erp", "broken"),
    [
        ([], [], {}),
        ([customer("a", tax_id="DE1"), customer("b", tax_id="DE1")], [], {"no_duplicates": 2}),
        (
            [customer("a", email="a@x.test"), customer("b", email="b@x.test")],
            [customer("1", email="c@x.test")],
            {"no_ambiguous_match": 1},
        ),
    ],
)
def test_each_doubt_breaks_the_check_that_claims_there_is_none(
    customers: Customers, crm: list[Row], erp: list[Row], broken: dict[str, int]
) -> None:
    found = customers(crm, erp)

    told = match.checks(found.lake, found.domain)

    assert {c.name: c.count for c in told if c.result is Result.FAILED} == broken


NUMBERS = st.lists(st.sampled_from(["C-1", "C-2", "C-3", None]), max_size=4)
HERE, THERE = ["Alpha", "Borealis", "Cumulus", "Delta"], ["Walrus", "Xenon", "Yonder", "Zebra"]


@given(here=NUMBERS, there=NUMBERS)
@effort(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_records_are_linked_exactly_where_neither_side_has_another_candidate(
    customers: Customers, here: list[str | None], there: list[str | None]
) -> None:
    crm = [customer(f"a{n}", HERE[n], number=number) for n, number in enumerate(here)]
    erp = [customer(f"b{n}", THERE[n], number=number) for n, number in enumerate(there)]

    one_way = {pair for pair in customers(crm, erp).linked if "-" not in pair}
    other_way = {pair for pair in customers(erp, crm).linked if "-" not in pair}

    certain = {n for n in {*here} & {*there} if n and here.count(n) == there.count(n) == 1}
    assert one_way == {(f"a{here.index(n)}", f"b{there.index(n)}") for n in certain}
    assert other_way == {(b, a) for a, b in one_way}
