"""Replies that are lost on the way from Salesforce, Stripe and Tryton: each record is there once in the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from stand_in_salesforce import SalesforceFacts
from stand_in_stripe import StripeFacts
from stand_in_tryton import TrytonFacts

from sync_pipelines.engine.apply import DRIFTED, Application, apply
from sync_pipelines.engine.doubt import Attempted
from sync_pipelines.engine.plan import Write
from sync_pipelines.engine.port import Operation, Outcome, Request, State
from sync_pipelines.errors import InDoubt
from sync_pipelines.testing.stand_in import NOW, StandIn

every_system = pytest.mark.parametrize("new", [SalesforceFacts, StripeFacts, TrytonFacts])
PATIENT = 3600.0


@dataclass
class Book:
    """What the ledger would know of attempts."""

    states: dict[str, State] = field(default_factory=dict)
    calls: dict[str, Attempted] = field(default_factory=dict)

    def record_intents(self, write_ids: Sequence[str]) -> None:
        self.states |= dict.fromkeys(write_ids, State.INTENT)

    def record_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        self.states |= {outcome.write_id: outcome.state for outcome in outcomes}

    def attempted(self, write_ids: Sequence[str]) -> Mapping[str, Attempted]:
        return {each: self.calls[each] for each in write_ids if each in self.calls}


def creates(at: StandIn, count: int) -> list[Write]:
    return [write(at, f"{number:03}") for number in range(count)]


def write(at: StandIn, name: str, *, record_id: str | None = None, version: str | None = None) -> Write:
    operation = Operation.UPDATE if record_id else Operation.CREATE
    request = Request(name, at.object, operation, record_id, f"probe-{name}", at.body(name), (), f"key-{name}")
    return Write(request, "customer", at.vendor, f"link-{name}", name, (), version)


def applied(at: StandIn, writes: Sequence[Write], book: Book, *, patience: float = PATIENT) -> dict[str, Outcome]:
    on = Application(at.system, book, lambda name: at.shape, at.clock, patience=patience)
    return apply(on, writes, dict(book.states))


def ids_held(at: StandIn, writes: Sequence[Write]) -> set[int]:
    return {at.held(each.request.external_id) for each in writes}


@every_system
def test_calls_that_commit_long_after_they_were_given_up_leave_each_record_once(new: type[StandIn]) -> None:
    at, book = new(), Book()
    writes = creates(at, 3)
    at.lose()

    ended = applied(at, writes, book)
    at.clock.advance(3600)
    at.wire.arrive()

    assert {outcome.state for outcome in ended.values()} == {State.CONFIRMED}
    assert ids_held(at, writes) == {1}


@every_system
def test_calls_that_never_arrive_are_sent_again_after_the_settling_time(new: type[StandIn]) -> None:
    at, book = new(), Book()
    writes = creates(at, 3)
    left = NOW + timedelta(seconds=1)
    at.wire.hold(lambda request: at.is_write(request) and at.clock.now() < left, seconds=1e9)

    ended = applied(at, writes, book)

    assert {outcome.state for outcome in ended.values()} == {State.CONFIRMED}
    assert ids_held(at, writes) == {1}


@every_system
def test_a_worker_that_was_killed_while_its_call_was_under_way_leaves_each_record_once(new: type[StandIn]) -> None:
    at = new()
    writes = creates(at, 2)
    at.lose()
    killed = at.open(at.wire)
    with suppress(InDoubt):
        killed.write([writes[0].request])
    at.wire.hold(lambda request: False, seconds=0)
    book = Book(dict.fromkeys(("000", "001"), State.INTENT), dict.fromkeys(("000", "001"), Attempted(NOW, NOW)))

    ended = applied(at, writes, book)
    at.clock.advance(3600)
    at.wire.arrive()

    assert {outcome.state for outcome in ended.values()} == {State.CONFIRMED}
    assert ids_held(at, writes) == {1}


@every_system
def test_an_update_over_somebody_elses_change_is_refused_as_drifted(new: type[StandIn]) -> None:
    at, book = new(), Book()
    (record_id,) = at.put("mine")
    version = at.system.fetch(at.object, at.shape, [record_id])[record_id].version
    at.clock.advance(2)
    at.change(record_id, "theirs")

    ended = applied(at, [write(at, "again", record_id=record_id, version=version)], book)

    assert (ended["again"].state, ended["again"].code) == (State.REFUSED, DRIFTED)
    assert b"theirs" in at.system.fetch(at.object, at.shape, [record_id])[record_id].payload
