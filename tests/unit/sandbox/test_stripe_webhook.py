"""Webhooks are signed, and delivered when told, as often as told."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

import msgspec
import requests
from requests.adapters import BaseAdapter
from stripe_desk import Desk, open_desk

from sync_pipelines.sandbox.faults import FaultPlan, Rule
from sync_pipelines.sandbox.stripe.webhook import Deliveries, sign


class Inbox(BaseAdapter):
    """A receiver of webhooks as a transport: it keeps what comes and answers with a status."""

    def __init__(self) -> None:
        super().__init__()
        self.status = 200
        self.received: list[tuple[Mapping[str, str], bytes]] = []

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:
        body = request.body
        assert isinstance(body, bytes)
        self.received.append((request.headers, body))
        response = requests.Response()
        response.status_code = self.status
        response.request = request
        return response

    def close(self) -> None:
        """Nothing is open."""

    def types(self) -> list[str]:
        return [msgspec.json.decode(body)["type"] for _, body in self.received]


def listening(*types: str) -> tuple[Desk, Inbox, Deliveries, str]:
    desk, inbox, session = open_desk(), Inbox(), requests.Session()
    session.mount("https://sync.test", inbox)
    form = {"url": "https://sync.test/stripe", **{f"enabled_events[{n}]": each for n, each in enumerate(types)}}
    endpoint = desk.post("/v1/webhook_endpoints", form=form)
    deliveries = Deliveries(desk.sandbox.vendor.account, faults=desk.sandbox.faults, session=session)
    return desk, inbox, deliveries, endpoint["secret"]


def test_the_signature_equals_the_published_vector() -> None:
    body = b'{"id":"evt_1demo","object":"event","type":"invoice.finalized"}'

    header = sign("whsec_sandbox_demo_secret", 1790000000, body)

    signature = "e0f92c4ec1f2568acbbdfe63447b3901389c918689b6ba7822140a1f1428bc09"
    assert header == f"t=1790000000,v1={signature}"


def test_a_delivery_carries_the_event_and_its_signature() -> None:
    desk, inbox, deliveries, secret = listening("customer.created")
    customer = desk.post("/v1/customers", name="Acme")
    desk.post("/v1/products", name="Seat")

    deliveries.deliver()

    headers, body = inbox.received[0]
    stamp, signature = (part.split("=", 1)[1] for part in headers["Stripe-Signature"].split(","))
    expected = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    assert signature == expected
    assert msgspec.json.decode(body)["data"]["object"] == customer
    assert inbox.types() == ["customer.created"]
    assert desk.get("/v1/events", type="customer.created")["data"][0]["pending_webhooks"] == 0


def test_what_is_not_answered_with_success_is_delivered_again() -> None:
    desk, inbox, deliveries, _ = listening("*")
    desk.post("/v1/customers")
    inbox.status = 500
    deliveries.deliver()
    inbox.status = 200
    deliveries.deliver()
    deliveries.deliver()

    assert inbox.types() == ["customer.created", "customer.created"]


def test_an_event_is_given_up_after_three_days() -> None:
    desk, inbox, deliveries, _ = listening("*")
    desk.post("/v1/customers")
    desk.sandbox.clock.advance(3 * 86_400 + 1)

    deliveries.deliver()

    assert inbox.received == []


def test_deliveries_are_dropped_doubled_and_reordered_by_the_plan() -> None:
    desk, inbox, deliveries, _ = listening("*")
    plan: FaultPlan = desk.sandbox.faults
    plan.add(Rule(route="reorder customer.created", kind="row"))
    plan.add(Rule(route="drop customer.updated", kind="row"))
    plan.add(Rule(route="duplicate product.created", kind="row"))
    customer = desk.post("/v1/customers", name="Acme")["id"]
    desk.post(f"/v1/customers/{customer}", name="Other")
    desk.post("/v1/products", name="Seat")

    deliveries.deliver()

    assert inbox.types() == ["product.created", "product.created", "customer.created"]


def test_a_disabled_endpoint_hears_nothing() -> None:
    desk, inbox, deliveries, _ = listening("*")
    endpoint = desk.get("/v1/webhook_endpoints")["data"][0]
    desk.post(f"/v1/webhook_endpoints/{endpoint['id']}", disabled="true")
    desk.post("/v1/customers")

    deliveries.deliver()

    assert inbox.received == []
    assert "secret" not in endpoint
