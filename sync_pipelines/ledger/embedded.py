"""A PostgreSQL 18 server of our own in a folder: listens on a socket only, outlives who started it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from sync_pipelines.clock import Clock, SystemClock
from sync_pipelines.errors import FixConfiguration, RetryLater
from sync_pipelines.ledger import address, postgres

_SUPERUSER = "postgres"
_LONGEST_SOCKET = 103
"""Bytes of a socket's path that every platform takes (Linux 107, macOS 103)."""
_OPTIONS = {
    "listen_addresses": "",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
}


@dataclass(frozen=True, slots=True)
class Embedded:
    """A running server. Any number of processes may start the same folder at once and share it.

    Nobody's end stops the server but `stop()`: it is there for the next process, the Dagster UI and a
    run after a crash. A killed server recovers at the next `start`.

    >>> server = Embedded.start(Path(".sync/postgres"))  # doctest: +SKIP
    >>> server.ensure("ledger")  # doctest: +SKIP
    """

    folder: Path
    socket: Path

    @classmethod
    def at(cls, folder: Path) -> Embedded:
        """The server of a folder, whether it runs or not."""
        folder = folder.absolute()
        return cls(folder, _socket_folder(folder))

    @classmethod
    def start(cls, folder: Path, *, clock: Clock | None = None) -> Embedded:
        """Create the server where it is missing, start it where it is not running, wait until it answers."""
        server, owner, clock = cls.at(folder), postgres.account(), clock or SystemClock()
        folder = server.folder
        if server._answers():
            return server
        for _ in range(240):
            with _alone(folder):
                server._launch_unless_running(owner)
            if server._answers():
                return server
            clock.sleep(0.5)  # it recovers from a crash, or is just dying
        raise RetryLater(f"PostgreSQL in {folder} runs, but does not answer; see {folder / 'log'}")

    def stop(self) -> None:
        """End the server and whatever is connected to it; a server that does not run is no error."""
        owner = postgres.account()
        with _alone(self.folder):
            if not (self.folder / "PG_VERSION").exists() or not _is_running(self.folder, owner):
                return
            ended = postgres.run(
                "pg_ctl", "stop", "-w", "-m", "fast", "-D", str(self.folder), owner=owner, folder=self.folder
            )
            if ended.returncode:
                raise RetryLater(f"PostgreSQL in {self.folder} does not stop: {ended.stderr.strip()}")
            if self.socket != self.folder:
                shutil.rmtree(self.socket, ignore_errors=True)

    @property
    def running(self) -> bool:
        if not (self.folder / "PG_VERSION").exists():
            return False
        return self._answers() or _is_running(self.folder, postgres.account())

    def url(self, database: str) -> str:
        """For SQLAlchemy on psycopg 3."""
        return address.psycopg_url(self._url, database)

    def psycopg2_url(self, database: str) -> str:
        """For dagster-postgres."""
        return address.psycopg2_url(self._url, database)

    def libpq(self, database: str) -> str:
        """For DuckDB's `attach` and `psycopg.connect`."""
        return address.libpq(self._url, database)

    def ensure(self, database: str) -> None:
        """Create a database, collated the same way on every machine, unless it is there."""
        with self._connected() as connection:
            if not _exists(connection, database):
                _create_database(connection, database)

    def ensure_template(self, name: str, build: Callable[[str], None]) -> None:
        """Create a database once, however many ask at the same time.

        `build` is given the name of an empty database to fill; only a finished one gets its real name.
        """
        with self._connected() as connection:
            connection.execute("select pg_advisory_lock(hashtextextended(%s, 0))", (name,))
            if _exists(connection, name):
                return
            unfinished = f"{name}_unfinished"
            _drop(connection, unfinished)
            _create_database(connection, unfinished)
            build(unfinished)
            connection.execute(
                sql.SQL("alter database {} rename to {}").format(sql.Identifier(unfinished), sql.Identifier(name))
            )

    def create_from_template(self, name: str, template: str) -> None:
        """Copy a database that nobody is connected to: a reset that takes a fraction of a second."""
        with self._connected() as connection:
            connection.execute(
                sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(template))
            )

    def drop(self, name: str) -> None:
        """Remove a database and end whatever is connected to it; a missing one is no error."""
        with self._connected() as connection:
            _drop(connection, name)

    @property
    def _url(self) -> str:
        return f"postgresql://{_SUPERUSER}@/{_SUPERUSER}?host={self.socket}"

    def _connected(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.libpq(_SUPERUSER), autocommit=True, connect_timeout=30)

    def _launch_unless_running(self, owner: postgres.Account) -> None:
        if not (self.folder / "PG_VERSION").exists():
            _create(self.folder, owner)
        _bury(self.folder / "postmaster.pid")
        _bury(self.socket / ".s.PGSQL.5432.lock")
        if not _is_running(self.folder, owner):
            self._launch(owner)

    def _launch(self, owner: postgres.Account) -> None:
        if self.socket != self.folder:
            _claim(self.socket, owner)
        options = {**_OPTIONS, "unix_socket_directories": f'"{self.socket}"'}
        launched = postgres.run(
            "pg_ctl",
            *("start", "-w", "-t", "120", "-D", str(self.folder), "-l", str(self.folder / "log")),
            *("-o", " ".join(f"-c {shlex.quote(f'{key}={value}')}" for key, value in options.items())),
            owner=owner,
            folder=self.folder,
        )
        if launched.returncode:
            raise FixConfiguration(
                f"PostgreSQL in {self.folder} does not start, the reason is at the end of "
                f"{self.folder / 'log'}: {launched.stderr.strip() or launched.stdout.strip()}"
            )

    def _answers(self) -> bool:
        try:
            self._connected().close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time creates, starts or stops a folder's server; a crash lets go."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _create(folder: Path, owner: postgres.Account) -> None:
    """Make the folder elsewhere and move it in place, so that a half-made one is never taken for whole."""
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    owner.own(unfinished)
    made = postgres.run(
        "initdb",
        *("--auth=trust", "--encoding=UTF8", "--username", _SUPERUSER, "-D", str(unfinished)),
        *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
        owner=owner,
        folder=unfinished,
    )
    if made.returncode:
        raise FixConfiguration(f"can't create a PostgreSQL in {folder}: {made.stderr.strip()}")
    unfinished.rename(folder)


def _bury(lock: Path) -> None:
    """Say that a killed server is dead where nobody collects its process, as in many containers.

    PostgreSQL takes such a zombie for alive. Its id is replaced by one that can't exist, rather than the
    file removed, so that PostgreSQL still makes sure that no other process uses the folder's memory.
    """
    try:
        process, *rest = lock.read_text().splitlines(keepends=True)
        state = Path(f"/proc/{process.strip()}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, ValueError, IndexError):
        return
    if state == "Z":
        lock.write_text("".join(["999999999\n", *rest]))


def _is_running(folder: Path, owner: postgres.Account) -> bool:
    asked = postgres.run("pg_ctl", "status", "-D", str(folder), owner=owner, folder=folder)
    return asked.returncode == 0


def _socket_folder(folder: Path) -> Path:
    """The folder itself, or a short one where the path would be too long for a socket."""
    if len(os.fsencode(folder / ".s.PGSQL.5432")) <= _LONGEST_SOCKET and '"' not in str(folder):
        return folder
    short = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"sync-pipelines-{short}"


def _claim(folder: Path, owner: postgres.Account) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid not in (os.geteuid(), owner.uid):
        raise FixConfiguration(f"{folder} belongs to somebody else: remove it, or use a shorter state folder")
    owner.own(folder)


def _exists(connection: psycopg.Connection[tuple[object, ...]], database: str) -> bool:
    asked = connection.execute("select 1 from pg_database where datname = %s", (database,))
    return asked.fetchone() is not None


def _create_database(connection: psycopg.Connection[tuple[object, ...]], database: str) -> None:
    try:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(database)))
    except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
        return  # another process was faster


def _drop(connection: psycopg.Connection[tuple[object, ...]], database: str) -> None:
    connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(database)))
