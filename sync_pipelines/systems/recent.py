"""What was written a short while ago, which an index that is behind may not show yet."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sync_pipelines.clock import Clock


class Recent:
    """Remembers records by object for so many seconds."""

    def __init__(self, seconds: float, *, clock: Clock) -> None:
        self._kept = timedelta(seconds=seconds)
        self._clock = clock
        self._noted: dict[str, dict[str, datetime]] = {}

    def note(self, object: str, record_ids: Iterable[str | None]) -> None:
        now = self._clock.now()
        self._noted.setdefault(object, {}).update({each: now for each in record_ids if each})

    def ids(self, object: str) -> list[str]:
        """The records that were noted no longer ago; older ones are forgotten."""
        since = self._clock.now() - self._kept
        kept = {each: at for each, at in self._noted.get(object, {}).items() if at >= since}
        self._noted[object] = kept
        return list(kept)

    def forget(self, object: str, record_ids: Iterable[str]) -> None:
        for each in record_ids:
            self._noted.get(object, {}).pop(each, None)
