"""One route of the API as data: where it is, what it takes, what it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sync_pipelines.sandbox.stripe.account import Account
from sync_pipelines.sandbox.stripe.parameter import Group, Items, Kind, Text

Given = Mapping[str, Any]
Run = Callable[["Call"], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Call:
    """A request whose parameters have been read: `ids` come from the path, `given` from the form."""

    account: Account
    ids: Mapping[str, str]
    given: Given


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    rule: str
    run: Run
    fields: Mapping[str, Kind] = field(default_factory=dict)
    required: tuple[str, ...] = ()

    @property
    def endpoint(self) -> str:
        return f"{self.method} {self.rule}"

    def read(self, form: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters as values; a refusal where one is unknown, missing or wrong."""
        return Group({**self.fields, "expand": Items(Text())}, self.required).read(form)


def kept(given: Given, *names: str) -> dict[str, Any]:
    """Those of the named parameters that were given."""
    return {name: given[name] for name in names if name in given}
