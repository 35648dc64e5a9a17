"""Extracts: what changed since the last one, or everything, as CSV with a control file."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from sync_pipelines.sandbox.ecc.books import COLUMNS, ITEM_COLUMNS, KEYS, Books
from sync_pipelines.sandbox.ecc.paper import control_text, drop
from sync_pipelines.systems.ecc.layout import sap_number

_NUMBERS = ("KWMENG", "FKIMG", "NETWR", "MWSBP")


def extract(books: Books, *, full: bool = False) -> dict[str, int]:
    """Write an extract of each interface; the first is a full one, and without a change there is none."""
    return {interface: _extract(books, interface, full=full) for interface in COLUMNS}


def _extract(books: Books, interface: str, *, full: bool) -> int:
    pending: Mapping[str, str] = books.store.meta(f"pending_{interface}", {})
    sequence = int(books.store.meta(f"sent_{interface}", 0)) + 1
    full = full or sequence == 1
    if not full and not pending:
        return 0
    actions = {row[KEYS[interface]]: "I" for row in books.store.all(interface)} if full else pending
    rows = [row for number, action in actions.items() for row in _rows(books, interface, number, action)]
    stem = f"{interface}_{books.settings.name}_{books.stamp()}_{sequence:06d}"
    content = _table(books, interface, rows).encode(books.settings.encoding, errors="replace")
    folder = books.folder / "out" / interface
    folder.mkdir(parents=True, exist_ok=True)
    drop(folder, f"{stem}.csv", content)
    drop(folder, f"{stem}.ctl", control_text(_control(books, interface, stem, rows, content, full=full)))
    books.store.set_meta(f"sent_{interface}", sequence)
    books.store.set_meta(f"pending_{interface}", {})
    return len(actions)


def _rows(books: Books, interface: str, number: str, action: str) -> Iterator[dict[str, Any]]:
    found = books.store.get(interface, number) or {KEYS[interface]: number}
    head = {name: found.get(name, "") for name in COLUMNS[interface] if name not in ITEM_COLUMNS}
    for item in found.get("items") or [{}]:
        yield {"ACTION": action, **head, **{name: item.get(name, "") for name in _of_items(interface)}}


def _of_items(interface: str) -> list[str]:
    return [name for name in COLUMNS[interface] if name in ITEM_COLUMNS]


def _table(books: Books, interface: str, rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, ("ACTION", *COLUMNS[interface]), delimiter=";", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: _cell(books, name, value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _cell(books: Books, name: str, value: str) -> str:
    if name not in _NUMBERS or not value:
        return value
    return sap_number(value).replace(".", books.settings.decimal)


def _control(
    books: Books, interface: str, stem: str, rows: list[dict[str, Any]], content: bytes, *, full: bool
) -> dict[str, object]:
    currencies = {row["WAERK"] for row in rows if row.get("WAERK")}
    return {
        "interface": interface,
        "version": books.settings.version,
        "sender": books.settings.name,
        "sequence": int(stem[-6:]),
        "file": f"{stem}.csv",
        "record_count": len(rows),
        "live_count": books.store.count(interface),
        "amount_total": sum((Decimal(row.get("NETWR") or 0) for row in rows), Decimal()),
        "currency": currencies.pop() if len(currencies) == 1 else "MULTI" if currencies else "",
        "sha256": hashlib.sha256(content).hexdigest(),
        "created_at": books.created_at(),
        "encoding": books.settings.encoding,
        "mode": "FULL" if full else "DELTA",
    }
