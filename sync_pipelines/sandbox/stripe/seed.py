"""Filling an account with many objects at once, as a company that has been in business for years."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sync_pipelines.sandbox.store import Document, Store
from sync_pipelines.sandbox.stripe.shape import KINDS, complete, enclosed

Row = Mapping[str, Any]


def seed(store: Store, rows: Mapping[str, Iterable[Row]]) -> int:
    """Put objects in Stripe's shape into the store; returns how many. They emit no events.

    `rows` holds them by kind ("customer", "product", "price", "tax_rate", "subscription", "invoice",
    "credit_note", …), older ones first. Each needs `id` and `created`; other fields that are left out
    have Stripe's defaults. `items` and `lines` may be given as plain lists. Amounts are taken as given.
    """
    return sum(_load(store, kind, given) for kind, given in rows.items())


def _load(store: Store, kind: str, rows: Iterable[Row]) -> int:
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is no object of this stand-in; there are: {', '.join(sorted(KINDS))}")
    loaded = [_completed(kind, row) for row in rows]
    if kind == "subscription":
        owners = ((item["id"], {"subscription": each["id"]}) for each in loaded for item in each["items"]["data"])
        store.load("_subscription_item", owners)
    return store.load("_event" if kind == "event" else kind, ((document["id"], document) for document in loaded))


def _completed(kind: str, row: Row) -> Document:
    whole = {"created": 0, **complete(kind, row)}
    match kind:
        case "subscription":
            items = [complete("subscription_item", {"subscription": row["id"], **item}) for item in _data(row, "items")]
            whole["items"] = enclosed(items, f"/v1/subscription_items?subscription={row['id']}")
        case "invoice":
            lines = [complete("line_item", {"invoice": row["id"], **line}) for line in _data(row, "lines")]
            whole["lines"] = enclosed(lines, f"/v1/invoices/{row['id']}/lines")
        case "credit_note":
            lines = [complete("credit_note_line_item", line) for line in _data(row, "lines")]
            whole["lines"] = enclosed(lines, f"/v1/credit_notes/{row['id']}/lines")
    return whole


def _data(row: Row, name: str) -> Iterator[Row]:
    given = row.get(name) or ()
    yield from given["data"] if isinstance(given, Mapping) else given
