"""The embedded server with real processes: created once, shared, recovered, and gone when told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from sync_pipelines.ledger.embedded import Embedded

_START = (
    "import sys; from pathlib import Path; from sync_pipelines.ledger.embedded import Embedded; "
    "server = Embedded.start(Path(sys.argv[1])); server.ensure('books'); print(server.socket)"
)


@pytest.fixture
def state() -> Iterator[Path]:
    """Not `tmp_path`: pytest closes that to other accounts whenever another session starts."""
    with tempfile.TemporaryDirectory(prefix="sync-embedded-") as folder:
        yield Path(folder)


@pytest.fixture
def folder(state: Path) -> Iterator[Path]:
    place = state / "state" / "postgres"
    yield place
    Embedded(place, place).stop()


def _starter(folder: Path, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
        [sys.executable, "-W", "error", "-c", _START, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def _postmaster(folder: Path) -> int:
    return int((folder / "postmaster.pid").read_text().splitlines()[0])


def test_processes_that_start_one_folder_at_once_share_one_server_that_outlives_them(folder: Path) -> None:
    starters = [_starter(folder) for _ in range(3)]
    spoken = [starter.communicate(timeout=120) for starter in starters]

    assert [starter.returncode for starter in starters] == [0, 0, 0], spoken
    server = Embedded.start(folder)
    with psycopg.connect(server.libpq("books")) as connection:
        assert connection.execute("show max_connections").fetchone() == ("200",)
        assert connection.execute("show fsync").fetchone() == ("on",)
        assert connection.execute("show listen_addresses").fetchone() == ("",)


def test_stopping_ends_the_server_and_what_was_committed_is_there_after_the_next_start(folder: Path) -> None:
    server = Embedded.start(folder)
    with psycopg.connect(server.libpq("postgres")) as connection:
        connection.execute("create table kept as select 42 as answer")

    server.stop()
    server.stop()

    assert not server.running
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server.libpq("postgres"))
    with psycopg.connect(Embedded.start(folder).libpq("postgres")) as connection:
        assert connection.execute("select answer from kept").fetchone() == (42,)


def test_a_folder_named_from_where_we_are_is_the_same_server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.parent.mkdir(parents=True)
    monkeypatch.chdir(folder.parent)
    here = Embedded.at(Path("postgres"))
    before = here.running
    started = Embedded.start(Path("postgres"))

    assert (before, here.running) == (False, True)
    assert here == started == Embedded.at(folder)


def test_a_killed_server_recovers_what_was_committed(folder: Path) -> None:
    server = Embedded.start(folder)
    with psycopg.connect(server.libpq("postgres")) as connection:
        connection.execute("create table kept as select 42 as answer")
    os.kill(_postmaster(folder), signal.SIGKILL)

    with psycopg.connect(Embedded.start(folder).libpq("postgres")) as connection:
        assert connection.execute("select answer from kept").fetchone() == (42,)


def test_a_half_made_folder_is_made_anew(folder: Path) -> None:
    unfinished = folder.with_name("postgres.unfinished")
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")

    assert Embedded.start(folder).running
    assert not unfinished.exists()


def test_a_path_too_long_for_a_socket_gets_a_short_folder_that_stop_removes(state: Path) -> None:
    server = Embedded.start(state / ("long" * 30) / "it's a folder")
    socket = server.socket

    with psycopg.connect(server.libpq("postgres")) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    server.stop()

    assert len(str(socket)) < 100
    assert not socket.exists()


def test_a_template_is_built_once_and_copied_and_a_dropped_copy_is_gone(folder: Path) -> None:
    server = Embedded.start(folder)
    built: list[str] = []

    def build(database: str) -> None:
        built.append(database)
        with psycopg.connect(server.libpq(database)) as connection:
            connection.execute("create table shop (name text)")

    server.ensure_template("shop_template", build)
    server.ensure_template("shop_template", build)
    server.create_from_template("shop", "shop_template")

    assert len(built) == 1
    with psycopg.connect(server.libpq("shop")) as connection:
        assert connection.execute("select count(*) from shop").fetchone() == (0,)
    server.drop("shop")
    server.drop("shop")
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(server.libpq("shop"))


def test_a_template_whose_building_failed_is_built_again(folder: Path) -> None:
    server = Embedded.start(folder)

    def fail(_: str) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        server.ensure_template("shop_template", fail)
    built: list[str] = []
    server.ensure_template("shop_template", built.append)

    assert built == ["shop_template_unfinished"]


def _all_may_enter(path: Path) -> bool:
    return all(parent.stat().st_mode & 0o001 for parent in path.resolve().parents)


@pytest.mark.skipif(
    os.geteuid() != 0 or not _all_may_enter(Path(sys.executable)),
    reason="only root can become somebody else, who must be able to reach this Python",
)
def test_a_normal_user_runs_the_server_as_himself(state: Path) -> None:
    place = state / "home"
    place.mkdir()
    os.chown(place, 65534, 65534)
    for parent in place.parents:
        parent.chmod(parent.stat().st_mode | 0o011)
    folder = place / "postgres"

    starter = _starter(folder, user=65534, group=65534, extra_groups=[], cwd=Path(__file__).parents[2])
    spoken = starter.communicate(timeout=120)
    owner = folder.stat().st_uid if folder.exists() else None
    try:
        assert starter.returncode == 0, spoken
        assert owner == 65534
    finally:
        if (folder / "postmaster.pid").exists():
            os.kill(_postmaster(folder), signal.SIGINT)
