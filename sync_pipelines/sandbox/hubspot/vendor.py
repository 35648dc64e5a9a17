"""The HubSpot stand-in at the wire: which path leads to which endpoint, who may pass, and how often."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.faults import FaultPlan
from sync_pipelines.sandbox.hubspot import account, following, linking, reading, writing
from sync_pipelines.sandbox.hubspot.crm import Crm
from sync_pipelines.sandbox.hubspot.refusal import Refusal, unreadable
from sync_pipelines.sandbox.hubspot.schema import Schema, load_schema
from sync_pipelines.sandbox.hubspot.search import search
from sync_pipelines.sandbox.hubspot.session import Limits, Tokens
from sync_pipelines.sandbox.hubspot.wire import Answer, Api, Endpoint, call_of
from sync_pipelines.sandbox.store import Store

_OBJECTS: dict[tuple[str, str], Endpoint] = {
    ("GET", ""): reading.listed,
    ("POST", ""): writing.create,
    ("POST", "/search"): search,
    ("POST", "/merge"): writing.merge,
    ("POST", "/batch/read"): reading.batch_read,
    ("POST", "/batch/create"): writing.batch_create,
    ("POST", "/batch/update"): writing.batch_update,
    ("POST", "/batch/upsert"): writing.batch_upsert,
    ("POST", "/batch/archive"): writing.batch_archive,
    ("GET", "/<id>"): reading.one,
    ("PATCH", "/<id>"): writing.update,
    ("DELETE", "/<id>"): writing.archive,
}
_LINKS: dict[tuple[str, str], Endpoint] = {
    ("PUT", "/<id>/associations/default/<target>/<to>"): linking.associate,
    ("PUT", "/<id>/associations/<target>/<to>"): linking.label,
    ("DELETE", "/<id>/associations/<target>/<to>"): linking.part,
}
_BATCHES: dict[tuple[str, str], Endpoint] = {
    ("POST", "/<object>/<target>/batch/read"): linking.batch_read,
    ("POST", "/<object>/<target>/batch/create"): linking.batch_create,
}
_RECORDS = [*_OBJECTS.items(), *_LINKS.items()]
_ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    **{(verb, f"/crm/objects/<version>/<object>{path}"): do for (verb, path), do in _RECORDS},
    **{(verb, f"/crm/<version>/objects/<object>{path}"): do for (verb, path), do in _RECORDS},
    **{(verb, f"/crm/associations/<version>{path}"): do for (verb, path), do in _BATCHES.items()},
    **{(verb, f"/crm/<version>/associations{path}"): do for (verb, path), do in _BATCHES.items()},
    ("GET", "/crm/properties/<version>/<object>"): account.properties,
    ("GET", "/crm/<version>/properties/<object>"): account.properties,
    ("GET", "/account-info/<version>/details"): account.details,
    ("GET", "/account-info/<version>/api-usage/daily/private-apps"): account.usage,
}
_JOURNAL: dict[tuple[str, str], tuple[Endpoint, str]] = {
    **{
        ("GET", f"/webhooks-journal/{journal}/<version>{path}"): (do, following.READ)
        for journal in ("journal", "journal-local")
        for path, do in {
            "/earliest": following.earliest,
            "/latest": following.latest,
            "/offset/<offset>/next": following.following,
            "/batch/<offset>/next/<count>": following.batch_following,
            "/batch/earliest/<count>": following.batch_earliest,
        }.items()
    },
    ("GET", "/webhooks-journal/subscriptions/<version>"): (following.subscriptions, following.LIST),
    ("POST", "/webhooks-journal/subscriptions/<version>"): (following.subscribe, following.MANAGE),
    ("DELETE", "/webhooks-journal/subscriptions/<version>/<id>"): (following.unsubscribe, following.MANAGE),
}
"""Endpoints for an app itself, which count towards no limit of the account, and the scope that each needs."""
_ENDPOINTS |= {route: do for route, (do, _) in _JOURNAL.items()}
_TOKEN = "/oauth/<version>/token"
_FILE = "/journal-files/<offset>"
_LEGACY = ["v1", "v3", "v4"]
MIGRATING = 477


class HubSpot:
    """One portal behind its API."""

    name = "hubspot"
    routes = Map(
        [Rule(path, methods=[method], endpoint=f"{method} {path}") for method, path in _ENDPOINTS]
        + [Rule(_TOKEN, methods=["POST"], endpoint="token"), Rule(_FILE, methods=["GET"], endpoint="file")],
        strict_slashes=False,
        redirect_defaults=False,
        merge_slashes=False,
    )

    def __init__(self, schema: Schema, store: Store, *, clock: VirtualClock, faults: FaultPlan) -> None:
        self.crm = Crm(schema, store, clock=clock, faults=faults)
        tokens = Tokens(clock, schema.portal, seconds=schema.behaviour.token_seconds)
        self.api = Api(self.crm, tokens, Limits(clock, schema.behaviour, zone=schema.portal.time_zone))
        self.migrating_seconds = 0
        self._answers = 0

    def answer(self, request: Request, endpoint: str, arguments: Mapping[str, Any]) -> Response:
        try:
            if endpoint == "token":
                return self._token(request).response()
            if endpoint == "file":
                proof = request.headers.get("Authorization", "")
                return following.file(self.api, request.args, authorization=proof, **arguments).response()
            return self._answer(request, endpoint, arguments).response()
        except Refusal as refusal:
            return self._refused(refusal).response()

    def unknown(self, request: Request, error: HTTPException) -> Response:
        status = 405 if isinstance(error, MethodNotAllowed) else 404
        message = "Method not allowed" if status == 405 else "resource not found"
        return Answer({"status": "error", "message": message, "correlationId": self._correlation()}, status).response()

    def expire_tokens(self) -> None:
        self.api.tokens.expire()

    def admin(self, action: str, body: Any) -> Any:
        """merge, restore, purge, alter, portal, index_lag, limits, migrating."""
        try:
            return self._administer(action, body or {})
        except Refusal as refusal:
            raise ValueError(f"{refusal.category}: {refusal.message}") from refusal

    def _answer(self, request: Request, endpoint: str, arguments: Mapping[str, Any]) -> Answer:
        method, _, path = endpoint.partition(" ")
        perform = _ENDPOINTS[method, path]
        is_search = perform is search
        self._check_version(arguments["version"], path)
        if self.migrating_seconds:
            message = "This account is being moved to another data center"
            headers = {"Retry-After": str(self.migrating_seconds)}
            raise Refusal("MIGRATION_IN_PROGRESS", message, status=MIGRATING, headers=headers)
        _, scope = _JOURNAL.get((method, path), (None, ""))
        self.api.tokens.check(request.headers.get("Authorization", ""), scope=scope)
        if not scope:
            self.api.limits.use(search=is_search)
        if request.get_data() and request.mimetype != "application/json":
            raise Refusal("VALIDATION_ERROR", f"Content type not supported: {request.mimetype or 'none'}", status=415)
        headers = {} if is_search or scope else self.api.limits.headers()
        try:
            answer = perform(self.api, call_of(request, arguments))
        except KeyError as error:
            raise unreadable(f"Some required fields were not set: [{error.args[0]}]") from error
        except Refusal as refusal:
            refusal.headers |= headers
            raise
        return replace(answer, headers={**answer.headers, **headers})

    def _refused(self, refusal: Refusal) -> Answer:
        return Answer(refusal.body(self._correlation()), refusal.status, refusal.headers)

    def _correlation(self) -> str:
        self._answers += 1
        return str(UUID(int=self._answers))

    def _check_version(self, version: str, path: str) -> None:
        """Older versions stand before the name of the API in a path, dated ones behind it; elsewhere both do."""
        dated = self.crm.schema.behaviour.versions
        is_legacy, is_crm = path.startswith("/crm/<version>"), path.startswith("/crm/")
        if version in (_LEGACY if is_legacy else dated if is_crm else [*_LEGACY, *dated]):
            return
        if re.fullmatch(r"\d{4}-\d{2}", version) and version < min(dated):
            message = f"API version {version} is no longer supported"
            raise Refusal("UNSUPPORTED_VERSION", message, status=self.crm.schema.behaviour.retired_status)
        raise Refusal("NOT_FOUND", f"There is no version {version}", status=404)

    def _token(self, request: Request) -> Answer:
        portal, form = self.crm.schema.portal, request.form
        self._check_version(request.path.split("/")[2], _TOKEN)
        if form.get("grant_type") not in ("refresh_token", "client_credentials"):
            return _oauth_error("UNSUPPORTED_GRANT_TYPE", "grant type is not supported")
        if form.get("client_id") != portal.client_id or form.get("client_secret") != portal.client_secret:
            return _oauth_error("BAD_CLIENT_CREDENTIALS", "missing or unknown client id or secret")
        if form["grant_type"] == "client_credentials":
            return self._app_token(form.get("scope", "").split())
        if form.get("refresh_token") != portal.refresh_token:
            return _oauth_error("BAD_REFRESH_TOKEN", "missing or unknown refresh token")
        told = {"access_token": self.api.tokens.issue(), "refresh_token": portal.refresh_token, "token_type": "bearer"}
        owner = {"hub_id": portal.id, "user_id": 1, "scopes": ["oauth"], "token_use": "access_token"}
        return Answer({**told, "expires_in": self.api.tokens.seconds, **owner})

    def _app_token(self, scopes: Sequence[str]) -> Answer:
        """A token of the app itself, for what no portal gives."""
        if not scopes or not all(each.startswith("developer.") for each in scopes):
            return _oauth_error("BAD_SCOPES", "an app itself has developer scopes only")
        told = {"access_token": self.api.tokens.issue(scopes), "token_type": "bearer", "scopes": list(scopes)}
        return Answer({**told, "expires_in": self.api.tokens.seconds, "token_use": "client_credentials"})

    def _administer(self, action: str, given: Mapping[str, Any]) -> Any:
        match action:
            case "merge" | "restore" | "purge":
                return self._keep_house(action, given)
            case "alter":
                self.crm.alter(given["object"], given["property"], given["changes"])
            case "portal":
                self.crm.adopt(self.crm.schema.of_portal(int(given["id"])))
            case "index_lag":
                self.crm.index.lag_seconds = float(given["seconds"])
            case "migrating":
                self.migrating_seconds = int(given["seconds"])
            case "limits":
                self.api.limits.daily = int(given.get("daily", self.api.limits.daily))
                self.api.limits.spend(int(given.get("used", 0)))
            case _:
                raise ValueError(f"an administrator can't {action!r} here")
        return {"done": action}

    def _keep_house(self, action: str, given: Mapping[str, Any]) -> Any:
        thing = self.crm.schema.objects[given["object"]]
        if action == "merge":
            return {"id": self.crm.merge(thing, given["primary"], given["other"])["id"]}
        for record_id in given["ids"]:
            (self.crm.restore if action == "restore" else self.crm.purge)(thing, record_id)
        return {"done": action}


def open_vendor(store: Store, *, clock: VirtualClock, faults: FaultPlan, schema: Schema | None = None) -> HubSpot:
    """The stand-in over a store; `schema` is another portal than the one in `portal.toml`."""
    return HubSpot(schema or load_schema(), store, clock=clock, faults=faults)


def _oauth_error(status: str, message: str) -> Answer:
    return Answer({"status": status, "message": message, "error": status.lower(), "error_description": message}, 400)
