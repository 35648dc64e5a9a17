"""The gateway in front of the system: addresses, sessions, errors, and what an administrator does."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.faults import FaultPlan
from sync_pipelines.sandbox.s4hana.batch import Batch
from sync_pipelines.sandbox.s4hana.books import Books
from sync_pipelines.sandbox.s4hana.call import Answer, Desk, Operation
from sync_pipelines.sandbox.s4hana.refusal import Refusal, not_found
from sync_pipelines.sandbox.s4hana.schema import load_services, metadata
from sync_pipelines.sandbox.s4hana.session import Sessions
from sync_pipelines.sandbox.s4hana.settings import Settings
from sync_pipelines.sandbox.store import Store

ROOT = "/sap/opu/odata/sap"


class S4hana:
    """A system with three of its released services."""

    name = "s4hana"
    routes = Map(
        [
            Rule(f"{ROOT}/<service>/", endpoint="root", methods=["GET"]),
            Rule(f"{ROOT}/<service>/$metadata", endpoint="metadata", methods=["GET"]),
            Rule(f"{ROOT}/<service>/$batch", endpoint="batch", methods=["POST"]),
            Rule(f"{ROOT}/<service>/<path:resource>", endpoint="resource"),
        ],
        strict_slashes=False,
        merge_slashes=False,
    )

    def __init__(self, store: Store, *, clock: VirtualClock, faults: FaultPlan, settings: Settings) -> None:
        self.services = load_services()
        self.settings = settings
        self.books = Books(self.services, store, clock=clock, faults=faults, settings=settings)
        self.sessions = Sessions(settings, clock=clock)
        self._late: list[tuple[datetime, str, str, dict[str, Any]]] = []

    def answer(self, request: Request, endpoint: str, arguments: Mapping[str, Any]) -> Response:
        response = self.sessions.refusal(request)
        if response is None:
            self._settle()
            told = self._answer(request, endpoint, str(arguments["service"]), str(arguments.get("resource", "")))
            response = Response(told.body, told.status, dict(told.headers))
        return response if response.status_code == 401 else self.sessions.sign(request, response)

    def unknown(self, request: Request, error: HTTPException) -> Response:
        told = self._refuse("", not_found(request.path))
        return Response(told.body, told.status, dict(told.headers))

    def expire_tokens(self) -> None:
        self.sessions.end()

    def admin(self, action: str, body: Any) -> Any:
        """archive, save_late, settings."""
        given = body or {}
        match action:
            case "archive":
                entities = self.books.sets["A_BusinessPartner"]
                self.books.remove(entities, self.books.get(entities, {"BusinessPartner": given["id"]}))
            case "save_late":
                return {"id": self._save_late(given["set"], given["values"], float(given["seconds"]))}
            case "settings":
                self.settings = msgspec.convert({**msgspec.to_builtins(self.settings), **given}, Settings)
                self.books.settings = self.sessions.settings = self.settings
            case _:
                raise ValueError(f"an administrator can't {action!r} here")
        return {"done": action}

    def _answer(self, request: Request, endpoint: str, service: str, resource: str) -> Answer:
        try:
            if service not in self.services:
                raise Refusal(403, "/IWFND/MED/170", f"No service found for namespace '', name '{service}'")
            root = f"{request.host_url.rstrip('/')}{ROOT}/{service}"
            desk = Desk(self.books, self.services[service], root)
            headers = {name.lower(): text for name, text in request.headers.items()}
            match endpoint:
                case "root":
                    sets = {"d": {"EntitySets": list(self.services[service])}}
                    return Answer(200, msgspec.json.encode(sets), {"Content-Type": "application/json;charset=utf-8"})
                case "metadata":
                    told = metadata(service, self.services[service])
                    return Answer(200, told.encode(), {"Content-Type": "application/xml;charset=utf-8"})
                case "batch":
                    batch = Batch(self.books.store, service, desk.answer, lambda each: self._refuse(service, each))
                    return batch.answer(headers.get("content-type", ""), request.get_data())
            operation = Operation(request.method, resource, request.args, headers, request.get_data())
            with self.books.store.transaction():
                return desk.answer(operation)
        except Refusal as refusal:
            return self._refuse(service, refusal)

    def _refuse(self, service: str, refusal: Refusal) -> Answer:
        body = refusal.body(service, f"{self.books.clock.now():%Y%m%d%H%M%S.%f}0")
        headers = {"Content-Type": "application/json;charset=utf-8", **refusal.headers}
        return Answer(refusal.status, msgspec.json.encode(body), headers)

    def _save_late(self, name: str, values: Mapping[str, Any], seconds: float) -> str:
        """What is stamped now, and seen when its transaction ends."""
        entities, store = self.books.sets[name], self.books.store
        with store.transaction():
            key = str(self.books.create(entities, values)[entities.keys[0]])
            row = dict(store.table(name).rows[key])
            store.delete(name, key)
        self._late.append((self.books.clock.now() + timedelta(seconds=seconds), name, key, row))
        return key

    def _settle(self) -> None:
        due = [each for each in self._late if each[0] <= self.books.clock.now()]
        self._late = [each for each in self._late if each not in due]
        for _, name, key, row in due:
            self.books.store.put(name, key, row)


def open_vendor(store: Store, *, clock: VirtualClock, faults: FaultPlan, settings: Settings | None = None) -> S4hana:
    """The stand-in over a store; `settings` are another system's than the one that ships with it."""
    return S4hana(store, clock=clock, faults=faults, settings=settings or Settings())
