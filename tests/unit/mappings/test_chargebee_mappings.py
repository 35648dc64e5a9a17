from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
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


class Site:
    """Resources of a Chargebee site as mappings see them: typed views over their payloads."""

    def __init__(self, db: duckdb.DuckDBPyConnection) -> None:
        self.db = db
        for statement in MACROS:
            db.execute(statement)
        db.execute("SET TimeZone = 'UTC'")
        db.execute("CREATE TABLE legal_entity (code VARCHAR, name VARCHAR, zone VARCHAR, currency VARCHAR)")
        db.execute("INSERT INTO legal_entity VALUES ('US01', 'Meridian', 'America/New_York', 'USD')")
        db.execute("CREATE TABLE log (object VARCHAR, record_id VARCHAR, is_deleted BOOLEAN, payload VARCHAR)")
        db.execute("CREATE SCHEMA chargebee")
        for name, shape in mappings.objects("chargebee").items():
            db.execute(f"""
                CREATE VIEW chargebee.{name} AS
                SELECT record_id, 'v1' AS version, is_deleted, now() AS extracted_at,
                       unnest(from_json(payload, '{json.dumps(shape)}'))
                FROM log WHERE object = '{name}'
            """)

    def found(self, code: str, zone: str) -> None:
        """Another legal entity."""
        self.db.execute("INSERT INTO legal_entity VALUES (?, ?, ?, 'JPY')", [code, code, zone])

    def add(self, object: str, record_id: str, *, deleted: bool = False, **fields: Any) -> None:
        payload = json.dumps({"id": record_id, **fields})
        self.db.execute("INSERT INTO log VALUES (?, ?, ?, ?)", [object, record_id, deleted, payload])

    def run(self, sql: str) -> list[dict[str, Any]]:
        result = self.db.execute(sql)
        names = [column[0] for column in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def conform(self, domain: str) -> list[dict[str, Any]]:
        return self.run(f"SELECT * FROM ({mappings.read_sql('chargebee', domain)}) ORDER BY record_id")

    def write(self, domain: str, *, operation: str = "update", record_id: str | None = None, **fields: Any) -> Any:
        """The request for one write; fields whose name begins with `known_` are desired, but did not change."""
        held = [f for f in DOMAINS[domain].fields if f.name in mappings.columns("chargebee", domain)]
        columns = ", ".join(f"{f.name} {sql_type(f)}" for f in held)
        for table, prefixes in (("writes", ("",)), ("desired", ("", "known_"))):
            values = [next((fields[p + f.name] for p in prefixes if p + f.name in fields), None) for f in held]
            self.db.execute(f"CREATE OR REPLACE TABLE {table} ({WRITES}, cleared VARCHAR[], {columns})")
            given = ["w1", operation, "l1", record_id, "l1", "label", fields.get("cleared", []), *values]
            self.db.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(given))})", given)
        (row,) = self.run(mappings.write_sql("chargebee", domain) or "")
        return row["object"], row["operation"], _without_nulls(json.loads(row["body"])), row["then"]


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return value


@pytest.fixture
def site() -> Iterator[Site]:
    with duckdb.connect() as db:
        yield Site(db)


@pytest.fixture
def catalog(site: Site) -> Site:
    site.add("item_families", "core", name="Core", status="active")
    site.add(
        "items", "seat", name="Seat", type="plan", item_family_id="core", status="active", metadata={"sku": "SKU-1"}
    )
    site.add(
        "items", "SETUP", name="Setup", type="charge", item_family_id="core", status="archived", description="Once"
    )
    site.add("item_prices", "seat-EUR", item_id="seat", currency_code="EUR")
    site.add("item_prices", "setup-EUR", item_id="SETUP", currency_code="EUR")
    return site


def line(amount: int, price_id: str | None = "seat-EUR", *, quantity: int | None = 1, **fields: Any) -> dict[str, Any]:
    return {"entity_id": price_id, "amount": amount, "quantity": quantity, **fields}


def document(**fields: Any) -> dict[str, Any]:
    return {
        "customer_id": "C-1",
        "status": "payment_due",
        "price_type": "tax_exclusive",
        "currency_code": "EUR",
        "date": instant(2026, 5, 4, 12),
        "total": 0,
        "line_items": [],
        "business_entity_id": "US01",
        **fields,
    }


@pytest.mark.parametrize("domain", READ)
def test_a_mapping_selects_canonical_columns_only_and_all_that_are_required(domain):
    columns = mappings.columns("chargebee", domain)
    fields = {field.name: field for field in DOMAINS[domain].fields}

    assert set(columns) <= set(fields) | set(META)
    assert {"record_id", "version", "is_deleted", "external_id", "label"} <= set(columns)
    assert {name for name, field in fields.items() if field.required} <= set(columns)


@pytest.mark.parametrize("domain", READ)
def test_every_column_but_a_constant_is_traced_to_fields_of_chargebee(domain):
    lineage = mappings.lineage("chargebee", domain)

    assert {name for name, sources in lineage.items() if not sources} <= {"kind"}
    assert all(source.startswith("chargebee/") for sources in lineage.values() for source in sources)


def test_every_declared_field_is_used_by_a_mapping():
    text = " ".join(
        [mappings.read_sql("chargebee", domain) for domain in READ]
        + [mappings.write_sql("chargebee", domain) or "" for domain in WRITTEN]
    )
    declared = {field for shape in mappings.objects("chargebee").values() for field in shape}

    assert {field for field in declared if field not in text} == set()


def test_a_customer_carries_in_meta_data_what_chargebee_has_no_attribute_for(site):
    site.add(
        "customers",
        "C-1",
        company="Ünïcode 🏢 GmbH",
        email="ap@acme.test",
        vat_number="123456789",
        vat_number_prefix="DE",
        billing_address={"line1": "Hauptstr. 5", "line2": "Hof 2", "city": "Köln", "zip": "01234", "country": "DE"},
        meta_data={"customer_number": "C-00001", "crm_id": "001A", "website": "a.de", "theirs": {"x": 1}},
    )
    site.add("customers", "C-2", deleted=True, first_name="Ada", last_name="Love")
    site.add("customers", "C-3")

    acme, ada, bare = site.conform("customer")

    assert (acme["number"], acme["counterpart_id"], acme["website"]) == ("C-00001", "001A", "a.de")
    assert (acme["name"], acme["tax_id"], acme["phone"]) == ("Ünïcode 🏢 GmbH", "DE123456789", None)
    assert (acme["street"], acme["city"], acme["postal_code"]) == ("Hauptstr. 5\nHof 2", "Köln", "01234")
    assert (ada["name"], ada["is_deleted"], ada["street"]) == ("Ada Love", True, None)
    assert (bare["name"], bare["tax_id"], bare["external_id"]) == (None, None, "C-3")


def test_only_the_changed_fields_of_a_customer_are_sent(site):
    site.add("customers", "C-1", billing_address={"line1": "Old", "state": "NY"}, meta_data={"customer_number": "C-7"})

    request = site.write("customer", record_id="C-1", email="new@acme.test", known_name="Acme", known_city="Rye")

    assert request == ("customers", "update", {"email": "new@acme.test"}, [])


def test_an_address_goes_as_a_whole_and_keeps_the_part_that_only_chargebee_has(site):
    site.add("customers", "C-1", billing_address={"line1": "Old", "line2": "Floor 3", "line3": "Door", "state": "NY"})

    _, _, body, _ = site.write(
        "customer", record_id="C-1", street="1 Main St\nRoom 2", known_city="Rye", known_country="US"
    )

    address = {"line1": "1 Main St", "line2": "Room 2", "line3": "", "city": "Rye", "state": "NY", "country": "US"}
    assert body == {"billing_address": address}


def test_a_street_of_more_than_three_lines_loses_none(site):
    _, _, body, _ = site.write("customer", operation="create", name="Acme", number="C-7", street="A\nB\nC\nD")

    assert body["billing_address"] == {"line1": "A", "line2": "B", "line3": "C\nD"}
    assert body["meta_data"] == {"customer_number": "C-7"}


def test_meta_data_keep_the_keys_that_are_somebody_elses(site):
    site.add("customers", "C-1", meta_data={"customer_number": "C-7", "theirs": [1, {"a": 2}]})

    _, _, body, _ = site.write("customer", record_id="C-1", website="a.de")

    assert body == {"meta_data": {"customer_number": "C-7", "theirs": [1, {"a": 2}], "website": "a.de"}}


def test_a_tax_id_is_written_whole_and_takes_the_prefix_away(site):
    site.add("customers", "C-1", vat_number="1", vat_number_prefix="DE")
    site.add("customers", "C-2", vat_number="1")

    with_prefix = site.write("customer", record_id="C-1", tax_id="AT2")
    without = site.write("customer", record_id="C-2", tax_id="AT2")

    assert with_prefix[2] == {"vat_number": "AT2", "vat_number_prefix": ""}
    assert without[2] == {"vat_number": "AT2"}


def test_a_product_has_its_sku_in_metadata_or_goes_by_its_id(catalog):
    setup, seat = catalog.conform("product")

    assert (seat["code"], seat["family"], seat["is_active"], seat["description"]) == ("SKU-1", "Core", True, None)
    assert (setup["code"], setup["is_active"], setup["description"]) == ("SETUP", False, "Once")


def test_a_new_product_is_of_the_type_that_most_of_its_family_are(catalog):
    catalog.add("items", "day", name="Day", type="charge", item_family_id="core", status="active")

    _, _, body, _ = catalog.write(
        "product", operation="create", code="SKU-2", name="Workshop", family="core", is_active=True
    )

    metadata = {"sku": "SKU-2"}
    assert body == {"name": "Workshop", "item_family_id": "core", "type": "charge", "metadata": metadata}


def test_a_product_of_an_unknown_family_is_sent_so_that_it_is_refused(catalog):
    _, _, body, _ = catalog.write("product", operation="create", name="Kit", family="Hardware", code="K")

    assert (body["item_family_id"], body["type"]) == ("Hardware", "plan")


def test_a_product_is_archived_and_keeps_its_other_metadata(catalog):
    _, _, archived, _ = catalog.write("product", record_id="seat", is_active=False)
    _, _, renamed, _ = catalog.write("product", record_id="seat", code="SKU-9", known_family="Core")

    assert archived == {"status": "archived"}
    assert renamed == {"metadata": {"sku": "SKU-9"}}


@pytest.mark.parametrize(
    ("fields", "currency", "minor"),
    [
        ({"price": 1050}, "USD", 1050),
        ({"price": 1500}, "JPY", 1500),
        ({"price": 1234}, "KWD", 1234),
        ({"price": 99999999999999}, "USD", 99999999999999),
        ({"price_in_decimal": "10.50"}, "USD", 1050),
        ({"price_in_decimal": "1500"}, "JPY", 1500),
        ({"price_in_decimal": "1.234"}, "KWD", 1234),
        ({"price_in_decimal": "0.005", "price": 1}, "USD", None),
        ({"price_in_decimal": "0.5"}, "JPY", None),
        ({"price_in_decimal": "0.123456789"}, "KWD", None),
    ],
)
def test_a_price_is_exact_in_minor_units_or_none(catalog, fields, currency, minor):
    catalog.add(
        "item_prices",
        "p",
        item_id="seat",
        item_type="plan",
        pricing_model="per_unit",
        currency_code=currency,
        period=1,
        period_unit="month",
        status="active",
        **fields,
    )

    (price,) = catalog.conform("pricing")

    assert (price["amount_minor"], price["currency"], price["product"]) == (minor, currency, "seat")
    assert (price["billing_interval"], price["label"], price["is_deleted"]) == ("month", f"Seat in {currency}", False)


def test_tiers_are_no_price_and_an_archived_price_is_a_deleted_one(catalog):
    shared = {"item_id": "SETUP", "item_type": "charge", "currency_code": "EUR", "price": 1}
    catalog.add("item_prices", "a", pricing_model="tiered", status="active", **shared)
    catalog.add("item_prices", "b", pricing_model="flat_fee", status="archived", **shared)
    quarterly = {**shared, "item_type": "plan", "period": 3, "period_unit": "month"}
    catalog.add("item_prices", "c", pricing_model="flat_fee", status="active", **quarterly)

    found = catalog.conform("pricing")

    told = [(price["record_id"], price["is_deleted"], price["billing_interval"]) for price in found]
    assert told == [("b", True, "once"), ("c", False, "3 month")]


def test_a_price_is_created_with_its_period_and_changed_in_place(catalog):
    shared = {"item_id": "seat", "currency_code": "KWD", "status": "active"}
    catalog.add("item_prices", "decimal", price_in_decimal="1.000000000", **shared)
    made = catalog.write(
        "pricing", operation="create", product="seat", currency="USD", billing_interval="year", amount_minor=29000
    )
    once = catalog.write(
        "pricing", operation="create", product="SETUP", currency="JPY", billing_interval="once", amount_minor=5
    )
    changed = catalog.write("pricing", record_id="seat-EUR", amount_minor=2700, known_currency="EUR")
    exact = catalog.write("pricing", record_id="decimal", amount_minor=1234, known_currency="KWD")

    assert made == (
        "item_prices",
        "create",
        {
            "name": "Seat USD year",
            "item_id": "seat",
            "currency_code": "USD",
            "pricing_model": "per_unit",
            "price": 29000,
            "period": 1,
            "period_unit": "year",
        },
        [],
    )
    assert (once[2]["name"], once[2]["price"], "period" in once[2]) == ("Setup JPY once", 5, False)
    assert changed == ("item_prices", "update", {"price": 2700}, [])
    assert Decimal(exact[2]["price_in_decimal"]) == Decimal("1.234")
    assert "price" not in exact[2]


def test_a_contract_ends_the_day_before_it_is_cancelled_in_its_entitys_zone(site):
    site.found("JP01", "Asia/Tokyo")
    shared = {"customer_id": "C-1", "currency_code": "USD"}
    site.add(
        "subscriptions",
        "S-1",
        status="non_renewing",
        start_date=instant(2026, 1, 5, 23, 30),
        cancelled_at=instant(2027, 1, 6),
        meta_data={"contract_number": "K-1", "legal_entity": "US01"},
        po_number="D-7",
        **shared,
    )
    tokyo = ZoneInfo("Asia/Tokyo")
    start = instant(2026, 1, 6, 0, 30, zone=tokyo)
    site.add("subscriptions", "S-2", status="active", start_date=start, business_entity_id="JP01", **shared)

    first, second = site.conform("contract")

    assert (first["number"], first["legal_entity"], first["correlation_id"]) == ("K-1", "US01", "D-7")
    assert (first["start_on"], first["end_on"], first["status"]) == (date(2026, 1, 5), date(2027, 1, 5), "active")
    assert (second["number"], second["legal_entity"]) == ("S-2", "JP01")
    assert (second["start_on"], second["end_on"], second["status"]) == (date(2026, 1, 6), None, "active")


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("future", "active"), ("in_trial", "active"), ("active", "active"), ("non_renewing", "active"),
        ("paused", "active"), ("cancelled", "ended"), ("transferred", "ended"), ("unheard_of", "unheard_of"),
    ],
)  # fmt: skip
def test_every_status_of_a_subscription_is_one_of_a_contract_or_refused_by_name(site, status, told):
    site.add("subscriptions", "S-1", status=status, start_date=0, customer_id="C-1", currency_code="USD")

    (contract,) = site.conform("contract")

    assert contract["status"] == told


def test_the_only_legal_entity_is_everybodys_and_among_several_none_is_guessed(site):
    site.add("subscriptions", "S-1", status="active", start_date=instant(2026, 1, 5), currency_code="USD")
    (alone,) = site.conform("contract")
    site.found("JP01", "Asia/Tokyo")
    (among_two,) = site.conform("contract")

    assert (alone["legal_entity"], alone["start_on"]) == ("US01", date(2026, 1, 5))
    assert (among_two["legal_entity"], among_two["start_on"]) == (None, None)


def test_the_end_of_a_contract_is_the_first_moment_of_the_day_after(site):
    site.add("subscriptions", "S-1", meta_data={"contract_number": "K-1", "theirs": 1})
    known = {"record_id": "S-1", "known_legal_entity": "US01"}

    ends = site.write("contract", end_on=date(2026, 10, 31), **known)
    never = site.write("contract", cleared=["end_on"], **known)
    moved = site.write("contract", customer="C-2", start_on=date(2026, 3, 8), number="K-2", **known)

    assert ends == ("subscriptions", "update", {"cancelled_at": instant(2026, 11, 1)}, [])
    assert never[2] == {"cancelled_at": ""}
    assert moved[2] == {
        "customer_id": "C-2",
        "start_date": instant(2026, 3, 8),
        "meta_data": {"contract_number": "K-2", "theirs": 1},
    }


def test_a_customer_is_entitled_to_what_recurs_in_a_subscription_in_force(catalog):
    items = [
        {"item_price_id": "seat-EUR", "item_type": "plan", "quantity": 12},
        {"item_price_id": "setup-EUR", "item_type": "charge", "quantity": 1},
    ]
    shared = {"customer_id": "C-1", "subscription_items": items, "start_date": instant(2026, 1, 5)}
    catalog.add("customers", "C-1", company="Acme")
    catalog.add("subscriptions", "S-1", status="non_renewing", cancelled_at=instant(2026, 7, 1), **shared)
    catalog.add("subscriptions", "S-2", status="cancelled", **shared)

    (entitlement,) = catalog.conform("entitlement")

    assert (entitlement["number"], entitlement["customer"], entitlement["product"]) == ("S-1:seat-EUR", "C-1", "seat")
    assert (entitlement["quantity"], entitlement["label"]) == (Decimal(12), "Seat for Acme")
    assert (entitlement["start_on"], entitlement["end_on"]) == (date(2026, 1, 5), date(2026, 6, 30))


def test_a_quantity_with_decimals_is_exact(catalog):
    items = [{"item_price_id": "seat-EUR", "item_type": "plan", "quantity": 2, "quantity_in_decimal": "2.5000"}]
    catalog.add("subscriptions", "S-1", status="active", subscription_items=items, start_date=0)

    (entitlement,) = catalog.conform("entitlement")

    assert entitlement["quantity"] == Decimal("2.5")


def test_an_invoice_has_its_number_lines_and_tax(catalog):
    catalog.add(
        "invoices",
        "INV-1",
        **document(
            date=instant(2026, 5, 31, 23, 30),
            total=16898,
            taxes=[{"amount": 2698}],
            po_number="D-7",
            line_items=[
                line(12500, quantity=5, discount_amount=500),
                line(2200, "setup-EUR", discount_amount=0, tax_amount=418),
            ],
        ),
    )

    (invoice,) = catalog.conform("invoice")

    assert (invoice["number"], invoice["kind"], invoice["status"]) == ("INV-1", "invoice", "posted")
    assert (invoice["issued_on"], invoice["legal_entity"]) == (date(2026, 5, 31), "US01")
    assert (invoice["net_minor"], invoice["tax_minor"], invoice["total_minor"]) == (14200, 2698, 16898)
    assert json.loads(invoice["lines"]) == [
        {"product": "SKU-1", "quantity": "5", "amount_minor": 12000},
        {"product": "SETUP", "quantity": "1", "amount_minor": 2200},
    ]
    assert (invoice["correlation_id"], invoice["is_settled"], invoice["currency"]) == ("D-7", False, "EUR")


def test_tax_that_is_included_is_no_part_of_a_lines_amount(catalog):
    catalog.add(
        "invoices",
        "INV-1",
        **document(
            price_type="tax_inclusive", total=1190, taxes=[{"amount": 190}], line_items=[line(1190, tax_amount=190)]
        ),
    )

    (invoice,) = catalog.conform("invoice")

    assert (invoice["net_minor"], invoice["tax_minor"]) == (1000, 190)
    assert json.loads(invoice["lines"])[0]["amount_minor"] == 1000


def test_what_a_total_was_rounded_by_is_a_line_so_that_lines_add_up(catalog):
    catalog.add("invoices", "INV-1", **document(total=1000, round_off_amount=-3, line_items=[line(1003)]))

    (invoice,) = catalog.conform("invoice")

    lines = json.loads(invoice["lines"])
    assert [(each["product"], each["amount_minor"]) for each in lines] == [("SKU-1", 1003), (None, -3)]
    assert sum(each["amount_minor"] for each in lines) == invoice["net_minor"] == 1000


@pytest.mark.parametrize(("currency", "total"), [("JPY", 16500), ("USD", 1999), ("KWD", 1234567)])
def test_amounts_stay_the_minor_units_that_they_are(catalog, currency, total):
    catalog.add("invoices", "INV-1", **document(currency_code=currency, total=total, line_items=[line(total)]))

    (invoice,) = catalog.conform("invoice")

    assert (invoice["currency"], invoice["net_minor"], invoice["total_minor"]) == (currency, total, total)


@pytest.mark.parametrize(
    ("status", "told", "settled"),
    [
        ("paid", "posted", True), ("posted", "posted", False), ("payment_due", "posted", False),
        ("not_paid", "posted", False), ("voided", "void", False), ("unheard_of", "unheard_of", False),
    ],
)  # fmt: skip
def test_every_status_of_an_invoice_is_told_or_refused_by_name(catalog, status, told, settled):
    catalog.add("invoices", "INV-1", **document(status=status))

    (invoice,) = catalog.conform("invoice")

    assert (invoice["status"], invoice["is_settled"]) == (told, settled)


def test_a_pending_invoice_is_none_yet(catalog):
    catalog.add("invoices", "INV-1", **document(status="pending"))

    assert catalog.conform("invoice") == []


def test_a_credit_note_is_negative_and_belongs_to_the_order_of_its_invoice(catalog):
    catalog.add("invoices", "INV-1", **document(po_number="D-7", status="paid"))
    catalog.add(
        "credit_notes",
        "CN-1",
        **document(
            reference_invoice_id="INV-1",
            status="refund_due",
            business_entity_id=None,
            total=2975,
            taxes=[{"amount": 475}],
            line_items=[line(2500, quantity=1, tax_amount=475)],
        ),
    )
    catalog.add("credit_notes", "CN-2", **document(reference_invoice_id="INV-1", status="voided"))

    note, void, _ = catalog.conform("invoice")

    assert (note["kind"], note["status"], note["correlation_id"], note["legal_entity"]) == (
        "credit",
        "posted",
        "D-7",
        "US01",
    )
    assert (note["net_minor"], note["tax_minor"], note["total_minor"]) == (-2500, -475, -2975)
    assert json.loads(note["lines"]) == [{"product": "SKU-1", "quantity": "-1", "amount_minor": -2500}]
    assert (void["status"], note["is_settled"]) == ("void", False)


def test_dates_follow_the_zone_over_a_change_of_clocks(site):
    shared = {"status": "active", "customer_id": "C-1", "currency_code": "USD"}
    site.add("subscriptions", "S-1", start_date=instant(2026, 3, 8, 4, 30, zone=UTC), **shared)
    site.add("subscriptions", "S-2", start_date=instant(2026, 11, 1, 4, 30, zone=UTC), **shared)

    before, after = site.conform("contract")

    assert (before["start_on"], after["start_on"]) == (date(2026, 3, 7), date(2026, 11, 1))
