"""Idempotency keys: the first answer of an execution is kept for a day and given again.

Source: docs.stripe.com/api/idempotent_requests. Answers are kept once execution began, whatever they
were; what was refused before (parameters, limits, a concurrent request) is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from threading import Lock
from typing import Any

import msgspec

from sync_pipelines.sandbox.store import Store
from sync_pipelines.sandbox.stripe.refusal import Refusal

KEPT_SECONDS = 86_400
LONGEST_KEY = 255
_TABLE = "_idempotency"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: dict[str, Any]
    request_id: str = ""
    replayed: bool = False


@dataclass
class KeyRing:
    """The keys of one account."""

    store: Store
    _lock: Lock = field(default_factory=Lock)
    _in_flight: set[str] = field(default_factory=set)

    def replay(self, key: str, fingerprint: str, now: int) -> Answer | None:
        """The kept answer; a refusal where the key was used with other parameters."""
        kept = self.store.get(_TABLE, key)
        if kept is None:
            return None
        if kept["at"] <= now - KEPT_SECONDS:
            self.store.delete(_TABLE, key)
            return None
        if kept["fingerprint"] != fingerprint:
            raise Refusal(
                "Keys for idempotent requests can only be used with the same parameters they were first "
                f"used with. Try using a key other than '{key}' if you meant to execute a different request.",
                type="idempotency_error",
            )
        return Answer(kept["status"], kept["body"], kept["request_id"], replayed=True)

    def keep(self, key: str, fingerprint: str, answer: Answer, *, now: int) -> None:
        self.store.put(
            _TABLE,
            key,
            {
                "at": now,
                "fingerprint": fingerprint,
                "status": answer.status,
                "body": answer.body,
                "request_id": answer.request_id,
            },
        )

    @contextmanager
    def flight(self, key: str) -> Iterator[bool]:
        """Hold a key while its request is on its way; False where another request holds it."""
        with self._lock:
            free = key not in self._in_flight
            self._in_flight.add(key)
        try:
            yield free
        finally:
            if free:
                with self._lock:
                    self._in_flight.discard(key)


def fingerprint(method: str, path: str, form: dict[str, Any]) -> str:
    """What has to be the same when a key is used again."""
    return sha256(msgspec.json.encode([method, path, form], order="sorted")).hexdigest()


def in_use(key: str) -> Refusal:
    return Refusal(
        "There is currently another in-progress request using this Idempotent Key (that probably means you "
        "submitted twice, and the other request is still going through): "
        f"{key}. Please try your request again in a moment.",
        status=409,
        type="idempotency_error",
        code="idempotency_key_in_use",
    )
