"""Nested bodies as the pairs of a form, for the vendors whose APIs take no JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from sync_pipelines.errors import FixConfiguration


def form(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """A nested body as pairs with bracketed names; a None is left out, for an empty value unsets.

    >>> list(form({"active": True, "metadata": {"sku": "S-1"}, "items": [{"quantity": 2}], "name": None}))
    [('active', 'true'), ('metadata[sku]', 'S-1'), ('items[0][quantity]', '2')]
    """
    if value is None:
        return
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from form(inner, f"{prefix}[{key}]" if prefix else str(key))
    elif isinstance(value, list | tuple):
        for position, inner in enumerate(value):
            yield from form(inner, f"{prefix}[{position}]")
    else:
        yield prefix, _text(value, prefix)


def _text(value: object, name: str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        raise FixConfiguration(
            f"{name!r} is a binary float: the write mapping must give an integer or a decimal as text"
        )
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
