"""Endpoints of the Webhooks Journal, which answer to an app itself: entries, their files, and subscriptions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sync_pipelines.sandbox.hubspot.journal import Journal
from sync_pipelines.sandbox.hubspot.refusal import Refusal, invalid
from sync_pipelines.sandbox.hubspot.value import stamp
from sync_pipelines.sandbox.hubspot.wire import Answer, Api, Call, batch
from sync_pipelines.sandbox.store import Document

READ = "developer.webhooks_journal.read"
LIST = "developer.webhooks_journal.subscriptions.read"
MANAGE = "developer.webhooks_journal.subscriptions.write"
FILE_LIFE = timedelta(hours=1)
BATCH_MAX = 100


def latest(api: Api, call: Call) -> Answer:
    entries = _scoped(api, call).entries()
    return _entry(api, call, entries[-1:])


def earliest(api: Api, call: Call) -> Answer:
    entries = _scoped(api, call).entries()
    return _entry(api, call, entries[:1])


def following(api: Api, call: Call) -> Answer:
    return _entry(api, call, _scoped(api, call).after(call.arguments["offset"])[:1])


def batch_following(api: Api, call: Call) -> Answer:
    return _batch(api, call, _scoped(api, call).after(call.arguments["offset"]))


def batch_earliest(api: Api, call: Call) -> Answer:
    return _batch(api, call, _scoped(api, call).entries())


def _batch(api: Api, call: Call, entries: Sequence[Document]) -> Answer:
    count = call.arguments["count"]
    if not count.isdecimal() or not 1 <= int(count) <= BATCH_MAX:
        raise invalid(f"count has to be a number from 1 to {BATCH_MAX}: {count}")
    return batch(api, call, [_told(api, call, row) for row in entries[: int(count)]], [])


def subscriptions(api: Api, call: Call) -> Answer:
    return Answer({"results": api.crm.journal.subscriptions()})


def subscribe(api: Api, call: Call) -> Answer:
    return Answer(api.crm.journal.subscribe(call.json()))


def unsubscribe(api: Api, call: Call) -> Answer:
    api.crm.journal.unsubscribe(int(call.arguments["id"]))
    return Answer(status=204)


def file(api: Api, parameters: Mapping[str, str], *, offset: str, authorization: str) -> Answer:
    """The events of an entry, at an address that is good for an hour; a second proof of who asks is refused."""
    journal = api.crm.journal
    row = next((each for each in journal.entries() if each["offset"] == offset), None)
    if authorization:
        return Answer({"Code": "InvalidArgument", "Message": "Only one auth mechanism allowed"}, 400)
    if row is None or parameters.get("expires", "") < stamp(journal.clock.now()):
        return Answer({"Code": "AccessDenied", "Message": "Request has expired"}, 403)
    return Answer({"offset": offset, "journalEvents": row["events"], "publishedAt": row["at"]})


def _scoped(api: Api, call: Call) -> Journal:
    """The journal, of this portal where the call names one."""
    portal = call.parameters.get("installPortalId", str(api.crm.schema.portal.id))
    if portal != str(api.crm.schema.portal.id):
        raise Refusal("OBJECT_NOT_FOUND", f"The app is not installed in {portal}", status=404)
    return api.crm.journal


def _entry(api: Api, call: Call, rows: Sequence[Document]) -> Answer:
    return Answer(_told(api, call, rows[0])) if rows else Answer(status=204)


def _told(api: Api, call: Call, row: Document) -> dict[str, Any]:
    until = stamp(api.crm.clock.now() + FILE_LIFE)
    url = f"{call.host}/journal-files/{row['offset']}?expires={until}"
    return {"url": url, "expiresAt": until, "currentOffset": row["offset"]}
