"""Policy: what waits for whom, what is past a limit, and who may not approve."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st
from scene import Scene, settings

from sync_pipelines.engine.outcome import Result
from sync_pipelines.engine.plan import Write
from sync_pipelines.engine.policy import (
    Hands,
    Size,
    excess,
    objections,
    past_limits,
    ready,
    size,
    with_corrected,
    within_limits,
)
from sync_pipelines.engine.port import Operation, Request
from sync_pipelines.engine.topology import Approval, Limit, Policy


def a_write(
    name: str, *, amount: int | None = None, currency: str = "USD", operation: Operation = Operation.UPDATE
) -> Write:
    request = Request(name, "thing", operation, "1", f"link-{name}", {"a": 1}, idempotency_key=name)
    return Write(request, "invoice", "erp", f"link-{name}", name, (), "v1", amount, currency)


# Which writes have to be approved


@pytest.fixture
def prices(scene: Callable[..., Scene]) -> Callable[..., list[Write]]:
    """Plans two new prices, of 10.00 and of 900.00 dollars, under an approval policy."""

    def planned(when: str = "") -> list[Write]:
        policy = Policy(approval=Approval("controller", when))
        found = scene("invoice", systems=["billing", "erp"], create=["erp"], policy=policy)
        usual = {
            "customer": "c",
            "kind": "invoice",
            "legal_entity": "US01",
            "issued_on": "2026-11-03",
            "status": "posted",
            "lines": "[]",
        }
        documents = [
            {**usual, "record_id": n, "number": n, "net_minor": net, "tax_minor": 0, "total_minor": net,
             "currency": "USD"}
            for n, net in (("small", 1_000), ("large", 90_000))
        ]  # fmt: skip
        found.hold("billing", *documents)
        found.hold("erp")
        found.link("customer-1", domain="customer", billing="c", erp="1")
        found.match()
        return found.plan("erp")

    return planned


@pytest.mark.parametrize(
    ("when", "waiting"),
    [
        ("", {"small", "large"}),
        ("amount_minor >= 90000", {"large"}),
        ("amount_minor > 90000", set()),
        ("operation <> 'create'", set()),
        ("operation = 'create' AND currency = 'USD' AND number = 'small'", {"small"}),
        ("tax_minor / NULL > 1", {"small", "large"}),
    ],
)
def test_a_write_waits_where_its_condition_holds_or_cannot_be_told(
    prices: Callable[..., list[Write]], when: str, waiting: set[str]
) -> None:
    planned = prices(when)

    assert {write.label for write in planned} == {"small", "large"}
    assert {write.label for write in planned if write.approved_by_team == "controller"} == waiting


def test_without_a_policy_every_write_applies_by_itself(scene: Callable[..., Scene]) -> None:
    found = scene("customer", systems=["crm", "erp"], create=["erp"])
    found.hold("crm", {"record_id": "a", "number": "C-1", "name": "Acme", "edited_by": "Ann"})
    found.hold("erp")
    found.match()

    (write,) = found.plan("erp")

    assert (write.approved_by_team, write.edited_by) == (None, "Ann")
    assert ready([write], set()) == [write]


def test_an_approval_of_another_team_or_another_write_sends_nothing(prices: Callable[..., list[Write]]) -> None:
    small, large = sorted(prices(), key=lambda write: write.amount_minor or 0)

    granted = {(small.request.write_id, "finance"), (large.request.write_id, "controller")}

    assert ready([small, large], granted) == [large]


def test_what_a_person_corrected_waits_whatever_the_condition_says() -> None:
    declared = settings("invoice", policy=Policy(approval=Approval("controller", "false")))
    corrected, other = replace(a_write("a"), corrected_by="ann", approved_by_team="finance"), a_write("b")

    marked = with_corrected(declared, [corrected, other])

    assert [write.approved_by for write in marked] == [("finance", "controller"), ()]
    assert with_corrected(settings("invoice"), [corrected]) == [corrected]


def test_a_write_of_two_teams_waits_for_both() -> None:
    write = replace(a_write("a"), approved_by_team="controller finance")

    assert ready([write], {("a", "controller")}) == []
    assert ready([write], {("a", "controller"), ("a", "finance")}) == [write]


# Limits


LIMITS: Mapping[str, tuple[Limit, Size]] = {
    "records": (Limit(records=3), Size(records=3)),
    "documents": (Limit(documents=3), Size(documents=3)),
    "deletes": (Limit(deletes=3), Size(deletes=3)),
    "amount": (Limit(amount={"USD": 3}), Size(amount={"USD": 3})),
}


@pytest.mark.parametrize("name", LIMITS)
def test_what_is_at_a_limit_is_within_it_and_one_more_is_past_it(name: str) -> None:
    limit, touched = LIMITS[name]
    one = Size(records=1, documents=1, deletes=1, amount={"USD": 1, "EUR": 1})

    assert excess(limit, touched) == []
    assert len(excess(limit, touched + one)) == 1


def test_a_plan_that_is_not_limited_otherwise_holds_ten_thousand_writes() -> None:
    declared = settings("invoice", policy=Policy(limit=Limit(deletes=0)))
    writes = [a_write(str(n)) for n in range(10_001)]

    assert past_limits(declared, writes[1:], granted=set(), sent=Size()) == ""
    told = past_limits(declared, writes, granted=set(), sent=Size())
    assert told == "writes 10,001, at most 10,000 in one plan"


def test_amounts_of_both_signs_do_not_cancel() -> None:
    assert size([a_write("a", amount=100), a_write("b", amount=-100), a_write("c", amount=7, currency="EUR")]) == Size(
        records=3, documents=3, amount={"USD": 200, "EUR": 7}
    )


def test_whatever_is_no_creation_and_no_change_counts_as_a_delete() -> None:
    kinds = {operation: size([a_write("a", operation=operation)]).deletes for operation in Operation}

    living = {Operation.CREATE, Operation.UPDATE, Operation.REPLACE}
    assert kinds == {operation: int(operation not in living) for operation in Operation}


def test_what_the_limits_team_approved_does_not_count() -> None:
    declared = settings("invoice", policy=Policy(limit=Limit(records=1, team="controller")))
    writes = [a_write("a"), a_write("b"), a_write("c")]
    one_team, other_team = {("a", "controller"), ("b", "controller")}, {("a", "finance"), ("b", "finance")}

    assert past_limits(declared, writes, granted=one_team, sent=Size()) == ""
    assert past_limits(declared, writes, granted=other_team, sent=Size()) == "writes 3, at most 1 in one plan"


def test_what_was_sent_today_counts_against_the_day_and_not_against_the_plan() -> None:
    policy = Policy(limit=Limit(amount={"USD": 500}), limit_per_day=Limit(amount={"USD": 700}))
    declared = settings("invoice", policy=policy)
    writes = [a_write("a", amount=500)]

    assert past_limits(declared, writes, granted=set(), sent=Size(amount={"USD": 200})) == ""
    told = past_limits(declared, writes, granted=set(), sent=Size(amount={"USD": 201}))
    assert told == "USD 7.01, at most USD 7.00 in 24 hours"


def test_a_plan_with_nothing_unsigned_is_never_past_a_limit() -> None:
    declared = settings("invoice", policy=Policy(limit_per_day=Limit(records=0, team="controller")))

    assert past_limits(declared, [a_write("a")], granted={("a", "controller")}, sent=Size(records=9)) == ""


@pytest.mark.parametrize(
    ("policy", "team"),
    [
        (Policy(), "revops"),
        (Policy(approval=Approval("controller")), "controller"),
        (Policy(approval=Approval("controller"), limit=Limit(team="cfo")), "cfo"),
        (Policy(limit_per_day=Limit(team="board")), "board"),
    ],
)
def test_more_is_let_through_by_the_team_that_comes_first(policy: Policy, team: str) -> None:
    assert settings("invoice", policy=policy).limit_team == team


@pytest.mark.parametrize(("waits", "result"), [("", Result.PASSED), ("writes 2, at most 1", Result.FAILED)])
def test_a_plan_past_its_limit_fails_its_check_and_stops_nothing_else(waits: str, result: Result) -> None:
    check = within_limits("invoice", "erp", waits=waits)

    assert (check.result, check.reason, check.blocking) == (result, waits, False)


sizes = st.builds(
    Size,
    records=st.integers(0, 50),
    documents=st.integers(0, 50),
    deletes=st.integers(0, 50),
    amount=st.dictionaries(st.sampled_from(["USD", "EUR"]), st.integers(1, 900)),
)


@given(a=sizes, b=sizes, c=sizes)
def test_sizes_add_up_in_any_order(a: Size, b: Size, c: Size) -> None:
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert a + Size() == a


# Four eyes

NAMES = {"ann": "ann", "ann keller": "ann", "005a1": "ann", "bob": "bob"}


def person(name: str) -> str:
    return NAMES.get(name.strip().casefold(), name)


@pytest.mark.parametrize(
    ("authors", "hands", "told"),
    [
        ({"mapping/erp/invoice": "Ann Keller"}, Hands(), ["ann wrote mapping/erp/invoice"]),
        ({"policy/invoice": "bob; Ann Keller"}, Hands(), ["ann wrote policy/invoice"]),
        ({"policy/invoice": "bob"}, Hands(edited_by="005A1"), ["ann edited INV-1"]),
        ({"policy/invoice": "bob"}, Hands(corrected_by="ann"), ["ann corrected INV-1"]),
        ({"policy/invoice": "bob"}, Hands("bob", "bob"), []),
        ({"policy/invoice": "unknown"}, Hands(None, None), []),
    ],
)
def test_nobody_approves_what_she_had_a_hand_in_under_any_of_her_names(
    authors: dict[str, str], hands: Hands, told: list[str]
) -> None:
    assert objections("ann", person=person, authors=authors, hands={"INV-1": hands}) == told


@effort(suppress_health_check=[HealthCheck.too_slow])
@given(
    authors=st.lists(st.sampled_from([*NAMES, "unknown"]), max_size=3),
    edited=st.sampled_from([None, *NAMES]),
    corrected=st.sampled_from([None, *NAMES]),
    approver=st.sampled_from(list(NAMES)),
)
def test_whoever_is_let_through_is_none_of_those_who_made_it(
    authors: list[str], edited: str | None, corrected: str | None, approver: str
) -> None:
    wrote = {"policy/invoice": "; ".join(authors) or "unknown"}

    against = objections(approver, person=person, authors=wrote, hands={"INV-1": Hands(edited, corrected)})

    makers = {person(name) for name in [*authors, edited, corrected] if name and name != "unknown"}
    assert (person(approver) in makers) == bool(against)
