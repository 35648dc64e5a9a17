from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from sync_pipelines.errors import RetryLater
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.systems.budget import Budget, RetryBudget, Usage

START = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture
def clock():
    return VirtualClock(START)


def seconds(clock):
    return (clock.now() - START).total_seconds()


def test_a_second_of_calls_may_go_at_once_and_then_they_are_spaced(clock):
    budget = Budget("crm", 10, 4, clock=clock)

    for _ in range(10):
        with budget.slot():
            pass
    burst = seconds(clock)
    for _ in range(20):
        with budget.slot():
            pass

    assert burst == 0
    assert seconds(clock) == pytest.approx(2.0)


def test_less_than_one_call_a_second_can_be_allowed(clock):
    budget = Budget("crm", 0.5, 1, clock=clock)

    for _ in range(3):
        with budget.slot():
            pass

    assert seconds(clock) == pytest.approx(4.0)


def test_no_more_calls_run_at_once_than_allowed(clock):
    budget = Budget("crm", 1000, 2, clock=clock)
    both, release, entered = threading.Barrier(3), threading.Event(), threading.Event()

    def hold():
        with budget.slot():
            both.wait(5)
            release.wait(5)

    def third():
        with budget.slot():
            entered.set()

    threads = [threading.Thread(target=hold) for _ in range(2)]
    for thread in threads:
        thread.start()
    both.wait(5)
    waiting = threading.Thread(target=third)
    waiting.start()
    early = entered.wait(0.05)
    release.set()
    for thread in [*threads, waiting]:
        thread.join(5)

    assert not early
    assert entered.is_set()


def test_a_slot_is_given_back_when_the_call_fails(clock):
    budget = Budget("crm", 1000, 1, clock=clock)

    with pytest.raises(KeyError), budget.slot():
        raise KeyError
    with budget.slot():
        pass


def test_a_limit_used_up_by_others_is_left_alone_for_a_minute_and_then_asked_once(clock):
    budget = Budget("crm", 1000, 1, clock=clock)
    budget.observe(Usage(100, 100))

    with pytest.raises(RetryLater) as caught, budget.slot():
        pass
    clock.advance(61)
    with budget.slot():
        pass
    with pytest.raises(RetryLater), budget.slot():
        pass

    assert caught.value.after == 60


def test_an_answer_that_says_nothing_about_use_changes_nothing(clock):
    budget = Budget("crm", 1000, 1, clock=clock)
    budget.observe(Usage(18, 5000))

    budget.observe(None)

    assert budget.usage == Usage(18, 5000)


def test_retries_are_paid_from_successes():
    budget = RetryBudget(capacity=2, earned=0.5)

    spent = [budget.spend() for _ in range(3)]
    budget.earn()
    too_early = budget.spend()
    budget.earn()

    assert spent == [True, True, False]
    assert not too_early
    assert budget.spend()
