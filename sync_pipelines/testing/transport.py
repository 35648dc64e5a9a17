"""Wires on which chosen calls go wrong: slower than their caller but arriving all the same, or met by a fault."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import requests
from requests.adapters import BaseAdapter

from sync_pipelines.clock import Clock
from sync_pipelines.sandbox.app import Sandbox
from sync_pipelines.sandbox.faults import Rule
from sync_pipelines.sandbox.transport import InProcess

Chosen = Callable[[requests.PreparedRequest], bool]
"""Tells the calls that go wrong from those that don't."""


@dataclass(frozen=True)
class _Coming:
    due: datetime
    act: Callable[[], object]


class Late(BaseAdapter):
    """Stands in front of another transport; what is under way arrives when the clock has come to its time.

    Example: `late = Late(InProcess(sandbox), clock=clock)`, then
    `late.hold(lambda request: request.method == "POST", seconds=30)`.
    """

    def __init__(self, far_end: BaseAdapter, *, clock: Clock) -> None:
        super().__init__()
        self._far_end = far_end
        self._clock = clock
        self._is_held: Chosen = lambda request: False
        self._seconds = 0.0
        self._coming: list[_Coming] = []

    def hold(self, is_held: Chosen, *, seconds: float) -> None:
        """From now on give these calls up at once; they arrive so many seconds after they left."""
        self._is_held, self._seconds = is_held, seconds

    def later(self, act: Callable[[], object], *, seconds: float) -> None:
        """Do something at the far end when the clock has come to its time."""
        self._coming.append(_Coming(self._clock.now() + timedelta(seconds=seconds), act))

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        self.arrive()
        if self._is_held(request):
            self.later(lambda: self._far_end.send(request), seconds=self._seconds)
            raise requests.ReadTimeout("Read timed out.", request=request)
        return self._far_end.send(request, stream, timeout, verify, cert, proxies)

    def arrive(self) -> None:
        """Let everything arrive that is due; nobody waits for the answers any more."""
        due = [coming for coming in self._coming if coming.due <= self._clock.now()]
        self._coming = [coming for coming in self._coming if coming not in due]
        for coming in due:
            coming.act()

    def close(self) -> None:
        self._far_end.close()


class Struck(InProcess):
    """A stand-in's transport on which chosen calls meet a fault, while the calls of others go well.

    After each of them the stand-in's fault plan is empty: rules of one's own don't go with it.
    Example: `struck.strike(Rule(route="", kind="html"), lambda request: request.method == "GET", times=2)`.
    """

    def __init__(self, app: Sandbox) -> None:
        super().__init__(app)
        self._fault: Rule | None = None
        self._is_struck: Chosen = lambda request: False
        self._left: int | None = None

    def strike(self, fault: Rule | None, is_struck: Chosen, *, times: int | None = None) -> None:
        """From now on these calls meet this fault, so many of them or all; None: nothing goes wrong any more."""
        self._fault, self._is_struck, self._left = fault, is_struck, times

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        if self._fault is None or self._left == 0 or not self._is_struck(request):
            return super().send(request, stream, timeout, verify, cert, proxies)
        self._left = None if self._left is None else self._left - 1
        self.app.faults.add(self._fault)
        try:
            return super().send(request, stream, timeout, verify, cert, proxies)
        finally:
            self.app.faults.clear()
