"""Apply: carry out exactly a saved plan, and know of every write what became of it.

The intent is on record before a call leaves. A call without a clear reply makes its writes doubtful, and a
doubtful write is read back before anything is sent again. A row whose target changed since the plan is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Protocol

from sync_pipelines.engine.outcome import Check, Result
from sync_pipelines.engine.plan import Write
from sync_pipelines.engine.port import Found, Operation, Outcome, Shape, State, System
from sync_pipelines.errors import InDoubt, RetryLater, SetAside

DRIFTED = "drifted"
"""The code of a write that was refused because its target changed after the plan was made."""

NOT_SENT = "not_sent"
"""The code of a write that failed because the system asked for patience and did nothing."""


class Attempts(Protocol):
    """What apply needs of the ledger; each call is durable when it returns."""

    def record_intents(self, write_ids: Sequence[str]) -> None: ...

    def record_outcomes(self, outcomes: Sequence[Outcome]) -> None: ...


@dataclass(frozen=True, slots=True)
class Application:
    """The parties to one apply."""

    system: System
    attempts: Attempts
    shape_of: Callable[[str], Shape]
    may_write: Callable[[], bool] = lambda: True
    """Asked before each batch; after the first no, the rest stays as it is."""
    progress: Callable[[int], None] = lambda done: None


def apply(on: Application, writes: Sequence[Write], states: Mapping[str, State]) -> dict[str, Outcome]:
    """Bring every write of a plan to an end; `states` says where each one stood before.

    A system that asks for patience past its retry budget ends the apply: what was not sent stays planned.
    """
    ended: dict[str, Outcome] = {}
    open_ones = [w for w in writes if states.get(_id(w), State.PLANNED) in {State.INTENT, State.IN_DOUBT}]
    fresh = [w for w in writes if states.get(_id(w), State.PLANNED) is State.PLANNED]
    if not on.may_write():
        return ended
    _settle(on, open_ones, ended)
    for batch in _batches(_undrifted(on, fresh, ended), on.system.passport.batch_max):
        if not on.may_write() or not _send(on, batch, ended):
            break
        _settle(on, [w for w in batch if ended[_id(w)].state is State.IN_DOUBT], ended)
        on.progress(len(ended))
    return ended


def _id(write: Write) -> str:
    return write.request.write_id


def _batches(writes: Sequence[Write], most: int) -> Iterator[list[Write]]:
    """Writes of one object and operation together, as many as one call may carry."""
    order = sorted(writes, key=lambda w: (w.request.object, w.request.operation, w.request.then, w.label))
    for _, alike in groupby(order, key=lambda w: (w.request.object, w.request.operation, w.request.then)):
        group = list(alike)
        for start in range(0, len(group), most):
            yield group[start : start + most]


def _undrifted(on: Application, writes: Sequence[Write], ended: dict[str, Outcome]) -> list[Write]:
    """The writes whose target is still what the plan saw; the others are refused and planned anew."""
    current = _current(on, [w for w in writes if w.expected_version is not None])
    kept, refused = [], []
    for write in writes:
        if write.expected_version is None:
            kept.append(write)
            continue
        found = current.get((write.request.object, write.request.record_id or ""))
        if found is not None and found.version == write.expected_version:
            kept.append(write)
        else:
            refused.append(_drifted(write, gone=found is None))
    _record(on, refused, ended)
    return kept


def _drifted(write: Write, *, gone: bool) -> Outcome:
    what = "is no longer there" if gone else "changed since the plan was made"
    message = f"the record in {write.target} {what}: it is planned anew in the next run"
    return Outcome(_id(write), State.REFUSED, write.request.record_id, DRIFTED, message)


def _current(on: Application, writes: Sequence[Write]) -> dict[tuple[str, str], Found]:
    found: dict[tuple[str, str], Found] = {}
    by_object = sorted(writes, key=lambda w: w.request.object)
    for name, group in groupby(by_object, key=lambda w: w.request.object):
        ids = [w.request.record_id for w in group if w.request.record_id]
        answer = on.system.fetch(name, on.shape_of(name), ids)
        found |= {(name, record_id): record for record_id, record in answer.items()}
    return found


def _record(on: Application, outcomes: Sequence[Outcome], ended: dict[str, Outcome]) -> None:
    if outcomes:
        on.attempts.record_outcomes(outcomes)
        ended.update({outcome.write_id: outcome for outcome in outcomes})


def _send(on: Application, batch: Sequence[Write], ended: dict[str, Outcome]) -> bool:
    """One call; False when the system is not to be asked again in this apply."""
    on.attempts.record_intents([_id(w) for w in batch])
    try:
        outcomes = on.system.write([w.request for w in batch])
    except InDoubt as doubt:
        outcomes = [Outcome(_id(w), State.IN_DOUBT, message=str(doubt)) for w in batch]
    except RetryLater as later:
        _record(on, [Outcome(_id(w), State.FAILED, code=NOT_SENT, message=str(later)) for w in batch], ended)
        return False
    except SetAside as refusal:
        return _split(on, batch, refusal, ended)
    _record(on, outcomes, ended)
    return True


def _split(on: Application, batch: Sequence[Write], refusal: SetAside, ended: dict[str, Outcome]) -> bool:
    """A batch that was refused as a whole is halved until the record that is to blame stands alone."""
    if len(batch) == 1:
        _record(on, [Outcome(_id(batch[0]), State.REFUSED, code=refusal.code, message=str(refusal))], ended)
        return True
    half = len(batch) // 2
    return _send(on, batch[:half], ended) and _send(on, batch[half:], ended)


def _settle(on: Application, writes: Sequence[Write], ended: dict[str, Outcome]) -> None:
    """Read doubtful writes back: confirm what was committed, finish what was begun, send once more what wasn't."""
    if not writes:
        return
    found = _read_back(on, writes)
    _record(on, [_confirmed(w, found[_id(w)]) for w in writes if _stands(w, found.get(_id(w)))], ended)
    begun = [_rest_of(w, found[_id(w)]) for w in writes if _id(w) in found and not _stands(w, found[_id(w)])]
    lost = [w for w in writes if _id(w) not in found]
    for batch in _batches([*begun, *lost], on.system.passport.batch_max):
        if not _send(on, batch, ended):
            break


def _read_back(on: Application, writes: Sequence[Write]) -> dict[str, Found]:
    """What there is of each doubtful write, by write id; a write that left no trace is absent."""
    found: dict[str, Found] = {}
    creates = [w for w in writes if w.request.operation is not Operation.UPDATE]
    for name, group in groupby(sorted(creates, key=lambda w: w.request.object), key=lambda w: w.request.object):
        by_external_id = {w.request.external_id: w for w in group}
        for key, trace in on.system.find(name, list(by_external_id)).items():
            write = by_external_id[key]
            if trace.record_id != write.request.record_id:  # a predecessor is no trace of its successor
                found[_id(write)] = trace
    updates = [w for w in writes if w.request.operation is Operation.UPDATE]
    current = _current(on, updates)
    for write in updates:
        record = current.get((write.request.object, write.request.record_id or ""))
        if record is not None and record.version != write.expected_version:
            found[_id(write)] = record
    return found


def _stands(write: Write, found: Found | None) -> bool:
    return found is not None and (found.finished or not write.request.then)


def _confirmed(write: Write, found: Found) -> Outcome:
    return Outcome(_id(write), State.CONFIRMED, found.record_id, code="read_back", message="found by read-back")


def _rest_of(write: Write, found: Found) -> Write:
    """A write whose body is stored but whose state changes are not all made."""
    rest = replace(write.request, operation=Operation.UPDATE, record_id=found.record_id, body={})
    return replace(write, request=rest, expected_version=found.version)


def checks(domain: str, target: str, states: Mapping[str, int], *, queued: str = "") -> tuple[Check, ...]:
    """What became of a plan, as claims; `queued` says why writes that are still planned were not sent yet."""
    subject = f"{domain}/writes/{target}"
    counted = Counter(states)
    unsure = counted[State.IN_DOUBT] + counted[State.INTENT]
    waiting = counted[State.PLANNED] if queued else 0
    failed = sum(counted.values()) - counted[State.CONFIRMED] - waiting
    return (
        Check(
            name="all_confirmed",
            subject=subject,
            claim=f"{target} confirmed every planned {domain} write.",
            result=Result.FAILED if failed else Result.NOT_CHECKED if waiting else Result.PASSED,
            count=failed or waiting,
            reason=queued if waiting else "" if states else "nothing was to be written",
        ),
        Check(
            name="nothing_in_doubt",
            subject=subject,
            claim=f"Of every {domain} write sent to {target} it is known whether it was committed.",
            result=Result.FAILED if unsure else Result.PASSED,
            count=unsure,
            blocking=True,
        ),
    )
