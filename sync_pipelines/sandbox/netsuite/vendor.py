"""The NetSuite stand-in at the wire: which path leads where, who may pass, and what is answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from msgspec.structs import replace
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.faults import FaultPlan
from sync_pipelines.sandbox.netsuite import suiteql
from sync_pipelines.sandbox.netsuite.access import TOKEN_PATH, Access, Concurrency, Denied, crowded
from sync_pipelines.sandbox.netsuite.books import Books
from sync_pipelines.sandbox.netsuite.call import Call, encoded, refused
from sync_pipelines.sandbox.netsuite.job import JOBS, Jobs
from sync_pipelines.sandbox.netsuite.refusal import Broken, Refusal, missing
from sync_pipelines.sandbox.netsuite.schema import Schema, load_schema
from sync_pipelines.sandbox.netsuite.seed import found
from sync_pipelines.sandbox.netsuite.view import RECORDS
from sync_pipelines.sandbox.store import Store

_QUERY = "/services/rest/query/v1/suiteql"
_CATALOG = f"{RECORDS}/metadata-catalog/<record>"
_RULES = (
    ("POST", TOKEN_PATH, "token"),
    ("POST", _QUERY, "query"),
    ("GET", _CATALOG, "describe"),
    ("GET", f"{JOBS}/<int:job>", "job"),
    ("GET", f"{JOBS}/<int:job>/task", "tasks"),
    ("GET", f"{JOBS}/<int:job>/task/<int:task>", "task"),
    ("GET", f"{JOBS}/<int:job>/task/<int:task>/result", "result"),
    ("GET", f"{RECORDS}/<record>", "listing"),
    ("POST", f"{RECORDS}/<record>", "create"),
    ("PUT", f"{RECORDS}/<record>", "upsert_many"),
    ("PATCH", f"{RECORDS}/<record>", "update_many"),
    ("GET", f"{RECORDS}/<record>/<key>", "read"),
    ("PUT", f"{RECORDS}/<record>/<key>", "upsert"),
    ("PATCH", f"{RECORDS}/<record>/<key>", "update"),
    ("DELETE", f"{RECORDS}/<record>/<key>", "delete"),
    ("POST", f"{RECORDS}/<record>/<key>/!transform/<target>", "transform"),
)


class NetSuite:
    """One account behind its REST web services."""

    name = "netsuite"
    routes = Map(
        [Rule(path, methods=[method], endpoint=endpoint) for method, path, endpoint in _RULES],
        strict_slashes=False,
        merge_slashes=False,
    )

    def __init__(self, schema: Schema, store: Store, *, clock: VirtualClock, faults: FaultPlan) -> None:
        behaviour = schema.behaviour
        found(store)
        self.schema = schema
        self.books = Books(schema, store, clock=clock, faults=faults)
        self.access = Access(schema.account, behaviour, clock)
        self.concurrency = Concurrency(behaviour.concurrent_requests)
        self.jobs = Jobs(clock, schema.account.host, seconds=behaviour.job_seconds)
        self._clock = clock
        self._queries = suiteql.SuiteQl(store, ZoneInfo(schema.account.zone))
        self._late: list[tuple[datetime, str, dict[str, Any]]] = []

    @contextmanager
    def receive(self, request: Request) -> Iterator[Response | None]:
        """Calls under way count before they wait for anything."""
        with self.concurrency.flight() as free:
            yield None if free else refused(crowded())

    def answer(self, request: Request, endpoint: str, arguments: Mapping[str, Any]) -> Response:
        try:
            if endpoint == "token":
                return encoded(self.access.issue(request))
            self.access.check(request)
            self._settle()
            return Call(self, request, arguments).answer(endpoint)
        except Denied as denied:
            return encoded({"error": str(denied)}, 401 if str(denied) == "invalid_client" else 400)
        except Refusal as refusal:
            return refused(refusal)
        except Broken as broken:
            return refused(broken.refusal(self.schema.behaviour.refusal))

    def unknown(self, request: Request, error: HTTPException) -> Response:
        if isinstance(error, MethodNotAllowed):
            return refused(Refusal("INVALID_METHOD", f"{request.method} is not allowed here.", status=405))
        return refused(missing(request.path))

    def expire_tokens(self) -> None:
        self.access.expire()

    def admin(self, action: str, body: Any) -> Any:
        """certificate, concurrency, period, account, save_late, audit."""
        given = body or {}
        match action:
            case "certificate":
                self.access.certificates[given["id"]] = given["public_key"]
            case "concurrency":
                self.concurrency.foreign = int(given["foreign"])
            case "period":
                self._set_period(given["name"], given["changes"])
            case "account":
                self._rename(given["id"])
            case "save_late":
                return {"id": self._save_late(given["record"], given["values"], float(given["seconds"]))}
            case "audit":
                return list(self.access.audit)
            case _:
                raise ValueError(f"an administrator can't {action!r} here")
        return {"done": action}

    def query(self, text: str, params: list[Any]) -> list[dict[str, Any]]:
        rows = self._queries.run(text, params)[: self.schema.behaviour.rows_max]
        return [{"links": [], **row} for row in rows]

    def _settle(self) -> None:
        """What is due by now: jobs, and saves that took their time stamp earlier."""
        due = [each for each in self._late if each[0] <= self._clock.now()]
        self._late = [each for each in self._late if each not in due]
        for _, table, row in due:
            self.books.store.put(table, row["id"], row)
        self.jobs.settle()

    def _save_late(self, name: str, values: Mapping[str, Any], seconds: float) -> str:
        record = self.schema.records[name]
        identity = self.books.create(record, values, strict=True)
        row = dict(self.books.store.get(record.table, identity) or {})
        self.books.store.delete(record.table, identity)
        self._late.append((self._clock.now() + timedelta(seconds=seconds), record.table, row))
        return identity

    def _set_period(self, name: str, changes: Mapping[str, Any]) -> None:
        (row,) = self.books.store.find("accountingPeriod", "periodName", name)
        self.books.store.put("accountingPeriod", row["id"], {**row, **changes})

    def _rename(self, identity: str) -> None:
        """The same data and credentials under another account, as after a refresh."""
        self.schema = replace(self.schema, account=replace(self.schema.account, id=identity))
        self.books.schema = self.schema
        self.access.account = self.schema.account


def open_vendor(store: Store, *, clock: VirtualClock, faults: FaultPlan, schema: Schema | None = None) -> NetSuite:
    """The stand-in over a store; `schema` is another account than the one in `account.toml`."""
    return NetSuite(schema or load_schema(), store, clock=clock, faults=faults)
