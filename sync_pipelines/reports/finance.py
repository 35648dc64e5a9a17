"""The finance check report: are both sides the same, to the cent, and what stands behind each difference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib.resources import files

import jinja2

from sync_pipelines.domains.money import spell
from sync_pipelines.engine.outcome import Check, Extraction, Result, Total

EXPLAINING = (
    *("ambiguous", "closed_period", "deleted", "differs", "discarded", "failed"),
    *("in_doubt", "merged", "missing", "moved", "refused", "unknown"),
)
"""The kinds of finding that move a control total."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A disagreement; `amount_minor` is its signed share in the difference of the two systems' totals."""

    domain: str
    kind: str
    system_a: str
    system_b: str
    record_a: str
    record_b: str
    label: str
    field: str
    value_a: str
    value_b: str
    amount_minor: int | None
    currency: str
    legal_entity: str
    period: str
    reason: str

    @property
    def shown(self) -> tuple[str, str]:
        """Both values as people read them."""
        values = (self.value_a or "", self.value_b or "")
        if not self.field or not self.field.endswith("_minor") or not all(values):
            return values
        return spell(int(values[0]), self.currency), spell(int(values[1]), self.currency)


@dataclass(frozen=True, slots=True)
class OpenException:
    """Work for a person, as the report shows it."""

    owner: str
    domain: str
    kind: str
    label: str
    reason: str
    amount_minor: int | None
    currency: str | None
    opened_at: datetime
    due_at: datetime

    @property
    def amount(self) -> str:
        return spell(self.amount_minor, self.currency) if self.amount_minor and self.currency else ""


@dataclass(frozen=True, slots=True)
class Basis:
    """What a report was computed from."""

    run_id: str
    mode: str
    as_of: datetime
    snapshot: int
    mapping_versions: Mapping[str, str]
    extractions: Sequence[Extraction]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One period, legal entity and currency of a pair of systems: totals, difference, what explains it."""

    domain: str
    systems: tuple[str, str]
    legal_entity: str
    period: str
    currency: str
    counts: tuple[int, int]
    sums: tuple[int, int]
    findings: tuple[Finding, ...]

    @property
    def difference_minor(self) -> int:
        return self.sums[0] - self.sums[1]

    @property
    def explained_minor(self) -> int:
        return sum(f.amount_minor or 0 for f in self.findings)

    @property
    def unexplained_minor(self) -> int:
        return self.difference_minor - self.explained_minor

    @property
    def agrees(self) -> bool:
        return self.counts[0] == self.counts[1] and self.difference_minor == 0


@dataclass(frozen=True)
class Report:
    """Everything that the rendering shows, in the order in which it is read."""

    basis: Basis
    legal_entities: Mapping[str, str]
    checks: Sequence[Check]
    comparisons: Sequence[Comparison]
    findings: Sequence[Finding]
    exceptions: Sequence[OpenException]
    owners: Mapping[str, str] = field(default_factory=dict)

    @property
    def outcomes(self) -> dict[str, int]:
        """How many checks passed, failed, and were not checked."""
        return {result.value: sum(c.result is result for c in self.checks) for result in Result}

    @property
    def at_stake(self) -> dict[str, int]:
        """The amounts of all open exceptions by currency."""
        amounts: dict[str, int] = {}
        for item in self.exceptions:
            if item.amount_minor and item.currency:
                amounts[item.currency] = amounts.get(item.currency, 0) + item.amount_minor
        return dict(sorted(amounts.items()))

    @property
    def unexplained(self) -> list[Comparison]:
        return [each for each in self.comparisons if each.unexplained_minor]

    @property
    def apart(self) -> list[Comparison]:
        return [each for each in self.comparisons if not each.agrees]

    @property
    def standing(self) -> str:
        """Agrees, explained or apart; it agrees only where nothing failed and nothing waits for a person."""
        if self.unexplained or not self.comparisons:
            return "apart"
        return "explained" if self.apart or self.exceptions or self.outcomes[Result.FAILED] else "agrees"

    @property
    def verdict(self) -> str:
        """What a reader has to know first: whether the books and the platforms agree, and how far that is proven."""
        unproven = self.outcomes[Result.NOT_CHECKED]
        return self._verdict + (f" Checks that could not run: {unproven}." if unproven else "")

    @property
    def _verdict(self) -> str:
        compared, failed = len(self.comparisons), self.outcomes[Result.FAILED]
        if not compared:
            return "Nothing was compared."
        if self.unexplained:
            return f"{len(self.unexplained)} of {compared} control totals differ without an explanation."
        if self.apart:
            return f"{len(self.apart)} of {compared} control totals differ; a finding stands behind every cent of it."
        if self.exceptions:
            return f"All {compared} control totals agree. Exceptions that need a person: {len(self.exceptions)}."
        if failed:
            return f"All {compared} control totals agree. Checks that failed: {failed}."
        return "Both sides agree, to the cent."


def compare(
    totals: Iterable[Total], findings: Sequence[Finding], pairs: Mapping[str, Sequence[tuple[str, str]]]
) -> list[Comparison]:
    """Put the totals of each pair of systems side by side, with the findings of the same period and currency."""
    by_key: dict[tuple[str, str, str, str], dict[str, Total]] = {}
    for total in totals:
        key = (total.domain, total.period, total.legal_entity, total.currency)
        by_key.setdefault(key, {})[total.system] = total
    return [
        _comparison(key, pair, sides, findings)
        for key, sides in sorted(by_key.items())
        for pair in pairs.get(key[0], ())
    ]  # fmt: skip


def _comparison(
    key: tuple[str, str, str, str], pair: tuple[str, str], sides: Mapping[str, Total], findings: Sequence[Finding]
) -> Comparison:
    domain, period, entity, currency = key
    left, right = (sides.get(system) for system in pair)
    return Comparison(
        domain=domain,
        systems=pair,
        legal_entity=entity,
        period=period,
        currency=currency,
        counts=(left.count if left else 0, right.count if right else 0),
        sums=(left.sum_minor if left else 0, right.sum_minor if right else 0),
        findings=tuple(
            f
            for f in findings
            if (f.domain, f.period, f.legal_entity, f.currency, f.system_a, f.system_b)
            == (*key[:1], period, entity, currency, *pair)
            and f.kind in EXPLAINING
            and f.amount_minor
        ),
    )


def render(report: Report) -> str:
    """The report as one self-contained HTML page."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["spell"] = lambda amount, currency: spell(amount, currency)
    template = files("sync_pipelines.reports").joinpath("finance.html.jinja").read_text(encoding="utf-8")
    return environment.from_string(template).render(report=report)
