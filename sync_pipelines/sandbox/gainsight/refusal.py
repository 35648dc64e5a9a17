"""What Gainsight refuses, in its own codes, and the envelope in which every answer comes."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """A call is refused as a whole: nothing of it was done."""

    def __init__(self, code: str, words: str, *, status: int = 400) -> None:
        super().__init__(f"{code}: {words}")
        self.code = code
        self.words = words
        self.status = status


def unknown_field(name: str) -> Refusal:
    return Refusal("GSOBJ_1002", f"Unknown field: {name}")


def invalid(words: str) -> Refusal:
    return Refusal("GSOBJ_1008", words)


def envelope(data: Any, *, request_id: str, refusal: Refusal | None = None) -> dict[str, Any]:
    return {
        "result": refusal is None,
        "errorCode": refusal.code if refusal else None,
        "errorDesc": refusal.words if refusal else None,
        "requestId": request_id,
        "data": data,
        "message": None,
    }
