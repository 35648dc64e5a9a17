"""Tickets: creation under an idempotency key, safe updates, the final state, deletes."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec

from sync_pipelines.sandbox.store import Document
from sync_pipelines.sandbox.zendesk.account import AGENT_ID, ORGANIZATION, TICKET, Account
from sync_pipelines.sandbox.zendesk.refusal import Invalid, Refusal, check_known, named

_KEYS = "_idempotency"
_LONGEST_KEY = 255
_CHOICES = {
    "status": ("new", "open", "pending", "hold", "solved", "closed"),
    "priority": ("urgent", "high", "normal", "low", None),
    "type": ("problem", "incident", "question", "task", None),
}
DEFAULTS: Mapping[str, Any] = {
    "external_id": None,
    "type": None,
    "subject": None,
    "priority": None,
    "status": "new",
    "requester_id": AGENT_ID,
    "submitter_id": AGENT_ID,
    "assignee_id": None,
    "organization_id": None,
    "group_id": None,
    "due_at": None,
    "tags": [],
    "custom_fields": [],
}
_UNSTORED = ("comment", "safe_update", "updated_stamp")


def create(account: Account, given: Mapping[str, Any], *, key: str) -> tuple[dict[str, Any], str]:
    """The answer's body, and whether the key was known ("hit", "miss", or "" without a key)."""
    if len(key) > _LONGEST_KEY:
        raise named(400, "IdempotentRequestError", "Idempotency key is too long")
    print_ = sha256(msgspec.json.encode(given, order="sorted")).hexdigest()
    kept = account.store.get(_KEYS, key) if key else None
    if kept is not None and kept["at"] > account.seconds() - account.settings.idempotency_seconds:
        if kept["fingerprint"] != print_:
            words = "Request parameters don't match the given idempotency key"
            raise named(400, "IdempotentRequestError", words)
        return dict(kept["body"]), "hit"
    body = _audited(account, _made(account, given))
    if key:
        account.store.put(_KEYS, key, {"at": account.seconds(), "fingerprint": print_, "body": body})
    return body, "miss" if key else ""


def update(account: Account, number: object, given: Mapping[str, Any]) -> dict[str, Any]:
    before = account.fetch(TICKET, number)
    if before["status"] == "closed":
        raise Invalid(("status", "closed prevents ticket update", "InvalidValue"))
    if given.get("safe_update") and given.get("updated_stamp") != before["updated_at"]:
        raise Refusal(409, {"error": "UpdateConflict", "description": "Safe Update prevented the update"})
    return _audited(account, account.keep(TICKET, {**before, **_checked(account, before, given)}))


def remove(account: Account, number: object) -> None:
    """Moved to the deleted tickets, which are scrubbed later."""
    document = account.fetch(TICKET, number)
    account.keep(TICKET, {**document, "_deleted": True})


def exported(document: Document) -> dict[str, Any]:
    """A ticket as the export shows it: a deleted one says little more than that."""
    stamped = {**document, "generated_timestamp": document["_generated"]}
    if not document.get("_deleted"):
        return stamped
    kept = ("id", "url", "created_at", "updated_at", "generated_timestamp", "_generated")
    return {**{name: stamped[name] for name in kept}, "status": "deleted", "subject": "SCRUBBED", "tags": []}


def _made(account: Account, given: Mapping[str, Any]) -> Document:
    comment = given.get("comment") or {}
    text = comment.get("body") or comment.get("html_body") or given.get("description")
    if not text:
        raise Invalid(("description", "cannot be blank", "BlankValue"))
    values = _checked(account, DEFAULTS, {name: given[name] for name in given if name != "description"})
    via = {"channel": "api", "source": {"from": {}, "to": {}, "rel": None}}
    more = {"raw_subject": values["subject"], "description": text, "via": via, "is_public": True}
    return account.add(TICKET, {**values, **more, "satisfaction_rating": None})


def _checked(account: Account, before: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    check_known(given, [*DEFAULTS, *_UNSTORED])
    values = {name: given.get(name, before[name]) for name in DEFAULTS}
    for name, choices in _CHOICES.items():
        if values[name] not in choices:
            raise Invalid((name, f"{values[name]} is not included in the list", "InvalidValue"))
    if values["status"] == "new" and before["status"] != "new":
        raise Invalid(("status", "cannot be set back to new", "InvalidValue"))
    organization = values["organization_id"]
    if organization is not None and account.find(ORGANIZATION, organization) is None:
        raise Invalid(("organization_id", "is invalid", "InvalidValue"))
    return values


def _audited(account: Account, ticket: Document) -> dict[str, Any]:
    shown = {name: value for name, value in ticket.items() if name[0] != "_"}
    return {"ticket": shown, "audit": {"id": account.new_id(), "ticket_id": ticket["id"], "author_id": AGENT_ID}}
