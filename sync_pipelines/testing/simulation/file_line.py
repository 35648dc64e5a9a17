"""The line to a system that is reached by files: notes every step on its folder, and lets it go wrong as disks do."""

from __future__ import annotations

import errno
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from sync_pipelines.systems.ecc.folder import OwnDisk
from sync_pipelines.systems.ecc.idoc import write_ids
from sync_pipelines.testing.simulation.line import Asked, Traffic
from sync_pipelines.testing.simulation.night_job import NightJob

DONE, REFUSED = 200, 404
Told = TypeVar("Told")


class SimulatedDisk:
    """A disk, as long as the process lives that uses it: it can die before each step, and the other side goes on."""

    def __init__(self, system: str, job: NightJob, traffic: Traffic, *, encoding: str) -> None:
        self._system, self._job, self._traffic, self._encoding = system, job, traffic, encoding
        self._own = OwnDisk()

    def names(self, folder: Path) -> list[str]:
        return self._step("LIST", folder, lambda: sorted(self._own.names(folder)))

    def read(self, path: Path) -> bytes:
        return self._step("GET", path, lambda: self._own.read(path))

    def write(self, path: Path, content: bytes) -> None:
        half = content[: len(content) // 2]
        self._step("PUT", path, lambda: self._own.write(path, content), lambda: self._own.write(path, half))

    def rename(self, path: Path, to: Path) -> None:
        """Of a control file it is what makes the documents of its data file count."""
        self._step("RENAME", to, lambda: self._own.rename(path, to), keys=self._sent(to))

    def _sent(self, control: Path) -> Mapping[str, int]:
        data = control.with_suffix(".idoc")
        if control.suffix != ".ctl" or not data.exists():
            return {}
        ids = write_ids(data.read_bytes(), self._encoding)
        return {f"{control.parent.name} [{each}]": 0 for each in ids}

    def _step(
        self,
        verb: str,
        path: Path,
        work: Callable[[], Told],
        half: Callable[[], object] = lambda: None,
        *,
        keys: Mapping[str, int] | None = None,
    ) -> Told:
        traffic, job = self._traffic, self._job
        traffic.pulse.beat("files")
        asked = self._asked(verb, path, keys or {})
        traffic.log.append(asked)
        traffic.happen("file")
        if verb in ("PUT", "RENAME"):
            traffic.happen("drop")
        job.catch_up()
        slip = job.slip(verb)
        asked.is_whole = slip is None
        try:
            if slip is not None and slip.how != "after":
                half() if slip.how == "half" else None
                raise OSError(errno.ENOSPC if verb == "PUT" else errno.EIO, "the disk fails")
            told = self._told(asked, work)
            if slip is not None:
                raise OSError(errno.EIO, "the disk fails")
        finally:
            traffic.tell(f"{self._system} {asked}")
        traffic.pulse.beat("files")
        return told

    def _told(self, asked: Asked, work: Callable[[], Told]) -> Told:
        try:
            told = work()
        except OSError:
            asked.status = REFUSED
            raise
        asked.status = DONE
        content = told if isinstance(told, bytes) else repr(told).encode()
        asked.answer = f"{zlib.crc32(content):08x}".encode()
        return told

    def _asked(self, verb: str, path: Path, keys: Mapping[str, int]) -> Asked:
        traffic = self._traffic
        return Asked(
            number=len(traffic.log) + 1,
            run=traffic.run,
            at=traffic.clock.now(),
            system=self._system,
            method=verb,
            path=str(path.relative_to(self._job.folder)),
            body=b"",
            is_write=bool(keys),
            keys=keys,
            is_recognised=False,
        )
