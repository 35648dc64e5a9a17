"""The page on adding a system holds what it says: its files make a package that conforms and that we find."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
import tomllib
from contextlib import nullcontext
from pathlib import Path

import pytest

import definitions
from resources.loop import loop as resource
from sync_pipelines import config, mappings
from sync_pipelines.domains import DOMAINS
from sync_pipelines.engine.conform import conform
from sync_pipelines.engine.extract import extract
from sync_pipelines.engine.outcome import Result
from sync_pipelines.lake import Lake

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "add-a-system.md"
FILE = re.compile(r"^```\w+\n(?:#|--) (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ASKED = """
import definitions
from resources.loop import loop as resource
from sync_pipelines import config, mappings
from sync_pipelines.clock import SystemClock
from sync_pipelines.engine.topology import SystemSettings
from sync_pipelines.systems.registry import connect

settings = SystemSettings("plaindesk", "plaindesk", "https://desk.test", options={"api_key": "k"})
print(connect(settings, clock=SystemClock()).passport.page_max)
print(list(mappings.objects("plaindesk")))
print(mappings.lineage("plaindesk", "customer")["label"])
print(len(mappings.version("plaindesk", "customer")), mappings.write_sql("plaindesk", "customer"))
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's files where they belong, and what an installer notes of their package."""
    folder = tmp_path_factory.mktemp("plaindesk-sync")
    for name, text in FILE.findall(PAGE.read_text()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    noted = folder / "plaindesk_sync-1.0.dist-info"
    noted.mkdir()
    declared = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    (noted / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {declared['name']}\nVersion: {declared['version']}\n"
    )
    lines = [
        f"[{group}]\n" + "".join(f"{name} = {where}\n" for name, where in points.items())
        for group, points in declared["entry-points"].items()
    ]
    (noted / "entry_points.txt").write_text("".join(lines))
    return folder


def run(package: Path, *words: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(package), str(ROOT)])
    return subprocess.run(
        [sys.executable, *words],
        cwd=package,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_package_of_ones_own_is_found_with_its_mappings_by_its_entry_point(package: Path) -> None:
    told = run(package, "-c", ASKED)

    assert told.stderr == ""
    assert told.stdout.splitlines() == ["100", "['companies']", "('plaindesk/companies.name',)", "12 None"]


def test_what_the_system_holds_becomes_customers(package: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(package)
    monkeypatch.syspath_prepend(package / "tests")
    facts = importlib.import_module("test_plaindesk").PlaindeskFacts()
    facts.put("Acme", "Borealis")
    shapes, clock = mappings.objects("plaindesk"), facts.clock
    given = {"object": "companies", "shape": shapes["companies"], "run_id": "r1", "clock": clock, "prove": True}

    extracted = extract(lake, facts.system, **given)
    lake.show("plaindesk", shapes)
    sql, lineage = mappings.read_sql("plaindesk", "customer"), mappings.lineage("plaindesk", "customer")
    conformed = conform(lake, DOMAINS["customer"], system="plaindesk", sql=sql, lineage=lineage)

    assert extracted.checks[0].result is Result.PASSED
    assert (conformed.records, conformed.quarantined) == (2, 0)


def test_the_graph_has_its_assets_and_its_sensor(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(package)
    given = (package / "sync.toml").read_text()
    table, place = given.split("[domains.customer]\n")
    shipped = (ROOT / "sync.toml").read_text().replace("[domains.customer]\nsystems", "[domains.customer]\n# systems")
    (package / "whole.toml").write_text(table + shipped.replace("[domains.customer]\n", f"[domains.customer]\n{place}"))
    topology = config.load(package / "whole.toml", strict=False)

    graph = definitions.graph(topology, loop=resource(nullcontext), probe=None)

    keys = {key.to_user_string() for key in graph.resolve_asset_graph().get_all_asset_keys()}
    assert {"plaindesk/companies", "customer/plaindesk"} <= keys
    assert "plaindesk_changes" in {sensor.name for sensor in graph.sensors or ()}


def test_the_system_of_the_page_conforms(package: Path) -> None:
    told = run(package, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "tests")

    counts = {word: int(number) for number, word in re.findall(r"(\d+) (\w+)", told.stdout.splitlines()[-1])}
    assert told.returncode == 0, told.stdout
    assert counts["passed"] >= 40
    assert "a key does not expire by itself" in told.stdout


def test_an_adapter_that_does_not_know_its_vendors_throttling_fails_the_suite(package: Path, tmp_path: Path) -> None:
    adapter = (package / "plaindesk_sync" / "__init__.py").read_text()
    (tmp_path / "plaindesk_sync.py").write_text(adapter.replace("case 429:", "case 428:"))
    shadowed = f"import sys, pytest; sys.path.insert(0, {str(tmp_path)!r}); pytest.main(['-q', 'tests'])"

    told = run(package, "-c", shadowed)

    failed = re.findall(r"^FAILED \S+::test_(\w+)", told.stdout, re.MULTILINE)
    assert failed == [
        "a_throttled_read_is_tried_later_and_then_gives_everything",
        "a_throttled_write_stores_nothing_and_is_tried_later",
    ]
