"""Several calls under way at the same time: what may overlap, what may not, and how it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from sync_pipelines.engine.apply import NOT_SENT, Application, apply
from sync_pipelines.engine.doubt import Attempted
from sync_pipelines.engine.plan import Write
from sync_pipelines.engine.port import Operation, Outcome, Request, State
from sync_pipelines.engine.sending import batches
from sync_pipelines.errors import FixConfiguration, InDoubt, RetryLater, SetAside
from sync_pipelines.testing.memory import PASSPORT, MemorySystem

SINGLE = replace(PASSPORT, batch_max=1)
PATIENCE = 30.0
"""Seconds after which a thread that waits for another one has waited in vain."""


@dataclass
class Book:
    """The ledger's part. It knows which writes are under way, and tells when one has ended so."""

    intents: list[str] = field(default_factory=list)
    under_way: set[str] = field(default_factory=set)
    together: list[set[str]] = field(default_factory=list)
    """What was under way together, each time that a call left."""
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    ended: dict[State, threading.Event] = field(default_factory=lambda: {state: threading.Event() for state in State})

    def record_intents(self, write_ids: Sequence[str]) -> None:
        self.intents += write_ids
        self.under_way |= set(write_ids)
        self.together.append(set(self.under_way))

    def record_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            self.under_way.discard(outcome.write_id)
            self.outcomes[outcome.write_id] = outcome
            self.ended[outcome.state].set()

    def attempted(self, write_ids: Sequence[str]) -> Mapping[str, Attempted]:
        return {}

    def wait_for(self, state: State) -> None:
        assert self.ended[state].wait(PATIENCE)


def write(name: str, *, deal: str = "", link: str = "", record_id: str | None = None) -> Write:
    operation = Operation.UPDATE if record_id else Operation.CREATE
    link_id = link or f"link-{name}"
    request = Request(name, "account", operation, record_id, link_id, {"name": name}, (), f"key-{name}", deal)
    return Write(request, "customer", "memory", link_id, name, (), None)


def sent(
    system: MemorySystem, writes: Sequence[Write], *, concurrency: int, book: Book, **states: State
) -> dict[str, Outcome]:
    return apply(Application(system, book, lambda _: {}, system.clock, concurrency=concurrency), writes, states)


def meeting(number: int, then: Callable[[str], None] = lambda name: None) -> Callable[[Sequence[Request]], None]:
    """A hook that lets a call go on only when so many are under way; and then does something."""
    barrier = threading.Barrier(number)

    def meet(requests: Sequence[Request]) -> None:
        barrier.wait(PATIENCE)
        then(requests[0].write_id)

    return meet


def names(system: MemorySystem) -> list[str]:
    return sorted(stored.fields["name"] for stored in system.records["account"].values())


# What overlaps


def test_calls_of_one_plan_are_under_way_at_the_same_time() -> None:
    system = MemorySystem(passport=SINGLE, before=meeting(3))

    ended = sent(system, [write(n) for n in "abcdef"], concurrency=3, book=Book())

    assert {o.state for o in ended.values()} == {State.CONFIRMED}
    assert names(system) == list("abcdef")


def test_no_more_calls_are_under_way_than_the_system_takes() -> None:
    book = Book()

    sent(MemorySystem(passport=SINGLE), [write(n) for n in "abcdefgh"], concurrency=3, book=book)

    assert max(map(len, book.together)) == 3
    assert len(book.together) == 8


def test_where_one_call_is_taken_at_a_time_it_is_made_by_the_thread_that_applies() -> None:
    threads, book = set(), Book()
    system = MemorySystem(passport=SINGLE, before=lambda _: threads.add(threading.get_ident()))

    sent(system, [write(n) for n in "bca"], concurrency=1, book=book)

    assert threads == {threading.get_ident()}
    assert system.sent == ["a", "b", "c"]
    assert max(map(len, book.together)) == 1


# What follows one another


def test_writes_of_one_deal_are_never_under_way_together_and_keep_their_order() -> None:
    book = Book()
    writes = [write(f"{n}{deal}", deal=deal) for n in "123" for deal in ("x", "y")]

    sent(MemorySystem(passport=SINGLE), writes, concurrency=4, book=book)

    assert all(len({name[-1] for name in together}) == len(together) for together in book.together)
    assert max(map(len, book.together)) == 2
    assert [name for name in book.intents if name.endswith("x")] == ["1x", "2x", "3x"]


def test_writes_of_one_link_are_never_under_way_together() -> None:
    book = Book()
    writes = [write("a", link="l", deal="x"), write("b", link="l", deal="y"), write("c")]

    sent(MemorySystem(passport=SINGLE), writes, concurrency=3, book=book)

    assert not any({"a", "b"} <= together for together in book.together)
    assert book.intents == ["a", "c", "b"]


def test_all_of_one_operation_has_ended_before_the_next_begins() -> None:
    book, system = Book(), MemorySystem(passport=SINGLE)
    for number in "12":
        system.put("account", number, {"name": number})

    sent(
        system, [write("p", record_id="1"), write("q", record_id="2"), write("a"), write("b")], concurrency=4, book=book
    )

    assert book.together == [{"a"}, {"a", "b"}, {"p"}, {"p", "q"}]


def test_what_is_about_one_deal_goes_in_one_call() -> None:
    writes = [write(f"{n}{deal}", deal=deal) for n in "12" for deal in "xyz"]

    (alike,) = batches(writes, 4)

    assert [[w.label for w in batch.writes] for batch in alike] == [["1x", "1y", "2x", "2y"], ["1z", "2z"]]


def test_a_deal_that_one_call_can_not_carry_goes_in_several() -> None:
    writes = [write(f"{n}x", deal="x") for n in "12345"] + [write("0y", deal="y")]

    (alike,) = batches(writes, 2)

    assert [[w.label for w in batch.writes] for batch in alike] == [["0y", "5x"], ["1x", "2x"], ["3x", "4x"]]


# How it ends


def test_a_lost_reply_concerns_only_the_call_that_it_belongs_to() -> None:
    lost = ["b"]

    def lose(name: str) -> None:
        if name in lost:
            lost.remove(name)
            raise InDoubt("reset")

    system = MemorySystem(passport=SINGLE)
    first = meeting(2, lose)
    system.before = lambda requests: first(requests) if len(system.sent) <= 2 else None
    ended = sent(system, [write("a"), write("b")], concurrency=2, book=Book())

    assert {o.state for o in ended.values()} == {State.CONFIRMED}
    assert sorted(system.sent) == ["a", "b", "b"]
    assert names(system) == ["a", "b"]


def test_a_system_that_asks_for_patience_gets_nothing_that_was_not_sent_yet() -> None:
    book = Book()

    def ask(name: str) -> None:
        if name == "a":
            raise RetryLater("maintenance")
        book.wait_for(State.FAILED)

    system = MemorySystem(passport=SINGLE, before=meeting(2, ask))
    ended = sent(system, [write(n) for n in "abcdef"], concurrency=2, book=book)

    assert sorted(system.sent) == ["a", "b"]
    assert {name: o.state for name, o in ended.items()} == {"a": State.FAILED, "b": State.CONFIRMED}


def test_an_error_that_ends_the_apply_is_told_when_all_calls_have_ended() -> None:
    book = Book()

    def refuse(name: str) -> None:
        if name in "ab":
            raise FixConfiguration("the key is not accepted")
        book.wait_for(State.FAILED)

    system = MemorySystem(passport=SINGLE, before=meeting(3, refuse))
    with pytest.raises(FixConfiguration, match="the key"):
        sent(system, [write(n) for n in "abcdef"], concurrency=3, book=book)

    states = {name: outcome.state for name, outcome in book.outcomes.items()}
    assert states == {"a": State.FAILED, "b": State.FAILED, "c": State.CONFIRMED}
    assert not book.under_way


def test_a_batch_that_is_refused_as_a_whole_is_split_while_others_are_under_way() -> None:
    def whole(requests: Sequence[Request]) -> None:
        if any(r.write_id == "c" for r in requests):
            raise SetAside("period is closed", code="UserError")

    system = MemorySystem(passport=replace(PASSPORT, batch_max=4, batch_atomic=True), before=whole)
    ended = sent(system, [write(n) for n in "abcdefgh"], concurrency=3, book=Book())

    assert names(system) == list("abdefgh")
    assert ended["c"].code == "UserError"


def test_what_is_left_of_a_refused_batch_when_the_system_asks_for_patience_was_not_sent() -> None:
    def refuse(requests: Sequence[Request]) -> None:
        raise RetryLater("maintenance") if len(requests) < 4 else SetAside("one is wrong", code="UserError")

    book = Book()
    system = MemorySystem(passport=replace(PASSPORT, batch_max=4), before=refuse)
    ended = sent(system, [write(n) for n in "abcd"], concurrency=1, book=book)

    assert {(o.state, o.code) for o in ended.values()} == {(State.FAILED, NOT_SENT)}
    assert list(ended) == ["a", "b", "c", "d"]
    assert not book.under_way


class Died(BaseException):
    """The process is gone."""


def test_a_process_that_dies_with_calls_under_way_leaves_intents_that_the_next_one_settles() -> None:
    class Dying(Book):
        def record_outcomes(self, outcomes: Sequence[Outcome]) -> None:
            raise Died

    book, system = Dying(), MemorySystem(passport=SINGLE, before=meeting(2))
    writes = [write(n) for n in "abcd"]
    with pytest.raises(Died):
        sent(system, writes, concurrency=2, book=book)
    assert book.intents == ["a", "b"]

    again = sent(system, writes, concurrency=2, book=Book(), a=State.INTENT, b=State.INTENT)

    assert {o.state for o in again.values()} == {State.CONFIRMED}
    assert sorted(system.sent) == list("abcd")
    assert names(system) == list("abcd")
