"""The page on faults says what the simulation brings about and judges, no more and no less."""

from __future__ import annotations

import re
from pathlib import Path

from sync_pipelines.testing.simulation.injector import KINDS
from sync_pipelines.testing.simulation.invariant import INVARIANTS

PAGE = (Path(__file__).parents[2] / "docs/reference/faults.md").read_text()


def test_every_invariant_is_on_the_page() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == set(INVARIANTS)


def test_every_fault_that_is_brought_about_is_on_the_page() -> None:
    told = re.findall(r"^\| (F\d+|crash)\b", PAGE, re.MULTILINE)

    assert told == [*(f"F{number}" for number in range(1, 27)), "crash"]
    assert set(told) == {name.partition(".")[0] for name in KINDS}
