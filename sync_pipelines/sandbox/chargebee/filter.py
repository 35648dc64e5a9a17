"""Filters of lists: which operators a kind of attribute has, and what they let through."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from sync_pipelines.sandbox.chargebee.refusal import wrong
from sync_pipelines.sandbox.store import Document

Accept = Callable[[Document], bool]
Test = Callable[[Any, Any], bool]
Read = Callable[[Any, str], Any]
_DAY = 86_400
_ITEM = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|([^,'"\s]+))\s*(?:,|\Z)""")


def _text(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise wrong(path, "should be a text")
    return value


def _number(value: Any, path: str) -> int:
    if not isinstance(value, str) or not value.lstrip("-").isdecimal():
        raise wrong(path, "should be a number")
    return int(value)


def _flag(value: Any, path: str) -> bool:
    if value not in ("true", "false"):
        raise wrong(path, "should be true or false")
    return bool(value == "true")


def _several(read: Read) -> Read:
    """A JSON array; the Python SDK writes its quotes as Python does."""

    def values(value: Any, path: str) -> list[Any]:
        if not isinstance(value, str) or value[:1] + value[-1:] != "[]":
            raise wrong(path, "should be a JSON array")
        try:
            found = [str(each) for each in msgspec.json.decode(value, type=list[str | int])]
        except msgspec.MsgspecError:
            found = ["".join(parts) for parts in _ITEM.findall(value[1:-1])]
        return [read(each, path) for each in found]

    return values


def _span(value: Any, path: str) -> list[int]:
    both: list[int] = _several(_number)(value, path)
    if len(both) != 2:
        raise wrong(path, "should be two numbers")
    return both


_PRESENT: tuple[Read, Test] = (_flag, lambda held, wanted: (held is not None) == wanted)
_BETWEEN: tuple[Read, Test] = (_span, lambda held, both: held is not None and both[0] <= held <= both[1])
_ENUM: Mapping[str, tuple[Read, Test]] = {
    "is": (_text, lambda held, wanted: held == wanted),
    "is_not": (_text, lambda held, wanted: held != wanted),
    "in": (_several(_text), lambda held, wanted: held in wanted),
    "not_in": (_several(_text), lambda held, wanted: held not in wanted),
    "is_present": _PRESENT,
}
STRING: Mapping[str, tuple[Read, Test]] = {
    **_ENUM,
    "starts_with": (_text, lambda held, wanted: held is not None and held.startswith(wanted)),
}
ENUM = _ENUM
FLAG: Mapping[str, tuple[Read, Test]] = {
    "is": (_flag, lambda held, wanted: bool(held) == wanted),
    "is_present": _PRESENT,
}
NUMBER: Mapping[str, tuple[Read, Test]] = {
    "is": (_number, lambda held, wanted: held == wanted),
    "is_not": (_number, lambda held, wanted: held != wanted),
    "lt": (_number, lambda held, wanted: held is not None and held < wanted),
    "lte": (_number, lambda held, wanted: held is not None and held <= wanted),
    "gt": (_number, lambda held, wanted: held is not None and held > wanted),
    "gte": (_number, lambda held, wanted: held is not None and held >= wanted),
    "between": _BETWEEN,
    "is_present": _PRESENT,
}
TIMESTAMP: Mapping[str, tuple[Read, Test]] = {
    "after": (_number, lambda held, wanted: held is not None and held > wanted),
    "before": (_number, lambda held, wanted: held is not None and held < wanted),
    "on": (_number, lambda held, wanted: held is not None and held // _DAY == wanted // _DAY),
    "between": _BETWEEN,
    "is_present": _PRESENT,
}


def accept(attribute: str, operators: Mapping[str, tuple[Read, Test]], given: Any) -> Accept:
    """What lets a resource pass whose attribute fulfils every operator that is given."""
    if not isinstance(given, Mapping):
        raise wrong(attribute, "needs an operator in brackets")
    tests = []
    for name, value in given.items():
        path = f"{attribute}[{name}]"
        if name not in operators:
            raise wrong(path, f"should be one of {', '.join(operators)}")
        read, test = operators[name]
        tests.append((test, read(value, path)))
    return lambda document: all(test(document.get(attribute), wanted) for test, wanted in tests)
