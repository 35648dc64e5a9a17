"""What lies in a folder of the contract: names, control files, and the records of an extract, checked as a whole."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from sync_pipelines.engine.port import Shape
from sync_pipelines.errors import MalformedPage
from sync_pipelines.systems.ecc.layout import Message, number

VERSION = "1"
"""The contract's."""
FULL, DELTA = "FULL", "DELTA"
_CONTROL = re.compile(r"(?P<stem>.+_\d{8}_\d{6}_(?P<sequence>\d{6}))\.ctl")


def stems(names: Sequence[str]) -> list[tuple[int, str]]:
    """What is complete there, by sequence: only what has its control file counts."""
    found = filter(None, map(_CONTROL.fullmatch, names))
    return sorted((int(match["sequence"]), match["stem"]) for match in found)


@dataclass(frozen=True, slots=True)
class Control:
    """A control file. `problem` says why what belongs to it can't be taken."""

    stem: str
    sequence: int
    values: Mapping[str, str]
    problem: str = ""

    @property
    def is_full(self) -> bool:
        return self.values.get("mode") == FULL and not self.problem

    @property
    def file(self) -> str:
        return self.values.get("file", "")

    @property
    def sender(self) -> str:
        return self.values.get("sender", "")

    @property
    def live_count(self) -> int | None:
        """How many live records the system had when it wrote the file, where it says so."""
        text = self.values.get("live_count", "")
        return int(text) if text.isdecimal() else None

    @property
    def created_at(self) -> datetime | None:
        try:
            made = datetime.fromisoformat(self.values.get("created_at", ""))
        except ValueError:
            return None
        return made if made.tzinfo else None


def values_of(content: bytes) -> dict[str, str]:
    lines = content.decode("ascii", errors="replace").splitlines()
    return {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in lines)}


def control_of(stem: str, sequence: int, content: bytes, *, interface: str) -> Control:
    values = values_of(content)
    wanted = {"interface": interface, "version": VERSION, "sequence": str(sequence)}
    wrong = [name for name, value in wanted.items() if values.get(name, "").lstrip("0") != value.lstrip("0")]
    if values.get("mode") not in (FULL, DELTA):
        wrong.append("mode")
    if not values.get("file") or "/" in values["file"]:
        wrong.append("file")
    problem = f"its control file says something else in {', '.join(wrong)}" if wrong else ""
    return Control(stem, sequence, values, problem)


def control_text(values: Mapping[str, object]) -> bytes:
    return "".join(f"{name}={value}\n" for name, value in values.items()).encode("ascii")


@dataclass(frozen=True, slots=True)
class Record:
    """One record of an extract."""

    record_id: str
    external_id: str
    payload: bytes
    deleted: bool

    @property
    def version(self) -> str:
        """A digest: an extract tells no time of change."""
        return hashlib.sha256(self.payload).hexdigest()[:16]


def records(
    control: Control, content: bytes, message: Message, shape: Shape, *, encoding: str, decimal: str
) -> list[Record]:
    """The records of a file that is what its control file says; else `MalformedPage`, and nothing of it is taken."""
    if control.problem:
        raise malformed(control, control.problem)
    if control.values.get("sha256") != hashlib.sha256(content).hexdigest():
        raise malformed(control, "its content has another checksum")
    if control.values.get("encoding", "").lower() != encoding.lower():
        raise malformed(control, f"it is not in the code page {encoding}")
    try:
        text = content.decode(encoding)
        rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=";", strict=True))
    except (UnicodeDecodeError, csv.Error):
        raise malformed(control, "it can't be read in its code page and with its separators") from None
    if any(None in row or None in row.values() or not row.get(message.key) for row in rows):
        raise malformed(control, f"a row has too few or too many columns, or no {message.key}")
    if control.values.get("record_count") != str(len(rows)):
        raise malformed(control, "it has another number of rows")
    try:
        total = sum((Decimal(_plain(row.get("NETWR") or "0", decimal)) for row in rows), Decimal())
        told = Decimal(control.values.get("amount_total", ""))
        made = list(_grouped(rows, message, shape, decimal))
    except (InvalidOperation, ValueError):
        raise malformed(control, "a number or a date in it is none") from None
    if total != told:
        raise malformed(control, "its amounts have another sum")
    return made


def malformed(control: Control, why: str) -> MalformedPage:
    return MalformedPage(f"{control.stem} is refused as a whole: {why}; ask for the file again")


def _grouped(rows: list[dict[str, str]], message: Message, shape: Shape, decimal: str) -> Iterator[Record]:
    """A record from the rows that carry its key, which follow one another."""
    of_items: Mapping[str, Any] = shape["items"][0] if "items" in shape else {}
    groups: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        groups.setdefault(row[message.key], []).append(row)
    for key, group in groups.items():
        head = {name: _value(group[0][name], kind, decimal) for name, kind in shape.items() if name in group[0]}
        items = [
            {name: _value(row[name], kind, decimal) for name, kind in of_items.items() if name in row}
            for row in group
            if any(row.get(name) for name in of_items)
        ]
        document = {message.key: key, **head, **({"items": items} if of_items else {})}
        external = group[0].get(message.external, "")
        if group[0].get("ACTION") == "D":
            yield Record(key, external, b"", True)
        else:
            yield Record(key, external, msgspec.json.encode(document), False)


def _value(text: str, kind: object, decimal: str) -> str | None:
    """A cell as everybody else writes it: blank is nothing, dates are ISO dates, signs stand in front."""
    if not text or text == "00000000":
        return None
    if kind == "DATE":
        return datetime.strptime(text, "%Y%m%d").date().isoformat()  # noqa: DTZ007 (a business date has no zone)
    return str(Decimal(_plain(text, decimal))) if str(kind).startswith("DECIMAL") else text


def _plain(text: str, decimal: str) -> str:
    grouping = "." if decimal == "," else ","
    return number(text.replace(grouping, "").replace(decimal, "."))
