"""The Tryton stand-in at the wire: one database behind JSON-RPC, with the server's errors in its own forms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import msgspec
from werkzeug.exceptions import (
    BadRequest,
    Conflict,
    Forbidden,
    HTTPException,
    InternalServerError,
    Locked,
    MethodNotAllowed,
    NotFound,
    TooManyRequests,
    Unauthorized,
    UnprocessableEntity,
)
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.faults import FaultPlan
from sync_pipelines.sandbox.store import Document, Store
from sync_pipelines.sandbox.tryton.calls import READS, Calls
from sync_pipelines.sandbox.tryton.database import ADMINISTRATOR, Database
from sync_pipelines.sandbox.tryton.fault import Concurrency, Crash, Fault, Login, Warned, unknown
from sync_pipelines.sandbox.tryton.founding import found
from sync_pipelines.sandbox.tryton.look import LOOK
from sync_pipelines.sandbox.tryton.saving import Writer
from sync_pipelines.sandbox.tryton.session import Session, Sessions
from sync_pipelines.sandbox.tryton.wizard import Wizards

NAME = "erp"
SERIES = "8.0"
_ENVELOPE = {"id", "method", "params"}
_HTTP: tuple[tuple[type[Fault], type[HTTPException]], ...] = (
    (Warned, Conflict),
    (Login, Forbidden),
    (Concurrency, Locked),
    (Crash, InternalServerError),
    (Fault, BadRequest),
)
"""What a fault becomes where the body is no JSON-RPC call: one with other keys than id, method and params."""


class Tryton:
    """One server with one database, `erp`."""

    name = "tryton"
    routes = Map(
        [
            Rule("/rpc/", methods=["POST"], endpoint="server"),
            Rule("/<string:database>/rpc/", methods=["POST"], endpoint="database"),
        ],
        merge_slashes=False,
    )

    def __init__(self, store: Store, *, clock: VirtualClock, faults: FaultPlan) -> None:
        found(store)
        self.database = Database(store, clock=clock, faults=faults)
        self.calls = Calls(self.database)
        self.has_module = True
        """Whether the database has activated our module."""
        self.wizards = Wizards(self.database)
        self.sessions = Sessions(clock)

    def answer(self, request: Request, endpoint: str, arguments: Mapping[str, Any]) -> Response:
        try:
            body = _body(request)
            try:
                result = self._answer(request, endpoint, arguments, body)
            except Fault as fault:
                return _failed(fault, body)
        except HTTPException as error:
            return error.get_response(request.environ)
        return _json({"id": body["id"], "result": result} if _is_call(body) else result)

    def unknown(self, request: Request, error: HTTPException) -> Response:
        if isinstance(error, NotFound):  # the server takes OPTIONS on every path, so none is unknown
            error = MethodNotAllowed()
        return error.get_response(request.environ)

    def expire_tokens(self) -> None:
        self.sessions.expire()

    def admin(self, action: str, body: Any) -> Any:
        """save_late, limits, module."""
        given = body or {}
        match action:
            case "save_late":
                return {"ids": self._save_late(given)}
            case "limits":
                self.calls.limits.records = int(given["records"])
                return {"done": action}
            case "module":
                self.has_module = bool(given["activated"])
                return {"done": action}
        raise ValueError(f"an administrator can't {action!r} here")

    def _answer(self, request: Request, endpoint: str, arguments: Mapping[str, Any], body: dict[str, Any]) -> Any:
        method, params = _method(body)
        if endpoint == "server":
            return _of_server(method)
        if method == "common.db.login":
            return self._login(arguments["database"], params)
        session = self.sessions.find(request.headers.get("Authorization", ""))
        if session is None or arguments["database"] != NAME:
            raise _unauthorized()
        if method == "common.db.logout":
            self.sessions.remove(session)
            return None
        result = self._dispatch(method, params, session)
        self.sessions.use(session)
        return result

    def _login(self, database: str, params: list[Any]) -> list[Any]:
        if database != NAME:
            raise NotFound
        if len(params) < 2:
            raise Crash("login() missing 1 required positional argument: 'parameters'")
        login, parameters = params[0], params[1]
        if self.sessions.is_barred(login):
            raise TooManyRequests
        if "password" not in parameters:
            raise Login(login)
        token = self.sessions.open(login, parameters["password"])
        if token is None:
            raise Unauthorized
        return [ADMINISTRATOR, token, None]

    def _dispatch(self, method: str, params: list[Any], session: Session) -> Any:
        kind, dot, rest = method.partition(".")
        if not dot:
            raise Crash("not enough values to unpack (expected 2, got 1)")
        model_name, _, verb_name = rest.rpartition(".")
        if kind == "wizard":
            return self._walk(model_name, verb_name, params)
        if kind != "model":
            raise unknown(model_name)
        is_ours = self.has_module and model_name == LOOK.name
        model = LOOK if is_ours else self.database.model(model_name)
        verb = self.calls.verb(model, verb_name)
        if verb_name == "post" and not self.sessions.is_fresh(session):
            raise Unauthorized
        if not params or not isinstance(params[-1], dict):
            raise UnprocessableEntity("Missing context argument")
        *given, context = params
        self.database.settle()
        if verb_name in READS:
            return verb(self.calls, model, context, *given)
        with self.database.transaction():
            return verb(self.calls, model, context, *given)

    def _walk(self, wizard: str, verb: str, params: list[Any]) -> Any:
        if not params or not isinstance(params[-1], dict):
            raise UnprocessableEntity("Missing context argument")
        *given, context = params
        self.database.settle()
        with self.database.transaction():
            return self.wizards.call(wizard, verb, given, context)

    def _save_late(self, given: Mapping[str, Any]) -> list[int]:
        """Save records in a transaction that began now and is committed only after some seconds.

        Values with an `id` change that record, others make one. Until then nobody sees any of it.
        """
        visible = (self.database.clock.now() + timedelta(seconds=float(given["seconds"]))).isoformat()
        before = {name: dict(self.database.store.table(name).rows) for name in self.database.models}
        late: list[tuple[str, Document]] = []
        ids: list[int] = []
        try:
            with self.database.transaction():
                ids = self._save(given["object"], given["values"])
                late = list(self._changes(before))
                raise _RolledBack
        except _RolledBack:
            pass
        except Fault as fault:
            raise ValueError(str(fault)) from fault
        with self.database.store.transaction():
            for model, row in late:
                self.database.late(model, row["id"], row, visible=visible)
        return ids

    def _save(self, object: str, values: Iterable[Mapping[str, Any]]) -> list[int]:
        model, writer = self.database.model(object), Writer(self.database, company=1)
        saved: list[int] = []
        for given in values:
            rest = {name: value for name, value in given.items() if name != "id"}
            if "id" in given:
                writer.write(model, [([given["id"]], rest)])
            saved += [given["id"]] if "id" in given else writer.create(model, [rest])
        return saved

    def _changes(self, before: Mapping[str, Mapping[str, Document]]) -> Iterable[tuple[str, Document]]:
        for name, rows in before.items():
            for key, row in self.database.store.table(name).rows.items():
                if rows.get(key) is not row:
                    yield name, row


class _RolledBack(Exception):
    """Ends a transaction that is to be committed later."""


def open_vendor(store: Store, *, clock: VirtualClock, faults: FaultPlan) -> Tryton:
    return Tryton(store, clock=clock, faults=faults)


def _body(request: Request) -> dict[str, Any]:
    if "json" not in request.headers.get("Content-Type", ""):
        raise InternalServerError
    try:
        body = msgspec.json.decode(request.get_data())
    except msgspec.MsgspecError:
        body = None
    if not isinstance(body, dict) or not body.get("method"):
        raise BadRequest("Unable to get RPC method")
    return body


def _method(body: Mapping[str, Any]) -> tuple[str, list[Any]]:
    if "params" not in body:
        raise BadRequest("Unable to get RPC params")
    return str(body["method"]), list(body["params"] or [])


def _of_server(method: str) -> Any:
    known = {"common.server.version": SERIES, "common.db.list": [NAME], "common.authentication.services": []}
    if method not in known:
        raise unknown(method)
    return known[method]


def _is_call(body: Mapping[str, Any]) -> bool:
    return body.keys() == _ENVELOPE


def _failed(fault: Fault, body: Mapping[str, Any]) -> Response:
    if _is_call(body):
        return _json({"id": body["id"], "error": fault.wire})
    error = next(error for kind, error in _HTTP if isinstance(fault, kind))
    return error(str(fault)).get_response({})


def _unauthorized() -> HTTPException:
    """Not as an HTML page: the server asks for HTTP Basic with an empty body."""
    response = Response(None, 401, {"WWW-Authenticate": 'Basic realm="Tryton"'}, mimetype="text/plain")
    return Unauthorized(response=response)


def _json(value: Any) -> Response:
    return Response(msgspec.json.encode(value), 200, mimetype="application/json")
