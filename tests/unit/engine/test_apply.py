"""Apply against a system that loses replies, drifts and refuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from sync_pipelines.engine.apply import DRIFTED, NOT_COMMITTED, OVERTAKEN, TAKEN, Application, apply, checks
from sync_pipelines.engine.doubt import AWAITED, NO_KEY, OVERDUE, UNSETTLED, Attempted, holds
from sync_pipelines.engine.outcome import Result
from sync_pipelines.engine.plan import Change, Write
from sync_pipelines.engine.port import Found, Locking, Operation, Outcome, Request, State
from sync_pipelines.errors import InDoubt, RetryLater, SetAside
from sync_pipelines.testing.memory import BEGINNING, PASSPORT, MemorySystem


@dataclass
class Book:
    """The ledger's part, as lists."""

    intents: list[str] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    calls: dict[str, Attempted] = field(default_factory=dict)

    def record_intents(self, write_ids: Sequence[str]) -> None:
        self.intents += write_ids

    def record_outcomes(self, outcomes: Sequence[Outcome]) -> None:
        self.outcomes += outcomes

    def attempted(self, write_ids: Sequence[str]) -> Mapping[str, Attempted]:
        return {each: self.calls[each] for each in write_ids if each in self.calls}


def write(name: str, *, record_id: str | None = None, version: str | None = None) -> Write:
    operation = Operation.UPDATE if record_id else Operation.CREATE
    request = Request(f"w-{name}", "account", operation, record_id, f"link-{name}", {"name": name}, (), f"key-{name}")
    return Write(request, "customer", "memory", f"link-{name}", name, (Change("name", None, name),), version)


def carried_out(system: MemorySystem, writes: list[Write], **states: State) -> tuple[dict[str, Outcome], Book]:
    book = Book()
    ended = apply(application(system, book), writes, {f"w-{n}": s for n, s in states.items()})
    return ended, book


def application(system: MemorySystem, book: Book, **more: float) -> Application:
    return Application(system, book, lambda _: {}, system.clock, **more)


def names(system: MemorySystem) -> list[str]:
    return sorted(stored.fields["name"] for stored in system.records.get("account", {}).values())


def test_every_write_is_on_record_before_it_leaves() -> None:
    book, seen = Book(), []
    system = MemorySystem(
        before=lambda requests: seen.append([r.write_id for r in requests] == book.intents[-len(requests) :])
    )

    apply(application(system, book), [write(n) for n in "abcd"], {})

    assert seen == [True, True]
    assert names(system) == ["a", "b", "c", "d"]
    assert {o.state for o in book.outcomes} == {State.CONFIRMED}


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_create_that_finds_its_key_on_a_record_of_another_link_has_made_nothing(is_lost: bool) -> None:
    system, asked = MemorySystem(), []

    def lose(requests: Sequence[Request]) -> None:
        raise ConnectionError("reset")

    def holders(record_ids: Sequence[str]) -> Mapping[str, str]:
        asked.extend(record_ids)
        return {record_id: "link-other" for record_id in record_ids if system_name(system, record_id) == "a"}

    system.after = lose if is_lost else system.after
    on = replace(application(system, Book()), holders=holders)
    ended = apply(on, [write("a"), write("b")], {})

    assert (ended["w-a"].state, ended["w-a"].code, ended["w-a"].record_id) == (State.FAILED, TAKEN, None)
    assert ended["w-b"].state is State.CONFIRMED
    assert len(asked) == 2


def system_name(system: MemorySystem, record_id: str) -> str:
    return str(system.records["account"][record_id].fields["name"])


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


def test_an_update_lost_before_the_commit_is_told_from_one_lost_after_by_what_the_record_says() -> None:
    system = MemorySystem()
    system.put("account", "1", {"name": "old"})
    system.put("account", "2", {"name": "b"})

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

    system = MemorySystem(passport=replace(PASSPORT, batch_max=4, batch_atomic=True), before=whole)
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


# Late commits: what is not there yet may still come


SLOW = replace(PASSPORT, settling_seconds=30)
KEYED = replace(PASSPORT, settling_seconds=30, idempotency_seconds=86_400)


def late(seconds: float, *, first: int = 1, **more: object) -> MemorySystem:
    """A system whose first writes are carried out some seconds after their caller has given up."""
    waiting = [seconds] * first
    return MemorySystem(late=lambda _: waiting.pop() if waiting else 0.0, **more)


def reads(system: MemorySystem) -> int:
    return sum(count for route, count in system.calls.by_route.items() if route.split()[0] in ("find", "fetch"))


def test_a_write_that_commits_after_the_first_read_back_is_there_once_and_was_never_sent_again() -> None:
    system = late(20, passport=SLOW)

    ended, _ = carried_out(system, [write("a")])

    assert ended["w-a"].state is State.CONFIRMED
    assert names(system) == ["a"]
    assert system.sent == ["w-a"]
    assert reads(system) == 2
    assert system.clock.now() - BEGINNING == timedelta(seconds=30)


def test_a_settling_time_that_is_claimed_too_short_doubles_a_record() -> None:
    system = late(20, passport=replace(SLOW, settling_seconds=5))

    carried_out(system, [write("a")])
    system.clock.sleep(60)

    assert system.count("account") == 2


def test_absence_after_the_settling_time_lets_the_write_be_sent_again() -> None:
    lost = [True]

    def drop(requests: Sequence[Request]) -> None:
        if lost.pop() if lost else False:
            raise InDoubt("timed out")

    system = MemorySystem(passport=SLOW, before=drop)
    ended, _ = carried_out(system, [write("a")])

    assert ended["w-a"].state is State.CONFIRMED
    assert system.sent == ["w-a", "w-a"]
    assert reads(system) == 2


def test_a_doubt_that_needs_more_patience_is_left_to_the_next_run_and_never_sent_again() -> None:
    system = late(500, passport=replace(PASSPORT, settling_seconds=600))
    book = Book()

    ended = apply(application(system, book), [write("a")], {})

    assert ended["w-a"].state is State.IN_DOUBT
    assert ended["w-a"].code == UNSETTLED
    assert system.sent == ["w-a"]
    assert system.clock.now() == BEGINNING

    book.calls["w-a"] = Attempted(BEGINNING, BEGINNING, BEGINNING, was_read=True)
    system.clock.sleep(100)
    apply(application(system, book), [write("a")], {"w-a": State.IN_DOUBT})
    assert reads(system) == 1

    system.clock.sleep(500)
    ended = apply(application(system, book), [write("a")], {"w-a": State.IN_DOUBT})
    assert ended["w-a"].state is State.CONFIRMED
    assert names(system) == ["a"]
    assert system.sent == ["w-a"]
    assert reads(system) == 2


def test_a_repeat_under_the_same_key_while_the_first_still_commits_makes_one_record() -> None:
    system = late(20, passport=KEYED)

    ended, _ = carried_out(system, [write("a")])

    assert ended["w-a"].state is State.CONFIRMED
    assert names(system) == ["a"]


def test_where_keys_are_recognised_the_repeat_is_the_read_back() -> None:
    lost = [True]

    def drop(requests: Sequence[Request]) -> None:
        if lost.pop() if lost else False:
            raise InDoubt("reset")

    system = MemorySystem(passport=KEYED, after=drop)
    ended, _ = carried_out(system, [write("a")])

    assert ended["w-a"].state is State.CONFIRMED
    assert names(system) == ["a"]
    assert reads(system) == 0
    assert system.clock.now() == BEGINNING


def test_a_key_that_the_system_has_forgotten_by_now_is_not_trusted() -> None:
    system = MemorySystem(passport=KEYED)
    system.put("account", "7", {"name": "a"}, external_id="link-a")
    book = Book(calls={"w-a": Attempted(BEGINNING, BEGINNING, BEGINNING)})
    system.clock.sleep(86_400)

    ended = apply(application(system, book), [write("a")], {"w-a": State.IN_DOUBT})

    assert ended["w-a"].record_id == "7"
    assert system.sent == []


def test_a_keyed_update_is_not_repeated_over_what_somebody_else_did_since() -> None:
    system = MemorySystem(passport=KEYED)
    system.put("account", "1", {"name": "edited by hand"})
    book = Book(calls={"w-a": Attempted(BEGINNING, BEGINNING, BEGINNING)})

    ended = apply(application(system, book), [write("a", record_id="1", version="0")], {"w-a": State.IN_DOUBT})

    assert (ended["w-a"].state, ended["w-a"].code) == (State.REFUSED, DRIFTED)
    assert names(system) == ["edited by hand"]


def test_a_lost_batch_of_two_hundred_with_three_rows_uncommitted_is_resolved_row_by_row_in_two_reads() -> None:
    wanted = [f"{number:03}" for number in range(200)]
    uncommitted = {"w-017", "w-099", "w-180"}
    system = MemorySystem(passport=replace(SLOW, batch_max=200), late=lambda r: 1e9 * (r.write_id in uncommitted))

    def lose(requests: Sequence[Request]) -> None:
        system.late, system.after = (lambda request: 0.0), (lambda requests: None)
        raise InDoubt("truncated")

    system.after = lose
    ended, _ = carried_out(system, [write(name) for name in wanted])

    assert {outcome.state for outcome in ended.values()} == {State.CONFIRMED}
    assert names(system) == wanted
    assert sorted(system.sent[200:]) == sorted(uncommitted)
    assert reads(system) == 2


@pytest.mark.parametrize("committed", [True, False])
def test_a_worker_killed_between_intent_and_call_leaves_one_record_in_the_end(committed: bool) -> None:
    system = MemorySystem(passport=SLOW)
    if committed:
        system.put("account", "7", {"name": "a"}, external_id="link-a")
    book = Book(calls={"w-a": Attempted(BEGINNING, BEGINNING)})
    system.clock.sleep(5)

    ended = apply(application(system, book), [write("a")], {"w-a": State.INTENT})

    assert ended["w-a"].state is State.CONFIRMED
    assert names(system) == ["a"]
    assert system.sent == ([] if committed else ["w-a"])
    assert system.clock.now() - BEGINNING == timedelta(seconds=5 if committed else 35)


def test_a_worker_killed_long_ago_has_no_call_under_way_any_more() -> None:
    system = MemorySystem(passport=SLOW)
    book = Book(calls={"w-a": Attempted(BEGINNING, BEGINNING)})
    system.clock.sleep(7200)

    apply(application(system, book), [write("a")], {"w-a": State.INTENT})

    assert names(system) == ["a"]
    assert reads(system) == 1
    assert system.clock.now() - BEGINNING == timedelta(seconds=7200)


def test_a_doubt_of_an_earlier_plan_that_nobody_wants_any_more_is_settled_and_not_sent_again() -> None:
    system = MemorySystem()
    book = Book(calls={"w-a": Attempted(BEGINNING, BEGINNING, BEGINNING)})

    ended = apply(application(system, book), [write("a")], {"w-a": State.IN_DOUBT}, wanted=())

    assert (ended["w-a"].state, ended["w-a"].code) == (State.FAILED, NOT_COMMITTED)
    assert system.sent == []


def test_a_record_whose_earlier_write_was_in_doubt_gets_no_second_one_before_it_is_planned_anew() -> None:
    system = MemorySystem()
    system.put("account", "7", {"name": "a"}, external_id="link-a")
    newer = write("a")
    newer = replace(newer, request=replace(newer.request, write_id="w-newer", body={"name": "A"}))

    ended = apply(application(system, Book()), [write("a"), newer], {"w-a": State.IN_DOUBT})

    assert ended["w-a"].state is State.CONFIRMED
    assert (ended["w-newer"].state, ended["w-newer"].code) == (State.FAILED, OVERTAKEN)
    assert system.sent == []


def test_a_newer_write_goes_where_the_earlier_one_was_certainly_never_stored() -> None:
    system = MemorySystem()
    newer = write("a")
    newer = replace(newer, request=replace(newer.request, write_id="w-newer", body={"name": "A"}))

    ended = apply(application(system, Book()), [write("a"), newer], {"w-a": State.IN_DOUBT})

    assert ended["w-a"].code == NOT_COMMITTED
    assert ended["w-newer"].state is State.CONFIRMED
    assert names(system) == ["A"]


def test_a_doubtful_write_stays_in_doubt_when_its_repeat_was_not_taken() -> None:
    asked = []

    def throttled(requests: Sequence[Request]) -> None:
        asked.append(requests)
        raise InDoubt("timed out") if len(asked) == 1 else RetryLater("throttled")

    slow = replace(KEYED, settling_seconds=600)
    ended, _ = carried_out(MemorySystem(passport=slow, before=throttled), [write("a")])

    assert len(asked) == 2
    assert ended["w-a"].state is State.IN_DOUBT


def test_a_doubtful_write_without_a_key_in_its_object_is_left_to_a_person() -> None:
    def drop(requests: Sequence[Request]) -> None:
        raise InDoubt("timed out")

    system = MemorySystem(passport=replace(PASSPORT, keys={}), before=drop)
    ended, _ = carried_out(system, [write("a")])

    assert (ended["w-a"].state, ended["w-a"].code) == (State.IN_DOUBT, NO_KEY)
    assert system.sent == ["w-a"]


# Preconditions


def test_the_version_travels_with_the_write_where_the_system_checks_it_itself() -> None:
    system = MemorySystem(passport=replace(PASSPORT, locking=Locking.NATIVE))
    system.put("account", "1", {"name": "edited by hand"})
    system.put("account", "2", {"name": "old"})

    ended, _ = carried_out(system, [write("a", record_id="1", version="0"), write("b", record_id="2", version="2")])

    assert (ended["w-a"].state, ended["w-a"].code) == (State.REFUSED, DRIFTED)
    assert ended["w-b"].state is State.CONFIRMED
    assert names(system) == ["b", "edited by hand"]
    assert reads(system) == 0


def test_targets_are_read_again_batch_by_batch_just_before_they_are_written() -> None:
    system = MemorySystem()
    for record_id in "1234":
        system.put("account", record_id, {"name": record_id})

    def somebody_else(requests: Sequence[Request]) -> None:
        if system.records["account"]["4"].revision == 4:
            system.put("account", "4", {"name": "edited by hand"})

    system.after = somebody_else
    ended, _ = carried_out(system, [write(n, record_id=i, version=i) for n, i in zip("abcd", "1234", strict=True)])

    assert [ended[f"w-{n}"].state for n in "abcd"] == [State.CONFIRMED] * 3 + [State.REFUSED]
    assert names(system) == ["a", "b", "c", "edited by hand"]


@pytest.mark.parametrize(
    ("payload", "body", "same"),
    [
        (b'{"name": "Acme", "seats": 3.00}', {"name": "Acme", "seats": 3}, True),
        (b'{"name": "Acme"}', {"name": "Other"}, False),
        (b'{"line2": null}', {"line2": ""}, True),
        (b'{"metadata": {"sku": "A", "more": "B"}}', {"metadata": {"sku": "A"}}, True),
        (b'{"active": true}', {"active": 1}, True),
        (b'{"lines": [1]}', {"lines": [["create", []]]}, False),
        (b'{"name": "Acme"}', {}, False),
        (b"not json", {"name": "Acme"}, False),
    ],
)
def test_a_record_holds_a_body_when_every_field_of_it_says_the_same(payload: bytes, body: dict, same: bool) -> None:
    assert holds(payload, body) is same


class Batching(MemorySystem):
    """Takes every write, and tells only later what became of it."""

    told: Mapping[str, Outcome] = {}

    def write(self, requests: Sequence[Request]) -> Sequence[Outcome]:
        self.sent += [each.write_id for each in requests]
        waits = [Outcome(each.write_id, State.IN_DOUBT, None, AWAITED, "its window is at 22:00") for each in requests]
        return [self.told.get(each.write_id, each) for each in waits]

    def find(self, object: str, external_ids: Sequence[str]) -> Mapping[str, Found]:
        raise AssertionError("nothing is looked for while the system says that it will tell")


AT = Attempted(BEGINNING, BEGINNING, BEGINNING, is_awaited=True)


def test_what_the_system_tells_of_later_is_left_alone_for_this_run() -> None:
    system = Batching(passport=replace(PASSPORT, locking=Locking.NONE))

    ended, book = carried_out(system, [write("a"), write("b", record_id="b", version="1")])

    assert {(each.state, each.code) for each in ended.values()} == {(State.IN_DOUBT, AWAITED)}
    assert sorted(system.sent) == ["w-a", "w-b"]
    assert {each.message for each in book.outcomes} == {"its window is at 22:00"}


@pytest.mark.parametrize("record_id", [None, "a"])
@pytest.mark.parametrize("state", [State.CONFIRMED, State.REFUSED])
def test_a_later_run_asks_again_and_takes_the_word_of_the_system(record_id: str | None, state: State) -> None:
    system = Batching()
    system.told = {"w-a": Outcome("w-a", state, "7", "told")}
    book = Book(calls={"w-a": AT})

    ended = apply(application(system, book), [write("a", record_id=record_id)], {"w-a": State.IN_DOUBT})

    assert (ended["w-a"].state, ended["w-a"].code, system.sent) == (state, "told", ["w-a"])


def test_a_write_that_is_awaited_and_no_longer_wanted_is_looked_for_and_never_sent() -> None:
    system = MemorySystem(passport=replace(PASSPORT, settling_seconds=100_000))
    book = Book(calls={"w-a": AT})

    ended = apply(application(system, book), [write("a")], {"w-a": State.IN_DOUBT}, wanted=[])

    assert (ended["w-a"].state, ended["w-a"].code, system.sent) == (State.IN_DOUBT, AWAITED, [])


def test_awaited_writes_are_no_failure_and_no_proof_and_a_doubt_beside_them_is_one() -> None:
    states = {State.IN_DOUBT: 2, State.CONFIRMED: 1}

    confirmed, unsure = checks("order", "ecc", states, awaited=2)
    _, one_unsure = checks("order", "ecc", states, awaited=1)

    assert (confirmed.result, unsure.result) == (Result.NOT_CHECKED, Result.NOT_CHECKED)
    assert unsure.reason == "2 were sent and wait for the acknowledgement of ecc"
    assert (one_unsure.result, one_unsure.count) == (Result.FAILED, 1)


def test_a_doubt_that_only_a_person_can_end_is_no_proof_and_holds_nothing_else_back() -> None:
    states = {State.IN_DOUBT: 1, State.CONFIRMED: 1}

    confirmed, unsure = checks("order", "ecc", states, left=1)

    assert (confirmed.result, confirmed.count) == (Result.FAILED, 1)
    assert (unsure.result, unsure.reason) == (
        Result.NOT_CHECKED,
        "of 1 only a person can find out: see their exceptions",
    )


class Silent(Batching):
    """Has nothing of what it took."""

    def find(self, object: str, external_ids: Sequence[str]) -> Mapping[str, Found]:
        return {}


def test_that_nothing_was_told_of_a_write_for_too_long_is_what_remains_of_it_when_it_is_looked_for_in_vain() -> None:
    system = Silent(passport=replace(PASSPORT, settling_seconds=100_000))
    system.told = {"w-a": Outcome("w-a", State.IN_DOUBT, None, OVERDUE, "ask the operators")}

    ended = apply(application(system, Book(calls={"w-a": AT})), [write("a")], {"w-a": State.IN_DOUBT})

    assert (ended["w-a"].code, ended["w-a"].message) == (OVERDUE, "ask the operators")
