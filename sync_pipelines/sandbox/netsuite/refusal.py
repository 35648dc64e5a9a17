"""What NetSuite refuses, in the form of its REST errors: a status, a code, and the place that is to blame."""

from __future__ import annotations

from typing import Any

_SECTIONS = {400: "4.1", 401: "4.2", 403: "4.4", 404: "4.5", 405: "4.6", 415: "4.16", 429: "4.1"}
_TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    415: "Unsupported Media Type",
    429: "Bad Request",
}


class Refusal(Exception):
    """A call, or one record of a batch, is refused."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        status: int = 400,
        title: str = "",
        location: str = "",
        place: tuple[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.status = status
        self.location = location
        self.body: dict[str, Any] = {
            "type": f"https://www.w3.org/Protocols/rfc2616/rfc2616-sec10.html#sec10.{_SECTIONS[status]}",
            "title": title or _TITLES[status],
            "status": status,
            "o:errorDetails": [
                {"detail": detail, **({f"o:error{place[0]}": place[1]} if place else {}), "o:errorCode": code}
            ],
        }


def invalid(detail: str, path: str = "") -> Refusal:
    """Content that does not fit the record type."""
    return Refusal("INVALID_CONTENT", detail, place=("Path", path) if path else None)


def missing(what: str) -> Refusal:
    detail = f"The record instance does not exist. Provide a valid record instance ID. ({what})"
    return Refusal("NONEXISTENT_ID", detail, status=404, place=("Url", what))


class Broken(Exception):
    """A rule of the business is broken: the account words it, and its code is only known inside."""

    def __init__(self, reason: str, message: str, path: str = "") -> None:
        super().__init__(f"{reason}: {message}")
        self.message = message
        self.path = path

    def refusal(self, prefix: str) -> Refusal:
        return Refusal("USER_ERROR", f"{prefix}{self.message}", place=("Path", self.path) if self.path else None)
