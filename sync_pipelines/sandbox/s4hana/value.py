"""Values as they are kept and as they travel: OData V2's JSON, and literals in paths and filters.

Kept are texts that sort as their values do: dates as `2026-11-20T00:00:00`, instants with seven decimals and `Z`, times
as `PT10H15M00S`, decimals as they were written.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from sync_pipelines.sandbox.s4hana.refusal import facet, invalid
from sync_pipelines.sandbox.s4hana.schema import Property

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICKS = re.compile(r"/Date\((-?\d+)(?:[+-]\d{4})?\)/")
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,7})?)?Z?")
_TIME = re.compile(r"PT(\d+)H(\d+)M(\d+)S")
_LITERALS = {"datetime": "DateTime", "datetimeoffset": "DateTimeOffset", "time": "Time"}
_NOTHING = {"String": "", "Boolean": False, "Decimal": "0", "Time": "PT00H00M00S"}
_LITERAL = re.compile(r"(?:(datetimeoffset|datetime|time))?'((?:[^']|'')*)'|(true|false)|(null)|(-?[\d.]+)[mMdDfFlL]?")


def initial(one: Property) -> Any:
    """What a property holds that was never given; dates hold nothing."""
    return _NOTHING.get(one.type)


def kept(one: Property, given: Any) -> Any:
    """A value of a body as it is kept."""
    if given is None:
        return initial(one)
    match one.type:
        case "String":
            return _text(one, given)
        case "Boolean" if isinstance(given, bool):
            return given
        case "Decimal":
            return _decimal(one, given)
        case "DateTime" | "DateTimeOffset" if isinstance(given, str):
            return _moment(one, given)
        case "Time" if isinstance(given, str) and _TIME.fullmatch(given):
            return given
    raise invalid(f"Property '{one.name}' has an invalid value")


def told(one: Property, value: Any) -> Any:
    """A kept value as it travels."""
    if value is None or one.type not in ("DateTime", "DateTimeOffset"):
        return value
    milliseconds = (instant(value) - _EPOCH) // timedelta(milliseconds=1)
    return f"/Date({milliseconds}{'+0000' if one.type == 'DateTimeOffset' else ''})/"


def literal(text: str) -> tuple[str, Any]:
    """The type and the kept value of a literal in a path or a filter; the type is empty for null."""
    found = _LITERAL.fullmatch(text)
    if found is None:
        raise invalid(f"Invalid literal {text}")
    kind, quoted, flag, null, number = found.groups()
    if null:
        return "", None
    if flag:
        return "Boolean", flag == "true"
    if number:
        return "Decimal", Decimal(number)
    if kind is None:
        return "String", quoted.replace("''", "'")
    name = _LITERALS[kind]
    return name, kept(Property("literal", name, (), frozenset()), quoted)


def instant(value: str) -> datetime:
    """The kept text of a date or an instant as such; what is finer than a microsecond is dropped."""
    whole, _, fraction = value.rstrip("Z").partition(".")
    return datetime.fromisoformat(whole).replace(tzinfo=UTC, microsecond=int((fraction + "000000")[:6]))


def stamp(moment: datetime) -> str:
    """An instant as it is kept."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


def day(moment: datetime) -> str:
    """The date of an instant, as it is kept."""
    return moment.strftime("%Y-%m-%dT00:00:00")


def _text(one: Property, given: Any) -> str:
    if not isinstance(given, str):
        raise invalid(f"Property '{one.name}' has an invalid value")
    if len(given.encode("utf-16-le")) // 2 > one.sizes[0]:
        raise facet(one.name)
    return given.rstrip(" ")


def _decimal(one: Property, given: Any) -> str:
    """Decimals travel as texts: a JSON number has been through a binary float."""
    if not isinstance(given, str):
        raise invalid(f"Property '{one.name}' has an invalid value")
    try:
        _, digits, exponent = Decimal(given).as_tuple()
    except InvalidOperation:
        raise invalid(f"Property '{one.name}' has an invalid value") from None
    precision, scale = one.sizes
    if not isinstance(exponent, int) or -exponent > scale or len(digits) + exponent > precision - scale:
        raise facet(one.name)
    return given


def _moment(one: Property, given: str) -> str:
    if ticks := _TICKS.fullmatch(given):
        moment = _EPOCH + timedelta(milliseconds=int(ticks[1]))
    elif _ISO.fullmatch(given):
        if one.type == "DateTimeOffset":
            whole, _, fraction = given.rstrip("Z").partition(".")
            return f"{datetime.fromisoformat(whole).isoformat()}.{fraction.ljust(7, '0')}Z"
        moment = datetime.fromisoformat(given.rstrip("Z"))
    else:
        raise invalid(f"Property '{one.name}' has an invalid value")
    return stamp(moment) if one.type == "DateTimeOffset" else moment.strftime("%Y-%m-%dT%H:%M:%S")
