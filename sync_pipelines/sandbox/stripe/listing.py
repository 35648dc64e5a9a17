"""List routes: filters, keyset pages, newest first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sync_pipelines.sandbox.store import Document
from sync_pipelines.sandbox.stripe.account import Account
from sync_pipelines.sandbox.stripe.parameter import Choice, Flag, Kind, Range, Text, Whole
from sync_pipelines.sandbox.stripe.refusal import Refusal, missing
from sync_pipelines.sandbox.stripe.route import Call, Given, Route
from sync_pipelines.sandbox.stripe.shape import enclosed
from sync_pipelines.sandbox.stripe.shelf import Key, Window, page, walk
from sync_pipelines.sandbox.stripe.view import shown

Accept = Callable[[Document], bool]
PAGING: Mapping[str, Kind] = {"limit": Whole(1, 100), "starting_after": Text(), "ending_before": Text()}


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter parameter: its type, and whether a document passes for a value."""

    kind: Kind
    accepts: Callable[[Document, Any], bool]
    indexed: bool = False
    """The parameter names a top-level field that few documents share a value of."""
    refers: str = ""
    """The kind of object that the value must name."""


def equal(name: str, kind: Kind | None = None, *, indexed: bool = False, refers: str = "") -> Filter:
    return Filter(kind or Text(), lambda document, value: bool(document[name] == value), indexed, refers)


def reference(name: str, kind: str | None = None) -> Filter:
    """A field that holds the id of another object."""
    return equal(name, indexed=True, refers=kind or name)


def flag(name: str) -> Filter:
    return equal(name, Flag())


def choice(name: str, *options: str) -> Filter:
    return equal(name, Choice(options))


def within(name: str) -> Filter:
    """A time between bounds."""
    return Filter(Range(), lambda document, bounds: inside(document[name], bounds))


def inside(value: int | None, bounds: Mapping[str, int]) -> bool:
    if value is None:
        return False
    return (
        value > bounds.get("gt", -1)
        and value >= bounds.get("gte", 0)
        and value < bounds.get("lt", 1 << 62)
        and value <= bounds.get("lte", 1 << 62)
    )


def _everything(given: Given) -> Accept:
    return lambda document: True


@dataclass(frozen=True, slots=True)
class Listing:
    """The list of one kind; `implied` is what holds although no parameter says it."""

    kind: str
    url: str
    filters: Mapping[str, Filter] = field(default_factory=dict)
    implied: Callable[[Given], Accept] = _everything
    table: str = ""
    required: tuple[str, ...] = ()

    def route(self) -> Route:
        fields = {"created": Range(), **{name: each.kind for name, each in self.filters.items()}, **PAGING}
        return Route("GET", self.url, self.run, fields, self.required)

    def run(self, call: Call) -> dict[str, Any]:
        account, given = call.account, call.given
        window = self._window(account, given)
        keys = self._keys(account, given)
        table = account.store.table(self.table or self.kind)
        found, has_more = page(
            walk(keys, window),
            table.rows.__getitem__,
            limit=given.get("limit", 10),
            accept=self._accept(given),
        )
        if window.newer_than is not None:
            found.reverse()
        return enclosed([shown(account, each) for each in found], self.url, has_more=has_more)

    def _keys(self, account: Account, given: Given) -> Sequence[Key]:
        shelf = account.shelves.of(self.table or self.kind)
        for name, each in self.filters.items():
            if name in given and each.refers:
                self._require(account, each.refers, given[name], name)
        for name, each in self.filters.items():
            if name in given and each.indexed:
                found = account.store.find(self.table or self.kind, name, given[name])
                return sorted(shelf.key(document["id"]) for document in found)
        return shelf.keys()

    def _require(self, account: Account, kind: str, id: str, param: str) -> None:
        if account.find(kind, id) is None and account.stub(kind, id) is None:
            raise missing(kind, id, param=param)

    def _window(self, account: Account, given: Given) -> Window:
        if "starting_after" in given and "ending_before" in given:
            raise Refusal(
                "You may only specify one of these parameters: starting_after, ending_before.",
                code="parameters_exclusive",
                param="ending_before",
            )
        bounds = given.get("created", {})
        lows = [bounds[name] + (name == "gt") for name in ("gt", "gte") if name in bounds]
        highs = [bounds[name] - (name == "lt") for name in ("lt", "lte") if name in bounds]
        return Window(
            low=max(lows, default=None),
            high=min(highs, default=None),
            older_than=self._cursor(account, given, "starting_after"),
            newer_than=self._cursor(account, given, "ending_before"),
        )

    def _cursor(self, account: Account, given: Given, name: str) -> Key | None:
        if name not in given:
            return None
        key = account.key(self.table or self.kind, given[name])
        if key is None:
            raise missing(self.kind, given[name], param=name)
        return key

    def _accept(self, given: Given) -> Accept:
        implied = self.implied(given)
        asked = [(each.accepts, given[name]) for name, each in self.filters.items() if name in given]
        return lambda document: implied(document) and all(accepts(document, value) for accepts, value in asked)


def paged(elements: Iterable[Document], call: Call, *, url: str, kind: str) -> dict[str, Any]:
    """A page of a nested list, which keeps its own order."""
    whole, given = list(elements), call.given
    places = {element["id"]: place for place, element in enumerate(whole)}
    low, high = 0, len(whole)
    for name in ("starting_after", "ending_before"):
        if name in given and given[name] not in places:
            raise missing(kind, given[name], param=name)
    if "starting_after" in given:
        low = places[given["starting_after"]] + 1
    if "ending_before" in given:
        high = places[given["ending_before"]]
    limit = given.get("limit", 10)
    first = max(low, high - limit) if "ending_before" in given else low
    chosen = whole[first : min(high, first + limit)]
    has_more = first > low if "ending_before" in given else first + limit < high
    return enclosed([shown(call.account, element) for element in chosen], url, has_more=has_more)
