"""What Zendesk's answers mean: error answers to recovery, and the rows of a job to outcomes.

Sources: developer.zendesk.com, "Rate limits", "Job Statuses" and the error shapes of each resource's page. How a row
of a job fails is described by clients only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
import requests

from sync_pipelines.engine.port import Outcome, Request, State
from sync_pipelines.errors import FixConfiguration, RetryLater, SetAside, SyncError
from sync_pipelines.systems.http import retry_after

API_VERSION = "v2"
DUPLICATE = "DuplicateValue"
REASONS: Mapping[str, tuple[str, str]] = {
    "already been taken": (DUPLICATE, "another record has the same unique value"),
    "too long": ("ValueTooLong", "a value is longer than its field"),
    "blank": ("BlankValue", "a required value is missing"),
    "not a property": ("UnknownProperty", "it names a property that organizations do not have"),
    "not a field": ("UnknownProperty", "it names a custom field that the account does not have"),
    "not a valid": ("InvalidValue", "a value does not fit its field"),
    "invalid": ("InvalidValue", "a value does not fit its field"),
    "Not found": ("RecordNotFound", "the record does not exist"),
}
"""Phrases of the vendor's descriptions, and what they mean in words for people; the text itself may quote values."""

PATIENCE = ("Conflict", "TooMany", "Locked")
"""Parts of a row's error code after which it may be sent again."""

_FIELD = re.compile(r"^([A-Za-z0-9_ ]{1,60}):")


class Problem(msgspec.Struct):
    """An error answer: `error` is a word, in some places an object; the newer shape has a list of `errors`."""

    error: Any = ""
    description: str = ""
    errors: list[dict[str, Any]] = []

    @property
    def code(self) -> str:
        if self.errors:
            return str(self.errors[0].get("code", "unknown"))
        return self.error if isinstance(self.error, str) and self.error else "unknown"


class Row(msgspec.Struct):
    """What became of one row of a job; `index` is its place in the request."""

    index: int | None = None
    id: int | None = None
    success: bool | None = None
    error: str = ""
    details: str = ""

    @property
    def worked(self) -> bool:
        return self.id is not None and not self.error and self.success is not False


def classify(response: requests.Response) -> SyncError | None:
    """The error that an answer calls for; None for success, for 401 and for a 5xx that does not ask for patience."""
    status = response.status_code
    if status < 300 or status in (304, 401):
        return None
    after = retry_after(response)
    if status == 429 or (status == 503 and after is not None):
        return RetryLater(f"Zendesk asks for patience (HTTP {status})", after=after)
    if status >= 500:
        return None
    code = _problem_in(response).code
    if status in (409, 423):
        return RetryLater(f"Zendesk is at work on the same record (HTTP {status}, {code})", after=after)
    if status == 410:
        return FixConfiguration(f"Zendesk has retired API version {API_VERSION}: install a newer release")
    if status == 403:
        return FixConfiguration("Zendesk refuses the call (HTTP 403): exports and deletes need an administrator")
    if status in (400, 422):
        return SetAside(f"Zendesk refuses the call (HTTP {status}, {code})", code=code)
    return FixConfiguration(f"Zendesk refuses the call (HTTP {status}, {code}): check url of its [systems] table")


def outcome(request: Request, row: Row, record_id: str | None) -> Outcome:
    """What became of one request, from its row of the job; `record_id` is what it is called where it worked."""
    if row.worked:
        return Outcome(request.write_id, State.CONFIRMED, record_id)
    code, reason = _meaning(row)
    field = _FIELD.match(row.details)
    named = f" [{field[1]}]" if field else ""
    state = State.FAILED if any(part in row.error for part in PATIENCE) else State.REFUSED
    message = f"{request.object} {request.operation}: {reason} ({code}){named}"
    return Outcome(request.write_id, state, request.record_id, code, message)


def _meaning(row: Row) -> tuple[str, str]:
    for phrase, meaning in REASONS.items():
        if phrase in row.details:
            return meaning
    return row.error or "unknown", "the system refuses it"


def _problem_in(response: requests.Response) -> Problem:
    try:
        return msgspec.json.decode(response.content, type=Problem)
    except msgspec.MsgspecError:
        return Problem()
