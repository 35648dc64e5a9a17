"""The simulated company's Stripe objects have the shape that Stripe publishes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from companies import company

FIXTURES = Path(__file__).parents[4] / "shared" / "contracts" / "stripe-fixtures.json"
KINDS = ("customer", "tax_rate", "product", "price", "subscription", "invoice", "credit_note", "invoice_payment")
RETIRED = {"invoice": {"subscription"}, "subscription_item": {"plan"}}
"""Fields of older versions: an invoice's subscription moved to its parent, the plan is shown from the price."""


@pytest.fixture(scope="module")
def published() -> dict[str, Any]:
    if not FIXTURES.exists():
        pytest.skip("Stripe's published fixtures are not beside the checkout")
    resources: dict[str, Any] = json.loads(FIXTURES.read_text())["resources"]
    return resources


def objects(kind: str) -> list[dict[str, Any]]:
    made = company(7).stripe
    match kind:
        case "subscription_item":
            return [item for row in made["subscription"] for item in row["items"]["data"]]
        case "line_item":
            return [line for row in made["invoice"] for line in row["lines"]["data"]]
        case "credit_note_line_item":
            return [line for row in made["credit_note"] for line in row["lines"]["data"]]
    return made[kind]


@pytest.mark.parametrize("kind", [*KINDS, "subscription_item", "line_item", "credit_note_line_item"])
def test_objects_have_the_fields_that_stripe_publishes_with_values_of_their_type(published, kind):
    found = objects(kind)
    example = published[kind]
    fields = example.keys() - RETIRED.get(kind, set())

    assert found
    for row in found:
        assert row["object"] == kind
        assert fields <= row.keys()
        for field in fields:
            ours, theirs = row[field], example[field]
            if ours is not None and theirs is not None:
                assert isinstance(ours, type(theirs)), (kind, field, ours)


def test_lists_inside_of_objects_are_lists_of_stripe(published):
    lists = [row["items"] for row in objects("subscription")]
    lists += [row["lines"] for kind in ("invoice", "credit_note") for row in objects(kind)]

    for each in lists:
        assert each.keys() == published["invoice"]["lines"].keys()
        assert each["object"] == "list"
        assert each["data"]
        assert not each["has_more"]


@pytest.mark.parametrize(
    ("kind", "field", "words"),
    [
        ("subscription", "status", {"active", "canceled"}),
        ("invoice", "status", {"draft", "open", "paid"}),
        ("credit_note", "type", {"pre_payment", "post_payment"}),
        ("price", "type", {"one_time", "recurring"}),
        ("credit_note", "reason", {"duplicate", "fraudulent", "order_change", "product_unsatisfactory"}),
    ],
)
def test_choices_are_stripes_own_words(kind, field, words):
    assert {row[field] for row in objects(kind)} <= words


def test_metadata_stays_within_stripes_limits():
    for kind in KINDS:
        for row in objects(kind):
            for key, value in row.get("metadata", {}).items():
                assert len(key) <= 40
                assert 0 < len(value) <= 500


def test_drafts_have_neither_number_nor_finalization():
    drafts = [row for row in objects("invoice") if row["status"] == "draft"]

    assert drafts
    for draft in drafts:
        assert draft["number"] is draft["effective_at"] is draft["status_transitions"]["finalized_at"] is None
