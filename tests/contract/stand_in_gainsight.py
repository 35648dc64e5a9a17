"""What the conformance suite needs done in Gainsight's stand-in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests

from sync_pipelines import mappings
from sync_pipelines.engine.port import Rate
from sync_pipelines.systems.gainsight import open_system
from sync_pipelines.testing.facts import Amounts, NotChecked
from sync_pipelines.testing.stand_in import StandIn

COMPANIES = "/v1/data/objects/Company"


class GainsightFacts(StandIn):
    """Companies of a tenant, whose limits the suite's own thousands of records don't meet."""

    vendor = "gainsight"
    open_system = staticmethod(open_system)
    object = "Company"
    shape: Mapping[str, Any] = {"Name": "VARCHAR", "Sync_Id__gc": "VARCHAR"}
    beside = mappings.objects("gainsight")
    options: Mapping[str, str] = {"client_id": "sandbox-client", "client_secret": "sandbox-secret"}
    data = "/v1/data/"
    slowest = 290
    longest = 255
    late = 590
    throttled: Mapping[str, Mapping[str, Any]] = {
        "the minute is used up": {
            "kind": "status",
            "status": 429,
            "headers": {"x-ratelimit-limit": "100"},
            "body": {"result": False, "errorCode": "GU_2400", "errorDesc": "API rate limit exceeded"},
        },
        "the gateway alone": {"kind": "status", "status": 429},
    }
    spoilt: Mapping[str, Mapping[str, Any]] = {
        "server_error": {
            "kind": "status",
            "status": 500,
            "body": {"result": False, "errorCode": "GU_1101", "errorDesc": "Failure"},
        },
    }

    def furnish(self) -> None:
        self.sandbox.vendor.admin("settings", {"calls_per_minute": 1_000_000, "calls_per_day": 1_000_000})

    def body(self, name: str) -> Mapping[str, Any]:
        return {"Name": name}

    def refused(self, name: str) -> Mapping[str, Any]:
        return {"Name": name, "RenewalDate": "soon"}

    def published(self) -> Mapping[str, Any]:
        """The version is the one in the path of the last call; the rest is the vendor's own documents'."""
        spoken = self.sandbox.requests[-1].path.split("/")[1]
        return {"api_version": spoken, "retires_on": None, "zone": "UTC", "rate": Rate(100, 60, "HTTP 429")}

    def amounts(self) -> Amounts:
        raise NotChecked("no amount of money is written, nor one read into a domain")

    def put_late(self, name: str) -> tuple[str, float]:
        self.sandbox.vendor.admin("settings", {"late_seconds": self.late})
        (made,) = self.put(name)
        self.sandbox.vendor.admin("settings", {"late_seconds": 0})
        return made, self.late

    def is_write(self, request: requests.PreparedRequest) -> bool:
        return request.method == "POST" and request.path_url == COMPANIES

    def delete(self, record_id: str) -> None:
        self.other._wire.call("DELETE", f"{COMPANIES}/{record_id}", route="DELETE", safe=False)

    def merge(self, loser: str, survivor: str) -> None:
        """Nothing tells of a merge but the log of deletes, where the loser is."""
        self.delete(loser)

    def count_held(self, external_id: str) -> int:
        return len(self.sandbox.store.find("Company", "Sync_Id__gc", external_id))


class ByList(GainsightFacts):
    """A tenant that answers queries with lists, refuses what finds nothing, and lets its access key in."""

    options: Mapping[str, str] = {"access_key": "sandbox-key"}

    def furnish(self) -> None:
        super().furnish()
        self.sandbox.vendor.admin("settings", {"rows_in": "list", "nothing": "refusal"})

    def strike(self, fault: str, *, times: int | None = None, writes: bool = False) -> None:
        if fault == "token_expired":
            raise NotChecked("an access key does not expire")
        super().strike(fault, times=times, writes=writes)
