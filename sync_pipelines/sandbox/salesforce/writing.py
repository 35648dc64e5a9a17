"""Endpoints that write one record."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Any

from sync_pipelines.sandbox.salesforce.fault import Refusal
from sync_pipelines.sandbox.salesforce.moment import instant_of
from sync_pipelines.sandbox.salesforce.reading import several
from sync_pipelines.sandbox.salesforce.wire import Answer, Api, Call

_UPSERT_ANSWERS_200_FROM = 46


def saved(record: str) -> dict[str, Any]:
    return {"id": record, "success": True, "errors": []}


def create(api: Api, call: Call) -> Answer:
    thing = api.object(call)
    record = api.org.create(thing, call.json())
    return Answer(saved(record), 201, {"Location": f"{call.data}/sobjects/{thing.name}/{record}"})


def update(api: Api, call: Call) -> Answer:
    thing = api.object(call)
    _check_unmodified(api, call)
    api.org.update(thing, call.arguments["id"], call.json())
    return Answer(status=204)


def upsert(api: Api, call: Call) -> Answer:
    """Update the one record with the external id, or create it."""
    thing = api.object(call)
    key = api.external_id(thing, call.arguments["field"])
    value, body = call.arguments["value"], call.json()
    if any(name.lower() == key.name.lower() for name in body):
        message = f"The {key.name} field should not be specified in the sobject data."
        raise Refusal("INVALID_FIELD", message, key.name)
    found = api.org.by_external_id(thing, key, value)
    if len(found) > 1:
        return several(call, thing, found)
    record, created = api.org.upsert(thing, key, value, body)
    if not created and int(call.arguments["version"][1:].split(".")[0]) < _UPSERT_ANSWERS_200_FROM:
        return Answer(status=204)
    return Answer({**saved(record), "created": created}, 201 if created else 200)


def delete(api: Api, call: Call) -> Answer:
    api.bin.delete(api.object(call), call.arguments["id"])
    return Answer(status=204)


def _check_unmodified(api: Api, call: Call) -> None:
    since = call.headers.get("if-unmodified-since")
    if since is None:
        return
    row = api.org.get(api.object(call), call.arguments["id"])
    if instant_of(row["LastModifiedDate"]) > parsedate_to_datetime(since):
        message = "The record was modified after the date in If-Unmodified-Since"
        raise Refusal("PRECONDITION_FAILED", message, status=412)
