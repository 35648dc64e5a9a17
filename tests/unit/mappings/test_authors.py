"""Who wrote a file: the line in it that says so, else who committed it, else nobody knows."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from sync_pipelines.mappings.authors import authors


def _git(folder: Path, *words: str) -> None:
    told = ("-c", "user.name=Ben Git", "-c", "user.email=ben@example.com")
    subprocess.run(["git", "-C", str(folder), *told, *words], check=True, capture_output=True)


@pytest.fixture
def committed(tmp_path: Path) -> Path:
    """A mapping that Ben committed."""
    path = tmp_path / "invoice.sql"
    path.write_text("SELECT 1\n")
    _git(tmp_path, "init", "--quiet")
    _git(tmp_path, "add", "invoice.sql")
    _git(tmp_path, "commit", "--quiet", "-m", "Map invoices")
    return path


def test_the_line_in_the_file_comes_first(committed: Path) -> None:
    committed.write_text("-- Author:  Anna Keller \nSELECT 1\n")
    toml = committed.with_name("objects.toml")
    toml.write_text("# author: Cleo\n")

    assert authors([committed, toml, committed]) == "Anna Keller; Cleo"


def test_else_it_is_who_committed_it(committed: Path) -> None:
    assert authors([committed]) == "Ben Git"


def test_a_change_that_nobody_committed_has_no_known_author(committed: Path) -> None:
    committed.write_text("SELECT 2\n")
    new = committed.with_name("order.sql")
    new.write_text("SELECT 3\n")

    assert authors([committed]) == authors([new]) == "unknown"


def test_outside_version_control_nobody_knows(tmp_path: Path) -> None:
    path = tmp_path / "invoice.sql"
    path.write_text("SELECT 1\n")

    assert authors([path]) == "unknown"
    assert authors([tmp_path / "none.sql"]) == "unknown"
