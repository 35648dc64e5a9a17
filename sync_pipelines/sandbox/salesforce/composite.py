"""Up to 25 calls in one, the later ones able to refer to answers of the earlier ones."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from sync_pipelines.sandbox.salesforce.fault import Refusal
from sync_pipelines.sandbox.salesforce.wire import Answer, Api, Call

CALLS_MAX = 25
HEAVY_MAX = 5
"""Queries and collections among them."""
_REFERENCE = re.compile(r"@\{([^}]+)\}")
_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")
_HALTED = Refusal(
    "PROCESSING_HALTED",
    "The transaction was rolled back since another operation in the same transaction failed.",
)


class _RolledBack(Exception):
    pass


def composite(api: Api, call: Call) -> Answer:
    body = call.json()
    calls = body.get("compositeRequest") or []
    _check(calls)
    results: list[dict[str, Any]] = []
    whole = body.get("allOrNone") is True
    try:
        with api.org.store.transaction():
            known: dict[str, Any] = {}
            for part in calls:
                results.append(_part(api, call, part, known))
                if whole and results[-1]["httpStatusCode"] >= 400:
                    raise _RolledBack
    except _RolledBack:
        results = _halted(results, calls)
    return Answer({"compositeResponse": results})


def _check(calls: list[Mapping[str, Any]]) -> None:
    if not calls:
        raise Refusal("MISSING_ARGUMENT", "compositeRequest must hold at least one subrequest")
    if len(calls) > CALLS_MAX:
        raise Refusal("LIMIT_EXCEEDED", f"The limit of {CALLS_MAX} subrequests was exceeded")
    heavy = [part for part in calls if re.search(r"/(query|queryAll|composite/sobjects)\b", part["url"])]
    if len(heavy) > HEAVY_MAX:
        message = f"Cannot make more than {HEAVY_MAX} query or sObject collections operations"
        raise Refusal("LIMIT_EXCEEDED", message)
    names = [part.get("referenceId") for part in calls]
    if None in names or len(set(names)) != len(names):
        raise Refusal("DUPLICATE_VALUE", "each subrequest needs a referenceId of its own")


def _part(api: Api, call: Call, part: Mapping[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    try:
        url = urlsplit(_filled(part["url"], known))
        body = b"" if part.get("body") is None else msgspec.json.encode(_filled(part["body"], known))
        headers = {name.lower(): value for name, value in part.get("httpHeaders", {}).items()}
        inner = Call(part["method"], {"path": url.path, "query": url.query}, {}, headers, body, call.host)
        answer = api.perform(inner)
    except Refusal as refusal:
        answer = Answer(refusal.body(), refusal.status)
    if answer.status < 400:
        known[part["referenceId"]] = answer.body
    return _result(part, answer)


def _result(part: Mapping[str, Any], answer: Answer) -> dict[str, Any]:
    return {
        "body": answer.body,
        "httpHeaders": dict(answer.headers),
        "httpStatusCode": answer.status,
        "referenceId": part["referenceId"],
    }


def _halted(results: list[dict[str, Any]], calls: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The part that failed keeps its answer; all others are told that they didn't happen."""
    halted = Answer(_HALTED.body(), 400)
    failed = results[-1]
    return [failed if part["referenceId"] == failed["referenceId"] else _result(part, halted) for part in calls]


def _filled(value: Any, known: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        return {name: _filled(item, known) for name, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, known) for item in value]
    if not isinstance(value, str):
        return value
    return _REFERENCE.sub(lambda match: str(_looked_up(match[1], known)), value)


def _looked_up(reference: str, known: Mapping[str, Any]) -> Any:
    """The value at `name.records[0].Id` in the answers so far."""
    found: Any = known
    for name, index in _STEP.findall(reference):
        try:
            found = found[name] if name else found[int(index)]
        except (LookupError, TypeError) as error:
            first = reference.partition(".")[0].partition("[")[0]
            message = f"Invalid reference specified. No value for {reference} found in {first}"
            raise Refusal("PROCESSING_HALTED", message) from error
    return found
