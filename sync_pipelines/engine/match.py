"""Match: which record here is which record there.

Exact evidence first, similarity last; only a pair that is unique on both sides is linked. Whatever is
doubtful goes to the table `doubts_<domain>` with its candidates, and stays there until a person decides.
Links are kept in the ledger; this module only says which to add and which to end.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from sync_pipelines.domains import Domain
from sync_pipelines.domains.schema import META, sql_type
from sync_pipelines.engine.conform import table
from sync_pipelines.engine.lake import Lake
from sync_pipelines.engine.outcome import Check, Result
from sync_pipelines.engine.rule import ALIKE_DOMAINS, DUPLICATE_KEYS, RULES, Alike, Exact
from sync_pipelines.engine.values import quoted, text

EXTERNAL_ID = "external_id"
COUNTERPART = "counterpart_id"


ADDED = pa.schema([(name, pa.string()) for name in ("link_id", "system", "record_id", "rule", "evidence")])
ENDED = pa.schema([(name, pa.string()) for name in ("link_id", "system", "record_id", "reason")])
"""The memberships that a match, or a confirmed write, adds and ends."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a match decided: memberships to add and to end, and how many doubts are left."""

    added: pa.Table
    ended: pa.Table
    ambiguous: int
    duplicates: int


def doubts(domain: str) -> str:
    """The lake table of what a match could not decide."""
    return f"lake.{quoted(f'doubts_{domain}')}"


def resolved(lake: Lake, domain: Domain, system: str) -> str:
    """A SELECT of a system's canonical records whose references are link ids, so that systems compare.

    Every field of the domain is a column of it; those that the system does not hold are null. Records that
    were set aside are among them, with the reason in `refused`.
    """
    given = lake.columns(table(domain.name, system))
    kinds = {**META, **{field.name: sql_type(field) for field in domain.fields}}
    references = [f for f in domain.references if f.name in given]
    select = {name: f"t.{quoted(name)}" if name in given else f"CAST(NULL AS {kind})" for name, kind in kinds.items()}
    select |= {f.name: f"r_{f.name}.link_id" for f in references}
    joins = "".join(
        f" LEFT JOIN links r_{f.name} ON r_{f.name}.domain = {text(f.refers_to)}"
        f" AND r_{f.name}.system = {text(system)} AND r_{f.name}.record_id = t.{quoted(f.name)}"
        for f in references
    )
    columns = ", ".join(f"{value} AS {quoted(name)}" for name, value in select.items())
    return f"SELECT {columns}, t.refused FROM {table(domain.name, system)} t{joins}"


def match(lake: Lake, domain: Domain, systems: list[str]) -> Verdict:
    """Match every other system's records with those of the leading system, `systems[0]`.

    Reads the canonical tables and the registered relation `links` (domain, link_id, system, record_id).
    """
    leader, *others = systems
    _begin(lake, domain, leader)
    for system in others:
        _let_go(lake, domain, system)
        _stage(lake, domain, leader, system)
        for rule in _rules(domain, lake, (leader, system)):
            _apply_exact(lake, domain, rule, system=system)
        if (alike := ALIKE_DOMAINS.get(domain.name)) is not None:
            _apply_alike(lake, alike, system=system)
    _anchor(lake, domain, leader)
    _follow_merges(lake, domain, leader)
    for system in systems:
        _find_duplicates(lake, domain, system)
    for system in others:
        _find_deleted(lake, domain, leader, system)
    lake.replace(doubts(domain.name), "SELECT DISTINCT * FROM doubtful")
    return _verdict(lake)


def _begin(lake: Lake, domain: Domain, leader: str) -> None:
    """The working tables of one match."""
    name = text(domain.name)
    lake.db.execute(f"""
        CREATE OR REPLACE TEMP TABLE members AS
            SELECT link_id, system, record_id, '' AS rule, '' AS evidence, false AS is_new
            FROM links WHERE domain = {name};
        CREATE OR REPLACE TEMP TABLE ended (link_id VARCHAR, system VARCHAR, record_id VARCHAR, reason VARCHAR);
        CREATE OR REPLACE TEMP TABLE doubtful (
            kind VARCHAR, system VARCHAR, record_id VARCHAR, label VARCHAR, link_id VARCHAR,
            candidate_id VARCHAR, candidate_label VARCHAR, rule VARCHAR, reason VARCHAR);
        CREATE OR REPLACE TEMP TABLE leaders AS {resolved(lake, domain, leader)};
        ALTER TABLE leaders ADD COLUMN link_id VARCHAR;
        UPDATE leaders SET link_id = {link_id(domain.name, leader, "record_id")};
        UPDATE leaders SET link_id = members.link_id FROM members
            WHERE members.system = {text(leader)} AND members.record_id = leaders.record_id;
    """)


def link_id(domain: str, leader: str, record_id: str) -> str:
    """The SQL of a link's id, which follows from the leading record alone."""
    return f"{text(domain + '-')} || substr(sha256({text(f'{domain}|{leader}|')} || {record_id}), 1, 16)"


def _let_go(lake: Lake, domain: Domain, system: str) -> None:
    """A record that is gone leaves its link, so that it is missed, or its successor can take its place."""
    lake.db.execute(f"""
        INSERT INTO ended SELECT m.link_id, m.system, m.record_id, 'no longer in ' || m.system
            FROM members m LEFT JOIN {table(domain.name, system)} t ON t.record_id = m.record_id
            WHERE m.system = {text(system)} AND coalesce(t.is_deleted, t.record_id IS NULL);
        DELETE FROM members USING ended
            WHERE members.system = ended.system AND members.record_id = ended.record_id;
    """)


def _stage(lake: Lake, domain: Domain, leader: str, system: str) -> None:
    """The records of a system that no link holds yet; one that was set aside can still be recognised."""
    lake.db.execute(f"""
        CREATE OR REPLACE TEMP TABLE followers AS
            SELECT * FROM ({resolved(lake, domain, system)})
            WHERE NOT is_deleted
              AND record_id NOT IN (SELECT record_id FROM members WHERE system = {text(system)});
    """)


def _rules(domain: Domain, lake: Lake, pair: tuple[str, str]) -> list[tuple[str, str, str, str]]:
    """Name, key on the leading side, key on the other, evidence; rules whose columns are not held fall out."""
    rules = [
        (EXTERNAL_ID, "link_id", EXTERNAL_ID, "it carries the external id that this link gave it"),
        (COUNTERPART, "record_id", COUNTERPART, "it names its counterpart"),
    ]
    for rule in RULES[domain.name]:
        if all(_known(lake, domain, rule, system) for system in pair):
            key = _key(rule)
            rules.append((rule.name, key, key, rule.evidence))
    return rules


def _known(lake: Lake, domain: Domain, rule: Exact, system: str) -> bool:
    """Whether a system holds every field that a rule's keys speak of."""
    columns = lake.columns(table(domain.name, system))
    named = {field.name for field in domain.fields if any(field.name in key for key in rule.keys)}
    return named <= columns


def _key(rule: Exact) -> str:
    """One text from all keys of a rule; null where any of them is."""
    return " || chr(31) || ".join(f"CAST({key} AS VARCHAR)" for key in rule.keys)


def _apply_exact(lake: Lake, domain: Domain, rule: tuple[str, str, str, str], *, system: str) -> None:
    name, leading_key, following_key, evidence = rule
    lake.db.execute(f"""
        CREATE OR REPLACE TEMP TABLE pairs AS
        WITH l AS (SELECT link_id, record_id, label, is_deleted, {leading_key} AS k FROM leaders),
             s AS (SELECT record_id, label, {following_key} AS k FROM followers)
        SELECT l.link_id, l.record_id AS leader_id, l.label AS leader_label, s.record_id, s.label,
               {text(evidence)} AS evidence
        FROM l JOIN s USING (k)
        WHERE {_open("l.link_id", "s.record_id", system)}
        QUALIFY l.is_deleted = min(l.is_deleted) OVER (PARTITION BY s.record_id)
    """)
    _settle(lake, rule=name, system=system)


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
        INSERT INTO doubtful
            SELECT 'ambiguous', {text(system)}, record_id, label, link_id, leader_id, leader_label, {text(rule)},
                   CASE WHEN rivals_there > 1 THEN 'matches ' || rivals_there || ' records by ' || {text(rule)}
                        ELSE rivals_here || ' records match the same one by ' || {text(rule)} END
            FROM weighed WHERE rivals_here > 1 OR rivals_there > 1;
    """)


COMPANY_NAME = """trim(regexp_replace(regexp_replace(lower(strip_accents({0})), '[^a-z0-9 ]', '', 'g'),
    '\\b(inc|incorporated|llc|ltd|limited|corp|corporation|co|company|gmbh|ag|se|kg|bv|nv|sa|sas|sarl|sl|plc|kk|pty)\\b',
    '', 'g'))"""
"""A company's name without case, accents, punctuation and legal form."""

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
        INSERT INTO doubtful
        SELECT 'ambiguous', {text(system)}, record_id, label, link_id, leader_id, leader_label, {text(alike.name)},
               'name ' || round(100 * names) || ' % alike, address only ' || round(100 * addresses) || ' %'
        FROM likeness WHERE names >= {alike.doubtful_name} AND {_open("link_id", "record_id", system)}
    """)


def _anchor(lake: Lake, domain: Domain, leader: str) -> None:
    """Every live leading record has a link of its own; a deleted one only where something hangs on it."""
    lake.db.execute(f"""
        INSERT INTO members
        SELECT link_id, {text(leader)}, record_id, 'leads', 'the leading record', true FROM leaders
        WHERE record_id NOT IN (SELECT record_id FROM members WHERE system = {text(leader)})
          AND (NOT is_deleted OR link_id IN (SELECT link_id FROM members))
    """)


def _follow_merges(lake: Lake, domain: Domain, leader: str) -> None:
    """What hangs on a merged record follows its survivor, unless the survivor has its own there."""
    lake.db.execute(f"""
        CREATE OR REPLACE TEMP TABLE moves AS
        WITH RECURSIVE chain AS (
            SELECT record_id, merged_into AS survivor FROM leaders WHERE merged_into IS NOT NULL
            UNION
            SELECT chain.record_id, l.merged_into FROM chain JOIN leaders l ON l.record_id = chain.survivor
            WHERE l.merged_into IS NOT NULL
        ), last AS (
            SELECT chain.record_id, l.record_id AS survivor, l.link_id, l.label FROM chain
            JOIN leaders l ON l.record_id = chain.survivor WHERE l.merged_into IS NULL AND NOT l.is_deleted
        )
        SELECT m.link_id AS old_link, m.system, m.record_id, last.link_id, last.survivor, last.label AS survivor_label,
               loser.label AS loser_label,
               count(*) OVER (PARTITION BY last.link_id, m.system) > 1
                 OR EXISTS (SELECT 1 FROM members o WHERE o.link_id = last.link_id AND o.system = m.system) AS taken
        FROM last JOIN leaders loser ON loser.record_id = last.record_id
        JOIN members m ON m.link_id = loser.link_id AND m.system <> {text(leader)};
        INSERT INTO ended SELECT old_link, system, record_id, 'merged into ' || survivor_label
            FROM moves WHERE NOT taken;
        DELETE FROM members USING moves
            WHERE members.system = moves.system AND members.record_id = moves.record_id AND NOT moves.taken;
        INSERT INTO members SELECT link_id, system, record_id, 'merged',
            loser_label || ' was merged into ' || survivor_label, true FROM moves WHERE NOT taken;
        INSERT INTO doubtful SELECT 'merged', system, record_id, loser_label, link_id, survivor, survivor_label,
            'merged', loser_label || ' was merged into ' || survivor_label || ', and both have a record in ' || system
            FROM moves WHERE taken;
    """)


def _find_duplicates(lake: Lake, domain: Domain, system: str) -> None:
    """Live records of one system that share a key which must be their own."""
    for rule in RULES[domain.name]:
        if rule.name not in DUPLICATE_KEYS[domain.name] or not _known(lake, domain, rule, system):
            continue
        lake.db.execute(f"""
            INSERT INTO doubtful
            WITH live AS (
                SELECT record_id, label, {_key(rule)} AS k
                FROM ({resolved(lake, domain, system)}) WHERE refused IS NULL AND NOT is_deleted
            ), twin AS (SELECT *, count(*) OVER (PARTITION BY k) AS n FROM live WHERE k IS NOT NULL)
            SELECT 'duplicate', {text(system)}, a.record_id, a.label, m.link_id, b.record_id, b.label,
                   {text(rule.name)}, a.n || ' records of ' || {text(system)} || ' share one ' || {text(rule.name)}
            FROM twin a JOIN twin b ON a.k = b.k AND a.record_id <> b.record_id
            LEFT JOIN members m ON m.system = {text(system)} AND m.record_id = a.record_id
            WHERE a.n > 1 AND NOT EXISTS (
                SELECT 1 FROM doubtful d WHERE d.kind = 'merged' AND d.system = {text(system)}
                                           AND d.record_id IN (a.record_id, b.record_id))
        """)


def _find_deleted(lake: Lake, domain: Domain, leader: str, system: str) -> None:
    """Records that live on although what leads them is gone, and nothing has taken its place."""
    lake.db.execute(f"""
        INSERT INTO doubtful
        SELECT 'deleted', m.system, m.record_id, coalesce(l.label, t.label), m.link_id, lead.record_id, l.label,
               'deleted', 'no longer in ' || {text(leader)} || ', but it lives on in ' || m.system
        FROM members m
        JOIN members lead ON lead.link_id = m.link_id AND lead.system = {text(leader)}
        JOIN {table(domain.name, system)} t ON t.record_id = m.record_id
        LEFT JOIN leaders l ON l.record_id = lead.record_id
        WHERE m.system = {text(system)} AND coalesce(l.is_deleted, l.record_id IS NULL)
          AND m.record_id NOT IN (SELECT record_id FROM doubtful WHERE kind = 'merged' AND system = {text(system)})
    """)


def _verdict(lake: Lake) -> Verdict:
    ambiguous, duplicates = lake.row("""
        SELECT count(DISTINCT (system, record_id)) FILTER (kind = 'ambiguous'),
               count(DISTINCT (system, record_id)) FILTER (kind IN ('duplicate', 'merged')) FROM doubtful""")
    return Verdict(
        added=lake.arrow("SELECT link_id, system, record_id, rule, evidence FROM members WHERE is_new"),
        ended=lake.arrow("SELECT link_id, system, record_id, reason FROM ended"),
        ambiguous=ambiguous,
        duplicates=duplicates,
    )


def checks(lake: Lake, domain: Domain) -> tuple[Check, ...]:
    """No match is ambiguous, and no record is there twice: judged from the doubts of the last match."""
    claims = {
        "no_ambiguous_match": ("ambiguous", "Every match is certain or none: no record fits two others."),
        "no_duplicates": ("duplicate", "No business record is in one system twice."),
    }
    return tuple(_check(lake, domain, name, kind, claim) for name, (kind, claim) in claims.items())


def _check(lake: Lake, domain: Domain, name: str, kind: str, claim: str) -> Check:
    kinds = "('duplicate', 'merged')" if kind == "duplicate" else f"({text(kind)})"
    found = lake.rows(f"""
        SELECT DISTINCT system, record_id, reason FROM {doubts(domain.name)} WHERE kind IN {kinds} ORDER BY ALL""")
    return Check(
        name=name,
        subject=f"{domain.name}/links",
        claim=claim,
        result=Result.FAILED if found else Result.PASSED,
        count=len(found),
        sample=tuple({"system": s, "record_id": r, "reason": why} for s, r, why in found[:5]),
    )
