"""Voiding in NetSuite: an order's lines are closed, an invoice gets the credit memo that pays all of it.

What follows depends on what a record is now, and the credit memo has an external id of its own: doing it twice is
doing it once. REST has no void.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from sync_pipelines.engine.port import Outcome, Request, State
from sync_pipelines.errors import FixConfiguration, InDoubt, RetryLater, SetAside
from sync_pipelines.systems.http import Wire
from sync_pipelines.systems.netsuite.source import VOIDED

VOID = "void"
"""The verb in `then` that voids a record."""
CANNOT_UNDO = "cannot_undo"
"""The code of a void that the record's state does not allow any more."""
RECORDS = "/services/rest/record/v1"

_CANCELLED = ("C", "H")
_BILLED = {"D": "it is partly fulfilled", "E": "it is partly billed", "F": "it waits for its bill", "G": "it is billed"}
Rows = dict[str, dict[str, str]]
Query = Callable[[str], list[dict[str, str]]]


class _Line(msgspec.Struct):
    line: int


class _Lines(msgspec.Struct):
    items: list[_Line]


class _Order(msgspec.Struct):
    item: _Lines


def void(wire: Wire, query: Query, requests: Sequence[Request]) -> list[Outcome]:
    """Void the records of requests of one object, one by one; what blocks one is told in its outcome."""
    states = _states(query, requests)
    act = {"salesOrder": _close, "invoice": _credit}.get(requests[0].object)
    outcomes: list[Outcome] = []
    try:
        for request in requests:
            state = states.get(str(request.record_id))
            outcomes.append(act(wire, request, state) if act else _blocked(request, "REST can't void it"))
    except (RetryLater, FixConfiguration) as error:
        raise InDoubt(f"{error}; some of the records may have been voided") from None
    return outcomes


def _states(query: Query, requests: Sequence[Request]) -> Rows:
    """What each record is now, and by which credit memo it was voided; absent where it is gone."""
    ids = ", ".join(str(int(request.record_id or 0)) for request in requests)
    memos = ", ".join(f"'{VOIDED}{int(request.record_id or 0)}'" for request in requests)
    rows = query(
        "SELECT transaction.id AS id, transaction.status AS status, transaction.foreigntotal AS total, "
        "transaction.foreignamountunpaid AS unpaid, transaction.externalid AS externalid FROM transaction "
        f"WHERE transaction.id IN ({ids}) OR transaction.externalid IN ({memos})"
    )
    voided = {row.get("externalid", "") for row in rows}
    return {row["id"]: {**row, "voided": "T" if f"{VOIDED}{row['id']}" in voided else "F"} for row in rows}


def _close(wire: Wire, request: Request, state: dict[str, str] | None) -> Outcome:
    """Close every line of an order; what is closed is neither delivered nor billed any more."""
    if state is None or state["status"] in _CANCELLED:
        return _done(request)
    if state["status"] in _BILLED:
        return _blocked(request, _BILLED[state["status"]])
    path, route = f"{RECORDS}/salesOrder/{request.record_id}", "/record/salesOrder/{id}"
    params = {"expandSubResources": "true", "fields": "item"}
    try:
        response = wire.call("GET", path, route=f"GET {route}", safe=True, params=params)
        lines = msgspec.json.decode(response.content, type=_Order).item.items
        closed = {"item": {"items": [{"line": each.line, "isClosed": True} for each in lines]}}
        wire.call("PATCH", path, route=f"PATCH {route}", safe=False, json=closed)
    except SetAside as refusal:
        return _blocked(request, str(refusal))
    return _done(request)


def _credit(wire: Wire, request: Request, state: dict[str, str] | None) -> Outcome:
    """A credit memo made of the invoice, applied to all of it."""
    if state is None or state["voided"] == "T":
        return _done(request)
    if Decimal(state["unpaid"]) != Decimal(state["total"]):
        return _blocked(request, "it is paid, at least in part: the payment has to be taken back or refunded")
    body: dict[str, Any] = {
        "externalId": f"{VOIDED}{request.record_id}",
        "apply": {"items": [{"doc": {"id": request.record_id}, "apply": True}]},
    }
    path = f"{RECORDS}/invoice/{request.record_id}/!transform/creditMemo"
    try:
        wire.call("POST", path, route="POST /record/invoice/{id}/!transform/creditMemo", safe=False, json=body)
    except SetAside as refusal:
        return _blocked(request, str(refusal))
    return _done(request)


def _done(request: Request) -> Outcome:
    return Outcome(request.write_id, State.CONFIRMED, request.record_id)


def _blocked(request: Request, why: str) -> Outcome:
    return Outcome(
        request.write_id, State.REFUSED, request.record_id, CANNOT_UNDO, f"can't be undone in NetSuite: {why}"
    )
