"""Conform: raw records of one system become canonical records of one domain.

One SQL file says how, a pandera schema says what fits. A record that does not fit stays in the canonical
table with the reason in `refused` (null for the others), where every later verb passes over it.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from sync_pipelines.domains import Domain
from sync_pipelines.domains.schema import META, sql_type
from sync_pipelines.engine.lake import Lake
from sync_pipelines.engine.outcome import Check, Conformed, Result
from sync_pipelines.engine.values import quoted, text
from sync_pipelines.errors import FixConfiguration

FEW = 10
"""So many records may be gone at one look, whatever share of all they are."""


def table(domain: str, system: str) -> str:
    """The lake table of a domain's canonical records of one system."""
    return f"lake.{quoted(f'{domain}_{system}')}"


def records(lake: Lake, domain: str, system: str) -> str:
    """A domain's canonical records of one system as a relation to select from, for several queries of a transaction."""
    return lake.at_hand(f"FROM {table(domain, system)}")


def conform(
    lake: Lake,
    domain: Domain,
    *,
    system: str,
    sql: str,
    lineage: Mapping[str, tuple[str, ...]],
    limit_deletes: float = 1.0,
) -> Conformed:
    """Run a mapping over all current records of a system and keep what came out as the canonical table.

    Where a larger share of the records than `limit_deletes` is gone since the last time, what was known stays.
    """
    with lake.running(_where(domain, system)):
        lake.db.execute(f"CREATE OR REPLACE TEMP TABLE staged AS {_typed(lake, domain, system=system, sql=sql)}")
    refusals = _refusals(lake, domain)
    plausible = _plausible(lake, domain, system, limit=limit_deletes)
    changed = plausible.result is not Result.FAILED and _keep(lake, domain, system, refusals)
    total, live = lake.row("""
        SELECT count(*), count(*) FILTER (is_deleted IS NOT TRUE) FROM (SELECT DISTINCT ON (record_id) * FROM staged)
    """)
    lake.db.execute("DROP TABLE staged")
    return Conformed(
        domain=domain.name,
        system=system,
        records=total - len(refusals),
        quarantined=len(refusals),
        lineage=lineage,
        changed=changed,
        checks=(*_checks(domain, system, live=live, refusals=refusals), plausible),
    )


def _keep(lake: Lake, domain: Domain, system: str, refusals: pa.Table) -> bool:
    with lake.relation("refusals", refusals):
        return lake.replace(
            table(domain.name, system),
            """SELECT DISTINCT ON (staged.record_id) staged.* EXCLUDE (misfits), refusals.reason AS refused FROM staged
            LEFT JOIN refusals ON refusals.record_id IS NOT DISTINCT FROM staged.record_id ORDER BY staged.record_id""",
        )


def _plausible(lake: Lake, domain: Domain, system: str, *, limit: float) -> Check:
    """Whether the records that are gone since the last time may really be; a merged one is not gone."""
    known = table(domain.name, system)
    before = gone = 0
    if lake.columns(known):
        before, gone = lake.row(f"""
            SELECT count(*), count(*) FILTER (s.record_id IS NULL OR (s.is_deleted AND s.merged_into IS NULL))
            FROM {known} k LEFT JOIN (SELECT DISTINCT ON (record_id) * FROM staged) s USING (record_id)
            WHERE NOT k.is_deleted""")
    return Check(
        name="deletes_plausible",
        subject=f"{domain.name}/{system}",
        claim=f"No more than {limit:.0%} of the {domain.name} records of {system} are gone at one look.",
        result=Result.FAILED if gone > max(FEW, limit * before) else Result.PASSED,
        count=gone,
        reason=f"{gone:,} of {before:,} are gone; if that is true, raise [domains.{domain.name}] limit_deletes"
        if gone > max(FEW, limit * before)
        else "",
        blocking=True,
    )


def held(lake: Lake, domain: Domain, system: str) -> set[str]:
    """The fields of a domain that a system holds: the columns its mapping selects."""
    columns = lake.columns(table(domain.name, system))
    return {field.name for field in domain.fields if field.name in columns}


def _where(domain: Domain, system: str) -> str:
    return f"mappings/{system}/{domain.name}.sql"


def _typed(lake: Lake, domain: Domain, *, system: str, sql: str) -> str:
    """The mapping's rows in the domain's column order and types, missing META columns as null.

    A value that is not of its field's type becomes null, and its field is named in `misfits`. A record that was
    merged into another is gone, whether its system calls that deleted or not.
    """
    given = {name for name, *_ in lake.rows(f"DESCRIBE {sql}")}
    fields = {field.name: sql_type(field) for field in domain.fields}
    where = _where(domain, system)
    if unknown := sorted(given - set(META) - set(fields)):
        raise FixConfiguration(f"{where} selects {', '.join(unknown)}: no field of the {domain.name} domain")
    if absent := sorted({"record_id", "version", "is_deleted", "label"} - given):
        raise FixConfiguration(f"{where} must select {', '.join(absent)}")
    if absent := sorted(f.name for f in domain.fields if f.required and f.name not in given):
        raise FixConfiguration(f"{where} must select the required {', '.join(absent)}")
    columns = [
        f"TRY_CAST({quoted(name) if name in given else 'NULL'} AS {kind}) AS {quoted(name)}"
        for name, kind in {**META, **{n: k for n, k in fields.items() if n in given}}.items()
    ]
    misfits = ", ".join(
        f"CASE WHEN {quoted(n)} IS NOT NULL AND TRY_CAST({quoted(n)} AS {k}) IS NULL THEN {text(n)} END"
        for n, k in fields.items()
        if n in given
    )
    is_gone = "" if "merged_into" not in given else " REPLACE (is_deleted OR merged_into IS NOT NULL AS is_deleted)"
    return (
        f"SELECT *{is_gone} FROM (SELECT {', '.join(columns)},"
        f" list_filter([{misfits}], lambda n: n IS NOT NULL) AS misfits FROM ({sql})) ORDER BY record_id"
    )


def _refusals(lake: Lake, domain: Domain) -> pa.Table:
    """The records that break the schema, each with its reasons in words and without its values.

    Deleted records are not judged: a tombstone may have lost what made it whole.
    """
    from sync_pipelines.domains.frame import failures  # takes longer to load than most commands to run

    live = "FROM staged WHERE is_deleted IS NOT TRUE"
    reasons: dict[str | None, set[str]] = {}
    for record_id, name in lake.rows(f"SELECT record_id, unnest(misfits) {live}"):
        reasons.setdefault(record_id, set()).add(f"{name} is no {domain[name].kind}")
    for record_id, reason in failures(lake.arrow(f"SELECT * EXCLUDE (misfits) {live} ORDER BY record_id"), domain):
        reasons.setdefault(record_id, set()).add(reason)
    return pa.table(
        {
            "record_id": pa.array(reasons, pa.string()),
            "reason": pa.array(["; ".join(sorted(each)) for each in reasons.values()], pa.string()),
        }
    )


def _checks(domain: Domain, system: str, *, live: int, refusals: pa.Table) -> tuple[Check, ...]:
    subject = f"{domain.name}/{system}"
    bad = len(refusals)
    survives = Check(
        name="some_records_survive",
        subject=subject,
        claim=f"Most {domain.name} records of {system} fit the schema, so the mapping itself is sound.",
        result=Result.NOT_CHECKED if live == 0 else Result.FAILED if bad * 2 > live else Result.PASSED,
        count=bad,
        reason="there are no live records" if live == 0 else "",
        blocking=True,
    )
    fits = Check(
        name="fits_schema",
        subject=subject,
        claim=f"Every {domain.name} record of {system} fits the canonical schema.",
        result=Result.FAILED if bad else Result.PASSED,
        count=bad,
        sample=tuple(refusals.slice(0, 5).to_pylist()),
    )
    return (fits, survives)
