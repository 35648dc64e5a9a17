"""What goes wrong on a line, as the one who asks and the one who is asked see it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import requests

from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.testing.simulation.line import Line, Spoil, Traffic
from sync_pipelines.testing.simulation.pulse import Died, Pulse

KEY = {"Authorization": "Bearer sk_test_sandbox"}
SETTLING = 60.0


@pytest.fixture
def traffic() -> Traffic:
    clock = VirtualClock(datetime(2026, 11, 23, tzinfo=UTC))
    return Traffic(clock, Pulse(), tell=lambda line: None, happen=lambda kind: None)


@pytest.fixture
def line(traffic: Traffic) -> Line:
    return Line("stripe", open_sandbox("stripe", clock=traffic.clock), traffic, settling=SETTLING)


def create(line: Line, **headers: str) -> requests.Response:
    session = requests.Session()
    session.mount("http://", line)
    url = "http://stripe.test/v1/customers"
    return session.post(url, data={"name": "Acme"}, headers={**KEY, **headers}, timeout=(5, 120))


def customers(line: Line) -> int:
    return line.app.store.count("customer")


def test_a_parked_request_acts_when_nobody_waits_any_more(line: Line, traffic: Traffic) -> None:
    traffic.spoil(Spoil("park", only="write", share=0.5))
    began = traffic.clock.now()

    with pytest.raises(requests.ReadTimeout):
        create(line)

    assert (customers(line), (traffic.clock.now() - began).total_seconds()) == (0, 120)
    traffic.clock.advance(SETTLING * 0.5 - 1)
    traffic.settle()
    assert customers(line) == 0
    traffic.clock.advance(1)
    traffic.settle()
    assert customers(line) == 1


@pytest.mark.parametrize(("kind", "acted"), [("drop_before", 0), ("drop_after", 1), ("slow_reply", 1)])
def test_a_lost_answer_says_nothing_of_what_happened(line: Line, traffic: Traffic, kind: str, acted: int) -> None:
    traffic.spoil(Spoil(kind))

    with pytest.raises(requests.RequestException):
        create(line)

    assert (customers(line), traffic.log[-1].is_clear) == (acted, False)


@pytest.mark.parametrize(
    ("spoil", "acted", "is_clear"),
    [
        (Spoil("answer", status=429, body=b"{}"), 0, True),
        (Spoil("answer", status=500, body=b"{}"), 0, False),
        (Spoil("answer_after", status=502, body=b"{}"), 1, False),
        (Spoil("truncate"), 1, False),
        (Spoil("delay", seconds=30), 1, True),
    ],
)
def test_an_answer_is_clear_only_if_it_says_what_happened(
    line: Line, traffic: Traffic, spoil: Spoil, acted: int, is_clear: bool
) -> None:
    traffic.spoil(spoil)

    create(line)

    assert (customers(line), traffic.log[-1].is_clear) == (acted, is_clear)


def test_a_spoil_waits_for_the_kind_of_request_that_it_is_for(line: Line, traffic: Traffic) -> None:
    traffic.spoil(Spoil("drop_after", only="read"))

    assert create(line).status_code == 200


def test_a_system_that_is_down_refuses_until_it_is_back(line: Line, traffic: Traffic) -> None:
    traffic.take_down("stripe", 3600)

    with pytest.raises(requests.ConnectionError):
        create(line)

    traffic.clock.advance(3600)
    assert create(line).status_code == 200


def test_a_process_can_die_before_a_request_and_after_it(line: Line, traffic: Traffic) -> None:
    for nth, acted in ((1, 0), (2, 1)):
        traffic.pulse.begin({"system": nth})

        with pytest.raises(Died):
            create(line)

        assert customers(line) == acted


def test_a_write_is_known_by_what_it_writes(line: Line, traffic: Traffic) -> None:
    create(line, **{"Idempotency-Key": "k1"})

    assert (list(traffic.log[-1].keys), traffic.log[-1].is_recognised) == (["/v1/customers k1"], True)
