"""The finance report as people read it: the figures of its tables, without the markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any


class _Tables(HTMLParser):
    """The page's tables below their headings: rows of cells without their markup."""

    def __init__(self) -> None:
        super().__init__()
        self.heading = ""
        self.rows: list[tuple[str, list[str]]] = []
        self._text: list[str] | None = None

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        if tag == "tr":
            self.rows.append((self.heading, []))
        if tag in ("td", "th", "h2", "h3"):
            self._text = []

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("td", "th", "h2", "h3") or self._text is None:
            return
        told, self._text = "".join(self._text).strip(), None
        if tag in ("h2", "h3"):
            self.heading = told
        else:
            self.rows[-1][1].append(told)

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)


def reported(page: str) -> tuple[dict[tuple[str, ...], tuple[str, str]], list[str]]:
    """Count and sum as they are shown, by domain, system, legal entity, period and currency; what is unexplained."""
    tables = _Tables()
    tables.feed(page)
    shown, unexplained = {}, []
    for heading, cells in tables.rows:
        if not cells or not re.fullmatch(r"\d{4}-\d\d", cells[0]):
            continue
        domain, _, pair = heading.partition(": ")
        period, entity, currency, *sides = cells
        for system, count, total in zip(pair.split(" and "), sides[0:4:2], sides[1:4:2], strict=True):
            if count != "0":
                shown[domain.lower(), system, entity, period, currency] = (count, total)
        unexplained.append(sides[5])
    return shown, unexplained
