"""Custom fields of organizations: how each type reads a value, and how it gives it back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from sync_pipelines.sandbox.store import Document
from sync_pipelines.sandbox.zendesk.account import ORGANIZATION_FIELD, Account
from sync_pipelines.sandbox.zendesk.refusal import Invalid

TYPES = ("text", "textarea", "checkbox", "date", "integer", "decimal", "regexp", "dropdown")


def values_of(account: Account, before: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """An organization's custom fields after a write that names some of them; the others stay as they are."""
    fields = {str(each["key"]): each for each in account.store.all(ORGANIZATION_FIELD) if each["active"]}
    if unknown := sorted(set(given) - set(fields)):
        raise Invalid(*((key, "is not a field of organizations", "UnknownProperty") for key in unknown))
    read = {key: _read(fields[key], value) for key, value in given.items()}
    return {key: read.get(key, before.get(key)) for key in fields}


def shown_values(account: Account, held: Mapping[str, Any]) -> dict[str, Any]:
    """Every active field, with null where the organization says nothing."""
    return {str(f["key"]): held.get(str(f["key"])) for f in account.store.all(ORGANIZATION_FIELD) if f["active"]}


def _read(field: Document, value: Any) -> Any:
    if value is None or value == "":
        return None
    read = _typed(field, value)
    if read is None:
        raise Invalid((str(field["key"]), f"is not a valid {field['type']}", "InvalidValue"))
    return read


def _typed(field: Document, value: Any) -> Any:
    match field["type"]:
        case "checkbox":
            return value if isinstance(value, bool) else None
        case "date":
            return _day(value)
        case "integer" | "decimal" if isinstance(value, bool):
            return None
        case "integer":
            return value if isinstance(value, int) else None
        case "decimal":
            return value if isinstance(value, int | float) else None
        case "dropdown":
            return value if value in {option["value"] for option in field["custom_field_options"]} else None
        case "regexp":
            return value if isinstance(value, str) and re.search(field["regexp_for_validation"], value) else None
        case _:
            return value if isinstance(value, str) else None


def _day(value: Any) -> str | None:
    """A date is kept as the midnight of its day in UTC."""
    try:
        return f"{date.fromisoformat(str(value)[:10])}T00:00:00+00:00"
    except ValueError:
        return None
