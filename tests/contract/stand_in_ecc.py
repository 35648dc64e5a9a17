"""What the conformance suite needs done in the ECC stand-in, whose word on a write comes only in a later window."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sync_pipelines import mappings
from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.sandbox.app import Sandbox
from sync_pipelines.sandbox.clock import VirtualClock
from sync_pipelines.sandbox.launch import open_sandbox
from sync_pipelines.systems.ecc import Ecc, open_system
from sync_pipelines.systems.ecc.folder import Disk
from sync_pipelines.testing.facts import Facts, Fault, NotChecked

NOW = datetime(2026, 11, 23, 17, 15, tzinfo=UTC)
OPTIONS = {
    "windows": "22:00 02:00",
    "zone": "Europe/Berlin",
    "client": "100",
    "sender": "SYNC",
    "receiver": "PRDCLNT100",
    "encoding": "cp1252",
}
LATER = "what becomes of a write is told in a later window, not by its reply"


def made(folder: Path, *, clock: VirtualClock) -> Sandbox:
    """A stand-in on a folder."""
    sandbox = open_sandbox("ecc", clock=clock)
    shutil.rmtree(sandbox.vendor.folder)
    sandbox.vendor.move(folder)
    return sandbox


def opened(folder: Path, *, clock: VirtualClock, disk: Disk | None = None, **options: str) -> Ecc:
    settings = SystemSettings("ecc", "ecc", f"file://{folder}", options={**OPTIONS, **options})
    return open_system(settings, clock=clock, disk=disk)


class EccFacts(Facts):
    """Customers of an ERP, in a folder; each change by somebody else is in an extract at once."""

    object = "DEBMAS"
    shape: Mapping[str, Any] = {"NAME1": "VARCHAR", "LAND1": "VARCHAR"}
    beside = mappings.objects("ecc")
    beside_pages = 1
    """The visit that finds which files are new."""

    def __init__(self, **claims: Any) -> None:
        self.clock = VirtualClock(NOW)
        self.folder = Path(tempfile.mkdtemp(prefix="ecc-facts-"))
        weakref.finalize(self, shutil.rmtree, self.folder)
        self.sandbox = made(self.folder, clock=self.clock)
        self.sandbox.vendor.admin("window", None)
        self.system = opened(self.folder, clock=self.clock)
        self.system.passport = replace(self.system.passport, **claims)

    def body(self, name: str) -> Mapping[str, Any]:
        raise NotChecked(LATER)

    def put(self, *names: str) -> list[str]:
        rows = [{"NAME1": name, "LAND1": "DE"} for name in names]
        ids = [self.sandbox.vendor.admin("put", {"interface": self.object, "row": row}) for row in rows]
        self.sandbox.vendor.admin("window", None)
        return ids

    def change(self, record_id: str, name: str) -> None:
        row = {"KUNNR": record_id, "NAME1": name}
        self.sandbox.vendor.admin("put", {"interface": self.object, "row": row})
        self.sandbox.vendor.admin("window", None)

    def delete(self, record_id: str) -> None:
        self.sandbox.vendor.admin("delete", {"interface": self.object, "number": record_id})
        self.sandbox.vendor.admin("window", None)

    def held(self, external_id: str) -> int:
        raise NotChecked(LATER)

    def put_late(self, name: str) -> tuple[str, float]:
        raise NotChecked("files have numbers without gaps: nothing becomes visible behind the cursor")

    def strike(self, fault: str, *, times: int | None = None, writes: bool = False) -> None:
        if fault != Fault.BODY_CUT_OFF:
            raise NotChecked("a folder has no replies, no tokens, no throttle and no page for people")
        for path in self._extracts():
            path.with_suffix(".whole").write_bytes(path.read_bytes())
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    def calm(self) -> None:
        for path in self._extracts():
            path.write_bytes(path.with_suffix(".whole").read_bytes())

    def secrets(self) -> Sequence[str]:
        raise NotChecked("a folder needs no secrets; those of SFTP have tests of their own")

    def published(self) -> Mapping[str, Any]:
        """The contract's word, as the control files of the stand-in give it."""
        control = next((self.folder / "out" / self.object).glob("*.ctl")).read_text()
        version = dict(line.split("=", 1) for line in control.splitlines())["version"]
        return {"api_version": version, "retires_on": None, "zone": "UTC", "rate": None}

    def _extracts(self) -> list[Path]:
        return sorted((self.folder / "out" / self.object).glob("*.csv"))
