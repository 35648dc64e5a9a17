from __future__ import annotations

import heapq
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sync_pipelines.errors import RetryLater
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.systems.budget import Budget, OwnTurns, RetryBudget, Usage

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


def processes(turns, calls_per_second, pauses) -> Iterator[float]:
    """The seconds at which processes call one system, each after its next pause; what comes first goes first."""
    due = []
    for number, waits in enumerate(pauses):
        clock = VirtualClock(START)
        budget = Budget("crm", calls_per_second, 4, clock=clock)
        budget.share(turns)
        due.append((0.0, number, clock, budget, iter(waits)))
    heapq.heapify(due)
    while due:
        at, number, clock, budget, waits = heapq.heappop(due)
        clock.advance(at - seconds(clock))
        with budget.slot():
            yield seconds(clock)
        if (pause := next(waits, None)) is not None:
            heapq.heappush(due, (seconds(clock) + pause, number, clock, budget, waits))


BURSTS = st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.5, 0.6, 3.0]), st.integers(1, 12)), min_size=1, max_size=4)


@example(10, [[(0.0, 1), (0.5, 5)], [(0.5, 10)]])
@example(10, [[(3.0, 5)]] * 3)
@given(st.sampled_from([0.5, 1, 4, 10]), st.lists(BURSTS, min_size=1, max_size=3))
def test_processes_that_share_a_pace_never_exceed_it_together(calls_per_second, bursts):
    pauses = [[each for pause, size in of_one for each in (pause, *[0.0] * (size - 1))] for of_one in bursts]

    calls = sorted(processes(OwnTurns(), calls_per_second, pauses))

    interval = 1 / calls_per_second
    free_at = 0.0
    for at in calls:
        assert free_at <= at + max(0.0, 1 - interval) + 1e-3
        free_at = max(free_at, at) + interval
    assert len(calls) == sum(map(len, pauses)) + len(pauses)


def test_processes_that_call_without_a_pause_use_the_whole_pace_together():
    calls = sorted(processes(OwnTurns(), 20, [[0.0] * 99, [0.0] * 99]))

    assert calls[-1] == pytest.approx(10, abs=1)
    assert max(later - earlier for earlier, later in pairwise(calls)) <= 0.5


def test_a_stretch_of_turns_is_leased_at_a_time_and_lapses(clock):
    leased = []

    def turns(count, every, now):
        leased.append((count, every, (now - START).total_seconds()))
        return now

    budget = Budget("crm", 10, 4, clock=clock)
    budget.share(turns)
    for pause in (0, 0.1, 0.1, 5, 0):
        clock.advance(pause)
        with budget.slot():
            pass

    assert leased == [(5, timedelta(seconds=0.1), at) for at in (0, 5.2)]


def test_a_slow_pace_is_leased_turn_by_turn(clock):
    asked = []

    def turns(count, every, now):
        asked.append(count)
        return now + timedelta(seconds=2) * (len(asked) - 1)

    budget = Budget("crm", 0.5, 4, clock=clock)
    budget.share(turns)
    for _ in range(3):
        with budget.slot():
            pass

    assert asked == [1, 1, 1]
    assert seconds(clock) == pytest.approx(6)
