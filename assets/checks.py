"""The engine's checks in Dagster's words: which ones each step claims, and how an outcome is shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from sync_pipelines.domains import DOMAINS
from sync_pipelines.domains.money import spell
from sync_pipelines.engine.outcome import Check, Result
from sync_pipelines.engine.topology import Topology

OUTCOMES = {Result.PASSED: "passed", Result.FAILED: "failed", Result.NOT_CHECKED: "not checked"}
NOT_REPORTED = "the step ended without saying anything about it"


@dataclass(frozen=True, slots=True)
class Claim:
    """What a step claims about its records. A claim that only `warns` never turns anything red."""

    name: str
    text: str
    blocking: bool = False
    warns: bool = False


EXTRACTION = (
    Claim("complete", "The record log holds as many live records as the system itself counts.", warns=True),
    Claim("fits_declared_shape", "Every declared field still arrives from the system."),
)
CONFORM = (
    Claim("fits_schema", "Every record fits the canonical schema; one that does not is set aside."),
    Claim("some_records_survive", "Most records fit, so the mapping itself is sound.", blocking=True),
)
MATCH = (
    Claim("no_ambiguous_match", "No record has more than one candidate to be linked with."),
    Claim("no_duplicates", "No system holds the same thing twice."),
)
PLAN = (Claim("within_limits", "The plan is no larger than a plan may be without a person.", blocking=True),)
WRITES = (
    Claim("all_confirmed", "Every planned write was confirmed by the system."),
    Claim("nothing_in_doubt", "Of every write it is known whether it was committed.", blocking=True),
)


def reconciliation(topology: Topology, domain: str) -> tuple[Claim, ...]:
    """One claim for each pair of systems; control totals where the domain's records are dated amounts."""
    claims = [Claim("no_quarantined_records", f"No {domain} record had to be set aside.")]
    for a, b in topology.pairs(domain):
        claims.append(Claim(f"agrees_{a}_{b}", f"Every {domain} says the same in {a} and in {b}."))
        if DOMAINS[domain].dated:
            text = f"Counts and sums per period, legal entity and currency are equal in {a} and {b}."
            claims.append(Claim(f"control_totals_{a}_{b}", text))
    return tuple(claims)


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
