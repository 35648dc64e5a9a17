from __future__ import annotations

import msgspec
import pytest
import requests

from sync_pipelines.errors import FixConfiguration, RetryLater, SetAside
from sync_pipelines.systems.tryton.answer import classify, plain

CLOSED = (
    'To continue, you must reopen the period "2026-01" of company "Meridian Software Inc" for the date "01/05/2026".'
)


def response(error: object, status: int = 200) -> requests.Response:
    made = requests.Response()
    made.status_code = status
    made._content = msgspec.json.encode({"id": 1, "error": error})
    return made


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (CLOSED, "closed_period"),
        ("The code on party must be unique.", "not_unique"),
        ('A value is required for field "Party" in "Sale".', "missing_value"),
        ('The value "9" for field "Product" in "Sale Line" does not exist.', "unknown_reference"),
        (
            'The value "x" for field "Tax" in record "7" of "Line" is not valid according to its domain.',
            "invalid_value",
        ),
        ('The number of digits in the value "1.12345" exceeds the limit of "4".', "too_large"),
        ("Something that only this company's module says.", "refused"),
    ],
)
def test_a_refusal_has_a_code_that_tells_what_is_wrong(message, code):
    error = classify(response(["UserError", [message, "", None]]))

    assert isinstance(error, SetAside)
    assert error.code == code


def test_a_refusal_names_fields_and_periods_but_nothing_of_the_record():
    error = classify(response(["UserError", [CLOSED, "", None]]))

    assert '"2026-01"' in str(error)
    assert "Meridian" not in str(error)
    assert "01/05" not in str(error)
    assert plain('The value "Ann Lee" for field "Name" is wrong.') == 'The value … for field "Name" is wrong.'


def test_a_warning_is_a_refusal_under_its_own_name():
    error = classify(response(["UserWarning", ["2a35.invoice_taxes", 'The invoice "IN-1" differs.', ""]]))

    assert isinstance(error, SetAside)
    assert (error.code, str(error)) == ("invoice_taxes", "Tryton warns: The invoice … differs.")


def test_a_record_changed_by_somebody_else_has_drifted():
    error = classify(response(["ConcurrencyException", "Records were modified in the meanwhile"]))

    assert isinstance(error, SetAside)
    assert error.code == "drifted"


def test_an_unknown_name_is_for_a_person_to_mend_and_a_busy_database_for_later():
    assert isinstance(classify(response(["'zzz'", ""])), FixConfiguration)
    assert isinstance(classify(response(["deadlock detected", ""])), RetryLater)
    assert isinstance(classify(response(["[<class 'decimal.ConversionSyntax'>]", ""])), SetAside)
    assert isinstance(classify(response(["LoginException", ["password", "Password", "password"]])), FixConfiguration)


def test_a_form_of_error_that_nobody_knows_is_a_refusal_too():
    assert isinstance(classify(response([])), SetAside)


def test_a_result_and_a_record_that_mentions_errors_are_fine():
    fine = requests.Response()
    fine.status_code = 200
    fine._content = b'{"id":1,"result":[{"name":"an \\"error\\": of course"}]}'

    assert classify(fine) is None


def test_a_throttle_says_how_long_it_asks_for():
    throttled = response(None, status=429)
    throttled.headers["Retry-After"] = "7"

    error = classify(throttled)

    assert isinstance(error, RetryLater)
    assert error.after == 7
