"""Checks one value that a caller sends for a property, and gives it the text in which it is kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

from sync_pipelines.sandbox.hubspot.schema import Property

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Unfit(ValueError):
    """A value that a property does not take: its code, and what HubSpot says."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def checked(property: Property, value: object, *, text_max: int) -> str | None:
    """The text to keep, None for a value that is cleared; `Unfit` says what is wrong."""
    if isinstance(value, bool):
        value = "true" if value else "false"
    if isinstance(value, int | float):
        value = str(value)
    if not isinstance(value, str):
        raise Unfit("INVALID_VALUE", f"{property.name} takes a text")
    if value == "":
        return None
    if len(value) > text_max:
        raise Unfit("PROPERTY_TOO_LONG", f"{property.name} is longer than {text_max} characters")
    return _CHECKS[property.type](property, value)


def instant(text: str) -> datetime:
    """An instant from ISO 8601 or from milliseconds since 1970; `ValueError` for anything else."""
    if re.fullmatch(r"-?\d+", text):
        return _EPOCH + timedelta(milliseconds=int(text))
    told = datetime.fromisoformat(text)
    return told.astimezone(UTC) if told.tzinfo else told.replace(tzinfo=UTC)


def stamp(moment: datetime) -> str:
    """A moment as HubSpot writes it.

    >>> stamp(datetime(2026, 11, 2, 8, 0, 0, 210_000, tzinfo=UTC))
    '2026-11-02T08:00:00.210Z'
    """
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def _text(property: Property, value: str) -> str:
    if property.format != "email":
        return value
    if not _EMAIL.fullmatch(value.strip()):
        raise Unfit("INVALID_EMAIL", f"Email address {value} is invalid")
    return value.strip().lower()


def _number(property: Property, value: str) -> str:
    try:
        number = Decimal(value.strip())
    except InvalidOperation:
        raise Unfit("INVALID_DOUBLE", f"{value} was not a valid number.") from None
    if not number.is_finite():
        raise Unfit("INVALID_DOUBLE", f"{value} was not a valid number.")
    if property.least is not None and number < property.least:
        raise Unfit("INVALID_NUMBER", f"{property.name} must be at least {property.least}")
    return f"{number:f}"


def _option(property: Property, value: str) -> str:
    if not property.open and value not in property.options:
        listed = ", ".join(property.options)
        raise Unfit("INVALID_OPTION", f"{value} was not one of the allowed options: [{listed}]")
    return value


def _flag(property: Property, value: str) -> str:
    if value.lower() not in ("true", "false"):
        raise Unfit("INVALID_BOOLEAN", f"{value} was not a valid boolean.")
    return value.lower()


def _date(property: Property, value: str) -> str:
    try:
        moment = instant(value)
    except ValueError:
        raise Unfit("INVALID_DATE", f"{value} was not a valid date.") from None
    if moment.time() != datetime.min.time():
        raise Unfit("INVALID_DATE", f"{value} is at {moment.time()} UTC, not midnight!")
    return f"{moment:%Y-%m-%d}"


def _datetime(property: Property, value: str) -> str:
    try:
        return stamp(instant(value))
    except (ValueError, OverflowError):
        raise Unfit("INVALID_DATE", f"{value} was not a valid date.") from None


_CHECKS: dict[str, Callable[[Property, str], str]] = {
    "string": _text,
    "number": _number,
    "enumeration": _option,
    "bool": _flag,
    "date": _date,
    "datetime": _datetime,
}
