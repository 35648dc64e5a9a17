"""What Salesforce's answers mean: error codes to recovery, rows of a collection to outcomes, and API use.

Codes and their HTTP statuses are those of the REST API Developer Guide, "Status Codes and Error Responses".
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

API_VERSION = "67.0"
DECLARED_IN = "sync_pipelines/mappings/salesforce/objects.toml"
WRITTEN_BY = "the .write.sql files of sync_pipelines/mappings/salesforce"

DAILY_LIMIT_SECONDS = 3600.0
MAINTENANCE_SECONDS = 300.0

REFUSALS: Mapping[str, str] = {
    "REQUIRED_FIELD_MISSING": "a required field is missing",
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": "a validation rule of the org refuses it",
    "STRING_TOO_LONG": "a value is longer than its field",
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": "a value is not in the field's list",
    "FIELD_INTEGRITY_EXCEPTION": "a value does not fit the other fields",
    "INVALID_CROSS_REFERENCE_KEY": "it refers to a record that does not exist",
    "MALFORMED_ID": "a reference is not an id",
    "NUMBER_OUTSIDE_VALID_RANGE": "a number is outside the field's range",
    "INVALID_EMAIL_ADDRESS": "an e-mail address is not valid",
    "DUPLICATE_VALUE": "another record has the same unique value",
    "DUPLICATES_DETECTED": "a duplicate rule of the org wants a person to decide",
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": "a trigger or flow of the org failed",
    "ENTITY_IS_DELETED": "the record is deleted, or was merged into another",
    "NOT_FOUND": "the record does not exist",
    "JSON_PARSER_ERROR": "a value has the wrong type",
}
"""Codes that refuse a record for what it says, in words for people; the vendor's text may quote values."""

CONFIGURATION: Mapping[str, str] = {
    "INVALID_TYPE": f"an object is unknown or hidden from the integration user: mend {DECLARED_IN}",
    "MALFORMED_QUERY": f"a query is not understood: mend {DECLARED_IN}",
    "METHOD_NOT_ALLOWED": "the object can't be used that way through the REST API",
    "INSUFFICIENT_ACCESS_OR_READONLY": "the integration user lacks a right",
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": "the integration user lacks a right on a parent record",
    "API_DISABLED_FOR_ORG": "the REST API is not enabled for the org",
    "API_CURRENTLY_DISABLED": "the REST API is disabled for the integration user",
    "INVALID_FIELD_FOR_INSERT_UPDATE": f"a field may not be written: mend {WRITTEN_BY}",
}
PATIENCE: Mapping[str, float | None] = {
    "SERVER_UNAVAILABLE": None,
    "QUERY_TIMEOUT": None,
    "UNABLE_TO_LOCK_ROW": None,
    "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE": MAINTENANCE_SECONDS,
}
"""Codes after which nothing was committed, with the seconds to wait (None: a back-off)."""

_COLUMN = re.compile(r"No such column '(?P<field>[^']+)' on (?:entity|sobject of type) '?(?P<object>\w+)")
_USAGE = re.compile(r"(?<![\w-])api-usage=(\d+)/(\d+)")


class LocatorGone(SyncError):
    """The rest of a query is no longer held by the server: ask again from the last key that was read."""


class NotThere(FixConfiguration):
    """What the call names does not exist in this org."""


class Problem(msgspec.Struct):
    """One entry of an error answer; rows of a collection say `statusCode` where answers say `errorCode`."""

    message: str = ""
    errorCode: str = ""  # noqa: N815 (the vendor's name)
    statusCode: str = ""  # noqa: N815 (the vendor's name)
    fields: list[str] | None = None

    @property
    def code(self) -> str:
        return self.errorCode or self.statusCode or "UNKNOWN"


class Row(msgspec.Struct):
    """One row of a collection's answer, in the order of the request."""

    success: bool
    id: str | None = None
    errors: list[Problem] = []


def classify(response: requests.Response) -> SyncError | None:
    """The error that an answer calls for; None for success, for 401 and for a 5xx without a known code."""
    status = response.status_code
    if status < 300 or status in (304, 401):
        return None
    problem = _problem_in(response)
    code = problem.code
    if code == "INVALID_QUERY_LOCATOR":
        return LocatorGone("the query locator has expired")
    if code == "REQUEST_LIMIT_EXCEEDED":
        return _throttle(problem)
    if code in PATIENCE:
        return RetryLater(f"Salesforce is busy ({code})", after=PATIENCE[code] or retry_after(response))
    if status >= 500:
        return None
    if status in (406, 429):
        return RetryLater(f"Salesforce asks for patience (HTTP {status})", after=retry_after(response))
    if status == 410:
        return FixConfiguration(f"Salesforce has retired REST version {API_VERSION}: install a newer release")
    if code == "INVALID_FIELD":
        return FixConfiguration(unknown_field(problem))
    if code == "NOT_FOUND":
        return NotThere("Salesforce does not have what the call names (NOT_FOUND)")
    if code in REFUSALS:
        return SetAside(f"Salesforce: {REFUSALS[code]} ({code})", code=code, fields=tuple(problem.fields or ()))
    reason = CONFIGURATION.get(code, "the call itself is wrong")
    return FixConfiguration(f"Salesforce refuses the call (HTTP {status}, {code}): {reason}")


def outcome(request: Request, row: Row) -> Outcome:
    """What became of one request, from its row of the answer."""
    if row.success:
        return Outcome(request.write_id, State.CONFIRMED, record_id=row.id or request.record_id)
    problem = row.errors[0] if row.errors else Problem()
    code = problem.code
    fields = f" [{', '.join(problem.fields)}]" if problem.fields else ""
    state = State.FAILED if code in PATIENCE or code in CONFIGURATION else State.REFUSED
    if code == "INVALID_FIELD":
        state, reason = State.FAILED, unknown_field(problem)
    elif code in CONFIGURATION:
        reason = CONFIGURATION[code]
    elif code in PATIENCE:
        reason = "the record was locked or the org busy each time it was tried: run again"
    else:
        reason = REFUSALS.get(code, "the system refuses it")
    message = f"{request.object} {request.operation}: {reason} ({code}){fields}"
    return Outcome(request.write_id, state, record_id=request.record_id, code=code, message=message)


def unknown_field(problem: Problem) -> str:
    """The object, the field and the file to mend, from an INVALID_FIELD message."""
    match = _COLUMN.search(problem.message)
    if match is None:
        named = ", ".join(problem.fields or ()) or "a field or relation"
        return f"Salesforce does not know {named} (INVALID_FIELD): mend {DECLARED_IN}"
    return (
        f"Salesforce object {match['object']} has no field {match['field']!r}, or it is hidden from the "
        f"integration user (INVALID_FIELD): mend [{match['object']}] in {DECLARED_IN}, or {WRITTEN_BY}"
    )


def usage_of(response: requests.Response) -> Usage | None:
    """The org's API use from `Sforce-Limit-Info`, which may carry a second, per-app part."""
    match = _USAGE.search(response.headers.get("Sforce-Limit-Info", ""))
    return Usage(int(match[1]), int(match[2])) if match else None


def _throttle(problem: Problem) -> RetryLater:
    """Too many at once passes in seconds; the day's quota needs the rolling window to free up."""
    if "concurrent" in problem.message.lower():
        return RetryLater("Salesforce: too many long calls run at once (REQUEST_LIMIT_EXCEEDED)")
    return RetryLater(
        "Salesforce: the org's API calls for 24 hours are used up (REQUEST_LIMIT_EXCEEDED); "
        "see who uses them under Setup, System Overview",
        after=DAILY_LIMIT_SECONDS,
    )


def _problem_in(response: requests.Response) -> Problem:
    try:
        problems = msgspec.json.decode(response.content, type=list[Problem])
    except msgspec.MsgspecError:
        return Problem()
    return problems[0] if problems else Problem()
