"""Fills an account with complete rows at once, as one that has been in use for years."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sync_pipelines.sandbox.store import Document, Store
from sync_pipelines.sandbox.zendesk import organization, ticket
from sync_pipelines.sandbox.zendesk.account import (
    ORGANIZATION,
    ORGANIZATION_FIELD,
    TICKET,
    TICKET_FIELD,
    seconds_of,
)

_BORN = "2026-01-01T00:00:00Z"
_FIELD = {"active": True, "description": "", "position": 0, "system": False, "custom_field_options": []}
_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    ORGANIZATION: organization.DEFAULTS,
    ORGANIZATION_FIELD: {**_FIELD, "type": "text", "regexp_for_validation": None},
    TICKET: {**ticket.DEFAULTS, "description": "", "is_public": True, "satisfaction_rating": None},
    TICKET_FIELD: {**_FIELD, "type": "text", "required": False},
}


def seed(store: Store, rows: Mapping[str, Iterable[Document]]) -> dict[str, int]:
    """Load rows by kind ("organization", "organization_field", "ticket", "ticket_field").

    They carry `id`, and should carry `updated_at`; nothing is validated, and what they lack is filled in.
    Returns the number of rows by kind.
    """
    loaded = {}
    for kind, given in rows.items():
        documents = [_document(kind, row) for row in given]
        loaded[kind] = store.load(kind, [(str(document["id"]), document) for document in documents])
        highest = max((int(document["id"]) for document in documents), default=0)
        store.set_meta("last_id", max(highest, int(store.meta("last_id", 0))))
    return loaded


def _document(kind: str, given: Document) -> dict[str, Any]:
    at = given.get("updated_at") or _BORN
    url = f"https://meridian.zendesk.com/api/v2/{kind}s/{given['id']}.json"
    times = {"created_at": given.get("created_at") or at, "updated_at": at}
    told = {"_deleted": True} if given.get("deleted_at") else {}
    return {"url": url, **_DEFAULTS[kind], **given, **times, "_generated": seconds_of(at), **told}
