"""Searching and reading: which records match, in which order, and what is told of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from sync_pipelines.sandbox.store import Document
from sync_pipelines.sandbox.tryton import derived
from sync_pipelines.sandbox.tryton.database import Database
from sync_pipelines.sandbox.tryton.domain import candidates, compiled
from sync_pipelines.sandbox.tryton.fault import Crash, UserError, unknown
from sync_pipelines.sandbox.tryton.schema import Field, Model
from sync_pipelines.sandbox.tryton.value import told, version

Row = dict[str, Any]
Teller = Callable[[Document], Any]

_DIRECTIONS = {
    None: (False, False),
    "ASC": (False, False),
    "DESC": (True, True),
    "ASC NULLS FIRST": (False, True),
    "ASC NULLS LAST": (False, False),
    "DESC NULLS FIRST": (True, True),
    "DESC NULLS LAST": (True, False),
}
"""Whether an order runs backwards, and whether nulls come first, as PostgreSQL has it."""

_OWN: Mapping[str, Callable[[Model, Document], Any]] = {
    "_timestamp": lambda model, row: version(row["write_date"] or row["create_date"]),
    "_write": lambda model, row: True,
    "_delete": lambda model, row: True,
    "__name__": lambda model, row: model.name,
}


class Reader:
    """Answers questions about one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sorted: dict[tuple[str, str], tuple[int, list[Document]]] = {}

    def search(
        self,
        model: Model,
        domain: Sequence[Any],
        offset: int = 0,
        limit: int | None = None,
        order: Sequence[Sequence[str]] | None = None,
        *,
        active_test: bool = True,
    ) -> list[Document]:
        """Records that match; without a given order, in the model's own."""
        if (limit or 0) < 0:
            raise Crash("LIMIT must not be negative")
        test = compiled(self._database, model, domain, active_test=active_test)
        rows = self._ordered(model, order if order is not None else model.order, candidates(domain))
        found: Iterable[Document] = rows if test is None else filter(test, rows)
        return list(islice(found, offset, None if limit is None else offset + limit))

    def count(self, model: Model, domain: Sequence[Any], offset: int, limit: int | None, *, active_test: bool) -> int:
        return len(self.search(model, domain, offset or 0, limit, [], active_test=active_test))

    def read(self, model: Model, ids: Iterable[int], names: Sequence[str], *, active_test: bool = True) -> list[Row]:
        """Named fields of records that must all be there; a dotted name reads what it points to."""
        rows: list[Document] = []
        lost = []
        for record_id in dict.fromkeys(ids):
            row = self._database.find(model.name, record_id)
            if row is None:
                lost.append(record_id)
            else:
                rows.append(row)
        if lost:
            listed = ", ".join(map(str, lost))
            raise UserError(f'You are trying to read records "{listed}" of "{model.label}" that don\'t exist.')
        return self.tell(model, rows, names, active_test=active_test)

    def tell(self, model: Model, rows: Iterable[Document], names: Sequence[str], *, active_test: bool) -> list[Row]:
        tellers = self._tellers(model, names, active_test)
        return [{name: tell(row) for name, tell in tellers} for row in rows]

    def children(self, field: Field, id: int, *, active_test: bool) -> list[int]:
        """The ids behind a one2many field, in the order of their model."""
        target = self._database.model(field.target)
        rows = self._database.referring(target.name, field.inverse, id)
        if active_test and target.archives:
            rows = [row for row in rows if row["active"]]
        if len(rows) < 2:
            return [row["id"] for row in rows]
        own = [(name, how) for name, how in target.order if not name.startswith(field.inverse)]
        return [row["id"] for row in self._sort(target, rows, own)]

    def _tellers(self, model: Model, names: Sequence[str], active_test: bool) -> list[tuple[str, Teller]]:
        tellers: list[tuple[str, Teller]] = []
        beyond: dict[str, list[str]] = {}
        for name in dict.fromkeys([*names, "id"]):
            head, _, rest = name.partition(".")
            if rest:
                beyond.setdefault(head, []).append(rest)
            elif name in _OWN:
                tellers.append((name, lambda row, own=_OWN[name]: own(model, row)))  # type: ignore[misc]
            else:
                tellers.append((name, self._teller(model, self._database.field(model, name), active_test)))
        for head, rests in beyond.items():
            field = self._database.field(model, head)
            tellers.append((f"{head}.", self._pointed(model, field, rests, active_test)))
        return tellers

    def _teller(self, model: Model, field: Field, active_test: bool) -> Teller:
        name, database = field.name, self._database
        if field.kind == "one2many":
            return lambda row: self.children(field, row["id"], active_test=active_test)
        if field.derived:
            return lambda row: told(field, derived.value(database, model.name, row, name))
        if field.kind in ("numeric", "date", "timestamp"):
            return lambda row: told(field, row[name])
        return lambda row: row[name]

    def _pointed(self, model: Model, field: Field, names: list[str], active_test: bool) -> Teller:
        if not field.target:
            raise Crash(f"'{field.kind.title()}' object has no attribute 'get_target'")
        target = self._database.model(field.target)
        tellers = self._tellers(target, names, active_test)
        read = self._teller(model, field, active_test)

        def below(record_id: int) -> Row:
            row = self._database.get(target.name, record_id)
            return {name: tell(row) for name, tell in tellers}

        if field.many:
            return lambda row: [below(record_id) for record_id in read(row)]
        return lambda row: None if (record_id := read(row)) is None else below(record_id)

    def _ordered(self, model: Model, order: Sequence[Sequence[str]], ids: Sequence[int] | None) -> Sequence[Document]:
        """All records in an order, or those of some ids; an order that follows from the table alone is
        remembered until the table changes."""
        if ids is not None:
            rows = (self._database.find(model.name, record_id) for record_id in dict.fromkeys(ids))
            return self._sort(model, [row for row in rows if row is not None], order)
        table = self._database.store.table(model.name)
        if not all(_is_own(model, name) for name, _ in order):
            return self._sort(model, list(table.rows.values()), order)
        key = (model.name, repr(order))
        known = self._sorted.get(key)
        if known is None or known[0] != table.version:
            self._sorted[key] = known = (table.version, self._sort(model, list(table.rows.values()), order))
        return known[1]

    def _sort(self, model: Model, rows: list[Document], order: Sequence[Sequence[str]]) -> list[Document]:
        if not any(name == "id" for name, _ in order):
            order = [*order, ("id", "ASC")]
        for name, how in reversed(order):
            if how not in _DIRECTIONS:
                raise unknown(how)
            backwards, nulls_first = _DIRECTIONS[how]
            read = self._sorting(model, name)
            keyed = [(read(row), row) for row in rows]
            some = sorted((pair for pair in keyed if pair[0] is not None), key=lambda pair: pair[0], reverse=backwards)
            none = [row for value, row in keyed if value is None]
            found = [row for _, row in some]
            rows = [*none, *found] if nulls_first else [*found, *none]
        return rows

    def _sorting(self, model: Model, name: str) -> Teller:
        """A field as answers are ordered by it: a reference by the name of what it points to."""
        head, _, rest = name.partition(".")
        field = self._database.field(model, head)
        if field.target and not field.many:
            below = self._sorting(self._database.model(field.target), rest or "rec_name")
            return lambda row: None if (found := self._database.find(field.target, row[head])) is None else below(found)
        if head == "last_modified_at":
            return lambda row: row["write_date"] or row["create_date"]
        if field.derived:
            return lambda row: derived.value(self._database, model.name, row, head)
        if field.kind == "numeric":
            return lambda row: None if row[head] is None else float(row[head])
        return lambda row: row[head]


def _is_own(model: Model, name: str) -> bool:
    """Whether an order by this field follows from the model's own documents."""
    field = model.fields.get(name)
    return name == "last_modified_at" or (field is not None and field.stored and not field.target)
