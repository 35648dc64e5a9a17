from __future__ import annotations

import json

import pytest
import requests

from sync_pipelines.errors import FixConfiguration, RetryLater
from sync_pipelines.systems.auth import ApiKey, ClientCredentials

TOKEN = (200, b'{"access_token":"00D!one","instance_url":"http://acme.test","token_type":"Bearer"}')
LATER = (200, b'{"access_token":"00D!two","instance_url":"http://acme.test"}')


@pytest.fixture
def credentials(scripted):
    def build(*replies):
        wire, far_end = scripted(*replies)
        url = "http://crm.test/services/oauth2/token"
        return ClientCredentials("crm", url, "client", "s3cr3t", session=wire.session), wire.session, far_end

    return build


def test_a_token_is_fetched_once_and_used_until_it_is_renewed(credentials):
    auth, session, far_end = credentials(TOKEN, LATER)

    first = [auth.headers(session)["Authorization"] for _ in range(2)]
    auth.renew()

    assert first == ["Bearer 00D!one", "Bearer 00D!one"]
    assert auth.headers(session)["Authorization"] == "Bearer 00D!two"
    assert len(far_end.sent) == 2


def test_a_life_may_be_told_as_a_number_or_as_text(credentials):
    told = [(200, b'{"access_token":"one","expires_in":3600}'), (200, b'{"access_token":"two","expires_in":"3600"}')]
    auth, session, _ = credentials(*told)

    first = auth.headers(session)["Authorization"]
    auth.renew()

    assert (first, auth.headers(session)["Authorization"]) == ("Bearer one", "Bearer two")


def test_the_token_says_where_data_calls_go(credentials):
    auth, _, _ = credentials(TOKEN)

    assert auth.instance_url() == "http://acme.test"


def test_wrong_credentials_name_the_settings_and_not_the_secret(credentials):
    body = b'{"error":"invalid_client","error_description":"secret s3cr3t is wrong"}'
    auth, session, _ = credentials((400, body))

    with pytest.raises(FixConfiguration, match=r"invalid_client.*client_secret of \[systems.crm\]") as caught:
        auth.headers(session)
    assert "s3cr3t" not in f"{caught.value!r} {auth!r}"


@pytest.mark.parametrize(
    "failure", [(503, b"busy"), (200, b"<html>"), requests.ConnectTimeout("s3cr3t"), requests.ReadTimeout("")]
)
def test_a_token_service_that_is_down_is_tried_later(credentials, failure):
    auth, session, _ = credentials(failure)

    with pytest.raises(RetryLater) as caught:
        auth.headers(session)
    assert "s3cr3t" not in str(caught.value)


def test_the_secret_travels_in_the_body_and_never_in_the_address(credentials):
    auth, session, far_end = credentials(TOKEN)

    auth.headers(session)

    assert "s3cr3t" not in far_end.sent[0].url
    assert "client_secret=s3cr3t" in far_end.sent[0].body


def test_a_token_may_be_asked_for_with_a_scope_and_as_json(scripted):
    wire, far_end = scripted(TOKEN)
    url = "http://crm.test/oauth/tokens"
    auth = ClientCredentials("crm", url, "client", "s3cr3t", session=wire.session, scope="read", as_json=True)

    auth.headers(wire.session)

    assert far_end.sent[0].headers["Content-Type"] == "application/json"
    assert json.loads(far_end.sent[0].body) == {
        "grant_type": "client_credentials",
        "client_id": "client",
        "client_secret": "s3cr3t",
        "scope": "read",
    }


def test_a_signed_assertion_takes_the_secrets_place_and_is_fresh_for_each_token(scripted):
    wire, far_end = scripted(TOKEN, TOKEN)
    signed = iter(["first", "second"])
    auth = ClientCredentials(
        "erp", "http://crm.test/token", "client", session=wire.session, assertion=lambda: next(signed)
    )

    auth.headers(wire.session)
    auth.renew()
    auth.headers(wire.session)

    assert "client_assertion=first" in far_end.sent[0].body
    assert "client_assertion=second" in far_end.sent[1].body
    assert "client_secret" not in far_end.sent[0].body


def test_a_refresh_token_makes_it_the_flow_of_that_name(scripted):
    wire, far_end = scripted(TOKEN)
    url = "http://crm.test/token"
    auth = ClientCredentials("crm", url, "client", "s3cr3t", session=wire.session, refresh_token="r3fresh")

    auth.headers(wire.session)

    assert "grant_type=refresh_token" in far_end.sent[0].body
    assert "refresh_token=r3fresh" in far_end.sent[0].body


def test_id_and_secret_go_in_a_header_where_the_system_wants_that(scripted):
    wire, far_end = scripted(TOKEN)
    url = "http://crm.test/token"
    auth = ClientCredentials("cs", url, "client", "s3cr3t", session=wire.session, as_basic=True)

    auth.headers(wire.session)

    (request,) = far_end.sent
    assert request.headers["Authorization"] == "Basic Y2xpZW50OnMzY3IzdA=="
    assert request.body == "grant_type=client_credentials"


def test_a_key_goes_in_a_header_of_its_own_where_the_system_wants_that():
    key = ApiKey("cs", "s3cr3t", header="accesskey")

    assert key.headers(requests.Session()) == {"accesskey": "s3cr3t"}
    assert "s3cr3t" not in repr(key)
