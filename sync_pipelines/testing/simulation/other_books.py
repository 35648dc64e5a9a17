"""The orders and invoices that a system beside the three keeps, from its store alone, and what has to hold of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal

from sync_pipelines.testing.simulation import books
from sync_pipelines.testing.simulation.agreement import Excuses, apart
from sync_pipelines.testing.simulation.books import Paper, minor
from sync_pipelines.testing.simulation.life import Ended
from sync_pipelines.testing.simulation.others import Row
from sync_pipelines.testing.simulation.world import World, rows

Papers = Callable[[World], list[Paper]]
_OWNERS: Mapping[str, tuple[str, Papers]] = {"order": ("salesforce", books.won), "invoice": ("stripe", books.billed)}


def _ecc_orders(world: World) -> list[Paper]:
    return [
        _paper("ecc", row["VBELN"], row["BSTKD"], row["WAERK"], _sum(row, "NETWR"), row["AUDAT"])
        for row in rows(world, "ecc", "ORDERS")
        if not row["ABGRU"]
    ]


def _ecc_invoices(world: World) -> list[Paper]:
    """Without those that were cancelled, and what cancels them."""
    return [
        _paper("ecc", row["VBELN"], row["XBLNR"], row["WAERK"], way * _sum(row, "NETWR", "MWSBP"), row["FKDAT"])
        for row in rows(world, "ecc", "INVOIC")
        if not row["FKSTO"] and row["VBTYP"] not in ("N", "S")
        for way in (-1 if row["VBTYP"] == "O" else 1,)
    ]


def _sum(row: Row, *names: str) -> Decimal:
    return sum((Decimal(item.get(name) or 0) for item in row["items"] for name in names), Decimal(0))


def _s4hana_orders(world: World) -> list[Paper]:
    return [
        _paper(
            "s4hana",
            row["SalesOrder"],
            row["PurchaseOrderByCustomer"],
            row["TransactionCurrency"],
            row["TotalNetAmount"],
            row["SalesOrderDate"],
        )
        for row in rows(world, "s4hana", "A_SalesOrder")
        if row["OverallSDDocumentRejectionSts"] != "C"
    ]


def _s4hana_invoices(world: World) -> list[Paper]:
    """What accounting has, without those that were cancelled, and what cancels them."""
    return [
        _paper(
            "s4hana",
            row["BillingDocument"],
            row["PaymentReference"],
            row["TransactionCurrency"],
            Decimal(row["TotalGrossAmount"]) * (-1 if row["SDDocumentCategory"] in ("O", "S") else 1),
            row["BillingDocumentDate"],
        )
        for row in rows(world, "s4hana", "A_BillingDocument")
        if row["AccountingTransferStatus"] == "C"
        and not row["BillingDocumentIsCancelled"]
        and not row["CancelledBillingDocument"]
    ]


def _netsuite(world: World, *kinds: str) -> Iterator[tuple[Row, str]]:
    """The account's live transactions of some kinds, each with its currency."""
    codes = {row["id"]: row["symbol"] for row in rows(world, "netsuite", "currency")}
    for row in rows(world, "netsuite", "transaction"):
        if row["recordType"] in kinds:
            yield row, codes[row["currency"]]


def _netsuite_orders(world: World) -> list[Paper]:
    return [
        _paper("netsuite", row["id"], row.get("otherRefNum") or "", currency, row["subtotal"], row["tranDate"])
        for row, currency in _netsuite(world, "salesOrder")
        if row["status"] not in ("C", "H")
    ]


def _netsuite_invoices(world: World) -> list[Paper]:
    """Without those that were voided, and the credit memos that void them."""
    found = list(_netsuite(world, "invoice", "creditMemo"))
    voids = {str(row.get("externalId") or "") for row, _ in found if row["recordType"] == "creditMemo"}
    return [
        _paper("netsuite", row["id"], row["tranId"], currency, Decimal(row["total"]) * way, row["tranDate"])
        for row, currency in found
        if row["status"] != "V"
        and f"VOID-{row['id']}" not in voids
        and not str(row.get("externalId") or "").startswith("VOID-")
        for way in (-1 if row["recordType"] == "creditMemo" else 1,)
    ]


def _chargebee_invoices(world: World) -> list[Paper]:
    """Credit notes with negative amounts."""
    kinds = (("invoice", _DUE, 1), ("credit_note", _GIVEN, -1))
    return [
        Paper("chargebee", row["id"], row["id"], row["currency_code"], way * row["total"], _day(row["date"]))
        for table, statuses, way in kinds
        for row in rows(world, "chargebee", table)
        if row["status"] in statuses and not row.get("deleted")
    ]


_DUE = ("paid", "posted", "payment_due", "not_paid")
_GIVEN = ("adjusted", "refunded", "refund_due")


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, books.ZONE).date().isoformat()


def _paper(system: str, record_id: str, number: str, currency: str, amount: Decimal | str, on: str) -> Paper:
    """A document whose amount is in the currency's major unit, and whose day is 20261123 or begins with 2026-11-23."""
    day = f"{on[:4]}-{on[4:6]}-{on[6:]}" if len(on) == 8 else on[:10]
    return Paper(system, str(record_id), str(number), currency, minor(amount, currency), day)


KEPT: Mapping[str, Mapping[str, tuple[Papers, tuple[str, ...]]]] = {
    "chargebee": {"invoice": (_chargebee_invoices, ("invoice", "credit_note"))},
    "ecc": {"order": (_ecc_orders, ("ORDERS",)), "invoice": (_ecc_invoices, ("INVOIC",))},
    "netsuite": {"order": (_netsuite_orders, ("transaction",)), "invoice": (_netsuite_invoices, ("transaction",))},
    "s4hana": {"order": (_s4hana_orders, ("A_SalesOrder",)), "invoice": (_s4hana_invoices, ("A_BillingDocument",))},
}
"""By system and domain the documents that count, and the tables that they are in."""


def other_documents_agree(world: World, ended: Ended) -> Iterator[str]:
    """What a fourth system keeps is what its owner says, to the cent, or an exception about these two names it."""
    for domain, system, leading, following in _kept(world):
        excuses = Excuses.of(world, systems=(_OWNERS[domain][0], system))
        seeded = {paper.record_id for paper in following if _is_seeded(world, domain, paper)}
        yield from apart(world, domain, (leading, following), excuses, seeded=seeded, there=system)


def what_we_wrote_there_is_right(world: World, ended: Ended) -> Iterator[str]:
    """A document that we made in a fourth system is what its owner says, to the cent and to the day."""
    for domain, system, leading, following in _kept(world):
        leads = {paper.number: paper for paper in leading}
        for paper in following:
            lead = leads.get(paper.number)
            if lead is None or _is_seeded(world, domain, paper):
                continue
            ours, theirs = ((each.amount_minor, each.currency, each.on) for each in (paper, lead))
            if ours != theirs:
                yield f"{domain} {paper.number} was written to {system} as {ours}, but it is {theirs}"


def _kept(world: World) -> Iterator[tuple[str, str, list[Paper], list[Paper]]]:
    """By domain and fourth system the documents of the owner, and those that it keeps."""
    for system in sorted(world.boxes.keys() & KEPT.keys()):
        for domain, (papers, _) in KEPT[system].items():
            if domain in world.story.domains:
                yield domain, system, _OWNERS[domain][1](world), papers(world)


def _is_seeded(world: World, domain: str, paper: Paper) -> bool:
    _, tables = KEPT[paper.system][domain]
    return any((paper.system, table, paper.record_id) in world.seeded for table in tables)


JUDGES = (other_documents_agree, what_we_wrote_there_is_right)
