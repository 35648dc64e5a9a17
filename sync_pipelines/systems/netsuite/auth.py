"""How calls to NetSuite prove who makes them: a token for a signed assertion, or a signature on each call.

OAuth 2.0 by certificate is the way of the future: NetSuite takes no new token-based integrations from release
2027.1 on. The libraries that sign are those of the extra `netsuite`.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import requests

from sync_pipelines.clock import Clock
from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.errors import FixConfiguration
from sync_pipelines.systems.auth import Auth, ClientCredentials

TOKEN_PATH = "/services/rest/auth/oauth2/v1/token"
SCOPE = "rest_webservices"
ASSERTION_SECONDS = 300
_CURVES = {256: "ES256", 384: "ES384", 521: "ES512"}
_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"


def auth_of(settings: SystemSettings, *, clock: Clock, session: requests.Session, rng: random.Random) -> Auth:
    """By token where the settings have a `consumer_key`, else by certificate."""
    if settings.options.get("consumer_key"):
        return TokenBased(settings, clock=clock, rng=rng)
    assertion = Assertion(settings, clock=clock)
    return ClientCredentials(
        settings.name, assertion.audience, settings.option("client_id"), session=session, assertion=assertion
    )


class Assertion:
    """Signs what a token is asked with: who we are, to whom we say it, and until when it is true."""

    def __init__(self, settings: SystemSettings, *, clock: Clock) -> None:
        self.audience = f"{settings.url.rstrip('/')}{TOKEN_PATH}"
        self._name = settings.name
        self._client_id = settings.option("client_id")
        self._certificate_id = settings.option("certificate_id")
        self._private_key = settings.option("private_key").replace("\\n", "\n")
        self._clock = clock

    def __repr__(self) -> str:
        return f"Assertion({self._name!r}, <hidden>)"

    def __call__(self) -> str:
        try:
            import jwt
            from cryptography.hazmat.primitives.serialization import load_pem_private_key
        except ImportError:
            raise _not_installed(self._name) from None
        try:
            key: Any = load_pem_private_key(self._private_key.encode(), password=None)
        except (TypeError, ValueError):
            raise FixConfiguration(
                f"private_key of [systems.{self._name}] is no private key in PEM without a password"
            ) from None
        now = int(self._clock.now().timestamp())
        claims = {
            "iss": self._client_id,
            "scope": [SCOPE],
            "aud": self.audience,
            "iat": now,
            "exp": now + ASSERTION_SECONDS,
        }
        algorithm = _CURVES[key.key_size] if hasattr(key, "curve") else "PS256"
        return jwt.encode(claims, key, algorithm, {"kid": self._certificate_id})


class TokenBased:
    """OAuth 1.0a: every call, and every repeat of it, is signed anew with HMAC-SHA256."""

    def __init__(self, settings: SystemSettings, *, clock: Clock, rng: random.Random) -> None:
        self._name = settings.name
        self._account = settings.option("account")
        self._secrets = [settings.option(name) for name in ("consumer_key", "consumer_secret")]
        self._secrets += [settings.option(name) for name in ("token_id", "token_secret")]
        self._clock = clock
        self._rng = rng

    def __repr__(self) -> str:
        return f"TokenBased({self._name!r}, <hidden>)"

    def headers(self, session: requests.Session) -> Mapping[str, str]:
        return {}

    def sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign method, address and query; JSON bodies are no part of the signature."""
        try:
            from oauthlib import oauth1
        except ImportError:
            raise _not_installed(self._name) from None
        client = oauth1.Client(
            *self._secrets,
            signature_method=oauth1.SIGNATURE_HMAC_SHA256,
            realm=self._account,
            nonce=_nonce(self._rng, _LETTERS),
            timestamp=str(int(self._clock.now().timestamp())),
        )
        _, headers, _ = client.sign(request.url, request.method)
        request.headers["Authorization"] = headers["Authorization"]
        return request

    def renew(self) -> None:
        raise FixConfiguration(
            f"{self._name} does not accept the token: check consumer_key, token_id and their secrets in "
            f"[systems.{self._name}], and the clock; NetSuite's login audit trail says why"
        )


def _nonce(rng: random.Random, letters: Sequence[str]) -> str:
    return "".join(rng.choices(letters, k=20))


def _not_installed(name: str) -> FixConfiguration:
    return FixConfiguration(f"[systems.{name}] needs what signs its calls: install sync-pipelines[netsuite]")
