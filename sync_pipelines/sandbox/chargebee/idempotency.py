"""Idempotency keys: the first answer under a key is kept and given again; how long it is kept is from memory."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec

from sync_pipelines.sandbox.chargebee.refusal import Refusal
from sync_pipelines.sandbox.store import Store

HEADER = "chargebee-idempotency-key"
REPLAYED = "chargebee-idempotency-replayed"
_TABLE = "_idempotency"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: dict[str, Any]
    replayed: bool = False


def replay(store: Store, key: str, mark: str, *, since: int) -> Answer | None:
    """The answer kept since then; a refusal where the key went with another request."""
    kept = store.get(_TABLE, key)
    if kept is None or kept["at"] < since:
        return None
    if kept["mark"] != mark:
        raise Refusal("The idempotency key was used before with another request.", code="invalid_request", param=HEADER)
    return Answer(kept["status"], kept["body"], replayed=True)


def keep(store: Store, key: str, mark: str, answer: Answer, *, now: int) -> None:
    store.put(_TABLE, key, {"at": now, "mark": mark, "status": answer.status, "body": answer.body})


def fingerprint(path: str, form: dict[str, Any]) -> str:
    """What has to be the same when a key is used again."""
    return sha256(msgspec.json.encode([path, form], order="sorted")).hexdigest()
