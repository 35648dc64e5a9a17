"""The wire shared by all adapters: sends one call, retries where that is safe, and names what went wrong."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from sync_pipelines.clock import Clock
from sync_pipelines.engine.port import Calls
from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.errors import FixConfiguration, InDoubt, MalformedPage, RetryLater, Stop, SyncError
from sync_pipelines.systems.auth import Auth, Signer, as_is
from sync_pipelines.systems.budget import Budget, RetryBudget, Usage

Classify = Callable[[requests.Response], SyncError | None]
"""Turns a vendor's error answer into the error that says what to do.

None means that the answer is fine as it is, except with a status of 500 or more: that one is unexplained.
"""

_NO_BODY = frozenset({204, 205, 304})
_ACCEPTED = 202
"""The system will do it later: it may say more, or nothing."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CLOSING = {ord("{"): ord("}"), ord("["): ord("]"), ord('"'): ord('"')}


@dataclass(frozen=True, slots=True)
class Patience:
    """How long and how often a safe call is repeated before the engine is asked to come back later."""

    attempts: int = 5
    first_seconds: float = 0.5
    most_seconds: float = 20.0
    """The longest single wait; a system that asks for more is left to the engine."""
    timeout: tuple[float, float] = (5.0, 120.0)
    """Seconds to connect, and between two bytes of the answer."""


class _Lost(Exception):
    """A call left and no answer says what became of it."""


class Wire:
    """One system's connection: authorises, paces, counts, retries and classifies calls.

    Errors: `FixConfiguration` for credentials, addresses and certificates; `RetryLater` when nothing was
    committed; `InDoubt` when a write may have been; `MalformedPage` for a body that stays unreadable.
    `base_url` gives the address that paths are joined to; a full address must be of the same origin, so
    that no answer can send credentials elsewhere. `calls` counts for another wire of the same system too.
    """

    def __init__(
        self,
        settings: SystemSettings,
        *,
        clock: Clock,
        auth: Auth,
        classify: Classify,
        correlation_header: str = "",
        session: requests.Session | None = None,
        base_url: Callable[[], str] | None = None,
        usage_of: Callable[[requests.Response], Usage | None] = lambda response: None,
        rng: random.Random | None = None,
        patience: Patience | None = None,
        calls: Calls | None = None,
    ) -> None:
        self.name = settings.name
        self.session = session or pooled_session(settings.concurrency)
        self.calls = calls or Calls()
        self.budget = Budget(settings.name, settings.calls_per_second, settings.concurrency, clock=clock)
        self._clock = clock
        self._auth = auth
        self._classify = classify
        self._correlation_header = correlation_header
        self._base_url = base_url or (lambda: settings.url)
        self._usage_of = usage_of
        self._rng = rng or random.Random()
        self._patience = patience or Patience(attempts=settings.attempts)
        self._retries = RetryBudget()
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Wire({self.name!r})"

    def call(
        self,
        method: str,
        path_or_url: str,
        *,
        route: str,
        safe: bool,
        writes: bool = False,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        form: Any = None,
        headers: Mapping[str, str] | None = None,
        correlation_id: str = "",
    ) -> requests.Response:
        """Send one call and return its answer, which `classify` found fine.

        `route` is the call's template ("GET /sobjects/{T}/describe"), under which it is counted.
        `safe` calls (reads, and writes the system recognises when repeated) are repeated with back-off
        after a lost answer or an outage; others are repeated only when the system said that it did nothing.
        `writes` marks a safe call that changes something: if its answers stay lost, it is `InDoubt`.
        """
        marked = dict(headers or {})
        if correlation_id and self._correlation_header:
            marked[self._correlation_header] = correlation_id
        body = {"params": params, "json": json, "data": form}
        send = partial(self._send, method, path_or_url, route=route, headers=marked, body=body)
        attempt, lost = 0, False
        while True:
            attempt += 1
            try:
                response = self._exchange(send, route=route)
            except (_Lost, MalformedPage) as error:
                lost = True
                if not safe:
                    raise InDoubt(f"{error}; read back before sending it again") from None
                failure: SyncError = error if isinstance(error, MalformedPage) else RetryLater(str(error))
            except RetryLater as error:
                failure = error
            else:
                self._retries.earn()
                return response
            if not self._may_repeat(attempt, failure):
                if writes and lost:
                    raise InDoubt(f"{failure}; read back before sending it again") from None
                raise failure from None

    def _exchange(self, send: Callable[[], requests.Response], *, route: str) -> requests.Response:
        """One attempt, with the credentials renewed once if the system no longer takes them."""
        response = send()
        if response.status_code == 401:
            self._auth.renew()
            response = send()
        self._check(response, route=route)
        return response

    def _may_repeat(self, attempt: int, failure: SyncError) -> bool:
        """Wait and say yes, or say no when patience or the budget for retries is used up."""
        patience = self._patience
        ceiling = min(patience.most_seconds, patience.first_seconds * 2 ** (attempt - 1))
        asked = failure.after if isinstance(failure, RetryLater) else None
        wait = self._rng.uniform(ceiling / 2, ceiling) if asked is None else asked
        if attempt >= patience.attempts or wait > patience.most_seconds or not self._retries.spend():
            return False
        self._clock.sleep(wait)
        return True

    def _send(
        self, method: str, path_or_url: str, *, route: str, headers: Mapping[str, str], body: dict[str, Any]
    ) -> requests.Response:
        url = self._address(path_or_url)
        authorised = {"Accept": "application/json", **self._auth.headers(self.session), **headers}
        with self.budget.slot():
            with self._lock:
                self.calls.count(route)
            try:
                response = self.session.request(
                    method,
                    url,
                    headers=authorised,
                    timeout=self._patience.timeout,
                    allow_redirects=False,
                    auth=self._auth.sign if isinstance(self._auth, Signer) else as_is,
                    **body,
                )
            except requests.RequestException as error:
                raise self._transport_error(error, route) from None
        self.budget.observe(self._usage_of(response))
        return response

    def _address(self, path_or_url: str) -> str:
        base = self._base_url().rstrip("/")
        if "://" not in path_or_url:
            return f"{base}/{path_or_url.lstrip('/')}" if path_or_url else base
        if urlsplit(path_or_url)[:2] != urlsplit(base)[:2]:
            raise Stop(f"{self.name} names an address outside {_origin(base)}: no credentials are sent there")
        return path_or_url

    def _transport_error(self, error: requests.RequestException, route: str) -> Exception:
        kind = type(error).__name__
        where = f"check that it is up and that url of [systems.{self.name}] is right"
        if isinstance(error, requests.exceptions.SSLError):
            return FixConfiguration(f"{self.name} shows a certificate that is not trusted: {where}")
        if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.MissingSchema):
            return FixConfiguration(f"{self.name} has an address that is none: {where}")
        if never_sent(error):
            return RetryLater(f"{self.name} is down or can't be reached ({kind} at {route}): {where}")
        return _Lost(f"{self.name} gave no whole answer to {route} ({kind})")

    def _check(self, response: requests.Response, *, route: str) -> None:
        """Nothing when the answer is fine; otherwise the error that says what to do."""
        status = response.status_code
        if status in _REDIRECTS:
            target = _origin(response.headers.get("Location", ""))
            raise FixConfiguration(f"{self.name} redirects {route} to {target}: set url of [systems.{self.name}]")
        if _is_page_for_people(response) and (status == 429 or (status == 403 and "Retry-After" in response.headers)):
            raise RetryLater(f"{self.name} asks for patience at {route} (HTTP {status})", after=retry_after(response))
        if _is_page_for_people(response) and 400 <= status < 500 and status != 401:
            raise FixConfiguration(
                f"{self.name} answers {route} with an HTML page (HTTP {status}): "
                f"check that url of [systems.{self.name}] is the address of its API"
            )
        if _is_page_for_people(response) and status != 401:
            raise _Lost(f"{self.name} answered {route} with an HTML page (HTTP {status}): maintenance or a proxy")
        error = self._classify(response)
        if error is not None:
            raise error
        if status == 401:
            raise FixConfiguration(
                f"{self.name} refuses the credentials again after they were renewed: "
                f"check those of [systems.{self.name}]"
            )
        if status >= 500:
            raise _Lost(f"{self.name} failed at {route} (HTTP {status})")
        if status < 400 and not _is_whole(response):
            raise MalformedPage(f"{self.name} answered {route} with a body that is empty or cut off")


def pooled_session(concurrency: int) -> requests.Session:
    """A session that keeps as many connections open as calls may run at once, and never retries by itself."""
    session = requests.Session()
    size = max(1, concurrency)
    adapter = _WholeAnswers(pool_connections=size, pool_maxsize=size, max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    session.headers["User-Agent"] = "sync-pipelines"
    return session


class _WholeAnswers(HTTPAdapter):
    """Reads an answer in one piece: requests asks for 10 KB at a time, which for large pages costs as much again."""

    def build_response(self, req: requests.PreparedRequest, resp: BaseHTTPResponse) -> requests.Response:
        def stream(amt: int | None = None, decode_content: bool | None = None) -> Generator[bytes, None, None]:
            yield resp.read(decode_content=decode_content)

        resp.stream = stream  # type: ignore[method-assign]
        return super().build_response(req, resp)


def never_sent(error: BaseException) -> bool:
    """Whether the failure came before anything of the call could have reached the system."""
    seen: set[int] = set()
    stack: list[object] = [error]
    while stack:
        item = stack.pop()
        if not isinstance(item, BaseException) or id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, NewConnectionError | ConnectTimeoutError | ConnectionRefusedError):
            return True
        stack += [*item.args, item.__cause__, item.__context__, getattr(item, "reason", None)]
    return isinstance(error, requests.exceptions.ConnectTimeout)


def retry_after(response: requests.Response) -> float | None:
    """Seconds of a `Retry-After` header: a number, or a date as the server's own clock sees it; else None."""
    asked = response.headers.get("Retry-After", "")
    if asked.replace(".", "", 1).isdecimal():
        return float(asked)
    try:
        until, now = (parsedate_to_datetime(text) for text in (asked, response.headers.get("Date", "")))
        return max(0.0, (until - now).total_seconds())
    except (TypeError, ValueError):
        return None


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}" if parts.hostname else "another address"


def _is_page_for_people(response: requests.Response) -> bool:
    return "html" in response.headers.get("Content-Type", "") or response.content[:64].lstrip()[:1] == b"<"


def _is_whole(response: requests.Response) -> bool:
    """Whether a body that should be JSON is there and closes what it opens."""
    if response.status_code in _NO_BODY:
        return True
    body = response.content.strip()
    if not body:
        return response.status_code == _ACCEPTED
    return body[0] not in _CLOSING or (len(body) > 1 and body[-1] == _CLOSING[body[0]])
