"""Who may call and how often: tokens that expire, and the limits of ten seconds, of a second and of a day."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from zoneinfo import ZoneInfo

from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.hubspot.refusal import Refusal
from sync_pipelines.sandbox.hubspot.schema import Behaviour, Portal


class Tokens:
    """A service key that never expires, and access tokens that live for half an hour: of a portal, or of an app."""

    def __init__(self, clock: VirtualClock, portal: Portal, *, seconds: int) -> None:
        self.clock = clock
        self.portal = portal
        self.seconds = seconds
        self._until: dict[str, datetime] = {}
        self._scopes: dict[str, list[str]] = {}
        self._issued = 0

    def issue(self, scopes: Sequence[str] = ()) -> str:
        """A token for the portal, or with scopes one for the app itself, which is good for nothing else."""
        self._issued += 1
        token = f"CK{sha256(f'{self.portal.id} {self._issued}'.encode()).hexdigest()}"
        self._until[token] = self.clock.now() + timedelta(seconds=self.seconds)
        self._scopes[token] = list(scopes)
        return token

    def check(self, authorization: str, *, scope: str = "") -> None:
        """Who calls; with a `scope` it has to be an app that has it."""
        self._check_alive(authorization)
        held = self._scopes.get(authorization.partition(" ")[2], [])
        if scope not in held if scope else held:
            message = "This app hasn't been granted all required scopes to make this call."
            raise Refusal("MISSING_SCOPES", message, status=403, context={"missingScopes": [scope or "crm"]})

    def _check_alive(self, authorization: str) -> None:
        kind, _, token = authorization.partition(" ")
        if kind == "Bearer" and token == self.portal.service_key:
            return
        until = self._until.get(token)
        if until is None:
            message = "Authentication credentials not found. This API supports OAuth 2.0 authentication."
            raise Refusal("INVALID_AUTHENTICATION", message, status=401)
        if until <= self.clock.now():
            message = f"The OAuth token used to make this call expired {self.clock.now() - until} ago."
            raise Refusal("EXPIRED_AUTHENTICATION", message, status=401)

    def expire(self) -> None:
        self._until = dict.fromkeys(self._until, self.clock.now())


class Limits:
    """What an account may call: so often in ten seconds, so many searches a second, so often a day."""

    def __init__(self, clock: VirtualClock, behaviour: Behaviour, *, zone: str) -> None:
        self.clock = clock
        self.behaviour = behaviour
        self.daily = behaviour.daily_calls
        self._zone = ZoneInfo(zone)
        self._calls: deque[datetime] = deque()
        self._searches: deque[datetime] = deque()
        self._days: Counter[str] = Counter()

    @property
    def used_today(self) -> int:
        return self._days[self._today()]

    def use(self, *, search: bool) -> None:
        """Count a call, or refuse it under the policy that it breaks."""
        if self.used_today >= self.daily:
            raise _throttled("DAILY", "daily", self.headers())
        if search:
            self._take(self._searches, self.behaviour.searches_per_second, 1, "SECONDLY", "secondly", {})
        else:
            most, seconds = self.behaviour.burst_calls, self.behaviour.burst_seconds
            spent = {**self.headers(), "X-HubSpot-RateLimit-Remaining": "0"}
            self._take(self._calls, most, seconds, "TEN_SECONDLY_ROLLING", "ten_secondly_rolling", spent)
        self._days[self._today()] += 1

    def spend(self, calls: int) -> None:
        """Somebody else's calls of today."""
        self._days[self._today()] += calls

    def headers(self) -> dict[str, str]:
        behaviour = self.behaviour
        return {
            "X-HubSpot-RateLimit-Daily": str(self.daily),
            "X-HubSpot-RateLimit-Daily-Remaining": str(max(0, self.daily - self.used_today)),
            "X-HubSpot-RateLimit-Max": str(behaviour.burst_calls),
            "X-HubSpot-RateLimit-Remaining": str(max(0, behaviour.burst_calls - len(self._calls))),
            "X-HubSpot-RateLimit-Interval-Milliseconds": str(behaviour.burst_seconds * 1000),
        }

    def _take(
        self, calls: deque[datetime], most: int, seconds: int, policy: str, name: str, headers: dict[str, str]
    ) -> None:
        now = self.clock.now()
        while calls and calls[0] <= now - timedelta(seconds=seconds):
            calls.popleft()
        if len(calls) >= most:
            raise _throttled(policy, name, headers)
        calls.append(now)

    def _today(self) -> str:
        return f"{self.clock.now().astimezone(self._zone):%Y-%m-%d}"


def _throttled(policy: str, name: str, headers: dict[str, str]) -> Refusal:
    extra = {"errorType": "RATE_LIMIT", "policyName": policy, "requestId": "sandbox"}
    message = f"You have reached your {name} limit."
    return Refusal("RATE_LIMITS", message, status=429, extra=extra, headers=headers)
