"""Salesforce through simple-salesforce."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce

from witness.value import Record, Records, line, minor


class OverHttp(HTTPAdapter):
    """simple-salesforce insists on https; the stand-in speaks http on loopback."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        request.url = (request.url or "").replace("https://", "http://", 1)
        return super().send(request, *args, **kwargs)


@contextmanager
def salesforce_client(url: str, secrets: Mapping[str, str]) -> Iterator[Salesforce]:
    asked = {
        "grant_type": "client_credentials",
        "client_id": secrets["SALESFORCE_CLIENT_ID"],
        "client_secret": secrets["SALESFORCE_CLIENT_SECRET"],
    }
    token = requests.post(f"{url}/services/oauth2/token", data=asked, timeout=30).json()["access_token"]
    with requests.Session() as session:
        session.mount("https://127.0.0.1", OverHttp())
        yield Salesforce(instance_url=url, session_id=token, session=session, version="67.0")


class SalesforceRecords:
    """Reads a whole org."""

    def __init__(self, client: Salesforce) -> None:
        self.client = client

    def read(self) -> Records:
        return {
            "customer": self._read(_ACCOUNT, "Account", "IsDeleted = false"),
            "product": self._read(_PRODUCT, "Product2"),
            "pricing": self._read(_ENTRY, "PricebookEntry", "Pricebook2.Name LIKE 'List %' AND IsActive = true"),
            "contract": self._read(_CONTRACT, "Contract"),
            "order": {row["Id"]: self._order(row) for row in self._rows(_DEALS)},
            "entitlement": self._read(_ENTITLEMENT, "Entitlement", "Entitlement_Number__c != null"),
        }

    def _rows(self, soql: str) -> Iterable[Mapping[str, Any]]:
        return self.client.query_all_iter(soql)

    def _read(self, fields: Mapping[str, str], object: str, condition: str = "") -> dict[str, Record]:
        soql = f"SELECT Id, {', '.join(fields.values())} FROM {object}" + (f" WHERE {condition}" if condition else "")
        return {row["Id"]: _plain({name: _dig(row, path) for name, path in fields.items()}) for row in self._rows(soql)}

    def _order(self, row: Mapping[str, Any]) -> Record:
        currency = row["CurrencyIsoCode"]
        lines = (row["OpportunityLineItems"] or {"records": []})["records"]
        return {
            "number": row["Order_Number__c"],
            "legal_entity": row["Legal_Entity__c"],
            "customer": _dig(row, "Account.AccountNumber"),
            "ordered_on": date.fromisoformat(row["CloseDate"]),
            "status": "confirmed" if row["IsWon"] else "open",
            "currency": currency,
            "net_minor": minor(row["Amount"], currency),
            "lines": [line(o["ProductCode"], o["Quantity"], minor(o["TotalPrice"], currency)) for o in lines],
        }


_ACCOUNT = {
    "number": "AccountNumber",
    "name": "Name",
    "tax_id": "Tax_Id__c",
    "email": "Billing_Email__c",
    "phone": "Phone",
    "website": "Website",
    "street": "BillingStreet",
    "city": "BillingCity",
    "postal_code": "BillingPostalCode",
    "country": "BillingCountry",
    "is_active": "Active__c",
}
_PRODUCT = {
    "code": "ProductCode",
    "name": "Name",
    "description": "Description",
    "family": "Family",
    "is_active": "IsActive",
}
_ENTRY = {
    "product": "Product2.ProductCode",
    "currency": "CurrencyIsoCode",
    "billing_interval": "Product2.Billing_Interval__c",
    "amount_minor": "UnitPrice",
}
_CONTRACT = {
    "number": "ContractNumber",
    "legal_entity": "Legal_Entity__c",
    "customer": "Account.AccountNumber",
    "start_on": "StartDate",
    "end_on": "EndDate",
    "status": "Status",
    "currency": "CurrencyIsoCode",
}
_ENTITLEMENT = {
    "number": "Entitlement_Number__c",
    "customer": "Account.AccountNumber",
    "product": "Product__r.ProductCode",
    "quantity": "Quantity__c",
    "start_on": "StartDate",
    "end_on": "EndDate",
}
_DEALS = (
    "SELECT Id, Order_Number__c, Legal_Entity__c, Account.AccountNumber, CloseDate, IsWon, CurrencyIsoCode, Amount, "
    "(SELECT ProductCode, Quantity, TotalPrice FROM OpportunityLineItems) FROM Opportunity WHERE IsWon = true"
)
_STATUS = {"Draft": "draft", "Activated": "active", "Expired": "ended"}


def _dig(row: Mapping[str, Any], path: str) -> Any:
    value: Any = row
    for name in path.split("."):
        value = value[name] if value is not None else None
    return value


def _plain(record: Record) -> Record:
    """Salesforce's JSON values in business terms."""
    for name, value in record.items():
        if value is not None and name.endswith("_on"):
            record[name] = date.fromisoformat(value)
        elif value is not None and name == "quantity":
            record[name] = Decimal(str(value))
    if "amount_minor" in record:
        record["amount_minor"] = minor(record["amount_minor"], record["currency"])
    if "status" in record:
        record["status"] = _STATUS[record["status"]]
    return record
