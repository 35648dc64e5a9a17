"""Entities and what saving one does: deep inserts, numbers, preconditions, and the stamps of what changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.faults import FaultPlan
from sync_pipelines.sandbox.s4hana import rule, value
from sync_pipelines.sandbox.s4hana.refusal import (
    broken,
    invalid,
    not_allowed,
    not_found,
    stale,
    unconditional,
    unknown_property,
)
from sync_pipelines.sandbox.s4hana.schema import EntitySet, Service
from sync_pipelines.sandbox.s4hana.settings import Settings
from sync_pipelines.sandbox.store import Document, Store

Body = Mapping[str, Any]
_FAULT_NAMES = {"A_BusinessPartner": "BusinessPartnerIDByExtSystem", "A_SalesOrder": "PurchaseOrderByCustomer"}


class Books:
    """Everything that is kept of the business, behind its rules."""

    def __init__(
        self,
        services: Mapping[str, Service],
        store: Store,
        *,
        clock: VirtualClock,
        faults: FaultPlan,
        settings: Settings,
    ) -> None:
        self.sets = {name: each for service in services.values() for name, each in service.items()}
        self.store = store
        self.clock = clock
        self.faults = faults
        self.settings = settings

    def get(self, entities: EntitySet, keys: Mapping[str, Any]) -> Document:
        if set(keys) != set(entities.keys):
            raise invalid(f"The key of {entities.name} is {', '.join(entities.keys)}")
        found = self.store.get(entities.name, identity(entities, keys))
        if found is None:
            raise not_found(entities.name)
        return found

    def children(self, entities: EntitySet, row: Document, way: str) -> list[Document]:
        """The entities that a navigation property leads to: they share the row's key."""
        target = self.sets[entities.navigation[way][0]]
        shared = [key for key in target.keys if key in entities.properties]
        rows = self.store.find(target.name, shared[0], row[shared[0]]) if row[shared[0]] else []
        return [each for each in rows if all(each[key] == row[key] for key in shared)]

    def create(self, entities: EntitySet, body: Body, *, parent: Document | None = None) -> Document:
        """A new entity with everything that came inside of it."""
        if not entities.creatable and parent is None:
            raise not_allowed(f"Creating {entities.name}")
        given = {name: each for name, each in body.items() if name != "__metadata"}
        inner = {name: given.pop(name) for name in entities.navigation if name in given}
        self._check(f"create {entities.name} {given.get(_FAULT_NAMES.get(entities.name, ''), '')}")
        row = self._numbered(entities, self._filled(entities, given, parent))
        key = identity(entities, row)
        if entities.creatable and self.store.get(entities.name, key) is not None:
            raise broken("R1/125", f"{entities.name} {key} already exists")
        self.store.put(entities.name, key, row)
        for way, told in inner.items():
            for each in _listed(told):
                self.create(self.sets[entities.navigation[way][0]], each, parent=self._now(entities, row))
        rule.created(self, entities, self._now(entities, row))
        if parent is None:
            self.touch(entities, self._now(entities, row), is_new=True)
        return self._now(entities, row)

    def update(self, entities: EntitySet, row: Document, body: Body, *, match: str | None) -> None:
        if not entities.updatable:
            raise not_allowed(f"Updating {entities.name}")
        self._precondition(entities, row, match)
        self._check(f"update {entities.name} {identity(entities, row)}")
        given = {name: each for name, each in body.items() if name != "__metadata"}
        if not given:
            raise invalid("The request has no payload")
        if ways := [name for name in given if name in entities.navigation]:
            raise not_allowed(f"Updating {', '.join(ways)} together with {entities.name}")
        if any(given[key] != row[key] for key in entities.keys if key in given):
            raise invalid("A key can't be changed")
        self.store.put(entities.name, identity(entities, row), {**row, **self._values(entities, given)})
        rule.changed(self, entities, self._now(entities, row))
        self.touch(entities, self._now(entities, row))

    def delete(self, entities: EntitySet, row: Document, *, match: str | None) -> None:
        if not entities.deletable:
            raise not_allowed(f"Deleting {entities.name}")
        self._precondition(entities, row, match)
        self._check(f"delete {entities.name} {identity(entities, row)}")
        rule.check_deletable(self, entities, row)
        self.touch(entities, row)
        self.remove(entities, row)

    def remove(self, entities: EntitySet, row: Document) -> None:
        """An entity goes, with everything that is inside of it."""
        for way, (target, _) in entities.navigation.items():
            for child in self.children(entities, row, way):
                self.remove(self.sets[target], child)
        self.store.delete(entities.name, identity(entities, row))

    def touch(self, entities: EntitySet, row: Document, *, is_new: bool = False) -> None:
        """Stamp what a row belongs to as changed now: itself, or the partner or order that it is a part of."""
        owner, held = self._owner(entities, row)
        is_child = owner is not entities
        if held is None or (is_child and owner.name == "A_BusinessPartner" and not self.settings.children_touch):
            return
        stamps = self._stamps(owner, is_new=is_new and not is_child)
        self.store.put(owner.name, identity(owner, held), {**held, **stamps})

    def number(self, name: str, first: int) -> str:
        """The next number of a range."""
        last = int(self.store.meta(f"number {name}", first - 1)) + 1
        self.store.set_meta(f"number {name}", last)
        return str(last)

    def today(self) -> str:
        return value.day(self.clock.now().astimezone(ZoneInfo(self.settings.zone)))

    def _now(self, entities: EntitySet, row: Document) -> Document:
        return self.store.table(entities.name).rows[identity(entities, row)]

    def _owner(self, entities: EntitySet, row: Document) -> tuple[EntitySet, Document | None]:
        if entities.version:
            return entities, self.store.get(entities.name, identity(entities, row))
        if entities.service == "API_SALES_ORDER_SRV":
            return self.sets["A_SalesOrder"], self.store.get("A_SalesOrder", row["SalesOrder"])
        if "AddressID" in row and "BusinessPartner" not in row:
            row = next(iter(self.store.find("A_BusinessPartnerAddress", "AddressID", row["AddressID"])), {})
        number = row.get("BusinessPartner") or row.get("Customer") or ""
        return self.sets["A_BusinessPartner"], self.store.get("A_BusinessPartner", number)

    def _stamps(self, owner: EntitySet, *, is_new: bool) -> dict[str, Any]:
        now = self.clock.now()
        if owner.version != "ETag":
            return {owner.version: value.stamp(now), **({"CreationDate": self.today()} if is_new else {})}
        local = now.astimezone(ZoneInfo(self.settings.zone))
        kinds = ["Creation"] * is_new + ["LastChange"] * (self.settings.stamps_new or not is_new)
        stamps: dict[str, Any] = {"ETag": f"{self.settings.user:0>12}{local:%Y%m%d%H%M%S}"}
        for kind in kinds:
            stamps |= {f"{kind}Date": value.day(local), f"{kind}Time": f"{local:PT%HH%MM%SS}"}
        return stamps

    def _filled(self, entities: EntitySet, given: Body, parent: Document | None) -> dict[str, Any]:
        row = {name: value.initial(one) for name, one in entities.properties.items()}
        row |= self._values(entities, given)
        if parent is not None:
            shared = {key: parent[key] for key in entities.keys if key in parent}
            if not all(shared.values()):
                raise broken("R11/403", "The business partner has no role of a customer")
            return row | shared
        if self._owner(entities, row)[1] is None and not entities.version:
            raise not_found("what the entity belongs to")
        return row

    def _values(self, entities: EntitySet, given: Body) -> dict[str, Any]:
        values = {}
        for name, each in given.items():
            one = entities.properties.get(name)
            if one is None:
                raise unknown_property(name, entities.name)
            if one.is_readonly:
                raise invalid(f"Property '{name}' of {entities.name} can't be given")
            told = value.kept(one, each)
            values[name] = (
                told.upper() if one.type == "String" and "upper" in one.marks and self.settings.capitals else told
            )
        return values

    def _numbered(self, entities: EntitySet, row: dict[str, Any]) -> dict[str, Any]:
        """Whatever of its key an entity was not given; entries of an address that belong to no person have none."""
        for key in entities.keys:
            if row[key] or key == "Person":
                continue
            if len(entities.keys) == 1 or key == "AddressID":
                row[key] = self.number(key, self.settings.first_number)
            else:
                step = 10 if key in ("SalesOrderItem", "PricingProcedureStep") else 1
                row[key] = str(step * (1 + sum(1 for _ in self._siblings(entities, row, key))))
        return row

    def _siblings(self, entities: EntitySet, row: Document, key: str) -> Iterator[Document]:
        above = entities.keys[: entities.keys.index(key)]
        rows = self.store.find(entities.name, above[0], row[above[0]])
        return (each for each in rows if all(each[name] == row[name] for name in above))

    def _precondition(self, entities: EntitySet, row: Document, match: str | None) -> None:
        if not entities.version:
            return
        if not match:
            raise unconditional()
        if match != "*" and match != etag(entities, row):
            raise stale()

    def _check(self, subject: str) -> None:
        struck = self.faults.row(subject)
        if struck is not None:
            raise broken(struck.code, struck.message)


def identity(entities: EntitySet, row: Mapping[str, Any]) -> str:
    """The key of an entity, as one text."""
    return "|".join(str(row[key]) for key in entities.keys)


def etag(entities: EntitySet, row: Document) -> str:
    """The version of an entity, as it stands in headers and beside its properties."""
    if not entities.version:
        return ""
    kind = "datetimeoffset" if entities.version == "LastChangeDateTime" else ""
    return f"W/\"{kind}'{quote(str(row[entities.version]))}'\""


def _listed(told: Any) -> list[Body]:
    """What came inside of an entity: a list, one wrapped as a result, or a single entity."""
    if isinstance(told, Mapping):
        told = told.get("results", [told])
    if not isinstance(told, list) or not all(isinstance(each, Mapping) for each in told):
        raise invalid("The entities inside of this one can't be read")
    return told
