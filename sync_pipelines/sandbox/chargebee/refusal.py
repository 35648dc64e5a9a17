"""Chargebee's error answers: what is refused, in Chargebee's shape.

Source: the error body that the SDKs read. Which code goes with which HTTP status is from memory.
"""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """An answer other than 200; `body()` is its JSON."""

    def __init__(
        self,
        message: str,
        *,
        code: str,
        status: int = 400,
        type: str = "invalid_request",
        param: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status
        self.type = type
        self.param = param

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "message": self.message,
            "type": self.type,
            "api_error_code": self.code,
            "error_code": self.code,
            "http_status_code": self.status,
        }
        if self.param is not None:
            body["param"] = self.param
        return body


def missing(id: str) -> Refusal:
    """The path names nothing."""
    return Refusal(f"{id} not found", code="resource_not_found", status=404)


def wrong(param: str, reason: str) -> Refusal:
    """A parameter has a value that can't be."""
    return Refusal(f"{param} : {reason}", code="param_wrong_value", param=param)


def blank(param: str) -> Refusal:
    return Refusal(f"{param} : cannot be blank", code="param_should_not_be_blank", param=param)


def unfit(message: str, param: str | None = None) -> Refusal:
    """The resource is in a state that doesn't allow it."""
    return Refusal(message, code="invalid_state_for_request", status=409, param=param)


def duplicate(param: str, value: str) -> Refusal:
    return Refusal(f"{param} : The value {value} is already present.", code="duplicate_entry", param=param)


LIMITED = Refusal(
    "Sorry, you have exceeded the number of API requests allowed. Please retry after some time.",
    code="api_request_limit_exceeded",
    status=429,
    type="operation_failed",
)
READ_ONLY = Refusal(
    "Sorry, the site is in read only mode. Please retry after some time.",
    code="site_read_only_mode",
    status=503,
    type="operation_failed",
)
FAILED = Refusal(
    "Sorry, something went wrong when processing the request.",
    code="internal_error",
    status=500,
    type="operation_failed",
)
