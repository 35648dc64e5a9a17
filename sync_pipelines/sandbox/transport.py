"""A `requests` transport that calls a stand-in directly: the same wire, no socket, no real waiting."""

from __future__ import annotations

import io
from collections.abc import Mapping
from email.message import Message
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers

from sync_pipelines.sandbox.app import WAIT, Dropped, Sandbox


class InProcess(BaseAdapter):
    """Mount it on a URL prefix; faults surface as the exceptions that a socket would give.

    A delay advances the stand-in's clock when that is virtual and is never waited for. A delay longer
    than the caller's read time-out lets the vendor finish and raises `requests.ReadTimeout`.

    Example: `session.mount("http://crm.test", InProcess(sandbox))`.
    """

    def __init__(self, app: Sandbox) -> None:
        super().__init__()
        self.app = app

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        delays: list[float] = []
        started: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]]) -> None:
            started.extend((status, headers))

        try:
            body = b"".join(self.app({**_environ(request), WAIT: delays.append}, start))
        except Dropped as dropped:
            raise requests.ConnectionError(f"Connection aborted: {dropped}", request=request) from dropped
        self._pass_time(sum(delays), timeout, request)
        return _response(request, started[0], started[1], body)

    def close(self) -> None:
        """There is nothing to close."""

    def _pass_time(self, seconds: float, timeout: Any, request: requests.PreparedRequest) -> None:
        patience = timeout[1] if isinstance(timeout, tuple) else timeout
        if self.app.clock.virtual:
            self.app.clock.advance(min(seconds, patience) if patience else seconds)
        if patience is not None and seconds > patience:
            raise requests.ReadTimeout(f"Read timed out. (read timeout={patience})", request=request)


def _environ(request: requests.PreparedRequest) -> dict[str, Any]:
    url = urlsplit(request.url or "")
    path = unquote(url.path or "/").encode().decode("latin-1")
    body = request.body or b""
    if hasattr(body, "read"):
        body = body.read()
    data = body.encode() if isinstance(body, str) else bytes(body)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": url.query,
        "SERVER_NAME": url.hostname,
        "SERVER_PORT": str(url.port or 80),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": url.scheme,
        "wsgi.input": io.BytesIO(data),
        "wsgi.errors": io.StringIO(),
        "wsgi.input_terminated": True,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    headers = {"Host": url.netloc, **request.headers, "Content-Length": str(len(data))}
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = _text(value)
    return environ


class _Raw(io.BytesIO):
    """The body, with the headers where `requests` looks for cookies."""

    def __init__(self, body: bytes, headers: list[tuple[str, str]]) -> None:
        super().__init__(body)
        message = Message()
        for name, value in headers:
            message[name] = value
        self._original_response = SimpleNamespace(msg=message)


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _response(
    request: requests.PreparedRequest, status: str, headers: list[tuple[str, str]], body: bytes
) -> requests.Response:
    response = requests.Response()
    response.status_code = int(status[:3])
    response.reason = status[4:]
    response.headers = CaseInsensitiveDict(headers)
    response.encoding = get_encoding_from_headers(response.headers)
    response.raw = _Raw(body, headers)
    response.url = request.url or ""
    response.request = request
    return response
