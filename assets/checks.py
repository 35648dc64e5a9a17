"""The engine's checks in Dagster's words: which ones each step claims, and how an outcome is shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from sync_pipelines.domains.money import spell
from sync_pipelines.engine.claim import CONFORM, EXTRACTION, MATCH, PLAN, WRITES, Claim, reconciliation
from sync_pipelines.engine.outcome import Check, Result

__all__ = ["CONFORM", "EXTRACTION", "MATCH", "PLAN", "WRITES", "Claim", "reconciliation", "results", "specs"]

OUTCOMES = {Result.PASSED: "passed", Result.FAILED: "failed", Result.NOT_CHECKED: "not checked"}
NOT_REPORTED = "the step ended without saying anything about it"


def specs(key: dg.AssetKey, claims: Sequence[Claim]) -> list[dg.AssetCheckSpec]:
    return [
        dg.AssetCheckSpec(claim.name, asset=key, description=claim.text, blocking=claim.blocking) for claim in claims
    ]


def results(key: dg.AssetKey, claims: Sequence[Claim], checks: Sequence[Check]) -> Iterator[dg.AssetCheckResult]:
    """One result for each claim; a claim that nobody reported on shows as not checked, never as passed."""
    reported = {check.name: check for check in checks}
    for claim in claims:
        silent = Check(claim.name, key.to_user_string(), claim.text, Result.NOT_CHECKED, reason=NOT_REPORTED)
        yield _result(key, claim, reported.pop(claim.name, silent))
    if reported:
        raise ValueError(f"{key.to_user_string()} reports on {', '.join(reported)}, which it does not claim")


def _result(key: dg.AssetKey, claim: Claim, check: Check) -> dg.AssetCheckResult:
    harmless = claim.warns or check.result is Result.NOT_CHECKED
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=claim.name,
        passed=check.result is Result.PASSED,
        severity=dg.AssetCheckSeverity.WARN if harmless else dg.AssetCheckSeverity.ERROR,
        description=check.reason or check.claim,
        metadata=dict(_facts(check)),
    )


def _facts(check: Check) -> Iterator[tuple[str, Any]]:
    yield "outcome", OUTCOMES[check.result]
    yield "claim", check.claim
    yield "records", check.count
    for currency, amount in sorted(check.amounts.items()):
        yield f"amount_{currency}", spell(amount, currency)
    if check.sample:
        yield "sample", _table(check.sample)
    if check.reason:
        yield "reason", check.reason


def _table(sample: Sequence[Mapping[str, Any]]) -> dg.TableMetadataValue:
    """The sample as a table: rows may know different columns, Dagster wants the same in each."""
    names = list(dict.fromkeys(name for row in sample for name in row))
    records = [{name: "" if row.get(name) is None else str(row[name]) for name in names} for row in sample]
    schema = dg.TableSchema([dg.TableColumn(name) for name in names])
    return dg.MetadataValue.table([dg.TableRecord(record) for record in records], schema)
