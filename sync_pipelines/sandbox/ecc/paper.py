"""Files as the ERP writes and checks them: under a temporary name first, data before its control file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

Control = Mapping[str, str]


def drop(folder: Path, name: str, content: bytes) -> None:
    part = folder / f"{name}.part"
    part.write_bytes(content)
    part.rename(folder / name)


def control_text(values: Mapping[str, object]) -> bytes:
    return "".join(f"{name}={value}\n" for name, value in values.items()).encode("ascii")


def read_control(path: Path) -> dict[str, str]:
    lines = path.read_text("ascii", errors="replace").splitlines()
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


@dataclass(frozen=True, slots=True)
class Arrival:
    """A file in `/in` that is complete: its control file is there."""

    stem: str
    sequence: int
    control: Control
    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / self.control.get("file", "")

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.path.read_bytes()).hexdigest() if self.path.is_file() else ""

    def move(self, to: Path) -> None:
        """Away with it: an older one of the same name is replaced, for it is the same."""
        to.mkdir(parents=True, exist_ok=True)
        for path in (self.path, self.folder / f"{self.stem}.ctl"):
            if path.is_file():
                path.replace(to / path.name)


def arrivals(folder: Path) -> list[Arrival]:
    """What lies there complete, in the order of its sequence."""
    return sorted(_arrivals(folder), key=lambda each: (each.sequence, each.stem))


def _arrivals(folder: Path) -> Iterator[Arrival]:
    for path in folder.glob("*.ctl"):
        control = read_control(path)
        number = control.get("sequence", "")
        yield Arrival(path.stem, int(number) if number.isdecimal() else 0, control, folder)
