"""Merge: what hangs on a leading record that was absorbed by another follows its survivor, and comes back with it.

Where a record belongs is computed anew in each match from where evidence once put it (its home) and from the
merges that hold now. So a chain of merges comes to the same in one run or in several, and a merge that is taken
back leaves no trace. Where two of those that became one have a record each in a system, nothing is moved there.
"""

from __future__ import annotations

from collections import defaultdict

import pyarrow as pa

from sync_pipelines.domains import DOMAINS, Domain
from sync_pipelines.domains.money import spell
from sync_pipelines.engine.conform import table
from sync_pipelines.engine.lake import Lake
from sync_pipelines.engine.reference import merged
from sync_pipelines.engine.values import quoted, text

MERGED = "merged"
"""The rule of a membership that a merge made, and the kind of the doubt that a merge leaves."""


def find_survivors(lake: Lake, domain: Domain) -> None:
    """Fill `survivors`: for each merged leading record's link the one at the end of its chain, if that lives."""
    lake.db.execute("""
        CREATE OR REPLACE TEMP TABLE survivors AS
        WITH RECURSIVE chain AS (
            SELECT record_id, merged_into AS survivor FROM leaders WHERE merged_into IS NOT NULL
            UNION
            SELECT chain.record_id, l.merged_into FROM chain JOIN leaders l ON l.record_id = chain.survivor
            WHERE l.merged_into IS NOT NULL
        )
        SELECT loser.link_id, loser.label AS loser_label, last.link_id AS survivor_link,
               last.record_id AS survivor_id, last.label AS survivor_label
        FROM chain JOIN leaders loser ON loser.record_id = chain.record_id
        JOIN leaders last ON last.record_id = chain.survivor
        WHERE last.merged_into IS NULL AND NOT last.is_deleted
    """)
    lake.replace(merged(domain.name), "SELECT link_id, survivor_link AS survivor_id FROM survivors ORDER BY ALL")


def follow(lake: Lake, domain: Domain, leader: str) -> None:
    """Move each following record to where it belongs; who can't go there is a doubt for a person."""
    lake.db.execute(f"""
        CREATE OR REPLACE TEMP TABLE places AS
        WITH homes AS (
            SELECT m.link_id, m.system, m.record_id, m.is_new,
                   m.rule = {text(MERGED)} AND f.link_id IS NOT NULL AS away,
                   CASE WHEN away THEN f.link_id ELSE m.link_id END AS home,
                   CASE WHEN away THEN f.rule ELSE m.rule END AS rule,
                   CASE WHEN away THEN f.evidence ELSE m.evidence END AS evidence
            FROM members m LEFT JOIN former f ON f.system = m.system AND f.record_id = m.record_id
            WHERE m.system <> {text(leader)}
        )
        SELECT h.* EXCLUDE (away), s.* EXCLUDE (link_id), coalesce(s.survivor_link, h.home) AS wanted,
               CASE WHEN count(*) OVER (PARTITION BY wanted, h.system) > 1 THEN h.home ELSE wanted END AS place
        FROM homes h LEFT JOIN survivors s ON s.link_id = h.home
    """)
    while lake.rows("SELECT 1 FROM places GROUP BY place, system HAVING count(*) > 1 LIMIT 1"):
        lake.db.execute("""
            UPDATE places SET place = link_id WHERE (place, system) IN
                (SELECT (place, system) FROM places GROUP BY place, system HAVING count(*) > 1)""")
    _move(lake)
    _doubt(lake, domain)


def _move(lake: Lake) -> None:
    """A record that was linked in this very match passes through its home, which the history then tells."""
    lake.db.execute(f"""
        INSERT INTO passing SELECT link_id, system, record_id, rule, evidence FROM places
            WHERE is_new AND place <> link_id;
        INSERT INTO ended SELECT link_id, system, record_id,
                CASE WHEN place = wanted AND place <> home THEN 'merged into ' || survivor_label
                     ELSE 'the merge was taken back' END
            FROM places WHERE NOT is_new AND place <> link_id;
        DELETE FROM members USING places p WHERE members.system = p.system AND members.record_id = p.record_id
            AND p.place <> p.link_id;
        INSERT INTO members SELECT place, system, record_id,
                CASE WHEN place = home THEN rule ELSE {text(MERGED)} END,
                CASE WHEN place = home THEN evidence ELSE loser_label || ' was merged into ' || survivor_label END, true
            FROM places WHERE place <> link_id
    """)


def _doubt(lake: Lake, domain: Domain) -> None:
    """Who could not follow, with the open documents that would move with it, on either side."""
    rivals = lake.rows("""
        SELECT p.system, p.wanted, p.record_id, p.loser_label, p.survivor_id, p.survivor_label, r.record_id, l.label
        FROM places p JOIN places r ON r.system = p.system AND r.wanted = p.wanted
        LEFT JOIN leaders l ON l.link_id = r.home WHERE p.place <> p.wanted ORDER BY ALL""")
    if not rivals:
        return
    documents = {system: _open_documents(lake, domain, system) for system in {row[0] for row in rivals}}
    told: dict[tuple[str, ...], list[tuple[str, str]]] = defaultdict(list)
    for system, wanted, record_id, loser, survivor_id, survivor, rival, owner in rivals:
        told[system, wanted, record_id, loser, survivor_id, survivor].append((rival, owner))
    rows = [_row(key, sides, documents[key[0]]) for key, sides in told.items()]
    with lake.relation("told", pa.Table.from_pylist(rows, schema=DOUBTS)):
        lake.db.execute("INSERT INTO doubtful BY NAME SELECT * FROM told")


DOUBTS = pa.schema(
    [
        *((n, pa.string()) for n in ("kind", "system", "record_id", "label", "link_id", "candidate_id")),
        *((n, pa.string()) for n in ("candidate_label", "rule", "reason", "currency")),
        ("amount_minor", pa.int64()),
    ]
)
Documents = dict[str, list[tuple[str, int, int | None, str | None]]]
"""By the id of the record they refer to: domain, count, amount in minor units, currency."""


def _row(key: tuple[str, ...], sides: list[tuple[str, str]], documents: Documents) -> dict[str, object]:
    system, wanted, record_id, loser, survivor_id, survivor = key
    held = [(owner, each) for rival, owner in sides for each in documents.get(rival, [])]
    amounts: dict[str, int] = defaultdict(int)
    for _, (_, _, worth, unit) in held:
        if worth and unit:
            amounts[unit] += worth
    currency, amount = next(iter(amounts.items())) if len(amounts) == 1 else (None, None)
    others = sorted({owner for rival, owner in sides if rival != record_id})
    reason = f"{loser} was merged into {survivor}, and both have a record in {system}"
    if survivor not in others:
        reason = f"{loser} was merged into {survivor} as {', '.join(others)} was, and each has a record in {system}"
    if held:
        reason += f"; open there: {', '.join(_spelled(owner, *each) for owner, each in held)}"
    return {
        "kind": MERGED,
        "system": system,
        "record_id": record_id,
        "label": loser,
        "link_id": wanted,
        "candidate_id": survivor_id,
        "candidate_label": survivor,
        "rule": MERGED,
        "reason": reason,
        "amount_minor": amount,
        "currency": currency,
    }


def _spelled(owner: str, name: str, count: int, amount: int | None, currency: str | None) -> str:
    """
    >>> _spelled("Acme", "invoice", 2, 12345, "USD"), _spelled("Acme", "contract", 1, None, "USD")
    ('2 invoice of Acme (USD 123.45)', '1 contract of Acme')
    """
    worth = f" ({spell(amount, currency)})" if amount and currency else ""
    return f"{count} {name} of {owner}{worth}"


def _open_documents(lake: Lake, domain: Domain, system: str) -> Documents:
    """A system's documents that are neither settled nor void, as the last look at them told."""
    found: Documents = defaultdict(list)
    for document in DOMAINS.values():
        known = lake.columns(table(document.name, system))
        references = [f.name for f in document.references if f.refers_to == domain.name and f.name in known]
        if not document.open_when or not references:
            continue
        amount = f"CAST(sum(abs({quoted(document.amount)})) AS BIGINT)" if document.amount in known else "NULL"
        rows = lake.rows(f"""
            SELECT {quoted(references[0])}, count(*), {amount}, currency FROM {table(document.name, system)}
            WHERE refused IS NULL AND NOT is_deleted AND is_settled IS NOT TRUE AND {document.open_when}
              AND {quoted(references[0])} IS NOT NULL GROUP BY ALL ORDER BY ALL""")
        for referred, count, worth, currency in rows:
            found[referred].append((document.name, count, worth, currency))
    return found
