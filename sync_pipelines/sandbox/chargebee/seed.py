"""Filling a site with many resources at once, as a company that has been in business for years."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sync_pipelines.sandbox.chargebee.invoice import LISTS
from sync_pipelines.sandbox.store import Document, Store

KINDS = ("customer", "item_family", "item", "item_price", "subscription", "invoice", "credit_note")
_LISTS: Mapping[str, tuple[str, ...]] = {
    "subscription": ("subscription_items",),
    "invoice": ("line_items", *LISTS),
    "credit_note": ("line_items", "allocations"),
}
_CREATED = ("customer", "item_price", "subscription")
"""Resources that tell when they were made."""

Row = Mapping[str, Any]


def seed(store: Store, rows: Mapping[str, Iterable[Row]]) -> int:
    """Put resources in Chargebee's shape into the store; returns how many. They emit no events.

    `rows` holds them by kind ("customer", "item_family", "item", "item_price", "subscription", "invoice",
    "credit_note"). Each needs `id` and `updated_at`; its version follows from that. Values are taken as given.
    """
    return sum(_load(store, kind, given) for kind, given in rows.items())


def _load(store: Store, kind: str, rows: Iterable[Row]) -> int:
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is no resource of this stand-in; there are: {', '.join(KINDS)}")
    return store.load(kind, _completed(kind, rows))


def _completed(kind: str, rows: Iterable[Row]) -> Iterator[tuple[str, Document]]:
    for place, row in enumerate(rows):
        whole = {
            **{name: [] for name in _LISTS.get(kind, ())},
            "created_at": row["updated_at"] if kind in _CREATED else None,
            "resource_version": row["updated_at"] * 1000 + place % 1000,
            "deleted": False,
            "object": kind,
            **row,
        }
        yield row["id"], {name: value for name, value in whole.items() if value is not None}
