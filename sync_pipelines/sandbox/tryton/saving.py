"""Creating, writing and deleting records, with their children, in the order in which the server does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sync_pipelines.sandbox.store import Document
from sync_pipelines.sandbox.tryton import rule
from sync_pipelines.sandbox.tryton.database import ADMINISTRATOR, Database
from sync_pipelines.sandbox.tryton.fault import Concurrency, Crash, UserError, unknown
from sync_pipelines.sandbox.tryton.invoice_tax import update_taxes
from sync_pipelines.sandbox.tryton.schema import STAMPS, Field, Model
from sync_pipelines.sandbox.tryton.value import decoded, stored, version

Values = dict[str, Any]
Locks = dict[str, str]
"""Versions that the caller's values were made from, by "model,id": each is checked once."""


class Writer:
    """Changes records of one database; the caller holds the transaction."""

    def __init__(self, database: Database, *, company: int | None = None, locks: Locks | None = None) -> None:
        self._database = database
        self._company = company
        self._locks = locks or {}

    def create(self, model: Model, given: Sequence[Mapping[str, Any]]) -> list[int]:
        """The ids of the new records."""
        rows = [self._insert(model, values) for values in given]
        for row, values in zip(rows, given, strict=True):
            self._set_children(model, row["id"], values)
        for row in rows:
            self._settle(model, row["id"], model.fields.keys(), created=True)
        return [row["id"] for row in rows]

    def write(self, model: Model, pairs: Sequence[tuple[Sequence[int], Mapping[str, Any]]]) -> None:
        """Each pair sets the same values on some records."""
        known = [(ids, self._converted(model, values), values) for ids, values in pairs]
        for ids, sent, values in known:
            for row in self._standing(model, ids):
                rule.check_write(self._database, model, row, values.keys())
                rule.check_moved(self._database, model, row, sent)
        self._check_versions(model, [record_id for ids, _, _ in known for record_id in ids])
        for ids, sent, values in known:
            self._update(model, ids, sent, values)
        for ids, _, values in known:
            for record_id in ids:
                self._set_children(model, record_id, values)
        for ids, _, values in known:
            for record_id in ids:
                self._settle(model, record_id, values.keys(), created=False)

    def delete(self, model: Model, ids: Sequence[int]) -> None:
        """Records that are gone already are no error; children go along, other references are cleared."""
        rows = [row for record_id in ids if (row := self._database.find(model.name, record_id)) is not None]
        for row in rows:
            rule.check_delete(self._database, model, row)
        self._check_versions(model, ids)
        for wanted in ("clear", "cascade", "restrict"):
            for other in self._database.models.values():
                for field in other.referring(model.name):
                    if _on_delete(field) == wanted:
                        self._release(other, field, wanted, [row["id"] for row in rows], model)
        for row in rows:
            self._database.remove(model.name, row["id"])

    def _insert(self, model: Model, values: Mapping[str, Any]) -> Document:
        sent = self._converted(model, values)
        for name in STAMPS & sent.keys():
            del sent[name]
        row = {**model.blank, **self._defaults(model)}
        row |= {**sent, **self._chosen(model, row, values)}
        if model.name == "party.party" and not row["code"]:
            row["code"] = str(self._database.next_number("sequence party.party"))
        for field in model.needed:
            if row[field.name] is None:
                raise UserError(f'A value is required for field "{field.label}" in "{model.label}".')
        rule.implied(model.name, row)
        began = self._database.began
        stamps = {"create_uid": ADMINISTRATOR, "create_date": began, "write_uid": None, "write_date": None}
        row |= {"id": self._database.next_id(model.name), **stamps}
        self._check_row(model, row, {*sent, "code"} & row.keys(), "create")
        self._database.put(model.name, row)
        return row

    def _update(self, model: Model, ids: Sequence[int], sent: Values, given: Mapping[str, Any]) -> None:
        values = {name: value for name, value in sent.items() if name not in STAMPS}
        for record_id in ids:
            before = self._database.get(model.name, record_id)
            row = {**before, **values, **self._chosen(model, before, given)}
            for name in values:
                if model.fields[name].required and row[name] is None:
                    raise UserError(f'A value is required for field "{model.fields[name].label}" in "{model.label}".')
            self._check_row(model, row, values.keys(), "write")
            stamps = {"write_uid": ADMINISTRATOR, "write_date": self._database.began}
            self._database.put(model.name, {**row, **stamps})

    def _settle(self, model: Model, id: int, changed: Any, *, created: bool) -> None:
        """What follows from a saved record, and whether it holds."""
        row = self._database.get(model.name, id)
        if created:
            rule.check_create(self._database, model, row)
        follows = rule.computed(self._database, model, row, changed)
        if follows:
            self._database.change(model.name, id, follows)
        if model.name == "product.template":
            self._sync_codes(id)
        rule.validate(self._database, model, self._database.get(model.name, id))
        if model.name == "account.invoice" and row["state"] == "draft":
            update_taxes(self._database, id)

    def _sync_codes(self, template: int) -> None:
        model = self._database.model("product.product")
        for product in self._database.referring("product.product", "template", template):
            self._settle(model, product["id"], (), created=False)

    def _converted(self, model: Model, values: Mapping[str, Any]) -> Values:
        """Sent values as documents keep them; commands about other records are left out."""
        fields = {name: self._database.field(model, name) for name in values}
        return {
            name: stored(field, decoded(values[name]))
            for name, field in fields.items()
            if field.stored and not field.many
        }

    def _chosen(self, model: Model, before: Document, values: Mapping[str, Any]) -> Values:
        """The many2many fields that are sent, after their commands."""
        found: Values = {}
        for field in (model.fields[name] for name in values):
            if field.kind == "many2many":
                chosen = _after(before[field.name], values[field.name] or ())
                lost = any(self._database.find(field.target, record_id) is None for record_id in chosen)
                if lost or len(set(chosen)) < len(chosen):
                    raise UserError(rule.ONCE.get(model.name, "The records are not valid."))
                found[field.name] = chosen
        return found

    def _set_children(self, model: Model, id: int, values: Mapping[str, Any]) -> None:
        for name in sorted(values):
            field = model.fields[name]
            if field.kind != "one2many" or not values[name]:
                continue
            target = self._database.model(field.target)
            made: list[Values] = []
            for command in values[name]:
                made += self._command(target, field, id, command)
            if made:
                self.create(target, made)

    def _command(self, target: Model, field: Field, id: int, command: Any) -> list[Values]:
        """Carry out what is to be done to children that are there; those to be made are given back."""
        match _verb(command), list(command[1:]):
            case "create", [made]:
                return [{**values, field.inverse: id} for values in made]
            case "write", pairs:
                self.write(target, list(zip(pairs[::2], pairs[1::2], strict=True)))
            case "delete", [ids]:
                self.delete(target, ids)
            case "add", [ids]:
                self.write(target, [(ids, {field.inverse: id})])
            case "remove", [ids]:
                self.write(target, [(ids, {field.inverse: None})])
            case verb, _:
                raise unknown(verb)
        return []

    def _check_row(self, model: Model, row: Document, names: Any, verb: str) -> None:
        for name in names:
            field, value = model.fields[name], row[name]
            if value is None:
                continue
            if field.size and len(value) > field.size:
                raise UserError(
                    f'The value "{value}" for field "{field.label}" in "{model.label}"'
                    f" is too long ({len(value)} > {field.size})."
                )
            message = rule.UNIQUE.get((model.name, name))
            if message and any(other["id"] != row["id"] for other in self._database.referring(model.name, name, value)):
                raise UserError(message)
            if field.kind == "many2one" and name not in STAMPS and self._database.find(field.target, value) is None:
                raise UserError(f'The value "{value}" for field "{field.label}" in "{model.label}" does not exist.')
        refused = self._database.faults.row(f"{verb} {model.name} {_called(row)}")
        if refused is not None:
            raise UserError(refused.message or "The record is not accepted.")

    def _defaults(self, model: Model) -> Values:
        """Defaults that follow from the caller's company."""
        found: Values = {}
        company = self._database.find("company.company", self._company)
        for name in ("company", "currency"):
            field = model.fields.get(name)
            if field is not None and field.default == name:
                found[name] = company and company["id" if name == "company" else name]
        return found

    def _standing(self, model: Model, ids: Sequence[int]) -> list[Document]:
        rows = {record_id: self._database.find(model.name, record_id) for record_id in ids}
        lost = ", ".join(str(record_id) for record_id, row in rows.items() if row is None)
        if lost:
            raise UserError(f'You are trying to write to records "{lost}" of "{model.label}" that don\'t exist.')
        return [row for row in rows.values() if row is not None]

    def _check_versions(self, model: Model, ids: Sequence[int]) -> None:
        for record_id in ids:
            expected = self._locks.pop(f"{model.name},{record_id}", None)
            row = self._database.find(model.name, record_id)
            if expected is None or row is None:
                continue
            if version(row["write_date"] or row["create_date"]) != expected:
                raise Concurrency

    def _release(self, other: Model, field: Field, how: str, ids: list[int], model: Model) -> None:
        held = [row["id"] for gone in ids for row in self._database.referring(other.name, field.name, gone)]
        if other.name == model.name:
            held = [record_id for record_id in held if record_id not in ids]
        if not held:
            return
        match how:
            case "clear":
                self.write(other, [(held, {field.name: None})])
            case "cascade":
                self.delete(other, held)
            case _:
                raise UserError(
                    f'The records could not be deleted because they are used by field "{field.label}"'
                    f' of "{other.label}".'
                )


def _on_delete(field: Field) -> str:
    if field.name in STAMPS:
        return "keep"
    return next((how for how in ("cascade", "restrict") if how in field.flags), "clear")


def _after(chosen: Sequence[int], commands: Sequence[Any]) -> list[int]:
    """Chosen ids after commands that add and remove some."""
    found = list(chosen)
    for command in commands:
        verb = _verb(command)
        if verb not in ("add", "remove"):
            raise unknown(verb)
        ids = [int(record_id) for record_id in command[1]]
        found = [*found, *ids] if verb == "add" else [record_id for record_id in found if record_id not in ids]
    return found


def _verb(command: Any) -> str:
    """The first word of a command about children."""
    if isinstance(command, dict):
        raise Crash("0")
    return str(command[0])


def _called(row: Document) -> str:
    return str(row.get("reference") or row.get("code") or row.get("name") or row["id"])
