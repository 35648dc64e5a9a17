"""Writing to Stripe: one keyed form post a request, and the steps that follow it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from sync_pipelines.engine.port import Operation, Outcome, Request, State
from sync_pipelines.errors import FixConfiguration, InDoubt, RetryLater, SetAside, Stop, SyncError
from sync_pipelines.systems.form import form
from sync_pipelines.systems.http import Wire
from sync_pipelines.systems.stripe.record import VERSION_HEADER, Records, version_of

EXTERNAL_ID = "sync_id"
"""The metadata key under which a record carries its external id."""
REPLACES = "replaces"
"""The metadata key under which a price names the one that it replaced."""
RETIRE = "retire"
"""The step that deactivates the price which a new one replaced."""


class Writer:
    """Sends requests; each goes under its idempotency key, so that a repeat within 24 hours changes nothing."""

    def __init__(self, wire: Wire, records: Records) -> None:
        self._wire = wire
        self._records = records

    def send(self, request: Request) -> Outcome | SyncError:
        """What became of a request, or the error because of which nothing was done."""
        record_id = request.record_id
        try:
            if request.body or request.operation is not Operation.UPDATE:
                record_id = self._store(request)
            self._perform(request, str(record_id))
        except SetAside as error:
            message = f"{request.object} {request.operation}: {error}"
            return Outcome(request.write_id, State.REFUSED, record_id, code=error.code, message=message)
        except InDoubt as error:
            return Outcome(request.write_id, State.IN_DOUBT, record_id, message=str(error))
        except (RetryLater, FixConfiguration, Stop) as error:
            return error
        return Outcome(request.write_id, State.CONFIRMED, record_id)

    def _store(self, request: Request) -> str:
        """Create or change the object; returns its id."""
        path, route = f"/v1/{request.object}", f"POST /v1/{request.object}"
        if request.operation is Operation.UPDATE:
            path, route = f"{path}/{_quoted(request.record_id)}", f"{route}/{{id}}"
        answer = self._post(path, request, route=route, key=request.idempotency_key, body=_body(request))
        try:
            return msgspec.json.decode(answer, type=_Named).id
        except msgspec.MsgspecError:
            raise InDoubt(f"Stripe did not name what {route} made: read back before sending it again") from None

    def _perform(self, request: Request, record_id: str) -> None:
        """The steps after the body is stored; a step that is put off leaves the write in doubt, not undone."""
        replaces = request.operation is Operation.REPLACE
        for step in dict.fromkeys((RETIRE, *request.then) if replaces else request.then):
            try:
                self._step(request, record_id, step)
            except (RetryLater, FixConfiguration) as error:
                raise InDoubt(f"{record_id} is stored, but {step!r} is not done: {error}") from None

    def _step(self, request: Request, record_id: str, step: str) -> None:
        route, body = f"POST /v1/{request.object}/{{id}}", {}
        if step == RETIRE:
            path, body = f"/v1/prices/{_quoted(self._replaced(request, record_id))}", {"active": False}
        else:
            path, route = f"/v1/{request.object}/{_quoted(record_id)}/{step}", f"{route}/{step}"
        key = f"{request.idempotency_key}:{step}" if request.idempotency_key else ""
        self._post(path, request, route=route, key=key, body=body)

    def _replaced(self, request: Request, price_id: str) -> str:
        """The price to retire: known to the replacing request, and later to the new price itself."""
        if request.operation is Operation.REPLACE:
            return str(request.record_id)
        record = self._records.one("prices", version_of(None), price_id)
        if record is None or REPLACES not in record.metadata:
            raise SetAside(f"price {price_id} replaces none: there is nothing to retire", code="nothing_to_retire")
        return record.metadata[REPLACES]

    def _post(self, path: str, request: Request, *, route: str, key: str, body: Mapping[str, Any]) -> bytes:
        response = self._wire.call(
            "POST",
            path,
            route=route,
            safe=bool(key),
            writes=True,
            form=list(form(body)),
            headers={**VERSION_HEADER, **({"Idempotency-Key": key} if key else {})},
            correlation_id=request.correlation_id,
        )
        return response.content


class _Named(msgspec.Struct):
    id: str


def product_id(external_id: str) -> str:
    """The id under which a product is created, so that it can be found by its external id at once."""
    return f"prod_{external_id}"


def _quoted(record_id: str | None) -> str:
    return quote(str(record_id), safe="")


def _body(request: Request) -> dict[str, Any]:
    """The body with what makes the record findable: its external id and where it came from."""
    marks = {EXTERNAL_ID: request.external_id, "correlation_id": request.correlation_id}
    body = dict(request.body)
    if request.operation is Operation.REPLACE:
        if request.object != "prices":
            raise FixConfiguration(f"Stripe replaces only prices: mend the mapping that writes {request.object}")
        body["transfer_lookup_key"] = True
        marks[REPLACES] = str(request.record_id)
    if request.operation is Operation.CREATE and request.object == "products":
        body["id"] = product_id(request.external_id)
    body["metadata"] = {**request.body.get("metadata", {}), **{k: v for k, v in marks.items() if v}}
    return body
