"""Fills a system with entities at once, as one that has been in use for years."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sync_pipelines.sandbox.s4hana import value
from sync_pipelines.sandbox.s4hana.books import identity
from sync_pipelines.sandbox.s4hana.rule import MATERIAL
from sync_pipelines.sandbox.s4hana.schema import load_services
from sync_pipelines.sandbox.store import Document, Store


def seed(store: Store, rows: Mapping[str, Iterable[Document]]) -> dict[str, int]:
    """Load complete rows by entity set, as they are kept; nothing is validated, and what they lack is initial.

    The rows of "material" name the materials that are sold. Returns the number of rows by set.
    """
    sets = {name: each for service in load_services().values() for name, each in service.items()}
    loaded = {}
    for name, given in rows.items():
        if name == "material":
            loaded[name] = store.load(MATERIAL, [(row["Material"], row) for row in given])
            continue
        entities = sets[name]
        bare: dict[str, Any] = {each.name: value.initial(each) for each in entities.properties.values()}
        documents = [{**bare, **row} for row in given]
        loaded[name] = store.load(name, [(identity(entities, row), row) for row in documents])
        key = "AddressID" if name == "A_BusinessPartnerAddress" else entities.keys[0]
        if key == "AddressID" or len(entities.keys) == 1:
            highest = max((int(row[key]) for row in documents), default=0)
            store.set_meta(f"number {key}", max(highest, int(store.meta(f"number {key}", 0))))
    return loaded
