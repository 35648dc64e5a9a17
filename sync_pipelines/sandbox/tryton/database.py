"""The ERP's records in one store: documents, ids and instants; every call is one transaction.

What a record must be is in `saving` and `rule`, what is computed of it in `derived`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.faults import FaultPlan
from sync_pipelines.sandbox.store import Document, Store
from sync_pipelines.sandbox.tryton.fault import UserError, unknown
from sync_pipelines.sandbox.tryton.schema import Field, Model, load_schema
from sync_pipelines.sandbox.tryton.value import micros

ADMINISTRATOR = 1
COMPANY = 1


class Database:
    """One database. Ids come from sequences that no rollback turns back, as PostgreSQL's do."""

    def __init__(self, store: Store, *, clock: VirtualClock, faults: FaultPlan) -> None:
        self.store = store
        self.clock = clock
        self.faults = faults
        self.models: Mapping[str, Model] = load_schema()
        self.began = 0
        """When the transaction in progress began, as documents keep it."""
        self._last: dict[str, int] = {}
        self._taken: set[str] = set()
        self._born: dict[str, list[int]] = {}
        """The ids that the transaction in progress has given out, by model."""

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; all of it is dated by its beginning, and no two begin together."""
        with self.store.transaction():
            self.began = max(micros(self.clock.now()), self.store.meta("began", 0) + 1)
            self.store.set_meta("began", self.began)
            self._born.clear()
            yield
            for name in self._taken:
                self.store.set_meta(name, self._last[name])
            self._taken.clear()

    def model(self, name: str) -> Model:
        found = self.models.get(name)
        if found is None:
            raise unknown(name)
        return found

    def field(self, model: Model, name: str) -> Field:
        found = model.fields.get(name)
        if found is None:
            raise unknown(name)
        return found

    def get(self, model: str, id: int) -> Document:
        """A record that must be there."""
        row = self.find(model, id)
        if row is None:
            raise UserError(f'You are trying to read records "{id}" of "{self.model(model).label}" that don\'t exist.')
        return row

    def find(self, model: str, id: int | None) -> Document | None:
        return None if id is None else self.store.get(model, str(id))

    def referring(self, model: str, field: str, id: int) -> list[Document]:
        """Records whose reference is this one, in the order of their ids."""
        return self.store.find(model, field, id)

    def put(self, model: str, row: Document) -> None:
        self.store.put(model, str(row["id"]), row)

    def change(self, model: str, id: int, values: Mapping[str, Any]) -> None:
        """Set values that the server computes itself; the record is stamped."""
        stamps = {"write_uid": ADMINISTRATOR, "write_date": self.began}
        self.put(model, {**self.get(model, id), **values, **stamps})

    def remove(self, model: str, id: int) -> None:
        self.store.delete(model, str(id))

    def ids(self, model: str) -> Iterable[int]:
        return map(int, self.store.table(model).rows)

    def next_id(self, model: str) -> int:
        name = f"id {model}"
        if name not in self._last:
            self._last[name] = max(self.store.meta(name, 0), self._highest(model))
        self._born.setdefault(model, []).append(self.next_number(name))
        return self._born[model][-1]

    def known_as(self, model: str, ids: Sequence[int]) -> list[int]:
        """Records as warnings name them: those that the transaction in progress has made are numbered from -1 down."""
        born = self._born.get(model, [])
        return [-1 - born.index(each) if each in born else each for each in ids]

    def next_number(self, name: str) -> int:
        """The next of a sequence; one that a transaction took is gone, whatever became of it."""
        last = self._last[name] if name in self._last else self.store.meta(name, 0)
        self._last[name] = last + 1
        self._taken.add(name)
        return int(last) + 1

    def next_gapless(self, name: str) -> int:
        """The next of a strict sequence: a rollback gives it back."""
        number = int(self.store.meta(name, 0)) + 1
        self.store.set_meta(name, number)
        return number

    def today(self) -> str:
        """The day of the company."""
        return self.clock.now().astimezone(self._zone).date().isoformat()

    def american(self, day: str) -> str:
        """A date as messages in English spell it."""
        return date.fromisoformat(day).strftime("%m/%d/%Y")

    def late(self, model: str, id: int, row: Document, *, visible: str) -> None:
        """Keep a version of a record that becomes visible later."""
        self.store.put("_late", f"{model},{id}", {"model": model, "visible": visible, "row": row})

    def settle(self) -> None:
        """Commit the slow transactions whose time has come."""
        if not self.store.count("_late"):
            return
        now = self.clock.now().isoformat()
        with self.store.transaction():
            for waiting in self.store.all("_late"):
                if waiting["visible"] <= now:
                    row = waiting["row"]
                    self.put(waiting["model"], row)
                    self.store.delete("_late", f"{waiting['model']},{row['id']}")

    @cached_property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.get("company.company", COMPANY)["timezone"])

    def _highest(self, model: str) -> int:
        late = [row["row"]["id"] for row in self.store.all("_late") if row["model"] == model]
        return max([*self.ids(model), *late], default=0)
