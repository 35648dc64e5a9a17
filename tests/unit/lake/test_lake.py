"""Tables, views and macros of the lake, and what opening it may meet."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync_pipelines.domains import money
from sync_pipelines.engine.topology import LegalEntity
from sync_pipelines.errors import FixConfiguration
from sync_pipelines.lake import Lake
from sync_pipelines.ledger.embedded import Embedded


def test_a_replaced_table_holds_exactly_the_query_and_an_unchanged_one_is_left_alone(lake: Lake) -> None:
    made = lake.replace("lake.shop", "SELECT * FROM (VALUES (1, 'a'), (1, 'a')) t(id, name)")
    before = lake.snapshot()
    same = lake.replace("lake.shop", "SELECT * FROM (VALUES (1, 'a'), (1, 'a')) t(id, name)")
    unmoved = lake.snapshot()
    other = lake.replace("lake.shop", "SELECT * FROM (VALUES (2, 'b'), (2, 'b')) t(id, name)")

    assert (made, same, other) == (True, False, True)
    assert unmoved == before
    assert lake.rows("SELECT * FROM lake.shop") == [(2, "b"), (2, "b")]


def test_a_table_whose_columns_change_is_replaced(lake: Lake) -> None:
    lake.replace("lake.shop", "SELECT 1 AS id")

    assert lake.replace("lake.shop", "SELECT 1 AS id, NULL AS name")
    assert lake.columns("lake.shop") == {"id", "name"}
    assert lake.columns("lake.nowhere") == set()


def test_the_rows_of_a_table_are_exchanged_without_making_it_anew(lake: Lake) -> None:
    identity = "SELECT table_id FROM ducklake_table_info('lake') WHERE table_name = 'shop'"
    lake.replace("lake.shop", "SELECT 1 AS id")
    made = lake.row(identity)
    lake.replace("lake.shop", "SELECT 2 AS id")

    assert lake.row(identity) == made
    assert lake.rows("FROM lake.shop") == [(2,)]


def test_what_is_at_hand_is_made_once_and_ends_with_its_transaction(lake: Lake) -> None:
    lake.replace("lake.shop", "SELECT 1 AS id")
    with lake.transaction():
        first, again = lake.at_hand("FROM lake.shop"), lake.at_hand("FROM lake.shop")
        assert lake.rows(f"FROM {first}") == [(1,)]
    left = lake.rows("SELECT table_name FROM duckdb_tables() WHERE temporary AND table_name LIKE 'at hand%'")

    assert first == again
    assert left == []
    assert lake.rows(f"FROM {lake.at_hand('FROM lake.shop')}") == [(1,)]


def test_what_is_at_hand_of_a_table_is_made_again_once_the_table_is_replaced(lake: Lake) -> None:
    lake.replace("lake.shop", "SELECT 1 AS id")
    lake.replace("lake.other", "SELECT 7 AS id")
    with lake.transaction():
        shop, other = lake.at_hand("FROM lake.shop"), lake.at_hand("FROM lake.other")
        lake.replace("lake.shop", "SELECT 2 AS id")
        assert lake.rows(f"FROM {lake.at_hand('FROM lake.shop')}") == [(2,)]
        assert lake.at_hand("FROM lake.other") == other
        assert lake.at_hand("FROM lake.shop") != shop


def test_nothing_is_at_hand_after_a_transaction_that_failed(lake: Lake) -> None:
    lake.replace("lake.shop", "SELECT 1 AS id")
    with pytest.raises(duckdb.Error), lake.transaction():
        lake.rows(f"SELECT error('no') FROM {lake.at_hand('FROM lake.shop')}")
    with lake.transaction():
        assert lake.rows(f"FROM {lake.at_hand('FROM lake.shop')}") == [(1,)]


def test_a_snapshot_shows_the_lake_as_it_was(lake: Lake) -> None:
    lake.replace("lake.shop", "SELECT 1 AS id")
    pinned = lake.snapshot()
    lake.replace("lake.shop", "SELECT 2 AS id")

    assert lake.rows(f"SELECT id FROM lake.shop AT (VERSION => {pinned})") == [(1,)]


def test_an_arrow_table_is_visible_while_the_block_runs(lake: Lake) -> None:
    with lake.relation("given", pa.table({"id": [1, 2]})):
        assert lake.row("SELECT sum(id) FROM given") == (3,)
    assert lake.columns("given") == set()


def test_findings_of_a_repeated_step_take_the_place_of_its_own(lake: Lake) -> None:
    for run_id, domain, kinds in (
        ("r1", "order", "ab"),
        ("r1", "invoice", "c"),
        ("r1", "order", "d"),
        ("r2", "order", ""),
    ):
        lake.db.execute(f"""
            CREATE OR REPLACE TEMP TABLE found AS
            SELECT kind, 's' AS system_a, '1' AS record_a, 't' AS system_b, '2' AS record_b, 'l' AS link_id,
                   'D-1' AS label, 'f' AS field, 'x' AS value_a, 'y' AS value_b, 5 AS amount_minor, 'USD' AS currency,
                   'US01' AS legal_entity, '2026-03' AS period, 'differs' AS reason, true AS is_primary
            FROM (SELECT unnest(string_split('{kinds}', '')) AS kind) WHERE kind <> ''""")
        lake.keep_findings(run_id, domain)

    assert [(row["domain"], row["kind"]) for row in lake.findings("r1")] == [("invoice", "c"), ("order", "d")]
    assert lake.findings("r2") == []


def test_legal_entities_are_a_table_for_mappings(lake: Lake) -> None:
    lake.declare({"US01": LegalEntity(name="Meridian", zone="America/New_York", currency="USD")})

    assert lake.rows("SELECT * FROM legal_entity") == [("US01", "Meridian", "America/New_York", "USD")]


@pytest.mark.parametrize(
    ("instant", "zone", "day"),
    [
        ("2026-01-01 03:00:00+00", "America/New_York", date(2025, 12, 31)),
        ("2026-01-01 03:00:00+00", "Europe/Berlin", date(2026, 1, 1)),
        ("2026-07-01 03:59:59+00", "America/New_York", date(2026, 6, 30)),
        ("2026-07-01 04:00:00+00", "America/New_York", date(2026, 7, 1)),
        ("2026-04-01 03:30:00+00", "America/New_York", date(2026, 3, 31)),
        ("2026-03-31 21:30:00+00", "Europe/Berlin", date(2026, 3, 31)),
        ("2026-03-31 22:00:00+00", "Europe/Berlin", date(2026, 4, 1)),
        ("2026-03-31 14:30:00+00", "Asia/Tokyo", date(2026, 3, 31)),
        ("2026-03-31 18:00:00+00", "Asia/Kolkata", date(2026, 3, 31)),
        ("2026-04-01 02:30:00+00", "America/Sao_Paulo", date(2026, 3, 31)),
        ("2026-03-31 10:30:00+00", "Pacific/Auckland", date(2026, 3, 31)),
        ("2026-03-29 00:59:59+00", "Europe/Berlin", date(2026, 3, 29)),
        ("2026-03-28 23:00:00+00", "Europe/Berlin", date(2026, 3, 29)),
        ("2026-10-25 22:59:59+00", "Europe/Berlin", date(2026, 10, 25)),
        ("2026-10-25 23:00:00+00", "Europe/Berlin", date(2026, 10, 26)),
        ("2026-11-02 04:59:59+00", "America/New_York", date(2026, 11, 1)),
    ],
)
def test_business_dates_are_in_the_legal_entity_s_zone(lake: Lake, instant: str, zone: str, day: date) -> None:
    assert lake.row(f"SELECT business_date(TIMESTAMPTZ '{instant}', '{zone}')") == (day,)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(amount=st.integers(-(10**13), 10**13), currency=st.sampled_from(["USD", "EUR", "JPY", "KWD"]))
def test_money_in_sql_is_money_in_python_to_the_last_unit(lake: Lake, amount: int, currency: str) -> None:
    major, minor, decimals = lake.row(
        "SELECT major(a, c), minor(major(a, c), c), exponent(c) FROM (SELECT CAST(? AS BIGINT) AS a, ? AS c)",
        [amount, currency],
    )

    assert major == money.major(amount, currency)
    assert minor == amount == money.minor(Decimal(major), currency)
    assert decimals == money.exponent(currency)


def test_any_number_of_sessions_may_open_a_lake_that_is_not_there_yet(
    postgres: Embedded, new_database: Callable[..., str], tmp_path: Path
) -> None:
    catalog = postgres.libpq(new_database())

    with ThreadPoolExecutor(3) as pool:
        opened = list(pool.map(lambda _: Lake.open(catalog=catalog, data=tmp_path / "lake"), range(3)))

    assert [lake.row("SELECT count(*) FROM lake.record_log") for lake in opened] == [(0,)] * 3
    for lake in opened:
        lake.close()


def test_a_lake_whose_folder_was_moved_is_still_the_same(
    postgres: Embedded, new_database: Callable[..., str], tmp_path: Path
) -> None:
    catalog = postgres.libpq(new_database())
    with Lake.open(catalog=catalog, data=tmp_path / "here") as lake:
        lake.replace("lake.shop", "SELECT unnest(range(5000)) AS id")
    shutil.move(tmp_path / "here", tmp_path / "there")

    with Lake.open(catalog=catalog, data=tmp_path / "there") as lake:
        assert lake.row("SELECT count(*), max(id) FROM lake.shop") == (5000, 4999)


def test_a_catalog_that_can_t_be_reached_is_told(postgres: Embedded, tmp_path: Path) -> None:
    with pytest.raises(FixConfiguration, match=r"the lake's catalog can't be reached.*nowhere"):
        Lake.open(catalog=postgres.libpq("nowhere"), data=tmp_path)


def test_a_bucket_without_the_extension_for_it_names_the_package_to_install(
    postgres: Embedded, new_database: Callable[..., str]
) -> None:
    with pytest.raises(FixConfiguration, match="duckdb-extension-httpfs"):
        Lake.open(catalog=postgres.libpq(new_database()), data="s3://bucket/lake")


def test_nothing_is_written_outside_the_lake_s_folder(
    postgres: Embedded, new_database: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)

    with Lake.open(
        catalog=postgres.libpq(new_database()), data=tmp_path / "lake", memory_limit="1GB", threads=1
    ) as lake:
        lake.replace("lake.shop", "SELECT unnest(range(100)) AS id")

    assert list(home.iterdir()) == []
