"""Fills the books with complete rows at once, as an ERP that has been in use for years."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sync_pipelines.sandbox.ecc.books import COLUMNS, FIRST, ITEM_COLUMNS, KEYS
from sync_pipelines.sandbox.store import Document, Store


def seed(store: Store, rows: Mapping[str, Iterable[Document]]) -> dict[str, int]:
    """Load rows by interface ("DEBMAS", "ORDERS", "INVOIC"); they carry their number, documents their `items`.

    Nothing is validated, and what they lack is blank. New records are numbered from the highest number on, and the
    first extract is a full one. Returns the number of rows.
    """
    loaded = {}
    for interface, given in rows.items():
        blank = {name: "" for name in COLUMNS[interface] if name not in ITEM_COLUMNS}
        items: dict[str, object] = {} if interface == "DEBMAS" else {"items": []}
        documents = [(str(row[KEYS[interface]]), {**blank, **items, **row}) for row in given]
        loaded[interface] = store.load(interface, documents)
        used = [int(number) for number, _ in documents if number.isdecimal()]
        last = int(store.meta(f"last_{interface}", FIRST[interface]))
        store.set_meta(f"last_{interface}", max([last, *used]))
    return loaded
