"""The Salesforce stand-in at the wire: which path leads to which endpoint, and who may pass."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, unquote

from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.faults import FaultPlan
from sync_pipelines.sandbox.salesforce import collection, composite, description, reading, writing
from sync_pipelines.sandbox.salesforce.bin import Bin
from sync_pipelines.sandbox.salesforce.fault import Refusal, not_found
from sync_pipelines.sandbox.salesforce.late import LateCommits
from sync_pipelines.sandbox.salesforce.locator import Locators
from sync_pipelines.sandbox.salesforce.org import Org
from sync_pipelines.sandbox.salesforce.schema import Schema, load_schema
from sync_pipelines.sandbox.salesforce.seed import found
from sync_pipelines.sandbox.salesforce.session import Sessions, Usage
from sync_pipelines.sandbox.salesforce.wire import Answer, Api, Call, Endpoint, call_of
from sync_pipelines.sandbox.store import Store

URI_MAX = 16_384
_TOKEN = "/services/oauth2/token"
_USER = "/services/oauth2/userinfo"
_DATA = "/services/data/<version>"
_ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    ("GET", _USER): description.user,
    ("GET", "/services/data"): description.versions,
    ("GET", _DATA): description.resources,
    ("GET", f"{_DATA}/limits"): description.limits,
    ("GET", f"{_DATA}/query"): reading.query,
    ("GET", f"{_DATA}/queryAll"): reading.query_all,
    ("GET", f"{_DATA}/query/<locator>"): reading.more,
    ("GET", f"{_DATA}/queryAll/<locator>"): reading.more,
    ("GET", f"{_DATA}/sobjects"): description.everything,
    ("GET", f"{_DATA}/sobjects/<object>"): description.one,
    ("GET", f"{_DATA}/sobjects/<object>/describe"): description.describe,
    ("GET", f"{_DATA}/sobjects/<object>/updated"): reading.updated,
    ("GET", f"{_DATA}/sobjects/<object>/deleted"): reading.deleted,
    ("POST", f"{_DATA}/sobjects/<object>"): writing.create,
    ("GET", f"{_DATA}/sobjects/<object>/<id>"): reading.read,
    ("PATCH", f"{_DATA}/sobjects/<object>/<id>"): writing.update,
    ("DELETE", f"{_DATA}/sobjects/<object>/<id>"): writing.delete,
    ("GET", f"{_DATA}/sobjects/<object>/<field>/<path:value>"): reading.read_external,
    ("PATCH", f"{_DATA}/sobjects/<object>/<field>/<path:value>"): writing.upsert,
    ("POST", f"{_DATA}/composite"): composite.composite,
    ("POST", f"{_DATA}/composite/sobjects"): collection.create_many,
    ("PATCH", f"{_DATA}/composite/sobjects"): collection.update_many,
    ("DELETE", f"{_DATA}/composite/sobjects"): collection.delete_many,
    ("GET", f"{_DATA}/composite/sobjects/<object>"): reading.retrieve,
    ("POST", f"{_DATA}/composite/sobjects/<object>"): reading.retrieve,
    ("PATCH", f"{_DATA}/composite/sobjects/<object>/<field>"): collection.upsert_many,
}
_HARMLESS = (reading.retrieve, composite.composite)
"""Endpoints that change nothing by themselves, whatever their method."""


@dataclass
class Switches:
    """What an administrator has switched on."""

    maintenance: bool = False


class Salesforce:
    """One org behind its REST API."""

    name = "salesforce"
    routes = Map(
        [Rule(path, methods=[method], endpoint=f"{method} {path}") for method, path in _ENDPOINTS]
        + [Rule(_TOKEN, methods=["POST"], endpoint="token")],
        strict_slashes=False,
        redirect_defaults=False,
        merge_slashes=False,
    )

    def __init__(self, schema: Schema, store: Store, *, clock: VirtualClock, faults: FaultPlan) -> None:
        behaviour = schema.behaviour
        found(store, schema)
        self.org = Org(schema, store, clock=clock, faults=faults)
        self.switches = Switches()
        self.api = Api(
            self.org,
            Bin(self.org),
            LateCommits(self.org),
            Sessions(clock, idle_seconds=behaviour.session_seconds),
            Usage(clock, allowed=behaviour.daily_api_requests),
            Locators(
                clock,
                seconds=behaviour.locator_seconds,
                page_min=behaviour.page_min,
                page_max=behaviour.page_max,
            ),
            self.perform,
        )

    def answer(self, request: Request, endpoint: str, arguments: Mapping[str, Any]) -> Response:
        if endpoint == "token":
            return self._token(request).response()
        answer = self._guarded(request, endpoint, arguments)
        return replace(answer, headers={**answer.headers, **self.api.usage.header()}).response()

    def unknown(self, request: Request, error: HTTPException) -> Response:
        refusal = not_found()
        if isinstance(error, MethodNotAllowed):
            message = f"HTTP Method '{request.method}' not allowed."
            refusal = Refusal("METHOD_NOT_ALLOWED", message, status=405)
        return Answer(refusal.body(), refusal.status).response()

    def expire_tokens(self) -> None:
        self.api.sessions.expire()

    def admin(self, action: str, body: Any) -> Any:
        """merge, undelete, purge, save_late, alter, organization, maintenance, limits."""
        given = body or {}
        try:
            return self._administer(action, given)
        except Refusal as refusal:
            raise ValueError(f"{refusal.code}: {refusal.message}") from refusal

    def perform(self, call: Call) -> Answer:
        """A call inside of a composite, found by its path."""
        path, query = call.arguments["path"], call.arguments["query"]
        try:
            name, arguments = self.routes.bind("composite").match(unquote(path), call.method)
        except NotFound as error:
            raise not_found() from error
        except HTTPException as error:
            raise Refusal("METHOD_NOT_ALLOWED", "method not allowed", status=405) from error
        parameters = dict(parse_qsl(query, keep_blank_values=True))
        return self._perform(name, replace(call, arguments=arguments, parameters=parameters))

    def _guarded(self, request: Request, endpoint: str, arguments: Mapping[str, Any]) -> Answer:
        try:
            self._check_version(arguments.get("version"))
            if endpoint == "GET /services/data":
                return description.versions(self.api, call_of(request, arguments))
            self.api.sessions.check(request.headers.get("Authorization", ""))
            self.api.usage.check()
            self.api.usage.use()
            self._check_form(request)
            self.api.late.settle()
            return self._perform(endpoint, call_of(request, arguments))
        except Refusal as refusal:
            return Answer(refusal.body(), refusal.status)

    def _perform(self, name: str, call: Call) -> Answer:
        method, _, path = name.partition(" ")
        endpoint = _ENDPOINTS[method, path]
        if self.switches.maintenance and method != "GET" and endpoint not in _HARMLESS:
            raise Refusal(
                "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE",
                "Your organization is in read-only mode during maintenance",
                status=self.org.schema.behaviour.maintenance_status,
            )
        return endpoint(self.api, call)

    def _check_version(self, version: str | None) -> None:
        if version is None:
            return
        number, behaviour = version.removeprefix("v").removesuffix(".0"), self.org.schema.behaviour
        if not number.isdigit() or int(number) > behaviour.newest_version:
            raise not_found()
        if int(number) < behaviour.oldest_version:
            message = f"API version {version} is retired: use a newer one"
            raise Refusal("UNSUPPORTED_API_VERSION", message, status=410)

    def _check_form(self, request: Request) -> None:
        if len(request.full_path) > URI_MAX:
            raise Refusal("URI_TOO_LONG", "The URI and the headers exceed 16,384 bytes", status=414)
        if request.get_data() and request.mimetype != "application/json":
            message = f"Content type not supported: {request.mimetype or 'none'}"
            raise Refusal("UNSUPPORTED_MEDIA_TYPE", message, status=415)

    def _token(self, request: Request) -> Answer:
        organization = self.org.schema.organization
        if request.form.get("grant_type") != "client_credentials":
            return _oauth_error("unsupported_grant_type", "grant type not supported")
        given = _basic(request) or (request.form.get("client_id"), request.form.get("client_secret"))
        if given[0] != organization.client_id:
            return _oauth_error("invalid_client_id", "client identifier invalid")
        if given[1] != organization.client_secret:
            return _oauth_error("invalid_client", "invalid client credentials")
        host = request.host_url.rstrip("/")
        return Answer(
            {
                "access_token": self.api.sessions.issue(self.org.id),
                "signature": base64.b64encode(b"sandbox").decode(),
                "scope": "api",
                "instance_url": host,
                "id": f"{host}/id/{self.org.id}/{self.org.schema.user_id}",
                "token_type": "Bearer",
                "issued_at": str(int(self.org.clock.now().timestamp() * 1000)),
            }
        )

    def _administer(self, action: str, given: Mapping[str, Any]) -> Any:
        match action:
            case "merge":
                self.api.bin.merge(given["winner"], given["losers"])
            case "undelete":
                self.api.bin.undelete(given["ids"])
            case "purge":
                self.api.bin.purge(given["ids"])
            case "save_late":
                seconds = float(given["seconds"])
                return {"id": self.api.late.save(given["object"], given["values"], seconds=seconds)}
            case "alter":
                self.org.alter(given["object"], given["field"], given["changes"])
            case "organization":
                self.org.replace_organization(given["id"])
            case "maintenance":
                self.switches.maintenance = bool(given["on"])
            case "limits":
                self.api.usage.allowed = int(given.get("max", self.api.usage.allowed))
                self.api.usage.use(int(given.get("used", 0)))
            case _:
                raise ValueError(f"an administrator can't {action!r} here")
        return {"done": action}


def open_vendor(store: Store, *, clock: VirtualClock, faults: FaultPlan, schema: Schema | None = None) -> Salesforce:
    """The stand-in over a store; `schema` is another org than the one in `org.toml`."""
    return Salesforce(schema or load_schema(), store, clock=clock, faults=faults)


def _oauth_error(code: str, description: str) -> Answer:
    return Answer({"error": code, "error_description": description}, 400)


def _basic(request: Request) -> tuple[str | None, str | None] | None:
    given = request.authorization
    return (given.username, given.password) if given is not None and given.type == "basic" else None
