"""What HubSpot refuses, in its own words: a status, a category, a message and the details."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a record's properties."""

    property: str
    code: str
    message: str


class Refusal(Exception):
    """A call, or one input of it, is refused."""

    def __init__(
        self,
        category: str,
        message: str,
        *,
        status: int = 400,
        sub: str = "",
        context: Mapping[str, Sequence[str]] | None = None,
        problems: Sequence[Problem] = (),
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.category = category
        self.message = message
        self.status = status
        self.sub = sub
        self.context = {name: list(values) for name, values in (context or {}).items()}
        self.problems = tuple(problems)
        self.extra = dict(extra or {})
        self.headers = dict(headers or {})

    def body(self, correlation_id: str) -> dict[str, Any]:
        """What a call answers that is refused as a whole."""
        told: dict[str, Any] = {
            "status": "error",
            "message": self.message,
            "correlationId": correlation_id,
            "category": self.category,
        }
        told |= {"subCategory": self.sub} if self.sub else {}
        told |= {"context": self.context} if self.context else {}
        told |= {"errors": self._details()} if self.problems else {}
        return {**told, **self.extra}

    def item(self, input_id: str, trace_id: str | None = None) -> dict[str, Any]:
        """What a batch says of one input that is refused."""
        context = {**self.context, "ids": [input_id]}
        context |= {"objectWriteTraceId": [trace_id]} if trace_id else {}
        told: dict[str, Any] = {"status": "error", "category": self.category, "message": self.message}
        return {**told, "context": context, "links": {}, "errors": self._details()}

    def _details(self) -> list[dict[str, Any]]:
        return [
            {"message": each.message, "code": each.code, "context": {"propertyName": [each.property]}}
            for each in self.problems
        ]


@dataclass(frozen=True)
class Problems:
    """Gathers what is wrong with one record's properties."""

    found: list[Problem] = field(default_factory=list)

    def add(self, property: str, code: str, message: str) -> None:
        self.found.append(Problem(property, code, message))

    def settle(self) -> None:
        """Refuse the record if anything is wrong with it."""
        if not self.found:
            return
        listed = [
            {"isValid": False, "message": each.message, "error": each.code, "name": each.property}
            for each in self.found
        ]
        message = f"Property values were not valid: {msgspec.json.encode(listed).decode()}"
        raise Refusal("VALIDATION_ERROR", message, problems=self.found)


def invalid(message: str) -> Refusal:
    return Refusal("VALIDATION_ERROR", message)


def unreadable(message: str) -> Refusal:
    return Refusal("VALIDATION_ERROR", f"Invalid input JSON: {message}")


def not_found(id: str) -> Refusal:
    return Refusal("OBJECT_NOT_FOUND", f"Object not found. objectId are usually numeric: {id}", status=404)
