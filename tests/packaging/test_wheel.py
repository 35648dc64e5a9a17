"""The wheel holds the engine, all of it, and works where there is no checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXTS = {".cfg", ".sql", ".toml", ".html", ".css", ".json", ".mako", ".lark", ".j2", ".ini", ".typed"}


def uv() -> str:
    """The uv that runs us, the one on the path, or the one that make has put beside the Makefile."""
    found = os.environ.get("UV") or shutil.which("uv") or str(ROOT / ".tools" / "bin" / "uv")
    assert Path(found).is_file(), "no uv: run the tests through make"
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [uv(), "build", "--wheel", "--offline", "--out-dir", str(folder), str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture
def installed(wheel: Path, tmp_path: Path) -> Path:
    """The wheel's content in a folder of its own, as an installer lays it out."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    return tmp_path


def test_the_wheel_holds_the_engine_alone(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}

    assert tops == {"sync_pipelines", "sync_pipelines-0.1.0.dist-info"}


def test_every_file_of_the_engine_is_in_the_wheel(wheel: Path) -> None:
    kept = TEXTS | {".py"}
    expected = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "sync_pipelines").rglob("*")
        if path.suffix in kept and "__pycache__" not in path.parts
    }

    with zipfile.ZipFile(wheel) as archive:
        missing = expected - set(archive.namelist())

    assert not missing
    assert any(name.endswith(".sql") for name in expected)


def test_the_wheel_offers_the_command_and_the_adapters(installed: Path) -> None:
    offered = ConfigParser()
    offered.read(installed / "sync_pipelines-0.1.0.dist-info" / "entry_points.txt")

    assert offered["console_scripts"]["sync-pipelines"] == "sync_pipelines.cli:main"
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["sync_pipelines.systems"]
    assert dict(offered["sync_pipelines.systems"]) == declared


def test_trytond_finds_its_module_and_needs_nothing_else_to_import_what_is_above_it(installed: Path) -> None:
    offered = ConfigParser()
    offered.read(installed / "sync_pipelines-0.1.0.dist-info" / "entry_points.txt")
    module = offered["trytond.modules"]["sync_pipelines"]
    code = f"import sys; sys.path.insert(0, {str(installed)!r}); import {module} as found; print(found.__file__)"

    ran = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stderr
    assert Path(ran.stdout.strip()).with_name("tryton.cfg").is_file()


def test_the_wheel_carries_its_licence(installed: Path) -> None:
    licence = installed / "sync_pipelines-0.1.0.dist-info" / "licenses" / "LICENSE"

    assert "Apache License" in licence.read_text()


@pytest.mark.parametrize("module", ["sync_pipelines.engine.plan", "sync_pipelines.loop", "sync_pipelines.cli"])
def test_the_engine_runs_from_the_wheel_without_the_checkout(installed: Path, module: str) -> None:
    code = (
        f"import sys; sys.path[:] = [{str(installed)!r}] + [p for p in sys.path if p != {str(ROOT)!r}]\n"
        f"import {module} as found; from sync_pipelines import mappings\n"
        f"assert found.__file__.startswith({str(installed)!r}), found.__file__\n"
        "assert 'dagster' not in sys.modules\n"
        "assert mappings.sources('stripe', 'invoice')\n"
    )

    ran = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=installed.parent,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
