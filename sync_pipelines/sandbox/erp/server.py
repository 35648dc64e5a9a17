"""A real Tryton server for the demo and the tests, in a database of the embedded PostgreSQL.

What fills it is in `seed`; how its template is made, once, in `setup`.
"""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import psycopg
import requests

from sync_pipelines.clock import Clock, SystemClock
from sync_pipelines.errors import FixConfiguration, RetryLater
from sync_pipelines.ledger.embedded import Embedded

USER = "admin"
PASSWORD = "admin-sandbox"
DATABASE = "erp"
_MADE_BY = ("setup.py", "books.py")
_FAST = "-c synchronous_commit=off -c jit=off -c plan_cache_mode=force_generic_plan"
"""While the template is made, a crash costs nothing: an unfinished one is thrown away."""


class Erp:
    """The ERP of a state folder; any process may stop or reset what another one started.

    >>> erp = Erp.prepare(Path(".sync"), Embedded.start(Path(".sync/postgres")))  # doctest: +SKIP
    >>> erp.start()  # doctest: +SKIP
    'http://127.0.0.1:40113/erp'
    """

    def __init__(
        self, folder: Path, postgres: Embedded, *, database: str = DATABASE, clock: Clock | None = None
    ) -> None:
        self.folder = folder
        self.postgres = postgres
        self.database = database
        self._clock = clock or SystemClock()
        self._child: subprocess.Popen[bytes] | None = None

    @classmethod
    def prepare(
        cls,
        state: Path,
        postgres: Embedded,
        *,
        database: str = DATABASE,
        progress: Callable[[str], None] = lambda what: None,
    ) -> Erp:
        """Make the template where it is missing (half a minute, once) and the database where it is missing."""
        erp = cls(state.absolute() / "erp", postgres, database=database)
        erp.folder.mkdir(parents=True, exist_ok=True)
        postgres.ensure_template(template(), lambda name: erp._fill(name, progress))
        if not _exists(postgres, database):
            postgres.create_from_template(database, template())
        return erp

    def start(self, *, port: int = 0) -> str:
        """Serve on 127.0.0.1 as a process of its own and wait until it answers; its URL.

        One that is left over from before is ended first. Port 0 takes a free one.
        """
        self.stop()
        for _ in range(3):
            chosen = port or _free_port()
            if self._serve(chosen):
                return f"http://127.0.0.1:{chosen}/{self.database}"
        raise RetryLater(f"the ERP does not start, the reason is at the end of {self._log}")

    def stop(self) -> None:
        """End the server, whoever started it; one that does not run is no error."""
        process = self._process()
        if process is not None:
            os.kill(process, signal.SIGTERM)
            for _ in range(100):
                if self._process() is None:
                    break
                self._clock.sleep(0.1)
            else:
                os.kill(process, signal.SIGKILL)
            self._pid_file.unlink(missing_ok=True)
        if self._child is not None:
            self._child.terminate()
            self._child.wait()
            self._child = None

    def reset(self) -> None:
        """Throw everything away that was done since `prepare`; the server is stopped by it."""
        self.stop()
        self.postgres.drop(self.database)
        self.postgres.create_from_template(self.database, template())

    @property
    def running(self) -> bool:
        return self._process() is not None

    @property
    def _log(self) -> Path:
        return self.folder / "log"

    @property
    def _pid_file(self) -> Path:
        return self.folder / f"{self.database}.pid"

    def _fill(self, name: str, progress: Callable[[str], None]) -> None:
        with self._log.open("a") as log:
            child = subprocess.Popen(
                [sys.executable, "-O", "-m", "sync_pipelines.sandbox.erp.setup", name],
                env={**self._environment(), "PGOPTIONS": _FAST, "TRYTONPASSFILE": "/dev/stdin"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
            with child:
                assert child.stdin is not None
                assert child.stdout is not None
                child.stdin.write(f"{PASSWORD}\n")
                child.stdin.close()
                for line in child.stdout:
                    progress(line.rstrip())
        if child.returncode:
            raise FixConfiguration(f"the ERP can't be set up, the reason is at the end of {self._log}")

    def _serve(self, port: int) -> bool:
        """Start a server; False when it ended before it answered."""
        with self._log.open("a") as log:
            child = subprocess.Popen(
                [sys.executable, "-O", "-m", "trytond.cli", "-d", self.database, "--pidfile", str(self._pid_file)],
                env={**self._environment(), "TRYTOND_WEB__LISTEN": f"127.0.0.1:{port}"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        for _ in range(1200):
            if child.poll() is not None:
                return False
            if _answers(port):
                self._child = child
                return True
            self._clock.sleep(0.1)
        child.kill()
        child.wait()
        return False

    def _environment(self) -> dict[str, str]:
        """Tryton's settings. Rendering a posted invoice for print is left to a queue, as in production."""
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("PG", "TRYTON", "DB_NAME"))
        }
        return {
            **inherited,
            "PGHOST": str(self.postgres.socket),
            "PGUSER": "postgres",
            "TRYTOND_DATABASE__URI": "postgresql:///",
            "TRYTOND_DATABASE__PATH": str(self.folder),
            "TRYTOND_QUEUE__WORKER": "True",
        }

    def _process(self) -> int | None:
        """The id of our server's process, made sure of by its command line."""
        try:
            process = int(self._pid_file.read_text())
        except (OSError, ValueError):
            return None
        return process if str(self._pid_file) in _command(process) else None


def template() -> str:
    """The name of the template database, which follows from what makes it."""
    sources = "".join(Path(__file__).with_name(name).read_text() for name in _MADE_BY)
    made_of = f"{version('trytond')} {sources}"
    return f"erp_template_{hashlib.sha256(made_of.encode()).hexdigest()[:8]}"


def _exists(postgres: Embedded, database: str) -> bool:
    with psycopg.connect(postgres.libpq("postgres"), autocommit=True) as connection:
        asked = connection.execute("select 1 from pg_database where datname = %s", (database,))
        return asked.fetchone() is not None


def _command(process: int) -> str:
    """The command line of a process; empty when it has ended, also where nobody has collected it."""
    if Path("/proc/self").exists():
        file = Path(f"/proc/{process}/cmdline")
        return file.read_bytes().replace(b"\0", b" ").decode(errors="replace") if file.exists() else ""
    asked = ["ps", "-o", "command=", "-p", str(process)]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    asked = {"id": 0, "method": "common.server.version", "params": []}
    try:
        answer = requests.post(f"http://127.0.0.1:{port}/rpc/", json=asked, timeout=5)
    except requests.RequestException:
        return False
    return answer.status_code == 200
