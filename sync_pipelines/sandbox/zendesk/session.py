"""Who may call and how often: OAuth tokens, the API token that is going to end, and limits by the minute."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from sync_pipelines.sandbox.zendesk.account import Account
from sync_pipelines.sandbox.zendesk.refusal import Refusal

_REFRESH_SECONDS = 2_592_000
_SHORTEST, _LONGEST = 300, 172_800


class Sessions:
    """Access and refresh tokens; whoever refreshes loses both of the old ones."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self._access: dict[str, int] = {}
        self._refresh: dict[str, tuple[str, int]] = {}
        self._issued = 0

    def grant(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """An answer to `POST /oauth/tokens`."""
        settings = self.account.settings
        if (given.get("client_id"), given.get("client_secret")) != (settings.client_id, settings.client_secret):
            raise _oauth(401, "invalid_client", "Client authentication failed")
        seconds = given.get("expires_in", settings.token_seconds)
        if not isinstance(seconds, int) or not _SHORTEST <= seconds <= _LONGEST:
            raise _oauth(400, "invalid_request", f"expires_in must be from {_SHORTEST} to {_LONGEST}")
        match given.get("grant_type"):
            case "client_credentials":
                return self._issue(seconds, str(given.get("scope", "read write")))
            case "refresh_token":
                access, until = self._refresh.pop(str(given.get("refresh_token")), ("", 0))
                if until <= self.account.seconds():
                    raise _oauth(400, "invalid_grant", "The provided refresh token is invalid")
                self._access.pop(access, None)
                return self._issue(seconds, str(given.get("scope", "read write")))
        raise _oauth(400, "unsupported_grant_type", "The grant type is not supported")

    def check(self, authorization: str) -> None:
        """401 for a token that is not known or has expired."""
        kind, _, value = authorization.partition(" ")
        fits = self._access.get(value, 0) > self.account.seconds() if kind == "Bearer" else self._is_agent(kind, value)
        if not fits:
            raise Refusal(401, {"error": "Couldn't authenticate you"})

    def expire(self) -> None:
        self._access.clear()

    def _is_agent(self, kind: str, value: str) -> bool:
        """Whether these are the agent's address and API token, on a day on which such tokens still work."""
        settings = self.account.settings
        if kind != "Basic" or self.account.clock.now().date() > settings.api_tokens_end:
            return False
        try:
            given = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, ValueError):
            return False
        return given == f"{settings.agent}/token:{settings.api_token}"

    def _issue(self, seconds: int, scope: str) -> dict[str, Any]:
        self._issued += 1
        now, seed = self.account.seconds(), f"{self.account.settings.subdomain} {self._issued}"
        access, refresh = (sha256(f"{kind} {seed}".encode()).hexdigest() for kind in ("access", "refresh"))
        self._access[access] = now + seconds
        self._refresh[refresh] = (access, now + _REFRESH_SECONDS)
        return {
            "access_token": access,
            "token_type": "bearer",
            "scope": scope,
            "expires_in": seconds,
            "refresh_token": refresh,
            "refresh_token_expires_in": _REFRESH_SECONDS,
        }


class Minute:
    """Calls of the running minute, which begins with the first one after the last has ended."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self._begun = 0
        self._used = 0

    def spend(self, most: int) -> dict[str, int]:
        """The limit, what is left and the seconds until all of it is back; 429 where nothing is."""
        now = self.account.seconds()
        if not 0 <= now - self._begun < 60:
            self._begun, self._used = now, 0
        resets = 60 - (now - self._begun)
        if self._used >= most:
            words = "Number of allowed API requests per minute exceeded"
            raise Refusal(429, words, headers={"Retry-After": str(resets)})
        self._used += 1
        return {"limit": most, "remaining": most - self._used, "reset": resets}


def _oauth(status: int, error: str, description: str) -> Refusal:
    return Refusal(status, {"error": error, "error_description": description})
