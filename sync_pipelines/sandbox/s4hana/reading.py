"""Answers to reads: entities and collections as JSON, with `$select`, `$expand`, filters, order and pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from sync_pipelines.sandbox.s4hana import value
from sync_pipelines.sandbox.s4hana.books import Books, etag
from sync_pipelines.sandbox.s4hana.filter import compiled
from sync_pipelines.sandbox.s4hana.refusal import invalid, unknown_property
from sync_pipelines.sandbox.s4hana.schema import EntitySet
from sync_pipelines.sandbox.store import Document

_OF_ENTITY = ("$select", "$expand", "$format", "sap-client", "sap-language")
_OF_LIST = (*_OF_ENTITY, "$filter", "$orderby", "$top", "$skip", "$skiptoken", "$inlinecount")
Paths = Sequence[list[str]]


class Reader:
    """Tells entities; `root` is the address of their service."""

    def __init__(self, books: Books, root: str, query: Mapping[str, str]) -> None:
        self.books = books
        self.root = root
        self.query = query
        self.selected = _paths(query.get("$select", ""))
        self.expanded = _paths(query.get("$expand", ""))

    def entity(self, entities: EntitySet, row: Document) -> dict[str, Any]:
        self._check(entities, _OF_ENTITY)
        return {"d": self._told(entities, row, self.selected, self.expanded)}

    def count(self, entities: EntitySet, rows: Sequence[Document]) -> int:
        self._check(entities, ("$filter", "sap-client", "sap-language"))
        return len(self._filtered(entities, rows))

    def collection(self, entities: EntitySet, rows: Sequence[Document]) -> dict[str, Any]:
        self._check(entities, _OF_LIST)
        found = self._sorted(entities, self._filtered(entities, rows))
        skip = self._number("$skip", 0)
        start = self._number("$skiptoken", skip)
        end = min(len(found), skip + self._number("$top", len(found)))
        last = min(end, start + self.books.settings.page_max)
        told = [self._told(entities, row, self.selected, self.expanded) for row in found[start:last]]
        answer: dict[str, Any] = {"results": told}
        if self.query.get("$inlinecount") == "allpages":
            answer = {"__count": str(len(found)), **answer}
        if last < end:
            onward = {name: text for name, text in self.query.items() if name != "$skiptoken"}
            answer["__next"] = f"{self.root}/{entities.name}?{urlencode({**onward, '$skiptoken': last})}"
        return {"d": answer}

    def _told(self, entities: EntitySet, row: Document, selected: Paths, expanded: Paths) -> dict[str, Any]:
        uri = f"{self.root}/{entities.name}({_predicate(entities, row)})"
        meta = {"id": uri, "uri": uri, "type": f"{entities.service}.{entities.name}Type"}
        tag = etag(entities, row)
        told: dict[str, Any] = {"__metadata": {**meta, **({"etag": tag} if tag else {})}}
        wanted = {path[0] for path in selected}
        for name, one in entities.properties.items():
            if not wanted or "*" in wanted or name in wanted:
                told[name] = value.told(one, row.get(name))
        for way, (target, is_single) in entities.navigation.items():
            if wanted and way not in wanted:
                continue
            if not any(path[0] == way for path in expanded):
                told[way] = {"__deferred": {"uri": f"{uri}/{way}"}}
                continue
            inner = [path[1:] for path in selected if path[0] == way] if [way] not in selected else []
            further = [path[1:] for path in expanded if path[0] == way and len(path) > 1]
            rows = self.books.children(entities, row, way)
            each = [self._told(self.books.sets[target], child, inner, further) for child in rows]
            told[way] = (each[0] if each else None) if is_single else {"results": each}
        return told

    def _check(self, entities: EntitySet, names: Sequence[str]) -> None:
        """Query options and paths that are not known."""
        if unknown := sorted(set(self.query) - set(names)):
            raise invalid(f"The query option {unknown[0]} is not known here")
        for path in [*self.selected, *self.expanded]:
            end = entities
            for step in path:
                if step not in (*end.properties, *end.navigation, "*"):
                    raise unknown_property(step, end.name)
                end = self.books.sets[end.navigation[step][0]] if step in end.navigation else end

    def _filtered(self, entities: EntitySet, rows: Sequence[Document]) -> list[Document]:
        told = self.query.get("$filter")
        if not told:
            return list(rows)
        test = compiled(told, entities)
        return [row for row in rows if test(row)]

    def _sorted(self, entities: EntitySet, rows: list[Document]) -> list[Document]:
        """By what was asked for, and by key."""
        terms = [term.split() for term in self.query.get("$orderby", "").split(",") if term.strip()]
        for name, *way in reversed([*terms, *([key] for key in entities.keys)]):
            if name not in entities.properties:
                raise unknown_property(name, entities.name)
            is_decimal = entities.properties[name].type == "Decimal"
            rows = sorted(rows, key=_sort_key(name, is_decimal=is_decimal), reverse=way == ["desc"])
        return rows

    def _number(self, name: str, default: int) -> int:
        text = self.query.get(name)
        if text is None:
            return default
        if not text.isdecimal():
            raise invalid(f"Invalid value for the query option {name}")
        return int(text)


def _paths(text: str) -> list[list[str]]:
    return [path.strip().split("/") for path in text.split(",") if path.strip()]


def _predicate(entities: EntitySet, row: Document) -> str:
    if len(entities.keys) == 1:
        return f"'{row[entities.keys[0]]}'"
    return ",".join(f"{key}='{row[key]}'" for key in entities.keys)


def _sort_key(name: str, *, is_decimal: bool) -> Any:
    def key(row: Document) -> tuple[bool, Any]:
        each = row.get(name)
        return each is not None, Decimal(each) if is_decimal and each is not None else each or ""

    return key
