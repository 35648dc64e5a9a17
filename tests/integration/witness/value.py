"""What the witnesses tell: records in business terms, and when two values mean the same."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from sync_pipelines.domains.money import exponent

Record = dict[str, Any]
Records = dict[str, dict[str, Record]]
"""Domain → record id → field → value."""


def minor(amount: Any, currency: str) -> int:
    """An amount of a JSON number or a decimal in minor units; a fraction of one is an error."""
    scaled = Decimal(str(amount)).scaleb(exponent(currency))
    assert scaled == int(scaled), f"{amount} {currency} has a fraction of a minor unit"
    return int(scaled)


def line(product: str | None, quantity: Any, amount_minor: int) -> tuple[str | None, Decimal, int]:
    return product, Decimal(str(quantity)), amount_minor


def normal(field: str, value: Any) -> Any:
    """The form in which two systems' values of a field are equal if they mean the same."""
    if field == "phone" and value:
        return "".join(c for c in value if c.isdigit())
    if field == "lines" and isinstance(value, str):
        value = [line(each["product"], each["quantity"], each["amount_minor"]) for each in json.loads(value)]
    if field == "lines":
        return sorted(value)
    return value or None if isinstance(value, str) else value
