"""Tryton's values in JSON: exact decimals, dates and instants travel as tagged objects.

>>> encode({"quantity": 3, "unit_price": Decimal("30.50"), "sale_date": date(2026, 11, 2)})
{'quantity': 3, 'unit_price': {'__class__': 'Decimal', 'decimal': '30.50'}, \
'sale_date': {'__class__': 'date', 'year': 2026, 'month': 11, 'day': 2}}
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any


def encode(value: Any) -> Any:
    """A value as the server reads it. Instants are sent in UTC; a float is refused, for it is never exact."""
    if isinstance(value, Mapping):
        return {key: encode(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [encode(item) for item in value]
    if isinstance(value, Decimal):
        return {"__class__": "Decimal", "decimal": str(value)}
    if isinstance(value, datetime):
        return _instant(value)
    if isinstance(value, date):
        return {"__class__": "date", "year": value.year, "month": value.month, "day": value.day}
    if isinstance(value, float):
        raise TypeError("a float is never sent: use a Decimal or an integer")
    return value


def decode(value: Any) -> Any:
    """What the server meant: the inverse of `encode`.

    >>> decode([{"__class__": "Decimal", "decimal": "30.50"}, {"name": "Seat"}])
    [Decimal('30.50'), {'name': 'Seat'}]
    """
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    match value.get("__class__"):
        case "Decimal":
            return Decimal(value["decimal"])
        case "date":
            return date(value["year"], value["month"], value["day"])
        case "datetime":
            return instant(value)
        case _:
            return {key: decode(item) for key, item in value.items()}


def instant(parts: Mapping[str, Any]) -> datetime:
    """An aware instant from the parts of a tagged one, which Tryton keeps in UTC."""
    moment = datetime(parts["year"], parts["month"], parts["day"], tzinfo=UTC)
    return moment.replace(**{name: parts[name] for name in ("hour", "minute", "second", "microsecond")})


def _instant(value: datetime) -> dict[str, Any]:
    if value.tzinfo is None:
        raise TypeError("an instant without a zone is never sent")
    moment = value.astimezone(UTC)
    names = ("year", "month", "day", "hour", "minute", "second", "microsecond")
    return {"__class__": "datetime", **{name: getattr(moment, name) for name in names}}
