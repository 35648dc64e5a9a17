"""Who may call: user and password, sessions by cookie, and the token without which a session changes nothing."""

from __future__ import annotations

import base64
import binascii
from hashlib import sha256

from werkzeug.wrappers import Request, Response

from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.s4hana.settings import Settings

HEADER = "x-csrf-token"
_READS = ("GET", "HEAD")


class Sessions:
    """Open sessions by the value of their cookie: the token, and the second of the last call."""

    def __init__(self, settings: Settings, *, clock: VirtualClock) -> None:
        self.settings = settings
        self._clock = clock
        self._open: dict[str, tuple[str, float]] = {}
        self._begun = 0

    def refusal(self, request: Request) -> Response | None:
        """What stands in the way of this call; else its session goes on, or a new one is begun."""
        if not self._is_user(request.headers.get("Authorization", "")):
            page = "<html><head><title>Logon failed</title></head><body><h1>Anmeldung fehlgeschlagen</h1></body></html>"
            return Response(page, 401, {"WWW-Authenticate": 'Basic realm="SAP NetWeaver"'}, mimetype="text/html")
        token = self._token(request)
        if request.method in _READS:
            return None
        if token is None or request.headers.get(HEADER) != token:
            return Response("CSRF token validation failed", 403, {HEADER: "Required"}, mimetype="text/plain")
        return None

    def sign(self, request: Request, response: Response) -> Response:
        """The answer with the cookie of its session, and with the token if it was asked for."""
        session, token = request.cookies.get(self.settings.cookie, ""), self._token(request)
        if token is None:
            session, token = self._begin()
            response.headers.add("Set-Cookie", f"sap-usercontext=sap-client={self.settings.client}; path=/")
            response.headers.add("Set-Cookie", f"{self.settings.cookie}={session}; path=/; HttpOnly")
        self._open[session] = (token, self._clock.now().timestamp())
        if request.method in _READS and request.headers.get(HEADER, "").lower() == "fetch":
            response.headers[HEADER] = token
        return response

    def end(self) -> None:
        self._open.clear()

    def _token(self, request: Request) -> str | None:
        """The token of the session that the request belongs to; None where there is none, or no longer."""
        token, last = self._open.get(request.cookies.get(self.settings.cookie, ""), ("", 0.0))
        lives = self._clock.now().timestamp() - last <= self.settings.session_seconds
        return token if token and lives else None

    def _begin(self) -> tuple[str, str]:
        self._begun += 1
        session, token = (sha256(f"{kind} {self._begun}".encode()).hexdigest()[:32] for kind in ("session", "token"))
        return session, f"{token[:22]}=="

    def _is_user(self, authorization: str) -> bool:
        kind, _, value = authorization.partition(" ")
        try:
            given = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, ValueError):
            return False
        return kind == "Basic" and given == f"{self.settings.user}:{self.settings.password}"
