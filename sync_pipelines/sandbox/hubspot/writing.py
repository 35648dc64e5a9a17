"""Endpoints that write records, one by one and in batches; a batch answers in an order of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sync_pipelines.sandbox.hubspot.reading import found
from sync_pipelines.sandbox.hubspot.refusal import Refusal, invalid, not_found, unreadable
from sync_pipelines.sandbox.hubspot.schema import Object
from sync_pipelines.sandbox.hubspot.wire import Answer, Api, Call, batch, saved

Input = Mapping[str, Any]


def create(api: Api, call: Call) -> Answer:
    thing, body = api.object(call), call.json()
    strike(api, "create", thing, str(_properties(body).get("sync_id") or ""))
    row = api.crm.create(thing, _properties(body), body.get("associations") or [])
    return Answer(saved(row), 201)


def update(api: Api, call: Call) -> Answer:
    thing = api.object(call)
    row = found(api, call, thing, call.arguments["id"])
    strike(api, "update", thing, row["id"])
    return Answer(saved(api.crm.update(thing, row["id"], _properties(call.json()))))


def archive(api: Api, call: Call) -> Answer:
    api.crm.archive(api.object(call), call.arguments["id"])
    return Answer(status=204)


def merge(api: Api, call: Call) -> Answer:
    body = call.json()
    return Answer(saved(api.crm.merge(api.object(call), str(body["primaryObjectId"]), str(body["objectIdToMerge"]))))


def batch_archive(api: Api, call: Call) -> Answer:
    thing = api.object(call)
    for each in call.inputs(api.behaviour.batch_max):
        api.crm.archive(thing, str(each["id"]))
    return Answer(status=204)


def batch_create(api: Api, call: Call) -> Answer:
    thing = api.object(call)

    def perform(each: Input) -> dict[str, Any]:
        strike(api, "create", thing, str(_properties(each).get("sync_id") or ""))
        return saved(api.crm.create(thing, _properties(each), each.get("associations") or []))

    return _each(api, call, perform, status=201)


def batch_update(api: Api, call: Call) -> Answer:
    thing = api.object(call)
    inputs = call.inputs(api.behaviour.batch_max)
    _check_distinct(inputs)

    def perform(each: Input) -> dict[str, Any]:
        record_id, key = _id(each), each.get("idProperty")
        row = api.crm.get(thing, record_id) if key is None else api.crm.by_key(thing, str(key), record_id)
        if row is None:
            raise not_found(record_id)
        strike(api, "update", thing, row["id"])
        return saved(api.crm.update(thing, row["id"], _properties(each)))

    return _each(api, call, perform)


def batch_upsert(api: Api, call: Call) -> Answer:
    """Update the records that carry the key, and create the others with it."""
    thing = api.object(call)
    inputs = call.inputs(api.behaviour.batch_max)
    keys = {str(each.get("idProperty") or "") for each in inputs}
    if len(keys) > 1 or "" in keys:
        raise invalid("All inputs of an upsert need the same idProperty")
    _check_distinct(inputs)

    def perform(each: Input) -> dict[str, Any]:
        record_id, key = _id(each), str(each["idProperty"])
        row, properties = api.crm.by_key(thing, key, record_id), {key: record_id, **_properties(each)}
        strike(api, "update" if row else "create", thing, record_id)
        if row is None:
            return {**saved(api.crm.create(thing, properties)), "new": True}
        return {**saved(api.crm.update(thing, row["id"], properties)), "new": False}

    return _each(api, call, perform)


def strike(api: Api, verb: str, thing: Object, key: str) -> None:
    """Refuse a record that the fault plan names."""
    rule = api.crm.faults.row(f"{verb} {thing.name} {key}".rstrip())
    if rule is not None:
        status = 423 if rule.code == "LOCKED" else 400
        raise Refusal(rule.code or "VALIDATION_ERROR", rule.message or "refused by the fault plan", status=status)


def _each(api: Api, call: Call, perform: Callable[[Input], dict[str, Any]], *, status: int = 200) -> Answer:
    """Perform every input; what is wrong with one refuses that one, or the whole call where the portal is so."""
    results: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    with api.crm.store.transaction():
        for each in call.inputs(api.behaviour.batch_max):
            trace = each.get("objectWriteTraceId")
            try:
                with api.crm.store.transaction():
                    done = perform(each)
            except Refusal as refusal:
                if api.behaviour.bad_input_refuses == "call":
                    raise
                errors.append(refusal.item(str(each.get("id") or ""), trace))
            else:
                results.append({**done, "objectWriteTraceId": trace} if trace else done)
    return batch(api, call, results[::-1], errors, status=status)


def _check_distinct(inputs: Sequence[Input]) -> None:
    ids = [_id(each) for each in inputs]
    if twice := sorted({record_id for record_id in ids if ids.count(record_id) > 1}):
        raise invalid(f"Duplicate IDs found in batch input: [{', '.join(twice)}]. IDs must be unique")


def _id(each: Input) -> str:
    if not each.get("id"):
        raise unreadable("Some required fields were not set: [id]")
    return str(each["id"])


def _properties(body: Input) -> dict[str, Any]:
    properties = body.get("properties")
    if not isinstance(properties, dict):
        raise unreadable("Some required fields were not set: [properties]")
    return properties
