"""Writes to NetSuite: one record by one call, several as a job; voids by what the kind of record allows.

Asynchronous calls know a repeated key, so one whose answer was lost is sent again; a synchronous one is left in doubt.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from sync_pipelines.clock import Clock
from sync_pipelines.engine.port import Operation, Outcome, Request, State
from sync_pipelines.errors import FixConfiguration, InDoubt, RetryLater, SetAside
from sync_pipelines.systems.http import Wire
from sync_pipelines.systems.netsuite.answer import REPEATED, detail_of
from sync_pipelines.systems.netsuite.source import source_of
from sync_pipelines.systems.netsuite.void import VOID, void

BATCH_MAX = 100
RECORDS = "/services/rest/record/v1"
JOBS = "/services/rest/async/v1/job"
STRICT = {"X-NetSuite-PropertyNameValidation": "Error", "X-NetSuite-PropertyValueValidation": "Error"}
COLLECTION = "application/vnd.oracle.resource+json; type=collection"
JOB_WAITS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, *[30.0] * 50)
"""Seconds between looks at a job; what is not done after them is in doubt."""

Query = Callable[[str], list[dict[str, str]]]


class _Job(msgspec.Struct):
    completed: bool = False
    progress: str = ""


class Writer:
    """Carries out requests of one object and operation at a time."""

    def __init__(self, wire: Wire, *, clock: Clock, query: Query) -> None:
        self._wire = wire
        self._clock = clock
        self._query = query

    def write(self, requests: Sequence[Request]) -> list[Outcome]:
        if not requests:
            return []
        operation, then = requests[0].operation, requests[0].then
        if operation is Operation.REPLACE or then not in ((), (VOID,)):
            mend = f"mend the mapping that writes {requests[0].object}"
            raise FixConfiguration(f"{self._wire.name} knows no replace, and no 'then' but {VOID!r}: {mend}")
        if then:
            return void(self._wire, self._query, requests)
        return [self._one(requests[0])] if len(requests) == 1 else self._batch(requests)

    def _one(self, request: Request) -> Outcome:
        creates = request.operation is Operation.CREATE
        key = f"eid:{source_of(request.object).external_id(request.external_id)}" if creates else request.record_id
        method = "PUT" if creates else "PATCH"
        try:
            response = self._wire.call(
                method,
                f"{RECORDS}/{request.object}/{key}",
                route=f"{method} /record/{{type}}/{{id}}",
                safe=False,
                params=_replaced([request]),
                json=dict(request.body),
                headers=STRICT,
            )
        except SetAside as refusal:
            return _refused(request, refusal)
        return self._stored(request, response.headers.get("Location", ""))

    def _batch(self, requests: Sequence[Request]) -> list[Outcome]:
        """One job: its outcome where all went well, else the result of each of its tasks."""
        path = self._submitted(requests)
        job = self._finished(path)
        try:
            if job.progress == "succeeded":
                return self._all_stored(requests)
            return [self._result(path, place, each) for place, each in enumerate(requests, start=1)]
        except (RetryLater, FixConfiguration) as error:
            raise InDoubt(f"{error}; the job is done, and its outcome could not be read") from None

    def _submitted(self, requests: Sequence[Request]) -> str:
        """Where the job is found, the first one's place if the call had arrived before."""
        method = "PUT" if requests[0].operation is Operation.CREATE else "PATCH"
        response = self._wire.call(
            method,
            f"{RECORDS}/{requests[0].object}",
            route=f"{method} /record/{{type}}",
            safe=True,
            writes=True,
            params=_replaced(requests),
            json={"items": [_item(request) for request in requests]},
            headers={
                **STRICT,
                "Prefer": "respond-async",
                "Content-Type": COLLECTION,
                "X-NetSuite-Idempotency-Key": _key_of(requests),
            },
        )
        location = response.headers.get("Location", "")
        if (response.status_code != 202 and detail_of(response).code != REPEATED) or JOBS not in location:
            raise InDoubt(f"{self._wire.name} did not say where its job is: read back before sending it again")
        return JOBS + location.partition(JOBS)[2]

    def _finished(self, path: str) -> _Job:
        for wait in JOB_WAITS:
            try:
                response = self._wire.call("GET", path, route="GET /job/{id}", safe=True)
                job = msgspec.json.decode(response.content, type=_Job)
            except (RetryLater, FixConfiguration, SetAside, msgspec.MsgspecError) as error:
                raise InDoubt(f"{error}; what became of the job could not be read") from None
            if job.completed:
                return job
            self._clock.sleep(wait)
        raise InDoubt(f"{self._wire.name} is still at work on a job: read back before sending it again")

    def _all_stored(self, requests: Sequence[Request]) -> list[Outcome]:
        """Ids of new records are found by the external ids that they were given, all in one query."""
        if requests[0].operation is not Operation.CREATE:
            return [Outcome(request.write_id, State.CONFIRMED, request.record_id) for request in requests]
        source = source_of(requests[0].object)
        carried = {request.write_id: source.external_id(request.external_id).upper() for request in requests}
        listed = ", ".join(f"'{each}'" for each in carried.values())
        column = f"{source.table}.externalid"
        rows = self._query(
            f"SELECT {source.key} AS id, {column} AS externalid FROM {source.tables}"
            f"{source.filter([f'UPPER({column}) IN ({listed})'])}"
        )
        ids = {row["externalid"].upper(): row["id"] for row in rows}
        return [_found(request, ids.get(carried[request.write_id])) for request in requests]

    def _result(self, path: str, place: int, request: Request) -> Outcome:
        """What one task answered: tasks are numbered in the order of the records."""
        try:
            response = self._wire.call(
                "GET", f"{path}/task/{place}/result", route="GET /job/{id}/task/{n}/result", safe=True
            )
        except SetAside as refusal:
            return _refused(request, refusal)
        return self._stored(request, response.headers.get("Location", ""))

    def _stored(self, request: Request, location: str) -> Outcome:
        return _found(request, request.record_id or location.rpartition("/")[2])


def _found(request: Request, record_id: str | None) -> Outcome:
    if record_id:
        return Outcome(request.write_id, State.CONFIRMED, record_id)
    return Outcome(request.write_id, State.IN_DOUBT, message="NetSuite did not say which record it stored")


def _refused(request: Request, refusal: SetAside) -> Outcome:
    message = f"{request.object} {request.operation}: {refusal}"
    return Outcome(request.write_id, State.REFUSED, request.record_id, refusal.code, message)


def _item(request: Request) -> dict[str, Any]:
    if request.operation is Operation.CREATE:
        return {**request.body, "externalId": source_of(request.object).external_id(request.external_id)}
    return {**request.body, "id": request.record_id}


def _replaced(requests: Sequence[Request]) -> Mapping[str, str]:
    """A create sends its lists whole: where it comes a second time, their lines would be appended to the first."""
    if requests[0].operation is not Operation.CREATE:
        return {}
    lists = {name for each in requests for name, value in each.body.items() if _is_list(value)}
    return {"replace": ",".join(sorted(lists))} if lists else {}


def _is_list(value: object) -> bool:
    return isinstance(value, Mapping) and "items" in value


def _key_of(requests: Sequence[Request]) -> str:
    """The same for the same writes: a UUID, as NetSuite wants it."""
    told = "\0".join(f"{each.write_id}\0{each.idempotency_key}" for each in requests)
    return str(uuid.uuid5(uuid.NAMESPACE_OID, told))
