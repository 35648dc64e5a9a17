"""Jobs: batches that are only queued by their call, and worked row by row a little later.

The fault plan is asked of each row, with kind "row", for "create organization NAME", "update organization ID" and
"destroy organization ID".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from sync_pipelines.sandbox.store import Document
from sync_pipelines.sandbox.zendesk import organization
from sync_pipelines.sandbox.zendesk.account import ORGANIZATION, Account, shown
from sync_pipelines.sandbox.zendesk.refusal import Refusal, listed, not_found

_TABLE = "_job"
_OPEN = ("queued", "working")
_STATUS = {"create": "Created", "update": "Updated", "destroy": "Deleted"}


def queue(account: Account, action: str, rows: Sequence[Any]) -> dict[str, Any]:
    """A new job over organizations, as the call that asked for it is answered."""
    if sum(each["status"] in _OPEN for each in account.store.all(_TABLE)) >= account.settings.jobs_max:
        words = f"You can only have {account.settings.jobs_max} jobs queued or running"
        raise listed(429, "TooManyJobs", words, headers={"Retry-After": "60"})
    name = sha256(f"job {account.new_id()}".encode()).hexdigest()[:32]
    due = account.clock.now() + timedelta(seconds=account.settings.job_seconds)
    job = {
        "id": name,
        "url": account.url(f"job_statuses/{name}"),
        "total": len(rows),
        "progress": None,
        "status": "queued",
        "message": None,
        "results": None,
        "_action": action,
        "_rows": list(rows),
        "_due": due.isoformat(),
    }
    account.store.put(_TABLE, name, job)
    return {"job_status": shown(job)}


def settle(account: Account) -> None:
    """Work the jobs whose time has come, and forget those that are a day old."""
    now = account.clock.now()
    for job in account.store.all(_TABLE):
        due = datetime.fromisoformat(job["_due"])
        if job["status"] in _OPEN and due <= now:
            account.store.put(_TABLE, job["id"], _worked(account, job, now))
        elif (now - due).total_seconds() > account.settings.job_kept_seconds:
            account.store.delete(_TABLE, job["id"])


def statuses(account: Account, names: Sequence[str]) -> list[dict[str, Any]]:
    """The named jobs, or `not_found` where one is not known any more."""
    found = [account.store.get(_TABLE, name) for name in names]
    known = [shown(job) for job in found if job is not None]
    if len(known) < len(names):
        raise not_found()
    return known


def every(account: Account) -> list[dict[str, Any]]:
    """The newest first."""
    return [shown(job) for job in reversed(account.store.all(_TABLE))]


def kill(account: Account, name: str) -> None:
    """What an operator at the vendor does to a job that hangs: what it has not done yet, it never does."""
    job = account.store.get(_TABLE, name)
    if job is None:
        raise not_found()
    account.store.put(_TABLE, name, {**job, "status": "killed", "message": "Killed", "results": []})


def _worked(account: Account, job: Document, now: datetime) -> dict[str, Any]:
    rows = [_row(account, job["_action"], index, row) for index, row in enumerate(job["_rows"])]
    told = f"Completed at {now.astimezone(UTC):%Y-%m-%d %H:%M:%S} +0000"
    ended = {"status": "completed", "progress": job["total"], "message": told, "results": rows}
    return {**job, **ended, "_rows": []}


def _row(account: Account, action: str, index: int, row: Any) -> dict[str, Any]:
    """Each row stands for itself: one that is refused leaves the others alone."""
    error = f"Organization{action.capitalize()}Error"
    subject = row.get("name") if action == "create" else row.get("id", row.get("external_id"))
    fault = account.faults.row(f"{action} organization {subject}")
    if fault is not None:
        return _failed(index, fault.code or error, fault.message or "Could not be saved")
    try:
        number = _done(account, action, row)
    except Refusal as refusal:
        return _failed(index, error, refusal.words)
    return {"id": number, "index": index, "action": action, "status": _STATUS[action], "success": True}


def _failed(index: int, error: str, details: str) -> dict[str, Any]:
    return {"index": index, "error": error, "details": details, "status": "Failed", "success": False}


def _done(account: Account, action: str, row: Any) -> int:
    """The id of the organization that the row is about."""
    if action == "create":
        return int(organization.create(account, row)["id"])
    number = _number(account, row)
    if action == "destroy":
        organization.remove(account, number)
        return number
    named_by = "id" if "id" in row else "external_id"
    given = {name: value for name, value in row.items() if name != named_by}
    return int(organization.update(account, number, given)["id"])


def _number(account: Account, row: Mapping[str, Any]) -> int:
    """The organization that a row names by id, or by external id."""
    if "id" in row:
        return int(account.fetch(ORGANIZATION, row["id"])["id"])
    found = organization.by_external_id(account, row.get("external_id"))
    if found is None:
        raise not_found()
    return int(found["id"])
