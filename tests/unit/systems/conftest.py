"""A wire whose far end is a list of answers, and a clock that never waits."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.errors import SyncError
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.systems.auth import ApiKey
from sync_pipelines.systems.http import Wire

Reply = tuple[int, bytes] | tuple[int, bytes, Mapping[str, str]] | Exception


class Scripted(BaseAdapter):
    """Answers with the next reply of a list, and remembers what was sent."""

    def __init__(self, replies: Sequence[Reply]) -> None:
        super().__init__()
        self.replies = list(replies)
        self.sent: list[requests.PreparedRequest] = []

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        self.sent.append(request)
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        status, body, *rest = reply
        response = requests.Response()
        response.status_code = status
        response.headers = CaseInsensitiveDict({"Content-Type": "application/json", **(rest[0] if rest else {})})
        response.raw = io.BytesIO(body)
        response.url = request.url or ""
        response.request = request
        return response

    def close(self) -> None:
        """There is nothing to close."""


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(datetime(2026, 11, 23, tzinfo=UTC))


@pytest.fixture
def settings() -> SystemSettings:
    return SystemSettings(name="crm", adapter="crm", url="http://crm.test", calls_per_second=1000)


@pytest.fixture
def scripted(clock: VirtualClock, settings: SystemSettings) -> Callable[..., tuple[Wire, Scripted]]:
    """A wire and its far end, for a list of replies."""

    def build(*replies: Reply, **options: Any) -> tuple[Wire, Scripted]:
        far_end = Scripted(replies)
        session = requests.Session()
        session.mount("http://crm.test", far_end)
        given: dict[str, Any] = {
            "auth": ApiKey("crm", "sk_secret"),
            "classify": _fine,
            "rng": random.Random(7),
            **options,
        }
        return Wire(settings, clock=clock, session=session, **given), far_end

    return build


def _fine(response: requests.Response) -> SyncError | None:
    return None
