"""One route of the API as data: where it is, what it takes, what it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sync_pipelines.sandbox.chargebee.parameter import Group, Kind
from sync_pipelines.sandbox.chargebee.site import Settings, Site

BASE = "/api/v2"
Given = Mapping[str, Any]
Fields = Callable[[Settings], Mapping[str, Kind]]


@dataclass(frozen=True, slots=True)
class Call:
    """A request whose parameters have been read: `ids` come from the path, `given` from the form."""

    site: Site
    ids: Mapping[str, str]
    given: Given


@dataclass(frozen=True, slots=True)
class Route:
    """`fields` follow from the settings, which say how long a text may be."""

    method: str
    rule: str
    run: Callable[[Call], dict[str, Any]]
    fields: Fields = field(default=lambda settings: {})
    required: tuple[str, ...] = ()

    @property
    def endpoint(self) -> str:
        return f"{self.method} {self.rule}"

    def read(self, form: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
        return Group(self.fields(settings), self.required).read(form)


def retrieving(kind: str, plural: str) -> Route:
    """The route of one resource by its id."""
    return Route("GET", f"{BASE}/{plural}/<id>", lambda call: {kind: call.site.fetch(kind, call.ids["id"])})
