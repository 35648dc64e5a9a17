"""The grammar that all reads share: conditions with aliases, and an expression over them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sync_pipelines.sandbox.gainsight.refusal import invalid, unknown_field
from sync_pipelines.sandbox.gainsight.tenant import Field, Object
from sync_pipelines.sandbox.store import Document

Test = Callable[[Document], bool]
Read = Callable[[Field, Any], Any]
"""Turns a value of a condition into what a record's field is compared with."""

_WORDS = re.compile(r"\(|\)|\w+")
_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "EQ": lambda held, given: bool(held == given),
    "NE": lambda held, given: bool(held != given),
    "GT": lambda held, given: bool(held > given),
    "GTE": lambda held, given: bool(held >= given),
    "LT": lambda held, given: bool(held < given),
    "LTE": lambda held, given: bool(held <= given),
    "CONTAINS": lambda held, given: str(given) in str(held),
    "STARTS_WITH": lambda held, given: str(held).startswith(str(given)),
    "ENDS_WITH": lambda held, given: str(held).endswith(str(given)),
}


def test_of(thing: Object, where: Mapping[str, Any] | None, *, named_by: str, read: Read) -> Test:
    """The test of a `where`; `named_by` is how its conditions name their field."""
    conditions = (where or {}).get("conditions") or []
    if not conditions:
        return lambda row: True
    tests = {str(each.get("alias")): _condition(thing, each, named_by, read) for each in conditions}
    expression = str((where or {}).get("expression") or " AND ".join(tests))
    return _Parser(_WORDS.findall(expression), tests).whole()


def _condition(thing: Object, given: Mapping[str, Any], named_by: str, read: Read) -> Test:
    name, operator, listed = str(given.get(named_by, "")), str(given.get("operator")), given.get("value") or []
    field = thing.field(name)
    if field is None:
        raise unknown_field(name or f"a condition has no {named_by!r}")
    key = field.name
    if operator in ("IS_NULL", "IS_NOT_NULL"):
        return lambda row: (row.get(key) is None) is (operator == "IS_NULL")
    values = [read(field, each) for each in (listed if isinstance(listed, list) else [listed])]
    if operator in ("IN", "NOT_IN"):
        wanted = frozenset(values)
        return lambda row: (row.get(key) in wanted) is (operator == "IN")
    if operator == "BTW" and len(values) == 2:
        low, high = values
        return lambda row: row.get(key) is not None and bool(low <= row[key] <= high)
    compare = _COMPARISONS.get(operator)
    if compare is None or len(values) != 1:
        raise invalid(f"The operator {operator} can't be used with {len(values)} values")
    return lambda row: row.get(key) is not None and compare(row[key], values[0])


class _Parser:
    """Expressions such as "A AND (B OR C)"."""

    def __init__(self, words: Sequence[str], tests: Mapping[str, Test]) -> None:
        self._words = [*words, ""]
        self._place = 0
        self._tests = tests

    def whole(self) -> Test:
        test = self._any()
        if self._words[self._place]:
            raise invalid("The expression could not be read")
        return test

    def _any(self) -> Test:
        tests = [self._all()]
        while self._take("OR"):
            tests.append(self._all())
        return tests[0] if len(tests) == 1 else lambda row: any(test(row) for test in tests)

    def _all(self) -> Test:
        tests = [self._one()]
        while self._take("AND"):
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)

    def _one(self) -> Test:
        if self._take("("):
            test = self._any()
            if not self._take(")"):
                raise invalid("The expression lacks a bracket")
            return test
        test_or_none = self._tests.get(self._words[self._place])
        if test_or_none is None:
            raise invalid("The expression names an alias that no condition has")
        self._place += 1
        return test_or_none

    def _take(self, word: str) -> bool:
        if self._words[self._place].upper() != word:
            return False
        self._place += 1
        return True
