"""Which models the ERP has, and what their fields are: data from `schema.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

COMMON = {
    "id": "integer",
    "create_uid": "many2one:res.user",
    "create_date": "timestamp",
    "write_uid": "many2one:res.user",
    "write_date": "timestamp",
    "last_modified_at": "timestamp derived",
    "rec_name": "char derived",
    "xml_id": "char derived hidden",
}
STAMPS = frozenset(("id", "create_uid", "create_date", "write_uid", "write_date"))
"""What the server alone sets; sent values are ignored."""

_LABELS = {"id": "ID", "create_uid": "Created by", "write_uid": "Edited by", "rec_name": "Record Name"}
_DEFAULTS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `target` is the model that it points to, `inverse` the field there that points back.

    `digits` is a number of decimals or the name of a currency field; `choices` belong to selections.
    """

    name: str
    kind: str
    label: str
    target: str = ""
    inverse: str = ""
    digits: str = ""
    size: int = 0
    choices: Sequence[str] = ()
    default: Any = None
    flags: frozenset[str] = frozenset()

    @property
    def derived(self) -> bool:
        return "derived" in self.flags

    @property
    def required(self) -> bool:
        return "required" in self.flags

    @property
    def many(self) -> bool:
        return self.kind in ("one2many", "many2many")

    @property
    def stored(self) -> bool:
        """Whether a record's document holds it."""
        return not self.derived and self.kind != "one2many"


@dataclass(frozen=True)
class Model:
    """One model; `order` is that of answers to which none was given: pairs of a field and a direction."""

    name: str
    label: str
    fields: Mapping[str, Field]
    order: Sequence[Sequence[str]]

    @cached_property
    def stored(self) -> Sequence[Field]:
        """The fields that a record's document holds."""
        return [field for field in self.fields.values() if field.stored]

    @cached_property
    def needed(self) -> Sequence[Field]:
        """The fields without which no record is stored."""
        return [field for field in self.stored if field.required]

    @cached_property
    def checked(self) -> Sequence[Field]:
        """The fields whose values alone can be wrong."""
        kinds = ("char", "selection", "numeric")
        return [field for field in self.stored if field.kind in kinds or field.name == "quantity"]

    @cached_property
    def blank(self) -> Mapping[str, Any]:
        """A document before anybody filled it in."""
        return {field.name: () if field.kind == "many2many" else field.default for field in self.stored}

    def referring(self, target: str) -> list[Field]:
        return [field for field in self.stored if field.kind == "many2one" and field.target == target]

    @cached_property
    def archives(self) -> bool:
        return "active" in self.fields


@cache
def load_schema() -> Mapping[str, Model]:
    """Models by name."""
    text = files(__package__).joinpath("schema.toml").read_text(encoding="utf-8")
    return {name: _model(name, given) for name, given in tomllib.loads(text).items()}


def _model(name: str, given: Mapping[str, Any]) -> Model:
    labels = {**_LABELS, **given.get("labels", {})}
    told = {key: value for key, value in given.items() if key not in ("label", "labels", "order")}
    fields = {
        field: _field(field, text, labels.get(field) or field.replace("_", " ").title())
        for field, text in {**COMMON, **told}.items()
    }
    order = [line.split(" ", 1) for line in given.get("order", ())]
    return Model(name, given["label"], fields, order)


def _field(name: str, text: str, label: str) -> Field:
    told, _, default = text.partition(" =")
    head, choices, flags = _parts(told)
    kind, _, target = head.partition(":")
    target, _, inverse = target.partition("/")
    pointing = kind in ("many2one", "one2many", "many2many")
    return Field(
        name=name,
        kind=kind,
        label=label,
        target=target if pointing else "",
        inverse=inverse,
        digits=target if kind == "numeric" else "",
        size=int(target) if kind == "char" and target else 0,
        choices=choices,
        default=_default(kind, default),
        flags=flags,
    )


def _parts(told: str) -> tuple[str, Sequence[str], frozenset[str]]:
    """A selection's choices may hold blanks: they end where the flags begin."""
    if not told.startswith("selection:"):
        head, *flags = told.split()
        return head, (), frozenset(flags)
    *choices, last = told.removeprefix("selection:").split("|")
    words = last.split(" ")
    flags = [word for word in words if word in ("required", "derived", "hidden")]
    return "selection", [*choices, " ".join(words[: len(words) - len(flags)])], frozenset(flags)


def _default(kind: str, text: str) -> Any:
    """A default as it is stored; that of a company or a currency is a word, filled in from the context."""
    if not text:
        return None
    match kind:
        case "boolean":
            return _DEFAULTS[text]
        case "integer":
            return int(text)
        case "float":
            return float(text)
        case _:
            return text
