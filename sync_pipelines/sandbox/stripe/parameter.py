"""What a route's parameters may be: declarations that read a decoded form, or refuse it in Stripe's words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol

from sync_pipelines.sandbox.stripe.currency import check_currency, plain
from sync_pipelines.sandbox.stripe.refusal import Refusal

METADATA_KEYS, METADATA_KEY_LENGTH, METADATA_VALUE_LENGTH = 50, 40, 500


class Kind(Protocol):
    """A type of parameter: turns what came over the wire into a value."""

    def read(self, value: Any, path: str) -> Any: ...


@dataclass(frozen=True, slots=True)
class Text:
    longest: int = 5000

    def read(self, value: Any, path: str) -> str:
        if not isinstance(value, str):
            raise Refusal(f"Invalid string: {_short(value)}", param=path)
        if value == "":
            raise _empty(path)
        if len(value) > self.longest:
            raise Refusal(f"Invalid string: {_short(value)}; must be at most {self.longest} characters", param=path)
        return value


@dataclass(frozen=True, slots=True)
class Whole:
    low: int | None = None
    high: int | None = None

    def read(self, value: Any, path: str) -> int:
        if value == "":
            raise _empty(path)
        try:
            number = int(value) if isinstance(value, str) and value.strip() == value else None
        except ValueError:
            number = None
        if number is None:
            raise Refusal(f"Invalid integer: {_short(value)}", code="parameter_invalid_integer", param=path)
        if self.low is not None and number < self.low:
            raise _out_of_range(f"greater than or equal to {self.low}", path)
        if self.high is not None and number > self.high:
            raise _out_of_range(f"less than or equal to {self.high}", path)
        return number


MOMENT = Whole(low=0)
"""A time in Unix seconds."""


@dataclass(frozen=True, slots=True)
class Exact:
    """A decimal of at most `decimals` places."""

    decimals: int = 12
    low: Decimal | None = None
    high: Decimal | None = None

    def read(self, value: Any, path: str) -> Decimal:
        try:
            number = Decimal(value) if isinstance(value, str) else None
        except InvalidOperation:
            number = None
        if number is None or not number.is_finite():
            raise Refusal(f"Invalid decimal: {_short(value)}", code="parameter_invalid_decimal", param=path)
        if -int(number.normalize().as_tuple().exponent) > self.decimals:
            raise Refusal(
                f"Invalid decimal: {plain(number)}; must contain at maximum {self.decimals} decimal places.",
                param=path,
            )
        if self.low is not None and number < self.low:
            raise _out_of_range(f"greater than or equal to {self.low}", path)
        if self.high is not None and number > self.high:
            raise _out_of_range(f"less than or equal to {self.high}", path)
        return number


@dataclass(frozen=True, slots=True)
class Flag:
    def read(self, value: Any, path: str) -> bool:
        if value not in ("true", "false"):
            raise Refusal(f"Invalid boolean: {_short(value)}", param=path)
        return bool(value == "true")


@dataclass(frozen=True, slots=True)
class Choice:
    options: tuple[str, ...]

    def read(self, value: Any, path: str) -> str:
        if value not in self.options:
            head, last = ", ".join(self.options[:-1]), self.options[-1]
            listed = f"one of {head}, or {last}" if head else last
            raise Refusal(f"Invalid {_leaf(path)}: must be {listed}", param=path)
        return str(value)


@dataclass(frozen=True, slots=True)
class Currency:
    def read(self, value: Any, path: str) -> str:
        return check_currency(Text(3).read(value, path), path)


@dataclass(frozen=True, slots=True)
class Range:
    """A number, or bounds: `created=1` or `created[gte]=1`."""

    def read(self, value: Any, path: str) -> dict[str, int]:
        if isinstance(value, str):
            exact = MOMENT.read(value, path)
            return {"gte": exact, "lte": exact}
        bounds: dict[str, int] = Group(dict.fromkeys(("gt", "gte", "lt", "lte"), MOMENT)).read(value, path)
        return bounds


@dataclass(frozen=True, slots=True)
class Items:
    """A list; over the wire with empty brackets or numbers."""

    kind: Kind
    most: int | None = None

    def read(self, value: Any, path: str) -> list[Any]:
        if isinstance(value, dict) and all(key.isdecimal() for key in value):
            value = [value[key] for key in sorted(value, key=int)]
        if not isinstance(value, list):
            raise Refusal(f"Invalid array: {_short(value)}", param=path)
        if self.most is not None and len(value) > self.most:
            raise Refusal(f"Array must contain no more than {self.most} elements.", param=path)
        return [self.kind.read(element, f"{path}[{place}]") for place, element in enumerate(value)]


@dataclass(frozen=True, slots=True)
class Group:
    """Named parameters, some of them required."""

    fields: Mapping[str, Kind]
    required: tuple[str, ...] = ()

    def read(self, value: Any, path: str = "") -> dict[str, Any]:
        if not isinstance(value, dict):
            raise Refusal(f"Invalid object: {_short(value)}", param=path)
        self._refuse_unknown(value, path)
        for name in self.required:
            if name not in value:
                where = _inside(path, name)
                raise Refusal(f"Missing required param: {where}.", code="parameter_missing", param=where)
        return {name: self.fields[name].read(given, _inside(path, name)) for name, given in value.items()}

    def _refuse_unknown(self, value: Mapping[str, Any], path: str) -> None:
        unknown = [_inside(path, name) for name in value if name not in self.fields]
        if unknown:
            raise Refusal(
                f"Received unknown parameter{'s' * (len(unknown) > 1)}: {', '.join(unknown)}",
                code="parameter_unknown",
                param=unknown[0],
            )


@dataclass(frozen=True, slots=True)
class Clearable:
    """An empty string unsets it: the value is None then, or `emptied` where that is given."""

    kind: Kind
    emptied: Any = None

    def read(self, value: Any, path: str) -> Any:
        return self.emptied if value == "" else self.kind.read(value, path)


@dataclass(frozen=True, slots=True)
class Metadata:
    """Keys to merge; an empty value removes its key, an empty parameter removes all (None)."""

    def read(self, value: Any, path: str) -> dict[str, str] | None:
        if value == "":
            return None
        if not isinstance(value, dict):
            raise Refusal(f"Invalid object: {_short(value)}", param=path)
        for key, text in value.items():
            where = f"{path}[{key}]"
            if not isinstance(text, str):
                raise Refusal("Metadata values must be strings; nested objects are not supported.", param=where)
            if len(key) > METADATA_KEY_LENGTH:
                raise Refusal(
                    f"Invalid metadata key: must be at most {METADATA_KEY_LENGTH} characters (got {len(key)}).",
                    param=where,
                )
            if len(text) > METADATA_VALUE_LENGTH:
                raise Refusal(
                    f"Metadata values can have up to {METADATA_VALUE_LENGTH} characters, "
                    f"but you passed in a value that is {len(text)} characters.",
                    param=where,
                )
        return dict(value)


def merged(held: Mapping[str, str], given: Mapping[str, str] | None) -> dict[str, str]:
    """Metadata after an update: keys merge, empty values remove, None removes everything.

    >>> merged({"a": "1", "b": "2"}, {"b": "", "c": "3"})
    {'a': '1', 'c': '3'}
    """
    together = {} if given is None else {key: text for key, text in {**held, **given}.items() if text != ""}
    if len(together) > METADATA_KEYS:
        raise Refusal(
            f"You can have up to {METADATA_KEYS} metadata keys, but this object would have {len(together)}.",
            param="metadata",
        )
    return together


def exclusive(given: Mapping[str, Any], *names: str, required: bool = False) -> str | None:
    """Which one of the names is given; a refusal where several are, or none of required ones."""
    present = [name for name in names if given.get(name) is not None]
    if len(present) > 1:
        raise Refusal(
            f"You may only specify one of these parameters: {', '.join(names)}.",
            code="parameters_exclusive",
            param=present[1],
        )
    if required and not present:
        raise Refusal(
            f"You must specify one of these parameters: {', '.join(names)}.",
            code="parameter_missing",
            param=names[0],
        )
    return present[0] if present else None


def _inside(path: str, name: str) -> str:
    return f"{path}[{name}]" if path else name


def _leaf(path: str) -> str:
    return path.rstrip("]").rsplit("[", 1)[-1]


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _empty(path: str) -> Refusal:
    return Refusal(
        f"You passed an empty string for '{path}'. We assume empty values are an attempt to unset a field; "
        f"however '{path}' cannot be unset. You should remove '{path}' from your request or supply a "
        "non-empty value.",
        code="parameter_invalid_empty",
        param=path,
    )


def _out_of_range(bound: str, path: str) -> Refusal:
    return Refusal(f"This value must be {bound}.", code="parameter_invalid_integer", param=path)
