"""Payloads show personal values only as shapes."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sync_pipelines.domains import DOMAINS
from sync_pipelines.engine import masking
from sync_pipelines.engine.plan import Change, Write
from sync_pipelines.engine.port import Operation, Request

PERSONAL = ("ann@example.com", "+49 30 1234567", "12 Elm Street")
BODY = {
    "name": "Ünïcode & Söhne",
    "active": True,
    "email": PERSONAL[0],
    "phone": PERSONAL[1],
    "addresses": [["create", [{"street": PERSONAL[2], "country": 57, "attention": "Ann"}]]],
}


def write(domain: str = "customer") -> Write:
    changes = (Change("name", None, "Ünïcode & Söhne"), Change("email", "old@example.com", PERSONAL[0]))
    request = Request("w", "party", Operation.CREATE, None, "l", BODY)
    return Write(request, domain, "erp", "l", "C-1", changes, None)


def test_every_text_is_masked_but_for_what_is_known_to_be_no_persons() -> None:
    shown = masking.payload(write(), DOMAINS["customer"], constants={"create"})

    assert shown == {
        "name": "Ünïcode & Söhne",
        "active": True,
        "email": "a…@e….com",
        "phone": "…67",
        "addresses": [["create", [{"street": "1… E… S…", "country": 57, "attention": "A…"}]]],
    }


def test_a_personal_value_is_masked_even_where_the_changes_name_it() -> None:
    told = json.dumps(
        [masking.payload(write(), DOMAINS["customer"]), str(masking.changes(write(), DOMAINS["customer"]))]
    )

    assert [value for value in (*PERSONAL, "old@example.com") if value in told] == []
    assert "a…@e….com" in str(masking.changes(write(), DOMAINS["customer"]))


def test_a_domain_without_personal_fields_is_shown_but_for_e_mail_addresses() -> None:
    assert masking.payload(write("invoice"), DOMAINS["invoice"]) == {**BODY, "email": "a…@e….com"}


def test_what_was_written_stays_as_it_was() -> None:
    before = replace(write())

    masking.payload(before, DOMAINS["customer"])

    assert before.request.body["email"] == PERSONAL[0]


@pytest.mark.parametrize("value", ["", " ", "a@b", "x", "@", "1 2"])
def test_any_text_has_a_mask_that_is_not_itself_longer_than_a_word(value: str) -> None:
    assert masking.mask(value).strip() != value.strip() or not value.strip()
