"""The line to one system: notes every request, and lets it go wrong in the ways that lines go wrong."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import requests
from requests.structures import CaseInsensitiveDict

from sync_pipelines.sandbox.app import Sandbox
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.transport import InProcess
from sync_pipelines.testing.simulation.pulse import Pulse

PAGE_FOR_PEOPLE = b"<!DOCTYPE html><html><body><h1>Down for Maintenance</h1></body></html>"
_ASKING = ("search", "search_count", "search_read", "read", "changed", "login", "logout")
_ASKED_BY_POST = {"list", "query", "read", "search", "suiteql", "token", "tokens"}
"""Parts of the paths by which other systems are asked with a POST."""
_SAID_NOTHING = -1


@dataclass(frozen=True, slots=True)
class Spoil:
    """How a request goes wrong.

    Kinds: "drop_before" and "drop_after" the vendor acted, "slow_reply", "delay", "truncate", "expire" (of the
    token), "omit" (of a field), "answer" (the spoil's answer instead of the vendor's act), "answer_after" (instead
    of its answer), and "park": it acts when `share` of the time is over in which it may still act after its sender
    gave up.
    """

    kind: str
    only: str = "any"
    """"read", "write" or "any" requests."""
    where: str = ""
    """What the path of the request has to contain."""
    times: int = 1
    seconds: float = 0.0
    share: float = 0.0
    status: int = 503
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def suits(self, asked: Asked) -> bool:
        return self.only in ("any", "write" if asked.is_write else "read") and self.where in asked.path


@dataclass(slots=True)
class Asked:
    """A request as it left, and what its sender learnt of it."""

    number: int
    run: int
    at: datetime
    system: str
    method: str
    path: str
    body: bytes
    is_write: bool
    keys: Mapping[str, int]
    """What it writes, each with a checksum of the content; empty for reads."""
    is_recognised: bool
    """The system itself recognises it when it comes again."""
    status: int = _SAID_NOTHING
    is_whole: bool = False
    answer: bytes = b""

    @property
    def is_clear(self) -> bool:
        """Whether the answer says what became of the request."""
        return self.is_whole and (self.status < 500 or self.status == 503)

    @property
    def is_refused(self) -> bool:
        """The answer says that nothing was done."""
        return self.is_clear and (self.status >= 400 or b'"error":' in self.answer[:64])

    def __str__(self) -> str:
        verb = ", ".join(self.keys) or self.path.partition("?")[0]
        told = "no answer" if self.status == _SAID_NOTHING else str(self.status)
        return f"{self.method} {verb} -> {told}{'' if self.is_whole else ' cut off'}"


@dataclass
class Traffic:
    """Every request of a life, in order, and what is to befall those that come."""

    clock: VirtualClock
    pulse: Pulse
    tell: Callable[[str], None]
    happen: Callable[[str], None]
    """Called with "call" and then "read" or "write" before a request leaves."""
    run: int = 0
    log: list[Asked] = field(default_factory=list)
    spoils: list[tuple[str, Spoil]] = field(default_factory=list)
    """What befalls the next requests to a system ("" for any)."""
    down: dict[str, datetime] = field(default_factory=dict)
    """Systems that can't be reached, and until when."""
    outages: list[tuple[str, datetime, datetime]] = field(default_factory=list)
    parked: list[tuple[datetime, Line, requests.PreparedRequest]] = field(default_factory=list)

    def take_down(self, system: str, seconds: float) -> None:
        now = self.clock.now()
        self.down[system] = now + timedelta(seconds=seconds)
        self.outages.append((system, now, self.down[system]))

    def spoil(self, spoil: Spoil, system: str = "") -> None:
        self.spoils += [(system, spoil)] * spoil.times

    def taken(self, asked: Asked) -> Spoil | None:
        for place, (system, spoil) in enumerate(self.spoils):
            if system in ("", asked.system) and spoil.suits(asked):
                del self.spoils[place]
                return spoil
        return None

    def settle(self, *, everything: bool = False) -> None:
        """Let the requests act whose time has come, long after their senders stopped waiting."""
        due = [each for each in self.parked if everything or each[0] <= self.clock.now()]
        for each in due:
            self.parked.remove(each)
            _, line, request = each
            status = line.exchange(request).status_code
            self.tell(f"{line.system} acts at last on {request.method} {_path(request)}: {status}")

    def clear(self) -> None:
        """Nothing goes wrong any more, and whatever was on its way has arrived."""
        self.spoils.clear()
        self.down.clear()
        self.settle(everything=True)


class Line(InProcess):
    """A transport of `requests` to one stand-in, as long as the process lives that opened it."""

    def __init__(self, system: str, app: Sandbox, traffic: Traffic, *, settling: float) -> None:
        super().__init__(app)
        self.system = system
        self.settling = settling
        self.traffic = traffic

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        traffic = self.traffic
        traffic.pulse.beat("system")
        asked = self._asked(request)
        traffic.log.append(asked)
        traffic.happen("call")
        traffic.happen("write" if asked.is_write else "read")
        traffic.settle()
        try:
            response = self._spoilt(request, asked, timeout)
            asked.status, asked.answer = response.status_code, response.content
        finally:
            checksums = f"{zlib.crc32(asked.body):08x} {zlib.crc32(asked.answer):08x}"
            traffic.tell(f"{self.system} {asked} {checksums}")
        traffic.pulse.beat("system")
        return response

    def exchange(self, request: requests.PreparedRequest) -> requests.Response:
        return super().send(request)

    def _asked(self, request: requests.PreparedRequest) -> Asked:
        traffic, body = self.traffic, _bytes(request.body)
        keys, recognised = _written(self.system, request, body)
        return Asked(
            number=len(traffic.log) + 1,
            run=traffic.run,
            at=traffic.clock.now(),
            system=self.system,
            method=request.method or "",
            path=str(json.loads(body)["method"]) if self.system == "tryton" else _path(request),
            body=body,
            is_write=bool(keys),
            keys=keys,
            is_recognised=recognised,
        )

    def _spoilt(self, request: requests.PreparedRequest, asked: Asked, timeout: Any) -> requests.Response:
        traffic = self.traffic
        if (until := traffic.down.get(self.system)) is not None and traffic.clock.now() < until:
            raise requests.ConnectionError(ConnectionRefusedError("Connection refused"), request=request)
        spoil = traffic.taken(asked)
        asked.is_whole = True
        if spoil is None:
            return self.exchange(request)
        asked.is_whole = spoil.kind in ("delay", "expire", "omit") or (spoil.kind == "answer" and spoil.status != 502)
        return self._befallen(spoil, request, patience=timeout[1] if isinstance(timeout, tuple) else 120.0)

    def _befallen(self, spoil: Spoil, request: requests.PreparedRequest, *, patience: float) -> requests.Response:
        clock = self.traffic.clock
        match spoil.kind:
            case "drop_before":
                raise requests.ConnectionError("Connection aborted: reset by peer", request=request)
            case "park":
                clock.advance(patience)
                due = clock.now() + timedelta(seconds=self.settling * spoil.share)
                self.traffic.parked.append((due, self, request))
                raise requests.ReadTimeout(f"Read timed out. (read timeout={patience})", request=request)
            case "expire":
                self.app.vendor.expire_tokens()
            case "delay":
                clock.advance(min(spoil.seconds, patience - 1))
            case "answer":
                return _answer(spoil, request)
        response = self.exchange(request)
        match spoil.kind:
            case "drop_after":
                raise requests.ConnectionError("Connection aborted: reset by peer", request=request)
            case "slow_reply":
                clock.advance(patience)
                raise requests.ReadTimeout(f"Read timed out. (read timeout={patience})", request=request)
            case "omit":
                name = re.escape(spoil.body)
                response._content = re.sub(rb'"%s":("(?:\\.|[^"\\])*"|null),' % name, b"", response.content)
            case "truncate":
                response._content = response.content[: len(response.content) // 2]
            case "answer_after":
                return _answer(spoil, request)
        return response


def _answer(spoil: Spoil, request: requests.PreparedRequest) -> requests.Response:
    response = requests.Response()
    response.status_code = spoil.status
    response._content = spoil.body
    kind = "text/html" if spoil.body.startswith(b"<") else "application/json"
    response.headers = CaseInsensitiveDict({"Content-Type": kind, **spoil.headers})
    response.url = request.url or ""
    response.request = request
    return response


def _path(request: requests.PreparedRequest) -> str:
    return request.path_url


def _bytes(body: Any) -> bytes:
    return body.encode() if isinstance(body, str) else bytes(body or b"")


def _written(system: str, request: requests.PreparedRequest, body: bytes) -> tuple[dict[str, int], bool]:
    """What a request writes, by key with a checksum of the content, and whether it carries a key of its own."""
    match system:
        case "tryton":
            return _tryton(body), False
        case "salesforce":
            return _salesforce(request, body), False
        case "stripe":
            return _stripe(request, body)
    asking = request.method == "GET" or bool(_ASKED_BY_POST & set(_path(request).partition("?")[0].split("/")))
    return ({} if asking else {_path(request): zlib.crc32(body)}), True


def _stripe(request: requests.PreparedRequest, body: bytes) -> tuple[dict[str, int], bool]:
    key = request.headers.get("Idempotency-Key", "")
    wanted = request.method in ("POST", "DELETE")
    path = _path(request).partition("?")[0]
    return ({f"{path} {key}".strip(): zlib.crc32(body)} if wanted else {}), bool(key)


def _salesforce(request: requests.PreparedRequest, body: bytes) -> dict[str, int]:
    if request.method == "GET" or "/sobjects" not in _path(request):
        return {}
    records: Sequence[Mapping[str, Any]] = json.loads(body).get("records", [])
    return {f"{r['attributes']['type']} {r.get('Sync_Id__c') or r.get('id')}": _sum(r) for r in records}


def _tryton(body: bytes) -> dict[str, int]:
    call = json.loads(body)
    model, _, verb = str(call["method"]).removeprefix("model.").rpartition(".")
    if verb in _ASKING:
        return {}
    *params, context = call["params"]
    if model.startswith("wizard."):  # opening and closing one stores nothing
        return {f"{model} {context['active_ids']}": _sum(params[1:])} if verb == "execute" else {}
    if verb == "create":
        return {f"{model} {_key(values)}": _sum(values) for values in params[0]}
    return {f"{model} {verb} {json.dumps(params[0])}": _sum(params)}


def _key(values: Mapping[str, Any]) -> str:
    return str(values.get("code") or values.get("reference") or values.get("name"))


def _sum(value: Any) -> int:
    return zlib.crc32(json.dumps(value, sort_keys=True).encode())
