"""Prove: control totals of each system for itself, and the checks that finance signs, made from the findings."""

from __future__ import annotations

from datetime import date

from sync_pipelines.domains import Domain
from sync_pipelines.engine.conform import records
from sync_pipelines.engine.lake import Lake
from sync_pipelines.engine.outcome import Check, Result, Total
from sync_pipelines.engine.values import quoted, text

DISAGREEMENTS = (
    *("closed_period", "deleted", "differs", "discarded", "failed"),
    *("in_doubt", "missing", "refused", "unknown"),
)
"""The kinds of finding that make a pair of systems disagree."""


def totals(lake: Lake, domain: Domain, systems: list[str]) -> list[Total]:
    """Count and sum by period, legal entity and currency, each system for itself, without any link."""
    if not domain.dated:
        return []
    return [
        Total(domain.name, system, entity, period, currency, count, total)
        for system in systems
        for entity, period, currency, count, total in lake.rows(f"""
            SELECT legal_entity, strftime(coalesce(posting_on, {quoted(domain.dated)}), '%Y-%m'), currency, count(*),
                   CAST(sum({quoted(domain.amount)}) AS BIGINT)
            FROM {records(lake, domain.name, system)}
            WHERE refused IS NULL AND NOT is_deleted AND coalesce({domain.counts_when}, false)
            GROUP BY ALL ORDER BY ALL""")
    ]


def checks(
    lake: Lake, domain: Domain, pairs: list[tuple[str, str]], all_totals: list[Total], *, cut_over: date = date.min
) -> tuple[Check, ...]:
    """What finance signs: each pair agrees, the control totals are equal, nothing is in quarantine.

    Totals are claimed to be equal from the month of the cut-over on.
    """
    made = [_agrees(lake, domain, pair) for pair in pairs]
    if domain.dated:
        live = [total for total in all_totals if total.period >= f"{cut_over:%Y-%m}"]
        made += [_equal_totals(domain, pair, live, _moved(lake, pair)) for pair in pairs]
    return (*made, _quarantine(lake, domain))


def _agrees(lake: Lake, domain: Domain, pair: tuple[str, str]) -> Check:
    a, b = pair
    sides = [
        lake.row(f"SELECT count(*) FROM {records(lake, domain.name, s)} WHERE refused IS NULL AND NOT is_deleted")
        for s in pair
    ]
    which = f"system_a = {text(a)} AND system_b = {text(b)} AND kind IN {DISAGREEMENTS}"
    rows = lake.rows(f"""
        SELECT kind, coalesce(record_b, record_a), string_agg(DISTINCT coalesce(field, reason), ', '),
               max(amount_minor), min(currency)
        FROM found WHERE {which} GROUP BY ALL ORDER BY 4 DESC NULLS LAST, 1, 2""")
    amounts: dict[str, int] = {}
    for *_, amount, currency in rows:
        if amount and currency:
            amounts[currency] = amounts.get(currency, 0) + abs(amount)
    return Check(
        name=f"agrees_{a}_{b}",
        subject=f"{domain.name}/reconciliation",
        claim=f"Every {domain.name} is the same in {a} and {b}, field by field.",
        result=Result.FAILED if rows else Result.PASSED if all(n for (n,) in sides) else Result.NOT_CHECKED,
        count=len(rows),
        amounts=amounts,
        sample=tuple({"kind": k, "record_id": r, "what": f} for k, r, f, *_ in rows[:5]),
        reason="" if rows or all(n for (n,) in sides) else "one side holds no records",
    )


Key = tuple[str, str, str]
"""Legal entity, period, currency."""


def _moved(lake: Lake, pair: tuple[str, str]) -> dict[Key, tuple[int, int]]:
    """What plans had the second system post in another month than the first, as count and sum by month."""
    a, b = (text(system) for system in pair)
    rows = lake.rows(f"""
        SELECT legal_entity, period, currency, count(*) FILTER (value_a LIKE period || '-%')
               - count(*) FILTER (value_b LIKE period || '-%'), CAST(sum(amount_minor) AS BIGINT)
        FROM found WHERE kind = 'moved' AND system_a = {a} AND system_b = {b} GROUP BY ALL""")
    return {(entity, period, currency): (count, total) for entity, period, currency, count, total in rows}


def _equal_totals(
    domain: Domain, pair: tuple[str, str], all_totals: list[Total], moved: dict[Key, tuple[int, int]]
) -> Check:
    """Equal, but for what a plan moved because its own period was closed: that is named, and balances."""
    sides = [
        {(t.legal_entity, t.period, t.currency): (t.count, t.sum_minor) for t in all_totals if t.system == system}
        for system in pair
    ]
    apart = {key: (sides[0].get(key, (0, 0)), sides[1].get(key, (0, 0))) for key in sides[0].keys() | sides[1].keys()}
    apart = {key: both for key, both in sorted(apart.items()) if _less(both[0], both[1]) != moved.get(key, (0, 0))}
    amounts: dict[str, int] = {}
    for (_, _, currency), (left, right) in apart.items():
        amounts[currency] = amounts.get(currency, 0) + abs(left[1] - right[1])
    empty = not sides[0] or not sides[1]
    return Check(
        name=f"control_totals_{pair[0]}_{pair[1]}",
        subject=f"{domain.name}/reconciliation",
        claim=f"Count and sum of every {domain.name} are equal in {pair[0]} and {pair[1]}, per period and currency, "
        "but for what a closed period moved.",
        result=Result.NOT_CHECKED if empty else Result.FAILED if apart else Result.PASSED,
        count=len(apart),
        amounts=amounts,
        sample=tuple(
            {"legal_entity": e, "period": p, "currency": c, pair[0]: left[1], pair[1]: right[1]}
            for (e, p, c), (left, right) in list(apart.items())[:5]
        ),
        reason="one side holds no documents" if empty else _moves_told(moved),
    )


def _less(left: tuple[int, int], right: tuple[int, int]) -> tuple[int, int]:
    return left[0] - right[0], left[1] - right[1]


def _moves_told(moved: dict[Key, tuple[int, int]]) -> str:
    months = sorted({month for _, month, _ in moved})
    return f"documents were moved between {', '.join(months)}, for their own period was closed" if months else ""


def _quarantine(lake: Lake, domain: Domain) -> Check:
    rows = lake.rows("SELECT system_a, record_a, reason FROM found WHERE kind = 'quarantined' ORDER BY ALL")
    return Check(
        name="no_quarantined_records",
        subject=f"{domain.name}/reconciliation",
        claim=f"No {domain.name} record was set aside, so nothing is missing from the comparison.",
        result=Result.FAILED if rows else Result.PASSED,
        count=len(rows),
        sample=tuple({"system": s, "record_id": r, "reason": why} for s, r, why in rows[:5]),
    )
