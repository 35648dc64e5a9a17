"""Records and what saving one does: references, external ids that a whole group shares, stamps, deletes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import Any

from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.faults import FaultPlan
from sync_pipelines.sandbox.netsuite import transaction
from sync_pipelines.sandbox.netsuite.refusal import Broken, Refusal, invalid, missing
from sync_pipelines.sandbox.netsuite.schema import Record, Schema
from sync_pipelines.sandbox.netsuite.value import fields
from sync_pipelines.sandbox.store import Document, Store

_EXTERNAL_ID = re.compile(r"[\w-]+", re.ASCII)
_KEYS = {"item": "line", "addressBook": "id"}
"""The lists whose lines can be named, and by what."""
Body = Mapping[str, Any]


class Books:
    """Everything that is kept of the account's business, behind its rules."""

    def __init__(self, schema: Schema, store: Store, *, clock: VirtualClock, faults: FaultPlan) -> None:
        self.schema = schema
        self.store = store
        self.clock = clock
        self.faults = faults

    def get(self, record: Record, key: str) -> Document:
        """A record by its id, or by `eid:` and its external id."""
        found = self.find(record, key)
        if found is None:
            raise missing(f"/{record.name}/{key}")
        return found

    def find(self, record: Record, key: str) -> Document | None:
        if key.startswith("eid:"):
            named = self.store.find(record.table, "externalId", key[4:], fold=True)
            return next((row for row in named if row["recordType"] == record.name), None)
        row = self.store.get(record.table, key)
        return row if row is not None and row["recordType"] == record.name else None

    def all(self, record: Record) -> list[Document]:
        return self.store.find(record.table, "recordType", record.name)

    def create(self, record: Record, body: Body, *, strict: bool, **derived: Any) -> str:
        """Save a new record and return its id; `derived` is what a transform knows of its source."""
        self._check(record, "create", str(body.get("externalId", "")))
        values = self._values(record, body, strict=strict)
        _number_lines(values)
        external_id = body.get("externalId")
        if external_id is not None:
            self._check_external_id(record, str(external_id))
            values["externalId"] = str(external_id)
        row = {**derived, **{name: value for name, value in values.items() if value is not None}}
        identity = str(self.store.meta(f"id {record.table}", 0) + 1)
        return self._save(record, {"id": identity, "recordType": record.name, **row}, None)

    def update(self, record: Record, key: str, body: Body, *, strict: bool, replace: frozenset[str]) -> str:
        """Change a record: lists are appended to line by line, unless they are replaced."""
        before = self.get(record, key)
        self._check(record, "update", before["id"])
        values = self._values(record, body, strict=strict)
        lists = {name: value for name, value in values.items() if isinstance(value, list) and name not in replace}
        lists = {name: value for name, value in lists.items() if record.fields[name].type == "sublist"}
        joined = {name: _merged(before.get(name, ()), lines, _KEYS.get(name, "line")) for name, lines in lists.items()}
        merged = {**before, **values, **joined}
        row = {name: value for name, value in merged.items() if value is not None}
        _number_lines(row)
        return self._save(record, row, before)

    def upsert(self, record: Record, external_id: str, body: Body, *, strict: bool, replace: frozenset[str]) -> str:
        if "id" in body:
            raise invalid("The id must not be given with an external id.", "id")
        if self.find(record, f"eid:{external_id}") is not None:
            return self.update(record, f"eid:{external_id}", body, strict=strict, replace=replace)
        return self.create(record, {**body, "externalId": external_id}, strict=strict)

    def delete(self, record: Record, key: str) -> None:
        row = self.get(record, key)
        self._check(record, "delete", row["id"])
        if (user := next(self._users(record, row["id"]), None)) is not None:
            kind = "TRANS" if record.table == "transaction" else record.table.upper()
            raise Broken(f"CANT_DELETE_{kind}", f"This record cannot be deleted because {user} refers to it.")
        with self.store.transaction():
            if record.table == "transaction":
                transaction.withdraw(self, record, row)
            self.store.delete(record.table, row["id"])
            gone = {"recordId": row["id"], "type": record.name, "deletedDate": self.now()}
            self.store.put("_deleted", f"{record.name} {row['id']}", gone)

    def transform(self, source: Record, key: str, target: Record, body: Body, *, strict: bool) -> str:
        row = self.get(source, key)
        derived = transaction.transformed(self, source, row, target)
        return self.create(target, body, strict=strict, **derived)

    def now(self) -> str:
        return self.clock.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _save(self, record: Record, row: dict[str, Any], before: Document | None) -> str:
        with self.store.transaction():
            if record.table == "transaction":
                row = transaction.completed(self, record, row, before)
            else:
                _complete(record, row)
            self._check_required(record, row)
            self._check_unique(record, row)
            now = self.now()
            row.setdefault("createdDate", now)
            row |= {"lastModifiedDate": now, "lastModifiedBy": self.schema.account.user}
            self.store.put(record.table, row["id"], row)
            if before is None:
                self.store.set_meta(f"id {record.table}", int(row["id"]))
            return str(row["id"])

    def _values(self, record: Record, body: Body, *, strict: bool) -> dict[str, Any]:
        if record.readonly:
            raise Refusal("INVALID_METHOD", f"The record {record.name} is read-only here.", status=405)
        told = {name: value for name, value in body.items() if name not in ("id", "externalId")}
        return fields(record.fields, told, "", self._resolve, strict=strict)

    def _resolve(self, table: str, own: str | None, external_id: str | None, path: str) -> str:
        if own is not None:
            row = self.store.get(table, own)
        else:
            row = next(iter(self.store.find(table, "externalId", external_id, fold=True)), None)
        if row is None:
            raise Broken("INVALID_KEY_OR_REF", f"Invalid reference key {own or external_id} for {path}.", path)
        return str(row["id"])

    def _check(self, record: Record, verb: str, what: str) -> None:
        rule = self.faults.row(f"{verb} {record.name} {what}")
        if rule is not None:
            raise Broken(rule.code, rule.message)

    def _check_external_id(self, record: Record, external_id: str) -> None:
        if not _EXTERNAL_ID.fullmatch(external_id):
            raise invalid(f"Invalid external id: {external_id}.", "externalId")
        tables = {other.table for other in self.schema.records.values() if other.group == record.group}
        if any(self.store.find(table, "externalId", external_id, fold=True) for table in tables):
            raise Broken("DUP_RCRD", "This record already exists: the external ID is in use.", "externalId")

    def _check_required(self, record: Record, row: Document) -> None:
        for name in record.required:
            if row.get(name) in (None, ""):
                raise Broken("MISSING_REQD_FLD", f"Please enter value(s) for: {name}.", name)

    def _check_unique(self, record: Record, row: Document) -> None:
        for name in record.unique:
            others = self.store.find(record.table, name, row[name], fold=True)
            if any(other["id"] != row["id"] for other in others):
                what = f"A {record.name} record with this {name} already exists. You must enter a unique {name}."
                raise Broken("UNIQUE_CUST_ID_REQD" if record.table == "customer" else "DUP_ITEM", what, name)

    def _users(self, record: Record, identity: str) -> Iterator[str]:
        """Transactions that name a customer or an item, or apply to a transaction."""
        for row in self.store.all("transaction"):
            match record.table:
                case "customer":
                    hit = row["entity"] == identity
                case "item":
                    hit = any(line["item"] == identity for line in row.get("item", ()))
                case _:
                    hit = row.get("createdFrom") == identity or any(
                        each["doc"] == identity for each in row.get("apply", ())
                    )
            if hit:
                yield f"{row['recordType']} {row['id']}"


def _complete(record: Record, row: dict[str, Any]) -> None:
    if record.name == "customer":
        row.setdefault("entityId", row.get("companyName", ""))
    for name, field in record.fields.items():
        if field.type == "flag":
            row.setdefault(name, False)


def _merged(before: Any, lines: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    """Lines that name an existing one change it, the others are appended."""
    kept = {line[key]: line for line in before if key in line}
    loose = [line for line in before if key not in line]
    added = []
    for line in lines:
        if key not in line:
            added.append(line)
        elif line[key] not in kept:
            raise invalid(f"There is no line {line[key]}.", key)
        else:
            kept[line[key]] = _overlaid(kept[line[key]], line)
    return [*loose, *kept.values(), *added]


def _overlaid(before: Mapping[str, Any], line: Mapping[str, Any]) -> dict[str, Any]:
    """A line with what was said of it; so are the records inside of it."""
    told = {
        name: _overlaid(before.get(name, {}), value) if isinstance(value, Mapping) else value
        for name, value in line.items()
    }
    return {name: value for name, value in {**before, **told}.items() if value is not None}


def _number_lines(row: dict[str, Any]) -> None:
    for name, key in _KEYS.items():
        highest = max((int(line.get(key, 0)) for line in row.get(name) or ()), default=0)
        numbered = []
        for line in row.get(name) or ():
            highest += key not in line
            numbered.append({key: highest if key == "line" else str(highest), **line})
        if numbered:
            row[name] = numbered
