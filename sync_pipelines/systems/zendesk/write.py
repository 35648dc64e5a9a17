"""Writes: organizations in batches of a hundred, and entitlements as changes of their organizations' slots."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sync_pipelines.engine.port import Found, Operation, Outcome, Request, State
from sync_pipelines.errors import FixConfiguration, InDoubt, RetryLater, SetAside
from sync_pipelines.systems.zendesk import slot
from sync_pipelines.systems.zendesk.answer import DUPLICATE, Row, outcome
from sync_pipelines.systems.zendesk.job import Jobs

OBJECT = "organizations"
EXTERNAL_ID = "external_id"
TAKEN = "drifted"
"""The code of a create whose slot somebody else has filled: it is planned anew, into another one."""

Find = Callable[[Sequence[str]], Mapping[str, Found]]
"""Organizations by their external ids."""
Show = Callable[[Sequence[str]], Mapping[str, bytes]]
"""The payloads of organizations by their ids."""


class Writer:
    """Sends requests for one account."""

    def __init__(self, name: str, jobs: Jobs, *, find: Find, show: Show) -> None:
        self._name = name
        self._jobs = jobs
        self._find = find
        self._show = show

    def send(self, requests: Sequence[Request]) -> list[Outcome]:
        """One outcome a request, in their order; all are of one object and operation."""
        for request in requests:
            if (
                request.object != OBJECT
                or request.then
                or request.operation not in (Operation.CREATE, Operation.UPDATE)
            ):
                raise FixConfiguration(
                    f"{self._name} can only create and update organizations, without 'then': "
                    f"mend the mapping that writes {request.object}"
                )
        places = {request.write_id: place for request in requests if (place := _place(request)) is not None}
        whole = [request for request in requests if request.write_id not in places]
        outcomes = self._whole(whole) if whole else []
        outcomes += self._slots([request for request in requests if request.write_id in places], places)
        ended = {each.write_id: each for each in outcomes}
        return [ended[request.write_id] for request in requests]

    def _whole(self, requests: Sequence[Request]) -> list[Outcome]:
        """Organizations. A create that meets our own external id was sent before, and is confirmed."""
        creates = requests[0].operation is Operation.CREATE
        rows = self._run("create" if creates else "update", [_row(request) for request in requests])
        outcomes = [_ended(request, row) for request, row in zip(requests, rows, strict=True)]
        doubles = [r for r, o in zip(requests, outcomes, strict=True) if creates and o.code == DUPLICATE]
        held = self._find([request.external_id for request in doubles]) if doubles else {}
        return [
            Outcome(request.write_id, State.CONFIRMED, held[request.external_id].record_id)
            if creates and each.code == DUPLICATE and request.external_id in held
            else each
            for request, each in zip(requests, outcomes, strict=True)
        ]

    def _slots(self, requests: Sequence[Request], places: dict[str, slot.Place]) -> list[Outcome]:
        """Entitlements. All changes of one organization go as one; where they are refused, each goes alone."""
        creates = [request for request in requests if request.operation is Operation.CREATE]
        refused = self._taken(creates, places) if creates else []
        out = {each.write_id for each in refused}
        grouped: dict[str, list[Request]] = {}
        for request in requests:
            if request.write_id not in out:
                grouped.setdefault(places[request.write_id].organization_id, []).append(request)
        ended = self._changed(list(grouped.values()), places)
        again = [group for group in grouped.values() if len(group) > 1 and ended[group[0].write_id].state in _REFUSED]
        for alone in _one_by_one(again):
            ended |= self._later([[request] for request in alone], places)
        return [*refused, *ended.values()]

    def _taken(self, creates: Sequence[Request], places: dict[str, slot.Place]) -> list[Outcome]:
        """The creates whose slot is not free. One whose entitlement is there already goes to where that is."""
        shown = self._show(sorted({places[request.write_id].organization_id for request in creates}))
        refused = []
        for request in creates:
            place = places[request.write_id]
            fields = slot.fields_in(shown[place.organization_id]) if place.organization_id in shown else {}
            own = slot.slot_of(fields, place.number)
            if own is not None and own != place.slot:
                refused.append(Outcome(request.write_id, State.CONFIRMED, f"{place.organization_id}/{own}"))
            elif own is None and slot.number_at(fields, place.slot):
                message = f"slot {place.slot} of the organization was filled since the plan: it is planned anew"
                refused.append(Outcome(request.write_id, State.REFUSED, None, TAKEN, message))
        return refused

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


_REFUSED = (State.REFUSED, State.FAILED)


def _place(request: Request) -> slot.Place | None:
    """The slot that a request is about; a create says by its external id which one it was planned for."""
    return slot.place_of(request.external_id if request.operation is Operation.CREATE else request.record_id)


def _row(request: Request) -> dict[str, Any]:
    if request.operation is Operation.CREATE:
        return {**request.body, EXTERNAL_ID: request.external_id}
    return {**request.body, "id": int(request.record_id or 0)}


def _merged(group: Sequence[Request]) -> dict[str, Any]:
    return {name: value for request in group for name, value in request.body["organization_fields"].items()}


def _ended(request: Request, row: Row | None, record_id: str | None = None) -> Outcome:
    if row is None:
        message = f"the job did not say what became of this {request.object} {request.operation}: it is looked for"
        return Outcome(request.write_id, State.IN_DOUBT, request.record_id, message=message)
    return outcome(request, row, record_id or str(row.id))


def _one_by_one(groups: Sequence[Sequence[Request]]) -> Iterator[list[Request]]:
    """The first request of each group, then the second of each, and so on."""
    longest = max((len(group) for group in groups), default=0)
    return ([group[place] for group in groups if place < len(group)] for place in range(longest))
