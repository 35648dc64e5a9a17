"""The seven domains, in the order in which their records depend on one another."""

from __future__ import annotations

from sync_pipelines.domains.field import Domain, Field, Kind

CUSTOMER = Domain(
    name="customer",
    fields=(
        Field("number", Kind.CODE),
        Field("name", Kind.TEXT, required=True),
        Field("tax_id", Kind.CODE),
        Field("email", Kind.EMAIL),
        Field("phone", Kind.PHONE),
        Field("website", Kind.TEXT),
        Field("street", Kind.TEXT, personal=True),
        Field("city", Kind.TEXT),
        Field("postal_code", Kind.CODE),
        Field("country", Kind.CODE),
        Field("is_active", Kind.FLAG),
    ),
    key=("number",),
)

PRODUCT = Domain(
    name="product",
    fields=(
        Field("code", Kind.CODE, required=True),
        Field("name", Kind.TEXT, required=True),
        Field("description", Kind.TEXT),
        Field("family", Kind.TEXT),
        Field("is_active", Kind.FLAG, required=True),
    ),
    key=("code",),
)

PRICING = Domain(
    name="pricing",
    fields=(
        Field("product", Kind.REFERENCE, required=True, refers_to="product"),
        Field("currency", Kind.CURRENCY, required=True),
        Field("billing_interval", Kind.CHOICE, choices=("month", "year", "once")),
        Field("amount_minor", Kind.MONEY, required=True),
    ),
    key=("product", "currency"),
    amount="amount_minor",
)

CONTRACT = Domain(
    name="contract",
    fields=(
        Field("number", Kind.CODE, required=True),
        Field("legal_entity", Kind.CODE),
        Field("customer", Kind.REFERENCE, required=True, refers_to="customer"),
        Field("start_on", Kind.DATE, required=True),
        Field("end_on", Kind.DATE),
        Field("status", Kind.CHOICE, required=True, choices=("draft", "active", "ended")),
        Field("currency", Kind.CURRENCY, required=True),
    ),
    key=("legal_entity", "number"),
    open_when="status <> 'ended'",
)

ORDER = Domain(
    name="order",
    fields=(
        Field("number", Kind.CODE, required=True),
        Field("legal_entity", Kind.CODE, required=True),
        Field("customer", Kind.REFERENCE, required=True, refers_to="customer"),
        Field("ordered_on", Kind.DATE, required=True),
        Field("status", Kind.CHOICE, required=True, choices=("open", "confirmed", "cancelled")),
        Field("currency", Kind.CURRENCY, required=True),
        Field("net_minor", Kind.MONEY, required=True),
        Field("lines", Kind.LINES, required=True),
    ),
    key=("legal_entity", "number"),
    amount="net_minor",
    dated="ordered_on",
    counts_when="status = 'confirmed'",
    open_when="status <> 'cancelled'",
    voided_after=("invoice",),
)

INVOICE = Domain(
    name="invoice",
    fields=(
        Field("number", Kind.CODE, required=True),
        Field("kind", Kind.CHOICE, required=True, choices=("invoice", "credit")),
        Field("legal_entity", Kind.CODE, required=True),
        Field("customer", Kind.REFERENCE, required=True, refers_to="customer"),
        Field("issued_on", Kind.DATE, required=True),
        Field("status", Kind.CHOICE, required=True, choices=("draft", "posted", "void")),
        Field("currency", Kind.CURRENCY, required=True),
        Field("net_minor", Kind.MONEY, required=True),
        Field("tax_minor", Kind.MONEY, required=True),
        Field("total_minor", Kind.MONEY, required=True),
        Field("lines", Kind.LINES, required=True),
    ),
    key=("legal_entity", "number"),
    amount="total_minor",
    dated="issued_on",
    counts_when="status = 'posted'",
    ledger="receivable",
    open_when="status <> 'void'",
)

ENTITLEMENT = Domain(
    name="entitlement",
    fields=(
        Field("number", Kind.CODE, required=True),
        Field("customer", Kind.REFERENCE, required=True, refers_to="customer"),
        Field("product", Kind.REFERENCE, required=True, refers_to="product"),
        Field("quantity", Kind.QUANTITY, required=True),
        Field("start_on", Kind.DATE, required=True),
        Field("end_on", Kind.DATE),
    ),
    key=("number",),
)

DOMAINS: dict[str, Domain] = {
    domain.name: domain for domain in (CUSTOMER, PRODUCT, PRICING, CONTRACT, ORDER, INVOICE, ENTITLEMENT)
}
"""Every domain by name; the order is the order in which the loop works them."""
