"""The WSGI application around a vendor's module: routing, faults, the request log, the control routes.

What the vendor answers is the vendor's module's business; `server` and `transport` are two ways to
reach this application.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from typing import Any, Protocol, runtime_checkable

import msgspec
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map
from werkzeug.routing import Rule as Route
from werkzeug.wrappers import Request, Response

from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.faults import AFTER, BEFORE, FaultPlan, Rule
from sync_pipelines.sandbox.store import Store

_MAINTENANCE_PAGE = "<!DOCTYPE html><html><body><h1>Down for Maintenance</h1></body></html>"
WAIT = "sandbox.wait"
"""The WSGI environment's key for the function that waits; without it delays are real."""


class Vendor(Protocol):
    """What a vendor's module provides; `answer` runs with the store locked."""

    name: str
    routes: Map

    def answer(self, request: Request, endpoint: str, arguments: Mapping[str, Any]) -> Response: ...

    def unknown(self, request: Request, error: HTTPException) -> Response:
        """The vendor's own words for a path or method it doesn't have."""
        ...

    def expire_tokens(self) -> None: ...

    def admin(self, action: str, body: Any) -> Any:
        """What only an administrator can do, as JSON: `POST /_sandbox/admin/<action>`."""
        ...


@runtime_checkable
class Doorkeeper(Protocol):
    """A vendor that looks at a request as it arrives, before any delay and without the store's lock."""

    def receive(self, request: Request) -> AbstractContextManager[Response | None]:
        """Held until the vendor has answered; a response takes the answer's place."""
        ...


@cache
def route_map(routes: tuple[tuple[str, str], ...]) -> Map:
    """Methods and paths as routes with the endpoint "METHOD path"; compiled once, however many stand-ins are opened."""
    return Map([Route(path, methods=[method], endpoint=f"{method} {path}") for method, path in routes])


class Dropped(ConnectionResetError):
    """The reply never leaves: the server resets the connection."""


@dataclass(frozen=True, slots=True)
class Logged:
    """One request that arrived. Status 0: its reply was dropped."""

    method: str
    path: str
    status: int
    route: str
    at: datetime


class Sandbox:
    """A vendor's stand-in as a WSGI application."""

    def __init__(self, vendor: Vendor, store: Store, *, clock: VirtualClock, faults: FaultPlan) -> None:
        self.vendor = vendor
        self.store = store
        self.clock = clock
        self.faults = faults
        self.requests: deque[Logged] = deque(maxlen=10_000)
        self.calls: Counter[str] = Counter()
        """Requests by method and route template, since the start."""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        request.get_data(cache=True)
        if request.path.startswith("/_sandbox/"):
            return self._control(request)(environ, start_response)
        wait: Callable[[float], None] = environ.get(WAIT, time.sleep)
        return self._reply(request, wait)(environ, start_response)

    def _reply(self, request: Request, wait: Callable[[float], None]) -> Response:
        subject = f"{request.method} {request.path}"
        try:
            endpoint, arguments, route = self._match(request)
        except HTTPException as error:
            response = self.vendor.unknown(request, error)
            self._log(request, response, subject)
            return response
        with self._received(request) as refused:
            answer = refused or self._before(request, route, wait)
            if answer is None:
                with self.store.lock:
                    answer = self.vendor.answer(request, endpoint, arguments)
        self._spoil(request, answer, route, wait)
        self._log(request, answer, route)
        return answer

    def _received(self, request: Request) -> AbstractContextManager[Response | None]:
        return self.vendor.receive(request) if isinstance(self.vendor, Doorkeeper) else nullcontext()

    def _before(self, request: Request, route: str, wait: Callable[[float], None]) -> Response | None:
        """The faults that strike before the vendor does anything; a response where one takes its place."""
        before = self.faults.strike(f"{request.method} {request.path}", BEFORE)
        if any(rule.kind == "expire_token" for rule in before):
            self.vendor.expire_tokens()
        wait(sum(rule.seconds for rule in before if rule.kind == "delay"))
        if any(rule.kind == "drop_before_commit" for rule in before):
            self._log(request, None, route)
            raise Dropped("the connection was reset before anything was done")
        return next((_instead(rule) for rule in before if rule.kind in ("status", "html")), None)

    def _spoil(self, request: Request, response: Response, route: str, wait: Callable[[float], None]) -> None:
        after = self.faults.strike(f"{request.method} {request.path}", AFTER)
        if any(rule.kind == "drop_after_commit" for rule in after):
            self._log(request, None, route)
            raise Dropped("the connection was reset before the reply")
        wait(sum(rule.seconds for rule in after if rule.kind == "delay_reply"))
        if any(rule.kind == "truncate_body" for rule in after):
            whole = response.get_data()
            response.set_data(whole[: len(whole) // 2])

    def _match(self, request: Request) -> tuple[str, Mapping[str, Any], str]:
        rule, arguments = self.vendor.routes.bind_to_environ(request.environ).match(return_rule=True)
        return str(rule.endpoint), arguments, f"{request.method} {rule.rule}"

    def _log(self, request: Request, response: Response | None, route: str) -> None:
        status = response.status_code if response else 0
        logged = Logged(request.method, request.full_path.rstrip("?"), status, route, self.clock.now())
        self.requests.append(logged)
        self.calls[route] += 1

    def _control(self, request: Request) -> Response:
        words = request.path.removeprefix("/_sandbox/").split("/")
        body = msgspec.json.decode(request.get_data()) if request.get_data() else None
        try:
            return _json(self._control_answer(request.method, words, body))
        except (LookupError, ValueError, TypeError) as error:
            return _json({"error": f"{type(error).__name__}: {error}"}, 400)

    def _control_answer(self, method: str, words: list[str], body: Any) -> Any:
        match method, words:
            case "GET", ["requests"]:
                return [asdict(logged) for logged in self.requests]
            case "GET", ["state"]:
                return self.state()
            case "GET", ["faults"]:
                return self.faults.listing()
            case "POST", ["faults"]:
                for rule in msgspec.convert(body if isinstance(body, list) else [body], list[Rule]):
                    self.faults.add(rule)
                return self.faults.listing()
            case "DELETE", ["faults"]:
                self.faults.clear()
                return []
            case "POST", ["clock"]:
                return self._set_clock(body)
            case "POST", ["admin", action]:
                with self.store.lock:
                    return self.vendor.admin(action, body)
        raise LookupError(f"no control route {method} /_sandbox/{'/'.join(words)}")

    def state(self) -> dict[str, Any]:
        """Counters: documents by table, committed document writes, requests by route."""
        return {
            "vendor": self.vendor.name,
            "now": self.clock.now(),
            "tables": {name: self.store.count(name) for name in self.store.tables()},
            "writes": self.store.writes,
            "requests": self.calls.total(),
            "calls": dict(self.calls),
        }

    def _set_clock(self, body: Mapping[str, Any]) -> dict[str, Any]:
        if "set" in body:
            self.clock.set(datetime.fromisoformat(body["set"]) if body["set"] else None)
        if "skew" in body:
            self.clock.skew(float(body["skew"]))
        if "advance" in body:
            self.clock.advance(float(body["advance"]))
        return {"now": self.clock.now()}


def _instead(rule: Rule) -> Response:
    if rule.kind == "html":
        return Response(rule.body or _MAINTENANCE_PAGE, rule.status, rule.headers, mimetype="text/html")
    if isinstance(rule.body, str):
        return Response(rule.body, rule.status, rule.headers, mimetype="text/plain")
    body = b"" if rule.body is None else msgspec.json.encode(rule.body)
    return Response(body, rule.status, rule.headers, mimetype="application/json")


def _json(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, mimetype="application/json")
