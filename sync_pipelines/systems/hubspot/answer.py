"""What HubSpot's answers mean: categories and codes to recovery, inputs of a batch to outcomes, and API use.

Categories and statuses are those of developers.hubspot.com, "Error handling"; codes of properties are seen in practice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec
import requests

from sync_pipelines.engine.port import Outcome, Request, State
from sync_pipelines.errors import FixConfiguration, RetryLater, SetAside, SyncError
from sync_pipelines.systems.budget import Usage
from sync_pipelines.systems.http import retry_after

API_VERSION = "2026-09"
DECLARED_IN = "sync_pipelines/mappings/hubspot/objects.toml"
WRITTEN_BY = "the .write.sql files of sync_pipelines/mappings/hubspot"

LOCKED, MIGRATING = 423, 477
PATIENCE: Mapping[str, float] = {"SECONDLY": 1.0, "TEN_SECONDLY_ROLLING": 10.0, "DAILY": 3600.0}
"""Seconds to wait by the policy that a throttled call broke; its answer names no time."""
LOCKED_SECONDS = 2.0
MIGRATING_SECONDS = 600.0

REFUSALS: Mapping[str, str] = {
    "INVALID_OPTION": "a value is not among the options of its property",
    "INVALID_EMAIL": "an e-mail address is not valid",
    "INVALID_DOUBLE": "a value is no number",
    "INVALID_INTEGER": "a value is no whole number",
    "INVALID_BOOLEAN": "a value is neither true nor false",
    "INVALID_DATE": "a value is no date, or not midnight UTC",
    "PROPERTY_TOO_LONG": "a value is longer than its property",
    "CONFLICTING_UNIQUE_VALUE": "another record has the same unique value",
    "CONFLICT": "another record has the same unique value",
    "OBJECT_NOT_FOUND": "the record does not exist, or is archived",
    "VALIDATION_ERROR": "a value does not fit, or a rule of the portal refuses it",
}
"""Codes that refuse a record for what it says, in words for people; the vendor's text may quote values."""

CONFIGURATION: Mapping[str, str] = {
    "PROPERTY_DOESNT_EXIST": f"a property does not exist: create it in the portal, or mend {WRITTEN_BY}",
    "READ_ONLY_VALUE": f"a property may not be written: mend {WRITTEN_BY}",
    "MISSING_SCOPES": "the app lacks a scope: add it, and let the portal's administrator install the app again",
}
BUSY = ("LOCKED", "RATE_LIMITS", "INTERNAL_ERROR")
"""Codes after which an input may be sent again as it is."""

_TOO_MANY = re.compile(r"maximum number of inputs", re.IGNORECASE)


class _Detail(msgspec.Struct):
    code: str | None = None
    context: dict[str, list[str]] | None = None


class Problem(msgspec.Struct):
    """An error answer, or what a batch says of one of its inputs."""

    category: str = "UNKNOWN"
    message: str = ""
    policyName: str = ""  # noqa: N815 (the vendor's name)
    context: dict[str, list[str]] | None = None
    errors: list[_Detail] | None = None

    @property
    def code(self) -> str:
        """The code of the first property that is wrong, or the category of the whole."""
        return next((each.code for each in self.errors or () if each.code), self.category)

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(name for each in self.errors or () for name in (each.context or {}).get("propertyName", ()))

    def named(self, key: str) -> list[str]:
        """The inputs that it is about, by what the context calls them."""
        return (self.context or {}).get(key) or []


def classify(response: requests.Response) -> SyncError | None:
    """The error that an answer calls for; None for success, for 401 and for an unexplained 5xx."""
    status = response.status_code
    if status < 300 or status in (304, 401):
        return None
    problem = _problem_in(response)
    if status == 429:
        after = retry_after(response) or PATIENCE.get(problem.policyName)
        return RetryLater(f"HubSpot asks for patience ({problem.policyName or 'HTTP 429'})", after=after)
    if status == LOCKED:
        return RetryLater("HubSpot holds the record locked (HTTP 423)", after=retry_after(response) or LOCKED_SECONDS)
    if status == MIGRATING:
        after = retry_after(response) or MIGRATING_SECONDS
        return RetryLater("HubSpot is moving the account to another data center (HTTP 477)", after=after)
    if status >= 500:
        return None
    if status in (404, 410) and problem.category != "OBJECT_NOT_FOUND":
        return FixConfiguration(
            f"HubSpot does not answer this path (HTTP {status}): its API version {API_VERSION} may be retired; "
            "install a newer release"
        )
    return _refusal(problem, status)


def outcome(request: Request, problem: Problem) -> Outcome:
    """What became of a request that HubSpot refuses."""
    code = problem.code
    fields = f" [{', '.join(problem.fields)}]" if problem.fields else ""
    state = State.REFUSED
    if code in CONFIGURATION:
        state, reason = State.FAILED, CONFIGURATION[code]
    elif code in BUSY:
        state, reason = State.FAILED, "the record was locked or the portal busy: run again"
    else:
        reason = REFUSALS.get(code, "the system refuses it")
    message = f"{request.object} {request.operation}: {reason} ({code}){fields}"
    return Outcome(request.write_id, state, record_id=request.record_id, code=code, message=message)


def usage_of(response: requests.Response) -> Usage | None:
    """The account's calls of today; searches and apps with OAuth are not told."""
    limit = response.headers.get("X-HubSpot-RateLimit-Daily", "")
    left = response.headers.get("X-HubSpot-RateLimit-Daily-Remaining", "")
    return Usage(int(limit) - int(left), int(limit)) if limit.isdecimal() and left.isdecimal() else None


def _refusal(problem: Problem, status: int) -> SyncError:
    code, named = problem.code, f" [{', '.join(problem.fields)}]" if problem.fields else ""
    if code in CONFIGURATION:
        return FixConfiguration(f"HubSpot: {CONFIGURATION[code]} ({code}){named}")
    if code in REFUSALS and not _TOO_MANY.search(problem.message):
        return SetAside(f"HubSpot: {REFUSALS[code]} ({code}){named}", code=code, fields=problem.fields)
    return FixConfiguration(f"HubSpot refuses the call itself (HTTP {status}, {code})")


def _problem_in(response: requests.Response) -> Problem:
    try:
        return msgspec.json.decode(response.content, type=Problem)
    except msgspec.MsgspecError:
        return Problem()
