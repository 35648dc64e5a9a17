"""`$filter`: comparisons, `startswith`, `endswith` and `substringof`, joined by and, or, not and parentheses."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from sync_pipelines.sandbox.s4hana.refusal import invalid, unknown_property
from sync_pipelines.sandbox.s4hana.schema import EntitySet
from sync_pipelines.sandbox.s4hana.value import literal

Row = Mapping[str, Any]
Test = Callable[[Row], bool]

_TOKEN = re.compile(
    r"\s*(\(|\)|,|(?:datetimeoffset|datetime|time)?'(?:[^']|'')*'|-?\d[\d.]*[mMdDfFlL]?|[A-Za-z_]\w*)", re.ASCII
)
_COMPARE = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
_FUNCTIONS: Mapping[str, Callable[[str, str], bool]] = {
    "startswith": lambda value, part: value.startswith(part),
    "endswith": lambda value, part: value.endswith(part),
    "substringof": lambda part, value: part in value,
}


def compiled(text: str, entities: EntitySet) -> Test:
    """The test that a filter is."""
    parser = _Parser(_tokens(text), entities)
    test = parser.either()
    parser.end()
    return test


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    while at < len(text.rstrip()):
        found = _TOKEN.match(text, at)
        if found is None:
            raise invalid(f"Invalid token detected at position {at}")
        tokens.append(found[1])
        at = found.end()
    return tokens


class _Parser:
    def __init__(self, tokens: list[str], entities: EntitySet) -> None:
        self._tokens = tokens
        self._entities = entities
        self._at = 0

    def either(self) -> Test:
        tests = [self._both()]
        while self._takes("or"):
            tests.append(self._both())
        return tests[0] if len(tests) == 1 else lambda row: any(test(row) for test in tests)

    def end(self) -> None:
        if self._at < len(self._tokens):
            raise invalid(f"Invalid token '{self._tokens[self._at]}' in the filter")

    def _both(self) -> Test:
        tests = [self._one()]
        while self._takes("and"):
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)

    def _one(self) -> Test:
        if self._takes("not"):
            inner = self._one()
            return lambda row: not inner(row)
        if self._takes("("):
            inner = self.either()
            self._expect(")")
            return inner
        word = self._next()
        return self._function(word) if word in _FUNCTIONS else self._comparison(word)

    def _function(self, word: str) -> Test:
        self._expect("(")
        first = self._operand(self._next())
        self._expect(",")
        second = self._operand(self._next())
        self._expect(")")
        test = _FUNCTIONS[word]
        return lambda row: test(str(first(row)), str(second(row)))

    def _comparison(self, word: str) -> Test:
        one = self._entities.properties.get(word)
        if one is None:
            raise unknown_property(word, self._entities.name)
        compare = _COMPARE.get(self._next())
        if compare is None:
            raise invalid("A comparison is missing in the filter")
        kind, wanted = literal(self._next())
        if kind not in ("", one.type):
            raise invalid(f"Operands of '{word}' have different types")
        return lambda row: _compared(compare, _comparable(one.type, row.get(word)), wanted)

    def _operand(self, word: str) -> Callable[[Row], Any]:
        if word in self._entities.properties:
            return lambda row: row.get(word)
        kind, wanted = literal(word)
        if kind != "String":
            raise unknown_property(word, self._entities.name)
        return lambda row: wanted

    def _takes(self, word: str) -> bool:
        hit = self._at < len(self._tokens) and self._tokens[self._at] == word
        self._at += hit
        return hit

    def _expect(self, word: str) -> None:
        if not self._takes(word):
            raise invalid(f"'{word}' is missing in the filter")

    def _next(self) -> str:
        if self._at >= len(self._tokens):
            raise invalid("The filter ends too early")
        self._at += 1
        return self._tokens[self._at - 1]


def _comparable(kind: str, value: Any) -> Any:
    return Decimal(value) if kind == "Decimal" and value is not None else value


def _compared(compare: Callable[[Any, Any], bool], value: Any, wanted: Any) -> bool:
    """Nothing is neither more nor less than anything."""
    if value is None or wanted is None:
        return (value is wanted) is (compare is operator.eq) and compare in (operator.eq, operator.ne)
    return compare(value, wanted)
