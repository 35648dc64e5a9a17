"""What the conformance suite needs done in Zendesk's stand-in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests

from sync_pipelines import mappings
from sync_pipelines.engine.port import Rate
from sync_pipelines.systems.zendesk import open_system
from sync_pipelines.testing.facts import Amounts, NotChecked
from sync_pipelines.testing.stand_in import StandIn

A_MINUTE = Rate(700, 60, "HTTP 429 with Retry-After")
"""The calls of an Enterprise account without add-ons."""


class ZendeskFacts(StandIn):
    """Organizations of an account."""

    vendor = "zendesk"
    open_system = staticmethod(open_system)
    object = "organizations"
    shape: Mapping[str, Any] = {"name": "VARCHAR", "external_id": "VARCHAR"}
    beside = mappings.objects("zendesk")
    options: Mapping[str, str] = {"client_id": "sandbox-client", "client_secret": "sandbox-secret"}
    data = "/api/v2/"
    slowest = 590
    longest = 255
    shown_after = 61
    """Seconds after which the export shows what somebody else did."""
    throttled: Mapping[str, Mapping[str, Any]] = {
        "the minute is used up": {
            "kind": "status",
            "status": 429,
            "headers": {"Retry-After": "41"},
            "body": "Number of allowed API requests per minute exceeded",
        },
        "the endpoint's own limit": {
            "kind": "status",
            "status": 429,
            "headers": {"Retry-After": "7"},
            "body": {"errors": [{"code": "TooManyRequests", "title": "Too many requests to update"}]},
        },
        "too many jobs": {
            "kind": "status",
            "status": 429,
            "body": {"errors": [{"code": "TooManyJobs", "title": "You can only have 30 jobs queued or running"}]},
        },
        "maintenance with a time": {"kind": "status", "status": 503, "headers": {"Retry-After": "30"}, "body": {}},
    }

    def body(self, name: str) -> Mapping[str, Any]:
        return {"name": name}

    def refused(self, name: str) -> Mapping[str, Any]:
        return {"name": name + "x" * 300}

    def published(self) -> Mapping[str, Any]:
        """The version is the one in the path of the last call; the rest is the vendor's own documents'."""
        spoken = self.sandbox.requests[-1].path.split("/")[2]
        return {"api_version": spoken, "retires_on": None, "zone": "UTC", "rate": A_MINUTE}

    def amounts(self) -> Amounts:
        raise NotChecked("organizations carry no amount of money")

    def put_late(self, name: str) -> tuple[str, float]:
        raise NotChecked("what the export holds back comes in order: nothing becomes visible behind its cursor")

    def is_write(self, request: requests.PreparedRequest) -> bool:
        return "/create_many" in request.path_url

    def put(self, *names: str) -> list[str]:
        made = super().put(*names)
        self.clock.sleep(self.shown_after)
        return made

    def change(self, record_id: str, name: str) -> None:
        super().change(record_id, name)
        self.clock.sleep(self.shown_after)

    def delete(self, record_id: str) -> None:
        self._administer("DELETE", record_id)

    def merge(self, loser: str, survivor: str) -> None:
        self._administer("POST", f"{loser}/merge", json={"organization_merge": {"winner_id": int(survivor)}})

    def count_held(self, external_id: str) -> int:
        rows = self.sandbox.store.all("organization")
        return sum(row["external_id"] == external_id and not row.get("_deleted") for row in rows)

    def _administer(self, method: str, path: str, **body: Any) -> None:
        self.other._wire.call(method, f"/api/v2/organizations/{path}", route=method, safe=False, **body)
        self.clock.sleep(self.shown_after)


class WithoutDeleted(ZendeskFacts):
    """An account whose export leaves out what was deleted."""

    def furnish(self) -> None:
        self.sandbox.vendor.admin("settings", {"exports_deleted_organizations": False})


class ShownAtOnce(ZendeskFacts):
    """An account that holds nothing back, so that two changes may be as close as one likes."""

    shown_after = 0

    def furnish(self) -> None:
        self.sandbox.vendor.admin("settings", {"held_back_seconds": 0})
