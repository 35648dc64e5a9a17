"""Who may call: OAuth 2.0 by certificate, token-based OAuth 1.0a, and how many calls may be under way at once."""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from werkzeug.wrappers import Request

from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.netsuite.refusal import Refusal
from sync_pipelines.sandbox.netsuite.schema import Account, Behaviour

CERTIFICATE = "sandbox-certificate"
ALGORITHMS = ("PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
TOKEN_PATH = "/services/rest/auth/oauth2/v1/token"
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_HOUR = 3600


def private_key() -> str:
    """The key whose public part the stand-in knows as `CERTIFICATE`: the same for everybody, so it guards nothing."""
    number = int.from_bytes(hashlib.sha256(b"sandbox").digest()) >> 1
    return _key(number).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _key(number: int) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(number, ec.SECP256R1())


def _public_key() -> str:
    number = int.from_bytes(hashlib.sha256(b"sandbox").digest()) >> 1
    return _key(number).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


class Access:
    """Tokens, certificates and nonces; `audit` keeps why log-ins failed, which the caller isn't told."""

    def __init__(self, account: Account, behaviour: Behaviour, clock: VirtualClock) -> None:
        self.account = account
        self.certificates = {CERTIFICATE: _public_key()}
        self.audit: deque[str] = deque(maxlen=100)
        self._behaviour = behaviour
        self._clock = clock
        self._tokens: dict[str, datetime] = {}
        self._nonces: set[tuple[str, str]] = set()
        self._issued = 0

    def issue(self, request: Request) -> dict[str, Any]:
        """An access token for a signed assertion; `invalid_…` as `Denied`."""
        form = request.form
        if form.get("grant_type") != "client_credentials" or form.get("client_assertion_type") != _ASSERTION:
            raise Denied("unsupported_grant_type")
        self._check_assertion(form.get("client_assertion", ""), request.base_url)
        self._issued += 1
        token = hashlib.sha256(f"{self.account.id} {self._issued}".encode()).hexdigest()
        self._tokens[token] = self._clock.now() + timedelta(seconds=self._behaviour.token_seconds)
        return {"access_token": token, "expires_in": self._behaviour.token_seconds, "token_type": "Bearer"}

    def check(self, request: Request) -> None:
        """401 `INVALID_LOGIN` unless the call proves who makes it."""
        kind, _, rest = request.headers.get("Authorization", "").partition(" ")
        failed = {"bearer": self._bearer, "oauth": self._signed}.get(kind.lower(), _nothing)(request, rest)
        if failed:
            self.audit.append(failed)
            raise Refusal(
                "INVALID_LOGIN",
                "Invalid login attempt. For more details, see the Login Audit Trail in the NetSuite UI.",
                status=401,
            )

    def expire(self) -> None:
        self._tokens.clear()

    def _check_assertion(self, assertion: str, url: str) -> None:
        try:
            header = jwt.get_unverified_header(assertion)
            key = self.certificates[header["kid"]]
            own = f"{self.account.host}{TOKEN_PATH}"
            claims = jwt.decode(
                assertion,
                key,
                algorithms=list(ALGORITHMS),
                audience=[url, own],
                options={"require": ["iss", "scope", "aud", "iat", "exp"], "verify_exp": False, "verify_iat": False},
            )
        except (jwt.PyJWTError, KeyError) as error:
            self.audit.append(type(error).__name__)
            raise Denied("invalid_grant") from error
        now, drift = self._clock.now().timestamp(), self._behaviour.clock_drift_seconds
        scopes = claims["scope"] if isinstance(claims["scope"], list) else str(claims["scope"]).split()
        if claims["iss"] != self.account.client_id:
            raise Denied("invalid_client")
        if not now - drift < claims["exp"] <= claims["iat"] + _HOUR or claims["iat"] > now + drift:
            raise Denied("invalid_grant")
        if self.account.scope not in scopes:
            raise Denied("invalid_scope")

    def _bearer(self, request: Request, token: str) -> str:
        until = self._tokens.get(token)
        return "" if until is not None and self._clock.now() < until else "token_rejected"

    def _signed(self, request: Request, rest: str) -> str:
        given = _parameters(rest)
        try:
            stamp = int(given["oauth_timestamp"])
            nonce = (given["oauth_timestamp"], given["oauth_nonce"])
        except (KeyError, ValueError):
            return "parameter_absent"
        if given.get("oauth_signature_method") != "HMAC-SHA256":
            return "UnknownAlgorithm"
        if given.get("realm") != self.account.id or given.get("oauth_consumer_key") != self.account.consumer[0]:
            return "consumer_key_unknown"
        if given.get("oauth_token") != self.account.token[0]:
            return "token_rejected"
        if abs(stamp - self._clock.now().timestamp()) > self._behaviour.clock_drift_seconds:
            return "InvalidTimestamp"
        if nonce in self._nonces or len(nonce[1]) < 6:
            return "NonceUsed"
        secrets = (self.account.consumer[1], self.account.token[1])
        signed = signature(request.method, request.base_url, list(request.args.items(multi=True)), given, secrets)
        if not hmac.compare_digest(signed, given.get("oauth_signature", "")):
            return "InvalidSignature"
        self._nonces.add(nonce)
        return ""


class Denied(Exception):
    """A token is refused; the text is OAuth's word for it."""


def signature(
    method: str, url: str, query: list[tuple[str, str]], oauth: Mapping[str, str], secrets: tuple[str, str]
) -> str:
    """HMAC-SHA256 over method, address and all parameters but the realm and the signature itself."""
    signed = [(key, value) for key, value in oauth.items() if key not in ("realm", "oauth_signature")]
    pairs = sorted((_escape(key), _escape(value)) for key, value in [*signed, *query])
    text = "&".join((method, _escape(url), _escape("&".join(f"{key}={value}" for key, value in pairs))))
    key = "&".join(_escape(secret) for secret in secrets)
    return base64.b64encode(hmac.digest(key.encode(), text.encode(), "sha256")).decode()


class Concurrency:
    """Calls under way, ours and everybody else's, against what the account may have."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.foreign = 0
        """Calls of others that never end, as an administrator sets them."""
        self._under_way = 0
        self._lock = threading.Lock()

    @contextmanager
    def flight(self) -> Iterator[bool]:
        """Whether there was room for one more."""
        with self._lock:
            self._under_way += 1
            free = self._under_way + self.foreign <= self.limit
        try:
            yield free
        finally:
            with self._lock:
                self._under_way -= 1


def crowded() -> Refusal:
    detail = "Concurrent request limit exceeded. Request blocked."
    return Refusal("CONCURRENCY_LIMIT_EXCEEDED", detail, status=429)


def _nothing(request: Request, rest: str) -> str:
    return "no credentials"


def _parameters(text: str) -> dict[str, str]:
    pairs = (part.strip().partition("=") for part in text.split(","))
    return {unquote(key): unquote(value.strip('"')) for key, _, value in pairs}


def _escape(text: str) -> str:
    return quote(text, safe="-._~")
