"""Imports run one way only; the contracts are in pyproject.toml."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINT = Path(sys.executable).with_name("lint-imports")


def linted(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([LINT, "--no-cache", *arguments], cwd=folder, capture_output=True, text=True, check=False)


def test_every_import_contract_is_kept() -> None:
    checked = linted(ROOT)

    assert checked.returncode == 0, checked.stdout


def test_an_engine_that_imports_dagster_would_be_caught(tmp_path: Path) -> None:
    for package in ("sensors", "assets", "resources", "sync_pipelines"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    (tmp_path / "sync_pipelines" / "loop.py").write_text("import dagster\n")
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())

    checked = linted(tmp_path, "--contract", "no-dagster")

    assert checked.returncode == 1, checked.stdout + checked.stderr
    assert "sync_pipelines.loop -> dagster" in checked.stdout
