"""Invoices and credit notes: drafts are edited, final ones are paid, voided or credited, to the cent."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stripe_desk import Desk, open_desk

from sync_pipelines.sandbox.stripe.line import taxes, totals


@pytest.fixture
def desk() -> Desk:
    return open_desk()


def test_a_draft_becomes_final_once_and_gets_the_next_number(desk: Desk) -> None:
    customer = desk.post("/v1/customers", invoice_prefix="ACME")["id"]
    first = desk.final(500, customer=customer)
    second = desk.final(700, customer=customer)

    again = desk.post(f"/v1/invoices/{first['id']}/finalize")

    assert (first["status"], first["number"], second["number"]) == ("open", "ACME-0001", "ACME-0002")
    assert first["status_transitions"]["finalized_at"] == first["effective_at"]
    assert "already finalized" in again["error"]["message"]


def test_a_supplied_number_is_kept_and_unique(desk: Desk) -> None:
    final = desk.final(500, number="INV-7")
    customer = desk.post("/v1/customers")["id"]

    assert final["number"] == "INV-7"
    assert desk.error("/v1/invoices", customer=customer, number="INV-7") == ("resource_already_exists", "number")


def test_a_final_invoice_is_not_editable_but_for_what_carries_no_money(desk: Desk) -> None:
    final = desk.final(500)
    path = f"/v1/invoices/{final['id']}"
    frozen = ("invoice_not_editable", "collection_method")

    assert desk.error(path, collection_method="send_invoice") == frozen
    assert desk.error(f"{path}/add_lines", form={"lines[0][amount]": 1})[0] == "invoice_not_editable"
    assert desk.error("/v1/invoiceitems", customer=final["customer"], invoice=final["id"], amount=1)[0] == (
        "invoice_not_editable"
    )
    assert desk.delete(path)["error"]["code"] == "invoice_not_editable"
    assert desk.post(path, form={"metadata[order]": "D-1"})["metadata"] == {"order": "D-1"}


def test_a_draft_can_be_deleted_and_is_gone(desk: Desk) -> None:
    draft = desk.draft(500)

    assert desk.delete(f"/v1/invoices/{draft['id']}")["deleted"] is True
    assert desk.send("GET", f"/v1/invoices/{draft['id']}").status_code == 404
    assert desk.get("/v1/invoiceitems")["data"] == []


def test_an_empty_draft_cannot_become_final(desk: Desk) -> None:
    path = f"/v1/invoices/{desk.draft()['id']}/finalize"

    assert desk.error(path)[0] == "invoice_no_customer_line_items"


def test_an_invoice_of_nothing_is_paid_at_once(desk: Desk) -> None:
    assert desk.final(0)["status"] == "paid"


def test_an_invoice_is_paid_outside_or_by_the_customers_method(desk: Desk) -> None:
    poor, outside = desk.final(500), desk.final(600)
    customer = desk.post("/v1/customers", form={"invoice_settings[default_payment_method]": "pm_card_visa"})
    card = desk.final(700, customer=customer["id"])

    assert "default_payment_method" in desk.post(f"/v1/invoices/{poor['id']}/pay")["error"]["message"]
    assert desk.post(f"/v1/invoices/{outside['id']}/pay", paid_out_of_band="true")["amount_paid"] == 600
    assert desk.post(f"/v1/invoices/{card['id']}/pay")["amount_remaining"] == 0
    assert desk.error(f"/v1/invoices/{card['id']}/pay")[0] == "invoice_already_paid"
    payment = desk.get("/v1/invoice_payments", invoice=card["id"])["data"][0]
    assert (payment["status"], payment["amount_paid"], payment["payment"]["type"]) == (
        "paid",
        700,
        "payment_intent",
    )
    assert desk.get("/v1/balance")["available"][0]["amount"] == 700


def test_only_an_open_or_written_off_invoice_is_voided(desk: Desk) -> None:
    draft, open_, written_off = desk.draft(1), desk.final(2), desk.final(3)
    desk.post(f"/v1/invoices/{written_off['id']}/mark_uncollectible")

    assert "error" in desk.post(f"/v1/invoices/{draft['id']}/void")
    assert desk.post(f"/v1/invoices/{open_['id']}/void")["status"] == "void"
    assert desk.post(f"/v1/invoices/{written_off['id']}/void")["status_transitions"]["voided_at"]
    assert "error" in desk.post(f"/v1/invoices/{open_['id']}/pay", paid_out_of_band="true")
    assert [each["status"] for each in desk.get("/v1/invoices", status="void")["data"]] == ["void", "void"]


def test_waiting_items_come_newest_first_and_later_ones_at_the_end(desk: Desk) -> None:
    customer = desk.post("/v1/customers")["id"]
    for name in ("old", "new"):
        desk.post("/v1/invoiceitems", customer=customer, amount=100, currency="usd", description=name)
    form = {"customer": customer, "pending_invoice_items_behavior": "include"}
    invoice = desk.post("/v1/invoices", form=form)["id"]
    for name in ("later", "last"):
        desk.post("/v1/invoiceitems", customer=customer, invoice=invoice, amount=1, description=name)

    lines = desk.get(f"/v1/invoices/{invoice}")["lines"]["data"]

    assert [line["description"] for line in lines] == ["new", "old", "later", "last"]
    assert desk.get("/v1/invoiceitems", pending="true")["data"] == []


def test_lines_beyond_ten_are_read_page_by_page(desk: Desk) -> None:
    draft = desk.draft(*range(1, 26))
    url = draft["lines"]["url"]
    seen, page = [], desk.get(url, limit=10)
    while True:
        seen += [line["amount"] for line in page["data"]]
        if not page["has_more"]:
            break
        page = desk.get(url, limit=10, starting_after=page["data"][-1]["id"])

    assert (len(draft["lines"]["data"]), draft["lines"]["has_more"]) == (10, True)
    assert seen == list(range(1, 26))
    assert draft["total"] == sum(seen)


def test_a_line_is_changed_and_removed_while_the_invoice_is_a_draft(desk: Desk) -> None:
    price = desk.price(250)
    form = {"lines[0][pricing][price]": price, "lines[0][quantity]": 2, "lines[1][amount]": 40}
    path = f"/v1/invoices/{desk.draft()['id']}"
    draft = desk.post(f"{path}/add_lines", form=form)
    first, second = (line["id"] for line in draft["lines"]["data"])

    desk.post(f"{path}/lines/{first}", quantity=5)
    form = {"lines[0][id]": second, "lines[0][behavior]": "delete"}
    after = desk.post(f"{path}/remove_lines", form=form)

    assert draft["total"] == 540
    assert [(line["id"], line["amount"], line["quantity"]) for line in after["lines"]["data"]] == [(first, 1250, 5)]
    assert after["total"] == 1250
    assert after["lines"]["data"][0]["pricing"]["price_details"]["price"] == price


def test_taxes_follow_the_rates_of_the_line_or_else_of_the_invoice(desk: Desk) -> None:
    def rate(percentage: str, inclusive: str = "false") -> str:
        form = {"display_name": "VAT", "percentage": percentage, "inclusive": inclusive}
        return str(desk.post("/v1/tax_rates", form=form)["id"])

    vat, reduced, inside = rate("20"), rate("7.5"), rate("25", "true")
    draft = desk.draft(**{"default_tax_rates[0]": vat})
    form = {
        "lines[0][amount]": 1000,
        "lines[1][amount]": 200,
        "lines[1][tax_rates][0]": reduced,
        "lines[2][amount]": 125,
        "lines[2][tax_rates][0]": inside,
    }
    after = desk.post(f"/v1/invoices/{draft['id']}/add_lines", form=form)

    amounts = {tax["tax_rate_details"]["tax_rate"]: tax["amount"] for tax in after["total_taxes"]}
    assert amounts == {vat: 200, reduced: 15, inside: 25}
    assert (after["subtotal"], after["subtotal_excluding_tax"], after["total"]) == (1325, 1300, 1540)
    assert after["total_excluding_tax"] == 1300


rates = st.builds(
    lambda percentage, inclusive: {"id": "txr_1", "percentage": percentage, "inclusive": inclusive},
    st.decimals(0, 30, places=2),
    st.booleans(),
)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 10**6), rates), max_size=5))
def test_total_less_taxes_is_always_the_net(lines: list[tuple[int, dict[str, object]]]) -> None:
    document = totals([{"amount": amount, "taxes": taxes(amount, "usd", [rate])} for amount, rate in lines])

    collected = sum(tax["amount"] for tax in document["total_taxes"])
    assert document["total"] - collected == document["total_excluding_tax"]


def test_a_credit_takes_off_what_is_owed_in_proportion_of_the_line(desk: Desk) -> None:
    rate = desk.post("/v1/tax_rates", form={"display_name": "VAT", "percentage": 20, "inclusive": "false"})["id"]
    draft = desk.draft(**{"default_tax_rates[0]": rate})
    form = {"lines[0][pricing][price]": desk.price(500), "lines[0][quantity]": 4}
    desk.post(f"/v1/invoices/{draft['id']}/add_lines", form=form)
    final = desk.post(f"/v1/invoices/{draft['id']}/finalize")
    line = final["lines"]["data"][0]["id"]
    form = {
        "invoice": final["id"],
        "lines[0][type]": "invoice_line_item",
        "lines[0][invoice_line_item]": line,
        "lines[0][quantity]": 1,
    }

    preview = desk.get("/v1/credit_notes/preview", params=form)
    note = desk.post("/v1/credit_notes", form=form)

    assert (note["total"], note["subtotal"], note["total_taxes"][0]["amount"]) == (600, 500, 100)
    assert preview["total"] == 600
    assert (note["type"], note["pre_payment_amount"]) == ("pre_payment", 600)
    assert note["number"] == f"{final['number']}-CN-01"
    after = desk.get(f"/v1/invoices/{final['id']}")
    assert (after["amount_remaining"], after["pre_payment_credit_notes_amount"]) == (1800, 600)


def test_no_more_is_credited_than_was_charged(desk: Desk) -> None:
    final = desk.final(1000)
    desk.post("/v1/credit_notes", invoice=final["id"], amount=700)

    assert desk.error("/v1/credit_notes", invoice=final["id"], amount=301) == (None, "amount")
    desk.post("/v1/credit_notes", invoice=final["id"], amount=300)
    assert desk.get(f"/v1/invoices/{final['id']}")["status"] == "paid"


def test_a_draft_or_void_invoice_is_not_credited(desk: Desk) -> None:
    void = desk.post(f"/v1/invoices/{desk.final(10)['id']}/void")

    for invoice in (desk.draft(10), void):
        assert desk.error("/v1/credit_notes", invoice=invoice["id"], amount=1) == (None, "invoice")


def test_a_credit_after_payment_says_how_the_money_goes_back(desk: Desk) -> None:
    final = desk.final(1000)
    desk.post(f"/v1/invoices/{final['id']}/pay", paid_out_of_band="true")
    form = {"invoice": final["id"], "amount": 400}

    assert desk.error("/v1/credit_notes", form=form) == (None, "amount")
    note = desk.post("/v1/credit_notes", form={**form, "out_of_band_amount": 400})

    assert (note["type"], note["post_payment_amount"]) == ("post_payment", 400)
    assert desk.get(f"/v1/invoices/{final['id']}")["post_payment_credit_notes_amount"] == 400
    assert "error" in desk.post(f"/v1/credit_notes/{note['id']}/void")


def test_a_voided_credit_is_owed_again(desk: Desk) -> None:
    final = desk.final(1000)
    note = desk.post("/v1/credit_notes", invoice=final["id"], amount=400)

    assert desk.post(f"/v1/credit_notes/{note['id']}/void")["status"] == "void"
    assert desk.get(f"/v1/invoices/{final['id']}")["amount_remaining"] == 1000
    assert desk.events()[-2:] == ["credit_note.voided", "invoice.updated"]


def test_amount_and_lines_exclude_each_other(desk: Desk) -> None:
    form = {"invoice": desk.final(10)["id"], "amount": 1, "lines[0][type]": "custom_line_item"}

    assert desk.error("/v1/credit_notes", form=form) == ("parameters_exclusive", "lines")
    assert desk.error("/v1/credit_notes", invoice=form["invoice"]) == ("parameter_missing", "amount")


def test_an_invoice_keeps_the_customer_it_was_made_for(desk: Desk) -> None:
    customer = desk.post("/v1/customers", name="Acme", email="ap@acme.test")["id"]
    final = desk.final(10, customer=customer)
    desk.post(f"/v1/customers/{customer}", name="Renamed")

    assert desk.get(f"/v1/invoices/{final['id']}")["customer_name"] == "Acme"


def test_the_due_date_belongs_to_invoices_that_are_sent(desk: Desk) -> None:
    customer = desk.post("/v1/customers")["id"]
    sent = desk.draft(10, collection_method="send_invoice", days_until_due=30)

    assert sent["due_date"] == sent["created"] + 30 * 86_400
    assert desk.error("/v1/invoices", customer=customer, days_until_due=30) == (None, "days_until_due")
    params = {"due_date[gte]": sent["due_date"], "customer": sent["customer"]}
    assert [each["id"] for each in desk.get("/v1/invoices", params=params)["data"]] == [sent["id"]]
