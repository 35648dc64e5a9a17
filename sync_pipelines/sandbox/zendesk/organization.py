"""Organizations: what may be written, what must be unique, and what a merge leaves behind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync_pipelines.sandbox.store import Document
from sync_pipelines.sandbox.zendesk.account import ORGANIZATION, TICKET, Account, shown, stamp
from sync_pipelines.sandbox.zendesk.field import shown_values, values_of
from sync_pipelines.sandbox.zendesk.refusal import Invalid, check_known, not_found

MERGE = "_organization_merge"
DEFAULTS: Mapping[str, Any] = {
    "name": None,
    "shared_tickets": False,
    "shared_comments": False,
    "external_id": None,
    "domain_names": [],
    "details": None,
    "notes": None,
    "group_id": None,
    "tags": [],
    "organization_fields": {},
}
_READ_ONLY = ("id", "url", "created_at", "updated_at", "deleted_at")
"""Passed over in a write, so that a client may send back what it has read."""
_LISTS = ("domain_names", "tags")
_FLAGS = ("shared_tickets", "shared_comments")


def create(account: Account, given: Mapping[str, Any]) -> Document:
    values = _checked(account, DEFAULTS, given, own=None)
    return account.add(ORGANIZATION, values)


def update(account: Account, number: object, given: Mapping[str, Any]) -> Document:
    before = account.find(ORGANIZATION, number)
    if before is None:
        raise not_found()
    values = _checked(account, before, given, own=before["id"])
    return account.keep(ORGANIZATION, {**before, **values})


def create_or_update(account: Account, given: Mapping[str, Any]) -> tuple[Document, bool]:
    """By id or external id; the second of the answer says whether it was created."""
    rest = {name: value for name, value in given.items() if name != "id"}
    if "id" in given:
        return update(account, given["id"], rest), False
    held = by_external_id(account, given.get("external_id"))
    return (create(account, rest), True) if held is None else (update(account, held["id"], rest), False)


def remove(account: Account, number: object) -> None:
    """It stays away from every list, and comes once more in the export; its tickets belong to none."""
    document = account.fetch(ORGANIZATION, number)
    account.keep(ORGANIZATION, {**document, "deleted_at": stamp(account.seconds()), "_deleted": True})
    _move_tickets(account, document["id"], None)


def merge(account: Account, loser: object, winner: object) -> Document:
    """Tickets and domain names go to the winner, the loser is deleted, its other fields are lost."""
    lost, won = account.fetch(ORGANIZATION, loser), account.find(ORGANIZATION, winner)
    if won is None or won["id"] == lost["id"]:
        raise Invalid(("winner_id", "is invalid", "InvalidValue"))
    names = list(dict.fromkeys([*won["domain_names"], *lost["domain_names"]]))
    account.keep(ORGANIZATION, {**won, "domain_names": names})
    _move_tickets(account, lost["id"], won["id"])
    remove(account, lost["id"])
    made = {"loser_id": lost["id"], "winner_id": won["id"], "status": "complete"}
    name = f"01SANDBOX{account.new_id()}"
    document = {"id": name, "url": account.url(f"organization_merges/{name}"), **made}
    account.store.put(MERGE, name, document)
    return document


def by_external_id(account: Account, external_id: object) -> Document | None:
    """The case of letters makes no difference."""
    if not isinstance(external_id, str) or not external_id:
        return None
    found = account.store.find(ORGANIZATION, "external_id", external_id, fold=True)
    return next((each for each in found if not each.get("_deleted")), None)


def view(account: Account, document: Document) -> dict[str, Any]:
    return {**shown(document), "organization_fields": shown_values(account, document["organization_fields"])}


def _checked(
    account: Account, before: Mapping[str, Any], given: Mapping[str, Any], *, own: int | None
) -> dict[str, Any]:
    """The writable properties after a write, or `Invalid`."""
    check_known(given, [*DEFAULTS, *_READ_ONLY])
    for name in DEFAULTS.keys() & given.keys():
        _check_type(name, given[name])
    values = {name: given.get(name, before[name]) for name in DEFAULTS}
    values["name"] = _name(account, values["name"], own=own)
    holder = by_external_id(account, values["external_id"])
    if holder is not None and holder["id"] != own:
        raise Invalid(("external_id", "has already been taken", "DuplicateValue"))
    fields = given.get("organization_fields") or {}
    values["organization_fields"] = values_of(account, before["organization_fields"], fields)
    return values


def _check_type(name: str, value: Any) -> None:
    if name in _LISTS:
        fits = isinstance(value, list) and all(isinstance(each, str) for each in value)
    elif name in _FLAGS:
        fits = isinstance(value, bool)
    elif name == "organization_fields":
        fits = isinstance(value, dict)
    else:
        fits = value is None or isinstance(value, int if name == "group_id" else str)
    if not fits:
        raise Invalid((name, "is invalid", "InvalidValue"))


def _name(account: Account, given: str | None, *, own: int | None) -> str:
    """Trimmed, of some length, and nobody else's."""
    name = (given or "").strip()
    if not name:
        raise Invalid(("name", "cannot be blank", "BlankValue"))
    if len(name) > account.settings.name_max:
        words = f"is too long (maximum is {account.settings.name_max} characters)"
        raise Invalid(("name", words, "ValueTooLong"))
    holders = account.store.find(ORGANIZATION, "name", name, fold=True)
    if any(each["id"] != own and not each.get("_deleted") for each in holders):
        raise Invalid(("name", "has already been taken", "DuplicateValue"))
    return name


def _move_tickets(account: Account, loser: int, winner: int | None) -> None:
    for ticket in account.store.find(TICKET, "organization_id", loser):
        account.keep(TICKET, {**ticket, "organization_id": winner})
