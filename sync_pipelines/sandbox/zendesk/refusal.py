"""What Zendesk refuses, in the several shapes that its errors have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class Refusal(Exception):
    """A call is refused; a text as body is sent as plain text."""

    def __init__(
        self,
        status: int,
        body: Mapping[str, Any] | str,
        *,
        headers: Mapping[str, str] | None = None,
        words: str = "",
    ) -> None:
        super().__init__(words or str(body))
        self.status = status
        self.body = body
        self.headers = dict(headers or {})
        self.words = words
        """What the row of a job says of it."""


class Invalid(Refusal):
    """A record is refused for what it says: 422 for a call of its own, a failed row in a job."""

    def __init__(self, *problems: tuple[str, str, str]) -> None:
        """Each problem is a field, what is wrong with it in words, and the word for it ("DuplicateValue")."""
        details: dict[str, list[dict[str, str]]] = {}
        for field, words, code in problems:
            text = f"{field.replace('_', ' ').capitalize()}: {words}"
            details.setdefault(field, []).append({"description": text, "error": code})
        body = {"error": "RecordInvalid", "description": "Record validation errors", "details": details}
        words = "; ".join(each["description"] for rows in details.values() for each in rows)
        super().__init__(422, body, words=words)


def named(status: int, error: str, description: str) -> Refusal:
    """The older shape: {"error", "description"}."""
    return Refusal(status, {"error": error, "description": description}, words=description)


def listed(status: int, code: str, title: str, *, headers: Mapping[str, str] | None = None) -> Refusal:
    """The newer shape: {"errors": [{"code", "title"}]}."""
    return Refusal(status, {"errors": [{"code": code, "title": title}]}, headers=headers, words=title)


def not_found() -> Refusal:
    return named(404, "RecordNotFound", "Not found")


def check_known(given: Mapping[str, Any], known: Sequence[str] | Mapping[str, Any]) -> None:
    """Refuse properties that the record does not have."""
    if unknown := sorted(set(given) - set(known)):
        raise Invalid(*((name, "is not a property of this record", "UnknownProperty") for name in unknown))
