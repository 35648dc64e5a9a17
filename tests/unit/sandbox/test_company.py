"""The simulated company is one company: its systems' records fit together to the cent."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from companies import SEEDS, by, company, live, truth

from sync_pipelines.domains.money import minor
from sync_pipelines.sandbox.company import Company, generate
from sync_pipelines.sandbox.salesforce import load_schema
from sync_pipelines.sandbox.salesforce import seed as seed_salesforce
from sync_pipelines.sandbox.salesforce.ids import as_long_id
from sync_pipelines.sandbox.store import Store
from sync_pipelines.sandbox.stripe.seed import seed as seed_stripe

NEW_YORK = ZoneInfo("America/New_York")
VAT = {"DE", "FR", "NL", "IE", "ES"}
CURRENCY = {"US": "USD", "CA": "USD", "GB": "USD", "AU": "USD", "JP": "JPY"} | dict.fromkeys(VAT, "EUR")

every_company = pytest.mark.parametrize("seed", SEEDS)


def fingerprint(company: Company) -> str:
    text = repr((company.salesforce, company.stripe, company.erp))
    text += repr([(name, table.to_pylist()) for name, table in company.truth.items()])
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_seed_gives_the_same_company_in_another_process_with_another_hash_seed():
    code = "from test_company import *; print(fingerprint(generate(7)))"
    path = os.pathsep.join(sys.path)

    other = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "4711", "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )

    assert other.stdout.strip() == fingerprint(company(7))


def test_another_seed_gives_another_company():
    names = [{row["Name"] for row in company(seed).salesforce["Account"]} for seed in (0, 7)]
    ids = [{row["id"] for row in company(seed).stripe["customer"]} for seed in (0, 7)]

    assert len(names[0] & names[1]) < 10
    assert not ids[0] & ids[1]


def test_the_company_grows_with_its_scale():
    small, large = company(7), generate(7, 3)

    assert len(live(large.salesforce["Account"])) == 3 * len(live(small.salesforce["Account"])) == 360
    assert len(truth(large, "order")) == 3 * len(truth(small, "order"))


@every_company
def test_the_company_has_the_size_of_a_demo(seed):
    made = company(seed)

    assert len(live(made.salesforce["Account"])) == 120
    assert len(made.salesforce["Product2"]) == 30
    assert sum(row["IsWon"] for row in made.salesforce["Opportunity"]) == 152
    assert sum(not row["IsWon"] for row in made.salesforce["Opportunity"]) == 40
    assert 8 <= len(made.stripe["credit_note"]) <= 12


@every_company
def test_what_the_erp_posts_stays_few(seed):
    made = company(seed)
    missing = [row for row in truth(made, "invoice") if row["expected"] == "mended"]

    assert 80 <= len(made.erp["invoices"]) <= 115
    assert 40 <= len(missing) <= 55
    assert len(made.erp["invoices"]) + len(missing) <= 150


@every_company
def test_salesforce_rows_have_the_fields_of_the_org_and_ids_of_their_object(seed):
    schema, made = load_schema(), company(seed)

    for name, rows in made.salesforce.items():
        by(rows, "Id")
        for row in rows:
            assert as_long_id(row["Id"]) == row["Id"]
            assert row["Id"].startswith(schema.objects[name].prefix)
            assert row.keys() <= schema.objects[name].fields.keys()
            assert row["CreatedDate"] <= row["LastModifiedDate"] == row["SystemModstamp"]
            assert "2026-01-01" < row["SystemModstamp"] < "2026-11-23"


@every_company
def test_salesforce_references_resolve(seed):
    schema, made = load_schema(), company(seed)
    held = {row["Id"] for rows in made.salesforce.values() for row in rows}

    references = [
        row[field]
        for name, rows in made.salesforce.items()
        for row in rows
        for field in row
        if schema.objects[name].fields[field].type == "reference" and row[field]
    ]

    assert len(references) > 1000
    assert set(references) <= held


@every_company
def test_only_accounts_are_deleted_and_nothing_hangs_on_them(seed):
    made = company(seed).salesforce
    gone = {row["Id"] for row in made["Account"] if row["IsDeleted"]}
    others = [row for name, rows in made.items() if name != "Account" for row in rows]

    assert len(gone) == 6
    assert not any(row["IsDeleted"] or row.get("AccountId") in gone for row in others)


@every_company
def test_salesforce_amounts_are_the_sums_of_their_lines(seed):
    made = company(seed).salesforce
    entries = by(made["PricebookEntry"], "Id")
    deals = by(made["Opportunity"], "Id")
    sums: Counter[str] = Counter()
    for line in made["OpportunityLineItem"]:
        entry, deal = entries[line["PricebookEntryId"]], deals[line["OpportunityId"]]
        assert (entry["CurrencyIsoCode"], entry["Pricebook2Id"]) == (deal["CurrencyIsoCode"], deal["Pricebook2Id"])
        assert entry["Product2Id"] == line["Product2Id"]
        total = minor(Decimal(repr(line["TotalPrice"])), deal["CurrencyIsoCode"])
        assert total == minor(Decimal(repr(line["UnitPrice"])), deal["CurrencyIsoCode"]) * int(line["Quantity"])
        sums[deal["Id"]] += total

    assert all(sums[d["Id"]] == minor(Decimal(repr(d["Amount"])), d["CurrencyIsoCode"]) > 0 for d in deals.values())


@every_company
def test_every_list_price_has_a_standard_price(seed):
    made = company(seed).salesforce
    books = {row["Id"]: row["Name"] for row in made["Pricebook2"]}
    keys = Counter((books[r["Pricebook2Id"]], r["Product2Id"], r["CurrencyIsoCode"]) for r in made["PricebookEntry"])

    assert sorted(books.values()) == ["List EUR", "List JPY", "List USD", "Standard Price Book"]
    assert set(keys.values()) == {1}
    assert all(("Standard Price Book", product, currency) in keys for _, product, currency in keys)


@every_company
def test_stripe_references_resolve(seed):
    made = company(seed).stripe
    held = {row["id"] for rows in made.values() for row in rows}
    lines = {line["id"] for row in made["invoice"] for line in row["lines"]["data"]}
    items = {item["id"] for row in made["subscription"] for item in row["items"]["data"]}

    wanted = [row["product"] for row in made["price"]]
    wanted += [row["customer"] for kind in ("subscription", "invoice", "credit_note") for row in made[kind]]
    wanted += [row["invoice"] for kind in ("credit_note", "invoice_payment") for row in made[kind]]
    for invoice in made["invoice"]:
        for line in invoice["lines"]["data"]:
            wanted += line["pricing"]["price_details"].values()
            parent = line["parent"]["subscription_item_details"]
            assert parent is None or (parent["subscription_item"] in items and parent["subscription"] in held)
    wanted += [row["latest_invoice"] for row in made["subscription"] if row["latest_invoice"]]

    assert set(wanted) <= held
    assert {line["invoice_line_item"] for row in made["credit_note"] for line in row["lines"]["data"]} <= lines


@every_company
def test_invoices_add_up_and_follow_the_tax_rule(seed):
    made = company(seed).stripe
    prices, customers = by(made["price"], "id"), by(made["customer"], "id")
    for invoice in made["invoice"]:
        lines = invoice["lines"]["data"]
        for line in lines:
            price = prices[line["pricing"]["price_details"]["price"]]
            assert line["amount"] == line["quantity"] * price["unit_amount"]
            assert price["currency"] == line["currency"] == invoice["currency"]
        tax = sum(each["amount"] for each in invoice["total_taxes"])
        rate = 5 if customers[invoice["customer"]]["address"]["country"] in VAT else 0
        assert invoice["subtotal"] == sum(line["amount"] for line in lines)
        assert tax * rate == (invoice["subtotal"] if rate else 0)
        assert tax == sum(each["amount"] for line in lines for each in line["taxes"])
        assert invoice["total"] == invoice["subtotal"] + tax


@every_company
def test_what_is_due_was_paid_credited_or_remains(seed):
    made = company(seed).stripe
    paid = {row["invoice"]: row["amount_paid"] for row in made["invoice_payment"]}
    for invoice in made["invoice"]:
        assert invoice["amount_due"] == invoice["total"] - invoice["pre_payment_credit_notes_amount"]
        assert invoice["amount_due"] == invoice["amount_paid"] + invoice["amount_remaining"]
        assert invoice["amount_paid"] == paid.get(invoice["id"], 0)
    by(made["invoice_payment"], "invoice")

    statuses = Counter(row["status"] for row in made["invoice"])
    assert statuses["paid"] > statuses["open"] > statuses["draft"] == 3


@every_company
def test_credit_notes_credit_lines_of_their_invoice(seed):
    made = company(seed).stripe
    invoices = by(made["invoice"], "id")
    for credit in made["credit_note"]:
        invoice = invoices[credit["invoice"]]
        lines = by(invoice["lines"]["data"], "id")
        for line in credit["lines"]["data"]:
            origin = lines[line["invoice_line_item"]]
            assert 0 < line["quantity"] <= origin["quantity"]
            assert line["amount"] * origin["quantity"] == origin["amount"] * line["quantity"]
        tax = sum(each["amount"] for each in credit["total_taxes"])
        assert credit["subtotal"] == sum(line["amount"] for line in credit["lines"]["data"])
        assert credit["total"] == credit["subtotal"] + tax == credit["amount"]
        assert bool(tax) == bool(invoice["total_taxes"])
        assert credit["total"] <= invoice["total"]
        assert credit["customer"] == invoice["customer"]
        assert credit["created"] > invoice["created"]


@every_company
def test_everybody_pays_in_the_currency_of_their_country(seed):
    made = company(seed)
    customers = by(made.stripe["customer"], "id")
    accounts = by(made.salesforce["Account"], "Id")
    parties = by(made.erp["parties"], "code")

    for row in made.stripe["invoice"] + made.stripe["subscription"]:
        assert row["currency"] == CURRENCY[customers[row["customer"]]["address"]["country"]].lower()
    for row in made.salesforce["Opportunity"] + made.salesforce["Contract"]:
        assert row["CurrencyIsoCode"] == CURRENCY[accounts[row["AccountId"]]["BillingCountry"]]
    for row in made.erp["sales"] + made.erp["invoices"]:
        assert row["currency"] == CURRENCY[parties[row["party_code"]]["country"]]


@every_company
def test_numbers_are_given_once(seed):
    made = company(seed)

    by(made.salesforce["Account"], "AccountNumber")
    by(made.salesforce["Contract"], "ContractNumber")
    by([row for row in made.salesforce["Opportunity"] if row["Order_Number__c"]], "Order_Number__c")
    by([row for row in made.stripe["invoice"] if row["number"]] + made.stripe["credit_note"], "number")
    by([row for row in made.stripe["price"] if row["lookup_key"]], "lookup_key")
    by(made.stripe["customer"], "invoice_prefix")
    for rows, field in (("parties", "code"), ("products", "code"), ("sales", "reference"), ("invoices", "reference")):
        by(made.erp[rows], field)


@every_company
def test_invoice_numbers_of_a_customer_have_no_gap_and_follow_time(seed):
    made = company(seed).stripe
    final = sorted(
        (row for row in made["invoice"] if row["number"]),
        key=lambda row: (row["number"].split("-")[0], row["number"]),
    )
    seen: dict[str, tuple[int, date]] = {}
    for invoice in final:
        prefix, number = invoice["number"].split("-")
        day = datetime.fromtimestamp(invoice["effective_at"], NEW_YORK).date()
        before = seen.get(prefix, (0, date.min))
        assert int(number) == before[0] + 1
        assert day >= before[1]
        seen[prefix] = (int(number), day)
    for customer in made["customer"]:
        assert customer["next_invoice_sequence"] == seen.get(customer["invoice_prefix"], (0, 0))[0] + 1


@every_company
def test_documents_are_dated_within_the_year_so_far(seed):
    made = company(seed)
    days = [row["date"] for row in made.erp["sales"] + made.erp["invoices"]]
    days += [row["issued_on"] for row in truth(made, "invoice")] + [row["ordered_on"] for row in truth(made, "order")]

    assert date(2026, 1, 1) <= min(days) < date(2026, 4, 1)
    assert max(days) <= date(2026, 11, 15)


@every_company
def test_some_invoices_are_finalized_when_it_is_already_tomorrow_in_utc(seed):
    made = company(seed).stripe["invoice"]
    late = [
        row
        for row in made
        if row["effective_at"]
        and datetime.fromtimestamp(row["effective_at"], NEW_YORK).day
        != datetime.fromtimestamp(row["effective_at"], UTC).day
    ]

    assert len(late) >= 5


@every_company
def test_bulk_imports_left_many_records_with_one_stamp(seed):
    accounts = Counter(row["SystemModstamp"] for row in company(seed).salesforce["Account"])

    assert accounts.most_common(1)[0][1] >= 8
    assert len(accounts) > 60


@every_company
def test_erp_references_resolve_and_taxes_follow_the_country(seed):
    made = company(seed).erp
    parties, products = by(made["parties"], "code"), by(made["products"], "code")
    for row in made["sales"] + made["invoices"]:
        assert row["party_code"] in parties
        assert row["lines"]
        for line in row["lines"]:
            assert line["product_code"] in products
            assert isinstance(line["unit_price"], Decimal)
            assert line["unit_price"] > 0
            assert line["quantity"] != 0
    for row in made["invoices"]:
        assert row["taxed"] == (parties[row["party_code"]]["country"] in VAT)


@every_company
def test_both_stand_ins_take_the_company_as_it_is(seed):
    made, org, account = company(seed), Store(None), Store(None)

    counts = seed_salesforce(org, made.salesforce)
    loaded = seed_stripe(account, made.stripe)

    assert counts == {name: len(rows) for name, rows in made.salesforce.items()}
    assert loaded == sum(map(len, made.stripe.values()))
    for name, rows in made.salesforce.items():
        for row in rows[:20]:
            held = org.get(name, row["Id"])
            assert held is not None
            assert {field: held[field] for field in row} == row
    for kind, objects in made.stripe.items():
        for given in objects[:20]:
            assert account.get(kind, given["id"]) == given
