"""Incremental exports: by time and by cursor, always without the last minute."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from sync_pipelines.sandbox.store import Document
from sync_pipelines.sandbox.zendesk.account import ORGANIZATION, TICKET
from sync_pipelines.sandbox.zendesk.organization import view as organization_view
from sync_pipelines.sandbox.zendesk.refusal import listed, named
from sync_pipelines.sandbox.zendesk.ticket import exported
from sync_pipelines.sandbox.zendesk.wire import Answer, Call

Place = tuple[int, int]
"""A Unix second and an id: rows after it have not been exported yet."""


def organizations(call: Call) -> Answer:
    """By time only."""
    gone = call.account.settings.exports_deleted_organizations
    rows = [each for each in _visible(call, ORGANIZATION) if gone or not each.get("_deleted")]
    return _by_time(call, "organizations", rows, lambda each: organization_view(call.account, each))


def tickets(call: Call) -> Answer:
    """By time."""
    return _by_time(call, "tickets", _visible(call, TICKET), _ticket)


def tickets_by_cursor(call: Call) -> Answer:
    call.allow("start_time", "cursor", "per_page", "include", "exclude_deleted")
    if ("cursor" in call.parameters) == ("start_time" in call.parameters):
        raise listed(400, "InvalidParameter", "Give either start_time or cursor")
    after = _place(call.parameters["cursor"]) if "cursor" in call.parameters else (_start(call), -1)
    rows = [each for each in _visible(call, TICKET) if _key(each) > after]
    if call.parameters.get("exclude_deleted") == "true":
        rows = [each for each in rows if not each.get("_deleted")]
    size = _size(call)
    page = rows[:size]
    cursor = _cursor(_key(page[-1]) if page else after)
    return Answer(
        {
            "tickets": [_ticket(each) for each in page],
            "after_cursor": cursor,
            "after_url": f"{call.address}?cursor={quote(cursor)}",
            "before_cursor": None,
            "before_url": None,
            "end_of_stream": len(rows) <= size,
        }
    )


def _by_time(call: Call, name: str, rows: list[Document], view: Callable[[Document], Mapping[str, Any]]) -> Answer:
    """Rows from a second on; those of the last second come again on the next page."""
    call.allow("start_time", "per_page", "include")
    start, size = _start(call), _size(call)
    rest = [each for each in rows if each["_generated"] >= start]
    page = rest[:size]
    end = page[-1]["_generated"] if page else None
    ended = len(rest) <= size
    query = urlencode({**call.parameters, "start_time": end or start})
    return Answer(
        {
            name: [view(each) for each in page],
            "count": len(page),
            "end_time": end,
            "next_page": None if end is None else f"{call.address}?{query}",
            "end_of_stream": ended,
        }
    )


def _visible(call: Call, kind: str) -> list[Document]:
    """Every row but those of the last minute, by time and id."""
    until = call.account.seconds() - call.account.settings.held_back_seconds
    return sorted((each for each in call.account.store.all(kind) if each["_generated"] <= until), key=_key)


def _ticket(document: Document) -> dict[str, Any]:
    return {name: value for name, value in exported(document).items() if name[0] != "_"}


def _key(document: Document) -> Place:
    return int(document["_generated"]), int(document["id"])


def _start(call: Call) -> int:
    given = call.parameters.get("start_time", "")
    if not given.isdigit():
        raise listed(400, "InvalidParameter", "start_time is required, in Unix seconds")
    if int(given) > call.account.seconds() - call.account.settings.held_back_seconds:
        raise named(422, "InvalidValue", "start_time must be at least one minute ago")
    return int(given)


def _size(call: Call) -> int:
    most = call.account.settings.export_page_max
    given = call.parameters.get("per_page", str(most))
    if not given.isdigit() or not 0 < int(given) <= most:
        raise listed(400, "InvalidParameter", f"per_page must be a number up to {most}")
    return int(given)


def _cursor(place: Place) -> str:
    return base64.b64encode(f"{place[0]}||{place[1]}".encode()).decode()


def _place(cursor: str) -> Place:
    try:
        second, number = base64.b64decode(cursor, validate=True).decode().split("||")
        return int(second), int(number)
    except (binascii.Error, ValueError):
        raise listed(400, "InvalidCursor", "cursor is not valid") from None
