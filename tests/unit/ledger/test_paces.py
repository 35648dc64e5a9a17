"""Turns at a system: whoever takes them, on whichever connection, no two get the same."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from sync_pipelines.ledger import Ledger
from sync_pipelines.systems.budget import OwnTurns
from tests.conftest import StandingClock

EVERY = timedelta(milliseconds=20)


def test_turns_are_given_as_a_process_would_give_them_to_itself(ledger: Ledger, clock: StandingClock) -> None:
    times, own = [clock.at + timedelta(seconds=each) for each in (0, 0, 0.01, 3)], OwnTurns()

    shared = [ledger.lease_turns("crm", 5, EVERY, at) for at in times]

    assert shared == [own(5, EVERY, at) for at in times]
    assert ledger.lease_turns("erp", 1, EVERY, clock.at) == clock.at


def test_processes_that_ask_at_once_never_get_the_same_turn(
    ledger: Ledger, database_url: str, clock: StandingClock
) -> None:
    def work(_: int) -> list[datetime]:
        with Ledger.connect(database_url) as other:
            return [other.lease_turns("crm", 5, EVERY, clock.at) for _ in range(20)]

    with ThreadPoolExecutor(4) as pool:
        taken = sorted(each for done in pool.map(work, range(4)) for each in done)

    assert taken == [clock.at + EVERY * 5 * n for n in range(80)]
