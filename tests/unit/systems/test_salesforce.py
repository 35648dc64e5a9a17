from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from urllib.parse import parse_qs, quote_plus, urlsplit

import msgspec
import pytest
import requests

from sync_pipelines.engine.port import Operation, Request, State
from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.errors import FixConfiguration, InDoubt, MalformedPage, RetryLater
from sync_pipelines.systems.salesforce import EXTERNAL_ID, Salesforce, open_system, soql
from sync_pipelines.systems.salesforce.answer import usage_of
from tests.unit.systems.conftest import Scripted

TOKEN = (200, b'{"access_token":"00D!one","instance_url":"http://acme.test"}')
SHAPE = {"Name": "VARCHAR"}
LOCKED = {"success": False, "errors": [{"statusCode": "UNABLE_TO_LOCK_ROW", "message": "x", "fields": []}]}


def answer(value: object, status: int = 200) -> tuple[int, bytes]:
    return (status, msgspec.json.encode(value))


def refusal(code: str, message: str = "", status: int = 400) -> tuple[int, bytes]:
    return answer([{"errorCode": code, "message": message}], status)


def row(record_id: str, second: int, *, deleted: bool = False) -> dict[str, object]:
    stamp = f"2026-11-02T08:00:{second:02d}.000+0000"
    return {"Id": record_id, "SystemModstamp": stamp, "IsDeleted": deleted, "Name": record_id}


def page(*rows: dict[str, object], following: str | None = None) -> tuple[int, bytes]:
    link = {"nextRecordsUrl": following} if following else {}
    return answer({"totalSize": len(rows), "done": following is None, **link, "records": rows})


def request(name: str, *, operation: Operation = Operation.CREATE, **body: object) -> Request:
    return Request(name, "Entitlement", operation, f"id-{name}", f"link-{name}", {"Name": name, **body})


def saved(record_id: str) -> dict[str, object]:
    return {"id": record_id, "success": True, "errors": [], "created": True}


@pytest.fixture
def org(clock):
    def build(*replies) -> tuple[Salesforce, Scripted]:
        far_end = Scripted([TOKEN, *replies])
        session = requests.Session()
        session.mount("http://acme.test", far_end)
        settings = SystemSettings(
            name="crm",
            adapter="salesforce",
            url="http://acme.test",
            calls_per_second=1000,
            options={"client_id": "client", "client_secret": "s3cr3t"},
        )
        return open_system(settings, clock=clock, session=session), far_end

    return build


def queries(far_end: Scripted) -> list[str]:
    asked = [parse_qs(urlsplit(sent.url).query).get("q") for sent in far_end.sent]
    return [query[0] for query in asked if query]


def test_a_first_read_asks_for_everything_with_deleted_rows_in_keyset_order(org):
    crm, far_end = org(page(row("001", 1), row("002", 2, deleted=True)))

    pages = list(crm.read("Account", {"Name": "VARCHAR", "Owner": {"Email": "VARCHAR"}}, None))

    assert queries(far_end) == [
        "SELECT Id, SystemModstamp, IsDeleted, Name, Owner.Email FROM Account ORDER BY SystemModstamp, Id"
    ]
    assert urlsplit(far_end.sent[1].url).path == "/services/data/v67.0/queryAll"
    assert pages[0].record_ids == ["001", "002"]
    assert pages[0].deleted == [False, True]
    assert pages[0].cursor == {"at": "2026-11-02T08:00:02.000Z", "id": "002"}


def test_a_later_read_starts_an_overlap_behind_the_cursor(org):
    crm, far_end = org(page())

    assert list(crm.read("Account", SHAPE, {"at": "2026-11-02T08:00:02.000Z", "id": "002"})) == []
    assert "WHERE SystemModstamp >= 2026-11-02T07:40:02.000Z ORDER BY" in queries(far_end)[0]


def test_a_cursor_never_goes_back_while_the_overlap_is_read_again(org):
    cursor = {"at": "2026-11-02T08:00:30.000Z", "id": "005"}
    crm, _ = org(page(row("001", 1), following="/services/data/v67.0/query/0r8-1"), page(row("009", 40)))

    cursors = [each.cursor for each in crm.read("Account", SHAPE, cursor)]

    assert cursors == [cursor, {"at": "2026-11-02T08:00:40.000Z", "id": "009"}]


def test_a_locator_that_expired_is_replaced_by_the_keyset_of_the_last_row(org):
    crm, far_end = org(
        page(row("001", 1), row("002", 1), following="/services/data/v67.0/query/0r8-2"),
        refusal("INVALID_QUERY_LOCATOR"),
        page(row("003", 1)),
    )

    read = [record for each in crm.read("Account", SHAPE, None) for record in each.record_ids]

    assert read == ["001", "002", "003"]
    stamp = "2026-11-02T08:00:01.000Z"
    assert f"(SystemModstamp > {stamp} OR (SystemModstamp = {stamp} AND Id > '002'))" in queries(far_end)[1]


def test_a_page_that_is_not_the_last_and_names_no_next_is_malformed(org):
    crm, _ = org(answer({"done": False, "records": [row("001", 1)]}))

    with pytest.raises(MalformedPage):
        list(crm.read("Account", SHAPE, None))


def test_an_unknown_field_names_object_field_and_file(org):
    message = (
        "\nSELECT Id, Nme FROM Account\n    ^\nERROR at Row:1:Column:12\nNo such column 'Nme' on entity 'Account'."
    )
    crm, _ = org(refusal("INVALID_FIELD", message))

    with pytest.raises(FixConfiguration, match=r"Account has no field 'Nme'.*mappings/salesforce/objects.toml"):
        list(crm.read("Account", {"Nme": "VARCHAR"}, None))


@pytest.mark.parametrize(
    ("reply", "error", "after"),
    [
        (refusal("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", 403), RetryLater, 3600),
        (refusal("INVALID_TYPE", "sObject type 'Acount' is not supported."), FixConfiguration, None),
        (refusal("MALFORMED_QUERY"), FixConfiguration, None),
        (refusal("API_DISABLED_FOR_ORG", status=403), FixConfiguration, None),
        (refusal("UNSUPPORTED_API_VERSION", status=410), FixConfiguration, None),
        (refusal("INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE", status=503), RetryLater, 300),
    ],
)
def test_each_error_code_says_what_to_do(org, reply, error, after):
    crm, _ = org(reply)

    with pytest.raises(error) as caught:
        crm.count("Account")
    assert getattr(caught.value, "after", None) == after


def test_too_many_calls_at_once_pass_after_a_short_wait(org):
    throttled = refusal("REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests Limit exceeded.", 403)
    crm, _ = org(throttled, answer({"totalSize": 7, "done": True, "records": []}))

    assert crm.count("Account") == 7


def test_api_use_is_read_past_the_second_part_for_one_app(org):
    response = requests.Response()
    response.headers["Sforce-Limit-Info"] = "per-app-api-usage=17/250(appName=x), api-usage=18/5000"

    usage = usage_of(response)

    assert usage is not None
    assert (usage.used, usage.limit) == (18, 5000)


def test_ids_are_swept_by_keyset(org):
    first = [{"Id": f"{number:05d}"} for number in range(2000)]
    crm, far_end = org(page(*first), page({"Id": "90000"}))

    swept = list(crm.ids("Account"))

    assert [len(ids) for ids in swept] == [2000, 1]
    assert queries(far_end)[1] == "SELECT Id FROM Account WHERE Id > '01999' ORDER BY Id LIMIT 2000"


def looked(*parts: tuple[int, object]) -> tuple[int, bytes]:
    """An answer to a composite call; a part is its status and its body."""
    return answer({"compositeResponse": [{"httpStatusCode": status, "body": body} for status, body in parts]})


EMPTY = {"done": True, "totalSize": 0, "records": []}


def test_what_of_five_objects_changed_costs_one_call_of_as_many_queries(org):
    rows = {"done": True, "totalSize": 1, "records": [{"Id": "001"}]}
    crm, far_end = org(looked((200, rows), *[(200, EMPTY)] * 4), looked((200, rows)))
    cursor = {"at": "2026-11-02T08:00:02.000Z", "id": "002"}

    assert crm.changed({f"Object{number}": cursor for number in range(6)}) == {"Object0", "Object5"}
    sent = [msgspec.json.decode(call.body)["compositeRequest"] for call in far_end.sent[1:]]
    assert [len(parts) for parts in sent] == [5, 1]
    assert all(part["url"].endswith("LIMIT+1") for parts in sent for part in parts)
    assert crm.calls.total == 2


def test_an_object_that_cannot_be_asked_is_named(org):
    crm, _ = org(looked((200, EMPTY), (400, [{"errorCode": "INVALID_TYPE", "message": "no such thing"}])))

    with pytest.raises(FixConfiguration, match="changes of Contract"):
        crm.changed({"Account": None, "Contract": None})


def test_a_look_with_too_few_answers_is_malformed(org):
    crm, _ = org(looked((200, EMPTY)))

    with pytest.raises(MalformedPage):
        crm.changed({"Account": None, "Contract": None})


def test_many_ids_are_fetched_in_queries_that_fit_a_uri(org):
    ids = [f"001Hs0000{number:09d}" for number in range(1000)]
    crm, far_end = org(*[page(row(ids[0], 1))] * 3)

    found = crm.fetch("Account", SHAPE, ids)

    assert list(found) == [ids[0]]
    assert all(len(sent.url) < 16_384 - 2_000 for sent in far_end.sent)
    assert sum(query.count("001Hs") for query in queries(far_end)) == 1000


def test_a_record_is_found_by_the_external_id_that_it_carries(org):
    crm, far_end = org(page({"Id": "550", "SystemModstamp": "s", EXTERNAL_ID: "link-o'hara"}))

    found = crm.find("Entitlement", ["link-o'hara"])

    assert found["link-o'hara"].record_id == "550"
    assert "Sync_Id__c IN ('link-o\\'hara')" in queries(far_end)[0]


def test_creates_go_as_one_upsert_on_the_external_id(org):
    crm, far_end = org(answer([saved("550A"), saved("550B")]))

    outcomes = crm.write([request("a"), request("b")])

    sent = json.loads(far_end.sent[1].body)
    assert far_end.sent[1].method == "PATCH"
    assert far_end.sent[1].url.endswith(f"/composite/sobjects/Entitlement/{EXTERNAL_ID}")
    assert sent["allOrNone"] is False
    assert sent["records"][0] == {"attributes": {"type": "Entitlement"}, "Name": "a", EXTERNAL_ID: "link-a"}
    assert [(each.state, each.record_id) for each in outcomes] == [
        (State.CONFIRMED, "550A"),
        (State.CONFIRMED, "550B"),
    ]


def test_updates_go_by_id(org):
    crm, far_end = org(answer([saved("id-a")]))

    crm.write([request("a", operation=Operation.UPDATE)])

    sent = json.loads(far_end.sent[1].body)
    assert sent["records"] == [{"attributes": {"type": "Entitlement"}, "Name": "a", "id": "id-a"}]


def test_rows_of_one_parent_go_side_by_side_and_outcomes_keep_the_order_of_the_requests(org):
    crm, far_end = org(answer([saved("1"), saved("2"), saved("3")]))

    outcomes = crm.write([request("a", AccountId="B"), request("b", AccountId="A"), request("c", AccountId="B")])

    assert [each["Name"] for each in json.loads(far_end.sent[1].body)["records"]] == ["b", "a", "c"]
    assert [each.record_id for each in outcomes] == ["2", "1", "3"]


def test_a_refused_row_does_not_stop_the_others_and_quotes_no_value(org):
    bad = {
        "success": False,
        "errors": [
            {
                "statusCode": "INVALID_EMAIL_ADDRESS",
                "message": "Email: invalid email address: jane@acme",
                "fields": ["Email"],
            }
        ],
    }
    crm, _ = org(answer([bad, saved("550B")]))

    refused, good = crm.write([request("a"), request("b")])

    assert (refused.state, refused.code) == (State.REFUSED, "INVALID_EMAIL_ADDRESS")
    assert "Email" in refused.message
    assert "jane" not in refused.message
    assert good.state is State.CONFIRMED


def test_a_locked_row_is_sent_again_alone(org):
    crm, far_end = org(answer([LOCKED, saved("550B")]), answer([saved("550A")]))

    outcomes = crm.write([request("a"), request("b")])

    assert [each.state for each in outcomes] == [State.CONFIRMED] * 2
    assert len(json.loads(far_end.sent[2].body)["records"]) == 1


def test_a_row_that_stays_locked_fails_after_a_few_tries(org):
    crm, far_end = org(*[answer([LOCKED])] * 3)

    (outcome,) = crm.write([request("a")])

    assert (outcome.state, outcome.code) == (State.FAILED, "UNABLE_TO_LOCK_ROW")
    assert len(far_end.sent) == 1 + 3


def test_a_lost_second_try_puts_only_its_row_in_doubt(org):
    crm, _ = org(answer([LOCKED, saved("550B")]), requests.ReadTimeout("slow"))

    locked, good = crm.write([request("a"), request("b")])

    assert locked.state is State.IN_DOUBT
    assert good.state is State.CONFIRMED


def test_the_loser_of_two_upserts_on_one_key_tries_again_as_an_update(org):
    clash = {"success": False, "errors": [{"statusCode": "DUPLICATE_VALUE", "message": "x", "fields": []}]}
    crm, _ = org(answer([clash]), answer([saved("550A")]))

    (outcome,) = crm.write([request("a")])

    assert outcome.state is State.CONFIRMED


def test_a_call_refused_as_a_whole_is_halved_to_find_the_row(org):
    broken = refusal("JSON_PARSER_ERROR")
    crm, _ = org(broken, answer([saved("1")]), broken, answer([saved("2")]), broken)

    outcomes = crm.write([request("a"), request("b"), request("c")])

    assert [each.state for each in outcomes] == [State.CONFIRMED, State.CONFIRMED, State.REFUSED]


@pytest.mark.parametrize(
    "reply",
    [
        requests.ReadTimeout("slow"),
        (500, b'[{"errorCode":"UNKNOWN_EXCEPTION","message":"id 1"}]'),
        (200, b'[{"id":"550","succ'),
        answer([]),
    ],
)
def test_a_write_without_a_clear_reply_is_in_doubt_and_not_repeated(org, reply):
    crm, far_end = org(reply)

    with pytest.raises(InDoubt):
        crm.write([request("a")])
    assert len(far_end.sent) == 2


def test_a_write_names_the_business_transaction_as_its_origin(org):
    crm, far_end = org(answer([saved("1")]))

    crm.write([Request("w", "Contract", Operation.UPDATE, "800", "link", {}, correlation_id="deal-7")])

    assert far_end.sent[1].headers["Sforce-Call-Options"] == "client=sync-pipelines/deal-7"


def test_what_salesforce_can_not_do_is_refused_before_anything_is_sent(org):
    crm, far_end = org()

    with pytest.raises(FixConfiguration, match="Contract"):
        crm.write([Request("w", "Contract", Operation.REPLACE, "800", "link", {})])
    assert far_end.sent == []


def test_a_drifted_shape_lists_every_unknown_field_and_relation(org):
    account = {"fields": [{"name": "Name"}, {"name": "OwnerId", "relationshipName": "Owner", "referenceTo": ["User"]}]}
    crm, _ = org(answer(account), answer({"fields": [{"name": "Email"}]}))

    with pytest.raises(FixConfiguration) as caught:
        crm.check_shapes({"Account": {"Name": "", "Nme": "", "Owner": {"Email": "", "Mail": ""}, "Ownr": {"X": ""}}})

    told = str(caught.value)
    assert "[Account] field 'Nme'" in told
    assert "[User] field 'Mail'" in told
    assert "[Account] relation 'Ownr'" in told
    assert "'Name'" not in told


def test_an_object_that_the_org_does_not_have_is_named(org):
    crm, _ = org(refusal("NOT_FOUND", "The requested resource does not exist", 404))

    with pytest.raises(FixConfiguration, match="Widget__c"):
        crm.check_shapes({"Widget__c": {"Name": ""}})


def test_the_adapter_shows_no_secret(org):
    crm, _ = org()

    assert "s3cr3t" not in f"{crm!r} {vars(crm)!r}"


def test_literals_are_escaped_and_times_keep_their_zone():
    key = (datetime(2026, 11, 2, 8, 0, 0, 7000, tzinfo=UTC), "a'b\\c")

    assert soql.past(key).startswith("(SystemModstamp > 2026-11-02T08:00:00.007Z OR ")
    assert soql.text(key[1]) == r"'a\'b\\c'"
    assert soql.at("2026-11-02T10:00:00.007+0200") == key[0]


def test_chunks_fit_their_limits_and_lose_nothing():
    rng = random.Random(7)
    values = ["ü'" * rng.randrange(1, 200) + str(number) for number in range(300)]

    chunks = list(soql.in_chunks("SELECT Id FROM A WHERE X IN ", values, rows_max=50))

    assert all(len(quote_plus(chunk)) <= soql.BYTES_MAX + 10 for chunk in chunks)
    assert sum(chunk.count(soql.text(value)[1:-1] + "'") >= 1 for value in values for chunk in chunks) >= 300
