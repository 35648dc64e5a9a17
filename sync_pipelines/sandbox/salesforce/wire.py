"""What every endpoint is given and gives back, and the small tools that they share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from werkzeug.wrappers import Request, Response

from sync_pipelines.sandbox.salesforce.bin import Bin
from sync_pipelines.sandbox.salesforce.fault import Refusal, not_found
from sync_pipelines.sandbox.salesforce.late import LateCommits
from sync_pipelines.sandbox.salesforce.locator import Locators
from sync_pipelines.sandbox.salesforce.org import Org
from sync_pipelines.sandbox.salesforce.schema import Field, Object
from sync_pipelines.sandbox.salesforce.session import Sessions, Usage

_JSON = msgspec.json.Encoder()


@dataclass(frozen=True)
class Call:
    """One call of an endpoint, on its own or inside of a composite."""

    method: str
    arguments: Mapping[str, Any]
    parameters: Mapping[str, str]
    headers: Mapping[str, str]
    """By their names in lower case."""
    body: bytes
    host: str

    @property
    def data(self) -> str:
        """The path of the API version in use."""
        return f"/services/data/{self.arguments['version']}"

    def json(self) -> dict[str, Any]:
        """The body as an object."""
        try:
            return msgspec.json.decode(self.body, type=dict[str, Any])
        except msgspec.MsgspecError as error:
            raise Refusal("JSON_PARSER_ERROR", f"The HTTP entity body is not an object: {error}") from error


@dataclass(frozen=True)
class Answer:
    """What an endpoint answers; a body of None is no body."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        body = b"" if self.body is None else _JSON.encode(self.body)
        response = Response(body, self.status, dict(self.headers))
        response.content_type = "application/json;charset=UTF-8"
        return response


@dataclass(frozen=True)
class Api:
    """Everything that endpoints work on."""

    org: Org
    bin: Bin
    late: LateCommits
    sessions: Sessions
    usage: Usage
    locators: Locators
    perform: Callable[[Call], Answer]
    """Performs a call found by its path: how a composite reaches the other endpoints."""

    def object(self, call: Call) -> Object:
        """The object that the path names."""
        thing = self.org.schema.object(call.arguments["object"])
        if thing is None:
            raise not_found()
        return thing

    def external_id(self, thing: Object, name: str) -> Field:
        key = thing.field(name)
        if key is None or not key.external:
            raise not_found(f"Provided external ID field does not exist or is not accessible: {name}")
        return key


Endpoint = Callable[[Api, Call], Answer]


def call_of(request: Request, arguments: Mapping[str, Any]) -> Call:
    return Call(
        request.method,
        arguments,
        request.args,
        {name.lower(): value for name, value in request.headers.items()},
        request.get_data(),
        request.host_url.rstrip("/"),
    )
