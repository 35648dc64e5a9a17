"""The smallest vendor: notes that can be put and read, for tests of the kit itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from sync_pipelines.sandbox.app import Sandbox
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.faults import FaultPlan
from sync_pipelines.sandbox.store import Store

TODAY = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Notebook:
    name = "notebook"
    routes = Map(
        [
            Rule("/notes/<key>", methods=["GET"], endpoint="read"),
            Rule("/notes/<key>", methods=["PUT"], endpoint="write"),
        ]
    )

    def __init__(self, store: Store) -> None:
        self.store = store
        self.expired = 0

    def answer(self, request: Request, endpoint: str, arguments: Mapping[str, Any]) -> Response:
        if endpoint == "write":
            self.store.put("notes", arguments["key"], {"text": request.get_data(as_text=True)})
            return Response(status=204)
        note = self.store.get("notes", arguments["key"])
        return Response(note["text"] if note else "", 200 if note else 404)

    def unknown(self, request: Request, error: HTTPException) -> Response:
        return Response(f"no such page: {request.path}", error.code)

    def expire_tokens(self) -> None:
        self.expired += 1

    def admin(self, action: str, body: Any) -> Any:
        return {action: body}


def notebook(path: Any = None) -> Sandbox:
    store = Store(path)
    return Sandbox(Notebook(store), store, clock=VirtualClock(TODAY), faults=FaultPlan())
