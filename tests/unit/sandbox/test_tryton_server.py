"""What only the Tryton stand-in is asked: limits, patience with passwords, restarts, late commits, refused rows."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from sync_pipelines.sandbox.app import Sandbox
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.faults import FaultPlan, Rule
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.store import Store
from sync_pipelines.sandbox.transport import InProcess

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SITE = "http://erp.test"


class Client:
    """Speaks JSON-RPC to a stand-in in this process."""

    def __init__(self, store: Store | None = None) -> None:
        self.clock = VirtualClock(NOW)
        self.faults = FaultPlan()
        self.store = store or Store(None)
        self.sandbox: Sandbox = open_sandbox("tryton", self.store, clock=self.clock, faults=self.faults)
        self.session = requests.Session()
        self.session.mount(SITE, InProcess(self.sandbox))

    def post(self, method: str, *params: Any, database: str = "erp") -> requests.Response:
        body = {"id": 1, "method": method, "params": list(params)}
        return self.session.post(f"{SITE}/{database}/rpc/", json=body, timeout=5)

    def login(self, password: str = "admin-sandbox", **more: Any) -> int:
        answer = self.post("common.db.login", "admin", {"password": password}, **more)
        if answer.status_code == 200:
            user, token, _ = answer.json()["result"]
            words = base64.b64encode(f"admin:{user}:{token}".encode()).decode()
            self.session.headers["Authorization"] = f"Session {words}"
        return answer.status_code

    def call(self, model: str, verb: str, *params: Any) -> Any:
        return self.post(f"model.{model}.{verb}", *params, {"company": 1}).json().get("result")

    def status(self, model: str, verb: str, *params: Any) -> int:
        return self.post(f"model.{model}.{verb}", *params, {}).status_code


@pytest.fixture
def client() -> Client:
    client = Client()
    client.login()
    return client


def test_six_wrong_passwords_shut_the_door_for_five_minutes_even_for_the_right_one(client):
    wrong = [client.login("no") for _ in range(6)]
    barred = client.login()
    client.clock.advance(301)

    assert (wrong, barred) == ([401] * 6, 429)
    assert client.login() == 200


def test_the_right_password_forgives_the_wrong_ones_before(client):
    statuses = [client.login(password) for password in ("no", "no", "admin-sandbox", "no", "no", "no", "no")]

    assert statuses == [401, 401, 200, 401, 401, 401, 401]
    assert client.login() == 200


def test_a_database_that_is_not_there_is_404(client):
    assert client.login(database="elsewhere") == 404
    assert client.post("model.party.party.read", [1], ["name"], {}, database="elsewhere").status_code == 401


def test_a_session_ends_with_its_logout_its_age_or_an_administrator(client):
    assert client.status("party.party", "read", [1], ["name"]) == 200
    client.post("common.db.logout")
    assert client.status("party.party", "read", [1], ["name"]) == 401
    client.login()
    client.clock.advance(timedelta(days=31).total_seconds())
    assert client.status("party.party", "read", [1], ["name"]) == 401
    client.login()
    client.sandbox.vendor.expire_tokens()
    assert client.status("party.party", "read", [1], ["name"]) == 401


def test_basic_authentication_passes_too(client):
    client.session.headers["Authorization"] = "Basic " + base64.b64encode(b"admin:admin-sandbox").decode()

    assert client.status("party.party", "read", [1], ["name"]) == 200


def test_only_posting_asks_a_session_that_was_idle_to_log_in_again(client):
    client.clock.advance(301)

    assert client.status("account.invoice", "post", [1]) == 401
    assert client.status("party.party", "read", [1], ["name"]) == 200
    assert client.status("account.invoice", "post", []) == 200


def test_a_limit_of_records_refuses_more_with_413_but_no_limit_is_not_counted(client):
    client.sandbox.vendor.admin("limits", {"records": 2})
    three = [{"name": "a"}, {"name": "b"}, {"name": "c"}]

    assert client.status("party.party", "create", three) == 413
    assert client.status("party.party", "create", three[:2]) == 200
    assert client.status("party.party", "write", [1, 2], {"name": "x"}, [3], {"name": "y"}) == 413
    assert client.status("party.party", "search", [], 0, 3, None) == 413
    assert client.status("party.party", "search", [], 0, None, None) == 200
    assert client.status("party.party", "read", [1, 2, 3], ["name"]) == 413


def test_methods_that_the_stand_in_does_not_play_say_so(client):
    assert client.status("party.party", "copy", [1]) == 501
    assert client.status("party.party", "erase", [1]) == 403


def test_a_fault_refuses_one_record_and_with_it_its_batch(client):
    client.faults.add(Rule(route="create party.party C-2", kind="row", message="The ledger is locked."))
    batch = [{"name": "a", "code": "C-1"}, {"name": "b", "code": "C-2"}]

    answer = client.post("model.party.party.create", batch, {}).json()

    assert answer["error"] == ["UserError", ["The ledger is locked.", "", None]]
    assert client.call("party.party", "search_count", [["code", "like", "C-%"]]) == 0


def test_no_two_transactions_share_an_instant_even_while_the_clock_stands(client):
    ids = [client.call("party.party", "create", [{"name": "x"}])[0] for _ in range(3)]

    stamps = [row["_timestamp"] for row in client.call("party.party", "read", ids, ["_timestamp"])]

    assert len(set(stamps)) == 3
    assert stamps == sorted(stamps)


def test_ids_of_what_was_refused_are_gone_for_good(client):
    (first,) = client.call("party.party", "create", [{"name": "a", "code": "C-1"}])
    client.call("party.party", "create", [{"name": "b", "code": "C-2"}, {"name": "c", "code": "C-1"}])

    (next_one,) = client.call("party.party", "create", [{"name": "d"}])

    assert next_one > first + 1


def test_a_late_commit_is_dated_by_its_beginning_and_unseen_until_then(client):
    vendor = client.sandbox.vendor
    (late,) = vendor.admin("save_late", {"object": "party.party", "values": [{"name": "x"}], "seconds": 10})["ids"]
    client.clock.advance(5)
    (quick,) = client.call("party.party", "create", [{"name": "y"}])
    unseen = client.call("party.party", "search", [["id", "=", late]], 0, None, None)
    client.clock.advance(6)

    rows = client.call("party.party", "search_read", [["id", "in", [late, quick]]], 0, None, None, ["_timestamp"])

    assert unseen == []
    stamps = {row["id"]: float(row["_timestamp"]) for row in rows}
    assert late < quick
    assert 4.9 < stamps[quick] - stamps[late] < 5.1


def test_a_late_commit_that_is_refused_leaves_nothing_to_come(client):
    values = [{"name": "x", "code": "US01"}]

    with pytest.raises(ValueError, match="must be unique"):
        client.sandbox.vendor.admin("save_late", {"object": "party.party", "values": values, "seconds": 1})
    client.clock.advance(2)

    assert client.call("party.party", "search_count", [["name", "=", "x"]]) == 0


def test_a_restart_keeps_the_books_and_goes_on_counting(tmp_path: Path):
    store = Store(tmp_path / "erp.db")
    before = Client(store)
    before.login()
    (kept, gone) = before.call("party.party", "create", [{"name": "a"}, {"name": "b"}])
    stamp = before.call("party.party", "read", [kept], ["_timestamp"])
    before.call("party.party", "delete", [gone])
    store.close()

    after = Client(Store(tmp_path / "erp.db"))
    after.login()

    assert after.call("party.party", "read", [kept], ["_timestamp"]) == stamp
    (fresh,) = after.call("party.party", "create", [{"name": "c"}])
    assert fresh > gone
    assert float(after.call("party.party", "read", [fresh], ["_timestamp"])[0]["_timestamp"]) > float(
        stamp[0]["_timestamp"]
    )
    after.store.close()


def test_a_period_is_closed_and_reopened(client):
    (january,) = client.call("account.period", "search", [["name", "=", "2026-01"]], 0, None, None)
    client.call("account.period", "close", [january])
    closed = client.call("account.period", "read", [january], ["state"])
    client.call("account.period", "reopen", [january])

    assert closed[0]["state"] == "closed"
    assert client.call("account.period", "read", [january], ["state"])[0]["state"] == "open"
