"""The recycle bin: deletes, restores, purges and merges, with what they do to children and the delete log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sync_pipelines.sandbox.salesforce.fault import Refusal
from sync_pipelines.sandbox.salesforce.org import Org
from sync_pipelines.sandbox.salesforce.schema import Field, Object
from sync_pipelines.sandbox.store import Document

DELETE_LOG = "_deleted"
MERGE_MAX = 2
"""Records that may be merged into one in one step."""


class Bin:
    """One org's recycle bin. A binned record keeps in `_cause` the record whose delete took it along."""

    def __init__(self, org: Org) -> None:
        self.org = org
        self.store = org.store

    def delete(self, thing: Object, id: str) -> None:
        """Into the bin, with the children that go along; refused while others depend on it."""
        with self.store.transaction():
            self.org.writable(thing)
            row = self.org.get(thing, id)
            self.org.lock("delete", thing, row["Id"])
            self._bin(thing, row, cause=row["Id"])

    def undelete(self, ids: Sequence[str]) -> None:
        """Out of the bin, with the children that went along; also ends a merge."""
        with self.store.transaction():
            for cause in ids:
                for thing in self.org.schema.objects.values():
                    for row in self.store.find(thing.name, "_cause", cause):
                        self._restore(thing, row)

    def purge(self, ids: Sequence[str]) -> None:
        """For good: only the delete log remembers."""
        with self.store.transaction():
            for record in ids:
                thing = self.org.schema.by_prefix[record[:3]]
                row = self.store.get(thing.name, record)
                if row is None:
                    raise Refusal("NOT_FOUND", f"no {thing.name} {record}", status=404)
                if not row["IsDeleted"]:
                    self._bin(thing, row, cause=record)
                self.store.delete(thing.name, record)

    def merge(self, winner: str, losers: Sequence[str]) -> None:
        """Losers are binned with `MasterRecordId`; what referred to them refers to the winner."""
        thing = self.org.schema.by_prefix[winner[:3]]
        if not thing.mergeable or not 1 <= len(losers) <= MERGE_MAX:
            raise Refusal("INVALID_OPERATION", f"can't merge {len(losers)} records of {thing.name}")
        with self.store.transaction():
            master = self.org.get(thing, winner)
            for record in losers:
                loser = self.org.get(thing, record)
                self._adopt(thing, loser["Id"], master["Id"])
                marks = {"IsDeleted": True, "MasterRecordId": master["Id"], "_cause": loser["Id"]}
                self.org.put(thing, {**loser, **marks})
                self._log(thing, loser["Id"])
            self.org.put(thing, dict(master))

    def _adopt(self, thing: Object, loser: str, master: str) -> None:
        for child, field in self.org.schema.references_to(thing.name):
            for row in self.store.find(child.name, field.name, loser):
                moved = {**row, field.name: master}
                if self.org.schema.behaviour.merge_restamps_children:
                    self.org.put(child, moved)
                else:
                    self.store.put(child.name, row["Id"], moved)

    def _bin(self, thing: Object, row: Document, *, cause: str) -> None:
        for child, field in self.org.schema.references_to(thing.name):
            for dependent in self.store.find(child.name, field.name, row["Id"]):
                if not dependent["IsDeleted"]:
                    self._bin_dependent(child, field, dependent, cause=cause)
        self.org.put(thing, {**row, "IsDeleted": True, "_cause": cause})
        self._log(thing, row["Id"])
        self._after(thing, row)

    def _bin_dependent(self, child: Object, field: Field, row: Document, *, cause: str) -> None:
        if field.on_delete == "restrict":
            message = "Your attempt to delete this record could not be completed because it is associated"
            raise Refusal("DELETE_FAILED", f"{message} with the following records: {child.name} {row['Id']}")
        if field.on_delete == "cascade":
            self._bin(child, row, cause=cause)

    def _restore(self, thing: Object, row: Document) -> None:
        marks: dict[str, Any] = {"IsDeleted": False, "_cause": None}
        if thing.mergeable:
            marks["MasterRecordId"] = None
        self.org.put(thing, {**row, **marks})
        self.store.delete(DELETE_LOG, row["Id"])
        self._after(thing, row)

    def _after(self, thing: Object, row: Document) -> None:
        if thing.name == "OpportunityLineItem":
            self.org.roll_up(row["OpportunityId"])

    def _log(self, thing: Object, id: str) -> None:
        self.store.put(DELETE_LOG, id, {"id": id, "object": thing.name, "deletedDate": self.org.now()})
