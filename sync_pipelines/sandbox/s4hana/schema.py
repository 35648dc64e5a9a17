"""What the services publish: entity sets, their properties and how they hang together, read from `services.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Any
from xml.sax.saxutils import quoteattr

_EDMX = "http://schemas.microsoft.com/ado/2007/06/edmx"
_META = "http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"
_EDM = "http://schemas.microsoft.com/ado/2008/09/edm"
_SAP = "http://www.sap.com/Protocols/SAPData"


@dataclass(frozen=True, slots=True)
class Property:
    """One property. `sizes` are a text's length, or a decimal's precision and scale."""

    name: str
    type: str
    sizes: tuple[int, ...]
    marks: frozenset[str]

    @property
    def is_key(self) -> bool:
        return "key" in self.marks

    @property
    def is_readonly(self) -> bool:
        return "ro" in self.marks


@dataclass(frozen=True)
class EntitySet:
    """One entity set. `navigation` leads by name to another set, and tells whether to one entity alone."""

    service: str
    name: str
    properties: Mapping[str, Property]
    navigation: Mapping[str, tuple[str, bool]]
    version: str = ""
    """The property that changes with every change: an entity of a set without one has no ETag."""
    creatable: bool = True
    updatable: bool = True
    deletable: bool = True

    @cached_property
    def keys(self) -> tuple[str, ...]:
        return tuple(each.name for each in self.properties.values() if each.is_key)


Service = Mapping[str, EntitySet]


def load_services() -> dict[str, Service]:
    """The services that ship with the stand-in, by name."""
    told = tomllib.loads(files(__package__).joinpath("services.toml").read_text())
    return {
        service: {name: _entity_set(service, name, given) for name, given in sets.items()}
        for service, sets in told.items()
    }


def metadata(service: str, sets: Service) -> str:
    """The service's `$metadata`, as EDMX."""
    types = "".join(_entity_type(each) for each in sets.values())
    links = [(each, name, *target) for each in sets.values() for name, target in each.navigation.items()]
    associations = "".join(_association(*link) for link in links)
    members = "".join(_member(each) for each in sets.values())
    pairs = "".join(_association_set(*link) for link in links)
    return (
        f'<?xml version="1.0" encoding="utf-8"?><edmx:Edmx Version="1.0" xmlns:edmx="{_EDMX}" xmlns:m="{_META}" '
        f'xmlns:sap="{_SAP}"><edmx:DataServices m:DataServiceVersion="2.0">'
        f'<Schema Namespace="{service}" xml:lang="en" sap:schema-version="1" xmlns="{_EDM}">{types}{associations}'
        f'<EntityContainer Name="{service}_Entities" m:IsDefaultEntityContainer="true">{members}{pairs}'
        "</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>"
    )


def _entity_set(service: str, name: str, given: Mapping[str, Any]) -> EntitySet:
    properties = {each: _property(each, spec) for each, spec in given["properties"].items()}
    navigation = {each: (way.split()[0], way.endswith(" 1")) for each, way in given.get("nav", {}).items()}
    told = {key: value for key, value in given.items() if key not in ("properties", "nav")}
    return EntitySet(service, name, properties, navigation, **told)


def _property(name: str, spec: str) -> Property:
    kind, *rest = spec.split()
    sizes = tuple(int(word) for word in rest if word.isdecimal())
    return Property(name, kind, sizes, frozenset(word for word in rest if not word.isdecimal()))


def _entity_type(each: EntitySet) -> str:
    keys = "".join(f'<PropertyRef Name="{name}"/>' for name in each.keys)
    properties = "".join(_published(one) for one in each.properties.values())
    ways = "".join(
        f'<NavigationProperty Name="{name}" Relationship="{each.service}.{_link(each, name)}" '
        f'FromRole="From_{_link(each, name)}" ToRole="To_{_link(each, name)}"/>'
        for name in each.navigation
    )
    return f'<EntityType Name="{each.name}Type"><Key>{keys}</Key>{properties}{ways}</EntityType>'


def _published(one: Property) -> str:
    facets = {"Name": one.name, "Type": f"Edm.{one.type}"}
    if one.is_key:
        facets["Nullable"] = "false"
    if one.type == "String":
        facets["MaxLength"] = str(one.sizes[0])
    elif one.type == "Decimal":
        facets |= {"Precision": str(one.sizes[0]), "Scale": str(one.sizes[1])}
    elif one.type != "Boolean":
        facets["Precision"] = "7" if one.type == "DateTimeOffset" else "0"
    if "tag" in one.marks:
        facets["ConcurrencyMode"] = "Fixed"
    if "upper" in one.marks:
        facets["sap:display-format"] = "UpperCase"
    if one.is_readonly:
        facets |= {"sap:creatable": "false", "sap:updatable": "false"}
    return f"<Property {' '.join(f'{key}={quoteattr(value)}' for key, value in facets.items())}/>"


def _link(each: EntitySet, name: str) -> str:
    return f"assoc_{each.name}_{name}"


def _association(each: EntitySet, name: str, target: str, is_single: bool) -> str:
    link = _link(each, name)
    return (
        f'<Association Name="{link}">'
        f'<End Type="{each.service}.{each.name}Type" Multiplicity="1" Role="From_{link}"/>'
        f'<End Type="{each.service}.{target}Type" Multiplicity="{"0..1" if is_single else "*"}" Role="To_{link}"/>'
        "</Association>"
    )


def _member(each: EntitySet) -> str:
    flags = "".join(
        f' sap:{word}="false"' for word in ("creatable", "updatable", "deletable") if not getattr(each, word)
    )
    return f'<EntitySet Name="{each.name}" EntityType="{each.service}.{each.name}Type"{flags}/>'


def _association_set(each: EntitySet, name: str, target: str, _: bool) -> str:
    link = _link(each, name)
    return (
        f'<AssociationSet Name="{link}_Set" Association="{each.service}.{link}">'
        f'<End EntitySet="{each.name}" Role="From_{link}"/><End EntitySet="{target}" Role="To_{link}"/>'
        "</AssociationSet>"
    )
