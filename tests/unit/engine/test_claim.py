"""What is claimed before a step is made, and what is said of it when it was left out."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from sync_pipelines import config
from sync_pipelines.engine.claim import CLEARING, CONFORM, EXTRACTION, MATCH, PLAN, WRITES, Claim, claims, not_checked
from sync_pipelines.engine.outcome import Result

TOPOLOGY = config.load(Path(__file__).parents[3] / "sync.toml", environment={}, strict=False)


@pytest.mark.parametrize(
    ("subject", "claimed"),
    [
        ("stripe/customers", EXTRACTION),
        ("invoice/stripe", CONFORM),
        ("invoice/links", MATCH),
        ("invoice/plan/tryton", PLAN),
        ("invoice/writes/tryton", WRITES),
        ("report/finance", ()),
    ],
)
def test_an_address_says_what_is_claimed(subject: str, claimed: tuple[Claim, ...]) -> None:
    assert claims(TOPOLOGY, subject) == claimed


def test_where_fields_may_be_cleared_a_plan_claims_that_they_arrive() -> None:
    customer = replace(TOPOLOGY.domains["customer"], clears=["phone"])
    topology = replace(TOPOLOGY, domains={"customer": customer})

    assert claims(topology, "customer/plan/stripe") == PLAN + CLEARING


def test_what_finance_signs_is_claimed_for_each_pair_of_systems() -> None:
    named = {claim.name for claim in claims(TOPOLOGY, "invoice/reconciliation")}

    assert named == {"no_quarantined_records", "agrees_stripe_tryton", "control_totals_stripe_tryton"}


def test_a_step_that_was_left_out_proves_nothing_and_says_why() -> None:
    checks = not_checked(claims(TOPOLOGY, "invoice/writes/tryton"), "invoice/writes/tryton", "not run: tryton is down")

    assert {check.result for check in checks} == {Result.NOT_CHECKED}
    assert {check.reason for check in checks} == {"not run: tryton is down"}
    assert [check.name for check in checks if check.blocking] == ["nothing_in_doubt"]
