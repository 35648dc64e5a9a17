"""The endpoints, one function each: what a call asks for, done with the records of the account."""

from __future__ import annotations

from typing import Any

from sync_pipelines.sandbox.store import Document
from sync_pipelines.sandbox.zendesk import export, job, organization, ticket
from sync_pipelines.sandbox.zendesk.account import (
    AGENT_ID,
    ORGANIZATION,
    ORGANIZATION_FIELD,
    TICKET,
    TICKET_FIELD,
    shown,
    stamp,
)
from sync_pipelines.sandbox.zendesk.listing import check_batch, listing, many
from sync_pipelines.sandbox.zendesk.refusal import check_known, listed
from sync_pipelines.sandbox.zendesk.wire import Answer, Call, Endpoint


def me(call: Call) -> Answer:
    """The integration's own user; its address names the account."""
    settings = call.account.settings
    who = {"id": AGENT_ID, "url": call.account.url(f"users/{AGENT_ID}"), "name": "Integration"}
    return Answer({"user": {**who, "email": settings.agent, "role": "admin", "active": True, "verified": True}})


def organizations(call: Call) -> Answer:
    return Answer(listing(call, "organizations", call.account.live(ORGANIZATION), view=_view(call)))


def show_organization(call: Call) -> Answer:
    return _one(call, call.account.fetch(ORGANIZATION, call.arguments["id"]))


def show_organizations(call: Call) -> Answer:
    key, values = many(call, "ids", "external_ids")
    account = call.account
    if key == "ids":
        found = [account.find(ORGANIZATION, value) for value in values]
    else:
        found = [organization.by_external_id(account, value) for value in values]
    rows = [_view(call)(each) for each in found if each is not None]
    return Answer({"organizations": rows, "count": len(rows), "next_page": None, "previous_page": None})


def search_organizations(call: Call) -> Answer:
    """By external id or by name, both exact but for case."""
    call.allow("external_id", "name", "page", "per_page", "page[size]")
    named = [name for name in ("external_id", "name") if name in call.parameters]
    if len(named) != 1:
        raise listed(400, "InvalidParameter", "Search by external_id or by name, but not both")
    found = call.account.store.find(ORGANIZATION, named[0], call.parameters[named[0]], fold=True)
    rows = [_view(call)(each) for each in found if not each.get("_deleted")]
    return Answer({"organizations": rows, "count": len(rows), "next_page": None, "previous_page": None})


def create_organization(call: Call) -> Answer:
    made = organization.create(call.account, call.wrapped("organization"))
    answer = _one(call, made)
    return Answer(answer.body, 201, {"Location": made["url"]})


def update_organization(call: Call) -> Answer:
    return _one(call, organization.update(call.account, call.arguments["id"], call.wrapped("organization")))


def create_or_update_organization(call: Call) -> Answer:
    document, created = organization.create_or_update(call.account, call.wrapped("organization"))
    return Answer(_one(call, document).body, 201 if created else 200)


def delete_organization(call: Call) -> Answer:
    organization.remove(call.account, call.arguments["id"])
    return Answer(None, 204)


def create_organizations(call: Call) -> Answer:
    return Answer(job.queue(call.account, "create", _rows(call)))


def update_organizations(call: Call) -> Answer:
    """Different changes in a list, or one change for all that the address names."""
    if not call.parameters:
        return Answer(job.queue(call.account, "update", _rows(call)))
    key, values = many(call, "ids", "external_ids")
    given = call.wrapped("organization")
    return Answer(job.queue(call.account, "update", [{**given, key[:-1]: value} for value in values]))


def delete_organizations(call: Call) -> Answer:
    key, values = many(call, "ids", "external_ids")
    return Answer(job.queue(call.account, "destroy", [{key[:-1]: value} for value in values]))


def merge_organization(call: Call) -> Answer:
    given = call.wrapped("organization_merge")
    made = organization.merge(call.account, call.arguments["id"], given.get("winner_id"))
    return Answer({"organization_merge": dict(made)})


def show_merge(call: Call) -> Answer:
    return Answer({"organization_merge": dict(call.account.fetch(organization.MERGE, call.arguments["id"]))})


def merges(call: Call) -> Answer:
    """Those in which the organization took part; it may be gone itself."""
    number = int(call.arguments["id"])
    made = call.account.store.all(organization.MERGE)
    rows = [dict(each) for each in made if number in (each["loser_id"], each["winner_id"])]
    links = {"meta": {"has_more": False, "after_cursor": None, "before_cursor": None}}
    return Answer({"organization_merges": rows, **links, "links": {"prev": None, "next": None}})


def organization_fields(call: Call) -> Answer:
    rows = call.account.store.all(ORGANIZATION_FIELD)
    return Answer(listing(call, "organization_fields", rows, view=shown))


def ticket_fields(call: Call) -> Answer:
    return Answer(listing(call, "ticket_fields", call.account.store.all(TICKET_FIELD), view=shown))


def tickets(call: Call) -> Answer:
    rows = list(call.account.live(TICKET))
    if "external_id" in call.parameters:
        rows = [each for each in rows if each["external_id"] == call.parameters["external_id"]]
    return Answer(listing(call, "tickets", rows, view=shown))


def show_ticket(call: Call) -> Answer:
    return Answer({"ticket": shown(call.account.fetch(TICKET, call.arguments["id"]))})


def show_tickets(call: Call) -> Answer:
    _, values = many(call, "ids")
    found = [call.account.find(TICKET, value) for value in values]
    rows = [shown(each) for each in found if each is not None]
    return Answer({"tickets": rows, "count": len(rows), "next_page": None, "previous_page": None})


def create_ticket(call: Call) -> Answer:
    body, lookup = ticket.create(call.account, call.wrapped("ticket"), key=call.headers.get("idempotency-key", ""))
    told = {"x-idempotency-lookup": lookup} if lookup else {}
    return Answer(body, 201, {"Location": body["ticket"]["url"], **told})


def update_ticket(call: Call) -> Answer:
    return Answer(ticket.update(call.account, call.arguments["id"], call.wrapped("ticket")))


def delete_ticket(call: Call) -> Answer:
    ticket.remove(call.account, call.arguments["id"])
    return Answer(None, 204)


def deleted_tickets(call: Call) -> Answer:
    gone = [each for each in call.account.store.all(TICKET) if each.get("_deleted")]

    def view(document: Document) -> dict[str, Any]:
        told = {"id": document["id"], "subject": document["subject"], "deleted_at": document["updated_at"]}
        return {**told, "previous_state": document["status"], "actor": {"id": AGENT_ID, "name": "Integration"}}

    return Answer(listing(call, "deleted_tickets", gone, view=view))


def job_status(call: Call) -> Answer:
    return Answer({"job_status": job.statuses(call.account, [call.arguments["name"]])[0]})


def job_statuses(call: Call) -> Answer:
    if call.parameters:
        _, names = many(call, "ids")
        return Answer({"job_statuses": job.statuses(call.account, names)})
    return Answer({"job_statuses": job.every(call.account)})


def _count(kind: str) -> Endpoint:
    def count(call: Call) -> Answer:
        value = sum(1 for _ in call.account.live(kind))
        return Answer({"count": {"value": value, "refreshed_at": stamp(call.account.seconds())}})

    return count


def _one(call: Call, document: Document) -> Answer:
    return Answer({"organization": _view(call)(document)})


def _view(call: Call) -> Any:
    return lambda document: organization.view(call.account, document)


def _rows(call: Call) -> list[Any]:
    body = call.json()
    check_known(body, ["organizations"])
    rows = body.get("organizations")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise listed(400, "BadRequest", "The body has no list of organizations")
    check_batch(call, rows)
    return rows


ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    ("GET", "users/me"): me,
    ("GET", "organizations"): organizations,
    ("POST", "organizations"): create_organization,
    ("GET", "organizations/count"): _count(ORGANIZATION),
    ("GET", "organizations/show_many"): show_organizations,
    ("GET", "organizations/search"): search_organizations,
    ("POST", "organizations/create_or_update"): create_or_update_organization,
    ("POST", "organizations/create_many"): create_organizations,
    ("PUT", "organizations/update_many"): update_organizations,
    ("DELETE", "organizations/destroy_many"): delete_organizations,
    ("GET", "organizations/<int:id>"): show_organization,
    ("PUT", "organizations/<int:id>"): update_organization,
    ("DELETE", "organizations/<int:id>"): delete_organization,
    ("POST", "organizations/<int:id>/merge"): merge_organization,
    ("GET", "organizations/<int:id>/merges"): merges,
    ("GET", "organization_merges/<id>"): show_merge,
    ("GET", "organization_fields"): organization_fields,
    ("GET", "ticket_fields"): ticket_fields,
    ("GET", "tickets"): tickets,
    ("POST", "tickets"): create_ticket,
    ("GET", "tickets/count"): _count(TICKET),
    ("GET", "tickets/show_many"): show_tickets,
    ("GET", "tickets/<int:id>"): show_ticket,
    ("PUT", "tickets/<int:id>"): update_ticket,
    ("DELETE", "tickets/<int:id>"): delete_ticket,
    ("GET", "deleted_tickets"): deleted_tickets,
    ("GET", "job_statuses"): job_statuses,
    ("GET", "job_statuses/show_many"): job_statuses,
    ("GET", "job_statuses/<name>"): job_status,
    ("GET", "incremental/organizations"): export.organizations,
    ("GET", "incremental/tickets"): export.tickets,
    ("GET", "incremental/tickets/cursor"): export.tickets_by_cursor,
}
