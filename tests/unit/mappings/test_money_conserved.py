"""Money survives the mappings to the minor unit: what goes out is what comes back, or it doesn't go out."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

import duckdb
import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from sync_pipelines.domains.money import exponent, major
from sync_pipelines.lake.macros import MACROS

CURRENCIES = st.sampled_from(["USD", "EUR", "JPY", "KWD", "BHD", "KRW"])
QUANTITIES = st.decimals("0.0001", 20_000, places=4) | st.integers(1, 20_000).map(Decimal)
AMOUNTS = st.integers(-(10**9), 10**9)
quick = effort(max_examples=200, deadline=None)


@pytest.fixture(scope="module")
def db() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as opened:
        for macro in MACROS:
            opened.execute(macro)
        yield opened


def unit_price(db: duckdb.DuckDBPyConnection, amount_minor: int, quantity: Decimal, currency: str) -> Decimal | None:
    sql = "SELECT unit_price(CAST(? AS BIGINT), CAST(? AS DECIMAL(18, 4)), ?)"
    row = db.execute(sql, [amount_minor, str(quantity), currency]).fetchone()
    assert row is not None
    price: Decimal | None = row[0]
    return price


@quick
@given(amount=AMOUNTS, quantity=QUANTITIES, currency=CURRENCIES)
@pytest.mark.parametrize("rounding", [ROUND_HALF_UP, ROUND_HALF_EVEN])
def test_a_line_that_is_sent_comes_back_as_the_same_amount_however_the_erp_rounds(
    db: duckdb.DuckDBPyConnection, amount: int, quantity: Decimal, currency: str, rounding: str
) -> None:
    price = unit_price(db, amount, quantity, currency)

    if price is not None:
        line = (price * quantity).quantize(Decimal(1).scaleb(-exponent(currency)), rounding)
        assert line == major(amount, currency)


@quick
@given(amount=AMOUNTS, quantity=st.integers(1, 99), currency=st.sampled_from(["USD", "EUR", "JPY"]))
def test_every_amount_of_fewer_than_a_hundred_pieces_can_be_sent(
    db: duckdb.DuckDBPyConnection, amount: int, quantity: int, currency: str
) -> None:
    assert unit_price(db, amount, Decimal(quantity), currency) is not None


@pytest.mark.parametrize(
    ("amount", "quantity", "currency", "price"),
    [
        (1000100, "300", "USD", None),
        (1000200, "300", "USD", "33.34"),
        (100, "3", "USD", "0.3333"),
        (100, "3", "JPY", "33.3333"),
        (1001, "30", "KWD", None),
        (-3050, "-1", "USD", "30.5"),
    ],
)
def test_an_amount_that_no_price_of_four_places_gives_back_has_no_price(
    db: duckdb.DuckDBPyConnection, amount: int, quantity: str, currency: str, price: str | None
) -> None:
    assert unit_price(db, amount, Decimal(quantity), currency) == (None if price is None else Decimal(price))
