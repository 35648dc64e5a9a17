"""The data API: queries over an object's records, writes of up to fifty, deletes, and what its fields are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sync_pipelines.sandbox.gainsight.query import test_of
from sync_pipelines.sandbox.gainsight.refusal import Refusal, invalid, unknown_field
from sync_pipelines.sandbox.gainsight.tenant import DELETE_LOG, Field, Object, Tenant
from sync_pipelines.sandbox.gainsight.value import checked, gsid_of, iso, local_instant
from sync_pipelines.sandbox.store import Document

_QUERY = {"select", "where", "orderBy", "limit", "offset"}
_KEY_TYPES = ("STRING", "GSID", "NUMBER", "EMAIL", "SFDCID")


def query(tenant: Tenant, thing: Object, body: Mapping[str, Any]) -> Any:
    """A page of records; each shows its fields under the names by which they were asked for."""
    settings = tenant.settings
    check_keys(body, _QUERY)
    asked = body.get("select") or []
    fields = {str(name): named(thing, str(name)) for name in asked}
    limit, offset = body.get("limit", settings.page_max), body.get("offset", 0)
    if not fields:
        raise invalid("select is empty")
    if not isinstance(limit, int) or not isinstance(offset, int) or not 0 < limit <= settings.page_max or offset < 0:
        raise invalid(f"limit has to be a number up to {settings.page_max}, and offset one from 0")

    def read(field: Field, value: Any) -> Any:
        if field.type in ("DATE", "DATETIME"):
            return local_instant(str(value), settings.filter_zone)
        return gsid_of(str(value)) if field.type in ("GSID", "LOOKUP", "PICKLIST") else value

    test = test_of(thing, body.get("where"), named_by="name", read=read)
    rows = _sorted(thing, [row for row in tenant.seen(thing) if test(row)], body.get("orderBy") or {})
    page = [_shown(thing, fields, row) for row in rows[offset : offset + limit]]
    if not page and settings.nothing != "records":
        status = 400 if settings.nothing == "refusal" else 200
        raise Refusal("GSOBJ_1011", "No data found for given criteria", status=status)
    return page if settings.rows_in == "list" else {"records": page}


def insert(tenant: Tenant, thing: Object, body: Mapping[str, Any]) -> dict[str, Any]:
    """New records, all or none of them. Nothing but Gsid is unique."""
    made = [_values(thing, each, is_new=True) for each in _records(tenant, thing, body)]
    return _written([tenant.add(thing, values) for values in made])


def update(tenant: Tenant, thing: Object, body: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """Records found by up to three of their fields, all or none of them; a field that is not named stays as it is."""
    fields = [named(thing, key) for key in keys]
    if not 0 < len(fields) <= tenant.settings.keys_max or any(each.type not in _KEY_TYPES for each in fields):
        raise invalid(f"keys has to name up to {tenant.settings.keys_max} fields of type {', '.join(_KEY_TYPES)}")
    changes = []
    for each in _records(tenant, thing, body):
        told = {named(thing, name).name: value for name, value in each.items()}
        found = _found(tenant, thing, {field.name: told.pop(field.name, None) for field in fields})
        changes.append((found, _values(thing, told, is_new=False)))
    return _written([tenant.change(thing, row, values) for row, values in changes])


def describe(tenant: Tenant, body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The objects that were named, with their fields."""
    return [_description(tenant.object(str(name))) for name in body.get("objectNames") or []]


def named(thing: Object, name: str) -> Field:
    field = thing.field(name)
    if field is None:
        raise unknown_field(name)
    return field


def check_keys(body: Mapping[str, Any], known: set[str]) -> None:
    if unknown := sorted(body.keys() - known):
        raise invalid(f"Unrecognized field {unknown[0]!r}")


def _sorted(thing: Object, rows: list[Document], order: Mapping[str, Any]) -> list[Document]:
    """By one field alone: whether several are taken is nowhere said."""
    if len(order) > 1:
        raise invalid("orderBy takes one field")
    for name, direction in order.items():
        key = named(thing, name).name
        told = [row for row in rows if row.get(key) is not None]
        untold = [row for row in rows if row.get(key) is None]
        return untold + sorted(told, key=lambda row: row[key], reverse=str(direction).lower() == "desc")
    return rows


def _shown(thing: Object, fields: Mapping[str, Field], row: Document) -> dict[str, Any]:
    if thing.name == DELETE_LOG:
        second = {name: iso(field, row[field.name]) for name, field in fields.items()}
        return {name: value.replace(".000Z", "Z") for name, value in second.items()}
    return {name: row.get(field.name) for name, field in fields.items()}


def _records(tenant: Tenant, thing: Object, body: Mapping[str, Any]) -> list[dict[str, Any]]:
    check_keys(body, {"records"})
    records = body.get("records")
    if not thing.writable:
        raise Refusal("GSOBJ_1023", f"Invalid path: {thing.name} is not written here")
    if not isinstance(records, list) or not records or not all(isinstance(each, dict) for each in records):
        raise invalid("records has to be a list of objects")
    if len(records) > tenant.settings.batch_max:
        raise invalid(f"records takes no more than {tenant.settings.batch_max}")
    return records


def _values(thing: Object, given: Mapping[str, Any], *, is_new: bool) -> dict[str, Any]:
    fields = {name: named(thing, name) for name in given}
    values = {fields[name].name: checked(fields[name], value) for name, value in given.items()}
    missing = [each.name for each in thing.fields.values() if is_new and each.required and each.name not in values]
    if missing:
        raise Refusal("GSOBJ_1007", f"{missing[0]} must not be null")
    return values


def _found(tenant: Tenant, thing: Object, key: Mapping[str, Any]) -> Document:
    if set(key) == {"Gsid"}:
        one = tenant.store.get(thing.name, gsid_of(str(key["Gsid"])))
        rows = [one] if one else []
    else:
        name, value = next(iter(key.items()))
        held = tenant.store.find(thing.name, name, value)
        rows = [row for row in held if all(row.get(each) == told for each, told in key.items())]
    if not rows:
        raise Refusal("GSOBJ_1011", "No record matches the given keys")
    if len(rows) > 1:
        raise invalid("Several records match the given keys")
    return rows[0]


def _written(rows: Sequence[Document]) -> dict[str, Any]:
    shown = [{name: value for name, value in row.items() if name[0] != "_"} for row in rows]
    return {"count": len(shown), "errors": None, "records": shown}


def _description(thing: Object) -> dict[str, Any]:
    fields = [
        {
            "fieldName": each.name,
            "label": each.name,
            "dataType": each.type,
            "objectName": thing.name,
            "meta": {"required": each.required, "readOnly": each.readonly, "length": each.length, "hidden": False},
        }
        for each in thing.fields.values()
    ]
    return {"objectName": thing.name, "label": thing.name, "keyPrefix": thing.prefix, "fields": fields}
