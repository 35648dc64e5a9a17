"""Fills a portal with records and their associations at once, as an organisation that has used it for years."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.faults import FaultPlan
from sync_pipelines.sandbox.hubspot.association import LINKS, Associations
from sync_pipelines.sandbox.hubspot.crm import FIRST_ID, MERGED, Crm
from sync_pipelines.sandbox.hubspot.schema import Object, Schema, load_schema
from sync_pipelines.sandbox.store import Document, Store

_BORN = "2026-01-01T00:00:00.000Z"


def seed(store: Store, rows: Mapping[str, Iterable[Document]], *, schema: Schema | None = None) -> dict[str, int]:
    """Load complete rows by object; returns the number of rows by object.

    A row is `{"id", "updatedAt", "properties"}`, and may say `createdAt`, `archivedAt`, and under
    `associations` the ids that it belongs to, by object; the first one is the primary one. Nothing is
    validated. What a row lacks is filled in, with what HubSpot derives. Merges are told by
    `hs_merged_object_ids` of the survivor.
    """
    schema = schema or load_schema()
    given = [(schema.objects[name], list(rows[name])) for name in rows]
    crm = Crm(schema, store, clock=VirtualClock(), faults=FaultPlan())
    loaded = {}
    for thing, told in given:
        documents = [_document(crm, thing, row) for row in told]
        loaded[thing.name] = store.load(thing.name, [(row["id"], row) for row in documents])
        store.load(MERGED, [pair for row in documents for pair in _merges(thing, row)])
        highest = max((int(row["id"]) for row in documents), default=0)
        store.set_meta("last id", max(highest, int(store.meta("last id", FIRST_ID))))
    for thing, told in given:
        _associate(crm, thing, told)
    return loaded


def _document(crm: Crm, thing: Object, row: Document) -> dict[str, Any]:
    at = row.get("updatedAt") or _BORN
    created = row.get("createdAt") or at
    times = {"createdate": created, "hs_lastmodifieddate": at, thing.modified: at}
    defaults = {name: each.default for name, each in thing.properties.items() if each.default is not None}
    values = {**defaults, **times, "hs_object_id": row["id"], **row["properties"]}
    values |= crm.derived(thing, values)
    keys = {f"unique {name}": values.get(name) for name, each in thing.properties.items() if each.unique}
    gone = row.get("archivedAt")
    stamps = {"createdAt": created, "updatedAt": at, "archived": gone is not None, "archivedAt": gone}
    return {"id": row["id"], **keys, **stamps, "properties": values}


def _merges(thing: Object, row: Document) -> list[tuple[str, Document]]:
    merged = row["properties"].get("hs_merged_object_ids") or ""
    return [(f"{thing.name}/{record_id}", {"into": row["id"]}) for record_id in merged.split(";") if record_id]


def _associate(crm: Crm, thing: Object, rows: list[Document]) -> None:
    """Associations are put together in memory and loaded at once: one commit, however many there are."""
    draft = Store(None)
    for key, row in crm.store.table(LINKS).rows.items():
        draft.put(LINKS, key, row)
    links = Associations(crm.schema, draft)
    contacts = thing.name == "contacts"
    for row in rows:
        for name, ids in (row.get("associations") or {}).items():
            for to in ids:
                links.join(thing, row["id"], crm.schema.objects[name], to)
    crm.store.load(LINKS, dict(draft.table(LINKS).rows))
    if contacts:
        shown = [crm.with_company(thing, crm.store.get(thing.name, row["id"]) or row) for row in rows]
        crm.store.load(thing.name, [(row["id"], row) for row in shown])
