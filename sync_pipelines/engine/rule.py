"""The rules by which records of two systems are recognised as the same, by domain: exact keys first."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sync_pipelines.domains import Domain
from sync_pipelines.engine.conform import table
from sync_pipelines.engine.lake import Lake


@dataclass(frozen=True, slots=True)
class Exact:
    """Records with the same non-null values of these expressions are the same.

    Expressions are DuckDB over the canonical columns; a reference is the link id of what it refers to.
    `evidence` says in words why such a pair is linked. Where `per_entity`, records of two legal entities
    are never the same, whatever their keys say.
    """

    name: str
    keys: tuple[str, ...]
    evidence: str
    per_entity: bool = False


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
NUMBER_OF_ENTITY = replace(NUMBER, per_entity=True)
"""Numbers of documents are given by each legal entity for itself."""

COMPANY_NAME = """trim(regexp_replace(regexp_replace(lower(strip_accents({0})), '[^a-z0-9 ]', '', 'g'),
    '\\b(inc|incorporated|llc|ltd|limited|corp|corporation|co|company|gmbh|ag|se|kg|bv|nv|sa|sas|sarl|sl|plc|kk|pty)\\b',
    '', 'g'))"""
"""A company's name without case, accents, punctuation and legal form."""

RULES: dict[str, tuple[Exact, ...]] = {
    "customer": (
        NUMBER,
        Exact("tax_id", ("nullif(regexp_replace(upper(tax_id), '[^A-Z0-9]', '', 'g'), '')",), "same tax id"),
        Exact("email_domain", (EMAIL_DOMAIN,), "same company e-mail domain"),
    ),
    "product": (Exact("code", ("nullif(upper(trim(code)), '')",), "both carry the same code"),),
    "pricing": (Exact("product_and_currency", ("product", "upper(currency)"), "same product, same currency"),),
    "contract": (NUMBER_OF_ENTITY,),
    "order": (NUMBER_OF_ENTITY,),
    "invoice": (
        NUMBER_OF_ENTITY,
        Exact(
            "customer_amount_and_date",
            ("customer", "currency", "total_minor", "issued_on"),
            "same customer, currency, total and date, and no other document like it",
            per_entity=True,
        ),
    ),
    "entitlement": (NUMBER,),
}
"""After the record's own external id and the counterpart it names, which come first in every domain."""

ALIKE_DOMAINS: dict[str, Alike] = {"customer": ALIKE}

DUPLICATE_KEYS: dict[str, tuple[str, ...]] = {
    "customer": ("number", "tax_id"),
    "product": ("code",),
    "pricing": ("product_and_currency",),
    "contract": ("number",),
    "order": ("number",),
    "invoice": ("number",),
    "entitlement": ("number",),
}
"""Rules whose key no two live records of one system may share."""


def own_key(domain: Domain) -> Exact:
    """The rule by which a record of a domain is known to people: its number or code."""
    return RULES[domain.name][0]


def key_of(rule: Exact) -> str:
    """One text from all keys of a rule; null where any of them is."""
    return " || chr(31) || ".join(f"CAST({key} AS VARCHAR)" for key in rule.keys)


def same_entity(rule: Exact, one: str, other: str) -> str:
    """Whether two rows may be the same as far as legal entities go: one that is not held rules nothing out."""
    return f"coalesce({one}.legal_entity = {other}.legal_entity, true)" if rule.per_entity else "true"


def knows(lake: Lake, domain: Domain, rule: Exact, system: str) -> bool:
    """Whether a system holds every field that a rule's keys speak of."""
    columns = lake.columns(table(domain.name, system))
    named = {field.name for field in domain.fields if any(field.name in key for key in rule.keys)}
    return named <= columns
