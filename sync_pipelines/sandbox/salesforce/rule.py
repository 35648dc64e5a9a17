"""What an object's own rules refuse, beyond each field's type: price books, lines, contracts, uniqueness."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sync_pipelines.sandbox.salesforce.fault import Refusal
from sync_pipelines.sandbox.salesforce.lookup import Lookup
from sync_pipelines.sandbox.salesforce.schema import Object
from sync_pipelines.sandbox.store import Document

Values = dict[str, Any]


def check_references(lookup: Lookup, thing: Object, row: Document, names: frozenset[str]) -> None:
    """Every reference that was sent leads to a live record of the right object."""
    for name in names:
        field = thing.fields.get(name)
        target = row.get(name)
        if field is None or field.type != "reference" or target is None:
            continue
        kind = lookup.schema.by_prefix.get(target[:3])
        if kind is None or kind.name != field.to:
            raise Refusal("MALFORMED_ID", f"{name}: id value of incorrect type: {target}", name)
        found = lookup.store.get(field.to, target)
        if found is None:
            raise Refusal("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", name)
        if found["IsDeleted"]:
            raise Refusal("ENTITY_IS_DELETED", "entity is deleted", name)


def check_unique(lookup: Lookup, thing: Object, row: Document, names: frozenset[str]) -> None:
    """No other live record has the same value in a unique field, whatever its case."""
    for name in names:
        field = thing.fields.get(name)
        if field is None or not field.unique or row.get(name) is None:
            continue
        for other in lookup.store.find(thing.name, name, row[name], fold=True):
            if other["Id"] != row["Id"] and not other["IsDeleted"]:
                held = f"{name} duplicates value on record with id: {other['Id']}"
                raise Refusal("DUPLICATE_VALUE", f"duplicate value found: {held}", name)


def check_object(lookup: Lookup, thing: Object, row: Values, *, before: Document | None) -> None:
    """The object's own rules; they may complete the row (a line takes its product from its entry)."""
    rule = _RULES.get(thing.name)
    if rule:
        rule(lookup, row, before)


def _price(lookup: Lookup, row: Values, before: Document | None) -> None:
    if before is not None:
        return
    same = [
        entry
        for entry in lookup.store.find("PricebookEntry", "Product2Id", row["Product2Id"])
        if entry["CurrencyIsoCode"] == row["CurrencyIsoCode"] and not entry["IsDeleted"]
    ]
    if any(entry["Pricebook2Id"] == row["Pricebook2Id"] for entry in same):
        raise Refusal("DUPLICATE_VALUE", "This price definition already exists in this price book")
    books = lookup.store.table("Pricebook2").rows
    if not books[row["Pricebook2Id"]].get("IsStandard") and not any(
        books[entry["Pricebook2Id"]].get("IsStandard") for entry in same
    ):
        raise Refusal("STANDARD_PRICE_NOT_DEFINED", "Before creating a custom price, create a standard price.")


def _line(lookup: Lookup, row: Values, before: Document | None) -> None:
    if before is not None:
        return
    if row.get("PricebookEntryId") is None:
        row["PricebookEntryId"] = _entry_for(lookup, row)
    entry = lookup.store.get("PricebookEntry", row["PricebookEntryId"])
    opportunity = lookup.store.get("Opportunity", row["OpportunityId"])
    assert entry is not None
    assert opportunity is not None
    if (row.get("UnitPrice") is None) == (row.get("TotalPrice") is None):
        if row.get("UnitPrice") is not None:
            raise Refusal("FIELD_INTEGRITY_EXCEPTION", "specify one of UnitPrice and TotalPrice", "TotalPrice")
        row["UnitPrice"] = entry["UnitPrice"]
    row["Product2Id"] = entry["Product2Id"]
    book = opportunity.get("Pricebook2Id")
    if book is not None and book != entry["Pricebook2Id"]:
        message = "The pricebook entry isn't in the opportunity's price book"
        raise Refusal("FIELD_INTEGRITY_EXCEPTION", message, "PricebookEntryId")
    if opportunity["CurrencyIsoCode"] != entry["CurrencyIsoCode"]:
        message = "The pricebook entry currency code does not match the opportunity currency code"
        raise Refusal("FIELD_INTEGRITY_EXCEPTION", message, "PricebookEntryId")


def _entry_for(lookup: Lookup, row: Values) -> str:
    opportunity = lookup.store.get("Opportunity", row["OpportunityId"]) or {}
    for entry in lookup.store.find("PricebookEntry", "Product2Id", row.get("Product2Id")):
        if (entry["Pricebook2Id"], entry["CurrencyIsoCode"]) == (
            opportunity.get("Pricebook2Id"),
            opportunity.get("CurrencyIsoCode"),
        ):
            return str(entry["Id"])
    raise Refusal("REQUIRED_FIELD_MISSING", "Required fields are missing: [PricebookEntryId]", "PricebookEntryId")


def _opportunity(lookup: Lookup, row: Values, before: Document | None) -> None:
    if before is None or not before.get("HasOpportunityLineItem"):
        return
    row["Amount"] = before["Amount"]
    for name in ("Pricebook2Id", "CurrencyIsoCode"):
        if row.get(name) != before.get(name):
            raise Refusal("FIELD_INTEGRITY_EXCEPTION", f"{name} can't change while there are products", name)


def _contract(lookup: Lookup, row: Values, before: Document | None) -> None:
    if before is None and lookup.schema.behaviour.contract_starts_as_draft and row["Status"] != "Draft":
        message = "Choose a valid contract status and save your changes. Ask your admin for details."
        raise Refusal("FAILED_ACTIVATION", message, "Status")


_RULES: dict[str, Callable[[Lookup, Values, Document | None], None]] = {
    "PricebookEntry": _price,
    "OpportunityLineItem": _line,
    "Opportunity": _opportunity,
    "Contract": _contract,
}
