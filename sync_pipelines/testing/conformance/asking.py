"""What a question to a system is, and the few words in which all of them are put."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from sync_pipelines.engine.port import Cursor, Found, Operation, Page, Request
from sync_pipelines.testing.facts import Facts


@dataclass(frozen=True, slots=True)
class Question:
    """Asks a fresh system one thing. `name` is the sentence that has to be true of it."""

    name: str
    claims: tuple[str, ...]
    """The claims of the passport that it puts to the test; none where every system has to be so."""
    ask: Callable[[Facts], str]
    """Tells what is wrong, or nothing; raises `NotChecked` where the passport or the hooks leave nothing to ask."""


def question(*claims: str) -> Callable[[Callable[[Facts], str]], Question]:
    """Makes a function a question that bears its name."""
    return lambda ask: Question(ask.__name__, claims, ask)


def read(facts: Facts, since: Cursor | None = None) -> list[Page]:
    """What is read, with an empty page where there is nothing, which leaves the cursor where it is."""
    pages = list(facts.system.read(facts.object, facts.shape, stored(since)))
    return pages or [Page((), (), (), (), since or {})]


def settled(facts: Facts) -> Cursor:
    """The cursor after everything was read, and once more what is behind it."""
    return read(facts, read(facts)[-1].cursor)[-1].cursor


def stored(cursor: Cursor | None) -> Cursor | None:
    """A cursor as it comes back from where it was kept."""
    kept: Cursor | None = json.loads(json.dumps(cursor))
    return kept


def ids(pages: list[Page]) -> list[str]:
    return [record_id for page in pages for record_id in page.record_ids]


def deleted(pages: list[Page]) -> Iterator[str]:
    return (i for page in pages for i, gone in zip(page.record_ids, page.deleted, strict=True) if gone)


def live(facts: Facts) -> set[str]:
    """Every live id, as the system tells them for a sweep."""
    return {record_id for some in facts.system.ids(facts.object) for record_id in some}


def fetch(facts: Facts, record_id: str) -> Found:
    return facts.system.fetch(facts.object, facts.shape, [record_id])[record_id]


def find(facts: Facts, request: Request) -> Found | None:
    return facts.system.find(facts.object, [request.external_id]).get(request.external_id)


def create(facts: Facts, name: str, *, body: Mapping[str, Any] | None = None) -> Request:
    return Request(
        write_id=f"write-{name}",
        object=facts.object,
        operation=Operation.CREATE,
        record_id=None,
        external_id=f"probe-{name}",
        body=facts.body(name) if body is None else body,
        idempotency_key=f"key-{name}",
    )


def update(request: Request, record_id: str, *, version: str | None = None) -> Request:
    """A request that changes a record of what it was going to make."""
    return replace(request, operation=Operation.UPDATE, record_id=record_id, expected_version=version)


def parsed(payload: bytes) -> Any:
    """A payload with its numbers as they are written."""
    return json.loads(payload, parse_float=Decimal)


def says(payload: bytes, text: str) -> bool:
    """Whether a text stands somewhere in a payload, exactly so."""
    return text in _texts(parsed(payload))


def named(payload: bytes, name: str) -> list[Any]:
    """The values of every field of this name in a payload, however deep."""
    return [value for key, value in _fields(parsed(payload)) if key == name]


def _fields(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _fields(inner)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)
