"""A wire on which chosen calls are slower than their caller: they are given up at once, and arrive all the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import requests
from requests.adapters import BaseAdapter

from sync_pipelines.clock import Clock


@dataclass(frozen=True)
class _Coming:
    due: datetime
    request: requests.PreparedRequest


class Late(BaseAdapter):
    """Stands in front of another transport; what is under way arrives when the clock has come to its time.

    Example: `late = Late(InProcess(sandbox), clock=clock)`, then
    `late.hold(lambda request: request.method == "POST", seconds=30)`.
    """

    def __init__(self, far_end: BaseAdapter, *, clock: Clock) -> None:
        super().__init__()
        self._far_end = far_end
        self._clock = clock
        self._is_held: Callable[[requests.PreparedRequest], bool] = lambda request: False
        self._seconds = 0.0
        self._coming: list[_Coming] = []

    def hold(self, is_held: Callable[[requests.PreparedRequest], bool], *, seconds: float) -> None:
        """From now on give these calls up at once; they arrive so many seconds after they left."""
        self._is_held, self._seconds = is_held, seconds

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
            self._coming.append(_Coming(self._clock.now() + timedelta(seconds=self._seconds), request))
            raise requests.ReadTimeout("Read timed out.", request=request)
        return self._far_end.send(request, stream, timeout, verify, cert, proxies)

    def arrive(self) -> None:
        """Let everything arrive that is due; nobody waits for the answers any more."""
        due = [coming for coming in self._coming if coming.due <= self._clock.now()]
        self._coming = [coming for coming in self._coming if coming not in due]
        for coming in due:
            self._far_end.send(coming.request)

    def close(self) -> None:
        self._far_end.close()
