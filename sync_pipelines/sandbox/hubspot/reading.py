"""Endpoints that read records: lists, one record, batches by id or by a unique property."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync_pipelines.sandbox.hubspot.refusal import Refusal, invalid, not_found
from sync_pipelines.sandbox.hubspot.schema import Object
from sync_pipelines.sandbox.hubspot.wire import Answer, Api, Call, batch, record
from sync_pipelines.sandbox.store import Document


def listed(api: Api, call: Call) -> Answer:
    """Records by id, a page at a time; the token is the last id of the page before."""
    thing = api.object(call)
    _check_history(call.words("propertiesWithHistory"))
    limit = call.number("limit", 10, most=api.behaviour.list_max)
    after = int(call.parameters.get("after") or 0)
    rows = [row for row in api.crm.store.all(thing.name) if row["archived"] is call.is_archived]
    rows = sorted((row for row in rows if int(row["id"]) > after), key=lambda row: int(row["id"]))
    page = [_with_associations(api, call, thing, row) for row in rows[:limit]]
    told: dict[str, Any] = {"results": page}
    if len(rows) > limit:
        last = page[-1]["id"]
        told["paging"] = {"next": {"after": last, "link": f"{call.host}{call.path}?after={last}"}}
    return Answer(told)


def one(api: Api, call: Call) -> Answer:
    """One record; the id of a merged one answers with the record that it was merged into."""
    thing, record_id = api.object(call), call.arguments["id"]
    _check_history(call.words("propertiesWithHistory"))
    return Answer(_with_associations(api, call, thing, found(api, call, thing, record_id)))


def found(api: Api, call: Call, thing: Object, record_id: str) -> Document:
    """The record that a path names, by its id or by the property of `idProperty`."""
    key = call.parameters.get("idProperty")
    if key is None:
        return api.crm.get(thing, record_id, archived=call.is_archived)
    row = api.crm.by_key(thing, key, record_id)
    if row is None:
        raise not_found(record_id)
    return row


def batch_read(api: Api, call: Call) -> Answer:
    thing, body = api.object(call), call.json()
    inputs = call.inputs(api.behaviour.batch_max)
    _check_history(body.get("propertiesWithHistory") or [])
    key, asked = body.get("idProperty"), body.get("properties") or []
    rows: dict[str, Document] = {}
    missing = []
    for each in inputs:
        record_id = str(each.get("id", ""))
        row = _row(api, call, thing, record_id, key)
        if row is None:
            missing.append(record_id)
        else:
            rows[row["id"]] = row
    errors = [_missing(thing, missing)] if missing else []
    return batch(api, call, [record(thing, row, asked) for row in rows.values()], errors)


def _row(api: Api, call: Call, thing: Object, record_id: str, key: str | None) -> Document | None:
    if key is not None:
        return api.crm.by_key(thing, key, record_id)
    try:
        return api.crm.get(thing, record_id, archived=call.is_archived)
    except Refusal:
        return None


def _missing(thing: Object, ids: list[str]) -> dict[str, Any]:
    kind = thing.singular.upper()
    message = f"Could not get some {kind} objects, they may be deleted or not exist. Check that ids are valid."
    return Refusal("OBJECT_NOT_FOUND", message).item("") | {"context": {"ids": ids}}


def _with_associations(api: Api, call: Call, thing: Object, row: Document) -> dict[str, Any]:
    told = record(thing, row, call.words("properties"))
    targets = [target for name in call.words("associations") if (target := api.crm.schema.object(name))]
    links = {target.name: _links(api, thing, row["id"], target) for target in targets}
    kept = {name: {"results": each} for name, each in links.items() if each}
    return {**told, "associations": kept} if kept else told


def _links(api: Api, thing: Object, record_id: str, target: Object) -> list[Mapping[str, str]]:
    kinds = api.crm.schema.kinds(thing, target)
    if kinds is None:
        return []
    name = f"{thing.singular}_to_{target.singular}"
    plain = name if kinds.primary is None else f"{name}_unlabeled"
    return [
        {"id": to, "type": name if each == kinds.primary else plain}
        for to, types in api.crm.associations.of(thing, record_id, target).items()
        for each in types
    ]


def _check_history(asked: list[str]) -> None:
    if asked:
        raise invalid("this portal keeps no history of its properties")
