"""Webhooks: endpoints, signed deliveries, and the faults of delivery.

Source: docs.stripe.com/webhooks. Nothing is delivered by itself: `deliver` posts what is pending.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import msgspec
import requests

from sync_pipelines.sandbox.faults import FaultPlan
from sync_pipelines.sandbox.store import Document
from sync_pipelines.sandbox.stripe.account import API_VERSION, Account
from sync_pipelines.sandbox.stripe.catalog import retrieving
from sync_pipelines.sandbox.stripe.listing import Listing
from sync_pipelines.sandbox.stripe.parameter import Clearable, Flag, Items, Kind, Metadata, Text, merged
from sync_pipelines.sandbox.stripe.refusal import Refusal
from sync_pipelines.sandbox.stripe.route import Call, Route, kept
from sync_pipelines.sandbox.stripe.view import shown

_SECRETS = "_webhook_secret"
_PENDING = "_delivery"
_KEPT_SECONDS = 3 * 86_400
_UPDATE: dict[str, Kind] = {
    "description": Clearable(Text()),
    "disabled": Flag(),
    "enabled_events": Items(Text()),
    "metadata": Metadata(),
    "url": Text(),
}


def sign(secret: str, t: int, body: bytes) -> str:
    """The `Stripe-Signature` header of a delivery.

    >>> body = b'{"id":"evt_1demo","object":"event","type":"invoice.finalized"}'
    >>> sign("whsec_sandbox_demo_secret", 1790000000, body)
    't=1790000000,v1=e0f92c4ec1f2568acbbdfe63447b3901389c918689b6ba7822140a1f1428bc09'
    """
    text = f"{t}.".encode() + body
    return f"t={t},v1={hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()}"


class Deliveries:
    """What endpoints still have to hear.

    The fault plan is asked, with kind "row", for "drop <type> to <url>", "duplicate …" and "reorder …"
    (the delivery goes to the end of the queue).
    """

    def __init__(self, account: Account, *, faults: FaultPlan, session: requests.Session) -> None:
        self._account = account
        self._faults = faults
        self._session = session

    def deliver(self, limit: int = 1000) -> list[dict[str, Any]]:
        """Post what is pending, oldest first; what isn't answered with 2xx stays pending for three days."""
        queue: list[tuple[Document, Document]] = []
        late: list[tuple[Document, Document]] = []
        for event, endpoint in self._pending():
            words = f"{event['type']} to {endpoint['url']}"
            if self._faults.row(f"drop {words}"):
                self._done(event, endpoint)
                continue
            copies = 2 if self._faults.row(f"duplicate {words}") else 1
            (late if self._faults.row(f"reorder {words}") else queue).extend([(event, endpoint)] * copies)
        return [self._post(event, endpoint) for event, endpoint in (queue + late)[:limit]]

    def _pending(self) -> list[tuple[Document, Document]]:
        account, since = self._account, self._account.now() - _KEPT_SECONDS
        pending = []
        for waiting in account.store.all(_PENDING):
            event = account.store.get("_event", waiting["event"])
            if event is None or event["created"] < since:
                account.store.delete(_PENDING, waiting["event"])
                continue
            found = (account.find("webhook_endpoint", each) for each in waiting["endpoints"])
            pending += [(event, each) for each in found if each and each["status"] == "enabled"]
        return pending

    def _post(self, event: Document, endpoint: Document) -> dict[str, Any]:
        body = msgspec.json.encode(event)
        secret = self._account.store.get(_SECRETS, endpoint["id"])
        header = sign(secret["secret"] if secret else "", self._account.now(), body)
        headers = {"Content-Type": "application/json; charset=utf-8", "Stripe-Signature": header}
        try:
            status = self._session.post(endpoint["url"], data=body, headers=headers, timeout=10).status_code
        except requests.RequestException:
            status = 0
        if 200 <= status < 300:
            self._done(event, endpoint)
        return {"event": event["id"], "endpoint": endpoint["id"], "status": status}

    def _done(self, event: Document, endpoint: Document) -> None:
        store = self._account.store
        waiting = store.get(_PENDING, event["id"])
        if waiting is None or endpoint["id"] not in waiting["endpoints"]:
            return
        left = [each for each in waiting["endpoints"] if each != endpoint["id"]]
        with store.transaction():
            if left:
                store.put(_PENDING, event["id"], {**waiting, "endpoints": left})
            else:
                store.delete(_PENDING, event["id"])
            self._account.shelves.put("_event", event["id"], {**event, "pending_webhooks": len(left)})


def _create(call: Call) -> dict[str, Any]:
    """Only the answer to the creation carries the secret."""
    account, given = call.account, call.given
    _check_url(given["url"])
    fields = {
        **kept(given, "api_version", "description", "enabled_events", "url"),
        "metadata": merged({}, given.get("metadata", {})),
    }
    endpoint = account.add("webhook_endpoint", fields)
    secret = account.new_id("webhook_secret")
    account.store.put(_SECRETS, endpoint["id"], {"secret": secret})
    return {**shown(account, endpoint), "secret": secret}


def _check_url(url: str) -> None:
    if not url.startswith(("https://", "http://")):
        raise Refusal(
            "Invalid URL: An explicit scheme (such as https) must be provided.", code="url_invalid", param="url"
        )


def _update(call: Call) -> dict[str, Any]:
    account, endpoint = call.account, call.account.fetch("webhook_endpoint", call.ids["id"])
    fields = kept(call.given, "description", "enabled_events", "url")
    if "url" in fields:
        _check_url(fields["url"])
    if "disabled" in call.given:
        fields["status"] = "disabled" if call.given["disabled"] else "enabled"
    if "metadata" in call.given:
        fields["metadata"] = merged(endpoint["metadata"], call.given["metadata"])
    return shown(account, account.change(endpoint, fields))


def _delete(call: Call) -> dict[str, Any]:
    return call.account.remove(call.account.fetch("webhook_endpoint", call.ids["id"]))


class _Version:
    """The API version that an endpoint's events are rendered in; the stand-in has one."""

    def read(self, value: Any, path: str) -> str:
        if value != API_VERSION:
            raise Refusal(f"Invalid Stripe API version: {value}", param=path)
        return API_VERSION


_RULE = "/v1/webhook_endpoints/<id>"

ROUTES = (
    Route(
        "POST",
        "/v1/webhook_endpoints",
        _create,
        {**_UPDATE, "api_version": _Version()},
        ("enabled_events", "url"),
    ),
    retrieving("webhook_endpoint", _RULE),
    Route("POST", _RULE, _update, _UPDATE),
    Route("DELETE", _RULE, _delete),
    Listing("webhook_endpoint", "/v1/webhook_endpoints").route(),
)
