from __future__ import annotations

import socket
from collections.abc import Mapping

import msgspec
import pytest
import requests

from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.errors import FixConfiguration, InDoubt, MalformedPage, RetryLater, Stop, SyncError
from sync_pipelines.systems.auth import ApiKey
from sync_pipelines.systems.budget import Usage
from sync_pipelines.systems.http import Patience, Wire, retry_after

OK = (200, b'{"ok":true}')
RESET = requests.ConnectionError("Connection aborted.", ConnectionResetError(104, "reset"))
HTML = (503, b"<!DOCTYPE html><h1>Down for Maintenance</h1>", {"Content-Type": "text/html"})


class Renewable:
    """Credentials that change once they are renewed."""

    def __init__(self) -> None:
        self.renewals = 0

    def headers(self, session: requests.Session) -> Mapping[str, str]:
        return {"Authorization": f"Bearer token-{self.renewals}"}

    def renew(self) -> None:
        self.renewals += 1


def busy(response: requests.Response) -> SyncError | None:
    if response.status_code == 429:
        return RetryLater("crm is busy", after=retry_after(response))
    return None


def read(wire: Wire) -> requests.Response:
    return wire.call("GET", "/things", route="GET /things", safe=True)


def create(wire: Wire) -> requests.Response:
    return wire.call("POST", "/things", route="POST /things", safe=False, json={"name": "Acme"})


def test_every_attempt_is_counted_under_its_route(scripted):
    wire, _ = scripted(RESET, OK)

    read(wire)

    assert wire.calls.total == 2
    assert wire.calls.by_route == {"GET /things": 2}


@pytest.mark.parametrize("failure", [RESET, requests.ReadTimeout("slow"), HTML, (500, b"{}"), (200, b'{"a":')])
def test_a_safe_call_is_repeated_until_it_is_answered(scripted, failure):
    wire, far_end = scripted(failure, failure, OK)

    assert read(wire).json() == {"ok": True}
    assert len(far_end.sent) == 3


@pytest.mark.parametrize("failure", [RESET, requests.ReadTimeout("slow"), HTML, (500, b"{}"), (200, b"")])
def test_an_unsafe_call_that_lost_its_answer_is_in_doubt_and_sent_once(scripted, failure):
    wire, far_end = scripted(failure)

    with pytest.raises(InDoubt, match="read back before sending it again"):
        create(wire)
    assert len(far_end.sent) == 1


def test_an_unsafe_call_is_repeated_when_the_system_says_that_it_did_nothing(scripted):
    wire, far_end = scripted((429, b"{}"), OK, classify=busy)

    create(wire)

    assert len(far_end.sent) == 2


def test_a_safe_write_whose_answers_stay_lost_is_in_doubt(scripted):
    wire, _ = scripted(*[RESET] * 5)

    with pytest.raises(InDoubt):
        wire.call("POST", "/things", route="POST /things", safe=True, writes=True)


def test_a_read_gives_up_after_its_attempts_and_asks_to_come_back_later(scripted):
    wire, far_end = scripted(*[RESET] * 5)

    with pytest.raises(RetryLater, match=r"crm gave no whole answer to GET /things"):
        read(wire)
    assert len(far_end.sent) == 5


def test_a_body_that_stays_cut_off_is_a_malformed_page(scripted):
    wire, _ = scripted(*[(200, b'{"records":[{"Id":"1"')] * 5)

    with pytest.raises(MalformedPage, match="cut off"):
        read(wire)


def test_an_answer_that_only_says_later_may_be_empty_and_one_that_says_done_may_not(scripted):
    wire, _ = scripted((202, b""), *[(200, b"")] * 5)

    assert read(wire).status_code == 202
    with pytest.raises(MalformedPage, match="empty"):
        read(wire)


class Signed:
    """Proves each call by what it says."""

    def headers(self, session):
        return {}

    def renew(self):
        raise FixConfiguration("the signature is not accepted")

    def sign(self, request):
        request.headers["Authorization"] = f"Signed {request.method} {request.path_url}"
        return request


def test_a_signer_is_given_every_call_and_every_repeat_of_it(scripted):
    wire, far_end = scripted(RESET, OK, auth=Signed())

    read(wire)

    assert [call.headers["Authorization"] for call in far_end.sent] == ["Signed GET /things"] * 2


def test_waits_grow_and_are_spread(scripted, clock):
    started = clock.now()
    wire, _ = scripted(RESET, RESET, RESET, OK)

    read(wire)

    waited = (clock.now() - started).total_seconds()
    assert 0.25 + 0.5 + 1.0 <= waited <= 0.5 + 1.0 + 2.0
    assert waited != 3.5


def test_the_system_is_given_the_time_that_it_asks_for(scripted, clock):
    started = clock.now()
    wire, _ = scripted((429, b"{}", {"Retry-After": "7"}), OK, classify=busy)

    read(wire)

    assert (clock.now() - started).total_seconds() == 7


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "Mon, 23 Nov 2026 09:01:30 GMT", "Date": "Mon, 23 Nov 2026 09:00:00 GMT"}, 90.0),
        ({"Retry-After": "Mon, 23 Nov 2026 08:00:00 GMT", "Date": "Mon, 23 Nov 2026 09:00:00 GMT"}, 0.0),
        ({"Retry-After": "Mon, 23 Nov 2026 09:01:30 GMT"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "inf"}, None),
        ({}, None),
    ],
)
def test_a_wait_is_a_number_or_a_date_by_the_servers_own_clock(headers, seconds):
    response = requests.Response()
    response.headers.update(headers)

    assert retry_after(response) == seconds


def test_a_page_for_people_with_a_time_to_come_back_is_a_throttle_and_without_one_a_wrong_address(scripted, clock):
    page = (403, b"<html>Too many requests</html>")
    started = clock.now()
    wire, _ = scripted((*page, {"Content-Type": "text/html", "Retry-After": "7"}), OK)

    read(wire)

    assert (clock.now() - started).total_seconds() == 7
    wire, _ = scripted((*page, {"Content-Type": "text/html"}))
    with pytest.raises(FixConfiguration):
        read(wire)


def test_the_topology_says_how_often_a_call_is_sent(scripted, settings, clock):
    impatient = msgspec.structs.replace(settings, attempts=1)
    _, far_end = scripted(RESET, OK)
    session = requests.Session()
    session.mount("http://crm.test", far_end)
    wire = Wire(impatient, clock=clock, session=session, auth=ApiKey("crm", "key"), classify=busy)

    with pytest.raises(RetryLater):
        read(wire)

    assert len(far_end.sent) == 1


def test_a_long_wait_is_left_to_the_engine(scripted, clock):
    started = clock.now()
    wire, _ = scripted((429, b"{}", {"Retry-After": "3600"}), classify=busy)

    with pytest.raises(RetryLater) as caught:
        read(wire)
    assert caught.value.after == 3600
    assert clock.now() == started


def test_a_system_that_stays_down_is_not_stormed_with_retries(scripted):
    wire, far_end = scripted(*[RESET] * 100)

    for _ in range(20):
        with pytest.raises(RetryLater):
            read(wire)

    assert len(far_end.sent) == 20 + 20


def test_expired_credentials_are_renewed_once_and_the_call_goes_on(scripted):
    auth = Renewable()
    wire, far_end = scripted((401, b"{}"), OK, auth=auth)

    create(wire)

    assert auth.renewals == 1
    assert [sent.headers["Authorization"] for sent in far_end.sent] == ["Bearer token-0", "Bearer token-1"]


def test_credentials_refused_twice_are_a_configuration_fault(scripted):
    wire, far_end = scripted((401, b"{}"), (401, b"{}"), auth=Renewable())

    with pytest.raises(FixConfiguration, match=r"\[systems.crm\]"):
        read(wire)
    assert len(far_end.sent) == 2


def test_a_key_that_is_refused_names_the_setting(scripted):
    wire, _ = scripted((401, b"{}"))

    with pytest.raises(FixConfiguration, match="'api_key'"):
        read(wire)


def test_a_refused_connection_says_which_system_is_down_even_for_a_write(clock):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = SystemSettings(name="crm", adapter="crm", url=f"http://127.0.0.1:{port}")
    wire = Wire(settings, clock=clock, auth=ApiKey("crm", "k"), classify=busy, patience=Patience(attempts=2))

    with wire.session, pytest.raises(RetryLater, match=r"crm is down .* url of \[systems.crm\]"):
        create(wire)


def test_an_answer_can_not_lead_credentials_to_another_host(scripted):
    wire, far_end = scripted(OK)

    with pytest.raises(Stop, match="no credentials are sent there"):
        wire.call("GET", "http://evil.test/next", route="GET /next", safe=True)
    assert far_end.sent == []


def test_a_redirect_is_not_followed(scripted):
    wire, far_end = scripted((302, b"", {"Location": "http://login.test/?next=/things"}))

    with pytest.raises(FixConfiguration, match="redirects GET /things to http://login"):
        read(wire)
    assert len(far_end.sent) == 1


def test_an_html_page_with_404_means_a_wrong_address(scripted):
    wire, _ = scripted((404, b"<html>no such page</html>", {"Content-Type": "text/html"}))

    with pytest.raises(FixConfiguration, match="the address of its API"):
        create(wire)


def test_the_correlation_id_travels_in_the_vendors_header(scripted):
    wire, far_end = scripted(OK, correlation_header="X-Correlation-Id")

    wire.call("GET", "/things", route="GET /things", safe=True, correlation_id="deal-7")

    assert far_end.sent[0].headers["X-Correlation-Id"] == "deal-7"


def test_a_netrc_file_does_not_replace_the_credentials(scripted, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("machine crm.test login someone password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    wire, far_end = scripted(OK)

    read(wire)

    assert far_end.sent[0].headers["Authorization"] == "Bearer sk_secret"


def test_a_limit_reported_as_used_up_stops_calls_before_they_are_sent(scripted):
    wire, far_end = scripted(OK, OK, usage_of=lambda response: Usage(5000, 5000))
    read(wire)

    with pytest.raises(RetryLater, match="5000 of 5000"):
        read(wire)
    assert len(far_end.sent) == 1


@pytest.mark.parametrize(
    "failure",
    [
        RESET,
        requests.ConnectionError("http://crm.test/things?email=jane@acme.test sk_secret"),
        (500, b'{"message":"jane@acme.test sk_secret"}'),
        (302, b"", {"Location": "http://x.test/?token=sk_secret&email=jane@acme.test"}),
        (401, b'{"message":"key sk_secret of jane@acme.test"}'),
    ],
)
@pytest.mark.parametrize("safe", [True, False])
def test_no_secret_and_no_personal_data_reach_a_message(scripted, failure, safe):
    wire, _ = scripted(*[failure] * 5)

    with pytest.raises(SyncError) as caught:
        wire.call("POST", "/things", route="POST /things", safe=safe, json={"email": "jane@acme.test"})

    told = f"{caught.value} {caught.value!r} {wire!r} {wire._auth!r}"
    assert "sk_secret" not in told
    assert "jane@acme.test" not in told
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
