"""Endpoints that write up to 200 records in one call; each record succeeds or fails for itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sync_pipelines.sandbox.salesforce.fault import Refusal, Unreadable
from sync_pipelines.sandbox.salesforce.ids import as_long_id
from sync_pipelines.sandbox.salesforce.schema import Field, Object
from sync_pipelines.sandbox.salesforce.wire import Answer, Api, Call
from sync_pipelines.sandbox.salesforce.writing import saved

RECORDS_MAX = 200
Result = dict[str, Any]
_ROLLED_BACK = Refusal(
    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "Record rolled back because not all records were valid and the request was using AllOrNone header",
)


class _RolledBack(Exception):
    """Leaves the transaction of a call that wanted all records or none."""


def create_many(api: Api, call: Call) -> Answer:
    records, whole = _records(call)

    def one(record: Mapping[str, Any]) -> Result:
        return saved(api.org.create(_type_of(api, record), record))

    return _each(api, records, one, all_or_none=whole)


def update_many(api: Api, call: Call) -> Answer:
    records, whole = _records(call)

    def one(record: Mapping[str, Any]) -> Result:
        found = next((record[name] for name in record if name.lower() == "id"), None)
        if found is None:
            raise Refusal("MISSING_ARGUMENT", "Id not specified in an update call", "Id")
        values = {name: value for name, value in record.items() if name.lower() != "id"}
        api.org.update(_type_of(api, record), found, values)
        return saved(as_long_id(found) or found)

    return _each(api, records, one, all_or_none=whole)


def upsert_many(api: Api, call: Call) -> Answer:
    thing = api.object(call)
    key = api.external_id(thing, call.arguments["field"])
    records, whole = _records(call)
    repeated = _repeated(records, key)

    def one(record: Mapping[str, Any]) -> Result:
        if _type_of(api, record) is not thing:
            raise Refusal("INVALID_TYPE", f"all records of this call must be of type {thing.name}")
        value = _value_of(record, key)
        if value in repeated:
            raise Refusal("DUPLICATE_VALUE", f"Duplicate external id specified: {value}", key.name)
        found, created = api.org.upsert(thing, key, value, record)
        return {**saved(found), "created": created}

    return _each(api, records, one, all_or_none=whole)


def delete_many(api: Api, call: Call) -> Answer:
    ids = [found for found in call.parameters.get("ids", "").split(",") if found]
    _check_number(ids)
    whole = call.parameters.get("allOrNone", "false").lower() == "true"

    def one(found: str) -> Result:
        thing = api.org.schema.by_prefix.get(found[:3])
        if thing is None:
            raise Refusal("MALFORMED_ID", f"malformed id {found}", "Id")
        api.bin.delete(thing, found)
        return saved(as_long_id(found) or found)

    return _each(api, ids, one, all_or_none=whole)


def _each(api: Api, records: Sequence[Any], one: Callable[[Any], Result], *, all_or_none: bool) -> Answer:
    refuses_call = api.org.schema.behaviour.unreadable_refuses == "call"
    results: list[Result] = []
    try:
        with api.org.store.transaction():
            for record in records:
                try:
                    results.append(one(record))
                except Refusal as refusal:
                    if refuses_call and isinstance(refusal, Unreadable):
                        raise
                    results.append(refusal.row())
            if all_or_none and not all(result["success"] for result in results):
                raise _RolledBack
    except _RolledBack:
        results = [_ROLLED_BACK.row() if result["success"] else result for result in results]
    return Answer(results)


def _records(call: Call) -> tuple[list[Mapping[str, Any]], bool]:
    body = call.json()
    records = body.get("records")
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise Refusal("JSON_PARSER_ERROR", "records must be an array of objects")
    _check_number(records)
    return records, body.get("allOrNone") is True


def _check_number(records: Sequence[Any]) -> None:
    if not records:
        raise Refusal("REQUIRED_FIELD_MISSING", "no records were given")
    if len(records) > RECORDS_MAX:
        message = f"record limit reached. cannot submit more than {RECORDS_MAX} records in this operation"
        raise Refusal("LIMIT_EXCEEDED", message)


def _type_of(api: Api, record: Mapping[str, Any]) -> Object:
    attributes = record.get("attributes")
    if not isinstance(attributes, dict) or "type" not in attributes:
        raise Unreadable("JSON_PARSER_ERROR", "each record needs attributes with a type")
    return api.org.lookup.object(str(attributes["type"]))


def _value_of(record: Mapping[str, Any], key: Field) -> Any:
    return next((value for name, value in record.items() if name.lower() == key.name.lower()), None)


def _repeated(records: Sequence[Mapping[str, Any]], key: Field) -> set[Any]:
    values = [value for record in records if (value := _value_of(record, key)) is not None]
    return {value for value in values if values.count(value) > 1}
