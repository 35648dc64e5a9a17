"""A Singer tap, made with singer-sdk; its messages go into a file, and no target stores them.

    python with_singer.py URL FOLDER

Prints how many records it wrote, and what loading its code had cost.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import process_time
from typing import Any

import requests
from singer_sdk import RESTStream, Tap
from singer_sdk import typing as th

TEXTS = [
    "Id",
    "SystemModstamp",
    "LastModifiedById",
    "Sync_Id__c",
    "Name",
    "AccountNumber",
    "Tax_Id__c",
    "Billing_Email__c",
    "Phone",
    "Website",
    "BillingStreet",
    "BillingCity",
    "BillingPostalCode",
    "BillingCountry",
    "MasterRecordId",
    "CurrencyIsoCode",
    "CreatedDate",
    "LastActivityDate",
    "Industry",
    "AccountSource",
    "Rating",
]


class Account(RESTStream[str]):
    """The vendor's one object."""

    name = "account"
    path = "/services/data/v67.0/queryAll"
    primary_keys = ("Id",)
    records_jsonpath = "$.records[*]"
    next_page_token_jsonpath = "$.nextRecordsUrl"
    schema = th.PropertiesList(
        *(th.Property(name, th.StringType) for name in TEXTS),
        th.Property("IsDeleted", th.BooleanType),
        th.Property("Active__c", th.BooleanType),
        th.Property("NumberOfEmployees", th.IntegerType),
        th.Property("AnnualRevenue", th.NumberType),
        th.Property("attributes", th.ObjectType(additional_properties=True)),
    ).to_dict()

    @property
    def url_base(self) -> str:
        return str(self.config["url"])

    def prepare_request(
        self, context: Mapping[str, Any] | None, next_page_token: str | None
    ) -> requests.PreparedRequest:
        request = super().prepare_request(context, None)
        if next_page_token:
            request.url = self.url_base + next_page_token
        return request


class Bench(Tap):
    """The tap."""

    name = "tap-bench"
    config_jsonschema = th.PropertiesList(th.Property("url", th.StringType, required=True)).to_dict()

    def discover_streams(self) -> Sequence[Account]:
        return [Account(self)]


def main() -> None:
    """Run the tap with its output in a file, and count there."""
    begun = process_time()
    url, folder = sys.argv[1], Path(sys.argv[2])
    messages, terminal = folder / "messages.jsonl", os.dup(1)
    with messages.open("wb") as file:
        os.dup2(file.fileno(), 1)
        Bench(config={"url": url}).sync_all()
        sys.stdout.flush()
    os.dup2(terminal, 1)
    with messages.open("rb") as file:
        count = sum(b'"RECORD"' in line[:200] for line in file)
    sys.stdout.write(f"{count} {begun}\n")


if __name__ == "__main__":
    main()
