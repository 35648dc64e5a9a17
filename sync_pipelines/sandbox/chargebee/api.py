"""The API as a vendor of the sandbox kit: authentication, limits, idempotency, then a route."""

from __future__ import annotations

import base64
import binascii
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request, Response

from sync_pipelines.sandbox.app import route_map
from sync_pipelines.sandbox.chargebee import form
from sync_pipelines.sandbox.chargebee.idempotency import HEADER, REPLAYED, Answer, fingerprint, keep, replay
from sync_pipelines.sandbox.chargebee.refusal import FAILED, LIMITED, READ_ONLY, Refusal
from sync_pipelines.sandbox.chargebee.route import Call, Route
from sync_pipelines.sandbox.chargebee.site import Settings, Site
from sync_pipelines.sandbox.faults import FaultPlan

_FORM = "application/x-www-form-urlencoded"
_MINUTE = 60


class ChargebeeApi:
    """Answers requests for one site.

    Beside the kit's faults it asks the plan, with kind "row", for "commit METHOD /path": the write is done, its
    answer is kept under the idempotency key, and the request fails all the same.
    """

    name = "chargebee"

    def __init__(
        self,
        site: Site,
        *,
        routes: tuple[Route, ...],
        actions: Mapping[str, Callable[[Any], Any]],
        faults: FaultPlan,
    ) -> None:
        self.site = site
        self.routes = route_map(tuple((each.method, each.rule) for each in routes))
        self._routes = {each.endpoint: each for each in routes}
        self._actions = actions
        self._faults = faults
        self._arrivals: deque[float] = deque()

    def answer(self, request: Request, endpoint: str, arguments: Mapping[str, Any]) -> Response:
        self.site.arrive()
        settings = self.site.settings
        try:
            _authenticate(request, settings, writes=request.method == "POST")
            wait = self._wait(settings)
            if wait:
                return self._response(_told(LIMITED), {"Retry-After": str(wait)})
            answer = self._answer(request, self._routes[endpoint], arguments, settings)
        except Refusal as refusal:
            answer = _told(refusal)
        return self._response(answer, {})

    def unknown(self, request: Request, error: HTTPException) -> Response:
        try:
            _authenticate(request, self.site.settings, writes=False)
            raise Refusal("Sorry, we couldn't find that resource", code="resource_not_found", status=404)
        except Refusal as refusal:
            return self._response(_told(refusal), {})

    def expire_tokens(self) -> None:
        """Every key is revoked and stays so until the settings name keys again."""
        self.site.set_up(keys=(), read_only_keys=())

    def admin(self, action: str, body: Any) -> Any:
        if action == "settings":
            return msgspec.to_builtins(self.site.set_up(**(body or {})))
        if action not in self._actions:
            raise LookupError(f"no administrator's action {action!r}")
        return self._actions[action](body)

    def _answer(self, request: Request, route: Route, ids: Mapping[str, str], settings: Settings) -> Answer:
        given = _form(request)
        if route.method != "POST":
            return Answer(200, route.run(Call(self.site, ids, route.read(given, settings))))
        if settings.is_read_only:
            return _told(READ_ONLY)
        key, now = request.headers.get(HEADER, ""), self.site.now()
        mark = fingerprint(request.path, given)
        kept = replay(self.site.store, key, mark, since=now - settings.idempotency_seconds) if key else None
        if kept is not None:
            return kept
        with self.site.store.transaction():
            answer = self._written(route, ids, given, settings)
            if key:
                keep(self.site.store, key, mark, answer, now=now)
        return _told(FAILED) if self._faults.row(f"commit {route.method} {request.path}") else answer

    def _written(self, route: Route, ids: Mapping[str, str], given: Mapping[str, Any], settings: Settings) -> Answer:
        """All of a write or nothing; a refusal is an answer too, and kept like one."""
        try:
            with self.site.store.transaction():
                return Answer(200, route.run(Call(self.site, ids, route.read(given, settings))))
        except Refusal as refusal:
            return _told(refusal)

    def _wait(self, settings: Settings) -> int:
        """Seconds until the next request is taken; a fixed window of a minute."""
        now = self.site.clock.now().timestamp()
        while self._arrivals and self._arrivals[0] // _MINUTE < now // _MINUTE:
            self._arrivals.popleft()
        if settings.calls_per_minute and len(self._arrivals) >= settings.calls_per_minute:
            return int(_MINUTE - now % _MINUTE) + 1
        self._arrivals.append(now)
        return 0

    def _response(self, answer: Answer, headers: Mapping[str, str]) -> Response:
        marks = dict(headers)
        if answer.replayed:
            marks[REPLAYED] = "true"
        if answer.status == 401:
            marks["WWW-Authenticate"] = 'Basic realm="Chargebee"'
        return Response(msgspec.json.encode(answer.body), answer.status, marks, mimetype="application/json")


def _told(refusal: Refusal) -> Answer:
    return Answer(refusal.status, refusal.body())


def _authenticate(request: Request, settings: Settings, *, writes: bool) -> None:
    key = _api_key(request)
    if key in settings.keys and key:
        return
    if key not in settings.read_only_keys or not key:
        raise Refusal("Sorry, authentication failed. Invalid API Key.", code="api_authentication_failed", status=401)
    if writes:
        raise Refusal(
            "Sorry, you don't have the permission to perform this operation.",
            code="api_authorization_failed",
            status=403,
        )


def _api_key(request: Request) -> str:
    """The user name of Basic authentication; the password is empty."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    try:
        user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return user if scheme.lower() == "basic" and not password else ""


def _form(request: Request) -> dict[str, Any]:
    body = request.get_data(as_text=True)
    if body and request.mimetype != _FORM:
        raise Refusal(f"The content type should be {_FORM}", code="invalid_request")
    return form.decode(body or request.query_string.decode())
