"""What Salesforce refuses, in its own words: a code, a message, the fields."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """A call, or one record of it, is refused."""

    def __init__(self, code: str, message: str, *fields: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fields = list(fields)
        self.status = status

    def body(self) -> list[dict[str, Any]]:
        """The array that a single call answers with."""
        error: dict[str, Any] = {"message": self.message, "errorCode": self.code}
        return [{**error, "fields": self.fields} if self.fields else error]

    def row(self) -> dict[str, Any]:
        """The result of one record in a collection."""
        error = {"statusCode": self.code, "message": self.message, "fields": self.fields}
        return {"success": False, "errors": [error]}


class Unreadable(Refusal):
    """The body can't be taken for a record at all: an unknown field, a value of the wrong JSON type."""


def not_found(message: str = "The requested resource does not exist") -> Refusal:
    return Refusal("NOT_FOUND", message, status=404)
