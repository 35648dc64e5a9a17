"""The rules by which records of two systems are recognised as the same, by domain: exact keys first."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Exact:
    """Records with the same non-null values of these expressions are the same.

    Expressions are DuckDB over the canonical columns; a reference is the link id of what it refers to.
    `evidence` says in words why such a pair is linked.
    """

    name: str
    keys: tuple[str, ...]
    evidence: str


@dataclass(frozen=True, slots=True)
class Alike:
    """Customers whose names are similar: certain with a similar address, else doubtful."""

    name: str
    certain_name: float
    certain_address: float
    doubtful_name: float


FREE_MAIL = "'gmail.com', 'outlook.com', 'hotmail.com', 'yahoo.com', 'icloud.com', 'gmx.de', 'web.de'"
"""Domains that say nothing about a company."""

EMAIL_DOMAIN = (
    "CASE WHEN split_part(lower(email), '@', 2) NOT IN ('', " + FREE_MAIL + ") "
    "THEN split_part(lower(email), '@', 2) END"
)

ALIKE = Alike(name="name_and_address", certain_name=0.88, certain_address=0.90, doubtful_name=0.93)

NUMBER = Exact("number", ("nullif(upper(trim(number)), '')",), "both carry the same number")

RULES: dict[str, tuple[Exact, ...]] = {
    "customer": (
        NUMBER,
        Exact("tax_id", ("nullif(regexp_replace(upper(tax_id), '[^A-Z0-9]', '', 'g'), '')",), "same tax id"),
        Exact("email_domain", (EMAIL_DOMAIN,), "same company e-mail domain"),
    ),
    "product": (Exact("code", ("nullif(upper(trim(code)), '')",), "both carry the same code"),),
    "pricing": (Exact("product_and_currency", ("product", "upper(currency)"), "same product, same currency"),),
    "contract": (NUMBER,),
    "order": (NUMBER,),
    "invoice": (
        NUMBER,
        Exact(
            "customer_amount_and_date",
            ("customer", "currency", "total_minor", "issued_on"),
            "same customer, currency, total and date, and no other document like it",
        ),
    ),
    "entitlement": (NUMBER,),
}
"""After the record's own external id and the counterpart it names, which come first in every domain."""

ALIKE_DOMAINS: dict[str, Alike] = {"customer": ALIKE}

DUPLICATE_KEYS: dict[str, tuple[str, ...]] = {
    "customer": ("tax_id",),
    "product": ("code",),
    "pricing": ("product_and_currency",),
    "contract": ("number",),
    "order": ("number",),
    "invoice": ("number",),
    "entitlement": ("number",),
}
"""Rules whose key no two live records of one system may share."""
