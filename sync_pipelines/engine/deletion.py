"""Deletion: what becomes of links when a record is gone, comes back, or is created again; here and there."""

from __future__ import annotations

from sync_pipelines.domains import Domain
from sync_pipelines.engine.conform import records
from sync_pipelines.engine.lake import Lake
from sync_pipelines.engine.reference import resolved
from sync_pipelines.engine.rule import ALIKE_DOMAINS, COMPANY_NAME, RULES, key_of, knows, own_key, same_entity
from sync_pipelines.engine.topology import DomainSettings
from sync_pipelines.engine.values import text

DELETED = "deleted"


def let_heirs_lead(lake: Lake, domain: Domain, leader: str) -> None:
    """A leading record that was deleted and created again under its key takes the place of the old one.

    Only a newcomer does, on which nothing hangs yet; everything else is for a person.
    """
    rule = own_key(domain)
    if not knows(lake, domain, rule, leader):
        return
    lake.db.execute(f"""
        CREATE OR REPLACE TEMP TABLE heirs AS
        WITH keyed AS (SELECT *, {key_of(rule)} AS k, link_id IN
                           (SELECT link_id FROM members WHERE system <> {text(leader)}) AS leads FROM leaders)
        SELECT gone.link_id, gone.record_id AS gone_id, gone.label AS gone_label, heir.record_id, heir.label,
               heir.link_id AS left_id
        FROM keyed gone JOIN keyed heir ON heir.k = gone.k AND {same_entity(rule, "heir", "gone")}
        WHERE gone.is_deleted AND gone.merged_into IS NULL AND gone.leads AND NOT heir.is_deleted
        QUALIFY NOT heir.leads AND count(*) OVER (PARTITION BY gone.record_id) = 1
            AND count(*) OVER (PARTITION BY heir.record_id) = 1;
        INSERT INTO ended SELECT m.link_id, m.system, m.record_id,
                CASE WHEN m.record_id = h.gone_id THEN 'no longer in ' || m.system
                     ELSE 'it takes the place of ' || h.gone_label END
            FROM members m JOIN heirs h ON m.record_id IN (h.gone_id, h.record_id) WHERE m.system = {text(leader)};
        DELETE FROM members USING heirs h
            WHERE members.system = {text(leader)} AND members.record_id IN (h.gone_id, h.record_id);
        INSERT INTO members SELECT link_id, {text(leader)}, record_id, {text(rule.name)},
            'it was created again with the same ' || {text(rule.name)}, true FROM heirs;
        UPDATE leaders SET link_id = heirs.link_id FROM heirs WHERE leaders.record_id = heirs.record_id;
    """)


def let_go(lake: Lake, domain: Domain, system: str) -> None:
    """A record that is gone leaves its link, so that it is missed, or its successor can take its place.

    A record that was merged away in its own system leaves its place to the survivor there, if that has none.
    """
    lake.db.execute(f"""
        CREATE OR REPLACE TEMP TABLE leaving AS
            SELECT m.link_id, m.system, m.record_id, t.merged_into,
                   CASE WHEN t.merged_into IS NULL THEN 'no longer in ' ELSE 'merged away in ' END || m.system AS reason
            FROM members m LEFT JOIN {records(lake, domain.name, system)} t ON t.record_id = m.record_id
            WHERE m.system = {text(system)} AND coalesce(t.is_deleted, t.record_id IS NULL);
        INSERT INTO ended SELECT link_id, system, record_id, reason FROM leaving;
        DELETE FROM members USING leaving
            WHERE members.system = leaving.system AND members.record_id = leaving.record_id;
        INSERT INTO members
            SELECT g.link_id, g.system, t.record_id, 'merged_there', 'the linked record was merged into it', true
            FROM leaving g
            JOIN {records(lake, domain.name, system)} t ON t.record_id = g.merged_into AND NOT t.is_deleted
            WHERE t.record_id NOT IN (SELECT record_id FROM members WHERE system = {text(system)})
            QUALIFY count(*) OVER (PARTITION BY t.record_id) = 1
    """)


def take_back(lake: Lake, domain: Domain, system: str) -> None:
    """A record that was gone and is there again returns to its link, unless another has taken its place."""
    lake.db.execute(f"""
        INSERT INTO members
        SELECT f.link_id, f.system, f.record_id, f.rule, f.evidence, true
        FROM former f JOIN {records(lake, domain.name, system)} t ON t.record_id = f.record_id AND NOT t.is_deleted
        WHERE f.system = {text(system)} AND (f.reason LIKE 'no longer in %' OR f.reason LIKE 'merged away in %')
          AND f.link_id IN (SELECT link_id FROM leaders)
          AND f.link_id NOT IN (SELECT link_id FROM members WHERE system = {text(system)})
          AND f.record_id NOT IN (SELECT record_id FROM members WHERE system = {text(system)})
        QUALIFY count(*) OVER (PARTITION BY f.link_id) = 1
    """)


def rehang(lake: Lake, domain: Domain, leader: str, *, system: str) -> None:
    """What hangs on a leading record that is gone goes to a living one that it names: as counterpart or by its key."""
    if not lake.rows(f"SELECT 1 FROM members WHERE system = {text(system)} AND {_is_orphan('link_id')} LIMIT 1"):
        return
    rule = own_key(domain)
    keys = [("counterpart_id", "record_id", "counterpart_id", "true")]
    if all(knows(lake, domain, rule, each) for each in (leader, system)):
        keys.append((rule.name, key_of(rule), key_of(rule), same_entity(rule, "l", "s")))
    for name, leading, following, alike in keys:
        lake.db.execute(f"""
            CREATE OR REPLACE TEMP TABLE rehung AS
            WITH l AS (SELECT *, {leading} AS k FROM leaders WHERE NOT is_deleted),
                 s AS (SELECT *, {following} AS k FROM {resolved(lake, domain, system)} WHERE NOT is_deleted),
                 pair AS (SELECT s.record_id, l.link_id, m.link_id AS left_id,
                                 count(*) OVER (PARTITION BY s.record_id) AS rivals_there,
                                 count(*) OVER (PARTITION BY l.link_id) AS rivals_here
                          FROM s JOIN l ON l.k = s.k AND {alike}
                          LEFT JOIN members m ON m.system = {text(system)} AND m.record_id = s.record_id)
            SELECT * FROM pair WHERE {_is_orphan("left_id")} AND rivals_here = 1 AND rivals_there = 1
                AND link_id NOT IN (SELECT link_id FROM members WHERE system = {text(system)});
            INSERT INTO ended SELECT left_id, {text(system)}, record_id, 'its leading record is gone' FROM rehung;
            DELETE FROM members USING rehung
                WHERE members.system = {text(system)} AND members.record_id = rehung.record_id;
            INSERT INTO members SELECT link_id, {text(system)}, record_id, {text(name)},
                'its leading record is gone, and it names this one', true FROM rehung;
        """)


def _is_orphan(link: str) -> str:
    """Whether a link's leading record is gone, and was not merged into one that lives."""
    return (
        f"{link} IS NOT NULL AND {link} NOT IN (SELECT link_id FROM leaders WHERE NOT is_deleted)"
        f" AND {link} NOT IN (SELECT link_id FROM survivors)"
    )


def find_orphans(lake: Lake, domain: Domain, leader: str, *, system: str) -> None:
    """Records that live on although what leads them is gone, and the living ones that may be meant.

    A leading record may be gone because it was merged and purged before anybody saw it: then the one that
    shares its evidence is proposed, and is not created in this system as long as that is open.
    """
    lake.db.execute(f"""
        CREATE OR REPLACE TEMP TABLE orphans AS
        SELECT m.record_id, coalesce(l.label, t.label) AS label, m.link_id, lead.record_id AS leader_id,
               l.label AS leader_label
        FROM members m
        JOIN members lead ON lead.link_id = m.link_id AND lead.system = {text(leader)}
        JOIN {records(lake, domain.name, system)} t ON t.record_id = m.record_id
        LEFT JOIN leaders l ON l.record_id = lead.record_id
        WHERE m.system = {text(system)} AND {_is_orphan("m.link_id")};
        CREATE OR REPLACE TEMP TABLE proposals
            (orphan VARCHAR, link_id VARCHAR, record_id VARCHAR, label VARCHAR, rule VARCHAR);
    """)
    if lake.rows("SELECT 1 FROM orphans LIMIT 1"):
        _propose(lake, domain, leader, system)
    why = f"'no longer in ' || {text(leader)} || ', but it lives on in ' || {text(system)}"
    lake.db.execute(f"""
        INSERT INTO doubtful BY NAME
        SELECT {text(DELETED)} AS kind, {text(system)} AS system, o.record_id, o.label,
               coalesce(p.link_id, o.link_id) AS link_id, coalesce(p.record_id, o.leader_id) AS candidate_id,
               coalesce(p.label, o.leader_label) AS candidate_label, coalesce(p.rule, {text(DELETED)}) AS rule,
               {why} || coalesce('; perhaps it was merged, for the same ' || p.rule || ' has', '') AS reason
        FROM orphans o LEFT JOIN (
            SELECT orphan, link_id, record_id, label, min(rule) AS rule FROM proposals GROUP BY ALL) p
          ON p.orphan = o.record_id
    """)


def _propose(lake: Lake, domain: Domain, leader: str, system: str) -> None:
    """Living leading records that share evidence with what is gone, or with what lives on."""
    keys = [
        (rule.name, key_of(rule), side)
        for rule in RULES[domain.name]
        for side in (leader, system)
        if all(knows(lake, domain, rule, each) for each in (leader, side))
    ]
    if domain.name in ALIKE_DOMAINS:
        keys += [("name", COMPANY_NAME.format("name"), side) for side in (leader, system)]
    for name, key, side in keys:
        lake.db.execute(f"""
            INSERT INTO proposals
            WITH l AS (SELECT *, {key} AS k FROM leaders WHERE NOT is_deleted),
                 s AS (SELECT record_id, {key} AS k FROM {resolved(lake, domain, side)})
            SELECT o.record_id, l.link_id, l.record_id, l.label, {text(name)}
            FROM orphans o JOIN s ON s.record_id = {"o.leader_id" if side == leader else "o.record_id"}
            JOIN l ON l.k = s.k AND l.k <> ''
        """)


def find_lost(lake: Lake, domain: Domain, settings: DomainSettings, *, system: str) -> None:
    """Records that somebody deleted in a following system although they are wanted there.

    They are created again only where the settings say so; never where they were merged into another.
    """
    leader, may_recreate = settings.leader, str(system in settings.recreate).lower()
    why = f"""CASE WHEN reason LIKE 'merged %'
        THEN 'merged into another record in ' || {text(system)} || ', but not in ' || {text(leader)}
        ELSE 'deleted in ' || {text(system)} || ', but it lives on in ' || {text(leader)} END"""
    lake.db.execute(f"""
        INSERT INTO doubtful BY NAME
        WITH gone AS (SELECT link_id, system, record_id, reason FROM former
                      UNION ALL SELECT link_id, system, record_id, reason FROM ended)
        SELECT {text(DELETED)} AS kind, {text(system)} AS system, max(g.record_id) AS record_id, l.label, l.link_id,
               l.record_id AS candidate_id, l.label AS candidate_label, {text(DELETED)} AS rule,
               max({why}) || ': it is not created again' AS reason
        FROM gone g LEFT JOIN survivors s ON s.link_id = g.link_id
        JOIN leaders l ON l.link_id = coalesce(s.survivor_link, g.link_id) AND NOT l.is_deleted AND l.refused IS NULL
        WHERE g.system = {text(system)}
          AND (g.reason LIKE 'merged away in %' OR (g.reason LIKE 'no longer in %' AND NOT {may_recreate}))
          AND l.link_id NOT IN (SELECT link_id FROM members WHERE system = {text(system)})
          AND g.record_id NOT IN (SELECT record_id FROM members WHERE system = {text(system)})
          AND l.record_id IN (SELECT record_id FROM {records(lake, domain.name, leader)}
                              WHERE {settings.expects(system, dated=domain.dated)})
        GROUP BY ALL
    """)
