"""Checks one value that a caller sends for a field, and gives it the form in which it is stored."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from sync_pipelines.sandbox.salesforce.fault import Refusal, Unreadable
from sync_pipelines.sandbox.salesforce.ids import as_long_id
from sync_pipelines.sandbox.salesforce.moment import day, instant_of, stamp
from sync_pipelines.sandbox.salesforce.schema import NUMERIC, TEXTUAL, Field

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_JSON_KINDS = {bool: "VALUE_TRUE", str: "VALUE_STRING", list: "START_ARRAY", dict: "START_OBJECT"}


def checked(field: Field, value: Any) -> Any:
    """The value to store; `Refusal` names what is wrong with it, `Unreadable` a wrong JSON type."""
    if value is None or (isinstance(value, str) and not value.strip()):
        if field.type == "boolean":
            return False
        return _listed(field, None)
    return _CHECKS[field.type](field, value)


def number(field: Field, value: Any) -> float | int:
    """A number rounded to the field's decimals, half up, and within its digits."""
    try:
        exact = Decimal(str(value))
        rounded = exact.quantize(Decimal(1).scaleb(-field.scale), ROUND_HALF_UP)
    except InvalidOperation as error:
        raise _unreadable(field, value) from error
    if field.precision and abs(rounded) >= Decimal(10) ** (field.precision - field.scale):
        raise Refusal("NUMBER_OUTSIDE_VALID_RANGE", f"{field.name}: value outside of valid range: {value}", field.name)
    return int(rounded) if field.type == "int" else float(rounded)


def _number(field: Field, value: Any) -> float | int:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise _unreadable(field, value)
    return number(field, value)


def _text(field: Field, value: Any) -> str | None:
    if not isinstance(value, str):
        raise _unreadable(field, value)
    value = value.strip()
    if field.type == "email" and not _EMAIL.fullmatch(value):
        raise Refusal("INVALID_EMAIL_ADDRESS", f"{field.name}: invalid email address: {value}", field.name)
    if field.length and len(value) > field.length:
        raise Refusal(
            "STRING_TOO_LONG",
            f"{field.name}: data value too large: {value} (max length={field.length})",
            field.name,
        )
    return _listed(field, value)


def _listed(field: Field, value: str | None) -> str | None:
    if field.restricted and value is not None and value not in field.values:
        raise Refusal(
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            f"{field.name}: bad value for restricted picklist field: {value}",
            field.name,
        )
    return value


def _boolean(field: Field, value: Any) -> bool:
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise _unreadable(field, value)
    return value


def _date(field: Field, value: Any) -> str:
    try:
        return day(value)
    except ValueError as error:
        raise _unreadable(field, value) from error


def _datetime(field: Field, value: Any) -> str:
    try:
        return stamp(instant_of(value))
    except (ValueError, TypeError) as error:
        raise _unreadable(field, value) from error


def _reference(field: Field, value: Any) -> str:
    found = as_long_id(value)
    if found is None:
        raise Refusal("MALFORMED_ID", f"{field.name}: id value of incorrect type: {value}", field.name)
    return found


def _unreadable(field: Field, value: Any) -> Unreadable:
    kind = _JSON_KINDS.get(type(value), "VALUE_NUMBER")
    shown = f" value {value}" if isinstance(value, (str, int, float)) else ""
    return Unreadable(
        "JSON_PARSER_ERROR",
        f"Cannot deserialize instance of {field.type} from {kind}{shown} or request may be missing a "
        f"required field: {field.name}",
        field.name,
    )


_CHECKS: dict[str, Callable[[Field, Any], Any]] = {
    **dict.fromkeys(TEXTUAL, _text),
    **dict.fromkeys(NUMERIC, _number),
    "boolean": _boolean,
    "date": _date,
    "datetime": _datetime,
    "reference": _reference,
}
