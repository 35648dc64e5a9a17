"""Who may call and how often: the tenant's access key, OAuth tokens, and limits in fixed windows."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from sync_pipelines.sandbox.gainsight.refusal import Refusal
from sync_pipelines.sandbox.gainsight.tenant import Tenant

_MINUTE_MS, _DAY_MS = 60_000, 86_400_000


class Gate:
    """Lets calls in."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant
        self._tokens: dict[str, int] = {}
        self._issued = 0
        self._used: dict[tuple[str, int], tuple[int, int]] = {}

    def grant(self, authorization: str, form: Mapping[str, str]) -> dict[str, Any]:
        """An answer to a request for a token; id and secret come as Basic authentication."""
        settings = self._tenant.settings
        if _pair(authorization) != f"{settings.client_id}:{settings.client_secret}":
            raise Refusal("GS_APIG_2401", "Unauthorized", status=401)
        if form.get("grant_type") != "client_credentials":
            raise Refusal("GSOBJ_1008", "The grant type is not supported")
        self._issued += 1
        token = sha256(f"token {self._issued}".encode()).hexdigest()
        self._tokens[token] = self._tenant.now() + settings.token_seconds * 1000
        return {"access_token": token, "token_type": "Bearer", "expires_in": settings.token_seconds}

    def check(self, headers: Mapping[str, str]) -> None:
        settings = self._tenant.settings
        if settings.address_refused:
            words = "IP address does not lie in range of whitelisted IPs"
            raise Refusal("GS_APIG_2402", words, status=403)
        key, (kind, _, token) = headers.get("accesskey"), headers.get("authorization", "").partition(" ")
        if key is None and kind != "Bearer":
            raise Refusal("GSOBJ_1024", "Invalid auth headers")
        fits = key == settings.access_key if key is not None else self._tokens.get(token, 0) > self._tenant.now()
        if not fits:
            raise Refusal("GS_APIG_2401", "Unauthorized", status=settings.unauthorized_status)

    def expire(self) -> None:
        self._tokens.clear()

    def spend(self, group: str, *, per_minute: int) -> None:
        """Count a call; windows begin with the minute and the day, so that two bursts may touch."""
        windows = ((_MINUTE_MS, per_minute), (_DAY_MS, self._tenant.settings.calls_per_day))
        counted = {}
        for length, most in windows:
            window = self._tenant.now() // length
            begun, used = self._used.get((group, length), (window, 0))
            used = used if begun == window else 0
            if used >= most:
                raise Refusal("GU_2400", "API rate limit exceeded", status=429)
            counted[group, length] = (window, used + 1)
        self._used |= counted


def _pair(authorization: str) -> str:
    kind, _, value = authorization.partition(" ")
    try:
        return base64.b64decode(value, validate=True).decode() if kind == "Basic" else ""
    except (binascii.Error, ValueError):
        return ""
