"""Sending: which writes go together in one call, and which calls may be under way at the same time.

Calls about different business go at the same time. Those about the same record or the same deal follow one another,
in the order of the plan. What becomes of a call is for `apply`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import TypeVar

from sync_pipelines.engine.plan import Write
from sync_pipelines.engine.port import Outcome

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Batch:
    """Writes of one object and operation that go in one call."""

    writes: tuple[Write, ...]
    is_part: bool = False
    """Part of a call that was refused as a whole: it was looked at and announced with that."""
    started_at: datetime | None = None
    """When its call left."""

    @property
    def keys(self) -> set[str]:
        """What it is about: the links and the deals of its writes."""
        return {key for each in self.writes for key in (each.link_id, _business(each))}

    @property
    def halves(self) -> list[Batch]:
        middle = len(self.writes) // 2
        return [replace(self, writes=part, is_part=True) for part in (self.writes[:middle], self.writes[middle:])]


def batches(writes: Sequence[Write], most: int) -> Iterator[list[Batch]]:
    """For each object and operation its batches, as few as there can be with `most` writes in each.

    What is about one deal goes in one call, where it fits, so that no call has to wait for another.
    """
    order = sorted(writes, key=lambda w: (w.request.object, w.request.operation, w.request.then, w.label))
    for _, alike in groupby(order, key=lambda w: (w.request.object, w.request.operation, w.request.then)):
        yield [Batch(tuple(sorted(each, key=lambda w: w.label))) for each in _packed(alike, most)]


class Calls:
    """Calls under way at the same time, `most` of them; where that is one, it is made at once and in this thread."""

    def __init__(self, pool: Executor, most: int) -> None:
        self._pool = pool
        self._most = max(1, most)
        self._under_way: dict[Future[Sequence[Outcome]], Batch] = {}

    def __bool__(self) -> bool:
        return bool(self._under_way)

    def next_of(self, waiting: Sequence[Batch]) -> Batch | None:
        """The first batch that may go now: there is room, and nothing before it is about the same."""
        if len(self._under_way) >= self._most:
            return None
        busy = {key for batch in self._under_way.values() for key in batch.keys}
        for batch in waiting:
            if busy.isdisjoint(batch.keys):
                return batch
            busy |= batch.keys
        return None

    def begin(self, batch: Batch, call: Callable[[], Sequence[Outcome]]) -> None:
        self._under_way[self._pool.submit(call)] = batch

    def ended(self) -> tuple[Batch, Future[Sequence[Outcome]]]:
        """Wait for a call to end: its batch, and what came of it."""
        wait(self._under_way, return_when=FIRST_COMPLETED)
        answer = next(each for each in self._under_way if each.done())
        return self._under_way.pop(answer), answer


def pool(most: int) -> Executor:
    """Threads for so many calls at a time; none for one."""
    return ThreadPoolExecutor(most, thread_name_prefix="write") if most > 1 else _InThisThread()


class _InThisThread(Executor):
    def submit(self, call: Callable[..., Result], /, *given: object, **named: object) -> Future[Result]:
        answer: Future[Result] = Future()
        try:
            answer.set_result(call(*given, **named))
        except BaseException as error:  # noqa: BLE001 (whoever asks for the result gets it, as from a thread)
            answer.set_exception(error)
        return answer


def _business(write: Write) -> str:
    return write.request.correlation_id or write.link_id


def _packed(writes: Iterable[Write], most: int) -> list[list[Write]]:
    """Writes in lists of at most so many: those of one deal together, each deal in the first list that has room."""
    deals: dict[str, list[Write]] = {}
    for write in writes:
        deals.setdefault(_business(write), []).append(write)
    packed: list[list[Write]] = []
    with_room: list[list[Write]] = []
    for deal in deals.values():
        for part in (deal[start : start + most] for start in range(0, len(deal), most)):
            place = next((each for each in with_room if len(each) + len(part) <= most), None)
            if place is None:
                place = []
                packed.append(place)
                with_room.append(place)
            place += part
            with_room = [each for each in with_room if len(each) < most]
    return packed
