"""Approval end to end over a ledger: who may say what of which writes, and what moves without a word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace as changed

from sync_pipelines import approval, config
from sync_pipelines.approval import Assessed, Opinion
from sync_pipelines.clock import Clock
from sync_pipelines.engine.plan import Write
from sync_pipelines.engine.policy import DAY
from sync_pipelines.engine.port import Operation, Outcome, Request, State
from sync_pipelines.engine.topology import Approval, Limit, Person, Policy, Topology
from sync_pipelines.errors import FixConfiguration, Stop
from sync_pipelines.ledger import Ledger
from sync_pipelines.ledger.plans import Origin, Plan

SYNC_TOML = Path(__file__).parents[2] / "sync.toml"
PEOPLE = {
    "controller": Person("Controller", members=["ann", "bob"]),
    "finance": Person("Accounts Receivable", members=["cleo"]),
}


@dataclass
class Desk:
    """A ledger with plans of invoices for the ERP, under a policy."""

    ledger: Ledger
    topology: Topology
    clock: Clock

    def under(self, **policy: object) -> Desk:
        invoice = changed(self.topology.domains["invoice"], policy=Policy(**policy))  # type: ignore[arg-type]
        return replace(self, topology=changed(self.topology, domains={"invoice": invoice}))

    def plan(self, *writes: Write, mapping: str = "tryton@m1") -> Plan:
        version = self.topology.domains["invoice"].version
        run_id = uuid4().hex
        return self.ledger.save_plan(Origin(run_id, "invoice", "tryton", 1, mapping, version), writes)

    def assess(self, plan: Plan) -> Assessed:
        saved = self.ledger.verified_writes(plan.plan_id)
        invoice = self.topology.domains["invoice"]
        return approval.assess(self.ledger, invoice, plan, saved, now=self.clock.now())

    def ready(self, plan: Plan) -> set[str]:
        return {each.write.label for each in self.assess(plan).ready}

    def send(self, plan: Plan) -> int:
        """Send what may be sent; returns what it is worth."""
        sent = self.assess(plan).ready
        keys = [each.write.request.write_id for each in sent]
        if keys:
            self.ledger.record_intents(keys)
            self.ledger.record_outcomes([Outcome(key, State.CONFIRMED, key) for key in keys])
        return sum(abs(each.write.amount_minor or 0) for each in sent)

    def approve(self, plan: Plan, by: str, *write_ids: str) -> int:
        said = Opinion(by, "it is right", self.clock.now())
        return approval.approve(self.ledger, self.topology, plan.plan_id, said, write_ids=write_ids).count

    def reject(self, what: str, by: str) -> int:
        return approval.reject(self.ledger, self.topology, what, Opinion(by, "it is wrong", self.clock.now()))


@pytest.fixture
def desk(ledger: Ledger, clock: Clock) -> Desk:
    topology = config.load(SYNC_TOML, strict=False)
    known = changed(topology, people={**topology.people, **PEOPLE}, accounts={"ann": ["Ann Keller", "005A"]})
    return Desk(ledger, known, clock)


def write(name: str, amount: int = 100, **more: object) -> Write:
    key = f"{name}-{amount}"
    request = Request(
        key,
        "account.invoice",
        Operation.CREATE,
        None,
        name,
        {"total": amount},
        idempotency_key=key,
        correlation_id=name,
    )
    made = Write(request, "invoice", "tryton", f"link-{name}", name, (), None, amount, "USD")
    return replace(made, approved_by_team="controller", **more)  # type: ignore[arg-type]


# Approving


def test_what_is_approved_may_be_sent_and_the_rest_waits(desk: Desk) -> None:
    plan = desk.plan(write("a"), write("b"), replace(write("c"), approved_by_team=None))

    assert desk.ready(plan) == {"c"}
    assert desk.approve(plan, "ann", "a-100") == 1
    assert desk.ready(plan) == {"a", "c"}


def test_an_approval_holds_in_a_later_plan_and_never_for_other_content(desk: Desk) -> None:
    desk.approve(desk.plan(write("a")), "ann")

    later = desk.plan(write("a"), write("b"))
    other = desk.ready(later), desk.ready(desk.plan(write("a", amount=101)))

    assert other == ({"a"}, set())


def test_a_stricter_policy_makes_earlier_approvals_void_and_earlier_plans_unfit(desk: Desk) -> None:
    plan = desk.plan(write("a"))
    desk.approve(plan, "ann")
    stricter = desk.under(approval=Approval("controller"), limit=Limit(deletes=0))

    again = stricter.plan(write("a"))

    assert stricter.ready(again) == set()
    with pytest.raises(Stop, match="made under other settings"):
        approval.hold_to_settings(stricter.topology.domains["invoice"], plan)
    assert desk.ready(desk.plan(write("a"))) == {"a"}


@pytest.mark.parametrize("by", ["cleo", "nobody", "controller"])
def test_only_members_of_the_team_approve_or_reject(desk: Desk, by: str) -> None:
    plan = desk.plan(write("a"))

    for say in (desk.approve, lambda plan, by: desk.reject(plan.plan_id, by)):
        with pytest.raises(Stop, match=r"it takes a member of Controller \(ann, bob\)"):
            say(plan, by)
    assert desk.ready(plan) == set()


def test_a_write_of_two_teams_needs_a_word_of_each(desk: Desk) -> None:
    plan = desk.plan(replace(write("a"), approved_by_team="controller finance"))

    desk.approve(plan, "ann")
    half = desk.ready(plan)
    desk.approve(plan, "cleo")

    assert (half, desk.ready(plan)) == (set(), {"a"})


@pytest.mark.parametrize(
    ("wrote", "made", "told"),
    [
        ({"mapping/tryton/invoice": "Ann Keller"}, {}, "ann wrote mapping/tryton/invoice"),
        ({"policy/invoice": "ANN"}, {}, "ann wrote policy/invoice"),
        ({}, {"edited_by": "005a"}, "ann edited a"),
        ({}, {"corrected_by": "ann"}, "ann corrected a"),
    ],
)
def test_four_eyes(desk: Desk, wrote: dict[str, str], made: dict[str, str], told: str) -> None:
    origin = {"policy/invoice": desk.topology.domains["invoice"].version, "mapping/tryton/invoice": "m1"}
    desk.ledger.note_versions(origin, author=lambda subject: wrote.get(subject, "somebody"))
    plan = desk.plan(write("a", **made))

    with pytest.raises(Stop, match=f"somebody else has to approve: {told}"):
        desk.approve(plan, "ann")
    assert desk.ready(plan) == set()
    assert desk.approve(plan, "bob") == 1


def test_the_author_of_another_version_may_approve(desk: Desk) -> None:
    desk.ledger.note_versions({"mapping/tryton/invoice": "m1"}, author=lambda _: "ann")

    assert desk.approve(desk.plan(write("a"), mapping="tryton@m2"), "ann") == 1


def test_one_record_that_she_edited_can_be_left_out(desk: Desk) -> None:
    plan = desk.plan(write("a", edited_by="ann"), write("b"))

    with pytest.raises(Stop, match="ann edited a"):
        desk.approve(plan, "ann")
    assert desk.approve(plan, "ann", "b-1") == 1


def test_a_rejected_write_is_not_planned_again(desk: Desk) -> None:
    desk.plan(write("a", edited_by="ann"), write("b"))

    assert desk.reject("a-100", "ann") == 1
    assert [each.write.label for each in desk.plan(write("a"), write("b")).held] == ["a"]


def test_what_does_not_wait_is_told(desk: Desk) -> None:
    plan = desk.plan(replace(write("a"), approved_by_team=None))
    second = desk.plan(write("b"))

    for what, told in ((plan.plan_id, "is superseded"), ("plan-0", "there is no plan"), (second.plan_id, "names 0 of")):
        with pytest.raises(FixConfiguration, match=told):
            approval.approve(
                desk.ledger, desk.topology, what, Opinion("ann", "why", desk.clock.now()), write_ids=["zzz"]
            )
    with pytest.raises(FixConfiguration, match="no plan or write 'zzz' waits"):
        desk.reject("zzz", "ann")


# Limits


def test_a_plan_past_its_limit_waits_as_a_whole_until_enough_of_it_is_signed(desk: Desk) -> None:
    limited = desk.under(limit=Limit(records=1, team="finance"))
    plan = limited.plan(*(replace(write(name), approved_by_team=None) for name in "abc"))

    waits = limited.assess(plan)
    before = limited.ready(plan)
    limited.approve(plan, "cleo", "a-100", "b-100")

    assert (waits.past, len(waits.waiting), before) == ("writes 3, at most 1 in one plan", 3, set())
    assert limited.ready(plan) == {"a", "b", "c"}
    (item,) = approval.exceptions([waits], [], limited.topology, deals={})
    assert (item.owner, item.item.kind, item.item.amount_minor, item.item.currency) == ("finance", "limit", 300, "USD")


plans = st.lists(
    st.tuples(st.lists(st.integers(-60, 60), min_size=1, max_size=3), st.integers(0, 30)), min_size=1, max_size=8
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sequence=plans)
def test_no_day_moves_more_than_its_limit(desk: Desk, sequence: Sequence[tuple[list[int], int]]) -> None:
    limited = desk.under(limit_per_day=Limit(amount={"USD": 100}, team="finance"))
    limited.clock.sleep(2 * DAY.total_seconds())
    moved: list[tuple[float, int]] = []

    for amounts, hours in sequence:
        names = [uuid4().hex for _ in amounts]
        rows = [replace(write(n, a), approved_by_team=None) for n, a in zip(names, amounts, strict=True)]
        moved.append((limited.clock.now().timestamp(), limited.send(limited.plan(*rows))))
        limited.clock.sleep(hours * 3600)

    day = DAY.total_seconds()
    assert all(sum(m for at, m in moved if end - day < at <= end) <= 100 for end, _ in moved)
    if sum(map(abs, sequence[0][0])) <= 100:
        assert moved[0][1] == sum(map(abs, sequence[0][0]))


# Telling


def test_an_open_plan_is_told_with_what_it_moves_and_who_may_approve(desk: Desk) -> None:
    desk.plan(write("a", legal_entity="US01", period="2026-11", edited_by="Cleo"), write("b", amount=-30))

    (assessed,) = approval.open_plans(desk.ledger, desk.topology, now=desk.clock.now())
    told = approval.told(assessed, desk.topology)

    assert [(move["legal_entity"], move["period"], move["amount_minor"]) for move in told["moves"]] == [
        (None, None, -30),
        ("US01", "2026-11", 100),
    ]
    assert told["approvers"] == {"controller": "Controller (ann, bob)"}
    assert [(each["write"], each["teams"], each["edited_by"]) for each in told["waiting"]] == [
        ("a-100", ["controller"], "Cleo"),
        ("b--30", ["controller"], None),
    ]
    assert told["waiting"][0]["why"] == "waits for approval by Controller since 2026-11-23 09:00 UTC"
