"""What the site tells of itself: its events, and which site it is."""

from __future__ import annotations

from typing import Any

from sync_pipelines.sandbox.chargebee.filter import ENUM, STRING, TIMESTAMP, Accept
from sync_pipelines.sandbox.chargebee.listing import Listing
from sync_pipelines.sandbox.chargebee.route import BASE, Call, Route
from sync_pipelines.sandbox.chargebee.site import Site


def _kept(site: Site) -> Accept:
    since = site.now() - site.settings.event_days * 86_400
    return lambda event: bool(event["occurred_at"] > since)


def _configurations(call: Call) -> dict[str, Any]:
    domain = call.site.settings.domain
    return {"configurations": [{"domain": domain, "product_catalog_version": "v2", "object": "configuration"}]}


ROUTES = (
    Listing(
        "event",
        "events",
        {"id": STRING, "event_type": ENUM, "source": ENUM, "webhook_status": ENUM, "occurred_at": TIMESTAMP},
        sorts=("occurred_at",),
        default_sort="occurred_at",
        table="_event",
        implied=_kept,
    ).route(),
    Route("GET", f"{BASE}/events/<id>", lambda call: {"event": call.site.fetch("_event", call.ids["id"])}),
    Route("GET", f"{BASE}/configurations", _configurations),
)
