"""Speaks JSON-RPC to one Tryton database: logs in, keeps the session, and sends calls with its context."""

from __future__ import annotations

import base64
import random
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import msgspec
import requests

from sync_pipelines.clock import Clock
from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.errors import FixConfiguration, RetryLater, SetAside, SyncError
from sync_pipelines.systems.auth import TOKEN_TIMEOUT, as_is
from sync_pipelines.systems.http import Wire, pooled_session
from sync_pipelines.systems.tryton.answer import classify
from sync_pipelines.systems.tryton.value import encode

LANGUAGE = "en"
"""Messages come in this language, whatever the user's own: they are told apart by their text."""

ATTEMPTS_FORGOTTEN = 300.0
"""Seconds after which Tryton forgets failed log-ins (its `session` setting `timeout`, as shipped)."""

_KEPT = ("company", "company_filter", "employee", "groups")
"""What calls depend on of their user, in its own record under the same names as in its preferences."""
_OF_COMPANY = ("company.party.code", "company.create_date")


class _Login(msgspec.Struct):
    result: tuple[int, str, Any] | None = None


class PasswordLogin:
    """The session of `common.db.login`, shared by all threads until the server refuses it."""

    def __init__(self, system: str, url: str, user: str, password: str, *, session: requests.Session) -> None:
        self._system = system
        self._url = f"{url.rstrip('/')}/rpc/"
        self._user = user
        self._password = password
        self._session = session
        self._token: str | None = None
        self._user_id: int | None = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"PasswordLogin({self._system!r}, <hidden>)"

    def headers(self, session: requests.Session) -> Mapping[str, str]:
        with self._lock:
            if self._token is None:
                self._user_id, self._token = self._login()
            return {"Authorization": f"Session {self._token}"}

    @property
    def user_id(self) -> int | None:
        """The user behind the session, once it has logged in."""
        return self._user_id

    def renew(self) -> None:
        with self._lock:
            self._token = None

    def _login(self) -> tuple[int, str]:
        call = {"id": 0, "method": "common.db.login", "params": [self._user, {"password": self._password}, LANGUAGE]}
        try:
            response = self._session.post(
                self._url, json=call, timeout=TOKEN_TIMEOUT, allow_redirects=False, auth=as_is
            )
        except requests.RequestException as error:
            raise RetryLater(
                f"{self._system} can't be reached to log in ({type(error).__name__}): "
                f"check that it is up and that url of [systems.{self._system}] is right"
            ) from None
        if response.status_code != 200:
            raise self._refusal(response.status_code)
        try:
            answer = msgspec.json.decode(response.content, type=_Login).result
        except msgspec.MsgspecError:
            answer = None
        if answer is None:
            raise FixConfiguration(
                f"{self._system} does not let the user log in by password: check [systems.{self._system}]"
            )
        token = f"{self._user}:{answer[0]}:{answer[1]}"
        return answer[0], base64.b64encode(token.encode()).decode()

    def _refusal(self, status: int) -> SyncError:
        if status == 404:
            return FixConfiguration(
                f"{self._system} has no such database: url of [systems.{self._system}] ends with its name"
            )
        if status == 429:
            message = f"{self._system} refuses log-ins for a while after too many failed ones"
            return RetryLater(message, after=ATTEMPTS_FORGOTTEN)
        if status >= 500:
            return RetryLater(f"{self._system} lets nobody log in now (HTTP {status})")
        return FixConfiguration(
            f"{self._system} refuses the credentials (HTTP {status}): "
            f"check user and password of [systems.{self._system}] and their environment variables"
        )


class Server:
    """One database behind one user. A call is one transaction: it happens whole or not at all."""

    def __init__(
        self,
        settings: SystemSettings,
        *,
        clock: Clock,
        session: requests.Session | None = None,
        rng: random.Random | None = None,
    ) -> None:
        session = session or pooled_session(settings.concurrency)
        user, password = settings.option("user"), settings.option("password")
        auth = PasswordLogin(settings.name, settings.url, user, password, session=session)
        self._auth = auth
        self._user = user
        self.name = settings.name
        self.database = settings.url.rstrip("/").rpartition("/")[2]
        self.wire = Wire(settings, clock=clock, auth=auth, classify=classify, session=session, rng=rng)
        self._context: Mapping[str, Any] | None = None

    def ask(self, object: str, verb: str, *params: Any, context: Mapping[str, Any] | None = None) -> bytes:
        """The answer to a question that changes nothing; archived records are not left out."""
        return self._ask(object, verb, *params, {**self.context(), "active_test": False, **(context or {})})

    def _ask(self, object: str, verb: str, *params: Any) -> bytes:
        try:
            return self._send(f"model.{object}.{verb}", list(params), safe=True)
        except SetAside as error:
            raise FixConfiguration(
                f"{self.name} does not answer {verb} of {object} ({error}): "
                f"check the rights of the user of [systems.{self.name}] and mappings/tryton"
            ) from None

    def tell(self, object: str, verb: str, *params: Any, context: Mapping[str, Any] | None = None) -> Any:
        """Change something; the decoded result. `InDoubt` when no answer says whether it happened."""
        full = {**self.context(), **(context or {})}
        return self.result(self._send(f"model.{object}.{verb}", [*params, full], safe=False))

    def walk(self, wizard: str, state: str, data: Mapping[str, Any], *, model: str, record_id: int) -> None:
        """Go through a wizard over one record: open it, carry out a state with its data, close it.

        Only the second call changes the record. `InDoubt` when no answer says whether it did.
        """
        over = {"active_model": model, "active_id": record_id, "active_ids": [record_id]}
        context = {**self.context(), **over}
        session, *_ = self.result(self._send(f"wizard.{wizard}.create", [context], safe=False))
        self.result(self._send(f"wizard.{wizard}.execute", [session, data, state, context], safe=False))
        with suppress(SyncError):  # it is done, and a wizard that stays open harms nobody
            self._send(f"wizard.{wizard}.delete", [session, context], safe=False)

    @staticmethod
    def result(body: bytes) -> Any:
        """What an answer carries, parsed."""
        return msgspec.json.decode(body)["result"]

    def company(self) -> Mapping[str, Any]:
        """`create_date` and `party.` with its `code` of the company that the user belongs to, asked anew.

        One call, of the user's own record: users and companies may be read by every user (trytond 8.0, `res/user.xml`,
        `modules/company/company.xml`).
        """
        by_login = [[["login", "=", self._user]], 0, None, None, [*_KEPT, *_OF_COMPANY]]
        users = self.result(self._ask("res.user", "search_read", *by_login, {"language": LANGUAGE}))
        if not users or not users[0]["company"]:
            raise FixConfiguration(f"the user of [systems.{self.name}] belongs to no company: give it one in Tryton")
        (user,) = users
        kept = {key: user[key] for key in _KEPT if user[key] is not None}
        self._context = {**kept, "language": LANGUAGE}
        company: Mapping[str, Any] = user["company."]
        return company

    def context(self) -> Mapping[str, Any]:
        """The company and employee on whose behalf the user acts."""
        if self._context is None:
            self.company()
        return self._context or {}

    def user_id(self) -> int | None:
        """The user on whose behalf calls are made."""
        self.context()
        return self._auth.user_id

    def _send(self, method: str, params: list[Any], *, safe: bool) -> bytes:
        call = {"id": 1, "method": method, "params": encode(params)}
        return self.wire.call("POST", "rpc/", route=method, safe=safe, json=call).content
