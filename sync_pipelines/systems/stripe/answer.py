"""What Stripe's answers mean: errors to recovery.

Types and codes are those of the API reference, "Errors"; versions are pinned as its "Versioning" asks.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import requests

from sync_pipelines.errors import FixConfiguration, InDoubt, RetryLater, SetAside, SyncError
from sync_pipelines.systems.http import retry_after

API_VERSION = "2026-06-24.dahlia"
DECLARED_IN = "sync_pipelines/mappings/stripe"

REFUSALS: Mapping[str, str] = {
    "parameter_missing": "a required parameter is missing",
    "parameter_unknown": "a parameter can't be written on this object",
    "parameter_invalid_empty": "a parameter must not be empty",
    "parameter_invalid_integer": "a value is not a whole number Stripe accepts",
    "parameters_exclusive": "parameters exclude one another",
    "email_invalid": "an e-mail address is not valid",
    "resource_missing": "it refers to a record that does not exist",
    "resource_already_exists": "another record has the same unique value",
    "invoice_not_editable": "the invoice is finalized and can't be changed",
    "product_inactive": "the product is not active",
    "tax_id_invalid": "a tax id is not valid",
    "customer_tax_location_invalid": "the address is not enough to determine tax",
    "customer_max_subscriptions": "the customer has as many subscriptions as Stripe allows",
    "amount_too_small": "an amount is below Stripe's minimum",
    "amount_too_large": "an amount is above Stripe's maximum",
    "idempotency_error": "its idempotency key was used before with other content; plan it anew",
}
"""Codes that refuse a record for what it says, in words for people; Stripe's own text may quote values."""

_PATIENCE = frozenset({"rate_limit", "lock_timeout", "idempotency_key_in_use"})
_CONFIGURATION = {
    "livemode_mismatch": "the key belongs to test mode and the record to live mode, or the other way round",
    "secret_key_required": "the key is a publishable one: use a secret or restricted key",
}


class Gone(SetAside):
    """The object that was asked for by id, or from which a list should go on, does not exist."""


class Problem(msgspec.Struct):
    """Stripe's error object; `message` may quote what was sent, so it is never passed on."""

    type: str = ""
    code: str = ""
    param: str = ""
    message: str = ""

    @property
    def name(self) -> str:
        """The code, or for the many refusals that have none their type."""
        return self.code or self.type or "unknown"


class _Failure(msgspec.Struct):
    error: Problem


def classify(response: requests.Response) -> SyncError | None:
    """The error that an answer calls for; None for success, for 401 and for an unexplained 5xx."""
    status = response.status_code
    if status < 300 or status == 401:
        return None
    problem, reads = _problem_in(response), response.request.method == "GET"
    if problem.code in _PATIENCE or status in (409, 429) or _should_retry(response) == "true":
        reason = problem.code or f"HTTP {status}"
        return RetryLater(f"Stripe asks for patience ({reason})", after=retry_after(response))
    if status >= 500:
        return None if reads else _stored_failure(response)
    if status in (403, 410) or problem.code in _CONFIGURATION or "api version" in problem.message.lower():
        return _misconfigured(status, problem)
    if reads and problem.code == "resource_missing":
        return Gone("Stripe no longer has the object", code=problem.code, fields=_fields(problem))
    if reads:
        return FixConfiguration(
            f"Stripe refuses a read (HTTP {status}, {problem.name}{_named(problem)}): "
            f"check url of the system and the objects declared in {DECLARED_IN}"
        )
    return SetAside(_refusal(problem), code=problem.name, fields=_fields(problem))


def _stored_failure(response: requests.Response) -> SyncError | None:
    """A failed write that will fail the same way for as long as Stripe keeps its key: don't repeat it."""
    if response.headers.get("Idempotent-Replayed") == "true" or _should_retry(response) == "false":
        return InDoubt(f"Stripe failed (HTTP {response.status_code}) and will repeat that answer: read back first")
    return None


def _misconfigured(status: int, problem: Problem) -> FixConfiguration:
    if status == 410 or "api version" in problem.message.lower():
        return FixConfiguration(f"Stripe no longer takes API version {API_VERSION}: install a newer release")
    if problem.code in _CONFIGURATION:
        return FixConfiguration(f"Stripe refuses the key ({problem.code}): {_CONFIGURATION[problem.code]}")
    return FixConfiguration(
        f"Stripe denies the key a right (HTTP {status}, {problem.name}): give the restricted key "
        "read access to all objects that are declared, and write access to those that are written"
    )


def _refusal(problem: Problem) -> str:
    reason = REFUSALS.get(problem.name, "the system refuses it")
    return f"Stripe: {reason} ({problem.name}){_named(problem)}"


def _named(problem: Problem) -> str:
    return f" [{problem.param}]" if problem.param else ""


def _fields(problem: Problem) -> tuple[str, ...]:
    return (problem.param,) if problem.param else ()


def _should_retry(response: requests.Response) -> str:
    return response.headers.get("Stripe-Should-Retry", "")


def _problem_in(response: requests.Response) -> Problem:
    try:
        return msgspec.json.decode(response.content, type=_Failure).error
    except msgspec.MsgspecError:
        return Problem()
