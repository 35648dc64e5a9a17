"""The passports of the systems that are there: as their page shows them, and as a topology sets them right."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from sync_pipelines.engine.port import ANY, CONFIGURABLE, Passport, Rate
from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.errors import FixConfiguration
from sync_pipelines.systems.chargebee.adapter import PASSPORT as CHARGEBEE
from sync_pipelines.systems.ecc import PASSPORT as ECC
from sync_pipelines.systems.gainsight import PASSPORT as GAINSIGHT
from sync_pipelines.systems.hubspot import PASSPORT as HUBSPOT
from sync_pipelines.systems.netsuite.adapter import PASSPORT as NETSUITE
from sync_pipelines.systems.passport import configured
from sync_pipelines.systems.s4hana.adapter import PASSPORT as S4HANA
from sync_pipelines.systems.salesforce.adapter import PASSPORT as SALESFORCE
from sync_pipelines.systems.stripe.adapter import PASSPORT as STRIPE
from sync_pipelines.systems.tryton.adapter import PASSPORT as TRYTON
from sync_pipelines.systems.zendesk import PASSPORT as ZENDESK

PASSPORTS = {
    "chargebee": CHARGEBEE,
    "ecc": ECC,
    "gainsight": GAINSIGHT,
    "hubspot": HUBSPOT,
    "netsuite": NETSUITE,
    "s4hana": S4HANA,
    "salesforce": SALESFORCE,
    "stripe": STRIPE,
    "tryton": TRYTON,
    "zendesk": ZENDESK,
}
PAGE = Path(__file__).parents[3] / "docs" / "reference" / "passport.md"


def shown(value: Any) -> str:
    """A claim as the page writes it."""
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case Rate(calls=calls, window_seconds=seconds, told_by=told):
            return f"{calls} in {seconds} s, told by {told}"
        case Mapping():
            pairs = (f"{'any object' if name == ANY else f'`{name}`'}: `{key}`" for name, key in value.items())
            return ", ".join(pairs)
        case float():
            return f"{value:f}"
        case _:
            return str(value)


def test_the_page_shows_every_claim_of_every_passport_as_the_code_has_it() -> None:
    lines = [line for line in PAGE.read_text().splitlines() if re.match(r"\| `\w+` \|", line)]
    rows = [cells for line in lines if len(cells := line[2:-2].split(" | ")) == 2 + len(PASSPORTS)]
    told = {(row[0].strip("`"), system): row[2 + place] for row in rows for place, system in enumerate(PASSPORTS)}

    claims = {
        (claim.name, system): shown(getattr(passport, claim.name))
        for claim in dataclasses.fields(Passport)
        for system, passport in PASSPORTS.items()
    }

    assert told == claims


def test_a_topology_sets_estimates_right() -> None:
    options = {"late_seconds": "60", "settling_seconds": "5", "idempotency_seconds": "0", "retires_on": "2030-01-31"}
    settings = SystemSettings("erp", "tryton", "http://erp.test/db", options={**options, "user": "admin"})

    made = configured(STRIPE, settings)

    assert set(options) == set(CONFIGURABLE)
    assert (made.overlap_seconds, made.settling_seconds, made.idempotency_seconds) == (60, 5, 0)
    assert made.retires_on == date(2030, 1, 31)
    assert made.page_max == STRIPE.page_max


@pytest.mark.parametrize(
    ("name", "text"),
    [("settling_seconds", "soon"), ("late_seconds", "-1"), ("retires_on", "June 2029"), ("settling_seconds", "1.5")],
)
def test_an_estimate_that_is_none_is_refused_with_its_name(name: str, text: str) -> None:
    settings = SystemSettings("erp", "tryton", "http://erp.test/db", options={name: text})

    with pytest.raises(FixConfiguration, match=rf"\[systems.erp\] {name}"):
        configured(TRYTON, settings)
