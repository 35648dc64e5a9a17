"""The query language of search, and an index that lags."""

import pytest
from stripe_desk import open_desk

from sync_pipelines.sandbox.stripe.refusal import Refusal
from sync_pipelines.sandbox.stripe.search import parse

ACME = {
    "created": 100,
    "email": "ap@acme.test",
    "name": "Acme Inc",
    "phone": None,
    "metadata": {"crm": "A-1", "it's": "x"},
}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ('email:"AP@acme.test"', True),
        ("email:'other@acme.test'", False),
        ('name~"cme"', True),
        ("created>99 created<101", True),
        ("created>=101", False),
        ('created>0 AND metadata["crm"]:"A-1"', True),
        ("metadata['crm']:'A-2' OR metadata['crm']:'A-1'", True),
        ('-metadata["crm"]:"A-1"', False),
        ('metadata["none"]:null', True),
        ('metadata["crm"]:null', False),
        ("phone:null", True),
        ('metadata["it\'s"]:"x"', True),
    ],
)
def test_a_query_finds_what_it_says(query: str, found: bool) -> None:
    assert parse(query, "customer")(ACME) is found


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("", "customer"),
        ("AND created>1", "customer"),
        ("created>1 AND", "customer"),
        ("created>1 AND name:'a' OR name:'b'", "customer"),
        ("created>'x'", "customer"),
        ("name~'ac'", "customer"),
        ("currency~'usd'", "invoice"),
        ("balance:1", "customer"),
        ("created>0", "product"),
        ("created>0", "price"),
        (" ".join(["created>0"] * 11), "customer"),
    ],
)
def test_a_query_that_stripe_does_not_understand_is_refused(query: str, kind: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse(query, kind)

    assert caught.value.param == "query"


def test_search_sees_a_change_only_after_the_lag() -> None:
    desk = open_desk()
    desk.sandbox.vendor.admin("settings", {"search_lag": 60.0})
    old = desk.post("/v1/customers", name="Older")["id"]
    desk.sandbox.clock.advance(120)
    new = desk.post("/v1/customers", name="Newer")["id"]
    desk.post(f"/v1/customers/{old}", name="Renamed")

    at_once = desk.get("/v1/customers/search", query="created>0")["data"]
    desk.sandbox.clock.advance(61)
    later = desk.get("/v1/customers/search", query="created>0")["data"]

    assert [(each["id"], each["name"]) for each in at_once] == [(old, "Older")]
    assert [(each["id"], each["name"]) for each in later] == [(new, "Newer"), (old, "Renamed")]


def test_search_still_shows_a_deleted_customer_until_the_lag_is_over() -> None:
    desk = open_desk()
    desk.sandbox.vendor.admin("settings", {"search_lag": 60.0})
    customer = desk.post("/v1/customers", name="Gone")["id"]
    desk.sandbox.clock.advance(120)
    desk.delete(f"/v1/customers/{customer}")

    at_once = desk.get("/v1/customers/search", query="name:'Gone'")["data"]
    desk.sandbox.clock.advance(61)

    assert [each["id"] for each in at_once] == [customer]
    assert desk.get("/v1/customers/search", query="name:'Gone'")["data"] == []


def test_search_pages_through_everything_once_and_counts_on_request() -> None:
    desk = open_desk()
    made = [desk.post("/v1/customers", name=f"Customer {n}")["id"] for n in range(5)]
    params = {"query": "created>0", "limit": "2", "expand[]": "total_count"}
    found, page = [], desk.get("/v1/customers/search", params=params)
    while True:
        found += [each["id"] for each in page["data"]]
        if not page["has_more"]:
            break
        page = desk.get("/v1/customers/search", params={**params, "page": page["next_page"]})

    assert found == made[::-1]
    assert page["total_count"] == 5
    assert page["next_page"] is None
    assert "total_count" not in desk.get("/v1/customers/search", query="created>0")


def test_the_count_of_a_search_ends_at_ten_thousand() -> None:
    desk = open_desk()
    rows = [{"id": f"cus_{n}", "created": 1_700_000_000} for n in range(10_001)]
    desk.sandbox.vendor.admin("seed", {"customer": rows})

    params = {"query": "created>0", "limit": "1", "expand[]": "total_count"}

    assert desk.get("/v1/customers/search", params=params)["total_count"] == 10_000
