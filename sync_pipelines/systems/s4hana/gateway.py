"""The way into the system: addresses of services, and the session with its token that a change needs."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from urllib.parse import quote, urlencode

import requests

from sync_pipelines.errors import FixConfiguration, MalformedPage
from sync_pipelines.systems.http import Wire
from sync_pipelines.systems.s4hana.answer import TOKEN, wants_token

SERVICES = "/sap/opu/odata/sap"
_COOKIE = "SAP_SESSIONID_"


class Gateway:
    """Calls on services. One session and one token serve all threads: a second session would void the first's token."""

    def __init__(self, wire: Wire, *, client: str = "") -> None:
        self._wire = wire
        self._headers = {"sap-client": client} if client else {}
        self._lock = threading.Lock()
        self._token = ""

    def get(
        self, service: str, path: str, query: Mapping[str, str] | None = None, *, accept: str = "application/json"
    ) -> requests.Response:
        """A read; a blank is sent as %20, for not every gateway takes a plus for one."""
        asked = f"?{urlencode(query, quote_via=quote, safe='$,/()')}" if query else ""
        route = f"GET /{service}/{path.partition('(')[0]}"
        headers = {**self._headers, "Accept": accept}
        return self._wire.call("GET", f"{SERVICES}/{service}/{path}{asked}", route=route, safe=True, headers=headers)

    def batch(self, service: str, body: bytes, content_type: str) -> requests.Response:
        """A batch, sent once more only where its token was refused: then nothing of it was done."""
        for is_last in (False, True):
            token = self._known_token(service)
            response = self._wire.call(
                "POST",
                f"{SERVICES}/{service}/$batch",
                route=f"POST /{service}/$batch",
                safe=False,
                form=body,
                headers={**self._headers, TOKEN: token, "Content-Type": content_type, "Accept": "multipart/mixed"},
            )
            if not wants_token(response):
                return response
            self._forget(token)
            if is_last:
                break
        raise FixConfiguration(
            f"{self._wire.name} refuses a token that it has just given: "
            f"check that nothing between strips cookies, and that url of [systems.{self._wire.name}] is one server's"
        )

    def system(self) -> str:
        """System and client ("S4H_100"), as any answer names the cookie of its session after them."""
        if not self._sessions():
            self._known_token("API_BUSINESS_PARTNER")
        names = self._sessions()
        if not names:
            raise MalformedPage(f"{self._wire.name} does not say which system this is: it opened no session")
        return names[-1].removeprefix(_COOKIE)

    def _sessions(self) -> list[str]:
        return [cookie.name for cookie in self._wire.session.cookies if cookie.name.startswith(_COOKIE)]

    def _known_token(self, service: str) -> str:
        with self._lock:
            self._token = self._token or self._fetched(service)
            return self._token

    def _forget(self, token: str) -> None:
        with self._lock:
            self._token = "" if self._token == token else self._token

    def _fetched(self, service: str) -> str:
        headers = {**self._headers, TOKEN: "Fetch"}
        path = f"{SERVICES}/{service}/"
        response = self._wire.call("GET", path, route=f"GET /{service}/", safe=True, headers=headers)
        return str(response.headers.get(TOKEN, ""))
