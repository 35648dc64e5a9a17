"""Apply: carry out exactly a saved plan, and know of every write what became of it.

The intent is on record before a call leaves. A call without a clear reply makes its writes doubtful, and a doubtful
write is read back before anything is sent again. A row whose target changed since the plan is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

from sync_pipelines.clock import Clock
from sync_pipelines.engine.doubt import (
    AWAITED,
    NO_KEY,
    OVERDUE,
    UNSETTLED,
    Attempted,
    Fate,
    Trace,
    fetched,
    given_up_at,
    may_repeat,
    read_back,
)
from sync_pipelines.engine.outcome import Applied, Check, Result
from sync_pipelines.engine.period import CLOSED_PERIOD, Period, refusal
from sync_pipelines.engine.plan import Write
from sync_pipelines.engine.port import OPEN, Found, Locking, Operation, Outcome, Request, Shape, State, System
from sync_pipelines.engine.sending import Batch, Calls, batches, pool
from sync_pipelines.errors import FixConfiguration, InDoubt, RetryLater, SetAside, Stop

DRIFTED = "drifted"
"""The code of a write that was refused because its target changed after the plan was made."""
NOT_COMMITTED = "not_committed"
"""The code of a doubtful write of an earlier plan of which nothing was stored, and which is not sent again."""
NOT_SENT = "not_sent"
"""The code of a write that failed because the system asked for patience and did nothing."""
UNREAD = "unread"
"""The code of a doubtful write that could not be looked for, because the system asked for patience."""
OVERTAKEN = "overtaken"
"""The code of a write that was not sent, because an earlier one of the same record was in doubt."""
TAKEN = "taken"
"""The code of a create whose key is on a record that another link holds: nothing was made."""


class Attempts(Protocol):
    """What apply needs of the ledger; each record is durable when its call returns."""

    def record_intents(self, write_ids: Sequence[str]) -> None: ...

    def record_outcomes(self, outcomes: Sequence[Outcome]) -> None: ...

    def attempted(self, write_ids: Sequence[str]) -> Mapping[str, Attempted]:
        """When calls left with these writes; one that never left is absent."""
        ...


@dataclass(frozen=True, slots=True)
class Application:
    """The parties to one apply."""

    system: System
    attempts: Attempts
    shape_of: Callable[[str], Shape]
    clock: Clock
    holders: Callable[[Sequence[str]], Mapping[str, str]] = lambda record_ids: {}
    """The links that hold some of the system's records, by record id."""
    may_write: Callable[[], bool] = lambda: True
    """Asked before each batch; after the first no, the rest stays as it is."""
    patience: float = 60.0
    """Seconds to wait, at most, until absence proves something; what needs more is left to the next run."""
    call_seconds: float = 3600.0
    """No call to `System.write` lasts longer, with its time-outs and retries."""
    concurrency: int = 1
    """Calls to `System.write` that may be under way at the same time."""


def apply(
    on: Application, writes: Sequence[Write], states: Mapping[str, State], *, wanted: Collection[str] | None = None
) -> dict[str, Outcome]:
    """Bring every write of a plan to an end; `states` says where each one stood before.

    Of the writes that an earlier apply left in doubt, only those that the plan still wants (`wanted`: ids; None: all)
    are ever sent again. A system that asks for patience ends the apply: what was not sent stays planned.
    """
    if not on.may_write():
        return {}
    open_ones = [w for w in writes if states.get(_id(w), State.PLANNED) in OPEN]
    fresh = [w for w in writes if states.get(_id(w), State.PLANNED) is State.PLANNED]
    replanned = {w.link_id for w in fresh}
    course = _Course(on)
    course.attempted |= on.attempts.attempted([_id(w) for w in open_ones])
    course.wanted = {_id(w) for w in open_ones if w.link_id not in replanned and (wanted is None or _id(w) in wanted)}
    course.settle(open_ones)
    ready = course.without_overtaken(fresh, open_ones)
    course.wanted = {_id(w) for w in ready}
    course.send(ready, seen=False)
    course.settle([w for w in ready if course.is_in_doubt(w) and not course.is_awaited(w)])
    return course.ended


@dataclass
class _Course:
    """One apply under way: what became of its writes so far."""

    on: Application
    ended: dict[str, Outcome] = field(default_factory=dict)
    attempted: dict[str, Attempted] = field(default_factory=dict)
    wanted: set[str] = field(default_factory=set)
    unproven: set[str] = field(default_factory=set)
    """Writes of which an earlier call may still have an effect: that a later one was not sent does not end them."""
    repeated: set[str] = field(default_factory=set)

    def send(self, writes: Sequence[Write], *, seen: bool) -> None:
        """Send writes in batches, unless the system asks for patience; `seen`: their targets were just read.

        What is of one object and operation goes at the same time as far as the system takes it, and all of it before
        the next.
        """
        for alike in batches(writes, self.on.system.passport.batch_max):
            if not self._send_alike(alike, seen=seen):
                return

    def settle(self, writes: Sequence[Write]) -> None:
        """Bring doubtful writes to an end, with two read-backs at most: at once, and when absence proves something."""
        self.unproven |= {_id(w) for w in writes}
        self._repeat(writes)
        doubtful = [w for w in writes if _id(w) not in self.ended or self.is_in_doubt(w)]
        doubtful = [w for w in doubtful if not self.is_awaited(w)]
        waiting = self._look([w for w in doubtful if not self._was_read(w)])
        waiting += [w for w in doubtful if self._was_read(w)]
        soon = [w for w in waiting if self._unsettled_for(w) <= self.on.patience]
        self._record([self._unsettled(w) for w in waiting if w not in soon])
        if soon:
            self.on.clock.sleep(max(0.0, *(self._unsettled_for(w) for w in soon)))
            self._look(soon)

    def without_overtaken(self, fresh: Sequence[Write], open_ones: Sequence[Write]) -> list[Write]:
        """The writes that may be sent: not those of a record that an earlier doubtful write has or may have changed."""
        ended = {_id(w) for w in open_ones if _id(w) in self.ended and self.ended[_id(w)].code == NOT_COMMITTED}
        touched = {w.link_id for w in open_ones if _id(w) not in ended}
        message = "an earlier write of the same record was in doubt: it is planned anew in the next run"
        overtaken = [w for w in fresh if w.link_id in touched]
        self._record([Outcome(_id(w), State.FAILED, w.request.record_id, OVERTAKEN, message) for w in overtaken])
        return [w for w in fresh if w.link_id not in touched]

    def is_in_doubt(self, write: Write) -> bool:
        ended = self.ended.get(_id(write))
        return ended is not None and ended.state is State.IN_DOUBT

    def is_awaited(self, write: Write) -> bool:
        """Whether the system has it, and tells later what became of it."""
        ended = self.ended.get(_id(write))
        return ended is not None and (ended.state, ended.code) == (State.IN_DOUBT, AWAITED)

    # Sending

    def _undrifted(self, batch: Sequence[Write]) -> list[Write]:
        """The writes whose target is still what the plan saw; the others are refused and planned anew."""
        guarded = [w for w in batch if self._needs_reread(w)]
        current = fetched(self.on.system, self.on.shape_of, guarded)
        drifted = {
            _id(w): _drifted(w, gone=found is None)
            for w in guarded
            if (found := current.get((w.request.object, w.request.record_id or ""))) is None
            or found.version != w.expected_version
        }
        self._record(list(drifted.values()))
        return [w for w in batch if _id(w) not in drifted]

    def _needs_reread(self, write: Write) -> bool:
        """A native precondition goes with the body; without one only a read tells, where there is one."""
        locking = self.on.system.passport.locking
        if write.expected_version is None or locking is Locking.NONE:
            return False
        return not (locking is Locking.NATIVE and write.request.operation is Operation.UPDATE and write.request.body)

    def _send_alike(self, waiting: list[Batch], *, seen: bool) -> bool:
        """Send batches; False when the system is not to be asked again in this apply.

        Threads only wait for answers: everything else, the ledger too, is for the thread that applies.
        """
        goes_on = True
        with pool(self.on.concurrency) as threads:
            calls = Calls(threads, self.on.concurrency)
            try:
                while goes_on and (waiting or calls):
                    if (batch := calls.next_of(waiting)) is None:
                        goes_on = self._take(calls, waiting)
                    else:
                        waiting.remove(batch)
                        goes_on = self._begin(batch, calls, seen=seen)
            finally:
                self._take_rest(calls, waiting)
        if not goes_on:
            self._leave([write for batch in waiting if batch.is_part for write in batch.writes])
        return goes_on

    def _begin(self, batch: Batch, calls: Calls, *, seen: bool) -> bool:
        """Look at a batch's targets, announce it and let its call leave; False when nothing more is to be sent."""
        if not batch.is_part:
            if not self.on.may_write():
                return False
            try:
                batch = batch if seen else replace(batch, writes=tuple(self._undrifted(batch.writes)))
            except RetryLater as later:
                self._fail(batch.writes, later)
                return False
        if batch.writes:
            self.on.attempts.record_intents([_id(w) for w in batch.writes])
            requests = [_request(w) for w in batch.writes]
            sent = replace(batch, started_at=self.on.clock.now())
            calls.begin(sent, partial(self.on.system.write, requests))
        return True

    def _take(self, calls: Calls, waiting: list[Batch]) -> bool:
        """Wait for a call to end, and say what became of its writes; False when no other is to leave."""
        batch, answer = calls.ended()
        try:
            outcomes = answer.result()
        except InDoubt as doubt:
            outcomes = [Outcome(_id(w), State.IN_DOUBT, message=str(doubt)) for w in batch.writes]
        except RetryLater as later:
            self._fail(batch.writes, later)
            return False
        except (FixConfiguration, Stop) as error:
            self._fail(batch.writes, error)
            raise
        except SetAside as refusal:
            self._split(batch, refusal, waiting)
            return True
        ended_at = self.on.clock.now()
        started_at = batch.started_at or ended_at
        for write in batch.writes:
            first_at = self.attempted[_id(write)].first_at if _id(write) in self.attempted else started_at
            self.attempted[_id(write)] = Attempted(first_at, started_at, ended_at)
        self._record(self._of_their_own(batch.writes, outcomes))
        return True

    def _of_their_own(self, writes: Sequence[Write], outcomes: Sequence[Outcome]) -> list[Outcome]:
        """The outcomes; but a create that found its key on a record which another link holds has made nothing."""
        links = {_id(w): w.link_id for w in writes if w.request.operation is Operation.CREATE}
        made = [o for o in outcomes if o.state is State.CONFIRMED and o.record_id and o.write_id in links]
        held = self.on.holders([str(o.record_id) for o in made]) if made else {}
        taken = {o.write_id for o in made if held.get(str(o.record_id), links[o.write_id]) != links[o.write_id]}
        return [_taken(self.on.system.name, o.write_id) if o.write_id in taken else o for o in outcomes]

    def _take_rest(self, calls: Calls, waiting: list[Batch]) -> None:
        """Wait for all calls that are under way, also when one of them ends the apply."""
        try:
            while calls:
                self._take(calls, waiting)
        except Exception:
            self._take_rest(calls, waiting)
            raise

    def _split(self, batch: Batch, refusal: SetAside, waiting: list[Batch]) -> None:
        """A batch that was refused as a whole is halved until the record that is to blame stands alone."""
        if len(batch.writes) == 1:
            (write,) = batch.writes
            self._record([Outcome(_id(write), State.REFUSED, code=refusal.code, message=str(refusal))])
        else:
            waiting[:0] = batch.halves

    def _leave(self, writes: Sequence[Write]) -> None:
        """Parts of a refused call that are not sent any more: nothing of them was stored."""
        message = "refused in one call with others, and no longer sent without them: nothing of it was stored"
        self._record([Outcome(_id(w), State.FAILED, code=NOT_SENT, message=message) for w in writes])

    def _fail(self, batch: Sequence[Write], error: Exception) -> None:
        self._record([Outcome(_id(w), State.FAILED, code=NOT_SENT, message=str(error)) for w in batch])

    def _record(self, outcomes: Sequence[Outcome]) -> None:
        known = [
            replace(outcome, state=State.IN_DOUBT, code=AWAITED if self._was_awaited(outcome.write_id) else NOT_SENT)
            if outcome.code == NOT_SENT and outcome.write_id in self.unproven
            else outcome
            for outcome in outcomes
        ]
        if known:
            self.on.attempts.record_outcomes(known)
            self.ended.update({outcome.write_id: outcome for outcome in known})

    # Settling

    def _repeat(self, writes: Sequence[Write]) -> None:
        """Where the system knows a repeated write by its key, the repeat itself says what became of the first.

        Not so for an update, unless it is known to have arrived: it would now overwrite what somebody else did since.
        """
        safe = [w for w in writes if w.request.operation is not Operation.UPDATE or self._was_awaited(_id(w))]
        repeats = [w for w in safe if _id(w) in self.wanted and self._may_repeat(w)]
        self.send(repeats, seen=True)
        self.repeated |= {_id(w) for w in repeats}

    def _look(self, writes: Sequence[Write]) -> list[Write]:
        """Read back once: confirm what was committed, finish what was begun, send again what certainly was not.

        Returns the writes whose absence proves nothing yet; they stay in doubt.
        """
        try:
            traces = read_back(self.on.system, self.on.shape_of, writes) if writes else {}
        except RetryLater as later:
            self._record([Outcome(_id(w), State.IN_DOUBT, code=UNREAD, message=str(later)) for w in writes])
            return []
        absent = [w for w in writes if traces[_id(w)].fate is Fate.ABSENT]
        self.unproven -= {_id(w) for w in absent if self._unsettled_for(w) <= 0}
        settled = [outcome for w in writes if (outcome := self._settled(w, traces[_id(w)])) is not None]
        self._record(self._of_their_own(writes, settled))
        begun = [_rest_of(w, found) for w in writes if (found := _begun(traces[_id(w)])) is not None]
        lost = [w for w in absent if self._may_send(w)]
        self.send([*begun, *lost], seen=True)
        return [w for w in absent if w not in lost and _id(w) in self.unproven]

    def _settled(self, write: Write, trace: Trace) -> Outcome | None:
        """The end of a write whose trace says enough; None for one that is to be sent, or to be waited for."""
        match trace.fate:
            case Fate.COMMITTED if trace.found is not None:
                return Outcome(_id(write), State.CONFIRMED, trace.found.record_id, "read_back", "found by read-back")
            case Fate.OVERTAKEN:
                return _drifted(write, gone=trace.found is None)
            case Fate.UNKNOWN:
                message = (
                    f"{write.request.object} carries no key of ours: a person has to look for it in {write.target}"
                )
                return Outcome(_id(write), State.IN_DOUBT, write.request.record_id, NO_KEY, message)
            case Fate.ABSENT if _id(write) not in self.unproven | self.wanted:
                message = "nothing of it was stored, and the newest plan does not want it as it was"
                return Outcome(_id(write), State.FAILED, write.request.record_id, NOT_COMMITTED, message)
        return None

    def _unsettled(self, write: Write) -> Outcome:
        told = self.ended.get(_id(write))
        if told is not None and told.code == OVERDUE:
            return told
        if self._was_awaited(_id(write)):
            message = f"it was sent, and {write.target} has not told of it yet; the newest plan no longer wants it"
            return Outcome(_id(write), State.IN_DOUBT, write.request.record_id, AWAITED, message)
        left = max(0, round(self._unsettled_for(write)))
        message = f"not found in {write.target}, where it may still appear within {left} seconds: looked for again then"
        return Outcome(_id(write), State.IN_DOUBT, write.request.record_id, UNSETTLED, message)

    def _may_repeat(self, write: Write) -> bool:
        known = self.attempted.get(_id(write))
        fresh = _id(write) not in self.repeated
        return fresh and may_repeat(self.on.system.passport, known, now=self.on.clock.now())

    def _may_send(self, write: Write) -> bool:
        """Whether an absent write is wanted, and certainly not committed or recognised when it is repeated."""
        return _id(write) in self.wanted and (_id(write) not in self.unproven or self._may_repeat(write))

    def _was_read(self, write: Write) -> bool:
        known = self.attempted.get(_id(write))
        return known is not None and known.was_read

    def _was_awaited(self, write_id: str) -> bool:
        known = self.attempted.get(write_id)
        return known is not None and known.is_awaited

    def _unsettled_for(self, write: Write) -> float:
        """Seconds until the effect of the latest call would have appeared, if there is one."""
        now, known = self.on.clock.now(), self.attempted.get(_id(write))
        ended_at = given_up_at(known, now=now, call_seconds=self.on.call_seconds)
        self.attempted[_id(write)] = replace(known, ended_at=ended_at) if known else Attempted(now, now, ended_at)
        return self.on.system.passport.settling_seconds - (now - ended_at).total_seconds()


def barred(writes: Sequence[Write], periods: Mapping[str, Sequence[Period]]) -> list[Outcome]:
    """Of planned writes that are posted those that the books don't take now; they are planned anew."""
    found = []
    for write in writes:
        of_entity = periods.get(write.legal_entity or "", ())
        if write.posting_on is None:
            continue
        if reason := refusal(write.posting_on, of_entity, is_approved=write.approved_by_team is not None):
            found.append(Outcome(_id(write), State.FAILED, code=CLOSED_PERIOD, message=reason))
    return found


def _id(write: Write) -> str:
    return write.request.write_id


def _request(write: Write) -> Request:
    return replace(write.request, expected_version=write.expected_version)


def _drifted(write: Write, *, gone: bool) -> Outcome:
    what = "is no longer there" if gone else "changed since the plan was made"
    message = f"the record in {write.target} {what}: it is planned anew in the next run"
    return Outcome(_id(write), State.REFUSED, write.request.record_id, DRIFTED, message)


def _taken(target: str, write_id: str) -> Outcome:
    message = f"a record in {target} that belongs to another carries its key: it is planned anew in the next run"
    return Outcome(write_id, State.FAILED, code=TAKEN, message=message)


def _begun(trace: Trace) -> Found | None:
    return trace.found if trace.fate is Fate.BEGUN else None


def _rest_of(write: Write, found: Found) -> Write:
    """A write whose body is stored but whose state changes are not all made."""
    rest = replace(write.request, operation=Operation.UPDATE, record_id=found.record_id, body={})
    return replace(write, request=rest, expected_version=found.version)


def overtaken(domain: str, target: str, plan_id: str) -> Applied:
    """What applying comes to when another run has planned the same target since: that run's plan is carried out."""
    reason = "another run has planned anew since, and applies that plan"
    told = tuple(replace(check, result=Result.NOT_CHECKED, reason=reason) for check in checks(domain, target, {}))
    return Applied(domain, target, plan_id, {}, checks=told)


def checks(
    domain: str, target: str, states: Mapping[str, int], *, queued: str = "", awaited: int = 0, left: int = 0
) -> tuple[Check, ...]:
    """What became of a plan, as claims; `queued` says why writes that are still planned were not sent yet.

    Of the writes in doubt the system has `awaited`, and tells of them in a later window: that is no failure yet. Those
    `left` to people hold nothing else back.
    """
    subject = f"{domain}/writes/{target}"
    counted = Counter(states)
    unsure = counted[State.IN_DOUBT] + counted[State.INTENT] - awaited - left
    waiting = awaited + (counted[State.PLANNED] if queued else 0)
    failed = sum(counted.values()) - counted[State.CONFIRMED] - waiting
    later = f"{awaited} were sent and wait for the acknowledgement of {target}" if awaited else ""
    asked = f"of {left} only a person can find out: see their exceptions" if left else ""
    return (
        Check(
            name="all_confirmed",
            subject=subject,
            claim=f"{target} confirmed every planned {domain} write.",
            result=Result.FAILED if failed else Result.NOT_CHECKED if waiting else Result.PASSED,
            count=failed or waiting,
            reason="; ".join(filter(None, (queued, later)))
            if waiting
            else ""
            if states
            else "nothing was to be written",
        ),
        Check(
            name="nothing_in_doubt",
            subject=subject,
            claim=f"Of every {domain} write sent to {target} it is known whether it was committed.",
            result=Result.FAILED if unsure else Result.NOT_CHECKED if awaited or left else Result.PASSED,
            count=unsure or awaited + left,
            reason="" if unsure else "; ".join(filter(None, (later, asked))),
            blocking=True,
        ),
    )
