"""Merge: what hangs on a merged record follows its survivor, comes back with it, and moves no money by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st
from scene import LEADER, Row, Scene

from sync_pipelines.domains import DOMAINS

SYSTEMS = [LEADER, "billing", "erp"]
FIELDS = ["number", "tax_id"]
NAMES = ["a", "b", "c", "d"]

Merges = Mapping[str, str]
"""Loser → survivor."""


def customer(record_id: str, **more: object) -> Row:
    return {"record_id": record_id, "number": f"C-{record_id}", "name": f"Company {record_id}", **more}


def crm(merges: Merges, *, purged: tuple[str, ...] = ()) -> list[Row]:
    """The leading system's customers after some merges; a purged loser has left nothing but its absence."""
    return [
        customer(n, is_deleted=n in merges or n in purged, merged_into=None if n in purged else merges.get(n))
        for n in NAMES
    ]


@pytest.fixture
def world(scene: Callable[..., Scene]) -> Callable[..., Scene]:
    """Customers of a CRM, and those of them that billing and the ERP have too, matched."""

    def opened(*, billing: str = "", erp: str = "", merges: Merges | None = None, **declared: object) -> Scene:
        found = scene("customer", systems=SYSTEMS, **declared)
        found.hold("crm", *crm(merges or {}), fields=FIELDS)
        found.hold("billing", *(customer(f"cus-{n}", number=f"C-{n}") for n in billing), fields=FIELDS)
        found.hold("erp", *(customer(f"erp-{n}", number=f"C-{n}") for n in erp), fields=FIELDS)
        found.match()
        return found

    return opened


def merge(found: Scene, merges: Merges, *, purged: tuple[str, ...] = ()) -> None:
    found.hold("crm", *crm(merges, purged=purged), fields=FIELDS)
    found.match()


def members(found: Scene) -> set[tuple[str, ...]]:
    """Every membership that holds, with the rule that made it."""
    return {(e["link_id"], e["system"], e["record_id"], e["rule"]) for e in found.links}


def doubts(found: Scene) -> set[tuple[str, ...]]:
    return {(d["kind"], d["system"], d["record_id"], d["candidate_id"]) for d in found.doubts()}


def test_an_unmerge_puts_the_links_back_where_they_were(world: Callable[..., Scene]) -> None:
    found = world(billing="ab", erp="a")
    before = members(found)

    merge(found, {"a": "b"})
    merged = found.linked
    merge(found, {})

    assert ("b", "cus-b", "erp-a") in merged
    assert members(found) == before
    assert found.doubts() == []


def test_a_merge_that_was_there_at_first_sight_can_be_taken_back_too(world: Callable[..., Scene]) -> None:
    found = world(erp="a", merges={"a": "b"})
    merged = found.linked

    merge(found, {})

    assert ("b", "-", "erp-a") in merged
    assert found.linked == {("a", "-", "erp-a"), ("b", "-", "-"), ("c", "-", "-"), ("d", "-", "-")}


def test_in_a_chain_only_what_is_taken_back_comes_back(world: Callable[..., Scene]) -> None:
    found = world(erp="a", billing="b")
    merge(found, {"a": "b"})
    merge(found, {"a": "b", "b": "c"})
    together = found.linked

    merge(found, {"a": "b"})

    assert ("c", "cus-b", "erp-a") in together
    assert {("b", "cus-b", "erp-a"), ("c", "-", "-")} <= found.linked


def test_where_both_have_a_record_nothing_moves_until_they_are_merged_there_too(world: Callable[..., Scene]) -> None:
    found = world(erp="ab")
    merge(found, {"a": "b"})
    blocked, told = found.linked, doubts(found)

    twins = [
        customer("erp-a", number="C-a", merged_into="erp-b"),
        customer("erp-b", number="C-b"),
    ]
    found.hold("erp", *twins, fields=FIELDS)
    found.match()

    assert {("a", "-", "erp-a"), ("b", "-", "erp-b")} <= blocked
    assert told == {("merged", "erp", "erp-a", "b")}
    assert ("b", "-", "erp-b") in found.linked
    assert not any("erp-a" in link for link in found.linked)
    assert found.doubts() == []


def test_of_two_losers_that_have_a_record_none_follows_a_survivor_that_has_none(world: Callable[..., Scene]) -> None:
    found = world(erp="ab")
    merge(found, {"a": "b", "b": "c"})

    told = {doubt["record_id"]: doubt["reason"] for doubt in found.doubts()}
    assert told == {
        "erp-a": "Company a was merged into Company c as Company b was, and each has a record in erp",
        "erp-b": "Company b was merged into Company c as Company a was, and each has a record in erp",
    }


def test_the_other_one_may_survive_in_the_following_system(world: Callable[..., Scene]) -> None:
    found = world(erp="ab")
    merge(found, {"a": "b"})

    twins = [
        customer("erp-a", number="C-a"),
        customer("erp-b", number="C-b", merged_into="erp-a"),
    ]
    found.hold("erp", *twins, fields=FIELDS)
    found.match()

    assert ("b", "-", "erp-a") in found.linked
    assert found.doubts() == []


def invoice(record_id: str, customer: str, total: int, **more: object) -> Row:
    return {
        "record_id": record_id,
        "number": f"N-{record_id}",
        "kind": "invoice",
        "legal_entity": "US01",
        "customer": customer,
        "issued_on": date(2026, 3, 1),
        "status": "posted",
        "currency": "USD",
        "net_minor": total,
        "tax_minor": 0,
        "total_minor": total,
        "lines": "[]",
        **more,
    }


def books(found: Scene, **declared: object) -> Scene:
    """The invoices over the same lake and links."""
    from scene import settings

    return Scene(found.lake, DOMAINS["invoice"], settings("invoice", **declared), found.links, found.history)


OPEN_THERE = (
    "Company a was merged into Company b, and both have a record in erp; open there: "
    "2 invoice of Company a (USD 70.50), 1 invoice of Company b (USD 1.00): Company b"
)


def test_a_merge_that_would_move_money_names_both_and_what_is_open(world: Callable[..., Scene]) -> None:
    found = world(erp="ab")
    books(found).hold(
        "erp",
        invoice("1", "erp-a", 5_000),
        invoice("2", "erp-a", 2_050, status="draft"),
        invoice("3", "erp-b", 100),
        invoice("4", "erp-a", 900, is_settled=True),
        invoice("5", "erp-a", 900, status="void"),
        invoice("6", "erp-a", 900, is_deleted=True),
    )

    merge(found, {"a": "b"})
    findings = [f for f in found.reconcile() if f["kind"] == "merged"]

    assert [(f["reason"], f["amount_minor"], f["currency"]) for f in findings] == [(OPEN_THERE, 7_150, "USD")]


def test_documents_of_the_loser_are_written_to_the_survivors_record(world: Callable[..., Scene]) -> None:
    found = world(billing="ab", erp="b")
    merge(found, {"a": "b"})
    bills = books(found, systems=["billing", "erp"], create=["erp"])
    bills.hold("billing", invoice("i1", "cus-a", 500), invoice("i2", "cus-b", 700))
    bills.hold("erp")
    bills.match()

    writes = bills.plan("erp")

    assert {w.label: w.request.body["customer"] for w in writes} == {"N-i1": "erp-b", "N-i2": "erp-b"}
    assert bills.waiting("erp") == {}


def test_while_a_merge_is_blocked_documents_stay_with_the_losers_own_record(world: Callable[..., Scene]) -> None:
    found = world(billing="ab", erp="ab")
    merge(found, {"a": "b"})
    bills = books(found, systems=["billing", "erp"], create=["erp"])
    bills.hold("billing", invoice("i1", "cus-a", 500))
    bills.hold("erp")
    bills.match()

    assert [w.request.body["customer"] for w in bills.plan("erp")] == ["erp-a"]


POSTED = {"number": "N-i1"}


@pytest.mark.parametrize(
    ("erp", "there"),
    [
        ([customer("erp-a", number="C-a"), customer("erp-b", number="C-b")], "erp-a"),
        ([customer("erp-a", number="C-a", merged_into="erp-b"), customer("erp-b", number="C-b")], "erp-a"),
        ([customer("erp-a", number="C-a", is_deleted=True), customer("erp-b", number="C-b")], "erp-a"),
        ([customer("erp-a", number="C-a"), customer("erp-b", number="C-b")], "erp-b"),
    ],
)
def test_a_document_posted_to_the_losers_account_stays_there_and_is_no_finding(
    world: Callable[..., Scene], erp: list[Row], there: str
) -> None:
    found = world(billing="b", erp="ab")
    found.hold("erp", *erp, fields=FIELDS)
    merge(found, {"a": "b"})
    bills = books(found, systems=["billing", "erp"], update=["erp"])
    bills.hold("billing", invoice("i1", "cus-b", 500))
    bills.hold("erp", invoice("1", there, 500, **POSTED))
    bills.match()

    assert bills.plan("erp") == []
    assert [f for f in bills.reconcile() if f["kind"] == "differs"] == []


def test_a_document_that_is_not_posted_moves_with_the_merge_once_the_records_are_one(
    world: Callable[..., Scene],
) -> None:
    found = world(billing="b", erp="ab")
    merged_there = [customer("erp-a", number="C-a", merged_into="erp-b"), customer("erp-b", number="C-b")]
    found.hold("erp", *merged_there, fields=FIELDS)
    merge(found, {"a": "b"})
    bills = books(found, systems=["billing", "erp"], update=["erp"])
    bills.hold("billing", invoice("i1", "cus-b", 500, status="draft"))
    bills.hold("erp", invoice("1", "erp-a", 500, status="draft", **POSTED))
    bills.match()

    (write,) = bills.plan("erp")

    assert [(c.field, c.before, c.after) for c in write.changes] == [("customer", "erp-a", "erp-b")]


def test_another_customer_is_still_a_difference(world: Callable[..., Scene]) -> None:
    found = world(billing="bc", erp="ac", merges={"a": "b"})
    bills = books(found, systems=["billing", "erp"])
    bills.hold("billing", invoice("i1", "cus-b", 500))
    bills.hold("erp", invoice("1", "erp-c", 500, **POSTED))
    bills.match()

    assert [f["field"] for f in bills.reconcile() if f["kind"] == "differs"] == ["customer"]


@st.composite
def histories(draw: st.DrawFn) -> list[dict[str, str]]:
    """States of the CRM one after another: each a set of merges without circles."""
    states = []
    for _ in range(draw(st.integers(1, 4))):
        order = draw(st.permutations(NAMES))
        losers = draw(st.lists(st.sampled_from(order[:-1]), unique=True))
        states.append({n: draw(st.sampled_from(order[order.index(n) + 1 :])) for n in losers})
    return states


HELD = st.text(alphabet="abcd", max_size=4).map(lambda names: "".join(sorted(set(names))))
LAW = effort(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(states=histories(), billing=HELD, erp=HELD)
@LAW
def test_whatever_was_merged_before_only_the_merges_that_hold_now_count(
    world: Callable[..., Scene], states: list[dict[str, str]], billing: str, erp: str
) -> None:
    found, direct = world(billing=billing, erp=erp), world(billing=billing, erp=erp)

    for state in states:
        merge(found, state)
    merge(direct, states[-1])

    assert found.linked == direct.linked
    assert doubts(found) == doubts(direct)


@given(states=histories(), billing=HELD, erp=HELD)
@LAW
def test_merging_and_unmerging_is_nothing_at_all(
    world: Callable[..., Scene], states: list[dict[str, str]], billing: str, erp: str
) -> None:
    found = world(billing=billing, erp=erp)
    before = members(found)

    for state in [*states, {}]:
        merge(found, state)

    assert members(found) == before
    assert found.doubts() == []


@given(states=histories(), billing=HELD, erp=HELD)
@LAW
def test_a_second_match_after_merges_changes_nothing(
    world: Callable[..., Scene], states: list[dict[str, str]], billing: str, erp: str
) -> None:
    found = world(billing=billing, erp=erp)
    for state in states:
        merge(found, state)
    before, told = members(found), found.doubts()

    verdict = found.match()

    assert (len(verdict.added), len(verdict.ended), len(verdict.passing)) == (0, 0, 0)
    assert (members(found), found.doubts()) == (before, told)


@given(states=histories(), billing=HELD, erp=HELD)
@LAW
def test_a_merge_loses_no_record_and_never_moves_one_to_a_taken_place(
    world: Callable[..., Scene], states: list[dict[str, str]], billing: str, erp: str
) -> None:
    found = world(billing=billing, erp=erp)

    merge(found, states[-1])

    held = {f"cus-{n}" for n in billing} | {f"erp-{n}" for n in erp}
    assert {e["record_id"] for e in found.links if e["system"] != LEADER} == held
    waiting = {record for kind, _, record, _ in doubts(found) if kind == "merged"}
    for link in found.linked:
        leader, *others = link
        assert leader not in states[-1] or set(others) - {"-"} <= waiting
