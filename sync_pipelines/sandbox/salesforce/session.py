"""Who may call and how often: access tokens that idle out, and the daily limit of requests."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from hashlib import sha256

from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.salesforce.fault import Refusal

_HOUR = 3600


class Sessions:
    """Access tokens; each lives until it has been idle for the session time."""

    def __init__(self, clock: VirtualClock, *, idle_seconds: int) -> None:
        self.clock = clock
        self.idle = timedelta(seconds=idle_seconds)
        self._used_at: dict[str, datetime] = {}
        self._issued = 0

    def issue(self, org_id: str) -> str:
        self._issued += 1
        token = f"{org_id[:15]}!AQ{sha256(f'{org_id} {self._issued}'.encode()).hexdigest()}"
        self._used_at[token] = self.clock.now()
        return token

    def check(self, authorization: str) -> None:
        """Renew the idle time of a live token; `INVALID_SESSION_ID` for any other."""
        token = authorization.partition(" ")[2]
        used, now = self._used_at.get(token), self.clock.now()
        if used is None or now - used > self.idle:
            self._used_at.pop(token, None)
            raise Refusal("INVALID_SESSION_ID", "Session expired or invalid", status=401)
        self._used_at[token] = now

    def expire(self) -> None:
        self._used_at.clear()


class Usage:
    """Requests of the last 24 hours, against what the org may make."""

    def __init__(self, clock: VirtualClock, *, allowed: int) -> None:
        self.clock = clock
        self.allowed = allowed
        self._by_hour: Counter[int] = Counter()

    @property
    def used(self) -> int:
        first = self._hour() - 23
        return sum(number for hour, number in self._by_hour.items() if hour >= first)

    def use(self, number: int = 1) -> None:
        self._by_hour[self._hour()] += number

    def check(self) -> None:
        if self.used >= self.allowed:
            raise Refusal("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", status=403)

    def header(self) -> dict[str, str]:
        return {"Sforce-Limit-Info": f"api-usage={self.used}/{self.allowed}"}

    def _hour(self) -> int:
        return int(self.clock.now().timestamp()) // _HOUR
