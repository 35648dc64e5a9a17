"""Is the proof able to fail? Deliberate bugs of the engine, one at a time, each hunted by the simulation.

    python tests/mutants/hunt.py [--seeds 1-60] [--jobs 2] [NAME…]

Every mutant is a copy of the package with one text replaced. It is caught when a seed breaks an invariant. The last
line counts; the exit code is 1 when fewer than 95 in a hundred were caught.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = "sync_pipelines"
LIST = Path(__file__).with_name("mutants.toml")
ENOUGH = 0.95
VIOLATION = 1
"""The simulation's exit code when an invariant was broken; any other failure is no catch."""


@dataclass(frozen=True)
class Mutant:
    """A bug: in `path`, `old` (which stands there once) becomes `new`; `breaks` says which promise."""

    name: str
    breaks: str
    path: str
    old: str
    new: str

    def applied(self, source: str) -> str:
        found = source.count(self.old)
        if found != 1:
            raise ValueError(f"mutant {self.name!r}: its text stands {found} times in {self.path}, not once")
        return source.replace(self.old, self.new)


@dataclass(frozen=True)
class Hunt:
    """What came of a mutant; `told` is the line that names what it broke."""

    mutant: Mutant
    caught: bool
    seconds: float
    told: str


def mutants() -> list[Mutant]:
    return [Mutant(**each) for each in tomllib.loads(LIST.read_text())["mutant"]]


def hunt(mutant: Mutant, seeds: str) -> Hunt:
    """Run seeds over a copy of the package with the bug in it, until one of them breaks an invariant."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sync-mutant-") as folder:
        shutil.copytree(ROOT / PACKAGE, Path(folder) / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
        target = Path(folder) / mutant.path
        target.write_text(mutant.applied(target.read_text()))
        ended = subprocess.run(
            [sys.executable, "-m", f"{PACKAGE}.testing.simulation", seeds, "--jobs", "1", "--first"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": folder},
            capture_output=True,
            text=True,
            check=False,
        )
    lines = [line for line in (ended.stdout + ended.stderr).splitlines() if line.strip()]
    broken = next((line.strip() for line in lines if "broke" in line), lines[-1] if lines else "")
    return Hunt(mutant, ended.returncode == VIOLATION, time.monotonic() - started, broken)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="Hunt deliberate bugs of the engine with the simulation.")
    parser.add_argument("names", nargs="*", help="only these mutants")
    parser.add_argument("--seeds", default="1-60", help="the seeds that hunt each mutant, FIRST-LAST")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args(arguments)
    chosen = [each for each in mutants() if not asked.names or each.name in asked.names]
    caught = 0
    with ThreadPoolExecutor(asked.jobs) as pool:
        for came in pool.map(lambda each: hunt(each, asked.seeds), chosen):
            caught += came.caught
            word = "caught  " if came.caught else "SURVIVED"
            print(f"{word} {came.mutant.name:<40} {came.seconds:5.0f} s  {came.told[:160]}", flush=True)
    print(f"{len(chosen)} mutants, {caught} caught, {len(chosen) - caught} survived")
    return 0 if chosen and caught >= ENOUGH * len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
