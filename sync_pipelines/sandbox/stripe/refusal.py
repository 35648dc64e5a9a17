"""Stripe's error answers: what is refused, in Stripe's shape and words."""

from __future__ import annotations

from typing import Any

_DOCUMENTED = "https://stripe.com/docs/error-codes/"


class Refusal(Exception):
    """An answer other than 200; `body()` is its JSON."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        type: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.type = type
        self.code = code
        self.param = param

    def body(self) -> dict[str, Any]:
        error: dict[str, Any] = {"message": self.message, "type": self.type}
        if self.code is not None:
            error["code"] = self.code
            error["doc_url"] = _DOCUMENTED + self.code.replace("_", "-")
        if self.param is not None:
            error["param"] = self.param
        return {"error": error}


def missing(kind: str, id: str, *, param: str | None = None) -> Refusal:
    """No such object: 404 where the path names it (`param` None), 400 where a parameter does."""
    return Refusal(
        f"No such {_WORDS.get(kind, kind)}: '{id}'",
        status=404 if param is None else 400,
        code="resource_missing",
        param=param or "id",
    )


_WORDS = {
    "entitlements.feature": "feature",
    "invoice_payment": "invoice payment",
    "line_item": "invoice line item",
    "subscription_item": "subscription item",
    "credit_note": "credit note",
    "tax_rate": "tax rate",
    "webhook_endpoint": "webhook endpoint",
}

RATE_LIMITED = {
    "error": {
        "message": "Request rate limit exceeded. You can learn more about rate limits here "
        "https://stripe.com/docs/rate-limits.",
        "type": "invalid_request_error",
        "code": "rate_limit",
        "doc_url": _DOCUMENTED + "rate-limit",
    }
}
LOCK_TIMEOUT = {
    "error": {
        "message": "This object cannot be accessed right now because another API request or Stripe process "
        "is currently accessing it. If you see this error intermittently, retry the request.",
        "type": "invalid_request_error",
        "code": "lock_timeout",
        "doc_url": _DOCUMENTED + "lock-timeout",
    }
}
API_ERROR = {
    "error": {
        "message": "Sorry! There was an error while talking to Stripe. Please try again later.",
        "type": "api_error",
    }
}
