from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import duckdb
import pytest

from sync_pipelines import mappings
from sync_pipelines.domains import DOMAINS
from sync_pipelines.domains.schema import META, sql_type
from sync_pipelines.engine.plan import NOTHING
from sync_pipelines.lake.macros import MACROS

READ = ["customer", "product", "pricing", "order", "invoice"]


def decimal(text: str) -> dict[str, str]:
    return {"__class__": "Decimal", "decimal": text}


def day(year: int, month: int, number: int) -> dict[str, Any]:
    return {"__class__": "date", "year": year, "month": month, "day": number}


class Books:
    """Records of a Tryton database as mappings see them, in the form in which its server sends them."""

    def __init__(self, db: duckdb.DuckDBPyConnection) -> None:
        self.db = db
        for statement in MACROS:
            db.execute(statement)
        db.execute("CREATE TABLE log (object VARCHAR, record_id VARCHAR, is_deleted BOOLEAN, payload VARCHAR)")
        db.execute("CREATE SCHEMA tryton")
        for name, shape in mappings.objects("tryton").items():
            db.execute(f"""
                CREATE VIEW tryton."{name}" AS
                SELECT record_id, 'v' || record_id AS version, is_deleted, now() AS extracted_at,
                       unnest(from_json(payload, '{json.dumps(shape)}'))
                FROM log WHERE object = '{name}'
            """)

    def add(self, object: str, record_id: int, *, deleted: bool = False, **fields: Any) -> None:
        payload = json.dumps({"id": record_id, "_timestamp": f"v{record_id}", **fields})
        self.db.execute("INSERT INTO log VALUES (?, ?, ?, ?)", [object, str(record_id), deleted, payload])

    def run(self, sql: str) -> list[dict[str, Any]]:
        result = self.db.execute(sql)
        names = [column[0] for column in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def conform(self, domain: str) -> list[dict[str, Any]]:
        return self.run(f"SELECT * FROM ({mappings.read_sql('tryton', domain)}) ORDER BY record_id")

    def body(self, domain: str, *, held: dict[str, Any] | None = None, **write: Any) -> dict[str, Any]:
        """The request for one planned write; `held` is what an update leaves as it is."""
        fields = {"posting_on": "DATE", **{field.name: sql_type(field) for field in DOMAINS[domain].fields}}
        meta = dict.fromkeys(("write_id", "operation", "link_id", "record_id", "external_id", "label"), "VARCHAR")
        row = {"write_id": "w", "operation": "update" if write.get("record_id") else "create", **write}
        for table, values in (("writes", row), ("desired", {**(held or {}), **row})):
            columns = ", ".join(f"{name} {kind}" for name, kind in {**meta, **fields}.items())
            self.db.execute(f"CREATE OR REPLACE TABLE {table} ({columns})")
            marks = ", ".join("?" for _ in (*meta, *fields))
            self.db.execute(f"INSERT INTO {table} VALUES ({marks})", [values.get(name) for name in (*meta, *fields)])
        (found,) = self.run(mappings.write_sql("tryton", domain) or "")
        return {**found, "body": _sent(json.loads(found["body"]))}


def _sent(value: Any) -> Any:
    """What is left of a body without its nulls."""
    if isinstance(value, dict):
        return {key: _sent(item) for key, item in value.items() if item is not None}
    return [_sent(item) for item in value] if isinstance(value, list) else value


@pytest.fixture
def books() -> Iterator[Books]:
    """A company with its reference data, a customer in Germany and two products."""
    with duckdb.connect() as db:
        made = Books(db)
        made.add("party.party", 1, code="US01", name="Meridian Software Inc", active=True, replaced_by=None)
        made.add("party.party", 2, code="US01-INT", name="Integration", active=True, replaced_by=None)
        made.add("company.company", 1, party=1, currency=1)
        made.add("company.employee", 1, party=2)
        for number, code in enumerate(("USD", "EUR", "JPY"), start=1):
            made.add("currency.currency", number, code=code)
        for number, code in enumerate(("DE", "US"), start=1):
            made.add("country.country", number, code=code)
        made.add("account.tax.rule", 1, name="Customers with VAT", company=1)
        made.add("account.tax.rule", 2, name="Customers without VAT", company=1)
        for number, rate in ((4, "0.08"), (5, "0.20")):
            accounts = {"invoice_account": 60 + number, "credit_note_account": 70 + number}
            made.add("account.tax", number, name=f"VAT {rate}", company=1, rate=decimal(rate), **accounts)
        made.add("account.account", 39, code="1.2.1", company=1)
        made.add("account.account", 102, code="4.2.2", company=1)
        made.add("account.journal", 1, code="REV")
        made.add("account.invoice.payment_term", 4, name="Net 30 days")
        made.add("product.uom", 9, symbol="u")
        made.add("product.category", 8, name="Subscription revenue", accounting=True)
        made.add("party.party", 7, code="C-00001", name="Müller", active=True, replaced_by=None)
        made.add("party.address", 70, party=7, sequence=None, street="Ring 1", city="Bonn", country=1, active=True)
        for template, sku, price in ((31, "SKU-0001", "30.50"), (32, "SKU-0002", "500.00")):
            made.add("product.template", template, code=sku, name=f"N {sku}", list_price=decimal(price), active=True)
            made.add("product.product", template + 10, template=template, description=None, active=True)
        yield made


def sale(books: Books, **fields: Any) -> None:
    given = {"reference": "D-00001", "number": "1", "company": 1, "party": 7, "sale_date": day(2026, 2, 3)}
    given |= {"state": "processing", "currency": 2, "untaxed_amount": decimal("100.50")}
    books.add("sale.sale", 11, **{**given, **fields})


def invoice(books: Books, **fields: Any) -> None:
    given = {"type": "out", "reference": "IN-1", "number": "IN-1", "company": 1, "party": 7, "state": "posted"}
    given |= {"invoice_date": day(2026, 2, 3), "currency": 2, "untaxed_amount": decimal("100.50")}
    given |= {"tax_amount": decimal("20.10"), "total_amount": decimal("120.60")}
    books.add("account.invoice", 21, **{**given, **fields})


@pytest.mark.parametrize("domain", READ)
def test_a_mapping_selects_canonical_columns_only_and_all_that_are_required(domain):
    columns = mappings.columns("tryton", domain)
    fields = {field.name: field for field in DOMAINS[domain].fields}

    assert set(columns) <= set(fields) | set(META)
    assert {"record_id", "version", "is_deleted", "label"} <= set(columns)
    assert {name for name, field in fields.items() if field.required} <= set(columns)


@pytest.mark.parametrize("domain", READ)
def test_every_column_is_traced_to_fields_of_tryton(domain):
    lineage = mappings.lineage("tryton", domain)

    assert all(sources for sources in lineage.values())
    assert all(source.startswith("tryton/") for sources in lineage.values() for source in sources)


def test_the_company_and_its_employees_are_no_customers(books):
    assert [row["number"] for row in books.conform("customer")] == ["C-00001"]


def test_a_customers_parts_are_the_first_active_ones_in_trytons_order(books):
    books.add("party.address", 71, party=7, sequence=None, street="Ring 2", city="Köln", country=1, active=True)
    books.add("party.identifier", 80, party=7, sequence=None, type="eu_vat", code="DE1", active=True)
    books.add("party.identifier", 81, party=7, sequence=None, type=None, code="T-1", active=True)
    for number, kind, value, order, active in (
        (90, "email", "old@m.example", None, False),
        (91, "email", "second@m.example", 2, True),
        (92, "email", "first@m.example", 1, True),
        (93, "phone", "+49 228 1", None, True),
    ):
        fields = {"type": kind, "value": value, "sequence": order, "active": active}
        books.add("party.contact_mechanism", number, party=7, **fields)

    (found,) = books.conform("customer")

    assert (found["city"], found["country"], found["tax_id"]) == ("Bonn", "DE", "T-1")
    assert (found["email"], found["phone"], found["website"]) == ("first@m.example", "+49 228 1", None)


def test_a_party_that_was_merged_names_the_one_that_took_its_place(books):
    books.add("party.party", 8, code="C-00008", name="Mueller", active=False, replaced_by=7)

    merged = books.conform("customer")[1]

    assert (merged["merged_into"], merged["is_active"]) == ("7", False)


def test_a_price_is_a_products_list_price_in_the_currency_of_the_books(books):
    first, second = books.conform("pricing")

    assert (first["product"], first["currency"], first["amount_minor"]) == ("31", "USD", 3050)
    assert second["amount_minor"] == 50000
    assert "billing_interval" not in first


@pytest.mark.parametrize(
    ("state", "status"),
    [("draft", "open"), ("quotation", "open"), ("confirmed", "confirmed"), ("done", "confirmed"), ("cancelled",) * 2],
)
def test_a_sale_is_an_order_in_the_state_that_it_has_reached(books, state, status):
    sale(books, state=state)

    (found,) = books.conform("order")

    assert found["status"] == status


def test_a_sale_keeps_its_lines_in_their_order_and_leaves_comments_out(books):
    sale(books)
    books.add("sale.line", 1, sale=11, type="line", sequence=2, product=41, quantity=1.5, amount=decimal("9.00"))
    books.add("sale.line", 2, sale=11, type="line", sequence=1, product=42, quantity=3.0, amount=decimal("91.50"))
    books.add("sale.line", 3, sale=11, type="comment", sequence=0, product=None, quantity=None, amount=None)

    (found,) = books.conform("order")

    assert found["lines"] == (
        '[{"product":"SKU-0002","quantity":"3","amount_minor":9150},'
        '{"product":"SKU-0001","quantity":"1.5","amount_minor":900}]'
    )
    assert (found["number"], found["legal_entity"], found["customer"]) == ("D-00001", "US01", "7")
    assert (found["ordered_on"], found["currency"], found["net_minor"]) == (date(2026, 2, 3), "EUR", 10050)


@pytest.mark.parametrize(("state", "status"), [("validated", "draft"), ("paid", "posted"), ("cancelled", "void")])
def test_an_invoice_has_the_status_that_the_books_give_it(books, state, status):
    invoice(books, state=state)

    (found,) = books.conform("invoice")

    assert found["status"] == status


def test_a_negative_invoice_is_a_credit_and_a_suppliers_is_none_of_ours(books):
    amounts = {"untaxed_amount": decimal("-3000"), "tax_amount": decimal("0"), "total_amount": decimal("-3000")}
    invoice(books, currency=3, **amounts)
    books.add("account.invoice", 22, type="in", reference="X-1")

    (found,) = books.conform("invoice")

    assert (found["kind"], found["currency"], found["total_minor"]) == ("credit", "JPY", -3000)


def test_a_new_customer_comes_with_its_parts_and_the_tax_rule_of_its_country(books):
    write = {"number": "C-2", "name": "Acme", "email": "a@acme.example", "city": "Troy", "country": "US"}

    request = books.body("customer", **write, is_active=True)

    assert request["external_id"] == "C-2"
    assert request["body"] == {
        "code": "C-2",
        "name": "Acme",
        "active": True,
        "customer_tax_rule": 2,
        "addresses": [["create", [{"city": "Troy", "country": 2}]]],
        "contact_mechanisms": [["create", [{"type": "email", "value": "a@acme.example"}]]],
    }


def test_an_update_touches_only_what_changed_and_says_from_which_versions(books):
    books.add("party.contact_mechanism", 90, party=7, type="email", value="x@m.example", sequence=None, active=True)
    held = {"name": "Müller", "country": "DE", "city": "Bonn"}

    request = books.body("customer", held=held, record_id="7", city="Köln", email="y@m.example", phone="+49 1")

    assert request["body"] == {
        "addresses": [["write", [70], {"city": "Köln"}]],
        "contact_mechanisms": [
            ["write", [90], {"value": "y@m.example"}],
            ["create", [{"type": "phone", "value": "+49 1"}]],
        ],
        "_timestamp": {"party.party,7": "v7", "party.address,70": "v70", "party.contact_mechanism,90": "v90"},
    }


def test_what_is_cleared_is_deleted_where_it_is_a_record_of_its_own_and_emptied_elsewhere(books):
    books.add("party.contact_mechanism", 90, party=7, type="phone", value="+49 1", sequence=None, active=True)
    books.add("party.identifier", 80, party=7, code="T-1", type=None, sequence=None, active=True)

    body = books.body("customer", record_id="7", phone="", tax_id="", website="", city="", country="")["body"]

    assert body["contact_mechanisms"] == [["delete", [90]]]
    assert body["identifiers"] == [["delete", [80]]]
    assert body["addresses"] == [["write", [70], {"city": "", "country": NOTHING}]]


def test_a_customer_that_moves_abroad_gets_the_other_tax_rule(books):
    request = books.body("customer", record_id="7", country="US")

    assert request["body"]["customer_tax_rule"] == 2
    assert request["body"]["addresses"] == [["write", [70], {"country": 2}]]


def test_a_customer_without_an_address_gets_a_whole_one(books):
    books.add("party.party", 8, code="C-00008", name="Bare", active=True, replaced_by=None)

    request = books.body("customer", held={"city": "Bonn"}, record_id="8", country="DE")

    assert request["body"]["addresses"] == [["create", [{"city": "Bonn", "country": 1}]]]


def test_a_product_is_archived_with_its_variant(books):
    request = books.body("product", record_id="31", is_active=False)

    assert request["body"] == {
        "active": False,
        "products": [["write", [41], {"active": False}]],
        "_timestamp": {"product.template,31": "v31", "product.product,41": "v41"},
    }


def test_a_product_can_be_renamed_without_touching_its_variant(books):
    request = books.body("product", record_id="31", name="Chair")

    assert request["body"] == {"name": "Chair", "_timestamp": {"product.template,31": "v31"}}


def test_a_new_product_has_no_price_yet(books):
    request = books.body("product", code="SKU-9", name="Vault", description="Cold", is_active=True)

    assert request["body"]["list_price"] == "0"
    assert (request["body"]["default_uom"], request["body"]["account_category"]) == (9, 8)
    assert request["body"]["products"] == [["create", [{"description": "Cold", "active": True}]]]


def test_a_price_is_sent_as_an_exact_decimal(books):
    request = books.body("pricing", held={"currency": "USD"}, record_id="31", amount_minor=1999)

    assert request["body"] == {"list_price": "19.9900", "_timestamp": {"product.template,31": "v31"}}


def test_an_order_becomes_a_sale_that_is_processed(books):
    lines = '[{"product":"SKU-0001","quantity":"3","amount_minor":10000}]'
    order = {"number": "D-2", "legal_entity": "US01", "customer": "7", "ordered_on": date(2026, 8, 9)}

    request = books.body("order", **order, status="confirmed", currency="JPY", lines=lines)

    assert request["then"] == ["quote", "confirm", "process"]
    assert request["body"]["sale_date"] == "2026-08-09"
    assert (request["body"]["party"], request["body"]["invoice_address"], request["body"]["currency"]) == (7, 70, 3)
    line = {"type": "line", "sequence": 1, "product": 41, "unit": 9, "quantity": "3.0000", "unit_price": "3333.3333"}
    assert request["body"]["lines"] == [["create", [line]]]


@pytest.mark.parametrize(
    ("tax_minor", "taxes"), [(-610, [["add", [5]]]), (-244, [["add", [4]]]), (-400, [["add", [-1]]]), (0, None)]
)
def test_an_invoice_keeps_billings_number_and_carries_tax_on_every_line_or_none(books, tax_minor, taxes):
    lines = '[{"product":"SKU-0001","quantity":"-1","amount_minor":-3050}]'
    document = {"number": "CN-2", "legal_entity": "US01", "customer": "7", "issued_on": date(2026, 6, 7)}

    amounts = {"currency": "EUR", "net_minor": -3050, "tax_minor": tax_minor}
    request = books.body("invoice", **document, **amounts, status="posted", lines=lines, kind="credit")

    assert (request["then"], request["external_id"]) == (["post"], "CN-2")
    assert "taxes" not in request["body"]
    assert (request["body"]["number"], request["body"]["reference"]) == ("CN-2", "CN-2")
    assert (request["body"]["account"], request["body"]["journal"], request["body"]["payment_term"]) == (39, 1, 4)
    ((_, (line,)),) = request["body"]["lines"]
    assert (line["quantity"], line["unit_price"], line["account"]) == ("-1.0000", "30.5000", 102)
    assert line.get("taxes") == taxes


@pytest.mark.parametrize(
    ("kind", "sign", "account"), [("invoice", 1, 65), ("credit", -1, 75)], ids=["invoice", "credit"]
)
def test_a_tax_that_the_erp_would_round_otherwise_is_entered_as_billed(books, kind, sign, account):
    """9.99 and 19.98 at 20 %: billing rounds each line (2.00 and 4.00), the ERP the sum (5.994)."""
    given = [{"product": f"SKU-000{n}", "quantity": str(sign * n), "amount_minor": sign * n * 999} for n in (1, 2)]
    document = {"number": "IN-7", "legal_entity": "US01", "customer": "7", "issued_on": date(2026, 6, 7)}
    amounts = {"currency": "EUR", "net_minor": sign * 2997, "tax_minor": sign * 600}

    request = books.body("invoice", **document, **amounts, status="posted", lines=json.dumps(given), kind=kind)

    tax = {"manual": True, "description": "VAT 0.20", "account": account, "tax": 5}
    tax |= {"base": f"{sign * 2997 / 100:.2f}", "amount": str(sign * 6)}
    assert request["then"] == ["post_taxed"]
    assert request["body"]["taxes"] == [["create", [tax]]]
    assert all("taxes" not in line for line in request["body"]["lines"][0][1])


def test_what_the_erp_does_not_know_is_sent_to_be_refused(books):
    lines = '[{"product":"SKU-9999","quantity":"1","amount_minor":100}]'
    document = {"number": "IN-9", "legal_entity": "US01", "issued_on": date(2026, 6, 7), "currency": "EUR"}

    body = books.body("invoice", **document, status="posted", tax_minor=0, lines=lines)["body"]

    assert (body["party"], body["invoice_address"]) == (-1, -1)
    assert body["lines"][0][1][0]["product"] == -1


@pytest.mark.parametrize(
    ("unknown", "field"), [({"legal_entity": "XX99"}, "company"), ({"currency": "KWD"}, "currency")]
)
@pytest.mark.parametrize("domain", ["order", "invoice"])
def test_a_document_of_books_or_a_currency_that_the_erp_lacks_is_not_taken_into_the_users_own(
    books: Books, domain: str, unknown: dict[str, str], field: str
) -> None:
    lines = '[{"product":"SKU-0001","quantity":"1","amount_minor":100}]'
    dated = {"order": "ordered_on", "invoice": "issued_on"}[domain]
    document = {"number": "N-9", "legal_entity": "US01", "currency": "EUR", "customer": "7", dated: date(2026, 6, 7)}
    known = {**document, **unknown, "status": "posted" if domain == "invoice" else "confirmed", "lines": lines}

    body = books.body(domain, **known, **({"tax_minor": 0} if domain == "invoice" else {}))["body"]

    assert body[field] == -1


def test_a_period_takes_documents_where_it_is_open_and_a_locked_one_takes_none_for_good(books: Books) -> None:
    books.add("account.fiscalyear", 1, company=1)
    for number, state in ((3, "locked"), (4, "closed"), (5, "open")):
        given = {"start_date": day(2026, number, 1), "end_date": day(2026, number, 30), "fiscalyear": 1}
        books.add("account.period", number, **given, state=state, type="standard")
    books.add("account.period", 9, **given, state="open", type="adjustment")

    found = books.run(f"SELECT * FROM ({mappings.period_sql('tryton')}) ORDER BY start_on")

    assert [(row["legal_entity"], row["start_on"].month, row["end_on"].day, row["state"]) for row in found] == [
        ("US01", 3, 30, "closed"),
        ("US01", 4, 30, "closed"),
        ("US01", 5, 30, "open"),
    ]


def test_an_invoice_that_was_moved_keeps_its_date_beside_that_of_the_books(books: Books) -> None:
    document = {"number": "I-3", "legal_entity": "US01", "customer": "7", "issued_on": date(2026, 3, 30)}
    request = books.body(
        "invoice", **document, posting_on=date(2026, 4, 1), status="posted", currency="EUR", tax_minor=0, lines="[]"
    )

    assert (request["body"]["invoice_date"], request["body"]["accounting_date"]) == ("2026-03-30", "2026-04-01")
    assert mappings.keeps_posting_date("tryton", "invoice")
    assert not mappings.keeps_posting_date("tryton", "order")


def test_an_invoice_and_the_credit_note_that_voided_it_count_nowhere(books: Books) -> None:
    given = {"type": "out", "company": 1, "party": 7, "currency": 2, "invoice_date": day(2026, 6, 1)}
    for number, reference, state, total, moves in (
        (1, "IN-1", "cancelled", "120.00", {"move": 51, "cancel_move": 52}),
        (2, None, "paid", "-120.00", {"move": 52, "cancel_move": None}),
        (3, "CN-9", "posted", "-10.00", {"move": 53, "cancel_move": None}),
    ):
        amounts = {"untaxed_amount": decimal(total), "tax_amount": decimal("0.00"), "total_amount": decimal(total)}
        books.add("account.invoice", number, **given, reference=reference, number=str(number), state=state,
                  **amounts, **moves)  # fmt: skip

    found = {row["record_id"]: (row["kind"], row["status"], row["total_minor"]) for row in books.conform("invoice")}

    assert found == {"1": ("invoice", "void", 12000), "2": ("credit", "void", -12000), "3": ("credit", "posted", -1000)}


@pytest.mark.parametrize(("domain", "object"), [("invoice", "account.invoice"), ("order", "sale.sale")])
def test_what_is_voided_is_sent_as_the_verb_alone(books: Books, domain: str, object: str) -> None:
    request = books.body(domain, operation="void", record_id="11", held={"number": "IN-1"})

    assert (request["object"], request["record_id"], request["external_id"]) == (object, "11", "IN-1")
    assert (request["body"], request["then"]) == ({}, ["void"])
