"""What the conformance suite needs done in Stripe's stand-in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests

from sync_pipelines.sandbox.stripe.refusal import LOCK_TIMEOUT, RATE_LIMITED
from sync_pipelines.systems.stripe import open_system
from sync_pipelines.testing.facts import Fault, NotChecked
from sync_pipelines.testing.stand_in import StandIn


class StripeFacts(StandIn):
    """Customers of an account."""

    vendor = "stripe"
    open_system = staticmethod(open_system)
    object = "customers"
    shape: Mapping[str, Any] = {"name": "VARCHAR"}
    options: Mapping[str, str] = {"api_key": "sk_test_sandbox"}
    data = "/v1/"
    slowest = 80
    beside_pages = 1
    throttled: Mapping[str, Mapping[str, Any]] = {
        "too many calls": {"kind": "status", "status": 429, "body": RATE_LIMITED},
        "the object is in use": {
            "kind": "status",
            "status": 429,
            "body": LOCK_TIMEOUT,
            "headers": {"Stripe-Should-Retry": "true"},
        },
    }

    def body(self, name: str) -> Mapping[str, Any]:
        return {"name": name}

    def refused(self, name: str) -> Mapping[str, Any]:
        return {"name": name, "no_such_parameter": "1"}

    def is_write(self, request: requests.PreparedRequest) -> bool:
        return request.method == "POST"

    def delete(self, record_id: str) -> None:
        self.other._wire.call("DELETE", f"/v1/customers/{record_id}", route="DELETE", safe=False)

    def merge(self, loser: str, survivor: str) -> None:
        raise NotChecked("Stripe merges nothing")

    def put_late(self, name: str) -> tuple[str, float]:
        raise NotChecked("the stand-in shows every change at once")

    def strike(self, fault: str, *, times: int | None = None, writes: bool = False) -> None:
        if fault == Fault.TOKEN_EXPIRED and times:
            raise NotChecked("a key does not expire by itself, and can't be renewed")
        super().strike(fault, times=times, writes=writes)

    def count_held(self, external_id: str) -> int:
        return sum(row["metadata"].get("sync_id") == external_id for row in self.sandbox.store.all("customer"))
