"""The systems as their vendors' own clients see them: simple-salesforce, stripe and proteus, none of our connectors.

Each reader gives a system's live records by domain and record id. References are told in business terms: a
customer by its number, a product by its code.
"""

from __future__ import annotations

from collections.abc import Mapping

from witness.salesforce import SalesforceRecords, salesforce_client
from witness.stripe import StripeRecords, stripe_client
from witness.tryton import TrytonRecords, tryton_client
from witness.value import Record, Records, normal

__all__ = [
    "Record",
    "Records",
    "SalesforceRecords",
    "StripeRecords",
    "TrytonRecords",
    "normal",
    "read_all",
    "salesforce_client",
    "stripe_client",
    "tryton_client",
]


def read_all(environment: Mapping[str, str]) -> dict[str, Records]:
    """Every system's records by its name."""
    with (
        salesforce_client(environment["SALESFORCE_URL"], environment) as crm,
        tryton_client(environment["TRYTON_URL"], environment) as erp,
    ):
        billing = stripe_client(environment["STRIPE_URL"], environment)
        return {
            "salesforce": SalesforceRecords(crm).read(),
            "stripe": StripeRecords(billing).read(),
            "tryton": TrytonRecords(erp).read(),
        }
