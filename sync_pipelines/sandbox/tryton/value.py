"""Values between the wire and a document: tagged objects outside, plain JSON inside.

A document keeps an exact decimal as its text, a date as ISO text, and an instant as microseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from sync_pipelines.sandbox.tryton.fault import Crash
from sync_pipelines.sandbox.tryton.schema import Field

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENT = ("year", "month", "day", "hour", "minute", "second", "microsecond")


def micros(moment: datetime) -> int:
    """An instant as documents keep it."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def version(stamp: int) -> str:
    """`_timestamp`: the seconds since 1970 as PostgreSQL prints them.

    >>> version(1795430637077480)
    '1795430637.077480'
    """
    return f"{stamp // 1_000_000}.{stamp % 1_000_000:06d}"


def decoded(value: Any) -> Any:
    """A JSON value with its tagged objects turned into decimals, dates and instants."""
    if isinstance(value, list):
        return [decoded(item) for item in value]
    if not isinstance(value, dict):
        return value
    match value.get("__class__"):
        case "Decimal":
            return _decimal(value["decimal"])
        case "date":
            return date(value["year"], value["month"], value["day"])
        case "datetime":
            return datetime(**{name: value[name] for name in _MOMENT}, tzinfo=UTC)
        case _:
            return {key: decoded(item) for key, item in value.items()}


def stored(field: Field, value: Any) -> Any:
    """A decoded value as the field's document keeps it; `Crash` where the server could not convert it."""
    if value is None:
        return None
    match field.kind:
        case "char" | "text":
            return _text(field, value)
        case "integer" | "many2one":
            return _integer(value)
        case "float":
            return _float(value)
        case "numeric":
            return str(_decimal(value))
        case "boolean":
            return bool(value)
        case "date":
            return _date(value)
        case "timestamp":
            return comparable(field, value)
        case _:
            return str(value)


def comparable(field: Field, value: Any) -> Any:
    """A decoded value in the form in which `domain` compares a field's values."""
    if value is None:
        return None
    match field.kind:
        case "numeric":
            return _decimal(value)
        case "date":
            return _date(value)
        case "timestamp":
            return micros(_instant(value))
        case "many2one" | "integer" if not isinstance(value, str):
            return int(value)
        case "float":
            return float(value)
        case _:
            return value


@lru_cache(maxsize=4096)
def tagged_date(text: str) -> Mapping[str, Any]:
    day = date.fromisoformat(text)
    return {"__class__": "date", "year": day.year, "month": day.month, "day": day.day}


@lru_cache(maxsize=65536)
def tagged_instant(stamp: int) -> Mapping[str, Any]:
    moment = EPOCH + timedelta(microseconds=stamp)
    return {"__class__": "datetime", **{name: getattr(moment, name) for name in _MOMENT}}


def told(field: Field, value: Any) -> Any:
    """A document's value as the wire shows it."""
    if value is None:
        return None
    match field.kind:
        case "numeric":
            return {"__class__": "Decimal", "decimal": value}
        case "date":
            return tagged_date(value)
        case "timestamp":
            return tagged_instant(value)
        case _:
            return value


def _text(field: Field, value: Any) -> str:
    if field.kind == "text" or "unstripped" in field.flags:
        return str(value)
    if not isinstance(value, str):
        raise Crash(f"'{type(value).__name__}' object has no attribute 'strip'")
    return value.strip()


def _integer(value: Any) -> int:
    try:
        return int(value)
    except ValueError as error:
        raise Crash(str(error)) from error


def _float(value: Any) -> float:
    try:
        return float(value)
    except ValueError as error:
        raise Crash(str(error)) from error


def _decimal(value: Any) -> Decimal:
    try:
        return Decimal(str(value))
    except InvalidOperation as error:
        raise Crash("[<class 'decimal.ConversionSyntax'>]") from error


def _date(value: Any) -> str:
    if isinstance(value, datetime):
        raise Crash("Date field can not have time")
    if isinstance(value, date):
        return value.isoformat()
    try:
        return date.fromisoformat(value).isoformat()
    except (TypeError, ValueError) as error:
        raise Crash(str(error)) from error


def _instant(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    try:
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    except (TypeError, ValueError) as error:
        raise Crash(str(error)) from error
