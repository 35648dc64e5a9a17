"""The portal's records: created, changed, archived and merged, with what HubSpot derives when it saves one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sync_pipelines.domains.money import exponent
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.faults import FaultPlan
from sync_pipelines.sandbox.hubspot.association import Associations
from sync_pipelines.sandbox.hubspot.index import Index
from sync_pipelines.sandbox.hubspot.journal import Journal
from sync_pipelines.sandbox.hubspot.refusal import Problems, Refusal, not_found
from sync_pipelines.sandbox.hubspot.schema import Object, Property, Schema
from sync_pipelines.sandbox.hubspot.value import Unfit, checked, stamp
from sync_pipelines.sandbox.store import Document, Store

MERGED = "_merged"
FIRST_ID = 10_000_000


class Crm:
    """One portal's records."""

    def __init__(self, schema: Schema, store: Store, *, clock: VirtualClock, faults: FaultPlan) -> None:
        self.schema = schema
        self.store = store
        self.clock = clock
        self.faults = faults
        self.index = Index(store, clock=clock, lag_seconds=schema.behaviour.index_lag_seconds)
        self.associations = Associations(schema, store)
        self.journal = Journal(schema, store, clock=clock)

    def now(self) -> str:
        return stamp(self.clock.now())

    def get(self, thing: Object, record_id: str, *, archived: bool = False) -> Document:
        """The record with an id, or the one it was merged into."""
        row = self.store.get(thing.name, self.survivor(thing, record_id))
        if row is None or row["archived"] is not archived:
            raise not_found(record_id)
        return row

    def survivor(self, thing: Object, record_id: str) -> str:
        """The id under which a record lives on after merges."""
        while (merged := self.store.get(MERGED, f"{thing.name}/{record_id}")) is not None:
            record_id = merged["into"]
        return record_id

    def by_key(self, thing: Object, property: str, value: str) -> Document | None:
        """The live record with a value in a unique property."""
        declared = thing.properties.get(property)
        if declared is None or not declared.unique:
            raise Refusal("VALIDATION_ERROR", f"{property} is not a unique property of {thing.name}")
        found = self.store.find(thing.name, f"unique {property}", value, fold=True)
        return next((row for row in found if not row["archived"]), None)

    def create(self, thing: Object, given: Mapping[str, Any], links: Sequence[Mapping[str, Any]] = ()) -> Document:
        defaults = {name: each.default for name, each in thing.properties.items() if each.default is not None}
        values = {**defaults, **self._checked(thing, given, None)}
        missing = [name for name, each in thing.properties.items() if each.required and not values.get(name)]
        if missing:
            message = f"Error creating {thing.singular.upper()}. Some required properties were not set."
            raise Refusal("VALIDATION_ERROR", message, context={"properties": missing})
        with self.store.transaction():
            now = self.now()
            record_id = self._next_id()
            row = {"id": record_id, "createdAt": now, "archived": False, "archivedAt": None}
            saved = self.save(thing, {**row, "properties": {"createdate": now, **values}}, before=None)
            for link in links:
                self._link(thing, record_id, link)
        return self.store.get(thing.name, record_id) or saved

    def update(self, thing: Object, record_id: str, given: Mapping[str, Any]) -> Document:
        before = self.get(thing, record_id)
        values = self._checked(thing, given, before)
        with self.store.transaction():
            return self.save(thing, {**before, "properties": {**before["properties"], **values}}, before=before)

    def archive(self, thing: Object, record_id: str) -> None:
        """Out of lists and searches; one that isn't there is archived already."""
        row = self.store.get(thing.name, self.survivor(thing, record_id))
        if row is not None and not row["archived"]:
            with self.store.transaction():
                self.associations.clear(thing, row["id"])
                self.save(thing, {**row, "archived": True, "archivedAt": self.now()}, before=row)

    def restore(self, thing: Object, record_id: str) -> None:
        row = self.get(thing, record_id, archived=True)
        with self.store.transaction():
            self.save(thing, {**row, "archived": False, "archivedAt": None}, before=row)

    def purge(self, thing: Object, record_id: str) -> None:
        """For good: nothing of it is left to list."""
        with self.store.transaction():
            self.index.note(thing, record_id, self.get(thing, record_id))
            self.associations.clear(thing, record_id)
            self.store.delete(thing.name, record_id)
            self.journal.note(thing, record_id, "DELETE")

    def merge(self, thing: Object, primary: str, other: str) -> Document:
        """The other's id answers with the survivor from now on; what the survivor lacks it takes from the other."""
        if not thing.mergeable or primary == other:
            raise Refusal("VALIDATION_ERROR", f"can't merge {thing.name} {other} into {primary}")
        winner, loser = self.get(thing, primary), self.get(thing, other)
        gone = [winner, loser] if self.schema.behaviour.merge_makes_new_id else [loser]
        with self.store.transaction():
            record_id = self._next_id() if winner in gone else winner["id"]
            values = {**loser["properties"], **{k: v for k, v in winner["properties"].items() if v is not None}}
            values["hs_merged_object_ids"] = ";".join(_merged_ids(winner, loser, gone))
            for row in gone:
                self.store.put(MERGED, f"{thing.name}/{row['id']}", {"into": record_id})
                self.index.note(thing, row["id"], row)
                self._move_links(thing, row["id"], record_id)
                self.store.delete(thing.name, row["id"])
            before = self.store.get(thing.name, record_id)
            self.journal.note(thing, record_id, "MERGE")
            return self.save(thing, {**winner, "id": record_id, "properties": values}, before=before)

    def save(self, thing: Object, row: dict[str, Any], *, before: Document | None) -> Document:
        """Put a record with the time of now, its keys, and what follows from its values."""
        now = self.now()
        values = {**row["properties"], "hs_object_id": row["id"], "hs_lastmodifieddate": now, thing.modified: now}
        values |= self.derived(thing, values)
        keys = {f"unique {name}": values.get(name) for name, each in thing.properties.items() if each.unique}
        saved = {**row, **keys, "updatedAt": now, "properties": values}
        self.index.note(thing, row["id"], before)
        self.store.put(thing.name, row["id"], saved)
        self.journal.note(thing, row["id"], *_happened(before, saved))
        return saved

    def join(self, source: Object, record_id: str, target: Object, to: str, types: Sequence[int] = ()) -> None:
        """Associate two live records."""
        one, other = self.get(source, record_id), self.get(target, to)
        with self.store.transaction():
            self.associations.join(source, one["id"], target, other["id"], types)
            self._after_links(source, one["id"], target, other["id"], "ASSOCIATION_ADDED")

    def part(self, source: Object, record_id: str, target: Object, to: str) -> None:
        """End an association."""
        with self.store.transaction():
            self.associations.part(source, record_id, target, to)
            self._after_links(source, record_id, target, to, "ASSOCIATION_REMOVED")

    def _after_links(self, source: Object, record_id: str, target: Object, to: str, action: str) -> None:
        self.journal.linked(source, record_id, target, to, action)
        self.after_link(source, record_id)
        self.after_link(target, to)

    def after_link(self, thing: Object, record_id: str) -> None:
        """What a record shows of its associations, and whether they count as a change of it."""
        row = self.store.get(thing.name, record_id)
        if row is None:
            return
        if thing.name == "contacts":
            row = self.with_company(thing, row)
            self.store.put(thing.name, record_id, row)
        if self.schema.behaviour.association_touches:
            self.save(thing, dict(row), before=row)

    def with_company(self, thing: Object, contact: Document) -> Document:
        """A contact that shows its primary company."""
        company = self.associations.first(thing, contact["id"], self.schema.objects["companies"])
        return {**contact, "properties": {**contact["properties"], "associatedcompanyid": company}}

    def alter(self, name: str, property: str, changes: Mapping[str, Any] | None) -> None:
        self.adopt(self.schema.altered(name, property, changes))

    def adopt(self, schema: Schema) -> None:
        self.schema = self.associations.schema = self.journal.schema = schema
        self.index.forget()

    def _checked(self, thing: Object, given: Mapping[str, Any], before: Document | None) -> dict[str, str | None]:
        problems = Problems()
        values: dict[str, str | None] = {}
        held = before["properties"] if before else {}
        for name, value in given.items():
            declared = thing.properties.get(name)
            if declared is None:
                problems.add(name, "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist')
            elif declared.readonly:
                problems.add(name, "READ_ONLY_VALUE", f'"{name}" is a read only property; its value cannot be set.')
            else:
                try:
                    values[name] = checked(declared, value, text_max=self.schema.behaviour.text_max)
                except Unfit as unfit:
                    problems.add(name, unfit.code, unfit.message)
        self._check_stages(thing, values, held, problems)
        problems.settle()
        self._check_unique(thing, values, before)
        return values

    def _check_stages(
        self, thing: Object, values: dict[str, str | None], held: Mapping[str, Any], problems: Problems
    ) -> None:
        for name in [name for name in values if thing.properties[name].forward]:
            if _is_backwards(thing.properties[name], held.get(name), values[name]):
                if self.schema.behaviour.stage_backwards == "refused":
                    problems.add(name, "INVALID_STAGE", f"{name} does not move backwards")
                del values[name]
        if thing.name != "deals" or not {"dealstage", "pipeline"} & values.keys():
            return
        told = {**held, **values}
        pipeline, stage = told.get("pipeline") or "default", told.get("dealstage")
        if stage is not None and stage not in self.schema.behaviour.pipelines.get(pipeline, {}):
            problems.add("dealstage", "INVALID_OPTION", f"{stage} is not a stage of the pipeline {pipeline}")

    def _check_unique(self, thing: Object, values: Mapping[str, str | None], before: Document | None) -> None:
        for name, value in values.items():
            if value is None or not thing.properties[name].unique:
                continue
            other = self.by_key(thing, name, value)
            if other is None or (before is not None and other["id"] == before["id"]):
                continue
            if name == "email":
                message = f"{thing.singular.capitalize()} already exists. Existing ID: {other['id']}"
                raise Refusal("CONFLICT", message, status=409)
            problems = Problems()
            problems.add(name, "CONFLICTING_UNIQUE_VALUE", f"{other['id']} already has that value.")
            problems.settle()

    def derived(self, thing: Object, values: Mapping[str, Any]) -> dict[str, str | None]:
        """What HubSpot computes from a record's own values."""
        if thing.name == "deals":
            stages = self.schema.behaviour.pipelines.get(values.get("pipeline") or "default", {})
            kind = stages.get(values.get("dealstage") or "", (0.0, "open"))[1]
            return {"hs_is_closed": _flag(kind != "open"), "hs_is_closed_won": _flag(kind == "won")}
        return {"amount": _amount(values)} if thing.name == "line_items" else {}

    def _link(self, thing: Object, record_id: str, link: Mapping[str, Any]) -> None:
        types = [each["associationTypeId"] for each in link["types"]]
        for name, kinds in self.schema.associations.get(thing.name, {}).items():
            if types and types[0] in (kinds.unlabelled, kinds.primary):
                self.join(thing, record_id, self.schema.objects[name], str(link["to"]["id"]), types)
                return
        raise Refusal("VALIDATION_ERROR", f"associationTypeIds {types} are not defined from {thing.name}")

    def _move_links(self, thing: Object, old: str, new: str) -> None:
        for target, to, _ in list(self.associations.all(thing, old)):
            self.associations.part(thing, old, target, to)
            self.associations.join(thing, new, target, to)
            self.after_link(target, to)

    def _next_id(self) -> str:
        number = int(self.store.meta("last id", FIRST_ID)) + 1
        self.store.set_meta("last id", number)
        return str(number)


def _happened(before: Document | None, after: Document) -> tuple[str, dict[str, Any]]:
    """The journal's word for a save, and the properties that it changed."""
    if before is None:
        return "CREATE", {}
    if before["archived"] is not after["archived"]:
        return ("DELETE" if after["archived"] else "RESTORE"), {}
    was, values = before["properties"], after["properties"]
    return "UPDATE", {name: value for name, value in values.items() if value != was.get(name)}


def _is_backwards(property: Property, old: str | None, new: str | None) -> bool:
    if old not in property.options or new not in property.options:
        return False
    return property.options.index(new) < property.options.index(old)


def _merged_ids(winner: Document, loser: Document, gone: Sequence[Document]) -> list[str]:
    before = [row["properties"].get("hs_merged_object_ids") or "" for row in (winner, loser)]
    told = [record_id for text in before for record_id in text.split(";") if record_id]
    return list(dict.fromkeys([*told, *(row["id"] for row in gone)]))


def _flag(truth: bool) -> str:
    return "true" if truth else "false"


def _amount(values: Mapping[str, Any]) -> str | None:
    """Price less discount, times quantity, in whole minor units of its currency."""
    if values.get("price") is None or values.get("quantity") is None:
        return None
    unit = Decimal(values["price"]) - Decimal(values.get("discount") or 0)
    rest = 1 - Decimal(values.get("hs_discount_percentage") or 0) / 100
    places = exponent(values.get("hs_line_item_currency_code") or "USD")
    total = unit * rest * Decimal(values["quantity"])
    return f"{total.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP):f}"
