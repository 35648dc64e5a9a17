"""Everything that can happen, by name."""

from __future__ import annotations

from sync_pipelines.testing.simulation import business, file_fault, wire_fault
from sync_pipelines.testing.simulation.story import Kind
from sync_pipelines.testing.simulation.world import Happen

CRASH = Kind(6, {"ledger": 400, "lake": 700, "system": 120}, early=80)

_HAPPENINGS = {**wire_fault.KINDS, **business.KINDS, **file_fault.KINDS}
KINDS: dict[str, Kind] = {
    "crash": CRASH,
    **{name: kind for name, (kind, _) in _HAPPENINGS.items()},
    "crash.between_files": file_fault.CRASH,
}
HAPPENINGS: dict[str, Happen] = {name: happen for name, (_, happen) in _HAPPENINGS.items()}
