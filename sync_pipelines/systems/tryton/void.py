"""Voiding in Tryton: a draft is cancelled, a posted invoice gets the credit note that balances it.

What follows depends on the state that a record is in now, so doing it twice is doing it once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sync_pipelines.engine.port import Outcome, Request, State
from sync_pipelines.errors import FixConfiguration, InDoubt, RetryLater, SetAside
from sync_pipelines.systems.tryton.session import Server
from sync_pipelines.systems.tryton.warning import FIRST_MADE, NO_DEFAULT_TAXES, acknowledge

VOID = "void"
"""The verb in `then` that voids a record."""
CANNOT_UNDO = "cannot_undo"
"""The code of a void that the record's state does not allow any more."""
CREDIT = "account.invoice.credit"

_CANCELLED = "cancelled"
_UNNUMBERED = ("write", {"number": None})
_STEPS: Mapping[str, Mapping[str, Sequence[tuple[str, Mapping[str, Any] | None]]]] = {
    "sale.sale": {
        "draft": (("cancel", None),),
        "quotation": (("cancel", None),),
        "confirmed": (("draft", None), ("cancel", None)),
    },
    "account.invoice": {
        "draft": (_UNNUMBERED, ("cancel", None)),
        "validated": (("draft", None), _UNNUMBERED, ("cancel", None)),
        "posted": ((CREDIT, None),),
    },
}
"""By object and state the calls that void a record: a verb, and the values that it writes."""
_BLOCKED = {
    ("sale.sale", "processing"): "it is being processed: cancel its shipments and invoices",
    ("sale.sale", "done"): "it is done: what was delivered and invoiced has to be returned and credited",
    ("account.invoice", "paid"): "it is paid: the payment has to be taken back or refunded",
}


def void(server: Server, requests: Sequence[Request]) -> list[Outcome]:
    """Void the records of requests of one object, one by one; what blocks one is told in its outcome."""
    ids = [int(request.record_id or 0) for request in requests]
    body = server.ask(requests[0].object, "search_read", [["id", "in", ids]], 0, None, [["id", "ASC"]], ["state"])
    states = {row["id"]: row["state"] for row in Server.result(body)}
    outcomes: list[Outcome] = []
    try:
        outcomes += (_voided(server, each, states.get(int(each.record_id or 0))) for each in requests)
    except (RetryLater, FixConfiguration) as error:
        raise InDoubt(f"{error}; some of the records may have been voided") from None
    return outcomes


def _voided(server: Server, request: Request, state: str | None) -> Outcome:
    if state in (None, _CANCELLED):
        return Outcome(request.write_id, State.CONFIRMED, request.record_id)
    steps = _STEPS[request.object].get(state)
    if steps is None:
        return _blocked(request, _BLOCKED.get((request.object, state), f"it is {state}"))
    try:
        for verb, values in steps:
            _take(server, request, verb, values)
    except SetAside as refusal:
        return _blocked(request, str(refusal))
    return Outcome(request.write_id, State.CONFIRMED, request.record_id)


def _take(server: Server, request: Request, verb: str, values: Mapping[str, Any] | None) -> None:
    record_id = int(request.record_id or 0)
    if verb == CREDIT:
        _credit(server, request.object, record_id)
    else:
        server.tell(request.object, verb, [record_id], *([values] if values else []))


def _credit(server: Server, object: str, record_id: int) -> None:
    """Make the credit note; taxes that were entered by hand it takes over, and that its lines have none is known."""
    step = {"start": {"with_refund": True}}
    try:
        server.walk(CREDIT, "credit", step, model=object, record_id=record_id)
    except SetAside as warning:
        if warning.code != NO_DEFAULT_TAXES:
            raise
        acknowledge(server, object, [FIRST_MADE], NO_DEFAULT_TAXES)
        server.walk(CREDIT, "credit", step, model=object, record_id=record_id)


def _blocked(request: Request, why: str) -> Outcome:
    message = f"can't be undone in Tryton: {why}"
    return Outcome(request.write_id, State.REFUSED, request.record_id, CANNOT_UNDO, message)
