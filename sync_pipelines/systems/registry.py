"""Which adapter serves which system: found by entry point, opened when first needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from importlib.metadata import entry_points
from typing import Protocol, runtime_checkable

import msgspec

from sync_pipelines.clock import Clock
from sync_pipelines.engine.port import ADAPTERS, Shape, System
from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.errors import FixConfiguration
from sync_pipelines.systems.budget import Turns


class Connect(Protocol):
    """Opens a system behind the port; nothing is sent until its first call."""

    def __call__(self, settings: SystemSettings, *, clock: Clock) -> System: ...


@runtime_checkable
class Paced(Protocol):
    """A system that keeps the pace of its settings, and can keep it together with other processes."""

    def share_pace(self, turns: Turns) -> None: ...


@runtime_checkable
class SelfDescribing(Protocol):
    """A system that tells which fields its objects have."""

    def check_shapes(self, shapes: Mapping[str, Shape]) -> None:
        """`FixConfiguration` names every declared object and field that the system does not have."""
        ...


Lease = Callable[[str, int, timedelta, datetime], datetime]
"""Takes turns at a system from those that all processes share: its name, and what `Turns` takes."""


def connect(settings: SystemSettings, *, clock: Clock) -> System:
    """The system as the adapter that its settings name opens it."""
    offered = {point.name: point for point in entry_points(group=ADAPTERS)}
    if settings.adapter not in offered:
        raise FixConfiguration(
            f"[systems.{settings.name}] wants the adapter {settings.adapter!r}, which nobody provides; "
            f"installed are {', '.join(sorted(offered)) or 'none'}"
        )
    system: System = offered[settings.adapter].load()(settings, clock=clock)
    return system


class Systems(Mapping[str, System]):
    """The systems of a topology; each is opened once, at its first use, and no sooner."""

    def __init__(
        self,
        settings: Mapping[str, SystemSettings],
        *,
        clock: Clock,
        connect: Connect = connect,
        lease: Lease | None = None,
    ) -> None:
        self._settings = settings
        self._lease = lease
        self._clock = clock
        self._connect = connect
        self._open: dict[str, System] = {}

    def __getitem__(self, name: str) -> System:
        if name not in self._open:
            self._open[name] = self._connected(self._settings[name])
        return self._open[name]

    def ask_once(self, name: str) -> str:
        """The organisation behind a system's credentials, without patience: one attempt tells whether it is back."""
        impatient = msgspec.structs.replace(self._settings[name], attempts=1)
        return self._connected(impatient).identity()

    def _connected(self, settings: SystemSettings) -> System:
        system = self._connect(settings, clock=self._clock)
        if self._lease is not None and isinstance(system, Paced):
            system.share_pace(partial(self._lease, settings.name))
        return system

    def __iter__(self) -> Iterator[str]:
        return iter(self._settings)

    def __len__(self) -> int:
        return len(self._settings)

    def opened(self) -> Mapping[str, System]:
        """The systems that were needed so far."""
        return self._open
