"""What the conformance suite needs done in S/4HANA's stand-in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import requests

from sync_pipelines import mappings
from sync_pipelines.engine.port import Request
from sync_pipelines.sandbox.s4hana import seed
from sync_pipelines.systems.s4hana import open_system
from sync_pipelines.testing.facts import Amounts, Fault, NotChecked
from sync_pipelines.testing.stand_in import StandIn

OPTIONS = {"user": "SYNC", "password": "sandbox-password", "zone": "Europe/Berlin"}
AREA = {"SalesOrganization": "1010", "DistributionChannel": "10", "Division": "00"}


class S4hanaFacts(StandIn):
    """Business partners of a system that keeps letters as they are, so that a key can be told by each of them."""

    vendor = "s4hana"
    open_system = staticmethod(open_system)
    object = "A_BusinessPartner"
    shape: Mapping[str, Any] = {"BusinessPartnerFullName": "VARCHAR"}
    beside = mappings.objects("s4hana")
    options: Mapping[str, str] = OPTIONS
    data = "/sap/opu/odata/"
    slowest = 890
    latest = 590
    longest = 40
    throttled: Mapping[str, Mapping[str, Any]] = {
        "too many calls": {"kind": "status", "status": 429, "headers": {"Retry-After": "7"}, "body": {}},
        "no work process is free": {"kind": "status", "status": 503, "body": "Service Unavailable"},
    }

    def furnish(self) -> None:
        self.sandbox.vendor.admin("settings", {"capitals": False})
        buyer = {
            "BusinessPartner": "5",
            "Customer": "5",
            "BusinessPartnerCategory": "2",
            "OrganizationBPName1": "Buyer",
        }
        rows = {
            "A_BusinessPartner": [{**buyer, "CreationDate": "2026-01-01T00:00:00"}],
            "A_Customer": [{"Customer": "5"}],
            "A_CustomerSalesArea": [{"Customer": "5", **AREA}],
        }
        seed(self.sandbox.store, rows | {"material": [{"Material": "TG11"}]})

    def body(self, name: str) -> Mapping[str, Any]:
        return {"BusinessPartnerCategory": "2", **self.renamed(name)}

    def renamed(self, name: str) -> Mapping[str, Any]:
        """A name of more than one line goes on after a blank."""
        first, _, rest = name.rpartition(" ") if len(name) > 40 else (name, "", "")
        return {"OrganizationBPName1": first or rest, "OrganizationBPName2": rest if first else ""}

    def refused(self, name: str) -> Mapping[str, Any]:
        return {"BusinessPartnerCategory": "2", "OrganizationBPName1": name + "x" * 41}

    def _request(self, name: str, record_id: str | None, body: Mapping[str, Any]) -> Request:
        """An external number has 20 letters at most."""
        return replace(super()._request(name, record_id, body), external_id=name[-20:])

    def is_write(self, request: requests.PreparedRequest) -> bool:
        return request.method == "POST"

    def delete(self, record_id: str) -> None:
        """A partner that is marked for archiving is gone when it was archived."""
        self.sandbox.vendor.admin("archive", {"id": record_id})

    def merge(self, loser: str, survivor: str) -> None:
        raise NotChecked("the services merge no business partners")

    def put_late(self, name: str) -> tuple[str, float]:
        given = {"set": self.object, "values": self.body(name), "seconds": self.latest}
        return str(self.sandbox.vendor.admin("save_late", given)["id"]), self.latest

    def lose(self) -> None:
        """What arrives late would find its session ended, were its user not at work in between."""
        self.system.count(self.object)
        super().lose()

    def strike(self, fault: str, *, times: int | None = None, writes: bool = False) -> None:
        if fault == Fault.TOKEN_EXPIRED and times is None:
            raise NotChecked("a read needs no token, and a password does not expire")
        super().strike(fault, times=times, writes=writes)

    def count_held(self, external_id: str) -> int:
        rows = self.sandbox.store.all(self.object)
        return sum(row["BusinessPartnerIDByExtSystem"] == external_id for row in rows)

    def amounts(self) -> Amounts:
        """An order of one piece at a manual price."""

        def body(amount: Decimal, currency: str) -> Mapping[str, Any]:
            price = {"ConditionType": "PPR0", "ConditionRateValue": str(amount), "ConditionCurrency": currency}
            item = {"Material": "TG11", "RequestedQuantity": "1", "to_PricingElement": [price]}
            area = {"SalesOrganization": "1010", "DistributionChannel": "10", "OrganizationDivision": "00"}
            whole = {"SalesOrderType": "OR", "SoldToParty": "5", "TransactionCurrency": currency}
            return {**whole, **area, "to_Item": [item]}

        return Amounts(
            object="A_SalesOrder",
            shape={"TotalNetAmount": "DECIMAL(18,4)", "TransactionCurrency": "VARCHAR"},
            body=body,
            told=lambda row: (Decimal(row["TotalNetAmount"]), row["TransactionCurrency"]),
            currencies=["EUR", "JPY", "KWD"],
        )

    def published(self) -> Mapping[str, Any]:
        """A service without a version in its path is its first."""
        is_first = ";v=" not in self.sandbox.requests[-1].path
        return {"api_version": "0001" if is_first else "", "retires_on": None, "zone": "Europe/Berlin", "rate": None}
