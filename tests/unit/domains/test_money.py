"""Money: exact both ways, and the same rules in Python and in mapping SQL."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import duckdb
import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from sync_pipelines.domains.money import THREE_DECIMALS, ZERO_DECIMALS, exponent, major, minor, spell
from sync_pipelines.lake.macros import MACROS

CURRENCIES = st.sampled_from([*sorted(ZERO_DECIMALS), *sorted(THREE_DECIMALS), "USD", "EUR"])
MINOR = st.integers(-(10**13), 10**13)
quick = effort(max_examples=60, deadline=None)


@pytest.fixture(scope="module")
def db() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as opened:
        for macro in MACROS:
            opened.execute(macro)
        yield opened


def one(db: duckdb.DuckDBPyConnection, sql: str, *given: object) -> object:
    row = db.execute(f"SELECT {sql}", list(given)).fetchone()
    assert row is not None
    return row[0]


@given(MINOR, CURRENCIES)
def test_minor_units_survive_the_way_there_and_back(amount: int, currency: str) -> None:
    assert minor(major(amount, currency), currency) == amount


@given(st.lists(MINOR, min_size=1, max_size=5), CURRENCIES)
def test_money_is_conserved_when_it_is_added_up(amounts: list[int], currency: str) -> None:
    assert minor(sum((major(a, currency) for a in amounts), Decimal(0)), currency) == sum(amounts)


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [("0.005", "USD", 1), ("-0.005", "USD", -1), ("0.5", "JPY", 1), ("1.2345", "KWD", 1235), ("-2.5", "JPY", -3)],
)
def test_a_fraction_of_a_minor_unit_is_rounded_half_away_from_zero(
    db: duckdb.DuckDBPyConnection, amount: str, currency: str, expected: int
) -> None:
    assert minor(Decimal(amount), currency) == expected
    assert one(db, "minor(CAST(? AS DECIMAL(18, 4)), ?)", amount, currency) == expected


@quick
@given(amount=st.decimals(-(10**9), 10**9, places=4), currency=CURRENCIES)
def test_sql_and_python_agree_on_minor_units(db: duckdb.DuckDBPyConnection, amount: Decimal, currency: str) -> None:
    assert one(db, "minor(CAST(? AS DECIMAL(18, 4)), ?)", str(amount), currency) == minor(amount, currency)


@quick
@given(amount=MINOR, currency=CURRENCIES)
def test_sql_and_python_agree_on_major_units(db: duckdb.DuckDBPyConnection, amount: int, currency: str) -> None:
    told = one(db, "major(CAST(? AS BIGINT), ?)", amount, currency)

    assert isinstance(told, Decimal)
    assert told == major(amount, currency)


@pytest.mark.parametrize(("currency", "digits"), [("EUR", 2), ("JPY", 0), ("KWD", 3)])
def test_sql_and_python_agree_on_exponents(db: duckdb.DuckDBPyConnection, currency: str, digits: int) -> None:
    assert exponent(currency) == digits
    assert one(db, "exponent(?)", currency) == one(db, "exponent(lower(?))", currency) == digits


@pytest.mark.parametrize(
    ("amount", "currency", "spelled"),
    [(0, "USD", "USD 0.00"), (-5, "EUR", "EUR -0.05"), (1234567, "JPY", "JPY 1,234,567"), (1, "KWD", "KWD 0.001")],
)
def test_people_read_amounts_in_major_units(amount: int, currency: str, spelled: str) -> None:
    assert spell(amount, currency) == spelled


@pytest.mark.parametrize(
    ("instant", "zone", "day"),
    [
        ("2026-03-01 04:59:59Z", "America/New_York", "2026-02-28"),
        ("2026-03-01 05:00:00Z", "America/New_York", "2026-03-01"),
        ("2026-03-01 15:00:00Z", "Asia/Tokyo", "2026-03-02"),
    ],
)
def test_a_business_date_is_the_day_in_the_legal_entitys_zone(
    db: duckdb.DuckDBPyConnection, instant: str, zone: str, day: str
) -> None:
    assert str(one(db, "business_date(CAST(? AS TIMESTAMPTZ), ?)", instant, zone)) == day
