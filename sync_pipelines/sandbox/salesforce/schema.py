"""What the org's objects look like, read from `org.toml`; names are found whatever their case."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cached_property
from importlib.resources import files
from typing import Any

import msgspec

from sync_pipelines.sandbox.salesforce.ids import long_id

NUMERIC = ("currency", "double", "percent", "int")
TEXTUAL = ("string", "textarea", "picklist", "phone", "email", "url")


class Field(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One field of an object, with what the org does with it when a record is saved."""

    name: str
    type: str
    length: int = 0
    precision: int = 0
    scale: int = 0
    required: bool = False
    readonly: bool = False
    create_only: bool = False
    unique: bool = False
    external: bool = False
    restricted: bool = False
    currency: bool = False
    values: list[str] = []
    default: str | None = None
    formula: str = ""
    """A path whose value this field shows; never stored, so no time stamp moves when it changes."""
    auto_number: str = ""
    to: str = ""
    children: str = ""
    """How the parent calls the records that refer to it."""
    on_delete: str = "clear"
    """What becomes of this record with its parent: clear the field, cascade, or restrict the delete."""

    @property
    def createable(self) -> bool:
        return not (self.readonly or self.formula or self.name == "Id")

    @property
    def updateable(self) -> bool:
        return self.createable and not self.create_only

    @property
    def relation(self) -> str:
        """The name under which SOQL reaches the parent: AccountId → Account, Product__c → Product__r."""
        if self.type != "reference":
            return ""
        return self.name[:-1] + "r" if self.name.endswith("__c") else self.name.removesuffix("Id")


class Object(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """One object type."""

    name: str
    prefix: str
    fields: dict[str, Field]
    mergeable: bool = False
    readonly: bool = False

    @cached_property
    def _by_lower(self) -> dict[str, Field]:
        return {name.lower(): field for name, field in self.fields.items()}

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """What a new record holds where its creator says nothing."""
        kept = [field for field in self.fields.values() if not field.formula]
        flags = {field.name: False for field in kept if field.type == "boolean"}
        return flags | {field.name: field.default for field in kept if field.default is not None}

    @cached_property
    def _relations(self) -> dict[str, Field]:
        return {field.relation.lower(): field for field in self.fields.values() if field.relation}

    def field(self, name: str) -> Field | None:
        return self._by_lower.get(name.lower())

    def relation(self, name: str) -> Field | None:
        """The reference field behind a relation's name."""
        return self._relations.get(name.lower())

    def of_type(self, *types: str) -> list[str]:
        return [field.name for field in self.fields.values() if field.type in types]


class Organization(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who this org is, and whom it lets in. Ids are given with 15 characters."""

    id: str
    name: str
    user: str
    currencies: list[str]
    client_id: str
    client_secret: str


class Behaviour(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits and rules that differ between orgs, or that no vendor's document settles."""

    oldest_version: int
    newest_version: int
    session_seconds: int
    daily_api_requests: int
    page_max: int
    page_min: int
    locator_seconds: int
    maintenance_status: int
    unreadable_refuses: str
    contract_starts_as_draft: bool
    merge_restamps_children: bool
    stages: dict[str, tuple[int, str]]


class Schema(msgspec.Struct, frozen=True, dict=True):
    """The whole org as data."""

    organization: Organization
    behaviour: Behaviour
    objects: dict[str, Object]

    @cached_property
    def _by_lower(self) -> dict[str, Object]:
        return {name.lower(): thing for name, thing in self.objects.items()}

    @cached_property
    def by_prefix(self) -> dict[str, Object]:
        return {thing.prefix: thing for thing in self.objects.values()}

    @cached_property
    def user_id(self) -> str:
        return long_id(self.organization.user)

    def object(self, name: str) -> Object | None:
        return self._by_lower.get(name.lower())

    def references_to(self, name: str) -> list[tuple[Object, Field]]:
        """Every field, of every object, that refers to records of this object."""
        return [
            (thing, field)
            for thing in self.objects.values()
            for field in thing.fields.values()
            if field.to == name and not field.readonly
        ]

    def altered(self, name: str, field: str, changes: Mapping[str, Any] | None) -> Schema:
        """The schema after an administrator changed a field, added it, or removed it (None)."""
        thing = self.objects[name]
        fields = dict(thing.fields)
        before = fields.pop(field, None)
        if changes is not None:
            known = msgspec.to_builtins(before) if before else {}
            fields[field] = msgspec.convert({**known, "name": field, **changes}, Field)
        changed = msgspec.structs.replace(thing, fields=fields)
        return msgspec.structs.replace(self, objects={**self.objects, name: changed})


def load_schema(text: str | None = None) -> Schema:
    """Read `org.toml`, or a text of the same form."""
    if text is None:
        text = files(__package__).joinpath("org.toml").read_text()
    declared = tomllib.loads(text)
    system = {"Id": {"type": "id"}, **declared["system"]}
    for name, thing in declared["objects"].items():
        thing["name"] = name
        fields = {**system, **thing["fields"]}
        thing["fields"] = {key: _field(key, field, declared) for key, field in fields.items()}
    del declared["system"]
    return msgspec.convert(declared, Schema)


def _field(name: str, declared: dict[str, Any], org: dict[str, Any]) -> dict[str, Any]:
    field = {"name": name, **declared}
    if field.get("values") == "@stages":
        field["values"] = list(org["behaviour"]["stages"])
    if field.get("default") == "@user":
        field["default"] = long_id(org["organization"]["user"])
    if field.get("currency"):
        currencies = org["organization"]["currencies"]
        field |= {"values": currencies, "default": currencies[0], "restricted": True}
    return field
