"""Is the proof able to fail? Deliberate bugs of the product, one at a time, each hunted by the simulation.

    python tests/mutants/hunt.py [--seeds 1-60] [--jobs 2] [--page FILE] [NAME…]

Every mutant is a copy of the package with one text replaced. It is caught when a seed breaks an invariant that the
package as it is keeps on the same seed; one that no simulated life can show is caught when the test breaks that it
names. The last line counts; the exit code is 1 when fewer than 95 in a hundred were caught.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sync_pipelines.ledger.embedded import Embedded
from sync_pipelines.testing.simulation.campaign import story_of

ROOT = Path(__file__).parents[2]
PACKAGE = "sync_pipelines"
LIST = Path(__file__).with_name("mutants.toml")
STATE = Path(tempfile.gettempdir()) / "sync-mutants"
ENOUGH = 0.95
MOST_SECONDS = 1800
"""For the hunt of one mutant; what takes longer has not been caught."""
CRASH = "errors_say_what_to_do"
"""The invariant that any exception breaks: alone it proves nothing, for the mutant may be no program at all."""


@dataclass(frozen=True)
class Mutant:
    """A bug: in `path`, `old` (which stands there once) becomes `new`; `breaks` says what it does, in plain words.

    Seeds in which one of `faults` happens, to a company that keeps `domain`, are lived first. A mutant with `test`
    can't be seen in any simulated life, and that test module guards it.
    """

    name: str
    breaks: str
    path: str
    old: str
    new: str
    faults: Sequence[str] = ()
    domain: str = ""
    test: str = ""

    def applied(self, source: str) -> str:
        found = source.count(self.old)
        if found != 1:
            raise ValueError(f"mutant {self.name!r}: its text stands {found} times in {self.path}, not once")
        return source.replace(self.old, self.new)


@dataclass(frozen=True)
class Hunt:
    """What came of a mutant: what caught it, if anything did, and where."""

    mutant: Mutant
    caught_by: tuple[str, ...] = ()
    seed: int | None = None
    seconds: float = 0.0
    note: str = ""

    @property
    def is_caught(self) -> bool:
        return bool(self.caught_by)

    def __str__(self) -> str:
        by = ", ".join(self.caught_by) or self.note
        where = f"seed {self.seed}" if self.seed is not None else ""
        word = "caught  " if self.is_caught else "SURVIVED"
        return f"{word} {self.mutant.name:<44} {self.seconds:5.0f} s  {where:<8} {by}"


def mutants() -> list[Mutant]:
    return [Mutant(**each) for each in tomllib.loads(LIST.read_text())["mutant"]]


def in_order(mutant: Mutant, seeds: Sequence[int]) -> list[int]:
    """The seeds, those first whose stories are most likely to show the bug."""

    def distance(seed: int) -> tuple[bool, bool]:
        story = story_of(seed)
        happens = not mutant.faults or any(event.name in mutant.faults for event in story.events)
        return not (happens and mutant.domain in ("", *story.domains)), not happens

    return sorted(seeds, key=distance)


def hunt(mutant: Mutant, seeds: Sequence[int], state: Path) -> Hunt:
    """Put the bug into a copy, and live the seeds, or run the test, until something breaks."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sync-mutant-") as name:
        folder = Path(name)
        _copy(mutant, folder)
        try:
            found = _tested(mutant, folder) if mutant.test else _lived(mutant, seeds, folder, state)
        except subprocess.TimeoutExpired:
            found = Hunt(mutant, note="it took too long")
    return replace(found, seconds=time.monotonic() - started)


def _copy(mutant: Mutant, folder: Path) -> None:
    for each in (PACKAGE, "tests", "docs") if mutant.test else (PACKAGE,):
        shutil.copytree(ROOT / each, folder / each)
    for each in ("pyproject.toml", "sync.toml", "sync.all.toml"):
        shutil.copy(ROOT / each, folder / each)
    target = folder / mutant.path
    target.write_text(mutant.applied(target.read_text()))
    imported = _run(folder, "-c", f"import {PACKAGE}; print({PACKAGE}.__file__)").stdout.strip()
    if not imported.startswith(str(folder)):
        raise RuntimeError(f"{imported} is imported instead of the copy in {folder}")


def _lived(mutant: Mutant, seeds: Sequence[int], folder: Path, state: Path) -> Hunt:
    told = _simulated(folder, state, seeds, "--first")
    if told is None:
        return Hunt(mutant, note="broken: the simulation itself does not run")
    if not told["failed"]:
        return Hunt(mutant, note=f"{len(seeds)} seeds broke nothing")
    (failed,) = told["failed"]
    broken = tuple(dict.fromkeys(each["invariant"] for each in failed["violations"]))
    if broken == (CRASH,):
        peaceful = _simulated(folder, state, [failed["seed"]], "--events", "0")
        if peaceful is None or peaceful["failed"]:
            return Hunt(mutant, note=f"broken: {failed['violations'][0]['told'][:120]}")
    return Hunt(mutant, broken, failed["seed"])


def _simulated(folder: Path, state: Path, seeds: Sequence[int], *options: str) -> dict[str, Any] | None:
    """What the simulation tells of some seeds; None where it comes to no end."""
    named = ",".join(map(str, seeds))
    ended = _run(
        folder,
        *("-m", f"{PACKAGE}.testing.simulation", named, "--workers", "1", "--json"),
        *("--state", str(state), *options),
    )
    told = next((line for line in ended.stdout.splitlines() if line.startswith('{"')), None)
    return json.loads(told) if told else None


def _tested(mutant: Mutant, folder: Path) -> Hunt:
    """Whether the test module breaks in the copy."""
    ended = _run(folder, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", mutant.test)
    failed = [line for line in ended.stdout.splitlines() if line.startswith("FAILED ")]
    if not failed:
        return Hunt(mutant, note=f"{mutant.test} ended with {ended.returncode}, and no test failed")
    return Hunt(mutant, (failed[0].removeprefix("FAILED ").partition(" - ")[0],))


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["nice", "-n", "5", sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=MOST_SECONDS,
    )


def proven(hunts: Sequence[Hunt], state: Path) -> list[Hunt]:
    """The hunts, without those whose seed breaks the package as it is too: there the bug was not what broke it."""
    seeds = sorted({each.seed for each in hunts if each.seed is not None})
    told = _simulated(ROOT, state, seeds, "--workers", "2") if seeds else {"failed": []}
    if told is None:
        raise RuntimeError("the simulation of the package as it is does not run")
    spoilt = {each["seed"] for each in told["failed"]}
    note = "its seed breaks the package without the bug as well"
    return [replace(each, caught_by=(), note=note) if each.seed in spoilt else each for each in hunts]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="Hunt deliberate bugs of the product with the simulation.")
    parser.add_argument("names", nargs="*", help="only these mutants")
    parser.add_argument("--seeds", default="1-60", help="the seeds that hunt each mutant, FIRST-LAST")
    parser.add_argument("--most", type=int, help="at most so many of them for each, the likeliest first")
    parser.add_argument("--jobs", type=int, default=2, help="mutants at a time")
    parser.add_argument("--page", type=Path, help="a page whose table is to say what caught each mutant")
    asked = parser.parse_args(arguments)
    first, _, last = asked.seeds.partition("-")
    seeds = range(int(first), int(last or first) + 1)
    chosen = [each for each in mutants() if not asked.names or each.name in asked.names]
    hunts = _hunted(chosen, lambda each: hunt(each, in_order(each, seeds)[: asked.most], STATE), jobs=asked.jobs)
    if asked.page:
        asked.page.write_text(with_table(asked.page.read_text(), hunts))
    caught = sum(each.is_caught for each in hunts)
    lived = sum(each.is_caught and each.seed is not None for each in hunts)
    print(counted(len(hunts), caught, by_simulation=lived))
    return 0 if chosen and caught >= ENOUGH * len(chosen) else 1


def _hunted(chosen: Sequence[Mutant], hunt_one: Callable[[Mutant], Hunt], *, jobs: int) -> list[Hunt]:
    STATE.mkdir(exist_ok=True)
    try:
        with ThreadPoolExecutor(jobs) as pool:
            hunts = []
            for came in pool.map(hunt_one, chosen):
                print(came, flush=True)
                hunts.append(came)
        judged = proven(hunts, STATE)
        for before, after in zip(hunts, judged, strict=True):
            if before != after:
                print(after)
        return judged
    finally:
        Embedded(STATE / "postgres", STATE / "postgres").stop()
        shutil.rmtree(STATE, ignore_errors=True)


def with_table(page: str, hunts: Sequence[Hunt]) -> str:
    """A page with what these hunts came to in the rows of its table; rows of other mutants stay as they are."""
    told = {each.mutant.name: _row(each) for each in hunts}
    lines = [told.pop(name, line) if (name := name_in(line)) else line for line in page.splitlines()]
    place = max(number for number, line in enumerate(lines) if line.startswith(("| `", "| ---")))
    table = [*lines[: place + 1], *told.values(), *lines[place + 1 :]]
    return "\n".join(tally(table) if re.match(r"\d+ mutants, ", line) else line for line in table) + "\n"


def tally(lines: Sequence[str]) -> str:
    """What the rows of a table come to, as the last line of a hunt says it."""
    rows = [line for line in lines if name_in(line)]
    caught = sum(not row.endswith("| nothing |") for row in rows)
    return counted(len(rows), caught, by_simulation=sum(", seed " in row for row in rows))


def counted(number: int, caught: int, *, by_simulation: int) -> str:
    return f"{number} mutants, {caught} caught ({by_simulation} by simulation), {number - caught} survived"


def name_in(line: str) -> str:
    """The mutant that a row of the table is about.

    >>> name_in("| `a_cent_off` | Rounds wrongly. | `totals_are_true`, seed 7 |"), name_in("| --- |")
    ('a_cent_off', '')
    """
    return line.split("`")[1] if line.startswith("| `") else ""


def _row(each: Hunt) -> str:
    by = ", ".join(f"`{name}`" for name in each.caught_by) or "nothing"
    where = f", seed {each.seed}" if each.seed is not None else ""
    return f"| `{each.mutant.name}` | {each.mutant.breaks} | {by}{where} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
