"""What the tests of the simulated company share: a few companies, made once, and short ways to look at them."""

from __future__ import annotations

from functools import cache
from typing import Any

from sync_pipelines.sandbox.company import Company, generate

SEEDS = (0, 7, 475)
SYSTEM_OF_KEY = {"salesforce": "salesforce_id", "stripe": "stripe_id", "tryton": "tryton_key"}

Row = dict[str, Any]

company = cache(generate)


def truth(company: Company, table: str) -> list[Row]:
    return company.truth[table].to_pylist()


def by(rows: list[Row], field: str) -> dict[Any, Row]:
    """Rows by a field whose values are their own."""
    found = {row[field]: row for row in rows}
    assert len(found) == len(rows)
    return found


def live(rows: list[Row]) -> list[Row]:
    return [row for row in rows if not row["IsDeleted"]]
