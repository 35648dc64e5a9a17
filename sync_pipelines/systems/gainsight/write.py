"""Batches of companies: all of a call or none, made by POST and changed by PUT under their own ids."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from sync_pipelines.engine.port import Operation, Outcome, Request, State
from sync_pipelines.errors import FixConfiguration, InDoubt
from sync_pipelines.systems.gainsight.record import ID

OBJECT = "Company"
EXTERNAL_ID = "Sync_Id__gc"
"""The custom field in which a company carries our external id; the vendor does not keep its values unique."""
BATCH_MAX = 50
UNSAID = "Gainsight's answer does not say what became of it: it is looked for before it is sent again"

Send = Callable[[str, str, Sequence[Mapping[str, Any]]], bytes]
"""Sends records to an object ("POST", "PUT"), and gives the body of the answer."""


class _Written(msgspec.Struct):
    records: list[dict[str, Any]] | None = None
    errors: Any = None


class _Answer(msgspec.Struct):
    data: _Written | None = None


def write(send: Send, requests: Sequence[Request]) -> list[Outcome]:
    """One call. `SetAside` where a record refuses all of them, so that the engine looks for the one to blame."""
    first = requests[0]
    if first.operation not in (Operation.CREATE, Operation.UPDATE) or first.object != OBJECT or first.then:
        raise FixConfiguration(
            f"Gainsight takes no {first.operation} of {first.object}: mend the mapping that writes it"
        )
    body = send("POST" if first.operation is Operation.CREATE else "PUT", OBJECT, [_record(each) for each in requests])
    try:
        written = msgspec.json.decode(body, type=_Answer).data or _Written()
    except msgspec.MsgspecError:
        raise InDoubt(f"Gainsight did not say what became of each {OBJECT}: read back before retrying") from None
    rows = written.records or []
    in_order = len(rows) == len(requests) and not written.errors
    return [_outcome(each, rows, rows[place] if in_order else None) for place, each in enumerate(requests)]


def _record(request: Request) -> dict[str, Any]:
    """An empty text clears a field."""
    told = {name: None if value == "" else value for name, value in request.body.items()}
    key = {EXTERNAL_ID: request.external_id} if request.operation is Operation.CREATE else {ID: request.record_id}
    return {**told, **key}


def _outcome(request: Request, rows: Sequence[Mapping[str, Any]], at_its_place: Mapping[str, Any] | None) -> Outcome:
    """The row that names the request's own key, or else the one at its place where every record has one."""
    is_new = request.operation is Operation.CREATE
    key, value = (EXTERNAL_ID, request.external_id) if is_new else (ID, request.record_id)
    named = next((row for row in rows if row.get(key) == value), None)
    row = named or (at_its_place if at_its_place is not None and key not in at_its_place else None)
    record_id = row.get(ID) if row else None
    if not record_id:
        return Outcome(request.write_id, State.IN_DOUBT, request.record_id, message=UNSAID)
    return Outcome(request.write_id, State.CONFIRMED, str(record_id))
