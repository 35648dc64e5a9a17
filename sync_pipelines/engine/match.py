"""Match: which record here is which record there.

Exact evidence first, similarity last; only a pair that is unique on both sides is linked. Whatever is
doubtful goes to the table `doubts_<domain>` with its candidates, and stays there until a person decides.
Links are kept in the ledger; this module only says which to add and which to end.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from sync_pipelines.domains import Domain
from sync_pipelines.engine import deletion, merge
from sync_pipelines.engine.lake import Lake
from sync_pipelines.engine.outcome import Check, Result
from sync_pipelines.engine.reference import resolved
from sync_pipelines.engine.rule import (
    ALIKE_DOMAINS,
    COMPANY_NAME,
    DUPLICATE_KEYS,
    RULES,
    Alike,
    key_of,
    knows,
    same_entity,
)
from sync_pipelines.engine.topology import DomainSettings
from sync_pipelines.engine.values import quoted, text

PASSED = "merged before it was first seen"
EXTERNAL_ID = "external_id"
COUNTERPART = "counterpart_id"


ADDED = pa.schema([(name, pa.string()) for name in ("link_id", "system", "record_id", "rule", "evidence")])
ENDED = pa.schema([(name, pa.string()) for name in ("link_id", "system", "record_id", "reason")])
"""The memberships that a match, or a confirmed write, adds and ends."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a match decided: memberships to add and to end, and how many doubts are left.

    `passing` are memberships that began and ended in this very match: history, so that a merge can be taken back.
    """

    added: pa.Table
    ended: pa.Table
    passing: pa.Table
    ambiguous: int
    duplicates: int

    @property
    def changes(self) -> list[tuple[pa.Table, pa.Table]]:
        """What to add and to end, in the order in which the ledger is to be told."""
        if not len(self.passing):
            return [(self.added, self.ended)]
        passed = [{**row, "reason": PASSED} for row in self.passing.to_pylist()]
        return [(self.passing, self.ended), (self.added, pa.Table.from_pylist(passed, schema=ENDED))]


def doubts(domain: str) -> str:
    """The lake table of what a match could not decide."""
    return f"lake.{quoted(f'doubts_{domain}')}"


def open_doubts(lake: Lake, domain: str) -> str:
    """What the last match could not decide, as a relation to select from, for several queries of a transaction."""
    return lake.at_hand(f"FROM {doubts(domain)}")


def match(lake: Lake, domain: Domain, settings: DomainSettings) -> Verdict:
    """Match every other system's records with those of the leading system.

    Reads the canonical tables and the registered relations `links` (domain, link_id, system, record_id, rule,
    evidence) and `former_links` (the same and reason): what each record belonged to last, where that has ended.
    """
    leader, *others = settings.systems
    _begin(lake, domain, leader)
    deletion.let_heirs_lead(lake, domain, leader)
    _keep_apart(lake, domain, leader)
    merge.find_survivors(lake, domain)
    for system in others:
        deletion.let_go(lake, domain, system)
        deletion.take_back(lake, domain, system)
        deletion.rehang(lake, domain, leader, system=system)
        if _stage(lake, domain, leader, system):
            for rule in _rules(domain, lake, (leader, system)):
                _apply_exact(lake, rule, system=system)
            if (alike := ALIKE_DOMAINS.get(domain.name)) is not None:
                _apply_alike(lake, alike, system=system)
    _anchor(lake, leader)
    merge.follow(lake, domain, leader)
    for system in settings.systems:
        _find_duplicates(lake, domain, system)
    for system in others:
        deletion.find_orphans(lake, domain, leader, system=system)
        deletion.find_lost(lake, domain, settings, system=system)
    lake.replace(doubts(domain.name), "SELECT DISTINCT * FROM doubtful")
    return _verdict(lake)


def _begin(lake: Lake, domain: Domain, leader: str) -> None:
    """The working tables of one match."""
    name = text(domain.name)
    lake.db.execute(f"""
        CREATE OR REPLACE TEMP TABLE members AS
            SELECT link_id, system, record_id, rule, evidence, false AS is_new FROM links WHERE domain = {name};
        CREATE OR REPLACE TEMP TABLE former AS SELECT * EXCLUDE (domain) FROM former_links WHERE domain = {name};
        CREATE OR REPLACE TEMP TABLE passing AS SELECT * EXCLUDE (is_new) FROM members WHERE false;
        CREATE OR REPLACE TEMP TABLE ended (link_id VARCHAR, system VARCHAR, record_id VARCHAR, reason VARCHAR);
        CREATE OR REPLACE TEMP TABLE doubtful (
            kind VARCHAR, system VARCHAR, record_id VARCHAR, label VARCHAR, link_id VARCHAR,
            candidate_id VARCHAR, candidate_label VARCHAR, rule VARCHAR, reason VARCHAR,
            amount_minor BIGINT, currency VARCHAR);
        CREATE OR REPLACE TEMP TABLE leaders AS FROM {resolved(lake, domain, leader)};
        ALTER TABLE leaders ADD COLUMN link_id VARCHAR;
        UPDATE leaders SET link_id = {link_id(domain.name, leader, "record_id")};
        UPDATE leaders SET link_id = members.link_id FROM members
            WHERE members.system = {text(leader)} AND members.record_id = leaders.record_id;
    """)


def _keep_apart(lake: Lake, domain: Domain, leader: str) -> None:
    """A leading record whose link an heir has taken over gets another one, should it ever come back."""
    lake.db.execute(f"""
        UPDATE leaders SET link_id = {link_id(domain.name, leader, "record_id || '|again'")}
        WHERE record_id NOT IN (SELECT record_id FROM members WHERE system = {text(leader)})
          AND link_id IN (SELECT link_id FROM members WHERE system = {text(leader)})
    """)


def link_id(domain: str, leader: str, record_id: str) -> str:
    """The SQL of a link's id, which follows from the leading record alone."""
    return f"{text(domain + '-')} || substr(sha256({text(f'{domain}|{leader}|')} || {record_id}), 1, 16)"


def _stage(lake: Lake, domain: Domain, leader: str, system: str) -> bool:
    """The records of a system that no link holds yet, if any; one that was set aside can still be recognised."""
    lake.db.execute(f"""
        CREATE OR REPLACE TEMP TABLE followers AS
            SELECT * FROM {resolved(lake, domain, system)}
            WHERE NOT is_deleted
              AND record_id NOT IN (SELECT record_id FROM members WHERE system = {text(system)});
    """)
    return bool(lake.rows("SELECT 1 FROM followers LIMIT 1"))


@dataclass(frozen=True, slots=True)
class _Join:
    """A rule between two systems: the key on either side, and what else must not speak against it."""

    name: str
    leading: str
    following: str
    evidence: str
    alike: str = "true"


def _rules(domain: Domain, lake: Lake, pair: tuple[str, str]) -> list[_Join]:
    """The rules in their order; those whose columns are not held fall out."""
    rules = [
        _Join(EXTERNAL_ID, "link_id", EXTERNAL_ID, "it carries the external id that this link gave it"),
        _Join(COUNTERPART, "record_id", COUNTERPART, "it names its counterpart"),
    ]
    for rule in RULES[domain.name]:
        if all(knows(lake, domain, rule, system) for system in pair):
            rules.append(_Join(rule.name, key_of(rule), key_of(rule), rule.evidence, same_entity(rule, "l", "s")))
    return rules


def _apply_exact(lake: Lake, rule: _Join, *, system: str) -> None:
    lake.db.execute(f"""
        CREATE OR REPLACE TEMP TABLE pairs AS
        WITH l AS (SELECT *, {rule.leading} AS k FROM leaders), s AS (SELECT *, {rule.following} AS k FROM followers)
        SELECT l.link_id, l.record_id AS leader_id, l.label AS leader_label, s.record_id, s.label,
               {text(rule.evidence)} AS evidence
        FROM l JOIN s ON l.k = s.k AND {rule.alike}
        WHERE {_open("l.link_id", "s.record_id", system)}
        QUALIFY l.is_deleted = min(l.is_deleted) OVER (PARTITION BY s.record_id)
    """)
    _settle(lake, rule=rule.name, system=system)


def _open(link: str, record: str, system: str) -> str:
    """Neither side is taken, nor already in doubt in this system."""
    return f"""{link} NOT IN (SELECT link_id FROM members WHERE system = {text(system)})
        AND {record} NOT IN (SELECT record_id FROM members WHERE system = {text(system)})
        AND {record} NOT IN (SELECT record_id FROM doubtful WHERE system = {text(system)})"""


def _settle(lake: Lake, *, rule: str, system: str) -> None:
    """Link the pairs that are unique on both sides; the rest is ambiguous."""
    lake.db.execute(f"""
        CREATE OR REPLACE TEMP TABLE weighed AS
            SELECT *, count(*) OVER (PARTITION BY link_id) AS rivals_here,
                      count(*) OVER (PARTITION BY record_id) AS rivals_there FROM pairs;
        INSERT INTO members
            SELECT link_id, {text(system)}, record_id, {text(rule)}, evidence, true
            FROM weighed WHERE rivals_here = 1 AND rivals_there = 1;
        INSERT INTO doubtful BY NAME
            SELECT 'ambiguous' AS kind, {text(system)} AS system, record_id, label, link_id,
                   leader_id AS candidate_id, leader_label AS candidate_label, {text(rule)} AS rule,
                   CASE WHEN rivals_there > 1 THEN 'matches ' || rivals_there || ' records by ' || {text(rule)}
                        ELSE rivals_here || ' records match the same one by ' || {text(rule)} END AS reason
            FROM weighed WHERE rivals_here > 1 OR rivals_there > 1;
    """)


ADDRESS = """lower(strip_accents(concat_ws(' ', {0}.street, {0}.postal_code, {0}.city)))"""


def _apply_alike(lake: Lake, alike: Alike, *, system: str) -> None:
    """Similar names: certain where the address is similar too, otherwise a doubt with its likeness."""
    lake.db.execute(f"""
        CREATE OR REPLACE TEMP TABLE likeness AS
        WITH l AS (SELECT *, {COMPANY_NAME.format("name")} AS plain FROM leaders WHERE NOT is_deleted),
             s AS (SELECT *, {COMPANY_NAME.format("name")} AS plain FROM followers)
        SELECT l.link_id, l.record_id AS leader_id, l.label AS leader_label, s.record_id, s.label,
               jaro_winkler_similarity(l.plain, s.plain) AS names,
               coalesce(jaro_winkler_similarity({ADDRESS.format("l")}, {ADDRESS.format("s")}), 0) AS addresses
        FROM l JOIN s ON left(l.plain, 2) = left(s.plain, 2) OR l.postal_code = s.postal_code
        WHERE {_open("l.link_id", "s.record_id", system)};
        CREATE OR REPLACE TEMP TABLE pairs AS
        SELECT link_id, leader_id, leader_label, record_id, label,
               'name ' || round(100 * names) || ' % and address ' || round(100 * addresses) || ' % alike' AS evidence
        FROM likeness WHERE names >= {alike.certain_name} AND addresses >= {alike.certain_address};
    """)
    _settle(lake, rule=alike.name, system=system)
    lake.db.execute(f"""
        INSERT INTO doubtful BY NAME
        SELECT 'ambiguous' AS kind, {text(system)} AS system, record_id, label, link_id, leader_id AS candidate_id,
               leader_label AS candidate_label, {text(alike.name)} AS rule,
               'name ' || round(100 * names) || ' % alike, address only ' || round(100 * addresses) || ' %' AS reason
        FROM likeness WHERE names >= {alike.doubtful_name} AND {_open("link_id", "record_id", system)}
    """)


def _anchor(lake: Lake, leader: str) -> None:
    """Every live leading record has a link of its own; a deleted one only where something hangs on it."""
    lake.db.execute(f"""
        INSERT INTO members
        SELECT link_id, {text(leader)}, record_id, 'leads', 'the leading record', true FROM leaders
        WHERE record_id NOT IN (SELECT record_id FROM members WHERE system = {text(leader)})
          AND (NOT is_deleted OR link_id IN (SELECT link_id FROM members))
    """)


def _find_duplicates(lake: Lake, domain: Domain, system: str) -> None:
    """Live records of one system that share a key which must be their own."""
    for rule in RULES[domain.name]:
        if rule.name not in DUPLICATE_KEYS[domain.name] or not knows(lake, domain, rule, system):
            continue
        entity = "legal_entity" if rule.per_entity else "NULL"
        lake.db.execute(f"""
            INSERT INTO doubtful BY NAME
            WITH live AS (
                SELECT record_id, label, {key_of(rule)} AS k, {entity} AS e
                FROM {resolved(lake, domain, system)} WHERE refused IS NULL AND NOT is_deleted
            ), twin AS (SELECT *, count(*) OVER (PARTITION BY k, e) AS n FROM live WHERE k IS NOT NULL)
            SELECT 'duplicate' AS kind, {text(system)} AS system, a.record_id, a.label, m.link_id,
                   b.record_id AS candidate_id, b.label AS candidate_label, {text(rule.name)} AS rule,
                   a.n || ' records of ' || {text(system)} || ' share one ' || {text(rule.name)} AS reason
            FROM twin a JOIN twin b ON a.k = b.k AND a.e IS NOT DISTINCT FROM b.e AND a.record_id <> b.record_id
            LEFT JOIN members m ON m.system = {text(system)} AND m.record_id = a.record_id
            WHERE a.n > 1 AND NOT EXISTS (
                SELECT 1 FROM doubtful d WHERE d.kind = 'merged' AND d.system = {text(system)}
                                           AND d.record_id IN (a.record_id, b.record_id))
        """)


def _verdict(lake: Lake) -> Verdict:
    ambiguous, duplicates = lake.row("""
        SELECT count(DISTINCT (system, record_id)) FILTER (kind = 'ambiguous'),
               count(DISTINCT (system, record_id)) FILTER (kind IN ('duplicate', 'merged')) FROM doubtful""")
    return Verdict(
        added=lake.arrow("SELECT link_id, system, record_id, rule, evidence FROM members WHERE is_new"),
        ended=lake.arrow("SELECT link_id, system, record_id, reason FROM ended"),
        passing=lake.arrow("SELECT link_id, system, record_id, rule, evidence FROM passing"),
        ambiguous=ambiguous,
        duplicates=duplicates,
    )


def checks(lake: Lake, domain: Domain) -> tuple[Check, ...]:
    """No match is ambiguous, and no record is there twice: judged from the doubts of the session's last match."""
    claims = {
        "no_ambiguous_match": ("ambiguous", "Every match is certain or none: no record fits two others."),
        "no_duplicates": ("duplicate", "No business record is in one system twice."),
    }
    return tuple(_check(lake, domain, name, kind, claim) for name, (kind, claim) in claims.items())


def _check(lake: Lake, domain: Domain, name: str, kind: str, claim: str) -> Check:
    kinds = "('duplicate', 'merged')" if kind == "duplicate" else f"({text(kind)})"
    found = lake.rows(f"""
        SELECT DISTINCT system, record_id, reason FROM doubtful WHERE kind IN {kinds} ORDER BY ALL""")
    return Check(
        name=name,
        subject=f"{domain.name}/links",
        claim=claim,
        result=Result.FAILED if found else Result.PASSED,
        count=len(found),
        sample=tuple({"system": s, "record_id": r, "reason": why} for s, r, why in found[:5]),
    )
