"""The Zendesk stand-in at the wire: which path leads to which endpoint, who may pass, and how often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.faults import FaultPlan
from sync_pipelines.sandbox.store import Store
from sync_pipelines.sandbox.zendesk import job
from sync_pipelines.sandbox.zendesk.account import Account, Settings
from sync_pipelines.sandbox.zendesk.endpoint import ENDPOINTS
from sync_pipelines.sandbox.zendesk.refusal import Refusal, listed, named, not_found
from sync_pipelines.sandbox.zendesk.seed import seed
from sync_pipelines.sandbox.zendesk.session import Minute, Sessions
from sync_pipelines.sandbox.zendesk.wire import Answer, call_of

_TOKENS = "/oauth/tokens"
_EXPORT = "incremental/"


class Zendesk:
    """One account behind its REST API."""

    name = "zendesk"
    routes = Map(
        [
            Rule(f"/api/v2/{path}{suffix}", methods=[method], endpoint=f"{method} {path}")
            for method, path in ENDPOINTS
            for suffix in ("", ".json")
        ]
        + [Rule(_TOKENS, methods=["POST"], endpoint="token")],
        strict_slashes=False,
        redirect_defaults=False,
        merge_slashes=False,
    )

    def __init__(self, account: Account) -> None:
        self.account = account
        self.sessions = Sessions(account)
        self._calls = Minute(account)
        self._exports = Minute(account)

    def answer(self, request: Request, endpoint: str, arguments: Mapping[str, Any]) -> Response:
        try:
            answer = self._answer(request, endpoint, arguments)
        except Refusal as refusal:
            answer = Answer(refusal.body, refusal.status, refusal.headers)
        return answer.response()

    def unknown(self, request: Request, error: HTTPException) -> Response:
        refusal = not_found() if error.code == 404 else named(405, "MethodNotAllowed", "Method not allowed")
        return Answer(refusal.body, refusal.status).response()

    def expire_tokens(self) -> None:
        self.sessions.expire()

    def admin(self, action: str, body: Any) -> Any:
        """settings (see `Settings`), seed (rows by kind), kill_job, alter_field."""
        given = body or {}
        match action:
            case "settings":
                self.account.settings = msgspec.structs.replace(self.account.settings, **given)
                return msgspec.to_builtins(self.account.settings)
            case "seed":
                return {"seeded": seed(self.account.store, given)}
            case "kill_job":
                job.kill(self.account, given["id"])
            case "alter_field":
                self._alter(given["kind"], given["id"], given["changes"])
            case _:
                raise ValueError(f"an administrator can't {action!r} here")
        return {"done": action}

    def _answer(self, request: Request, endpoint: str, arguments: Mapping[str, Any]) -> Answer:
        call = call_of(request, self.account, arguments)
        if endpoint == "token":
            self._check_form(request)
            return Answer(self.sessions.grant(call.json()))
        self.sessions.check(request.headers.get("Authorization", ""))
        headers = self._spend(endpoint)
        self._check_form(request)
        job.settle(self.account)
        method, _, path = endpoint.partition(" ")
        with self.account.store.transaction():
            try:
                answer = ENDPOINTS[method, path](call)
            except Refusal as refusal:
                answer = Answer(refusal.body, refusal.status, refusal.headers)
        job.settle(self.account)
        return replace(answer, headers={**headers, **answer.headers})

    def _spend(self, endpoint: str) -> dict[str, str]:
        """Count the call against the account's limit, and an export against its own, which is told instead."""
        settings = self.account.settings
        told = of_account = self._calls.spend(settings.calls_per_minute)
        if endpoint.partition(" ")[2].startswith(_EXPORT):
            told = self._exports.spend(settings.exports_per_minute)
        return {
            "X-Rate-Limit": str(of_account["limit"]),
            "X-Rate-Limit-Remaining": str(of_account["remaining"]),
            **{f"ratelimit-{name}": str(value) for name, value in told.items()},
        }

    def _check_form(self, request: Request) -> None:
        if request.get_data() and request.mimetype != "application/json":
            raise listed(415, "UnsupportedMediaType", "Content-Type must be application/json")

    def _alter(self, kind: str, number: int, changes: Mapping[str, Any]) -> None:
        """What an administrator changes in the definition of a custom field."""
        self.account.keep(kind, {**self.account.fetch(kind, number), **changes})


def open_vendor(store: Store, *, clock: VirtualClock, faults: FaultPlan, settings: Settings | None = None) -> Zendesk:
    """The stand-in over what the store holds."""
    return Zendesk(Account(store, clock=clock, faults=faults, settings=settings or Settings()))
