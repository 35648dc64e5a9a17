"""What the stand-in keeps: its settings, its three kinds of records, and their columns in an extract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.faults import FaultPlan
from sync_pipelines.sandbox.store import Document, Store

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "DEBMAS": (
        *("KUNNR", "NAME1", "NAME2", "STRAS", "STR_SUPPL1", "ORT01", "PSTLZ", "LAND1", "STCEG", "TELF1", "SMTP_ADDR"),
        *("AUFSD", "LOEVM", "EXTID"),
    ),
    "ORDERS": (
        *("VBELN", "BSTKD", "KUNNR", "BUKRS", "AUDAT", "WAERK", "LIFSK", "ABGRU"),
        *("POSNR", "MATNR", "KWMENG", "NETWR"),
    ),
    "INVOIC": (
        *("VBELN", "XBLNR", "VBTYP", "KUNNR", "BUKRS", "FKDAT", "BUDAT", "WAERK", "FKSTO"),
        *("POSNR", "MATNR", "FKIMG", "NETWR", "MWSBP"),
    ),
}
"""The columns of an extract by interface; a document has a row for each of its items."""
ITEM_COLUMNS = ("POSNR", "MATNR", "KWMENG", "FKIMG", "NETWR", "MWSBP")
KEYS = {"DEBMAS": "KUNNR", "ORDERS": "VBELN", "INVOIC": "VBELN"}
FIRST = {"DEBMAS": 200_000, "ORDERS": 4_700, "INVOIC": 90_000_000}
"""After which number the next record is numbered."""
FOLDERS = ("in", "out", "arch", "err", "ack")


@dataclass(frozen=True, slots=True)
class Settings:
    """How this ERP is set up; what is from memory in its sources can be set here."""

    client: str = "100"
    name: str = "PRDCLNT100"
    partners: tuple[str, ...] = ("SYNC",)
    zone: str = "Europe/Berlin"
    encoding: str = "cp1252"
    version: str = "1"
    decimal: str = "."
    closed_until: str = "20260331"
    """The last day (YYYYMMDD) for which the books take nothing any more."""
    frozen: bool = False
    """The freeze at the end of a month: what was taken is held, and posted later."""
    results: int | None = None
    """How many documents a posting run gets through; None: all."""


@dataclass(frozen=True, slots=True)
class Books:
    """One ERP: its records, its folder, its settings."""

    store: Store
    clock: VirtualClock
    faults: FaultPlan
    folder: Path
    settings: Settings

    def stamp(self) -> str:
        """Now, on the clock of the ERP, as file names have it."""
        return self.clock.now().astimezone(ZoneInfo(self.settings.zone)).strftime("%Y%m%d_%H%M%S")

    def created_at(self) -> str:
        """Now, as control files have it: local time and its offset."""
        return self.clock.now().astimezone(ZoneInfo(self.settings.zone)).isoformat(timespec="seconds")

    def put(self, interface: str, row: Document) -> str:
        """Keep a record and mark it for the next extract; one without a number is given the next."""
        number = row.get(KEYS[interface]) or self._next(interface)
        before = self.store.get(interface, number)
        items = {"items": row.get("items", ())} if interface != "DEBMAS" else {}
        blank = {name: "" for name in COLUMNS[interface] if name not in ITEM_COLUMNS}
        self.store.put(interface, number, {**(before or blank), **items, **row, KEYS[interface]: number})
        self._mark(interface, number, "U" if before else "I")
        return number

    def remove(self, interface: str, number: str) -> None:
        if self.store.delete(interface, number):
            self._mark(interface, number, "D")

    def _mark(self, interface: str, number: str, action: str) -> None:
        pending = dict(self.store.meta(f"pending_{interface}", {}))
        first = pending.pop(number, None)
        pending[number] = "I" if (first, action) == ("I", "U") else action
        self.store.set_meta(f"pending_{interface}", pending)

    def _next(self, interface: str) -> str:
        number = int(self.store.meta(f"last_{interface}", FIRST[interface])) + 1
        self.store.set_meta(f"last_{interface}", number)
        return f"{number:010d}"
