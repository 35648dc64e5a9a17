"""What goes wrong between us and a system that is reached by files: on the disk, in its windows, and on its side.

What befalls a window is noted when the window comes, and not if peace comes before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

from sync_pipelines.testing.simulation.night_job import IDOCS, Mishap, NightJob, Slip
from sync_pipelines.testing.simulation.story import Kind
from sync_pipelines.testing.simulation.world import Happen, World

_SHARE = 0.3
_WINDOW_SHARE = 0.4
"""Of what befalls windows, for which peace may come too soon."""
_DROP = {"drop": 8}
_START = {"start": 1}
Befall = Callable[[NightJob, Random], str | None]


def _slips(verb: str, how: str, told: str, *, times: int = 1) -> Happen:
    """Our next operations of a kind on the folder fail."""

    def happen(world: World, rng: Random) -> str | None:
        if world.night is None:
            return None
        world.night.slips += [Slip(verb, how)] * times
        return told

    return happen


def _window_opens(world: World, rng: Random) -> str | None:
    """A slow transfer: the batch job runs between two of our own steps."""
    if world.night is None:
        return None
    world.night.pass_windows(rng.choice((1, 1, 2)))
    return f"it takes until the batch job has run, at {world.clock.now():%m-%d %H:%M}"


def _in_a_window(name: str, befall: Befall) -> Happen:
    """The next window in which there is something to spoil."""

    def happen(world: World, rng: Random) -> str | None:
        if world.night is not None:
            world.night.mishaps.append(Mishap(name, befall, rng.randrange(1 << 30)))
        return None

    return happen


def _new(job: NightJob, pattern: str, before: set[Path]) -> list[Path]:
    return sorted(set(job.folder.glob(pattern)) - before)


def _extract_cut_off(job: NightJob, rng: Random) -> str | None:
    """One extract is cut off where the disk was full; it comes again, or a full one comes after it."""
    before = set(job.folder.glob("out/*/*.csv"))
    job.work()
    if not (made := _new(job, "out/*/*.csv", before)):
        return None
    path, is_full = rng.choice(made), rng.random() < 0.4
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(len(content))])
    mend = (lambda: job.vendor.admin("extract", None)) if is_full else (lambda: path.write_bytes(content))
    job.repairs.append((rng.choice((0, 1)), mend))
    return f"{path.name} is cut off, and {'a full one comes later' if is_full else 'comes again later'}"


def _control_file_missing(job: NightJob, rng: Random) -> str | None:
    """The data of an extract is there and its control file is not; what comes behind it comes too soon."""
    before = set(job.folder.glob("out/*/*.ctl"))
    job.work()
    if not (made := _new(job, "out/*/*.ctl", before)):
        return None
    path = rng.choice(made)
    content = path.read_bytes()
    path.unlink()
    job.repairs.append((rng.choice((0, 1, 2)), lambda: path.write_bytes(content)))
    return f"{path.name} comes late"


def _results_late(job: NightJob, rng: Random) -> str | None:
    """A run of the posting job gets through a few documents, or none, and leaves the rest for the next window."""
    waiting = sum("result" not in idoc for idoc in job.idocs())
    done = rng.randrange(waiting) if waiting else 0
    job.vendor.admin("settings", {"results": done})
    job.work()
    job.vendor.admin("settings", {"results": None})
    return f"{done} of {waiting} documents are posted, the others a window later" if waiting else None


def _results_twice(job: NightJob, rng: Random) -> str | None:
    """Every line of a result file is there twice, and an operator puts our file in once more."""
    job.work()
    told, taken = sorted(job.folder.glob("ack/*.res.csv")), sorted(job.folder.glob("arch/*/*.ctl"))
    if told:
        path = rng.choice(told)
        head, *lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join((head, *lines, *lines)))
    if taken:
        control = rng.choice(taken)
        for path in (control.with_suffix(".idoc"), control):
            (job.folder / "in" / control.parent.name / path.name).write_bytes(path.read_bytes())
    spoilt = [
        *(["a result file tells all twice"] if told else ()),
        *([f"{control.name} is put in again"] if taken else ()),
    ]
    return ", and ".join(spoilt) or None


def _never_acknowledged(job: NightJob, rng: Random) -> str | None:
    """A file is taken, and nobody posts it; the operators find it in the end, or don't."""
    before = {str(idoc["file"]) for idoc in job.idocs()}
    job.work()
    taken = sorted({str(idoc["file"]) for idoc in job.idocs()} - before)
    if not taken:
        return None
    stem = rng.choice(taken)
    lost = {f"{idoc['file']}:{idoc['line']:06d}": idoc for idoc in job.idocs() if idoc["file"] == stem}
    (job.folder / "ack" / f"{stem}.ack").unlink()
    for key in lost:
        job.box.store.delete(IDOCS, key)
    job.forgotten.add(stem)
    is_found = rng.random() < 0.5

    def find() -> None:
        job.forgotten.discard(stem)
        for key, idoc in lost.items():
            job.box.store.put(IDOCS, key, idoc)

    if is_found:
        job.repairs.append((rng.choice((3, 5, 9)), find))
    return f"{stem} is taken and forgotten{', for a while' if is_found else ''}"


def _frozen(job: NightJob, rng: Random) -> str | None:
    """The freeze at the end of a month: what was taken is held, for some windows."""
    if not any("result" not in idoc for idoc in job.idocs()):
        job.work()
        return None
    job.vendor.admin("settings", {"frozen": True})
    job.work()
    job.repairs.append((rng.choice((0, 1)), lambda: job.vendor.admin("settings", {"frozen": False})))
    return "the books are frozen, and documents held"


def _kind(at: dict[str, int]) -> Kind:
    return Kind(0, at, share=_SHARE, by_files=True)


def _window(name: str, befall: Befall) -> tuple[Kind, Happen]:
    return replace(_kind(_START), share=_WINDOW_SHARE), _in_a_window(name, befall)


CRASH = Kind(0, {"files": 80}, share=_SHARE, by_files=True)

KINDS: dict[str, tuple[Kind, Happen]] = {
    "F1.rename_unseen": (_kind(_DROP), _slips("RENAME", "after", "the next rename is done, and an error is answered")),
    "F1.window_opens": (_kind({"file": 40, "drop": 8}), _window_opens),
    "F7.disk_full": (_kind(_DROP), _slips("PUT", "half", "the disk is full half way through the next file")),
    "F7.rename_fails": (_kind(_DROP), _slips("RENAME", "before", "the next rename fails")),
    "F25.folder_gone": (_kind({"file": 40}), _slips("", "before", "the next 6 steps on the folder fail", times=6)),
    "F9.frozen": _window("F9.frozen", _frozen),
    "F13.extract_cut_off": _window("F13.extract_cut_off", _extract_cut_off),
    "F13.control_file_missing": _window("F13.control_file_missing", _control_file_missing),
    "F14.results_late": _window("F14.results_late", _results_late),
    "F14.results_twice": _window("F14.results_twice", _results_twice),
    "F14.never_acknowledged": _window("F14.never_acknowledged", _never_acknowledged),
}
"""Each with how it is drawn and what it does; they befall none but companies that have such a system."""
