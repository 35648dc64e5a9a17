"""Dagster's own storage lies beside the ledger, and a run's events can be read back from it."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import psycopg
import pytest
import yaml
from sqlalchemy import Engine, event

from resources.instance import ensure_database, write_dagster_home
from resources.loop import keep_connections
from sync_pipelines.ledger import address
from sync_pipelines.ledger.embedded import Embedded


def test_dagster_yaml_names_the_storage_and_keeps_it_from_other_users(tmp_path: Path) -> None:
    url = "postgresql+psycopg2://ann:secret@db.example/dagster"

    home = write_dagster_home(tmp_path, url)

    settings = yaml.safe_load((home / "dagster.yaml").read_text())
    assert settings["storage"] == {"postgres": {"postgres_url": url}}
    assert settings["concurrency"]["runs"]["max_concurrent_runs"] == 1
    assert not settings["telemetry"]["enabled"]
    assert stat.S_IMODE((home / "dagster.yaml").stat().st_mode) == 0o600


def test_an_address_without_its_driver_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"postgresql\+psycopg2://"):
        write_dagster_home(tmp_path, "postgresql://ann@db.example/dagster")


def test_a_run_is_stored_in_the_embedded_server(
    tmp_path: Path, postgres: Embedded, new_database: Callable[..., str]
) -> None:
    home = write_dagster_home(tmp_path, postgres.psycopg2_url(new_database()))

    @dg.asset
    def number() -> int:
        return 1

    with dg.DagsterInstance.from_config(str(home)) as instance:
        run = dg.materialize([number], instance=instance)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        record = instance.get_run_by_id(run.run_id)

    assert record is not None
    assert record.is_success


def test_a_process_that_keeps_its_connections_opens_a_handful_for_a_whole_run(
    tmp_path: Path, postgres: Embedded, new_database: Callable[..., str]
) -> None:
    home = write_dagster_home(tmp_path, postgres.psycopg2_url(new_database()))
    opened: list[object] = []

    def count(connection: object, _: object) -> None:
        opened.append(connection)

    @dg.asset
    def number() -> int:
        return 1

    with dg.DagsterInstance.from_config(str(home)) as instance:
        keep_connections(instance)
        event.listen(Engine, "connect", count)
        try:
            run = dg.materialize([number], instance=instance)
        finally:
            event.remove(Engine, "connect", count)

    assert run.success
    assert 0 < len(opened) < 10


def test_a_missing_database_is_created_and_a_present_one_is_kept(
    postgres: Embedded, new_database: Callable[..., str]
) -> None:
    url, name = postgres.url(new_database()), f"{new_database()}_dagster"
    try:
        ensure_database(url, name)
        ensure_database(url, name)

        with psycopg.connect(address.libpq(url, name)) as connection:
            assert connection.execute("select current_database()").fetchone() == (name,)
    finally:
        postgres.drop(name)
