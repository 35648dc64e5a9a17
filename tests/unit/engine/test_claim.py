"""What is claimed before a step is made, and what is said of it when it was left out."""

from __future__ import annotations

from pathlib import Path

from sync_pipelines import config
from sync_pipelines.course import VERBS
from sync_pipelines.engine.claim import claims, not_checked
from sync_pipelines.engine.outcome import Result

TOPOLOGY = config.load(Path(__file__).parents[3] / "sync.toml", environment={}, strict=False)


def test_every_verb_but_the_report_claims_something() -> None:
    assert [verb for verb in VERBS if not claims(TOPOLOGY, verb, "invoice")] == ["report"]


def test_what_finance_signs_is_claimed_for_each_pair_of_systems() -> None:
    named = {claim.name for claim in claims(TOPOLOGY, "reconcile", "invoice")}

    assert named == {"no_quarantined_records", "agrees_stripe_tryton", "control_totals_stripe_tryton"}


def test_a_step_that_was_left_out_proves_nothing_and_says_why() -> None:
    checks = not_checked(claims(TOPOLOGY, "apply", "invoice"), "invoice/writes/tryton", "not run: tryton is down")

    assert {check.result for check in checks} == {Result.NOT_CHECKED}
    assert {check.reason for check in checks} == {"not run: tryton is down"}
    assert [check.name for check in checks if check.blocking] == ["nothing_in_doubt"]
