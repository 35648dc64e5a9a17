"""The kit's server and its socket-free twin behave alike, faults included."""

import http.client
from collections.abc import Callable, Iterator

import pytest
import requests
from notebook import TODAY, notebook

from sync_pipelines.sandbox.app import Sandbox
from sync_pipelines.sandbox.faults import Rule
from sync_pipelines.sandbox.server import serve
from sync_pipelines.sandbox.transport import InProcess

Reach = Callable[[Sandbox], tuple[requests.Session, str]]


@pytest.fixture(params=["socket", "in process"])
def reach(request: pytest.FixtureRequest) -> Iterator[Reach]:
    ended: list[Callable[[], None]] = []

    def connect(sandbox: Sandbox) -> tuple[requests.Session, str]:
        session = requests.Session()
        ended.append(session.close)
        if request.param == "socket":
            running = serve(sandbox)
            ended.append(running.stop)
            return session, running.url
        session.mount("http://notes.test", InProcess(sandbox))
        return session, "http://notes.test"

    yield connect
    for end in ended:
        end()


def test_a_note_is_written_and_read(reach: Reach) -> None:
    session, url = reach(notebook())

    assert session.put(f"{url}/notes/ä b", data="héllo".encode()).status_code == 204
    assert session.get(f"{url}/notes/ä b").text == "héllo"
    assert session.get(f"{url}/elsewhere").text == "no such page: /elsewhere"


def test_a_drop_before_the_commit_changes_nothing_and_one_after_it_does(reach: Reach) -> None:
    sandbox = notebook()
    session, url = reach(sandbox)
    sandbox.faults.add(Rule(route="PUT /notes/a", kind="drop_before_commit"))
    sandbox.faults.add(Rule(route="PUT /notes/b", kind="drop_after_commit"))

    for key in ("a", "b"):
        with pytest.raises(requests.ConnectionError):
            session.put(f"{url}/notes/{key}", data="text")

    assert session.get(f"{url}/notes/a").status_code == 404
    assert session.get(f"{url}/notes/b").text == "text"
    assert [logged.status for logged in sandbox.requests] == [0, 0, 404, 200]


def test_a_commit_slower_than_the_callers_patience_still_comes(reach: Reach) -> None:
    sandbox = notebook()
    session, url = reach(sandbox)
    sandbox.faults.add(Rule(route="PUT", kind="delay", seconds=0.2, times=1))

    with pytest.raises(requests.ReadTimeout):
        session.put(f"{url}/notes/slow", data="text", timeout=(1, 0.05))
    session.put(f"{url}/notes/later", data="text")
    sandbox.faults.add(Rule(route="GET /notes/slow", kind="delay", seconds=0.3, times=1))

    assert session.get(f"{url}/notes/slow", timeout=5).text == "text"


def test_status_html_and_truncation_look_like_the_real_thing(reach: Reach) -> None:
    sandbox = notebook()
    session, url = reach(sandbox)
    session.put(f"{url}/notes/n", data="0123456789")
    sandbox.faults.add(
        Rule(
            route="GET",
            kind="status",
            nth=1,
            status=429,
            body={"error": "slow down"},
            headers={"Retry-After": "7"},
        )
    )
    sandbox.faults.add(Rule(route="GET", kind="html", nth=2))
    sandbox.faults.add(Rule(route="GET", kind="truncate_body", nth=3))

    throttled, maintenance, cut = (session.get(f"{url}/notes/n") for _ in range(3))

    assert (throttled.status_code, throttled.headers["Retry-After"], throttled.json()) == (
        429,
        "7",
        {"error": "slow down"},
    )
    assert (maintenance.status_code, maintenance.headers["Content-Type"]) == (503, "text/html; charset=utf-8")
    assert cut.text == "01234"


def test_control_routes_set_faults_and_the_clock_and_tell_what_happened(reach: Reach) -> None:
    sandbox = notebook()
    session, url = reach(sandbox)

    session.post(f"{url}/_sandbox/faults", json={"route": "GET", "kind": "expire_token"})
    session.post(f"{url}/_sandbox/clock", json={"advance": 3600})
    session.put(f"{url}/notes/n", data="x")
    session.get(f"{url}/notes/n")

    state = session.get(f"{url}/_sandbox/state").json()
    assert state["tables"] == {"notes": 1}
    assert (state["writes"], state["requests"]) == (1, 2)
    assert state["calls"] == {"PUT /notes/<key>": 1, "GET /notes/<key>": 1}
    assert state["now"] == "2026-11-23T13:00:00Z"
    assert session.get(f"{url}/_sandbox/faults").json()[0]["struck"] == 1
    assert session.delete(f"{url}/_sandbox/faults").json() == []
    assert session.post(f"{url}/_sandbox/admin/merge", json=[1]).json() == {"merge": [1]}
    assert session.post(f"{url}/_sandbox/faults", json={"route": "GET"}).status_code == 400


def test_delays_without_a_socket_pass_in_virtual_time_only() -> None:
    sandbox = notebook()
    session = requests.Session()
    session.mount("http://notes.test", InProcess(sandbox))
    sandbox.faults.add(Rule(route="GET", kind="delay", seconds=86_400))

    session.get("http://notes.test/notes/n")

    assert (sandbox.clock.now() - TODAY).total_seconds() == 86_400


def test_one_connection_carries_many_requests_and_chunked_bodies_arrive() -> None:
    with serve(notebook()) as running:
        connection = http.client.HTTPConnection("127.0.0.1", running.port)
        connection.connect()
        socket = connection.sock

        connection.request("PUT", "/notes/c", body=iter([b"one ", b"two"]), encode_chunked=True)
        connection.getresponse().read()
        connection.request("GET", "/notes/c")
        text = connection.getresponse().read()

        assert text == b"one two"
        assert connection.sock is socket
        connection.close()
