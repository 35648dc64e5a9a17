"""Compiles a WHERE into one Python function of a row, so that no row is ever parsed or interpreted."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sync_pipelines.sandbox.salesforce.fault import Refusal
from sync_pipelines.sandbox.salesforce.ids import as_long_id
from sync_pipelines.sandbox.salesforce.lookup import Getter, Lookup
from sync_pipelines.sandbox.salesforce.moment import day, exact_stamp
from sync_pipelines.sandbox.salesforce.schema import NUMERIC, TEXTUAL, Field, Object
from sync_pipelines.sandbox.salesforce.soql import Among, Both, Compare, Condition, Literal, Not, Query, unescape

Test = Callable[[Any], bool]
_WRITTEN = {"number": "a number", "boolean": "a boolean", "date": "a date", "datetime": "a dateTime"}
_ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class Filter:
    """Compiles conditions on the rows of one object; `values_of` runs a query inside of IN (…)."""

    lookup: Lookup
    thing: Object
    text: str
    today: date
    values_of: Callable[[Query], set[Any]]

    def compile(self, condition: Condition) -> Test:
        if isinstance(condition, Not):
            inner = self.compile(condition.term)
            return lambda row: not inner(row)
        if isinstance(condition, Both):
            return _joined([self.compile(term) for term in condition.terms], condition.every)
        get, field = self.lookup.getter(self.thing, condition.path, self.text)
        if isinstance(condition, Among):
            return self._among(condition, get, field)
        return self._compare(condition, get, field)

    def _among(self, condition: Among, get: Getter, field: Field) -> Test:
        if condition.query is not None:
            wanted = self.values_of(condition.query)
        else:
            wanted = {self._value(field, literal)[0] for literal in condition.literals}
        fold, negated = field.type in TEXTUAL, condition.negated
        return lambda row: (_folded(get(row), fold) in wanted) is not negated

    def _compare(self, condition: Compare, get: Getter, field: Field) -> Test:
        fold = field.type in TEXTUAL
        if condition.operator == "LIKE":
            return _like(condition, get, field)
        low, high = self._value(field, condition.literal)
        if condition.literal.kind == "relative" and field.type == "datetime":
            whole = get
            get = lambda row: (whole(row) or "")[:10] or None  # noqa: E731 (the day of an instant)
        if condition.operator in ("=", "!="):
            return _equality(get, (low, high), fold=fold, wanted=condition.operator == "=")
        if low is None:
            return lambda row: False
        compare = _ORDERED[condition.operator]
        bound = low if condition.operator in ("<", ">=") else high
        return lambda row: (value := _folded(get(row), fold)) is not None and compare(value, bound)

    def _value(self, field: Field, literal: Literal) -> tuple[Any, Any]:
        """The lowest and the highest stored value that the literal stands for."""
        if literal.kind == "relative":
            if field.type not in ("date", "datetime"):
                raise _wrong_type(field, "string")
            return _days(literal.value, self.today)
        value = self._single(field, literal)
        return value, value

    def _single(self, field: Field, literal: Literal) -> Any:
        kind, value = literal.kind, literal.value
        if kind == "null":
            return None
        if field.type in ("id", "reference"):
            if kind != "string":
                raise _wrong_type(field, "string", quotes="should be")
            found = as_long_id(value)
            if found is None and value:
                raise Refusal("INVALID_QUERY_FILTER_OPERATOR", f"invalid ID field: {value}")
            return found
        if field.type in TEXTUAL:
            if kind != "string":
                raise _wrong_type(field, "string", quotes="should be")
            return value.lower() or None
        expected = "number" if field.type in NUMERIC else field.type
        if kind != expected:
            raise _wrong_type(field, _WRITTEN[expected].split()[-1])
        try:
            return exact_stamp(value) if kind == "datetime" else day(value) if kind == "date" else value
        except ValueError as error:
            raise Refusal("MALFORMED_QUERY", f"Invalid {_WRITTEN[expected].split()[-1]}: {value}") from error


def _joined(tests: list[Test], every: bool) -> Test:
    if len(tests) == 2:
        first, second = tests
        if every:
            return lambda row: first(row) and second(row)
        return lambda row: first(row) or second(row)
    if every:
        return lambda row: all(test(row) for test in tests)
    return lambda row: any(test(row) for test in tests)


def _equality(get: Getter, bounds: tuple[Any, Any], *, fold: bool, wanted: bool) -> Test:
    low, high = bounds
    if low == high:
        return lambda row: (_folded(get(row), fold) == low) is wanted
    return lambda row: ((value := get(row)) is not None and low <= value <= high) is wanted


def _like(condition: Compare, get: Getter, field: Field) -> Test:
    if field.type not in TEXTUAL:
        raise Refusal("INVALID_QUERY_FILTER_OPERATOR", f"invalid operator on {field.type} field: {field.name}")
    parts = re.findall(r"\\.|.", condition.literal.raw, re.DOTALL)
    wildcards = {"%": ".*", "_": "."}
    pattern = "".join(wildcards.get(part) or re.escape(unescape(part)) for part in parts)
    match = re.compile(pattern, re.IGNORECASE | re.DOTALL).fullmatch
    return lambda row: match(get(row) or "") is not None


def _folded(value: Any, fold: bool) -> Any:
    return value.lower() if fold and value is not None else value


def _days(word: str, today: date) -> tuple[str, str]:
    name, _, number = word.partition(":")
    some = timedelta(days=int(number or 1))
    one = timedelta(days=1)
    low, high = {
        "TODAY": (today, today),
        "YESTERDAY": (today - one, today - one),
        "TOMORROW": (today + one, today + one),
        "LAST_N_DAYS": (today - some, today),
        "NEXT_N_DAYS": (today + one, today + some),
    }[name]
    return low.isoformat(), high.isoformat()


def _wrong_type(field: Field, expected: str, *, quotes: str = "should not be") -> Refusal:
    message = f"value of filter criterion for field '{field.name}' must be of type {expected}"
    return Refusal("INVALID_FIELD", f"{message} and {quotes} enclosed in quotes")
