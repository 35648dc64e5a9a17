"""Applying twice equals once, however the first time ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import cycle

from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from sync_pipelines.engine.apply import Application, apply
from sync_pipelines.engine.doubt import Attempted
from sync_pipelines.engine.plan import Change, Write
from sync_pipelines.engine.port import Operation, Outcome, Request, State
from sync_pipelines.errors import InDoubt, RetryLater
from sync_pipelines.testing.memory import MemorySystem
from tests.conftest import StandingClock


class Interrupted(BaseException):
    """The process was killed."""


class Ledger:
    """What the ledger keeps of each write."""

    def __init__(self, clock: StandingClock) -> None:
        self.clock = clock
        self.states: dict[str, State] = {}
        self.attempts: dict[str, Attempted] = {}

    def record_intents(self, write_ids: Sequence[str]) -> None:
        self.states |= dict.fromkeys(write_ids, State.INTENT)
        now = self.clock.now()
        for key in write_ids:
            first_at = self.attempts[key].first_at if key in self.attempts else now
            self.attempts[key] = Attempted(first_at, now)

    def record_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        self.states |= {outcome.write_id: outcome.state for outcome in outcomes}
        for outcome in outcomes:
            if known := self.attempts.get(outcome.write_id):
                self.attempts[outcome.write_id] = replace(known, ended_at=self.clock.now())

    def attempted(self, write_ids: Sequence[str]) -> dict[str, Attempted]:
        return {key: self.attempts[key] for key in write_ids if key in self.attempts}


def write(name: str, existing: bool) -> Write:
    operation = Operation.UPDATE if existing else Operation.CREATE
    record_id, version = (f"old-{name}", "1") if existing else (None, None)
    request = Request(f"w-{name}", "account", operation, record_id, f"link-{name}", {"name": name}, (), f"key-{name}")
    return Write(request, "customer", "memory", f"link-{name}", name, (Change("name", None, name),), version)


def fresh(writes: Sequence[Write]) -> MemorySystem:
    system = MemorySystem()
    for each in writes:
        if each.request.record_id:
            system.put("account", each.request.record_id, {"name": "old"}, external_id=each.link_id)
            system.records["account"][each.request.record_id].revision = 1
    system.revision = 1
    return system


def tolerated(system: MemorySystem, ledger: Ledger, writes: Sequence[Write]) -> None:
    """Apply as a run does: what is settled is not asked for again; a kill ends it where it is."""
    todo = [w for w in writes if ledger.states.get(w.request.write_id, State.PLANNED) not in SETTLED]
    try:
        apply(Application(system, ledger, lambda _: {}, ledger.clock), todo, ledger.states)
    except Interrupted:
        return


SETTLED = {State.CONFIRMED, State.REFUSED}
TROUBLE = st.sampled_from(
    ["none", "in_doubt_before", "lost_after", "down", "killed_before", "killed_within", "killed_after"]
)


def troubled(system: MemorySystem, kinds: list[str]) -> None:
    """Each call meets the next trouble, and none when there is no more."""
    calls = iter(kinds)
    now = ["none"]
    left: Iterator[bool] = cycle([False, True])

    def before(requests: Sequence[Request]) -> None:
        now[0] = next(calls, "none")
        match now[0]:
            case "in_doubt_before":
                raise InDoubt("timed out")
            case "down":
                raise RetryLater("maintenance")
            case "killed_before":
                raise Interrupted

    def after(requests: Sequence[Request]) -> None:
        match now[0]:
            case "lost_after":
                raise ConnectionError("reset")
            case "killed_after":
                raise Interrupted

    def within(request: Request) -> str:
        if now[0] == "killed_within" and next(left, False):
            raise Interrupted
        return ""

    system.before, system.after, system.refuse = before, after, within


def names(system: MemorySystem) -> list[str]:
    return sorted(stored.fields["name"] for stored in system.records.get("account", {}).values())


@given(
    existing=st.lists(st.booleans(), min_size=1, max_size=5),
    trouble=st.lists(TROUBLE, max_size=5),
)
@effort(max_examples=150, deadline=None)
def test_applying_again_and_again_ends_where_applying_once_without_trouble_does(
    existing: list[bool], trouble: list[str]
) -> None:
    writes = [write(f"{n}", known) for n, known in enumerate(existing)]
    system, ledger = fresh(writes), Ledger(StandingClock())
    troubled(system, trouble)

    for _ in range(len(trouble) + 2):
        ledger.states = {k: State.PLANNED if s is State.FAILED else s for k, s in ledger.states.items()}
        tolerated(system, ledger, writes)

    assert names(system) == sorted(w.request.body["name"] for w in writes)
    assert set(ledger.states.values()) == {State.CONFIRMED}
