"""Results too long for one page: what a query found is held for two days under a locator."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.salesforce.fault import Refusal
from sync_pipelines.sandbox.salesforce.ids import record_id
from sync_pipelines.sandbox.salesforce.query import Rows

_ASKED = "batchsize="


class Locators:
    """Held results; a page taken later shows the rows as they were when the query ran."""

    def __init__(self, clock: VirtualClock, *, seconds: int, page_min: int, page_max: int) -> None:
        self.clock = clock
        self.life = timedelta(seconds=seconds)
        self.page_min, self.page_max = page_min, page_max
        self._held: dict[str, tuple[datetime, Rows]] = {}
        self._made = 0

    def first(self, rows: Rows, *, data: str, headers: Mapping[str, str]) -> dict[str, Any]:
        size = self._size(headers)
        locator = self._hold(rows) if len(rows.rows) > size else ""
        return self._page(rows, locator, 0, size, data)

    def following(self, locator: str, *, data: str, headers: Mapping[str, str]) -> dict[str, Any]:
        """The page at `<locator>-<offset>`; `INVALID_QUERY_LOCATOR` when it is gone."""
        name, _, offset = locator.partition("-")
        until, rows = self._held.get(name, (None, None))
        if until is None or rows is None or until < self.clock.now() or not offset.isdigit():
            raise Refusal("INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._page(rows, name, int(offset), self._size(headers), data)

    def _page(self, rows: Rows, locator: str, offset: int, size: int, data: str) -> dict[str, Any]:
        end = offset + size
        page: dict[str, Any] = {"totalSize": rows.total, "done": end >= len(rows.rows)}
        if not page["done"]:
            page["nextRecordsUrl"] = f"{data}/query/{locator}-{end}"
        page["records"] = [rows.render(row) for row in rows.rows[offset:end]]
        return page

    def _hold(self, rows: Rows) -> str:
        now = self.clock.now()
        self._held = {name: held for name, held in self._held.items() if held[0] >= now}
        self._made += 1
        name = record_id("0r8", self._made)
        self._held[name] = (now + self.life, rows)
        return name

    def _size(self, headers: Mapping[str, str]) -> int:
        asked = headers.get("sforce-query-options", "").replace(" ", "").lower()
        for option in asked.split(","):
            if option.startswith(_ASKED) and option[len(_ASKED) :].isdigit():
                return max(self.page_min, min(self.page_max, int(option[len(_ASKED) :])))
        return self.page_max
