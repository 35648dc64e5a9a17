"""The product: a first extraction with the Salesforce adapter into an empty lake, counted and checked at its end.

    python bench/extract/product.py URL CATALOG FOLDER

Prints how many records the lake holds then, and what loading its code had cost.
"""

from __future__ import annotations

import sys
from time import process_time

from sync_pipelines.clock import SystemClock
from sync_pipelines.engine.extract import extract
from sync_pipelines.engine.outcome import Result
from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.lake import Lake
from sync_pipelines.systems.salesforce import open_system

SHAPE = {
    "LastModifiedById": "VARCHAR",
    "Sync_Id__c": "VARCHAR",
    "Name": "VARCHAR",
    "AccountNumber": "VARCHAR",
    "Tax_Id__c": "VARCHAR",
    "Billing_Email__c": "VARCHAR",
    "Phone": "VARCHAR",
    "Website": "VARCHAR",
    "BillingStreet": "VARCHAR",
    "BillingCity": "VARCHAR",
    "BillingPostalCode": "VARCHAR",
    "BillingCountry": "VARCHAR",
    "Active__c": "BOOLEAN",
    "MasterRecordId": "VARCHAR",
    "NumberOfEmployees": "BIGINT",
    "AnnualRevenue": "DECIMAL(18,2)",
    "CurrencyIsoCode": "VARCHAR",
    "CreatedDate": "TIMESTAMPTZ",
    "LastActivityDate": "DATE",
    "Industry": "VARCHAR",
    "AccountSource": "VARCHAR",
    "Rating": "VARCHAR",
}


def main() -> None:
    """Extract, as a full run does, and insist on every check."""
    begun = process_time()
    url, catalog, folder = sys.argv[1:]
    settings = SystemSettings(
        name="salesforce",
        adapter="salesforce",
        url=url,
        calls_per_second=1000,
        options={"client_id": "bench", "client_secret": "bench"},
    )
    clock = SystemClock()
    with Lake.open(catalog=catalog, data=folder) as lake:
        told = extract(
            lake,
            open_system(settings, clock=clock),
            object="Account",
            shape=SHAPE,
            run_id="bench",
            clock=clock,
            prove=True,
        )
    failed = [check for check in told.checks if check.result is not Result.PASSED]
    if failed:
        raise SystemExit(f"the extraction is not whole: {failed}")
    sys.stdout.write(f"{told.held} {begun}\n")


if __name__ == "__main__":
    main()
