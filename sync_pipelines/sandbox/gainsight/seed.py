"""Fills a tenant with complete rows at once, as one that has been in use for years."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sync_pipelines.sandbox.store import Document, Store

BORN_MS = 1_767_225_600_000
"""1 January 2026, for rows that do not say when they were made."""


def seed(store: Store, rows: Mapping[str, Iterable[Document]]) -> dict[str, int]:
    """Load rows by object ("Company", "call_to_action", "success_plan"); returns the number of rows by object.

    They carry `Gsid`, and should carry `ModifiedDate` in milliseconds since 1970; nothing is validated.
    """
    loaded = {}
    for name, given in rows.items():
        documents = [{"CreatedDate": row.get("ModifiedDate", BORN_MS), "ModifiedDate": BORN_MS, **row} for row in given]
        loaded[name] = store.load(name, [(str(row["Gsid"]), row) for row in documents])
    return loaded
