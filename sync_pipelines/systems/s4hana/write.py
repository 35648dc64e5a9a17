"""Writes to S/4HANA: each record is a change set of its own, and a batch carries many."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from sync_pipelines.engine.port import Operation, Outcome, Request, State
from sync_pipelines.errors import FixConfiguration
from sync_pipelines.systems.s4hana.answer import outcome
from sync_pipelines.systems.s4hana.batch import CONTENT_TYPE, Answer, Change, composed, taken_apart
from sync_pipelines.systems.s4hana.gateway import Gateway
from sync_pipelines.systems.s4hana.source import Source, source_of, text

BATCH_MAX = 50
METHOD = "method"
"""In the body of an update: what is to happen to an entity inside of the record (POST, PATCH or DELETE)."""
_PARTS = {
    "to_BusinessPartnerAddress": ("A_BusinessPartnerAddress", ("BusinessPartner", "AddressID")),
    "to_BusinessPartnerTax": ("A_BusinessPartnerTaxNumber", ("BusinessPartner", "BPTaxType")),
    "to_EmailAddress": ("A_AddressEmailAddress", ("AddressID", "Person", "OrdinalNumber")),
    "to_PhoneNumber": ("A_AddressPhoneNumber", ("AddressID", "Person", "OrdinalNumber")),
}
"""Where an update may go on inside of a record: the set that a way leads to, and its key."""


def write(gateway: Gateway, requests: Sequence[Request]) -> list[Outcome]:
    """One batch; its answer tells of each change set whether it was stored whole, or not at all."""
    if not requests:
        return []
    source = source_of(requests[0].object)
    _check(source, requests)
    sets = [list(_changes(source, request)) for request in requests]
    response = gateway.batch(source.service, composed(sets), CONTENT_TYPE)
    answers = taken_apart(response.headers.get("Content-Type", ""), response.content)
    missing: list[list[Answer]] = [[]] * (len(requests) - len(answers))
    return [_outcome(source, *each) for each in zip(requests, sets, answers + missing, strict=False)]


def _check(source: Source, requests: Sequence[Request]) -> None:
    mend = f"mend the mapping that writes {source.name}"
    if not source.carries:
        raise FixConfiguration(f"S/4HANA's {source.name} can only be read: {mend}")
    if any(each.then or each.operation not in (Operation.CREATE, Operation.UPDATE) for each in requests):
        raise FixConfiguration(f"S/4HANA's {source.name} is only created and updated, without a 'then': {mend}")


def _changes(source: Source, request: Request) -> Iterator[Change]:
    if request.operation is Operation.CREATE:
        yield Change("POST", source.name, {**request.body, source.carries: request.external_id})
        return
    own, parts = _parted(request.body)
    path = f"{source.name}({text(str(request.record_id))})"
    if own:
        yield Change("PATCH", path, own, {"If-Match": request.expected_version or "*"})
    yield from _inner(parts, path, {source.key: str(request.record_id)})


def _inner(parts: Mapping[str, Any], above: str, keys: Mapping[str, str]) -> Iterator[Change]:
    """Changes to the entities inside of one: no update goes deeper than the entity that it names."""
    for way, entities in parts.items():
        name, key = _PARTS[way]
        for each in entities:
            method = each[METHOD]
            own, further = _parted({field: value for field, value in each.items() if field != METHOD})
            if method == "POST":
                yield Change("POST", f"{above}/{way}", {**own, **further})
                continue
            known = {**keys, **own}
            path = f"{name}({','.join(f'{field}={text(str(known[field]))}' for field in key)})"
            said = {field: value for field, value in own.items() if field not in key}
            if method == "DELETE":
                yield Change("DELETE", path)
            elif said:
                yield Change("PATCH", path, said)
            yield from _inner(further, path, {field: known[field] for field in key})


def _parted(body: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """An entity's own fields, and the entities inside of it."""
    own = {name: value for name, value in body.items() if name not in _PARTS}
    return own, {name: value for name, value in body.items() if name in _PARTS}


def _outcome(source: Source, request: Request, changes: Sequence[Change], answers: Sequence[Answer]) -> Outcome:
    if not changes:
        return Outcome(request.write_id, State.CONFIRMED, request.record_id)
    refused = next((each for each in answers if each.status >= 400), None)
    if refused:
        return outcome(request, refused.status, refused.body)
    record_id = request.record_id or (_key(source, answers[0].body) if answers else None)
    if record_id is None or len(answers) < len(changes) or any(not 200 <= each.status < 300 for each in answers):
        reason = "S/4HANA's answer does not say what became of it: read it back before sending it again"
        return Outcome(request.write_id, State.IN_DOUBT, request.record_id, message=reason)
    return Outcome(request.write_id, State.CONFIRMED, record_id)


def _key(source: Source, body: bytes) -> str | None:
    try:
        told = msgspec.json.decode(body, type=dict[str, dict[str, Any]])
    except msgspec.MsgspecError:
        return None
    key = told.get("d", {}).get(source.key)
    return key if isinstance(key, str) else None
