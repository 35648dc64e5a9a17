"""Rules: every domain has some, over fields that it has, and duplicates are told by one of them."""

from __future__ import annotations

import pytest

from sync_pipelines.domains import DOMAINS, Domain
from sync_pipelines.domains.schema import sql_type
from sync_pipelines.engine.rule import ALIKE_DOMAINS, DUPLICATE_KEYS, RULES, Exact
from sync_pipelines.lake import Lake

EVERY = [
    pytest.param(domain, rule, id=f"{name}-{rule.name}") for name, domain in DOMAINS.items() for rule in RULES[name]
]


def evaluated(lake: Lake, domain: Domain, rule: Exact, **values: object) -> tuple[object, ...]:
    """The keys of a rule for one record."""
    columns = ", ".join(f"CAST(? AS {sql_type(field)}) AS {field.name}" for field in domain.fields)
    given = [values.get(field.name) for field in domain.fields]
    return lake.row(f"SELECT {', '.join(rule.keys)} FROM (SELECT {columns})", given)


def test_every_domain_has_rules_and_a_key_of_its_own() -> None:
    assert set(RULES) == set(DUPLICATE_KEYS) == set(DOMAINS)
    assert set(ALIKE_DOMAINS) <= set(DOMAINS)


@pytest.mark.parametrize("name", DOMAINS)
def test_duplicates_are_told_by_rules_that_there_are(name: str) -> None:
    assert set(DUPLICATE_KEYS[name]) <= {rule.name for rule in RULES[name]}


@pytest.mark.parametrize(("domain", "rule"), EVERY)
def test_a_record_that_says_nothing_has_no_key(lake: Lake, domain: Domain, rule: Exact) -> None:
    assert None in evaluated(lake, domain, rule)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"tax_id": "DE 123-4"}, {"tax_id": "de1234"}, True),
        ({"tax_id": "DE1234"}, {"tax_id": "DE1235"}, False),
        ({"number": " c-1"}, {"number": "C-1"}, True),
        ({"email": "a@acme.test"}, {"email": "b@ACME.test"}, True),
        ({"email": "a@acme.test"}, {"email": "a@acme.example"}, False),
    ],
)
def test_customers_have_the_same_key_exactly_where_they_mean_the_same(
    lake: Lake, one: dict[str, str], other: dict[str, str], same: bool
) -> None:
    (rule,) = [r for r in RULES["customer"] if r.name in {*one, "email_domain" if "email" in one else ""}]

    keys = [evaluated(lake, DOMAINS["customer"], rule, **values) for values in (one, other)]

    assert (keys[0] == keys[1]) is same


@pytest.mark.parametrize("values", [{"email": "a@GMAIL.com"}, {"email": "nobody"}, {"tax_id": "-./"}, {"number": " "}])
def test_what_says_nothing_about_a_company_is_no_key(lake: Lake, values: dict[str, str]) -> None:
    (rule,) = [r for r in RULES["customer"] if r.name in {*values, "email_domain" if "email" in values else ""}]

    assert evaluated(lake, DOMAINS["customer"], rule, **values) == (None,)
