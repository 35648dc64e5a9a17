"""Customers, the catalog and subscriptions keep Stripe's rules."""

import pytest
from stripe_desk import TODAY, Desk, open_desk


@pytest.fixture
def desk() -> Desk:
    return open_desk()


@pytest.fixture
def monthly(desk: Desk) -> str:
    return desk.price(1000, **{"recurring[interval]": "month"})


def subscribe(desk: Desk, *prices: str, **form: object) -> dict[str, object]:
    customer = form.pop("customer", None) or desk.post("/v1/customers", name="Acme")["id"]
    items = {f"items[{place}][price]": price for place, price in enumerate(prices)}
    terms = {"collection_method": "send_invoice", "days_until_due": 30}
    return desk.post("/v1/subscriptions", form={"customer": customer, **items, **terms, **form})


def test_an_address_is_replaced_as_a_whole(desk: Desk) -> None:
    form = {"address[line1]": "Main St 1", "address[city]": "Bonn"}
    customer = desk.post("/v1/customers", form=form)["id"]

    moved = desk.post(f"/v1/customers/{customer}", form={"address[city]": "Köln"})

    assert moved["address"] == {
        "city": "Köln",
        "country": None,
        "line1": None,
        "line2": None,
        "postal_code": None,
        "state": None,
    }
    assert desk.post(f"/v1/customers/{customer}", address="")["address"] is None


def test_metadata_merges_and_an_empty_string_removes(desk: Desk) -> None:
    customer = desk.post("/v1/customers", form={"metadata[a]": "1", "metadata[b]": "2"})["id"]

    changed = desk.post(f"/v1/customers/{customer}", form={"metadata[a]": "", "metadata[c]": "3"})
    cleared = desk.post(f"/v1/customers/{customer}", metadata="")

    assert changed["metadata"] == {"b": "2", "c": "3"}
    assert cleared["metadata"] == {}


def test_email_filters_exactly(desk: Desk) -> None:
    desk.post("/v1/customers", email="AP@acme.test")
    lower = desk.post("/v1/customers", email="ap@acme.test")["id"]

    assert [each["id"] for each in desk.get("/v1/customers", email="ap@acme.test")["data"]] == [lower]
    assert desk.error("/v1/customers", email="nobody") == ("email_invalid", "email")


def test_a_deleted_customer_leaves_lists_but_answers(desk: Desk, monthly: str) -> None:
    customer = desk.post("/v1/customers", name="Acme")["id"]
    subscription = subscribe(desk, monthly, customer=customer)["id"]

    stub = desk.delete(f"/v1/customers/{customer}")

    assert stub == {"id": customer, "object": "customer", "deleted": True}
    assert desk.get(f"/v1/customers/{customer}") == stub
    assert desk.get("/v1/customers")["data"] == []
    assert desk.get(f"/v1/subscriptions/{subscription}")["status"] == "canceled"
    assert desk.error(f"/v1/customers/{customer}", name="Back") == ("resource_missing", "id")
    assert desk.error("/v1/invoices", customer=customer) == ("resource_missing", "customer")


def test_a_product_id_is_chosen_once(desk: Desk) -> None:
    assert desk.post("/v1/products", id="seat", name="Seat")["id"] == "seat"
    assert desk.error("/v1/products", id="seat", name="Again") == ("resource_already_exists", "id")


def test_updating_a_product_moves_its_updated_time(desk: Desk) -> None:
    product = desk.post("/v1/products", name="Seat")
    desk.sandbox.clock.advance(5)

    after = desk.post(f"/v1/products/{product['id']}", active="false")

    assert (after["updated"], after["created"]) == (product["updated"] + 5, product["created"])


def test_a_product_with_prices_cannot_be_deleted(desk: Desk, monthly: str) -> None:
    product = desk.get(f"/v1/prices/{monthly}")["product"]
    lonely = desk.post("/v1/products", name="Lonely")["id"]

    assert "user-created prices" in desk.delete(f"/v1/products/{product}")["error"]["message"]
    assert desk.delete(f"/v1/products/{lonely}")["deleted"] is True
    assert desk.send("GET", f"/v1/products/{lonely}").status_code == 404


def test_the_amount_of_a_price_is_immutable(desk: Desk, monthly: str) -> None:
    assert desk.error(f"/v1/prices/{monthly}", unit_amount=5) == ("parameter_unknown", "unit_amount")
    assert desk.send("DELETE", f"/v1/prices/{monthly}").status_code == 404


def test_a_lookup_key_moves_only_when_that_is_asked_for(desk: Desk) -> None:
    old = desk.price(1000, lookup_key="seat-usd")
    product = desk.get(f"/v1/prices/{old}")["product"]
    form = {"product": product, "currency": "usd", "unit_amount": 1100, "lookup_key": "seat-usd"}

    assert desk.error("/v1/prices", form=form) == ("resource_already_exists", "lookup_key")
    new = desk.post("/v1/prices", form={**form, "transfer_lookup_key": "true"})

    assert desk.get(f"/v1/prices/{old}")["lookup_key"] is None
    found = desk.get("/v1/prices", params={"lookup_keys[]": "seat-usd"})["data"]
    assert [each["id"] for each in found] == [new["id"]]


def test_retired_prices_are_listed_only_on_request(desk: Desk, monthly: str) -> None:
    desk.post(f"/v1/prices/{monthly}", active="false")

    assert desk.get("/v1/prices")["data"] == []
    assert [each["id"] for each in desk.get("/v1/prices", active="false")["data"]] == [monthly]


def test_amounts_that_the_currency_has_no_coin_for_are_refused(desk: Desk) -> None:
    product = desk.post("/v1/products", name="Seat")["id"]

    def error(**form: object) -> tuple[str | None, str | None]:
        return desk.error("/v1/prices", product=product, **form)

    assert error(currency="kwd", unit_amount=1234) == (None, "unit_amount")
    assert error(currency="xxx", unit_amount=1) == (None, "currency")
    assert error(currency="usd", unit_amount="1.5") == ("parameter_invalid_integer", "unit_amount")
    assert error(currency="usd") == ("parameter_missing", "unit_amount")
    exact = desk.post("/v1/prices", product=product, currency="usd", unit_amount_decimal="0.05")
    assert (exact["unit_amount"], exact["unit_amount_decimal"]) == (None, "0.05")


def test_a_subscription_starts_active_with_a_draft_to_send(desk: Desk, monthly: str) -> None:
    started = subscribe(desk, monthly, **{"items[0][quantity]": 3, "metadata[contract_number]": "00000101"})
    bill = desk.get(f"/v1/invoices/{started['latest_invoice']}")
    item = started["items"]["data"][0]

    assert started["status"] == "active"
    assert (bill["status"], bill["total"], bill["billing_reason"]) == ("draft", 3000, "subscription_create")
    assert bill["parent"]["subscription_details"]["subscription"] == started["id"]
    assert bill["lines"]["data"][0]["parent"]["subscription_item_details"]["subscription_item"] == item["id"]
    assert item["current_period_start"] == int(TODAY.timestamp())
    assert item["current_period_end"] == int(TODAY.replace(month=12).timestamp())
    assert item["price"]["id"] == monthly


def test_an_automatic_subscription_needs_a_way_to_be_paid(desk: Desk, monthly: str) -> None:
    poor = desk.post("/v1/customers", name="Acme")["id"]
    rich = desk.post("/v1/customers", form={"invoice_settings[default_payment_method]": "pm_card_visa"})["id"]
    form = {"items[0][price]": monthly}

    paid = desk.post("/v1/subscriptions", form={"customer": rich, **form})
    waiting = desk.post("/v1/subscriptions", form={"customer": poor, "payment_behavior": "default_incomplete", **form})

    assert desk.error("/v1/subscriptions", form={"customer": poor, **form})[0] == "resource_missing"
    assert paid["status"] == "active"
    assert desk.get(f"/v1/invoices/{paid['latest_invoice']}")["status"] == "paid"
    assert waiting["status"] == "incomplete"
    assert desk.get(f"/v1/invoices/{waiting['latest_invoice']}")["status"] == "open"


def test_a_subscription_takes_only_active_recurring_prices_of_one_currency(desk: Desk, monthly: str) -> None:
    once, yen = desk.price(), desk.price(5, currency="jpy", **{"recurring[interval]": "month"})
    retired = desk.price(7, **{"recurring[interval]": "month"})
    desk.post(f"/v1/prices/{retired}", active="false")

    assert subscribe(desk, once)["error"]["param"] == "items[0][price]"
    assert "currency" in subscribe(desk, monthly, yen)["error"]["message"]
    assert "inactive" in subscribe(desk, retired)["error"]["message"]
    assert subscribe(desk, "price_x")["error"]["code"] == "resource_missing"


def test_a_customer_keeps_to_one_currency(desk: Desk, monthly: str) -> None:
    customer = desk.post("/v1/customers")["id"]
    yen = desk.price(5, currency="jpy", **{"recurring[interval]": "month"})
    subscribe(desk, monthly, customer=customer)

    assert desk.get(f"/v1/customers/{customer}")["currency"] == "usd"
    assert "cannot combine currencies" in subscribe(desk, yen, customer=customer)["error"]["message"]


def test_items_change_by_id_and_new_ones_are_added(desk: Desk, monthly: str) -> None:
    other = desk.price(50, **{"recurring[interval]": "month"})
    started = subscribe(desk, monthly)
    item = started["items"]["data"][0]["id"]

    after = desk.post(
        f"/v1/subscriptions/{started['id']}",
        form={"items[0][id]": item, "items[0][quantity]": 9, "items[1][price]": other},
    )
    listed = desk.get("/v1/subscription_items", subscription=started["id"])
    desk.post(f"/v1/subscription_items/{item}", form={"metadata[line]": "1"})

    assert [(each["price"]["id"], each["quantity"]) for each in after["items"]["data"]] == [
        (monthly, 9),
        (other, 1),
    ]
    assert [each["id"] for each in listed["data"]] == [each["id"] for each in after["items"]["data"]]
    assert desk.get(f"/v1/subscription_items/{item}")["metadata"] == {"line": "1"}
    assert desk.delete(f"/v1/subscription_items/{item}")["deleted"] is True
    assert "at least one" in desk.delete(f"/v1/subscription_items/{listed['data'][1]['id']}")["error"]["message"]


def test_an_end_can_be_set_and_taken_back(desk: Desk, monthly: str) -> None:
    path = f"/v1/subscriptions/{subscribe(desk, monthly)['id']}"
    end = int(TODAY.timestamp()) + 86_400

    assert desk.post(path, cancel_at=end)["cancel_at"] == end
    assert desk.post(path, cancel_at="")["canceled_at"] is None
    ending = desk.post(path, cancel_at_period_end="true")
    assert ending["cancel_at"] == ending["items"]["data"][0]["current_period_end"]
    assert desk.post(path, cancel_at_period_end="false")["cancel_at"] is None
    assert desk.error(path, cancel_at=1) == (None, "cancel_at")


def test_a_canceled_subscription_is_hidden_and_all_but_frozen(desk: Desk, monthly: str) -> None:
    started = subscribe(desk, monthly)
    path = f"/v1/subscriptions/{started['id']}"

    assert desk.delete(path)["status"] == "canceled"
    assert desk.delete(path)["error"]["code"] == "resource_missing"
    assert desk.get("/v1/subscriptions")["data"] == []
    assert len(desk.get("/v1/subscriptions", status="all")["data"]) == 1
    assert len(desk.get("/v1/subscriptions", status="ended")["data"]) == 1
    assert desk.post(path, form={"metadata[a]": "1"})["metadata"] == {"a": "1"}
    assert "canceled subscription" in desk.post(path, cancel_at_period_end="true")["error"]["message"]
    assert desk.events()[-2:] == ["customer.subscription.deleted", "customer.subscription.updated"]


def test_an_item_shows_its_price_as_it_is_now(desk: Desk, monthly: str) -> None:
    started = subscribe(desk, monthly)
    desk.post(f"/v1/prices/{monthly}", nickname="Renamed")

    shown = desk.get(f"/v1/subscriptions/{started['id']}")["items"]["data"][0]

    assert shown["price"]["nickname"] == shown["plan"]["nickname"] == "Renamed"


def test_entitlements_follow_from_subscriptions(desk: Desk, monthly: str) -> None:
    product = desk.get(f"/v1/prices/{monthly}")["product"]
    feature = desk.post("/v1/entitlements/features", lookup_key="sso", name="Single sign-on")["id"]
    desk.post(f"/v1/products/{product}/features", entitlement_feature=feature)
    started = subscribe(desk, monthly)
    url = "/v1/entitlements/active_entitlements"

    entitled = desk.get(url, customer=started["customer"])["data"]
    desk.delete(f"/v1/subscriptions/{started['id']}")

    assert [(each["feature"], each["lookup_key"]) for each in entitled] == [(feature, "sso")]
    assert desk.get(url, customer=started["customer"])["data"] == []
    assert desk.get(url)["error"]["code"] == "parameter_missing"
    assert desk.error("/v1/entitlements/features", lookup_key="sso", name="x")[0] == "resource_already_exists"


def test_references_are_expanded_where_they_are(desk: Desk, monthly: str) -> None:
    started = subscribe(desk, monthly)
    params = {"expand[]": ["data.customer", "data.latest_invoice.customer", "data.items.data.price.product"]}

    # Deeper than four levels is too deep; four is not.
    assert desk.get("/v1/subscriptions", params=params)["error"]["code"] == "property_expansion_max_depth"
    shown = desk.get("/v1/subscriptions", params={"expand[]": params["expand[]"][:2]})["data"][0]
    one = desk.get(f"/v1/subscriptions/{started['id']}", params={"expand[]": "items.data.price.product"})
    customer = desk.get(f"/v1/customers/{started['customer']}", params={"expand[]": "subscriptions"})

    assert shown["customer"]["name"] == "Acme"
    assert shown["latest_invoice"]["customer"]["name"] == "Acme"
    assert one["items"]["data"][0]["price"]["product"]["name"] == "Seat"
    assert [each["id"] for each in customer["subscriptions"]["data"]] == [started["id"]]
    assert desk.get(f"/v1/subscriptions/{started['id']}")["customer"] == started["customer"]
    bad = desk.get(f"/v1/subscriptions/{started['id']}", params={"expand[]": "status"})
    assert "cannot be expanded (status)" in bad["error"]["message"]
