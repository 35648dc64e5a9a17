"""Endpoints about the account itself: whose it is, how much it has called, and what its properties are."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sync_pipelines.sandbox.hubspot.schema import Property
from sync_pipelines.sandbox.hubspot.value import stamp
from sync_pipelines.sandbox.hubspot.wire import Answer, Api, Call


def details(api: Api, call: Call) -> Answer:
    portal = api.crm.schema.portal
    offset = api.crm.clock.now().astimezone(ZoneInfo(portal.time_zone)).utcoffset() or timedelta()
    minutes = int(offset.total_seconds()) // 60
    return Answer(
        {
            "portalId": portal.id,
            "accountType": "STANDARD",
            "timeZone": portal.time_zone,
            "companyCurrency": portal.currencies[0],
            "additionalCurrencies": portal.currencies[1:],
            "utcOffset": f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}",
            "utcOffsetMilliseconds": minutes * 60_000,
            "uiDomain": "app.hubspot.com",
            "dataHostingLocation": "na1",
        }
    )


def usage(api: Api, call: Call) -> Answer:
    limits, now = api.limits, api.crm.clock.now()
    told = {"name": "private-apps-api-calls-daily", "usageLimit": limits.daily, "currentUsage": limits.used_today}
    tomorrow = now.astimezone(ZoneInfo(api.crm.schema.portal.time_zone)) + timedelta(days=1)
    midnight = tomorrow.replace(hour=0, minute=0, second=0, microsecond=0)
    when = {"collectedAt": stamp(now), "resetsAt": stamp(midnight)}
    return Answer({"results": [{**told, **when, "fetchStatus": "SUCCESS"}]})


def properties(api: Api, call: Call) -> Answer:
    thing = api.object(call)
    return Answer({"results": [_definition(each) for each in thing.properties.values()]})


def _definition(property: Property) -> dict[str, Any]:
    options = [
        {"label": value, "value": value, "displayOrder": place, "hidden": False}
        for place, value in enumerate(property.options)
    ]
    return {
        "name": property.name,
        "label": property.name,
        "type": property.type,
        "fieldType": {"enumeration": "select", "bool": "booleancheckbox", "number": "number"}.get(
            property.type, "text"
        ),
        "groupName": "information",
        "options": options,
        "hasUniqueValue": property.unique,
        "calculated": False,
        "hidden": False,
        "formField": False,
        "archived": False,
        "modificationMetadata": {
            "archivable": not property.readonly,
            "readOnlyDefinition": property.readonly,
            "readOnlyValue": property.readonly,
        },
    }
