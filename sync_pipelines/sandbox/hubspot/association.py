"""Who belongs to whom: associations have types, by direction, and are kept in both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sync_pipelines.sandbox.hubspot.refusal import Refusal, invalid
from sync_pipelines.sandbox.hubspot.schema import Kinds, Object, Schema
from sync_pipelines.sandbox.store import Store

LINKS = "_associations"
_ONE_PARENT = "line_items"
"""Records that belong to one other alone: they are copied, not shared."""


class Associations:
    """The associations of one portal's records."""

    def __init__(self, schema: Schema, store: Store) -> None:
        self.schema = schema
        self.store = store

    def of(self, source: Object, id: str, target: Object) -> dict[str, list[int]]:
        """The records that one is associated with, and the types of each association."""
        row = self.store.get(LINKS, _key(source, id, target))
        return {} if row is None else dict(row["to"])

    def first(self, source: Object, id: str, target: Object) -> str | None:
        """The primary one, if there is one."""
        kinds = self.schema.kinds(source, target)
        primary = kinds.primary if kinds else None
        return next((to for to, types in self.of(source, id, target).items() if primary in types), None)

    def join(self, source: Object, id: str, target: Object, to: str, types: Sequence[int] = ()) -> None:
        """Associate two records; without types as HubSpot does by itself, the first one as the primary one."""
        there, back = self.kinds(source, target), self.kinds(target, source)
        if unknown := [each for each in types if each not in (there.unlabelled, there.primary)]:
            raise invalid(f"associationTypeId {unknown[0]} is not defined from {source.name} to {target.name}")
        asked = there.primary in types if types else self.first(source, id, target) is None
        primary = asked and there.primary is not None
        self._keep_one_parent(source, id, target, to)
        self._keep_one_parent(target, to, source, id)
        if primary:
            self._demote(source, id, target, there, back)
        self._put(source, id, target, to, _types(there, primary))
        self._put(target, to, source, id, _types(back, primary))

    def part(self, source: Object, id: str, target: Object, to: str) -> None:
        for one, its, other, that in ((source, id, target, to), (target, to, source, id)):
            held = self.of(one, its, other)
            if held.pop(that, None) is not None:
                self.store.put(LINKS, _key(one, its, other), {"to": held})

    def clear(self, source: Object, id: str) -> None:
        for target, to, _ in list(self.all(source, id)):
            self.part(source, id, target, to)

    def all(self, source: Object, id: str) -> Iterator[tuple[Object, str, list[int]]]:
        for name in self.schema.associations.get(source.name, {}):
            target = self.schema.objects[name]
            for to, types in self.of(source, id, target).items():
                yield target, to, types

    def kinds(self, source: Object, target: Object) -> Kinds:
        kinds = self.schema.kinds(source, target)
        if kinds is None:
            raise invalid(f"There is no association from {source.name} to {target.name}")
        return kinds

    def _keep_one_parent(self, child: Object, id: str, parent: Object, to: str) -> None:
        if child.name == _ONE_PARENT and set(self.of(child, id, parent)) - {to}:
            message = f"line item {id} is already associated with another {parent.singular}"
            raise Refusal("VALIDATION_ERROR", message)

    def _demote(self, source: Object, id: str, target: Object, there: Kinds, back: Kinds) -> None:
        for other, types in self.of(source, id, target).items():
            if there.primary in types:
                self._put(source, id, target, other, [there.unlabelled])
                self._put(target, other, source, id, [back.unlabelled])

    def _put(self, source: Object, id: str, target: Object, to: str, types: list[int]) -> None:
        held: dict[str, Any] = self.of(source, id, target)
        self.store.put(LINKS, _key(source, id, target), {"to": {**held, to: types}})


def _types(kinds: Kinds, primary: bool) -> list[int]:
    return [kinds.primary, kinds.unlabelled] if primary and kinds.primary is not None else [kinds.unlabelled]


def _key(source: Object, id: str, target: Object) -> str:
    return f"{source.name}/{id}/{target.name}"
