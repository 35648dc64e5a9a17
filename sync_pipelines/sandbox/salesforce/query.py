"""Runs a query: which rows, in which order, and how each is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import islice
from typing import Any

from sync_pipelines.sandbox.salesforce.fault import Refusal
from sync_pipelines.sandbox.salesforce.filter import Filter, Test
from sync_pipelines.sandbox.salesforce.lookup import Getter, Lookup
from sync_pipelines.sandbox.salesforce.schema import TEXTUAL, Field, Object
from sync_pipelines.sandbox.salesforce.soql import (
    AllFields,
    Function,
    Path,
    Query,
    Selection,
    Sorting,
    malformed,
    parse,
)
from sync_pipelines.sandbox.store import Document

Record = dict[str, Any]
Render = Callable[[Document], Record]
OFFSET_MAX = 2000
ALL_FIELDS_MAX = 200


@dataclass(frozen=True)
class Rows:
    """What a query found: the rows as they were then, and how to show one."""

    total: int
    rows: Sequence[Document]
    render: Render


@dataclass(frozen=True)
class Reader:
    """Runs queries against one moment of the org. `data` is the path of the API version in use."""

    lookup: Lookup
    today: date
    data: str

    def run(self, text: str, *, deleted_too: bool = False) -> Rows:
        """Parse and run; `deleted_too` is `queryAll`."""
        query = parse(text)
        if query.offset > OFFSET_MAX:
            raise Refusal("NUMBER_OUTSIDE_VALID_RANGE", f"Maximum SOQL offset allowed is {OFFSET_MAX}")
        thing = self.lookup.object(str(query.source))
        return _Run(self, thing, query, text, deleted_too).result()

    def show(self, thing: Object, names: Sequence[str]) -> Render:
        """How one row is shown with the named fields, for reads that are no query."""
        paths = tuple(Path(tuple(name.split("."))) for name in names)
        query = Query(paths, Path((thing.name,)), None, (), (), None, 0)
        return _Run(self, thing, query, "", True).render()


@dataclass(frozen=True)
class _Run:
    reader: Reader
    thing: Object
    query: Query
    text: str
    deleted_too: bool

    def result(self) -> Rows:
        functions = [chosen for chosen in self.query.selection if isinstance(chosen, Function)]
        if functions == [Function("COUNT", None, None)] == list(self.query.selection):
            return Rows(min(self._count(), self.query.limit or 2**31), (), dict)
        if functions or self.query.group:
            return self._aggregated()
        render, sortings = self.render(), self._sortings()
        rows = self._cut(self._sorted(self._matching(), sortings), lazily=not sortings)
        return Rows(len(rows), rows, render)

    def render(self) -> Render:
        """One function that shows a row: its own fields, its parents' fields, its children."""
        return self._shown(self.thing, self._expanded())

    def _expanded(self) -> list[Path | Query]:
        chosen: list[Path | Query] = []
        for selection in self.query.selection:
            if isinstance(selection, AllFields):
                chosen += self._all_fields(selection)
            elif not isinstance(selection, Function):
                chosen.append(selection)
        return chosen

    def _all_fields(self, selection: AllFields) -> list[Path]:
        if selection.group != "STANDARD" and (self.query.limit or ALL_FIELDS_MAX + 1) > ALL_FIELDS_MAX:
            raise malformed(f"The SOQL FIELDS function must have a LIMIT of at most {ALL_FIELDS_MAX}")
        custom = {"ALL": (True, False), "CUSTOM": (True,), "STANDARD": (False,)}.get(selection.group)
        if custom is None:
            raise malformed(f"unexpected token: '{selection.group}'")
        return [Path((name,)) for name in self.thing.fields if name.endswith("__c") in custom]

    def _shown(self, thing: Object, chosen: Sequence[Path | Query]) -> Render:
        parts: dict[str, Callable[[Document], Any]] = {}
        above: dict[str, list[Path | Query]] = {}
        for selection in chosen:
            if isinstance(selection, Query):
                parts[str(selection.source)] = self._children(thing, selection)
            elif len(selection.names) == 1:
                field = self.reader.lookup.resolve(thing, selection, self.text)[2]
                parts[field.name] = self.reader.lookup.plain(thing, field)
            else:
                step = self.reader.lookup.resolve(thing, selection, self.text)[0][0]
                parts.setdefault(step.relation, lambda row: None)
                above.setdefault(step.relation, []).append(Path(selection.names[1:], selection.column))
        for relation, paths in above.items():
            parts[relation] = self._above(thing, relation, paths)
        prefix = f"{self.reader.data}/sobjects/{thing.name}/"
        items, kind = list(parts.items()), thing.name

        def render(row: Document) -> Record:
            record: Record = {"attributes": {"type": kind, "url": prefix + row["Id"]}}
            for name, get in items:
                record[name] = get(row)
            return record

        return render

    def _above(self, thing: Object, relation: str, paths: Sequence[Path | Query]) -> Getter:
        step = thing.relation(relation)
        assert step is not None
        render = self._shown(self.reader.lookup.schema.objects[step.to], paths)
        parent = self.reader.lookup.parent(step)
        return lambda row: None if (found := parent(row)) is None else render(found)

    def _children(self, thing: Object, query: Query) -> Getter:
        child, field = self._child_relation(thing, str(query.source))
        run = _Run(self.reader, child, query, self.text, self.deleted_too)
        render, sortings, test = run.render(), run._sortings(), run._test()
        store = self.reader.lookup.store

        def shown(row: Document) -> Any:
            mine = [c for c in store.find(child.name, field.name, row["Id"]) if test(c)]
            found = run._cut(run._sorted(mine, sortings))
            records = [render(document) for document in found]
            return {"totalSize": len(records), "done": True, "records": records} if records else None

        return shown

    def _child_relation(self, thing: Object, name: str) -> tuple[Object, Field]:
        for child, field in self.reader.lookup.schema.references_to(thing.name):
            if field.children.lower() == name.lower():
                return child, field
        raise Refusal("INVALID_TYPE", f"Didn't understand relationship '{name}' in FROM part of query call.")

    def _test(self) -> Test:
        where = self.query.where
        deleted_too = self.deleted_too
        if where is None:
            return lambda row: deleted_too or not row["IsDeleted"]
        compiled = Filter(self.reader.lookup, self.thing, self.text, self.reader.today, self._values_of).compile(where)
        if deleted_too:
            return compiled
        return lambda row: not row["IsDeleted"] and compiled(row)

    def _values_of(self, query: Query) -> set[Any]:
        thing = self.reader.lookup.object(str(query.source))
        chosen = query.selection[0]
        if len(query.selection) != 1 or not isinstance(chosen, Path):
            raise malformed("a query inside of IN must select one field")
        run = _Run(self.reader, thing, query, self.text, self.deleted_too)
        get, field = self.reader.lookup.getter(thing, chosen, self.text)
        fold = field.type in TEXTUAL
        found = (get(row) for row in run._matching())
        return {value.lower() if fold else value for value in found if value is not None}

    def _matching(self) -> Iterable[Document]:
        test = self._test()
        return (row for row in self.reader.lookup.candidates(self.thing, self.query.where) if test(row))

    def _count(self) -> int:
        return sum(1 for _ in self._matching())

    def _sortings(self) -> list[tuple[Getter, Sorting]]:
        sortings = []
        for sorting in self.query.order:
            if isinstance(sorting.by, Function):
                raise malformed("aggregate functions can only be ordered by in a grouped query")
            get, field = self.reader.lookup.getter(self.thing, sorting.by, self.text)
            sortings.append((_sortable(get, field), sorting))
        return sortings

    @staticmethod
    def _sorted(rows: Iterable[Any], sortings: Sequence[tuple[Callable[[Any], Any], Sorting]]) -> Iterable[Any]:
        if not sortings:
            return rows
        ordered = list(rows)
        for get, sorting in reversed(sortings):
            nulls_high = sorting.nulls_last is not sorting.descending
            ordered.sort(key=_key(get, nulls_high), reverse=sorting.descending)
        return ordered

    def _cut(self, rows: Iterable[Any], *, lazily: bool = False) -> list[Any]:
        start = self.query.offset
        stop = None if self.query.limit is None else start + self.query.limit
        if isinstance(rows, list) and not lazily:
            return rows[start:stop]
        return list(islice(rows, start, stop))

    def _aggregated(self) -> Rows:
        columns = self._columns()
        groups: dict[tuple[Any, ...], list[Document]] = {}
        gets = [self.reader.lookup.getter(self.thing, path, self.text)[0] for path in self.query.group]
        for row in self._matching():
            groups.setdefault(tuple(get(row) for get in gets), []).append(row)
        if not gets:
            groups.setdefault((), [])
        sortings = [(self._aggregate(s.by), s) for s in self.query.order]
        chosen = self._cut(self._sorted(groups.values(), sortings))
        attributes = {"type": "AggregateResult"}
        records = [{"attributes": attributes, **{name: of(rows) for name, of in columns.items()}} for rows in chosen]
        return Rows(len(records), records, dict)

    def _columns(self) -> dict[str, Callable[[list[Document]], Any]]:
        columns: dict[str, Callable[[list[Document]], Any]] = {}
        unnamed = 0
        for chosen in self.query.selection:
            if isinstance(chosen, Function):
                name = chosen.alias or f"expr{unnamed}"
                unnamed += chosen.alias is None
                columns[name] = self._aggregate(chosen)
            elif isinstance(chosen, Path):
                _, field = self.reader.lookup.getter(self.thing, chosen, self.text)
                columns[field.name] = self._aggregate(chosen)
            else:
                raise malformed("a grouped query can only select fields and aggregate functions")
        return columns

    def _aggregate(self, chosen: Selection) -> Callable[[list[Document]], Any]:
        if isinstance(chosen, Path):
            if str(chosen).lower() not in {str(path).lower() for path in self.query.group}:
                raise malformed(f"Field must be grouped or aggregated: {chosen}")
            get, _ = self.reader.lookup.getter(self.thing, chosen, self.text)
            return lambda rows: get(rows[0])
        assert isinstance(chosen, Function)
        if chosen.path is None:
            if chosen.name != "COUNT":
                raise malformed("unexpected token: ')'")
            return len
        get, field = self.reader.lookup.getter(self.thing, chosen.path, self.text)
        if chosen.name in ("SUM", "AVG") and field.type not in ("currency", "double", "percent", "int"):
            raise malformed(f"field {field.name} does not support aggregate operator {chosen.name}")
        fold = _AGGREGATES[chosen.name]
        return lambda rows: fold([value for row in rows if (value := get(row)) is not None])


def _total(values: list[Any]) -> float | None:
    return float(sum(Decimal(str(value)) for value in values)) if values else None


_AGGREGATES: dict[str, Callable[[list[Any]], Any]] = {
    "COUNT": len,
    "COUNT_DISTINCT": lambda values: len(set(values)),
    "SUM": _total,
    "MIN": lambda values: min(values, default=None),
    "MAX": lambda values: max(values, default=None),
    "AVG": lambda values: (_total(values) or 0.0) / len(values) if values else None,
}


def _sortable(get: Getter, field: Field) -> Getter:
    if field.type not in TEXTUAL:
        return get
    return lambda row: value.lower() if (value := get(row)) is not None else None


def _key(get: Getter, nulls_high: bool) -> Callable[[Any], tuple[bool, Any]]:
    def key(row: Any) -> tuple[bool, Any]:
        value = get(row)
        return (value is None) is nulls_high, value

    return key
