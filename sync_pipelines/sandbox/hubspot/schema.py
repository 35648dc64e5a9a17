"""What the portal's objects look like and how it behaves, read from `portal.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cached_property
from importlib.resources import files
from typing import Any

import msgspec


class Property(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One property of an object; whatever its type, its values are texts."""

    name: str
    type: str
    format: str = ""
    readonly: bool = False
    unique: bool = False
    required: bool = False
    """An administrator's rule: a create has to give it."""
    options: list[str] = []
    open: bool = False
    """An enumeration whose options this portal doesn't list."""
    forward: bool = False
    """Its options are stages: a later one replaces an earlier one, and not the other way round."""
    default: str | None = None
    least: int | None = None


class Object(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One object type."""

    name: str
    id: str
    singular: str
    shown: list[str]
    """What a read shows that asks for no property by name."""
    properties: dict[str, Property]
    modified: str = "hs_lastmodifieddate"
    mergeable: bool = False


class Kinds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The types of association from one object to another, by their ids."""

    unlabelled: int
    primary: int | None = None


class Portal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose portal this is, and whom it lets in."""

    id: int
    name: str
    time_zone: str
    currencies: list[str]
    service_key: str
    client_id: str
    client_secret: str
    refresh_token: str
    subscribed: list[str] = []
    """The objects that the app has subscribed to in its journal."""


class Behaviour(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits and rules that differ between portals, or that no document of the vendor settles."""

    versions: list[str]
    retired_status: int
    token_seconds: int
    list_max: int
    batch_max: int
    search_max: int
    search_results_max: int
    search_groups_max: int
    search_group_filters_max: int
    search_filters_max: int
    associations_read_max: int
    associations_create_max: int
    associations_page: int
    burst_calls: int
    burst_seconds: int
    daily_calls: int
    searches_per_second: int
    text_max: int
    index_lag_seconds: float
    journal_lag_seconds: float
    bad_input_refuses: str
    multi_status: list[str]
    stage_backwards: str
    association_touches: bool
    merge_makes_new_id: bool
    pipelines: dict[str, dict[str, tuple[float, str]]]


class Schema(msgspec.Struct, frozen=True, dict=True):
    """The whole portal as data."""

    portal: Portal
    behaviour: Behaviour
    associations: dict[str, dict[str, Kinds]]
    objects: dict[str, Object]

    @cached_property
    def _by_name(self) -> dict[str, Object]:
        return {key: each for each in self.objects.values() for key in (each.name, each.singular, each.id)}

    def object(self, name: str) -> Object | None:
        """An object by its name, its singular, or its type id."""
        return self._by_name.get(name.lower())

    def kinds(self, source: Object, target: Object) -> Kinds | None:
        return self.associations.get(source.name, {}).get(target.name)

    def altered(self, name: str, property: str, changes: Mapping[str, Any] | None) -> Schema:
        """The schema after an administrator changed a property, added it, or archived it (None)."""
        thing = self.objects[name]
        kept = dict(thing.properties)
        before = kept.pop(property, None)
        if changes is not None:
            known = msgspec.to_builtins(before) if before else {}
            kept[property] = msgspec.convert({**known, "name": property, **changes}, Property)
        changed = msgspec.structs.replace(thing, properties=kept)
        return msgspec.structs.replace(self, objects={**self.objects, name: changed})

    def of_portal(self, id: int) -> Schema:
        """The same schema in another portal, as a refreshed sandbox has it."""
        return msgspec.structs.replace(self, portal=msgspec.structs.replace(self.portal, id=id))

    def behaving(self, **changes: Any) -> Schema:
        """The schema with some of its behaviour changed."""
        return msgspec.structs.replace(self, behaviour=msgspec.structs.replace(self.behaviour, **changes))


def load_schema(text: str | None = None) -> Schema:
    """Read `portal.toml`, or a text of the same form."""
    if text is None:
        text = files(__package__).joinpath("portal.toml").read_text()
    declared = tomllib.loads(text)
    shared = declared.pop("shared")
    for name, thing in declared["objects"].items():
        thing["name"] = name
        properties = {**shared, **thing["properties"]}
        thing["properties"] = {key: {"name": key, **each} for key, each in properties.items()}
    return msgspec.convert(declared, Schema)
