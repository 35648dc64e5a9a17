"""Who may pass: log-ins by password, their sessions, and the patience with wrong passwords."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.tryton.database import ADMINISTRATOR
from sync_pipelines.sandbox.tryton.founding import LOGIN

PASSWORD = "admin-sandbox"
ATTEMPTS_MAX = 5
FORGIVEN_AFTER = timedelta(seconds=300)
FRESH_FOR = timedelta(seconds=300)
"""After a longer silence a session must log in again before it posts an invoice."""
LIFE_MAX = timedelta(days=30)


@dataclass
class Session:
    token: str
    born: datetime
    used: datetime


class Sessions:
    """The open sessions, and the wrong passwords of the last minutes; a restart forgets both."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._open: dict[str, Session] = {}
        self._wrong: dict[str, list[datetime]] = {}
        self._issued = 0

    def is_barred(self, login: str) -> bool:
        """Too many wrong passwords: even the right one is refused for a while."""
        since = self._clock.now() - FORGIVEN_AFTER
        self._wrong[login] = [at for at in self._wrong.get(login, ()) if at > since]
        return len(self._wrong[login]) > ATTEMPTS_MAX

    def open(self, login: str, password: str) -> str | None:
        """The token of a new session; None for wrong credentials."""
        if not self.is_right(login, password):
            return None
        self._issued += 1
        token = hashlib.sha256(f"{login} {self._issued} {self._clock.now()}".encode()).hexdigest()
        self._open[token] = Session(token, self._clock.now(), self._clock.now())
        return token

    def is_right(self, login: str, password: str) -> bool:
        right = login == LOGIN and password == PASSWORD
        if right:
            self._wrong.pop(login, None)
        else:
            self._wrong.setdefault(login, []).append(self._clock.now())
        return right

    def find(self, header: str) -> Session | None:
        """The session that an `Authorization` header names."""
        kind, _, value = header.partition(" ")
        try:
            words = base64.b64decode(value).decode().split(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        if kind.lower() == "basic" and len(words) == 2 and self.is_right(*words):
            return Session("", self._clock.now(), self._clock.now())
        if kind.lower() != "session" or len(words) != 3 or words[1] != str(ADMINISTRATOR):
            return None
        found = self._open.get(words[2])
        return found if found is not None and self._clock.now() - found.born < LIFE_MAX else None

    def is_fresh(self, session: Session) -> bool:
        return self._clock.now() - session.used <= FRESH_FOR

    def use(self, session: Session) -> None:
        session.used = self._clock.now()

    def remove(self, session: Session) -> None:
        self._open.pop(session.token, None)

    def expire(self) -> None:
        self._open.clear()
