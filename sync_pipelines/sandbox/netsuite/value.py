"""Values as they come in a body and as they are kept: references by id, numbers as exact texts, lists line by line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from sync_pipelines.sandbox.netsuite.refusal import Broken, invalid
from sync_pipelines.sandbox.netsuite.schema import Field

Resolve = Callable[[str, str | None, str | None, str], str]
"""The id of a record of a table by its id or external id; the last argument is where it was named."""


def parse(field: Field, value: Any, path: str, resolve: Resolve, *, strict: bool) -> Any:
    """A value as it is kept; None clears the field."""
    if value is None:
        return None
    match field.type:
        case "text":
            return _text(field, value, path)
        case "flag" if isinstance(value, bool):
            return value
        case "number":
            return _number(value["value"] if field.wrapped and isinstance(value, Mapping) else value, path)
        case "date":
            return _date(value, path)
        case "choice":
            return str(value["id"]) if isinstance(value, Mapping) and "id" in value else _text(field, value, path)
        case "reference":
            return _reference(field, value, path, resolve)
        case "references":
            items = _items(value, path)
            return [_reference(field, item, f"{path}.items[{place}]", resolve) for place, item in enumerate(items)]
        case "subrecord" if isinstance(value, Mapping):
            return fields(field.of, value, path, resolve, strict=strict)
        case "sublist":
            return [
                _line(field, item, f"{path}.items[{place}]", resolve, strict=strict)
                for place, item in enumerate(_items(value, path))
            ]
    raise invalid(f"Invalid value for {path}.", path)


def fields(
    known: Mapping[str, Field], body: Mapping[str, Any], path: str, resolve: Resolve, *, strict: bool
) -> dict[str, Any]:
    """The known fields of a body; an unknown one is refused only when the caller asked for it."""
    kept: dict[str, Any] = {}
    for name, value in body.items():
        where = f"{path}.{name}" if path else name
        if name in known:
            kept[name] = parse(known[name], value, where, resolve, strict=strict)
        elif strict and name not in ("links", "refName"):
            raise invalid(f"Error while accessing a resource. Unknown field or sublist: {where}.", where)
    return kept


def _line(field: Field, item: Any, path: str, resolve: Resolve, *, strict: bool) -> dict[str, Any]:
    if not isinstance(item, Mapping):
        raise invalid(f"{path} is not an object.", path)
    told = {name: value for name, value in item.items() if name not in ("line", "id")}
    kept = fields(field.of, told, path, resolve, strict=strict)
    if "line" in item:
        kept["line"] = int(item["line"])
    return {**kept, "id": str(item["id"])} if "id" in item else kept


def _items(value: Any, path: str) -> list[Any]:
    items = value.get("items") if isinstance(value, Mapping) else value
    if not isinstance(items, list):
        raise invalid(f"{path} has to hold its lines as items.", path)
    return items


def _text(field: Field, value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise invalid(f"Invalid value for {path}: a text is expected.", path)
    if field.length and len(value) > field.length:
        raise Broken(
            "EXCEEDED_MAX_FIELD_LENGTH",
            f"The field {path} contained more than the maximum number ( {field.length} ) of characters allowed.",
            path,
        )
    return value


def _number(value: Any, path: str) -> str:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise invalid(f"Invalid value for {path}: a number is expected.", path)
    return format(Decimal(value), "f")


def _date(value: Any, path: str) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        raise invalid(f"Invalid value for {path}: a date as YYYY-MM-DD is expected.", path) from None


def _reference(field: Field, value: Any, path: str, resolve: Resolve) -> str:
    if not isinstance(value, Mapping) or not {"id", "externalId"} & value.keys():
        raise invalid(f"Invalid value for {path}: a reference has an id or an externalId.", path)
    own = None if value.get("id") is None else str(value["id"])
    return resolve(field.to, own, value.get("externalId"), path)
