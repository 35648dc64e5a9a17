"""Rules of the business: what makes a partner a customer, what an order needs, and what follows from its items.

Message numbers are assumptions; the rules are those of sales and distribution.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from sync_pipelines.domains.money import exponent
from sync_pipelines.sandbox.s4hana.refusal import broken
from sync_pipelines.sandbox.s4hana.schema import EntitySet
from sync_pipelines.sandbox.store import Document

if TYPE_CHECKING:
    from sync_pipelines.sandbox.s4hana.books import Books

MATERIAL = "_material"
"""The table of materials that are sold, by number."""
_CUSTOMER_ROLES = ("FLCU00", "FLCU01")
_PRICES = ("PPR0", "PR00")
_NEEDED = ("SalesOrderType", "SalesOrganization", "DistributionChannel", "OrganizationDivision", "SoldToParty")


def created(books: Books, entities: EntitySet, row: Document) -> None:
    match entities.name:
        case "A_BusinessPartner":
            _check_partner(row)
            _rename(books, row)
        case "A_BusinessPartnerRole":
            _assume_role(books, row)
        case "A_SalesOrder":
            _check_order(books, row)
            _total(books, row)
        case "A_SalesOrderItem":
            _check_item(books, row)


def changed(books: Books, entities: EntitySet, row: Document) -> None:
    match entities.name:
        case "A_BusinessPartner":
            _check_partner(row)
            _rename(books, row)
        case "A_SalesOrderItem" | "A_SalesOrderItemPrElement":
            _check_item(
                books, books.store.table("A_SalesOrderItem").rows[f"{row['SalesOrder']}|{row['SalesOrderItem']}"]
            )
            _total(books, books.store.table("A_SalesOrder").rows[row["SalesOrder"]])


def check_deletable(books: Books, entities: EntitySet, row: Document) -> None:
    if entities.name == "A_SalesOrder" and row["OverallSDProcessStatus"] != "A":
        raise broken("V1/042", "The document has subsequent documents and can't be deleted")


def _check_partner(row: Document) -> None:
    if row["BusinessPartnerCategory"] != "2":
        raise broken("R11/401", "Enter a business partner category that is known here")
    if not row["OrganizationBPName1"]:
        raise broken("R11/402", "Enter a name of the organization")


def _rename(books: Books, row: Document) -> None:
    name = f"{row['OrganizationBPName1']} {row['OrganizationBPName2']}".strip()
    _put(books, "A_BusinessPartner", row["BusinessPartner"], row, BusinessPartnerFullName=name)


def _assume_role(books: Books, row: Document) -> None:
    """A partner becomes a customer under its own number."""
    partner = books.store.get("A_BusinessPartner", row["BusinessPartner"])
    if row["BusinessPartnerRole"] not in _CUSTOMER_ROLES or partner is None or partner["Customer"]:
        return
    number = row["BusinessPartner"]
    _put(books, "A_BusinessPartner", number, partner, Customer=number)
    books.store.put("A_Customer", number, {"Customer": number, "OrderIsBlockedForCustomer": ""})


def _check_order(books: Books, row: Document) -> None:
    if missing := [name for name in _NEEDED if not row[name]]:
        raise broken("V1/000", f"Enter a value for {missing[0]}")
    customer = books.store.get("A_Customer", row["SoldToParty"])
    partner = books.store.get("A_BusinessPartner", row["SoldToParty"])
    area = "|".join(row[name] for name in ("SoldToParty", *_NEEDED[1:4]))
    if customer is None or partner is None or books.store.get("A_CustomerSalesArea", area) is None:
        raise broken("V1/048", "The sold-to party is not maintained for the sales area")
    if customer["OrderIsBlockedForCustomer"] or partner["BusinessPartnerIsBlocked"]:
        raise broken("V1/032", "The sold-to party is blocked for orders")


def _check_item(books: Books, row: Document) -> None:
    if books.store.get(MATERIAL, row["Material"]) is None:
        raise broken("V1/382", "The material is not defined for the sales organization")


def _total(books: Books, order: Document) -> None:
    """Net amounts from manual prices, rounded to the currency, and how much of the order is rejected."""
    area = "|".join(order[name] for name in ("SoldToParty", *_NEEDED[1:4]))
    currency = order["TransactionCurrency"] or (books.store.get("A_CustomerSalesArea", area) or {})["Currency"]
    items = books.children(books.sets["A_SalesOrder"], order, "to_Item")
    net = Decimal(0)
    for item in items:
        amount = _net(books, item, currency)
        net += amount
        key = f"{item['SalesOrder']}|{item['SalesOrderItem']}"
        _put(books, "A_SalesOrderItem", key, item, NetAmount=str(amount), TransactionCurrency=currency)
    rejected = sum(bool(item["SalesDocumentRjcnReason"]) for item in items)
    _put(
        books,
        "A_SalesOrder",
        order["SalesOrder"],
        order,
        TransactionCurrency=currency,
        TotalNetAmount=str(net),
        SalesOrderDate=order["SalesOrderDate"] or books.today(),
        OverallSDProcessStatus=order["OverallSDProcessStatus"] or "A",
        OverallSDDocumentRejectionSts="A" if not rejected else "C" if rejected == len(items) else "B",
    )


def _net(books: Books, item: Document, currency: str) -> Decimal:
    prices = books.children(books.sets["A_SalesOrderItem"], item, "to_PricingElement")
    if any(each["ConditionCurrency"] not in ("", currency) for each in prices):
        raise broken("VE/108", "There is no exchange rate for the currency of a price")
    rate = sum((Decimal(each["ConditionRateValue"]) for each in prices if each["ConditionType"] in _PRICES), Decimal(0))
    step = Decimal(1).scaleb(-exponent(currency))
    return (rate * Decimal(item["RequestedQuantity"])).quantize(step, ROUND_HALF_UP)


def _put(books: Books, table: str, key: str, row: Document, **values: Any) -> None:
    books.store.put(table, key, {**row, **values})
