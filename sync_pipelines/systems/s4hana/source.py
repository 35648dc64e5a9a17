"""The entity sets that can be read: where they are, and how each tells what changed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sync_pipelines.engine.port import Shape
from sync_pipelines.systems.served import served

LISTED = 50
"""Records that one filter names: more would make the address too long."""
_DOCUMENT = ("LastChangeDateTime",)
_PARTNER = ("LastChangeDate", "LastChangeTime", "CreationDate", "CreationTime")
_TICKS = re.compile(r"/Date\((-?\d+)")
_TIME = re.compile(r"PT(\d+)H(\d+)M(\d+)S")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Source:
    """One entity set. `stamps` are the properties that tell when an entity was changed, `carries` our external id."""

    service: str
    name: str
    key: str
    carries: str = ""
    stamps: tuple[str, ...] = _DOCUMENT

    @property
    def has_instant(self) -> bool:
        """Whether it tells its changes as instants; else as date and time on the system's own clock."""
        return self.stamps is _DOCUMENT

    def query(self, shape: Shape, where: Sequence[str]) -> dict[str, str]:
        """The query options that read declared fields, by key."""
        paths = list(_paths(shape))
        selected = dict.fromkeys([self.key, *self.stamps, *(path for path, is_way in paths if not is_way)])
        expanded = ",".join(path for path, is_way in paths if is_way)
        told = {"$select": ",".join(selected), "$orderby": self.key}
        told |= {"$expand": expanded} if expanded else {}
        return told | ({"$filter": " and ".join(f"({each})" for each in where)} if where else {})

    def since(self, start: datetime, zone: ZoneInfo) -> str:
        """A filter for what was changed from an instant on. Where only a date can be compared, more is found.

        A business partner that was never changed has no date of a change.
        """
        if self.has_instant:
            return f"{self.stamps[0]} ge datetimeoffset'{start.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z'"
        day = f"datetime'{start.astimezone(zone):%Y-%m-%dT00:00:00}'"
        return f"LastChangeDate ge {day} or CreationDate ge {day}"

    def moments(self, columns: Mapping[str, Sequence[Any]], zone: ZoneInfo) -> list[tuple[datetime, datetime]]:
        """When each row was last changed, at the earliest and at the latest: an hour in autumn comes twice."""
        rows = zip(*(columns[name] for name in self.stamps), strict=True)
        if self.has_instant:
            return [(moment := _ticks(row[0]) or _EPOCH, moment) for row in rows]
        return [_local(row, zone) for row in rows]


SOURCES = {
    each.name: each
    for each in (
        Source(
            "API_BUSINESS_PARTNER", "A_BusinessPartner", "BusinessPartner", "BusinessPartnerIDByExtSystem", _PARTNER
        ),
        Source("API_SALES_ORDER_SRV", "A_SalesOrder", "SalesOrder", "PurchaseOrderByCustomer"),
        Source("API_BILLING_DOCUMENT_SRV", "A_BillingDocument", "BillingDocument"),
    )
}
KEYS = {name: source.carries for name, source in SOURCES.items() if source.carries}


def source_of(object: str) -> Source:
    return served(SOURCES, object, vendor="S/4HANA")


def text(value: str) -> str:
    """A text as it stands in a filter or a key.

    >>> text("O'Neil")
    "'O''Neil'"
    """
    return "'" + value.replace("'", "''") + "'"


def lists(name: str, values: Sequence[str]) -> Iterator[str]:
    """Filters that find entities by values, several values at once."""
    for start in range(0, len(values), LISTED):
        yield " or ".join(f"{name} eq {text(each)}" for each in values[start : start + LISTED])


def _paths(shape: Shape, prefix: str = "") -> Iterator[tuple[str, bool]]:
    """Every declared field and way to other entities, as a path; ways to several hold them as `results`."""
    for name, kind in shape.items():
        path = f"{prefix}{name}"
        inner = kind.get("results", [kind])[0] if isinstance(kind, Mapping) else None
        if inner is None:
            yield path, False
        else:
            yield path, True
            yield from _paths(inner, f"{path}/")


def _ticks(told: str | None) -> datetime | None:
    found = _TICKS.match(told or "")
    return _EPOCH + int(found[1]) * _TICK if found else None


def _local(row: Sequence[str | None], zone: ZoneInfo) -> tuple[datetime, datetime]:
    pairs = [(_ticks(day), _TIME.match(time or "")) for day, time in zip(row[::2], row[1::2], strict=True)]
    told = [
        day.replace(hour=int(time[1]), minute=int(time[2]), second=int(time[3]), tzinfo=zone)
        for day, time in pairs
        if day and time
    ]
    newest = max(told, default=_EPOCH, key=lambda moment: moment.replace(tzinfo=None))
    return newest.replace(fold=0).astimezone(UTC), newest.replace(fold=1).astimezone(UTC)
