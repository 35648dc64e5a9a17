"""One operation on a service, alone or as a part of a batch: its address taken apart, and what it answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from sync_pipelines.sandbox.s4hana.books import Books, etag
from sync_pipelines.sandbox.s4hana.reading import Reader
from sync_pipelines.sandbox.s4hana.refusal import invalid, not_allowed, not_found
from sync_pipelines.sandbox.s4hana.schema import EntitySet, Service
from sync_pipelines.sandbox.s4hana.value import literal
from sync_pipelines.sandbox.store import Document

_SEGMENT = re.compile(r"(\w+)(?:\((.*)\))?")
_KEY = re.compile(r"(?:(\w+)=)?((?:datetime)?'(?:[^']|'')*')(?:,|$)")
_JSON = "application/json;charset=utf-8"


@dataclass(frozen=True)
class Operation:
    """`path` is what follows the service's root; names of headers are in small letters."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""

    @classmethod
    def of_url(cls, method: str, url: str, headers: Mapping[str, str], body: bytes, *, service: str) -> Operation:
        """An operation of a batch: its address may be whole, or begin at the service."""
        parts = urlsplit(url)
        path = unquote(parts.path).rpartition(f"/{service}/")[2].lstrip("/")
        return cls(method, path, dict(parse_qsl(parts.query, keep_blank_values=True)), headers, body)


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Target:
    """What a path leads to: a set's entities, or one of them; `parent` owns the entities that a way leads to."""

    entities: EntitySet
    rows: list[Document]
    is_one: bool
    parent: Document | None = None


class Desk:
    """Answers operations on one service, whose address is `root`."""

    def __init__(self, books: Books, service: Service, root: str) -> None:
        self.books = books
        self.service = service
        self.root = root

    def answer(self, operation: Operation) -> Answer:
        path = operation.path.rstrip("/")
        counts = path.endswith("/$count")
        target = self._target(path.removesuffix("/$count"))
        match operation.method:
            case "GET":
                return self._read(target, operation, counts=counts)
            case "POST" if not target.is_one:
                return self._create(target, operation)
            case "PATCH" | "MERGE" if target.is_one:
                body = _body(operation)
                self.books.update(target.entities, target.rows[0], body, match=operation.headers.get("if-match"))
                return Answer(204)
            case "DELETE" if target.is_one:
                self.books.delete(target.entities, target.rows[0], match=operation.headers.get("if-match"))
                return Answer(204)
        raise not_allowed(f"{operation.method} here")

    def _read(self, target: Target, operation: Operation, *, counts: bool) -> Answer:
        reader = Reader(self.books, self.root, operation.query)
        if counts:
            total = reader.count(target.entities, target.rows)
            return Answer(200, str(total).encode(), {"Content-Type": "text/plain;charset=utf-8"})
        if "atom" in operation.headers.get("accept", "") or "json" not in _wanted(operation):
            raise invalid("Only JSON is served here: send Accept: application/json")
        if target.is_one:
            return _told(200, reader.entity(target.entities, target.rows[0]), etag(target.entities, target.rows[0]))
        return _told(200, reader.collection(target.entities, target.rows))

    def _create(self, target: Target, operation: Operation) -> Answer:
        row = self.books.create(target.entities, _body(operation), parent=target.parent)
        if target.parent is not None:
            self.books.touch(target.entities, row)
        body = Reader(self.books, self.root, {}).entity(target.entities, row)
        answer = _told(201, body, etag(target.entities, row))
        return Answer(201, answer.body, {**answer.headers, "location": body["d"]["__metadata"]["uri"]})

    def _target(self, path: str) -> Target:
        first, *ways = path.split("/")
        entities, keys = self._segment(first)
        if keys is None:
            if ways:
                raise not_found(path)
            return Target(entities, self.books.store.all(entities.name), is_one=False)
        row = self.books.get(entities, keys)
        if not ways:
            return Target(entities, [row], is_one=True)
        if len(ways) > 1 or ways[0] not in entities.navigation:
            raise not_found(path)
        target, is_single = entities.navigation[ways[0]]
        rows = self.books.children(entities, row, ways[0])
        if is_single and not rows:
            raise not_found(path)
        return Target(self.service[target], rows, is_one=is_single, parent=row)

    def _segment(self, text: str) -> tuple[EntitySet, dict[str, Any] | None]:
        found = _SEGMENT.fullmatch(text)
        if found is None or found[1] not in self.service:
            raise not_found(text)
        entities = self.service[found[1]]
        if found[2] is None:
            return entities, None
        pairs = _KEY.findall(found[2])
        if len(pairs) == 1 and not pairs[0][0]:
            return entities, {entities.keys[0]: literal(pairs[0][1])[1]}
        return entities, {name: literal(told)[1] for name, told in pairs}


def _wanted(operation: Operation) -> str:
    """The format that is asked for: by parameter, else by header."""
    return operation.query.get("$format") or operation.headers.get("accept", "")


def _body(operation: Operation) -> dict[str, Any]:
    if "json" not in operation.headers.get("content-type", ""):
        raise invalid("Only JSON is taken here: send Content-Type: application/json")
    try:
        return msgspec.json.decode(operation.body, type=dict[str, Any])
    except msgspec.MsgspecError:
        raise invalid("Error while parsing the JSON payload") from None


def _told(status: int, body: Any, tag: str = "") -> Answer:
    headers = {"Content-Type": _JSON, "dataserviceversion": "2.0", **({"etag": tag} if tag else {})}
    return Answer(status, msgspec.json.encode(body), headers)
