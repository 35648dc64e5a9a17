"""Periods: what the books take, what waits, what moves, and what a person is asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scene import Row, Scene, select

from sync_pipelines.engine import apply, period, proof, reconcile
from sync_pipelines.engine.outcome import Result
from sync_pipelines.engine.period import Decision, Period, State, Verdict, decide
from sync_pipelines.engine.plan import Change, Move, moves
from sync_pipelines.engine.port import Operation
from sync_pipelines.engine.port import State as Ended
from sync_pipelines.engine.topology import LegalEntity, PeriodPolicy
from sync_pipelines.errors import FixConfiguration
from sync_pipelines.lake import Lake

MARCH, APRIL, MAY = date(2026, 3, 30), date(2026, 4, 2), date(2026, 5, 4)
HOLD, NEXT_OPEN, PROPOSE = PeriodPolicy.HOLD, PeriodPolicy.NEXT_OPEN, PeriodPolicy.PROPOSE


def month(number: int, state: State, *, entity: str = "US01", ledger: str = "") -> Period:
    last = date(2026, number + 1, 1) - timedelta(days=1)
    return Period(entity, ledger, date(2026, number, 1), last, state)


CLOSED_MARCH = [month(3, State.CLOSED), month(4, State.OPEN), month(5, State.OPEN)]
LOCKED_MARCH = [month(3, State.LOCKED), month(4, State.OPEN)]
CLOSED_SPRING = [month(3, State.CLOSED), month(4, State.CLOSED), month(5, State.OPEN)]


# The decision


@pytest.mark.parametrize(
    ("on", "periods", "policy", "verdict", "posting_on"),
    [
        (APRIL, CLOSED_MARCH, HOLD, Verdict.SEND, APRIL),
        (MARCH, [], HOLD, Verdict.SEND, MARCH),
        (MARCH, CLOSED_MARCH, HOLD, Verdict.HOLD, None),
        (MARCH, CLOSED_MARCH, NEXT_OPEN, Verdict.MOVE, date(2026, 4, 1)),
        (MARCH, CLOSED_SPRING, NEXT_OPEN, Verdict.MOVE, date(2026, 5, 1)),
        (MARCH, CLOSED_MARCH, PROPOSE, Verdict.PROPOSE, date(2026, 4, 1)),
        (MARCH, LOCKED_MARCH, HOLD, Verdict.PROPOSE, MARCH),
        (MARCH, LOCKED_MARCH, PROPOSE, Verdict.PROPOSE, MARCH),
        (MARCH, LOCKED_MARCH, NEXT_OPEN, Verdict.MOVE, date(2026, 4, 1)),
        (MARCH, CLOSED_MARCH[:1], NEXT_OPEN, Verdict.HOLD, None),
        (MARCH, CLOSED_MARCH[:1], PROPOSE, Verdict.HOLD, None),
    ],
)
def test_a_document_is_sent_held_moved_or_proposed_by_its_period_and_the_policy(
    on: date, periods: list[Period], policy: PeriodPolicy, verdict: Verdict, posting_on: date | None
) -> None:
    found = decide(on, periods, policy, can_move=True)

    assert (found.verdict, found.posting_on) == (verdict, posting_on)
    assert bool(found.reason) is (verdict is not Verdict.SEND)


@pytest.mark.parametrize("policy", [NEXT_OPEN, PROPOSE])
def test_where_the_books_know_no_second_date_a_person_is_asked(policy: PeriodPolicy) -> None:
    found = decide(MARCH, CLOSED_MARCH, policy, can_move=False)

    assert found == Decision(Verdict.PROPOSE, MARCH, "period 2026-03 of US01 is closed")


def test_a_day_that_no_period_has_waits_until_somebody_creates_one() -> None:
    found = decide(date(2027, 1, 4), CLOSED_MARCH, NEXT_OPEN, can_move=True)

    assert found == Decision(Verdict.HOLD, None, "no period of US01 has the day 2027-01-04")


def test_of_two_periods_that_have_a_day_the_stricter_one_decides() -> None:
    found = decide(APRIL, [*CLOSED_MARCH, Period("US01", "", date.min, APRIL, State.CLOSED)], NEXT_OPEN, can_move=True)

    assert (found.verdict, found.posting_on) == (Verdict.MOVE, APRIL + timedelta(days=1))


months = st.lists(st.builds(month, st.integers(1, 11), st.sampled_from(State)), max_size=8)


@given(st.dates(date(2026, 1, 1), date(2026, 12, 1)), months, st.sampled_from(PeriodPolicy), st.booleans())
def test_nothing_is_sent_or_moved_but_into_an_open_period_and_never_back_in_time(
    on: date, periods: list[Period], policy: PeriodPolicy, can_move: bool
) -> None:
    found = decide(on, periods, policy, can_move=can_move)

    if found.verdict in {Verdict.SEND, Verdict.MOVE} and periods:
        assert found.posting_on is not None
        assert period.state_on(found.posting_on, periods) is State.OPEN
    assert found.posting_on is None or found.posting_on >= on
    assert (found.posting_on is None) is (found.verdict is Verdict.HOLD)
    assert found.posting_on in {None, on} or can_move


# What a system tells, and what the topology declares


def entity(**days: date) -> dict[str, LegalEntity]:
    return {"US01": LegalEntity("Meridian", "UTC", "USD", **days)}


def told(*periods: Period) -> str:
    rows = [{name: getattr(each, name) for name in period.COLUMNS} for each in periods]
    return f"SELECT legal_entity, ledger, start_on, end_on, state FROM ({select(rows)})"


def test_the_periods_of_the_books_are_kept_as_a_table_of_the_lake(lake: Lake) -> None:
    period.keep(lake, "erp", sql=told(*CLOSED_MARCH), legal_entities=entity())

    assert period.read(lake, "erp", ledger="receivable") == {"US01": CLOSED_MARCH}


def test_a_period_of_another_ledger_says_nothing_about_this_one(lake: Lake) -> None:
    payable, receivable = (month(3, State.CLOSED, ledger=name) for name in ("payable", "receivable"))

    period.keep(lake, "erp", sql=told(payable, receivable), legal_entities=entity())

    assert period.read(lake, "erp", ledger="receivable") == {"US01": [receivable]}


def test_a_topology_may_close_and_lock_the_books_where_the_system_tells_nothing(lake: Lake) -> None:
    closed = entity(closed_until=date(2026, 3, 31), locked_until=date(2026, 4, 30))

    period.keep(lake, "erp", sql=None, legal_entities=closed)

    found = period.read(lake, "erp", ledger="")["US01"]
    assert [period.state_on(day, found) for day in (MARCH, APRIL, MAY)] == [State.CLOSED, State.LOCKED, State.OPEN]


def test_a_topology_closes_what_the_system_still_has_open_and_opens_nothing(lake: Lake) -> None:
    period.keep(lake, "erp", sql=told(month(4, State.OPEN)), legal_entities=entity(closed_until=date(2026, 4, 15)))

    found = period.read(lake, "erp", ledger="")["US01"]
    assert [period.state_on(date(2026, 4, day), found) for day in (15, 16)] == [State.CLOSED, State.OPEN]
    assert period.state_on(MAY, found) is None


def test_nothing_is_known_of_books_that_nobody_told_about(lake: Lake) -> None:
    assert period.read(lake, "erp", ledger="") == {}

    period.keep(lake, "erp", sql=None, legal_entities=entity())

    assert period.read(lake, "erp", ledger="") == {}


def test_a_state_that_is_none_is_for_a_person_to_mend(lake: Lake) -> None:
    sql = "SELECT 'US01' AS legal_entity, NULL AS ledger, DATE '2026-03-01' AS start_on, DATE '2026-03-31' AS end_on"

    with pytest.raises(FixConfiguration, match=r"erp/period.sql yields the state 'shut'"):
        period.keep(lake, "erp", sql=f"{sql}, 'shut' AS state", legal_entities={})


# The plan


def invoice(record_id: str = "i", on: date = MARCH, **more: Any) -> Row:
    usual = {"number": f"N-{record_id}", "kind": "invoice", "legal_entity": "US01", "customer": "c", "issued_on": on}
    usual |= {"status": "posted", "currency": "EUR", "net_minor": 100, "tax_minor": 0, "total_minor": 100}
    return {"record_id": record_id, **usual, "lines": "[]", **more}


Invoices = Callable[..., Scene]


@pytest.fixture
def invoices(scene: Callable[..., Scene]) -> Invoices:
    """Invoices of billing, some of them in the erp, whose books have these periods."""

    def matched(
        billing: Sequence[Row], erp: Sequence[Row] = (), *, periods: Sequence[Period] = CLOSED_MARCH, **declared: Any
    ) -> Scene:
        usual = {"systems": ["billing", "erp"], "create": ["erp"], "create_when": "status = 'posted'"}
        opened = scene("invoice", **usual | declared)
        opened.link("customer-c", domain="customer", billing="c", erp="77")
        opened.hold("billing", *billing)
        opened.hold("erp", *({**row, "customer": "77"} for row in erp))
        opened.match()
        period.keep(opened.lake, "erp", sql=told(*periods), legal_entities={})
        return opened

    return matched


def test_an_invoice_of_a_closed_month_is_held_and_one_of_an_open_month_is_not(invoices: Invoices) -> None:
    found = invoices([invoice("i", MARCH), invoice("j", APRIL)])

    (write,) = found.plan("erp", can_move=True)

    assert (write.label, write.period, write.posting_on, write.approved_by_team) == ("N-j", "2026-04", APRIL, None)
    assert found.waiting("erp") == {found.link_of("billing", "i"): "period 2026-03 of US01 is closed"}


def test_one_legal_entity_may_be_closed_and_another_open(invoices: Invoices) -> None:
    open_there = [month(3, State.OPEN, entity="DE01"), month(3, State.CLOSED)]
    found = invoices([invoice("i"), invoice("j", legal_entity="DE01")], periods=open_there)

    assert [write.label for write in found.plan("erp")] == ["N-j"]


def test_a_draft_is_not_posted_so_no_period_keeps_it(invoices: Invoices) -> None:
    found = invoices([invoice(status="draft")], create_when="")

    (write,) = found.plan("erp")

    assert (write.posting_on, write.period) == (None, "2026-03")


def test_a_moved_invoice_keeps_its_date_and_counts_where_the_books_take_it(invoices: Invoices) -> None:
    found = invoices([invoice()], closed_period=NEXT_OPEN)

    (write,) = found.plan("erp", can_move=True)

    assert (write.request.body["issued_on"], write.request.body["posting_on"]) == ("2026-03-30", "2026-04-01")
    assert Change("posting_on", "2026-03-30", "2026-04-01") in write.changes
    assert moves([write]) == [Move("US01", "EUR", "2026-04", 1, 100)]
    assert write.approved_by_team is None


def test_an_invoice_of_an_open_month_has_no_second_date(invoices: Invoices) -> None:
    found = invoices([invoice(on=APRIL)], closed_period=NEXT_OPEN)

    (write,) = found.plan("erp", can_move=True)

    assert "posting_on" not in write.request.body
    assert not [change for change in write.changes if change.field == "posting_on"]


@pytest.mark.parametrize(
    ("periods", "can_move", "posting_on"),
    [(CLOSED_MARCH, True, date(2026, 4, 1)), (CLOSED_MARCH, False, MARCH), (LOCKED_MARCH, True, MARCH)],
)
def test_a_proposal_names_the_team_that_has_to_approve_it(
    invoices: Invoices, periods: list[Period], can_move: bool, posting_on: date
) -> None:
    found = invoices([invoice()], periods=periods, closed_period=PROPOSE)
    found.settings.exceptions["closed_period"] = "controller"

    (write,) = found.plan("erp", can_move=can_move)

    assert (write.approved_by_team, write.posting_on) == ("controller", posting_on)


def test_what_waits_for_its_customer_is_not_said_to_wait_for_its_period(invoices: Invoices) -> None:
    found = invoices([invoice(customer="nobody's")])
    found.link("customer-n", domain="customer", billing="nobody's")

    assert found.plan("erp") == []
    assert list(found.waiting("erp").values()) == ["its customer is not in erp yet"]


def test_an_order_is_in_no_books_and_asks_no_period(scene: Callable[..., Scene]) -> None:
    found = scene("order", systems=["crm", "erp"], create=["erp"])
    names = ("number", "legal_entity", "customer", "status", "currency", "net_minor", "lines")
    row = {**{n: v for n, v in invoice().items() if n in names}, "record_id": "o", "ordered_on": MARCH}
    found.link("customer-c", domain="customer", crm="c", erp="77")
    found.hold("crm", {**row, "status": "confirmed"})
    found.hold("erp")
    found.match()
    period.keep(found.lake, "erp", sql=told(*CLOSED_MARCH), legal_entities={})

    assert [write.posting_on for write in found.plan("erp")] == [None]


# Between plan and apply


def test_a_period_that_closed_after_the_plan_keeps_the_write_from_being_sent(invoices: Invoices) -> None:
    found = invoices([invoice("i", APRIL), invoice("j", MAY)])
    writes = found.plan("erp")

    (barred,) = apply.barred(writes, {"US01": CLOSED_SPRING})

    assert barred.write_id == next(w.request.write_id for w in writes if w.label == "N-i")
    assert (barred.state, barred.code) == (Ended.FAILED, "closed_period")
    assert barred.message == "period 2026-04 of US01 is closed"


@pytest.mark.parametrize(("state", "approved"), [(State.LOCKED, True), (State.CLOSED, False), (State.OPEN, True)])
def test_a_locked_period_takes_what_the_controller_approves_and_a_closed_one_nothing(
    invoices: Invoices, state: State, approved: bool
) -> None:
    found = invoices([invoice()], periods=LOCKED_MARCH)
    (proposed,) = found.plan("erp")

    assert (apply.barred([proposed], {"US01": [month(3, state)]}) == []) is approved


def test_a_period_that_was_locked_after_the_plan_takes_no_write_that_nobody_approved(invoices: Invoices) -> None:
    (write,) = invoices([invoice(on=APRIL)]).plan("erp")

    (barred,) = apply.barred([write], {"US01": [month(4, State.LOCKED)]})

    assert barred.message == "period 2026-04 of US01 is locked"


# The reconciliation


def test_a_held_invoice_is_an_exception_of_its_own_kind_with_the_amount(invoices: Invoices) -> None:
    found = invoices([invoice()])

    findings = found.reconcile()
    (item,) = found.items()

    assert [(f["kind"], f["amount_minor"], f["period"]) for f in findings] == [("closed_period", 100, "2026-03")]
    assert (item.kind, item.reason, item.amount_minor) == ("closed_period", "period 2026-03 of US01 is closed", 100)


def test_what_the_erp_itself_refused_for_its_period_is_the_same_kind_of_exception(invoices: Invoices) -> None:
    found = invoices([invoice()], periods=[month(3, State.OPEN)])
    words = 'Tryton: To continue, you must reopen the period "2026-03"'
    refused = {"write_id": "w", "kind": "refused", "code": "closed_period", "message": words, "fields": []}
    found.dead_letters = [{"target": "erp", "link_id": found.link_of("billing", "i"), **refused}]

    found.reconcile()

    assert [(item.kind, item.reason) for item in found.items()] == [("closed_period", words)]


def moved(found: Scene, posting_on: date) -> list[dict[str, Any]]:
    plan = {"posting_on": posting_on.isoformat(), "plan_id": "plan-1"}
    return [{"target": "erp", "link_id": found.link_of("billing", "i"), **plan}]


def test_a_document_that_a_plan_moved_is_told_in_both_months_and_asks_nobody(invoices: Invoices) -> None:
    april = date(2026, 4, 1)
    found = invoices([invoice(), invoice("j", APRIL)], [invoice("1", number="N-i", posting_on=april),
                                                        invoice("2", APRIL, number="N-j")])  # fmt: skip
    found.moved = moved(found, april)

    findings = found.reconcile()

    assert sorted((f["kind"], f["period"], f["amount_minor"]) for f in findings) == [
        ("moved", "2026-03", 100),
        ("moved", "2026-04", -100),
    ]
    assert {f["reason"] for f in findings} == {
        "posted on 2026-04-01 in erp: its own period was closed, and plan-1 moved it"
    }
    assert found.items() == []
    check = found.checks()["control_totals_billing_erp"]
    assert (check.result, check.reason) == (
        Result.PASSED,
        "documents were moved between 2026-03, 2026-04, for their own period was closed",
    )


def test_a_document_that_somebody_posted_in_another_month_is_a_disagreement(invoices: Invoices) -> None:
    found = invoices([invoice()], [invoice("1", number="N-i", posting_on=date(2026, 4, 1))])

    found.reconcile()
    (item,) = found.items()

    assert (item.kind, item.amount_minor) == ("differs", 100)
    assert item.reason == "posted on 2026-04-01 in erp, and no plan moved it"
    assert found.checks()["control_totals_billing_erp"].result is Result.FAILED


def test_a_moved_document_of_another_amount_is_explained_to_the_cent(invoices: Invoices) -> None:
    april = date(2026, 4, 1)
    dear = invoice("1", number="N-i", posting_on=april, net_minor=101, total_minor=101)
    found = invoices([invoice()], [dear])
    found.moved = moved(found, april)

    shares = [(f["period"], f["amount_minor"]) for f in found.reconcile() if f["amount_minor"]]

    totals = {(t.period, t.system): t.sum_minor for t in proof.totals(found.lake, found.domain, ["billing", "erp"])}
    assert totals == {("2026-03", "billing"): 100, ("2026-04", "erp"): 101}
    assert sum(amount for at, amount in shares if at == "2026-03") == 100
    assert sum(amount for at, amount in shares if at == "2026-04") == -101
    assert reconcile.counted(found.lake)[0] == 1


# What is voided


TODAY = {"US01": date(2026, 5, 4)}
VOIDS = {"void": ["erp"], "create_when": "status = 'posted'"}


def voided(record_id: str = "i", **more: Any) -> Row:
    return invoice(record_id, status="void", **more)


def test_an_invoice_that_was_voided_after_it_was_posted_is_voided_in_the_books_of_today(invoices: Invoices) -> None:
    found = invoices([voided()], [invoice("1", number="N-i", version="v3")], **VOIDS)

    (write,) = found.plan("erp", today=TODAY)

    assert (write.request.operation, write.request.record_id, write.expected_version) == (Operation.VOID, "1", "v3")
    assert write.changes == (Change("status", "posted", "void"),)
    assert moves([write]) == [Move("US01", "EUR", "2026-05", 1, -100)]
    assert write.posting_on == TODAY["US01"]


@pytest.mark.parametrize(
    ("billing", "erp", "declared"),
    [
        (voided(), [invoice("1", number="N-i", status="void")], VOIDS),
        (voided(), [], VOIDS),
        (voided(), [invoice("1", number="N-i")], {}),
        (invoice(), [invoice("1", number="N-i")], VOIDS),
    ],
    ids=["it is voided already", "it never was there", "nobody may void there", "it still counts"],
)
def test_nothing_is_voided_that_need_not_or_may_not_be(
    invoices: Invoices, billing: Row, erp: list[Row], declared: dict[str, Any]
) -> None:
    assert invoices([billing], erp, **declared).plan("erp", today=TODAY) == []


def test_a_draft_is_voided_whatever_its_period_for_nothing_is_posted(invoices: Invoices) -> None:
    shut = [month(5, State.CLOSED)]
    found = invoices([voided()], [invoice("1", number="N-i", status="draft")], periods=shut, **VOIDS)

    (write,) = found.plan("erp", today=TODAY)

    assert (write.request.operation, write.posting_on) == (Operation.VOID, None)


@pytest.mark.parametrize("policy", PeriodPolicy)
def test_a_void_waits_while_the_period_of_today_is_closed(invoices: Invoices, policy: PeriodPolicy) -> None:
    shut = [month(5, State.CLOSED), month(6, State.OPEN)]
    found = invoices([voided()], [invoice("1", number="N-i")], periods=shut, closed_period=policy, **VOIDS)

    assert found.plan("erp", can_move=True, today=TODAY) == []
    assert list(found.waiting("erp").values()) == ["period 2026-05 of US01 is closed"]


def test_after_the_void_both_sides_agree_and_the_plan_is_empty(invoices: Invoices) -> None:
    found = invoices([voided()], [invoice("1", number="N-i", status="void")], **VOIDS)

    assert found.reconcile() == []
    assert found.plan("erp", today=TODAY) == []


def test_a_void_that_is_not_made_yet_is_explained_with_its_amount(invoices: Invoices) -> None:
    found = invoices([voided()], [invoice("1", number="N-i")], periods=[month(3, State.OPEN)], **VOIDS)

    (finding,) = found.reconcile()

    assert (finding["kind"], finding["field"], finding["amount_minor"]) == ("differs", "status", -100)


# Documents that came in parts


def test_a_header_without_its_lines_is_found(invoices: Invoices) -> None:
    whole = '[{"product":"A","quantity":"1","amount_minor":100}]'
    found = invoices([invoice(lines=whole)], [invoice("1", number="N-i", lines="[]", net_minor=0, total_minor=0)])

    findings = found.reconcile()

    assert {f["field"] for f in findings} == {"net_minor", "total_minor", "lines"}
    assert [item.amount_minor for item in found.items()] == [100]


def test_a_credit_note_counts_in_its_own_month(invoices: Invoices) -> None:
    credit = {"kind": "credit", "net_minor": -40, "total_minor": -40}
    found = invoices([invoice("i", APRIL), invoice("k", MAY, **credit)])

    assert moves(found.plan("erp")) == [Move("US01", "EUR", "2026-04", 1, 100), Move("US01", "EUR", "2026-05", 1, -40)]
