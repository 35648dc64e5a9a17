"""An entitlement is one of a few numbered groups of custom fields of an organization: a slot.

Zendesk Support has no entitlements, and fields of an organization hold one value each. So slot 3 of organization 42,
"42/3", is what the fields `entitlement_3_number`, `…_product`, `…_quantity`, `…_start_on` and `…_end_on` say; a slot
without a number is free. A slot has a version of its own, so that a change elsewhere in its organization is none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from sync_pipelines.engine.port import Found
from sync_pipelines.errors import MalformedPage

SLOTS = 12
_DAY = len("2026-01-31")


@dataclass(frozen=True, slots=True)
class Place:
    """A slot, and for a create the number of the entitlement that is to be there."""

    organization_id: str
    slot: int
    number: str = ""

    def __str__(self) -> str:
        return f"{self.organization_id}/{self.slot}"


def place_of(text: str | None) -> Place | None:
    """The place that an id ("42/3") or an external id ("42/3/E-1") names; None where it names no slot.

    >>> place_of("42/3/E-1"), place_of("42")
    (Place(organization_id='42', slot=3, number='E-1'), None)
    """
    parts = (text or "").split("/", 2)
    if len(parts) < 2 or not (parts[0].isdecimal() and parts[1].isdecimal()):
        return None
    return Place(parts[0], int(parts[1]), parts[2] if len(parts) == 3 else "")


def fields_in(payload: bytes) -> Mapping[str, Any]:
    """The custom fields of an organization, with its numbers as they are written."""
    try:
        fields: Mapping[str, Any] = json.loads(payload, parse_float=Decimal)["organization_fields"] or {}
    except (ValueError, KeyError):
        raise MalformedPage("an organization comes without its fields: nothing of the page was kept") from None
    return fields


def number_at(fields: Mapping[str, Any], slot: int) -> str:
    """The number of the entitlement in a slot; empty where it is free."""
    return str(fields.get(f"entitlement_{slot}_number") or "").strip()


def slot_of(fields: Mapping[str, Any], number: str) -> int | None:
    """The slot in which an entitlement is; numbers are compared as the engine compares codes."""
    return next((slot for slot in taken(fields) if number_at(fields, slot).upper() == number.strip().upper()), None)


def taken(fields: Mapping[str, Any]) -> Iterator[int]:
    return (slot for slot in range(1, SLOTS + 1) if number_at(fields, slot))


def version(fields: Mapping[str, Any], slot: int) -> str:
    """What a slot holds, as text; `entitlement.sql` makes the same of the same values.

    >>> version({"entitlement_1_number": "E-1", "entitlement_1_quantity": 5}, 1)
    'E-1||5.0000||'
    """
    number, product, quantity, start_on, end_on = (
        fields.get(f"entitlement_{slot}_{name}") for name in ("number", "product", "quantity", "start_on", "end_on")
    )
    return "|".join([number or "", product or "", _quantity(quantity), _day(start_on), _day(end_on)])


def found(payload: bytes, place: Place) -> Found | None:
    """What is in a slot, with its days as days; None where it is free."""
    fields = fields_in(payload)
    if not number_at(fields, place.slot):
        return None
    own = {name: value for name, value in fields.items() if name.startswith(f"entitlement_{place.slot}_")}
    days = {name: _day(value) for name, value in own.items() if name.endswith("_on") and value}
    shown = json.dumps({"organization_fields": {**own, **days}}, default=str)
    return Found(str(place), version(fields, place.slot), shown.encode())


def _quantity(value: Any) -> str:
    try:
        return "" if value is None else str(Decimal(str(value)).quantize(Decimal("0.0001")))
    except InvalidOperation:
        return str(value)


def _day(value: Any) -> str:
    """Zendesk shows a day as its midnight in UTC."""
    return str(value or "")[:_DAY]
