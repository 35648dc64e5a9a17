"""Writes: organizations in batches of a hundred, and entitlements as changes of their organizations' slots."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sync_pipelines.engine.port import Found, Operation, Outcome, Request, State
from sync_pipelines.errors import FixConfiguration, InDoubt, RetryLater, SetAside, SyncError
from sync_pipelines.systems.zendesk import slot
from sync_pipelines.systems.zendesk.answer import DUPLICATE, Row, outcome
from sync_pipelines.systems.zendesk.job import Jobs

OBJECT = "organizations"
EXTERNAL_ID = "external_id"
DRIFTED = "drifted"
"""The code of a create whose slot somebody else has filled: it is planned anew, into another one."""

Find = Callable[[Sequence[str]], Mapping[str, Found]]
"""Organizations by their external ids."""
Show = Callable[[Sequence[str]], Mapping[str, bytes]]
"""The payloads of organizations by their ids."""


class Writer:
    """Sends requests for one account."""

    def __init__(self, name: str, jobs: Jobs, *, find: Find, show: Show, fields: Callable[[], set[str]]) -> None:
        self._name = name
        self._jobs = jobs
        self._find = find
        self._show = show
        self._fields = fields
        self._known: set[str] = set()
        self._at_slots = threading.Lock()
        """Changes of one organization may be in several batches, and go one after the other."""

    def send(self, requests: Sequence[Request]) -> list[Outcome]:
        """One outcome a request, in their order; all are of one operation, and of organizations or of slots."""
        for request in requests:
            known = request.operation in (Operation.CREATE, Operation.UPDATE)
            if request.object != OBJECT or request.then or not known:
                raise FixConfiguration(
                    f"{self._name} can only create and update organizations, without 'then': "
                    f"mend the mapping that writes {request.object}"
                )
        self._check_fields({key for request in requests for key in request.body.get("organization_fields", {})})
        places = {request.write_id: place for request in requests if (place := _place(request)) is not None}
        if not places:
            return self._whole(requests)
        if len(places) < len(requests):
            raise FixConfiguration(f"{self._name} takes organizations and their slots one after the other only")
        with self._at_slots:
            outcomes = self._slots(requests, places)
        return [outcomes[request.write_id] for request in requests]

    def _check_fields(self, named: set[str]) -> None:
        """Zendesk may pass over a custom field that it does not have, and call the row a success all the same."""
        if not named <= self._known:
            self._known = self._fields()
        if missing := sorted(named - self._known):
            raise FixConfiguration(
                f"{self._name} has no custom field {', '.join(missing)} of organizations: add it, or mend the mapping"
            )

    def _whole(self, requests: Sequence[Request]) -> list[Outcome]:
        """Organizations. A create that meets our own external id was sent before, and is confirmed."""
        creates = requests[0].operation is Operation.CREATE
        rows = self._run("create" if creates else "update", [_row(request) for request in requests])
        outcomes = [_ended(request, row) for request, row in zip(requests, rows, strict=True)]
        return self._recognised(requests, outcomes) if creates else outcomes

    def _recognised(self, creates: Sequence[Request], outcomes: Sequence[Outcome]) -> list[Outcome]:
        """The outcomes of creates, where a double that carries our own external id is no double."""
        both = list(zip(creates, outcomes, strict=True))
        doubles = [request.external_id for request, each in both if each.code == DUPLICATE]
        if not doubles:
            return list(outcomes)
        try:
            held = self._find(doubles)
        except SyncError as error:
            return [_doubtful(request, str(error)) if each.code == DUPLICATE else each for request, each in both]
        return [
            Outcome(request.write_id, State.CONFIRMED, held[request.external_id].record_id)
            if each.code == DUPLICATE and request.external_id in held
            else each
            for request, each in both
        ]

    def _slots(self, requests: Sequence[Request], places: Mapping[str, slot.Place]) -> dict[str, Outcome]:
        """Entitlements. All changes of one organization go as one; where they are refused, each goes alone."""
        creates = [request for request in requests if request.operation is Operation.CREATE]
        settled = self._settled(creates, places) if creates else {}
        grouped: dict[str, list[Request]] = {}
        for request in requests:
            if request.write_id not in settled:
                grouped.setdefault(places[request.write_id].organization_id, []).append(request)
        ended = self._changed(list(grouped.values()), places)
        refused = [group for group in grouped.values() if ended[group[0].write_id].state is State.REFUSED]
        for alone in _one_by_one([group for group in refused if len(group) > 1]):
            ended |= self._later([[request] for request in alone], places)
        return settled | ended

    def _settled(self, creates: Sequence[Request], places: Mapping[str, slot.Place]) -> dict[str, Outcome]:
        """What needs no call: a create whose slot is not free, and one whose entitlement is in another slot already."""
        shown = self._show(sorted({places[request.write_id].organization_id for request in creates}))
        settled = {}
        for request in creates:
            place = places[request.write_id]
            fields = slot.fields_in(shown[place.organization_id]) if place.organization_id in shown else {}
            own = slot.slot_of(fields, place.number)
            if own is not None and own != place.slot:
                record_id = f"{place.organization_id}/{own}"
                settled[request.write_id] = Outcome(request.write_id, State.CONFIRMED, record_id)
            elif own is None and slot.number_at(fields, place.slot):
                message = f"slot {place.slot} of the organization was filled since the plan: it is planned anew"
                settled[request.write_id] = Outcome(request.write_id, State.REFUSED, None, DRIFTED, message)
        return settled

    def _changed(self, groups: Sequence[Sequence[Request]], places: Mapping[str, slot.Place]) -> dict[str, Outcome]:
        """One row an organization; its outcome is that of all the requests in it."""
        if not groups:
            return {}
        bodies = [
            {"id": int(places[group[0].write_id].organization_id), "organization_fields": _merged(group)}
            for group in groups
        ]
        rows = self._run("update", bodies)
        return {
            request.write_id: _ended(request, row, str(places[request.write_id]))
            for group, row in zip(groups, rows, strict=True)
            for request in group
        }

    def _later(self, groups: Sequence[Sequence[Request]], places: Mapping[str, slot.Place]) -> dict[str, Outcome]:
        """A later part of a batch: its failure must not hide what became of the earlier parts."""
        try:
            return self._changed(groups, places)
        except InDoubt as error:
            state, reason = State.IN_DOUBT, str(error)
        except (RetryLater, FixConfiguration) as error:
            state, reason = State.FAILED, str(error)
        every = [request for group in groups for request in group]
        return {each.write_id: Outcome(each.write_id, state, each.record_id, message=reason) for each in every}

    def _run(self, verb: str, rows: Sequence[Mapping[str, Any]]) -> list[Row | None]:
        """Refused as a whole only where the call itself is wrong: a record is refused by its row."""
        method = "POST" if verb == "create" else "PUT"
        try:
            return self._jobs.run(method, f"{verb}_many", rows)
        except SetAside as error:
            raise FixConfiguration(f"{self._name} refuses a batch of {len(rows)} as a whole: {error}") from None


def _place(request: Request) -> slot.Place | None:
    """The slot that a request is about; a create says by its external id which one it was planned for."""
    return slot.place_of(request.external_id if request.operation is Operation.CREATE else request.record_id)


def _row(request: Request) -> dict[str, Any]:
    if request.operation is Operation.CREATE:
        return {**request.body, EXTERNAL_ID: request.external_id}
    return {**request.body, "id": int(request.record_id or 0)}


def _merged(group: Sequence[Request]) -> dict[str, Any]:
    return {name: value for request in group for name, value in request.body.get("organization_fields", {}).items()}


def _ended(request: Request, row: Row | None, record_id: str | None = None) -> Outcome:
    if row is None:
        return _doubtful(request, f"the job did not say what became of this {request.operation}: it is looked for")
    return outcome(request, row, record_id or str(row.id))


def _doubtful(request: Request, message: str) -> Outcome:
    return Outcome(request.write_id, State.IN_DOUBT, request.record_id, message=message)


def _one_by_one(groups: Sequence[Sequence[Request]]) -> Iterator[list[Request]]:
    """The first request of each group, then the second of each, and so on."""
    longest = max((len(group) for group in groups), default=0)
    return ([group[place] for group in groups if place < len(group)] for place in range(longest))
