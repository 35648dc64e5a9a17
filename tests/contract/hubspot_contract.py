"""HubSpot's API as its documents describe it, and the check that calls and answers are of that form."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from jsonschema import Draft202012Validator
from werkzeug.wrappers import Request

from sync_pipelines.sandbox.app import Sandbox

SHAPES = Path(__file__).with_name("hubspot_shapes.json")
PUBLISHED = Path(__file__).parents[3] / "shared" / "contracts"
"""Where HubSpot's own documents lie, if they are beside this checkout."""


@dataclass(frozen=True)
class Exchange:
    """One call and its answer; bodies are JSON, None where there is none."""

    method: str
    path: str
    query: str
    sent: Any
    status: int
    answered: Any


class Overheard(Sandbox):
    """A stand-in that remembers what was said."""

    def __init__(self, inner: Sandbox) -> None:
        super().__init__(inner.vendor, inner.store, clock=inner.clock, faults=inner.faults)
        self.exchanges: list[Exchange] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        sent = request.get_data(cache=True)
        statuses: list[str] = []

        def start(status: str, headers: Any, *rest: Any) -> Any:
            statuses.append(status)
            return start_response(status, headers, *rest)

        again = {**environ, "wsgi.input": BytesIO(sent), "CONTENT_LENGTH": str(len(sent))}
        body = b"".join(super().__call__(again, start))
        is_json = request.mimetype == "application/json"
        exchange = Exchange(
            request.method,
            request.path,
            request.query_string.decode(),
            json.loads(sent) if sent and is_json else None,
            int(statuses[0][:3]),
            json.loads(body) if body else None,
        )
        self.exchanges.append(exchange)
        return [body]


class Contract:
    """An OpenAPI document against which exchanges are held; calls that it doesn't know are not judged."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self.components = _strict(document["components"])
        self.paths = [(_pattern(path), path, operations) for path, operations in document["paths"].items()]

    def knows(self, exchange: Exchange) -> bool:
        return self._operation(exchange) is not None

    def problems(self, exchange: Exchange) -> list[str]:
        operation = self._operation(exchange)
        if operation is None:
            return []
        found = [*self._query(exchange, operation), *self._sent(exchange, operation)]
        return found + list(self._answered(exchange, operation))

    def _operation(self, exchange: Exchange) -> Mapping[str, Any] | None:
        known = [ops for pattern, _, ops in self.paths if pattern.fullmatch(exchange.path)]
        return next((ops[exchange.method.lower()] for ops in known if exchange.method.lower() in ops), None)

    def _query(self, exchange: Exchange, operation: Mapping[str, Any]) -> Iterator[str]:
        known = {each["name"] for each in operation.get("parameters", []) if each["in"] == "query"}
        for name in parse_qs(exchange.query).keys() - known:
            yield f"{exchange.method} {exchange.path}: no parameter {name!r}"

    def _sent(self, exchange: Exchange, operation: Mapping[str, Any]) -> Iterator[str]:
        if exchange.status >= 400:
            return
        if "requestBody" not in operation:
            if exchange.sent is not None:
                yield f"{exchange.method} {exchange.path}: takes no body"
            return
        yield from self._misfits(exchange, "sent", _schema(operation["requestBody"]), exchange.sent)

    def _answered(self, exchange: Exchange, operation: Mapping[str, Any]) -> Iterator[str]:
        answers = operation["responses"]
        answer = answers.get(str(exchange.status))
        if answer is None and exchange.status < 400:
            yield f"{exchange.method} {exchange.path}: {exchange.status} is none of its answers"
            return
        if answer is None:
            answer = self.document["components"]["responses"]["Error"]
        schema = _schema(answer)
        if schema is None:
            if exchange.answered is not None:
                yield f"{exchange.method} {exchange.path}: {exchange.status} has no body"
            return
        yield from self._misfits(exchange, "answered", schema, exchange.answered)

    def _misfits(self, exchange: Exchange, what: str, schema: Any, body: Any) -> Iterator[str]:
        validator = Draft202012Validator({**schema, "components": self.components})
        for error in validator.iter_errors(body):
            yield f"{exchange.method} {exchange.path} {what} {error.json_path}: {error.message}"


def contracts() -> dict[str, Contract]:
    """Our own extract of the shapes, and HubSpot's documents where they are at hand."""
    files = {"extract": SHAPES, **{path.stem: path for path in sorted(PUBLISHED.glob("hubspot-*.json"))}}
    return {name: Contract(json.loads(path.read_text())) for name, path in files.items()}


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)))


def _schema(part: Mapping[str, Any]) -> Any:
    for kind in ("application/json", "*/*"):
        if kind in part.get("content", {}):
            return part["content"][kind]["schema"]
    return None


def _strict(components: Mapping[str, Any]) -> Any:
    """JSON Schema from OpenAPI's: nullable spelled out, and no fields that are not described, but in errors.

    A search is sorted by objects, as HubSpot's guide to searches shows it; its OpenAPI document says texts.
    """
    kept = {name: _closed(schema, is_open=name == "Error") for name, schema in components["schemas"].items()}
    for schema in kept.values():
        schema.get("properties", {}).get("sorts", {}).pop("items", None)
    return {"schemas": kept}


def _closed(schema: Any, *, is_open: bool = False) -> Any:
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _closed(value) for key, value in schema.items() if key not in ("nullable", "example")}
    if schema.get("nullable") is True and isinstance(schema.get("type"), str):
        made["type"] = [schema["type"], "null"]
    if "properties" in schema and isinstance(schema.get("type"), str) and not is_open:
        made.setdefault("additionalProperties", False)
    return made
