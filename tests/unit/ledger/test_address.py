"""One database, named in every dialect."""

from __future__ import annotations

import pytest

from sync_pipelines.errors import FixConfiguration
from sync_pipelines.ledger import address

URL = "postgres://ann:p%40ss@db.example:5433/books?sslmode=require"


def test_every_dialect_names_the_same_database() -> None:
    assert address.psycopg_url(URL) == "postgresql+psycopg://ann:p%40ss@db.example:5433/books?sslmode=require"
    assert address.psycopg2_url(URL, "dagster").startswith("postgresql+psycopg2://ann:p%40ss@db.example:5433/dagster?")
    assert address.libpq(URL) == (
        "dbname='books' host='db.example' port='5433' user='ann' password='p@ss' sslmode='require'"
    )


@pytest.mark.parametrize("folder", ["/run/it's here", "/run/back\\slash", "/run/a b"])
def test_a_socket_folder_with_odd_characters_is_quoted(folder: str) -> None:
    from psycopg.conninfo import conninfo_to_dict
    from sqlalchemy import URL

    url = URL.create("postgresql", username="ann", database="books", query={"host": folder})

    found = conninfo_to_dict(address.libpq(url.render_as_string(hide_password=False)))

    assert found == {"dbname": "books", "host": folder, "user": "ann"}


@pytest.mark.parametrize(
    "given", ["dbname='books' password='hunter2'", "postgresql://ann:hunter2@db.example:port/books"]
)
def test_what_is_no_address_is_refused_without_telling_its_password(given: str) -> None:
    with pytest.raises(FixConfiguration, match="DATABASE_URL") as refusal:
        address.libpq(given)

    assert "hunter2" not in str(refusal.value)
