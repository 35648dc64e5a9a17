"""Form bodies are read as Stripe reads them, and refused in its words."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_pipelines.sandbox.stripe.currency import check_amount, check_currency, rounded
from sync_pipelines.sandbox.stripe.form import decode
from sync_pipelines.sandbox.stripe.parameter import (
    Choice,
    Clearable,
    Exact,
    Flag,
    Group,
    Items,
    Metadata,
    Range,
    Text,
    Whole,
    exclusive,
    merged,
)
from sync_pipelines.sandbox.stripe.refusal import Refusal


def refused(read: object, value: object) -> tuple[str | None, str | None]:
    with pytest.raises(Refusal) as caught:
        read.read(value, "field")  # type: ignore[attr-defined]
    return caught.value.code, caught.value.param


def test_nested_keys_become_mappings_and_empty_brackets_become_lists() -> None:
    form = decode("items[0][price]=p&items[1][price]=q&expand[]=a&expand[]=b&metadata[k%20x]=v%26w")

    assert form == {
        "items": {"0": {"price": "p"}, "1": {"price": "q"}},
        "expand": ["a", "b"],
        "metadata": {"k x": "v&w"},
    }


def test_empty_brackets_before_a_name_begin_a_new_element_when_the_name_repeats() -> None:
    assert decode("i[][a]=1&i[][b]=2&i[][a]=3") == {"i": [{"a": "1", "b": "2"}, {"a": "3"}]}


@pytest.mark.parametrize("text", ["a[b=1", "a=1&a[b]=2", "a[b]=2&a=1", "[a]=1", "a[]=1&a[b]=2"])
def test_a_form_that_contradicts_itself_is_refused(text: str) -> None:
    with pytest.raises(Refusal, match="Invalid request"):
        decode(text)


def test_numbered_elements_keep_the_order_of_their_numbers() -> None:
    read = Items(Text()).read({"10": "last", "2": "second", "0": "first"}, "list")

    assert read == ["first", "second", "last"]


def test_a_mapping_with_numbers_for_keys_stays_a_mapping_where_one_is_declared() -> None:
    assert Metadata().read({"0": "x"}, "metadata") == {"0": "x"}


def test_wrong_values_are_refused_with_the_parameter_that_carries_them() -> None:
    assert refused(Whole(), "10.0") == ("parameter_invalid_integer", "field")
    assert refused(Whole(1, 100), "101") == ("parameter_invalid_integer", "field")
    assert refused(Whole(), "") == ("parameter_invalid_empty", "field")
    assert refused(Text(), "") == ("parameter_invalid_empty", "field")
    assert refused(Text(3), "four") == (None, "field")
    assert refused(Flag(), "yes") == (None, "field")
    assert refused(Choice(("a", "b")), "c") == (None, "field")
    assert refused(Exact(2), "0.001") == (None, "field")
    assert refused(Exact(), "NaN") == ("parameter_invalid_decimal", "field")
    assert refused(Items(Text(), 1), {"0": "a", "1": "b"}) == (None, "field")


def test_unknown_and_missing_parameters_are_named_with_their_path() -> None:
    inner = Group({"price": Text(), "quantity": Whole()}, ("price",))

    assert refused(Items(inner), {"0": {"prise": "p"}}) == ("parameter_unknown", "field[0][prise]")
    assert refused(Items(inner), {"0": {"quantity": "1"}}) == ("parameter_missing", "field[0][price]")


def test_an_empty_value_unsets_what_can_be_unset() -> None:
    assert Clearable(Text()).read("", "f") is None
    assert Clearable(Items(Text()), []).read("", "f") == []


def test_a_time_is_a_range_of_itself() -> None:
    assert Range().read("5", "created") == {"gte": 5, "lte": 5}
    assert Range().read({"gt": "5"}, "created") == {"gt": 5}


def test_parameters_that_exclude_each_other_are_refused_together() -> None:
    assert exclusive({"a": 1}, "a", "b") == "a"
    with pytest.raises(Refusal, match="only specify one"):
        exclusive({"a": 1, "b": 2}, "a", "b")
    with pytest.raises(Refusal, match="must specify one"):
        exclusive({}, "a", "b", required=True)


def test_metadata_has_limits() -> None:
    assert refused(Metadata(), {"k" * 41: "v"})[1] == f"field[{'k' * 41}]"
    assert refused(Metadata(), {"k": "v" * 501})[1] == "field[k]"
    with pytest.raises(Refusal, match="50 metadata keys"):
        merged({f"k{n}": "v" for n in range(50)}, {"one more": "v"})


texts = st.dictionaries(st.text("abc", min_size=1, max_size=2), st.text("xy", max_size=2), max_size=5)


@given(texts, texts)
def test_merging_metadata_twice_equals_merging_it_once(held: dict[str, str], change: dict[str, str]) -> None:
    once = merged(held, change)

    assert merged(once, change) == once
    assert "" not in once.values()
    assert all(once[key] == text for key, text in change.items() if text)


def test_amounts_follow_the_decimals_of_their_currency() -> None:
    assert check_currency("JPY", "currency") == "jpy"
    assert check_amount(5, "jpy", "amount") == 5
    assert check_amount(1230, "kwd", "amount") == 1230
    for amount, currency in [(1234, "kwd"), (50, "isk"), (1, "ugx")]:
        with pytest.raises(Refusal):
            check_amount(amount, currency, "amount")
    with pytest.raises(Refusal, match="Invalid currency"):
        check_currency("xyz", "currency")


def test_rounding_is_half_away_from_zero_and_to_what_the_currency_allows() -> None:
    assert [rounded(Decimal(text), "usd") for text in ("0.5", "1.5", "-0.5", "2.4")] == [1, 2, -1, 2]
    assert rounded(Decimal("12.5"), "kwd") == 10
    assert rounded(Decimal("150"), "isk") == 200
