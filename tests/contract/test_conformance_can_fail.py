"""Every test of the conformance suite is able to fail: for each there is a system that is broken in just that way."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_DOWN, Decimal
from itertools import count
from typing import Any

import pytest
from stand_in_salesforce import SalesforceFacts
from stand_in_stripe import StripeFacts

from sync_pipelines.engine.outcome import Result
from sync_pipelines.engine.port import Calls, Cursor, Found, Outcome, Page, Request, Shape, State
from sync_pipelines.errors import FixConfiguration, InDoubt, MalformedPage, RetryLater, SyncError
from sync_pipelines.testing.conformance import QUESTIONS, ask
from sync_pipelines.testing.facts import Amounts, Facts, MemoryFacts
from sync_pipelines.testing.memory import PASSPORT, MemorySystem

LATE = replace(PASSPORT, late_seconds=30, settling_seconds=20)
BY_NAME = {question.name: question for question in QUESTIONS}


def memory(system: type[MemorySystem], **given: Any) -> Callable[[], Facts]:
    return lambda: MemoryFacts(system(**given))


class Nameless(MemorySystem):
    numbers = count()

    def identity(self) -> str:
        return f"memory:{next(self.numbers)}"


class Doubling(MemorySystem):
    def read(self, object: str, shape: Shape, since: Cursor | None) -> Iterator[Page]:
        for page in super().read(object, shape, since):
            yield page
            yield page


class Inventing(MemorySystem):
    def read(self, object: str, shape: Shape, since: Cursor | None) -> Iterator[Page]:
        for page in super().read(object, shape, since):
            yield replace(page, payloads=[json.dumps(dict.fromkeys(shape, "?")).encode() for _ in page.payloads])


class Agreeable(MemorySystem):
    def read(self, object: str, shape: Shape, since: Cursor | None) -> Iterator[Page]:
        return super().read(object, shape, since) if object in self.objects else iter(())


class Unlike(MemorySystem):
    def fetch(self, object: str, shape: Shape, record_ids: Sequence[str]) -> Mapping[str, Found]:
        return {i: replace(found, version="?") for i, found in super().fetch(object, shape, record_ids).items()}


class Short(MemorySystem):
    def fetch(self, object: str, shape: Shape, record_ids: Sequence[str]) -> Mapping[str, Found]:
        return super().fetch(object, shape, record_ids[: self.passport.page_max])


class Undead(MemorySystem):
    def ids(self, object: str) -> Iterator[Sequence[str]]:
        yield list(self.records[object])

    def fetch(self, object: str, shape: Shape, record_ids: Sequence[str]) -> Mapping[str, Found]:
        return {i: self._found(i, self.records[object][i]) for i in record_ids}


class Restless(MemorySystem):
    def read(self, object: str, shape: Shape, since: Cursor | None) -> Iterator[Page]:
        return super().read(object, shape, None)

    def changed(self, cursors: Mapping[str, Cursor | None]) -> set[str]:
        return set(cursors)


class Hasty(MemorySystem):
    """Its cursor is the time alone, as soon as the first page is there, and reaches over the whole hour."""

    def read(self, object: str, shape: Shape, since: Cursor | None) -> Iterator[Page]:
        for page in super().read(object, shape, since):
            yield replace(page, cursor={**page.cursor, "revision": self.revision})


class Drifting(MemorySystem):
    """Pages by number over what there is when each is asked for."""

    def read(self, object: str, shape: Shape, since: Cursor | None) -> Iterator[Page]:
        number = 0
        while pages := list(super().read(object, shape, since))[number : number + 1]:
            yield replace(pages[0], cursor={"revision": self.revision, "at": self.clock.now().isoformat()})
            number += 1

    def remove(self, object: str, record_id: str) -> None:
        del self.records[object][record_id]


class Dating(MemorySystem):
    """Its cursor is a day."""

    def changed_on(self, since: Cursor | None) -> Cursor | None:
        day = str(since["at"])[:10] if since else ""
        of_day = [r.revision for held in self.records.values() for r in held.values() if str(r.at)[:10] == day]
        return {**since, "revision": max(of_day, default=since["revision"])} if since else None

    def read(self, object: str, shape: Shape, since: Cursor | None) -> Iterator[Page]:
        return super().read(object, shape, self.changed_on(since))


class Shuffling(MemorySystem):
    def write(self, requests: Sequence[Request]) -> Sequence[Outcome]:
        return list(reversed(super().write(requests)))


class Quoting(MemorySystem):
    def write(self, requests: Sequence[Request]) -> Sequence[Outcome]:
        return [
            replace(o, message=f"{o.message}: {r.body}") for o, r in zip(super().write(requests), requests, strict=True)
        ]


class Forgetful(MemorySystem):
    def find(self, object: str, external_ids: Sequence[str]) -> Mapping[str, Found]:
        return {}


class Deaf(MemorySystem):
    """It says yes, and changes nothing that is there."""

    def _commit(self, request: Request) -> Outcome:
        return (
            Outcome(request.write_id, State.CONFIRMED, request.record_id)
            if request.record_id
            else super()._commit(request)
        )


class Blind(MemorySystem):
    def fetch(self, object: str, shape: Shape, record_ids: Sequence[str]) -> Mapping[str, Found]:
        found = super().fetch(object, shape, record_ids)
        return {i: replace(each, version=str(self.records[object][i].external_id)) for i, each in found.items()}


@dataclass
class WordFacts(MemoryFacts):
    """A system in memory with a limit to names, and amounts."""

    word: Callable[[Any], Any] = lambda value: value
    system: MemorySystem = field(default_factory=MemorySystem)

    def __post_init__(self) -> None:
        super().__post_init__()
        commit = self.system._commit
        changed = lambda body: {key: self.word(value) for key, value in body.items()}  # noqa: E731
        self.system._commit = lambda request: commit(replace(request, body=changed(request.body)))  # type: ignore[method-assign]

    def text_max(self) -> int:
        return 10

    def amounts(self) -> Amounts:
        return Amounts(
            object="price",
            shape={"amount": "VARCHAR", "currency": "VARCHAR"},
            body=lambda amount, currency: {"amount": amount, "currency": currency},
            told=lambda payload: (Decimal(payload["amount"]), payload["currency"]),
            currencies=("EUR", "JPY", "KWD"),
        )


def coarse(digits: str) -> Callable[[Any], Any]:
    """Amounts are cut to so many decimals."""
    return lambda value: value.quantize(Decimal(digits), ROUND_DOWN) if isinstance(value, Decimal) else value


@dataclass
class Misnaming:
    """An adapter that gives errors another name."""

    system: Any
    reads: Mapping[type[SyncError], SyncError | None] = field(default_factory=dict)
    writes: Mapping[type[SyncError], State | SyncError] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.system, name)

    def read(self, object: str, shape: Shape, since: Cursor | None) -> Iterator[Page]:
        try:
            yield from self.system.read(object, shape, since)
        except SyncError as error:
            other = self.reads.get(type(error), error)
            if other is not None:
                raise other from None

    def write(self, requests: Sequence[Request]) -> Sequence[Outcome]:
        try:
            return list(self.system.write(requests))
        except SyncError as error:
            other = self.writes.get(type(error), error)
            if isinstance(other, SyncError):
                raise other from None
            return [Outcome(request.write_id, other) for request in requests]


def misnaming(new: type[Any], **names: Any) -> Callable[[], Facts]:
    def made() -> Facts:
        facts: Any = new()
        facts.system = Misnaming(facts.system, **names)
        return facts

    return made


def unrenewed() -> Facts:
    """A token is fetched once and never again."""
    facts = SalesforceFacts()
    facts.system._wire._auth.renew = lambda: None
    return facts


def repeating(new: type[Any]) -> Callable[[], Facts]:
    """Every read is done twice."""

    def made() -> Facts:
        facts: Any = new()
        read = facts.system.read

        def twice(*given: Any) -> Iterator[Page]:
            list(read(*given))
            yield from read(*given)

        facts.system.read = twice
        return facts

    return made


def uncounted() -> Facts:
    facts = SalesforceFacts()
    facts.system.calls = Calls()
    return facts


SWALLOWED = {RetryLater: None, FixConfiguration: None, MalformedPage: None}
WRONG = FixConfiguration("something is wrong")
FAILED = {InDoubt: State.FAILED}
BROKEN: Mapping[str, Callable[[], Facts]] = {
    "the_organisation_is_told_the_same_each_time": memory(Nameless),
    "a_full_read_gives_each_record_once_with_its_declared_fields": memory(Doubling),
    "a_field_that_is_gone_is_refused_by_name_or_absent": memory(Inventing),
    "an_object_that_nobody_has_is_refused_as_a_mistake_of_configuration": memory(Agreeable),
    "a_fetch_gives_what_a_read_gave": memory(Unlike),
    "more_records_than_a_page_holds_are_fetched_at_once": memory(Short),
    "ids_and_a_full_read_agree": memory(Undead),
    "only_what_changed_is_read_after_the_cursor": memory(Restless),
    "only_a_change_is_news": memory(Restless),
    "a_read_that_broke_off_goes_on_though_all_changed_at_one_instant": memory(Hasty),
    "nothing_is_lost_when_records_move_while_they_are_read": memory(Drifting),
    "changes_around_midnight_and_clock_changes_are_read": memory(
        Dating, passport=replace(PASSPORT, zone="America/New_York")
    ),
    "a_deleted_record_is_no_longer_fetched": memory(Undead),
    "outcomes_come_in_the_order_of_their_requests": memory(Shuffling),
    "a_refusal_is_told_with_a_code_and_without_values": memory(Quoting),
    "a_record_is_found_by_our_external_id": memory(Forgetful),
    "an_update_changes_what_it_says_and_nothing_else": memory(Deaf),
    "what_was_given_up_is_there_when_it_should_have_settled": memory(Forgetful),
    "a_plan_whose_outcomes_were_forgotten_is_applied_again_and_leaves_each_record_once": memory(Forgetful),
    "writes_that_commit_long_after_they_were_given_up_leave_each_record_once": memory(
        MemorySystem, passport=replace(LATE, settling_seconds=5), truth=LATE
    ),
    "a_worker_that_was_killed_while_its_call_was_under_way_leaves_each_record_once": memory(
        MemorySystem, passport=replace(LATE, settling_seconds=5), truth=LATE
    ),
    "writes_that_never_arrived_are_sent_again_and_leave_each_record_once": misnaming(SalesforceFacts, writes=FAILED),
    "an_update_over_somebody_elses_change_is_refused_as_drifted": memory(Blind),
    "a_throttled_read_is_tried_later_and_then_gives_everything": misnaming(StripeFacts, reads={RetryLater: WRONG}),
    "a_throttled_write_stores_nothing_and_is_tried_later": misnaming(StripeFacts, writes={RetryLater: State.REFUSED}),
    "a_token_that_expires_between_two_pages_is_renewed": unrenewed,
    "credentials_that_are_refused_are_for_a_person": misnaming(StripeFacts, reads=SWALLOWED),
    "no_message_tells_a_secret": misnaming(SalesforceFacts, reads={RetryLater: RetryLater("sandbox-secret")}),
    "a_maintenance_page_puts_a_read_off": misnaming(StripeFacts, reads=SWALLOWED),
    "a_server_error_puts_a_read_off": misnaming(StripeFacts, reads=SWALLOWED),
    "a_page_that_was_cut_off_is_read_again_and_never_kept": misnaming(StripeFacts, reads=SWALLOWED),
    "a_version_that_was_retired_is_for_a_person_who_is_told_so": misnaming(
        StripeFacts, reads={FixConfiguration: WRONG}
    ),
    "a_write_whose_reply_was_lost_is_there_once_and_not_called_failed": misnaming(SalesforceFacts, writes=FAILED),
    "a_write_whose_reply_was_cut_off_is_there_once_and_not_called_failed": misnaming(SalesforceFacts, writes=FAILED),
    "a_write_that_met_a_server_error_is_in_doubt": misnaming(SalesforceFacts, writes=FAILED),
    "a_write_that_met_a_maintenance_page_stores_nothing_and_is_not_called_refused": misnaming(
        SalesforceFacts, writes={InDoubt: State.REFUSED}
    ),
    "names_are_kept_letter_by_letter_in_any_script": lambda: WordFacts(word=lambda value: ascii(value)[1:-1]),
    "the_longest_name_is_kept_and_a_longer_one_is_refused_and_never_cut": lambda: WordFacts(
        word=lambda value: value[:10]
    ),
    "an_amount_is_kept_to_its_last_digit": lambda: WordFacts(word=coarse("0.1")),
    "a_currency_keeps_its_own_decimals": lambda: WordFacts(word=coarse("0.01")),
    "a_full_read_costs_as_few_calls_as_its_pages_allow": repeating(SalesforceFacts),
    "a_read_after_the_cursor_costs_as_few_calls_as_its_pages_allow": repeating(SalesforceFacts),
    "the_adapter_counts_the_calls_that_arrive": uncounted,
    "a_look_and_a_read_cost_at_most_two_calls_where_nothing_changed": repeating(SalesforceFacts),
}
"""What no claim of a passport covers, each with a system that fails it."""


@pytest.mark.parametrize("name", BROKEN)
def test_the_suite_finds_a_system_that_is_broken_in_this_way(name: str) -> None:
    answer = ask(BY_NAME[name], BROKEN[name])

    assert answer.result is Result.FAILED
    assert answer.told


def test_every_test_that_rests_on_no_claim_has_a_system_that_fails_it() -> None:
    assert {question.name for question in QUESTIONS if not question.claims} <= BROKEN.keys()
