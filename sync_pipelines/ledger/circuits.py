"""Which systems are left alone: because they failed, or because a person said so. Shared by every process."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from sync_pipelines.engine import circuit as deciding
from sync_pipelines.engine.circuit import Circuit, Phase
from sync_pipelines.ledger.change import Change
from sync_pipelines.ledger.tables import circuits, pauses


@dataclass(frozen=True, slots=True)
class Pause:
    """A person's word that nothing is to be written to a system; `until` is None where only a person ends it."""

    system: str
    until: datetime | None
    reason: str
    paused_by: str
    at: datetime


def admit(change: Change, system: str, *, at: datetime) -> Circuit:
    """The circuit as the caller finds it: half open where it is the caller's turn to find out, else open or closed."""
    if _look(change.connection, system).state is Phase.CLOSED:
        return Circuit(system)
    known = _locked(change, system)
    admitted = deciding.admitted(known, at)
    return _moved(change, known, admitted) if admitted else Circuit(**{**asdict(known), "state": Phase.OPEN})


def fail(change: Change, system: str, *, at: datetime, reason: str, after: float | None) -> Circuit:
    """Note that a system could not be reached."""
    known = _locked(change, system)
    return _moved(change, known, deciding.failed(known, at, reason=reason, after=after))


def succeed(change: Change, system: str, *, at: datetime) -> Circuit:
    """Note that a system answers again."""
    known = _locked(change, system)
    return _moved(change, known, deciding.succeeded(known, at))


def down(connection: Connection) -> list[Circuit]:
    """The systems that are left alone, and those of which one caller is finding out."""
    query = select(circuits).where(circuits.c.state != Phase.CLOSED).order_by(circuits.c.system)
    return [_circuit(dict(row._mapping)) for row in connection.execute(query)]


def pause(change: Change, system: str, *, until: datetime | None, by: str, reason: str) -> None:
    values = {"until": until, "reason": reason, "paused_by": by, "at": change.at}
    fresh = insert(pauses).values(system=system, **values)
    change.connection.execute(fresh.on_conflict_do_update(index_elements=["system"], set_=values))
    change.tell("system.paused", system, until=until, by=by, reason=reason)


def resume(change: Change, system: str, *, by: str, reason: str) -> bool:
    """End a pause, and let the next caller ask a system that is left alone."""
    ended = change.connection.execute(delete(pauses).where(pauses.c.system == system)).rowcount
    left_alone = update(circuits).where(circuits.c.system == system, circuits.c.state == Phase.OPEN)
    asked = change.connection.execute(left_alone.values(retry_at=change.at)).rowcount
    if asked:
        change.tell("circuit.resumed", system, by=by, reason=reason)
    if ended:
        change.tell("system.resumed", system, by=by, reason=reason)
    return bool(ended or asked)


def pauses_of(connection: Connection) -> dict[str, Pause]:
    return {row.system: Pause(**row._mapping) for row in connection.execute(select(pauses))}


def _look(connection: Connection, system: str) -> Circuit:
    row = connection.execute(select(circuits).where(circuits.c.system == system)).one_or_none()
    return _circuit(dict(row._mapping)) if row else Circuit(system)


def _locked(change: Change, system: str) -> Circuit:
    """The circuit, which nobody else can move until this transaction ends."""
    change.connection.execute(insert(circuits).values(**asdict(Circuit(system))).on_conflict_do_nothing())
    locked = select(circuits).where(circuits.c.system == system).with_for_update()
    return _circuit(dict(change.connection.execute(locked).one()._mapping))


def _moved(change: Change, known: Circuit, moved: Circuit) -> Circuit:
    if moved != known:
        values = asdict(moved)
        change.connection.execute(update(circuits).where(circuits.c.system == known.system).values(values))
        told = {name: value for name, value in values.items() if name not in ("system", "state", "closed_at")}
        change.tell(f"circuit.{moved.state}", known.system, **told)
    return moved


def _circuit(row: dict[str, object]) -> Circuit:
    return Circuit(**{**row, "state": Phase(str(row["state"]))})  # type: ignore[arg-type]
