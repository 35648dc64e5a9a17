"""The objects that an adapter serves, where it knows each of them beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from sync_pipelines.errors import FixConfiguration

T = TypeVar("T")


def served(known: Mapping[str, T], object: str, *, vendor: str) -> T:
    """What an adapter knows of an object; `FixConfiguration` tells which there are.

    >>> served({"customers": "customer"}, "customers", vendor="Chargebee")
    'customer'
    """
    if object not in known:
        listed = ", ".join(sorted(known))
        raise FixConfiguration(f"{vendor}'s {object!r} is not known here; there are: {listed}")
    return known[object]
