"""What NetSuite's answers mean. Codes and statuses are those of its REST errors; a rule of the business that was
broken comes as USER_ERROR, and only its words tell which: they are the account's own and may be worded otherwise.
"""

from __future__ import annotations

import re

import msgspec
import requests

from sync_pipelines.engine.period import CLOSED_PERIOD
from sync_pipelines.errors import FixConfiguration, RetryLater, SetAside, SyncError
from sync_pipelines.systems.http import retry_after

DECLARED_IN = "sync_pipelines/mappings/netsuite/objects.toml"
REPEATED = "IDEMPOTENCY_ERROR"
MAINTENANCE_SECONDS = 300.0

_BUSY = ("CONCURRENCY_LIMIT_EXCEEDED", "SSS_REQUEST_LIMIT_EXCEEDED")
_REFUSED = ("USER_ERROR", "INVALID_CONTENT", "NONEXISTENT_ID", "INVALID_REQUEST", "INVALID_VALUE")
_KINDS = (
    (re.compile(r"clos\w+ period|period\w* .{0,40}(clos|lock)", re.I), CLOSED_PERIOD, "its period is closed"),
    (re.compile(r"accounting period", re.I), "no_period", "its date falls into no period of the books"),
    (re.compile(r"has been changed", re.I), "drifted", "it was changed in the meantime"),
    (re.compile(r"already exists|in use|unique|duplicate", re.I), "not_unique", "another record has the same key"),
    (re.compile(r"maximum number.{0,20}of characters|too long", re.I), "too_long", "a text is longer than its field"),
    (re.compile(r"reference key|invalid field value", re.I), "unknown_reference", "it refers to what is not there"),
    (re.compile(r"enter value|missing|required|at least one line", re.I), "missing_value", "a value is missing"),
    (re.compile(r"subsidiar", re.I), "wrong_subsidiary", "it does not fit its customer's subsidiary"),
    (re.compile(r"currenc", re.I), "wrong_currency", "its customer does not use its currency"),
    (re.compile(r"credit limit|credit hold", re.I), "credit_limit", "its customer's credit is used up"),
)
_REASONS = {"NONEXISTENT_ID": "the record does not exist", "INVALID_CONTENT": "a field or its value does not fit"}
_IDENTIFIER = re.compile(r"(?:identifier|Field|Record|column) '(\w+)'")
_PLACE = re.compile(r"[\w.\[\]]+")


class _Detail(msgspec.Struct):
    detail: str = ""
    code: str = msgspec.field(name="o:errorCode", default="")
    path: str = msgspec.field(name="o:errorPath", default="")


class _Error(msgspec.Struct):
    details: list[_Detail] = msgspec.field(name="o:errorDetails", default_factory=list)


def classify(response: requests.Response) -> SyncError | None:
    """The error that an answer calls for; None for success, for 401, for a repeated key and an unexplained 5xx."""
    status = response.status_code
    if status < 300 or status == 401:
        return None
    error = detail_of(response)
    if status == 429 or error.code in _BUSY:
        return RetryLater("NetSuite: too many calls run at once, ours and others'", after=retry_after(response))
    if "ACCT_TEMP_UNAVAILABLE" in (error.code, error.detail):
        return RetryLater("NetSuite: the account is offline for maintenance", after=MAINTENANCE_SECONDS)
    if error.code == REPEATED or status >= 500:
        return None
    if status == 410:
        return FixConfiguration("NetSuite no longer answers this version of its services: install a newer release")
    if error.code in _REFUSED:
        return refusal(error)
    if error.code == "INVALID_PARAMETER":
        return FixConfiguration(_unknown(error))
    return FixConfiguration(f"NetSuite refuses the call (HTTP {status}, {error.code or 'no code'}): check its role")


def refusal(error: _Detail) -> SetAside:
    """Why a record is refused, in words of our own: the vendor's may quote what was sent."""
    place = f" [{error.path}]" if _PLACE.fullmatch(error.path) else ""
    fields = (error.path,) if place else ()
    if error.code == "USER_ERROR":
        for pattern, code, reason in _KINDS:
            if pattern.search(error.detail):
                return SetAside(f"NetSuite: {reason}{place} ({error.code})", code=code, fields=fields)
    told = _REASONS.get(error.code, "a rule of the account refuses it")
    return SetAside(f"NetSuite: {told}{place} ({error.code})", code=error.code.lower(), fields=fields)


def detail_of(response: requests.Response) -> _Detail:
    try:
        details = msgspec.json.decode(response.content, type=_Error).details
    except msgspec.MsgspecError:
        return _Detail()
    return details[0] if details else _Detail()


def _unknown(error: _Detail) -> str:
    match = _IDENTIFIER.search(error.detail)
    what = f"the name {match[1]!r}" if match else "a name or a function of a query"
    return f"NetSuite does not know {what}, or hides it from the role (INVALID_PARAMETER): mend {DECLARED_IN}"
