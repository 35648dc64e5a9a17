"""What Tryton's answers mean: the exceptions it reports inside HTTP 200, named by what to do.

Their forms are those of trytond 8.0, `trytond/exceptions.py` and `trytond/protocols/jsonrpc.py`; their
texts are those of `ir/message.xml` and the modules' message files, in English.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
import requests

from sync_pipelines.errors import FixConfiguration, RetryLater, SetAside, SyncError
from sync_pipelines.systems.http import retry_after

DRIFTED = "drifted"
"""The code of a write that the server refused because a record was changed by somebody else."""

LOOK = "sync_pipelines.look"
"""The model of `systems.tryton_module`, which a database has where that is activated."""

_KINDS = (
    (re.compile(r"must reopen the period"), "closed_period"),
    (re.compile(r"no period|find a period|create a period", re.I), "no_period"),
    (re.compile(r"must be unique"), "not_unique"),
    (re.compile(r"is not valid according to its domain|not one of the allowed options"), "invalid_value"),
    (re.compile(r"value is required"), "missing_value"),
    (re.compile(r"does not exist"), "unknown_reference"),
    (re.compile(r"exceeds the limit|too long"), "too_large"),
    (re.compile(r"not allowed"), "not_allowed"),
    (re.compile(r"You can not call"), "wrong_state"),
)
_FIELD = re.compile(r'for field "([^"]+)"')
_QUOTED = re.compile(r'"([^"]*)"')
_KEPT = re.compile(r"\d{4}-\d{2}")
_UNKNOWN_NAME = re.compile(r"'[\w.]+'")
_PASSING = re.compile(r"serializ|deadlock|connection|lock timeout|terminating|too many clients", re.I)


class _Envelope(msgspec.Struct):
    error: list[Any] | None = None


def classify(response: requests.Response) -> SyncError | None:
    """The error inside an answer; None when it carries a result or its status speaks for itself."""
    status = response.status_code
    if status in (429, 503):
        return RetryLater(f"Tryton asks for patience (HTTP {status})", after=retry_after(response))
    if status != 200 or b'"error":' not in response.content[:64]:
        return None
    try:
        error = msgspec.json.decode(response.content, type=_Envelope).error
    except msgspec.MsgspecError:
        return None
    return None if error is None else _named(error)


def plain(text: str) -> str:
    """A message without what it quotes from records; names of fields and periods stay.

    >>> plain('The value "Acme" for field "Party" in record "SO-1" of "Sale" is not valid.')
    'The value … for field "Party" in record … of … is not valid.'
    """
    kept = set(_FIELD.findall(text))
    return _QUOTED.sub(lambda m: m[0] if m[1] in kept or _KEPT.fullmatch(m[1]) else "…", text)


def _named(error: list[Any]) -> SyncError:
    match error:
        case ["UserError", [str(message), *_]]:
            return _refusal(message)
        case ["UserWarning", [str(name), str(message), *_]]:
            return SetAside(f"Tryton warns: {plain(message)}", code=name.rpartition(".")[2] or "warning")
        case ["ConcurrencyException", *_]:
            return SetAside("Tryton: the record was changed in the meantime", code=DRIFTED)
        case ["LoginException", *_]:
            return FixConfiguration("Tryton asks for another way to log in: let the user log in by password")
        case [str(text), *_]:
            return _failure(text)
        case _:
            return SetAside("Tryton failed without a reason", code="server_error")


def _refusal(message: str) -> SetAside:
    code = next((code for pattern, code in _KINDS if pattern.search(message)), "refused")
    return SetAside(f"Tryton: {plain(message)}", code=code, fields=tuple(_FIELD.findall(message)))


def _failure(text: str) -> SyncError:
    """An exception that the server did not mean to raise; its transaction was rolled back."""
    if text == repr(LOOK):
        return FixConfiguration(
            "Tryton's database has not activated the module sync_pipelines: install this package beside trytond, run "
            "trytond-admin -d DATABASE -u sync_pipelines and start the server anew, or set module = false"
        )
    if _UNKNOWN_NAME.fullmatch(text):
        return FixConfiguration(
            f"Tryton knows no object or field {text}: mend mappings/tryton, or activate the module that has it"
        )
    if _PASSING.search(text):
        return RetryLater("Tryton's database was busy or went away; nothing was stored")
    return SetAside("Tryton can't work with a value of this record", code="server_error")
