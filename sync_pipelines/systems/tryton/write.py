"""Writes to Tryton: bodies in one transaction, buttons after it, and nothing half-done left behind."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from sync_pipelines.engine.port import Operation, Outcome, Request, State
from sync_pipelines.errors import FixConfiguration, InDoubt, RetryLater, SetAside
from sync_pipelines.systems.tryton.session import Server
from sync_pipelines.systems.tryton.void import VOID, void
from sync_pipelines.systems.tryton.warning import NO_DEFAULT_TAXES, acknowledge

BATCH_MAX = 50
LOCK = "_timestamp"
"""A body may carry the versions that it was computed from ("party.party,7": "1795…"), its children's too;
the server then refuses the whole call if any of these records was changed since."""


@dataclass(frozen=True, slots=True)
class Key:
    """The field of an object in which our external id is carried, and what finishes such a record.

    `reached` gives for each button the states in which it has already had its effect. `withdraw` are the
    calls that remove a record whose buttons were refused: a verb, and the values it writes.
    """

    name: str
    reached: Mapping[str, Collection[str]] = field(default_factory=dict)
    void: str = ""
    withdraw: tuple[tuple[str, Mapping[str, Any] | None], ...] = ()

    @property
    def fields(self) -> list[str]:
        return [self.name, "state"] if self.reached else [self.name]

    def domain(self, values: Sequence[str]) -> list[Any]:
        clauses: list[Any] = [[self.name, "in", list(values)]]
        return [*clauses, ["state", "!=", self.void]] if self.void else clauses

    def is_finished(self, state: str | None) -> bool:
        return all(state in states for states in self.reached.values())

    def is_past(self, button: str, state: str | None) -> bool:
        return state in self.reached.get(button, ())


TAXED = "post_taxed"
"""The verb in `then` that posts an invoice whose taxes the body has entered: its lines carry none."""

_POSTED = ("posted", "paid")
_PROCESSED = ("processing", "done")
_KEYS: Mapping[str, Key] = {
    "party.party": Key("code"),
    "product.template": Key("code"),
    "sale.sale": Key(
        "reference",
        {
            "quote": ("quotation", "confirmed", *_PROCESSED),
            "confirm": ("confirmed", *_PROCESSED),
            "process": _PROCESSED,
        },
        void="cancelled",
        withdraw=(("cancel", None), ("delete", None)),
    ),
    "account.invoice": Key(
        "reference",
        {"post": _POSTED, TAXED: _POSTED},
        void="cancelled",
        withdraw=(("write", {"number": None}), ("delete", None)),
    ),
}

KEYS: Mapping[str, str] = {name: key.name for name, key in _KEYS.items()}
"""The objects that carry our external id, and their fields for it."""

_BUTTON = {TAXED: "post"}
"""Verbs that are not called as the server's button is."""

ACKNOWLEDGED: Mapping[str, Collection[str]] = {
    "post": ("invoice_payment_term",),
    TAXED: ("invoice_payment_term", NO_DEFAULT_TAXES),
}
"""By verb, warnings that say nothing a person could act on (a due date in the past); all others refuse the write."""


def carried(object: str) -> Key | None:
    """How an object carries our external id; None where it has no place for one."""
    return _KEYS.get(object)


class Writer:
    """Carries out requests of one object and operation at a time."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def write(self, requests: Sequence[Request]) -> list[Outcome]:
        if not requests:
            return []
        if requests[0].operation is Operation.REPLACE:
            mend = f"mend the mapping that writes {requests[0].object}"
            raise FixConfiguration(f"{self._server.name} knows no replace: {mend}")
        if requests[0].then == (VOID,):
            return void(self._server, requests)
        creates = requests[0].operation is Operation.CREATE
        if not creates:
            return self._finish(requests, self._update(requests), all_fresh=False)
        ours, others = self._standing(requests)
        possible = [request for request in requests if request.write_id not in others]
        ids = self._create(possible, ours)
        outcomes = self._finish(possible, ids, all_fresh=not ours)
        return [
            *outcomes,
            *(_exists(request, others[request.write_id]) for request in requests if request.write_id in others),
        ]

    def _finish(self, requests: Sequence[Request], ids: Mapping[str, int], *, all_fresh: bool) -> list[Outcome]:
        try:
            refused = self._press_all(requests, ids, all_fresh=all_fresh)
        except (RetryLater, FixConfiguration) as error:
            raise InDoubt(f"{error}; the records are stored, but not all that follows has happened") from None
        return [_outcome(request, ids[request.write_id], refused) for request in requests]

    def _create(self, requests: Sequence[Request], standing: Mapping[str, int]) -> dict[str, int]:
        ids = dict(standing)
        fresh = [request for request in requests if request.write_id not in ids]
        if fresh:
            bodies = [_body(request) for request in fresh]
            made = self._server.tell(fresh[0].object, "create", bodies, context=_origin_of(fresh))
            ids.update(zip((request.write_id for request in fresh), made, strict=True))
        return ids

    def _standing(self, requests: Sequence[Request]) -> tuple[dict[str, int], dict[str, int]]:
        """What carries the requests' keys already, by write: records of ours, which an answer that was
        lost has left behind, and those of others."""
        ours: dict[str, int] = {}
        others: dict[str, int] = {}
        key = carried(requests[0].object)
        if key is None:
            return ours, others
        wanted = {str(r.body[key.name]): r.write_id for r in requests if r.body.get(key.name)}
        rows = self._search(requests[0].object, key.domain(list(wanted)), [key.name, "create_uid"]) if wanted else []
        for row in reversed(rows):
            known = ours if row["create_uid"] == self._server.user_id() else others
            known[wanted[row[key.name]]] = row["id"]
        return ours, {write_id: others[write_id] for write_id in others.keys() - ours.keys()}

    def _update(self, requests: Sequence[Request]) -> dict[str, int]:
        ids = {request.write_id: int(request.record_id or 0) for request in requests}
        pairs = [([ids[request.write_id]], body) for request in requests if (body := _body(request))]
        if pairs:
            locks: dict[str, str] = {}
            for request in requests:
                if request.expected_version is not None:
                    locks[f"{request.object},{request.record_id}"] = request.expected_version
                locks.update(request.body.get(LOCK, {}))
            context = {LOCK: locks, **_origin_of(requests)}
            self._server.tell(requests[0].object, "write", *chain(*pairs), context=context)
        return ids

    def _press_all(
        self, requests: Sequence[Request], ids: Mapping[str, int], *, all_fresh: bool
    ) -> dict[int, SetAside]:
        """Make the state changes that are still to be made; what was refused, by record."""
        then = requests[0].then if requests else ()
        if not then:
            return {}
        buttons = _Buttons(self._server, requests[0].object, all_fresh=all_fresh)
        for button in then:
            buttons.press(button, [ids[request.write_id] for request in requests])
        for request in requests:
            begun_by_us = request.operation is Operation.CREATE or not request.body
            if ids[request.write_id] in buttons.refused and begun_by_us:
                buttons.withdraw(ids[request.write_id])
        return buttons.refused

    def _search(self, object: str, domain: list[Any], fields: list[str]) -> list[dict[str, Any]]:
        body = self._server.ask(object, "search_read", domain, 0, None, [["id", "ASC"]], fields)
        return list(Server.result(body))


class _Buttons:
    """State changes of records of one object: together where the server takes them, else one by one."""

    def __init__(self, server: Server, object: str, *, all_fresh: bool) -> None:
        self.refused: dict[int, SetAside] = {}
        self._all_fresh = all_fresh
        self._server = server
        self._object = object
        self._key = carried(object) or Key("id")

    def press(self, button: str, ids: Sequence[int]) -> None:
        waiting = [record_id for record_id in ids if record_id not in self.refused]
        if not self._all_fresh:
            waiting = self._waiting(button, waiting)
        refusal = self._pressed(button, waiting) if waiting else None
        if refusal is None:
            return
        alone = {record_id: refusal for record_id in waiting if len(waiting) == 1}
        for record_id in self._waiting(button, waiting) if not alone else ():
            if (refusal := self._pressed(button, [record_id])) is not None:
                alone[record_id] = refusal
        # The server commits before it runs what the button queued: an error may come from there.
        self.refused.update({record_id: alone[record_id] for record_id in self._waiting(button, list(alone))})

    def withdraw(self, record_id: int) -> None:
        """Remove a record that its buttons left unfinished; its refusal then means that nothing is there."""
        try:
            for verb, values in self._key.withdraw:
                self._server.tell(self._object, verb, [record_id], *([values] if values else []))
        except SetAside as error:
            refusal = self.refused[record_id]
            message = f"{refusal}; record {record_id} was left as it is, for it can't be withdrawn ({error})"
            self.refused[record_id] = SetAside(message, code="left_behind")

    def _waiting(self, button: str, ids: Sequence[int]) -> list[int]:
        """The records on which a button has not had its effect yet."""
        if not ids or button not in self._key.reached:
            return list(ids)
        body = self._server.ask(
            self._object, "search_read", [["id", "in", list(ids)]], 0, None, [["id", "ASC"]], ["state"]
        )
        return [row["id"] for row in Server.result(body) if not self._key.is_past(button, row["state"])]

    def _pressed(self, button: str, ids: Sequence[int]) -> SetAside | None:
        """Press once, and once more for each warning that only informs; the refusal if there is one."""
        acknowledged: set[str] = set()
        while True:
            try:
                self._server.tell(self._object, _BUTTON.get(button, button), list(ids))
            except SetAside as refusal:
                if refusal.code in acknowledged or refusal.code not in ACKNOWLEDGED.get(button, ()):
                    return refusal
                acknowledged.add(refusal.code)
                acknowledge(self._server, self._object, ids, refusal.code)
            else:
                return None


def _origin_of(requests: Sequence[Request]) -> dict[str, Any]:
    """The business transactions behind a call: Tryton keeps no such thing in a record, but logs a call's context."""
    return {"correlation_ids": sorted({request.correlation_id for request in requests} - {""})}


def _body(request: Request) -> dict[str, Any]:
    return {key: value for key, value in request.body.items() if key != LOCK}


def _exists(request: Request, record_id: int) -> Outcome:
    message = f"{request.object} {record_id}, made by somebody else, carries the same key"
    return Outcome(request.write_id, State.REFUSED, str(record_id), "exists", message)


def _outcome(request: Request, record_id: int, refused: Mapping[int, SetAside]) -> Outcome:
    refusal = refused.get(record_id)
    if refusal is None:
        return Outcome(request.write_id, State.CONFIRMED, str(record_id))
    if refusal.code == "left_behind":
        return Outcome(request.write_id, State.FAILED, str(record_id), refusal.code, str(refusal))
    kept = request.record_id if request.operation is Operation.UPDATE and request.body else None
    return Outcome(request.write_id, State.REFUSED, kept, refusal.code, str(refusal))
