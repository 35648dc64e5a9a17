"""Endpoints that read: queries, records, what changed, what was deleted."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from sync_pipelines.sandbox.salesforce.bin import DELETE_LOG
from sync_pipelines.sandbox.salesforce.fault import Refusal
from sync_pipelines.sandbox.salesforce.moment import instant_of, parameter, stamp
from sync_pipelines.sandbox.salesforce.query import Reader, Record
from sync_pipelines.sandbox.salesforce.schema import Object
from sync_pipelines.sandbox.salesforce.wire import Answer, Api, Call
from sync_pipelines.sandbox.store import Document

UPDATED_DAYS = 30
DELETED_DAYS = 15


def reader(api: Api, call: Call) -> Reader:
    return Reader(api.org.lookup, date.fromisoformat(api.org.today()), call.data)


def query(api: Api, call: Call) -> Answer:
    return _query(api, call, deleted_too=False)


def query_all(api: Api, call: Call) -> Answer:
    """As `query`, with deleted records and merged losers."""
    return _query(api, call, deleted_too=True)


def more(api: Api, call: Call) -> Answer:
    page = api.locators.following(call.arguments["locator"], data=call.data, headers=call.headers)
    return Answer(page)


def _query(api: Api, call: Call, *, deleted_too: bool) -> Answer:
    text = call.parameters.get("q", "")
    if not text:
        raise Refusal("MALFORMED_QUERY", "A query string has to be specified")
    rows = reader(api, call).run(text, deleted_too=deleted_too)
    return Answer(api.locators.first(rows, data=call.data, headers=call.headers))


def read(api: Api, call: Call) -> Answer:
    thing = api.object(call)
    return Answer(shown(api, call, thing, api.org.get(thing, call.arguments["id"])))


def read_external(api: Api, call: Call) -> Answer:
    """The record with an external id; 300 and their addresses when there are several."""
    thing = api.object(call)
    key = api.external_id(thing, call.arguments["field"])
    found = api.org.by_external_id(thing, key, call.arguments["value"])
    if not found:
        raise Refusal("NOT_FOUND", "The requested resource does not exist", status=404)
    if len(found) > 1:
        return several(call, thing, found)
    return Answer(shown(api, call, thing, found[0]))


def several(call: Call, thing: Object, rows: list[Document]) -> Answer:
    return Answer([f"{call.data}/sobjects/{thing.name}/{row['Id']}" for row in rows], 300)


def shown(api: Api, call: Call, thing: Object, row: Document) -> Record:
    """A record with the fields that were asked for, or all."""
    asked = call.parameters.get("fields", "")
    names = [name.strip() for name in asked.split(",")] if asked else list(thing.fields)
    return reader(api, call).show(thing, names)(row)


def retrieve(api: Api, call: Call) -> Answer:
    """Records by id, in the order asked; null where there is none."""
    thing = api.object(call)
    asked = call.json() if call.method == "POST" else None
    ids = asked["ids"] if asked else call.parameters.get("ids", "").split(",")
    names = asked["fields"] if asked else call.parameters.get("fields", "").split(",")
    render = reader(api, call).show(thing, names)
    rows = [api.org.store.get(thing.name, str(found)) for found in ids]
    return Answer([None if row is None or row["IsDeleted"] else render(row) for row in rows])


def updated(api: Api, call: Call) -> Answer:
    """Ids that changed in a window; what still open transactions may change is not covered."""
    thing = api.object(call)
    start, end = _window(api, call, UPDATED_DAYS)
    covered = _covered(api, end)
    first, last = stamp(start), stamp(end)
    keys = api.org.lookup.by_stamp(thing)
    rows = api.org.store.table(thing.name).rows
    ids = [key for at, key in keys if first <= at < last and not rows[key]["IsDeleted"]]
    return Answer({"ids": ids, "latestDateCovered": covered})


def deleted(api: Api, call: Call) -> Answer:
    thing = api.object(call)
    start, end = _window(api, call, DELETED_DAYS)
    first, last = stamp(start), stamp(end)
    logged = api.org.store.find(DELETE_LOG, "object", thing.name)
    found = [
        {"id": entry["id"], "deletedDate": entry["deletedDate"]}
        for entry in logged
        if first <= entry["deletedDate"] < last
    ]
    earliest = stamp(api.org.clock.now() - timedelta(days=DELETED_DAYS))
    return Answer(
        {
            "deletedRecords": found,
            "earliestDateAvailable": earliest,
            "latestDateCovered": _covered(api, end),
        }
    )


def _window(api: Api, call: Call, days: int) -> tuple[datetime, datetime]:
    start, end = (parameter(name, call.parameters.get(name)) for name in ("start", "end"))
    if start >= end:
        raise Refusal("INVALID_REPLICATION_DATE", "startDate must chronologically precede endDate")
    if start < api.org.clock.now() - timedelta(days=days):
        raise Refusal("INVALID_REPLICATION_DATE", f"startDate cannot be more than {days} days ago")
    return start, end


def _covered(api: Api, end: datetime) -> str:
    open_since = api.late.oldest()
    limits = [end, api.org.clock.now().replace(microsecond=0)]
    if open_since:
        limits.append(instant_of(open_since) - timedelta(seconds=1))
    return stamp(min(limits))
