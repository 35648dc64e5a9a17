"""Long transactions: records that carry the stamp of their save, and become visible only later."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sync_pipelines.sandbox.salesforce.org import Org

LATE = "_late"


class LateCommits:
    """Saves that have happened and are not yet committed."""

    def __init__(self, org: Org) -> None:
        self.org = org
        self.store = org.store

    def save(self, name: str, values: Mapping[str, Any], *, seconds: float) -> str:
        """Create a record, or update the one in `Id`; it is stamped now and shows after some seconds."""
        thing = self.org.lookup.object(name)
        rest = {key: value for key, value in values.items() if key != "Id"}
        with self.store.transaction():
            before = self.store.get(thing.name, values["Id"]) if "Id" in values else None
            sent = self.org.read(thing, rest, created=before is None)
            row = {**(before or self.org.blank(thing)), **sent}
            self.org.complete(thing, row, frozenset(sent))
            row |= {"SystemModstamp": self.org.now(), "LastModifiedDate": self.org.now()}
            visible = (self.org.clock.now() + timedelta(seconds=seconds)).isoformat()
            self.store.put(LATE, row["Id"], {"object": thing.name, "visible": visible, "row": row})
        return str(row["Id"])

    def settle(self) -> None:
        """Commit those whose time has come."""
        if not self.store.count(LATE):
            return
        now = self.org.clock.now().isoformat()
        with self.store.transaction():
            for late in self.store.all(LATE):
                if late["visible"] <= now:
                    self.store.put(late["object"], late["row"]["Id"], late["row"])
                    self.store.delete(LATE, late["row"]["Id"])

    def oldest(self) -> str | None:
        """The stamp of the oldest save that is still open."""
        return min((late["row"]["SystemModstamp"] for late in self.store.all(LATE)), default=None)
