"""Values of fields: what a write may say, what a condition compares with, and how an answer shows them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from sync_pipelines.sandbox.gainsight.refusal import Refusal, invalid
from sync_pipelines.sandbox.gainsight.tenant import Field, milliseconds, moment

_GSID = re.compile(r"[0-9A-Za-z]{36}")
_NUMBERS = ("NUMBER", "CURRENCY", "PERCENTAGE")
_IDS = ("GSID", "LOOKUP", "PICKLIST")
_TIME_FORM = "%Y-%m-%d %H:%M:%S"


def checked(field: Field, value: Any) -> Any:
    """A value as it is kept, or the refusal of a record that gives it to this field."""
    if field.readonly:
        raise invalid(f"{field.name} is read only")
    if value is None:
        if field.required:
            raise Refusal("GSOBJ_1007", f"{field.name} must not be null")
        return None
    if field.type in _NUMBERS:
        fits = isinstance(value, int | float) and not isinstance(value, bool)
    elif field.type == "BOOLEAN":
        fits = isinstance(value, bool)
    else:
        fits = isinstance(value, str)
    if not fits:
        raise invalid(f"{field.name} takes no such value")
    return _text(field, value) if isinstance(value, str) else value


def _text(field: Field, value: str) -> Any:
    if field.type in _IDS:
        return gsid_of(value)
    if field.type == "DATE":
        return _day(value)
    if field.type == "DATETIME":
        return instant(value)
    if field.length is not None and len(value) > field.length:
        raise Refusal("GSOBJ_1001", f"{field.name} is longer than {field.length} characters")
    if field.required and not value.strip():
        raise Refusal("GSOBJ_1007", f"{field.name} must not be empty")
    return value


def gsid_of(value: str) -> str:
    if not _GSID.fullmatch(value):
        raise Refusal("GSOBJ_1004", "Malformed GSID")
    return value


def instant(text: str) -> int:
    """From ISO 8601 with its zone."""
    try:
        return milliseconds(datetime.fromisoformat(text).astimezone(UTC))
    except ValueError:
        raise Refusal("GSOBJ_1005", "Invalid datetime") from None


def local_instant(text: str, zone: str) -> int:
    """From the form of a query's conditions, "2026-11-02 07:50:00", or a day alone."""
    try:
        told = datetime.strptime(text if " " in text else f"{text} 00:00:00", _TIME_FORM)  # noqa: DTZ007 (zone below)
    except ValueError:
        raise Refusal("GSOBJ_1005", f"Invalid datetime, it takes the form yyyy-MM-dd HH:mm:ss: {text}") from None
    return milliseconds(told.replace(tzinfo=ZoneInfo(zone)))


def iso(field: Field, value: Any) -> Any:
    """A value as the lists of the cockpit show it."""
    if value is None or field.type not in ("DATE", "DATETIME"):
        return value
    told = moment(value)
    return f"{told:%Y-%m-%d}" if field.type == "DATE" else f"{told:%Y-%m-%dT%H:%M:%S}.{value % 1000:03d}Z"


def _day(text: str) -> int:
    try:
        return milliseconds(datetime.combine(date.fromisoformat(text), time(), UTC))
    except ValueError:
        raise Refusal("GSOBJ_1006", "Invalid date") from None
