"""The defects of real life that are planted, what becomes of each, and whose work the others are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of defect. `count` is how many a company of scale 1 has; 0 where another number decides."""

    name: str
    domain: str
    mendable: bool
    owner: str
    """The team in sync.toml that works it where a person is needed."""
    count: int
    meaning: str
    systems: tuple[str, ...] = ()
    """Where it shows; empty where each case says so itself."""


SPELLING_DIFFERS = Kind("spelling_differs", "customer", True, "revops", 6, "the ERP spells the name another way")
ADDRESS_DIFFERS = Kind("address_differs", "customer", True, "revops", 5, "Stripe or the ERP has an old address")
CUSTOMER_MISSING = Kind("customer_missing", "customer", True, "revops", 0, "a system has no such customer")
DUPLICATE_ACCOUNT = Kind(
    "duplicate_account", "customer", False, "revops", 3, "one company, two accounts", ("salesforce",)
)
DUPLICATE_PARTY = Kind("duplicate_party", "customer", False, "revops", 3, "one company, two ERP parties", ("tryton",))
MERGED = Kind(
    "merged_account", "customer", True, "revops", 2, "what hung on the merged account follows", ("salesforce",)
)
MERGED_TWICE = Kind(
    "merged_account", "customer", False, "revops", 2, "loser and survivor are both in use", ("salesforce",)
)
DELETED_ACCOUNT = Kind(
    "deleted_account", "customer", False, "revops", 2, "gone from the CRM, alive elsewhere", ("salesforce",)
)
AMBIGUOUS_NAME = Kind("ambiguous_name", "customer", False, "revops", 2, "an ERP party fits two accounts", ("tryton",))
SIMILAR_BUT_DIFFERENT = Kind(
    "similar_but_different", "customer", True, "revops", 3, "nearly the same name, another company"
)

PRODUCT_MISSING = Kind("product_missing", "product", True, "product", 0, "a system has no such product")
PRICE_DISAGREES = Kind("price_disagrees", "pricing", True, "product", 5, "a list price is not Salesforce's")
PRICE_MISSING = Kind("price_missing", "pricing", True, "product", 3, "Stripe has no such price")

CONTRACT_END_DIFFERS = Kind("contract_end_differs", "contract", True, "revops", 4, "Stripe cancels on another day")
CONTRACT_STATUS_DIFFERS = Kind(
    "contract_status_differs", "contract", True, "revops", 2, "ended in Stripe, still activated in Salesforce"
)
CONTRACT_WITHOUT_SUBSCRIPTION = Kind(
    "contract_without_subscription", "contract", False, "revops", 3, "nobody made the subscription"
)
BAD_CONTRACT = Kind("bad_record", "contract", False, "revops", 2, "a contract without a start date", ("salesforce",))

ORDER_MISSING = Kind("order_missing_in_erp", "order", True, "finance", 52, "the ERP has no such sale")
ORDER_AMOUNT_DIFFERS = Kind("order_amount_differs", "order", False, "finance", 3, "the ERP's sale has another total")
BAD_ORDER = Kind(
    "bad_record", "order", False, "finance", 2, "a won opportunity without an order number", ("salesforce",)
)

INVOICE_MISSING = Kind("invoice_missing_in_erp", "invoice", True, "finance", 38, "the ERP has not posted it")
INVOICE_UNKNOWN = Kind(
    "invoice_missing_in_billing", "invoice", False, "finance", 3, "posted in the ERP, unknown to Stripe", ("stripe",)
)
CENT_OFF = Kind("cent_off", "invoice", False, "finance", 3, "posted one minor unit too high")
CLOSED_PERIOD = Kind(
    "invoice_in_closed_period", "invoice", False, "controller", 2, "missing, and its month is closed in the ERP"
)

ENTITLEMENT_MISSING = Kind("entitlement_missing", "entitlement", True, "success", 0, "Salesforce has no entitlement")
ENTITLEMENT_QUANTITY_DIFFERS = Kind(
    "entitlement_quantity_differs", "entitlement", True, "success", 4, "Salesforce grants another quantity"
)

KINDS: tuple[Kind, ...] = (
    SPELLING_DIFFERS,
    ADDRESS_DIFFERS,
    CUSTOMER_MISSING,
    DUPLICATE_ACCOUNT,
    DUPLICATE_PARTY,
    MERGED,
    MERGED_TWICE,
    DELETED_ACCOUNT,
    AMBIGUOUS_NAME,
    SIMILAR_BUT_DIFFERENT,
    PRODUCT_MISSING,
    PRICE_DISAGREES,
    PRICE_MISSING,
    CONTRACT_END_DIFFERS,
    CONTRACT_STATUS_DIFFERS,
    CONTRACT_WITHOUT_SUBSCRIPTION,
    BAD_CONTRACT,
    ORDER_MISSING,
    ORDER_AMOUNT_DIFFERS,
    BAD_ORDER,
    INVOICE_MISSING,
    INVOICE_UNKNOWN,
    CENT_OFF,
    CLOSED_PERIOD,
    ENTITLEMENT_MISSING,
    ENTITLEMENT_QUANTITY_DIFFERS,
)
"""Every kind; `bad_record` and `merged_account` appear once for each thing they can mean."""
