"""The simulated B2B software company behind the stand-ins: from a seed, the same company every time."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from sync_pipelines.sandbox.company import truth
from sync_pipelines.sandbox.company.catalog import catalog
from sync_pipelines.sandbox.company.customers import customers
from sync_pipelines.sandbox.company.deals import pursued, won
from sync_pipelines.sandbox.company.fates import befallen, papers
from sync_pipelines.sandbox.company.ids import Ids
from sync_pipelines.sandbox.company.model import Facts

__all__ = ["Company", "generate", "imagine", "told", "write_truth"]


@dataclass(frozen=True, slots=True)
class Company:
    """What each system holds at the start, and the truth that only tests may read.

    `salesforce` are complete rows by object ("Account"), `stripe` complete objects by kind ("customer"),
    `erp` plain rows: `parties`, `products`, `sales` and `invoices`. What the other systems hold follows
    from the `facts`, see `told`. `truth` are the tables of truth.py.
    """

    seed: int
    scale: int
    facts: Facts
    salesforce: dict[str, list[dict[str, Any]]]
    stripe: dict[str, list[dict[str, Any]]]
    erp: dict[str, list[dict[str, Any]]]
    truth: dict[str, pa.Table]


def generate(seed: int, scale: int = 1) -> Company:
    """A company of 120 accounts and 150 won deals times `scale`; equal seeds give equal companies."""
    facts = imagine(seed, scale)
    return Company(
        seed=seed,
        scale=scale,
        facts=facts,
        salesforce=told(facts, "salesforce"),
        stripe=told(facts, "stripe"),
        erp=told(facts, "tryton"),
        truth=truth.tables(facts),
    )


def told(facts: Facts, system: str) -> dict[str, list[dict[str, Any]]]:
    """What a system holds of the company at the start, as the `seed` of its stand-in takes it."""
    teller = {"tryton": "erp"}.get(system, system)
    rows: dict[str, list[dict[str, Any]]] = importlib.import_module(f"{__name__}.{teller}").rows(facts)
    return rows


def imagine(seed: int, scale: int) -> Facts:
    """What is so, before any system tells of it."""
    ids = Ids(seed)
    known, products = customers(scale, ids), catalog(scale, ids)
    deals = befallen(won(scale, ids, known, products), scale, ids)
    return Facts(
        seed=seed,
        customers=known,
        products=products,
        deals=tuple(deals),
        pursuits=tuple(pursued(scale, ids, known, products)),
        papers=tuple(papers(deals, products, scale, ids)),
    )


def write_truth(company: Company, folder: Path) -> list[Path]:
    """The truth as Parquet files in a folder, one a table ("customer.parquet", "defects.parquet", …)."""
    return truth.write(company.truth, folder)
