"""How a query finds values and rows: field paths through parents, and indexes instead of whole tables."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from typing import Any

from sync_pipelines.sandbox.salesforce.fault import Refusal
from sync_pipelines.sandbox.salesforce.ids import as_long_id
from sync_pipelines.sandbox.salesforce.moment import exact_stamp
from sync_pipelines.sandbox.salesforce.schema import TEXTUAL, Field, Object, Schema
from sync_pipelines.sandbox.salesforce.soql import Among, Both, Compare, Condition, Path, pointed
from sync_pipelines.sandbox.store import Document, Store

Getter = Callable[[Document], Any]
_FIRST, _LAST = "", "~"


class Lookup:
    """Reads one org's store by its schema."""

    def __init__(self, schema: Schema, store: Store) -> None:
        self.schema = schema
        self.store = store
        self._by_stamp: dict[str, tuple[int, list[tuple[str, str]]]] = {}

    def object(self, name: str) -> Object:
        found = self.schema.object(name)
        if found is None:
            raise Refusal(
                "INVALID_TYPE",
                f"sObject type '{name}' is not supported. If you are attempting to use a custom object, be "
                "sure to append the '__c' after the entity name.",
            )
        return found

    def resolve(self, thing: Object, path: Path, text: str = "") -> tuple[list[Field], Object, Field]:
        """The reference fields on the way, the object at its end, and the field there."""
        steps: list[Field] = []
        here = thing
        for name in path.names[:-1]:
            step = here.relation(name)
            if step is None:
                message = f"Didn't understand relationship '{name}' in field path."
                raise Refusal("INVALID_FIELD", pointed(text, path.column, message))
            steps.append(step)
            here = self.schema.objects[step.to]
        field = here.field(path.names[-1])
        if field is None:
            message = f"No such column '{path.names[-1]}' on entity '{here.name}'. If you are attempting to use"
            message += " a custom field, be sure to append the '__c' after the custom field name."
            raise Refusal("INVALID_FIELD", pointed(text, path.column, message))
        return steps, here, field

    def getter(self, thing: Object, path: Path, text: str = "") -> tuple[Getter, Field]:
        """A function from a row to the value at the end of a path, and the field that it is."""
        steps, _, field = self.resolve(thing, path, text)
        get = self.plain(thing, field) if not steps else self._through(steps, field)
        return get, field

    def plain(self, thing: Object, field: Field) -> Getter:
        if field.formula:
            return self.getter(thing, Path(tuple(field.formula.split("."))))[0]
        name = field.name
        return lambda row: row.get(name)

    def parent(self, step: Field) -> Callable[[Document], Document | None]:
        table, name = self.store.table(step.to), step.name
        return lambda row: table.rows.get(row.get(name) or "")

    def _through(self, steps: list[Field], field: Field) -> Getter:
        first = self.parent(steps[0])
        target = self.schema.objects[steps[0].to]
        rest = self._through(steps[1:], field) if steps[1:] else self.plain(target, field)

        def get(row: Document) -> Any:
            above = first(row)
            return None if above is None else rest(above)

        return get

    def candidates(self, thing: Object, condition: Condition | None) -> Iterable[Document]:
        """Rows that may meet the condition, in the order of creation or by stamp; never fewer than do."""
        table = self.store.table(thing.name)
        pinned = self._pinned(thing, condition) if condition else None
        if pinned is not None:
            return [table.rows[key] for key in sorted(pinned & table.rows.keys(), key=table.seq.__getitem__)]
        low, high = _stamps(condition) if condition else (_FIRST, _LAST)
        if (low, high) == (_FIRST, _LAST):
            return list(table.rows.values())
        keys = self.by_stamp(thing)
        chosen = keys[bisect_left(keys, (low,)) : bisect_right(keys, (high, _LAST))]
        return [table.rows[key] for _, key in chosen]

    def by_stamp(self, thing: Object) -> list[tuple[str, str]]:
        """(SystemModstamp, Id) of every row, sorted; kept until the table changes."""
        table = self.store.table(thing.name)
        version, keys = self._by_stamp.get(thing.name, (-1, []))
        if version != table.version:
            keys = sorted((row["SystemModstamp"], key) for key, row in table.rows.items())
            self._by_stamp[thing.name] = (table.version, keys)
        return keys

    def _pinned(self, thing: Object, condition: Condition) -> set[str] | None:
        """Ids that the condition's equalities on indexed fields leave over; None where there are none."""
        if isinstance(condition, Both):
            parts = [self._pinned(thing, term) for term in condition.terms]
            known = [part for part in parts if part is not None]
            if condition.every:
                return min(known, key=len) if known else None
            return set().union(*known) if len(known) == len(parts) else None
        if isinstance(condition, Compare) and condition.operator == "=":
            return self._having(thing, condition.path, [condition.literal.value])
        if isinstance(condition, Among) and not condition.negated and condition.query is None:
            return self._having(thing, condition.path, [literal.value for literal in condition.literals])
        return None

    def _having(self, thing: Object, path: Path, values: list[Any]) -> set[str] | None:
        field = thing.field(path.names[0]) if len(path.names) == 1 else None
        if field is None or not all(isinstance(value, str) and value for value in values):
            return None
        if field.type == "id":
            return {as_long_id(value) or value for value in values}
        indexed = field.type == "reference" or (field.external and field.type in TEXTUAL)
        if not indexed:
            return None
        found: set[str] = set()
        for value in values:
            wanted = as_long_id(value) or value if field.type == "reference" else value
            fold = field.type != "reference"
            found.update(row["Id"] for row in self.store.find(thing.name, field.name, wanted, fold=fold))
        return found


def _stamps(condition: Condition) -> tuple[str, str]:
    """The range of SystemModstamp outside of which no row can meet the condition."""
    if isinstance(condition, Both):
        ranges = [_stamps(term) for term in condition.terms]
        lows, highs = [low for low, _ in ranges], [high for _, high in ranges]
        return (max(lows), min(highs)) if condition.every else (min(lows), max(highs))
    if not isinstance(condition, Compare) or condition.literal.kind != "datetime":
        return _FIRST, _LAST
    if [name.lower() for name in condition.path.names] != ["systemmodstamp"]:
        return _FIRST, _LAST
    try:
        at = exact_stamp(condition.literal.value)
    except ValueError:
        return _FIRST, _LAST
    low = at if condition.operator in ("=", ">", ">=") else _FIRST
    high = at if condition.operator in ("=", "<", "<=") else _LAST
    return low, high
