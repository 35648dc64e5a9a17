"""Deletion: what is gone is missed once, what comes back returns, and nothing is created again by surprise."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from scene import Row, Scene

PAIR = {"systems": ["crm", "erp"], "create": ["erp"]}
FIELDS = ["number", "tax_id", "email"]


def customer(record_id: str, number: str, **more: object) -> Row:
    return {"record_id": record_id, "number": number, "name": f"Company {number}", **more}


@pytest.fixture
def customers(scene: Callable[..., Scene]) -> Callable[..., Scene]:
    """Customers of a CRM and an ERP, matched."""

    def matched(crm: list[Row], erp: list[Row], **declared: object) -> Scene:
        opened = scene("customer", **PAIR | declared)
        hold(opened, crm, erp)
        return opened

    return matched


Customers = Callable[..., Scene]


def hold(found: Scene, crm: list[Row], erp: list[Row]) -> None:
    found.hold("crm", *crm, fields=FIELDS)
    found.hold("erp", *erp, fields=FIELDS)
    found.match()


def told(found: Scene) -> list[tuple[str, str, str, str]]:
    return [(d["kind"], d["record_id"], d["candidate_id"], d["reason"]) for d in found.doubts()]


def test_a_record_deleted_by_hand_is_told_and_not_created_again(customers: Customers) -> None:
    found = customers([customer("a", "C-1")], [customer("1", "C-1")])

    hold(found, [customer("a", "C-1")], [customer("1", "C-1", is_deleted=True)])
    writes = found.plan("erp")
    findings = [(f["kind"], f["is_primary"]) for f in found.compare()]

    assert writes == []
    assert told(found) == [("deleted", "1", "a", "deleted in erp, but it lives on in crm: it is not created again")]
    assert sorted(findings) == [("deleted", True), ("missing", False)]


def test_where_the_settings_say_so_it_is_created_again_and_the_write_is_another_one(customers: Customers) -> None:
    found = customers([customer("a", "C-1")], [], recreate=["erp"])
    (first,) = found.plan("erp")
    hold(found, [customer("a", "C-1")], [customer("1", "C-1")])

    hold(found, [customer("a", "C-1")], [])
    (again,) = found.plan("erp")

    assert found.doubts() == []
    assert again.request.body == first.request.body
    assert again.request.idempotency_key != first.request.idempotency_key


def test_nobody_is_asked_about_a_deleted_record_that_is_not_wanted_any_more(customers: Customers) -> None:
    declared = {"create_when": "name <> 'Company C-9'"}
    found = customers([customer("a", "C-9")], [customer("1", "C-9")], **declared)

    hold(found, [customer("a", "C-9")], [])

    assert found.doubts() == []


def test_an_undeleted_record_returns_to_its_link_whatever_it_says_now(customers: Customers) -> None:
    found = customers([customer("a", "C-1")], [customer("1", "C-1")])
    before = found.linked

    hold(found, [customer("a", "C-1")], [customer("1", "C-1", is_deleted=True)])
    without = found.linked
    hold(found, [customer("a", "C-1")], [customer("1", "X-9")])

    assert without == {("a", "-")}
    assert found.linked == before
    assert found.doubts() == []


def test_what_took_the_place_of_a_deleted_record_keeps_it(customers: Customers) -> None:
    found = customers([customer("a", "C-1")], [customer("1", "C-1")])

    hold(found, [customer("a", "C-1")], [customer("1", "C-1", is_deleted=True), customer("2", "C-1")])
    taken = found.linked
    hold(found, [customer("a", "C-1")], [customer("1", "C-1"), customer("2", "C-1")])

    assert taken == found.linked == {("a", "2")}


def test_a_leading_record_that_is_created_again_under_its_key_leads_what_the_old_one_led(customers: Customers) -> None:
    found = customers([customer("a", "C-1")], [customer("1", "C-1")])
    link = found.link_of("crm", "a")

    hold(found, [customer("a", "C-1", is_deleted=True), customer("a2", "C-1")], [customer("1", "C-1")])

    assert found.linked == {("a2", "1")}
    assert found.link_of("crm", "a2") == link
    assert found.plan("erp") == []
    assert found.doubts() == []


def test_a_newcomer_that_was_there_before_the_old_one_went_takes_its_place_too(customers: Customers) -> None:
    both = [customer("a", "C-1"), customer("a2", "C-1")]
    found = customers([customer("a", "C-1")], [customer("1", "C-1")])
    hold(found, both, [customer("1", "C-1")])
    waiting = found.plan("erp")

    hold(found, [customer("a", "C-1", is_deleted=True), customer("a2", "C-1")], [customer("1", "C-1")])

    assert waiting == []
    assert found.linked == {("a2", "1")}


def test_what_an_heir_has_taken_over_stays_with_it_when_the_old_record_comes_back(customers: Customers) -> None:
    found = customers([customer("a", "C-1")], [customer("1", "C-1")])
    hold(found, [customer("a", "C-1", is_deleted=True), customer("a2", "C-1")], [customer("1", "C-1")])

    hold(found, [customer("a", "C-1"), customer("a2", "C-1")], [customer("1", "C-1")])

    assert found.linked == {("a2", "1"), ("a", "-")}
    assert {(kind, record) for kind, record, *_ in told(found)} == {("duplicate", "a"), ("duplicate", "a2")}
    assert found.plan("erp") == []


def test_a_loser_that_was_purged_unseen_leads_to_a_proposal_and_nothing_is_created(customers: Customers) -> None:
    erp = [customer("1", "C-1", tax_id="DE1")]
    found = customers([customer("a", "C-1", tax_id="DE1"), customer("b", "C-2")], erp, create=[])

    found.settings = customers([], [], create=["erp"]).settings
    hold(found, [customer("a", "C-1", tax_id="DE1", is_deleted=True), customer("b", "C-2", tax_id="DE 1")], erp)

    assert told(found) == [
        (
            "deleted",
            "1",
            "b",
            "no longer in crm, but it lives on in erp; perhaps it was merged, for the same tax_id has",
        )
    ]
    assert found.plan("erp") == []
    assert [f["kind"] for f in found.compare() if f["is_primary"]] == ["deleted"]


def test_a_person_settles_a_proposal_by_putting_the_survivors_number_on_the_record(customers: Customers) -> None:
    gone = customer("a", "C-1", tax_id="DE1", is_deleted=True)
    survivor = customer("b", "C-2", tax_id="DE 1")
    found = customers([customer("a", "C-1", tax_id="DE1"), survivor], [customer("1", "C-1")])
    hold(found, [gone, survivor], [customer("1", "C-1")])

    hold(found, [gone, survivor], [customer("1", "C-2")])

    assert ("b", "1") in found.linked
    assert found.doubts() == []


def test_a_number_that_two_records_carry_settles_nothing(customers: Customers) -> None:
    gone, living = customer("a", "C-1", is_deleted=True), customer("b", "C-2")
    found = customers([customer("a", "C-1"), living], [customer("1", "C-1")])

    hold(found, [gone, living], [customer("1", "C-2"), customer("2", "C-2")])

    assert ("b", "1") not in found.linked


def test_two_that_were_merged_only_in_the_following_system_are_for_a_person(customers: Customers) -> None:
    crm = [customer("a", "C-1"), customer("b", "C-2")]
    found = customers(crm, [customer("1", "C-1"), customer("2", "C-2")], recreate=["erp"])

    hold(found, crm, [customer("1", "C-1", merged_into="2"), customer("2", "C-2")])

    assert found.linked == {("a", "-"), ("b", "2")}
    assert [(kind, record, other) for kind, record, other, _ in told(found)] == [("deleted", "1", "a")]
    assert "merged into another record in erp" in told(found)[0][3]
    assert found.plan("erp") == []


def test_the_survivor_of_a_merge_in_the_following_system_takes_the_place_of_the_linked_one(
    customers: Customers,
) -> None:
    found = customers([customer("a", "C-1")], [customer("1", "C-1"), customer("2", "other")])

    hold(found, [customer("a", "C-1")], [customer("1", "C-1", merged_into="2"), customer("2", "other")])

    assert found.linked == {("a", "2")}
    assert found.doubts() == []


def test_a_match_after_deletions_is_followed_by_one_that_changes_nothing(customers: Customers) -> None:
    crm = [customer("a", "C-1"), customer("b", "C-2"), customer("c", "C-3", tax_id="DE3"), customer("d", "C-4")]
    erp = [customer("1", "C-1"), customer("2", "C-2"), customer("3", "C-3"), customer("4", "C-4")]
    found = customers(crm, erp)
    gone = [customer("a", "C-1", is_deleted=True), customer("c", "C-3", tax_id="DE3", is_deleted=True)]
    hold(found, [*gone, customer("a2", "C-1"), *crm[1::2], customer("e", "C-5", tax_id="DE3")], erp[:3])
    before, doubts = sorted(map(str, found.links)), found.doubts()

    verdict = found.match()

    assert (len(verdict.added), len(verdict.ended)) == (0, 0)
    assert sorted(map(str, found.links)) == before
    assert found.doubts() == doubts


def order(record_id: str, number: str, entity: str | None) -> Row:
    return {
        "record_id": record_id,
        "number": number,
        "legal_entity": entity,
        "customer": "c",
        "ordered_on": date(2026, 3, 1),
        "status": "confirmed",
        "currency": "USD",
        "net_minor": 100,
        "lines": "[]",
    }


def test_one_number_in_two_legal_entities_is_two_documents(scene: Callable[..., Scene]) -> None:
    found = scene("order", **PAIR)
    found.link("customer-c", domain="customer", crm="c", erp="77")
    found.hold("crm", order("a", "O-1", "US01"), order("b", "O-1", "DE01"))
    found.hold("erp", {**order("1", "O-1", "DE01"), "customer": "77"})

    found.match()

    assert found.linked == {("a", "-"), ("b", "1")}
    assert found.doubts() == []
    assert [(w.label, w.legal_entity, w.request.body["customer"]) for w in found.plan("erp")] == [("O-1", "US01", "77")]


def test_a_document_without_its_legal_entity_is_set_aside_with_the_reason(scene: Callable[..., Scene]) -> None:
    found = scene("order", **PAIR)
    found.hold("crm", order("a", "O-1", None))
    found.hold("erp")
    found.match()

    assert found.plan("erp") == []
    assert [(f["kind"], f["reason"]) for f in found.compare()] == [("quarantined", "legal_entity is missing")]
