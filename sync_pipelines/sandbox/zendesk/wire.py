"""What every endpoint is given and gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from werkzeug.wrappers import Request, Response

from sync_pipelines.sandbox.zendesk.account import Account
from sync_pipelines.sandbox.zendesk.refusal import listed, named


@dataclass(frozen=True)
class Call:
    """One call of an endpoint."""

    account: Account
    arguments: Mapping[str, Any]
    parameters: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    address: str
    """Where the call went, without its query: what the links of an answer lead back to."""

    def allow(self, *names: str) -> None:
        if unknown := sorted(set(self.parameters) - set(names)):
            raise listed(400, "InvalidParameter", f"{', '.join(unknown)} is not a parameter of this call")

    def json(self) -> dict[str, Any]:
        try:
            return msgspec.json.decode(self.body, type=dict[str, Any])
        except msgspec.MsgspecError:
            raise named(422, "Unprocessable Entity", "Server could not parse JSON") from None

    def wrapped(self, name: str) -> dict[str, Any]:
        """The record of a body like {"organization": {…}}."""
        given = self.json().get(name)
        if not isinstance(given, dict):
            raise listed(400, "BadRequest", f"The body has no {name}")
        return given


@dataclass(frozen=True)
class Answer:
    """What an endpoint answers; a body of None is no body, a text is plain text."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        if isinstance(self.body, str):
            return Response(self.body, self.status, dict(self.headers), mimetype="text/plain")
        body = b"" if self.body is None else msgspec.json.encode(self.body)
        response = Response(body, self.status, dict(self.headers))
        response.content_type = "application/json; charset=utf-8"
        return response


Endpoint = Callable[[Call], Answer]


def call_of(request: Request, account: Account, arguments: Mapping[str, Any]) -> Call:
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Call(account, arguments, request.args, headers, request.get_data(), request.base_url)
