"""Lists in both of Zendesk's ways: by cursor, and by page number up to the ten-thousandth row."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from sync_pipelines.sandbox.store import Document
from sync_pipelines.sandbox.zendesk.refusal import listed
from sync_pipelines.sandbox.zendesk.wire import Call

View = Callable[[Document], Mapping[str, Any]]


def listing(call: Call, name: str, documents: Iterable[Document], *, view: View) -> dict[str, Any]:
    """The page of a list that the call asks for; rows are ordered by their ids."""
    rows = sorted(documents, key=lambda each: int(each["id"]))
    if any(each.startswith("page[") for each in call.parameters):
        return _by_cursor(call, name, rows, view)
    return _by_number(call, name, rows, view)


def _by_cursor(call: Call, name: str, rows: list[Document], view: View) -> dict[str, Any]:
    call.allow("page[size]", "page[after]")
    size = _size(call, "page[size]")
    if size > call.account.settings.page_max:
        raise listed(400, "InvalidPaginationParameter", f"page[size] is more than {call.account.settings.page_max}")
    after = _place(call.parameters.get("page[after]", ""))
    rest = [each for each in rows if int(each["id"]) > after]
    page, more = rest[:size], len(rest) > size
    cursor = _cursor(int(page[-1]["id"])) if page else None
    query = urlencode({"page[after]": cursor or "", "page[size]": size})
    return {
        name: [view(each) for each in page],
        "meta": {
            "has_more": more,
            "after_cursor": cursor,
            "before_cursor": _cursor(int(page[0]["id"])) if page else None,
        },
        "links": {"prev": None, "next": f"{call.address}?{query}" if more else None},
    }


def _by_number(call: Call, name: str, rows: list[Document], view: View) -> dict[str, Any]:
    call.allow("page", "per_page", "external_id")
    most = call.account.settings.page_max
    number, size = max(1, _number(call, "page", 1)), min(most, _size(call, "per_page"))
    start = (number - 1) * size
    if start + size > call.account.settings.offset_max:
        words = f"Number of records exceeds {call.account.settings.offset_max}: use cursor pagination"
        raise listed(400, "InvalidPaginationDepth", words)

    def link(to: int) -> str:
        return f"{call.address}?{urlencode({**call.parameters, 'page': to})}"

    return {
        name: [view(each) for each in rows[start : start + size]],
        "count": len(rows),
        "next_page": link(number + 1) if start + size < len(rows) else None,
        "previous_page": link(number - 1) if number > 1 else None,
    }


def many(call: Call, *keys: str) -> tuple[str, list[str]]:
    """Which of the keys (`ids`, `external_ids`) a call names, and the values: at most a hundred."""
    call.allow(*keys)
    key = next((each for each in keys if each in call.parameters), keys[0])
    values = [each for each in call.parameters.get(key, "").split(",") if each]
    check_batch(call, values)
    return key, values


def check_batch(call: Call, rows: list[Any]) -> None:
    most = call.account.settings.batch_max
    if not rows:
        raise listed(400, "BadRequest", "No records were named")
    if len(rows) > most:
        raise listed(400, "TooManyRecords", f"You can only name up to {most} records at once")


def _size(call: Call, name: str) -> int:
    return _number(call, name, call.account.settings.page_max)


def _number(call: Call, name: str, default: int) -> int:
    given = call.parameters.get(name, str(default))
    if not given.isdigit() or given == "0":
        raise listed(400, "InvalidPaginationParameter", f"{name} is not a number")
    return int(given)


def _cursor(number: int) -> str:
    return base64.b64encode(f"o|{number}".encode()).decode()


def _place(cursor: str) -> int:
    try:
        return int(base64.b64decode(cursor).decode().removeprefix("o|")) if cursor else 0
    except (binascii.Error, ValueError):
        raise listed(400, "InvalidCursor", "page[after] is not a valid cursor") from None
