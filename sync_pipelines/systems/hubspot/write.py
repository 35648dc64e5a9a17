"""Batches of records: created by upsert on our external id, so that it can't happen twice, and updated by id."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from sync_pipelines.engine.port import Operation, Outcome, Request, State
from sync_pipelines.errors import FixConfiguration, InDoubt, RetryLater, SetAside
from sync_pipelines.systems.hubspot.answer import Problem, outcome

EXTERNAL_ID = "sync_id"
"""The property with unique values in which every synchronised object carries our external id."""
BATCH_MAX = 100

Send = Callable[[str, str, Sequence[Mapping[str, Any]]], bytes]
"""Sends inputs to a batch endpoint ("upsert", "update") of an object, and gives the body of its answer."""


Note = Callable[[str, Mapping[str, str]], None]
"""Is told which versions of an object's records were written, by their ids."""


class _Result(msgspec.Struct):
    id: str
    updatedAt: str = ""  # noqa: N815 (the vendor's name)
    objectWriteTraceId: str | None = None  # noqa: N815 (the vendor's name)
    properties: dict[str, str | None] = {}


class _Batch(msgspec.Struct):
    results: list[_Result]
    errors: list[Problem] = []


class Writer:
    """Writes of one portal. A step that follows the body is text like "lifecyclestage=customer": a property's value."""

    def __init__(self, send: Send, note: Note) -> None:
        self._send = send
        self._note = note

    def write(self, requests: Sequence[Request]) -> list[Outcome]:
        """One batch, and one more for each step that follows; an outcome for each request, in order."""
        if any(request.operation is Operation.REPLACE for request in requests):
            raise FixConfiguration(f"HubSpot knows no replace: mend the mapping that writes {requests[0].object}")
        outcomes = {each.write_id: each for each in self._stored(requests)}
        for step in requests[0].then if requests else ():
            name, _, value = step.partition("=")
            done = [each for each in requests if outcomes[each.write_id].state is State.CONFIRMED]
            following = [_following(each, outcomes[each.write_id], {name: value}) for each in done]
            outcomes |= {each.write_id: each for each in self._settled(following)}
        return [outcomes[request.write_id] for request in requests]

    def _stored(self, requests: Sequence[Request]) -> list[Outcome]:
        """The bodies; one that is empty needs no call."""
        empty = [each for each in requests if each.record_id and not each.body]
        sent = [each for each in requests if not each.record_id or each.body]
        done = [Outcome(each.write_id, State.CONFIRMED, record_id=each.record_id) for each in empty]
        return done + (self._batch(sent) if sent else [])

    def _batch(self, requests: Sequence[Request]) -> list[Outcome]:
        """Inputs of one object and operation; a call that is refused as a whole is halved to find the input."""
        kind, creates = requests[0].object, requests[0].operation is Operation.CREATE
        try:
            body = self._send(kind, "upsert" if creates else "update", [_input(each) for each in requests])
        except SetAside as error:
            return self._halve(requests, error)
        try:
            batch = msgspec.json.decode(body, type=_Batch)
        except msgspec.MsgspecError:
            raise InDoubt(f"HubSpot did not say what became of each of the {kind}: read back before retrying") from None
        self._note(kind, {result.id: result.updatedAt for result in batch.results})
        return [_outcome(request, batch) for request in requests]

    def _halve(self, requests: Sequence[Request], error: SetAside) -> list[Outcome]:
        if len(requests) > 1:
            middle = len(requests) // 2
            return self._settled(requests[:middle]) + self._settled(requests[middle:])
        refused = outcome(requests[0], Problem(category=error.code))
        fields = f" [{', '.join(error.fields)}]" if error.fields else ""
        return [replace(refused, message=refused.message + fields)]

    def _settled(self, requests: Sequence[Request]) -> list[Outcome]:
        """A later part of a batch: its failure must not hide what became of the earlier parts."""
        if not requests:
            return []
        try:
            return self._batch(requests)
        except InDoubt as error:
            state, reason = State.IN_DOUBT, str(error)
        except (RetryLater, FixConfiguration) as error:
            state, reason = State.FAILED, str(error)
        return [Outcome(request.write_id, state, request.record_id, message=reason) for request in requests]


def _input(request: Request) -> dict[str, Any]:
    """One input of a batch; whatever a property means, its value is sent as a text."""
    properties = {name: text(value) for name, value in request.body.items()}
    trace = {"objectWriteTraceId": request.write_id}
    if request.operation is Operation.CREATE:
        key = {"id": request.external_id, "idProperty": EXTERNAL_ID}
        return {**key, "properties": {**properties, EXTERNAL_ID: request.external_id}, **trace}
    return {"id": request.record_id, "properties": properties, **trace}


def text(value: Any) -> str:
    """A value as HubSpot takes it; nothing is an empty text, which clears a property.

    >>> text(True), text(12.5), text(None), text("Bonn")
    ('true', '12.5', '', 'Bonn')
    """
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _following(request: Request, stored: Outcome, body: Mapping[str, Any]) -> Request:
    return replace(request, operation=Operation.UPDATE, record_id=stored.record_id, body=body, then=())


def _outcome(request: Request, batch: _Batch) -> Outcome:
    """Results come in an order of their own: each is known by the id that was given along, or by its key."""
    for result in batch.results:
        if _is_of(request, result):
            return Outcome(request.write_id, State.CONFIRMED, record_id=result.id)
    key = request.external_id if request.operation is Operation.CREATE else request.record_id
    for problem in batch.errors:
        if request.write_id in problem.named("objectWriteTraceId") or key in problem.named("ids"):
            return outcome(request, problem)
    reason = "HubSpot's answer does not say what became of it: read it back before sending it again"
    return Outcome(request.write_id, State.IN_DOUBT, request.record_id, message=reason)


def _is_of(request: Request, result: _Result) -> bool:
    if result.objectWriteTraceId is not None:
        return result.objectWriteTraceId == request.write_id
    if request.operation is Operation.CREATE:
        return (result.properties.get(EXTERNAL_ID) or "").lower() == request.external_id.lower()
    return result.id == request.record_id
