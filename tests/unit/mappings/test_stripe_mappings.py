from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from sync_pipelines import mappings
from sync_pipelines.domains import DOMAINS
from sync_pipelines.domains.schema import META, sql_type
from sync_pipelines.lake.macros import MACROS

READ = ["customer", "product", "pricing", "contract", "invoice", "entitlement"]
WRITTEN = ["customer", "product", "pricing", "contract"]
WRITES = "write_id VARCHAR, operation VARCHAR, link_id VARCHAR, record_id VARCHAR, external_id VARCHAR, label VARCHAR"
NEW_YORK = ZoneInfo("America/New_York")


def instant(*parts: int, zone: Any = NEW_YORK) -> int:
    return int(datetime(*parts, tzinfo=zone).timestamp())


class StripeAccount:
    """Objects of a Stripe account as mappings see them: typed views over their payloads."""

    def __init__(self, db: duckdb.DuckDBPyConnection) -> None:
        self.db = db
        for statement in MACROS:
            db.execute(statement)
        db.execute("SET TimeZone = 'UTC'")
        db.execute("CREATE TABLE legal_entity (code VARCHAR, name VARCHAR, zone VARCHAR, currency VARCHAR)")
        db.execute(
            "INSERT INTO legal_entity VALUES ('US01', 'Meridian', 'America/New_York', 'USD'),"
            " ('JP01', 'Meridian KK', 'Asia/Tokyo', 'JPY')"
        )
        db.execute("CREATE TABLE log (object VARCHAR, record_id VARCHAR, is_deleted BOOLEAN, payload VARCHAR)")
        db.execute("CREATE SCHEMA stripe")
        for name, shape in mappings.objects("stripe").items():
            db.execute(f"""
                CREATE VIEW stripe.{name} AS
                SELECT record_id, 'v1' AS version, is_deleted, now() AS extracted_at,
                       unnest(from_json(payload, '{json.dumps(shape)}'))
                FROM log WHERE object = '{name}'
            """)

    def add(self, object: str, record_id: str, *, deleted: bool = False, **fields: Any) -> None:
        payload = json.dumps({"id": record_id, "object": object, **fields})
        self.db.execute("INSERT INTO log VALUES (?, ?, ?, ?)", [object, record_id, deleted, payload])

    def run(self, sql: str) -> list[dict[str, Any]]:
        result = self.db.execute(sql)
        names = [column[0] for column in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def conform(self, domain: str) -> list[dict[str, Any]]:
        return self.run(f"SELECT * FROM ({mappings.read_sql('stripe', domain)}) ORDER BY record_id")

    def write(self, domain: str, *, operation: str = "update", record_id: str | None = None, **fields: Any) -> Any:
        """The request for one write; fields whose name begins with `known_` are desired, but did not change."""
        held = [f for f in DOMAINS[domain].fields if f.name in mappings.columns("stripe", domain)]
        columns = ", ".join(f"{f.name} {sql_type(f)}" for f in held)
        for table, prefixes in (("writes", ("",)), ("desired", ("", "known_"))):
            values = [next((fields[p + f.name] for p in prefixes if p + f.name in fields), None) for f in held]
            self.db.execute(f"CREATE TABLE {table} ({WRITES}, cleared VARCHAR[], {columns})")
            given = ["w1", operation, "l1", record_id, "l1", "label", fields.get("cleared", []), *values]
            self.db.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(given))})", given)
        (row,) = self.run(mappings.write_sql("stripe", domain) or "")
        return row["object"], row["operation"], _without_nulls(json.loads(row["body"])), row["then"]


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return value


@pytest.fixture
def account() -> Iterator[StripeAccount]:
    with duckdb.connect() as db:
        yield StripeAccount(db)


def line(id: str, amount: int, product: str | None, *, quantity: int | None = 1, **fields: Any) -> dict[str, Any]:
    pricing = {"price_details": {"price": "price_1", "product": product}} if product else None
    return {"id": id, "amount": amount, "quantity": quantity, "pricing": pricing, **fields}


def invoice(**fields: Any) -> dict[str, Any]:
    return {
        "number": "INV-1",
        "customer": "cus_1",
        "status": "open",
        "currency": "usd",
        "total": 0,
        "total_taxes": [],
        "status_transitions": {"finalized_at": instant(2026, 5, 4, 12)},
        "lines": {"data": []},
        "metadata": {"legal_entity": "US01"},
        **fields,
    }


@pytest.mark.parametrize("domain", READ)
def test_a_mapping_selects_canonical_columns_only_and_all_that_are_required(domain):
    columns = mappings.columns("stripe", domain)
    fields = {field.name: field for field in DOMAINS[domain].fields}

    assert set(columns) <= set(fields) | set(META)
    assert {"record_id", "version", "is_deleted", "external_id", "label"} <= set(columns)
    assert {name for name, field in fields.items() if field.required} <= set(columns)


@pytest.mark.parametrize("domain", READ)
def test_every_column_but_a_constant_is_traced_to_fields_of_stripe(domain):
    lineage = mappings.lineage("stripe", domain)

    assert {name for name, sources in lineage.items() if not sources} <= {"kind"}
    assert all(source.startswith("stripe/") for sources in lineage.values() for source in sources)


def test_every_declared_field_is_used_by_a_mapping():
    text = " ".join(
        [mappings.read_sql("stripe", domain) for domain in READ]
        + [mappings.write_sql("stripe", domain) or "" for domain in WRITTEN]
    )
    declared = {field for shape in mappings.objects("stripe").values() for field in shape}

    assert {field for field in declared if field not in text} == set()


def test_a_customer_carries_in_metadata_what_stripe_has_no_field_for(account):
    account.add(
        "customers",
        "cus_1",
        name="Acme GmbH",
        email="ap@acme.test",
        phone=None,
        address={"line1": "Hauptstr. 5", "line2": "Hof 2", "city": "Berlin", "postal_code": "10115", "country": "de"},
        metadata={"customer_number": "C-00001", "crm_id": "001A", "sync_id": "l1", "tax_id": "DE1", "website": "a.de"},
    )
    account.add("customers", "cus_2", deleted=True, name="Gone", metadata={}, address=None)

    acme, gone = account.conform("customer")

    assert (acme["number"], acme["tax_id"], acme["website"]) == ("C-00001", "DE1", "a.de")
    assert (acme["external_id"], acme["counterpart_id"], acme["label"]) == ("l1", "001A", "Acme GmbH")
    assert (acme["street"], acme["country"], acme["phone"]) == ("Hauptstr. 5\nHof 2", "DE", None)
    assert (gone["is_deleted"], gone["street"], gone["number"]) == (True, None, None)


def test_only_the_changed_fields_of_a_customer_are_sent(account):
    account.add("customers", "cus_1", address={"line1": "Old", "line2": "Floor 3", "state": "NY"}, metadata={})

    request = account.write("customer", record_id="cus_1", email="new@acme.test", known_name="Acme", known_city="Rye")

    assert request == ("customers", "update", {"email": "new@acme.test", "metadata": {}}, [])


def test_an_address_goes_as_a_whole_and_keeps_the_part_that_only_stripe_has(account):
    account.add("customers", "cus_1", address={"line1": "Old", "line2": "Floor 3", "state": "NY"}, metadata={})

    _, _, body, _ = account.write(
        "customer",
        record_id="cus_1",
        street="1 Main St",
        known_city="Rye",
        known_postal_code="10580",
        known_country="US",
    )

    address = {"line1": "1 Main St", "line2": "", "city": "Rye", "state": "NY", "postal_code": "10580", "country": "US"}
    assert body == {"address": address, "metadata": {}}


def test_a_new_customer_has_the_further_lines_of_its_street_in_line2(account):
    request = account.write("customer", operation="create", name="Acme", number="C-7", street="Tower\nFloor 2\nDesk 1")

    address = {"line1": "Tower", "line2": "Floor 2\nDesk 1"}
    body = {"name": "Acme", "address": address, "metadata": {"customer_number": "C-7"}}
    assert request == ("customers", "create", body, [])


def test_a_product_has_its_sku_and_family_in_metadata_both_ways(account):
    account.add("products", "prod_1", name="Seat", active=False, metadata={"sku": "SKU-0001", "family": "Core"})

    (product,) = account.conform("product")
    _, _, body, _ = account.write("product", record_id="prod_1", code="SKU-0002", is_active=True)

    assert (product["code"], product["family"], product["is_active"]) == ("SKU-0001", "Core", False)
    assert body == {"active": True, "metadata": {"sku": "SKU-0002"}}


@pytest.mark.parametrize(
    ("currency", "unit_amount", "minor"),
    [("usd", 1050, 1050), ("jpy", 1500, 1500), ("kwd", 1230, 1230), ("isk", 150000, 1500), ("mga", 20, 2000)],
)
def test_a_price_is_in_minor_units_of_its_currency_both_ways(account, currency, unit_amount, minor):
    account.add("products", "prod_1", name="Seat", metadata={"sku": "SKU-0001"})
    account.add(
        "prices", "price_1", product="prod_1", active=True, lookup_key="k", currency=currency, unit_amount=unit_amount
    )

    (price,) = account.conform("pricing")
    _, _, body, _ = account.write(
        "pricing", operation="create", product="prod_1", currency=currency.upper(), amount_minor=minor
    )

    assert (price["currency"], price["amount_minor"]) == (currency.upper(), minor)
    assert (body["currency"], body["unit_amount"]) == (currency, unit_amount)


def test_a_replaced_price_is_none_and_an_archived_one_is_deleted(account):
    price = {"product": "prod_1", "currency": "usd", "unit_amount": 1}
    month, quarter = ({"interval": "month", "interval_count": count} for count in (1, 3))
    account.add("products", "prod_1", name="Seat", metadata={"sku": "SKU-0001"})
    account.add("prices", "price_1", lookup_key="a", active=True, recurring=month, **price)
    account.add("prices", "price_2", lookup_key=None, active=False, recurring=month, **price)
    account.add("prices", "price_3", lookup_key="c", active=False, recurring=None, **price)
    account.add("prices", "price_4", lookup_key="d", active=True, recurring=quarter, **price)

    rows = account.conform("pricing")

    assert [(r["record_id"], r["is_deleted"], r["billing_interval"]) for r in rows] == [
        ("price_1", False, "month"),
        ("price_3", True, "once"),
        ("price_4", False, "3 month"),
    ]
    assert rows[0]["label"] == "Seat in USD"


def test_a_changed_price_is_replaced_with_all_that_it_says(account):
    account.add("products", "prod_1", name="Seat", metadata={"sku": "SKU-0001"})
    account.add(
        "prices", "price_1", product="prod_1", lookup_key="sku-0001-eur", nickname="EU list", tax_behavior="exclusive"
    )

    request = account.write(
        "pricing",
        record_id="price_1",
        amount_minor=1200,
        known_product="prod_1",
        known_currency="EUR",
        known_billing_interval="month",
    )

    body = {
        "product": "prod_1",
        "currency": "eur",
        "unit_amount": 1200,
        "lookup_key": "sku-0001-eur",
        "nickname": "EU list",
        "tax_behavior": "exclusive",
        "recurring": {"interval": "month"},
    }
    assert request == ("prices", "replace", body, ["retire"])


def test_a_new_price_for_once_has_no_interval(account):
    account.add("products", "prod_1", name="Setup", metadata={"sku": "SKU-0009"})

    request = account.write(
        "pricing", operation="create", product="prod_1", currency="JPY", amount_minor=5000, billing_interval="once"
    )

    body = {"product": "prod_1", "currency": "jpy", "unit_amount": 5000, "lookup_key": "sku-0009-jpy"}
    assert request == ("prices", "create", body, [])


def subscription(**fields: Any) -> dict[str, Any]:
    return {
        "customer": "cus_1",
        "status": "active",
        "currency": "usd",
        "start_date": instant(2026, 2, 1),
        "metadata": {"contract_number": "00000101", "legal_entity": "US01"},
        **fields,
    }


def test_a_contract_is_dated_in_the_zone_of_its_legal_entity(account):
    late = instant(2026, 1, 31, 23, 30)
    account.add("subscriptions", "sub_1", **subscription(start_date=late, cancel_at=instant(2027, 2, 1)))
    tokyo = {"contract_number": "2", "legal_entity": "JP01"}
    account.add("subscriptions", "sub_2", **subscription(start_date=late, metadata=tokyo, currency="jpy"))

    new_york, japan = account.conform("contract")

    assert (new_york["start_on"], new_york["end_on"]) == (date(2026, 1, 31), date(2027, 1, 31))
    assert (japan["start_on"], japan["end_on"], japan["currency"]) == (date(2026, 2, 1), None, "JPY")


@pytest.mark.parametrize(
    ("status", "canonical"),
    [
        ("active", "active"),
        ("trialing", "active"),
        ("past_due", "active"),
        ("unpaid", "active"),
        ("canceled", "ended"),
        ("incomplete_expired", "ended"),
        ("incomplete", "draft"),
        ("something_new", "something_new"),
    ],
)
def test_a_contract_has_the_status_of_its_subscription(account, status, canonical):
    account.add("subscriptions", "sub_1", **subscription(status=status))

    (contract,) = account.conform("contract")

    assert contract["status"] == canonical


def test_a_contract_without_a_legal_entity_has_no_dates(account):
    account.add("subscriptions", "sub_1", **subscription(metadata={"contract_number": "1"}))

    (contract,) = account.conform("contract")

    assert (contract["number"], contract["legal_entity"], contract["start_on"]) == ("1", None, None)


def test_an_end_that_is_cleared_is_taken_from_the_subscription(account):
    _, _, body, _ = account.write("contract", record_id="sub_1", cleared=["end_on"], known_legal_entity="US01")

    assert body["cancel_at"] == ""


@pytest.mark.parametrize("end_on", [date(2026, 3, 7), date(2026, 3, 8), date(2026, 10, 31), date(2026, 11, 1)])
def test_an_end_survives_the_way_to_stripe_and_back_on_days_of_23_and_25_hours(account, end_on):
    _, _, body, _ = account.write("contract", record_id="sub_1", end_on=end_on, known_legal_entity="US01")
    account.add("subscriptions", "sub_1", **subscription(cancel_at=body["cancel_at"]))

    (contract,) = account.conform("contract")

    assert datetime.fromtimestamp(body["cancel_at"], UTC).astimezone(NEW_YORK).strftime("%H:%M") == "00:00"
    assert contract["end_on"] == end_on


def test_an_unchanged_end_is_not_sent(account):
    request = account.write("contract", record_id="sub_1", number="00000102", known_end_on=date(2026, 3, 7))

    assert request == ("subscriptions", "update", {"metadata": {"contract_number": "00000102"}}, [])


def test_each_item_of_a_subscription_in_force_entitles(account):
    items = [{"id": f"si_{n}", "quantity": n, "price": {"product": f"prod_{n}"}, "metadata": {}} for n in (1, 2)]
    account.add("products", "prod_1", name="Seat", metadata={})
    account.add("customers", "cus_1", name="Acme", metadata={})
    account.add("subscriptions", "sub_1", **subscription(items={"data": items}, cancel_at=instant(2027, 2, 1)))
    account.add("subscriptions", "sub_2", **subscription(items={"data": items}, status="canceled"))

    one, two = account.conform("entitlement")

    assert (one["record_id"], one["number"], one["customer"]) == ("si_1", "si_1", "cus_1")
    assert (one["product"], one["quantity"], one["label"]) == ("prod_1", 1, "Seat for Acme")
    assert (one["start_on"], one["end_on"]) == (date(2026, 2, 1), date(2027, 1, 31))
    assert (two["number"], two["quantity"]) == ("si_2", 2)


def test_an_invoice_has_net_tax_and_total_and_its_lines_in_document_order(account):
    account.add("products", "prod_1", name="Seat", metadata={"sku": "SKU-0001"})
    account.add("products", "prod_2", name="Setup", metadata={"sku": "SKU-0002"})
    lines = [
        line("il_1", 20000, "prod_2", quantity=10),
        line("il_2", 5000, "prod_1", quantity=2, quantity_decimal="2.5"),
        line("il_3", -1000, None, quantity=None),
    ]
    account.add("invoices", "in_1", **invoice(total=28800, total_taxes=[{"amount": 4800}], lines={"data": lines}))

    (document,) = account.conform("invoice")

    assert (document["net_minor"], document["tax_minor"], document["total_minor"]) == (24000, 4800, 28800)
    assert document["lines"] == (
        '[{"product":"SKU-0002","quantity":"10","amount_minor":20000},'
        '{"product":"SKU-0001","quantity":"2.5","amount_minor":5000},'
        '{"product":null,"quantity":"1","amount_minor":-1000}]'
    )


def test_a_line_is_net_of_its_discounts_and_of_tax_that_it_includes(account):
    taxes = [{"amount": 200, "tax_behavior": "inclusive"}]
    exclusive = [{"amount": 180, "tax_behavior": "exclusive"}]
    lines = [
        line("il_1", 1200, None, taxes=taxes),
        line("il_2", 1000, None, taxes=exclusive, discount_amounts=[{"amount": 100}]),
    ]
    account.add(
        "invoices", "in_1", **invoice(total=2280, total_taxes=[{"amount": 200}, {"amount": 180}], lines={"data": lines})
    )

    (document,) = account.conform("invoice")

    amounts = [entry["amount_minor"] for entry in json.loads(document["lines"])]
    assert amounts == [1000, 900]
    assert sum(amounts) == document["net_minor"] == 1900


def test_a_credit_note_is_negative_and_names_the_products_of_the_lines_it_credits(account):
    account.add("products", "prod_1", name="Seat", metadata={"sku": "SKU-0001"})
    account.add(
        "invoices", "in_1", **invoice(total=3000, currency="jpy", lines={"data": [line("il_1", 3000, "prod_1")]})
    )
    credit = {"amount": 1500, "quantity": 1, "invoice_line_item": "il_1", "type": "invoice_line_item"}
    account.add(
        "credit_notes",
        "cn_1",
        number="INV-1-CN-01",
        invoice="in_1",
        customer="cus_1",
        status="issued",
        currency="jpy",
        total=1800,
        total_taxes=[{"amount": 300}],
        created=instant(2026, 6, 30, 23, 59, 59),
        metadata={},
        lines={"data": [credit]},
    )

    note, _ = account.conform("invoice")

    assert (note["kind"], note["status"], note["legal_entity"]) == ("credit", "posted", "US01")
    assert (note["net_minor"], note["tax_minor"], note["total_minor"]) == (-1500, -300, -1800)
    assert (note["currency"], note["issued_on"]) == ("JPY", date(2026, 6, 30))
    assert note["lines"] == '[{"product":"SKU-0001","quantity":"-1","amount_minor":-1500}]'


@pytest.mark.parametrize(
    ("finalized_at", "issued_on"),
    [
        (instant(2026, 3, 31, 23, 30), date(2026, 3, 31)),
        (instant(2026, 4, 1, 0, 0), date(2026, 4, 1)),
        (instant(2026, 4, 1, 3, 59, zone=UTC), date(2026, 3, 31)),
        (instant(2026, 3, 8, 4, 59, zone=UTC), date(2026, 3, 7)),
        (instant(2026, 3, 9, 3, 59, zone=UTC), date(2026, 3, 8)),
        (instant(2026, 11, 2, 4, 59, zone=UTC), date(2026, 11, 1)),
    ],
)
def test_an_invoice_is_dated_by_the_day_in_new_york(account, finalized_at, issued_on):
    account.add("invoices", "in_1", **invoice(status_transitions={"finalized_at": finalized_at}))

    (document,) = account.conform("invoice")

    assert document["issued_on"] == issued_on


def test_a_date_that_was_set_on_an_invoice_wins_over_the_day_it_was_finalized(account):
    account.add("invoices", "in_1", **invoice(effective_at=instant(2026, 4, 30, 12)))

    (document,) = account.conform("invoice")

    assert document["issued_on"] == date(2026, 4, 30)


@pytest.mark.parametrize(
    ("status", "canonical"), [("open", "posted"), ("paid", "posted"), ("uncollectible", "posted"), ("void", "void")]
)
def test_an_invoice_is_posted_when_it_is_finalized_until_it_is_voided(account, status, canonical):
    account.add("invoices", "in_1", **invoice(status=status))
    account.add("invoices", "in_2", **invoice(status="draft", number=None))

    (document,) = account.conform("invoice")

    assert (document["record_id"], document["status"]) == ("in_1", canonical)
