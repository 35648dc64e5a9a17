"""What goes wrong between us and a system, or with the whole system: no record is changed by any of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import msgspec

from sync_pipelines.sandbox.demo import SECRETS
from sync_pipelines.sandbox.faults import Rule
from sync_pipelines.sandbox.stripe.refusal import LOCK_TIMEOUT, RATE_LIMITED
from sync_pipelines.testing.simulation.line import PAGE_FOR_PEOPLE, Spoil
from sync_pipelines.testing.simulation.story import Kind
from sync_pipelines.testing.simulation.world import Happen, World

HOURS_DOWN = 6
_SYSTEMS = ("salesforce", "stripe", "tryton")
_WRITES = {"write": 5}
_CALLS = {"call": 60, "write": 4}
_THROTTLED = b'[{"message":"TotalRequests Limit exceeded.","errorCode":"REQUEST_LIMIT_EXCEEDED"}]'
_RETIRED = b'[{"message":"API version is retired","errorCode":"UNSUPPORTED_API_VERSION"}]'
_CONTENDED = b'{"id":1,"error":["could not serialize access due to concurrent update",""]}'


def _next(spoil: Spoil) -> Happen:
    """The next request goes wrong in one way."""

    def happen(world: World, rng: Random) -> str:
        world.traffic.spoil(spoil)
        return f"{spoil.kind} {spoil.status if 'answer' in spoil.kind else ''} on the next {spoil.only}".strip()

    return happen


def _commits_late(world: World, rng: Random) -> str:
    """The request is carried out long after its sender stopped waiting."""
    share = rng.choice((0.05, 0.3, 0.6, 0.95))
    world.traffic.spoil(Spoil("park", only="write", share=share))
    return f"the next write is carried out unseen, after {share:.0%} of the time that it may take"


def _token_expires(world: World, rng: Random) -> str:
    """Tokens end between two pages; billing's key is given anew when somebody notices."""
    world.traffic.spoil(Spoil("expire"))
    billing = world.boxes["stripe"].vendor
    keys = {"keys": [SECRETS["STRIPE_API_KEY"]], "expired_keys": []}
    world.afterwards.append(lambda: _do(billing.admin, "settings", keys))
    return "the token of the next request has just expired"


def _do(administer: Callable[[str, Any], Any], action: str, body: Any) -> None:
    administer(action, body)


def _half_written(world: World, rng: Random) -> str:
    """The body of a document is stored, and what should follow it meets an error."""
    kind = rng.choice(("drop_before", "answer"))
    world.traffic.spoil(Spoil(kind, only="write", status=500, body=b"{}"))
    return "the step after a stored body fails"


def _limited(world: World, rng: Random) -> str:
    headers = {"Retry-After": str(rng.choice((1, 5, 30)))} if rng.random() < 0.5 else {}
    times = rng.randint(1, 4)
    world.traffic.spoil(_limit("stripe", headers, times), "stripe")
    world.traffic.spoil(_limit("salesforce", headers, times), "salesforce")
    world.traffic.spoil(_limit("tryton", headers, times), "tryton")
    return f"every system answers 429 {times} times{' with Retry-After' if headers else ''}"


def _limit(system: str, headers: Mapping[str, str], times: int) -> Spoil:
    body = msgspec.json.encode(RATE_LIMITED) if system == "stripe" else b"[]"
    return Spoil("answer", status=429, headers=headers, body=body, times=times)


def _throttled(world: World, rng: Random) -> str:
    """Salesforce says 403 where others say 429."""
    world.traffic.spoil(Spoil("answer", status=403, body=_THROTTLED, times=rng.randint(1, 3)), "salesforce")
    return "salesforce throttles with 403"


def _quota_gone(world: World, rng: Random) -> str:
    """Somebody else used up the day's calls of the org."""
    world.boxes["salesforce"].vendor.admin("limits", {"used": 115_000})
    world.afterwards.append(lambda: _do(world.boxes["salesforce"].vendor.admin, "limits", {"max": 10_000_000}))
    return "others have used up salesforce's calls of the day"


def _locked(world: World, rng: Random) -> str:
    """Somebody else holds the rows that the next writes are for."""
    times = rng.randint(1, 3)
    lock = Rule(route="^(create|update) ", kind="row", times=times)
    world.boxes["salesforce"].faults.add(lock)
    world.traffic.spoil(Spoil("answer", only="write", status=200, body=_CONTENDED, times=times), "tryton")
    held = Spoil("answer", only="write", status=429, body=msgspec.json.encode(LOCK_TIMEOUT), times=times)
    world.traffic.spoil(held, "stripe")
    return f"rows are locked for {times} writes"


def _down(world: World, rng: Random) -> str:
    """A system can't be reached for six hours; until then somebody keeps trying."""
    system = rng.choice(_SYSTEMS)
    world.traffic.take_down(system, HOURS_DOWN * 3600)
    return f"{system} is down for {HOURS_DOWN} hours"


def _retired(world: World, rng: Random) -> str:
    world.traffic.spoil(Spoil("answer", status=410, body=_RETIRED, times=rng.randint(1, 3)), "salesforce")
    return "salesforce has retired the version"


def _another_organisation(world: World, rng: Random) -> str | None:
    """The org behind the credentials is a copy, made anew from production; whom nobody has met is no stranger."""
    if not world.planes.ledger_rows("SELECT 1 FROM ledger.identities WHERE system = 'salesforce'"):
        return None
    vendor = world.boxes["salesforce"].vendor
    before = world.boxes["salesforce"].store.all("Organization")[0]["Id"]
    vendor.admin("organization", {"id": "00DHs000000ZzZz"})
    world.strangers.append(("salesforce", len(world.traffic.log)))
    world.afterwards.append(lambda: _do(vendor.admin, "organization", {"id": before}))
    return "another organisation answers behind salesforce's credentials"


def _skewed(world: World, rng: Random) -> str:
    system, seconds = rng.choice(_SYSTEMS), rng.choice((-300, -120, 120, 300))
    world.boxes[system].clock.skew(seconds)
    return f"the clock of {system} is {seconds} s off"


def _search_lags(world: World, rng: Random) -> str:
    world.boxes["stripe"].vendor.admin("settings", {"search_lag": 30.0})
    return "stripe's search lags by 30 s"


def _small_pages(world: World, rng: Random) -> str:
    """The org gives a few rows a page, and what is behind a page may change meanwhile."""
    locators = world.boxes["salesforce"].vendor.api.locators  # type: ignore[attr-defined]
    locators.page_min, locators.page_max = 1, rng.randint(1, 4)
    return f"salesforce gives {locators.page_max} rows a page"


KINDS: dict[str, tuple[Kind, Happen]] = {
    "F1.reply_lost": (Kind(5, _WRITES), _next(Spoil("drop_after", only="write"))),
    "F1.never_arrived": (Kind(2, _WRITES), _next(Spoil("drop_before", only="write"))),
    "F1.reply_too_slow": (Kind(2, _WRITES), _next(Spoil("slow_reply", only="write"))),
    "F1.commits_late": (Kind(5, _WRITES), _commits_late),
    "F1.error_after_commit": (Kind(2, _WRITES), _next(Spoil("answer_after", only="write", status=502, body=b"{}"))),
    "F1.page_after_commit": (
        Kind(1, _WRITES),
        _next(Spoil("answer_after", only="write", status=502, body=PAGE_FOR_PEOPLE)),
    ),
    "F1.reply_cut_off": (Kind(2, _WRITES), _next(Spoil("truncate", only="write"))),
    "F2.clock_off": (Kind(2, {"start": 1, "call": 40}), _skewed),
    "F7.half_written": (Kind(3, {"write": 6}), _half_written),
    "F12.limited": (Kind(2, _CALLS), _limited),
    "F12.throttled": (Kind(1, _CALLS), _throttled),
    "F12.quota_gone": (Kind(1, {"call": 40}), _quota_gone),
    "F13.small_pages": (Kind(2, {"start": 1}), _small_pages),
    "F13.page_cut_off": (Kind(2, {"read": 50}), _next(Spoil("truncate", only="read"))),
    "F13.token_expires": (Kind(2, _CALLS), _token_expires),
    "F13.page_for_people": (Kind(1, _CALLS), _next(Spoil("answer", status=503, body=PAGE_FOR_PEOPLE))),
    "F16.another_organisation": (Kind(2, {"start": 1}, from_run=2), _another_organisation),
    "F18.locked": (Kind(3, {"write": 5}), _locked),
    "F20.search_lags": (Kind(1, {"start": 1}), _search_lags),
    "F25.down": (Kind(1, {"call": 30, "start": 1}), _down),
    "F26.retired": (Kind(1, _CALLS), _retired),
}
"""Each with how it is drawn and what it does."""
