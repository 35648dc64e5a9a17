"""What Chargebee's answers mean: errors to recovery.

The body of an error is documented; which code goes with which status is partly from experience, so an unknown code
is told as it is.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import requests

from sync_pipelines.errors import FixConfiguration, RetryLater, SetAside, SyncError
from sync_pipelines.systems.http import retry_after

API_VERSION = "v2"
DECLARED_IN = "sync_pipelines/mappings/chargebee"
KEY_HEADER = "chargebee-idempotency-key"

REFUSALS: Mapping[str, str] = {
    "configuration_incompatible": "the site's configuration does not allow it",
    "duplicate_entry": "another record has the same unique value",
    "idempotency_key_reused": "its idempotency key was used before with other content; plan it anew",
    "invalid_request": "the request is not one that Chargebee knows",
    "invalid_state_for_request": "the record's state does not allow it",
    "param_should_not_be_blank": "a required parameter is blank",
    "param_wrong_value": "a parameter has a value Chargebee does not accept",
    "payment_method_not_present": "the customer has no payment method",
    "payment_processing_failed": "a payment failed",
    "resource_limit_exhausted": "the site holds as many as its plan allows",
    "resource_limit_exceeded": "the site holds as many as its plan allows",
    "resource_not_found": "it refers to a record that does not exist",
}
"""Codes that refuse a record for what it says, in words for people; Chargebee's own text may quote values."""

_PATIENCE = frozenset({"api_request_limit_exceeded", "request_blocked", "site_not_ready", "site_read_only_mode"})
"""Codes of requests that were not begun."""


class Problem(msgspec.Struct):
    """Chargebee's error; its `message` may quote what was sent, so it isn't even read."""

    api_error_code: str = ""
    type: str = ""
    param: str = ""

    @property
    def code(self) -> str:
        if self.param == KEY_HEADER:
            return "idempotency_key_reused"
        return self.api_error_code or self.type or "unknown"


def classify(response: requests.Response) -> SyncError | None:
    """The error that an answer calls for; None for success, for 401 and for an unexplained 5xx."""
    status = response.status_code
    if status < 300 or status == 401:
        return None
    problem = _problem_in(response)
    if status == 429 or problem.code in _PATIENCE:
        return RetryLater(f"Chargebee asks for patience ({_reason(status, problem)})", after=retry_after(response))
    if status >= 500:
        return None
    if status == 410:
        return FixConfiguration(f"Chargebee no longer answers API version {API_VERSION}: install a newer release")
    if status == 403:
        return FixConfiguration(
            f"Chargebee denies the key a right ({_reason(status, problem)}): give it read access to everything that "
            "is declared, and write access where something is written"
        )
    if response.request.method == "GET":
        return FixConfiguration(
            f"Chargebee refuses a read ({_reason(status, problem)}{_named(problem)}): "
            f"check url of the system and the objects declared in {DECLARED_IN}"
        )
    refusal = REFUSALS.get(problem.code, "the system refuses it")
    fields = (problem.param,) if problem.param else ()
    return SetAside(f"Chargebee: {refusal} ({problem.code}){_named(problem)}", code=problem.code, fields=fields)


def _reason(status: int, problem: Problem) -> str:
    return f"HTTP {status}, {problem.code}"


def _named(problem: Problem) -> str:
    return f" [{problem.param}]" if problem.param else ""


def _problem_in(response: requests.Response) -> Problem:
    try:
        return msgspec.json.decode(response.content, type=Problem)
    except msgspec.MsgspecError:
        return Problem()
