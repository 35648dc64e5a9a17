from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from sync_pipelines.systems.stripe import LISTS
from sync_pipelines.systems.stripe.answer import classify
from sync_pipelines.systems.stripe.feed import GROUPS, TYPES, Feed


def event(number: int, type: str, *, of: str, created: int) -> dict[str, Any]:
    return {"id": f"evt_{number}", "type": type, "created": created, "data": {"object": {"id": of}}}


def answer(*events: dict[str, Any], more: bool = False) -> tuple[int, bytes]:
    return 200, json.dumps({"object": "list", "has_more": more, "data": events}).encode()


@pytest.fixture
def build(scripted, clock):
    def make(*replies):
        wire, far_end = scripted(*replies, classify=classify)
        return Feed(wire, clock=clock), far_end

    return make


def test_every_object_is_in_one_group_and_no_group_asks_for_more_types_than_stripe_takes():
    assert sorted(name for group in GROUPS for name in group) == sorted(LISTS)
    assert all(sum(len(TYPES[name]) for name in group) <= 20 for group in GROUPS)


def test_one_poll_serves_all_objects_of_a_group(build):
    feed, far_end = build(
        answer(
            event(2, "product.updated", of="prod_1", created=200), event(1, "customer.created", of="cus_1", created=100)
        )
    )

    polled = {name: feed.since(name, 3700).of(name, 100) for name in ("customers", "products", "prices")}

    assert {name: [found.record_id for found in events] for name, events in polled.items()} == {
        "customers": ["cus_1"],
        "products": ["prod_1"],
        "prices": [],
    }
    assert len(far_end.sent) == 1
    asked = parse_qs(urlsplit(far_end.sent[0].url).query)
    assert asked["created[gte]"] == ["100"]
    assert {"customer.deleted", "price.updated"} < set(asked["types[]"])


def test_an_earlier_start_a_write_and_time_make_it_poll_again(build, clock):
    feed, far_end = build(*[answer()] * 4)

    feed.since("invoices", 9000)
    feed.since("invoices", 5000)
    feed.forget()
    feed.since("invoices", 5000)
    clock.advance(61)
    feed.since("credit_notes", 5000)

    assert len(far_end.sent) == 4


def test_the_whole_feed_is_read_and_an_event_seen_twice_counts_once(build):
    first, second = (event(n, "invoice.paid", of="in_1", created=n) for n in (2, 1))
    feed, _ = build(answer(first, more=True), answer(first, second))

    polled = feed.since("invoices", 0)

    assert [found.event_id for found in polled.events] == ["evt_2", "evt_1"]
    assert polled.newest == 2


def test_a_poll_goes_no_further_than_it_must_but_serves_what_was_read_a_little_earlier(build):
    late, early = (event(n, "invoice.paid", of=f"in_{n}", created=n) for n in (9000, 8000))
    feed, far_end = build(answer(late, early, more=True), answer())

    feed.since("invoices", 8500)
    served = feed.since("credit_notes", 8001)
    feed.since("invoices", 8000)

    assert served.newest == 9000
    assert len(far_end.sent) == 2


def test_the_newest_event_costs_one_call_a_group_and_is_no_answer_to_what_came_before_it(build):
    last = event(9, "product.created", of="prod_1", created=900)
    feed, far_end = build(answer(last), answer(last, event(8, "customer.created", of="cus_1", created=800)))

    assert (feed.newest("customers"), feed.newest("products")) == (900, 900)
    assert len(far_end.sent) == 1
    assert [found.record_id for found in feed.since("customers", 300).of("customers", 300)] == ["cus_1"]


def test_an_empty_feed_has_no_newest_event(build):
    feed, _ = build(answer())

    assert feed.newest("invoices") == 0


def test_a_look_serves_all_groups_where_it_reaches_back_far_enough(build):
    feed, far_end = build(answer(event(1, "charge.succeeded", of="ch_1", created=50)), answer(more=False))

    feed.look(10)
    feed.since("invoices", 20)
    feed.since("customers", 10)

    assert len(far_end.sent) == 1
    assert "types" not in far_end.sent[0].url


def test_a_look_that_breaks_off_serves_none(build):
    feed, far_end = build(answer(event(1, "charge.succeeded", of="ch_1", created=50), more=True), answer())

    feed.look(10)

    assert feed.since("invoices", 20).events == []
    assert len(far_end.sent) == 2
