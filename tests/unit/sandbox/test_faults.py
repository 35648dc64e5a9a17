"""Fault plans: the rules strike when they say, and only then."""

import pytest

from sync_pipelines.sandbox.faults import AFTER, BEFORE, FaultPlan, Rule


def struck(rule: Rule, times: int, subject: str = "POST /things") -> list[int]:
    plan = FaultPlan([rule])
    return [n for n in range(1, times + 1) if plan.strike(subject, (rule.kind,))]


def test_nth_strikes_once_every_strikes_again_and_times_ends_it() -> None:
    assert struck(Rule(route="^POST /things$", kind="status", nth=3), 9) == [3]
    assert struck(Rule(route="^POST /things$", kind="status", every=3), 9) == [3, 6, 9]
    assert struck(Rule(route="^POST /things$", kind="status", times=2), 9) == [1, 2]


def test_a_share_is_drawn_from_its_seed() -> None:
    rule = Rule(route="POST", kind="status", share=0.3, seed=11)

    drawn = struck(rule, 1000)

    assert 250 < len(drawn) < 350
    assert drawn == struck(rule, 1000)
    assert drawn != struck(Rule(route="POST", kind="status", share=0.3, seed=12), 1000)


def test_other_routes_and_other_moments_are_not_counted() -> None:
    plan = FaultPlan([Rule(route="^POST /things$", kind="drop_after_commit", nth=1)])

    assert plan.strike("GET /things", AFTER) == []
    assert plan.strike("POST /things", BEFORE) == []
    assert len(plan.strike("POST /things", AFTER)) == 1


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown kind of fault 'explode'"):
        Rule(route=".", kind="explode")
