"""The measure of extraction runs, and its verdict follows from what it measures."""

from __future__ import annotations

import pytest

from bench.extract.__main__ import LIMIT, PRODUCT, Cost, of_limit, of_product, table, times_the_limit, vendor
from sync_pipelines.ledger.embedded import Embedded


def test_the_limit_and_the_product_read_all_records_of_the_vendor(postgres: Embedded) -> None:
    database = "bench_extract"
    try:
        with vendor(2_500) as url:
            costs = {
                LIMIT: of_limit(url, 2_500),
                PRODUCT: of_product(url, 2_500, server=postgres, database=database),
            }
            with pytest.raises(SystemExit, match=r"limit\.py read '2500' instead of 2499 records"):
                of_limit(url, 2_499)
    finally:
        postgres.drop(database)

    assert 0 < costs[LIMIT].seconds < costs[PRODUCT].seconds
    assert table(costs).splitlines()[-1].startswith("NOT WITHIN 2 times the limit")


def test_other_numbers_of_records_are_compared_a_record() -> None:
    costs = {LIMIT: Cost(500, 2.0), PRODUCT: Cost(500, 4.0), "another": Cost(100, 4.0)}

    assert times_the_limit(costs, "another") == pytest.approx(10)
    assert table(costs).splitlines()[-1] == "within 2 times the limit: 2.00"
