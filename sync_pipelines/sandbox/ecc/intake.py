"""Taking files in: each is checked as a whole and accepted, refused, recognised, or held behind a gap."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

from sync_pipelines.sandbox.ecc.books import COLUMNS, Books
from sync_pipelines.sandbox.ecc.paper import Arrival, arrivals, control_text, drop
from sync_pipelines.systems.ecc.layout import CONTROL, DATA, DEFINITIONS, SEGMENTS, number

IDOC = "_idoc"
"""The table of what was taken, with its status: 64 ready to be passed, 53 posted, 51 not posted, 56 no profile."""
_SEGMENTS = {definition: name for name, definition in DEFINITIONS.items()}


class Wrong(Exception):
    """The file is refused as a whole, and the text says why."""


def take(books: Books) -> dict[str, int]:
    """Take what lies in `/in`; returns how many files were accepted, refused, recognised and held."""
    counts = {"accepted": 0, "refused": 0, "repeated": 0, "held": 0}
    for interface in COLUMNS:
        folder = books.folder / "in" / interface
        for arrival in arrivals(folder) if folder.is_dir() else []:
            counts[_take(books, interface, arrival)] += 1
    return counts


def _take(books: Books, interface: str, arrival: Arrival) -> str:
    sender = arrival.control.get("sender", "")
    last = int(books.store.meta(f"taken_{interface}_{sender}", 0))
    if arrival.sequence <= last:
        return _again(books, interface, arrival)
    if arrival.sequence > last + 1:
        return "held"
    try:
        idocs = list(_read(books, interface, arrival))
    except Wrong as why:
        return _refuse(books, interface, arrival, str(why))
    for place, idoc in enumerate(idocs, start=1):
        key = f"{arrival.stem}:{place:06d}"
        books.store.put(IDOC, key, {"file": arrival.stem, "line": place, "interface": interface, **idoc})
    _consume(books, interface, arrival)
    told = {"status": "ACCEPTED", "received_at": books.created_at(), "record_count": len(idocs)}
    drop(books.folder / "ack", f"{arrival.stem}.ack", control_text(told))
    arrival.move(books.folder / "arch" / interface)
    return "accepted"


def _again(books: Books, interface: str, arrival: Arrival) -> str:
    """A number that was there before: the same file is ignored, another one is refused."""
    known = books.store.meta(f"digest_{interface}_{arrival.control.get('sender', '')}_{arrival.sequence}")
    if known != arrival.digest:
        return _refuse(books, interface, arrival, "another file has the same sequence number", consume=False)
    arrival.move(books.folder / "arch" / interface)
    return "repeated"


def _refuse(books: Books, interface: str, arrival: Arrival, why: str, *, consume: bool = True) -> str:
    if consume:
        _consume(books, interface, arrival)
    told = {"status": "REJECTED", "received_at": books.created_at(), "reason": why}
    drop(books.folder / "ack", f"{arrival.stem}.nak", control_text(told))
    arrival.move(books.folder / "err" / interface)
    return "refused"


def _consume(books: Books, interface: str, arrival: Arrival) -> None:
    sender = arrival.control.get("sender", "")
    books.store.set_meta(f"taken_{interface}_{sender}", arrival.sequence)
    books.store.set_meta(f"digest_{interface}_{sender}_{arrival.sequence}", arrival.digest)


def _read(books: Books, interface: str, arrival: Arrival) -> Iterator[dict[str, object]]:
    """The IDocs of a file that passes every check of its control file."""
    control = arrival.control
    expected = {"interface": interface, "version": books.settings.version, "encoding": books.settings.encoding}
    for name, value in expected.items():
        if control.get(name) != value:
            raise Wrong(f"{name} is not {value}")
    if not arrival.path.is_file() or control.get("sha256") != arrival.digest:
        raise Wrong("the checksum is another")
    try:
        lines = arrival.path.read_bytes().decode(books.settings.encoding).split("\r\n")
    except UnicodeDecodeError:
        raise Wrong("the file is not in the code page of its control file") from None
    if lines.pop():
        raise Wrong("the last line has no end")
    idocs = list(_idocs(books, interface, lines))
    if control.get("record_count") != str(len(idocs)):
        raise Wrong("the number of records is another")
    total = sum((_amount(idoc) for idoc in idocs), Decimal())
    if _decimal(control.get("amount_total", "")) != total:
        raise Wrong("the sum of the amounts is another")
    return iter(idocs)


def _idocs(books: Books, interface: str, lines: list[str]) -> Iterator[dict[str, object]]:
    starts = [place for place, line in enumerate(lines) if line.startswith("EDI_DC40")]
    if lines and starts[:1] != [0]:
        raise Wrong("the first line is no control record")
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        control = CONTROL.unpack(lines[start])
        if len(lines[start]) > CONTROL.width or control["DIRECT"] != "2" or control["MESTYP"] != interface:
            raise Wrong(f"the control record in line {start + 1} is not one of {interface} for this system")
        profile = control["SNDPRN"] in books.settings.partners and control["SNDPRT"] == "LS"
        segments = [_segment(control["DOCNUM"], line, place) for place, line in enumerate(lines[start + 1 : end], 1)]
        yield {"key": control["ARCKEY"], "status": "64" if profile else "56", "segments": segments}


def _segment(document: str, line: str, place: int) -> dict[str, object]:
    record = DATA.unpack(line)
    if len(line) > DATA.width or record["DOCNUM"] != document or record["SEGNUM"] != f"{place:06d}":
        raise Wrong(f"segment {place} of an IDoc is out of its order, or belongs to another")
    if record["SEGNAM"] not in _SEGMENTS:
        raise Wrong(f"segment {record['SEGNAM']} is not known")
    name = _SEGMENTS[record["SEGNAM"]]
    if len(record["SDATA"]) > SEGMENTS[name].width:
        raise Wrong(f"segment {name} is longer than its layout")
    return {"name": name, "parent": record["PSGNUM"], **SEGMENTS[name].unpack(record["SDATA"])}


def _amount(idoc: dict[str, object]) -> Decimal:
    segments = idoc["segments"]
    assert isinstance(segments, list)
    return sum((_decimal(s["NETWR"]) for s in segments if s["name"] == "E1EDP01"), Decimal())


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(number(text))
    except InvalidOperation:
        raise Wrong("an amount is no number") from None
