"""The organisation: reads and saves single records by its schema and rules.

Every public method is one transaction; a `Refusal` leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.faults import FaultPlan
from sync_pipelines.sandbox.salesforce import derived
from sync_pipelines.sandbox.salesforce.fault import Refusal, Unreadable
from sync_pipelines.sandbox.salesforce.ids import as_long_id, long_id, record_id
from sync_pipelines.sandbox.salesforce.lookup import Lookup
from sync_pipelines.sandbox.salesforce.moment import stamp
from sync_pipelines.sandbox.salesforce.rule import check_object, check_references, check_unique
from sync_pipelines.sandbox.salesforce.schema import Field, Object, Schema
from sync_pipelines.sandbox.salesforce.value import checked
from sync_pipelines.sandbox.store import Document, Store

Values = dict[str, Any]


class Org:
    """One org's records in one store."""

    def __init__(self, schema: Schema, store: Store, *, clock: VirtualClock, faults: FaultPlan) -> None:
        self.lookup = Lookup(schema, store)
        self.store = store
        self.clock = clock
        self.faults = faults

    @property
    def schema(self) -> Schema:
        return self.lookup.schema

    @property
    def id(self) -> str:
        return str(next(iter(self.store.table("Organization").rows)))

    def now(self) -> str:
        return stamp(self.clock.now())

    def today(self) -> str:
        return self.now()[:10]

    def get(self, thing: Object, id: str) -> Document:
        """A live record; `NOT_FOUND` and `ENTITY_IS_DELETED` are told apart."""
        found = as_long_id(id)
        if found is None:
            raise Refusal("MALFORMED_ID", f"{thing.name} ID: id value of incorrect type: {id}", "Id")
        row = self.store.get(thing.name, found)
        if row is None:
            raise Refusal("NOT_FOUND", "The requested resource does not exist", status=404)
        if row["IsDeleted"]:
            raise Refusal("ENTITY_IS_DELETED", "entity is deleted", status=404)
        return row

    def create(self, thing: Object, values: Mapping[str, Any]) -> str:
        with self.store.transaction():
            self.writable(thing)
            self.lock("create", thing, values.get("Sync_Id__c") or values.get("Name") or "")
            sent = self.read(thing, values, created=True)
            row = {**self.blank(thing), **sent}
            self._require(thing, row, list(thing.fields))
            self._save(thing, row, None, frozenset(sent))
            return str(row["Id"])

    def update(self, thing: Object, id: str, values: Mapping[str, Any]) -> None:
        with self.store.transaction():
            self.writable(thing)
            before = self.get(thing, id)
            self.lock("update", thing, before["Id"])
            sent = self.read(thing, values, created=False)
            row: Values = {**before, **sent}
            self._require(thing, row, list(sent))
            self._save(thing, row, before, frozenset(sent))

    def upsert(self, thing: Object, key: Field, value: Any, values: Mapping[str, Any]) -> tuple[str, bool]:
        """The record's id, and whether it was created."""
        matches = self.by_external_id(thing, key, value)
        if len(matches) > 1:
            ids = ", ".join(row["Id"] for row in matches)
            message = f"{key.name}: more than one record found for external id field: [{ids}]"
            raise Refusal("DUPLICATE_EXTERNAL_ID", message, key.name)
        rest = {name: item for name, item in values.items() if name.lower() != key.name.lower()}
        if matches:
            self.update(thing, matches[0]["Id"], rest)
            return str(matches[0]["Id"]), False
        return self.create(thing, {**rest, key.name: value}), True

    def by_external_id(self, thing: Object, key: Field, value: Any) -> list[Document]:
        if value is None or not str(value).strip():
            raise Refusal("MISSING_ARGUMENT", f"{key.name} not specified", key.name)
        found = self.store.find(thing.name, key.name, checked(key, value), fold=True)
        return [row for row in found if not row["IsDeleted"]]

    def alter(self, name: str, field: str, changes: Mapping[str, Any] | None) -> None:
        """An administrator changes, adds or removes (None) a field."""
        self.lookup.schema = self.schema.altered(name, field, changes)

    def replace_organization(self, id: str) -> None:
        """The same records answer for another org, as behind a refreshed sandbox."""
        with self.store.transaction():
            row = self.store.get("Organization", self.id)
            assert row is not None
            self.store.delete("Organization", self.id)
            self.store.put("Organization", long_id(id[:15]), {**row, "Id": long_id(id[:15])})

    def read(self, thing: Object, values: Mapping[str, Any], *, created: bool) -> Values:
        """The values as they are stored, by the fields' real names."""
        sent: Values = {}
        barred: list[str] = []
        for name, value in values.items():
            if name == "attributes":
                continue
            field = thing.field(name)
            if field is None and isinstance(value, dict) and (relation := thing.relation(name)):
                field, value = relation, self._by_parent_key(relation, value)
            if field is None:
                message = f"No such column '{name}' on sobject of type {thing.name}"
                raise Unreadable("INVALID_FIELD", message)
            if not (field.createable if created else field.updateable):
                barred.append(field.name)
                continue
            sent[field.name] = checked(field, value)
        if barred:
            raise Refusal(
                "INVALID_FIELD_FOR_INSERT_UPDATE",
                f"Unable to create/update fields: {', '.join(barred)}. Please check the security settings of "
                "this field and verify that it is read/write for your profile or permission set.",
                *barred,
            )
        return sent

    def _by_parent_key(self, relation: Field, value: Mapping[str, Any]) -> str:
        parent = self.schema.objects[relation.to]
        keys = [(name, item) for name, item in value.items() if name not in ("attributes", "type")]
        field = parent.field(keys[0][0]) if len(keys) == 1 else None
        if field is None or not field.external:
            raise Unreadable("INVALID_FIELD", f"{relation.relation}: name one external id field")
        found = self.by_external_id(parent, field, keys[0][1])
        if len(found) != 1:
            message = f"Foreign key external ID: {keys[0][1]} not found for field {field.name} in {parent.name}"
            raise Refusal("INVALID_FIELD", message, relation.name)
        return str(found[0]["Id"])

    def _require(self, thing: Object, row: Document, names: list[str]) -> None:
        missing = [name for name in names if thing.fields[name].required and row.get(name) is None]
        if missing:
            message = f"Required fields are missing: [{', '.join(missing)}]"
            raise Refusal("REQUIRED_FIELD_MISSING", message, *missing)

    def _save(self, thing: Object, row: Values, before: Document | None, sent: frozenset[str]) -> None:
        check_references(self.lookup, thing, row, sent)
        check_unique(self.lookup, thing, row, sent)
        check_object(self.lookup, thing, row, before=before)
        self.complete(thing, row, sent)
        self.put(thing, row)
        if thing.name == "OpportunityLineItem":
            self.roll_up(row["OpportunityId"])

    def complete(self, thing: Object, row: Values, sent: frozenset[str]) -> None:
        for field in thing.fields.values():
            if field.auto_number and row.get(field.name) is None:
                row[field.name] = self._next_number(thing, field)
        derived.derive(self.schema, thing.name, row, sent=sent, today=self.today())

    def put(self, thing: Object, row: Values) -> None:
        now = self.now()
        row |= {"SystemModstamp": now, "LastModifiedDate": now, "LastModifiedById": self.schema.user_id}
        self.store.put(thing.name, row["Id"], row)

    def roll_up(self, opportunity_id: str) -> None:
        opportunity = self.store.get("Opportunity", opportunity_id)
        if opportunity is None or opportunity["IsDeleted"]:
            return
        lines = [
            line
            for line in self.store.find("OpportunityLineItem", "OpportunityId", opportunity_id)
            if not line["IsDeleted"]
        ]
        row = {**opportunity, "Amount": derived.amount(lines), "HasOpportunityLineItem": bool(lines)}
        if lines and row.get("Pricebook2Id") is None:
            entry = self.store.get("PricebookEntry", lines[0]["PricebookEntryId"]) or {}
            row["Pricebook2Id"] = entry.get("Pricebook2Id")
        self.put(self.schema.objects["Opportunity"], row)

    def writable(self, thing: Object) -> None:
        if thing.readonly:
            message = f"entity type cannot be inserted: {thing.name}"
            raise Refusal("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", message)

    def lock(self, operation: str, thing: Object, name: str) -> None:
        """Where a fault plan may refuse this one record, as a lock held by somebody else does."""
        rule = self.faults.row(f"{operation} {thing.name} {name}")
        if rule:
            message = "unable to obtain exclusive access to this record or 1 records"
            raise Refusal(rule.code or "UNABLE_TO_LOCK_ROW", rule.message or message)

    def blank(self, thing: Object) -> Values:
        """A new record before anybody filled it in."""
        created = {"CreatedDate": self.now(), "CreatedById": self.schema.user_id}
        return {"Id": self._next_id(thing), **thing.defaults, **created}

    def _next_id(self, thing: Object) -> str:
        key = f"id {thing.name}"
        number = self.store.meta(key, 0) + 1
        self.store.set_meta(key, number)
        return record_id(thing.prefix, number)

    def _next_number(self, thing: Object, field: Field) -> str:
        key = f"number {thing.name}.{field.name}"
        number = self.store.meta(key, 0) + 1
        self.store.set_meta(key, number)
        return f"{number:0{len(field.auto_number)}}"
