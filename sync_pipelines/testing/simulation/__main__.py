"""Lives through seeds: `python -m sync_pipelines.testing.simulation 100-2100`; exit code 1 if anything broke."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from sync_pipelines.ledger.embedded import Embedded
from sync_pipelines.testing.simulation import campaign
from sync_pipelines.testing.simulation.campaign import Field, Lived, Tally

MOST_SHORTENED = 3
"""Failing seeds of a campaign whose story is shortened; the others are told as they are."""


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _arguments(arguments)
    seeds = _seeds(asked.seeds)
    if asked.beside:
        seeds = campaign.seeds_with(asked.beside, seeds, topology=asked.topology)
    if asked.state:
        return _live(seeds, asked.state, asked)
    with tempfile.TemporaryDirectory(prefix="sync-simulation-") as name:
        try:
            return _live(seeds, Path(name), asked)
        finally:
            Embedded.at(Path(name) / "postgres").stop()


def _live(seeds: list[int], folder: Path, asked: argparse.Namespace) -> int:
    """One seed with its story, or all of them with what they came to."""
    folder.mkdir(parents=True, exist_ok=True)
    if len(seeds) == 1 and not asked.first:
        return _replay(seeds[0], asked.events, folder, asked)
    tally = campaign.run(
        seeds,
        folder=folder,
        topology=asked.topology,
        workers=asked.workers,
        only_to_first=asked.first,
        tell=lambda lived: _progress(lived),
    )
    if not asked.first:
        _tell_failures(tally, folder, asked.topology)
    _print(tally, as_json=asked.json)
    return 1 if tally.violations else 0


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="simulation", description="Live simulated companies under faults.")
    parser.add_argument("seeds", help="one seed, or a range, or several: 100-2100 or 7,12,30-40")
    parser.add_argument("--events", default="", help="of a single seed only these events, by number: 2,5")
    parser.add_argument("--beside", default="", help="only companies that have this system beside the three: ecc")
    parser.add_argument("--first", action="store_true", help="stop at the first seed that breaks anything")
    parser.add_argument("--log", action="store_true", help="of a single seed, tell everything")
    parser.add_argument("--json", action="store_true", help="tell everything for machines before the last line")
    parser.add_argument("--topology", type=Path, default=Path("sync.all.toml"))
    parser.add_argument("--state", type=Path, help="where a database server lives, which is kept for the next time")
    parser.add_argument("--workers", type=int, default=0, help="processes; as many as cores by default")
    return parser.parse_args(given)


def _seeds(text: str) -> list[int]:
    """Seeds and ranges of seeds, in the order given.

    >>> _seeds("7"), _seeds("3-5"), _seeds("9,3-5")
    ([7], [3, 4, 5], [9, 3, 4, 5])
    """
    ranges = [part.partition("-") for part in text.split(",")]
    return [seed for first, _, last in ranges for seed in range(int(first), int(last or first) + 1)]


def _replay(seed: int, events: str, folder: Path, asked: argparse.Namespace) -> int:
    field = Field.open(folder, topology=asked.topology, name="simulation_replay")
    story = campaign.story_of(seed)
    story = story.only(map(int, events.split(","))) if events else story
    lived = field.live(story)
    if asked.log:
        _say("\n".join(lived.log))
    _say(campaign.story_told(lived, replayed=bool(events)))
    if lived.violations and not events:
        shorter, again = field.shorten(story, lived)
        if shorter.events != story.events:
            _say("shortened:\n" + campaign.story_told(again, replayed=True))
    tally = Tally()
    tally.add(lived)
    _print(tally, as_json=asked.json)
    return 1 if lived.violations else 0


def _tell_failures(tally: Tally, folder: Path, topology: Path) -> None:
    if not tally.failed:
        return
    field = Field.open(folder, topology=topology, name="simulation_replay")
    for place, lived in enumerate(tally.failed):
        if place < MOST_SHORTENED:
            _, lived = field.shorten(campaign.story_of(lived.seed), lived)
        _say(campaign.story_told(lived, replayed=place < MOST_SHORTENED))


def _progress(lived: Lived) -> None:
    sys.stderr.write("\n" + campaign.story_told(lived, replayed=False) + "\n" if lived.violations else ".")
    sys.stderr.flush()


def _print(tally: Tally, *, as_json: bool) -> None:
    if as_json:
        failed = [
            {"seed": lived.seed, "happened": lived.happened, "violations": [asdict(v) for v in lived.violations]}
            for lived in tally.failed
        ]
        _say(json.dumps({"seeds": tally.seeds, "injected": dict(sorted(tally.injected.items())), "failed": failed}))
    else:
        _say("  ".join(f"{name} {tally.injected[name]}" for name in sorted(tally.injected, key=_by_number)))
    _say(str(tally))


def _by_number(fault: str) -> tuple[int, str]:
    return (int(fault[1:]), fault) if fault[1:].isdigit() else (0, fault)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
