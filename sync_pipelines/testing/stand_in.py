"""A vendor's stand-in behind its adapter, on which somebody else works too: a vendor's class derives from it."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar

import requests
from requests.adapters import BaseAdapter

from sync_pipelines.engine.port import Operation, Request, Shape, State
from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.sandbox.app import Sandbox
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.faults import Rule
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.transport import InProcess
from sync_pipelines.testing.facts import Facts, Fault, NotChecked
from sync_pipelines.testing.transport import Late, Struck

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
_RULES: Mapping[str, Mapping[str, Any]] = {
    Fault.REPLY_LOST: {"kind": "drop_after_commit"},
    Fault.NEVER_ARRIVED: {"kind": "drop_before_commit"},
    Fault.SERVER_ERROR: {"kind": "status", "status": 500, "body": {}},
    Fault.PAGE_FOR_PEOPLE: {"kind": "html"},
    Fault.BODY_CUT_OFF: {"kind": "truncate_body"},
    Fault.TOKEN_EXPIRED: {"kind": "expire_token"},
    Fault.VERSION_RETIRED: {"kind": "status", "status": 410, "body": {}},
}


class StandIn(Facts):
    """A fresh stand-in behind its adapter; somebody else works on it through an adapter of their own.

    A vendor's class says what the first lines below ask for, and overrides what its stand-in does otherwise. Its
    `claims` replace those of the passport: a suite that can't find a lie is worth nothing.
    """

    vendor: ClassVar[str]
    """The name under which `sandbox.launch` opens it."""
    open_system: ClassVar[Callable[..., Any]]
    """The adapter's own, as `staticmethod`; it takes `session` and `rng`."""
    object: str
    shape: Shape
    options: ClassVar[Mapping[str, str]]
    """`[systems.NAME]`: what the stand-in takes for credentials."""
    path: ClassVar[str] = ""
    """What the system's url has after its host."""
    data: ClassVar[str] = "/"
    """How the paths of calls for data begin, and those of calls for a token don't: `strike` spoils only these."""
    slowest: ClassVar[float]
    """Seconds after which the vendor may still carry out a call that was given up."""
    longest: ClassVar[int | None] = None
    """How many characters a name may have."""
    spoilt: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """The vendor's own words for a fault: fields of `sandbox.faults.Rule`, by the name of the fault."""
    throttled: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """The forms in which the vendor asks for patience: fields of `Rule`, by a name of your choice."""

    def __init__(self, **claims: Any) -> None:
        self.clock: VirtualClock = VirtualClock(NOW)
        self.sandbox: Sandbox = self.make()
        self.furnish()
        self.struck = Struck(self.sandbox)
        self.wire = Late(self.struck, clock=self.clock)
        self.system = self.open(self.wire)
        self.system.passport = replace(self.system.passport, **claims)
        self.other = self.open(InProcess(self.sandbox))

    def make(self) -> Sandbox:
        """The stand-in itself, of one of our vendors; whoever brings a vendor of their own makes it here."""
        return open_sandbox(self.vendor, clock=self.clock)

    def furnish(self) -> None:
        """Put into the empty stand-in what its object can't do without."""

    def open(self, wire: BaseAdapter) -> Any:
        """Another adapter on the same stand-in."""
        session, url = requests.Session(), f"http://{self.vendor}.test"
        session.mount(url, wire)
        session.trust_env = False  # the environment's proxies lead nowhere here, and looking them up is slow
        settings = SystemSettings(
            self.vendor,
            self.vendor,
            url + self.path,
            calls_per_second=100_000,
            concurrency=1,
            options=dict(self.options),
        )
        return self.open_system(settings, clock=self.clock, session=session, rng=random.Random(1))

    def is_write(self, request: requests.PreparedRequest) -> bool:
        """Whether this call creates a record of the object."""
        raise NotChecked("no write is told from other calls")

    def count_held(self, external_id: str) -> int:
        """How many live records of the stand-in's store carry this external id."""
        raise NotImplementedError

    def put(self, *names: str) -> list[str]:
        most = self.other.passport.batch_max
        made = []
        for start in range(0, len(names), most):
            part = names[start : start + most]
            requests = [self._request(f"put-{name}", None, self.body(name)) for name in part]
            made += self._written(requests)
        return made

    def change(self, record_id: str, name: str) -> None:
        self._written([self._request(f"change-{name}", record_id, self.renamed(name))])

    def _written(self, requests: Sequence[Request]) -> list[str]:
        """The ids of what somebody else wrote; a stand-in that refuses it makes the test worth nothing."""
        outcomes = self.other.write(requests)
        if wrong := next((each for each in outcomes if each.state is not State.CONFIRMED), None):
            raise AssertionError(f"{wrong.write_id} is {wrong.state}, {wrong.code}: {wrong.message}")
        return [outcome.record_id for outcome in outcomes]

    def lose(self) -> None:
        self.wire.hold(self.is_write, seconds=self.slowest)

    def held(self, external_id: str) -> int:
        self.wire.arrive()
        return self.count_held(external_id)

    def strike(self, fault: str, *, times: int | None = None, writes: bool = False) -> None:
        rule = self.spoilt.get(fault) or self.throttled.get(fault) or _RULES[fault]
        self.struck.strike(Rule(route="", **rule), self.is_write if writes else self._is_data, times=times)

    def calm(self) -> None:
        self.struck.strike(None, self._is_data)
        self.wire.hold(lambda request: False, seconds=0)

    def secrets(self) -> Sequence[str]:
        return list(self.options.values())

    def throttles(self) -> Sequence[str]:
        return list(self.throttled) or super().throttles()

    def text_max(self) -> int:
        return super().text_max() if self.longest is None else self.longest

    def arrived(self) -> int:
        return self.sandbox.calls.total()

    def _is_data(self, request: requests.PreparedRequest) -> bool:
        return request.path_url.startswith(self.data)

    def _request(self, name: str, record_id: str | None, body: Mapping[str, Any]) -> Request:
        operation = Operation.UPDATE if record_id else Operation.CREATE
        return Request(name, self.object, operation, record_id, f"put-{name}", body, idempotency_key=f"other-{name}")
