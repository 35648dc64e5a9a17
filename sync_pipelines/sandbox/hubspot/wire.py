"""What every endpoint is given and gives back, and how a record looks in an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from werkzeug.wrappers import Request, Response

from sync_pipelines.sandbox.hubspot.crm import Crm
from sync_pipelines.sandbox.hubspot.refusal import Refusal, invalid, unreadable
from sync_pipelines.sandbox.hubspot.schema import Behaviour, Object
from sync_pipelines.sandbox.hubspot.session import Limits, Tokens
from sync_pipelines.sandbox.store import Document

_JSON = msgspec.json.Encoder()


@dataclass(frozen=True)
class Call:
    """One call of an endpoint."""

    arguments: Mapping[str, Any]
    parameters: Mapping[str, str]
    body: bytes
    host: str
    path: str

    def json(self) -> dict[str, Any]:
        """The body as an object."""
        body: dict[str, Any] = self._decoded(dict[str, Any])
        return body

    def inputs(self, most: int) -> list[dict[str, Any]]:
        """The inputs of a batch."""
        inputs: Any = self.json().get("inputs")
        if not isinstance(inputs, list) or not all(isinstance(each, dict) for each in inputs):
            raise unreadable("'inputs' has to be a list of objects")
        if len(inputs) > most:
            raise invalid(f"The maximum number of inputs supported in a batch request is {most}")
        return list(inputs)

    def items(self) -> list[dict[str, Any]]:
        """The body as a list of objects."""
        body: list[dict[str, Any]] = self._decoded(list[dict[str, Any]])
        return body

    def number(self, name: str, default: int, *, most: int) -> int:
        text = self.parameters.get(name, str(default))
        if not text.isdecimal() or not 1 <= int(text) <= most:
            raise invalid(f"{name} has to be a number from 1 to {most}: {text}")
        return int(text)

    def words(self, name: str) -> list[str]:
        return [word for text in self.parameters.get(name, "").split(",") if (word := text.strip())]

    @property
    def is_archived(self) -> bool:
        return self.parameters.get("archived", "false").lower() == "true"

    def _decoded(self, kind: Any) -> Any:
        try:
            return msgspec.json.decode(self.body, type=kind)
        except msgspec.MsgspecError as error:
            raise unreadable(str(error)) from error


@dataclass(frozen=True)
class Answer:
    """What an endpoint answers; a body of None is no body."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        body = b"" if self.body is None else _JSON.encode(self.body)
        response = Response(body, self.status, dict(self.headers))
        response.content_type = "application/json;charset=utf-8"
        return response


@dataclass(frozen=True)
class Api:
    """Everything that endpoints work on."""

    crm: Crm
    tokens: Tokens
    limits: Limits

    @property
    def behaviour(self) -> Behaviour:
        return self.crm.schema.behaviour

    def object(self, call: Call, argument: str = "object") -> Object:
        """The object that the path names."""
        name = call.arguments[argument]
        thing = self.crm.schema.object(name)
        if thing is None:
            raise Refusal("VALIDATION_ERROR", f"Unable to infer object type from: {name}")
        return thing


Endpoint = Callable[[Api, Call], Answer]


def call_of(request: Request, arguments: Mapping[str, Any]) -> Call:
    parameters = {name: ",".join(request.args.getlist(name)) for name in request.args}
    return Call(arguments, parameters, request.get_data(), request.host_url.rstrip("/"), request.path)


def record(thing: Object, row: Document, asked: Sequence[str]) -> dict[str, Any]:
    """A record as reads and searches show it; properties that don't exist are passed over without a word."""
    held = row["properties"]
    always = ("createdate", thing.modified, "hs_object_id")
    names = [name for name in [*asked, *always] if name in thing.properties] if asked else thing.shown
    return _shown(row, {name: held.get(name) for name in sorted(set(names))})


def saved(row: Document) -> dict[str, Any]:
    """A record as writes answer with it: everything that it holds."""
    return _shown(row, {name: value for name, value in row["properties"].items() if value is not None})


def _shown(row: Document, properties: dict[str, Any]) -> dict[str, Any]:
    told = {
        "id": row["id"],
        "properties": properties,
        "createdAt": row["createdAt"],
        "updatedAt": row["updatedAt"],
        "archived": row["archived"],
    }
    return {**told, "archivedAt": row["archivedAt"]} if row["archived"] else told


def batch(
    api: Api, call: Call, results: list[dict[str, Any]], errors: list[dict[str, Any]], *, status: int = 200
) -> Answer:
    """The envelope of a batch; a part that failed shows in the status with older versions only."""
    now = api.crm.now()
    body: dict[str, Any] = {"status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now}
    if errors:
        body |= {"numErrors": len(errors), "errors": errors}
        status = 207 if call.arguments["version"] in api.behaviour.multi_status else status
    return Answer(body, status)
