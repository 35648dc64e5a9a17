"""SAP ECC behind the port: extracts are read in the order of their numbers, writes wait for their acknowledgement."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from sync_pipelines.clock import Clock
from sync_pipelines.engine.port import (
    Calls,
    Counting,
    Cursor,
    Deletes,
    Found,
    Locking,
    Outcome,
    Page,
    Passport,
    Request,
    Shape,
)
from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.errors import FixConfiguration, MalformedPage
from sync_pipelines.systems.ecc.drop import Control, Record, control_of, malformed, records, stems
from sync_pipelines.systems.ecc.folder import Disk, Folder, OwnDisk, Place, place_of
from sync_pipelines.systems.ecc.idoc import Envelope
from sync_pipelines.systems.ecc.layout import MESSAGES, Message
from sync_pipelines.systems.ecc.outbox import Outbox
from sync_pipelines.systems.ecc.window import windows_of
from sync_pipelines.systems.passport import configured
from sync_pipelines.systems.served import served

PAGE_MAX = 5000
DAY = 86_400

PASSPORT = Passport(
    api_version="1",
    retires_on=None,
    page_max=PAGE_MAX,
    late_seconds=0,
    grain_seconds=0.0,
    is_ordered=False,
    deletes=Deletes.IN_PAGES,
    counting=Counting.EXACT,
    looks_at=len(MESSAGES),
    batch_max=500,
    batch_atomic=False,
    idempotency_seconds=30 * DAY,
    locking=Locking.NONE,
    keys={message.type: message.external for message in MESSAGES.values()},
    settling_seconds=3 * DAY,
)
"""The file contract of `docs/reference/systems/ecc.md`: what it says is agreed with whoever runs the ERP. Files have
numbers without gaps, so that a cursor is exact; a deleted record comes with its action D; every control file counts
the live records; a full extract is in no order of change. A write is recognised as long as its file lies in `/in` or
`/arch` (30 days, an agreement), and acknowledged within three days, over a weekend (an estimate). There is no rate."""


def open_system(settings: SystemSettings, *, clock: Clock, disk: Disk | None = None) -> Ecc:
    """The folder of an ERP; nothing is touched until the first call.

    `settings` needs `url` (file:///… or sftp://user@host/…), `windows`, `zone`, `client`, `sender`, `receiver`,
    `encoding`, and for SFTP `private_key` and `host_key`. `disk` reads and writes a folder of this machine (None: as
    the machine does).
    """
    return Ecc(settings, clock=clock, disk=disk or OwnDisk())


class Ecc:
    """One client of an ECC system. A record's version is a digest of what its extract says."""

    def __init__(self, settings: SystemSettings, *, clock: Clock, disk: Disk) -> None:
        self.name = settings.name
        self.passport = configured(PASSPORT, settings)
        self.calls = Calls()
        self._place: Place = place_of(settings, self.calls, disk=disk)
        self._encoding = _encoding(settings)
        self._decimal = settings.options.get("decimal", ".")
        sender = settings.option("sender")
        self._receiver = settings.option("receiver")
        envelope = Envelope(settings.option("client"), sender, self._receiver, self._encoding)
        patience = timedelta(seconds=self.passport.settling_seconds)
        self._outbox = Outbox(self._place, envelope, windows_of(settings), clock, patience)

    def identity(self) -> str:
        """The logical system that the newest control file names as its sender."""
        with self._place.visit() as folder:
            for message in MESSAGES.values():
                if newest := self._newest(folder, message):
                    return newest.sender
        raise FixConfiguration(f"{self.name}: there is no extract in out/ yet: has its batch job run?")

    def read(self, object: str, shape: Shape, since: Cursor | None) -> Iterator[Page]:
        """The files after the cursor, in order; without one the newest full extract, and what follows it.

        A file that is wrong, and a gap, stop the read unless a full extract comes behind them.
        """
        done, empty = since, False
        for control, found in self._files(_message(object), shape, _after(since)):
            here, empty = {"sequence": control.sequence}, not found
            for start in range(0, len(found), PAGE_MAX):
                is_last = start + PAGE_MAX >= len(found)
                yield _page(found[start : start + PAGE_MAX], here if is_last else dict(done or {}))
            done = here
        if empty and done:
            yield _page([], done)

    def count(self, object: str) -> int | None:
        """The live records, as the newest control file counts them."""
        with self._place.visit() as folder:
            newest = self._newest(folder, _message(object))
        return newest.live_count if newest else 0

    def ids(self, object: str) -> Iterator[Sequence[str]]:
        held = list(self._current(object, {}))
        return (held[start : start + PAGE_MAX] for start in range(0, len(held), PAGE_MAX))

    def changed(self, cursors: Mapping[str, Cursor | None]) -> set[str]:
        """Those of which there is a file past the cursor: one visit, and in it one listing an object."""
        with self._place.visit() as folder:
            found = {name: stems(folder.names(f"out/{_message(name).type}")) for name in cursors}
        return {name for name, files in found.items() if files and files[-1][0] != _after(cursors[name])}

    def fetch(self, object: str, shape: Shape, record_ids: Sequence[str]) -> Mapping[str, Found]:
        """Records as the extracts so far tell them: as old as the last window."""
        held = self._current(object, shape)
        wanted = (held[each] for each in dict.fromkeys(record_ids) if each in held)
        return {record.record_id: _found(record) for record in wanted}

    def find(self, object: str, external_ids: Sequence[str]) -> Mapping[str, Found]:
        """Records that carry our key in an extract, and those of which so far only an acknowledgement tells."""
        message, wanted = _message(object), set(external_ids)
        held = self._current(object, {message.external: "VARCHAR"}).values()
        acknowledged = self._outbox.posted(message)
        told = {key: Found(document, "", b"{}") for key, document in acknowledged.items() if key in wanted}
        return told | {each.external_id: _found(each) for each in held if each.external_id in wanted}

    def write(self, requests: Sequence[Request]) -> Sequence[Outcome]:
        """One file for all requests that are not known yet; they are awaited until a later window tells of them."""
        return self._outbox.write(_message(requests[0].object), requests) if requests else []

    def _files(self, message: Message, shape: Shape, after: int | None) -> Iterator[tuple[Control, list[Record]]]:
        with self._place.visit() as folder:
            queue = self._queue(folder, message, after)
        expected = queue[0].sequence if queue and after is None else (after or 0) + 1
        while queue:
            try:
                found = self._taken(message, shape, queue[0], expected)
            except MalformedPage:
                queue = _from_full(queue[1:])
                if not queue:
                    raise
                expected = queue[0].sequence
                continue
            yield queue[0], found
            expected, queue = queue[0].sequence + 1, queue[1:]

    def _queue(self, folder: Folder, message: Message, after: int | None) -> list[Control]:
        """The control files to go by, in order: those after the cursor, or from the newest full extract on."""
        listed = stems(folder.names(f"out/{message.type}"))
        if listed and after is not None and listed[-1][0] < after:
            raise MalformedPage(
                f"{self.name}: the numbers of {message.type} went back from {after} to {listed[-1][0]}: ask for a full "
                "extract under a number that is higher"
            )
        queue: list[Control] = []
        for sequence, stem in reversed([each for each in listed if after is None or each[0] > after]):
            content = folder.get(f"out/{message.type}/{stem}.ctl")
            queue.insert(0, control_of(stem, sequence, content, interface=message.type))
            if after is None and queue[0].is_full:
                break
        else:
            if after is None and queue:
                raise FixConfiguration(f"{self.name}: of {message.type} there are only changes: ask for a full extract")
        return _once(queue)

    def _taken(self, message: Message, shape: Shape, control: Control, expected: int) -> list[Record]:
        if control.sequence != expected:
            raise MalformedPage(
                f"{self.name}: before {control.stem} number {expected} is missing: ask for it again; what is "
                "behind the gap waits"
            )
        if control.problem:
            raise malformed(control, control.problem)
        with self._place.visit() as folder:
            content = folder.get(f"out/{message.type}/{control.file}")
        return records(control, content, message, shape, encoding=self._encoding, decimal=self._decimal)

    def _current(self, object: str, shape: Shape) -> dict[str, Record]:
        """Live records as the newest full extract and the changes since have them."""
        held: dict[str, Record] = {}
        for control, found in self._files(_message(object), shape, None):
            held = {} if control.is_full else held
            for record in found:
                held.pop(record.record_id, None)
                if not record.deleted:
                    held[record.record_id] = record
        return held

    def _newest(self, folder: Folder, message: Message) -> Control | None:
        listed = stems(folder.names(f"out/{message.type}"))
        if not listed:
            return None
        sequence, stem = listed[-1]
        return control_of(stem, sequence, folder.get(f"out/{message.type}/{stem}.ctl"), interface=message.type)


def _once(queue: Sequence[Control]) -> list[Control]:
    """A number that comes twice is one file where the content is the same, and refused where it is another."""
    kept: list[Control] = []
    for control in queue:
        if not kept or kept[-1].sequence != control.sequence:
            kept.append(control)
        elif kept[-1].values.get("sha256") != control.values.get("sha256"):
            kept[-1] = Control(control.stem, control.sequence, {}, "another file has the same number")
    return kept


def _from_full(queue: Sequence[Control]) -> list[Control]:
    """What is left from the next full extract on: it makes up for what was wrong before it."""
    places = [place for place, control in enumerate(queue) if control.is_full]
    return list(queue[places[0] :]) if places else []


def _page(found: Sequence[Record], cursor: Cursor) -> Page:
    return Page(
        record_ids=[each.record_id for each in found],
        versions=[each.version for each in found],
        payloads=[each.payload for each in found],
        deleted=[each.deleted for each in found],
        cursor=cursor,
    )


def _found(record: Record) -> Found:
    return Found(record.record_id, record.version, record.payload)


def _after(since: Cursor | None) -> int | None:
    return int(since["sequence"]) if since else None


def _message(object: str) -> Message:
    return served(MESSAGES, object, vendor="ECC")


def _encoding(settings: SystemSettings) -> str:
    name = settings.option("encoding")
    try:
        codecs.lookup(name)
    except LookupError:
        raise FixConfiguration(f"encoding of [systems.{settings.name}] is no code page like cp1252") from None
    return name
