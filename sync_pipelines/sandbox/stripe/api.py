"""The API as a vendor of the sandbox kit: authentication, version, limits, idempotency, then a route."""

from __future__ import annotations

import base64
import binascii
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request, Response

from sync_pipelines.sandbox.app import route_map
from sync_pipelines.sandbox.faults import FaultPlan
from sync_pipelines.sandbox.stripe import form
from sync_pipelines.sandbox.stripe.account import Account, Origin
from sync_pipelines.sandbox.stripe.idempotency import LONGEST_KEY, Answer, KeyRing, fingerprint, in_use
from sync_pipelines.sandbox.stripe.identifier import identifier
from sync_pipelines.sandbox.stripe.refusal import API_ERROR, RATE_LIMITED, Refusal
from sync_pipelines.sandbox.stripe.route import Call, Route
from sync_pipelines.sandbox.stripe.view import Expansion, Include

_FORM = "application/x-www-form-urlencoded"
Administer = Callable[[Any], Any]


class StripeApi:
    """Answers requests for one account.

    Beside the kit's faults it asks the plan, with kind "row", for "begin METHOD /path" (the write fails
    with nothing done) and "commit METHOD /path" (it is done, and the answer is an error all the same).
    Either answer is kept under the idempotency key, as Stripe keeps the answer of any execution.
    """

    name = "stripe"

    def __init__(
        self,
        account: Account,
        *,
        routes: tuple[Route, ...],
        includes: Mapping[tuple[str, str], Include],
        actions: Mapping[str, Administer],
        faults: FaultPlan,
    ) -> None:
        self.account = account
        self.routes = route_map(tuple((each.method, each.rule) for each in routes))
        self._routes = {each.endpoint: each for each in routes}
        self._expansion = Expansion(account, includes=includes)
        self._actions = actions
        self._faults = faults
        self._keys = KeyRing(account.store)
        self._arrivals: deque[float] = deque()
        self._requests = 0

    def answer(self, request: Request, endpoint: str, arguments: Mapping[str, Any]) -> Response:
        request_id = self._request_id()
        try:
            self._admit(request)
            answer = self._answer(request, self._routes[endpoint], ids=arguments, request_id=request_id)
        except Refusal as refusal:
            answer = Answer(refusal.status, refusal.body())
        return self._response(request, answer, request_id)

    def unknown(self, request: Request, error: HTTPException) -> Response:
        request_id = self._request_id()
        try:
            self._authenticate(request)
            raise Refusal(
                f"Unrecognized request URL ({request.method}: {request.path}). Please see "
                "https://stripe.com/docs or we can help at https://support.stripe.com/.",
                status=404,
            )
        except Refusal as refusal:
            return self._response(request, Answer(refusal.status, refusal.body()), request_id)

    def expire_tokens(self) -> None:
        """Every key expires and stays so until the settings name keys again."""
        settings = self.account.settings
        self.account.set_up(keys=(), expired_keys=(*settings.expired_keys, *settings.keys))

    def admin(self, action: str, body: Any) -> Any:
        if action == "settings":
            return self.account.set_up(**(body or {}))
        if action not in self._actions:
            known = ", ".join(sorted(("settings", *self._actions)))
            raise LookupError(f"no action {action!r}; there are: {known}")
        return self._actions[action](body)

    @contextmanager
    def receive(self, request: Request) -> Iterator[Response | None]:
        """Notice a write before it waits: a second one with the same key is answered at once."""
        key = request.headers.get("Idempotency-Key", "") if request.method == "POST" else ""
        if not key:
            yield None
            return
        with self._keys.flight(key) as free:
            refused = Answer(409, in_use(key).body())
            yield None if free else self._response(request, refused, self._request_id())

    def _admit(self, request: Request) -> None:
        self._authenticate(request)
        settings = self.account.settings
        version = request.headers.get("Stripe-Version")
        if version is not None and version not in settings.versions:
            raise Refusal(f"Invalid Stripe API version: {version}")
        asked = request.headers.get("Stripe-Account", settings.account)
        if asked != settings.account:
            raise Refusal(
                f"The provided key does not have access to account '{asked}' (or that account does not "
                "exist). Application access may have been revoked.",
                status=403,
                code="account_invalid",
            )

    def _authenticate(self, request: Request) -> None:
        key, settings = _api_key(request), self.account.settings
        if not key:
            raise Refusal(
                "You did not provide an API key. You need to provide your API key in the Authorization "
                "header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See "
                "https://stripe.com/docs/api#authentication for details, or we can help at "
                "https://support.stripe.com/.",
                status=401,
            )
        if key in settings.expired_keys:
            raise Refusal(f"Expired API Key provided: {_masked(key)}", status=401, code="api_key_expired")
        if key not in settings.keys:
            raise Refusal(f"Invalid API Key provided: {_masked(key)}", status=401)

    def _answer(self, request: Request, route: Route, *, ids: Mapping[str, str], request_id: str) -> Answer:
        if self._limited():
            return Answer(429, RATE_LIMITED)
        key = request.headers.get("Idempotency-Key", "") if route.method == "POST" else ""
        if len(key) > LONGEST_KEY:
            raise Refusal(f"Idempotency keys can have at most {LONGEST_KEY} characters.")
        given = _form(request)
        mark, now = fingerprint(route.method, request.path, given), self.account.now()
        kept = self._keys.replay(key, mark, now) if key else None
        if kept is not None:
            return kept
        call = Call(self.account, ids, route.read(given))
        self.account.origin = Origin(request_id, key or None)
        with self.account.store.transaction():
            answer = self._execute(route, call, path=request.path, request_id=request_id)
            if key:
                self._keys.keep(key, mark, answer, now=now)
        return answer

    def _execute(self, route: Route, call: Call, *, path: str, request_id: str) -> Answer:
        subject = f"{route.method} {path}"
        writes = route.method != "GET"
        begun = self._faults.row(f"begin {subject}") if writes else None
        if begun is not None:
            return Answer(begun.status, begun.body or API_ERROR, request_id)
        try:
            with self.account.store.transaction():
                body = route.run(call)
                body = self._expansion.expand(body, call.given.get("expand", ()))
        except Refusal as refusal:
            return Answer(refusal.status, refusal.body(), request_id)
        committed = self._faults.row(f"commit {subject}") if writes else None
        if committed is not None:
            return Answer(committed.status, committed.body or API_ERROR, request_id)
        return Answer(200, body, request_id)

    def _limited(self) -> bool:
        limit, now = self.account.settings.calls_per_second, self.account.clock.now().timestamp()
        while self._arrivals and self._arrivals[0] <= now - 1:
            self._arrivals.popleft()
        if limit and len(self._arrivals) >= limit:
            return True
        self._arrivals.append(now)
        return False

    def _response(self, request: Request, answer: Answer, request_id: str) -> Response:
        headers = {"Request-Id": request_id, "Stripe-Version": self._version(request)}
        key = request.headers.get("Idempotency-Key")
        if key:
            headers["Idempotency-Key"] = key
        if answer.replayed:
            headers["Idempotent-Replayed"] = "true"
            headers["Original-Request"] = answer.request_id
        if answer.status == 401:
            headers["WWW-Authenticate"] = 'Bearer realm="Stripe"'
        if answer.status == 409:
            headers["Stripe-Should-Retry"] = "true"
        if answer.status == 429:
            headers["Stripe-Rate-Limited-Reason"] = "global-rate"
        return Response(msgspec.json.encode(answer.body), answer.status, headers, mimetype="application/json")

    def _version(self, request: Request) -> str:
        return request.headers.get("Stripe-Version") or self.account.settings.versions[0]

    def _request_id(self) -> str:
        self._requests += 1
        return identifier("request", self.account.settings.seed, self._requests, self.account.now())


def _api_key(request: Request) -> str:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""


def _masked(key: str) -> str:
    return key[:8] + "*" * max(0, len(key) - 12) + key[-4:]


def _form(request: Request) -> dict[str, Any]:
    """Parameters of the query string and the body together."""
    body = request.get_data(as_text=True)
    if body and request.mimetype != _FORM:
        raise form.malformed(f"(a body of type {request.mimetype or 'unknown'})")
    query = request.query_string.decode()
    return form.decode("&".join(part for part in (query, body) if part))
