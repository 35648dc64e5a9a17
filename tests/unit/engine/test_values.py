"""Values: what counts as the same, for every kind of field."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from sync_pipelines.domains import Field, Kind
from sync_pipelines.domains.schema import sql_type
from sync_pipelines.engine.values import differs, normal, quoted, text, wants
from sync_pipelines.lake import Lake

LINE = '{{"product":"{}","quantity":"{}","amount_minor":{}}}'
ONE, OTHER = LINE.format("A", 1, 5), LINE.format("B", 1, 5)

KNOWN: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.TEXT: st.sampled_from(["Acme", "acme", " Acme ", "Acme  Inc", "Acme Inc"]),
    Kind.CODE: st.sampled_from(["C-1", " c-1", "C-2"]),
    Kind.EMAIL: st.sampled_from(["a@x.test", "A@X.test", "b@x.test"]),
    Kind.PHONE: st.sampled_from(["+1 555", "1555", "1556", "none"]),
    Kind.CHOICE: st.sampled_from(["open", "OPEN", "done"]),
    Kind.FLAG: st.booleans(),
    Kind.DATE: st.dates(date(2026, 1, 1), date(2026, 1, 3)),
    Kind.MONEY: st.integers(-3, 3),
    Kind.CURRENCY: st.sampled_from(["EUR", "eur", "USD"]),
    Kind.QUANTITY: st.sampled_from([Decimal("1"), Decimal("1.0000"), Decimal("1.0001")]),
    Kind.REFERENCE: st.sampled_from(["l1", "l2"]),
    Kind.LINES: st.lists(
        st.builds(LINE.format, st.sampled_from("AB"), st.just("1"), st.integers(1, 2)), max_size=3
    ).map(lambda lines: f"[{','.join(lines)}]"),
}
"""A few values of each kind, some of which mean the same."""

quick = effort(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
kinds = pytest.mark.parametrize("kind", list(Kind))


def asked(lake: Lake, kind: Kind, condition: Any, left: Any, right: Any, **more: Any) -> bool:
    """A condition of `values` over two values, as DuckDB answers it."""
    field = Field("field", kind, **more)
    held = f"(SELECT CAST(? AS {sql_type(field)}) AS l, CAST(? AS {sql_type(field)}) AS r)"
    return bool(lake.row(f"SELECT {condition(field, 'l', 'r')} FROM {held}", (left, right))[0])


def test_every_kind_has_values_to_test_with() -> None:
    assert set(KNOWN) == set(Kind)


@kinds
@quick
@given(data=st.data())
def test_comparing_is_symmetric(lake: Lake, kind: Kind, data: st.DataObject) -> None:
    left, right = data.draw(st.none() | KNOWN[kind]), data.draw(st.none() | KNOWN[kind])

    assert asked(lake, kind, differs, left, right) == asked(lake, kind, differs, right, left)


@kinds
@quick
@given(data=st.data())
def test_a_value_agrees_with_itself_and_an_unknown_one_with_everything(
    lake: Lake, kind: Kind, data: st.DataObject
) -> None:
    value = data.draw(KNOWN[kind])

    assert not asked(lake, kind, differs, value, value)
    assert not asked(lake, kind, wants, value, value)
    assert not asked(lake, kind, differs, value, None)


@kinds
@quick
@given(data=st.data())
def test_an_unknown_value_of_the_owner_replaces_nothing(lake: Lake, kind: Kind, data: st.DataObject) -> None:
    assert not asked(lake, kind, wants, None, data.draw(st.none() | KNOWN[kind]))


@kinds
@quick
@given(data=st.data())
def test_an_owner_wants_its_value_exactly_where_both_are_known_and_differ(
    lake: Lake, kind: Kind, data: st.DataObject
) -> None:
    left, right = data.draw(KNOWN[kind]), data.draw(KNOWN[kind])
    unknown = lake.row(f"SELECT {normal(kind, 'v')} IS NULL FROM (SELECT ? AS v)", (str(right),))[0]
    assume(not unknown)

    assert asked(lake, kind, wants, left, right) == asked(lake, kind, differs, left, right)


@pytest.mark.parametrize(
    ("kind", "left", "right"),
    [
        (Kind.TEXT, "Main  Street 1", " Main Street\n1 "),
        (Kind.CODE, "de 1", " DE 1 "),
        (Kind.EMAIL, "A@B.test", "a@b.test"),
        (Kind.PHONE, "+1 (212) 555-01", "121255501"),
        (Kind.CURRENCY, "eur", "EUR"),
        (Kind.QUANTITY, Decimal("2"), Decimal("2.0000")),
        (Kind.LINES, f"[{ONE},{OTHER}]", f"[{OTHER},{ONE}]"),
    ],
)
def test_spellings_of_the_same_value_agree(lake: Lake, kind: Kind, left: Any, right: Any) -> None:
    assert not asked(lake, kind, differs, left, right)


@pytest.mark.parametrize(
    ("kind", "left", "right"),
    [
        (Kind.TEXT, "Acme", "acme"),
        (Kind.DATE, date(2026, 1, 1), date(2026, 1, 2)),
        (Kind.MONEY, 100, 101),
        (Kind.QUANTITY, Decimal("1"), Decimal("1.0001")),
        (Kind.FLAG, True, False),
        (Kind.LINES, f"[{ONE}]", f"[{ONE},{ONE}]"),
        (Kind.LINES, "[]", f"[{ONE}]"),
    ],
)
def test_values_that_mean_something_else_differ(lake: Lake, kind: Kind, left: Any, right: Any) -> None:
    assert asked(lake, kind, differs, left, right)


@pytest.mark.parametrize("kind", [Kind.TEXT, Kind.CODE, Kind.EMAIL, Kind.PHONE, Kind.CHOICE, Kind.CURRENCY])
@pytest.mark.parametrize("blank", ["", "   "])
def test_a_blank_is_no_value(lake: Lake, kind: Kind, blank: str) -> None:
    assert not asked(lake, kind, wants, blank, "something 1")
    assert asked(lake, kind, wants, "something 1", blank)


@pytest.mark.parametrize(("tolerance", "apart", "expected"), [(0, 1, True), (1, 1, False), (1, 2, True), (1, -2, True)])
def test_money_differs_past_its_tolerance(lake: Lake, tolerance: int, apart: int, expected: bool) -> None:
    assert asked(lake, Kind.MONEY, differs, 100, 100 + apart, tolerance_minor=tolerance) is expected
    assert asked(lake, Kind.MONEY, wants, 100, 100 + apart, tolerance_minor=tolerance) is expected


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
@quick
def test_names_and_literals_survive_any_text(lake: Lake, word: str) -> None:
    column = word or "empty"

    found = lake.arrow(f"SELECT {text(word)} AS {quoted(column)}")

    assert found.to_pylist() == [{column: word}]
