"""Questions about what records say: any letter, any length that fits, any amount, and the vendor's own word."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal

from sync_pipelines.domains.money import exponent
from sync_pipelines.engine.port import Operation, Request, State
from sync_pipelines.errors import SetAside
from sync_pipelines.testing.conformance.asking import create, fetch, live, parsed, question, says
from sync_pipelines.testing.facts import Amounts, Facts, NotChecked

NAMES = (
    "Zoë Größe & Søn ApS",
    "株式会社サンプル",
    "شركة المثال",
    "Ω’Neil \"Quoted\" 'Single' \\ back/slash",
    "100 % <b>plain</b> {brace} [bracket]; -- $1",
    "Family 👩‍👩‍👧‍👦 𝒜𝓈𝓉𝓇𝒶𝓁",
    "e\u0301 is not é",
    "null",
    "007",
)
"""Composed and combining letters, scripts from the right, letters beyond the first plane, what parsers take apart."""

STEPS = (7, 123_456, 9_999_999)
"""Amounts, in the smallest that a system takes of a currency."""


@question()
def names_are_kept_letter_by_letter_in_any_script(facts: Facts) -> str:
    wrong = [name for name in NAMES if not says(_written(facts, name), name)]
    return f"another name is there for {', '.join(map(ascii, wrong))}" if wrong else ""


def _written(facts: Facts, name: str) -> bytes:
    (outcome,) = facts.system.write([create(facts, f"name-{NAMES.index(name)}", body=facts.body(name))])
    return fetch(facts, str(outcome.record_id)).payload


@question()
def the_longest_name_is_kept_and_a_longer_one_is_refused_and_never_cut(facts: Facts) -> str:
    longest = "ü" * facts.text_max()
    (outcome,) = facts.system.write([create(facts, "fits", body=facts.body(longest))])
    if outcome.state is not State.CONFIRMED or not says(fetch(facts, str(outcome.record_id)).payload, longest):
        return f"a name of {len(longest)} characters is not kept"
    before = live(facts)
    with suppress(SetAside):
        (outcome,) = facts.system.write([create(facts, "too long", body=facts.body(longest + "ü"))])
        if outcome.state is not State.REFUSED:
            return f"a name of {len(longest) + 1} characters is {outcome.state}"
    return "" if live(facts) == before else "what was refused was stored"


@question()
def an_amount_is_kept_to_its_last_digit(facts: Facts) -> str:
    return _kept(facts, [currency for currency in facts.amounts().currencies if exponent(currency) == 2])


@question()
def a_currency_keeps_its_own_decimals(facts: Facts) -> str:
    return _kept(facts, [currency for currency in facts.amounts().currencies if exponent(currency) != 2])


def _kept(facts: Facts, currencies: list[str]) -> str:
    if not currencies:
        raise NotChecked("the system takes no such currency")
    amounts = facts.amounts()
    pairs = [(amounts.smallest[exponent(currency)] * steps, currency) for currency in currencies for steps in STEPS]
    return "; ".join(filter(None, (_wrong(facts, amounts, *pair) for pair in pairs)))


def _wrong(facts: Facts, amounts: Amounts, amount: Decimal, currency: str) -> str:
    name = f"{amount}-{currency}"
    body = amounts.body(amount, currency)
    request = Request(f"write-{name}", amounts.object, Operation.CREATE, None, f"probe-{name}", body, (), f"key-{name}")
    (outcome,) = facts.system.write([request])
    if outcome.state is not State.CONFIRMED:
        return f"{amount} {currency} is {outcome.state} ({outcome.message})"
    record_id = str(outcome.record_id)
    found = facts.system.fetch(amounts.object, amounts.shape, [record_id])
    told = amounts.told(parsed(found[record_id].payload))
    return "" if told == (amount, currency) else f"{told[0]} {told[1]} is there for {amount} {currency}"


@question("api_version")
def the_version_that_is_spoken_is_the_one_of_the_passport(facts: Facts) -> str:
    return _published(facts, "api_version")


@question("retires_on")
def the_version_ends_when_the_vendor_says(facts: Facts) -> str:
    return _published(facts, "retires_on")


@question("zone")
def times_are_of_the_zone_that_the_vendor_says(facts: Facts) -> str:
    return _published(facts, "zone")


@question("rate")
def as_many_calls_are_allowed_as_the_vendor_says(facts: Facts) -> str:
    return _published(facts, "rate")


def _published(facts: Facts, claim: str) -> str:
    facts.system.identity()
    published = facts.published()
    if claim not in published:
        raise NotChecked(f"what the vendor publishes does not tell {claim}")
    said = getattr(facts.system.passport, claim)
    return "" if said == published[claim] else f"the passport says {said}, the vendor {published[claim]}"
