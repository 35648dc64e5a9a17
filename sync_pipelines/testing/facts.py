"""What a passport's probes need done behind an adapter's back, and how a system in memory does it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from sync_pipelines.clock import Clock
from sync_pipelines.engine.port import Shape, System
from sync_pipelines.testing.memory import MemorySystem


class Facts(Protocol):
    """A fresh system behind its adapter, and what others do to one of its objects; names are made up by the probes."""

    system: System
    clock: Clock
    object: str
    shape: Shape

    def body(self, name: str) -> Mapping[str, Any]:
        """What a create of ours says."""
        ...

    def put(self, *names: str) -> list[str]:
        """Somebody else makes records; their ids."""
        ...

    def change(self, record_id: str, name: str) -> None: ...

    def delete(self, record_id: str) -> None: ...

    def merge(self, loser: str, survivor: str) -> None: ...

    def put_late(self, name: str) -> tuple[str, float]:
        """A record with the time of now that is visible as late as this system may be; its id and the seconds."""
        ...

    def refused(self, name: str) -> Mapping[str, Any]:
        """A body that the system refuses for what it says."""
        ...

    def lose(self) -> None:
        """The next write is given up at once, and carried out as late as this system may be."""
        ...

    def held(self, external_id: str) -> int:
        """How many records carry this external id."""
        ...


@dataclass
class MemoryFacts:
    """The hooks of a system in memory, which is as late as its truth allows."""

    system: MemorySystem = field(default_factory=MemorySystem)
    object: str = "account"
    shape: Shape = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.system.refuse = lambda request: "no such country" if request.body.get("country") == "XX" else ""

    @property
    def clock(self) -> Clock:
        return self.system.clock

    def body(self, name: str) -> Mapping[str, Any]:
        return {"name": name}

    def put(self, *names: str) -> list[str]:
        for name in names:
            self.system.put(self.object, name, {"name": name})
        return list(names)

    def change(self, record_id: str, name: str) -> None:
        self.system.put(self.object, record_id, {"name": name})

    def delete(self, record_id: str) -> None:
        self.system.remove(self.object, record_id)

    def merge(self, loser: str, survivor: str) -> None:
        self.system.merge(self.object, loser, survivor)

    def put_late(self, name: str) -> tuple[str, float]:
        seconds = float(self.system.does.late_seconds)
        self.system.put(self.object, name, {"name": name}, visible_in=seconds)
        return name, seconds

    def refused(self, name: str) -> Mapping[str, Any]:
        return {"name": name, "country": "XX"}

    def lose(self) -> None:
        self.system.late = lambda request: float(self.system.does.settling_seconds)

    def held(self, external_id: str) -> int:
        stored = self.system.records.get(self.object, {}).values()
        return sum(record.external_id == external_id and not record.is_deleted for record in stored)
