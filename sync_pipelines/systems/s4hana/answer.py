"""What S/4HANA's answers mean: statuses and codes to recovery, in words that quote nothing of what was sent."""

from __future__ import annotations

import re

import msgspec
import requests

from sync_pipelines.engine.apply import DRIFTED
from sync_pipelines.engine.port import Outcome, Request, State
from sync_pipelines.errors import FixConfiguration, RetryLater, SyncError
from sync_pipelines.systems.http import retry_after

DECLARED_IN = "sync_pipelines/mappings/s4hana/objects.toml"
TOKEN = "x-csrf-token"
STALE, GONE = 412, 404

_NO_PROPERTY = re.compile(r"Property (\w+) not found in type (\w+)")
_LOCKED = re.compile(r"being processed|locked by|is blocked by user", re.IGNORECASE)
_CODE = re.compile(r"[\w/]{1,80}")
_KINDS = (
    ("FACET_ERROR", "too_long", "a value has no room in its field"),
    ("F5/201", "closed_period", "its posting period is not open"),
    ("F5/117", "not_unique", "a document with the same reference may be there already"),
    ("V1/382", "unknown_reference", "a material is not maintained for the sales organization"),
    ("V1/048", "unknown_reference", "its sold-to party is not maintained for the sales area"),
    ("V1/032", "blocked", "its sold-to party is blocked for orders"),
)
"""Parts of codes, the code for them here, and what they say."""


class _Message(msgspec.Struct):
    value: str = ""


class _Problem(msgspec.Struct):
    code: str = ""
    message: _Message = msgspec.field(default_factory=_Message)


class _Error(msgspec.Struct):
    error: _Problem = msgspec.field(default_factory=_Problem)


def classify(response: requests.Response) -> SyncError | None:
    """The error that an answer calls for; None for success, for 401, for a token that is refused and for a 5xx."""
    status = response.status_code
    if status < 300 or status == 401 or wants_token(response):
        return None
    if status in (429, 503):
        return RetryLater(f"S/4HANA asks for patience (HTTP {status})", after=retry_after(response))
    if status >= 500:
        return None
    if status in (404, 410):
        return FixConfiguration(
            f"S/4HANA does not answer this path (HTTP {status}): activate the service; "
            "if its version was retired, install a newer release"
        )
    problem = problem_of(response.content)
    if found := _NO_PROPERTY.search(problem.message.value):
        return FixConfiguration(f"S/4HANA's {found[2]} has no property {found[1]}: mend {DECLARED_IN}")
    if status == 403:
        return FixConfiguration(
            "S/4HANA refuses access (HTTP 403): check the user's communication arrangements or roles"
        )
    return FixConfiguration(f"S/4HANA refuses the call (HTTP {status}, {_shown(problem.code)})")


def wants_token(response: requests.Response) -> bool:
    """Whether a change was refused for its token alone."""
    return response.status_code == 403 and response.headers.get(TOKEN, "").lower() == "required"


def problem_of(body: bytes) -> _Problem:
    try:
        return msgspec.json.decode(body, type=_Error).error
    except msgspec.MsgspecError:
        return _Problem()


def outcome(request: Request, status: int, body: bytes) -> Outcome:
    """What became of a request whose change set was refused: nothing of it is stored, unless the server failed."""
    problem = problem_of(body)
    state, code, reason = State.REFUSED, _shown(problem.code), "a rule of the system refuses it"
    if status >= 500:
        state, reason = State.IN_DOUBT, "the server failed: read it back before sending it again"
    elif status == STALE:
        code, reason = DRIFTED, "it was changed in the meantime"
    elif status == GONE:
        code, reason = "gone", "the record does not exist"
    elif _LOCKED.search(problem.message.value):
        state, code, reason = State.FAILED, "locked", "somebody is working on the record: run again"
    else:
        kind = next((each for each in _KINDS if each[0] in problem.code), None)
        code, reason = (kind[1], kind[2]) if kind else (code, reason)
    message = f"{request.object} {request.operation}: {reason} (HTTP {status}, {_shown(problem.code)})"
    return Outcome(request.write_id, state, request.record_id, code, message)


def _shown(code: str) -> str:
    return code if _CODE.fullmatch(code) else "no code"
