"""What we send: a file under the next number, and what the files of later windows say became of its documents.

The files themselves are the memory. A write is known by its id, which its IDoc carries: while its file lies in `/in` or
`/arch`, it is never sent again, and asking to send it is answered from the acknowledgements.
"""

from __future__ import annotations

import csv
import hashlib
import io
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from sync_pipelines.clock import Clock
from sync_pipelines.engine.doubt import AWAITED, OVERDUE
from sync_pipelines.engine.period import CLOSED_PERIOD
from sync_pipelines.engine.port import Outcome, Request, State
from sync_pipelines.errors import FixConfiguration, InDoubt, RetryLater, SetAside
from sync_pipelines.systems.ecc import drop
from sync_pipelines.systems.ecc.drop import Control, control_of, control_text, stems
from sync_pipelines.systems.ecc.folder import Folder, Place
from sync_pipelines.systems.ecc.idoc import Envelope, Idoc, idoc, write_ids
from sync_pipelines.systems.ecc.layout import Message
from sync_pipelines.systems.ecc.window import Windows

_PLACES = ("in", "arch", "err")
"""Where a file of ours may lie, in the order in which it moves: looked at so, none is missed on its way."""
_CLOSED = {("F5", "201"), ("F5", "202"), ("M7", "053"), ("VF", "067")}
"""Messages of a period that is not open."""
_BLOCKED = {("V1", "403"): "the customer is blocked", ("VP", "204"): "the customer does not exist"}


@dataclass(frozen=True, slots=True)
class Result:
    """A line of a result file."""

    key: str
    status: str
    document: str
    message: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Sent:
    """Where a write went: its file and its line there."""

    control: Control
    line: int
    is_taken: bool


@dataclass
class Outbox:
    """The files from us to one ERP."""

    place: Place
    envelope: Envelope
    windows: Windows
    clock: Clock
    patience: timedelta
    """How long after its file was written a write may wait for its acknowledgement."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _read: dict[str, tuple[Control, list[str]]] = field(default_factory=dict)
    """Of each file that was read once its control file and write ids: it never changes."""

    def write(self, message: Message, requests: Sequence[Request]) -> list[Outcome]:
        """Send what is not known yet, and tell what is known of the rest."""
        with self._lock, self.place.visit() as folder:
            acks = set(folder.names("ack"))
            self._stop_at_refusals(message, acks)
            sent = self._sent(folder, message)
            results = dict[str, dict[int, Result]]()
            told = {
                r.write_id: self._fate(folder, r, sent[r.write_id], acks, results)
                for r in requests
                if r.write_id in sent
            }
            told |= self._send(folder, message, [r for r in requests if r.write_id not in sent])
            return [told[request.write_id] for request in requests]

    def posted(self, message: Message) -> dict[str, str]:
        """The documents that acknowledgements tell of, by our key."""
        found = {}
        with self.place.visit() as folder:
            for name in sorted(folder.names("ack")):
                if name.startswith(f"{message.type}_{self.envelope.sender}_") and name.endswith(".res.csv"):
                    told = self._results(folder, name)
                    found.update({r.key: r.document for r in told.values() if r.status in ("OK", "DUP") and r.document})
        return found

    # Sending

    def _send(self, folder: Folder, message: Message, requests: Sequence[Request]) -> dict[str, Outcome]:
        """One file with all that fit; those that don't are refused one by one."""
        if not requests:
            return {}
        sequence, stamp = self._last(folder, message) + 1, self.windows.stamp(self.clock.now())
        told, made = dict[str, Outcome](), list[tuple[Request, Idoc]]()
        for request in requests:
            number = f"{sequence:06d}{len(made) + 1:010d}"
            try:
                made.append((request, idoc(message, request, self.envelope, number=number, stamp=stamp)))
            except SetAside as refusal:
                told[request.write_id] = Outcome(request.write_id, State.REFUSED, None, refusal.code, str(refusal))
        if made:
            stem = f"{message.type}_{self.envelope.sender}_{stamp}_{sequence:06d}"
            self._drop(folder, message, stem, sequence, [each for _, each in made])
            waits = f"in file {stem}; {self.windows.told(self.clock.now())}"
            told |= {request.write_id: _awaited(request, waits) for request, _ in made}
        return told

    def _drop(self, folder: Folder, message: Message, stem: str, sequence: int, idocs: Sequence[Idoc]) -> None:
        """Data first, then the control file, which alone makes it count."""
        content = b"".join(each.content for each in idocs)
        control = {
            "interface": message.type,
            "version": drop.VERSION,
            "sender": self.envelope.sender,
            "sequence": sequence,
            "file": f"{stem}.idoc",
            "record_count": len(idocs),
            "amount_total": sum((each.amount for each in idocs), Decimal()),
            "currency": "MULTI",
            "sha256": hashlib.sha256(content).hexdigest(),
            "created_at": self.windows.local(self.clock.now()).isoformat(timespec="seconds"),
            "encoding": self.envelope.encoding,
            "mode": drop.DELTA,
        }
        try:
            folder.put(f"in/{message.type}/{stem}.idoc", content)
        except InDoubt as error:
            raise RetryLater(f"{error}: without its control file nobody takes it") from None
        folder.put(f"in/{message.type}/{stem}.ctl", control_text(control))

    def _last(self, folder: Folder, message: Message) -> int:
        """The highest number that we have used."""
        own = f"{message.type}_{self.envelope.sender}_"
        found = [each for where in _PLACES for each in stems(folder.names(f"{where}/{message.type}"))]
        return max((sequence for sequence, stem in found if stem.startswith(own)), default=0)

    def _stop_at_refusals(self, message: Message, acks: set[str]) -> None:
        own = f"{message.type}_{self.envelope.sender}_"
        refused = sorted(name for name in acks if name.startswith(own) and name.endswith(".nak"))
        if refused:
            raise FixConfiguration(
                f"{self.place.name} refused the file {refused[-1].removesuffix('.nak')} as a whole, and nothing of it "
                f"was posted: read ack/{refused[-1]}, mend the cause, and remove it; its documents are then sent again"
            )

    # What became of it

    def _sent(self, folder: Folder, message: Message) -> dict[str, Sent]:
        """Every write that lies in a file, or was taken from one; what was refused as a whole is no longer there."""
        found = dict[str, Sent]()
        for where in _PLACES[:2]:
            for sequence, stem in stems(folder.names(f"{where}/{message.type}")):
                control, ids = self._file(folder, message, where, sequence, stem)
                found |= {each: Sent(control, line, where == "arch") for line, each in enumerate(ids, start=1)}
        return found

    def _file(
        self, folder: Folder, message: Message, where: str, sequence: int, stem: str
    ) -> tuple[Control, list[str]]:
        if stem not in self._read:
            control = control_of(
                stem, sequence, folder.get(f"{where}/{message.type}/{stem}.ctl"), interface=message.type
            )
            ids = []
            if control.sender == self.envelope.sender:
                ids = write_ids(folder.get(f"{where}/{message.type}/{control.file}"), self.envelope.encoding)
            self._read[stem] = (control, ids)
        return self._read[stem]

    def _fate(
        self, folder: Folder, request: Request, sent: Sent, acks: set[str], results: dict[str, dict[int, Result]]
    ) -> Outcome:
        name = f"{sent.control.stem}.res.csv"
        if name in acks and name not in results:
            results[name] = self._results(folder, name)
        told = results.get(name, {}).get(sent.line)
        if told is not None and told.status in ("OK", "DUP"):
            return Outcome(request.write_id, State.CONFIRMED, told.document or request.record_id, "acknowledged")
        if told is not None and told.status == "ERR":
            return _refused(request, told.message, sent)
        made = sent.control.created_at
        if made is not None and self.clock.now() - made > self.patience:
            message = (
                f"no acknowledgement of file {sent.control.stem} since {made:%Y-%m-%d %H:%M}: ask the ERP's operators"
            )
            return Outcome(request.write_id, State.IN_DOUBT, request.record_id, OVERDUE, message)
        step = "held by the ERP" if told else "taken, not posted yet" if sent.is_taken else "not taken yet"
        return _awaited(request, f"in file {sent.control.stem}, {step}; {self.windows.told(self.clock.now())}")

    def _results(self, folder: Folder, name: str) -> dict[int, Result]:
        text = folder.get(f"ack/{name}").decode(self.envelope.encoding, errors="replace")
        rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=";")
        return dict(_lines(rows))


def _lines(rows: Iterator[Mapping[str, str | None]]) -> Iterator[tuple[int, Result]]:
    """The whole lines of a result file; what was cut off is told in a later one."""
    for row in rows:
        line, status = row.get("line") or "", row.get("status") or ""
        if line.isdecimal() and row.get("text") is not None:
            message = (row.get("msgid") or "", row.get("msgno") or "")
            yield int(line), Result(row.get("key") or "", status, row.get("erp_doc") or "", message)


def _awaited(request: Request, message: str) -> Outcome:
    return Outcome(request.write_id, State.IN_DOUBT, request.record_id, AWAITED, message)


def _refused(request: Request, message: tuple[str, str], sent: Sent) -> Outcome:
    """Status 51, in words of our own: the ERP's may quote what was sent."""
    code = CLOSED_PERIOD if message in _CLOSED else "_".join(message).lower() or "not_posted"
    why = "its period is closed" if message in _CLOSED else _BLOCKED.get(message, "the ERP did not post it")
    told = f"{why} (message {' '.join(message)}), line {sent.line} of file {sent.control.stem}"
    return Outcome(request.write_id, State.REFUSED, request.record_id, code, told)
