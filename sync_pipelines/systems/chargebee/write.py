"""Writing to Chargebee: a form post a request under its idempotency key; some records take several to change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import msgspec

from sync_pipelines.engine.port import Operation, Outcome, Request, State
from sync_pipelines.errors import FixConfiguration, InDoubt, RetryLater, SetAside, Stop, SyncError
from sync_pipelines.systems.chargebee.answer import DECLARED_IN, KEY_HEADER
from sync_pipelines.systems.chargebee.record import BASE
from sync_pipelines.systems.form import form
from sync_pipelines.systems.http import Wire

CREATED = ("customers", "items", "item_prices")
"""What is created, under its external id as id."""
OWN: Mapping[str, str] = {
    "customers": "meta_data",
    "items": "metadata",
    "item_prices": "metadata",
    "subscriptions": "meta_data",
}
"""The attribute of an object that holds keys of one's own, as JSON; it is replaced as a whole."""
_BILLING = ("billing_address", "vat_number", "vat_number_prefix")
_CANCELLED_AT = "cancelled_at"


@dataclass(frozen=True, slots=True)
class Post:
    """One call of a write: the operation on the record ("" is the plain update), and what it says."""

    operation: str
    body: Mapping[str, Any]


class Writer:
    """Sends requests; each call has a key, so that a repeat within the key's time changes nothing."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def send(self, request: Request) -> Outcome | SyncError:
        """What became of a request, or the error because of which nothing was done."""
        record_id, done = request.record_id or request.external_id, 0
        try:
            for post in posts(request):
                self._post(request, post)
                done += 1
        except SetAside as error:
            message = f"{request.object} {request.operation}: {error}"
            return Outcome(request.write_id, State.REFUSED, request.record_id, code=error.code, message=message)
        except InDoubt as error:
            return Outcome(request.write_id, State.IN_DOUBT, request.record_id, message=str(error))
        except (RetryLater, FixConfiguration, Stop) as error:
            if not done:
                return error
            message = f"{request.object} {request.operation}: a part is stored, and the rest is not: {error}"
            return Outcome(request.write_id, State.IN_DOUBT, request.record_id, message=message)
        return Outcome(request.write_id, State.CONFIRMED, record_id)

    def _post(self, request: Request, post: Post) -> None:
        """The key says which part of the write it is: each part has another body."""
        path, route = f"{BASE}/{request.object}", f"POST /{request.object}"
        if request.operation is Operation.UPDATE:
            path, route = f"{path}/{quote(str(request.record_id), safe='')}", f"{route}/{{id}}"
        step = f"/{post.operation}" if post.operation else ""
        key = f"{request.idempotency_key}{step}" if request.idempotency_key else ""
        self._wire.call(
            "POST",
            path + step,
            route=route + step,
            safe=bool(key),
            writes=True,
            form=list(form(post.body)),
            headers={KEY_HEADER: key} if key else {},
        )


def posts(request: Request) -> list[Post]:
    """The calls that a request takes, in order."""
    if request.then or request.operation not in (Operation.CREATE, Operation.UPDATE):
        raise FixConfiguration(f"Chargebee knows no 'then', no replace and no void: mend the mapping in {DECLARED_IN}")
    body = _spelled(request)
    if request.operation is Operation.UPDATE:
        return list(_updates(request.object, body))
    if request.object not in CREATED:
        raise FixConfiguration(f"{request.object} are not created in Chargebee: mend the mapping in {DECLARED_IN}")
    return [Post("", {"id": request.external_id, **body})]


def _updates(object: str, body: Mapping[str, Any]) -> Iterator[Post]:
    """Billing information and the end of a subscription have operations of their own."""
    apart = {"customers": _BILLING, "subscriptions": (_CANCELLED_AT,)}.get(object, ())
    rest = {name: value for name, value in body.items() if name not in apart}
    if rest:
        yield Post("update_for_items" if object == "subscriptions" else "", rest)
    parts = {name: body[name] for name in apart if name in body}
    if object == "customers" and parts:
        yield Post("update_billing_info", parts)
    elif parts and parts[_CANCELLED_AT] in (None, ""):
        yield Post("remove_scheduled_cancellation", {})
    elif parts:
        yield Post("cancel_for_items", {"cancel_option": "specific_date", "cancel_at": parts[_CANCELLED_AT]})


def _spelled(request: Request) -> dict[str, Any]:
    """The body with its own keys as JSON, the correlation id of a create among them; empty ones are left out."""
    body, name = dict(request.body), OWN.get(request.object, "")
    own = dict(body.pop(name, None) or {})
    if request.operation is Operation.CREATE and name:
        own["correlation_id"] = request.correlation_id
    kept = {key: value for key, value in own.items() if value not in (None, "")}
    if kept or name in request.body:
        body[name] = msgspec.json.encode(kept).decode()
    return body
