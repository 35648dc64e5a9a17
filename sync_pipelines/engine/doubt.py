"""In doubt: what a read-back proves about writes whose reply never came. It only reads; `apply` decides what follows.

Presence proves a commit at once. Absence proves nothing before the system's settling time is over: what was sent
may still be on its way.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from itertools import groupby
from typing import Any

from sync_pipelines.engine.plan import Write
from sync_pipelines.engine.port import Found, Operation, Passport, Shape, System

UNSETTLED = "unsettled"
"""The code of a write that was looked for and not found, at a time when that proved nothing."""
AWAITED = "awaited"
"""The code of a write in doubt that has arrived, and of which the system tells later: it is asked again in each run.

The adapter says so of a system that works in batch windows. As long as it does, nothing is wrong: asked to carry the
write out once more, such a system never does it twice, and says what became of the first.
"""
OVERDUE = "overdue"
"""The code of a write that was awaited for so long that somebody has to ask the other side."""
NO_KEY = "no_key"
"""The code of a doubtful write that can't be looked for, because its object carries no key of ours."""
LEFT_TO_PEOPLE = (NO_KEY, OVERDUE)
"""Codes of doubts that no further run ends by itself: each is an exception, and the rest of its domain goes on."""


@dataclass(frozen=True, slots=True)
class Attempted:
    """When calls left with a write: the first one ever, and the latest with its end (None: nobody saw it end).

    `was_read`: since the latest call it was looked for once, and not found. `is_awaited`: the system said that it will
    tell what became of it.
    """

    first_at: datetime
    started_at: datetime
    ended_at: datetime | None = None
    was_read: bool = False
    is_awaited: bool = False


class Fate(StrEnum):
    """What a read-back shows of a write."""

    COMMITTED = "committed"
    BEGUN = "begun"
    """Its body is stored, but not all that follows has happened."""
    ABSENT = "absent"
    OVERTAKEN = "overtaken"
    """The record is neither what the plan saw nor what the write says: whose change it was can't be told."""
    UNKNOWN = "unknown"
    """The object carries no key of ours, so that nothing can be looked for."""


@dataclass(frozen=True, slots=True)
class Trace:
    fate: Fate
    found: Found | None = None


def given_up_at(attempted: Attempted | None, *, now: datetime, call_seconds: float) -> datetime:
    """When the latest call with a write was given up, at the latest.

    A worker that was killed told no end: its call lasted no longer than any call does, nor is it still waiting now.
    """
    if attempted is None:
        return now
    return attempted.ended_at or min(now, attempted.started_at + timedelta(seconds=call_seconds))


def may_repeat(passport: Passport, attempted: Attempted | None, *, now: datetime) -> bool:
    """Whether the system still recognises the write's idempotency key: then a repeat is the read-back."""
    if attempted is not None and attempted.is_awaited:
        return True
    if attempted is None or not passport.idempotency_seconds:
        return False
    known_until = attempted.first_at + timedelta(seconds=passport.idempotency_seconds - passport.settling_seconds)
    return now < known_until


def read_back(system: System, shape_of: Callable[[str], Shape], writes: Sequence[Write]) -> dict[str, Trace]:
    """What there is of each write, by write id: one read an object for creates and one for updates."""
    updates = [w for w in writes if w.request.operation is Operation.UPDATE]
    current = fetched(system, shape_of, updates)
    traces = {_id(w): _of_update(w, current.get(_place(w))) for w in updates}
    creates = [w for w in writes if w.request.operation is not Operation.UPDATE]
    for name, group in by_object(creates):
        if system.passport.key_of(name) is None:
            traces |= {_id(w): Trace(Fate.UNKNOWN) for w in group}
            continue
        found = system.find(name, [w.request.external_id for w in group])
        traces |= {_id(w): _of_create(w, found.get(w.request.external_id)) for w in group}
    return traces


def fetched(system: System, shape_of: Callable[[str], Shape], writes: Sequence[Write]) -> dict[tuple[str, str], Found]:
    """The records that writes are about, as they are now, by object and id."""
    found: dict[tuple[str, str], Found] = {}
    for name, group in by_object(writes):
        ids = [w.request.record_id for w in group if w.request.record_id]
        answer = system.fetch(name, shape_of(name), ids) if ids else {}
        found |= {(name, record_id): record for record_id, record in answer.items()}
    return found


def by_object(writes: Sequence[Write]) -> Iterator[tuple[str, list[Write]]]:
    ordered = sorted(writes, key=lambda w: w.request.object)
    return ((name, list(group)) for name, group in groupby(ordered, key=lambda w: w.request.object))


def holds(payload: bytes, body: Mapping[str, Any]) -> bool:
    """Whether a record plainly says what a body says; False where the two can't be compared.

    >>> holds(b'{"id": 7, "name": "Acme", "seats": 3.0}', {"name": "Acme", "seats": "3"})
    True
    >>> holds(b'{"name": "Acme", "lines": [1]}', {"name": "Acme", "lines": [["create", []]]})
    False
    """
    try:
        held = json.loads(payload, parse_float=Decimal)
    except ValueError:
        return False
    return bool(body) and _same(body, held)


def _of_create(write: Write, found: Found | None) -> Trace:
    if found is None or found.record_id == write.request.record_id:  # a predecessor is no trace of its successor
        return Trace(Fate.ABSENT)
    return Trace(Fate.COMMITTED if found.finished or not write.request.then else Fate.BEGUN, found)


def _of_update(write: Write, found: Found | None) -> Trace:
    if found is None:
        return Trace(Fate.OVERTAKEN)
    if found.version == write.expected_version:
        return Trace(Fate.ABSENT, found)
    if holds(found.payload, write.request.body):
        return Trace(Fate.BEGUN if write.request.then else Fate.COMMITTED, found)
    return Trace(Fate.ABSENT if write.expected_version is None else Fate.OVERTAKEN, found)


def _same(sent: Any, held: Any) -> bool:
    if isinstance(sent, Mapping):
        return isinstance(held, Mapping) and all(_same(value, held.get(key)) for key, value in sent.items())
    if sent in ("", None) or held in ("", None):
        return sent in ("", None) and held in ("", None)
    if isinstance(sent, bool) or isinstance(held, bool) or isinstance(sent, list) or isinstance(held, list):
        return bool(sent == held)
    if isinstance(held, int | Decimal) or isinstance(sent, int | float | Decimal):
        return _number(sent) is not None and _number(sent) == _number(held)
    return bool(sent == held)


def _number(value: Any) -> Decimal | None:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


def _place(write: Write) -> tuple[str, str]:
    return write.request.object, write.request.record_id or ""


def _id(write: Write) -> str:
    return write.request.write_id
