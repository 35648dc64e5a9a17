"""Which tables of SuiteQL tell a record type, and how its rows are asked for.

A record type that is written is read from the table that queries know it by; a list whose rows carry no time of
change is read whole, and looked at by a summary of what may change in it. Lines are read again when their transaction
changes, prices when their item does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from sync_pipelines.engine.port import Shape
from sync_pipelines.errors import FixConfiguration
from sync_pipelines.systems.served import served

VERSION = "lastmodified"
"""The name under which a row tells when it was changed, in the account's zone."""
MOMENT = "YYYY-MM-DD HH24:MI:SS"
VOIDED = "VOID-"
"""How the external id of a credit memo begins that voids an invoice; the invoice's own id follows."""

Key = tuple[str, int]
"""The time of a change as the account's clock shows it, and an id."""
_PLAIN = "%Y-%m-%d %H:%M:%S"
_LISTED = 500
"""Values in one IN list: Oracle takes a thousand."""


@dataclass(frozen=True, slots=True)
class Source:
    """One record type as queries know it."""

    tables: str
    key: str
    modified: str = ""
    """The column of the time of change; empty where rows carry none."""
    where: str = ""
    is_keyed: bool = False
    """Whether records carry an external id. It is unique across a group of types, so mappings begin it by type."""
    flags: tuple[str, ...] = ()
    """Of a list without times, the flags that may change: its summary tells them."""
    joined: tuple[str, ...] = ()
    """Tables whose columns are named after them: `entityaddress_city` is the column city of entityaddress."""

    @property
    def table(self) -> str:
        return self.tables.partition(" ")[0]

    def select(self, shape: Shape, where: Iterable[str]) -> str:
        columns = [f"{self.key} AS id"]
        if self.modified:
            columns.append(f"TO_CHAR({self.modified}, '{MOMENT}') AS {VERSION}")
        columns += [self._column(name, kind) for name, kind in shape.items() if name not in ("id", VERSION)]
        order = f"{self.modified}, {self.key}" if self.modified else self.key
        return f"SELECT {', '.join(columns)} FROM {self.tables}{self.filter(where)} ORDER BY {order}"

    def ids(self, after: int | None) -> str:
        where = [] if after is None else [f"{self.key} > {after}"]
        return f"SELECT {self.key} AS id FROM {self.tables}{self.filter(where)} ORDER BY {self.key}"

    def newest(self, name: str) -> str:
        """The last change of all, or of a list its summary, under a name: one of several that a union puts into one
        call. Nothing where there are no rows."""
        if not self.modified:
            flagged = [f"SUM(CASE WHEN {flag} = 'T' THEN {self.key} ELSE 0 END)" for flag in self.flags]
            summary = " || '/' || ".join(["COUNT(*)", f"MAX({self.key})", *flagged])
            some = f"FROM {self.tables}{self.filter(())} HAVING COUNT(*) > 0"
            return f"SELECT {text(name)} AS object, COUNT(*) AS id, {summary} AS {VERSION} {some}"
        stamp = f"TO_CHAR({self.modified}, '{MOMENT}') AS {VERSION}"
        last = f"ORDER BY {self.modified} DESC, {self.key} DESC FETCH FIRST 1 ROWS ONLY"
        one = f"SELECT {text(name)} AS object, {self.key} AS id, {stamp} FROM {self.tables}{self.filter(())} {last}"
        return f"SELECT * FROM ({one})"

    def summary(self, payloads: Sequence[bytes]) -> str:
        """What `newest` tells of a list that holds these rows.

        >>> periods = Source("accountingperiod", "accountingperiod.id", flags=("closed",))
        >>> periods.summary([b'{"id":"3","closed":"T"}', b'{"id":"4","closed":"T"}', b'{"id":"5","closed":"F"}'])
        '3/5/7'
        """
        rows = [msgspec.json.decode(payload) for payload in payloads]
        flagged = [sum(int(row["id"]) for row in rows if row.get(flag) == "T") for flag in self.flags]
        return "/".join(map(str, [len(rows), max((int(row["id"]) for row in rows), default=0), *flagged]))

    def past(self, key: Key) -> str:
        """What was changed after a key."""
        at = f"TO_TIMESTAMP({text(key[0])}, '{MOMENT}')"
        return f"({self.modified} > {at} OR ({self.modified} = {at} AND {self.key} > {key[1]}))"

    def filter(self, where: Iterable[str]) -> str:
        clauses = [clause for clause in (self.where, *where) if clause]
        return f" WHERE {' AND '.join(clauses)}" if clauses else ""

    def external_id(self, external_id: str) -> str:
        """Our external id as NetSuite carries it: letters, digits, `_` and `-` only, and none that is another's.

        >>> Source("item", "item.id", is_keyed=True).external_id("ITEM-A/1 b")
        'ITEM-A_2F1_20b'
        """
        if not self.is_keyed:
            raise FixConfiguration(f"NetSuite's {self.table} has no place for an external id")
        return "".join(_escaped(letter) for letter in external_id)

    def _column(self, name: str, kind: object) -> str:
        head, _, rest = name.partition("_")
        column = f"{head}.{rest}" if rest and head in self.joined else f"{self.table}.{name}"
        return f"TO_CHAR({column}, 'YYYY-MM-DD') AS {name}" if kind == "DATE" else f"{column} AS {name}"


def _transaction(kind: str) -> Source:
    return Source(
        "transaction JOIN transactionline ON transactionline.transaction = transaction.id",
        "transaction.id",
        "transaction.lastmodifieddate",
        where=f"transaction.type = '{kind}' AND transactionline.mainline = 'T'",
        is_keyed=True,
        joined=("transactionline",),
    )


def _list(table: str, *flags: str) -> Source:
    return Source(table, f"{table}.id", flags=flags)


SOURCES = {
    "customer": Source(
        "customer LEFT JOIN entityaddressbook ON entityaddressbook.entity = customer.id "
        "AND entityaddressbook.defaultbilling = 'T' "
        "LEFT JOIN entityaddress ON entityaddress.nkey = entityaddressbook.addressbookaddress",
        "customer.id",
        "customer.lastmodifieddate",
        is_keyed=True,
        joined=("entityaddressbook", "entityaddress"),
    ),
    "serviceSaleItem": Source(
        "item",
        "item.id",
        "item.lastmodifieddate",
        where="item.itemtype = 'Service' AND item.subtype = 'Sale'",
        is_keyed=True,
    ),
    "pricing": Source(
        "pricing JOIN item ON item.id = pricing.item",
        "(pricing.item * 1000 + pricing.currency) * 1000 + pricing.pricelevel",
        "item.lastmodifieddate",
        where="item.itemtype = 'Service' AND item.subtype = 'Sale' AND pricing.quantity <= 1",
    ),
    "salesOrder": _transaction("SalesOrd"),
    "invoice": _transaction("CustInvc"),
    "creditMemo": _transaction("CustCred"),
    "customerPayment": _transaction("CustPymt"),
    "transactionLine": Source(
        "transactionline JOIN transaction ON transaction.id = transactionline.transaction",
        "transactionline.uniquekey",
        "transaction.lastmodifieddate",
        where="transaction.type IN ('SalesOrd', 'CustInvc', 'CustCred') AND transactionline.mainline = 'F'",
    ),
    "subsidiary": _list("subsidiary", "isinactive"),
    "currency": _list("currency", "isinactive"),
    "account": _list("account"),
    "salesTaxItem": _list("salestaxitem"),
    "accountingPeriod": _list("accountingperiod", "closed", "arlocked", "alllocked"),
}

KEYS = {name: "externalid" for name, source in SOURCES.items() if source.is_keyed}


def source_of(object: str) -> Source:
    return served(SOURCES, object, vendor="NetSuite")


def behind(key: Key, seconds: float, zone: ZoneInfo) -> Key:
    """The time so far before a key's, and an hour more where the account's clock was put back in between.

    Whether a time of that hour was its first or its second pass can't be told: the earlier is taken.

    >>> behind(("2026-11-01 01:30:00", 7), 60, ZoneInfo("America/Los_Angeles"))
    ('2026-11-01 00:29:00', 0)
    """
    at = datetime.strptime(key[0], _PLAIN)  # noqa: DTZ007 (a time of the account's own clock)
    start = at - timedelta(seconds=seconds)
    put_back = (start.replace(tzinfo=zone).utcoffset() or timedelta()) - (
        at.replace(tzinfo=zone, fold=1).utcoffset() or timedelta()
    )
    if put_back <= timedelta() and seconds == 0:
        return key
    return ((start - max(put_back, timedelta())).strftime(_PLAIN), 0)


def text(value: str) -> str:
    """A text as it stands in a query."""
    return "'" + value.replace("'", "''") + "'"


def in_lists(column: str, values: Sequence[str]) -> Iterable[str]:
    """Clauses that find rows by values, as many values at once as a list takes."""
    return (f"{column} IN ({', '.join(values[at : at + _LISTED])})" for at in range(0, len(values), _LISTED))


def _escaped(letter: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9-]", letter):
        return letter
    return "".join(f"_{byte:02X}" for byte in letter.encode())
