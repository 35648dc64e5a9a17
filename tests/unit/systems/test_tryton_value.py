from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_pipelines.systems.tryton.value import decode, encode

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.dates()
    | st.datetimes(timezones=st.just(UTC))
)


@given(st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8))
def test_what_is_encoded_comes_back_as_it_was(value):
    assert decode(encode(value)) == value


def test_values_travel_as_the_tagged_objects_that_tryton_reads():
    encoded = encode([Decimal("10.00"), date(2026, 11, 2)])

    assert encoded == [
        {"__class__": "Decimal", "decimal": "10.00"},
        {"__class__": "date", "year": 2026, "month": 11, "day": 2},
    ]


def test_an_instant_is_sent_in_utc_to_the_microsecond():
    berlin = datetime(2026, 11, 2, 9, 30, 1, 5, tzinfo=timezone(timedelta(hours=1)))

    assert encode(berlin) == {
        "__class__": "datetime",
        "year": 2026,
        "month": 11,
        "day": 2,
        "hour": 8,
        "minute": 30,
        "second": 1,
        "microsecond": 5,
    }


@pytest.mark.parametrize("value", [0.1, datetime(2026, 11, 2)])  # noqa: DTZ001 (naive on purpose)
def test_a_float_and_a_naive_instant_are_never_sent(value):
    with pytest.raises(TypeError):
        encode([value])
