"""What the generator's truth asks of the systems and of the exceptions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from witness import Record

from sync_pipelines.domains import DOMAINS
from sync_pipelines.ledger.work_items import WorkItem

START = {"salesforce": "salesforce_id", "stripe": "stripe_id", "tryton": "tryton_key"}
EVERYWHERE = [
    (domain, system)
    for domain, systems in {
        "customer": ("salesforce", "stripe", "tryton"),
        "product": ("salesforce", "stripe", "tryton"),
        "pricing": ("salesforce", "stripe", "tryton"),
        "contract": ("salesforce", "stripe"),
        "order": ("salesforce", "tryton"),
        "invoice": ("stripe", "tryton"),
        "entitlement": ("stripe", "salesforce"),
    }.items()
    for system in systems
]


def key_of(domain: str, row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in DOMAINS[domain].key)


def by_key(domain: str, records: Mapping[str, Record]) -> dict[tuple[Any, ...], list[tuple[str, Record]]]:
    """A system's records, with their ids, by what identifies them in business terms."""
    found: dict[tuple[Any, ...], list[tuple[str, Record]]] = {}
    for record_id, record in records.items():
        found.setdefault(key_of(domain, record), []).append((record_id, record))
    return found


def records(held: Collection[tuple[str, Record]]) -> list[Record]:
    return [record for _, record in held]


def holds(system: str, domain: str, row: Mapping[str, Any]) -> bool:
    """Whether a system has a place for a record at all: the ERP knows list prices in its own currency alone."""
    return (system, domain) != ("tryton", "pricing") or row["currency"] == "USD"


def was_there(system: str, row: Mapping[str, Any]) -> bool:
    """Whether a system had a live record at the start."""
    return bool(row[START[system]]) and system not in row["differs"]


def is_there(system: str, row: Mapping[str, Any]) -> bool:
    return was_there(system, row) or row["expected"] == "mended"


def cases(
    truth: Mapping[str, list[Record]],
    exceptions: Sequence[WorkItem],
    links: Sequence[Mapping[str, str]],
    first_codes: Mapping[str, str],
) -> list[tuple[Record, list[WorkItem]]]:
    """Each planted defect that needs a person, with the open exceptions that tell of it.

    `first_codes` gives the ERP's id of a party by the code that it had at the start.
    """
    link_of = {(link["domain"], link["system"], link["record_id"]): link["link_id"] for link in links}
    rows = {(domain, row["key"]): row for domain in DOMAINS for row in truth[domain]}
    found = []
    for defect in truth["defects"]:
        if not defect["mendable"]:
            named = _named(defect, rows[defect["domain"], defect["key"]], link_of, first_codes)
            found.append((defect, [item for item in exceptions if _words(item, link_of) & named]))
    return found


def _named(
    defect: Record, row: Record, link_of: Mapping[tuple[str, ...], str], first_codes: Mapping[str, str]
) -> set[Any]:
    """All that an exception may call a defect: its records, their links, its number, the name of its company."""
    domain = defect["domain"]
    records = {(system, record) for system, _, record in (each.partition("/") for each in defect["record_ids"])}
    records |= {("tryton", first_codes[code]) for system, code in records if system == "tryton" and code in first_codes}
    linked = {link_of[domain, *record] for record in records if (domain, *record) in link_of}
    return {(domain, word) for word in (*records, *linked, defect["key"], row.get("name")) if word}


def _words(item: WorkItem, link_of: Mapping[tuple[str, ...], str]) -> set[Any]:
    """What an exception is about, and the other record that its reason ends with."""
    record = (item.system, item.record_id)
    others = item.reason.rpartition(": ")[2].split(", ")
    words = (record, link_of.get((item.domain, *record)), item.label, *others)
    return {(item.domain, word) for word in words if word}


def true_totals(truth: Mapping[str, list[Record]]) -> dict[tuple[str, ...], tuple[int, int]]:
    names = ("domain", "system", "legal_entity", "period", "currency")
    return {tuple(row[n] for n in names): (row["count"], row["sum_minor"]) for row in truth["totals"]}
