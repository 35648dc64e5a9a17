"""A fault plan: which requests go wrong, and how. Rules are data; the server and vendors ask it."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from random import Random
from typing import Any

import msgspec

BEFORE = ("drop_before_commit", "delay", "status", "html", "expire_token")
"""Kinds that strike before the vendor does anything (`delay`: the commit is late, but it comes)."""
AFTER = ("drop_after_commit", "delay_reply", "truncate_body")
"""Kinds that strike when the vendor has committed, on the way back."""
ROW = ("row",)
"""One record of a call is refused; the vendor asks for it record by record."""


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """When a fault strikes and what it does.

    `route` is a regular expression searched in "METHOD /path" (for kind `row`: in the vendor's own
    words for the record, such as "update Account 001…"). Of the requests that match, the rule strikes
    the `nth` (1 is the first), or each `every`-th, or a `share` drawn from `seed`, or all of them,
    `times` times at most.
    """

    route: str
    kind: str
    nth: int | None = None
    every: int | None = None
    share: float | None = None
    seed: int = 0
    times: int | None = None
    seconds: float = 0.0
    status: int = 503
    body: Any = None
    headers: dict[str, str] = {}
    code: str = ""
    message: str = ""

    def __post_init__(self) -> None:
        if self.kind not in (*BEFORE, *AFTER, *ROW):
            raise ValueError(f"unknown kind of fault {self.kind!r}; known: {', '.join(BEFORE + AFTER + ROW)}")
        re.compile(self.route)


@dataclass
class _Armed:
    rule: Rule
    draw: Random
    pattern: re.Pattern[str] = field(init=False)
    seen: int = 0
    struck: int = 0

    def __post_init__(self) -> None:
        self.pattern = re.compile(self.rule.route)

    def strikes(self, subject: str) -> bool:
        rule = self.rule
        if not self.pattern.search(subject) or (rule.times is not None and self.struck >= rule.times):
            return False
        self.seen += 1
        hit = (
            self.seen == rule.nth
            if rule.nth is not None
            else self.seen % rule.every == 0
            if rule.every is not None
            else self.draw.random() < rule.share
            if rule.share is not None
            else True
        )
        self.struck += hit
        return hit


class FaultPlan:
    """The rules in force. The same rules, seeds and order of requests give the same faults.

    >>> plan = FaultPlan([Rule(route="POST /v1/customers", kind="drop_after_commit", nth=2)])
    >>> [len(plan.strike("POST /v1/customers", AFTER)) for _ in range(3)]
    [0, 1, 0]
    """

    def __init__(self, rules: list[Rule] | None = None) -> None:
        self._lock = threading.Lock()
        self._armed: list[_Armed] = []
        for rule in rules or []:
            self.add(rule)

    def add(self, rule: Rule) -> None:
        with self._lock:
            self._armed.append(_Armed(rule, Random(rule.seed)))

    def clear(self) -> None:
        with self._lock:
            self._armed.clear()

    def strike(self, subject: str, kinds: tuple[str, ...]) -> list[Rule]:
        """The rules of these kinds that strike now; asking counts as one occurrence."""
        with self._lock:
            return [a.rule for a in self._armed if a.rule.kind in kinds and a.strikes(subject)]

    def row(self, subject: str) -> Rule | None:
        """The first rule that refuses this record, if any."""
        struck = self.strike(subject, ROW)
        return struck[0] if struck else None

    def listing(self) -> list[dict[str, Any]]:
        """The rules as JSON, with how often each was seen and struck."""
        with self._lock:
            return [{**msgspec.to_builtins(a.rule), "seen": a.seen, "struck": a.struck} for a in self._armed]
