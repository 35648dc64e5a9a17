"""Extract: what changed in one object of one system goes to the record log, and its completeness is proven."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from sync_pipelines.clock import Clock
from sync_pipelines.engine.lake import Lake
from sync_pipelines.engine.outcome import Check, Extraction, Result
from sync_pipelines.engine.port import Counting, Cursor, Deletes, Page, Shape, System
from sync_pipelines.errors import FixConfiguration, MalformedPage, SyncError

GATHERED_BYTES = 16 * 1024 * 1024
GATHERED_TIME = timedelta(seconds=30)
"""How much of what was read, and of the time that reading takes, an interruption may cost."""

UNCHANGED = "a look found it unchanged, and an incremental run reads only changes; the next full run counts"


def extract(
    lake: Lake,
    system: System,
    *,
    object: str,
    shape: Shape,
    run_id: str,
    clock: Clock,
    prove: bool,
    whole: bool = False,
    certain: Callable[[], None] = lambda: None,
) -> Extraction:
    """Append an object's changes since its cursor; with `prove`, also look for deletes and count.

    `certain` raises where the system is not the one that it was. It is asked after the first answer, which may have
    told that, and before anything is kept.

    With `whole` every record is read again: a computed field may change without its record's time of change, and
    a change may be missing in what a system tells of changes. What such a read tells needs no sweep beside it.

    A gap against an exact count is mended at once by reading the object from its beginning; where we then still
    hold more than there is, a purge left no trace in what the system tells of changes, and absence tells it.
    """
    calls = system.calls.total
    since = lake.cursor(system.name, object)
    is_whole = whole or since is None
    sweeps = prove and system.passport.deletes is Deletes.SWEEP
    live: set[str] | None = set() if is_whole and sweeps else None
    course = _Course(lake, system, object, shape, run_id, clock, certain)
    course.append(None if whole else since, live=live)
    if sweeps:
        course.sweep(live=live)
    counted = system.count(object) if prove else None
    if _gap(lake, system, object, counted):
        is_whole = True
        course.append(None)
        counted = system.count(object)
        if not sweeps and counted is not None and counted < lake.held(system.name, object):
            course.sweep()
    held = lake.held(system.name, object)
    return Extraction(
        system=system.name,
        object=object,
        read=course.read,
        appended=course.appended,
        deleted=course.deleted,
        calls=system.calls.total - calls,
        held=held,
        counted=counted,
        is_whole=is_whole,
        checks=(
            _complete(system, object, held=held, counted=counted, asked=prove),
            _fits(lake, system.name, object, shape, held=held),
        ),
    )


def unchanged(lake: Lake, system: System, *, object: str, shape: Shape) -> Extraction:
    """An object that need not be read, because a look at its system has found it as it was."""
    lake.cursor(system.name, object)
    held = lake.held(system.name, object)
    complete = _complete(system, object, held=held, counted=None, asked=False)
    return Extraction(
        system=system.name,
        object=object,
        read=0,
        appended=0,
        deleted=0,
        calls=0,
        held=held,
        counted=None,
        checks=(replace(complete, reason=UNCHANGED), _fits(lake, system.name, object, shape, held=held)),
    )


@dataclass
class _Course:
    """The extraction of one object under way: what it came to so far."""

    lake: Lake
    system: System
    object: str
    shape: Shape
    run_id: str
    clock: Clock
    certain: Callable[[], None]
    read: int = 0
    appended: int = 0
    deleted: int = 0

    def append(self, since: Cursor | None, *, live: set[str] | None = None) -> None:
        """Store what changed. Reading again from the beginning leaves the cursor where it is.

        The ids of what is read and not deleted go into `live`.
        """
        held = self.lake.cursor(self.system.name, self.object) if since is None else None
        with self.lake.single_threaded():
            pages = _of_known(self.system.read(self.object, self.shape, since), self.certain)
            for page in _gathered(pages, self.clock):
                self.read += len(page.record_ids)
                if live is not None:
                    live.update(each for each, gone in zip(page.record_ids, page.deleted, strict=True) if not gone)
                kept = page if held is None else replace(page, cursor=held)
                self.appended += self.lake.append_page(
                    self.system.name, self.object, kept, run_id=self.run_id, at=self.clock.now()
                )

    def sweep(self, *, live: set[str] | None = None) -> None:
        """Bury records that we hold and the system no longer has: neither in its list of ids nor when asked by name.

        `live` are the ids of a read from the beginning that was made just now; they take the list's place.
        """
        present = live if live is not None else {each for ids in self.system.ids(self.object) for each in ids}
        absent = [each for each in self.lake.live_ids(self.system.name, self.object) if each not in present]
        found = self.system.fetch(self.object, self.shape, absent) if absent else {}
        gone = [each for each in absent if each not in found]
        self.lake.append_tombstones(self.system.name, self.object, gone, run_id=self.run_id, at=self.clock.now())
        self.deleted += len(gone)


def _of_known(pages: Iterator[Page], certain: Callable[[], None]) -> Iterator[Page]:
    """The pages, once it is certain whose they are. What is wrong with one may only be that it is somebody else's."""
    try:
        for page in pages:
            certain()
            yield page
    except (FixConfiguration, MalformedPage):
        certain()
        raise
    certain()


def _gathered(pages: Iterator[Page], clock: Clock) -> Iterator[Page]:
    """Small pages put together, for a commit costs more than storing one; what came before a failure is kept."""
    waiting: list[Page] = []
    size, since = 0, clock.now()
    try:
        for page in pages:
            waiting.append(page)
            size += sum(map(len, page.payloads))
            if size >= GATHERED_BYTES or clock.now() - since >= GATHERED_TIME:
                yield _joined(waiting)
                waiting, size, since = [], 0, clock.now()
    except SyncError:
        if waiting:
            yield _joined(waiting)
        raise
    if waiting:
        yield _joined(waiting)


def _joined(pages: Sequence[Page]) -> Page:
    """One page of several, with the cursor of the last."""
    return Page(
        record_ids=[each for page in pages for each in page.record_ids],
        versions=[each for page in pages for each in page.versions],
        payloads=[each for page in pages for each in page.payloads],
        deleted=[each for page in pages for each in page.deleted],
        cursor=pages[-1].cursor,
    )


def _gap(lake: Lake, system: System, object: str, counted: int | None) -> bool:
    if counted is None or system.passport.counting is not Counting.EXACT:
        return False
    return counted != lake.held(system.name, object)


def _complete(system: System, object: str, *, held: int, counted: int | None, asked: bool) -> Check:
    result, reason = _proof(system, held=held, counted=counted, asked=asked)
    return Check(
        name="complete",
        subject=f"{system.name}/{object}",
        claim=f"The record log holds every live {object} of {system.name}, as the system itself counts them.",
        result=result,
        count=abs(held - counted) if counted is not None else 0,
        reason=reason,
    )


def _proof(system: System, *, held: int, counted: int | None, asked: bool) -> tuple[Result, str]:
    if not asked:
        return Result.NOT_CHECKED, "an incremental run reads changes; the next full run counts"
    if counted is None:
        return Result.NOT_CHECKED, f"NOT PROVABLE: {system.name} offers no independent count"
    if counted == held:
        return Result.PASSED, f"{held} held, {counted} counted"
    if system.passport.counting is Counting.LAGGING:
        return Result.NOT_CHECKED, f"NOT PROVABLE: {held} held, {counted} counted through a lagging index"
    return Result.FAILED, f"GAP: {held} held, {counted} counted"


def _fits(lake: Lake, system: str, object: str, shape: Shape, *, held: int) -> Check:
    """A declared field that no record carries any more has been renamed, hidden or dropped by the vendor.

    Of one that none has carried so far nothing is known: some vendors leave out what nobody has filled.
    """
    carried = lake.carried_fields(system, object, shape)
    missing = [name for name in shape if name not in carried] if held else []
    once = lake.fields_once_carried(system, object) if missing else set()
    lost = [name for name in missing if name in once]
    unseen = f"no record has carried {', '.join(missing)} so far" if missing else ""
    return Check(
        name="fits_declared_shape",
        subject=f"{system}/{object}",
        claim=f"Every declared field of {object} still arrives from {system}.",
        result=Result.FAILED if lost else Result.NOT_CHECKED if missing or not held else Result.PASSED,
        count=len(lost),
        sample=tuple({"field": name} for name in lost[:5]),
        reason="" if lost else unseen if held else "no records",
    )
