"""The Gainsight stand-in at the wire: which path leads where, who may pass, and how often."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.faults import FaultPlan
from sync_pipelines.sandbox.gainsight import cockpit, data
from sync_pipelines.sandbox.gainsight.refusal import Refusal, envelope, invalid
from sync_pipelines.sandbox.gainsight.seed import seed
from sync_pipelines.sandbox.gainsight.session import Gate
from sync_pipelines.sandbox.gainsight.tenant import CALL_TO_ACTION, SUCCESS_PLAN, Field, Settings, Tenant
from sync_pipelines.sandbox.store import Store

_PATHS = {
    "token": ("POST", "/v1/users/m2m/oauth/token"),
    "query": ("POST", "/v1/data/objects/query/<object>"),
    "insert": ("POST", "/v1/data/objects/<object>"),
    "update": ("PUT", "/v1/data/objects/<object>"),
    "delete": ("DELETE", "/v1/data/objects/<object>/<gsid>"),
    "describe": ("POST", "/v1/meta/services/objects/describe"),
    "calls to action": ("POST", "/v2/cockpit/cta/list"),
    "success plans": ("POST", "/v2/successPlan/list"),
}


class Gainsight:
    """One tenant behind its APIs."""

    name = "gainsight"
    routes = Map(
        [Rule(path, methods=[method], endpoint=endpoint) for endpoint, (method, path) in _PATHS.items()],
        strict_slashes=False,
        redirect_defaults=False,
        merge_slashes=False,
    )

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self.gate = Gate(tenant)
        self._answers = 0

    def answer(self, request: Request, endpoint: str, arguments: Mapping[str, Any]) -> Response:
        try:
            if endpoint == "token":
                return _json(self.gate.grant(request.headers.get("Authorization", ""), request.form), 200)
            return self._enveloped(self._answer(request, endpoint, arguments))
        except Refusal as refusal:
            return self._refused(refusal)

    def unknown(self, request: Request, error: HTTPException) -> Response:
        return self._refused(Refusal("GSOBJ_1023", "Invalid path", status=error.code or 404))

    def expire_tokens(self) -> None:
        self.gate.expire()

    def admin(self, action: str, body: Any) -> Any:
        """settings (see `Settings`), seed (rows by object), touch (an object), alter_field (object, field, changes)."""
        given = body or {}
        tenant = self.tenant
        match action:
            case "settings":
                tenant.settings = msgspec.structs.replace(tenant.settings, **given)
                return msgspec.to_builtins(tenant.settings)
            case "seed":
                return {"seeded": seed(tenant.store, given)}
            case "touch":
                self._touch(given["object"])
            case "alter_field":
                self._alter(given["object"], given["field"], given["changes"])
            case _:
                raise ValueError(f"an administrator can't {action!r} here")
        return {"done": action}

    def _answer(self, request: Request, endpoint: str, arguments: Mapping[str, Any]) -> Any:
        tenant = self.tenant
        self.gate.check({name.lower(): value for name, value in request.headers.items()})
        of_plans = endpoint == "success plans"
        per_minute = tenant.settings.plan_calls_per_minute if of_plans else tenant.settings.calls_per_minute
        self.gate.spend("plans" if of_plans else "data", per_minute=per_minute)
        body = {} if endpoint == "delete" else _body(request)
        with tenant.store.transaction():
            match endpoint:
                case "delete":
                    return tenant.remove(tenant.object(arguments["object"]), arguments["gsid"])
                case "query":
                    return data.query(tenant, tenant.object(arguments["object"]), body)
                case "insert":
                    return data.insert(tenant, tenant.object(arguments["object"]), body)
                case "update":
                    keys = [each for each in request.args.get("keys", "").split(",") if each]
                    return data.update(tenant, tenant.object(arguments["object"]), body, keys)
                case "describe":
                    return data.describe(tenant, body)
            kind = SUCCESS_PLAN if of_plans else CALL_TO_ACTION
            return cockpit.listing(tenant, tenant.object(kind), body)

    def _enveloped(self, answered: Any, refusal: Refusal | None = None) -> Response:
        self._answers += 1
        body = envelope(answered, request_id=str(UUID(int=self._answers)), refusal=refusal)
        response = _json(body, refusal.status if refusal else 200)
        response.headers["x-ratelimit-limit"] = str(self.tenant.settings.calls_per_minute)
        return response

    def _refused(self, refusal: Refusal) -> Response:
        return self._enveloped(None, refusal)

    def _touch(self, name: str) -> None:
        """What the tenant's own rules do at night: every record counts as changed, and says what it said."""
        thing = self.tenant.object(name)
        for row in self.tenant.store.all(thing.name):
            self.tenant.change(thing, row, {})

    def _alter(self, name: str, field: str, changes: Mapping[str, Any] | None) -> None:
        """What an administrator changes in a field; None takes it away."""
        thing = self.tenant.object(name)
        kept = {key: each for key, each in thing.fields.items() if key != field}
        if changes is not None:
            known = msgspec.to_builtins(thing.fields[field]) if field in thing.fields else {"name": field}
            altered = msgspec.convert({**known, **changes}, Field)
            kept[altered.name] = altered
        self.tenant.objects[name.lower()] = msgspec.structs.replace(thing, fields=kept)


def open_vendor(store: Store, *, clock: VirtualClock, faults: FaultPlan, settings: Settings | None = None) -> Gainsight:
    """The stand-in over what the store holds; faults strike whole calls only, so that none is asked for a record."""
    return Gainsight(Tenant(store, clock=clock, settings=settings or Settings()))


def _body(request: Request) -> dict[str, Any]:
    if request.mimetype != "application/json":
        raise Refusal("GSOBJ_1008", "Content-Type must be application/json", status=415)
    try:
        return msgspec.json.decode(request.get_data(), type=dict[str, Any])
    except msgspec.MsgspecError:
        raise invalid("The body could not be read") from None


def _json(body: Any, status: int) -> Response:
    return Response(msgspec.json.encode(body), status, mimetype="application/json")
