"""Endpoints that associate records: one pair at a time, and batches that read or create."""

from __future__ import annotations

from typing import Any

from sync_pipelines.sandbox.hubspot.refusal import Refusal
from sync_pipelines.sandbox.hubspot.schema import Kinds, Object
from sync_pipelines.sandbox.hubspot.wire import Answer, Api, Call, batch


def associate(api: Api, call: Call) -> Answer:
    """As HubSpot does by itself: without a label, and the first one as the primary one."""
    source, target = api.object(call), api.object(call, "target")
    record_id, to = call.arguments["id"], call.arguments["to"]
    api.crm.join(source, record_id, target, to)
    return batch(api, call, [_default(source, record_id, target, to, api.crm.associations.kinds(source, target))], [])


def label(api: Api, call: Call) -> Answer:
    source, target = api.object(call), api.object(call, "target")
    record_id, to = call.arguments["id"], call.arguments["to"]
    api.crm.join(source, record_id, target, to, [each["associationTypeId"] for each in call.items()])
    told = {"fromObjectTypeId": source.id, "fromObjectId": record_id, "toObjectTypeId": target.id, "toObjectId": to}
    return Answer({**told, "labels": []}, 201)


def part(api: Api, call: Call) -> Answer:
    source, target = api.object(call), api.object(call, "target")
    record_id, to = call.arguments["id"], call.arguments["to"]
    api.crm.part(source, record_id, target, to)
    return Answer(status=204)


def batch_read(api: Api, call: Call) -> Answer:
    """Whom each record is associated with; a record without any is among the errors."""
    source, target = api.object(call), api.object(call, "target")
    kinds = api.crm.associations.kinds(source, target)
    results, errors = [], []
    for each in call.inputs(api.behaviour.associations_read_max):
        record_id, after = str(each["id"]), int(each.get("after") or 0)
        held = list(api.crm.associations.of(source, record_id, target).items())
        page = held[after : after + api.behaviour.associations_page]
        if not held:
            errors.append(_without(source, record_id, target))
            continue
        result: dict[str, Any] = {"from": {"id": record_id}, "to": [_to(to, types, kinds) for to, types in page]}
        if after + len(page) < len(held):
            result["paging"] = {"next": {"after": str(after + len(page))}}
        results.append(result)
    return batch(api, call, results, errors)


def batch_create(api: Api, call: Call) -> Answer:
    source, target = api.object(call), api.object(call, "target")
    results, errors = [], []
    for each in call.inputs(api.behaviour.associations_create_max):
        record_id, to = str(each["from"]["id"]), str(each["to"]["id"])
        types = [kind["associationTypeId"] for kind in each["types"]]
        try:
            api.crm.join(source, record_id, target, to, types)
        except Refusal as refusal:
            errors.append(refusal.item(record_id))
        else:
            ends = {
                "fromObjectTypeId": source.id,
                "fromObjectId": record_id,
                "toObjectTypeId": target.id,
                "toObjectId": to,
            }
            results.append({**ends, "labels": []})
    return batch(api, call, results, errors, status=201)


def _default(source: Object, record_id: str, target: Object, to: str, kinds: Kinds) -> dict[str, Any]:
    spec = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": kinds.unlabelled}
    return {"from": {"id": record_id}, "to": {"id": to}, "associationSpec": spec}


def _to(to: str, types: list[int], kinds: Kinds) -> dict[str, Any]:
    told = [
        {"category": "HUBSPOT_DEFINED", "typeId": each, "label": "Primary" if each == kinds.primary else None}
        for each in types
    ]
    return {"toObjectId": to, "associationTypes": told}


def _without(source: Object, record_id: str, target: Object) -> dict[str, Any]:
    message = f"No {target.singular} is associated with {source.singular} {record_id}."
    refusal = Refusal("OBJECT_NOT_FOUND", message, context={"fromObjectId": [record_id]})
    return refusal.item(record_id) | {"subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND"}
