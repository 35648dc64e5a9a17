"""What was written a short while ago, which an index that is behind may not show yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from sync_pipelines.clock import Clock


class Recent:
    """Remembers for so many seconds which version of a record was written, by object; "" where that is not known."""

    def __init__(self, seconds: float, *, clock: Clock) -> None:
        self._kept = timedelta(seconds=seconds)
        self._clock = clock
        self._noted: dict[str, dict[str, tuple[str, datetime]]] = {}

    def note(self, object: str, versions: Mapping[str, str]) -> None:
        now = self._clock.now()
        self._noted.setdefault(object, {}).update({each: (version, now) for each, version in versions.items()})

    def versions(self, object: str) -> dict[str, str]:
        """The versions that were noted no longer ago, by record; older ones are forgotten."""
        since = self._clock.now() - self._kept
        kept = {each: noted for each, noted in self._noted.get(object, {}).items() if noted[1] >= since}
        self._noted[object] = kept
        return {each: version for each, (version, _) in kept.items()}

    def forget(self, object: str, record_ids: Iterable[str]) -> None:
        for each in record_ids:
            self._noted.get(object, {}).pop(each, None)
