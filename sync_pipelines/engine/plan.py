"""Plan: desired minus actual for one target, as writes with a field-level before and after.

Planning only reads. What it decides not to write yet is kept in the table `held_<domain>_<target>` with the
reason: a gate that is closed, a reference that is not in the target yet, a doubt that a person must settle,
a period of the books that is closed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from typing import Any

import pyarrow as pa

from sync_pipelines.domains import Domain, Field, Kind
from sync_pipelines.domains.schema import sql_type
from sync_pipelines.engine import period
from sync_pipelines.engine.conform import held, records, table
from sync_pipelines.engine.correlation import NOTHING_STANDS, NUMBERS, told
from sync_pipelines.engine.lake import Lake
from sync_pipelines.engine.match import open_doubts
from sync_pipelines.engine.port import Operation, Request
from sync_pipelines.engine.reference import GONE, pointing
from sync_pipelines.engine.topology import DomainSettings
from sync_pipelines.engine.values import clears, normal, quoted, shown, text, wants
from sync_pipelines.errors import FixConfiguration


@dataclass(frozen=True, slots=True)
class Change:
    """One field before and after, as text."""

    field: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Write:
    """A planned write: the request that will be sent, and what it means in the domain's terms."""

    request: Request
    domain: str
    target: str
    link_id: str
    label: str
    changes: tuple[Change, ...]
    expected_version: str | None
    """The target's version that the plan was made from; None for a create."""
    amount_minor: int | None = None
    currency: str | None = None
    legal_entity: str | None = None
    period: str | None = None
    """The month of the business date in which the amount moves ("2026-11")."""
    approved_by_team: str | None = None
    """The team that has to approve it, or several with blanks between; None where it applies by itself."""
    corrected_by: str | None = None
    """Who edited what is to be sent; None where it is as planned."""
    posting_on: date | None = None
    """The day on which the books take it; None where nothing is posted."""
    edited_by: str | None = None
    """Who edited the leading record last, where its system says so."""

    @property
    def approved_by(self) -> tuple[str, ...]:
        """The teams that have to approve it, all of them."""
        return tuple((self.approved_by_team or "").split())


@dataclass(frozen=True, slots=True)
class Move:
    """What a plan moves in one legal entity, currency and period."""

    legal_entity: str | None
    currency: str
    period: str | None
    count: int
    amount_minor: int


def moves(writes: Sequence[Write]) -> list[Move]:
    """The amounts that writes move, per legal entity, currency and period."""
    amounts: dict[tuple[str | None, str, str | None], list[int]] = {}
    for write in writes:
        if write.amount_minor is not None and write.currency:
            amounts.setdefault((write.legal_entity, write.currency, write.period), []).append(write.amount_minor)
    order = sorted(amounts.items(), key=lambda each: tuple(part or "" for part in each[0]))
    return [Move(*where, len(each), sum(each)) for where, each in order]


NOTHING = {"nothing": "is meant"}
"""What the macro `nothing()` puts in a body where a null is to be sent."""


def held_back(domain: str, target: str) -> str:
    """The lake table of what a plan did not write, and why."""
    return f"lake.{quoted(f'held_{domain}_{target}')}"


def plan(
    lake: Lake,
    domain: Domain,
    settings: DomainSettings,
    *,
    target: str,
    write_sql: str,
    numbers: str = NUMBERS,
    standing: str = NOTHING_STANDS,
    can_move: bool = False,
    today: Mapping[str, date] | None = None,
    clearing: Collection[str] = (),
) -> tuple[list[Write], int]:
    """The writes that bring a target's records of a domain to what their owners say, and how many must wait.

    `numbers` is a SELECT that tells which deal an order's or contract's number belongs to, `standing` one of the deals
    whose records can't be voided yet, and why (see `correlation`); `can_move` says
    whether the target keeps a posting date beside a document's own; `today` is the business date of each legal
    entity, on which what is voided now is entered in the books; `clearing` names the fields that an owner who has
    emptied them clears in the target.
    """
    fields = [f for f in domain.fields if f.name in held(lake, domain, target) and settings.owners[f.name] != target]
    _check_owners(lake, domain, settings, fields)
    if fields:
        _board(lake, domain, settings, fields, target=target, clearing=clearing)
    if not fields or not _want(lake, domain, settings, fields, target=target, today=today or {}):
        lake.replace(held_back(domain.name, target), "SELECT '' AS link_id, '' AS reason, '' AS kind WHERE false")
        return [], 0
    _ask_the_books(lake, domain, settings, target=target, can_move=can_move)
    deals = told(lake, domain.name, settings.leader, numbers)
    lake.db.execute(f"CREATE OR REPLACE TEMP TABLE deals AS {deals}")
    _judge(lake, domain, settings, fields, target=target, standing=standing)
    lake.replace(
        held_back(domain.name, target),
        "SELECT link_id, reason, kind FROM judged WHERE reason IS NOT NULL",
    )
    _stage(lake, domain, fields, target=target)
    waiting = int(lake.row("SELECT count(*) FROM judged WHERE reason IS NOT NULL")[0])
    with lake.running(f"mappings/{target}/{domain.name}.write.sql"):
        writes = _writes(lake, domain, fields, target=target, write_sql=write_sql)
    return _marked(lake, domain, settings, writes), waiting


def _check_owners(lake: Lake, domain: Domain, settings: DomainSettings, fields: Sequence[Field]) -> None:
    for field in fields:
        owner = settings.owners[field.name]
        if field.name not in held(lake, domain, owner):
            raise FixConfiguration(
                f"[domains.{domain.name}] {owner} owns {field.name!r}, but mappings/{owner}/{domain.name}.sql "
                f"does not select it: select it there or name another owner"
            )


def _board(
    lake: Lake,
    domain: Domain,
    settings: DomainSettings,
    fields: Sequence[Field],
    *,
    target: str,
    clearing: Collection[str],
) -> None:
    """One row a link: the leading record, the target's, and for each field the desired and actual value."""
    systems = dict.fromkeys([settings.leader, *(settings.owners[f.name] for f in fields), target])
    ids = ", ".join(f"max(record_id) FILTER (system = {text(s)}) AS {quoted(s)}" for s in systems)
    joins = " ".join(
        f"LEFT JOIN {records(lake, domain.name, s)} {quoted('o_' + s)} ON {quoted('o_' + s)}.record_id = m.{quoted(s)}"
        f" AND {quoted('o_' + s)}.refused IS NULL"
        for s in systems
    )
    columns, references = zip(
        *[_columns(lake, domain, f, settings.owners[f.name], target) for f in fields], strict=True
    )
    cleared = ", ".join(_cleared(f, settings.owners[f.name], target, may=f.name in clearing) for f in fields)
    lead, own = quoted("o_" + settings.leader), quoted("o_" + target)
    lake.db.execute(f"""
        CREATE OR REPLACE TEMP TABLE board AS
        WITH m AS (SELECT link_id, {ids} FROM links WHERE domain = {text(domain.name)} GROUP BY link_id)
        SELECT m.link_id, {lead}.record_id AS lead_id, m.{quoted(target)} AS record_id,
               {own}.version AS expected_version,
               coalesce({lead}.label, {own}.label) AS label,
               {lead}.record_id IS NOT NULL AND NOT {lead}.is_deleted AS leads,
               {own}.record_id IS NOT NULL AND NOT {own}.is_deleted AS lives, before.record_id AS replaces,
               {_where_it_moves(lake, domain, settings.leader, lead)},
               {", ".join(columns)}, {cleared}
        FROM m {joins} {" ".join(references)}
        LEFT JOIN (SELECT link_id, max(record_id) AS record_id FROM former_links WHERE domain = {text(domain.name)}
                   AND system = {text(target)} AND {GONE} GROUP BY link_id) before ON before.link_id = m.link_id
    """)


def _cleared(field: Field, owner: str, target: str, *, may: bool) -> str:
    """The board's column that says whether a field's owner has emptied what the target still holds (c_)."""
    name, held = quoted(field.name), quoted("o_" + owner)
    emptied = clears(f"{held}.{name}", f"{quoted('o_' + target)}.{name}")
    told = f"coalesce(NOT {held}.is_deleted, false) AND {emptied}"
    return f"{told if may else 'false'} AS {quoted('c_' + field.name)}"


def _where_it_moves(lake: Lake, domain: Domain, leader: str, row: str) -> str:
    """The board's columns that say in which books and which day a leading record's amount moves, and by whose hand."""
    known = held(lake, domain, leader)
    entity = f"{row}.legal_entity" if "legal_entity" in known else "CAST(NULL AS VARCHAR)"
    day = f"{row}.{quoted(domain.dated)}" if domain.dated in known else "CAST(NULL AS DATE)"
    editor = f"{row}.edited_by" if "edited_by" in lake.columns(table(domain.name, leader)) else "CAST(NULL AS VARCHAR)"
    return f"{entity} AS in_entity, {day} AS in_on, {editor} AS edited_by"


DECIDED = pa.schema(
    [
        *[(name, pa.string()) for name in ("of_entity", "verdict", "decision", "approver")],
        *[(name, pa.date32()) for name in ("of_day", "posting_on")],
    ]
)


def _ask_the_books(lake: Lake, domain: Domain, settings: DomainSettings, *, target: str, can_move: bool) -> None:
    """For each legal entity and day of documents that are posted, what their period makes of them: `decided`."""
    rows = []
    if domain.ledger:
        periods = period.read(lake, target, ledger=domain.ledger)
        approver = settings.owner_of_exceptions(period.CLOSED_PERIOD)
        for entity, day in lake.rows("SELECT DISTINCT in_entity, in_on FROM wanted WHERE in_on IS NOT NULL"):
            found = period.decide(day, periods.get(entity, ()), settings.closed_period, can_move=can_move)
            team = approver if found.verdict is period.Verdict.PROPOSE else None
            rows.append([entity, found.verdict.value, found.reason, team, day, found.posting_on])
    decisions = pa.Table.from_pylist([dict(zip(DECIDED.names, row, strict=True)) for row in rows], schema=DECIDED)
    with lake.relation("decisions", decisions):
        lake.db.execute("CREATE OR REPLACE TEMP TABLE decided AS SELECT * FROM decisions")


def _columns(lake: Lake, domain: Domain, field: Field, owner: str, target: str) -> tuple[str, str]:
    """The board's columns of a field (desired d_, actual a_, waiting w_) and the joins they need."""
    name, source = quoted(field.name), f"{quoted('o_' + owner)}.{quoted(field.name)}"
    actual = f"{quoted('o_' + target)}.{name}"
    desired, waits, joins = source, "false", ""
    if field.kind is Kind.REFERENCE:
        desired, waits, joins = _referred(lake, domain, field, (owner, source), (target, actual))
    columns = (
        (desired, quoted("d_" + field.name)),
        (actual, quoted("a_" + field.name)),
        (waits, quoted("w_" + field.name)),
    )
    return ", ".join(f"{value} AS {column}" for value, column in columns), joins


def _referred(
    lake: Lake, domain: Domain, field: Field, here: tuple[str, str], there: tuple[str, str]
) -> tuple[str, str, str]:
    """What a reference is to be in the target, whether it must wait for that, and the joins they need.

    It is the target's record of the same link; where that was merged into another, the other's. A document that
    already refers to another record of the same merged party stays where it is, if it is posted or the party's
    records in the target are still two.
    """
    (owner, source), (target, actual) = here, there
    h, own, heir, k = (quoted(prefix + field.name) for prefix in ("h_", "t_", "s_", "k_"))
    mine = f"domain = {text(field.refers_to)} AND system = {text(target)}"
    joins = (
        f"LEFT JOIN ({pointing(lake, field.refers_to, owner)}) {h} ON {h}.record_id = {source}"
        f" LEFT JOIN (SELECT * FROM links WHERE {mine}) {own} ON {own}.link_id = {h}.own_id"
        f" LEFT JOIN (SELECT * FROM links WHERE {mine}) {heir} ON {heir}.link_id = {h}.link_id"
        f" LEFT JOIN ({pointing(lake, field.refers_to, target)}) {k} ON {k}.record_id = {actual}"
    )
    wanted = f"coalesce({own}.record_id, {heir}.record_id)"
    posted = (
        f"m.{quoted(target)} IN (SELECT record_id FROM {records(lake, domain.name, target)} WHERE {domain.counts_when})"
    )
    stays = f"{k}.link_id = {h}.link_id AND ({k}.is_open{f' OR {posted}' if domain.dated else ''})"
    return f"CASE WHEN {stays} THEN {actual} ELSE {wanted} END", f"{source} IS NOT NULL AND {wanted} IS NULL", joins


TODAY = pa.schema([("of_entity", pa.string()), ("day", pa.date32())])


def _want(
    lake: Lake,
    domain: Domain,
    settings: DomainSettings,
    fields: Sequence[Field],
    *,
    target: str,
    today: Mapping[str, date],
) -> bool:
    """Which rows are to be written, and how, whatever stands in the way, if any; what is voided moves today."""
    changed = " OR ".join(_wants(f) for f in fields)
    create, update, void = (str(target in each).lower() for each in (settings.create, settings.update, settings.void))
    leader, own = (records(lake, domain.name, each) for each in (settings.leader, target))
    open_when, counts_when = domain.open_when or "true", domain.counts_when
    days = pa.Table.from_pylist([{"of_entity": e, "day": d} for e, d in today.items()], schema=TODAY)
    with lake.relation("days", days):
        lake.db.execute(f"""
            CREATE OR REPLACE TEMP TABLE wanted AS
            WITH gated AS (SELECT record_id FROM {leader} WHERE {settings.expects(target, dated=domain.dated)}),
            counted AS (SELECT record_id FROM {leader} WHERE coalesce({counts_when}, false)),
            ended AS (SELECT record_id FROM {leader} WHERE NOT ({open_when})),
            over AS (SELECT record_id FROM {own} WHERE NOT ({open_when})),
            posted AS (SELECT record_id FROM {own} WHERE coalesce({counts_when}, false)),
            chosen AS (
                SELECT board.*, CASE
                    WHEN {void} AND leads AND lives AND lead_id IN (FROM ended) AND record_id NOT IN (FROM over)
                        THEN 'void'
                    WHEN leads AND record_id IS NULL AND {create} AND lead_id IN (FROM gated) THEN 'create'
                    WHEN leads AND lives AND {update} AND ({changed}) THEN 'update' END AS operation
                FROM board)
            SELECT chosen.* REPLACE (CASE WHEN operation = 'void' THEN coalesce(day, in_on) ELSE in_on END AS in_on),
                   CASE WHEN operation = 'void' THEN record_id IN (FROM posted)
                       ELSE lead_id IN (FROM counted) END AS is_posted
            FROM chosen LEFT JOIN days ON of_entity = in_entity
            WHERE operation IS NOT NULL
        """)
    return bool(lake.rows("SELECT 1 FROM wanted LIMIT 1"))


def _judge(
    lake: Lake, domain: Domain, settings: DomainSettings, fields: Sequence[Field], *, target: str, standing: str
) -> None:
    """Of what is wanted, what is to be written (operation set), and what is held back (reason set)."""
    waiting = "".join(f" WHEN {quoted('w_' + f.name)} THEN 'its {f.name} is not in {target} yet'" for f in fields)
    lake.db.execute(f"""
        CREATE OR REPLACE TEMP TABLE judged AS
        WITH doubt AS (SELECT link_id, min(reason) AS reason FROM {open_doubts(lake, domain.name)}
                  WHERE system = {text(target)} OR (kind = 'duplicate' AND system = {text(settings.leader)})
                  GROUP BY link_id),
        stands AS (SELECT deals.record_id AS lead_id, min(s.reason) AS reason
                   FROM ({standing}) s JOIN deals USING (deal) GROUP BY ALL),
        weighed AS (
            SELECT wanted.*, decided.posting_on, decided.approver, {_reason("wanted", waiting)} AS kept,
                   CASE WHEN verdict = 'hold' OR (operation = 'void' AND decided.posting_on <> in_on)
                       THEN decision END AS barred
            FROM wanted LEFT JOIN doubt USING (link_id) LEFT JOIN stands USING (lead_id)
            LEFT JOIN decided ON of_entity IS NOT DISTINCT FROM in_entity AND of_day = in_on AND is_posted)
        SELECT * EXCLUDE (kept, barred)
                   REPLACE (CASE WHEN coalesce(kept, barred) IS NULL THEN operation END AS operation),
               strftime(coalesce(posting_on, in_on), '%Y-%m') AS in_period, coalesce(kept, barred) AS reason,
               CASE WHEN kept IS NULL AND barred IS NOT NULL THEN {text(period.CLOSED_PERIOD)} ELSE 'waits' END AS kind
        FROM weighed
    """)


def _reason(row: str, waiting: str) -> str:
    return (
        f"CASE WHEN {row}.operation = 'void' THEN stands.reason"
        f" WHEN {row}.operation = 'create' AND doubt.reason IS NOT NULL THEN doubt.reason{waiting} END"
    )


def _wants(field: Field) -> str:
    return f"({_clears(field)} OR {wants(field, quoted('d_' + field.name), quoted('a_' + field.name))})"


def _clears(field: Field) -> str:
    return quoted("c_" + field.name)


def _stage(lake: Lake, domain: Domain, fields: Sequence[Field], *, target: str) -> None:
    """The relations that a write mapping reads: `desired` with every field, `writes` with the changed ones.

    Both have all fields of the domain; what this plan has no say in is as it is in the target, or null. What is to
    be cleared is an empty text in both where it is a text, and named in `cleared`.
    """
    planned = {f.name: f for f in fields}
    cleared = ", ".join(f"CASE WHEN {_clears(f)} THEN {text(f.name)} END" for f in fields)
    own = held(lake, domain, target)
    for name, value in (("desired", _desired), ("writes", _only_changed)):
        columns = ", ".join(
            f"{value(f) if f.name in planned else _untouched(f, own, shown=name == 'desired')} AS {quoted(f.name)}"
            for f in domain.fields
        )
        lake.db.execute(f"""
            CREATE OR REPLACE TEMP TABLE {name} AS
            SELECT link_id AS write_id, operation, link_id, judged.record_id, link_id AS external_id, judged.label,
                   CASE WHEN judged.posting_on <> in_on THEN judged.posting_on END AS posting_on,
                   list_filter([{cleared}], lambda n: n IS NOT NULL) AS cleared, {columns}
            FROM judged LEFT JOIN {records(lake, domain.name, target)} own ON own.record_id = judged.record_id
            WHERE operation IS NOT NULL ORDER BY link_id
        """)


def _untouched(field: Field, own: set[str], *, shown: bool) -> str:
    if shown and field.name in own:
        return f"own.{quoted(field.name)}"
    return f"CAST(NULL AS {sql_type(field)})"


def _desired(field: Field) -> str:
    """What the record is to hold: the owner's value, or where that is unknown what is there already."""
    desired, actual = quoted("d_" + field.name), quoted("a_" + field.name)
    known = f"CASE WHEN {normal(field.kind, desired)} IS NOT NULL THEN {desired} ELSE {actual} END"
    return f"CASE WHEN {_clears(field)} THEN {_nothing(field)} ELSE {known} END"


def _only_changed(field: Field) -> str:
    changed = f"WHEN {_wants(field)} THEN {quoted('d_' + field.name)}"
    return f"CASE WHEN {_clears(field)} THEN {_nothing(field)} {changed} ELSE CAST(NULL AS {sql_type(field)}) END"


def _nothing(field: Field) -> str:
    return "''" if sql_type(field) == "VARCHAR" else f"CAST(NULL AS {sql_type(field)})"


def _writes(lake: Lake, domain: Domain, fields: Sequence[Field], *, target: str, write_sql: str) -> list[Write]:
    names = {f.name for f in fields}
    amount = _amount(domain.amount) if domain.amount in names else "NULL"
    currency = quoted("d_currency") if "currency" in names else "NULL"
    rows = lake.arrow(f"""
        WITH chosen AS (
            SELECT link_id, judged.record_id, label, expected_version, operation, replaces, deal,
                   list_filter([{", ".join([*map(_change, fields), _MOVED])}], lambda x: x IS NOT NULL) AS changes,
                   {amount} AS amount_minor, {currency} AS currency, in_entity AS legal_entity, in_period AS period,
                   approver AS approved_by_team, posting_on, edited_by
            FROM judged LEFT JOIN deals ON deals.record_id = lead_id WHERE operation IS NOT NULL)
        SELECT chosen.* REPLACE (coalesce(mapped.operation, chosen.operation) AS operation),
               mapped.object, CAST(mapped.body AS VARCHAR) AS body, mapped."then" AS "then", mapped.external_id
        FROM chosen JOIN ({_normal_mapping(lake, write_sql)}) mapped ON mapped.write_id = chosen.link_id
        ORDER BY chosen.label, chosen.link_id
    """).to_pylist()
    if twice := [row["label"] for row, next_row in pairwise(rows) if row["link_id"] == next_row["link_id"]]:
        where = f"mappings/{target}/{domain.name}.write.sql"
        raise FixConfiguration(f"{where} yields more than one request for {twice[0]}: each write is sent once")
    writes = [_write(row, domain=domain.name, target=target) for row in rows]
    return [write for write in writes if write.request.body or write.request.then]


_MOVED = f"""CASE WHEN posting_on <> in_on THEN
    {{'field': 'posting_on', 'before': {shown("in_on")}, 'after': {shown("posting_on")}}} END"""


def _marked(lake: Lake, domain: Domain, settings: DomainSettings, writes: list[Write]) -> list[Write]:
    """The writes with the team that has to approve each; what a condition can't tell has to be approved."""
    approval = settings.policy.approval
    if approval is None or not writes:
        return writes
    rows = [(w.link_id, str(w.request.operation), w.amount_minor, w.currency) for w in writes]
    names = ("link_id", "operation", "amount_minor", "currency")
    kinds = (pa.string(), pa.string(), pa.int64(), pa.string())
    given = {n: pa.array(v, k) for n, v, k in zip(names, zip(*rows, strict=True), kinds, strict=True)}
    fields = "".join(f", desired.{quoted(f.name)}" for f in domain.fields if f.name not in names)
    currency = "coalesce(given.currency, desired.currency)" if "currency" in _names(domain) else "given.currency"
    with lake.relation("given", pa.table(given)):
        needing = {link for (link,) in lake.rows(f"""
            SELECT link_id FROM (SELECT given.* REPLACE ({currency} AS currency){fields}
                                 FROM given JOIN desired ON desired.write_id = given.link_id)
            WHERE coalesce(({approval.when or 'true'}), true)""")}  # fmt: skip
    return [also_approved_by(w, approval.team) if w.link_id in needing else w for w in writes]


def also_approved_by(write: Write, team: str) -> Write:
    """The write with one more team that has to approve it."""
    return replace(write, approved_by_team=" ".join(dict.fromkeys([*write.approved_by, team])))


def _names(domain: Domain) -> set[str]:
    return {field.name for field in domain.fields}


def _amount(name: str) -> str:
    """What a write moves: a record's amount, and when it is voided, that amount back."""
    return f"CASE WHEN operation = 'void' THEN -{quoted('a_' + name)} ELSE {quoted('d_' + name)} END"


def _change(field: Field) -> str:
    """A struct with a field's name, before and after, or null where the field stays as it is."""
    desired, actual = quoted("d_" + field.name), quoted("a_" + field.name)
    return (
        f"CASE WHEN {_wants(field)} THEN {{'field': {text(field.name)}, 'before': {shown(actual)}, "
        f"'after': CASE WHEN NOT {_clears(field)} THEN {shown(desired)} END}} END"
    )


def _normal_mapping(lake: Lake, sql: str) -> str:
    """A write mapping's rows with the columns that it may leave out."""
    given = {name for name, *_ in lake.rows(f"DESCRIBE {sql}")}
    optional = {
        "operation": "CAST(NULL AS VARCHAR)",
        "then": "CAST([] AS VARCHAR[])",
        "external_id": "CAST(NULL AS VARCHAR)",
    }
    columns = ", ".join(quoted(n) if n in given else f"{v} AS {quoted(n)}" for n, v in optional.items())
    return f"SELECT write_id, object, body, {columns} FROM ({sql})"


def _write(row: Mapping[str, Any], *, domain: str, target: str) -> Write:
    body = _without_nulls(json.loads(row["body"]))
    steps = tuple(row["then"] or ())
    content = [target, row["object"], row["operation"], row["link_id"], row["expected_version"], body, steps]
    if row["replaces"] and row["record_id"] is None:
        content.append(row["replaces"])  # what was created, and deleted by hand, may be created once more
    key = identity(content)
    return Write(
        request=Request(
            write_id=key,
            object=row["object"],
            operation=Operation(row["operation"]),
            record_id=row["record_id"],
            external_id=row["external_id"] or row["link_id"],
            body=body,
            then=steps,
            idempotency_key=key,
            correlation_id=row["deal"] or row["link_id"],
        ),
        domain=domain,
        target=target,
        link_id=row["link_id"],
        label=row["label"] or row["link_id"],
        changes=tuple(Change(c["field"], c["before"], c["after"]) for c in row["changes"]),
        expected_version=row["expected_version"],
        **{name: row[name] for name in _OF_THE_BOOKS},
    )


_OF_THE_BOOKS = ("amount_minor", "currency", "legal_entity", "period", "approved_by_team", "posting_on", "edited_by")


def identity(content: Sequence[Any]) -> str:
    """What a write is known by: its target, object, operation, link, expected version, body and further steps."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:40]


def _without_nulls(value: Any) -> Any:
    """A null is never sent, for it would overwrite a value that nobody decided to remove; NOTHING is sent as one.

    >>> _without_nulls({"name": None, "address": {"city": None}, "tags": [{"x": 1, "y": None}], "end": NOTHING})
    {'tags': [{'x': 1}], 'end': None}
    """
    if value == NOTHING:
        return None
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return {key: item for key, item in kept.items() if item != {} or value[key] == {}}
