from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from sync_pipelines import mappings
from sync_pipelines.domains import DOMAINS
from sync_pipelines.domains.schema import META, sql_type
from sync_pipelines.lake.macros import MACROS

READ = ["customer", "order", "invoice"]
PARTNER, ORDER, BILL = "A_BusinessPartner", "A_SalesOrder", "A_BillingDocument"
DAY = "/Date(1793664000000)/"
"""3 November 2026."""
CUSTOMER = {
    "Customer": "1007",
    "BusinessPartnerCategory": "2",
    "OrganizationBPName1": "Müller & Söhne",
    "OrganizationBPName2": "",
    "BusinessPartnerIsBlocked": False,
    "IsMarkedForArchiving": False,
    "BusinessPartnerIDByExtSystem": "C-00001",
}
ADDRESS = {
    "AddressID": "21",
    "StreetName": "Ring 1",
    "StreetSuffixName": "Hof",
    "CityName": "Ulm",
    "PostalCode": "",
    "Country": "DE",
    "to_EmailAddress": {"results": [{"Person": "", "OrdinalNumber": "1", "EmailAddress": "a@m.example"}]},
    "to_PhoneNumber": {"results": []},
}


class System:
    """Entities of an S/4HANA system as mappings see them."""

    def __init__(self, db: duckdb.DuckDBPyConnection) -> None:
        self.db = db
        for statement in MACROS:
            db.execute(statement)
        db.execute("CREATE TABLE log (object VARCHAR, record_id VARCHAR, payload VARCHAR)")
        db.execute("CREATE TABLE legal_entity (code VARCHAR, name VARCHAR, zone VARCHAR, currency VARCHAR)")
        db.execute("INSERT INTO legal_entity VALUES ('US01', 'Inc', 'UTC', 'USD'), ('DE01', 'GmbH', 'UTC', 'EUR')")
        db.execute("CREATE SCHEMA s4hana")
        for name, shape in mappings.objects("s4hana").items():
            db.execute(f"""
                CREATE VIEW s4hana."{name}" AS
                SELECT record_id, 'v' || record_id AS version, false AS is_deleted,
                       unnest(from_json(payload, '{json.dumps(shape)}'))
                FROM log WHERE object = '{name}'
            """)

    def add(self, object: str, record_id: str, **fields: Any) -> None:
        self.db.execute("INSERT INTO log VALUES (?, ?, ?)", [object, record_id, json.dumps(fields)])

    def partner(self, record_id: str = "7", **fields: Any) -> None:
        inner = {"to_BusinessPartnerAddress": {"results": []}, "to_BusinessPartnerTax": {"results": []}}
        self.add(PARTNER, record_id, **{**CUSTOMER, **inner, **fields})

    def conform(self, domain: str) -> list[dict[str, Any]]:
        sql = f"SELECT * FROM ({mappings.read_sql('s4hana', domain)}) ORDER BY record_id"
        return self.db.execute(sql).to_arrow_table().to_pylist()

    def request(self, domain: str, *, held: dict[str, Any] | None = None, **write: Any) -> dict[str, Any]:
        """The request for one planned write; `held` is what an update leaves as it is."""
        fields = {"posting_on": "DATE", **{field.name: sql_type(field) for field in DOMAINS[domain].fields}}
        meta = dict.fromkeys(("write_id", "operation", "link_id", "record_id", "external_id", "label"), "VARCHAR")
        operation = "update" if write.get("record_id") else "create"
        row = {"write_id": "w", "operation": operation, "link_id": "customer-0123456789abcdef", **write}
        for table, values in (("writes", row), ("desired", {**(held or {}), **row})):
            columns = ", ".join(f"{name} {kind}" for name, kind in {**meta, **fields}.items())
            self.db.execute(f"CREATE OR REPLACE TABLE {table} ({columns})")
            marks = ", ".join("?" for _ in (*meta, *fields))
            self.db.execute(f"INSERT INTO {table} VALUES ({marks})", [values.get(name) for name in (*meta, *fields)])
        (found,) = self.db.execute(mappings.write_sql("s4hana", domain) or "").to_arrow_table().to_pylist()
        return {**found, "body": _sent(json.loads(found["body"]))}


def _sent(value: Any) -> Any:
    """What is left of a body without its nulls."""
    if isinstance(value, dict):
        return {key: _sent(item) for key, item in value.items() if item is not None}
    return [_sent(item) for item in value] if isinstance(value, list) else value


@pytest.fixture
def system() -> Iterator[System]:
    with duckdb.connect() as db:
        yield System(db)


@pytest.mark.parametrize("domain", READ)
def test_a_mapping_selects_canonical_columns_only_and_all_that_are_required(domain: str) -> None:
    columns = mappings.columns("s4hana", domain)
    fields = {field.name: field for field in DOMAINS[domain].fields}

    assert set(columns) <= set(fields) | set(META)
    assert {"record_id", "version", "is_deleted", "label"} <= set(columns)
    assert {name for name, field in fields.items() if field.required} <= set(columns)


@pytest.mark.parametrize("domain", READ)
def test_every_column_is_traced_to_fields_of_s4hana(domain: str) -> None:
    lineage = mappings.lineage("s4hana", domain)

    assert [name for name, sources in lineage.items() if not sources] == []
    assert all(source.startswith("s4hana/") for sources in lineage.values() for source in sources)


def test_customers_and_orders_are_written_and_billing_documents_are_not() -> None:
    assert mappings.written("s4hana", "customer") == {PARTNER}
    assert mappings.written("s4hana", "order") == {ORDER}
    assert mappings.write_sql("s4hana", "invoice") is None


def test_an_organization_that_is_a_customer_is_told_with_its_first_address(system: System) -> None:
    taxes = {"results": [{"BPTaxType": "DE0", "BPTaxNumber": "DE811"}]}
    system.partner(to_BusinessPartnerAddress={"results": [ADDRESS]}, to_BusinessPartnerTax=taxes)
    system.partner("8", Customer="")
    system.partner("9", OrganizationBPName2="Größe 𝄞", BusinessPartnerIsBlocked=True, BusinessPartnerIDByExtSystem="")

    found, bare = system.conform("customer")

    assert (found["number"], found["name"], found["tax_id"]) == ("C-00001", "Müller & Söhne", "DE811")
    assert (found["street"], found["city"], found["postal_code"], found["country"]) == (
        "Ring 1\nHof",
        "Ulm",
        None,
        "DE",
    )
    assert (found["email"], found["phone"], found["is_active"]) == ("a@m.example", None, True)
    assert (bare["record_id"], bare["name"], bare["is_active"]) == ("9", "Müller & Söhne Größe 𝄞", False)
    assert (bare["number"], bare["street"], bare["email"]) == (None, None, None)


def test_a_new_customer_may_be_sold_to_by_every_legal_entity(system: System) -> None:
    told = {"number": "C-9", "name": "Acme", "city": "Troy", "country": "US", "email": "a@b.example", "tax_id": "12-3"}

    request = system.request("customer", **told, is_active=True)

    assert (request["external_id"], request["object"], request["then"]) == ("C-9", PARTNER, [])
    area = {"DistributionChannel": "10", "Division": "00"}
    areas = [
        {"SalesOrganization": code, **area, "Currency": money} for code, money in (("DE01", "EUR"), ("US01", "USD"))
    ]
    assert request["body"] == {
        "BusinessPartnerCategory": "2",
        "OrganizationBPName1": "Acme",
        "OrganizationBPName2": "",
        "BusinessPartnerIDByExtSystem": "C-9",
        "BusinessPartnerIsBlocked": False,
        "to_BusinessPartnerAddress": [
            {"CityName": "Troy", "Country": "US", "to_EmailAddress": [{"EmailAddress": "a@b.example"}]}
        ],
        "to_BusinessPartnerTax": [{"BPTaxType": "US0", "BPTaxNumber": "12-3"}],
        "to_BusinessPartnerRole": [{"BusinessPartnerRole": "FLCU00"}, {"BusinessPartnerRole": "FLCU01"}],
        "to_Customer": {"to_CustomerSalesArea": areas},
    }


def test_a_customer_without_a_number_is_known_by_the_end_of_its_link(system: System) -> None:
    assert system.request("customer", name="Acme")["external_id"] == "0123456789abcdef"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("x" * 40, ("x" * 40, "")),
        (f"{'x' * 40} {'y' * 40}", ("x" * 40, "y" * 40)),
        (
            "Vereinigte Norddeutsche Werkzeug und Maschinen GmbH",
            ("Vereinigte Norddeutsche Werkzeug und", "Maschinen GmbH"),
        ),
        ("x" * 41, ("x" * 41, "")),
    ],
)
def test_a_long_name_is_broken_at_a_blank_and_never_cut(system: System, name: str, told: tuple[str, str]) -> None:
    body = system.request("customer", name=name)["body"]

    assert (body["OrganizationBPName1"], body["OrganizationBPName2"]) == told


def test_an_update_names_what_is_inside_of_the_partner_by_its_key(system: System) -> None:
    taxes = {"results": [{"BPTaxType": "DE0", "BPTaxNumber": "DE811"}]}
    system.partner(to_BusinessPartnerAddress={"results": [ADDRESS]}, to_BusinessPartnerTax=taxes)
    held = {"name": "Müller & Söhne", "country": "DE"}

    request = system.request("customer", record_id="7", street="Ring 2", email="", phone="+49 1", tax_id="", held=held)

    address = {
        "method": "PATCH",
        "AddressID": "21",
        "StreetName": "Ring 2",
        "StreetSuffixName": "",
        "to_EmailAddress": [{"method": "DELETE", "Person": "", "OrdinalNumber": "1"}],
        "to_PhoneNumber": [{"method": "POST", "PhoneNumber": "+49 1"}],
    }
    assert request["body"] == {
        "OrganizationBPName1": "Müller & Söhne",
        "OrganizationBPName2": "",
        "to_BusinessPartnerAddress": [address],
        "to_BusinessPartnerTax": [{"method": "DELETE", "BPTaxType": "DE0"}],
    }


def test_an_update_of_a_partner_without_an_address_makes_one(system: System) -> None:
    system.partner()

    body = system.request("customer", record_id="7", email="a@b.example", held={"name": "M", "country": "DE"})["body"]

    email = [{"EmailAddress": "a@b.example"}]
    assert body["to_BusinessPartnerAddress"] == [{"method": "POST", "Country": "DE", "to_EmailAddress": email}]


def sale(system: System, **fields: Any) -> None:
    told = {"SalesOrganization": "US01", "SoldToParty": "1007", "PurchaseOrderByCustomer": "D-1", "SalesOrderDate": DAY}
    told |= {"HeaderBillingBlockReason": "", "DeliveryBlockReason": "", "OverallSDDocumentRejectionSts": "A"}
    items = [{"Material": "SKU-1", "RequestedQuantity": "1.500", "NetAmount": "10.50"}]
    system.add(ORDER, "21", **{**told, "TransactionCurrency": "USD", "to_Item": {"results": items}, **fields})


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "confirmed"),
        ({"DeliveryBlockReason": "01"}, "open"),
        ({"HeaderBillingBlockReason": "08"}, "open"),
        ({"OverallSDDocumentRejectionSts": "C", "DeliveryBlockReason": "01"}, "cancelled"),
    ],
)
def test_a_sales_order_is_an_order_in_the_state_that_it_has_reached(
    system: System, fields: dict[str, str], told: str
) -> None:
    system.partner()
    sale(system, **fields)

    (found,) = system.conform("order")

    assert (found["number"], found["status"], found["customer"]) == ("D-1", told, "7")
    assert (found["legal_entity"], found["ordered_on"], found["net_minor"]) == ("US01", date(2026, 11, 3), 1050)
    assert json.loads(found["lines"]) == [{"product": "SKU-1", "quantity": "1.5", "amount_minor": 1050}]


@pytest.mark.parametrize(("currency", "amount", "minor"), [("JPY", "3000", 3000), ("KWD", "1.234", 1234)])
def test_an_amount_has_the_decimals_of_its_currency(system: System, currency: str, amount: str, minor: int) -> None:
    items = [{"Material": "SKU-1", "RequestedQuantity": "1", "NetAmount": amount}]
    sale(system, TransactionCurrency=currency, to_Item={"results": items})

    assert system.conform("order")[0]["net_minor"] == minor


def test_an_order_is_sent_with_a_price_for_each_piece(system: System) -> None:
    system.partner()
    lines = (
        '[{"product":"SKU-1","quantity":"3","amount_minor":10000},{"product":"X","quantity":"0.5","amount_minor":1}]'
    )
    told = {"number": "D-2", "legal_entity": "US01", "customer": "7", "ordered_on": date(2026, 11, 3)}

    request = system.request("order", **told, status="open", currency="JPY", lines=lines)

    assert (request["external_id"], request["object"], request["then"]) == ("D-2", ORDER, [])
    body = request["body"]
    assert (body["SoldToParty"], body["SalesOrderDate"], body["DeliveryBlockReason"]) == ("1007", DAY, "01")
    first, second = body["to_Item"]
    assert (first["RequestedQuantity"], Decimal(second["RequestedQuantity"])) == ("3.000", Decimal("0.5"))
    prices = [Decimal(each["to_PricingElement"][0]["ConditionRateValue"]) for each in (first, second)]
    assert prices == [Decimal("3333.3333"), Decimal(2)]


def test_an_amount_that_no_price_gives_is_sent_so_that_it_is_refused(system: System) -> None:
    lines = '[{"product":"SKU-1","quantity":"70000","amount_minor":10001}]'
    told = {"number": "D-2", "legal_entity": "US01", "customer": "7", "ordered_on": date(2026, 11, 3)}

    (item,) = system.request("order", **told, status="open", currency="USD", lines=lines)["body"]["to_Item"]

    assert item["to_PricingElement"][0]["ConditionRateValue"] == "-"


def document(system: System, record_id: str = "90", **fields: Any) -> None:
    told = {"SDDocumentCategory": "M", "BillingDocumentDate": DAY, "BillingDocumentIsCancelled": False}
    told |= {
        "CancelledBillingDocument": "",
        "CompanyCode": "US01",
        "SoldToParty": "1007",
        "PaymentReference": "IN-1",
    }
    told |= {"AccountingTransferStatus": "C", "InvoiceClearingStatus": "", "TransactionCurrency": "EUR"}
    told |= {"TotalNetAmount": "100.50", "TaxAmount": "20.10", "TotalGrossAmount": "120.60"}
    items = [{"Material": "SKU-1", "BillingQuantity": "3.000", "NetAmount": "100.50"}]
    system.add(BILL, record_id, **{**told, "to_Item": {"results": items}, **fields})


def test_a_billing_document_is_an_invoice_to_the_minor_unit(system: System) -> None:
    system.partner()
    document(system, InvoiceClearingStatus="C")

    (found,) = system.conform("invoice")

    assert (found["number"], found["kind"], found["customer"], found["is_settled"]) == ("IN-1", "invoice", "7", True)
    assert (found["net_minor"], found["tax_minor"], found["total_minor"]) == (10050, 2010, 12060)
    assert (found["issued_on"], found["legal_entity"], found["currency"]) == (date(2026, 11, 3), "US01", "EUR")
    assert json.loads(found["lines"]) == [{"product": "SKU-1", "quantity": "3", "amount_minor": 10050}]


def test_a_credit_memo_is_a_credit_with_negative_amounts(system: System) -> None:
    document(system, SDDocumentCategory="O")

    (found,) = system.conform("invoice")

    assert (found["kind"], found["net_minor"], found["tax_minor"], found["total_minor"]) == (
        "credit",
        -10050,
        -2010,
        -12060,
    )
    assert json.loads(found["lines"])[0]["quantity"] == "-3"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, "posted"),
        ({"AccountingTransferStatus": "A"}, "draft"),
        ({"BillingDocumentIsCancelled": True}, "void"),
        ({"SDDocumentCategory": "N", "CancelledBillingDocument": "89"}, "void"),
    ],
)
def test_a_billing_document_counts_when_accounting_has_it_and_nobody_cancelled_it(
    system: System, fields: dict[str, Any], status: str
) -> None:
    document(system, **fields)

    assert system.conform("invoice")[0]["status"] == status
