"""Questions about replies that are lost on the way: each record is there once when a plan was applied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from sync_pipelines.engine.apply import DRIFTED, Application, apply
from sync_pipelines.engine.doubt import Attempted
from sync_pipelines.engine.plan import Write
from sync_pipelines.engine.port import Locking, Outcome, Request, State
from sync_pipelines.errors import InDoubt
from sync_pipelines.testing.conformance.asking import create, fetch, question, says, update
from sync_pipelines.testing.facts import Facts, Fault, NotChecked

LONG = 3600.0
"""Seconds after which whatever was under way has arrived."""


@dataclass
class Book:
    """What the ledger would know of the attempts."""

    states: dict[str, State] = field(default_factory=dict)
    calls: dict[str, Attempted] = field(default_factory=dict)

    def record_intents(self, write_ids: Sequence[str]) -> None:
        self.states |= dict.fromkeys(write_ids, State.INTENT)

    def record_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        self.states |= {outcome.write_id: outcome.state for outcome in outcomes}

    def attempted(self, write_ids: Sequence[str]) -> Mapping[str, Attempted]:
        return {each: self.calls[each] for each in write_ids if each in self.calls}


@question()
def a_plan_whose_outcomes_were_forgotten_is_applied_again_and_leaves_each_record_once(facts: Facts) -> str:
    writes, at = _creates(facts), facts.clock.now()
    _apply(facts, writes, Book())
    facts.clock.sleep(LONG)
    ended = _apply(facts, writes, _intended(writes, at))
    return _told(ended) or _each_once(facts, writes)


@question()
def writes_that_commit_long_after_they_were_given_up_leave_each_record_once(facts: Facts) -> str:
    writes = _creates(facts)
    facts.lose()
    ended = _apply(facts, writes, Book())
    facts.clock.sleep(LONG)
    return _told(ended) or _each_once(facts, writes)


@question()
def writes_that_never_arrived_are_sent_again_and_leave_each_record_once(facts: Facts) -> str:
    writes = _creates(facts)
    facts.system.identity()
    facts.strike(Fault.NEVER_ARRIVED, times=1, writes=True)
    ended = _apply(facts, writes, Book())
    return _told(ended) or _each_once(facts, writes)


@question()
def a_worker_that_was_killed_while_its_call_was_under_way_leaves_each_record_once(facts: Facts) -> str:
    writes = _creates(facts)
    at = facts.clock.now()
    facts.lose()
    with suppress(InDoubt):
        facts.system.write([writes[0].request])
    facts.calm()
    ended = _apply(facts, writes, _intended(writes, at))
    facts.clock.sleep(LONG)
    return _told(ended) or _each_once(facts, writes)


@question("locking")
def an_update_over_somebody_elses_change_is_refused_as_drifted(facts: Facts) -> str:
    if facts.system.passport.locking is Locking.NONE:
        raise NotChecked("a record's version can't be had before a write")
    (record_id,) = facts.put("mine")
    version = fetch(facts, record_id).version
    facts.clock.sleep(max(2, facts.system.passport.grain_seconds))
    facts.change(record_id, "theirs")
    request = update(create(facts, "ours", body=facts.renamed("ours")), record_id)
    ended = _apply(facts, [_write(facts, request, version=version)], Book())[request.write_id]
    if (ended.state, ended.code) != (State.REFUSED, DRIFTED):
        return f"it is {ended.state} {ended.code}"
    return "" if says(fetch(facts, record_id).payload, "theirs") else "somebody else's change was overwritten"


def _creates(facts: Facts) -> list[Write]:
    if facts.system.passport.key_of(facts.object) is None:
        raise NotChecked(f"{facts.object} has no field for an external id")
    return [_write(facts, create(facts, f"doubt-{number}")) for number in range(3)]


def _write(facts: Facts, request: Request, *, version: str | None = None) -> Write:
    return Write(request, "customer", facts.system.name, f"link-{request.write_id}", request.write_id, (), version)


def _intended(writes: Sequence[Write], at: datetime) -> Book:
    """What is on record when nobody saw how the calls ended that left at a time."""
    names = [each.request.write_id for each in writes]
    return Book(dict.fromkeys(names, State.INTENT), dict.fromkeys(names, Attempted(at, at)))


def _apply(facts: Facts, writes: Sequence[Write], book: Book) -> dict[str, Outcome]:
    on = Application(facts.system, book, lambda name: facts.shape, facts.clock, patience=LONG)
    return apply(on, writes, dict(book.states))


def _told(ended: Mapping[str, Outcome]) -> str:
    wrong = [f"{outcome.state} {outcome.code}" for outcome in ended.values() if outcome.state is not State.CONFIRMED]
    return f"in the end a write is {wrong[0]}" if wrong else ""


def _each_once(facts: Facts, writes: Sequence[Write]) -> str:
    made = [facts.held(each.request.external_id) for each in writes]
    return "" if set(made) == {1} else f"of the records there are {', '.join(map(str, made))}"
