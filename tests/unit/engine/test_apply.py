"""Apply against a system that loses replies, drifts and refuses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from sync_pipelines.engine.apply import DRIFTED, Application, apply
from sync_pipelines.engine.plan import Change, Write
from sync_pipelines.engine.port import Operation, Outcome, Passport, Request, State
from sync_pipelines.errors import InDoubt, RetryLater, SetAside
from sync_pipelines.testing.memory import PASSPORT, MemorySystem


@dataclass
class Book:
    """The ledger's part, as lists."""

    intents: list[str] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)

    def record_intents(self, write_ids: Sequence[str]) -> None:
        self.intents += write_ids

    def record_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        self.outcomes += outcomes


def write(name: str, *, record_id: str | None = None, version: str | None = None) -> Write:
    operation = Operation.UPDATE if record_id else Operation.CREATE
    request = Request(f"w-{name}", "account", operation, record_id, f"link-{name}", {"name": name}, (), f"key-{name}")
    return Write(request, "customer", "memory", f"link-{name}", name, (Change("name", None, name),), version)


def carried_out(system: MemorySystem, writes: list[Write], **states: State) -> tuple[dict[str, Outcome], Book]:
    book = Book()
    ended = apply(Application(system, book, lambda _: {}), writes, {f"w-{n}": s for n, s in states.items()})
    return ended, book


def names(system: MemorySystem) -> list[str]:
    return sorted(stored.fields["name"] for stored in system.records.get("account", {}).values())


def test_every_write_is_on_record_before_it_leaves() -> None:
    book, seen = Book(), []
    system = MemorySystem(
        before=lambda requests: seen.append([r.write_id for r in requests] == book.intents[-len(requests) :])
    )

    apply(Application(system, book, lambda _: {}), [write(n) for n in "abcd"], {})

    assert seen == [True, True]
    assert names(system) == ["a", "b", "c", "d"]
    assert {o.state for o in book.outcomes} == {State.CONFIRMED}


def test_a_reply_lost_after_the_commit_is_found_by_read_back_and_not_sent_again() -> None:
    system = MemorySystem()

    def lose(requests: Sequence[Request]) -> None:
        raise ConnectionError("reset")

    system.after = lose
    ended, _ = carried_out(system, [write("a")])

    assert ended["w-a"].state is State.CONFIRMED
    assert ended["w-a"].code == "read_back"
    assert system.sent == ["w-a"]


def test_a_call_lost_before_the_commit_is_sent_once_more_after_the_read_back() -> None:
    system, lost = MemorySystem(), [True]

    def drop(requests: Sequence[Request]) -> None:
        if lost.pop() if lost else False:
            raise InDoubt("timed out")

    system.before = drop
    ended, _ = carried_out(system, [write("a")])

    assert ended["w-a"].state is State.CONFIRMED
    assert system.sent == ["w-a", "w-a"]
    assert system.calls.by_route["find account"] == 1
    assert names(system) == ["a"]


def test_a_write_that_stays_unanswered_stays_in_doubt() -> None:
    def drop(requests: Sequence[Request]) -> None:
        raise InDoubt("timed out")

    ended, _ = carried_out(MemorySystem(before=drop), [write("a")])

    assert ended["w-a"].state is State.IN_DOUBT


@pytest.mark.parametrize("left", [State.INTENT, State.IN_DOUBT])
def test_what_a_killed_run_left_open_is_read_back_first(left: State) -> None:
    system = MemorySystem()
    system.put("account", "7", {"name": "a"}, external_id="link-a")

    ended, _ = carried_out(system, [write("a")], a=left)

    assert ended["w-a"].record_id == "7"
    assert system.sent == []


def test_a_target_that_changed_since_the_plan_is_refused_and_left_alone() -> None:
    system = MemorySystem()
    system.put("account", "1", {"name": "edited by hand"})

    ended, _ = carried_out(system, [write("a", record_id="1", version="0")])

    assert ended["w-a"].state is State.REFUSED
    assert ended["w-a"].code == DRIFTED
    assert names(system) == ["edited by hand"]


def test_a_target_that_is_gone_is_refused() -> None:
    ended, _ = carried_out(MemorySystem(), [write("a", record_id="1", version="0")])

    assert ended["w-a"].code == DRIFTED
    assert "no longer there" in ended["w-a"].message


def test_an_update_lost_before_the_commit_is_told_from_one_lost_after_by_its_version() -> None:
    system = MemorySystem()
    system.put("account", "1", {"name": "old"})
    system.put("account", "2", {"name": "new"})

    ended, _ = carried_out(
        system,
        [write("a", record_id="1", version="1"), write("b", record_id="2", version="1")],
        a=State.IN_DOUBT,
        b=State.IN_DOUBT,
    )

    assert system.sent == ["w-a"]
    assert {o.state for o in ended.values()} == {State.CONFIRMED}


def test_one_refused_record_does_not_keep_the_others() -> None:
    system = MemorySystem(refuse=lambda request: "no such country" if request.body["name"] == "b" else "")

    ended, _ = carried_out(system, [write(n) for n in "abc"])

    assert [ended[f"w-{n}"].state for n in "abc"] == [State.CONFIRMED, State.REFUSED, State.CONFIRMED]


def test_an_atomic_batch_is_halved_until_the_refused_record_stands_alone() -> None:
    def whole(requests: Sequence[Request]) -> None:
        if any(r.body["name"] == "c" for r in requests):
            raise SetAside("period is closed", code="UserError")

    passport = Passport(
        **{**{n: getattr(PASSPORT, n) for n in PASSPORT.__slots__}, "batch_max": 4, "batch_atomic": True}
    )
    system = MemorySystem(passport=passport, before=whole)
    ended, _ = carried_out(system, [write(n) for n in "abcd"])

    assert names(system) == ["a", "b", "d"]
    assert ended["w-c"].state is State.REFUSED
    assert ended["w-c"].code == "UserError"


def test_a_system_that_is_down_is_not_asked_again_and_the_rest_stays_planned() -> None:
    def down(requests: Sequence[Request]) -> None:
        raise RetryLater("maintenance")

    system = MemorySystem(before=down)
    ended, book = carried_out(system, [write(n) for n in "abcdefg"])

    assert system.calls.by_route["write"] == 1
    assert {o.state for o in ended.values()} == {State.FAILED}
    assert len(ended) == 3
    assert len(book.intents) == 3
