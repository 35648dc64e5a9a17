"""Around every route: keys, versions, limits, idempotency, pages, events."""

import base64
import threading

import pytest
from stripe_desk import TODAY, URL, Desk, open_desk

from sync_pipelines.sandbox.faults import Rule
from sync_pipelines.sandbox.server import serve
from sync_pipelines.sandbox.stripe import API_VERSION, limited, locked


@pytest.fixture
def desk() -> Desk:
    return open_desk()


def made(desk: Desk) -> int:
    return desk.sandbox.store.count("customer")


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (None, "You did not provide an API key"),
        ("Bearer sk_test_wrong", "Invalid API Key provided: sk_test_"),
        ("Basic !!!", "You did not provide an API key"),
    ],
)
def test_without_the_right_key_nothing_is_told(desk: Desk, header: str | None, words: str) -> None:
    answer = desk.session.get(f"{URL}/v1/customers", headers={"Authorization": header}, timeout=5)

    assert answer.status_code == 401
    assert answer.json()["error"]["message"].startswith(words)
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="Stripe"'


def test_the_key_may_be_the_user_of_basic_auth(desk: Desk) -> None:
    basic = "Basic " + base64.b64encode(b"sk_test_sandbox:").decode()

    answer = desk.session.get(f"{URL}/v1/account", headers={"Authorization": basic}, timeout=5)

    assert answer.status_code == 200
    assert answer.json()["id"].startswith("acct_")


def test_an_expired_key_says_so(desk: Desk) -> None:
    desk.sandbox.faults.add(Rule(route="/v1/account", kind="expire_token", times=1))

    answer = desk.send("GET", "/v1/account")

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "api_key_expired")


def test_only_the_pinned_version_is_spoken(desk: Desk) -> None:
    def ask(version: str) -> int:
        headers = {"Stripe-Version": version}
        return desk.session.get(f"{URL}/v1/account", headers=headers, timeout=5).status_code

    assert ask(API_VERSION) == 200
    assert ask("2026-10-28.endive") == 400
    assert desk.send("GET", "/v1/account").headers["Stripe-Version"] == API_VERSION


def test_another_account_is_forbidden(desk: Desk) -> None:
    headers = {"Stripe-Account": "acct_other"}

    answer = desk.session.get(f"{URL}/v1/account", headers=headers, timeout=5)

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "account_invalid")


def test_an_unknown_path_or_method_is_answered_in_stripes_words(desk: Desk) -> None:
    for method, path in [("GET", "/v1/nothing"), ("PUT", "/v1/customers")]:
        answer = desk.send(method, path)

        assert answer.status_code == 404
        assert "Unrecognized request URL" in answer.json()["error"]["message"]
        assert answer.headers["Request-Id"].startswith("req_")


def test_a_json_body_is_refused(desk: Desk) -> None:
    answer = desk.send("POST", "/v1/customers", json={"name": "Acme"})

    assert answer.status_code == 400
    assert "application/x-www-form-urlencoded" in answer.json()["error"]["message"]


def test_a_repeated_key_gives_the_first_answer_and_creates_nothing(desk: Desk) -> None:
    first = desk.send("POST", "/v1/customers", key="k1", data={"name": "Acme"})
    again = desk.send("POST", "/v1/customers", key="k1", data={"name": "Acme"})

    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Original-Request"] == first.headers["Request-Id"]
    assert made(desk) == 1


def test_a_key_with_other_parameters_is_an_idempotency_error(desk: Desk) -> None:
    desk.post("/v1/customers", key="k1", name="Acme")

    answer = desk.send("POST", "/v1/customers", key="k1", data={"name": "Other"})

    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "idempotency_error")


def test_a_request_that_failed_validation_may_use_its_key_again(desk: Desk) -> None:
    assert desk.error("/v1/customers", key="k1", nme="Acme") == ("parameter_unknown", "nme")

    assert desk.post("/v1/customers", key="k1", name="Acme")["object"] == "customer"


def test_a_refusal_after_execution_began_is_kept(desk: Desk) -> None:
    first = desk.send("POST", "/v1/customers/cus_late", key="k1", data={"name": "A"})
    desk.sandbox.vendor.admin("seed", {"customer": [{"id": "cus_late", "created": 1}]})
    again = desk.send("POST", "/v1/customers/cus_late", key="k1", data={"name": "A"})

    assert first.status_code == again.status_code == 404
    assert again.headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize(("moment", "customers"), [("begin", 0), ("commit", 1)])
def test_a_server_error_is_kept_under_its_key(desk: Desk, moment: str, customers: int) -> None:
    desk.sandbox.faults.add(Rule(route=f"{moment} POST /v1/customers", kind="row", status=500, times=1))
    first = desk.send("POST", "/v1/customers", key="k1", data={"name": "Acme"})
    again = desk.send("POST", "/v1/customers", key="k1", data={"name": "Acme"})

    assert (first.status_code, again.status_code) == (500, 500)
    assert first.json()["error"]["type"] == "api_error"
    assert made(desk) == customers


def test_a_key_is_forgotten_after_a_day(desk: Desk) -> None:
    desk.post("/v1/customers", key="k1", name="Acme")
    desk.sandbox.clock.advance(86_401)
    answer = desk.send("POST", "/v1/customers", key="k1", data={"name": "Other"})

    assert answer.status_code == 200
    assert made(desk) == 2


def test_reading_and_deleting_ignore_keys(desk: Desk) -> None:
    customer = desk.post("/v1/customers", name="Acme")["id"]
    desk.send("GET", f"/v1/customers/{customer}", key="k1")

    answer = desk.send("DELETE", f"/v1/customers/{customer}", key="k1")

    assert answer.json()["deleted"] is True


def test_a_second_request_with_the_key_of_one_that_is_still_on_its_way_conflicts(desk: Desk) -> None:
    arrived, released = threading.Event(), threading.Event()
    environ_wait = {"sandbox.wait": lambda seconds: (arrived.set(), released.wait(5)) if seconds else None}
    desk.sandbox.faults.add(Rule(route="POST /v1/customers", kind="delay", seconds=1, times=1))

    def slow(environ: dict[str, object], start: object) -> object:
        return desk.sandbox({**environ, **environ_wait}, start)

    with serve(slow) as running:  # type: ignore[arg-type]
        form = {"name": "Acme"}
        headers = {"Idempotency-Key": "k1", "Authorization": "Bearer sk_test_sandbox"}
        url = f"{running.url}/v1/customers"
        first: list[int] = []
        thread = threading.Thread(
            target=lambda: first.append(desk.session.post(url, data=form, headers=headers, timeout=5).status_code)
        )
        thread.start()
        assert arrived.wait(5)
        second = desk.send("POST", "/v1/customers", key="k1", data=form)
        released.set()
        thread.join()
        desk.session.close()

    assert (second.status_code, second.json()["error"]["code"]) == (409, "idempotency_key_in_use")
    assert first == [200]
    assert desk.send("POST", "/v1/customers", key="k1", data=form).headers["Idempotent-Replayed"] == "true"


def test_the_limiter_answers_429_within_a_second_and_keeps_nothing(desk: Desk) -> None:
    desk.sandbox.vendor.admin("settings", {"calls_per_second": 2})
    statuses = [desk.send("POST", "/v1/customers", key=f"k{n}").status_code for n in range(3)]
    desk.sandbox.clock.advance(1)

    assert statuses == [200, 200, 429]
    assert desk.send("POST", "/v1/customers", key="k2").status_code == 200


def test_throttling_and_locks_come_by_the_fault_plan_too(desk: Desk) -> None:
    desk.sandbox.faults.add(limited("POST /v1/customers", nth=1))
    desk.sandbox.faults.add(locked("POST /v1/customers", nth=2))

    codes = [desk.error("/v1/customers", key="k")[0] for _ in range(2)]

    assert codes == ["rate_limit", "lock_timeout"]
    assert made(desk) == 0


def test_pages_go_from_new_to_old_also_within_one_second(desk: Desk) -> None:
    ids = [desk.post("/v1/customers", name=str(n))["id"] for n in range(7)][::-1]
    seen: list[str] = []
    page = desk.get("/v1/customers", limit=3)
    while True:
        seen += [each["id"] for each in page["data"]]
        if not page["has_more"]:
            break
        page = desk.get("/v1/customers", limit=3, starting_after=seen[-1])

    assert seen == ids
    assert page["url"] == "/v1/customers"


def test_paging_backwards_ends_at_the_newest(desk: Desk) -> None:
    ids = [desk.post("/v1/customers", name=str(n))["id"] for n in range(5)][::-1]

    near = desk.get("/v1/customers", limit=2, ending_before=ids[4])
    top = desk.get("/v1/customers", limit=2, ending_before=ids[2])

    assert ([each["id"] for each in near["data"]], near["has_more"]) == (ids[2:4], True)
    assert ([each["id"] for each in top["data"]], top["has_more"]) == (ids[:2], False)


def test_a_customer_that_vanishes_while_paging_still_serves_as_the_cursor(desk: Desk) -> None:
    ids = [desk.post("/v1/customers", name=str(n))["id"] for n in range(4)][::-1]
    desk.delete(f"/v1/customers/{ids[1]}")

    page = desk.get("/v1/customers", starting_after=ids[1])

    assert [each["id"] for each in page["data"]] == ids[2:]


@pytest.mark.parametrize(
    ("params", "code", "param"),
    [
        ({"limit": 101}, "parameter_invalid_integer", "limit"),
        ({"limit": 0}, "parameter_invalid_integer", "limit"),
        ({"starting_after": "cus_x"}, "resource_missing", "starting_after"),
        ({"starting_after": "a", "ending_before": "b"}, "parameters_exclusive", "ending_before"),
        ({"offset": 5}, "parameter_unknown", "offset"),
        ({"expand[]": "total_count"}, "property_forbidden", "expand"),
        ({"expand[]": "data.metadata.a.b.c"}, "property_expansion_max_depth", "expand"),
    ],
)
def test_a_list_refuses_what_stripe_refuses(desk: Desk, params: dict[str, str], code: str, param: str) -> None:
    desk.post("/v1/customers", name="Acme")

    error = desk.get("/v1/customers", params=params)["error"]

    assert (error["code"], error["param"]) == (code, param)


def test_created_bounds_cut_exactly(desk: Desk) -> None:
    start = int(TODAY.timestamp())
    ids = []
    for _ in range(4):
        ids.append(desk.post("/v1/customers")["id"])
        desk.sandbox.clock.advance(1)

    def found(**bounds: int) -> list[str]:
        params = {f"created[{name}]": value for name, value in bounds.items()}
        return [each["id"] for each in desk.get("/v1/customers", params=params)["data"]]

    assert found(gte=start + 1, lt=start + 3) == [ids[2], ids[1]]
    assert found(gt=start + 1) == [ids[3], ids[2]]
    assert found(lte=start) == [ids[0]]
    assert [each["id"] for each in desk.get("/v1/customers", created=start + 2)["data"]] == [ids[2]]


def test_ids_follow_from_the_seed_alone() -> None:
    def first(seed: int) -> str:
        desk = open_desk()
        desk.sandbox.vendor.admin("settings", {"seed": seed})
        return str(desk.post("/v1/customers")["id"])

    assert first(1) == first(1) != first(2)


def test_events_tell_what_was_before_and_who_asked(desk: Desk) -> None:
    customer = desk.post("/v1/customers", form={"name": "Acme", "metadata[a]": "1", "metadata[b]": "2"})["id"]
    desk.post(f"/v1/customers/{customer}", key="k9", form={"name": "Acme Inc", "metadata[a]": ""})
    desk.post(f"/v1/customers/{customer}", name="Acme Inc")

    events = desk.get("/v1/events")["data"]

    assert [event["type"] for event in events] == ["customer.updated", "customer.created"]
    assert events[0]["data"]["previous_attributes"] == {"metadata": {"a": "1"}, "name": "Acme"}
    assert events[0]["data"]["object"]["metadata"] == {"b": "2"}
    assert events[0]["request"]["idempotency_key"] == "k9"
    assert events[0]["api_version"] == API_VERSION
    assert events[1]["data"]["object"]["name"] == "Acme"
    assert desk.get(f"/v1/events/{events[0]['id']}") == events[0]


def test_events_are_gone_after_thirty_days(desk: Desk) -> None:
    desk.post("/v1/customers")
    event = desk.get("/v1/events")["data"][0]["id"]
    desk.sandbox.clock.advance(30 * 86_400)

    assert desk.get("/v1/events")["data"] == []
    assert desk.send("GET", f"/v1/events/{event}").status_code == 404


def test_events_are_filtered_by_type(desk: Desk) -> None:
    desk.delete(f"/v1/customers/{desk.post('/v1/customers')['id']}")
    desk.post("/v1/products", name="Seat")

    def types(**params: object) -> list[str]:
        return [event["type"] for event in desk.get("/v1/events", params=params)["data"]]

    assert types(type="customer.*") == ["customer.deleted", "customer.created"]
    assert types(**{"types[]": ["product.created", "customer.created"]}) == ["product.created", "customer.created"]
    assert desk.get("/v1/events", params={"types[]": ["t"] * 21})["error"]["param"] == "types"


def test_a_refused_write_leaves_nothing_behind(desk: Desk) -> None:
    product = desk.post("/v1/products", name="Seat")["id"]
    desk.post("/v1/prices", product=product, currency="usd", unit_amount=1, lookup_key="seat")
    before = desk.sandbox.state()["tables"], desk.events()

    error = desk.error(
        "/v1/prices",
        form={"product_data[name]": "New", "currency": "usd", "unit_amount": 1, "lookup_key": "seat"},
    )

    assert error == ("resource_already_exists", "lookup_key")
    assert (desk.sandbox.state()["tables"], desk.events()) == before
