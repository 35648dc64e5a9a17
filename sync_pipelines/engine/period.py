"""Periods: whether the books take a document of a date, and what becomes of it where they don't."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from sync_pipelines.engine.lake import Lake
from sync_pipelines.engine.topology import LegalEntity, PeriodPolicy
from sync_pipelines.engine.values import quoted, text
from sync_pipelines.errors import FixConfiguration

CLOSED_PERIOD = "closed_period"
"""The kind of finding, and the code of a write, that a period keeps out of the books."""

COLUMNS = ("legal_entity", "ledger", "start_on", "end_on", "state")
_KINDS = ("VARCHAR", "VARCHAR", "DATE", "DATE", "VARCHAR")


class State(StrEnum):
    """What a period takes: everything, only what the controller approves, or nothing. The later is stricter."""

    OPEN = "open"
    LOCKED = "locked"
    CLOSED = "closed"


class Verdict(StrEnum):
    """What becomes of one document."""

    SEND = "send"
    HOLD = "hold"
    MOVE = "move"
    PROPOSE = "propose"


@dataclass(frozen=True, slots=True)
class Period:
    """A span of days of one legal entity's books, first and last day included; no `ledger` means all of them."""

    legal_entity: str
    ledger: str
    start_on: date
    end_on: date
    state: State


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a document, on which day the books are to take it, and why, where that is not as it says."""

    verdict: Verdict
    posting_on: date | None
    reason: str = ""


def decide(on: date, periods: Sequence[Period], policy: PeriodPolicy, *, can_move: bool) -> Decision:
    """What becomes of a document of a business date; `periods` are those of its legal entity and ledger.

    Where nothing is known of the entity's periods the system itself has the last word. `can_move` says
    whether the target keeps a posting date beside the document's own.

    >>> march = Period("US01", "", date(2026, 3, 1), date(2026, 3, 31), State.CLOSED)
    >>> april = Period("US01", "", date(2026, 4, 1), date(2026, 4, 30), State.OPEN)
    >>> decide(date(2026, 3, 30), [march, april], PeriodPolicy.HOLD, can_move=True).reason
    'period 2026-03 of US01 is closed'
    >>> decide(date(2026, 3, 30), [march, april], PeriodPolicy.NEXT_OPEN, can_move=True).posting_on
    datetime.date(2026, 4, 1)
    """
    if not periods:
        return Decision(Verdict.SEND, on)
    state = state_on(on, periods)
    if state is None:
        return Decision(Verdict.HOLD, None, f"no period of {periods[0].legal_entity} has the day {on}")
    if state is State.OPEN:
        return Decision(Verdict.SEND, on)
    reason = f"period {on:%Y-%m} of {periods[0].legal_entity} is {state}"
    if policy is PeriodPolicy.HOLD and state is State.CLOSED:
        return Decision(Verdict.HOLD, None, reason)
    if policy is not PeriodPolicy.NEXT_OPEN and state is State.LOCKED:
        return Decision(Verdict.PROPOSE, on, reason)
    if not can_move:
        return Decision(Verdict.PROPOSE, on, reason)
    later = next_open(on, periods)
    if later is None:
        return Decision(Verdict.HOLD, None, f"{reason}, and no later one is open")
    return Decision(Verdict.MOVE if policy is PeriodPolicy.NEXT_OPEN else Verdict.PROPOSE, later, reason)


def state_on(day: date, periods: Iterable[Period]) -> State | None:
    """The strictest state of the periods that have a day; None where none has it."""
    states = [period.state for period in periods if period.start_on <= day <= period.end_on]
    return max(states, key=list(State).index, default=None)


def next_open(day: date, periods: Sequence[Period]) -> date | None:
    """The first later day that an open period has."""
    starts = {p.start_on for p in periods if p.state is State.OPEN}
    starts |= {p.end_on + timedelta(days=1) for p in periods if p.state is not State.OPEN and p.end_on < date.max}
    later = sorted(start for start in starts if start > day)
    return next((start for start in later if state_on(start, periods) is State.OPEN), None)


def refusal(on: date, periods: Sequence[Period], *, is_approved: bool) -> str:
    """Why the books don't take a write of a day now, though it was planned; empty where they do."""
    state = state_on(on, periods) if periods else State.OPEN
    if state is None:
        return f"no period of {periods[0].legal_entity} has the day {on}"
    if state is State.OPEN or (state is State.LOCKED and is_approved):
        return ""
    return f"period {on:%Y-%m} of {periods[0].legal_entity} is {state}"


def declared(legal_entities: Mapping[str, LegalEntity], *, known: Iterable[str] = ()) -> list[Period]:
    """The periods that the topology declares; the open rest where no system tells it (`known`)."""
    return [period for code, each in legal_entities.items() for period in _declared(code, each, code in set(known))]


def _declared(code: str, entity: LegalEntity, is_known: bool) -> Iterator[Period]:
    start = date.min
    for state, until in ((State.CLOSED, entity.closed_until), (State.LOCKED, entity.locked_until)):
        if until is not None and until >= start:
            yield Period(code, "", start, until, state)
            start = until + timedelta(days=1)
    if start > date.min and not is_known:
        yield Period(code, "", start, date.max, State.OPEN)


def table(system: str) -> str:
    """The lake table of the periods of a system's books."""
    return f"lake.{quoted(f'periods_{system}')}"


def keep(lake: Lake, system: str, *, sql: str | None, legal_entities: Mapping[str, LegalEntity]) -> None:
    """Keep the periods of a system's books: what it tells of them itself, and what the topology declares."""
    typed = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in zip(COLUMNS, _KINDS, strict=True))
    told = f"SELECT {typed} FROM ({sql})" if sql else f"SELECT {_empty()} WHERE false"
    with lake.running(f"mappings/{system}/period.sql"):
        lake.db.execute(f"CREATE OR REPLACE TEMP TABLE told_periods AS {told}")
    _refuse_unknown(lake, system)
    known = [code for (code,) in lake.rows("SELECT DISTINCT legal_entity FROM told_periods")]
    own = declared(legal_entities, known=known)
    rows = "".join(f" UNION ALL SELECT {_literals(period)}" for period in own)
    lake.replace(table(system), f"SELECT {', '.join(COLUMNS)} FROM (SELECT * FROM told_periods{rows}) ORDER BY ALL")


def _refuse_unknown(lake: Lake, system: str) -> None:
    states = ", ".join(text(state) for state in State)
    wrong = lake.rows(f"SELECT DISTINCT state FROM told_periods WHERE state IS NULL OR state NOT IN ({states})")
    if wrong:
        raise FixConfiguration(f"mappings/{system}/period.sql yields the state {wrong[0][0]!r}: it is one of {states}")


def read(lake: Lake, system: str, *, ledger: str) -> dict[str, list[Period]]:
    """The periods of a ledger by legal entity, as they were kept last."""
    found: dict[str, list[Period]] = {}
    if not lake.columns(table(system)):
        return found
    rows = lake.rows(
        f"SELECT {', '.join(COLUMNS)} FROM {table(system)} WHERE coalesce(ledger, '') IN ('', $1) ORDER BY ALL",
        (ledger,),
    )
    for entity, own, start_on, end_on, state in rows:
        found.setdefault(entity, []).append(Period(entity, own or "", start_on, end_on, State(state)))
    return found


def _empty() -> str:
    return ", ".join(f"CAST(NULL AS {kind}) AS {name}" for name, kind in zip(COLUMNS, _KINDS, strict=True))


def _literals(period: Period) -> str:
    days = ", ".join(f"DATE {text(day.isoformat())}" for day in (period.start_on, period.end_on))
    return f"{text(period.legal_entity)}, NULL, {days}, {text(period.state)}"
