"""Reconcile: compare both sides after the fact, to the cent, however they came to be what they are.

Every disagreement is a finding; the findings of one record become one exception for one team. Findings that
another pair of systems already explains are kept, but marked as not primary, so that nobody gets them twice.
The amount of a finding is signed as its share in the first system's total minus the second's.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import pyarrow as pa

from sync_pipelines.domains import Domain, Field
from sync_pipelines.engine.conform import held
from sync_pipelines.engine.lake import Lake
from sync_pipelines.engine.match import open_doubts
from sync_pipelines.engine.period import CLOSED_PERIOD
from sync_pipelines.engine.plan import held_back
from sync_pipelines.engine.reference import resolved
from sync_pipelines.engine.topology import DomainSettings
from sync_pipelines.engine.values import clears, differs, quoted, shown, text, wants

COLUMNS = """kind VARCHAR, system_a VARCHAR, record_a VARCHAR, system_b VARCHAR, record_b VARCHAR, link_id VARCHAR,
    label VARCHAR, field VARCHAR, value_a VARCHAR, value_b VARCHAR, amount_minor BIGINT, currency VARCHAR,
    legal_entity VARCHAR, period VARCHAR, reason VARCHAR, is_primary BOOLEAN, written_to VARCHAR, write_id VARCHAR,
    code VARCHAR"""

WAITING = pa.schema(
    [*((name, pa.string()) for name in ("target", "link_id", "message")), ("fields", pa.list_(pa.string()))]
)
"""The relation `waiting_writes`: what was planned and waits for a person's word, and why."""
_COUNTS = "(w.code <> 'released' OR waiting.reason IS NULL)"
"""What a person has let go again is no reason any more, where the plan has one of its own for holding it back."""

BEFORE_CUT_OVER = "before_cut_over"
"""The kind of a document that the other side lacks and need not have, for it is from before going live."""


@dataclass(frozen=True, slots=True)
class Item:
    """An exception to raise: what is wrong with one record, in words, and what it is worth."""

    fingerprint: str
    domain: str
    kind: str
    system: str
    record_id: str
    label: str
    reason: str
    amount_minor: int | None
    currency: str | None
    write_id: str | None = None
    """The write that was to mend it and came to nothing; None where nothing was sent."""
    code: str = ""
    """The target's own word for why, where a write came to nothing."""
    link_id: str | None = None


def reconcile(
    lake: Lake,
    domain: Domain,
    settings: DomainSettings,
    *,
    pairs: list[tuple[str, str]],
    clearing: Collection[str] = (),
) -> int:
    """Fill the session's `found` with every finding of a domain; returns how many record pairs were compared.

    Reads the canonical tables, the doubts of the match, what the plans held back, and the registered
    relations `links`, `dead_letters` (target, link_id, write_id, kind, code, message, fields), `moved_writes`
    (target, link_id, posting_on, plan_id) and `waiting_writes` (target, link_id, message, fields). An owner's empty
    value disagrees with another only in the fields that `clearing` names.
    """
    lake.db.execute(f"CREATE OR REPLACE TEMP TABLE found ({COLUMNS})")
    compared = sum(_compare(lake, domain, settings, pair, clearing=clearing) for pair in pairs)
    for other in settings.systems[1:]:
        _find_missing(lake, domain, settings, other)
        _find_unknown(lake, domain, settings, other)
    _take_doubts(lake, domain, settings)
    for system in settings.systems:
        _take_quarantined(lake, domain, system)
    return compared


def _context(lake: Lake, domain: Domain, system: str, row: str) -> str:
    """Amount, currency, legal entity and period of a record, null where the system doesn't hold them."""
    known = held(lake, domain, system)

    def column(name: str, kind: str) -> str:
        return f"{row}.{quoted(name)}" if name in known else f"CAST(NULL AS {kind})"

    period = f"strftime(coalesce({row}.posting_on, {column(domain.dated, 'DATE')}), '%Y-%m')"
    return ", ".join(
        [
            f"{column(domain.amount, 'BIGINT')} AS amount_minor",
            f"{column('currency', 'VARCHAR')} AS currency",
            f"{column('legal_entity', 'VARCHAR')} AS legal_entity",
            f"{period if domain.dated else 'NULL'} AS period",
        ]
    )


def _live(lake: Lake, domain: Domain, system: str) -> str:
    """The records of a system that are compared; `counts` says which of them are in its control totals."""
    counts = f"coalesce({domain.counts_when}, false) AS counts"
    return f"(SELECT *, {counts} FROM {resolved(lake, domain, system)} WHERE refused IS NULL AND NOT is_deleted)"


def _compare(
    lake: Lake, domain: Domain, settings: DomainSettings, pair: tuple[str, str], *, clearing: Collection[str]
) -> int:
    """Field by field, both sides of every link; only the fields that disagree become rows."""
    a, b = pair
    common = held(lake, domain, a) & held(lake, domain, b)
    fields = [f for f in domain.fields if f.name in common]
    disagreements = ", ".join(
        _disagreement(f, settings.owners[f.name], pair, may_clear=f.name in clearing) for f in fields
    )
    lake.db.execute(f"""
        CREATE OR REPLACE TEMP TABLE compared AS
        WITH m AS (SELECT link_id, max(record_id) FILTER (system = {text(a)}) AS a_id,
                          max(record_id) FILTER (system = {text(b)}) AS b_id
                   FROM links WHERE domain = {text(domain.name)} GROUP BY link_id)
        SELECT m.link_id, m.a_id, m.b_id, a.label, {_share(lake, domain, pair)} AS share,
               {_days(lake, domain, pair)},
               list_filter([{disagreements}], lambda x: x IS NOT NULL) AS found, {_context(lake, domain, a, "a")}
        FROM m JOIN {_live(lake, domain, a)} a ON a.record_id = m.a_id
               JOIN {_live(lake, domain, b)} b ON b.record_id = m.b_id
    """)
    if lake.rows("SELECT 1 FROM compared WHERE len(found) > 0 LIMIT 1"):
        _tell_differences(lake, domain, pair)
    if domain.dated:
        _find_moved(lake, pair)
    return int(lake.row("SELECT count(*) FROM compared")[0])


def _tell_differences(lake: Lake, domain: Domain, pair: tuple[str, str]) -> None:
    """A finding for each field in which a compared pair disagrees, with what is known of why."""
    a, b = pair
    lake.db.execute(f"""
        INSERT INTO found
        WITH waiting AS ({_waiting(lake, domain, b)})
        SELECT {_kind("differs")},
               {text(a)}, a_id, {text(b)}, b_id, c.link_id, label, f.field, f.value_a, f.value_b,
               CASE WHEN f.field = c.told_by THEN nullif(share, 0) END, currency, legal_entity, period,
               coalesce(w.message, v.message, waiting.reason, f.field || ' differs'), f.is_primary,
               coalesce(w.target, v.target), w.write_id, w.code
        FROM (SELECT *, unnest(found) AS f, {_told_by(domain)} AS told_by FROM compared) c
        LEFT JOIN waiting ON waiting.link_id = c.link_id AND f.target = {text(b)}
        LEFT JOIN dead_letters w
            ON w.link_id = c.link_id AND w.target = f.target AND list_contains(w.fields, f.field) AND {_COUNTS}
        LEFT JOIN waiting_writes v
            ON v.link_id = c.link_id AND v.target = f.target AND list_contains(v.fields, f.field)
    """)


def _kind(otherwise: str) -> str:
    """What a finding is called where a period is closed, a write came to nothing, or neither."""
    return f"""CASE WHEN {text(CLOSED_PERIOD)} IN (w.code, waiting.kind) THEN {text(CLOSED_PERIOD)}
               ELSE coalesce(w.kind, {text(otherwise)}) END"""


def _days(lake: Lake, domain: Domain, pair: tuple[str, str]) -> str:
    """On which day each side's books have a document, and what it adds to the second one's total."""
    if not domain.dated or not all({domain.dated, domain.amount} <= held(lake, domain, s) for s in pair):
        return "CAST(NULL AS DATE) AS day_a, CAST(NULL AS DATE) AS day_b, CAST(NULL AS BIGINT) AS share_b"
    days = [f"coalesce({row}.posting_on, {row}.{quoted(domain.dated)}) AS day_{row}" for row in ("a", "b")]
    return f"{', '.join(days)}, CASE WHEN b.counts THEN b.{quoted(domain.amount)} END AS share_b"


def _find_moved(lake: Lake, pair: tuple[str, str]) -> None:
    """A document that each side has in another month moves both months' totals: told for each, with who moved it."""
    a, b = pair
    lake.db.execute(f"""
        INSERT INTO found
        WITH moved AS (
            SELECT c.*, m.plan_id, unnest([strftime(day_a, '%Y-%m'), strftime(day_b, '%Y-%m')]) AS month,
                   unnest([share_b, -share_b]) AS moves
            FROM compared c LEFT JOIN moved_writes m
                ON m.target = {text(b)} AND m.link_id = c.link_id AND m.posting_on = day_b
            WHERE strftime(day_a, '%Y-%m') <> strftime(day_b, '%Y-%m') AND share_b IS NOT NULL)
        SELECT CASE WHEN plan_id IS NULL THEN 'differs' ELSE 'moved' END, {text(a)}, a_id, {text(b)}, b_id, link_id,
               label, 'posting_on', {shown("day_a")}, {shown("day_b")}, moves, currency, legal_entity, month,
               'posted on ' || day_b || ' in ' || {text(b)} || CASE WHEN plan_id IS NULL THEN ', and no plan moved it'
                   ELSE ': its own period was closed, and ' || plan_id || ' moved it' END,
               plan_id IS NULL, NULL, NULL, NULL
        FROM moved
    """)


def _disagreement(field: Field, owner: str, pair: tuple[str, str], *, may_clear: bool) -> str:
    """A struct that describes a field's disagreement, or null where the field agrees."""
    left, right = f"a.{quoted(field.name)}", f"b.{quoted(field.name)}"
    desired, actual = (right, left) if owner == pair[1] else (left, right)
    condition = wants(field, desired, actual) if owner in pair else differs(field, left, right)
    if may_clear and owner in pair:
        condition = f"({condition} OR {clears(desired, actual)})"
    target = pair[0] if owner == pair[1] else pair[1]
    values = ("'(personal)'", "'(personal)'") if field.is_personal else (shown(left), shown(right))
    return (
        f"CASE WHEN {condition} THEN {{'field': {text(field.name)}, 'value_a': {values[0]}, 'value_b': {values[1]}, "
        f"'target': {text(target)}, 'is_primary': {str(owner in pair).lower()}}} END"
    )


def _share(lake: Lake, domain: Domain, pair: tuple[str, str]) -> str:
    """What a pair of records adds to the difference of their systems' totals."""
    if not all(domain.amount in held(lake, domain, system) for system in pair):
        return "CAST(NULL AS BIGINT)"
    amount = quoted(domain.amount)
    return f"CASE WHEN a.counts THEN a.{amount} ELSE 0 END - CASE WHEN b.counts THEN b.{amount} ELSE 0 END"


def _told_by(domain: Domain) -> str:
    """Of a pair's differing fields the one that carries the amount, for it is told once."""
    return f"coalesce(list_filter([x.field FOR x IN found], lambda n: n = {text(domain.amount)})[1], found[1].field)"


def counted(lake: Lake) -> tuple[int, dict[str, int], dict[str, int]]:
    """Of the session's findings: pairs that disagree, findings by kind, amounts at stake by currency."""
    disagreeing = lake.row("""
        SELECT count(DISTINCT (system_a, system_b, link_id)) FILTER (record_a IS NOT NULL AND record_b IS NOT NULL
            AND kind IN ('closed_period', 'differs', 'discarded', 'failed', 'in_doubt', 'refused')) FROM found""")[0]
    kinds = dict(lake.rows("SELECT kind, count(*) FROM found WHERE is_primary GROUP BY ALL ORDER BY ALL"))
    amounts = dict(
        lake.rows("""
            SELECT currency, CAST(sum(abs(amount_minor)) AS BIGINT) FROM found
            WHERE is_primary AND amount_minor <> 0 AND currency IS NOT NULL GROUP BY ALL ORDER BY ALL""")
    )
    return int(disagreeing), kinds, amounts


def _find_missing(lake: Lake, domain: Domain, settings: DomainSettings, other: str) -> None:
    """Leading records that another system should have and has not, with the reason where one is known.

    What a doubt or a quarantine explains is told there, also of what a person has let go again. What is from before the
    cut-over is told as that, and is nobody's work.
    """
    leader, before = settings.leader, f"({settings.before_cut_over(domain.dated)})"
    lake.db.execute(f"""
        INSERT INTO found
        WITH waiting AS ({_waiting(lake, domain, other)}),
        there AS (SELECT l.link_id, t.refused IS NOT NULL AS is_aside, NOT is_aside AND NOT t.is_deleted AS lives
                  FROM links l JOIN {resolved(lake, domain, other)} t ON t.record_id = l.record_id
                  WHERE l.domain = {text(domain.name)} AND l.system = {text(other)}),
        doubt AS (SELECT DISTINCT link_id FROM {open_doubts(lake, domain.name)}
                  WHERE system = {text(other)} OR (kind = 'duplicate' AND system = {text(leader)}))
        SELECT CASE WHEN {before} THEN {text(BEFORE_CUT_OVER)} ELSE {_kind("missing")} END,
               {text(leader)}, a.record_id, {text(other)}, NULL, l.link_id, a.label, NULL, NULL, NULL,
               {_context(lake, domain, leader, "a")},
               CASE WHEN {before} THEN 'before cut-over, not in ' || {text(other)}
                    ELSE coalesce(w.message, v.message, waiting.reason,
                                  CASE WHEN is_aside THEN 'set aside' ELSE 'not' END || ' in ' || {text(other)}) END,
               NOT {before} AND (w.kind IS NOT NULL OR waiting.kind IS NOT DISTINCT FROM {text(CLOSED_PERIOD)}
                   OR (doubt.link_id IS NULL AND is_aside IS NOT TRUE)), w.target, w.write_id, w.code
        FROM {_live(lake, domain, leader)} a
        JOIN links l ON l.domain = {text(domain.name)} AND l.system = {text(leader)} AND l.record_id = a.record_id
        LEFT JOIN waiting ON waiting.link_id = l.link_id
        LEFT JOIN there ON there.link_id = l.link_id
        LEFT JOIN doubt ON doubt.link_id = l.link_id
        LEFT JOIN dead_letters w ON w.link_id = l.link_id AND w.target = {text(other)}
            AND {_COUNTS} AND (w.code <> 'released' OR is_aside IS NOT TRUE)
        LEFT JOIN waiting_writes v ON v.link_id = l.link_id AND v.target = {text(other)}
        WHERE {settings.expects(other)} AND lives IS NOT TRUE
    """)


def _waiting(lake: Lake, domain: Domain, target: str) -> str:
    """What the last plan for a target held back, and why; nothing where there was no plan."""
    if not lake.columns(held_back(domain.name, target)):
        return "SELECT '' AS link_id, '' AS reason, '' AS kind WHERE false"
    told = held_back(domain.name, target)
    return f"SELECT link_id, min(reason) AS reason, min(kind) AS kind FROM {told} GROUP BY link_id"


def _find_unknown(lake: Lake, domain: Domain, settings: DomainSettings, other: str) -> None:
    """Records that another system has and that no leading record accounts for; doubts are told as doubts."""
    doubt = f"SELECT record_id FROM {open_doubts(lake, domain.name)} WHERE system = {text(other)} AND kind"
    lake.db.execute(f"""
        INSERT INTO found
        WITH lead AS (SELECT o.record_id AS follower, t.refused IS NOT NULL AS is_aside,
                             NOT is_aside AND NOT t.is_deleted AS lives
                      FROM links o JOIN links l ON l.domain = o.domain AND l.link_id = o.link_id
                      JOIN {resolved(lake, domain, settings.leader)} t ON t.record_id = l.record_id
                      WHERE o.domain = {text(domain.name)} AND o.system = {text(other)}
                        AND l.system = {text(settings.leader)})
        SELECT CASE WHEN before THEN {text(BEFORE_CUT_OVER)} ELSE 'unknown' END,
               {text(settings.leader)}, NULL, {text(other)}, record_id, NULL, label, NULL, NULL, NULL,
               -amount_minor, currency, legal_entity, period,
               CASE WHEN before THEN 'before cut-over, ' ELSE '' END
                   || CASE WHEN is_aside THEN 'set aside' ELSE 'not' END || ' in ' || {text(settings.leader)},
               NOT before AND is_aside IS NOT TRUE AND record_id NOT IN ({doubt} = 'duplicate'), NULL, NULL, NULL
        FROM (SELECT b.record_id, b.label, b.counts, {settings.before_cut_over(domain.dated)} AS before,
                     {_context(lake, domain, other, "b")}
              FROM {_live(lake, domain, other)} b)
        LEFT JOIN lead ON follower = record_id
        WHERE counts AND lives IS NOT TRUE AND record_id NOT IN ({doubt} <> 'duplicate')
    """)


def _take_doubts(lake: Lake, domain: Domain, settings: DomainSettings) -> None:
    """What the match could not decide: one finding a record, or one for all duplicates of each other.

    It has an amount where the record is in a control total and no live leading record accounts for it.
    """
    doubtful = {system for (system,) in lake.rows(f"SELECT DISTINCT system FROM {open_doubts(lake, domain.name)}")}
    for system in [each for each in settings.systems if each in doubtful]:
        lake.db.execute(f"""
            INSERT INTO found
            WITH doubt AS (
                SELECT kind, record_id, {_explained(lake, domain, settings, system)} AS is_explained,
                       min(candidate_id) AS candidate_id, min(link_id) AS link_id,
                       min(label) AS label,
                       min(reason) || coalesce(': ' || string_agg(DISTINCT candidate_label, ', '), '') AS reason,
                       max(amount_minor) AS open_minor, max(currency) AS open_currency
                FROM {open_doubts(lake, domain.name)} d WHERE system = {text(system)} GROUP BY kind, record_id
                HAVING kind <> 'duplicate' OR record_id < min(candidate_id)
            ), loose AS (
                SELECT b.record_id, {_context(lake, domain, system, "b")} FROM {_live(lake, domain, system)} b
                WHERE counts AND b.record_id NOT IN (
                    SELECT o.record_id FROM links o JOIN links l ON l.domain = o.domain AND l.link_id = o.link_id
                    JOIN {_live(lake, domain, settings.leader)} a ON a.record_id = l.record_id
                    WHERE o.domain = {text(domain.name)} AND o.system = {text(system)}
                      AND l.system = {text(settings.leader)}))
            SELECT kind, {text(settings.leader)}, candidate_id, {text(system)}, record_id, link_id, label, NULL,
                   NULL, NULL, coalesce(-amount_minor, open_minor), coalesce(currency, open_currency), legal_entity,
                   period, reason, NOT is_explained, NULL, NULL, NULL
            FROM doubt LEFT JOIN loose USING (record_id)
        """)


def _explained(lake: Lake, domain: Domain, settings: DomainSettings, system: str) -> str:
    """Whether a match is only ambiguous because one of its sides is there twice, which is told already."""
    twice = f"SELECT record_id FROM {open_doubts(lake, domain.name)} WHERE kind = 'duplicate' AND system = "
    return (
        f"kind = 'ambiguous' AND (record_id IN ({twice}{text(system)})"
        f" OR bool_and(candidate_id IN ({twice}{text(settings.leader)})))"
    )


def _take_quarantined(lake: Lake, domain: Domain, system: str) -> None:
    lake.db.execute(f"""
        INSERT INTO found
        SELECT 'quarantined', {text(system)}, r.record_id, NULL, NULL, NULL, r.label, NULL, NULL, NULL,
               {_context(lake, domain, system, "r")}, r.refused, true, NULL, NULL, NULL
        FROM {resolved(lake, domain, system)} r WHERE r.refused IS NOT NULL AND r.is_deleted IS NOT TRUE
    """)


def items(lake: Lake, domain: Domain) -> list[Item]:
    """One exception a record and kind, from the primary findings of the session.

    What a person has accepted is found as ever, but nobody is to work it again. What has no label yet, as a draft
    that nobody numbered, is named by its id.
    """
    rows = lake.rows("""
        SELECT kind, coalesce(written_to, system_b, system_a) AS system,
               CASE written_to WHEN system_a THEN record_a ELSE coalesce(record_b, record_a) END AS record_id,
               min(label), string_agg(DISTINCT reason, '; ' ORDER BY reason), max(abs(amount_minor)), min(currency),
               min(write_id), coalesce(min(code), ''), min(link_id)
        FROM found WHERE is_primary AND kind <> 'discarded' GROUP BY ALL ORDER BY ALL""")
    return [
        Item(
            "|".join((domain.name, kind, system, record_id)),
            domain.name,
            kind,
            system,
            record_id,
            label or record_id,
            *rest,
        )
        for kind, system, record_id, label, *rest in rows
    ]
