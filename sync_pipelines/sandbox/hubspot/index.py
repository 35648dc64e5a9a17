"""What searches see: every record as it was indexed last, which may be some seconds ago."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.hubspot.schema import Object
from sync_pipelines.sandbox.store import Document, Store

LATE = "_unindexed"
Key = Callable[[Document], tuple[object, ...]]


class Index:
    """The search index over a portal's records; `lag_seconds` is how far it is behind."""

    def __init__(self, store: Store, *, clock: VirtualClock, lag_seconds: float) -> None:
        self.store = store
        self.clock = clock
        self.lag_seconds = lag_seconds
        self._sorted: dict[tuple[str, str], tuple[tuple[int, int], list[Document]]] = {}

    def note(self, thing: Object, id: str, before: Document | None) -> None:
        """A record changes now; until it is indexed, searches show what they showed before."""
        if self.lag_seconds <= 0:
            return
        until = (self.clock.now() + timedelta(seconds=self.lag_seconds)).isoformat()
        waiting = self.store.get(LATE, f"{thing.name}/{id}")
        shown = waiting["shown"] if waiting else before
        self.store.put(LATE, f"{thing.name}/{id}", {"object": thing.name, "id": id, "shown": shown, "until": until})

    def rows(self, thing: Object, order: str, key: Key) -> list[Document]:
        """The live records as they are indexed, sorted; `order` names the sorting."""
        self._catch_up()
        versions = (self.store.table(thing.name).version, self.store.table(LATE).version)
        known = self._sorted.get((thing.name, order))
        if known is None or known[0] != versions:
            known = (versions, sorted(self._shown(thing), key=key))
            self._sorted[thing.name, order] = known
        return known[1]

    def forget(self) -> None:
        """What was sorted before an administrator changed the properties."""
        self._sorted.clear()

    def _shown(self, thing: Object) -> list[Document]:
        rows = {row["id"]: row for row in self.store.all(thing.name)}
        for late in self.store.find(LATE, "object", thing.name):
            rows.pop(late["id"], None)
            if late["shown"] is not None:
                rows[late["id"]] = late["shown"]
        return [row for row in rows.values() if not row["archived"]]

    def _catch_up(self) -> None:
        now = self.clock.now()
        done = [row for row in self.store.all(LATE) if datetime.fromisoformat(row["until"]) <= now]
        for row in done:
            self.store.delete(LATE, f"{row['object']}/{row['id']}")
