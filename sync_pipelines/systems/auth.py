"""How calls prove who they are; credentials stay in here and never reach a message or a repr."""

from __future__ import annotations

import threading
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol, runtime_checkable

import msgspec
import requests

from sync_pipelines.clock import Clock
from sync_pipelines.errors import FixConfiguration, RetryLater, SyncError

TOKEN_TIMEOUT = (5.0, 30.0)
FRESH_SHARE = 0.95
"""Of its life, how much of a token is used."""


class Auth(Protocol):
    """Supplies the headers that authorise a call."""

    def headers(self, session: requests.Session) -> Mapping[str, str]:
        """Headers for the next call; may fetch a token over the session first."""
        ...

    def renew(self) -> None:
        """The system said 401: forget what was cached, or `FixConfiguration` when nothing can be renewed."""
        ...


@runtime_checkable
class Signer(Protocol):
    """An `Auth` that proves each call by itself, over what the call says."""

    def sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest: ...


class ApiKey:
    """A key that never expires by itself, sent as a bearer token, or as it is in a header of its own."""

    def __init__(self, system: str, key: str, *, setting: str = "api_key", header: str = "") -> None:
        self._system = system
        self._key = key
        self._setting = setting
        self._header = header

    def __repr__(self) -> str:
        return f"ApiKey({self._system!r}, <hidden>)"

    def headers(self, session: requests.Session) -> Mapping[str, str]:
        return {self._header: self._key} if self._header else {"Authorization": f"Bearer {self._key}"}

    def renew(self) -> None:
        raise FixConfiguration(
            f"{self._system} does not accept the key: check {self._setting!r} of [systems.{self._system}]"
        )


class Basic:
    """A user and a password, sent with every call; where a key takes the user's place, the password is empty."""

    def __init__(self, system: str, user: str, password: str = "", *, setting: str = "api_key") -> None:
        self._system = system
        self._pair = b64encode(f"{user}:{password}".encode()).decode()
        self._setting = setting

    def __repr__(self) -> str:
        return f"Basic({self._system!r}, <hidden>)"

    def headers(self, session: requests.Session) -> Mapping[str, str]:
        return {"Authorization": f"Basic {self._pair}"}

    def renew(self) -> None:
        raise FixConfiguration(
            f"{self._system} does not accept the key: check {self._setting!r} of [systems.{self._system}]"
        )


class _Token(msgspec.Struct):
    access_token: str
    instance_url: str = ""
    id: str = ""
    expires_in: float | None = None


ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class ClientCredentials:
    """OAuth 2 client-credentials flow; one token is shared by all threads until the system refuses it.

    `scope` is asked for where it is not empty; with `as_json` the request is no form but a JSON object. A system that
    wants a signed assertion in place of id and secret is given one by `assertion`, fresh for each token. A
    `refresh_token` makes it the flow of that name. With a `clock` a token is renewed shortly before it expires. With
    `as_basic` id and secret go in the header of Basic authentication.
    """

    def __init__(
        self,
        system: str,
        token_url: str,
        client_id: str,
        client_secret: str = "",
        *,
        session: requests.Session,
        scope: str = "",
        as_json: bool = False,
        assertion: Callable[[], str] | None = None,
        refresh_token: str = "",
        clock: Clock | None = None,
        as_basic: bool = False,
    ) -> None:
        self._system = system
        self._as_basic = as_basic
        self._token_url = token_url
        self._client_id = client_id
        self._client_secret = client_secret
        self._session = session
        self._scope = scope
        self._as_json = as_json
        self._assertion = assertion
        self._refresh_token = refresh_token
        self._clock = clock
        self._until: datetime | None = None
        self._token: _Token | None = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"ClientCredentials({self._system!r}, <hidden>)"

    def headers(self, session: requests.Session) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self._current().access_token}"}

    def instance_url(self) -> str:
        """Where the token says that data calls go."""
        return self._current().instance_url

    def identity(self) -> str:
        """Whose token it is, where the system tells it: Salesforce gives an address that ends with org and user.

        Told once for each token: later somebody else may be behind it.
        """
        token = self._current()
        with self._lock:
            told, token.id = token.id, ""
        return told

    def renew(self) -> None:
        with self._lock:
            self._token = None

    def _current(self) -> _Token:
        with self._lock:
            if self._token is None or self._is_spent():
                self._token = self._fetch()
                self._until = self._end_of(self._token)
            return self._token

    def _is_spent(self) -> bool:
        return self._clock is not None and self._until is not None and self._clock.now() >= self._until

    def _end_of(self, token: _Token) -> datetime | None:
        """When to renew a token that tells how long it lives, a little before that is over."""
        if self._clock is None or token.expires_in is None:
            return None
        return self._clock.now() + timedelta(seconds=token.expires_in * FRESH_SHARE)

    def _fetch(self) -> _Token:
        form = self._form()
        body: dict[str, Any] = {"json": form} if self._as_json else {"data": form}
        auth: Any = (self._client_id, self._client_secret) if self._as_basic else as_is
        try:
            response = self._session.post(
                self._token_url, timeout=TOKEN_TIMEOUT, allow_redirects=False, auth=auth, **body
            )
        except requests.RequestException as error:
            raise RetryLater(self._unreachable(error)) from None
        if response.status_code != 200:
            raise self._refusal(response)
        try:
            return msgspec.json.decode(response.content, type=_Token, strict=False)
        except msgspec.MsgspecError:
            raise RetryLater(f"{self._system} answered a token request with something else") from None

    def _form(self) -> dict[str, str]:
        form = {"grant_type": "client_credentials", **({"scope": self._scope} if self._scope else {})}
        if self._assertion is not None:
            return {**form, "client_assertion_type": ASSERTION, "client_assertion": self._assertion()}
        if self._refresh_token:
            form |= {"grant_type": "refresh_token", "refresh_token": self._refresh_token}
        if self._as_basic:
            return form
        return {**form, "client_id": self._client_id, "client_secret": self._client_secret}

    def _unreachable(self, error: requests.RequestException) -> str:
        return (
            f"{self._system} can't be reached for a token ({type(error).__name__}): "
            f"check that it is up and that url of [systems.{self._system}] is right"
        )

    def _proof(self) -> str:
        if self._assertion is not None:
            return "the certificate and its private key"
        return "client_secret and refresh_token" if self._refresh_token else "client_secret"

    def _refusal(self, response: requests.Response) -> SyncError:
        status = response.status_code
        if status >= 500 or status == 429:
            return RetryLater(f"{self._system} gives no token now (HTTP {status})")
        return FixConfiguration(
            f"{self._system} refuses the credentials (HTTP {status}, {_oauth_error(response)}): "
            f"check client_id and {self._proof()} of [systems.{self._system}] and their environment variables"
        )


class _OAuthError(msgspec.Struct):
    error: str = "no reason given"


def _oauth_error(response: requests.Response) -> str:
    """The OAuth error code, a word from a fixed list; the free description may quote what was sent."""
    try:
        word = msgspec.json.decode(response.content, type=_OAuthError).error
    except msgspec.MsgspecError:
        return "no reason given"
    return word if word.replace("_", "").isalpha() and len(word) <= 40 else "no reason given"


def as_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keeps requests from putting credentials of a .netrc file in place of ours."""
    return request
