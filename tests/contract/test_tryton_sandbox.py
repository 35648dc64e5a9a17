"""The Tryton stand-in and a real Tryton server, asked the same questions: both must give these answers."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import requests

from sync_pipelines.ledger.embedded import Embedded
from sync_pipelines.sandbox.erp import Erp, close_periods
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.sandbox.server import serve
from sync_pipelines.sandbox.store import Store
from sync_pipelines.systems.tryton.value import decode, encode

NEVER = 99_999_999
"""An id that no record has."""


class Refused(Exception):
    """An error inside of HTTP 200: what kind it is, and what it says."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(kind, text)
        self.kind = kind
        self.text = text


@dataclass
class Books:
    """A server as its administrator speaks to it, and names that no other test has taken."""

    url: str
    session: requests.Session = field(default_factory=requests.Session)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    ids: dict[tuple[str, str], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.session.trust_env = False
        body = self.post("common.db.login", "admin", {"password": "admin-sandbox"}, "en").json()
        self.user, token, _ = body["result"]
        words = f"admin:{self.user}:{token}"
        self.session.headers["Authorization"] = f"Session {base64.b64encode(words.encode()).decode()}"
        preferences = self.post("model.res.user.get_preferences", True, {}).json()["result"]
        self.context = {name: preferences[name] for name in ("company", "employee")} | {"language": "en"}

    def post(self, method: str, *params: Any) -> requests.Response:
        return self.send({"id": 7, "method": method, "params": encode(list(params))})

    def send(self, body: Any, **more: Any) -> requests.Response:
        return self.session.post(f"{self.url}/rpc/", json=body, timeout=60, allow_redirects=False, **more)

    def call(self, model: str, verb: str, *params: Any, **context: Any) -> Any:
        answer = self.post(f"model.{model}.{verb}", *params, {**self.context, **context})
        assert answer.status_code == 200, (answer.status_code, answer.text)
        body = answer.json()
        assert body.keys() in ({"id", "result"}, {"id", "error"})
        match body.get("error"):
            case None:
                return decode(body["result"])
            case [str(kind), [*texts]]:
                raise Refused(kind, texts[1] if kind == "UserWarning" else texts[0])
            case [str(kind), ""]:
                raise Refused("crash", kind)
            case [str(kind), str(text)]:
                raise Refused(kind, text)
        raise AssertionError(body)

    def refusal(self, model: str, verb: str, *params: Any, **context: Any) -> tuple[str, str]:
        with pytest.raises(Refused) as refused:
            self.call(model, verb, *params, **context)
        return refused.value.kind, refused.value.text

    def one(self, model: str, id: int, *names: str, **context: Any) -> dict[str, Any]:
        (row,) = self.call(model, "read", [id], list(names), **context)
        return row

    def known(self, model: str, name: str, value: str) -> int:
        """The id of a record that the set-up has made."""
        if (model, value) not in self.ids:
            (self.ids[model, value],) = self.call(model, "search", [[name, "=", value]], 0, None, None)
        return self.ids[model, value]

    def code(self, stem: str = "T") -> str:
        return f"{stem}-{next(self.numbers):04d}"

    def party(self, **values: Any) -> int:
        (made,) = self.call("party.party", "create", [{"name": "Acme", "code": self.code(), **values}])
        return made

    def customer(self, rule: str = "Customers with VAT") -> tuple[int, int]:
        """A party and its address."""
        party = self.party(
            customer_tax_rule=self.known("account.tax.rule", "name", rule),
            addresses=[("create", [{"street": "Main 1", "city": "Berlin"}])],
        )
        return party, self.one("party.party", party, "addresses")["addresses"][0]

    def product(self, **values: Any) -> tuple[int, int]:
        """A template and its product."""
        unit = self.known("product.uom", "symbol", "u")
        given = {
            "code": self.code("SKU"),
            "name": "Seat",
            "type": "service",
            "salable": True,
            "default_uom": unit,
            "sale_uom": unit,
            "list_price": "30.5",
            "account_category": self.known("product.category", "name", "Subscription revenue"),
            "products": [("create", [{"description": "One user"}])],
        }
        (template,) = self.call("product.template", "create", [{**given, **values}])
        return template, self.one("product.template", template, "products")["products"][0]

    def usual_product(self) -> int:
        if ("product.product", "usual") not in self.ids:
            self.ids["product.product", "usual"] = self.product()[1]
        return self.ids["product.product", "usual"]

    def document(self, currency: str = "USD", **values: Any) -> dict[str, Any]:
        if ("party.party", "usual") not in self.ids:
            self.ids["party.party", "usual"], self.ids["party.address", "usual"] = self.customer()
        return {
            "reference": self.code("D"),
            "company": self.context["company"],
            "party": self.ids["party.party", "usual"],
            "invoice_address": self.ids["party.address", "usual"],
            "currency": self.known("currency.currency", "code", currency),
            "payment_term": self.known("account.invoice.payment_term", "name", "Net 30 days"),
            **values,
        }

    def line(self, quantity: str, unit_price: str, *, taxed: bool = False, **values: Any) -> dict[str, Any]:
        return {
            "type": "line",
            "product": self.usual_product(),
            "quantity": quantity,
            "unit": self.known("product.uom", "symbol", "u"),
            "unit_price": unit_price,
            "taxes": [("add", [self.known("account.tax", "name", "VAT 20%")])] if taxed else [],
            **values,
        }

    def sale(self, *lines: dict[str, Any], **values: Any) -> int:
        made = self.document(invoice_method="manual", shipment_method="manual", sale_date="2026-05-05")
        made |= {"lines": [("create", list(lines))], **values}
        (sale,) = self.call("sale.sale", "create", [made])
        return sale

    def draft(self, *lines: dict[str, Any], day: str | None = "2026-05-05", **values: Any) -> dict[str, Any]:
        """What makes an invoice, taxed lines in dollars unless told otherwise."""
        document = self.document(**{key: values.pop(key) for key in ("currency",) if key in values})
        more = {
            "company": document["company"],
            "currency": document["currency"],
            "account": self.known("account.account", "code", "4.2.2"),
        }
        return {
            **document,
            "type": "out",
            "number": document["reference"],
            "invoice_date": day,
            "journal": self.known("account.journal", "code", "REV"),
            "account": self.known("account.account", "code", "1.2.1"),
            "lines": [("create", [{**more, **line} for line in lines])],
            **values,
        }

    def invoice(self, *lines: dict[str, Any], **values: Any) -> int:
        (invoice,) = self.call("account.invoice", "create", [self.draft(*lines, **values)])
        return invoice

    def note(self, invoice: int, *warnings: str) -> None:
        """Say that warnings about an invoice have been read."""
        key = hashlib.md5(f"account.invoice,{invoice}".encode()).hexdigest()
        names = warnings or ("invoice_payment_term", "invoice_taxes", "invoice_date_future")
        given = [{"user": self.user, "name": f"{key}.{name}"} for name in names]
        self.call("res.user.warning", "create", given)


@pytest.fixture(scope="module")
def stand_in() -> Iterator[str]:
    with serve(open_sandbox("tryton", Store(None))) as running:
        yield f"{running.url}/erp"


@pytest.fixture(scope="module")
def real_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real server; with SYNC_TEST_STATE its template is kept from one session to the next."""
    kept = os.environ.get("SYNC_TEST_STATE")
    state = Path(kept) if kept else tmp_path_factory.mktemp("erp")
    postgres = Embedded.start(state / "postgres") if kept else request.getfixturevalue("postgres")
    erp = Erp.prepare(state, postgres, database=f"erp_cases_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}")
    erp.reset()
    yield erp.start()
    erp.stop()
    postgres.drop(erp.database)


@pytest.fixture(scope="module", params=["stand_in", "real_server"])
def books(request: pytest.FixtureRequest) -> Books:
    url = request.getfixturevalue(request.param)
    close_periods(url)
    return Books(url)


def test_a_call_needs_a_session_and_a_context(books):
    call = {"id": 7, "method": "model.party.party.read", "params": [[1], ["name"], {}]}

    assert books.send(call, headers={"Authorization": "Session Zm9vOjE6YmFy"}).status_code == 401
    assert books.send(call, headers={"Authorization": ""}).headers["WWW-Authenticate"] == 'Basic realm="Tryton"'
    without = books.send({**call, "params": [[1], ["name"]]})
    assert (without.status_code, "Missing context argument" in without.text) == (422, True)
    assert books.send(call).json() == {"id": 7, "result": [{"id": 1, "name": "Meridian Software Inc"}]}


def test_a_wrong_password_is_401_and_a_missing_one_is_asked_for(books):
    assert books.post("common.db.login", "nobody", {"password": "no"}, "en").status_code == 401
    asked = books.post("common.db.login", "somebody", {}, "en").json()
    assert asked == {"id": 7, "error": ["LoginException", ["password", "Password for somebody", "password"]]}


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ("{bad", 400, "Unable to get RPC method"),
        ("[]", 400, "Unable to get RPC method"),
        ('{"method": "model.party.party.read"}', 400, "Unable to get RPC params"),
        ('{"method": "model.party.party.read", "params": [[1], ["zzz"], {}]}', 500, "zzz"),
        ('{"method": "model.party.party.read", "params": [[99999999], ["name"], {}]}', 400, "exist"),
        ('{"id": 7, "method": "model.party.party.nope", "params": [{}]}', 403, "Forbidden"),
        ('{"id": 7, "method": "model.sale.sale.post", "params": [[1], {}]}', 403, "Forbidden"),
    ],
)
def test_what_is_no_proper_call_fails_as_a_page(books, body, status, text):
    headers = {"Content-Type": "application/json"}
    answer = books.session.post(f"{books.url}/rpc/", data=body, headers=headers, timeout=60)

    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert text in answer.text


def test_a_body_with_other_keys_is_answered_without_an_envelope(books):
    answer = books.send({"method": "model.party.party.read", "params": [[1], ["name"], {}]})

    assert answer.json() == [{"id": 1, "name": "Meridian Software Inc"}]


def test_paths_beside_the_one_of_the_database(books):
    call = {"id": 1, "method": "common.server.version", "params": []}
    server = books.url.rpartition("/")[0]

    def status(url: str) -> int:
        return requests.post(url, json=call, timeout=60, allow_redirects=False).status_code

    assert [status(f"{server}/"), status(f"{books.url}/"), status(f"{books.url}/nothing")] == [405] * 3
    assert status(f"{books.url}/rpc") == 308
    assert requests.get(f"{books.url}/rpc/", timeout=60).status_code == 405
    assert requests.post(f"{server}/rpc/", json=call, timeout=60).json() == {"id": 1, "result": "8.0"}


@pytest.mark.parametrize(
    ("verb", "params", "text"),
    [
        ("read", [[1], ["zzz"]], "'zzz'"),
        ("read", [[1], ["addresses.zzz"]], "'zzz'"),
        ("search", [[["zzz", "=", 1]], 0, None, None], "'zzz'"),
        ("search", [[["party.zzz", "=", 1]], 0, None, None], "'party'"),
        ("search", [[], 0, None, [["zzz", "ASC"]]], "'zzz'"),
        ("search", [[], 0, None, [["id", "UP"]]], "'UP'"),
        ("search", [[], 0, -1, None], "LIMIT must not be negative"),
        ("search", [[["email", "=", "x"]], 0, None, None], 'Missing search function for field "Email" in "Party".'),
        ("create", [[{"name": "x", "zzz": 1}]], "'zzz'"),
        ("write", [[1], {"zzz": 1}], "'zzz'"),
        ("write", [[1]], "ModelSQL.write() missing 1 required positional argument: 'values'"),
        ("create", [[{"name": "x", "replaced_by": "y"}]], "invalid literal for int() with base 10: 'y'"),
        ("create", [[{"name": "x", "addresses": [["nope", [{}]]]}]], "'nope'"),
    ],
)
def test_what_nobody_has_crashes_with_its_name(books, verb, params, text):
    assert books.refusal("party.party", verb, *params) == ("crash", text)


def test_an_unknown_model_crashes_and_an_unreadable_domain_too(books):
    assert books.refusal("party.planet", "read", [1], []) == ("crash", "'party.planet'")
    kind, text = books.refusal("party.party", "search", [["name", "~", "x"]], 0, None, None)
    assert (kind, text[:32]) == ("crash", "maximum recursion depth exceeded")


def test_a_party_comes_back_as_it_was_entered(books):
    code = books.code("C")
    mechanisms = [{"type": "email", "value": "AP@acme.example"}, {"type": "website", "value": "acme.example"}]
    germany = books.known("country.country", "code", "DE")
    party = books.party(
        code=code,
        name="Größe & Söhne 𝄞",
        addresses=[("create", [{"street": "Ring 1\nHof", "city": " Berlin ", "country": germany}])],
        identifiers=[("create", [{"code": "DE 123"}])],
        contact_mechanisms=[("create", mechanisms)],
    )

    names = ["name", "code", "code_digit", "active", "replaced_by", "rec_name", "email", "phone", "__name__"]
    below = ["addresses.street", "addresses.city", "addresses.country.code", "identifiers.type", "identifiers.code"]
    row = books.one("party.party", party, *names, *below)

    assert row == {
        "id": party,
        "name": "Größe & Söhne 𝄞",
        "code": code,
        "code_digit": int(code[2:]),
        "active": True,
        "replaced_by": None,
        "rec_name": "Größe & Söhne 𝄞",
        "email": "AP@acme.example",
        "phone": "",
        "__name__": "party.party",
        "addresses.": [
            {
                **row["addresses."][0],
                "street": "Ring 1\nHof",
                "city": "Berlin",
                "country.": row["addresses."][0]["country."],
            }
        ],
        "identifiers.": [{"id": row["identifiers."][0]["id"], "type": None, "code": "DE 123"}],
    }
    assert row["addresses."][0]["country."] == {"id": germany, "code": "DE"}


def test_times_of_change_are_the_beginning_of_the_transaction_in_microseconds(books):
    first, second = books.call("party.party", "create", [{"name": "a"}, {"name": "b"}])
    rows = books.call("party.party", "read", [first, second], ["create_date", "last_modified_at", "_timestamp"])
    books.call("party.party", "write", [first], {"name": "a"})
    after = books.one("party.party", first, "create_date", "write_date", "last_modified_at", "write_uid", "_timestamp")

    assert rows[0]["create_date"] == rows[1]["create_date"] == rows[0]["last_modified_at"]
    assert rows[0]["_timestamp"] == f"{rows[0]['create_date'].timestamp():.6f}"
    assert after["create_date"] == rows[0]["create_date"] < after["write_date"] == after["last_modified_at"]
    assert after["write_uid"] == books.user


def test_a_parent_does_not_change_with_its_children(books):
    party, address = books.customer()
    before = books.one("party.party", party, "_timestamp")
    books.call("party.address", "write", [address], {"city": "Graz"})
    untouched = books.one("party.party", party, "_timestamp")
    books.call("party.party", "write", [party], {"addresses": [("write", [address], {"city": "Linz"})]})

    assert untouched == before
    assert books.one("party.party", party, "_timestamp") != before
    assert books.one("party.address", address, "city", "street")["city"] == "Linz"


LOOK = "sync_pipelines.look"


def test_our_module_tells_of_which_models_records_are_past_a_key_archived_ones_where_that_is_asked(books):
    archived = books.party(active=False)
    latest = books.one("party.party", archived, "last_modified_at")["last_modified_at"]
    keys = {
        "party.party": [latest, archived - 1],
        "party.address": [latest, 0],
        "country.country": None,
        "sale.line": [latest, 0],
    }

    assert books.call(LOOK, "changed", keys, active_test=False) == ["party.party", "country.country"]
    assert books.call(LOOK, "changed", keys) == ["country.country"]
    assert books.call(LOOK, "changed", {"party.party": [latest, archived]}, active_test=False) == []
    assert books.call(LOOK, "changed", {}) == []


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ([{"party.planet": None}], "'party.planet'"),
        ([{"ir.session": None}], "'ir.session'"),
        ([{LOOK: None}], f"'{LOOK}'"),
        ([["party.party"]], "'list' object has no attribute 'items'"),
        ([{"party.party": [1]}], "not enough values to unpack (expected 2, got 1)"),
        ([{"party.party": 5}], "cannot unpack non-iterable int object"),
        ([{"party.party": ["x", 1]}], "Invalid isoformat string: 'x'"),
        ([], ""),
        ([{}, {}], ""),
    ],
)
def test_our_module_refuses_what_it_can_not_look_at(books, params, text):
    kind, told = books.refusal(LOOK, "changed", *params)

    assert kind == "crash"
    assert told == text or not text


def test_our_module_offers_nothing_else(books):
    assert books.post(f"model.{LOOK}.search", [], books.context).status_code == 403
    assert books.post(f"model.{LOOK}.changed", {}).json()["error"]
    assert books.post(f"model.{LOOK}.changed", {}, None).status_code == 422


def test_a_user_tells_its_company_and_what_calls_depend_on_as_its_preferences_do(books):
    names = ["company", "company_filter", "employee", "groups"]
    (user,) = books.call(
        "res.user",
        "search_read",
        [["login", "=", "admin"]],
        0,
        None,
        None,
        [*names, "company.party.code", "company.create_date"],
    )

    preferences = books.post("model.res.user.get_preferences", True, {}).json()["result"]
    assert {name: user[name] for name in names} == {name: preferences[name] for name in names}
    assert (user["id"], user["company."]["party."]["code"]) == (books.user, "US01")
    assert user["company."]["create_date"].tzinfo is not None


def test_a_party_without_a_code_gets_the_next_number(books):
    first, second = books.call("party.party", "create", [{"name": "x"}, {"name": "y", "code": None}])
    codes = [books.one("party.party", party, "code")["code"] for party in (first, second)]

    assert int(codes[1]) == int(codes[0]) + 1


def test_a_batch_with_one_bad_record_stores_nothing(books):
    taken, fresh = books.code(), books.code()
    books.party(code=taken)

    unique = books.refusal("party.party", "create", [{"name": "x", "code": fresh}, {"name": "y", "code": taken}])
    twice = books.refusal("party.party", "create", [{"name": "x", "code": fresh}, {"name": "y", "code": fresh}])
    lost = books.refusal(
        "party.party", "create", [{"name": "x", "code": fresh, "addresses": [("create", [{"country": NEVER}])]}]
    )

    assert unique == twice == ("UserError", "The code on party must be unique.")
    assert lost == ("UserError", f'The value "{NEVER}" for field "Country" in "Party Address" does not exist.')
    assert books.call("party.party", "search_count", [["code", "=", fresh]]) == 0


@pytest.mark.parametrize(
    ("model", "values", "text"),
    [
        (
            "party.party",
            {"contact_mechanisms": [("create", [{"type": "email"}])]},
            'A value is required for field "Value" in "Party Contact Mechanism".',
        ),
        (
            "party.party",
            {"name": "y", "contact_mechanisms": [("create", [{"type": "fish", "value": "x"}])]},
            (
                'The value "fish" for field "Type" in record "y <x>" of "Party Contact Mechanism"'
                " is not one of the allowed options."
            ),
        ),
        (
            "currency.currency",
            {"name": "Long", "code": "LONG"},
            'The value "LONG" for field "Code" in "Currency" is too long (4 > 3).',
        ),
        ("product.template", {"name": "x"}, 'A value is required for field "Default UoM" in "Product Template".'),
    ],
)
def test_a_value_that_can_not_be_is_told_with_its_field(books, model, values, text):
    assert books.refusal(model, "create", [values]) == ("UserError", text)


def test_records_that_are_not_there_are_told_by_their_ids(books):
    there = books.party()

    read = books.refusal("party.party", "read", [there, NEVER], ["name"])
    write = books.refusal("party.party", "write", [NEVER], {"name": "x"})
    pressed = books.refusal("sale.sale", "quote", [NEVER])

    assert read == ("UserError", f'You are trying to read records "{NEVER}" of "Party" that don\'t exist.')
    assert write == ("UserError", f'You are trying to write to records "{NEVER}" of "Party" that don\'t exist.')
    assert pressed == ("UserError", f'You are trying to read records "{NEVER}" of "Sale" that don\'t exist.')
    assert books.call("party.party", "delete", [NEVER]) is None
    assert books.post("model.party.party.write", [there, there], {"name": "x"}, {}).status_code == 422


def test_a_stale_version_refuses_a_write_and_a_delete_and_a_fresh_one_does_not(books):
    party = books.party()
    stale = books.one("party.party", party, "_timestamp")["_timestamp"]
    books.call("party.party", "write", [party], {"name": "Faster"})
    lock = {"_timestamp": {f"party.party,{party}": stale}}
    changed = ("ConcurrencyException", "Records were modified in the meanwhile")

    assert books.refusal("party.party", "write", [party], {"name": "Slower"}, **lock) == changed
    assert books.refusal("party.party", "delete", [party], **lock) == changed
    assert books.one("party.party", party, "name")["name"] == "Faster"
    fresh = books.one("party.party", party, "_timestamp")["_timestamp"]
    books.call("party.party", "write", [party], {"name": "Next"}, _timestamp={f"party.party,{party}": fresh})
    assert books.one("party.party", party, "name")["name"] == "Next"


def test_a_childs_version_locks_the_parents_call(books):
    party, address = books.customer()
    stale = books.one("party.address", address, "_timestamp")["_timestamp"]
    books.call("party.address", "write", [address], {"city": "Graz"})

    values = {"name": "x", "addresses": [("write", [address], {"city": "Wien"})]}
    refused = books.refusal("party.party", "write", [party], values, _timestamp={f"party.address,{address}": stale})

    assert refused[0] == "ConcurrencyException"
    assert books.one("party.party", party, "name")["name"] == "Acme"


def test_archived_records_hide_unless_they_are_asked_for(books):
    party = books.party()
    books.call("party.party", "write", [party], {"active": False})
    mine = [["id", "=", party]]

    assert books.call("party.party", "search", mine, 0, None, None) == []
    assert books.call("party.party", "search_count", mine) == 0
    assert books.call("party.party", "search", mine, 0, None, None, active_test=False) == [party]
    assert books.call("party.party", "search", [*mine, ["active", "in", [True, False]]], 0, None, None) == [party]
    assert books.one("party.party", party, "active") == {"id": party, "active": False}


def test_a_deleted_record_leaves_no_trace_and_takes_its_children_along(books):
    party, address = books.customer()
    books.call("party.party", "delete", [party])

    assert books.call("party.party", "search", [["id", "=", party]], 0, None, None, active_test=False) == []
    assert books.call("party.address", "search", [["id", "=", address]], 0, None, None, active_test=False) == []


def test_what_documents_refer_to_can_not_be_deleted(books):
    line = books.line("1", "10")
    sale = books.sale(line)
    row = books.one("sale.sale", sale, "party", "lines")

    party = books.refusal("party.party", "delete", [row["party"]])
    product = books.refusal("product.product", "delete", [line["product"]])

    used = "The records could not be deleted because they are used by field"
    assert party == ("UserError", f'{used} "Party" of "Sale".')
    assert product == ("UserError", f'{used} "Product" of "Sale Line".')


@pytest.fixture(scope="module")
def shelf(books: Books) -> dict[str, int]:
    """Five parties whose codes begin alike: b and B differ in case, d has no name, e is archived."""
    stem = books.code("shelf")
    names = {"a": "Alpha", "b": "beta 1%", "B": "Beta_2", "d": None, "e": "Echo"}
    ids = books.call("party.party", "create", [{"code": f"{stem}-{key}", "name": name} for key, name in names.items()])
    books.call("party.party", "write", [ids[4]], {"active": False})
    return dict(zip(names, ids, strict=True))


@pytest.mark.parametrize(
    ("clause", "found"),
    [
        ([["name", "=", "Alpha"]], "a"),
        ([["name", "!=", "Alpha"]], "bBd"),
        ([["name", "=", None]], "d"),
        ([["name", "!=", None]], "abB"),
        ([["name", "in", ["Alpha", None]]], "ad"),
        ([["name", "not in", ["Alpha"]]], "bBd"),
        ([["name", "not in", ["Alpha", None]]], "bB"),
        ([["name", "in", []]], ""),
        ([["name", "like", "b%"]], "b"),
        ([["name", "ilike", "B%"]], "bB"),
        ([["name", "not like", "b%"]], "aBd"),
        ([["name", "not ilike", "b%"]], "ad"),
        ([["name", "like", "%\\_2"]], "B"),
        ([["name", "like", "_lpha"]], "a"),
        ([["rec_name", "ilike", "alp%"]], "a"),
        ([["replaced_by", "=", None]], "abBd"),
        ([["replaced_by", "!=", 1]], ""),
        ([["replaced_by", "not in", [1]]], ""),
        ([["replaced_by.name", "=", "x"]], ""),
        ([["active", "=", False]], "e"),
        ([["active", "in", [True, False]]], "abBde"),
        ([["code_digit", "!=", 0], ["write_date", ">", "2020-01-01T00:00:00"]], "abBd"),
        ([["create_date", "<", "2020-01-01"]], ""),
        (["OR", [["name", "=", "Alpha"]], [["name", "like", "B%"], ["active", "=", True]]], "aB"),
        ([["OR", ["name", "=", "Alpha"], ["AND", ["name", "ilike", "b%"], ["name", "like", "%1%"]]]], "ab"),
        (["AND", [], ["name", "=", "Alpha"]], "a"),
        ([["addresses", "=", None]], "abBd"),
        ([["create_uid.login", "=", "admin"], ["name", "=", "Alpha"]], "a"),
        ([["create_uid", "ilike", "admin%"], ["name", "=", "Alpha"]], "a"),
    ],
)
def test_domains_find_what_sql_finds(books, shelf, clause, found):
    domain = [["id", "in", list(shelf.values())], clause]

    ids = books.call("party.party", "search", domain, 0, None, [["id", "ASC"]])

    assert ids == [shelf[key] for key in "abBde" if key in found]
    assert books.call("party.party", "search_count", domain) == len(ids)


@pytest.mark.parametrize(
    ("order", "found"),
    [
        ([["code", "ASC"]], "Babd"),
        ([["name", "ASC"]], "aBbd"),
        ([["name", "DESC"]], "dbBa"),
        ([["name", "ASC NULLS FIRST"]], "daBb"),
        ([["name", "DESC NULLS LAST"]], "bBad"),
        ([["last_modified_at", "ASC"], ["id", "DESC"]], "dBba"),
        ([["active", "ASC"], ["id", "ASC"]], "abBd"),
        ([["create_uid", "ASC"], ["id", "DESC"]], "dBba"),
        ([["create_uid.name", "ASC"], ["id", "ASC"]], "abBd"),
        (None, "aBbd"),
    ],
)
def test_answers_come_in_the_order_that_was_asked(books, shelf, order, found):
    ids = books.call("party.party", "search", [["id", "in", list(shelf.values())]], 0, None, order)

    assert ids == [shelf[key] for key in found]


def test_offset_and_limit_cut_a_window(books, shelf):
    domain, order = [["id", "in", list(shelf.values())]], [["id", "ASC"]]

    rows = books.call("party.party", "search_read", domain, 1, 2, order, ["code"])

    assert [row["id"] for row in rows] == [shelf["b"], shelf["B"]]
    assert books.call("party.party", "search_read", domain, 3, None, order) == [{"id": shelf["d"]}]
    assert books.call("party.party", "search_count", domain, 0, 2) == 2
    assert books.call("party.party", "search_count", domain, 3, None) == 1


def test_a_keyset_of_time_and_id_walks_through_ties(books, shelf):
    first = books.one("party.party", shelf["a"], "last_modified_at")["last_modified_at"]
    later = [["last_modified_at", ">", first]]
    tie = [["last_modified_at", "=", first], ["id", ">", shelf["a"]]]

    domain = [["OR", later, tie], ["id", "in", list(shelf.values())]]
    ids = books.call("party.party", "search", domain, 0, None, [["last_modified_at", "ASC"], ["id", "ASC"]])

    assert ids == [shelf["b"], shelf["B"], shelf["d"]]


def test_a_product_takes_after_its_template(books):
    template, product = books.product(name="Vault", list_price="19.99")
    row = books.one("product.template", template, "list_price", "rec_name", "code")
    variant = books.one(
        "product.product", product, "name", "code", "type", "list_price_used", "description", "rec_name"
    )

    assert (str(row["list_price"]), row["rec_name"]) == ("19.99", f"[{row['code']}] Vault")
    assert (variant["name"], variant["code"], variant["type"]) == ("Vault", row["code"], "service")
    assert (variant["list_price_used"], variant["description"]) == (row["list_price"], "One user")
    books.call("product.template", "write", [template], {"code": row["code"] + "x"})
    assert books.one("product.product", product, "code")["code"] == row["code"] + "x"


def test_the_code_of_a_product_is_unique_while_it_is_active(books):
    template, product = books.product()
    code = books.one("product.template", template, "code")["code"]

    with pytest.raises(Refused, match="Code of active product must be unique"):
        books.product(code=code)
    books.call("product.product", "write", [product], {"active": False})
    again, _ = books.product(code=code)

    assert books.one("product.template", template, "products")["products"] == []
    assert books.one("product.template", template, "products", active_test=False)["products"] == [product]
    assert again != template


def test_prices_have_four_decimals_at_most(books):
    with pytest.raises(Refused) as refused:
        books.product(list_price="1.23456")
    with pytest.raises(Refused) as unreadable:
        books.product(list_price="abc")

    assert 'number of digits in the value "\'1.23456\'" for field "List Price"' in refused.value.text
    assert 'exceeds the limit of "(None, 4)"' in refused.value.text
    assert (unreadable.value.kind, unreadable.value.text) == ("crash", "[<class 'decimal.ConversionSyntax'>]")


def test_a_sale_goes_through_its_states_one_by_one(books):
    sale = books.sale(books.line("5", "30.505"), books.line("2", "0.333", taxed=True))
    fields = ["state", "number", "untaxed_amount", "tax_amount", "total_amount", "quoted_by", "to_invoice"]
    draft = books.one("sale.sale", sale, *fields, "reference")
    name = f'"[{draft["reference"]}]" of "Sale".'

    assert books.refusal("sale.sale", "confirm", [sale]) == ("UserError", f'You can not call "confirm" on {name}')
    assert [str(draft[name]) for name in fields[2:5]] == ["153.19", "0.13", "153.32"]
    assert (draft["state"], draft["number"], draft["quoted_by"]) == ("draft", None, None)
    for button in ("quote", "confirm", "process"):
        assert books.call("sale.sale", button, [sale]) is None
    done = books.one("sale.sale", sale, *fields, "confirmed_by", "invoice_state", "lines.amount")
    assert (done["state"], done["to_invoice"], done["invoice_state"]) == ("processing", True, "none")
    assert done["quoted_by"] == done["confirmed_by"] == books.context["employee"]
    assert done["number"].isdigit()
    assert [str(line["amount"]) for line in done["lines."]] == ["152.52", "0.67"]
    kind, text = books.refusal("sale.sale", "quote", [sale])
    assert (kind, text[:24]) == ("UserError", 'You can not call "quote"')


def test_a_confirmed_sale_waits_until_it_is_processed(books):
    sale = books.sale(books.line("1", "10"))
    for button in ("quote", "confirm"):
        books.call("sale.sale", button, [sale])

    assert books.one("sale.sale", sale, "state")["state"] == "confirmed"
    books.call("sale.sale", "process", [sale])
    before = books.one("sale.sale", sale, "_timestamp", "state")
    books.call("sale.sale", "process", [sale])
    assert books.one("sale.sale", sale, "_timestamp", "state") == before


def test_sales_may_share_a_reference_and_buttons_press_them_together_or_not_at_all(books):
    reference = books.code("D")
    good, empty = books.sale(books.line("1", "10"), reference=reference), books.sale(reference=reference)

    refused = books.refusal("sale.sale", "quote", [good, empty])

    assert refused == ("UserError", f'You can not call "quote" on "[{reference}]" of "Sale".')
    assert books.one("sale.sale", good, "state", "number")["state"] == "draft"


def test_only_a_sale_that_is_cancelled_or_a_draft_can_be_deleted(books):
    sale = books.sale(books.line("1", "10"))
    books.call("sale.sale", "quote", [sale])
    line = books.one("sale.sale", sale, "lines")["lines"][0]

    kept = books.refusal("sale.sale", "delete", [sale])
    added = books.refusal("sale.line", "create", [{**books.line("1", "10"), "sale": sale}])
    books.call("sale.sale", "cancel", [sale])
    books.call("sale.sale", "delete", [sale])

    assert kept[1].startswith('To delete sale "')
    assert kept[1].endswith('" you must cancel it.')
    assert added[1].endswith("because it is no longer in a draft state.")
    assert books.call("sale.line", "search", [["id", "=", line]], 0, None, None) == []


def test_a_sale_refuses_what_does_not_fit_it(books):
    elsewhere = books.customer()[1]
    strange = f'The value "{NEVER}" for field "Product" in "Sale Line" does not exist.'

    address = books.refusal("sale.sale", "create", [books.document(invoice_address=elsewhere)])
    product = books.refusal(
        "sale.sale", "create", [books.document(lines=[("create", [books.line("1", "1", product=NEVER)])])]
    )
    tax = books.line("1", "1", taxes=[("add", [NEVER])])
    taxed = books.refusal("sale.sale", "create", [books.document(lines=[("create", [tax])])])
    price = books.refusal("sale.sale", "create", [books.document(lines=[("create", [books.line("1", "1.00001")])])])
    piece = books.refusal("sale.sale", "create", [books.document(lines=[("create", [books.line("1.5", "1")])])])
    lacking = {**books.line("1", "1"), "unit_price": None}
    empty = books.refusal("sale.sale", "create", [books.document(lines=[("create", [lacking])])])

    assert 'for field "Invoice Address" in record "' in address[1]
    assert address[1].endswith("is not valid according to its domain.")
    assert product == ("UserError", strange)
    assert taxed == ("UserError", "A tax can be added only once to a sale line.")
    assert 'for field "Unit Price" in record "' in price[1]
    assert price[1].endswith('the limit of "(None, 4)".')
    assert 'for field "Quantity" in record "' in piece[1]
    assert piece[1].endswith('the limit of "(None, 0)".')
    assert empty[1].startswith('A value is required for field "Unit Price" in record "')


def test_a_yen_has_no_cents(books):
    sale = books.sale(books.line("5", "33.3333", taxed=True), currency=books.known("currency.currency", "code", "JPY"))

    row = books.one("sale.sale", sale, "untaxed_amount", "tax_amount", "total_amount")

    assert [str(row[name]) for name in ("untaxed_amount", "tax_amount", "total_amount")] == ["167", "33", "200"]


def test_a_draft_invoice_owes_the_taxes_of_its_lines_rounded_once(books):
    lines = [books.line("5", "30.505", taxed=True), books.line("2", "0.333", taxed=True), books.line("1", "7")]
    invoice = books.invoice(*lines)

    row = books.one("account.invoice", invoice, "state", "untaxed_amount", "tax_amount", "total_amount", "move")
    taxes = books.call(
        "account.invoice.tax",
        "search_read",
        [["invoice", "=", invoice]],
        0,
        None,
        None,
        ["base", "amount", "manual", "tax.name"],
    )

    assert [str(row[name]) for name in ("untaxed_amount", "tax_amount", "total_amount")] == [
        "160.19",
        "30.64",
        "190.83",
    ]
    assert [(str(t["base"]), str(t["amount"]), t["manual"], t["tax."]["name"]) for t in taxes] == [
        ("153.19", "30.64", False, "VAT 20%")
    ]
    assert (row["state"], row["move"]) == ("draft", None)
    line = books.call("account.invoice.line", "search", [["invoice", "=", invoice]], 0, 1, [["id", "ASC"]])
    books.call("account.invoice", "write", [invoice], {"lines": [("write", line, {"quantity": 1})]})
    row = books.one("account.invoice", invoice, "untaxed_amount", "tax_amount")
    assert [str(row[name]) for name in ("untaxed_amount", "tax_amount")] == ["38.17", "6.23"]


def test_a_tax_entered_by_hand_is_posted_and_credited_as_it_is(books):
    tax = books.known("account.tax", "name", "VAT 20%")
    account = books.call("account.tax", "read", [tax], ["invoice_account"])[0]["invoice_account"]
    entered = {"manual": True, "description": "VAT", "account": account, "tax": tax, "base": "29.97"}
    lines = [books.line("1", "9.99"), books.line("2", "9.99")]
    too_fine = books.draft(*lines, taxes=[("create", [{**entered, "amount": "6.000"}])])
    invoice = books.invoice(*lines, taxes=[("create", [{**entered, "amount": "6.00"}])])
    books.note(invoice)

    _, fault = books.refusal("account.invoice", "create", [too_fine])
    books.call("account.invoice", "post", [invoice])

    names = ("state", "untaxed_amount", "tax_amount", "total_amount")
    row = books.one("account.invoice", invoice, *names)
    assert [str(row[name]) for name in names] == ["posted", "29.97", "6.00", "35.97"]
    assert 'for field "Amount" in record "' in fault
    assert fault.endswith('the limit of "(None, 2)".')


def test_a_posted_invoice_stands_in_the_books(books):
    invoice = books.invoice(books.line("5", "30.505", taxed=True), books.line("2", "0.333", taxed=True))
    books.note(invoice)

    assert books.call("account.invoice", "post", [invoice]) is None

    fields = [
        "state",
        "number",
        "reference",
        "total_amount",
        "amount_to_pay",
        "posted_by",
        "move.state",
        "move.period.name",
    ]
    row = books.one("account.invoice", invoice, *fields, "move.origin")
    assert (row["state"], row["number"], str(row["total_amount"])) == ("posted", row["reference"], "183.83")
    assert (str(row["amount_to_pay"]), row["posted_by"]) == ("183.83", books.context["employee"])
    assert (row["move."]["state"], row["move."]["period."]["name"]) == ("posted", "2026-05")
    assert row["move."]["origin"] == f"account.invoice,{invoice}"
    assert entries(books, invoice) == [
        ("1.2.1", "183.83", "0", None),
        ("4.2.2", "0", "0.67", None),
        ("4.2.2", "0", "152.52", None),
        ("6.3.6", "0", "30.64", None),
    ]


def test_a_foreign_credit_is_entered_in_the_books_currency(books):
    invoice = books.invoice(books.line("-3", "10.01", taxed=True), currency="EUR")
    books.note(invoice)
    books.call("account.invoice", "post", [invoice])

    row = books.one("account.invoice", invoice, "untaxed_amount", "tax_amount", "total_amount")
    assert [str(row[name]) for name in ("untaxed_amount", "tax_amount", "total_amount")] == [
        "-30.03",
        "-6.01",
        "-36.04",
    ]
    assert entries(books, invoice) == [
        ("1.2.1", "0", "40.04", "-36.04"),
        ("4.2.2", "33.37", "0", "30.03"),
        ("6.2.1", "0", "0.01", None),
        ("6.3.6", "6.68", "0", "6.01"),
    ]


def entries(books: Books, invoice: int) -> list[tuple[str, str, str, str | None]]:
    """Account, debit, credit and the foreign amount of an invoice's move."""
    fields = ["account.code", "debit", "credit", "amount_second_currency"]
    rows = books.call(
        "account.move.line", "search_read", [["move.origin", "=", f"account.invoice,{invoice}"]], 0, None, None, fields
    )
    return sorted(
        (row["account."]["code"], plain(row["debit"]), plain(row["credit"]), foreign and str(foreign))
        for row in rows
        for foreign in [row["amount_second_currency"]]
    )


def plain(amount: Any) -> str:
    return str(amount) if amount else "0"


def test_posting_asks_once_about_what_may_be_wrong(books):
    invoice = books.invoice(books.line("1", "10"))
    number = books.one("account.invoice", invoice, "number")["number"]

    kind, text = books.refusal("account.invoice", "post", [invoice])
    books.note(invoice)
    books.call("account.invoice", "post", [invoice])

    assert kind == "UserWarning"
    assert text.startswith(f'The invoice "{number} [{number}]" does not have the default taxes for 1')
    key = hashlib.md5(f"account.invoice,{invoice}".encode()).hexdigest()
    left = books.call("res.user.warning", "search_read", [["name", "like", f"{key}.%"]], 0, None, None, ["name"])
    assert [row["name"].rpartition(".")[2] for row in left] == ["invoice_date_future"]


def test_a_due_date_in_the_past_is_asked_about(books):
    invoice = books.invoice(books.line("1", "10", taxed=True))
    number = books.one("account.invoice", invoice, "number")["number"]

    refused = books.refusal("account.invoice", "post", [invoice])

    message = f'The invoice "{number} [{number}]" generates a payment date "06/04/2026" in the past.'
    assert refused == ("UserWarning", message)


def test_a_closed_period_refuses_and_leaves_the_invoice_a_draft(books):
    closed = books.invoice(books.line("1", "10", taxed=True), day="2026-02-02")
    early = books.invoice(books.line("1", "10", taxed=True), day="2025-02-02")
    for invoice in (closed, early):
        books.note(invoice)
    company = 'company "Meridian Software Inc"'

    refused = books.refusal("account.invoice", "post", [closed])
    nowhere = books.refusal("account.invoice", "post", [early])

    assert refused == (
        "UserError",
        f'To continue, you must reopen the period "2026-02" of {company} for the date "02/02/2026".',
    )
    assert nowhere == ("UserError", f'To continue, you must create a period for the date "02/02/2025" and {company}.')
    assert books.one("account.invoice", closed, "state", "move") == {"id": closed, "state": "draft", "move": None}


def test_a_refused_invoice_keeps_the_others_of_its_call_from_being_posted(books):
    good = books.invoice(books.line("1", "10", taxed=True))
    bad = books.invoice(books.line("1", "10", taxed=True), day="2026-01-02")
    for invoice in (good, bad):
        books.note(invoice)

    books.refusal("account.invoice", "post", [good, bad])

    assert books.one("account.invoice", good, "state")["state"] == "draft"


def test_a_posted_invoice_can_not_be_changed_deleted_or_posted_again(books):
    invoice = books.invoice(books.line("1", "10", taxed=True))
    books.note(invoice)
    books.call("account.invoice", "post", [invoice])
    number, line = (books.one("account.invoice", invoice, "number", "lines")[name] for name in ("number", "lines"))
    name = f'"{number} [{number}]"'
    locked = f"You cannot modify invoice {name} because it is posted, paid or cancelled."

    assert (
        books.refusal("account.invoice", "post", [invoice])[1]
        == f'You can not call "post" on {name} of "Account Invoice".'
    )
    assert books.refusal("account.invoice", "cancel", [invoice])[1].startswith('You can not call "cancel"')
    assert books.refusal("account.invoice", "write", [invoice], {"invoice_date": "2026-06-01"}) == ("UserError", locked)
    assert books.refusal("account.invoice", "delete", [invoice]) == ("UserError", locked)
    for refused in (
        books.refusal("account.invoice.line", "write", line, {"quantity": 2}),
        books.refusal("account.invoice.line", "delete", line),
    ):
        assert refused[1].startswith("You cannot modify line ")
        assert refused[1].endswith(f"because its invoice {name} is posted, paid or cancelled.")
    books.call("account.invoice", "write", [invoice], {"reference": "free"})
    assert books.one("account.invoice", invoice, "reference")["reference"] == "free"


def test_a_numbered_draft_is_deleted_once_its_number_is_taken_away(books):
    invoice = books.invoice(books.line("1", "10", taxed=True))

    numbered = books.refusal("account.invoice", "delete", [invoice])
    books.call("account.invoice", "write", [invoice], {"number": None})
    books.call("account.invoice", "delete", [invoice])

    assert numbered[1].endswith("because it has a number.")
    assert books.call("account.invoice.line", "search_count", [["invoice", "=", invoice]]) == 0


def test_an_invoice_without_a_number_takes_the_next_in_the_order_of_dates(books):
    first, second = (
        books.invoice(books.line("1", "10", taxed=True), number=None, day=day) for day in ("2026-07-01", "2026-07-02")
    )
    for invoice in (first, second):
        books.note(invoice)
    books.call("account.invoice", "post", [second, first])
    numbers = [int(books.one("account.invoice", invoice, "number")["number"]) for invoice in (first, second)]
    late = books.invoice(books.line("1", "10", taxed=True), number=None, day="2026-06-30")
    books.note(late)

    refused = books.refusal("account.invoice", "post", [late])

    assert numbers[1] == numbers[0] + 1
    assert "you must set an invoice date after" in refused[1]


def test_an_invoice_refuses_what_does_not_fit_it(books):
    elsewhere, other = books.customer()[1], books.known("currency.currency", "code", "EUR")
    good = books.line("1", "10")

    address = books.refusal("account.invoice", "create", [books.draft(good, invoice_address=elsewhere)])
    revenue = books.known("account.account", "code", "4.2.2")
    account = books.refusal("account.invoice", "create", [books.draft(good, account=revenue)])
    lines = books.refusal("account.invoice", "create", [books.draft({**good, "currency": other})])
    undated = books.invoice(good, payment_term=None, day=None)
    books.note(undated)
    date = books.refusal("account.invoice", "post", [undated])

    for refused, name in ((address, "Invoice Address"), (account, "Account"), (lines, "Lines")):
        assert f'for field "{name}" in record "' in refused[1]
        assert refused[1].endswith("is not valid according to its domain.")
    assert date[1].startswith('A value is required for field "Invoice Date" in record "')


def test_every_field_that_the_mappings_read_has_the_same_form_on_both(books):
    invoice = books.invoice(books.line("1", "10", taxed=True))
    books.note(invoice)
    books.call("account.invoice", "post", [invoice])
    expected: Mapping[str, Mapping[str, str]] = {
        "account.invoice": {"invoice_date": "date", "total_amount": "Decimal", "currency": "int", "state": "str"},
        "account.invoice.line": {"quantity": "float", "unit_price": "Decimal", "taxes": "list", "sequence": "NoneType"},
        "account.move": {"date": "date", "origin": "str", "period": "int", "lines": "list"},
        "account.period": {"start_date": "date", "state": "str"},
        "currency.currency": {"digits": "int", "rounding": "Decimal", "rate": "Decimal"},
        "company.company": {"party": "int", "timezone": "str"},
        "product.uom": {"digits": "int", "rounding": "float"},
    }

    for model, fields in expected.items():
        rows = books.call(model, "search_read", [], 0, 1, [["id", "DESC"]], list(fields))
        assert {name: type(rows[0][name]).__name__ for name in fields} == fields, model
