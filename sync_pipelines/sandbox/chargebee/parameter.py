"""What a route's parameters may be: declarations that read a decoded form, or refuse it.

A blank value of a parameter that may be absent clears what is there: it is read as None.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from sync_pipelines.sandbox.chargebee.refusal import Refusal, blank, wrong

_DECIMAL = re.compile(r"-?\d{1,20}(\.\d{1,9})?\Z")
_CUSTOM = "cf_"


class Kind(Protocol):
    """A type of parameter: turns what came over the wire into a value."""

    def read(self, value: Any, path: str) -> Any: ...


@dataclass(frozen=True, slots=True)
class Text:
    longest: int = 2000

    def read(self, value: Any, path: str) -> str | None:
        if not isinstance(value, str):
            raise wrong(path, "should be a text")
        if len(value) > self.longest:
            raise wrong(path, f"should be at most {self.longest} characters")
        return value or None


@dataclass(frozen=True, slots=True)
class Whole:
    low: int = 0

    def read(self, value: Any, path: str) -> int | None:
        if value == "":
            return None
        if not isinstance(value, str) or not value.lstrip("-").isdecimal():
            raise wrong(path, "should be a number")
        if int(value) < self.low:
            raise wrong(path, f"should be at least {self.low}")
        return int(value)


@dataclass(frozen=True, slots=True)
class Decimal:
    """A decimal, kept as the text that it came as."""

    def read(self, value: Any, path: str) -> str | None:
        if value == "":
            return None
        if not isinstance(value, str) or not _DECIMAL.match(value):
            raise wrong(path, "should be a decimal")
        return value


@dataclass(frozen=True, slots=True)
class Flag:
    def read(self, value: Any, path: str) -> bool | None:
        if value not in ("true", "false", ""):
            raise wrong(path, "should be true or false")
        return None if value == "" else bool(value == "true")


@dataclass(frozen=True, slots=True)
class Choice:
    options: tuple[str, ...]

    def read(self, value: Any, path: str) -> str | None:
        if value != "" and value not in self.options:
            raise wrong(path, f"should be one of {', '.join(self.options)}")
        return value or None


@dataclass(frozen=True, slots=True)
class Json:
    """A JSON object as text: meta data, which is replaced as a whole."""

    def read(self, value: Any, path: str) -> dict[str, Any] | None:
        if value == "":
            return None
        try:
            return msgspec.json.decode(value, type=dict[str, Any])
        except (msgspec.MsgspecError, TypeError):
            raise wrong(path, "should be a JSON object") from None


@dataclass(frozen=True, slots=True)
class Group:
    """Parameters in brackets, some of them required; names that begin with `cf_` are the site's own fields."""

    fields: Mapping[str, Kind]
    required: tuple[str, ...] = ()

    def read(self, value: Any, path: str = "") -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise wrong(path, "should have its parts in brackets")
        known = {name: self.fields.get(name) or (Text() if name.startswith(_CUSTOM) else None) for name in value}
        for name, kind in known.items():
            if kind is None:
                raise wrong(_inside(path, name), "is not a parameter of this operation")
        given = {name: kind.read(value[name], _inside(path, name)) for name, kind in known.items() if kind}
        for name in self.required:
            if given.get(name) is None:
                raise blank(_inside(path, name))
        return given


@dataclass(frozen=True, slots=True)
class Columns:
    """A list of groups; over the wire each column has the numbers: `subscription_items[quantity][0]`."""

    fields: Mapping[str, Kind]
    required: tuple[str, ...] = ()

    def read(self, value: Any, path: str) -> list[dict[str, Any]]:
        rows: dict[int, dict[str, Any]] = {}
        for name, column in Group(dict.fromkeys(self.fields, _Numbered())).read(value, path).items():
            for number, text in column.items():
                rows.setdefault(int(number), {})[name] = text
        made = []
        for number in sorted(rows):
            try:
                made.append(Group(self.fields, self.required).read(rows[number]))
            except Refusal as refusal:
                param = f"{path}[{refusal.param}][{number}]"
                raise Refusal(
                    f"{param} : {refusal.message.partition(' : ')[2]}", code=refusal.code, param=param
                ) from None
        return made


class _Numbered:
    """One column of a list."""

    def read(self, value: Any, path: str) -> Mapping[str, Any]:
        if not isinstance(value, Mapping) or not all(key.isdecimal() for key in value):
            raise wrong(path, "should be numbered")
        return value


def _inside(path: str, name: str) -> str:
    return f"{path}[{name}]" if path else name
