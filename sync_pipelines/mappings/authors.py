"""Who wrote a file that decides what is written: the line in it that says so, or who committed it last."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path

UNKNOWN = "unknown"
_LINE = re.compile(r"^(?:--|#)[ \t]*author:[ \t]*(\S.*?)[ \t]*$", re.MULTILINE | re.IGNORECASE)
_PATIENCE = 10.0
"""Seconds that git may take; an author who is not found by then is unknown."""


def authors(paths: Iterable[Path]) -> str:
    """The authors of files, each once, set apart by semicolons."""
    return "; ".join(dict.fromkeys(_author(path, path.read_text()) for path in paths if path.is_file())) or UNKNOWN


@cache
def _author(path: Path, text: str) -> str:
    """The author of a file with this text: `-- author: NAME` in it, else git's, else unknown.

    A file that differs from what was committed has an author that git does not know.
    """
    if said := _LINE.search(text):
        return said[1]
    if _git(path, "status", "--porcelain", "--ignored") != "":
        return UNKNOWN
    return _git(path, "log", "-1", "--format=%an") or UNKNOWN


def _git(path: Path, *words: str) -> str | None:
    """What git says of a file; None where it says nothing."""
    command = ["git", "-C", str(path.parent), *words, "--", path.name]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return told.stdout.strip()
